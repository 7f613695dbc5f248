/* HYPOTHESIS: what counts is the rate of requests over a block's stay, with a start that newcomers have to prove, and
   faded by silence that is long beside its own gaps. */
#include "kn_file_system.h"
/* begin parameters */
#define START 0.3 /* 0.001..10 log: capacities that a newcomer is thought to have been here before */
#define HIST 0.3 /* 0..4 zero: weight of a request in earlier stays */
#define SILENCE 0.5 /* 0.001..100 log: silence that halves the rate, in capacities */
#define OWN 1.0 /* 0..16 zero: the same, in its own gaps */
#define FAR 4.0 /* 0.5..1000 log: gaps beyond are alike, in capacities */
#define GHOST 1.0 /* 0.1..16 log: a block that comes back soon is worth so many requests more */
/* end parameters */
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    f64 back = ghostgap < FAR ? GHOST : 0.0;
    f64 rate = (freq - 1.0 + HIST * hist + back + 0.01) / (life + START);
    return rate / (1.0 + age / (SILENCE + OWN * kn_min(gap, FAR)));
}
