/*
 * STIDE, sequence time-delay embedding: the share of the sequence's windows of six calls that normal behaviour never had.
 *
 * S. Forrest, S. Hofmeyr, A. Somayaji, T. Longstaff, A sense of self for Unix processes, IEEE S&P 1996, and S. Hofmeyr,
 * S. Forrest, A. Somayaji, Intrusion detection using sequences of system calls, Journal of Computer Security 6(3), 1998
 * (contiguous windows; six is the length from which on all their attacks were seen).
 */
#include "kn_security.h"

#define N 6

static kn_grams grams;
static kn_walk walk;
static u32 mismatches;

void kn_init(u32 calls, u32 learned) {
    grams = kn_grams_new(learned, N);
    kn_walk_begin(&walk);
}

void kn_learn(u32 call) { kn_walk_learn(&grams, &walk, N, call); }

void kn_learned(void) { kn_walk_begin(&walk); }

void kn_call(u32 call) {
    kn_walk_on(&grams, &walk, N, call);
    mismatches += walk.calls >= N && !kn_walk_count(&grams, &walk, N);
}

f64 kn_score(void) {
    f64 score = walk.calls >= N ? (f64)mismatches / (walk.calls - N + 1) : 0;
    mismatches = 0;
    kn_walk_begin(&walk);
    return score;
}
