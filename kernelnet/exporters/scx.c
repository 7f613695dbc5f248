/*
 * A component of kernelnet's process_manager bench as a scheduler of Linux (sched_ext, 6.12 or newer).
 *
 * One instance decides for all CPUs, at one time, as in the bench: whenever a thread wakes up, one goes to sleep, or a slice ends
 * while others wait, it is told how long each ran that it had picked, who came, and picks as many as there are CPUs.  Who is
 * picked again stays where it runs; the CPUs of the others are interrupted, and take those that are new.  What the bench
 * calls a task is a burst here: what a thread does from being woken to going to sleep.
 *
 * Threads that may not run everywhere, threads of the kernel, and those for which there is no slot left are not the component's:
 * each goes to its own CPU's queue, ahead of all others, as it comes.  A component that goes wrong, or spends its fuel, ends
 * the scheduler: the kernel goes on with its own.
 */
#include "component.c"
#ifndef KN_GROUND
#define KN_GROUND "scx_kernel.h"
#endif
#include KN_GROUND

#ifndef KN_SLOTS
#define KN_SLOTS 4096 /* as Window in scx.py has it */
#endif
#define ENTRIES 4096 /* a power of two, and not less */
#define CPUS 256     /* the same */
#define NONE 0xffffffffu
#ifndef KN_TICK_US /* the bench's settings tick_us and quantum_us */
#define KN_TICK_US 1000
#endif
#ifndef KN_QUANTUM_US
#define KN_QUANTUM_US 10000
#endif
#define OTHERS_NS 5000000ull /* a slice of what isn't the component's */
#define ENDLESS (~0ull)
#define FUEL 4000000 /* of one decision */
#define FUEL_INIT 40000000
#define GONE_MOST 8 /* decisions anew because one was picked that is no more */

enum { FREE, COMING, READY, PICKED };
enum { KN_BAD_SLOT = 32, KN_NO_LOCK };
enum { OUTSIDE = 0x00200000, EXITING = 4, SLEEPS = 1 }; /* of the kernel: PF_KTHREAD, PF_EXITING, DEQUEUE_SLEEP */

typedef struct {
    u64 key, group;
    u64 since, ran, told; /* ns: when it was counted last, and what it ran; what the component was told of that, in us */
    u64 slice;            /* ns */
    u32 pid, slot, state;
    u32 cpu; /* on whose queue it is, or where it runs */
    u32 isRunning, isHeld, isOver, pad; /* isHeld: it is in nobody's queue but ours */
} entry;

component policy;
entry entries_[ENTRIES];
u32 freeEntries[ENTRIES], freeSlots[ENTRIES], entryBySlot[ENTRIES], coming[ENTRIES], picked[CPUS], onCpu[CPUS];
u32 entriesLeft, slotsLeft, comings, picks, ready, cpus, isStale, isBroken;
u64 began, toldAt; /* ns, us */
u64 decisions, switches; /* `bpftool map dump` shows them */

volatile u32 zero; /* where loops begin: no number that the verifier would follow one by one */

#define AT(number, room) ({ u32 at_ = (number); KN_OPAQUE(at_); at_ & ((room) - 1); })
#define ENTRY(number) (&entries_[AT(number, ENTRIES)])

static u64 mixed(u64 x) { /* the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* --- what the component is told: in the bench's order; the kernel's verifier looks at each function once --------------- */

KN_INSIDE u64 elapsed(u64 now) {
    u64 us = (now - began) / 1000, since = us - toldAt;
    toldAt = us;
    return since;
}

KN_INSIDE void counted(entry *e, u64 now) {
    if (!e->isRunning) return;
    if (now > e->since) e->ran += now - e->since;
    e->since = now;
}

KN_INSIDE void freed(u32 number) {
    u32 slot = ENTRY(number)->slot;
    ENTRY(number)->state = FREE;
    if (slot != NONE) freeSlots[AT(slotsLeft++, ENTRIES)] = slot;
    freeEntries[AT(entriesLeft++, ENTRIES)] = number;
}

/* One that was picked: what it ran, and whether that was all of it. */
KN_FUNCTION u32 tell_ran(u32 number, u64 now) {
    entry *e = ENTRY(number);
    u64 ran;
    u32 slot = e->slot;
    counted(e, now);
    ran = e->ran / 1000 - e->told;
    e->told += ran;
    if (e->isOver) {
        freed(number);
        ready--;
        component_kn_done(&policy, slot, ran, elapsed(now));
    } else {
        e->state = READY;
        component_kn_ran(&policy, slot, ran, elapsed(now));
    }
    return 0;
}

KN_FUNCTION u32 tell_arrived(u32 number, u64 now) {
    entry *e = ENTRY(number);
    u32 slot;
    if (e->isOver || !slotsLeft) { /* it went before anybody knew; as many entries as slots are given */
        freed(number);
        return 0;
    }
    slot = freeSlots[AT(--slotsLeft, ENTRIES)];
    e->slot = slot;
    e->state = READY;
    entryBySlot[AT(slot, ENTRIES)] = number;
    ready++;
    component_kn_arrive(&policy, slot, e->key, e->group, 0, elapsed(now));
    return 0;
}

/* For how long one may run while others wait, as the bench has it: an eighth of what it ran, within bounds. */
KN_INSIDE u64 sliceFor(entry *e, u32 most) {
    u64 eighth = e->ran / 1000 / 8;
    if (ready <= most) return ENDLESS;
    if (eighth < KN_TICK_US) return KN_TICK_US * 1000ull;
    return (eighth < KN_QUANTUM_US ? eighth : KN_QUANTUM_US) * 1000ull;
}

/* The next one, at place i; 1: one that isn't there any more. */
KN_FUNCTION u32 choose(u32 i, u64 now, u32 most) {
    u32 slot = component_kn_pick(&policy, elapsed(now)), number;
    entry *e;
    if (policy.trapped) return 0;
    number = slot < KN_SLOTS ? entryBySlot[AT(slot, ENTRIES)] : NONE;
    e = ENTRY(number);
    if (number == NONE || e->state != READY || e->slot != slot) {
        kn_fault(&policy, KN_BAD_SLOT);
        return 0;
    }
    e->state = PICKED;
    e->slice = sliceFor(e, most);
    picked[AT(i, CPUS)] = number;
    return e->isOver;
}

/* All that a decision is to the component. */
KN_FUNCTION u32 decide(u64 now) {
    u32 i, turn, most, gone = 1;
    policy.fuel = FUEL;
    for (turn = zero; gone && turn < GONE_MOST; turn++) {
        KN_MAY_END(out);
        gone = 0;
        for (i = zero; i < picks; i++) {
            KN_MAY_END(out);
            tell_ran(picked[AT(i, CPUS)], now);
        }
        picks = 0;
        for (i = zero; i < comings; i++) {
            KN_MAY_END(out);
            tell_arrived(coming[AT(i, ENTRIES)], now);
        }
        comings = 0;
        most = ready < cpus ? ready : cpus;
        for (i = zero; i < most; i++) {
            KN_MAY_END(out);
            gone |= choose(i, now, most);
            if (policy.trapped) goto out;
            picks = i + 1;
        }
        if (most) decisions++;
    }
out:
    isStale = gone;
    return 0;
}

KN_FUNCTION u32 tell_started(u32 many) {
    u32 i;
    for (i = zero; i < ENTRIES; i++) {
        KN_MAY_END(out);
        freeEntries[AT(i, ENTRIES)] = i;
        freeSlots[AT(i, ENTRIES)] = KN_SLOTS - 1 - i;
        entryBySlot[AT(i, ENTRIES)] = NONE;
    }
    for (i = zero; i < CPUS; i++) {
        KN_MAY_END(out);
        onCpu[AT(i, CPUS)] = NONE;
    }
out:
    entriesLeft = slotsLeft = KN_SLOTS;
    comings = picks = ready = isStale = 0;
    toldAt = 0;
    cpus = many < 1 ? 1 : many < CPUS ? many : CPUS;
    policy.fuel = FUEL_INIT;
    component_begin(&policy);
    component_kn_init(&policy, KN_SLOTS, cpus, KN_QUANTUM_US);
    return policy.trapped;
}

/* --- the kernel's side ------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void broke(u64 why) {
    if (!isBroken) give_up(why);
    isBroken = 1;
}

/* The thread's entry; NONE: it has none. */
KN_INSIDE u32 known(struct task_struct *p) {
    u32 *number = entryOf(p, 0);
    if (!number || !*number) return NONE;
    if (ENTRY(*number - 1)->state == FREE || ENTRY(*number - 1)->pid != (u32)p->pid) return NONE;
    return *number - 1;
}

KN_INSIDE void leaves(entry *e) {
    if (e->cpu < CPUS) onCpu[AT(e->cpu, CPUS)] = NONE;
    e->cpu = NONE;
}

/* A decision, and what follows of it for all CPUs but the one that asks. */
static __attribute__((noinline)) void decided(u64 now, u32 self) {
    u32 i, number, waiting = 0;
    struct task_struct *p;
    entry *e;
    decide(now);
    if (policy.trapped) {
        broke(policy.trapped);
        return;
    }
    for (i = zero; i < picks; i++) {
        KN_MAY_END(out);
        e = ENTRY(picked[AT(i, CPUS)]);
        if (e->cpu == NONE) {
            waiting++;
        } else if (e->cpu != self && (p = bpf_task_from_pid((int)e->pid))) {
            giveSlice(p, e->slice);
            bpf_task_release(p);
        }
    }
    for (i = zero; i < cpus; i++) {
        KN_MAY_END(out);
        number = onCpu[AT(i, CPUS)];
        if (i == self) continue;
        if (number == NONE) {
            if (!waiting) continue;
            waiting--;
        } else if (ENTRY(number)->state == PICKED) {
            continue;
        }
        interrupt(i);
    }
out:;
}

/* Gives a CPU the first of those that were picked and are on none. */
static __attribute__((noinline)) void taken(u32 cpu) {
    struct task_struct *p;
    u32 i, number;
    entry *e;
    for (i = zero; i < picks; i++) {
        KN_MAY_END(out);
        number = picked[AT(i, CPUS)];
        e = ENTRY(number);
        if (e->state != PICKED || e->isOver || !e->isHeld || e->cpu != NONE) continue;
        p = bpf_task_from_pid((int)e->pid);
        if (!p) { /* it ended */
            e->isOver = isStale = 1;
            continue;
        }
        hand(p, e->slice, 0);
        bpf_task_release(p);
        switches++;
        e->isHeld = 0;
        e->cpu = cpu;
        onCpu[AT(cpu, CPUS)] = number;
        return;
    }
out:;
}

/* One comes for good or for a while: asleep, ended, or another scheduler's. */
KN_INSIDE void over(u32 number, u64 now) {
    entry *e = ENTRY(number);
    counted(e, now);
    e->isRunning = e->isHeld = 0;
    e->isOver = 1;
    leaves(e);
    if (e->state == PICKED) isStale = 1;
#ifdef COMPONENT_HAS_kn_forget
    if (e->state == READY) {
        u32 slot = e->slot;
        freed(number);
        ready--;
        policy.fuel = FUEL;
        component_kn_forget(&policy, slot, elapsed(now));
        if (policy.trapped) broke(policy.trapped);
    }
#endif
}

#define KN_ALONE if (isBroken) return 0; if (lock()) { broke(KN_NO_LOCK); return 0; }

KN_OF_TASK(select_cpu) { return (int)ctx[1]; }

KN_OF_TASK(enqueue) {
    struct task_struct *p = (struct task_struct *)ctx[0];
    u64 flags = ctx[1], now, halves[2] = {};
    u32 *place, number = NONE;
    entry *e;
    if (isBroken || p->flags & OUTSIDE || (u32)p->nr_cpus_allowed < cpus) goto outside;
    place = entryOf(p, 1);
    if (!place) goto outside;
    nameOf(p, halves);
    if (lock()) {
        broke(KN_NO_LOCK);
        goto outside;
    }
    now = kernelTime();
    number = known(p);
    if (number != NONE && ENTRY(number)->isOver) number = NONE; /* its next burst; of the last one the component hears yet */
    if (number == NONE) {
        if (!entriesLeft || comings >= ENTRIES) {
            unlock();
            goto outside;
        }
        number = freeEntries[AT(--entriesLeft, ENTRIES)];
        e = ENTRY(number);
        e->key = mixed(threadOf(p));
        e->group = mixed(halves[0] ^ mixed(halves[1]));
        e->since = e->ran = e->told = e->slice = 0;
        e->pid = (u32)p->pid;
        e->slot = e->cpu = NONE;
        e->state = COMING;
        e->isRunning = e->isOver = 0;
        *place = number + 1;
        coming[AT(comings++, ENTRIES)] = number;
        isStale = 1;
    } else {
        e = ENTRY(number);
        if (e->state == PICKED) isStale = 1; /* others were ahead in its queue */
        leaves(e);
    }
    e->isHeld = 1;
    unlock();
    if (isStale) interrupt(cpuOf(p));
    return 0;
outside:
    hand(p, OTHERS_NS, flags);
    return 0;
}

KN_OF_TASK(dequeue) {
    u32 number;
    KN_ALONE
    number = known((struct task_struct *)ctx[0]);
    if (number != NONE) ENTRY(number)->isHeld = 0;
    unlock();
    return 0;
}

KN_OF_CPU(dispatch) {
    u32 cpu = (u32)ctx[0], number = NONE;
    struct task_struct *before = (struct task_struct *)ctx[1];
    entry *e;
    KN_ALONE
    if (cpu >= CPUS) goto out;
    if (before) number = known(before);
    e = ENTRY(number);
    if (number != NONE && (e->isOver || e->cpu != cpu)) number = NONE;
    if (isStale || (number != NONE && e->state == PICKED && !sliceOf(before))) decided(kernelTime(), cpu);
    if (policy.trapped) goto out;
    if (number != NONE && e->state == PICKED) {
        giveSlice(before, e->slice);
        goto out;
    }
    if (number != NONE) leaves(e);
    onCpu[AT(cpu, CPUS)] = NONE;
    taken(cpu);
out:
    unlock();
    return 0;
}

KN_OF_TASK(running) {
    struct task_struct *p = (struct task_struct *)ctx[0];
    u32 number;
    KN_ALONE
    number = known(p);
    if (number != NONE && !ENTRY(number)->isOver) {
        ENTRY(number)->since = kernelTime();
        ENTRY(number)->isRunning = 1;
        if (ENTRY(number)->state != PICKED) giveSlice(p, 0); /* it was decided otherwise meanwhile */
    }
    unlock();
    return 0;
}

KN_OF_TASK(stopping) {
    struct task_struct *p = (struct task_struct *)ctx[0];
    u64 now = kernelTime();
    u32 number;
    KN_ALONE
    number = known(p);
    if (number != NONE) {
        counted(ENTRY(number), now);
        ENTRY(number)->isRunning = 0;
        if (p->flags & EXITING) over(number, now); /* from here on the kernel doesn't ask */
    }
    unlock();
    return 0;
}

KN_OF_TASK(quiescent) {
    u32 number;
    KN_ALONE
    number = known((struct task_struct *)ctx[0]);
    if (number != NONE) {
        if (ctx[1] & SLEEPS) over(number, kernelTime());
        else ENTRY(number)->isHeld = 0;
    }
    unlock();
    return 0;
}

KN_OF_TASK(disable) {
    u32 number;
    KN_ALONE
    number = known((struct task_struct *)ctx[0]);
    if (number != NONE) over(number, kernelTime());
    unlock();
    return 0;
}

KN_OF_NOTHING(init) {
    began = kernelTime();
    return tell_started(cpusOfMachine()) ? -22 : 0;
}

#if defined(__bpf__) && !defined(KN_CHECKED)
#define KN_TEXT_OF(name) #name
#define KN_TEXT(name) KN_TEXT_OF(name)
SEC(".struct_ops.link") struct sched_ext_ops KN_NAME = {
    .select_cpu = (void *)select_cpu,
    .enqueue = (void *)enqueue,
    .dequeue = (void *)dequeue,
    .dispatch = (void *)dispatch,
    .running = (void *)running,
    .stopping = (void *)stopping,
    .quiescent = (void *)quiescent,
    .disable = (void *)disable,
    .init = (void *)init,
#ifdef KN_PARTIAL /* threads that asked for it alone (SCHED_EXT) */
    .flags = SCX_OPS_SWITCH_PARTIAL,
#endif
    .timeout_ms = 30000,
    .name = KN_TEXT(KN_NAME),
};
#endif
