/*
 * As much of the kernel's own types as a congestion control touches; libbpf finds where the members are in the kernel that it
 * loads into (CO-RE), so neither its headers nor the whole of its types are needed to compile.
 */
#ifndef KN_BPF_KERNEL_H
#define KN_BPF_KERNEL_H

#define SEC(name) __attribute__((section(name), used))

enum { BPF_MAP_TYPE_SK_STORAGE = 24, BPF_F_NO_PREALLOC = 1, BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { SK_PACING_NONE = 0, SK_PACING_NEEDED = 1 };
enum { TCP_CA_Recovery = 3, TCP_CA_Loss = 4 };

static void *(*bpf_sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock {
    unsigned long sk_pacing_rate;
    u32 sk_pacing_status;
};

struct tcp_sock {
    u32 mss_cache, snd_cwnd, snd_cwnd_clamp, snd_ssthresh;
    u32 packets_out, sacked_out, lost_out, retrans_out, delivered, srtt_us;
    u64 tcp_mstamp;
};

struct rate_sample {
    u32 prior_delivered;
    i32 delivered;
    long interval_us, rtt_us;
    int losses;
    u32 acked_sacked;
    _Bool is_app_limited;
};

#pragma clang attribute pop

struct tcp_congestion_ops {
    u32 (*ssthresh)(struct sock *sk);
    void (*set_state)(struct sock *sk, u8 state);
    void (*cong_control)(struct sock *sk, u32 ack, int flag, const struct rate_sample *rs);
    u32 (*undo_cwnd)(struct sock *sk);
    char name[16];
    void (*init)(struct sock *sk);
};

extern void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked) SEC(".ksyms");
extern u32 tcp_reno_ssthresh(struct sock *sk) SEC(".ksyms");

#endif
