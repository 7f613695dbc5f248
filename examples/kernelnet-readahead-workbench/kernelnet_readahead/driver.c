/*
 * The bench's trusted half: walks the trace, asks the component at each request to the disk, and keeps the score.  The
 * host lays the arrays out in its memory, which the component can't reach.
 */
#define KN_BENCH
#include "kn_readahead.h"

KN_POLICY("kn_window") extern f64 kn_window(f64 run, f64 last, f64 ahead, f64 used, f64 offset, f64 mean);

typedef struct {
    u32 from, to;    /* the blocks that are there: from `from` to before `to` */
    u32 read;        /* 1 + the block that was read last, 0 if none was */
    u32 run, last;   /* see kn_readahead.h */
    u32 ahead, used;
    u32 unused;
} state;

static const u32 *file, *block; /* by read */
static state *states;           /* by file; the host zeroes them */
static u32 files, seek, requests, wasted;
static f64 mean;

KN_EXPORT("wb_begin")
void wb_begin(const u32 *file_, const u32 *block_, state *states_, u32 files_, u32 seek_) {
    file = file_;
    block = block_;
    states = states_;
    files = files_;
    seek = seek_;
    mean = 0;
}

/* How many blocks to bring besides the one that is asked for. */
static u32 window(f64 wanted) {
    if (!(wanted >= 1)) return 0; /* what is not a number, too */
    return wanted < KN_MOST ? (u32)wanted : KN_MOST;
}

/* The run of a file goes on with `at`, or ends. */
static void follow(state *s, u32 at) {
    if (at + 1 == s->read) return; /* the same block once more */
    if (s->read && at == s->read) {
        s->run++;
    } else {
        if (s->read) {
            s->last = s->run;
            mean = mean ? mean + ((f64)s->run - mean) * 0.0625 : (f64)s->run;
        }
        s->run = 1;
    }
    s->read = at + 1;
}

/* Nothing that was read ahead is there any more. */
KN_EXPORT("wb_drop") void wb_drop(void) {
    for (u32 i = 0; i < files; i++) states[i].from = states[i].to = 0;
}

/* Serves the reads from `from` to before `to`.  Returns what it cost, in blocks. */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    i64 cost = 0;
    requests = wasted = 0;
    for (u32 now = from; now < to; now++) {
        u32 at = block[now];
        state *s = &states[file[now]];
        follow(s, at);
        if (s->from <= at && at < s->to) {
            s->used++;
            continue;
        }
        u32 ahead = window(kn_window(s->run, s->last, s->ahead, s->used, at, mean));
        if (s->to && s->ahead > s->used) wasted += s->ahead - s->used;
        s->from = at;
        s->to = at + ahead + 1;
        s->ahead = ahead;
        s->used = 0;
        cost += (i64)seek + ahead + 1;
        requests++;
    }
    return cost;
}

/* Of the last wb_run: how often the disk was asked, and how many blocks were dropped unread (those read again count as
 * read twice, so it may be a few too small). */
KN_EXPORT("wb_requests") u32 wb_requests(void) { return requests; }
KN_EXPORT("wb_wasted") u32 wb_wasted(void) { return wasted; }
