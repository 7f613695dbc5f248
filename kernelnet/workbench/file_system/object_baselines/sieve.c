/* SIEVE (Zhang et al., NSDI 2024) for objects of different sizes, which it does not look at: a queue in order of arrival and a
 * hand that moves from the oldest to the newest; it evicts the first object not requested since it last passed, and the survivors
 * stay where they are. */
#include "kn_file_system.h"

static kn_links links;
static u32 queue; /* the list's head, and the hand's place when it has none */
static u32 hand;
static u8 *visited;

void kn_init(u32 slots) {
    links = kn_links_new(slots + 1);
    visited = kn_alloc(slots);
    queue = hand = slots;
    kn_list_init(links, queue);
}

void kn_bytes(u64 capacity) {}
void kn_size(u32 bytes) {}

void kn_hit(u32 slot) { visited[slot] = 1; }

static u32 towards_newest(u32 slot) {
    u32 newer = links.prev[slot];
    return newer == queue ? kn_back(links, queue) : newer;
}

u32 kn_victim(u64 key) {
    u32 slot = hand == queue ? kn_back(links, queue) : hand;
    while (visited[slot]) {
        visited[slot] = 0;
        slot = towards_newest(slot);
    }
    hand = links.prev[slot];
    kn_unlink(links, slot);
    return slot;
}

void kn_insert(u32 slot, u64 key) {
    visited[slot] = 0;
    kn_push_front(links, queue, slot);
}
