/*
 * A family of predictors that learn, while they look on, how much of its past velocities a pointer keeps.
 *
 * The velocity until the time that is asked for is a sum, each with a weight, of the velocity between the last two samples, of
 * the mean velocities of four longer times (times rather than numbers of samples, as devices differ), and of some of these by
 * how much faster the pointer gets, by how far it turned, by how fast it is, and by how old the newest sample is.  Weights
 * begin with numbers of their own, or 0, and follow by recursive least squares with forgetting (Haykin, Adaptive Filter Theory):
 * after each frame, once it is seen where the pointer went.  Both axes share them, so that it doesn't matter which way a
 * hand moves.  Frames whose error was large count less, since what counts is the sum of errors, not of their squares.
 */
#include "kn_window_manager.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define FORGET 0.001
#define TRUST 0.01
#define FLOOR 0.5
#define GAIN 1.0
#define W1 0.8
#define W2 0.2
#define W3 0.0
#define W4 0.0
#define W5 0.0
#define FASTER 0.0
#define TURNED 0.0
#define OLD 0.0
#define SPAN 12.0
#define WIDER 2.0
#define FRESH 40.0
/* end parameters */

#define N 12 /* weights */
#define MEANS 5
#define LAST 64   /* samples that are kept; a power of two */
#define WAITING 8 /* frames of which it isn't seen yet where the pointer went */

typedef struct {
    f64 x[N], y[N]; /* what the weights are of, along each axis: pixels */
    f64 ahead, gone, way_x, way_y, said_x, said_y;
} asked;

typedef struct {
    f64 gap, x, y; /* since the sample before: milliseconds, pixels */
} sample;

static f64 weight[N], p[N][N];
static sample last[LAST];
static u32 samples; /* since the pointer rested */
static asked waiting[WAITING];
static u32 first, next;
static f64 said_y;

void kn_init(void) {
    f64 own[N] = {W1, W2, W3, W4, W5, FASTER, TURNED, OLD, 0.0, 0.0, 0.0, 0.0};
    for (u32 i = 0; i < N; i++) {
        weight[i] = own[i];
        p[i][i] = TRUST;
    }
}

/* One step of recursive least squares: the weights should have made `made` of x. */
static void learn(const f64 *x, f64 made, f64 counts) {
    f64 px[N], sum = (1.0 - FORGET) / counts, off = made;
    for (u32 i = 0; i < N; i++) {
        px[i] = 0.0;
        for (u32 j = 0; j < N; j++) px[i] += p[i][j] * x[j];
        sum += x[i] * px[i];
        off -= weight[i] * x[i];
    }
    f64 trace = 0.0;
    for (u32 i = 0; i < N; i++) {
        weight[i] += px[i] / sum * off;
        for (u32 j = 0; j < N; j++) p[i][j] = (p[i][j] - px[i] * px[j] / sum) / (1.0 - FORGET);
        trace += p[i][i];
    }
    /* Where nothing new is seen forgetting would make it trust anything. */
    f64 most = 2.0 * N * TRUST;
    if (trace > most)
        for (u32 i = 0; i < N; i++)
            for (u32 j = 0; j < N; j++) p[i][j] *= most / trace;
}

static void learned(const asked *a) {
    f64 off_x = a->said_x - a->way_x, off_y = a->said_y - a->way_y;
    f64 off = kn_sqrt(off_x * off_x + off_y * off_y), size = 0.0;
    for (u32 i = 0; i < MEANS; i++) size += a->x[i] * a->x[i] + a->y[i] * a->y[i];
    if (!(size > 0.0)) return;
    f64 counts = 1.0 / (FLOOR + off);
    learn(a->x, a->way_x, counts);
    learn(a->y, a->way_y, counts);
}

void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    f64 gap = elapsed / 1000.0;
    for (u32 at = first; at != next; at++) {
        asked *a = &waiting[at % WAITING];
        f64 left = a->ahead - a->gone, share = gap <= left ? 1.0 : left > 0.0 ? left / gap : 0.0;
        a->way_x += dx * share;
        a->way_y += dy * share;
        a->gone += gap;
    }
    while (first != next && waiting[first % WAITING].gone >= waiting[first % WAITING].ahead) {
        /* After a pause nobody knows how it went. */
        if (elapsed < 25000) learned(&waiting[first % WAITING]);
        first++;
    }
    if (gap > FRESH) samples = 0;
    else last[samples++ % LAST] = (sample){gap, dx, dy};
}

static f64 length(f64 x, f64 y) { return kn_sqrt(x * x + y * y); }

/* Mean velocities over the last samples: of the newest, and of as many as make a time that gets wider and wider. */
static void means(f64 *vx, f64 *vy) {
    f64 span = 0.0, x = 0.0, y = 0.0, wanted = 0.0;
    u32 at = 0, most = samples < LAST ? samples : LAST;
    for (u32 i = 0; i < MEANS; i++) {
        while (at < most && (!at || span + last[(samples - 1 - at) % LAST].gap * 0.5 < wanted)) {
            const sample *s = &last[(samples - 1 - at++) % LAST];
            span += s->gap;
            x += s->x;
            y += s->y;
        }
        vx[i] = at ? x / span : 0.0;
        vy[i] = at ? y / span : 0.0;
        wanted = i ? wanted * WIDER : SPAN;
    }
}

f64 kn_x(u32 age, u32 ahead) {
    if (next - first == WAITING) first++;
    asked *a = &waiting[next++ % WAITING];
    f64 vx[MEANS], vy[MEANS];
    means(vx, vy);
    f64 until = ahead / 1000.0, speed = length(vx[0], vy[0]), before = length(vx[2], vy[2]), both = speed * before;
    f64 faster = (speed - before) / (speed + before + 0.01);
    f64 turned = both > 0.0 ? 1.0 - (vx[0] * vx[2] + vy[0] * vy[2]) / both : 0.0;
    f64 slower = faster < 0.0 ? faster * faster : 0.0, old = age / 16000.0 - 0.5;
    f64 gates[N - MEANS] = {faster, turned, old, slower, kn_lg(speed) - 1.0, faster * old, 0.0};
    for (u32 i = 0; i < MEANS; i++) {
        a->x[i] = vx[i] * until;
        a->y[i] = vy[i] * until;
    }
    for (u32 i = 0; i < N - MEANS; i++) {
        a->x[MEANS + i] = a->x[0] * gates[i];
        a->y[MEANS + i] = a->y[0] * gates[i];
    }
    /* And of a longer time by how much faster: what the first velocity is too rough for. */
    a->x[N - 1] = a->x[2] * faster;
    a->y[N - 1] = a->y[2] * faster;
    a->ahead = until;
    a->gone = a->way_x = a->way_y = a->said_x = a->said_y = 0.0;
    for (u32 i = 0; i < N; i++) {
        a->said_x += weight[i] * a->x[i];
        a->said_y += weight[i] * a->y[i];
    }
    said_y = GAIN * a->said_y;
    return GAIN * a->said_x;
}

f64 kn_y(u32 age, u32 ahead) { return said_y; }
