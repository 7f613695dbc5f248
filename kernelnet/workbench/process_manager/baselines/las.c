/*
 * LAS, least attained service: who has run least runs (M. Nuyens and A. Wierman, The foreground-background queue: a survey,
 * Performance Evaluation 65, 2008).  Of equals those run that came first.
 */
#include "kn_process_manager.h"

static kn_heap waiting;
static u64 *attained, *turn, turns;

void kn_init(u32 slots, u32 cpus, u64 quantum) {
    attained = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, attained, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    attained[slot] = 0;
    turn[slot] = turns++;
    kn_heap_add(&waiting, slot);
}

u32 kn_pick(u64 elapsed) { return kn_heap_take(&waiting); }

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    attained[slot] += ran;
    kn_heap_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {}
