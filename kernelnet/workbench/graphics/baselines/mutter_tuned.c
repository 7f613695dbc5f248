/* mutter.c with numbers that were chosen on the train parts of the traces that ship, by
 * benchmarks/repaint.py --tune; what it is stands there. */
#include "kn_graphics.h"

/* begin parameters */
#define MARGIN 2.249 /* 0.05..8 log: milliseconds more than the longest */
#define SECONDS 0.05 /* 0.05..8 log: seconds of the short term */
#define DOWN 0.9183 /* 0.02..1: share of the way down to the short term */
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
