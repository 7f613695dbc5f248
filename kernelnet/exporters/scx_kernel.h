/*
 * The ground that scx.c stands on in the kernel: as much of its own types and functions as a scheduler touches.  libbpf finds
 * where the members are in the kernel that it loads into (CO-RE), so neither its headers nor the whole of its types are needed.
 *
 * With KN_CHECKED each callback becomes a tracing program, and what only a kernel with SCHED_CLASS_EXT has is left out: so the
 * verifier of any kernel can look at all the rest.
 */
#ifndef KN_SCX_KERNEL_H
#define KN_SCX_KERNEL_H

#define SEC(name) __attribute__((section(name), used))
#define NOT_REFERENCED __attribute__((weak)) SEC(".ksyms")

enum { BPF_MAP_TYPE_TASK_STORAGE = 29, BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

char _license[] SEC("license") = "Dual MIT/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#ifndef KN_CHECKED
struct sched_ext_entity {
    u64 slice;
};
#endif

struct task_struct {
    int pid, nr_cpus_allowed;
    u32 flags;
    char comm[16];
#ifndef KN_CHECKED
    struct sched_ext_entity scx;
#endif
};

#pragma clang attribute pop

static void *(*bpf_task_storage_get)(void *map, struct task_struct *p, void *value, u64 flags) = (void *)156;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_probe_read_kernel)(void *to, u32 bytes, const void *from) = (void *)113;
extern struct task_struct *bpf_task_from_pid(int pid) SEC(".ksyms");
extern void bpf_task_release(struct task_struct *p) SEC(".ksyms");

struct {
    int (*type)[BPF_MAP_TYPE_TASK_STORAGE];
    int (*map_flags)[BPF_F_NO_PREALLOC];
    int *key;
    u32 *value;
} entries SEC(".maps");

KN_INSIDE u32 *entryOf(struct task_struct *p, u32 isNew) {
    return bpf_task_storage_get(&entries, p, 0, isNew ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

KN_INSIDE u64 kernelTime(void) { return bpf_ktime_get_ns(); }

/* Which thread it is, as a number; two halves of its name. */
KN_INSIDE u64 threadOf(struct task_struct *p) { return (u32)p->pid; }
KN_INSIDE void nameOf(struct task_struct *p, u64 *halves) { bpf_probe_read_kernel(halves, 16, p->comm); }

/* Interrupts are off in all callbacks that take it.  1: nobody let go of it for far too long. */
static u32 lock_word;
static __attribute__((noinline)) u32 lock(void) {
    while (__sync_val_compare_and_swap(&lock_word, 0, 1)) KN_MAY_END(out);
    return 0;
out:
    return 1;
}
KN_INSIDE void unlock(void) { __sync_val_compare_and_swap(&lock_word, 1, 0); }

#ifdef KN_CHECKED

/* (task, number), (number, task), and nothing that matters: the arguments are those of the callbacks. */
#define KN_OF_TASK(name) SEC("tp_btf/sched_migrate_task") int name(u64 *ctx)
#define KN_OF_CPU(name) SEC("tp_btf/sched_switch") int name(u64 *ctx)
#define KN_OF_NOTHING(name) SEC("tp_btf/sched_waking") int name(u64 *ctx)
u64 asked; /* of the kernel; so that nothing is left out */
KN_INSIDE u64 sliceOf(struct task_struct *p) { return asked; }
KN_INSIDE void giveSlice(struct task_struct *p, u64 ns) { asked += ns; }
KN_INSIDE void hand(struct task_struct *p, u64 ns, u64 flags) { asked += ns + flags; }
KN_INSIDE void interrupt(u32 cpu) { asked += cpu; }
KN_INSIDE u32 cpuOf(struct task_struct *p) { return (u32)asked; }
KN_INSIDE u32 cpusOfMachine(void) { return (u32)asked; }
KN_INSIDE void give_up(u64 why) { asked = why; }

#else

#define KN_OF_TASK(name) SEC("struct_ops/" #name) int name(u64 *ctx)
#define KN_OF_CPU(name) SEC("struct_ops/" #name) int name(u64 *ctx)
#define KN_OF_NOTHING(name) SEC("struct_ops/" #name) int name(u64 *ctx)

#define SCX_DSQ_LOCAL (1ull << 63 | 2)
#define SCX_KICK_PREEMPT 2
#define SCX_OPS_SWITCH_PARTIAL 8

/* Until 6.13 the one, from then on the other. */
extern void scx_bpf_dispatch(struct task_struct *p, u64 queue, u64 slice, u64 flags) NOT_REFERENCED;
extern void scx_bpf_dsq_insert(struct task_struct *p, u64 queue, u64 slice, u64 flags) NOT_REFERENCED;
extern void scx_bpf_kick_cpu(i32 cpu, u64 flags) SEC(".ksyms");
extern i32 scx_bpf_task_cpu(const struct task_struct *p) SEC(".ksyms");
extern u32 scx_bpf_nr_cpu_ids(void) SEC(".ksyms");
extern void scx_bpf_error_bstr(char *text, unsigned long long *data, u32 data__sz) SEC(".ksyms");

KN_INSIDE u64 sliceOf(struct task_struct *p) { return p->scx.slice; }
KN_INSIDE void giveSlice(struct task_struct *p, u64 ns) { p->scx.slice = ns; }
/* To the queue of the CPU that asks, or that the task is on. */
KN_INSIDE void hand(struct task_struct *p, u64 ns, u64 flags) {
    if (&scx_bpf_dsq_insert) scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, ns, flags);
    else scx_bpf_dispatch(p, SCX_DSQ_LOCAL, ns, flags);
}
KN_INSIDE void interrupt(u32 cpu) { scx_bpf_kick_cpu((i32)cpu, SCX_KICK_PREEMPT); }
KN_INSIDE u32 cpuOf(struct task_struct *p) { return (u32)scx_bpf_task_cpu(p); }
KN_INSIDE u32 cpusOfMachine(void) { return scx_bpf_nr_cpu_ids(); }

/* The kernel takes the scheduler out, says so in its log, and schedules by its own. */
static char gaveUp[] = "kernelnet: the component went wrong (%llu)";
KN_INSIDE void give_up(u64 why) {
    unsigned long long data[1] = {why};
    scx_bpf_error_bstr(gaveUp, data, sizeof data);
}

struct scx_exit_info;
struct sched_ext_ops {
    i32 (*select_cpu)(struct task_struct *p, i32 before, u64 flags);
    void (*enqueue)(struct task_struct *p, u64 flags);
    void (*dequeue)(struct task_struct *p, u64 flags);
    void (*dispatch)(i32 cpu, struct task_struct *before);
    void (*running)(struct task_struct *p);
    void (*stopping)(struct task_struct *p, _Bool isReady);
    void (*quiescent)(struct task_struct *p, u64 flags);
    void (*disable)(struct task_struct *p);
    i32 (*init)(void);
    u64 flags;
    u32 timeout_ms;
    char name[128];
};

#endif

#endif
