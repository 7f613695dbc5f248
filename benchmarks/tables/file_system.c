/* A policy with a table of its own: it keeps what is requested often and soon, as far as the table tells, in which blocks
 * whose keys fall into one cell are one. */
#include "kn_file_system.h"

enum { BITS = 12, LOOKS = 16, FADES = 65536 };

static u32 last[1 << BITS], now, capacity, *cell_of;
static u8 often[1 << BITS];
static u64 seed = 1;

void kn_init(u32 capacity_) {
    capacity = capacity_;
    cell_of = kn_alloc(capacity * 4);
}

static void requested(u32 cell) {
    if (often[cell] < 255) often[cell]++;
    last[cell] = now++;
    if (now % FADES == 0)
        for (u32 i = 0; i < 1 << BITS; i++) often[i] >>= 1;
}

void kn_hit(u32 slot) { requested(cell_of[slot]); }

u32 kn_victim(u64 key) {
    u32 victim = 0;
    f64 least = 1e300;
    for (u32 i = 0; i < LOOKS; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        u32 slot = (u32)((seed >> 32) * capacity >> 32), cell = cell_of[slot];
        f64 worth = often[cell] / (f64)(now - last[cell] + 1);
        if (worth >= least) continue;
        least = worth;
        victim = slot;
    }
    return victim;
}

void kn_insert(u32 slot, u64 key) {
    cell_of[slot] = (u32)(key * 0x9E3779B97F4A7C15ull >> (64 - BITS));
    requested(cell_of[slot]);
}
