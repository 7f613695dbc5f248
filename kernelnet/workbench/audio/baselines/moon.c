/*
 * Moon, Kurose and Towsley (Packet audio playout delay adjustment: performance bounds and algorithms, Multimedia Systems 6(1),
 * 1998): a percentile of the last frames' transits; and spikes, which begin with a transit above HEAD times the delay and end
 * with one below TAIL times what the delay was then.  In a spike the delay is its first transit; here that of the last frame, as
 * the delay may change within a talkspurt.
 */
#include "kn_audio.h"

#define WINDOW 10000 /* frames */
#define SHARE 0.99
#define HEAD 4.0
#define TAIL 2.0

static unsigned short window[WINDOW]; /* ms, rounded up */
static u32 count[KN_MOST_DELAY + 1];
static u32 came, spike, at, upto; /* the percentile, and how many don't exceed it */
static f64 target, old;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

static void remember(u32 ms) {
    u32 place = came++ % WINDOW;
    if (came > WINDOW) {
        count[window[place]]--;
        upto -= window[place] <= at;
    }
    window[place] = (unsigned short)ms;
    count[ms]++;
    upto += ms <= at;
    f64 least = SHARE * (f64)(came < WINDOW ? came : WINDOW);
    while ((f64)upto < least) upto += count[++at];
    while (at && (f64)(upto - count[at]) >= least) upto -= count[at--];
}

void kn_arrive(i32 ahead, u32 transit) {
    u32 ms = (transit + 999) / 1000;
    remember(ms > KN_MOST_DELAY ? KN_MOST_DELAY : ms);
    f64 x = (f64)transit / 1000.0, percentile = (f64)at;
    if (spike) {
        if (x <= TAIL * old) spike = 0;
    } else if (came > 1 && x > HEAD * kn_max(target, 1.0)) {
        spike = 1;
        old = kn_max(target, 1.0);
    }
    target = spike ? x : percentile;
}

f64 kn_target(u32 delay) { return came ? target : (f64)delay; }
