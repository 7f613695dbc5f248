/* The driver's half of the ABI network_stack/full/2: each flow's own instance answers. */

#define DECLARED(n) \
    KN_FLOW(n, "kn_init") extern f64 init_##n(void); \
    KN_FLOW(n, "kn_ack") extern f64 ack_##n(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate); \
    KN_FLOW(n, "kn_loss") extern f64 loss_##n(u32 elapsed, u32 lost, u32 fresh, u32 inflight); \
    KN_FLOW(n, "kn_timeout") extern f64 timeout_##n(u32 elapsed, u32 lost); \
    KN_FLOW(n, "kn_rate") extern f64 rate_##n(void);
EACH_FLOW(DECLARED)

#define CASE_INIT(n) case n: return init_##n();
#define CASE_ACK(n) case n: return ack_##n(elapsed, rtt, meanwhile, inflight, rate);
#define CASE_LOSS(n) case n: return loss_##n(elapsed, lost, fresh, inflight);
#define CASE_TIMEOUT(n) case n: return timeout_##n(elapsed, lost);
#define CASE_RATE(n) case n: return rate_##n();
#define CHOSEN(CASE) switch (flow) { EACH_FLOW(CASE) } __builtin_unreachable();

/* A policy is told of differences only: what counts up would tell it where in a trace that it knows it is. */
static u32 called_at[MAX_FLOWS]; /* when the flow's instance was called last */

static u32 since_called(u32 flow, u32 now) {
    u32 elapsed = now - called_at[flow];
    called_at[flow] = now;
    return elapsed;
}

static f64 flow_starts(u32 flow, u32 now) {
    called_at[flow] = now;
    CHOSEN(CASE_INIT)
}

static f64 flow_acknowledged(u32 flow, u32 now, u32 rtt, u32 delivered, u32 before, u32 inflight, f64 rate) {
    u32 elapsed = since_called(flow, now), meanwhile = delivered - before;
    CHOSEN(CASE_ACK)
}

static f64 flow_lost(u32 flow, u32 now, u32 lost, u32 fresh, u32 inflight) {
    u32 elapsed = since_called(flow, now);
    CHOSEN(CASE_LOSS)
}

static f64 flow_timed_out(u32 flow, u32 now, u32 lost) {
    u32 elapsed = since_called(flow, now);
    CHOSEN(CASE_TIMEOUT)
}

static f64 flow_rate(u32 flow) { CHOSEN(CASE_RATE) }
