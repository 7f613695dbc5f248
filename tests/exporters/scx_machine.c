/*
 * The ground that scx.c stands on in a test, KN_GROUND: in place of the kernel a machine that has some CPUs, a clock, and threads
 * that run for as long as they need.  It calls the scheduler as the kernel's sched_ext does (kernel/sched/ext.c: balance_one,
 * put_prev_task_scx, set_next_task_scx), and gives and takes slices; what a switch costs is spent before a thread is `running`.
 */
#include <stdlib.h>
#include <string.h>

#define KN_OF_TASK(name) static int name(u64 *ctx)
#define KN_OF_CPU(name) static int name(u64 *ctx)
#define KN_OF_NOTHING(name) static int name(u64 *ctx)
#define SHOWN __attribute__((visibility("default")))

struct task_struct {
    int pid, nr_cpus_allowed;
    u32 flags;
    char comm[16];
    u64 slice, thread, left, debt;
    u32 number, cpu, isToldRunning;
};

typedef struct {
    struct task_struct *now, *queue[4096];
    u32 queued, isAsked;
} processor;

extern component policy;
static struct task_struct *threads;
static processor processors[64];
static u32 many, dispatching = ~0u, isLocked, misuses;
static u64 clock_ns, gave;

static u32 *entryOf(struct task_struct *p, u32 isNew) { return &p->number; }
static u64 kernelTime(void) { return clock_ns; }
static u64 threadOf(struct task_struct *p) { return p->thread; }
static void nameOf(struct task_struct *p, u64 *halves) { memcpy(halves, p->comm, 16); }
static u32 lock(void) { return isLocked++ != 0; }
static void unlock(void) { misuses += isLocked-- != 1; }
static u64 sliceOf(struct task_struct *p) { return p->slice; }
static void giveSlice(struct task_struct *p, u64 ns) { p->slice = ns; }
static u32 cpuOf(struct task_struct *p) { return p->cpu; }
static u32 cpusOfMachine(void) { return many; }
static void give_up(u64 why) { gave = why; }
static struct task_struct *bpf_task_from_pid(int pid) { return &threads[pid - 1]; }
static void bpf_task_release(struct task_struct *p) {}

static void hand(struct task_struct *p, u64 ns, u64 flags) {
    processor *c = &processors[dispatching == ~0u ? p->cpu : dispatching];
    p->slice = ns;
    c->queue[c->queued++ % 4096] = p;
    if (dispatching == ~0u) c->isAsked = 1;
}

static void interrupt(u32 cpu) {
    processors[cpu].isAsked = 1;
    if (processors[cpu].now) processors[cpu].now->slice = 0;
}

static int select_cpu(u64 *), enqueue(u64 *), dispatch(u64 *), running(u64 *), stopping(u64 *), quiescent(u64 *), disable(u64 *), init(u64 *);

static void call(int callback(u64 *), struct task_struct *p, u64 number) {
    u64 ctx[2] = {(u64)p, number};
    callback(ctx);
}

static void begins(struct task_struct *p) {
    if (p->isToldRunning) return;
    p->isToldRunning = 1;
    call(running, p, 0);
}

static void ends(struct task_struct *p, u32 isReady) {
    if (p->isToldRunning) call(stopping, p, isReady);
    p->isToldRunning = 0;
}

/* What the kernel does in schedule(). */
static void scheduled(u32 cpu, u64 change) {
    processor *c = &processors[cpu];
    struct task_struct *before = c->now, *next;
    u64 ctx[2] = {cpu, (u64)before};
    c->isAsked = 0;
    if (before && before->slice) return;
    if (!c->queued) {
        dispatching = cpu;
        dispatch(ctx);
        dispatching = ~0u;
        if (before && before->slice) return;
    }
    if (!c->queued) {
        if (before && before->number) misuses++; /* it would go on, though nobody wants it to */
        else if (before) before->slice = 20000000; /* the kernel's own */
        return;
    }
    next = c->queue[0];
    memmove(c->queue, c->queue + 1, --c->queued * sizeof *c->queue);
    if (before) {
        ends(before, 1);
        call(enqueue, before, 0);
    }
    c->now = next;
    next->cpu = cpu;
    next->debt = change;
    if (!change) begins(next);
}

static u32 isBusy(struct task_struct *p) {
    for (u32 i = 0; i < many; i++) {
        if (processors[i].now == p) return 1;
        for (u32 k = 0; k < processors[i].queued; k++) if (processors[i].queue[k] == p) return 1;
    }
    return 0;
}

/*
 * Runs tasks until all are done.  Times in microseconds.  wait: how long each was ready without running.  Result: 0, or what the
 * component was given up for; -1: the scheduler did what it must not; -2: somebody is forgotten.  odd: of so many threads one may not run everywhere, and
 * one is taken away while it waits; 0: none.
 */
SHOWN i64 machine_run(u32 count, const u64 *arrival, const u64 *run, const u32 *thread, const u32 *group, u32 cpus_, u64 change,
                      u64 *wait, u32 odd) {
    u32 next = 0, left = count, i;
    u64 nothing[1] = {0};
    many = cpus_;
    threads = calloc(count, sizeof *threads);
    if (init(nothing)) return (i64)policy.trapped;
    while (left && !gave && !misuses) {
        u64 at = next < count ? arrival[next] * 1000 : ~0ull;
        for (i = 0; i < many; i++) {
            struct task_struct *p = processors[i].now;
            u64 until = p ? (p->left < p->slice ? p->left : p->slice) : 0;
            if (p && clock_ns + p->debt + until < at) at = clock_ns + p->debt + until;
        }
        if (at == ~0ull) return -2; /* somebody is forgotten */
        u64 since = clock_ns;
        for (i = 0; i < many; i++) {
            struct task_struct *p = processors[i].now;
            u64 passed = at - since, paid;
            if (!p) continue;
            paid = p->debt < passed ? p->debt : passed;
            p->debt -= paid;
            clock_ns = since + paid;
            if (!p->debt) begins(p);
            p->left -= passed - paid;
            if (p->slice != ~0ull) p->slice -= passed - paid;
        }
        clock_ns = at;
        for (i = 0; i < many; i++) {
            struct task_struct *p = processors[i].now;
            if (!p || (p->left && p->slice)) continue;
            processors[i].isAsked = 1;
            if (p->left) continue;
            ends(p, 0);
            call(quiescent, p, 1);
            processors[i].now = 0;
            wait[p->pid - 1] = clock_ns / 1000 - arrival[p->pid - 1] - run[p->pid - 1];
            left--;
        }
        for (; next < count && arrival[next] * 1000 <= clock_ns; next++) {
            struct task_struct *p = &threads[next];
            p->pid = (int)next + 1;
            p->nr_cpus_allowed = (int)many - (odd && next % odd == 1);
            p->thread = thread[next] + 1;
            memcpy(p->comm, &group[next], sizeof *group);
            p->left = run[next] * 1000;
            u64 ctx[2] = {(u64)p, next % many};
            p->cpu = (u32)select_cpu(ctx);
            call(enqueue, p, 1);
        }
        for (u32 isAgain = 1; isAgain && !gave;) {
            isAgain = 0;
            for (i = 0; i < many; i++) {
                if (!processors[i].isAsked) continue;
                isAgain = 1;
                scheduled(i, change * 1000);
            }
        }
        if (odd && next % odd == 2 && threads[next - 1].left && !isBusy(&threads[next - 1])) {
            threads[next - 1].left = 0;
            call(disable, &threads[next - 1], 0);
            left--;
        }
    }
    return gave ? (i64)gave : misuses ? -1 : 0;
}
