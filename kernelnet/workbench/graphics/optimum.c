/*
 * The least that frames can cost, exactly: what one repaint does to the screen says nothing about another one, so each may be
 * looked at alone.  From its last commit on a repaint can't be shown before vblank k; it starts so that it just makes that one,
 * or at the next vblank, if that is early enough.  Whoever aims at a later vblank pays for a miss more, and starts no later than
 * at the next vblank: no better.
 */
#define KN_BENCH
#include "kn_graphics.h"

KN_EXPORT("optimum")
i64 optimum(const u32 *work, const u32 *first, const u32 *at, u32 from, u32 to, u32 period, u32 miss, u32 recorded) {
    u64 score = 0;
    for (u32 i = from; i < to; i++) {
        u64 last = first[i + 1] > first[i] ? (u64)at[first[i + 1] - 1] * period / recorded : 0;
        if (last > period) last = period;
        u64 shown = (last + work[i] + period - 1) / period;
        if (!shown) shown = 1;
        u64 start = shown * period - work[i];
        score += shown * period - (start < period ? start : period) + (shown - 1) * miss;
    }
    return (i64)score;
}
