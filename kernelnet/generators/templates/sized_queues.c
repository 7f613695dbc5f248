/*
 * A family of policies for objects of different sizes: a queue of newcomers, then a heap by requests a byte.
 *
 * Newcomers wait in a queue that has a share of the bytes.  At its end they get into the heap if they were requested often
 * enough, and are evicted otherwise, leaving a ghost; an object that is requested while its ghost is remembered comes
 * straight into the heap.  There the lowest goes, by requests over a power of the size, plus the age of the cache, which is
 * the value of the last one that went.  The parameters span FIFO, LFU with aging, GreedyDual-Size, GDSF, and
 * S3-FIFO's filter before each of them.  (GreedyDual-Size: Cao and Irani, USITS 1997; GDSF: Cherkasova, HP Labs 1998;
 * S3-FIFO: Yang et al., SOSP 2023.)
 */
#include "kn_file_system.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define QUEUE_SHARE 0.1
#define GHOST_SHARE 0.9
#define PROMOTE_AFTER 2
#define SIZE_POWER 4
#define AGING 1.0
#define MOST_COUNTED 1000
#define ROOT_OF_COUNT 0
#define KEEPS_COUNT 0
#define DECLINES 1
/* end parameters */

static kn_links links;
static kn_ghosts ghosts;
static u32 queue; /* head of the newcomers; the front is the newest */
static u64 queue_bytes, queue_limit, ghost_bytes, ghost_limit;
static u64 *key_in, *stamp, requests;
static u32 *size_of, *frequency, *heap, *place, count; /* the lowest is at 0 */
static f64 *value, age;
static u8 *in_heap, asked;
static u32 size, remembered; /* of the newcomer; KN_NONE: it isn't remembered */

void kn_init(u32 slots) {
    links = kn_links_new(slots + 1);
    queue = slots;
    kn_list_init(links, queue);
    ghosts = kn_ghosts_new(GHOST_SHARE > 0 ? slots : 0);
    key_in = kn_alloc(slots * 8);
    stamp = kn_alloc(slots * 8);
    value = kn_alloc(slots * 8);
    size_of = kn_alloc(slots * 4);
    frequency = kn_alloc(slots * 4);
    heap = kn_alloc(slots * 4);
    place = kn_alloc(slots * 4);
    in_heap = kn_alloc(slots);
}

void kn_bytes(u64 capacity) {
    queue_limit = (u64)(QUEUE_SHARE * (f64)capacity);
    ghost_limit = (u64)(GHOST_SHARE * (f64)capacity);
}

void kn_size(u32 bytes) {
    size = bytes;
    requests++;
    asked = 0;
}

/* The size to the power of SIZE_POWER / 4. */
static f64 weight(u32 bytes) {
    f64 half = kn_sqrt(bytes), quarter = kn_sqrt(half), found = 1;
    u32 power = SIZE_POWER;
    if (power & 1) found *= quarter;
    if (power & 2) found *= half;
    if (power & 4) found *= bytes;
    return found;
}

static f64 worth(u32 times, u32 bytes) {
    f64 counted = kn_min(times, MOST_COUNTED);
    if (ROOT_OF_COUNT) counted = kn_sqrt(counted);
    return AGING * age + counted / weight(bytes);
}

static u32 before(u32 a, u32 b) { return value[a] < value[b] || (value[a] == value[b] && stamp[a] < stamp[b]); }

static void put(u32 at, u32 slot) {
    heap[at] = slot;
    place[slot] = at;
}

static void up(u32 at, u32 slot) {
    for (; at && before(slot, heap[(at - 1) / 2]); at = (at - 1) / 2) put(at, heap[(at - 1) / 2]);
    put(at, slot);
}

static void down(u32 at, u32 slot) {
    for (;;) {
        u32 child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], slot)) break;
        put(at, heap[child]);
        at = child;
    }
    put(at, slot);
}

static void into_heap(u32 slot, f64 worth_) {
    in_heap[slot] = 1;
    value[slot] = worth_;
    stamp[slot] = requests;
    up(count++, slot);
}

void kn_hit(u32 slot) {
    frequency[slot]++;
    if (!in_heap[slot]) return;
    value[slot] = worth(frequency[slot], size_of[slot]);
    stamp[slot] = requests;
    up(place[slot], slot); /* where the age's weight is below 1 it may fall */
    down(place[slot], slot);
}

/* A ghost's tag is its object's size. */
static void drop_oldest_ghost(void) {
    ghost_bytes -= ghosts.tag[kn_back(ghosts.links, ghosts.size)];
    kn_ghosts_drop_oldest(&ghosts);
}

static void leave_ghost(u32 slot) {
    if (size_of[slot] > ghost_limit || !ghosts.size) return;
    while (ghosts.count && (ghost_bytes + size_of[slot] > ghost_limit || ghosts.count == ghosts.size)) drop_oldest_ghost();
    kn_ghosts_add(&ghosts, key_in[slot], size_of[slot]);
    ghost_bytes += size_of[slot];
}

static void ask(u64 key) {
    if (asked) return;
    asked = 1;
    remembered = ghosts.size ? kn_ghosts_take(&ghosts, key) : KN_NONE;
    if (remembered != KN_NONE) ghost_bytes -= remembered;
}

static f64 newcomers_worth(void) { return remembered != KN_NONE ? worth(2, size) : worth(1, size); }

u32 kn_victim(u64 key) {
    ask(key);
    while (queue_bytes && (queue_bytes >= queue_limit || !count)) {
        u32 slot = kn_pop_back(links, queue);
        queue_bytes -= size_of[slot];
        if ((i32)frequency[slot] < PROMOTE_AFTER) {
            leave_ghost(slot);
            return slot;
        }
        if (!KEEPS_COUNT) frequency[slot] = 1;
        into_heap(slot, worth(frequency[slot], size_of[slot]));
    }
    u32 lowest = heap[0];
    if (DECLINES && (QUEUE_SHARE == 0 || remembered != KN_NONE) && newcomers_worth() < value[lowest]) {
        age = newcomers_worth();
        return KN_NONE;
    }
    age = value[lowest];
    u32 last = heap[--count];
    if (count) down(0, last);
    in_heap[lowest] = 0;
    if (KEEPS_COUNT) leave_ghost(lowest);
    return lowest;
}

void kn_insert(u32 slot, u64 key) {
    ask(key);
    key_in[slot] = key;
    size_of[slot] = size;
    frequency[slot] = 1;
    in_heap[slot] = 0;
    if (remembered != KN_NONE) frequency[slot] = 2;
    if (remembered != KN_NONE || queue_limit == 0) {
        into_heap(slot, newcomers_worth());
        return;
    }
    kn_push_front(links, queue, slot);
    queue_bytes += size;
}
