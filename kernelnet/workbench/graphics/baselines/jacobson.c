/*
 * The timer of TCP, for frames: the smoothed work and four times its mean deviation (Jacobson, Congestion avoidance and control,
 * SIGCOMM 1988; RFC 6298).
 */
#include "kn_graphics.h"

/* begin parameters */
#define GAIN 0.125 /* 0.005..1 log: of the mean */
#define DEVIATION_GAIN 0.25 /* 0.005..1 log: of the mean deviation */
#define TIMES 4.0 /* 0.5..8: how often that is added */
#define MARGIN 0.0 /* 0..4 log zero: milliseconds besides */
/* end parameters */

static f64 period, mean, deviation;
static u32 began;

void kn_init(u32 period_, u32 miss) { period = period_; }

static f64 budget(void) { return began ? mean + TIMES * deviation + 1000.0 * MARGIN : period; }

f64 kn_vblank(u32 refreshes) { return budget(); }

f64 kn_commit(u64 surface, u32 at) { return budget(); }

void kn_done(u32 work, u32 missed) {
    if (!began) {
        began = 1;
        mean = work;
        deviation = work / 2.0;
        return;
    }
    f64 off = work - mean;
    deviation += DEVIATION_GAIN * ((off < 0.0 ? -off : off) - deviation);
    mean += GAIN * off;
}
