/* LFU: what was requested least often since it came in goes; of equals the one whose count is so for longest (the tie rule of
 * libCacheSim; nothing is remembered of what is gone, and counts don't age).  Slots of the same count are a list of their own,
 * and the counts in use a list in order (Shah, Mitra and Matani, An O(1) algorithm for implementing the LFU cache
 * eviction scheme, 2010). */
#include "kn_file_system.h"

static kn_links links;  /* nodes: the slots, then a head for each count in use; the back is the oldest */
static kn_links counts; /* nodes: the counts in use, a head of this list, a head of those not in use; the back is the least */
static u32 *requests;   /* by count in use */
static u32 *count_of;   /* by slot */
static u32 capacity, order, unused;

void kn_init(u32 capacity_) {
    capacity = capacity_;
    u32 most = capacity + 1; /* counts in use: one a slot, and the next one of a slot that is about to leave its own */
    order = most;
    unused = most + 1;
    links = kn_links_new(capacity + most);
    counts = kn_links_new(most + 2);
    requests = kn_alloc(most * 4);
    count_of = kn_alloc(capacity * 4);
    kn_list_init(counts, order);
    kn_list_init(counts, unused);
    for (u32 count = 0; count < most; count++) {
        kn_list_init(links, capacity + count);
        kn_push_front(counts, unused, count);
    }
}

static void put(u32 slot, u32 count) {
    count_of[slot] = count;
    kn_push_front(links, capacity + count, slot);
}

static void take(u32 slot) {
    u32 count = count_of[slot];
    kn_unlink(links, slot);
    if (kn_back(links, capacity + count) != capacity + count) return;
    kn_unlink(counts, count);
    kn_push_front(counts, unused, count);
}

/* The list of so many requests, which comes right before list `after` (towards the front: one that is larger). */
static u32 list_of(u32 number, u32 after) {
    u32 count = counts.prev[after];
    if (count != order && requests[count] == number) return count;
    count = kn_pop_back(counts, unused);
    kn_push_front(counts, counts.prev[after], count);
    requests[count] = number;
    return count;
}

void kn_hit(u32 slot) {
    u32 more = list_of(requests[count_of[slot]] + 1, count_of[slot]);
    take(slot);
    put(slot, more);
}

u32 kn_victim(u64 key) {
    u32 slot = kn_back(links, capacity + kn_back(counts, order));
    take(slot);
    return slot;
}

void kn_insert(u32 slot, u64 key) { put(slot, list_of(1, order)); }
