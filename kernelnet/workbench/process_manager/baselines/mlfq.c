/*
 * MLFQ, a multi-level feedback queue: eight levels, round robin in each.  Who has used up a level's allotment, which doubles from
 * level to level, goes one down; after a while all go back to the top (F. J. Corbató, M. Merwin-Daggett and R. C. Daley,
 * An experimental time-sharing system, AFIPS 1962; R. and A. Arpaci-Dusseau, Operating Systems: Three Easy Pieces,
 * chapter 8: their rules 1 to 5).
 */
#include "kn_process_manager.h"

enum { LEVELS = 8, BOOST = 2048 }; /* BOOST: quanta after which all go back to the top */

static kn_heap waiting;
static u64 *turn, turns, *used, *level, quantum, period, now; /* used: of the level's allotment */

void kn_init(u32 slots, u32 cpus, u64 quantum_) {
    turn = kn_alloc(slots * 8);
    used = kn_alloc(slots * 8);
    level = kn_alloc(slots * 8);
    quantum = quantum_;
    waiting = kn_heap_new(slots, level, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    now += elapsed;
    turn[slot] = turns++;
    used[slot] = level[slot] = 0;
    kn_heap_add(&waiting, slot);
}

u32 kn_pick(u64 elapsed) {
    now += elapsed;
    if (now / quantum / BOOST > period) {
        period = now / quantum / BOOST;
        for (u32 i = 0; i < waiting.count; i++) level[waiting.slot[i]] = used[waiting.slot[i]] = 0;
        kn_heap_order(&waiting);
    }
    return kn_heap_take(&waiting);
}

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    used[slot] += ran;
    if (used[slot] >= quantum << level[slot]) {
        used[slot] = 0;
        turn[slot] = turns++;
        if (level[slot] < LEVELS - 1) level[slot]++;
    }
    kn_heap_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) { now += elapsed; }
