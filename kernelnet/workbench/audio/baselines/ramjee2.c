/*
 * Algorithm 2 of Ramjee, Kurose, Towsley and Schulzrinne (INFOCOM 1994; after Mills' RFC 889): as algorithm 1, but the mean
 * rises faster than it falls.
 */
#include "kn_audio.h"

#define ALPHA 0.998002
#define BETA 0.75 /* instead of ALPHA, where the transit is above the mean */
#define DEVIATIONS 4.0

static f64 mean, dev;
static u32 began;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

void kn_arrive(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0;
    if (!began) mean = x;
    began = 1;
    f64 kept = x > mean ? BETA : ALPHA;
    mean = kept * mean + (1.0 - kept) * x;
    dev = ALPHA * dev + (1.0 - ALPHA) * __builtin_fabs(mean - x);
}

f64 kn_target(u32 delay) { return began ? mean + DEVIATIONS * dev : (f64)delay; }
