/* CUBIC (RFC 9438): after a loss the window comes back on a cubic curve whose plateau is where the loss was, or as fast
 * as Reno's would, if that is faster.  Slow start is the classical one, without HyStart++. */
#include "kn_network_stack.h"

#define C 0.4
#define BETA 0.7

static f64 cwnd = KN_FIRST_WINDOW, ssthresh = 1e9;
static f64 w_max;         /* where the last loss was */
static f64 w_est, prior;  /* Reno's window, and the window before the last reduction */
static f64 k;             /* seconds from the epoch's beginning to the plateau */
static u32 epoch, in_epoch; /* when congestion avoidance began, and whether it did */
static u32 now; /* milliseconds since the flow started */
static u32 acked, recovering;

/* x^(1/3) for x >= 0, by Newton's method. */
static f64 cube_root(f64 x) {
    if (x <= 0.0) return 0.0;
    f64 root = kn_max(x, 1.0);
    for (u32 i = 0; i < 60; i++) {
        f64 next = (2.0 * root + x / (root * root)) / 3.0;
        if (next >= root) break;
        root = next;
    }
    return root;
}

f64 kn_init(void) { return cwnd; }

/* Section 4.6, 4.7: the new threshold, and w_max lower still where the flow gives way to others. */
static void reduce(f64 flight) {
    w_max = cwnd < w_max ? cwnd * (1.0 + BETA) / 2.0 : cwnd;
    prior = cwnd;
    ssthresh = kn_max(flight * BETA, 2.0);
    in_epoch = 0;
}

f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    now += elapsed;
    if (fresh) {
        reduce(inflight + lost);
        cwnd = ssthresh;
        recovering = acked + 1;
    }
    return cwnd;
}

f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    now += elapsed;
    acked++;
    if (acked - delivered < recovering) return cwnd;
    if (cwnd < ssthresh) return cwnd += 1.0;
    if (!in_epoch) {
        in_epoch = 1;
        epoch = now;
        w_est = cwnd;
        if (w_max < cwnd) w_max = cwnd;
        k = cube_root((w_max - cwnd) / C);
    }
    /* Section 4.2: where the curve will be a round trip from now, at most half as much again. */
    f64 t = (now - epoch + rtt) / 1000.0 - k;
    f64 target = kn_min(kn_max(C * t * t * t + w_max, cwnd), 1.5 * cwnd);
    /* Section 4.3 */
    f64 alpha = w_est < prior ? 3.0 * (1.0 - BETA) / (1.0 + BETA) : 1.0;
    w_est += alpha / cwnd;
    f64 at = (now - epoch) / 1000.0 - k;
    if (C * at * at * at + w_max < w_est) cwnd = kn_max(cwnd, w_est);
    else cwnd += (target - cwnd) / cwnd;
    return cwnd;
}

f64 kn_timeout(u32 elapsed, u32 lost) {
    now += elapsed;
    reduce(lost);
    return cwnd = 1.0;
}

f64 kn_rate(void) { return 0.0; }
