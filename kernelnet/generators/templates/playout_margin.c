/*
 * A family of jitter buffers: the delay is the greatest of three estimates of the next transits, and a margin.
 *
 *   - the last transit, several mean changes from frame to frame, and what it rises by just now (as DeLeon and Sreenan's
 *     predictor has it, ICASSP 1999, and Ramjee et al.'s fourth algorithm in a spike, INFOCOM 1994);
 *   - a share of the greatest transit lately, which fades (their second algorithm);
 *   - a share of a quantile of the last transits, of which older ones count less (Concord, IEEE Trans. Multimedia 2(2), 2000).
 *
 * After a late frame the margin is greater for a while.  If the next frame isn't here when it is asked for, the delay grows: it
 * may yet come in time, and what comes behind it.  The delay falls only where that is worth its price, and no faster
 * than it may; what is above a knee counts in part.
 */
#include "kn_audio.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define CHANGES 24.0 /* 0..96: mean changes from frame to frame that are kept above the last transit */
#define MEMORY 500.0 /* 4..4000 log: frames of which the mean change is taken */
#define AT_ONCE 0.0 /* 0..1 zero: how far the mean change follows a single one that is greater */
#define RISE 1.0 /* 0..6 zero: times that the rise of the last frames is expected once more */
#define PEAK 1.0 /* 0..1.5 zero: share of the greatest transit lately */
#define FADES 100.0 /* 4..4000 log: frames in which it fades to a third */
#define QUANTILE 0.97 /* 0.5..0.9999: the quantile of transits */
#define FORGETS 500.0 /* 10..8000 log: frames after which a transit counts a third */
#define LEVEL 1.0 /* 0..1.5 zero: share of that quantile */
#define MARGIN 5.0 /* 0..60 zero: ms above all of them */
#define SHOCK 10.0 /* 0..100 zero: ms that a late frame adds to the margin */
#define CALM 100.0 /* 4..4000 log: frames in which that fades to a third */
#define DRY 10.0 /* 0..60 zero: ms by which the delay grows, at least, while the next frame is not here */
#define STAYS 4.0 /* 0..60 zero: ms that the delay stays above what is wanted */
#define FALLS 3.0 /* 0.1..20: ms by which it falls from a frame to the next, at most */
#define KNEE 150.0 /* 40..600: ms from which what is wanted counts in part */
#define BEYOND 0.8 /* 0..1: that part */
/* end parameters */

#define LOOKS_BACK 4u

static f64 weight[KN_MOST_DELAY + 1], sum, one = 1.0; /* of transits, by whole ms */
static f64 lasts[LOOKS_BACK];
static f64 last, change, peak, shock;
static f64 keeps_change, keeps_peak, grows, keeps_shock;
static u32 came;
static i32 newest = -1; /* number of the newest frame, less that of the one that is asked for */

static f64 third(f64 frames) { return frames / (frames + 1.0); }

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {
    keeps_change = third(MEMORY);
    keeps_peak = third(FADES);
    grows = 1.0 / third(FORGETS);
    keeps_shock = third(CALM);
}

static void remember(u32 transit) {
    u32 ms = (transit + 999) / 1000;
    one *= grows;
    weight[ms > KN_MOST_DELAY ? KN_MOST_DELAY : ms] += one;
    sum += one;
    if (one < 1e12) return;
    for (u32 i = 0; i <= KN_MOST_DELAY; i++) weight[i] /= one;
    sum /= one;
    one = 1.0;
}

void kn_arrive(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0;
    remember(transit);
    if (came) {
        f64 by = __builtin_fabs(x - last);
        change = keeps_change * change + (1.0 - keeps_change) * by;
        if (by > change) change += AT_ONCE * (by - change);
    }
    peak = kn_max(x, peak * keeps_peak);
    if (ahead > newest) newest = ahead;
    if (ahead < -1) shock += SHOCK;
    lasts[came++ % LOOKS_BACK] = last = x;
}

static f64 quantile(void) {
    f64 upto = 0.0, least = QUANTILE * sum;
    for (u32 ms = 0; ms < KN_MOST_DELAY; ms++)
        if ((upto += weight[ms]) >= least) return (f64)ms;
    return (f64)KN_MOST_DELAY;
}

f64 kn_target(u32 delay) {
    if (!came) return (f64)delay;
    f64 rise = came < LOOKS_BACK ? 0.0 : kn_max(0.0, last - lasts[came % LOOKS_BACK]);
    f64 wanted = last + CHANGES * change + RISE * rise;
    wanted = kn_max(wanted, PEAK * peak);
    if (LEVEL > 0.0) wanted = kn_max(wanted, LEVEL * quantile());
    shock *= keeps_shock;
    wanted += MARGIN + shock;
    if (wanted > KNEE) wanted = KNEE + BEYOND * (wanted - KNEE);
    f64 now = (f64)delay;
    if (DRY > 0.0 && newest < 0) wanted = kn_max(wanted, now + DRY);
    newest--; /* the next time another frame is asked for */
    if (wanted >= now) return wanted;
    if (now - wanted < STAYS) return now;
    return kn_max(wanted, now - FALLS);
}
