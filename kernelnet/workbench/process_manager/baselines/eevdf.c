/*
 * Like EEVDF, earliest eligible virtual deadline first (I. Stoica and H. Abdel-Wahab, Old Dominion University TR 95-22, 1995; in
 * Linux since 6.6), with all weights equal: virtual time is the mean of the tasks' virtual run times, whoever is not
 * ahead of it is eligible, and of those runs who has the earliest deadline, which is one quantum of his own later
 * than when his request began.  A newcomer starts at the virtual time.
 */
#include "kn_process_manager.h"

static kn_set waiting;
static u64 *vruntime, *deadline, *turn, turns, quantum, sum, count, last; /* sum of count virtual run times */

void kn_init(u32 slots, u32 cpus, u64 quantum_) {
    waiting = kn_set_new(slots);
    vruntime = kn_alloc(slots * 8);
    deadline = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    quantum = quantum_;
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    vruntime[slot] = count ? sum / count : last;
    deadline[slot] = vruntime[slot] + quantum;
    sum += vruntime[slot];
    count++;
    turn[slot] = turns++;
    kn_set_add(&waiting, slot);
}

static u32 eligible(u32 slot) { return vruntime[slot] * count <= sum; }

/* With several CPUs there may be none eligible left: then who has the earliest deadline of all. */
u32 kn_pick(u64 elapsed) {
    u32 best = waiting.slot[0];
    for (u32 i = 1; i < waiting.count; i++) {
        u32 slot = waiting.slot[i];
        if (eligible(slot) != eligible(best)) {
            if (eligible(slot)) best = slot;
        } else if (deadline[slot] < deadline[best] || (deadline[slot] == deadline[best] && turn[slot] < turn[best])) {
            best = slot;
        }
    }
    kn_set_remove(&waiting, best);
    return best;
}

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    vruntime[slot] += ran;
    sum += ran;
    if (vruntime[slot] >= deadline[slot]) deadline[slot] = vruntime[slot] + quantum;
    kn_set_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {
    sum -= vruntime[slot];
    count--;
    last = vruntime[slot] + ran;
}
