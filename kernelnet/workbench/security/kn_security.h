/*
 * What components of the bench `security` include: an anomaly score for sequences of system calls.
 *
 * A detector first sees sequences of normal behaviour, then sequences of which it does not know what they are.  Of each of
 * these it says, in one number, how strange it is: the stranger the higher.  What counts is the order of these numbers:
 * attacks should be above normal sequences.
 *
 * ABI security/full/1: the detector sees every call, and keeps what it likes.
 *
 *     first                                     kn_init(calls, learned)
 *     for each normal sequence                  kn_learn(call) for each of its calls; kn_learned()
 *     then, for each sequence under test        kn_call(call) for each of its calls; kn_score()
 *
 * Calls are numbers below `calls`, the same throughout a run, and mean nothing otherwise: which call has which number differs
 * from component to component and from data set to data set.  So does the order of the sequences.
 *
 * ABI security/rank/1: the detector is one pure function of what the driver knows of the sequence, kn_rank.
 *
 * Not-a-number counts as less than every number: such a sequence never raises an alarm.  A component has no imports, at
 * most 64 KiB of code, and a limited memory and number of instructions; each run starts with a fresh instance.
 *
 * Below the ABIs is a small library for counting n-grams; kn.h is another one.
 */
#ifndef KN_SECURITY_H
#define KN_SECURITY_H

#include "kn.h"

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* Called once, before all others but kn_param.  Calls are numbered 0 to calls - 1; `learned` calls will be learned. */
KN_EXPORT("kn_init") void kn_init(u32 calls, u32 learned);

/* The next call of a normal sequence. */
KN_EXPORT("kn_learn") void kn_learn(u32 call);

/* The normal sequence ends here. */
KN_EXPORT("kn_learned") void kn_learned(void);

/* The next call of a sequence under test. */
KN_EXPORT("kn_call") void kn_call(u32 call);

/* The sequence under test ends here: returns how strange it is.  The next kn_call begins another one. */
KN_EXPORT("kn_score") f64 kn_score(void);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/*
 * The other ABI: how strange a sequence is of which the driver knows this.  "Windows of n" are all runs of n successive
 * calls of the sequence; their counts are those in the learned sequences; lg is kn_lg.  Means over no windows are 0.
 *
 * length        calls of the sequence
 * distinct      different calls among them
 * run           length of the longest run of one call
 * commonest     share of the call that it has most often
 * unseen1 … 6   share of its windows of n that were never learned (STIDE's mismatches, for n = 6)
 * rare1 … 6     mean over its windows of n of lg(all windows of n learned) - lg(count of this one)
 * markov1 … 3   mean over its windows of n + 1 of lg(2 count of its first n calls + calls - 1) - lg(2 count of all):
 *               the surprise at each call after the n before it, in bits, under a Markov chain of order n
 * frame3, 6     the most unseen windows of n among any 20 successive ones (STIDE's locality frame)
 * surge         the highest mean surprise of markov2 over any 20 successive windows
 * nearest       1 - the highest cosine between its counts of each call and those of one of the first 1000 learned sequences
 * shift         sum over all calls of | its share in the sequence - its share in all that was learned |
 */
#define KN_SECURITY_FEATURES                                                                                           \
    f64 length, f64 distinct, f64 run, f64 commonest, f64 unseen1, f64 unseen2, f64 unseen3, f64 unseen4, f64 unseen5, \
        f64 unseen6, f64 rare1, f64 rare2, f64 rare3, f64 rare4, f64 rare5, f64 rare6, f64 markov1, f64 markov2,       \
        f64 markov3, f64 frame3, f64 frame6, f64 surge, f64 nearest, f64 shift
KN_EXPORT("kn_rank") f64 kn_rank(KN_SECURITY_FEATURES);

#endif

/* --- n-grams: runs of n successive calls, counted ----------------------------------------------------------- */

#define KN_GRAM 8                /* the longest */
#define KN_GRAMS_MOST (1u << 22) /* so many different ones are kept; later ones are never seen */

/* A tree: node 0 is the empty n-gram, and the node of an n-gram is a child of that of its first n - 1 calls. */
typedef struct {
    kn_map map;
    u32 *count; /* by node: how often it was added */
    u32 used, size;
} kn_grams;

/* The n-grams of the calls that came last, of each length: node[d] is that of the last d calls, KN_NONE if it is not in
 * the tree.  `calls` counts the calls of the sequence so far. */
typedef struct {
    u32 node[KN_GRAM + 1], calls;
} kn_walk;

/* Room for the n-grams of lengths 1 to n in `learned` calls. */
static inline kn_grams kn_grams_new(u32 learned, u32 n) {
    u64 most = (u64)learned * n + 1;
    u32 size = most < KN_GRAMS_MOST ? (u32)most : KN_GRAMS_MOST;
    kn_grams grams = {kn_map_new(size), kn_alloc(size * 4), 1, size};
    return grams;
}

static inline u32 kn_grams_child(const kn_grams *grams, u32 parent, u32 call) {
    return parent == KN_NONE ? KN_NONE : kn_map_get(grams->map, (u64)parent << 32 | call);
}

/* The next call of a sequence: moves on to the n-grams of lengths 1 to n that end with it. */
static inline void kn_walk_on(const kn_grams *grams, kn_walk *walk, u32 n, u32 call) {
    walk->calls++;
    for (u32 d = n < walk->calls ? n : walk->calls; d > 0; d--)
        walk->node[d] = kn_grams_child(grams, walk->node[d - 1], call);
}

/* The same, and counts each of them. */
static inline void kn_walk_learn(kn_grams *grams, kn_walk *walk, u32 n, u32 call) {
    walk->calls++;
    for (u32 d = n < walk->calls ? n : walk->calls; d > 0; d--) {
        u32 parent = walk->node[d - 1], node = kn_grams_child(grams, parent, call);
        if (node == KN_NONE && parent != KN_NONE && grams->used < grams->size)
            kn_map_put(grams->map, (u64)parent << 32 | call, node = grams->used++);
        if (node != KN_NONE) grams->count[node]++;
        walk->node[d] = node;
    }
}

/* Before the first call of a sequence. */
static inline void kn_walk_begin(kn_walk *walk) {
    walk->calls = 0;
    walk->node[0] = 0;
}

/* How often the n-gram of the last n calls was learned. */
static inline u32 kn_walk_count(const kn_grams *grams, const kn_walk *walk, u32 n) {
    return walk->node[n] == KN_NONE ? 0 : grams->count[walk->node[n]];
}

#endif
