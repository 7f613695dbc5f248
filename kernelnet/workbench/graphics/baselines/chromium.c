/*
 * Like Chromium's CompositorTimingHistory (cc/scheduler/compositor_timing_history.cc, 2015): a percentile of the last 60
 * draws, which is the 100th, and nothing besides (kDurationHistorySize, kDrawDurationEstimationPercentile and
 * kDrawDurationEstimatePaddingInMicroseconds).
 */
#include "kn_graphics.h"

/* begin parameters */
#define HISTORY 60 /* 4..400 whole log: draws that are remembered */
#define PERCENTILE 100.0 /* 50..100: of them */
#define PADDING 0.0 /* 0..4 log zero: milliseconds besides */
/* end parameters */

#define MOST 400

static f64 period, sorted[MOST], drawn[MOST]; /* the same draws, by time and by length */
static u32 many, next;

void kn_init(u32 period_, u32 miss) { period = period_; }

static f64 budget(void) {
    if (!many) return period;
    f64 place = many * PERCENTILE / 100.0;
    u32 at = (u32)place;
    return sorted[at < many ? at : many - 1] + 1000.0 * PADDING;
}

f64 kn_vblank(u32 refreshes) { return budget(); }

f64 kn_commit(u64 surface, u32 at) { return budget(); }

void kn_done(u32 work, u32 missed) {
    u32 at;
    if (many == HISTORY) {
        for (at = 0; sorted[at] != drawn[next]; at++) {}
        for (many--; at < many; at++) sorted[at] = sorted[at + 1];
    }
    drawn[next] = work;
    next = next + 1 == HISTORY ? 0 : next + 1;
    for (at = many++; at > 0 && sorted[at - 1] > work; at--) sorted[at] = sorted[at - 1];
    sorted[at] = work;
}
