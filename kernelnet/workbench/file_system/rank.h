/*
 * The driver's half of the ABI file_system/rank/1: an eviction policy (kn_init, kn_hit, kn_victim, kn_insert) that keeps
 * what there is to know of each block, and evicts, of sixteen blocks, the one that the component ranks lowest.
 *
 * The sixteen are drawn at random, anew for each eviction.  Looking at all would take too long, and the lowest of sixteen
 * is low enough: with rank -age the misses were LRU's to 1.4 % on four real traces.  (Keeping the next lowest from one
 * eviction to the next, as Redis does, cost as much as drawing more, and gave no more.)
 *
 * An evicted block is remembered until as many more were evicted as the cache has slots.
 *
 * Where objects have sizes (KN_SIZED, see sized.c), "slots" are the objects of the mean size that fit into the cache, and those that
 * are resident are drawn from.
 */
#ifdef KN_SIZED
KN_POLICY("kn_rank_sized")
extern f64 kn_rank_sized(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure, f64 size);
#define RANK(r, slot)                                                                                                   \
    kn_rank_sized(since(r->last), since(r->came), r->freq, r->gap, r->gap2, r->hist, r->ghostgap, pressure,             \
                  (f64)size_in[slot] * (f64)count / (f64)occupied)
#define RESIDENTS count
#define RESIDENT(at) order[at]
#else
KN_POLICY("kn_rank")
extern f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure);
#define RANK(r, slot) kn_rank(since(r->last), since(r->came), r->freq, r->gap, r->gap2, r->hist, r->ghostgap, pressure)
#define RESIDENTS slots
#define RESIDENT(at) at
#endif

#define CANDIDATES 16
#define UNKNOWN 1e6 /* a time that there isn't: longer than any */

/* Times are in requests; those that are f64 are as the component sees them: multiples of the capacity. */
typedef struct {
    u32 came, last;     /* the request by which it came in, and the last for it */
    f64 freq;           /* how many there were since it came in, with that one */
    f64 gap, gap2;      /* between the last two, and the two before */
    f64 hist, ghostgap; /* how many there were in earlier stays; from its eviction to its return */
    f64 unused[2];      /* for a line of the processor's cache */
} resident;

typedef struct {
    u32 evicted, last;
    f64 gap, hist;
} ghost;

static resident *residents; /* by slot */
static ghost *ghosts;       /* by the number of the eviction, modulo the slots */
static u32 *eviction_of;    /* by block: the number of its last eviction; the host fills it with KN_NONE */
static u64 seed;            /* the generator's state */
static u32 slots, evictions;
static f64 per_slot, pressure;

KN_EXPORT("wb_rank") void wb_rank(resident *residents_, ghost *ghosts_, u32 *eviction_of_, u64 seed_) {
    residents = residents_;
    ghosts = ghosts_;
    eviction_of = eviction_of_;
    seed = seed_;
}

static void kn_init(u32 capacity) {
    slots = capacity;
    per_slot = 1.0 / (f64)capacity;
}

static inline f64 since(u32 then) { return (f64)(now - then) * per_slot; }

static inline void kn_hit(u32 slot) {
    resident *r = &residents[slot];
    r->gap2 = r->gap;
    r->gap = since(r->last);
    r->last = now;
    r->freq += 1;
}

static f64 lowest;
static u32 victim;

/* What is not a number ranks highest; of equals the first goes. */
static inline void consider(u32 slot) {
    const resident *r = &residents[slot];
    f64 rank = RANK(r, slot);
    if (rank < lowest || victim == KN_NONE) {
        lowest = rank == rank ? rank : __builtin_inf();
        victim = slot;
    }
}

static u32 kn_victim(u64 block) {
    lowest = __builtin_inf();
    victim = KN_NONE;
    if (RESIDENTS <= CANDIDATES) {
        for (u32 at = 0; at < RESIDENTS; at++) consider(RESIDENT(at));
    } else {
        for (u32 i = 0; i < CANDIDATES; i++) {
            /* The linear congruential generator of Knuth's MMIX (The Art of Computer Programming 2, 3.3.4); its upper
             * half is used. */
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            consider(RESIDENT((u32)((seed >> 32) * RESIDENTS >> 32)));
        }
    }
    const resident *r = &residents[victim];
    ghosts[evictions % slots] = (ghost){now, r->last, r->gap, r->hist + r->freq};
    eviction_of[block_in[victim] & ~WRITTEN] = evictions++;
    return victim;
}

static void kn_insert(u32 slot, u64 block) {
    resident *r = &residents[slot];
    u32 number = eviction_of[block], remembered = number != KN_NONE && evictions - number <= slots;
    r->came = r->last = now;
    r->freq = 1;
    r->gap = r->gap2 = r->ghostgap = UNKNOWN;
    r->hist = 0;
    if (remembered) {
        const ghost *g = &ghosts[number % slots];
        r->gap = since(g->last);
        r->gap2 = g->gap;
        r->hist = g->hist;
        r->ghostgap = since(g->evicted);
    }
    pressure += ((f64)remembered - pressure) * per_slot;
}
