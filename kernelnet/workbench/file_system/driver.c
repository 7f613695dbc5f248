/*
 * The bench's trusted half: walks the trace and keeps the score.  It is the only one that knows which block is where, and
 * has a memory of its own, which the policy can't reach.  The host lays the arrays out in that memory.
 */
#define KN_BENCH
#include "kn_file_system.h"

/* The requested block of each request, a dense number in the order of first appearance; WRITTEN is set if it is written. */
static const u32 *trace;
#define WRITTEN 0x80000000u
static const u64 *keys;  /* by block: what the policy sees */
static u32 *slot_of;     /* by block: its slot, KN_NONE while it isn't resident; the host fills it with KN_NONE */
static u32 *block_in;    /* by slot; WRITTEN is set while it is dirty */
static u32 capacity, used, writebacks;
static u32 now; /* the request that is served; a policy isn't told where in the trace it is */

#ifdef KN_RANK
#include "rank.h"
#define NAME(block) block
#else
KN_POLICY("kn_init") extern void kn_init(u32 capacity);
KN_POLICY("kn_hit") extern void kn_hit(u32 slot);
KN_POLICY("kn_victim") extern u32 kn_victim(u64 key);
KN_POLICY("kn_insert") extern void kn_insert(u32 slot, u64 key);
#define NAME(block) keys[block]
#endif

KN_EXPORT("wb_begin") void wb_begin(const u32 *trace_, const u64 *keys_, u32 *slot_of_, u32 *block_in_, u32 capacity_) {
    trace = trace_;
    keys = keys_;
    slot_of = slot_of_;
    block_in = block_in_;
    capacity = capacity_;
    used = writebacks = 0;
    kn_init(capacity);
}

/* Serves the requests from `from` to before `to`.  Returns how many missed; -1 - i if the policy named a slot that does
 * not exist at request i. */
KN_EXPORT("wb_run") long long wb_run(u32 from, u32 to) {
    long long misses = 0;
/* Fuel and time are checked once in a round. */
#pragma clang loop unroll_count(4)
    for (u32 at = from; at < to; at++) {
        now = at;
        u32 request = trace[at], block = request & ~WRITTEN, slot = slot_of[block];
        if (slot != KN_NONE) {
            if (request != block) block_in[slot] = request;
            kn_hit(slot);
            continue;
        }
        misses++;
        if (used < capacity) {
            slot = used++;
        } else {
            slot = kn_victim(NAME(block));
            if (slot >= capacity) return -1 - (long long)at;
            writebacks += block_in[slot] / WRITTEN;
            slot_of[block_in[slot] & ~WRITTEN] = KN_NONE;
        }
        block_in[slot] = request;
        slot_of[block] = slot;
        kn_insert(slot, NAME(block));
    }
    return misses;
}

/* How many dirty blocks were evicted so far. */
KN_EXPORT("wb_writebacks") u32 wb_writebacks(void) { return writebacks; }
