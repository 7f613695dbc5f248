/* Dead reckoning: straight on with the velocity between the last two samples, as Chromium's linear predictor of first order
 * (ui/base/prediction/linear_predictor.cc): a sample of more than 20 ms later begins anew. */
#include "kn_window_manager.h"

/* begin parameters */
#define GAIN 1.0 /* 0.1..1.5: of the way that the velocity makes */
#define ANEW 20000 /* 17000..200000 whole: microseconds between two samples, after which it begins anew */
/* end parameters */

static f64 vx, vy; /* pixels a microsecond */

void kn_init(void) {}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    vx = elapsed > (u32)ANEW ? 0.0 : dx / elapsed;
    vy = elapsed > (u32)ANEW ? 0.0 : dy / elapsed;
}

f64 kn_x(u32 age, u32 ahead) { return vx * ahead * GAIN; }
f64 kn_y(u32 age, u32 ahead) { return vy * ahead * GAIN; }
