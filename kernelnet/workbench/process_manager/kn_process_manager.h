/*
 * The ABIs of process_manager: which of the ready tasks run on a machine's CPUs.
 *
 * Times are whole microseconds.  A task arrives, is ready until it has run for as long as it needs, and is done; how long
 * that is nobody knows before.  A ready task is known by its slot: slots are numbered from 0, and given to others when
 * their tasks are done.  The bench decides anew whenever a task arrives, one is done, or, while tasks have to wait, a
 * timer ends: an eighth of what the task has run, but a tick at least and a quantum at most.  For each CPU it asks for
 * the next of the ready tasks; a task that did not run just before costs its CPU a switch.
 *
 * Nothing that counts up is told, so that nobody knows by it where in a recorded log he is: a policy that wants a clock
 * adds up what has elapsed.
 *
 * process_manager/full/2: a policy defines the five functions below and keeps whatever state it likes.
 *
 *     a task arrives                    kn_arrive(slot, key, group, estimate, elapsed)
 *     a decision                        slot = kn_pick(elapsed), once for each CPU that has a task to run
 *     then, for each that was picked    kn_ran(slot, ran, elapsed) if it is ready still, or kn_done(slot, ran, elapsed)
 *
 * `elapsed` is the time since the call before this one; of the first since the run started.
 *
 * process_manager/rank/1: a policy is one pure function, kn_rank; the tasks for which it is lowest run.
 *
 * Tasks of one key are alike: the same user and program, or one thread; tasks of one group somewhat alike: the same user,
 * or threads of one name.  Keys and groups are the same throughout a run and mean nothing otherwise: they differ from
 * policy to policy and from trace to trace.  A policy has no imports, at most 64 KiB of code, and a limited memory and
 * number of instructions; each run starts with a fresh instance.
 */
#ifndef KN_PROCESS_MANAGER_H
#define KN_PROCESS_MANAGER_H

#include "kn.h"

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* Called once, before all others but kn_param.  cpus >= 1; slots are below `slots`; quantum >= 1 microseconds. */
KN_EXPORT("kn_init") void kn_init(u32 slots, u32 cpus, u64 quantum);

/* A task is ready.  estimate: how long it will run, as its user said; 0 if he didn't. */
KN_EXPORT("kn_arrive") void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed);

/* Returns the slot of the ready task that runs next, and wasn't picked in this decision yet: there is one.  Another number
 * ends the run as a broken contract. */
KN_EXPORT("kn_pick") u32 kn_pick(u64 elapsed);

/* The task made `ran` microseconds of progress since it was picked (none if all went into the switch), and is ready. */
KN_EXPORT("kn_ran") void kn_ran(u32 slot, u64 ran, u64 elapsed);

/* The task ran for its last `ran` microseconds and is gone. */
KN_EXPORT("kn_done") void kn_done(u32 slot, u64 ran, u64 elapsed);

/* Optional: a task that is ready and not running is gone without being done: on a real machine it may be stopped or moved to
 * another CPU.  In the bench no task is. */
KN_EXPORT("kn_forget") void kn_forget(u32 slot, u64 elapsed);

/*
 * The rank ABI: the tasks with the lowest ranks run; of equal ones that which came first.  NaN counts as infinity.
 * Times are in units of the slowdown's bound (the setting bound_us), so that numbers mean the same on every log.
 *
 *     wait       for how long the task was ready and did not run
 *     attained   for how long it has run
 *     idle       time since it last ran; since it arrived, if it didn't yet
 *     estimate   what its user said; 0 if he didn't
 *     mean       of the sizes of past tasks of its key, newer ones counting more; 0 if there is none
 *     last       the size of the last task of its key; 0 if there is none
 *     count      how many tasks of its key are done, at most 16
 *     residual   for how long it will run yet, to judge by those past tasks that ran for longer than it has: those of
 *                its key, less so of its group, and of all
 *     gittins    by the same, the Gittins index upside down: of all times that the task could be given next, the least
 *                ratio of the time that it would use to the gain, which is 1 / max(size, 1) if it is done by then
 *     usual      the same, to judge by all past tasks alike
 *     siblings   ready tasks of its key, itself among them
 *     pressure   ready tasks for each CPU
 */
KN_EXPORT("kn_rank")
f64 kn_rank(f64 wait, f64 attained, f64 idle, f64 estimate, f64 mean, f64 last, f64 count, f64 residual, f64 gittins,
            f64 usual, f64 siblings, f64 pressure);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/* --- for policies: the ready tasks that don't run ---------------------------------------------------------- */

typedef struct {
    u32 *slot, *place; /* the members, in no order; by slot: where it is among them */
    u32 count;
} kn_set;

static inline kn_set kn_set_new(u32 slots) {
    kn_set set = {kn_alloc(slots * 4), kn_alloc(slots * 4), 0};
    return set;
}

static inline void kn_set_add(kn_set *set, u32 slot) {
    set->place[slot] = set->count;
    set->slot[set->count++] = slot;
}

static inline void kn_set_remove(kn_set *set, u32 slot) {
    u32 moved = set->slot[--set->count];
    set->slot[set->place[slot]] = moved;
    set->place[moved] = set->place[slot];
}

/* --- the same where each has a value that doesn't change while it waits: the lowest is found fast ----------------- */

typedef struct {
    u32 *slot, count;        /* a binary heap */
    const u64 *value, *turn; /* by slot; `turn` decides between equal values */
} kn_heap;

static inline kn_heap kn_heap_new(u32 slots, const u64 *value, const u64 *turn) {
    kn_heap heap = {kn_alloc(slots * 4), 0, value, turn};
    return heap;
}

static inline u32 kn_heap_before(const kn_heap *heap, u32 a, u32 b) {
    return heap->value[a] < heap->value[b] || (heap->value[a] == heap->value[b] && heap->turn[a] < heap->turn[b]);
}

static inline void kn_heap_add(kn_heap *heap, u32 slot) {
    u32 at = heap->count++;
    for (; at && kn_heap_before(heap, slot, heap->slot[(at - 1) / 2]); at = (at - 1) / 2)
        heap->slot[at] = heap->slot[(at - 1) / 2];
    heap->slot[at] = slot;
}

/* Puts what is at `at` where it belongs among what is below it. */
static inline void kn_heap_sink(kn_heap *heap, u32 at) {
    u32 slot = heap->slot[at];
    for (u32 child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && kn_heap_before(heap, heap->slot[child + 1], heap->slot[child])) child++;
        if (!kn_heap_before(heap, heap->slot[child], slot)) break;
        heap->slot[at] = heap->slot[child];
    }
    heap->slot[at] = slot;
}

static inline u32 kn_heap_take(kn_heap *heap) {
    u32 lowest = heap->slot[0];
    heap->slot[0] = heap->slot[--heap->count];
    if (heap->count) kn_heap_sink(heap, 0);
    return lowest;
}

/* After values have changed. */
static inline void kn_heap_order(kn_heap *heap) {
    for (u32 at = heap->count / 2; at-- > 0;) kn_heap_sink(heap, at);
}

/* --- for policies: how long a task may take, to judge by the last two of its key ---------------------------- */

enum { KN_RECENT = 1 << 14 }; /* where two keys meet, the newer is kept */

typedef struct {
    u64 key, last, before;
} kn_recent;

static inline kn_recent *kn_recent_new(void) { return kn_alloc(KN_RECENT * sizeof(kn_recent)); }

static inline void kn_recent_add(kn_recent *table, u64 key, u64 size) {
    kn_recent *r = &table[(key * 0x9E3779B97F4A7C15ull) >> 50];
    r->before = r->key == key && r->last ? r->last : size;
    r->last = size;
    r->key = key;
}

/* The mean of the last two, as D. Tsafrir, Y. Etsion and D. Feitelson found best (Backfilling using system-generated predictions
 * rather than user runtime estimates, IEEE Trans. Parallel and Distributed Systems 18(6), 2007); 0 if none is known. */
static inline u64 kn_recent_mean(const kn_recent *table, u64 key) {
    const kn_recent *r = &table[(key * 0x9E3779B97F4A7C15ull) >> 50];
    return r->key == key ? (r->last + r->before + 1) / 2 : 0;
}

#endif

#endif
