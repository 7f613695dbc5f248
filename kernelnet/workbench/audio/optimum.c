/*
 * The least that a split can cost whoever knows all transits, by dynamic programming over frames and delays: exact, but
 * that the split may begin with any delay, at no cost.  (Moon, Kurose and Towsley, Multimedia Systems 6(1), 1998, reckon the
 * least mean delay for a number of late packets in that way.)
 *
 * cost[d] is the least with which the frames so far end with delay d.  The next frame's delay is reached from those that are
 * at most up_ms shorter and down_ms longer, each ms at the same price: the least of a window of each, which is found by doubling
 * the window, in as many steps as its length has bits.
 *
 * Nobody needs a longer delay than the greatest transit of the split, `top`: who cuts each of his delays off there is late
 * for nothing else, waits no longer, and changes no more at once.
 */
#define KN_BENCH
#include "kn_audio.h"

#include "cost.h"

#define DELAYS (KN_MOST_DELAY + 1)
#define NEVER (1ull << 60)

static const i32 *transits;
static u32 down, up, top;
static u64 cost[DELAYS], grown[DELAYS], shrunk[DELAYS];

KN_EXPORT("opt_begin")
void opt_begin(const i32 *transits_, u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {
    transits = transits_;
    down = down_ms;
    up = up_ms;
    prices(late_ms, scale_cost, base_ms);
}

/* least[d]: of those at most `most` below d, each with what the change costs. */
static void from_below(u64 *least, u32 most, u64 price) {
    for (u32 reach = 0, step; reach < most; reach += step) {
        step = reach + 1 < most - reach ? reach + 1 : most - reach;
        for (u32 d = top; d >= step; d--) {
            u64 other = least[d - step] + price * step;
            if (other < least[d]) least[d] = other;
        }
    }
}

/* The same for those above d. */
static void from_above(u64 *least, u32 most, u64 price) {
    for (u32 reach = 0, step; reach < most; reach += step) {
        step = reach + 1 < most - reach ? reach + 1 : most - reach;
        for (u32 d = 0; d + step <= top; d++) {
            u64 other = least[d + step] + price * step;
            if (other < least[d]) least[d] = other;
        }
    }
}

KN_EXPORT("opt_run") i64 opt_run(u32 from, u32 to) {
    top = 0;
    for (u32 i = from; i < to; i++)
        if (scores(transits[i]) && (u32)transits[i] > 1000 * top) top = ((u32)transits[i] + 999) / 1000;
    for (u32 d = 0; d <= top; d++) cost[d] = 0;
    for (u32 i = from; i < to; i++) {
        u32 counts = scores(transits[i]);
        if (i > from) {
            u64 price = counts ? scaling_costs(1) : 0;
            for (u32 d = 0; d <= top; d++) grown[d] = shrunk[d] = cost[d];
            from_below(grown, up, price);
            from_above(shrunk, down, price);
            for (u32 d = 0; d <= top; d++) cost[d] = grown[d] < shrunk[d] ? grown[d] : shrunk[d];
        }
        if (!counts) continue;
        for (u32 d = 0; d <= top; d++) cost[d] += delay_costs(d) + late_costs(transits[i], d);
    }
    u64 least = NEVER;
    for (u32 d = 0; d <= top; d++)
        if (cost[d] < least) least = cost[d];
    return (i64)least;
}
