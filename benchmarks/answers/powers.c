/* HYPOTHESIS: the chance that a block comes again soon falls with its age and its gaps, and rises with its count, each
   by a power: so a sum of logarithms ranks better than any queue, if gaps beyond the cache's reach count alike. */
#include "kn_file_system.h"
/* begin parameters */
#define COUNT 1.0 /* 0..8 zero: weight of how often it was requested */
#define HIST 0.5 /* 0..4 zero: weight of a request in earlier stays */
#define AGE 1.0 /* 0..8: weight of its age */
#define GAP 0.5 /* 0..8 zero: weight of its last gap */
#define GAP2 0.25 /* 0..8 zero: weight of the gap before */
#define FAR 8.0 /* 0.5..1000 log: gaps beyond are alike, in capacities */
#define NEAR 0.05 /* 0.0005..1 log: ages below are alike, in capacities */
/* end parameters */
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    f64 n = kn_lg(freq + HIST * hist);
    f64 far = kn_lg(kn_min(gap, FAR) / NEAR), farther = kn_lg(kn_min(gap2, FAR) / NEAR);
    return COUNT * n - AGE * kn_lg(age / NEAR) - GAP * far - GAP2 * farther;
}
