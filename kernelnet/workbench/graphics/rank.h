/*
 * The driver's half of the ABI graphics/rank/1: keeps what a budget is made of, and asks one pure function for it when all
 * that changes is known.
 *
 * A past is a histogram of work, eight bins an octave.  There is one of all frames, and one for each set of surfaces that
 * changed together; sets whose numbers are SETS apart share one.
 */
KN_POLICY("kn_budget")
extern f64 kn_budget(f64 period, f64 last, f64 mean, f64 dev, f64 peak, f64 rolling, f64 tail, f64 best, f64 usual,
                     f64 spread, f64 high, f64 fitting, f64 seen, f64 sum, f64 changed, f64 fresh, f64 idle, f64 since,
                     f64 late);

enum { BINS = 104, FIRST = 5, SETS = 4096, PEAK = 16, MOST_SEEN = 64, MOST_SINCE = 256 }; /* from 2^FIRST us on */
#define FORGET (1. / 128) /* the share that older frames lose */
#define OTHERS 4.         /* so many of all frames are beside those of a set */
#define LEARN 0.1         /* the share of an error by which `sum` is corrected */

typedef struct {
    f64 bin[BINS], total, mean, dev;
    u32 seen;
} past;

static past *all, *by_set;
static f64 *share;   /* by surface */
static u32 *changed; /* by surface: 1 more than the frame in which it changed last */
static f64 edge[BINS + 1], frame_share, last, mean, dev, rolling, peaks[PEAK];
static u32 frames, since, bins; /* bins: up to the last that has work in it */

static u32 time_of(u32 commit);

static void *take(u32 bytes) {
    void *room = m.adapter;
    m.adapter += (bytes + 15u) & ~15u;
    return room;
}

static void begin(void) {
    all = take(sizeof(past));
    by_set = take(SETS * sizeof(past));
    share = take(m.surfaces * sizeof(f64));
    changed = take(m.surfaces * sizeof(u32));
    last = mean = rolling = (f64)m.period;
    for (u32 i = 0; i < PEAK; i++) peaks[i] = 0;
    frames = bins = 0;
    since = MOST_SINCE;
    frame_share = dev = 0;
    for (u32 i = 0; i <= BINS; i++) {
        union {
            u64 bits;
            f64 number;
        } power = {(u64)(1023 + FIRST + (i32)(i >> 3)) << 52};
        edge[i] = power.number * (1.0 + 0.125 * (f64)(i & 7));
    }
}

/* In which bin a number of microseconds is: the exponent, and the first three bits of the mantissa. */
static u32 bin_of(f64 work) {
    union {
        f64 number;
        u64 bits;
    } value = {work};
    i32 i = 8 * ((i32)(value.bits >> 52) - 1023 - FIRST) + (i32)(value.bits >> 49 & 7);
    return i < 0 ? 0 : i < BINS ? (u32)i : BINS - 1;
}

/* Of the frames in a past 19 in 20 took no longer. */
static f64 quantile(const past *p) {
    f64 left = p->total * 0.05;
    for (u32 i = bins; i-- > 0;)
        if ((left -= p->bin[i]) < 0) return edge[i + 1];
    return (f64)m.period;
}

/*
 * The budget with which the frames in two pasts would have cost least, of which the second counts as `weight` frames.  A
 * frame that fits costs its budget; one that doesn't costs a period and the price of a miss besides (of missing two
 * vblanks that is too little, but it is as bad for all budgets).
 */
static f64 cheapest(const past *p, const past *q, f64 weight) {
    f64 a = 1, b = q->total > 0 ? weight / q->total : 0, total = p->total + b * q->total;
    if (!(total > 0)) return (f64)m.period;
    f64 beyond = 0, price = (f64)m.period + (f64)m.miss, least = total * (f64)m.period, budget = (f64)m.period;
    for (u32 i = bins; i-- > 0;) {
        /* Without the bins from i + 1 on. */
        f64 cost = total * edge[i + 1] + price * beyond;
        if (edge[i + 1] < (f64)m.period && cost < least) least = cost, budget = edge[i + 1];
        beyond += a * p->bin[i] + b * q->bin[i];
    }
    return budget;
}

static f64 frame_budget(u32 frame, u32 first, u32 end) {
    past *set = &by_set[m.damage[frame] % SETS];
    f64 peak = 0, sum = frame_share, fresh = 0;
    for (u32 i = 0; i < PEAK; i++) peak = kn_max(peak, peaks[i]);
    for (u32 i = first; i < end; i++) {
        sum += share[m.surface[i]];
        fresh += changed[m.surface[i]] != frames || !frames;
    }
    f64 ms = 0.001, tail = quantile(all), best = cheapest(all, all, 0);
    u32 refreshes = m.refreshes[frame];
    return 1000. * kn_budget((f64)m.period * ms, last * ms, mean * ms, dev * ms, (frames ? peak : last) * ms, rolling * ms,
                             tail * ms, best * ms, (set->seen ? set->mean : mean) * ms, (set->seen ? set->dev : dev) * ms,
                             (set->seen ? quantile(set) : tail) * ms, cheapest(set, all, OTHERS) * ms,
                             (f64)(set->seen < MOST_SEEN ? set->seen : MOST_SEEN), sum * ms, (f64)(end - first), fresh,
                             (f64)refreshes, (f64)since, end > first ? (f64)time_of(end - 1) * ms : 0);
}

static void remember(past *p, f64 work, f64 gain, f64 deviation) {
    for (u32 i = 0; i < bins; i++) p->bin[i] -= FORGET * p->bin[i];
    p->total += 1 - FORGET * p->total;
    p->bin[bin_of(work)]++;
    f64 off = p->seen ? work - p->mean : 0;
    p->mean = p->seen ? p->mean + gain * off : work;
    p->dev += deviation * ((off < 0 ? -off : off) - p->dev);
    p->seen++;
}

static void frame_done(u32 frame, u32 first, u32 end, u32 missed) {
    f64 work = (f64)m.work[frame], estimate = frame_share;
    if (bin_of(work) >= bins) bins = bin_of(work) + 1;
    remember(all, work, 0.125, 0.25);
    mean = all->mean;
    dev = all->dev;
    remember(&by_set[m.damage[frame] % SETS], work, 0.125, 0.25);
    last = work;
    rolling = frames && work < rolling ? work + (rolling - work) * 0.98 : work;
    peaks[frames % PEAK] = work;
    frames++;
    for (u32 i = first; i < end; i++) {
        estimate += share[m.surface[i]];
        changed[m.surface[i]] = frames;
    }
    f64 step = LEARN * (work - estimate) / (f64)(end - first + 1);
    frame_share += step;
    for (u32 i = first; i < end; i++) share[m.surface[i]] += step;
    since = missed ? 0 : since < MOST_SINCE ? since + 1 : MOST_SINCE;
}
