/*
 * A family of budgets for repaints: the one with which frames like this would have cost least.
 *
 * Frames like this are those in which the same surfaces changed, as far as there were any; beside them count frames of the same
 * ratio to what their surfaces together were expected to take (shares, learned by normalised least mean squares: Widrow and
 * Hoff, Adaptive switching circuits, IRE WESCON 1960), and a few of all frames.  All of these are histograms of work, eight bins
 * an octave, in which older frames count less.  Of these the cheapest budget is taken: what is spent on each frame that fits
 * against what a miss costs (the newsvendor's problem: Arrow, Harris and Marschak, Optimal inventory policy, Econometrica
 * 19(3), 1951).  How much longer than usual frames take just now, since something else runs, is followed apart.
 */
#include "kn_graphics.h"

/* begin parameters */
#define OWN_FORGETS 0.01 /* 0.001..0.3 log: share that older frames of a set lose */
#define ALL_FORGETS 0.01 /* 0.0005..0.3 log: share that older frames lose, of all */
#define RELATED 2.0 /* 0..30 log zero: frames that count by their ratio to what was expected */
#define OTHERS 0.5 /* 0..30 log zero: frames of all that count */
#define LEARN 0.1 /* 0.005..1 log: share of an error by which shares are corrected */
#define PRICE 1.0 /* 0.2..10 log: how much worse a miss is than its price */
#define SCALE 1.0 /* 0.9..2: of what comes out */
#define MARGIN 0.1 /* 0..3 log zero: milliseconds besides */
#define LOAD_GAIN 0.1 /* 0.005..1 log: of what follows how long frames take just now */
#define LOAD 0.3 /* 0..1 zero: share of that which counts */
#define BOOST 0.0 /* 0..4 zero: octaves more after a miss */
#define BOOST_LEFT 0.9 /* 0.3..0.999: what is left of that with each frame */
#define IDLE 0.0 /* 0..3 log zero: milliseconds more after a pause */
/* end parameters */

enum { BINS = 104, FIRST = 5, SETS = 1024, SURFACES = 2048, MIDDLE = 52, PROBES = 8 };
#define LOWEST 20.0 /* microseconds: nothing is expected to take less */

typedef struct {
    f64 bin[BINS], total, mean;
    u64 key; /* of a set, and 0 where there is none */
} past;

static past sets[SETS], all, ratios;
static u64 surface_key[SURFACES];
static f64 share[SURFACES], frame_share, edge[BINS + 1], period, price, load, boost;
static u32 changed[64], many, idle, frames; /* changed: places of this frame's surfaces */
static u64 damage;

void kn_init(u32 period_, u32 miss) {
    period = period_;
    price = PRICE * ((f64)period_ + (f64)miss);
    for (u32 i = 0; i <= BINS; i++) {
        union {
            u64 bits;
            f64 number;
        } power = {(u64)(1023 + FIRST + (i32)(i >> 3)) << 52};
        edge[i] = power.number * (1.0 + 0.125 * (f64)(i & 7));
    }
}

static i32 bin_of(f64 work) {
    union {
        f64 number;
        u64 bits;
    } value = {kn_max(work, 1.0)};
    return 8 * ((i32)(value.bits >> 52) - 1023 - FIRST) + (i32)(value.bits >> 49 & 7);
}

static i32 within(i32 bin) { return bin < 0 ? 0 : bin < BINS ? bin : BINS - 1; }

static u64 mixed(u64 key) {
    key = (key ^ key >> 32) * 0x9E3779B97F4A7C15ull;
    return key ^ key >> 29;
}

/* The place of a surface; whole keys are compared, and where there is no room left the first place is taken over. */
static u32 place_of(u64 key) {
    u32 at = (u32)(mixed(key) >> 40) % SURFACES;
    for (u32 i = 0; i < PROBES; i++) {
        u32 place = (at + i) % SURFACES;
        if (surface_key[place] == key) return place;
        if (!surface_key[place]) {
            surface_key[place] = key;
            return place;
        }
    }
    surface_key[at] = key;
    share[at] = 0.0;
    return at;
}

static past *set_of(u64 key) {
    u32 at = (u32)(mixed(key) >> 40) % SETS;
    for (u32 i = 0; i < PROBES; i++) {
        past *p = &sets[(at + i) % SETS];
        if (p->key == key || !p->key) return p;
    }
    return &sets[at];
}

static f64 expected(void) {
    f64 sum = frame_share;
    for (u32 i = 0; i < many; i++) sum += share[changed[i]];
    return kn_max(sum, LOWEST);
}

static f64 budget(void) {
    if (!frames) return period;
    past *own = set_of(damage);
    f64 is_own = own->key == damage ? 1.0 : 0.0;
    f64 weight = ratios.total > 0.0 ? RELATED / ratios.total : 0.0, rest = OTHERS / all.total;
    i32 shift = bin_of(is_own > 0.0 ? own->mean : expected()) - MIDDLE;
    f64 total = is_own * own->total + weight * ratios.total + OTHERS, beyond = 0.0;
    f64 least = total * period, best = period;
    if (!(total > 0.0)) return period;
    for (i32 i = BINS - 1; i >= 0; i--) {
        if (edge[i + 1] < period) {
            f64 cost = total * edge[i + 1] + price * beyond;
            if (cost < least) least = cost, best = edge[i + 1];
        }
        i32 related = i - shift;
        beyond += is_own * own->bin[i] + rest * all.bin[i];
        if (related >= 0 && related < BINS) beyond += weight * ratios.bin[related];
    }
    /* A whole octave is a factor of two; between them a straight line. */
    f64 octaves = boost + LOAD * kn_max(load, 0.0) * 0.125;
    for (; octaves >= 1.0 && best < period; octaves -= 1.0) best *= 2.0;
    best *= 1.0 + kn_min(octaves, 1.0);
    return best * SCALE + 1000.0 * (MARGIN + (idle ? IDLE : 0.0));
}

f64 kn_vblank(u32 refreshes) {
    damage = 0x5DEECE66Dull;
    many = 0;
    idle = refreshes > 1;
    return budget();
}

f64 kn_commit(u64 surface, u32 at) {
    surface |= !surface;
    if (many < 64) changed[many++] = place_of(surface);
    damage += mixed(surface);
    damage |= !damage;
    return budget();
}

static void remember(past *p, i32 bin, f64 forget) {
    for (u32 i = 0; i < BINS; i++) p->bin[i] -= forget * p->bin[i];
    p->total += 1.0 - forget * p->total;
    p->bin[within(bin)] += 1.0;
}

void kn_done(u32 work, u32 missed) {
    i32 bin = bin_of(work);
    past *own = set_of(damage);
    f64 guess = expected(), usual = own->key == damage ? own->mean : guess;
    if (own->key != damage) {
        for (u32 i = 0; i < BINS; i++) own->bin[i] = 0.0;
        own->total = 0.0;
        own->key = damage;
        own->mean = work;
    }
    i32 ratio = bin - bin_of(frames ? usual : work);
    remember(&ratios, MIDDLE + ratio, ALL_FORGETS);
    remember(&all, bin, ALL_FORGETS);
    remember(own, bin, OWN_FORGETS);
    own->mean += LEARN * (kn_min(work, 4.0 * own->mean + LOWEST) - own->mean);
    load += LOAD_GAIN * (kn_min((f64)ratio, 24.0) - load);
    boost = missed ? BOOST : boost * BOOST_LEFT;
    f64 step = LEARN * (kn_min(work, 4.0 * guess) - guess) / (f64)(many + 1);
    if (!frames) step = (f64)work / (f64)(many + 1);
    frame_share += step;
    for (u32 i = 0; i < many; i++) share[changed[i]] += step;
    frames = 1;
}
