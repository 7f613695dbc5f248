/*
 * The bench's trusted half: a machine with some CPUs, a clock, and the score.  It is the only one that knows how long a task
 * has to run, and has a memory of its own, which the policy can't reach.  The host lays the arrays out in that memory.
 *
 * Whom it asks is decided when it is compiled: a policy of the full ABI; with KN_RANK `rank.c`, which asks a rank
 * function; with KN_SRPT `srpt.c`, which is allowed to look.
 */
#define KN_BENCH
#include "kn_process_manager.h"

enum { FREE, READY, RAN, PICKED }; /* a slot's state; RAN: ready, and it ran until now */

typedef struct {
    const u64 *arrival, *run, *estimate; /* by task, in the order of arrival; estimate 0: none */
    const u32 *key, *group;              /* by task: dense numbers */
    const u64 *key_salt, *group_salt;    /* by key and group: what the policy sees */
    u64 *wait;                           /* by task: how long it was ready without running, once it is done */
    u32 *task, *state, *free;            /* by slot: its task, its state; the free slots, the next one last */
    u64 *left, *debt;                    /* by slot: how long it has to run yet; how much of its switch isn't paid */
    u32 *picked, *last;                  /* room for a slot for each CPU: in this step, and in the one before */
    u8 *adapter;                         /* room for rank.c, zeroed */
    u32 slots, cpus, keys, groups;
    u64 tick, quantum, change, bound; /* `change` is what a switch costs, less than a tick */
} kn_machine;

static kn_machine m;
static u64 now, told; /* told: when the policy was called last */
static u32 ready, frees;
static u64 switches, decisions;

#if defined(KN_RANK)
enum { RANK = 1, SRPT = 0 };
#include "rank.c"
#elif defined(KN_SRPT)
enum { RANK = 0, SRPT = 1 };
#include "srpt.c"
#else
enum { RANK = 0, SRPT = 0 };
KN_POLICY("kn_init") extern void kn_init(u32 slots, u32 cpus, u64 quantum);
KN_POLICY("kn_arrive") extern void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed);
KN_POLICY("kn_pick") extern u32 kn_pick(u64 elapsed);
KN_POLICY("kn_ran") extern void kn_ran(u32 slot, u64 ran, u64 elapsed);
KN_POLICY("kn_done") extern void kn_done(u32 slot, u64 ran, u64 elapsed);
#endif

KN_EXPORT("wb_begin") void wb_begin(const kn_machine *machine) {
    m = *machine;
    now = told = switches = decisions = 0;
    ready = 0;
    frees = m.slots;
    for (u32 i = 0; i < m.slots; i++) {
        m.free[i] = m.slots - 1 - i;
        m.state[i] = FREE;
    }
    for (u32 i = 0; i < m.cpus; i++) m.last[i] = KN_NONE;
    kn_init(m.slots, m.cpus, m.quantum);
}

/*
 * The time that a call is given.  A policy is told of differences only: what counts up would tell it where in a trace that it
 * knows it is.  The adapters are the bench's own, and look at the clock.
 */
static u64 clock(void) {
    u64 elapsed = now - told;
    told = now;
    return RANK || SRPT ? now : elapsed;
}

static void arrive(u32 task) {
    u32 slot = m.free[--frees];
    m.task[slot] = task;
    m.state[slot] = READY;
    m.left[slot] = m.run[task];
    ready++;
    kn_arrive(slot, m.key_salt[m.key[task]], m.group_salt[m.group[task]], m.estimate[task], clock());
}

/* A task that arrived `response` ago is done.  Returns its bounded slowdown in thousandths (Feitelson, Metrics for parallel
 * job scheduling and their convergence, JSSPP 2001). */
static u64 done(u32 slot, u64 response) {
    u32 task = m.task[slot];
    u64 run = m.run[task], slowdown = response * 1000 / (run > m.bound ? run : m.bound);
    m.wait[task] = response - run;
    m.state[slot] = FREE;
    m.free[frees++] = slot;
    ready--;
    return slowdown > 1000 ? slowdown : 1000;
}

static u64 least(u64 a, u64 b) { return a < b ? a : b; }

/*
 * For how long a task may run until the next decision, while others wait: an eighth of what it has run, but a tick at least, and
 * a quantum at most.  Rank functions aren't told of quanta; and who looks into the future need not look again.
 */
static u64 timer(u32 slot) {
    u64 eighth = (m.run[m.task[slot]] - m.left[slot]) / 8;
    if (SRPT) return ~0ull;
    if (eighth < m.tick) return m.tick;
    return RANK ? eighth : least(eighth, m.quantum);
}

/*
 * Runs the tasks from `from` to before `to`, until all of them are done: none later than these has come in then.  If the clock
 * is past the first one's arrival by that time, all of them arrive that much later.  Returns the sum of the bounded
 * slowdowns in thousandths; -1 - i if the policy picked what it may not after task i had arrived.
 */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    u64 score = 0;
    u32 next = from;
    if (from == to) return 0;
    u64 shift = now > m.arrival[from] ? now - m.arrival[from] : 0;
    while (next < to || ready) {
        if (!ready) now = m.arrival[next] + shift;
        while (next < to && m.arrival[next] + shift <= now) arrive(next++);

        u32 picks = ready < m.cpus ? ready : m.cpus;
        for (u32 i = 0; i < picks; i++) {
            u32 slot = kn_pick(clock());
            if (slot >= m.slots || (m.state[slot] != READY && m.state[slot] != RAN)) return -1 - (i64)(next - 1);
            if (m.state[slot] == READY) {
                m.debt[slot] = m.change;
                switches++;
            }
            m.state[slot] = PICKED;
            m.picked[i] = slot;
        }
        decisions++;

        u64 step = ~0ull;
        for (u32 i = 0; i < picks; i++) {
            u32 slot = m.picked[i];
            u64 most = ready > picks ? least(m.left[slot], timer(slot)) : m.left[slot];
            step = least(step, m.debt[slot] + most);
        }
        if (next < to) step = least(step, m.arrival[next] + shift - now);
        now += step;

        /* Who ran in the last step and was not picked in this one has to be switched to again. */
        for (u32 i = 0; i < m.cpus; i++)
            if (m.last[i] != KN_NONE && m.state[m.last[i]] == RAN) m.state[m.last[i]] = READY;
        for (u32 i = 0; i < m.cpus; i++) m.last[i] = i < picks ? m.picked[i] : KN_NONE;
        for (u32 i = 0; i < picks; i++) {
            u32 slot = m.picked[i];
            u64 paid = least(m.debt[slot], step), ran = step - paid;
            m.debt[slot] -= paid;
            m.left[slot] -= ran;
            if (m.left[slot]) {
                m.state[slot] = RAN;
                kn_ran(slot, ran, clock());
            } else {
                score += done(slot, now - m.arrival[m.task[slot]] - shift);
                kn_done(slot, ran, clock());
            }
        }
    }
    return (i64)score;
}

KN_EXPORT("wb_switches") u64 wb_switches(void) { return switches; }
KN_EXPORT("wb_decisions") u64 wb_decisions(void) { return decisions; }
