/*
 * Round robin: who has run for a quantum goes to the end of the queue (L. Kleinrock, Analysis of a time-shared processor,
 * Naval Research Logistics Quarterly 11, 1964).
 */
#include "kn_process_manager.h"

static kn_heap waiting;
static u64 *turn, turns, *used, quantum; /* used: of the quantum, since it had its turn */

void kn_init(u32 slots, u32 cpus, u64 quantum_) {
    turn = kn_alloc(slots * 8);
    used = kn_alloc(slots * 8);
    quantum = quantum_;
    waiting = kn_heap_new(slots, turn, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    turn[slot] = turns++;
    used[slot] = 0;
    kn_heap_add(&waiting, slot);
}

u32 kn_pick(u64 elapsed) { return kn_heap_take(&waiting); }

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    used[slot] += ran;
    if (used[slot] >= quantum) {
        turn[slot] = turns++;
        used[slot] = 0;
    }
    kn_heap_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {}
