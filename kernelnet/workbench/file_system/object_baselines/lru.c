/* LRU for objects of different sizes: what was requested least recently goes, until there is room. */
#include "kn_file_system.h"

static kn_links links;
static u32 recency; /* the list's head; the front is the most recent */

void kn_init(u32 slots) {
    links = kn_links_new(slots + 1);
    recency = slots;
    kn_list_init(links, recency);
}

void kn_bytes(u64 capacity) {}
void kn_size(u32 bytes) {}

void kn_hit(u32 slot) {
    kn_unlink(links, slot);
    kn_push_front(links, recency, slot);
}

u32 kn_victim(u64 key) { return kn_pop_back(links, recency); }

void kn_insert(u32 slot, u64 key) { kn_push_front(links, recency, slot); }
