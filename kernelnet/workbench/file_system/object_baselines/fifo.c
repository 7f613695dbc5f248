/* FIFO for objects of different sizes: what came in first goes first, until there is room. */
#include "kn_file_system.h"

static kn_links links;
static u32 arrivals; /* the list's head; the front is the newest */

void kn_init(u32 slots) {
    links = kn_links_new(slots + 1);
    arrivals = slots;
    kn_list_init(links, arrivals);
}

void kn_bytes(u64 capacity) {}
void kn_size(u32 bytes) {}
void kn_hit(u32 slot) {}

u32 kn_victim(u64 key) { return kn_pop_back(links, arrivals); }

void kn_insert(u32 slot, u64 key) { kn_push_front(links, arrivals, slot); }
