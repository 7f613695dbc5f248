/*
 * STIDE with locality frames: the most mismatching windows among any twenty successive ones, since what an attack does stands
 * close together.  Window six, frame twenty, as in C. Warrender, S. Forrest, B. Pearlmutter, Detecting intrusions
 * using system calls: alternative data models, IEEE S&P 1999; the mismatches are those of stide.c.
 */
#include "kn_security.h"

#define N 6
#define FRAME 20

static kn_grams grams;
static kn_walk walk;
static u8 mismatch[FRAME]; /* the last ones, as a ring */
static u32 windows, inside, most;

void kn_init(u32 calls, u32 learned) {
    grams = kn_grams_new(learned, N);
    kn_walk_begin(&walk);
}

void kn_learn(u32 call) { kn_walk_learn(&grams, &walk, N, call); }

void kn_learned(void) { kn_walk_begin(&walk); }

void kn_call(u32 call) {
    kn_walk_on(&grams, &walk, N, call);
    if (walk.calls < N) return;
    u8 *place = &mismatch[windows++ % FRAME];
    inside -= *place;
    *place = !kn_walk_count(&grams, &walk, N);
    inside += *place;
    if (inside > most) most = inside;
}

f64 kn_score(void) {
    f64 score = most;
    windows = inside = most = 0;
    for (u32 i = 0; i < FRAME; i++) mismatch[i] = 0;
    kn_walk_begin(&walk);
    return score;
}
