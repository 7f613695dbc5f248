/* A scheduler with a table of its own: the task runs that has the least left, as the mean of past tasks in its key's cell tells;
 * keys that fall into one cell are one. */
#include "kn_process_manager.h"

enum { BITS = 10 };

static kn_heap waiting;
static u64 *left, *turn, turns, *key_of, *attained;
static f64 mean[1 << BITS], all;

static u32 cell(u64 key) { return (u32)(key * 0x9E3779B97F4A7C15ull >> (64 - BITS)); }

void kn_init(u32 slots, u32 cpus, u64 quantum) {
    left = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    key_of = kn_alloc(slots * 8);
    attained = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, left, turn);
}

void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    f64 known = mean[cell(key)];
    key_of[slot] = key;
    attained[slot] = 0;
    left[slot] = (u64)(known > 0 ? known : all);
    turn[slot] = turns++;
    kn_heap_add(&waiting, slot);
}

u32 kn_pick(u64 elapsed) { return kn_heap_take(&waiting); }

void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    attained[slot] += ran;
    left[slot] = left[slot] > ran ? left[slot] - ran : attained[slot];
    kn_heap_add(&waiting, slot);
}

void kn_done(u32 slot, u64 ran, u64 elapsed) {
    f64 size = (f64)(attained[slot] + ran), *known = &mean[cell(key_of[slot])];
    *known = *known > 0 ? *known + (size - *known) / 8 : size;
    all += (size - all) / 64;
}
