/*
 * The bench's trusted half: frames, the clock and the score.  It has a memory of its own, which no component can reach; the
 * host lays the arrays out in it.  Full and rank ABI share it: full.h or rank.h gives frame_begins, frame_budget and
 * frame_done.
 */
#define KN_BENCH
#include "kn_graphics.h"

#define MAX_REFRESHES 64u

typedef struct {
    const u32 *work, *refreshes, *first, *damage; /* by frame; first: of its commits, one more than there are frames */
    const u32 *surface, *at;                      /* by commit */
    const u64 *salt;                              /* by surface: what a component sees */
    u8 *adapter;                                  /* room for rank.h, zeroed */
    u32 surfaces, period, miss, recorded;         /* recorded: the period of the recording, which `at` is in */
} kn_machine;

static kn_machine m;

#ifdef KN_RANK
#include "rank.h"
#else
#include "full.h"
#endif

static u64 latency, missed, late, budgets;

KN_EXPORT("wb_begin") void wb_begin(const kn_machine *machine) {
    m = *machine;
    begin();
}

/* When a commit came, at the period that is set: it keeps its place between two vblanks. */
static u32 time_of(u32 commit) {
    u64 at = (u64)m.at[commit] * m.period / m.recorded;
    return at < m.period ? (u32)at : m.period;
}

/* A budget as a whole number of microseconds that the repaint may start before the vblank. */
static u32 whole(f64 budget) {
    if (!(budget > 0.0)) return 0;
    return budget >= (f64)m.period ? m.period : (u32)budget;
}

/*
 * Runs the frames from `from` to before `to`.  Returns the sum of their latencies, from the start of the repaint to the
 * vblank at which it is shown, and of what the vblanks cost that they missed.
 */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    u64 score = 0;
    latency = missed = late = budgets = 0;
    for (u32 i = from; i < to; i++) {
        u32 first = m.first[i], end = m.first[i + 1], last = end > first ? time_of(end - 1) : 0;
        u32 budget = whole(frame_budget(i, first, end)), start = m.period - budget;
        if (start < last) start = last;
        u64 done = (u64)start + m.work[i], shown = (done + m.period - 1) / m.period;
        if (!shown) shown = 1;
        u64 waited = shown * m.period - start;
        score += waited + (shown - 1) * m.miss;
        latency += waited;
        missed += shown - 1;
        late += shown > 1;
        budgets += m.period - start;
        frame_done(i, first, end, (u32)(shown - 1));
    }
    return (i64)score;
}

/* Of the last split: 0 the sum of latencies, 1 vblanks missed, 2 frames that missed one, 3 the sum of budgets, as far as the
 * commits let them. */
KN_EXPORT("wb_metric") i64 wb_metric(u32 which) {
    switch (which) {
    case 0: return (i64)latency;
    case 1: return (i64)missed;
    case 2: return (i64)late;
    default: return (i64)budgets;
    }
}
