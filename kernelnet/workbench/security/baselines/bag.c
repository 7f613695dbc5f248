/*
 * The nearest neighbour among bags of calls: how different the sequence's counts of each call are from those of the normal
 * sequence that is most like it, by the angle between them; order does not matter.
 *
 * Y. Liao and V. Vemuri, Use of k-nearest neighbor classifier for intrusion detection, Computers & Security 21(5), 2002, with k = 1.
 * The first thousand normal sequences are kept.
 */
#include "kn_security.h"

#define BAGS 1000

static u32 calls, kept, present, *bag, *seen, *bags[BAGS]; /* seen: the `present` calls that `bag` has */
static f64 norm[BAGS];

void kn_init(u32 calls_, u32 learned) {
    calls = calls_;
    bag = kn_alloc(4 * calls);
    seen = kn_alloc(4 * calls);
}

void kn_call(u32 call) {
    if (!bag[call]++) seen[present++] = call;
}

void kn_learn(u32 call) { kn_call(call); }

static f64 length(void) {
    f64 sum = 0;
    for (u32 i = 0; i < present; i++) sum += (f64)bag[seen[i]] * bag[seen[i]];
    return __builtin_sqrt(sum);
}

static void clear(void) {
    while (present) bag[seen[--present]] = 0;
}

void kn_learned(void) {
    if (kept < BAGS) {
        norm[kept] = length();
        bags[kept] = kn_alloc(4 * calls);
        for (u32 i = 0; i < present; i++) bags[kept][seen[i]] = bag[seen[i]];
        kept++;
    }
    clear();
}

f64 kn_score(void) {
    f64 own = length(), highest = 0;
    for (u32 i = 0; i < kept; i++) {
        f64 dot = 0;
        for (u32 j = 0; j < present; j++) dot += (f64)bag[seen[j]] * bags[i][seen[j]];
        f64 cosine = dot / (own * norm[i]);
        if (cosine > highest) highest = cosine;
    }
    clear();
    return 1 - highest;
}
