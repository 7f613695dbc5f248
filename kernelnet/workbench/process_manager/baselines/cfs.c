/*
 * Like Linux's CFS (2.6.23 to 6.5; I. Molnar, Documentation/scheduler/sched-design-CFS.rst) with all weights equal: who has the
 * lowest virtual run time runs.  A newcomer starts with the lowest there is.  Who runs keeps the CPU until its slice, a
 * share of LATENCY quanta and at least one, is used up, unless another is behind by more than a quantum.
 */
#include "kn_process_manager.h"

enum { LATENCY = 8 };

static kn_set waiting;
static u64 *vruntime, *used, *left_cpu, *turn, turns, quantum, least, ready, now; /* used: of the slice; least never falls */

void kn_init(u32 slots, u32 cpus, u64 quantum_) {
    waiting = kn_set_new(slots);
    vruntime = kn_alloc(slots * 8);
    used = kn_alloc(slots * 8);
    left_cpu = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    quantum = quantum_;
    least = quantum; /* so that a quantum can be taken off */
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    now += elapsed;
    u64 lowest = ~0ull;
    for (u32 i = 0; i < waiting.count; i++)
        if (vruntime[waiting.slot[i]] < lowest) lowest = vruntime[waiting.slot[i]];
    if (waiting.count && lowest > least) least = lowest;
    vruntime[slot] = least;
    used[slot] = 0;
    left_cpu[slot] = ~0ull;
    turn[slot] = turns++;
    ready++;
    kn_set_add(&waiting, slot);
}

/* Whether it ran until now, and its slice isn't used up. */
static u32 current(u32 slot) {
    u64 slice = LATENCY * quantum / ready;
    return left_cpu[slot] == now && used[slot] < (slice > quantum ? slice : quantum);
}

u32 kn_pick(u64 elapsed) {
    now += elapsed;
    u32 best = KN_NONE;
    u64 lowest = 0;
    for (u32 i = 0; i < waiting.count; i++) {
        u32 slot = waiting.slot[i];
        u64 value = vruntime[slot] - (current(slot) ? quantum : 0);
        if (best == KN_NONE || value < lowest || (value == lowest && turn[slot] < turn[best])) {
            best = slot;
            lowest = value;
        }
    }
    if (!current(best)) used[best] = 0;
    kn_set_remove(&waiting, best);
    return best;
}

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    vruntime[slot] += ran;
    used[slot] += ran;
    left_cpu[slot] = now;
    kn_set_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    ready--;
}
