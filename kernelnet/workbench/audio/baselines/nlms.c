/*
 * DeLeon and Sreenan (An adaptive predictor for media playout buffering, ICASSP 1999): the next transit as a linear
 * function of the last ones, whose coefficients are learned by normalized least mean squares; and some times the mean deviation,
 * as in Ramjee's algorithm 1.
 */
#include "kn_audio.h"

#define TAPS 18
#define RATE 0.01
#define KEPT 0.998002
#define DEVIATIONS 4.0

static f64 coefficient[TAPS], past[TAPS]; /* the last first */
static f64 expected, dev;
static u32 came;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) { coefficient[0] = 1.0; }

void kn_arrive(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0, error = x - expected, power = 1.0;
    if (came++) {
        for (u32 i = 0; i < TAPS; i++) power += past[i] * past[i];
        for (u32 i = 0; i < TAPS; i++) coefficient[i] += RATE * error * past[i] / power;
        dev = KEPT * dev + (1.0 - KEPT) * __builtin_fabs(error);
    }
    for (u32 i = TAPS - 1; i > 0; i--) past[i] = past[i - 1];
    past[0] = x;
    expected = 0.0;
    for (u32 i = 0; i < TAPS; i++) expected += coefficient[i] * past[i];
}

f64 kn_target(u32 delay) { return came ? expected + DEVIATIONS * dev : (f64)delay; }
