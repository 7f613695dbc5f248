/* A sender like BBR, version 1 (Cardwell et al., BBR: congestion-based congestion control, ACM Queue 14(5), 2016; the
 * constants of draft-cardwell-iccrg-bbr-congestion-control-00): it paces at the largest delivery rate of the last ten
 * rounds, tries in turns more and less, and keeps at most two products of that rate and the least rtt on their way.  Left out:
 * long-term sampling (policers), and the window's restraint after losses, of which it takes no notice. */
#include "kn_network_stack.h"

#define HIGH_GAIN 2.885 /* 2 / ln 2: doubles the rate each round */
#define ROUNDS 10
#define PHASES 8
#define PROBE_EVERY 10000
#define PROBE_FOR 200
#define LEAST_WINDOW 4.0

static const f64 gains[PHASES] = {1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
enum { STARTUP, DRAIN, PROBE_BANDWIDTH, PROBE_RTT };

static u32 now, acked; /* milliseconds since the flow started, and packets acknowledged */
static u32 state;
static f64 best[ROUNDS]; /* the largest rate by round */
static u32 round, round_ends;
static f64 full;   /* the rate that startup reached when it last grew by a quarter, */
static u32 stalled; /* and how many rounds ago that was */
static u32 filled; /* startup is over */
static u32 least = 1u << 30, least_at; /* the least rtt of the last ten seconds, and when it was seen */
static u32 phase, phase_at, probe_ends;
static f64 window = KN_FIRST_WINDOW, pace;

f64 kn_init(void) { return window; }

static f64 bandwidth(void) {
    f64 most = 0.0;
    for (u32 i = 0; i < ROUNDS; i++) most = kn_max(most, best[i]);
    return most;
}

static void probe_bandwidth(void) {
    state = PROBE_BANDWIDTH;
    phase = 2; /* any but the one that drains; the draft draws it by chance */
    phase_at = now;
}

static void next_round(void) {
    round_ends = acked;
    best[++round % ROUNDS] = 0.0;
}

static void check_full(void) {
    if (filled) return;
    if (bandwidth() >= full * 1.25) {
        full = bandwidth();
        stalled = 0;
    } else if (++stalled >= 3) {
        filled = 1;
    }
}

static void check_phase(u32 inflight) {
    f64 product = bandwidth() * least;
    u32 over = now - phase_at > least;
    if (gains[phase] > 1.0) over = over && inflight >= gains[phase] * product;
    if (gains[phase] < 1.0) over = over || inflight <= product;
    if (over) {
        phase = (phase + 1) % PHASES;
        phase_at = now;
    }
}

f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    now += elapsed;
    acked++;
    u32 new_round = acked - delivered >= round_ends;
    if (new_round) next_round();
    best[round % ROUNDS] = kn_max(best[round % ROUNDS], rate);
    if (new_round) check_full();

    u32 stale = now - least_at > PROBE_EVERY;
    if (rtt <= least || stale) {
        least = rtt;
        least_at = now;
    }
    if (state == STARTUP && filled) state = DRAIN;
    if (state == DRAIN && inflight <= bandwidth() * least) probe_bandwidth();
    if (state == PROBE_BANDWIDTH) check_phase(inflight);
    if (stale && state != PROBE_RTT) {
        state = PROBE_RTT;
        probe_ends = 0;
    }
    if (state == PROBE_RTT) {
        if (!probe_ends && inflight <= LEAST_WINDOW) probe_ends = now + PROBE_FOR;
        if (probe_ends && now >= probe_ends) {
            least_at = now;
            if (filled) probe_bandwidth();
            else state = STARTUP;
        }
    }

    f64 gain = state == STARTUP ? HIGH_GAIN : state == DRAIN ? 1.0 / HIGH_GAIN : state == PROBE_RTT ? 1.0 : gains[phase];
    f64 window_gain = state == STARTUP || state == DRAIN ? HIGH_GAIN : 2.0;
    if (filled || gain * bandwidth() > pace) pace = gain * bandwidth();
    f64 target = kn_max(window_gain * bandwidth() * least, LEAST_WINDOW);
    window = filled ? kn_min(window + 1.0, target) : window < target ? window + 1.0 : window;
    return window = state == PROBE_RTT ? LEAST_WINDOW : kn_max(window, LEAST_WINDOW);
}

f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    now += elapsed;
    return window;
}

f64 kn_timeout(u32 elapsed, u32 lost) {
    now += elapsed;
    return window = 1.0;
}

f64 kn_rate(void) { return pace; }
