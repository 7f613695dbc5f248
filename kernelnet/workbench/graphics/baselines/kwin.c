/*
 * Like KWin's RenderJournal (Plasma 6, src/core/renderjournal.cpp): the smoothed time of rendering, and twice what it is
 * exceeded by.  Both forget with time, the first with a constant of half a second and by a hundredth at least, the second with
 * one of six seconds, by a tenth at most; what exceeds it most counts at once.
 */
#include "kn_graphics.h"

/* begin parameters */
#define MEAN_SECONDS 0.5 /* 0.02..8 log: time constant of the mean */
#define OVER_SECONDS 6.0 /* 0.1..60 log: time constant of what exceeds it */
#define TIMES 2.0 /* 0.25..5: how often that is added */
#define MARGIN 0.0 /* 0..4 log zero: milliseconds besides */
/* end parameters */

static f64 period, mean, over, elapsed;
static u32 began;

void kn_init(u32 period_, u32 miss) { period = period_; }

static f64 budget(void) { return began ? mean + TIMES * over + 1000.0 * MARGIN : period; }

f64 kn_vblank(u32 refreshes) {
    elapsed = began ? 1e-6 * refreshes * period : 10.0;
    return budget();
}

f64 kn_commit(u64 surface, u32 at) { return budget(); }

void kn_done(u32 work, u32 missed) {
    f64 exceeds = kn_max(work - mean, 0.0);
    f64 share = kn_min(kn_max(elapsed / OVER_SECONDS, 0.001), 0.1);
    over = kn_max(exceeds * share + over * (1.0 - share), exceeds);
    share = kn_min(kn_max(elapsed / MEAN_SECONDS, 0.01), 1.0);
    mean = work * share + mean * (1.0 - share);
    began = 1;
}
