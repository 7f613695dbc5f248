/* The 1 euro filter (Casiez, Roussel and Vogel, 1 euro filter: a simple speed-based low-pass filter for noisy input in
 * interactive systems, CHI 2012), and straight on with the velocity that it smooths for itself: by itself it smooths and
 * predicts nothing.  The cutoffs to begin with are those of its own implementation: 1 Hz each, and a slope of 0. */
#include "kn_window_manager.h"

/* begin parameters */
#define LEAST_CUTOFF 1.0 /* 0.1..1000 log: mincutoff, Hz */
#define BETA 0.0 /* 0..10 log zero: by how many Hz the cutoff rises with each pixel a second */
#define VELOCITY_CUTOFF 1.0 /* 0.1..1000 log: dcutoff, Hz */
#define GAIN 1.0 /* 0.1..1.5: of the way that the velocity makes */
#define ANEW 40000 /* 17000..200000 whole: microseconds between two samples, after which it begins anew */
/* end parameters */

#define TWO_PI 6.283185307179586

typedef struct {
    f64 place, velocity; /* smoothed: from the newest sample, and pixels a second */
} axis;

static axis along_x, along_y;

void kn_init(void) {}

static f64 alpha(f64 cutoff, f64 seconds) {
    f64 r = TWO_PI * cutoff * seconds;
    return r / (r + 1.0);
}

static void smooth(axis *a, f64 moved, f64 seconds) {
    f64 before = a->place - moved; /* the smoothed place, from the sample that came now */
    a->velocity += alpha(VELOCITY_CUTOFF, seconds) * (moved / seconds - a->velocity);
    a->place = before * (1.0 - alpha(LEAST_CUTOFF + BETA * __builtin_fabs(a->velocity), seconds));
}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    if (elapsed > (u32)ANEW) {
        along_x = along_y = (axis){0.0, 0.0};
        return;
    }
    smooth(&along_x, dx, elapsed / 1e6);
    smooth(&along_y, dy, elapsed / 1e6);
}

f64 kn_x(u32 age, u32 ahead) { return along_x.place + along_x.velocity * (ahead / 1e6) * GAIN; }
f64 kn_y(u32 age, u32 ahead) { return along_y.place + along_y.velocity * (ahead / 1e6) * GAIN; }
