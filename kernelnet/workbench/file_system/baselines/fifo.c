/* FIFO: what came in first goes first.  Slots fill in order, so a hand that goes round finds the oldest. */
#include "kn_file_system.h"

static u32 capacity, hand;

void kn_init(u32 capacity_) { capacity = capacity_; }

void kn_hit(u32 slot) {}

u32 kn_victim(u64 key) {
    u32 victim = hand;
    hand = hand + 1 == capacity ? 0 : hand + 1;
    return victim;
}

void kn_insert(u32 slot, u64 key) {}
