/* A sender like Copa (Arun and Balakrishnan, Copa: practical delay-based congestion control for the Internet, NSDI 2018) in its
 * default mode: it moves its rate towards 1 / (delta * queueing delay), the faster the longer it moves one way.  Left
 * out: the mode that competes with senders that fill the queue. */
#include "kn_network_stack.h"

#define DELTA 0.5
#define LONG 10000 /* the least rtt is of so many milliseconds */
#define KEPT 4096  /* rtts that are remembered for the standing one; a power of two */

static u32 now, acked; /* milliseconds since the flow started, and packets acknowledged */
static f64 cwnd = KN_FIRST_WINDOW, pace;
static f64 velocity = 1.0, at_start; /* packets a round, over 2; the window when the round began */
static i32 direction, same;          /* up or down in the last round, and for how many rounds that has been so */
static u32 slow_start = 1, round_ends;
static f64 srtt;
static u32 least = 1u << 30, least_before = 1u << 30, least_since; /* in this interval of LONG and the one before */

/* The standing rtt is the least of the last half smoothed rtt: a queue of those that are less than all after them. */
static u32 time_of[KEPT], rtt_of[KEPT], head, tail;

static u32 standing(u32 rtt) {
    while (tail != head && rtt_of[(tail - 1) % KEPT] >= rtt) tail--;
    if (tail - head == KEPT) head++;
    time_of[tail % KEPT] = now;
    rtt_of[tail++ % KEPT] = rtt;
    while (now - time_of[head % KEPT] > srtt / 2.0) head++;
    return rtt_of[head % KEPT];
}

static u32 least_rtt(u32 rtt) {
    if (now - least_since > LONG) {
        least_before = least;
        least = rtt;
        least_since = now;
    }
    if (rtt < least) least = rtt;
    return least < least_before ? least : least_before;
}

f64 kn_init(void) { return cwnd; }

/* Section 2.1, step 4: velocity doubles each round once the direction has been the same for three. */
static void next_round(void) {
    i32 moved = cwnd > at_start ? 1 : -1;
    if (moved == direction) {
        if (++same >= 3) velocity *= 2.0;
    } else {
        velocity = 1.0;
        same = 0;
    }
    direction = moved;
    at_start = cwnd;
}

f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    now += elapsed;
    acked++;
    srtt = srtt == 0.0 ? rtt : srtt + (rtt - srtt) * 0.125;
    f64 stands = standing(rtt), waits = stands - least_rtt(rtt);
    /* cwnd / stands <= 1 / (DELTA * waits), without dividing by 0 */
    u32 below = cwnd * DELTA * waits <= stands;
    if (acked - delivered >= round_ends) {
        round_ends = acked;
        if (!slow_start) next_round();
    }
    if (slow_start) {
        if (below) cwnd += 1.0;
        else slow_start = 0, at_start = cwnd;
    }
    if (!slow_start) {
        f64 step = velocity / (DELTA * cwnd);
        /* Not more than doubles in a round trip. */
        step = kn_min(step, 1.0);
        cwnd = kn_max(cwnd + (below ? step : -step), 2.0);
    }
    pace = 2.0 * cwnd / stands;
    return cwnd;
}

f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    now += elapsed;
    return cwnd;
}

f64 kn_timeout(u32 elapsed, u32 lost) {
    now += elapsed;
    velocity = 1.0;
    same = 0;
    return cwnd = 2.0;
}

f64 kn_rate(void) { return pace; }
