/*
 * Algorithm 1 of Ramjee, Kurose, Towsley and Schulzrinne (Adaptive playout mechanisms for packetized audio applications in
 * wide-area networks, INFOCOM 1994): the mean transit and four times its mean deviation, as Jacobson's timer has it, with a
 * long memory.  The authors adjust the delay where a talkspurt begins; here it is adjusted with each frame, as all others are.
 */
#include "kn_audio.h"

#define ALPHA 0.998002
#define DEVIATIONS 4.0

static f64 mean, dev;
static u32 began;

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

void kn_arrive(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0;
    if (!began) mean = x;
    began = 1;
    mean = ALPHA * mean + (1.0 - ALPHA) * x;
    dev = ALPHA * dev + (1.0 - ALPHA) * __builtin_fabs(mean - x);
}

f64 kn_target(u32 delay) { return began ? mean + DEVIATIONS * dev : (f64)delay; }
