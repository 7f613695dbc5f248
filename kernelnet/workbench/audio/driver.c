/*
 * The bench's trusted half: frames that come, their playout, and the score.  It has a memory of its own, which no component
 * can reach; the host lays the arrays out in it.  Full and rank ABI share it: full.h or rank.h gives call_begins,
 * frame_arrives and wanted.
 */
#define KN_BENCH
#include "kn_audio.h"

#ifdef KN_RANK
#include "rank.h"
#else
#include "full.h"
#endif

#include "cost.h"

static const i32 *transits; /* by frame, microseconds; below 0: lost */
static const u32 *order;    /* frames that aren't lost, as they come */
static u32 many, next;
static u32 delay, down, up;
static u64 played, sum, late, scaled;

KN_EXPORT("wb_begin")
void wb_begin(const i32 *transits_, const u32 *order_, u32 many_, u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms,
              u32 base_ms) {
    transits = transits_;
    order = order_;
    many = many_;
    down = down_ms;
    up = up_ms;
    prices(late_ms, scale_cost, base_ms);
    delay = KN_FIRST_DELAY;
    call_begins(late_ms, scale_cost, down_ms, up_ms, base_ms);
}

static u32 answered(f64 target) {
    u32 least = delay > down ? delay - down : 0;
    u32 most = delay + up < KN_MOST_DELAY ? delay + up : KN_MOST_DELAY;
    if (!(target > (f64)least)) return least;
    return target >= (f64)most ? most : (u32)__builtin_ceil(target);
}

/* Plays the frames from `from` to before `to`.  Returns their cost. */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    u64 cost = 0;
    played = sum = late = scaled = 0;
    for (u32 i = from; i < to; i++) {
        /* When the frame before is played. */
        i64 now = ((i64)i - 1) * FRAME_US + (i64)delay * 1000;
        for (; next < many && (i64)order[next] * FRAME_US + transits[order[next]] <= now; next++)
            frame_arrives((i32)order[next] - (i32)i, (u32)transits[order[next]]);
        u32 before = delay;
        delay = answered(wanted(before));
        u32 changed = delay > before ? delay - before : before - delay;
        scaled += changed;
        if (!scores(transits[i])) continue;
        played++;
        sum += delay;
        late += is_late(transits[i], delay);
        cost += delay_costs(delay) + scaling_costs(changed) + late_costs(transits[i], delay);
    }
    return (i64)cost;
}

/* Of the last split: 0 frames that count, 1 their mean delay in ms, 2 how many were late, 3 ms by which the delay changed. */
KN_EXPORT("wb_metric") i64 wb_metric(u32 which) {
    switch (which) {
    case 0: return (i64)played;
    case 1: return played ? (i64)((sum + played / 2) / played) : 0;
    case 2: return (i64)late;
    default: return (i64)scaled;
    }
}
