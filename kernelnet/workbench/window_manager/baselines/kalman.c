/* A Kalman filter of place, velocity and acceleration for each axis, as Chromium has it (ui/base/prediction/kalman_predictor.cc
 * and kalman_filter.cc): noise of the acceleration, times between samples smoothed by a filter of the same kind, anew after 20 ms,
 * and no prediction before the fourth sample. */
#include "kn_window_manager.h"

/* begin parameters */
#define PROCESS 0.01 /* 0.00001..10 log: kSigmaProcess: variance of the noise of the acceleration */
#define MEASUREMENT 1.0 /* 0.001..100 log: kSigmaMeasurement: variance of a sample's place */
#define VELOCITY 1.0 /* 0.1..1.5: kVelocityInfluence */
#define ACCELERATION 0.5 /* 0..1 zero: kAccelerationInfluence */
#define ANEW 20000 /* 17000..200000 whole: microseconds between two samples, after which it begins anew */
/* end parameters */

#define STABLE 4

typedef struct {
    f64 state[3], p[3][3]; /* the estimate, and the covariance of its error */
    u32 updates;
} filter;

static filter along_x, along_y, times;
static f64 x, y; /* the place, from the first sample of this movement */

static void reset(filter *f) { *f = (filter){.p = {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}}}; }

static void update(filter *f, f64 observed, f64 dt) {
    if (!f->updates++) {
        f->state[0] = observed;
        return;
    }
    /* Predict: F with 1 dt dt^2/2, and the noise's own vector. */
    f64 half = 0.5 * dt * dt, noise[3] = {half, dt, 1.0}, fp[3][3], p[3][3];
    f->state[0] += dt * f->state[1] + half * f->state[2];
    f->state[1] += dt * f->state[2];
    for (u32 j = 0; j < 3; j++) {
        fp[0][j] = f->p[0][j] + dt * f->p[1][j] + half * f->p[2][j];
        fp[1][j] = f->p[1][j] + dt * f->p[2][j];
        fp[2][j] = f->p[2][j];
    }
    for (u32 i = 0; i < 3; i++) {
        p[i][0] = fp[i][0] + dt * fp[i][1] + half * fp[i][2] + PROCESS * noise[i] * noise[0];
        p[i][1] = fp[i][1] + dt * fp[i][2] + PROCESS * noise[i] * noise[1];
        p[i][2] = fp[i][2] + PROCESS * noise[i] * noise[2];
    }
    /* Correct.  P is symmetric: (I - K H) P is as good as Joseph's form, which they have. */
    f64 s = p[0][0] + MEASUREMENT, off = observed - f->state[0];
    for (u32 i = 0; i < 3; i++) {
        f64 gain = p[i][0] / s;
        f->state[i] += gain * off;
        for (u32 j = 0; j < 3; j++) f->p[i][j] = p[i][j] - gain * p[0][j];
    }
}

static void anew(void) {
    reset(&along_x);
    reset(&along_y);
    reset(&times);
    x = y = 0.0;
}

void kn_init(void) { anew(); }

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    if (elapsed > (u32)ANEW) anew();
    else update(&times, elapsed / 1000.0, 0.0);
    x += dx;
    y += dy;
    update(&along_x, x, times.state[0]);
    update(&along_y, y, times.state[0]);
}

static f64 predicted(const filter *f, u32 ahead) {
    f64 until = ahead / 1000.0;
    if (f->updates < STABLE) return 0.0;
    return f->state[1] * VELOCITY * until + f->state[2] * ACCELERATION * until * until;
}

f64 kn_x(u32 age, u32 ahead) { return predicted(&along_x, ahead); }
f64 kn_y(u32 age, u32 ahead) { return predicted(&along_y, ahead); }
