/*
 * Algorithm 4 of Ramjee, Kurose, Towsley and Schulzrinne (INFOCOM 1994): as algorithm 1, but it sees spikes, which begin with
 * a transit far above the one before.  In a spike it goes with the transits; it ends when these stop changing.  Thresholds are
 * 800 and 63 samples there, at 8 kHz: 100 ms and 7.875 ms.
 */
#include "kn_audio.h"

#define KEPT 0.875
#define DEVIATIONS 4.0
#define BEGINS 100.0 /* ms by which a transit must differ from the one before, besides two deviations */
#define ENDS 7.875

static f64 mean, dev, slope, last, before;
static u32 came, spike;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

void kn_arrive(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0;
    if (!came++) mean = last = before = x;
    if (!spike) {
        if (__builtin_fabs(x - last) > 2.0 * dev + BEGINS) {
            spike = 1;
            slope = 0.0;
        }
    } else {
        slope = slope / 2.0 + __builtin_fabs(2.0 * x - last - before) / 8.0;
        if (slope <= ENDS) spike = 0;
    }
    mean = spike ? mean + x - last : KEPT * mean + (1.0 - KEPT) * x;
    dev = KEPT * dev + (1.0 - KEPT) * __builtin_fabs(x - mean);
    before = last;
    last = x;
}

f64 kn_target(u32 delay) { return came ? mean + DEVIATIONS * dev : (f64)delay; }
