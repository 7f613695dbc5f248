/*
 * Bimodal insertion (Qureshi et al., Adaptive insertion policies for high performance caching, ISCA 2007): an LRU list in
 * which newcomers start at the end, where they go first, but for one in INSERT_FIRST_EVERY; and a
 * block moves to the front at each MOVE_EVERY-th request for it.
 */
#include "kn_file_system.h"

#define INSERT_FIRST_EVERY @INSERT_FIRST_EVERY@
#define MOVE_EVERY @MOVE_EVERY@

static kn_links links;
static u32 list, arrivals;
static u32 *requests;

void kn_init(u32 capacity) {
    links = kn_links_new(capacity + 1);
    list = capacity;
    kn_list_init(links, list);
    requests = kn_alloc(capacity * 4);
}

void kn_hit(u32 slot) {
    if (++requests[slot] % MOVE_EVERY) return;
    kn_unlink(links, slot);
    kn_push_front(links, list, slot);
}

u32 kn_victim(u64 key) { return kn_pop_back(links, list); }

void kn_insert(u32 slot, u64 key) {
    requests[slot] = 0;
    /* Behind the last node is before the head: the list is circular. */
    u32 before = arrivals++ % INSERT_FIRST_EVERY ? kn_back(links, list) : list;
    kn_push_front(links, before, slot);
}
