/*
 * SJF, shortest job first, by estimates, and preemptive: a task's user estimated how long it takes; where he didn't, the mean of
 * the last two of its key does, and of a key without past that of all.
 */
#include "kn_process_manager.h"

static kn_heap waiting;
static kn_recent *recent;
static u64 *estimated, *attained, *key_of, *turn, turns, done, sum;

void kn_init(u32 slots, u32 cpus, u64 quantum) {
    recent = kn_recent_new();
    estimated = kn_alloc(slots * 8);
    attained = kn_alloc(slots * 8);
    key_of = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, estimated, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    if (!estimate) estimate = kn_recent_mean(recent, key);
    if (!estimate && done) estimate = sum / done;
    estimated[slot] = estimate;
    attained[slot] = 0;
    key_of[slot] = key;
    turn[slot] = turns++;
    kn_heap_add(&waiting, slot);
}

u32 kn_pick(u64 elapsed) { return kn_heap_take(&waiting); }

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    attained[slot] += ran;
    kn_heap_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {
    attained[slot] += ran;
    kn_recent_add(recent, key_of[slot], attained[slot]);
    sum += attained[slot];
    done++;
}
