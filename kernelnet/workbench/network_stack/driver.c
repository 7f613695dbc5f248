/*
 * The bench's trusted half: the flows' senders, the queue, the link and the score.  It has a memory of its own, which no
 * component can reach; the host lays the arrays out in it.  Full and rank ABI share it: full.h or rank.h gives
 * flow_starts, flow_acknowledged, flow_lost, flow_timed_out and flow_rate.
 *
 * In each millisecond: acknowledgements arrive, timers run out, flows start, packets are sent, the link takes what
 * it can.  So a packet that is sent when the queue is empty and the link has an opportunity waits for nothing.  All of the
 * base round trip is on the way back; for a sender that is the same as if a part of it were on the way there.
 */
#define KN_BENCH
#include "kn_network_stack.h"

#define MAX_FLOWS 8
#define MAX_WINDOW 16384u
#define SECOND 1000u
#define DELAYS 65536u
#define FIRST_RTO 1000u
#define LEAST_RTO 200u
#define MOST_RTO 60000u

/* One for each flow, from an instance of the component of its own. */
#define EACH_FLOW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define KN_FLOW(n, name) __attribute__((import_module("policy" #n), import_name(name)))

#ifdef KN_RANK
#include "rank.h"
#else
#include "full.h"
#endif

typedef struct {
    u32 flow, number;
    u32 sent;          /* when */
    u32 before, since; /* packets acknowledged when it was sent, and when the last of those was */
    u32 arrives;       /* its acknowledgement, once the link took the packet */
} packet;

typedef struct {
    /* Packets are numbered; as nothing overtakes, those from `first` to before `next` are in flight. */
    u32 next, first;
    u32 recover; /* losses of packets before this one are of a round whose window was reduced already */
    u32 acknowledged, last;
    u32 timer, timeout;
    i32 srtt8, var4; /* 8 times the smoothed rtt, 4 times its mean deviation; 0 before the first */
    f64 window, rate, credit;
    u32 taken; /* packets in this second that the link took, and the sum of their rtts */
    u64 delay;
    u64 total; /* packets that it took in this split */
} sender;

static const unsigned short *opportunities; /* by millisecond */
static packet *ring; /* first those whose acknowledgements are on their way, then those in the queue */
static u32 acknowledging, queued, end, mask;
static u32 *delays; /* by rtt: how many packets in this split had it; the last is for all above */
static u32 base, limit, loss, flows;
static u64 seed;
static sender senders[MAX_FLOWS];
static u64 capacity, dropped, delay, taken;

KN_EXPORT("wb_begin")
void wb_begin(const unsigned short *opportunities_, packet *ring_, u32 mask_, u32 *delays_, u64 seed_, u32 base_, u32 limit_,
              u32 loss_, u32 flows_) {
    opportunities = opportunities_;
    ring = ring_;
    mask = mask_;
    delays = delays_;
    seed = seed_;
    base = base_;
    limit = limit_;
    loss = loss_;
    flows = flows_;
    acknowledging = queued = end = 0;
    for (u32 i = 0; i < MAX_FLOWS; i++) senders[i] = (sender){.timeout = FIRST_RTO};
}

/* --- the senders ---------------------------------------------------------------------------------------------- */

static void answered(sender *s, u32 i, f64 window) {
    f64 rate = flow_rate(i);
    s->window = !(window >= 1.0) ? 1.0 : kn_min(window, (f64)MAX_WINDOW);
    s->rate = !(rate > 0.0) ? 0.0 : kn_min(rate, (f64)MAX_WINDOW);
}

/* RFC 6298 with the arithmetic of Jacobson (Congestion avoidance and control, SIGCOMM 1988, appendix A). */
static void measured(sender *s, u32 rtt) {
    if (!s->srtt8) {
        s->srtt8 = (i32)rtt * 8;
        s->var4 = (i32)rtt * 2;
    } else {
        i32 error = (i32)rtt - (s->srtt8 >> 3);
        s->srtt8 += error;
        s->var4 += (error < 0 ? -error : error) - (s->var4 >> 2);
    }
    u32 timeout = (u32)((s->srtt8 >> 3) + s->var4);
    s->timeout = timeout < LEAST_RTO ? LEAST_RTO : timeout > MOST_RTO ? MOST_RTO : timeout;
}

static void acknowledge(const packet *p, u32 now) {
    u32 i = p->flow, rtt = now - p->sent, lost = 0, fresh = 0;
    sender *s = &senders[i];
    /* Numbers may go round; one before `first` is of a packet that a timeout gave up too early. */
    if ((i32)(p->number - s->first) >= 0) {
        lost = p->number - s->first;
        if (lost && (i32)(s->first - s->recover) >= 0) {
            fresh = 1;
            s->recover = s->next;
        }
        s->first = p->number + 1;
    }
    u32 inflight = s->next - s->first;
    measured(s, rtt);
    s->timer = now + s->timeout;
    if (lost) answered(s, i, flow_lost(i, now, lost, fresh, inflight));
    s->acknowledged++;
    s->last = now;
    u32 span = now > p->since ? now - p->since : 1;
    f64 rate = (f64)(s->acknowledged - p->before) / (f64)span;
    answered(s, i, flow_acknowledged(i, now, rtt, s->acknowledged, p->before, inflight, rate));
}

static void time_out(sender *s, u32 i, u32 now) {
    u32 lost = s->next - s->first;
    s->first = s->recover = s->next;
    s->timeout = s->timeout * 2 > MOST_RTO ? MOST_RTO : s->timeout * 2;
    answered(s, i, flow_timed_out(i, now, lost));
}

/* SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014): the n-th number. */
static u32 by_chance(u32 i, u32 number) {
    u64 z = seed + ((u64)i << 32 | number) * 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return (u32)((z >> 32 ^ z >> 63) * 1000 >> 32) < loss;
}

static void send(sender *s, u32 i, u32 now) {
    u32 inflight = s->next - s->first, window = (u32)s->window;
    u32 many = window > inflight ? window - inflight : 0;
    if (s->rate > 0.0) {
        s->credit = kn_min(s->credit + s->rate, s->rate + 1.0);
        if (many > (u32)s->credit) many = (u32)s->credit;
        s->credit -= (f64)many;
    }
    if (!many) return;
    if (!inflight) {
        s->last = now;
        s->timer = now + s->timeout;
    }
    for (u32 stop = s->next + many; s->next != stop; s->next++) {
        if (end - queued >= limit) {
            dropped += stop - s->next;
            s->next = stop;
            return;
        }
        if (loss && by_chance(i, s->next)) dropped++;
        else ring[end++ & mask] = (packet){i, s->next, now, s->acknowledged, s->last, 0};
    }
}

/* --- the score -------------------------------------------------------------------------------------------------- */

/* log2(x) in units of 2^-32, to some of them; x >= 1.  By squaring (Majithia and Levan, A note on base-2 logarithm
 * computations, Proc. IEEE 61(10), 1973). */
static i64 log_2(u64 x) {
    u32 whole = 63 - (u32)__builtin_clzll(x);
    u64 mantissa = whole > 31 ? x >> (whole - 31) : x << (31 - whole);
    i64 log = whole;
    for (u32 i = 0; i < 32; i++) {
        mantissa = mantissa * mantissa >> 31;
        log <<= 1;
        if (mantissa >> 32) {
            mantissa >>= 1;
            log |= 1;
        }
    }
    return log;
}

/*
 * What the flows lost in a second against the omniscient sender, who uses every opportunity, shares them evenly among the
 * flows that started, and lets no packet wait: for each, log2 of throughput over delay.
 */
static i64 lost_in_second(u32 second, u32 offered) {
    u32 started = second + 1 < flows ? second + 1 : flows;
    i64 lost = 0;
    for (u32 i = 0; i < started; i++) {
        sender *s = &senders[i];
        u32 share = offered / started + (i < offered % started);
        lost += log_2(share + 1) - log_2(s->taken + 1);
        if (s->taken) lost += log_2(s->delay) - log_2(s->taken) - log_2(base);
        delay += s->delay;
        taken += s->taken;
        s->total += s->taken;
        s->taken = 0;
        s->delay = 0;
    }
    /* It is never less than 0 but for rounding: log2 is concave. */
    return lost > 0 ? lost : 0;
}

/* Runs the seconds from `from` to before `to`.  Returns what was lost in thousandths. */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    i64 lost = 0;
    u32 offered = 0;
    capacity = dropped = delay = taken = 0;
    for (u32 i = 0; i < DELAYS; i++) delays[i] = 0;
    for (u32 i = 0; i < flows; i++) senders[i].total = 0;
    for (u32 now = from * SECOND; now < to * SECOND; now++) {
        while (acknowledging != queued && ring[acknowledging & mask].arrives <= now)
            acknowledge(&ring[acknowledging++ & mask], now);
        u32 second = now / SECOND;
        if (now % SECOND == 0 && second < flows) answered(&senders[second], second, flow_starts(second, now));
        u32 started = second + 1 < flows ? second + 1 : flows;
        for (u32 k = 0, i = now % started; k < started; k++, i = i + 1 == started ? 0 : i + 1) {
            sender *s = &senders[i];
            if (s->next != s->first && now >= s->timer) time_out(s, i, now);
            send(s, i, now);
        }
        offered += opportunities[now];
        for (u32 left = opportunities[now]; left && queued != end; left--) {
            packet *p = &ring[queued++ & mask];
            sender *s = &senders[p->flow];
            u32 rtt = now - p->sent + base;
            p->arrives = now + base;
            s->taken++;
            s->delay += rtt;
            delays[rtt < DELAYS ? rtt : DELAYS - 1]++;
        }
        if (now % SECOND == SECOND - 1) {
            lost += lost_in_second(second, offered);
            capacity += offered;
            offered = 0;
        }
    }
    return lost * 1000 >> 32;
}

/* Of the last split: 0 utilisation in thousandths, 1 mean rtt, 2 the rtt that 95 % don't exceed, 3 packets dropped and lost, 4
 * Jain's index of the flows' throughputs in thousandths (Jain, Chiu and Hawe, DEC TR-301, 1984). */
KN_EXPORT("wb_metric") i64 wb_metric(u32 which) {
    u64 sum = 0, squares = 0, below = 0;
    switch (which) {
    case 0: return capacity ? (i64)(taken * 1000 / capacity) : 0;
    case 1: return taken ? (i64)((delay + taken / 2) / taken) : 0;
    case 2:
        for (u32 rtt = 0; rtt < DELAYS; rtt++)
            if ((below += delays[rtt]) * 100 >= taken * 95) return taken ? (i64)rtt : 0;
        return 0;
    case 3: return (i64)dropped;
    default:
        for (u32 i = 0; i < flows; i++) {
            sum += senders[i].total;
            squares += senders[i].total * senders[i].total;
        }
        return squares ? (i64)(sum * sum * 1000 / (flows * squares)) : 0;
    }
}
