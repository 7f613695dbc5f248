/*
 * What the driver of security/rank/1 knows of each sequence under test; kn_security.h says what each number means.
 * It depends on no component, so it is computed once for a data set.
 */
#define KN_BENCH
#include "kn_security.h"

#define N 6
#define FRAME 20
#define BAGS 1000
#define FEATURES 24

static kn_grams grams;
static u32 *total;    /* by length: windows learned */
static u32 *bag;      /* by call: how often the sequence has it */
static u32 *present;  /* the calls that it has */
static u32 *learned1; /* by call: how often it was learned */
static u32 *bags;     /* `bag` of the first learned sequences */
static f64 *norm;     /* and their lengths */

static f64 length_of(const u32 *counts, u32 calls) {
    f64 sum = 0;
    for (u32 c = 0; c < calls; c++) sum += (f64)counts[c] * counts[c];
    return __builtin_sqrt(sum);
}

/* The highest sum of 20 successive numbers, kept as a ring of the last ones.  The numbers are added anew each time, so that no
 * error of rounding stays. */
typedef struct {
    f64 last[FRAME], most;
    u32 count;
} frame;

static void frame_add(frame *f, f64 value) {
    f->last[f->count++ % FRAME] = value;
    f64 sum = 0;
    u32 have = f->count < FRAME ? f->count : FRAME;
    for (u32 i = 0; i < have; i++) sum += f->last[(f->count - have + i) % FRAME];
    if (f->count <= FRAME || sum > f->most) f->most = sum;
}

static void measure(const u32 *sequence, u32 size, u32 calls, u32 kept, f64 *f) {
    kn_walk walk;
    kn_walk_begin(&walk);
    frame frame3 = {{0}, 0, 0}, frame6 = {{0}, 0, 0}, surge = {{0}, 0, 0};
    f64 unseen[N + 1] = {0}, rare[N + 1] = {0}, markov[4] = {0};
    u32 distinct = 0, run = 0, longest = 0, commonest = 0;
    for (u32 c = 0; c < calls; c++) bag[c] = 0;
    for (u32 at = 0; at < size; at++) {
        u32 call = sequence[at], before[4];
        if (!bag[call]++) present[distinct++] = call;
        if (bag[call] > commonest) commonest = bag[call];
        run = at && sequence[at - 1] == call ? run + 1 : 1;
        if (run > longest) longest = run;
        for (u32 n = 1; n < 4 && n <= walk.calls; n++) before[n] = kn_walk_count(&grams, &walk, n);
        kn_walk_on(&grams, &walk, N, call);
        for (u32 n = 1; n <= N && n <= walk.calls; n++) {
            u32 count = kn_walk_count(&grams, &walk, n);
            unseen[n] += !count;
            rare[n] += kn_lg(total[n]) - kn_lg(count);
            if (n == 3) frame_add(&frame3, !count);
            if (n == 6) frame_add(&frame6, !count);
            if (n < 2 || n > 4) continue;
            f64 surprise = kn_lg(2.0 * before[n - 1] + calls - 1) - kn_lg(2.0 * count);
            markov[n - 1] += surprise;
            if (n == 3) frame_add(&surge, surprise);
        }
    }
    f64 *out = f;
    *out++ = size;
    *out++ = distinct;
    *out++ = longest;
    *out++ = (f64)commonest / size;
    for (u32 n = 1; n <= N; n++) *out++ = size >= n ? unseen[n] / (size - n + 1) : 0;
    for (u32 n = 1; n <= N; n++) *out++ = size >= n ? rare[n] / (size - n + 1) : 0;
    for (u32 n = 1; n <= 3; n++) *out++ = size > n ? markov[n] / (size - n) : 0;
    *out++ = frame3.most;
    *out++ = frame6.most;
    *out++ = surge.count ? surge.most / (surge.count < FRAME ? surge.count : FRAME) : 0;
    f64 own = length_of(bag, calls), highest = 0, shift = 0;
    for (u32 i = 0; i < kept; i++) {
        f64 dot = 0;
        for (u32 d = 0; d < distinct; d++) dot += (f64)bag[present[d]] * bags[i * calls + present[d]];
        f64 cosine = dot / (own * norm[i]);
        if (cosine > highest) highest = cosine;
    }
    *out++ = 1 - highest;
    for (u32 c = 0; c < calls; c++)
        shift += __builtin_fabs((f64)bag[c] / size - (total[1] ? (f64)learned1[c] / total[1] : 0));
    *out++ = shift;
}

/* Fills `out` for each sequence from `learned` on; `room` is memory for all that is noted meanwhile.  No sequence is empty. */
KN_EXPORT("features")
void features(const u32 *all, const u32 *start, u32 learned, u32 sequences, u32 calls, u32 room, f64 *out) {
    kn_heap_end = room;
    grams = kn_grams_new(start[learned], N);
    total = kn_alloc(4 * (N + 1));
    bag = kn_alloc(4 * calls);
    present = kn_alloc(4 * calls);
    learned1 = kn_alloc(4 * calls);
    bags = kn_alloc(4 * BAGS * calls);
    norm = kn_alloc(8 * BAGS);
    u32 kept = learned < BAGS ? learned : BAGS;
    for (u32 i = 0; i < learned; i++) {
        kn_walk walk;
        kn_walk_begin(&walk);
        for (u32 at = start[i]; at < start[i + 1]; at++) {
            kn_walk_learn(&grams, &walk, N, all[at]);
            learned1[all[at]]++;
            if (i < kept) bags[i * calls + all[at]]++;
        }
        for (u32 n = 1; n <= N; n++) total[n] += walk.calls >= n ? walk.calls - n + 1 : 0;
        if (i < kept) norm[i] = length_of(bags + i * calls, calls);
    }
    for (u32 i = learned; i < sequences; i++)
        measure(all + start[i], start[i + 1] - start[i], calls, kept, out + FEATURES * i);
}
