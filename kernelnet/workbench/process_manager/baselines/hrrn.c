/*
 * HRRN, highest response ratio next: (wait + size) / size, with sizes as sjf estimates them; who runs is never
 * interrupted (P. Brinch Hansen, Short-term scheduling in multiprogramming systems, SOSP 1971).
 */
#include "kn_process_manager.h"

static kn_set waiting; /* who hasn't begun */
static kn_heap begun;  /* who has: not to be interrupted */
static kn_recent *recent;
static u64 *estimated, *attained, *arrived, *key_of, *turn, turns, done, sum, now;

void kn_init(u32 slots, u32 cpus, u64 quantum) {
    waiting = kn_set_new(slots);
    recent = kn_recent_new();
    estimated = kn_alloc(slots * 8);
    attained = kn_alloc(slots * 8);
    arrived = kn_alloc(slots * 8);
    key_of = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    begun = kn_heap_new(slots, turn, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    now += elapsed;
    if (!estimate) estimate = kn_recent_mean(recent, key);
    if (!estimate) estimate = done ? sum / done + 1 : 1;
    estimated[slot] = estimate;
    attained[slot] = 0;
    arrived[slot] = now;
    key_of[slot] = key;
    turn[slot] = turns++;
    kn_set_add(&waiting, slot);
}

static f64 ratio(u32 slot) { return (f64)(now - arrived[slot]) / (f64)estimated[slot]; }

u32 kn_pick(u64 elapsed) {
    now += elapsed;
    if (begun.count) return kn_heap_take(&begun);
    u32 best = waiting.slot[0];
    f64 highest = ratio(best);
    for (u32 i = 1; i < waiting.count; i++) {
        u32 slot = waiting.slot[i];
        f64 r = ratio(slot);
        if (r > highest || (r == highest && turn[slot] < turn[best])) {
            best = slot;
            highest = r;
        }
    }
    kn_set_remove(&waiting, best);
    return best;
}

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    attained[slot] += ran;
    if (attained[slot]) kn_heap_add(&begun, slot);
    else kn_set_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    attained[slot] += ran;
    kn_recent_add(recent, key_of[slot], attained[slot]);
    sum += attained[slot];
    done++;
}
