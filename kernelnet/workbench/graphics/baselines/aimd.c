/*
 * Additive increase, multiplicative decrease (Chiu and Jain, Analysis of the increase and decrease algorithms for congestion
 * avoidance in computer networks, Computer Networks and ISDN Systems 17, 1989), of the time that is slept after a vblank: it
 * grows as long as frames are in time, and after one that isn't it is a share of what it was.
 */
#include "kn_graphics.h"

/* begin parameters */
#define UP 0.05 /* 0.001..1 log: milliseconds that it grows with each frame */
#define DOWN 0.5 /* 0.1..0.99: what is left of it after a miss */
/* end parameters */

static f64 period, asleep;

void kn_init(u32 period_, u32 miss) { period = period_; }

f64 kn_vblank(u32 refreshes) { return period - asleep; }

f64 kn_commit(u64 surface, u32 at) { return period - asleep; }

void kn_done(u32 work, u32 missed) {
    if (missed) asleep *= DOWN;
    else asleep = kn_min(asleep + 1000.0 * UP, period);
}
