/* The driver's half of the ABI network_stack/full/1: each flow's own instance answers. */

#define DECLARED(n) \
    KN_FLOW(n, "kn_init") extern f64 init_##n(u32 now); \
    KN_FLOW(n, "kn_ack") extern f64 ack_##n(u32 now, u32 rtt, u32 delivered, u32 before, u32 inflight, f64 rate); \
    KN_FLOW(n, "kn_loss") extern f64 loss_##n(u32 now, u32 lost, u32 fresh, u32 inflight); \
    KN_FLOW(n, "kn_timeout") extern f64 timeout_##n(u32 now, u32 lost); \
    KN_FLOW(n, "kn_rate") extern f64 rate_##n(void);
EACH_FLOW(DECLARED)

#define CASE_INIT(n) case n: return init_##n(now);
#define CASE_ACK(n) case n: return ack_##n(now, rtt, delivered, before, inflight, rate);
#define CASE_LOSS(n) case n: return loss_##n(now, lost, fresh, inflight);
#define CASE_TIMEOUT(n) case n: return timeout_##n(now, lost);
#define CASE_RATE(n) case n: return rate_##n();
#define CHOSEN(CASE) switch (flow) { EACH_FLOW(CASE) } __builtin_unreachable();

static f64 flow_starts(u32 flow, u32 now) { CHOSEN(CASE_INIT) }

static f64 flow_acknowledged(u32 flow, u32 now, u32 rtt, u32 delivered, u32 before, u32 inflight, f64 rate) {
    CHOSEN(CASE_ACK)
}

static f64 flow_lost(u32 flow, u32 now, u32 lost, u32 fresh, u32 inflight) { CHOSEN(CASE_LOSS) }

static f64 flow_timed_out(u32 flow, u32 now, u32 lost) { CHOSEN(CASE_TIMEOUT) }

static f64 flow_rate(u32 flow) { CHOSEN(CASE_RATE) }
