/*
 * The bench's trusted half: shows a component the learned sequences and those under test, and keeps its scores.  It does
 * not know which of them are attacks: that is nowhere in WebAssembly.  The host lays the arrays out in its memory.
 */
#define KN_BENCH
#include "kn_security.h"

#ifdef KN_RANK
KN_POLICY("kn_rank")
extern f64 kn_rank(f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64, f64,
                   f64, f64, f64);
#else
KN_POLICY("kn_init") extern void kn_init(u32 calls, u32 learned);
KN_POLICY("kn_learn") extern void kn_learn(u32 call);
KN_POLICY("kn_learned") extern void kn_learned(void);
KN_POLICY("kn_call") extern void kn_call(u32 call);
KN_POLICY("kn_score") extern f64 kn_score(void);
#endif

#define FEATURES 24

static const u32 *calls;    /* of all sequences, one after the other: dense numbers */
static const u32 *start;    /* by sequence: where its calls begin; the next one's is where they end */
static const u32 *key;      /* by call: the number that the component sees */
static const u32 *order;    /* which sequence comes when: first those to learn, then those under test */
static const f64 *features; /* by sequence */
static f64 *scores;         /* by sequence */
static u32 learned;         /* sequences to learn */
static u32 done;            /* sequences that have been shown */

KN_EXPORT("wb_begin")
void wb_begin(const u32 *calls_, const u32 *start_, const u32 *key_, const u32 *order_, const f64 *features_, f64 *scores_,
              u32 learned_, u32 distinct) {
    calls = calls_;
    start = start_;
    key = key_;
    order = order_;
    features = features_;
    scores = scores_;
    learned = learned_;
    done = learned;
#ifndef KN_RANK
    u32 many = 0;
    for (u32 i = 0; i < learned; i++) many += start[order[i] + 1] - start[order[i]];
    kn_init(distinct, many);
    for (u32 i = 0; i < learned; i++) {
        for (u32 at = start[order[i]]; at < start[order[i] + 1]; at++) kn_learn(key[calls[at]]);
        kn_learned();
    }
#endif
}

/* Has the sequences under test before number `to` scored, in their order, unless they have been. */
KN_EXPORT("wb_run") void wb_run(u32 to) {
    for (; done < learned + to; done++) {
        u32 sequence = order[done];
#ifdef KN_RANK
        const f64 *f = features + FEATURES * sequence;
        scores[sequence] = kn_rank(f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], f[11], f[12], f[13],
                                   f[14], f[15], f[16], f[17], f[18], f[19], f[20], f[21], f[22], f[23]);
#else
        for (u32 at = start[sequence]; at < start[sequence + 1]; at++) kn_call(key[calls[at]]);
        scores[sequence] = kn_score();
#endif
    }
}
