/*
 * n-gram frequency: how rare the sequence's windows of three calls are in normal behaviour, on average.
 *
 * (S. Forrest, S. Hofmeyr, A. Somayaji, T. Longstaff, A sense of self for Unix processes, IEEE S&P 1996, take note of which
 * windows there are; that their frequencies tell more is the idea of C. Warrender, S. Forrest, B. Pearlmutter, Detecting
 * intrusions using system calls: alternative data models, IEEE S&P 1999.)
 */
#include "kn_security.h"

#define N 3

static kn_grams grams;
static kn_walk walk;
static u32 total;
static f64 sum;

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
    if (walk.calls >= N) sum += kn_lg(total) - kn_lg(kn_walk_count(&grams, &walk, N));
}

f64 kn_score(void) {
    f64 score = walk.calls >= N ? sum / (walk.calls - N + 1) : 0;
    sum = 0;
    kn_walk_begin(&walk);
    return score;
}
