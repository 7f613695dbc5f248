/* aimd.c with numbers that were chosen on the train parts of the traces that ship, by
 * benchmarks/repaint.py --tune; what it is stands there. */
#include "kn_graphics.h"

/* begin parameters */
#define UP 0.07499 /* 0.001..1 log: milliseconds that it grows with each frame */
#define DOWN 0.8417 /* 0.1..0.99: what is left of it after a miss */
/* end parameters */

static f64 period, asleep;

void kn_init(u32 period_, u32 miss) { period = period_; }

f64 kn_vblank(u32 refreshes) { return period - asleep; }

f64 kn_commit(u64 surface, u32 at) { return period - asleep; }

void kn_done(u32 work, u32 missed) {
    if (missed) asleep *= DOWN;
    else asleep = kn_min(asleep + 1000.0 * UP, period);
}
