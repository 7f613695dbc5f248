/* HYPOTHESIS: a block's gaps say more than its count: one that came back after a short gap will again, and a long
   ghost gap marks a loop that the cache can't hold.  So rank by the expected time to the next request, a mean of gap, gap2
   and ghost gap that counts the newest most, and let silence beyond it tell against the block ever more. */
#include "kn_file_system.h"
/* begin parameters */
#define NEWEST 0.5 /* 0.05..0.95: weight of the last gap beside the one before */
#define NEW 3.0 /* 0.05..100 log: gap that a block is thought to have which was asked for once, in capacities */
#define FAR 30.0 /* 0.5..1000 log: gaps beyond are alike */
#define SILENCE 1.5 /* 0..8 zero: how silence beyond the expected gap counts */
#define COUNT 0.3 /* 0..4 zero: by how much requests shorten what is expected */
#define HIST 0.3 /* 0..4 zero: worth of a request in earlier stays */
/* end parameters */
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    f64 last = gap < 1e5 ? kn_min(gap, FAR) : NEW;
    f64 before = gap2 < 1e5 ? kn_min(gap2, FAR) : last;
    f64 expected = (NEWEST * last + (1.0 - NEWEST) * before) / (1.0 + COUNT * kn_lg(freq + HIST * hist));
    f64 silence = age / (expected + 0.02);
    return -(expected + age) * (1.0 + SILENCE * silence / (1.0 + silence));
}
