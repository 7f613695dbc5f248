/* The driver's half of the ABI window_manager/rank/1: keeps what there is to know of the pointer's way, and asks its
 * component, one pure function, for each axis. */

KN_POLICY("kn_move")
extern f64 kn_move(f64 v1, f64 v2, f64 v3, f64 v4, f64 mean, f64 fit, f64 ahead, f64 age, f64 gap, f64 before, f64 speed,
                   f64 slower, f64 pace, f64 turn, f64 kept);

#define LAST 64 /* samples that are kept; a power of two, and more than the 50 ms of a mouse of 1000 Hz */
#define SPAN 50.0
#define OLDER 0.875

typedef struct {
    f64 elapsed, x, y; /* milliseconds, pixels: since the sample before */
} sample;

static sample last[LAST];
static u32 samples;
static f64 products, squares;

/* The n-th newest sample, from 0; before the first there were samples at rest. */
static const sample *newest(u32 n) {
    static const sample rest = {KN_REST / 1000.0, 0.0, 0.0};
    return n < samples && n < LAST ? &last[(samples - 1 - n) % LAST] : &rest;
}

static f64 length(f64 x, f64 y) { return __builtin_sqrt(x * x + y * y); }

static void pointer_starts(void) {}

static void pointer_moved(u32 elapsed, f64 dx, f64 dy) {
    sample now = {elapsed / 1000.0, dx, dy};
    const sample *p = newest(0);
    f64 px = p->x / p->elapsed, py = p->y / p->elapsed;
    products = OLDER * products + (now.x / now.elapsed * px + now.y / now.elapsed * py);
    squares = OLDER * squares + (px * px + py * py);
    last[samples++ % LAST] = now;
}

/* One axis: velocities between samples, and of the straight line through four. */
typedef struct {
    f64 v[4], mean, fit;
} axis;

static axis along(const f64 *elapsed, const f64 *moved, f64 span, f64 way) {
    axis a;
    for (u32 i = 0; i < 4; i++) a.v[i] = moved[i] / elapsed[i];
    a.mean = way / span;
    /* Times and places of the last four samples beside the newest. */
    f64 t[4] = {0.0}, p[4] = {0.0}, times = 0.0, places = 0.0, over = 0.0, under = 0.0;
    for (u32 i = 1; i < 4; i++) {
        t[i] = t[i - 1] - elapsed[i - 1];
        p[i] = p[i - 1] - moved[i - 1];
        times += t[i];
        places += p[i];
    }
    for (u32 i = 0; i < 4; i++) {
        f64 off = t[i] - times / 4.0;
        over += off * (p[i] - places / 4.0);
        under += off * off;
    }
    a.fit = over / under;
    return a;
}

static void pointer_asked(u32 age, u32 ahead, f64 *x, f64 *y) {
    f64 elapsed[4], moved_x[4], moved_y[4], span = 0.0, way_x = 0.0, way_y = 0.0;
    for (u32 i = 0; i < 4; i++) {
        const sample *s = newest(i);
        elapsed[i] = s->elapsed;
        moved_x[i] = s->x;
        moved_y[i] = s->y;
    }
    for (u32 i = 0; i < LAST; i++) {
        const sample *s = newest(i);
        if (i && span + s->elapsed > SPAN) break;
        span += s->elapsed;
        way_x += s->x;
        way_y += s->y;
    }
    axis h = along(elapsed, moved_x, span, way_x), v = along(elapsed, moved_y, span, way_y);
    f64 speed = length(h.v[0], v.v[0]), slower = length(h.v[1], v.v[1]), pace = length(h.mean, v.mean);
    f64 both = speed * slower, turn = both > 0.0 ? (h.v[0] * h.v[1] + v.v[0] * v.v[1]) / both : 0.0;
    f64 kept = squares > 0.0 ? products / squares : 0.0, until = ahead / 1000.0, old = age / 1000.0;
    *x = kn_move(h.v[0], h.v[1], h.v[2], h.v[3], h.mean, h.fit, until, old, elapsed[0], elapsed[1], speed, slower, pace,
                 turn, kept);
    *y = kn_move(v.v[0], v.v[1], v.v[2], v.v[3], v.mean, v.fit, until, old, elapsed[0], elapsed[1], speed, slower, pace,
                 turn, kept);
}
