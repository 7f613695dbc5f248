/*
 * A Markov chain of order three: the mean surprise, in bits, at each call after the three before it.
 *
 * N. Ye, A Markov chain model of temporal behavior for anomaly detection, IEEE Workshop on Information Assurance and
 * Security 2000.  Probabilities are estimated by adding a half to every count (R. Krichevsky and V. Trofimov, The
 * performance of universal encoding, IEEE Trans. Information Theory 27(2), 1981), so that none is 0.
 */
#include "kn_security.h"

#define ORDER 3

static kn_grams grams;
static kn_walk walk;
static u32 calls;
static f64 sum;

void kn_init(u32 calls_, u32 learned) {
    calls = calls_;
    grams = kn_grams_new(learned, ORDER + 1);
    kn_walk_begin(&walk);
}

void kn_learn(u32 call) { kn_walk_learn(&grams, &walk, ORDER + 1, call); }

void kn_learned(void) { kn_walk_begin(&walk); }

void kn_call(u32 call) {
    u32 before = walk.calls >= ORDER ? kn_walk_count(&grams, &walk, ORDER) : 0;
    kn_walk_on(&grams, &walk, ORDER + 1, call);
    if (walk.calls <= ORDER) return;
    /* kn_lg(x) is lg(1 + x): the quotient is (before + calls / 2) / (count + 1 / 2). */
    sum += kn_lg(2.0 * before + calls - 1) - kn_lg(2.0 * kn_walk_count(&grams, &walk, ORDER + 1));
}

f64 kn_score(void) {
    f64 score = walk.calls > ORDER ? sum / (walk.calls - ORDER) : 0;
    sum = 0;
    kn_walk_begin(&walk);
    return score;
}
