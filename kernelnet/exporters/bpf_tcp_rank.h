/*
 * What a flow of the rank ABI knows, as the bench's own rank.h keeps it, in whole numbers: each operation there is one here, in
 * the same order, so that the component is asked the same to the bit.
 */
#ifndef KN_BPF_TCP_RANK_H
#define KN_BPF_TCP_RANK_H

#define ROUNDS 10
#define FIRST_WINDOW 0x4024000000000000ull /* 10.0 */
#define AFTER_TIMEOUT 0x4000000000000000ull /* 2.0 */
#define ONE 0x3ff0000000000000ull
#define EIGHTH 0x3fc0000000000000ull
#define NEVER 0x41cdcd6500000000ull /* 1e9 */
#define MOST 0x40d0000000000000ull  /* 16384.0 */

typedef struct {
    u64 cwnd, minrtt, srtt, rate, maxrate;
    u32 loss_at, ack_at, fresh, round_at, in_round, rounds, acknowledged, pad;
    u64 least, before;
    u64 rates[ROUNDS];
} known;

KN_FUNCTION u32 rank_begins(known *k, u32 now) {
    if (!k) return 0;
    k->cwnd = FIRST_WINDOW;
    k->loss_at = k->ack_at = k->round_at = now;
    k->least = k->before = NEVER;
    return 0;
}

/* Writes down what a round gave.  The loop is written out: the verifier needn't count. */
KN_FUNCTION u32 rank_round(known *k, u32 now) {
    u32 at;
    u64 most;
    if (!k) return 0;
    k->rate = kn_div64(kn_convert_f64_i32_u(k->in_round), kn_convert_f64_i32_u(now - k->round_at));
    at = k->rounds++ % ROUNDS;
    KN_OPAQUE(at);
    if (at >= ROUNDS) return 0;
    k->rates[at] = k->rate;
    most = kn_max64(0, k->rates[0]);
    most = kn_max64(most, k->rates[1]);
    most = kn_max64(most, k->rates[2]);
    most = kn_max64(most, k->rates[3]);
    most = kn_max64(most, k->rates[4]);
    most = kn_max64(most, k->rates[5]);
    most = kn_max64(most, k->rates[6]);
    most = kn_max64(most, k->rates[7]);
    most = kn_max64(most, k->rates[8]);
    k->maxrate = kn_max64(most, k->rates[9]);
    k->round_at = now;
    k->in_round = 0;
    k->before = k->least;
    k->least = NEVER;
    return 0;
}

/* The next window: the component is handed what it asks for in the order of kn_network_stack.h. */
KN_FUNCTION u64 rank_acknowledged(known *k, component *m, u32 now, u32 rtt) {
    u64 r, least, window;
    if (!k || !m) return 0;
    r = kn_convert_f64_i32_u(rtt);
    if (++k->acknowledged == 1) {
        k->minrtt = k->srtt = r;
    } else {
        k->minrtt = kn_min64(k->minrtt, r);
        k->srtt = kn_add64(k->srtt, kn_mul64(kn_sub64(r, k->srtt), EIGHTH));
    }
    k->in_round++;
    k->least = kn_min64(k->least, r);
    least = kn_min64(k->least, k->before);
    if (kn_ge64(kn_convert_f64_i32_u(now - k->round_at), k->srtt)) rank_round(k, now);
    window = component_kn_window(m, k->cwnd, r, k->minrtt, k->srtt, kn_convert_f64_i32_u(k->fresh), k->rate, k->maxrate,
                                 kn_convert_f64_i32_u(now - k->loss_at), kn_convert_f64_i32_u(now - k->ack_at), least);
    k->cwnd = kn_ge64(window, ONE) ? kn_min64(window, MOST) : ONE;
    k->ack_at = now;
    k->fresh = 0;
    return k->cwnd;
}

KN_FUNCTION u64 rank_lost(known *k, u32 now, u32 fresh) {
    if (!k) return 0;
    if (fresh) {
        k->fresh = 1;
        k->loss_at = now;
    }
    return k->cwnd;
}

KN_FUNCTION u64 rank_timed_out(known *k, u32 now) {
    if (!k) return 0;
    k->loss_at = now;
    return k->cwnd = AFTER_TIMEOUT;
}

#endif
