/* The driver's half of the ABI network_stack/rank/1: keeps what there is to know of each flow, and asks its component, one
 * pure function, for the next window at each acknowledgement. */

#define DECLARED(n) \
    KN_FLOW(n, "kn_window") \
    extern f64 window_##n(f64 cwnd, f64 rtt, f64 minrtt, f64 srtt, f64 loss, f64 rate, f64 maxrate, f64 sinceloss, \
                          f64 gap, f64 least);
EACH_FLOW(DECLARED)

#define CASE_WINDOW(n) \
    case n: \
        return window_##n(cwnd, rtt, minrtt, srtt, loss, rate, maxrate, sinceloss, gap, least);

#define ROUNDS 10
#define AFTER_TIMEOUT 2.0

typedef struct {
    f64 cwnd, minrtt, srtt, rate, maxrate;
    u32 loss_at, ack_at, fresh;
    u32 round_at, in_round; /* when the round began, and the acknowledgements since */
    u32 rounds;
    f64 least, before; /* the least rtt of this round, and of the one before */
    f64 rates[ROUNDS]; /* of the last rounds */
} known;

static known flows_known[MAX_FLOWS];

static f64 asked(u32 flow, f64 cwnd, f64 rtt, f64 minrtt, f64 srtt, f64 loss, f64 rate, f64 maxrate, f64 sinceloss,
                 f64 gap, f64 least) {
    switch (flow) { EACH_FLOW(CASE_WINDOW) }
    __builtin_unreachable();
}

static f64 flow_starts(u32 flow, u32 now) {
    flows_known[flow] = (known){.cwnd = KN_FIRST_WINDOW, .loss_at = now, .ack_at = now, .round_at = now,
                                .least = 1e9, .before = 1e9};
    return KN_FIRST_WINDOW;
}

static f64 flow_acknowledged(u32 flow, u32 now, u32 rtt, u32 delivered, u32 before, u32 inflight, f64 rate) {
    known *k = &flows_known[flow];
    f64 r = (f64)rtt;
    k->minrtt = delivered == 1 ? r : kn_min(k->minrtt, r);
    k->srtt = delivered == 1 ? r : k->srtt + (r - k->srtt) * 0.125;
    k->in_round++;
    k->least = kn_min(k->least, r);
    f64 least = kn_min(k->least, k->before);
    if ((f64)(now - k->round_at) >= k->srtt) {
        k->rate = (f64)k->in_round / (f64)(now - k->round_at);
        k->rates[k->rounds++ % ROUNDS] = k->rate;
        k->maxrate = 0.0;
        for (u32 i = 0; i < ROUNDS; i++) k->maxrate = kn_max(k->maxrate, k->rates[i]);
        k->round_at = now;
        k->in_round = 0;
        k->before = k->least;
        k->least = 1e9;
    }
    f64 cwnd = asked(flow, k->cwnd, r, k->minrtt, k->srtt, (f64)k->fresh, k->rate, k->maxrate, (f64)(now - k->loss_at),
                     (f64)(now - k->ack_at), least);
    /* What the sender makes of it (see kn_network_stack.h) is what the component finds next time. */
    k->cwnd = !(cwnd >= 1.0) ? 1.0 : kn_min(cwnd, (f64)MAX_WINDOW);
    k->ack_at = now;
    k->fresh = 0;
    return k->cwnd;
}

static f64 flow_lost(u32 flow, u32 now, u32 lost, u32 fresh, u32 inflight) {
    known *k = &flows_known[flow];
    if (fresh) {
        k->fresh = 1;
        k->loss_at = now;
    }
    return k->cwnd;
}

static f64 flow_timed_out(u32 flow, u32 now, u32 lost) {
    known *k = &flows_known[flow];
    k->loss_at = now;
    return k->cwnd = AFTER_TIMEOUT;
}

static f64 flow_rate(u32 flow) { return 0.0; }
