/*
 * t-STIDE, STIDE with a frequency threshold: windows that are less than a hundred-thousandth of all that was learned count as
 * mismatches too.  C. Warrender, S. Forrest, B. Pearlmutter, Detecting intrusions using system calls: alternative
 * data models, IEEE S&P 1999 (window six, rare below 0.001 %).
 */
#include "kn_security.h"

#define N 6
#define RARE 1e-5

static kn_grams grams;
static kn_walk walk;
static u32 total, mismatches;

void kn_init(u32 calls, u32 learned) {
    grams = kn_grams_new(learned, N);
    kn_walk_begin(&walk);
}

void kn_learn(u32 call) {
    kn_walk_learn(&grams, &walk, N, call);
    total += walk.calls >= N;
}

void kn_learned(void) { kn_walk_begin(&walk); }

void kn_call(u32 call) {
    kn_walk_on(&grams, &walk, N, call);
    u32 count = walk.calls >= N ? kn_walk_count(&grams, &walk, N) : 0;
    mismatches += walk.calls >= N && (!count || count < RARE * total);
}

f64 kn_score(void) {
    f64 score = walk.calls >= N ? (f64)mismatches / (walk.calls - N + 1) : 0;
    mismatches = 0;
    kn_walk_begin(&walk);
    return score;
}
