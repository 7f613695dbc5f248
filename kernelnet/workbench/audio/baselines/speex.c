/*
 * Like Speex' jitter buffer (speexdsp, libspeex/jitter.c, compute_opt_delay): of the last frames' transits the delay for
 * which its own cost, delay + price * late frames a frame, would have been least.  The price is the bench's, times PRICE;
 * Speex has one of its own, and three short windows one after the other where this has a sliding one.
 */
#include "kn_audio.h"

#define WINDOW 120 /* frames: Speex' are 40 each */
#define PRICE 1.0

static unsigned short window[WINDOW]; /* ms, rounded up */
static u32 count[KN_MOST_DELAY + 1];
static u32 came;
static f64 price;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) { price = PRICE * (f64)late_ms; }

void kn_arrive(i32 ahead, u32 transit) {
    u32 ms = (transit + 999) / 1000, place = came++ % WINDOW;
    if (came > WINDOW) count[window[place]]--;
    if (ms > KN_MOST_DELAY) ms = KN_MOST_DELAY;
    window[place] = (unsigned short)ms;
    count[ms]++;
}

f64 kn_target(u32 delay) {
    u32 many = came < WINDOW ? came : WINDOW, late = many, best = 0;
    f64 least = 1e300;
    if (!came) return (f64)delay;
    for (u32 ms = 0; ms <= KN_MOST_DELAY; ms++) {
        late -= count[ms];
        f64 cost = (f64)ms * (f64)many + price * (f64)late;
        if (cost < least) {
            least = cost;
            best = ms;
        }
        if (!late) break;
    }
    return (f64)best;
}
