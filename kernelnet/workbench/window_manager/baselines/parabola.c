/* The parabola of least squares through the last samples.  Three of them are Chromium's least-squares predictor
 * (ui/base/prediction/least_squares_predictor.cc), which begins anew after 20 ms and predicts nothing with fewer; more of them
 * are Android's VelocityTracker of degree 2, there for a velocity. */
#include "kn_window_manager.h"

/* begin parameters */
#define SAMPLES 3 /* 3..12 whole: that the parabola goes through */
#define GAIN 1.0 /* 0.1..1.5: of the way that it makes */
#define ANEW 20000 /* 17000..200000 whole: microseconds between two samples, after which it begins anew */
/* end parameters */

#define MANY 16

static u32 count;
static f64 elapsed_of[MANY], x_of[MANY], y_of[MANY]; /* since the sample before: milliseconds, pixels */

void kn_init(void) {}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    if (elapsed > (u32)ANEW) count = 0;
    elapsed_of[count % MANY] = elapsed / 1000.0;
    x_of[count % MANY] = dx;
    y_of[count % MANY] = dy;
    count++;
}

/* Pixels from the newest sample: the parabola a + b t + c t^2 by its normal equations, at `ahead` less at 0. */
static f64 predicted(const f64 *moved, u32 ahead) {
    if (count < (u32)SAMPLES) return 0.0;
    f64 t = 0.0, p = 0.0, s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0, s4 = 0.0, p0 = 0.0, p1 = 0.0, p2 = 0.0;
    for (u32 i = 0; i < (u32)SAMPLES; i++) {
        s0 += 1.0;
        s1 += t;
        s2 += t * t;
        s3 += t * t * t;
        s4 += t * t * t * t;
        p0 += p;
        p1 += p * t;
        p2 += p * t * t;
        t -= elapsed_of[(count - 1 - i) % MANY];
        p -= moved[(count - 1 - i) % MANY];
    }
    /* Cramer's rule. */
    f64 m1 = s2 * s4 - s3 * s3, m2 = s1 * s4 - s2 * s3, m3 = s1 * s3 - s2 * s2;
    f64 all = s0 * m1 - s1 * m2 + s2 * m3;
    if (!(all > 1e-9)) return 0.0;
    f64 a = (p0 * m1 - s1 * (p1 * s4 - p2 * s3) + s2 * (p1 * s3 - p2 * s2)) / all;
    f64 b = (s0 * (p1 * s4 - p2 * s3) - p0 * m2 + s2 * (s1 * p2 - s2 * p1)) / all;
    f64 c = (s0 * (s2 * p2 - s3 * p1) - s1 * (s1 * p2 - s2 * p1) + p0 * m3) / all;
    f64 until = ahead / 1000.0;
    return (a + b * until + c * until * until) * GAIN;
}

f64 kn_x(u32 age, u32 ahead) { return predicted(x_of, ahead); }
f64 kn_y(u32 age, u32 ahead) { return predicted(y_of, ahead); }
