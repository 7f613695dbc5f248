/* Double exponential smoothing (LaViola, Double exponential smoothing: an alternative to Kalman filter-based predictive tracking,
 * EGVE 2003): the place is smoothed, and smoothed again, and the two give a straight line.  It supposes samples that are
 * equally far apart: that is the mean time between them, smoothed by an eighth. */
#include "kn_window_manager.h"

/* begin parameters */
#define ALPHA 0.5 /* 0.05..0.99: weight of the newest place */
#define ANEW 40000 /* 17000..200000 whole: microseconds between two samples, after which it begins anew */
/* end parameters */

static f64 interval;
static f64 once_x, twice_x, once_y, twice_y; /* smoothed, from the newest sample */

void kn_init(void) {}

static void smooth(f64 *once, f64 *twice, f64 moved) {
    *once = (1.0 - ALPHA) * (*once - moved);
    *twice = ALPHA * *once + (1.0 - ALPHA) * (*twice - moved);
}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    if (elapsed > (u32)ANEW) {
        once_x = twice_x = once_y = twice_y = 0.0;
        return;
    }
    interval = interval == 0.0 ? elapsed : interval + (elapsed - interval) * 0.125;
    smooth(&once_x, &twice_x, dx);
    smooth(&once_y, &twice_y, dy);
}

static f64 predicted(f64 once, f64 twice, u32 ahead) {
    if (interval == 0.0) return 0.0;
    f64 steps = ahead / interval * (ALPHA / (1.0 - ALPHA));
    return (2.0 + steps) * once - (1.0 + steps) * twice;
}

f64 kn_x(u32 age, u32 ahead) { return predicted(once_x, twice_x, ahead); }
f64 kn_y(u32 age, u32 ahead) { return predicted(once_y, twice_y, ahead); }
