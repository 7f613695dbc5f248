/*
 * Like mutter since version 44 (clutter/clutter/clutter-frame-clock.c): the longest update lately, and 1 ms.  The short-term
 * maximum is of this second; at its end the long-term one becomes it, if that is more, or comes half-way down to it.  Left
 * out: how late the dispatch itself is, and the duration of the vblank.
 */
#include "kn_graphics.h"

/* begin parameters */
#define MARGIN 1.0 /* 0.05..8 log: milliseconds more than the longest */
#define SECONDS 1.0 /* 0.05..8 log: seconds of the short term */
#define DOWN 0.5 /* 0.02..1: share of the way down to the short term */
/* end parameters */

static f64 period, elapsed, longterm, shortterm;
static u32 measured;

void kn_init(u32 period_, u32 miss) { period = period_; }

static f64 budget(void) {
    /* Its fallback as long as nothing was measured. */
    return measured ? kn_max(longterm, shortterm) + 1000.0 * MARGIN : 0.875 * period;
}

f64 kn_vblank(u32 refreshes) {
    elapsed += refreshes * period;
    return budget();
}

f64 kn_commit(u64 surface, u32 at) { return budget(); }

void kn_done(u32 work, u32 missed) {
    measured = 1;
    shortterm = kn_max(shortterm, work);
    if (elapsed < 1e6 * SECONDS) return;
    if (longterm > shortterm) longterm -= (longterm - shortterm) * DOWN;
    else longterm = shortterm;
    shortterm = elapsed = 0.0;
}
