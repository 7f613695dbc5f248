/* gamescope.c with numbers that were chosen on the train parts of the traces that ship, by
 * benchmarks/repaint.py --tune; what it is stands there. */
#include "kn_graphics.h"

/* begin parameters */
#define DECAY 0.604 /* 0.5..0.999: what is left of the maximum */
#define RED_ZONE 2.249 /* 0.05..8 log: milliseconds that are left free */
/* end parameters */

#define FIRST 3.0

static f64 period, rolling = 1000.0 * FIRST;

void kn_init(u32 period_, u32 miss) { period = period_; }

f64 kn_vblank(u32 refreshes) { return rolling + 1000.0 * RED_ZONE; }

f64 kn_commit(u64 surface, u32 at) { return rolling + 1000.0 * RED_ZONE; }

void kn_done(u32 work, u32 missed) {
    if (work - 1000.0 * RED_ZONE / 2.0 > rolling) rolling = work;
    else rolling = DECAY * rolling + (1.0 - DECAY) * work;
    rolling = kn_min(rolling, period - 1000.0 * RED_ZONE);
}
