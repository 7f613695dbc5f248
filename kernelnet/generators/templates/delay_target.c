/*
 * A family of senders that keep a queue of their own choice at the link.
 *
 * How much waits is estimated from the window and the rtt, as Vegas does (Brakmo and Peterson, IEEE JSAC 13(8), 1995), of
 * the rtt of the moment, of the one that stands, which is the least lately, as Copa has it (Arun and Balakrishnan, NSDI
 * 2018), or of a mixture.  The window moves towards where that is the target: some packets, and a share of the window.  Steps
 * are as large as a number of packets and a share of the window in a round trip, all of that or the less the nearer the
 * target is, as FAST TCP's (Jin, Wei and Low, INFOCOM 2004).  Packets are paced, or not.
 */
#include "kn_network_stack.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define TARGET 2.0
#define SHARE 0.1
#define STANDING 0.0
#define UP 2.0
#define UP_SHARE 0.05
#define DOWN 2.0
#define DOWN_SHARE 0.05
#define NEAR 0.0
#define LOSS 1.0
#define PACE 0.0
/* end parameters */

static f64 cwnd = KN_FIRST_WINDOW, pace, srtt;
static f64 least = 1e9, least_now = 1e9, least_before = 1e9; /* rtt: of all, of this round, and of the one before */
static u32 now, round_at, slow_start = 1; /* times since the flow started */

f64 kn_init(void) { return cwnd; }

static f64 standing(f64 rtt) {
    srtt = srtt == 0.0 ? rtt : srtt + (rtt - srtt) * 0.125;
    least_now = kn_min(least_now, rtt);
    f64 stands = kn_min(least_now, least_before);
    if ((f64)(now - round_at) >= srtt) {
        least_before = least_now;
        least_now = 1e9;
        round_at = now;
    }
    return stands;
}

f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    now += elapsed;
    f64 seen = rtt + STANDING * (standing(rtt) - rtt);
    least = kn_min(least, rtt);
    f64 waits = cwnd * (seen - least) / seen, wanted = TARGET + SHARE * cwnd;
    f64 missing = (wanted - waits) / wanted; /* 1 where nothing waits, 0 at the target, less beyond it */
    if (missing < 0.0) slow_start = 0;
    if (slow_start) {
        cwnd += 1.0;
    } else {
        f64 whole = missing > 0.0 ? 1.0 : -1.0;
        f64 part = whole + NEAR * (kn_max(-1.0, missing) - whole);
        cwnd += part * (part > 0.0 ? UP / cwnd + UP_SHARE : DOWN / cwnd + DOWN_SHARE);
    }
    cwnd = kn_max(cwnd, 2.0);
    pace = PACE * cwnd / seen;
    return cwnd;
}

f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    now += elapsed;
    if (fresh) {
        cwnd = kn_max(cwnd * LOSS, 2.0);
        slow_start = 0;
    }
    return cwnd;
}

f64 kn_timeout(u32 elapsed, u32 lost) {
    now += elapsed;
    slow_start = 0;
    return cwnd = 2.0;
}

f64 kn_rate(void) { return pace; }
