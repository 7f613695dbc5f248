/* CLOCK (Corbato, A Paging Experiment with the Multics System, 1968): FIFO with a second chance for what was requested
 * since the hand last passed. */
#include "kn_file_system.h"

static u32 capacity, hand;
static u8 *referenced;

void kn_init(u32 capacity_) {
    capacity = capacity_;
    referenced = kn_alloc(capacity);
}

void kn_hit(u32 slot) { referenced[slot] = 1; }

u32 kn_victim(u64 key) {
    for (;;) {
        u32 slot = hand;
        hand = hand + 1 == capacity ? 0 : hand + 1;
        if (!referenced[slot]) return slot;
        referenced[slot] = 0;
    }
}

void kn_insert(u32 slot, u64 key) { referenced[slot] = 0; }
