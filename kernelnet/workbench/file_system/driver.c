/*
 * The bench's trusted half: walks the trace and keeps the score.  It is the only one that knows which block is where, and
 * has a memory of its own, which the policy can't reach.  The host lays the arrays out in that memory.
 */
#define KN_BENCH
#include "kn_file_system.h"

static const u32 *trace; /* the requested block of each request: dense numbers, in the order of first appearance */
static const u64 *keys;  /* by block: what the policy sees */
static u32 *slot_of;     /* by block: its slot, KN_NONE while it isn't resident; the host fills it with KN_NONE */
static u32 *block_in;    /* by slot */
static u32 capacity, used;

#ifdef KN_RANK
#include "rank.h"
#define NAME(block) block
#else
KN_POLICY("kn_init") extern void kn_init(u32 capacity);
KN_POLICY("kn_hit") extern void kn_hit(u32 slot, u32 now);
KN_POLICY("kn_victim") extern u32 kn_victim(u64 key, u32 now);
KN_POLICY("kn_insert") extern void kn_insert(u32 slot, u64 key, u32 now);
#define NAME(block) keys[block]
#endif

KN_EXPORT("wb_begin") void wb_begin(const u32 *trace_, const u64 *keys_, u32 *slot_of_, u32 *block_in_, u32 capacity_) {
    trace = trace_;
    keys = keys_;
    slot_of = slot_of_;
    block_in = block_in_;
    capacity = capacity_;
    used = 0;
    kn_init(capacity);
}

/* Serves the requests from `from` to before `to`.  Returns how many missed; -1 - i if the policy named a slot that does
 * not exist at request i. */
KN_EXPORT("wb_run") long long wb_run(u32 from, u32 to) {
    long long misses = 0;
    for (u32 now = from; now < to; now++) {
        u32 block = trace[now], slot = slot_of[block];
        if (slot != KN_NONE) {
            kn_hit(slot, now);
            continue;
        }
        misses++;
        if (used < capacity) {
            slot = used++;
        } else {
            slot = kn_victim(NAME(block), now);
            if (slot >= capacity) return -1 - (long long)now;
            slot_of[block_in[slot]] = KN_NONE;
        }
        block_in[slot] = block;
        slot_of[block] = slot;
        kn_insert(slot, NAME(block), now);
    }
    return misses;
}
