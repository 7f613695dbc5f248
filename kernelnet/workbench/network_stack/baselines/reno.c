/* Reno (RFC 5681, with the recovery of RFC 6582): the window grows by one packet for each acknowledged one in slow start, by
 * one a round trip after that, and is halved once for all losses of a round. */
#include "kn_network_stack.h"

static f64 cwnd = KN_FIRST_WINDOW, ssthresh = 1e9;
static u32 acked;      /* so far */
static u32 recovering; /* until a packet is acknowledged that was sent after this many others were */

f64 kn_init(void) { return cwnd; }

f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    if (fresh) {
        ssthresh = kn_max((inflight + lost) / 2.0, 2.0);
        cwnd = ssthresh;
        recovering = acked + 1;
    }
    return cwnd;
}

f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    acked++;
    if (acked - delivered < recovering) return cwnd;
    cwnd += cwnd < ssthresh ? 1.0 : 1.0 / cwnd;
    return cwnd;
}

f64 kn_timeout(u32 elapsed, u32 lost) {
    ssthresh = kn_max(lost / 2.0, 2.0);
    return cwnd = 1.0;
}

f64 kn_rate(void) { return 0.0; }
