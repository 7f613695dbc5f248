/* See eviction.h. */
#include "eviction.h"

#include <stdlib.h>

#include "component.h"

/* Those of the bench: it was measured with no more. */
#define MEMORY(capacity) ((64ull << 20) + 1024ull * (capacity) < 1ull << 30 ? (64ull << 20) + 1024ull * (capacity) : 1ull << 30)

/* Four times the bench's, as fuel is counted here by what stands in a loop, and not by what is executed of it. */
#define FUEL_FIRST(capacity) (4 * (100000000ll + 10000ll * (capacity)))
#define FUEL_REQUEST (4 * 4000)

#define NONE 0xffffffffu

#ifdef COMPONENT_HAS_kn_rank
/* As in the bench's rank.h: times are in requests; those that are doubles are multiples of the capacity. */
typedef struct {
    uint32_t came, last;
    double freq, gap, gap2, hist, ghostgap;
} resident;

typedef struct {
    uint64_t key;
    uint32_t number; /* of its eviction; NONE: of none yet */
    uint32_t next;   /* in its bucket, by the place of the ghost */
    uint32_t evicted, last;
    double gap, hist;
} ghost;
#endif

struct eviction {
    component *policy;
    const char *failed;
    uint32_t capacity, turn;
    int64_t most; /* fuel that is saved at most */
#ifdef COMPONENT_HAS_kn_rank
    uint32_t now, evictions, shift;
    uint64_t seed;
    double per_slot, pressure;
    resident *residents;
    uint64_t *keys;    /* by slot */
    ghost *ghosts;     /* by the number of the eviction, modulo the capacity */
    uint32_t *buckets; /* of ghosts, by key: the newest stands first */
#endif
};

static void look(eviction *e) {
    if (!e->failed) e->failed = component_trapped(e->policy);
}

/* Every request brings fuel, which may be saved, so that a policy may do much at once if it does so seldom. */
static void refuel(eviction *e) {
    int64_t fuel = component_fuel(e->policy) + FUEL_REQUEST;
    component_refuel(e->policy, fuel < e->most ? fuel : e->most);
}

#ifdef COMPONENT_HAS_kn_rank

#define CANDIDATES 16
#define UNKNOWN 1e6

static uint32_t bucket(const eviction *e, uint64_t key) { return (uint32_t)(key * 0x9E3779B97F4A7C15ull >> e->shift); }

static int begin(eviction *e, uint64_t seed) {
    uint32_t bits = 4;
    while (bits < 31 && 1u << bits < 2ull * e->capacity) bits++;
    e->shift = 64 - bits;
    e->seed = seed;
    e->per_slot = 1.0 / (double)e->capacity;
    e->residents = calloc(e->capacity, sizeof *e->residents);
    e->keys = calloc(e->capacity, sizeof *e->keys);
    e->ghosts = calloc(e->capacity, sizeof *e->ghosts);
    e->buckets = malloc(sizeof *e->buckets << bits);
    if (!e->residents || !e->keys || !e->ghosts || !e->buckets) return 0;
    for (uint32_t i = 0; i < 1u << bits; i++) e->buckets[i] = NONE;
    for (uint32_t i = 0; i < e->capacity; i++) e->ghosts[i].number = NONE;
    return 1;
}

static double since(const eviction *e, uint32_t then) { return (double)(e->now - then) * e->per_slot; }

static void hit(eviction *e, uint32_t slot) {
    resident *r = &e->residents[slot];
    r->gap2 = r->gap;
    r->gap = since(e, r->last);
    r->last = e->now++;
    r->freq += 1;
}

static void remember(eviction *e, uint32_t slot) {
    const resident *r = &e->residents[slot];
    uint32_t place = e->evictions % e->capacity, home;
    ghost *g = &e->ghosts[place];
    if (g->number != NONE) {
        uint32_t *link = &e->buckets[bucket(e, g->key)];
        while (*link != place) link = &e->ghosts[*link].next;
        *link = g->next;
    }
    home = bucket(e, e->keys[slot]);
    *g = (ghost){e->keys[slot], e->evictions, e->buckets[home], e->now, r->last, r->gap, r->hist + r->freq};
    e->buckets[home] = place;
    e->evictions++;
}

static uint32_t victim(eviction *e, uint64_t key) {
    double lowest = __builtin_inf();
    uint32_t chosen = NONE, count = e->capacity <= CANDIDATES ? e->capacity : CANDIDATES;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = i;
        const resident *r;
        double rank;
        if (e->capacity > CANDIDATES) {
            e->seed = e->seed * 6364136223846793005ull + 1442695040888963407ull;
            slot = (uint32_t)((e->seed >> 32) * e->capacity >> 32);
        }
        r = &e->residents[slot];
        rank = component_kn_rank(
            e->policy, since(e, r->last), since(e, r->came), r->freq, r->gap, r->gap2, r->hist, r->ghostgap, e->pressure
        );
        if (rank < lowest || chosen == NONE) {
            lowest = rank == rank ? rank : __builtin_inf();
            chosen = slot;
        }
    }
    look(e);
    if (!e->failed) remember(e, chosen);
    return chosen;
}

static void insert(eviction *e, uint32_t slot, uint64_t key) {
    resident *r = &e->residents[slot];
    uint32_t place = e->buckets[bucket(e, key)], remembered;
    while (place != NONE && e->ghosts[place].key != key) place = e->ghosts[place].next;
    remembered = place != NONE && e->evictions - e->ghosts[place].number <= e->capacity;
    r->came = r->last = e->now++;
    r->freq = 1;
    r->gap = r->gap2 = r->ghostgap = UNKNOWN;
    r->hist = 0;
    e->keys[slot] = key;
    if (remembered) {
        const ghost *g = &e->ghosts[place];
        r->gap = (double)(r->last - g->last) * e->per_slot;
        r->gap2 = g->gap;
        r->hist = g->hist;
        r->ghostgap = (double)(r->last - g->evicted) * e->per_slot;
    }
    e->pressure += ((double)remembered - e->pressure) * e->per_slot;
}

static void end(eviction *e) {
    free(e->residents);
    free(e->keys);
    free(e->ghosts);
    free(e->buckets);
}

#define OWN(e) ((uint64_t)(e)->capacity * (sizeof(resident) + sizeof(ghost) + 8) + (4ull << (64 - (e)->shift)))

#else

/* Keys that a policy sees look random, as in the bench: it may take bits of them for a hash.  (The last steps of SplitMix64.) */
static uint64_t mixed(uint64_t key) {
    key += 0x9E3779B97F4A7C15ull;
    key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9ull;
    key = (key ^ key >> 27) * 0x94D049BB133111EBull;
    return key ^ key >> 31;
}

static int begin(eviction *e, uint64_t seed) {
    (void)seed;
    component_kn_init(e->policy, e->capacity);
    return 1;
}

static void hit(eviction *e, uint32_t slot) { component_kn_hit(e->policy, slot); }
static uint32_t victim(eviction *e, uint64_t key) { return component_kn_victim(e->policy, mixed(key)); }
static void insert(eviction *e, uint32_t slot, uint64_t key) { component_kn_insert(e->policy, slot, mixed(key)); }
static void end(eviction *e) { (void)e; }

#define OWN(e) 0

#endif

eviction *eviction_new(uint32_t capacity, uint64_t seed) {
    eviction *e = calloc(1, sizeof *e);
    if (!e || !capacity) {
        free(e);
        return 0;
    }
    e->capacity = capacity;
    e->most = FUEL_FIRST(capacity);
    e->policy = component_new(MEMORY(capacity), e->most);
    if (e->policy && begin(e, seed)) look(e);
    else e->failed = "there is no memory for it";
    return e;
}

void eviction_free(eviction *e) {
    if (!e) return;
    end(e);
    if (e->policy) component_free(e->policy);
    free(e);
}

void eviction_hit(eviction *e, uint32_t slot) {
    if (e->failed) return;
    refuel(e);
    hit(e, slot);
    look(e);
}

uint32_t eviction_victim(eviction *e, uint64_t key) {
    if (!e->failed) {
        uint32_t slot = victim(e, key);
        look(e);
        if (!e->failed && slot < e->capacity) return slot;
        if (!e->failed) e->failed = "a slot that does not exist";
    }
    return e->turn++ % e->capacity;
}

void eviction_insert(eviction *e, uint32_t slot, uint64_t key) {
    if (e->failed) return;
    refuel(e);
    insert(e, slot, key);
    look(e);
}

/* Without the component, as with FIFO, a slot stays in its turn. */
int eviction_forget(eviction *e, uint32_t slot) {
    (void)slot;
    if (e->failed) return 0;
#if defined(COMPONENT_HAS_kn_rank)
    return 1;
#elif defined(COMPONENT_HAS_kn_forget)
    component_kn_forget(e->policy, slot);
    look(e);
    return !e->failed;
#else
    return 0;
#endif
}

void eviction_stop(eviction *e, const char *why) {
    if (!e->failed) e->failed = why;
}

const char *eviction_failed(const eviction *e) { return e->failed; }
uint64_t eviction_memory(const eviction *e) {
    return sizeof *e + (e->policy ? component_memory(e->policy) + OWN(e) : 0);
}
