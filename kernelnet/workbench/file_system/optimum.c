/*
 * The offline optimum for blocks of one size that all have to come in (Belady, A study of replacement algorithms for a
 * virtual-storage computer, IBM Systems Journal 5(2), 1966): evict the block whose next request is farthest away.
 *
 * No two blocks have the same next request, so the resident blocks are kept as the set of their next requests: request `now`
 * hits exactly if `now` is in the set, and the victim is the set's maximum.  The set is a tree of 64-bit words, a bit
 * in each level saying whether the word below has any: every operation costs at most six steps.  Blocks that
 * are never requested again are only counted; they are the first to go.
 */
#define KN_BENCH
#include "kn_file_system.h"

#define LEVELS 6
static u64 *level[LEVELS];
static u32 levels;
static const u32 *next;
static u32 capacity, used, dead;

static void add(u32 x) {
    for (u32 i = 0; i < levels; i++, x >>= 6) level[i][x >> 6] |= 1ull << (x & 63);
}

static void discard(u32 x) {
    for (u32 i = 0; i < levels; i++, x >>= 6)
        if (level[i][x >> 6] &= ~(1ull << (x & 63))) return;
}

static u32 maximum(void) {
    u32 x = 0;
    for (u32 i = levels; i-- > 0;) x = x << 6 | (63 - (u32)__builtin_clzll(level[i][x]));
    return x;
}

/*
 * Fills next_[i] with the request after i of the same block, KN_NONE if there is none.  `last` is room for a number a block,
 * filled with KN_NONE; `set` is zeroed room for the set: 8 bytes for each 62 requests, and 64 more.
 */
KN_EXPORT("opt_begin")
void opt_begin(const u32 *trace, u32 *next_, u32 *last, u8 *set, u32 requests, u32 capacity_) {
    for (u32 i = requests; i-- > 0;) {
        next_[i] = last[trace[i]];
        last[trace[i]] = i;
    }
    next = next_;
    capacity = capacity_;
    used = dead = levels = 0;
    u32 words = requests;
    do {
        words = (words + 63) / 64;
        level[levels++] = (u64 *)set;
        set += words * 8;
    } while (words > 1);
}

/* The optimum's misses from request `from` to before `to`; windows must follow each other. */
KN_EXPORT("opt_run") long long opt_run(u32 from, u32 to) {
    long long misses = 0;
    for (u32 now = from; now < to; now++) {
        if (level[0][now >> 6] >> (now & 63) & 1) {
            discard(now);
        } else {
            misses++;
            if (used < capacity) used++;
            else if (dead) dead--;
            else discard(maximum());
        }
        if (next[now] == KN_NONE) dead++;
        else add(next[now]);
    }
    return misses;
}
