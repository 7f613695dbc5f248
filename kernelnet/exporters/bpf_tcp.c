/*
 * A component of kernelnet's network_stack bench as a congestion control of Linux (struct_ops, 6.9 or newer).
 *
 * Each socket has an instance of its own.  A component is told what the bench tells it: a call for each packet that is
 * acknowledged, also where one acknowledgement is for several; losses before that; a timeout; and its pacing rate is asked for.
 * While the application has nothing more to send it isn't asked, as in the bench a flow always has.
 *
 * One that goes wrong, or spends its fuel, is not asked again; its socket goes on as Reno does.
 */
#include "component.c"
#include "bpf_kernel.h"
#ifdef COMPONENT_HAS_kn_window
#include "bpf_tcp_rank.h"
#endif

#define FUEL 100000 /* of one callback */
#define MOST_CALLS 64
#define MOST_WINDOW 16384u
#define LEAST_PACING 15000u /* bytes a second: a packet in 100 ms */
#define MS 1000u

char _license[] SEC("license") = "Dual MIT/GPL";

/* Sockets that began, those whose component went wrong, and what did last: `bpftool map dump` shows them. */
u64 begun, broken, why;

typedef struct {
    u64 started;      /* the socket's clock in microseconds when it began */
    u64 window, rate; /* what the component said last */
    u32 called, rtt;  /* when it was called last, and the rtt that it was told, in milliseconds */
    u32 state, fresh; /* of the kernel's; whether a loss has begun that the component wasn't told of */
    u32 isBroken, pad;
    u64 parameters[4]; /* of a call by its global function */
#ifdef COMPONENT_HAS_kn_window
    known k;
#endif
    component m;
} flow;

struct {
    int (*type)[BPF_MAP_TYPE_SK_STORAGE];
    int (*map_flags)[BPF_F_NO_PREALLOC];
    int *key;
    flow *value;
} flows SEC(".maps");

/* --- the component's answers; the kernel's verifier looks at each of these functions once ------------------------------ */

KN_FUNCTION u64 flow_starts(flow *f) {
    if (!f) return 0;
    component_begin(&f->m);
#ifdef COMPONENT_HAS_kn_window
    rank_begins(&f->k, 0);
    return FIRST_WINDOW;
#else
    return component_kn_init(&f->m);
#endif
}

KN_FUNCTION u64 flow_acknowledged(flow *f, u32 now, u32 meanwhile, u32 inflight, u64 rate) {
    if (!f) return 0;
#ifdef COMPONENT_HAS_kn_window
    return rank_acknowledged(&f->k, &f->m, now, f->rtt);
#else
    u32 elapsed = now - f->called;
    f->called = now;
    return component_kn_ack(&f->m, elapsed, f->rtt, meanwhile, inflight, rate);
#endif
}

KN_FUNCTION u64 flow_lost(flow *f, u32 now, u32 lost, u32 fresh, u32 inflight) {
    if (!f) return 0;
#ifdef COMPONENT_HAS_kn_window
    return rank_lost(&f->k, now, fresh);
#else
    u32 elapsed = now - f->called;
    f->called = now;
    return component_kn_loss(&f->m, elapsed, lost, fresh, inflight);
#endif
}

KN_FUNCTION u64 flow_timed_out(flow *f, u32 now, u32 lost) {
    if (!f) return 0;
#ifdef COMPONENT_HAS_kn_window
    return rank_timed_out(&f->k, now);
#else
    u32 elapsed = now - f->called;
    f->called = now;
    return component_kn_timeout(&f->m, elapsed, lost);
#endif
}

KN_FUNCTION u64 flow_rate(flow *f) {
    if (!f) return 0;
#ifdef COMPONENT_HAS_kn_window
    return 0;
#else
    return component_kn_rate(&f->m);
#endif
}

/* --- the kernel's side ------------------------------------------------------------------------------------------------- */

#ifdef __bpf__

KN_INSIDE struct tcp_sock *tcp(struct sock *sk) { return (struct tcp_sock *)sk; }

KN_INSIDE u32 milliseconds(flow *f, struct tcp_sock *tp) { return (u32)((tp->tcp_mstamp - f->started) / MS); }

KN_INSIDE u32 inflightOf(struct tcp_sock *tp) {
    return tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
}

/* The component's window and rate become the socket's; whether it is (still) to be asked. */
static __attribute__((noinline)) u32 answered(struct sock *sk, flow *f) {
    struct tcp_sock *tp = tcp(sk);
    u64 window, bytes, rate;
    f->rate = flow_rate(f);
    if (f->m.trapped) {
        f->isBroken = 1;
        __sync_fetch_and_add(&broken, 1);
        why = f->m.trapped;
        return 0;
    }
    window = kn_sat_i32_f64_u(f->window);
    if (window > MOST_WINDOW) window = MOST_WINDOW;
    if (window < 1) window = 1;
    if (window > tp->snd_cwnd_clamp) window = tp->snd_cwnd_clamp;
    tp->snd_cwnd = (u32)window;
    /* What it gives has a packet's headers, too. */
    bytes = (u64)tp->mss_cache + 52;
    if (kn_gt64(f->rate, 0)) {
        rate = kn_sat_i64_f64_u(kn_mul64(kn_min64(f->rate, 0x40d0000000000000ull), kn_convert_f64_i64_u(bytes * 1000)));
        if (rate < LEAST_PACING) rate = LEAST_PACING;
        if (!sk->sk_pacing_status) sk->sk_pacing_status = SK_PACING_NEEDED;
    } else if (sk->sk_pacing_status == SK_PACING_NONE && tp->srtt_us) {
        /* Nothing is paced by it; but the kernel cuts what it hands down by it: twice the window a round trip, as for Reno. */
        rate = window * bytes * 2 * 8 * 1000000 / tp->srtt_us;
    } else {
        rate = ~0ull >> 1;
    }
    sk->sk_pacing_rate = rate;
    return 1;
}

SEC("struct_ops/begin") int begin(u64 *ctx) {
    struct sock *sk = (struct sock *)ctx[0];
    struct tcp_sock *tp = tcp(sk);
    flow *f = bpf_sk_storage_get(&flows, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    __sync_fetch_and_add(&begun, 1);
    tp->snd_ssthresh = 0x7fffffff;
    if (!f) return 0;
    __builtin_memset(f, 0, __builtin_offsetof(flow, m) + __builtin_offsetof(component, memory));
    f->started = tp->tcp_mstamp;
    f->m.fuel = FUEL;
    f->window = flow_starts(f);
    answered(sk, f);
    return 0;
}

SEC("struct_ops/control") int control(u64 *ctx) {
    struct sock *sk = (struct sock *)ctx[0];
#ifdef KN_CONTROL_OF_TWO /* before 6.10 */
    const struct rate_sample *rs = (const struct rate_sample *)ctx[1];
    u32 ack = 0;
#else
    const struct rate_sample *rs = (const struct rate_sample *)ctx[3];
    u32 ack = (u32)ctx[1];
#endif
    struct tcp_sock *tp = tcp(sk);
    flow *f = bpf_sk_storage_get(&flows, sk, 0, 0);
    u32 now, inflight, n, i, meanwhile, fresh;
    i64 us;
    u64 rate = 0;
    if (!f || f->isBroken) {
        if (rs->losses > 0 && f && f->fresh) {
            f->fresh = 0;
            tp->snd_ssthresh = tcp_reno_ssthresh(sk);
            tp->snd_cwnd = tp->snd_ssthresh;
        } else {
            tcp_reno_cong_avoid(sk, ack, rs->acked_sacked);
        }
        return 0;
    }
    f->m.fuel = FUEL;
    now = milliseconds(f, tp);
    inflight = inflightOf(tp);
    if (rs->losses > 0) {
        fresh = f->fresh;
        f->fresh = 0;
        f->window = flow_lost(f, now, (u32)rs->losses, fresh, inflight);
    }
    n = rs->acked_sacked;
    if (n && rs->delivered >= 0 && !rs->is_app_limited) {
        us = rs->rtt_us;
        /* Of what was sent twice nothing is known. */
        if (us > 0) f->rtt = (u32)((u64)us / MS);
        else if (!f->rtt) f->rtt = (tp->srtt_us >> 3) / MS;
        if (!f->rtt) f->rtt = 1;
        if (rs->interval_us > 0)
            rate = kn_div64(kn_convert_f64_i64_u((u64)(u32)rs->delivered * MS), kn_convert_f64_i64_u((u64)rs->interval_us));
        meanwhile = tp->delivered - rs->prior_delivered - n;
        for (i = 0; i < MOST_CALLS; i++) {
            if (i >= n) break;
            f->window = flow_acknowledged(f, now, meanwhile + i + 1, inflight + (n - 1 - i), rate);
            KN_MAY_END(done);
        }
    }
done:
    answered(sk, f);
    return 0;
}

SEC("struct_ops/state") int state(u64 *ctx) {
    struct sock *sk = (struct sock *)ctx[0];
    u32 next = (u32)ctx[1];
    struct tcp_sock *tp = tcp(sk);
    flow *f = bpf_sk_storage_get(&flows, sk, 0, 0);
    if (!f) return 0;
    if (next == TCP_CA_Recovery && f->state < TCP_CA_Recovery) f->fresh = 1;
    if (next == TCP_CA_Loss && f->state != TCP_CA_Loss) {
        if (f->isBroken) {
            tp->snd_cwnd = 1;
        } else {
            f->m.fuel = FUEL;
            f->window = flow_timed_out(f, milliseconds(f, tp), tp->packets_out);
            answered(sk, f);
        }
    }
    f->state = next;
    return 0;
}

SEC("struct_ops/threshold") int threshold(u64 *ctx) {
    struct sock *sk = (struct sock *)ctx[0];
    flow *f = bpf_sk_storage_get(&flows, sk, 0, 0);
    return !f || f->isBroken ? (int)tcp_reno_ssthresh(sk) : (int)tcp(sk)->snd_ssthresh;
}

SEC("struct_ops/undo") int undo(u64 *ctx) { return (int)tcp((struct sock *)ctx[0])->snd_cwnd; }

#define KN_TEXT_OF(name) #name
#define KN_TEXT(name) KN_TEXT_OF(name)
SEC(".struct_ops") struct tcp_congestion_ops KN_NAME = {
    .ssthresh = (void *)threshold,
    .set_state = (void *)state,
    .cong_control = (void *)control,
    .undo_cwnd = (void *)undo,
    .name = KN_TEXT(KN_NAME),
    .init = (void *)begin,
};

#endif
