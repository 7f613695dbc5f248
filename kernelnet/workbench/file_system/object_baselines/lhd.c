/*
 * LHD, least hit density (N. Beckmann, H. Chen and A. Cidon, LHD: improving cache hit rate by maximizing hit density, NSDI 2018): of
 * some objects drawn at random that one goes which is expected to bring the fewest hits a byte and unit of time that it stays.
 * How many hits and how long follow from when objects of its class were hit or went before, by age; the class is the age at its last
 * two hits.
 *
 * Simpler than the authors' code: classes by hit ages alone (no applications), no explorers, and the unit of ages is found once, when
 * the cache is full, and not again; distributions are made anew more often, as traces are shorter here.
 */
#include "kn_file_system.h"

#define CLASSES 16
#define AGES 2048       /* the last one stands for all that is older */
#define CANDIDATES 32   /* associativity in the authors' code */
#define ROUND (1 << 15) /* requests between two looks at the distributions */
#define DECAY 0.9
#define TOLERANCE 0.01  /* the unit of ages is this share of the time in which the cache's objects are requested once */

static f64 hits[CLASSES][AGES], evictions[CLASSES][AGES], density[CLASSES][AGES];
static u32 *since, *last, *last_but_one, *size_of; /* by slot: when requested last, in requests; ages at the last hits */
static u32 *slot_at, *place, count;                /* the taken slots, and where each is among them */
static u32 now, size, shift, next_round, fitted;
static u64 seed = 1;

void kn_init(u32 slots) {
    since = kn_alloc(slots * 4);
    last = kn_alloc(slots * 4);
    last_but_one = kn_alloc(slots * 4);
    size_of = kn_alloc(slots * 4);
    slot_at = kn_alloc(slots * 4);
    place = kn_alloc(slots * 4);
    next_round = ROUND;
    shift = 10;
    for (u32 c = 0; c < CLASSES; c++) /* until something is known, much like greedy dual size with frequency */
        for (u32 a = 0; a < AGES; a++) density[c][a] = (f64)(c + 1) / (a + 1);
}

void kn_bytes(u64 capacity) {}

static void look(void) {
    for (u32 c = 0; c < CLASSES; c++) {
        f64 events = 0, hit = 0, lifetime = 0;
        for (u32 a = AGES; a-- > 0;) {
            hit += hits[c][a];
            events += hits[c][a] + evictions[c][a];
            lifetime += events;
            density[c][a] = events > 1e-5 ? hit / lifetime : 0;
            hits[c][a] *= DECAY;
            evictions[c][a] *= DECAY;
        }
    }
}

void kn_size(u32 bytes) {
    size = bytes;
    if (++now == next_round) {
        next_round += ROUND;
        look();
    }
}

static u32 age_of(u32 slot) {
    u32 age = (now - since[slot]) >> shift;
    return age < AGES ? age : AGES - 1;
}

static u32 class_of(u32 slot) {
    u32 age = last[slot] + last_but_one[slot], found = 0;
    if (!age) return CLASSES - 1;
    for (; age < AGES && found < CLASSES - 1; age <<= 1) found++;
    return found;
}

void kn_hit(u32 slot) {
    u32 age = age_of(slot);
    hits[class_of(slot)][age] += 1;
    last_but_one[slot] = last[slot];
    last[slot] = age;
    since[slot] = now;
}

/* Ages so far are in another unit: forgotten, as the cache has only now become full. */
static void fit(void) {
    fitted = 1;
    shift = 0;
    while ((f64)(1u << shift) * TOLERANCE * AGES < count && shift < 20) shift++;
}

u32 kn_victim(u64 key) {
    if (!fitted) fit();
    u32 victim = KN_NONE;
    f64 least = 0;
    for (u32 i = 0; i < CANDIDATES; i++) {
        /* Knuth's MMIX generator; its upper half is used. */
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        u32 slot = slot_at[(seed >> 32) * count >> 32];
        f64 rank = density[class_of(slot)][age_of(slot)] / size_of[slot];
        if (victim == KN_NONE || rank < least) victim = slot, least = rank;
    }
    evictions[class_of(victim)][age_of(victim)] += 1;
    u32 moved = slot_at[--count];
    slot_at[place[victim]] = moved;
    place[moved] = place[victim];
    return victim;
}

void kn_insert(u32 slot, u64 key) {
    since[slot] = now;
    last[slot] = 0;
    last_but_one[slot] = AGES;
    size_of[slot] = size;
    place[slot] = count;
    slot_at[count++] = slot;
}
