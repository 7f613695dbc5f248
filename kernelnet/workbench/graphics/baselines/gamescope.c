/*
 * Like gamescope (src/vblankmanager.cpp): a rolling maximum, which goes up at once when a draw took half a red zone more, and
 * else goes a fiftieth of the way to the last one; and a red zone of 1.65 ms, which it leaves free in any case.  It begins with
 * 3 ms.  Left out: the least of 2.4 ms where it composites on the GPU.
 */
#include "kn_graphics.h"

/* begin parameters */
#define DECAY 0.98 /* 0.5..0.999: what is left of the maximum */
#define RED_ZONE 1.65 /* 0.05..8 log: milliseconds that are left free */
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
