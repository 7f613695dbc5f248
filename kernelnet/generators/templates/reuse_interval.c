/*
 * A family of eviction policies that learn how long blocks take to be requested again, and evict the block that is worth
 * its place the least.
 *
 * It remembers of every block, resident or not, when it was requested.  Each request puts its block into a group: by the
 * gap since the request before, the gap before that, a count that fades, and what was requested just before.  Of each
 * group it learns, by age since the last request, the hazard: the share of those that reach an age and are requested at
 * that age (as Kaplan and Meier estimate survival: Nonparametric estimation from incomplete observations, Journal of the
 * American Statistical Association 53, 1958; those not yet requested again count as long as they are known to wait).
 * Where little was seen, the hazard is near that of all blocks with such a gap, and where that is little, of all blocks.
 *
 * What a place is worth to a block is then the most hits per time that it can bring: over all times to wait, the greatest of
 * P(requested by then) / E(time until it is requested, or the wait is over), which is Gittins' index (Bandit processes and
 * dynamic allocation indices, Journal of the Royal Statistical Society B 41, 1979).  After a request all is as if the block
 * came in anew, hit or miss, so an index need not look further.  Young blocks of a loop that does not fit are worth
 * less than old ones, one-hit wonders nothing soon, and hot blocks much: LRU, MRU and LFU are special cases.  (LHD divides hits by
 * time too, for a fixed wait: Beckmann, Chen and Cidon, NSDI 2018.  LRB learns next requests from features like these, by
 * boosted trees: Song, Berger, Li and Lloyd, NSDI 2020.)
 *
 * The victim is the least among some that are looked at and a few kept from the last time (Psounis and Prabhakar, A
 * randomized web-cache replacement scheme, INFOCOM 2001).
 */
#include "kn_file_system.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define MEMORY 20.0
#define PRIOR 4.0
#define FIRST_HAZARD 0.02
#define AGE_PARTS 1
#define GAP_PARTS 1
#define OLDER_STEP 4
#define COUNT_MEMORY 16.0
#define COUNT_SCALE 1.0
#define CONTEXT 3
#define LOOKS 12.0
#define RETAINED 4
/* end parameters */

typedef float f32;
typedef unsigned short u16;

enum {
    BINS = 28 << 2,      /* of ages: octaves in up to four parts */
    LEVELS = 64,         /* of the last gap, from 1 on; 0: there was none */
    OLDER = 8,           /* of the gap before it */
    COUNTS = 4,
    CONTEXTS = 32,
    CODES = LEVELS * OLDER * COUNTS * CONTEXTS,
    MOST_GROUPS = 3000,
    REMEMBERED = 400000, /* blocks, besides as many as are resident, twice */
    MOST_RETAINED = 8,
    MOST_LOOKS = 96,
    FIRST_REVISION = 256, /* requests */
    LAST_REVISION = 65536,
    NEWS = 4, NEWS_SHARE = 8 /* a group is revised with so many news, or so small a share of all */
};

enum { RUN = 1, BEFORE = 2, NEW = 4 }; /* CONTEXT: a sum of these */

typedef struct {
    u32 last, gap; /* the request of it, and the time since the one before; 0: there was none */
    f32 count;
    u16 group;
    u8 resident, known;
} Block;

typedef struct {
    f32 reached[BINS + 1];                 /* since the last revision: differences of how many left a bin, by age or by request */
    f32 requested[BINS];                   /* of them by request */
    f32 exposed[BINS], ended[BINS];        /* the same until then, fading */
    f32 index[BINS];                       /* hits per request's time */
    f32 news, total;
    u32 revised;
    u8 level, changed;
} Group;

typedef struct {
    f32 exposed[BINS], ended[BINS], guess[BINS];
    u8 used;
} Level;

typedef struct {
    const f32 *index; /* its group's */
    u32 last, block;
} Slot;

static kn_map map;
static Block *blocks;
static u32 block_count, most_blocks, hand;
static Group *groups;
static u32 group_count;
static u16 *group_of; /* by code; 0: none yet */
static Level levels[LEVELS];
static Slot *slots;
static u32 capacity;
static u32 now;        /* requests before this one: the clock */
static u32 at, stride; /* where it looks next */
static f64 looks;      /* saved up */
static u32 retained[MOST_RETAINED + 1], retained_count;
static u32 coming = KN_NONE; /* the block that comes in, if it is known */
static u32 revised, next_revision;
static f64 memory, count_memory; /* in requests */
static u32 age_parts, age_shift, age_base; /* see bin_of */
static u32 gap_before, level_before, run, newness;

/* --- ages and groups --------------------------------------------------------------------------------------- */

/* 2^x, and straight lines between whole x. */
static f64 power(f64 x) {
    u32 whole = (u32)x;
    return (f64)(1u << whole) * (1 + x - whole);
}

static inline u32 log2_of(u32 x) { return 31 - (u32)__builtin_clz(x); }

/* The bin of an age from 1 on: its logarithm is in the exponent of the floating-point number, its parts are the next bits. */
static inline u32 bin_of(u32 age) {
    union {
        f32 number;
        u32 bits;
    } as = {(f32)age};
    return (as.bits >> age_shift) - age_base;
}

static void set_index(Group *group, u32 bins) {
    static f32 gain[BINS], cost[BINS];
    const f32 *guess = levels[group->level].guess;
    f32 prior = (f32)PRIOR, alive = 1;
    for (u32 b = 0; b < bins; b++) {
        f32 hazard = (group->ended[b] + prior * guess[b]) / (group->exposed[b] + prior);
        f32 width = (f32)(1u << (b >> age_parts)) / (f32)(1u << age_parts);
        gain[b] = alive * hazard;
        cost[b] = alive * width * (1 - hazard * 0.5f);
        alive = alive * (1 - hazard) + 1e-20f;
    }
    /* From the last bin on, each is joined with those behind it while they gain more per cost: the greatest quotient of sums. */
    u32 joined = bins; /* gain and cost from `joined` on are those of the pieces, the nearest first */
    for (u32 b = bins; b-- > 0;) {
        f32 g = gain[b], c = cost[b];
        while (joined < bins && gain[joined] * c > g * cost[joined]) {
            g += gain[joined];
            c += cost[joined];
            joined++;
        }
        joined--;
        gain[joined] = g;
        cost[joined] = c;
        group->index[b] = g / c;
    }
    for (u32 b = bins; b < BINS; b++) group->index[b] = group->index[bins - 1];
}

static f32 mixed(f32 ended, f32 exposed, f32 guess) { return (ended + (f32)PRIOR * guess) / (exposed + (f32)PRIOR); }

static void set_guesses(u32 bins) {
    for (u32 b = 0; b < bins; b++) {
        f32 exposed = 0, ended = 0;
        for (u32 l = 0; l < LEVELS; l++) {
            if (!levels[l].used) continue;
            exposed += levels[l].exposed[b];
            ended += levels[l].ended[b];
        }
        f32 guess = mixed(ended, exposed, (f32)FIRST_HAZARD);
        for (u32 l = 0; l < LEVELS; l++)
            if (levels[l].used) levels[l].guess[b] = mixed(levels[l].ended[b], levels[l].exposed[b], guess);
    }
}

/* Counts what left the bins `from` to before `to` without being requested. */
static inline void leave(Group *group, u32 from, u32 to) {
    group->reached[from] += 1;
    group->reached[to] -= 1;
    group->news += 1;
}

/* The news of a group become part of what is known. */
static void take_news(Group *group, u32 bins) {
    Level *level = &levels[group->level];
    f32 kept = (f32)(memory / (memory + now - group->revised)), left = 0;
    for (u32 b = 0; b < bins; b++) {
        left += group->reached[b];
        f32 exposed = group->exposed[b] * kept + left, ended = group->ended[b] * kept + group->requested[b];
        level->exposed[b] += exposed - group->exposed[b];
        level->ended[b] += ended - group->ended[b];
        group->exposed[b] = exposed;
        group->ended[b] = ended;
        group->reached[b] = group->requested[b] = 0;
    }
    group->reached[bins] = 0;
    group->total = group->total * kept + group->news;
    group->news = 0;
    group->revised = now;
    group->changed = 1;
}

static void revise(void) {
    u32 bins = bin_of(now) + 1;
    for (u32 i = 0; i < block_count; i++) {
        u32 last = blocks[i].last;
        u32 from = last >= revised ? 0 : bin_of(revised - last), to = bin_of(now - last);
        if (from < to) leave(&groups[blocks[i].group], from, to);
    }
    for (u32 g = 0; g < group_count; g++)
        if (groups[g].news >= NEWS && groups[g].news * NEWS_SHARE >= groups[g].total) take_news(&groups[g], bins);
    set_guesses(bins);
    for (u32 g = 0; g < group_count; g++) {
        if (groups[g].changed) set_index(&groups[g], bins);
        groups[g].changed = 0;
    }
    revised = now;
    u32 wait = now / 8;
    if (wait > LAST_REVISION) wait = LAST_REVISION;
    if (wait < block_count / 4) wait = block_count / 4;
    if (wait < FIRST_REVISION) wait = FIRST_REVISION;
    next_revision = now + wait;
}

static u32 new_group(u32 level) {
    if (group_count == MOST_GROUPS) return group_of[level * OLDER * COUNTS * CONTEXTS];
    u32 bins = now < 2 ? 1 : bin_of(now) + 1;
    Group *group = &groups[group_count];
    group->level = (u8)level;
    group->revised = now;
    if (!levels[level].used) {
        levels[level].used = 1;
        set_guesses(BINS);
    }
    set_index(group, bins);
    return group_count++;
}

static u32 group_for(const Block *block, u32 gap, u32 before) {
    u32 level = 0, older = 0, count = 0, context = 0;
    if (gap) {
        u32 octave = log2_of(gap);
        level = 1 + octave;
        if (GAP_PARTS > 1) level += octave + (octave ? gap >> (octave - 1) & 1 : 0);
        if (OLDER_STEP > 0 && before) older = 1 + (log2_of(before) + 1) / (u32)OLDER_STEP;
        if (older >= OLDER) older = OLDER - 1;
        f32 scaled = block->count * (f32)COUNT_SCALE;
        count = scaled < 1.5f ? 0 : scaled < 3 ? 1 : scaled < 8 ? 2 : 3;
    }
    /* In a run, gaps are nearly equal: a sequence of blocks comes as it came before. */
    u32 differs = gap > gap_before ? gap - gap_before : gap_before - gap;
    run = gap && differs <= 4 ? run + 1 : 0;
    newness = newness << 1 | !gap;
    if ((u32)CONTEXT & RUN) context |= run == 0 ? 0 : run < 4 ? 1 : run < 32 ? 2 : 3;
    if ((u32)CONTEXT & BEFORE) context |= (level_before == 0 ? 0 : level_before < 6 ? 1 : level_before < 12 ? 2 : 3) << 2;
    if ((u32)CONTEXT & NEW) context |= (__builtin_popcount(newness & 0xffff) > 8) << 4;
    gap_before = gap;
    level_before = level;
    u32 code = ((level * OLDER + older) * COUNTS + count) * CONTEXTS + context;
    if (!group_of[code]) group_of[code] = (u16)new_group(level);
    return group_of[code];
}

/* --- the four functions ------------------------------------------------------------------------------------- */

void kn_init(u32 capacity_) {
    capacity = capacity_;
    most_blocks = REMEMBERED + 2 * capacity;
    map = kn_map_new(most_blocks);
    blocks = kn_alloc(most_blocks * sizeof(Block));
    groups = kn_alloc(MOST_GROUPS * sizeof(Group));
    group_of = kn_alloc(CODES * sizeof(u16));
    slots = kn_alloc(capacity * sizeof(Slot));
    group_count = 1;
    age_parts = (u32)AGE_PARTS;
    age_shift = 23 - age_parts;
    age_base = 127u << age_parts;
    memory = power(MEMORY);
    count_memory = power(COUNT_MEMORY);
    next_revision = FIRST_REVISION;
    /* Steps of the golden section come everywhere soon, and to every slot once if they have no divisor with their number. */
    stride = (u32)(0.618 * capacity);
    for (u32 divisor = 0; divisor != 1;) {
        divisor = ++stride;
        for (u32 b = capacity; b;) {
            u32 rest = divisor % b;
            divisor = b;
            b = rest;
        }
    }
    stride %= capacity;
}

static void begin(void) {
    /* The fuel of a run is by its requests: where misses are rare, each may look at more. */
    looks += LOOKS;
    if (looks > 2 * MOST_LOOKS) looks = 2 * MOST_LOOKS;
    if (now >= next_revision) revise();
}

static void requested(u32 slot, u32 i) {
    Block *block = &blocks[i];
    u32 gap = 0, before = block->gap;
    if (block->known) {
        Group *group = &groups[block->group];
        gap = now - block->last;
        u32 bin = bin_of(gap);
        leave(group, block->last >= revised ? 0 : bin_of(revised - block->last), bin + 1);
        group->requested[bin] += 1;
        block->count *= (f32)(count_memory / (count_memory + gap));
    }
    block->known = 1;
    block->count += 1;
    block->gap = gap;
    block->last = now;
    block->group = (u16)group_for(block, gap, before);
    slots[slot].index = groups[block->group].index;
    slots[slot].last = now;
    slots[slot].block = i;
    now++;
}

void kn_hit(u32 slot) {
    begin();
    requested(slot, slots[slot].block);
}

static f32 values[MOST_RETAINED + 1];

static inline f32 worth(u32 slot) { return slots[slot].index[bin_of(now - slots[slot].last)]; }

/* Puts a slot among the first `count` retained ones, which are in order. */
static inline void insert(u32 slot, f32 value, u32 count) {
    for (; count && values[count - 1] > value; count--) {
        values[count] = values[count - 1];
        retained[count] = retained[count - 1];
    }
    values[count] = value;
    retained[count] = slot;
}

u32 kn_victim(u64 key) {
    coming = kn_map_get(map, key);
    u32 count = retained_count, most = (u32)RETAINED + 1;
    for (u32 i = 0; i < count; i++) insert(retained[i], worth(retained[i]), i);
    u32 left = looks < 4 ? 4 : looks > MOST_LOOKS ? MOST_LOOKS : (u32)looks, slot = at;
    if (left > capacity) left = capacity;
    looks -= left;
    f32 bar = count == most ? values[count - 1] : 1e30f; /* what is worth more is not retained */
    while (left--) {
        slot += stride;
        if (slot >= capacity) slot -= capacity;
        f32 value = worth(slot);
        if (value >= bar) continue;
        u32 i = 0;
        while (i < count && retained[i] != slot) i++;
        if (i < count) continue;
        if (count < most) count++;
        insert(slot, value, count - 1);
        if (count == most) bar = values[count - 1];
    }
    at = slot;
    u32 victim = retained[0];
    retained_count = count - 1;
    for (u32 i = 0; i < retained_count; i++) retained[i] = retained[i + 1];
    blocks[slots[victim].block].resident = 0;
    return victim;
}

static u32 new_block(u64 key) {
    u32 i = block_count;
    if (block_count < most_blocks) {
        block_count++;
    } else {
        do hand = hand + 1 < most_blocks ? hand + 1 : 0;
        while (blocks[hand].resident);
        i = hand;
        kn_map_remove(map, i);
        blocks[i] = (Block){0};
    }
    kn_map_put(map, key, i);
    return i;
}

void kn_insert(u32 slot, u64 key) {
    begin();
    u32 i = coming != KN_NONE ? coming : new_block(key);
    coming = KN_NONE;
    blocks[i].resident = 1;
    requested(slot, i);
}
