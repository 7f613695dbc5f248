/* The straight line of least squares through the last samples, prolonged from the newest one.  What came before a pause of more than
 * 40 ms, or is older than that, is none of them: as in Android's VelocityTracker (ASSUME_POINTER_STOPPED_TIME). */
#include "kn_window_manager.h"

/* begin parameters */
#define SAMPLES 4 /* 2..12 whole: that the line goes through */
#define GAIN 1.0 /* 0.1..1.5: of the way that its slope makes */
/* end parameters */

#define MANY 16
#define STOPPED 40000

static u32 count;
static f64 elapsed_of[MANY], x_of[MANY], y_of[MANY]; /* since the sample before */

void kn_init(void) {}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    if (elapsed > STOPPED) count = 0;
    elapsed_of[count % MANY] = elapsed;
    x_of[count % MANY] = dx;
    y_of[count % MANY] = dy;
    count++;
}

/* Pixels a microsecond: the slope through the newest sample and up to SAMPLES - 1 before it. */
static f64 slope(const f64 *moved) {
    f64 t[MANY] = {0.0}, p[MANY] = {0.0}, times = 0.0, places = 0.0, over = 0.0, under = 0.0;
    u32 n = 1;
    for (; n < (u32)SAMPLES && n < count; n++) {
        t[n] = t[n - 1] - elapsed_of[(count - n) % MANY];
        if (t[n] < -STOPPED) break;
        p[n] = p[n - 1] - moved[(count - n) % MANY];
        times += t[n];
        places += p[n];
    }
    if (n < 2) return 0.0;
    for (u32 i = 0; i < n; i++) {
        f64 off = t[i] - times / n;
        over += off * (p[i] - places / n);
        under += off * off;
    }
    return over / under;
}

f64 kn_x(u32 age, u32 ahead) { return slope(x_of) * ahead * GAIN; }
f64 kn_y(u32 age, u32 ahead) { return slope(y_of) * ahead * GAIN; }
