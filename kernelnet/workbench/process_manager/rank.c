/*
 * The adapter of the rank ABI, part of driver.c: keeps what a rank function is given, and picks the tasks for which it is lowest.
 *
 * Of a long queue only the tasks that are new, those that ran just now and REFRESHED others, in turn, are ranked anew in a
 * decision; the others keep their ranks for so long.  And what the past says of a task is looked up when it arrives, and
 * then when it has run for a sixteenth more than at the last time, and of a bound at least.
 */
KN_POLICY("kn_rank")
extern f64 kn_rank(f64 wait, f64 attained, f64 idle, f64 estimate, f64 mean, f64 last, f64 count, f64 residual, f64 gittins,
                   f64 usual, f64 siblings, f64 pressure);

enum { BINS = 48, FIRST = -6, REFRESHED = 16, COUNTED = 16 }; /* two bins an octave, the first from 2^FIRST bounds on */
#define NEWER 0.3 /* the share of the last size in the mean */

typedef struct {
    f64 mean, last, bin[BINS], total; /* bin: how many sizes of past tasks, older ones counting less */
    u32 count, siblings;
} past;

typedef struct {
    u64 ran;
    f64 arrived, touched; /* touched: when it arrived or last ran */
    f64 attained, estimate, residual, gittins, usual, rank;
    f64 again; /* with so much attained the past is looked at again */
    u32 place; /* among the waiting */
} candidate;

static past *by_key, *by_group;
static past *everything;
static f64 unit;           /* a microsecond in units of the bound */
static f64 edge[BINS + 1]; /* where a bin begins: at powers of two, and half-way between them */
static u32 bins;           /* up to the last that has a size in it */
static candidate *candidates;
static u32 *waiting; /* the ready slots that don't run, in no order */
static u32 waitings, settled, turn; /* settled: so many of these had a rank before the last decision */
static u32 *choice, chosen, next_choice, asked; /* of this decision */

static void *take(u32 bytes) {
    void *room = m.adapter;
    m.adapter += (bytes + 15u) & ~15u;
    return room;
}

static void kn_init(u32 slots, u32 cpus, u64 quantum) {
    by_key = take(m.keys * sizeof(past));
    by_group = take(m.groups * sizeof(past));
    everything = take(sizeof(past));
    candidates = take(slots * sizeof(candidate));
    waiting = take(slots * sizeof(u32));
    choice = take(cpus * sizeof(u32));
    unit = 1.0 / (f64)m.bound;
    bins = 0;
    for (u32 i = 0; i <= BINS; i++) {
        union {
            u64 bits;
            f64 number;
        } power = {(u64)(1023 + FIRST + (i32)(i >> 1)) << 52};
        edge[i] = i ? power.number * (i & 1 ? 1.5 : 1.0) : 0;
    }
    waitings = settled = turn = asked = 0;
}

/* --- the past ---------------------------------------------------------------------------------------------- */

static u32 bin_of(f64 size) {
    union {
        f64 number;
        u64 bits;
    } value = {size};
    i32 i = 2 * ((i32)(value.bits >> 52) - 1023 - FIRST) + (i32)(value.bits >> 51 & 1);
    return i < 0 ? 0 : i < BINS ? (u32)i : BINS - 1;
}

/* `fade`: the share that older sizes lose. */
static void remember(past *p, f64 size, f64 fade) {
    for (u32 i = 0; i < BINS; i++) p->bin[i] -= fade * p->bin[i];
    p->total -= fade * p->total;
    p->bin[bin_of(size)]++;
    p->total++;
    p->mean = p->count ? p->mean + NEWER * (size - p->mean) : size;
    p->last = size;
    p->count++;
}

/*
 * What the past says of a task that has run for `a`, from three histograms with the weights kw for each task, gw and ew in
 * all: `residual`, for how long it will run yet, and, returned, the index of J. C. Gittins (Bandit processes and dynamic
 * allocation indices, Journal of the Royal Statistical Society B 41(2), 1979; for queues S. Aalto, U. Ayesta and
 * R. Righter, On the Gittins index in the M/G/1 queue, Queueing Systems 63, 2009), upside down: of all times that the task
 * could be given next, the least ratio of what it is expected to use of it to what is gained if it is done by then.
 * That is by how much its slowdown grows in a unit of time, 1 / max(size, 1).  An estimate is the most that it runs.
 */
static f64 judge(const past *k, f64 kw, const past *g, f64 gw, f64 ew, f64 a, f64 estimate, f64 *residual) {
    f64 weight[BINS], rest = 0, used = 0, gained = 0, best = 0;
    u32 from = bin_of(a), capped = estimate > a, last = capped ? bin_of(estimate) : BINS - 1;
    gw = g->total > 0 ? gw / g->total : 0;
    ew = everything->total > 0 ? ew / everything->total : 0;
    for (u32 i = from; i < bins; i++) {
        f64 w = kw * k->bin[i] + gw * g->bin[i] + ew * everything->bin[i];
        /* Within a bin sizes are spread evenly. */
        if (i == from) w *= kn_max(edge[i + 1] - a, 0) / (edge[i + 1] - edge[i]);
        rest += w;
        if (i <= last) weight[i] = w;
        else weight[last] += w;
    }
    if (!(rest > 1e-9)) { /* none ever ran for so long: it will run for as long again (Lindy's law) */
        *residual = kn_max(a, 1);
        return *residual * kn_max(2 * a, 1);
    }
    f64 total = rest;
    for (u32 i = from; i < bins && i <= last; i++) {
        if (weight[i] <= 0) continue;
        f64 high = capped ? kn_min(edge[i + 1], estimate) : edge[i + 1];
        f64 middle = (kn_max(edge[i], a) + kn_max(high, a)) / 2;
        used += weight[i] * (middle - a);
        gained += weight[i] / kn_max(middle, 1);
        rest -= weight[i];
        f64 ratio = (used + kn_max(rest, 0) * (kn_max(high, a) - a)) / gained;
        if (best == 0 || ratio < best) best = ratio;
    }
    *residual = used / total;
    return best;
}

static past *key_of(u32 slot) { return &by_key[m.key[m.task[slot]]]; }
static past *group_of(u32 slot) { return &by_group[m.group[m.task[slot]]]; }

static void review(u32 slot) {
    candidate *c = &candidates[slot];
    f64 unused;
    c->again = c->attained + kn_max(1, c->attained) / 16;
    c->gittins = judge(key_of(slot), 1, group_of(slot), 2, 2, c->attained, c->estimate, &c->residual);
    c->usual = judge(key_of(slot), 0, group_of(slot), 0, 1, c->attained, c->estimate, &unused);
}

/* --- what the driver calls --------------------------------------------------------------------------------- */

static void wait_again(u32 slot) {
    candidates[slot].place = waitings;
    waiting[waitings++] = slot;
    asked = 0;
}

static void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 time) {
    f64 t = (f64)time * unit;
    candidate fresh = {0, t, t, 0, (f64)estimate * unit, 0, 0, 0, 0, 0, 0};
    candidates[slot] = fresh;
    key_of(slot)->siblings++;
    review(slot);
    wait_again(slot);
}

static void rank(u32 slot) {
    candidate *c = &candidates[slot];
    past *k = key_of(slot);
    f64 t = (f64)now * unit;
    f64 r = kn_rank(t - c->arrived - c->attained, c->attained, t - c->touched, c->estimate, k->mean, k->last,
                    (f64)(k->count < COUNTED ? k->count : COUNTED), c->residual, c->gittins, c->usual, (f64)k->siblings, (f64)ready / (f64)m.cpus);
    c->rank = r == r ? r : __builtin_inf();
}

static u32 before(u32 a, u32 b) {
    f64 x = candidates[a].rank, y = candidates[b].rank;
    return x < y || (x == y && m.task[a] < m.task[b]);
}

/* The lowest, as many as there are CPUs, in order, by insertion: hardly any but the lowest are ever moved. */
static void choose(void) {
    for (u32 i = settled; i < waitings; i++) rank(waiting[i]);
    u32 refreshed = settled < REFRESHED ? settled : REFRESHED;
    for (u32 i = 0; i < refreshed; i++) {
        turn = turn + 1 < settled ? turn + 1 : 0;
        rank(waiting[turn]);
    }
    chosen = 0;
    for (u32 i = 0; i < waitings; i++) {
        u32 slot = waiting[i], at = chosen;
        if (chosen == m.cpus && !before(slot, choice[--at])) continue;
        for (; at > 0 && before(slot, choice[at - 1]); at--) choice[at] = choice[at - 1];
        choice[at] = slot;
        if (chosen < m.cpus) chosen++;
    }
}

static u32 kn_pick(u64 time) {
    if (!asked) {
        choose();
        asked = 1;
        next_choice = 0;
    }
    u32 slot = choice[next_choice++], moved = waiting[--waitings];
    waiting[candidates[slot].place] = moved;
    candidates[moved].place = candidates[slot].place;
    settled = waitings;
    return slot;
}

static void kn_ran(u32 slot, u64 ran, u64 time) {
    candidate *c = &candidates[slot];
    c->ran += ran;
    c->attained = (f64)c->ran * unit;
    c->touched = (f64)time * unit;
    if (c->attained >= c->again) review(slot);
    wait_again(slot);
}

static void kn_done(u32 slot, u64 ran, u64 time) {
    u64 run = m.run[m.task[slot]];
    f64 size = (f64)run * unit;
    if (bin_of(size) >= bins) bins = bin_of(size) + 1;
    remember(key_of(slot), size, 1. / 16);
    remember(group_of(slot), size, 1. / 64);
    remember(everything, size, 1. / 1024);
    key_of(slot)->siblings--;
    asked = 0;
}
