/*
 * Like NetEq, the jitter buffer of WebRTC (modules/audio_coding/neteq/delay_manager.h and underrun_optimizer.cc, with the
 * defaults of 2024): the greatest transit of each half second, above the least of the last two, goes into a histogram of
 * steps of 20 ms, of which older ones count less and less, at first faster; the delay is what 95 % of them don't exceed, to the next
 * step.  Without its reorder optimizer, and the thresholds by which it decides whether to scale: here the target is the delay.
 */
#include "kn_audio.h"

#define SHARE 0.95
#define KEPT 0.983
#define START 2.0  /* the n-th interval counts START / (n + 1) at least */
#define RESAMPLED 25 /* frames of which the greatest transit counts */
#define STEP 20.0

#define STEPS 100u
#define HISTORY 100u /* frames, of which the least transit is the base */

static f64 share[STEPS]; /* their sum is 1 */
static u32 history[HISTORY], came, frames, intervals;
static f64 greatest, target = 80.0; /* kStartDelayMs */

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

static f64 base(void) {
    u32 least = history[0], many = came < HISTORY ? came : HISTORY;
    for (u32 i = 1; i < many; i++)
        if (history[i] < least) least = history[i];
    return (f64)least / 1000.0;
}

static void interval_ended(void) {
    f64 kept = kn_min(KEPT, 1.0 - START / (f64)(++intervals + 1));
    u32 step = (u32)(greatest / STEP);
    for (u32 i = 0; i < STEPS; i++) share[i] *= kept;
    share[step < STEPS ? step : STEPS - 1] += 1.0 - kept;
    f64 upto = 0.0;
    u32 at = 0;
    for (; at < STEPS - 1; at++)
        if ((upto += share[at]) >= SHARE) break;
    target = (f64)(at + 1) * STEP;
    greatest = 0.0;
    frames = 0;
}

void kn_arrive(i32 ahead, u32 transit) {
    history[came++ % HISTORY] = transit;
    greatest = kn_max(greatest, (f64)transit / 1000.0 - base());
    if (++frames >= RESAMPLED) interval_ended();
}

f64 kn_target(u32 delay) { return came ? base() + target : target; }
