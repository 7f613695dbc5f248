/*
 * Concord (Sreenan, Chen, Agrawal and Narendran, Delay reduction techniques for playout buffering, IEEE Trans. Multimedia
 * 2(2), 2000): the distribution of all transits, of which the older count less and less; the delay is the least that
 * at most a given share of them exceeds.
 */
#include "kn_audio.h"

#define SHARE 0.99
#define KEPT 0.998 /* of a frame's weight when the next one comes */

/* Weights grow instead of being made smaller all the time; now and then all are made smaller. */
static f64 weight[KN_MOST_DELAY + 1], sum, one = 1.0;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

void kn_arrive(i32 ahead, u32 transit) {
    u32 ms = (transit + 999) / 1000;
    one /= KEPT;
    weight[ms > KN_MOST_DELAY ? KN_MOST_DELAY : ms] += one;
    sum += one;
    if (one < 1e12) return;
    for (u32 i = 0; i <= KN_MOST_DELAY; i++) weight[i] /= one;
    sum /= one;
    one = 1.0;
}

f64 kn_target(u32 delay) {
    f64 upto = 0.0, least = SHARE * sum;
    if (sum == 0.0) return (f64)delay;
    for (u32 ms = 0; ms < KN_MOST_DELAY; ms++)
        if ((upto += weight[ms]) >= least) return (f64)ms;
    return (f64)KN_MOST_DELAY;
}
