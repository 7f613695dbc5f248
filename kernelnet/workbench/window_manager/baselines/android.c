/* Extrapolation as Android's resampling of touches does it (frameworks/native, libs/input, InputTransport.cpp and later
 * InputConsumer.cpp): on the straight line through the last two samples, at most 8 ms beyond the newest, and at most half of the time
 * between the two; none where that is less than 2 ms or more than 20 ms. */
#include "kn_window_manager.h"

/* begin parameters */
#define MOST 8000.0 /* 1000..50000: RESAMPLE_MAX_PREDICTION, microseconds */
#define SHARE 0.5 /* 0.1..4: and at most this share of the time between the last two samples */
/* end parameters */

#define LEAST_DELTA 2000
#define MOST_DELTA 20000

static f64 vx, vy, delta; /* pixels a microsecond; microseconds */

void kn_init(void) {}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    u32 usable = elapsed >= LEAST_DELTA && elapsed <= MOST_DELTA;
    delta = elapsed;
    vx = usable ? dx / elapsed : 0.0;
    vy = usable ? dy / elapsed : 0.0;
}

static f64 limited(u32 ahead) { return kn_min(ahead, kn_min(MOST, delta * SHARE)); }

f64 kn_x(u32 age, u32 ahead) { return vx * limited(ahead); }
f64 kn_y(u32 age, u32 ahead) { return vy * limited(ahead); }
