/*
 * The bench's trusted half: shows a component the samples, asks it at frames, and knows where the pointer went.  It has a memory
 * of its own, which no component can reach; the host lays the arrays out in it.  Full and rank ABI share it: full.h or
 * rank.h gives pointer_starts, pointer_moved and pointer_asked.
 */
#define KN_BENCH
#include "kn_window_manager.h"

#define MILLI 1000.0
#define FARTHEST 1e5
#define BIN 8u      /* milli-pixels */
#define BINS 65536u /* the last is for all above */

#ifdef KN_RANK
#include "rank.h"
#else
#include "full.h"
#endif

typedef struct {
    i32 x, y; /* milli-pixels since the sample before */
} movement;

typedef struct {
    u32 newest, age; /* the newest sample of a frame, and how old it is */
} frame;

static const u32 *gaps; /* by sample: microseconds since the one before */
static const movement *moves;
static const frame *frames;
static u32 *errors; /* by BIN: answers of this split that were so far off */
static u32 horizon, seen;
static u64 asked, overshot;

KN_EXPORT("wb_begin")
void wb_begin(const u32 *gaps_, const movement *moves_, const frame *frames_, u32 *errors_, u32 horizon_) {
    gaps = gaps_;
    moves = moves_;
    frames = frames_;
    errors = errors_;
    horizon = horizon_;
    seen = 0;
    pointer_starts();
}

static f64 bounded(f64 answer) { return answer == answer ? kn_max(-FARTHEST, kn_min(answer, FARTHEST)) : 0.0; }

/* How far off an answer is, in whole milli-pixels. */
static u64 distance_off(const frame *f, f64 x, f64 y) {
    u32 ahead = f->age + horizon, at = f->newest + 1, since = 0;
    i64 from_x = 0, from_y = 0;
    while (since + gaps[at] < ahead) {
        from_x += moves[at].x;
        from_y += moves[at].y;
        since += gaps[at++];
    }
    f64 share = (f64)(ahead - since) / (f64)gaps[at];
    f64 true_x = (f64)from_x + (f64)moves[at].x * share, true_y = (f64)from_y + (f64)moves[at].y * share;
    f64 off_x = x * MILLI - true_x, off_y = y * MILLI - true_y;
    overshot += x * MILLI * true_x + y * MILLI * true_y > true_x * true_x + true_y * true_y;
    return (u64)__builtin_sqrt(off_x * off_x + off_y * off_y);
}

/* Runs the frames from `from` to before `to`.  Returns by how many milli-pixels the answers were off in all. */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    u64 off = 0;
    asked = to - from;
    overshot = 0;
    for (u32 i = 0; i < BINS; i++) errors[i] = 0;
    for (u32 i = from; i < to; i++) {
        const frame *f = &frames[i];
        for (; seen <= f->newest; seen++)
            pointer_moved(gaps[seen], (f64)moves[seen].x / MILLI, (f64)moves[seen].y / MILLI);
        f64 x, y;
        pointer_asked(f->age, f->age + horizon, &x, &y);
        u64 wrong = distance_off(f, bounded(x), bounded(y));
        errors[wrong / BIN < BINS ? wrong / BIN : BINS - 1]++;
        off += wrong;
    }
    return (i64)off;
}

static i64 quantile(u64 permille) {
    u64 below = 0;
    for (u32 i = 0; i < BINS; i++)
        if ((below += errors[i]) * 1000 >= asked * permille) return (i64)(i * BIN);
    return 0;
}

/* Of the last split: 0, 1 milli-pixels by which a half and 95 % of the answers are not further off, to 8; 2 answers of a thousand
 * that went further than the pointer did. */
KN_EXPORT("wb_metric") i64 wb_metric(u32 which) {
    if (which < 2) return quantile(which ? 950 : 500);
    return asked ? (i64)(overshot * 1000 / asked) : 0;
}
