/*
 * The bench's trusted half where objects have sizes: walks the trace, keeps the score and counts bytes.  See driver.c, which does so
 * for blocks of one size.
 */
#define KN_BENCH
#define KN_SIZED
#include "kn_file_system.h"

/* The requested object of each request, a dense number in the order of first appearance; WRITTEN is set if it is written. */
static const u32 *trace;
#define WRITTEN 0x80000000u
static const u32 *sizes; /* by request: its object's bytes, >= 1 */
static const u64 *keys;  /* by object: what the policy sees */
static u32 *slot_of;     /* by object: its slot, KN_NONE while it isn't resident; the host fills it with KN_NONE */
static u32 *block_in;    /* by slot; WRITTEN is set while it is dirty */
static u32 *size_in;     /* by slot: the bytes with which its object came in */
/* The slots: the first `count` are taken, in no order that means anything, the others are free.  place[] is the inverse. */
static u32 *order, *place;
static u32 capacity, count, writebacks; /* `capacity` is in slots */
static u64 room, occupied;              /* bytes */
static u32 now; /* the request that is served; a policy isn't told where in the trace it is */
static u32 by_bytes;
static i64 requests_missed, bytes_missed;

#ifdef KN_RANK
#include "rank.h"
#define NAME(block) block
#else
KN_POLICY("kn_init") extern void kn_init(u32 capacity);
KN_POLICY("kn_bytes") extern void kn_bytes(u64 capacity);
KN_POLICY("kn_size") extern void kn_size(u32 bytes);
KN_POLICY("kn_hit") extern void kn_hit(u32 slot);
KN_POLICY("kn_victim") extern u32 kn_victim(u64 key);
KN_POLICY("kn_insert") extern void kn_insert(u32 slot, u64 key);
#define NAME(block) keys[block]
#endif

KN_EXPORT("wb_arrays")
void wb_arrays(const u32 *trace_, const u32 *sizes_, const u64 *keys_, u32 *slot_of_, u32 *block_in_, u32 *size_in_, u32 *order_,
               u32 *place_) {
    trace = trace_;
    sizes = sizes_;
    keys = keys_;
    slot_of = slot_of_;
    block_in = block_in_;
    size_in = size_in_;
    order = order_;
    place = place_;
}

/* `slots_` are as many as objects can be resident at once; `objects`: objects of the mean size that fit into the cache. */
KN_EXPORT("wb_begin") void wb_begin(u32 slots_, u64 bytes, u32 by_bytes_, u32 objects) {
    capacity = slots_;
    room = bytes;
    by_bytes = by_bytes_;
    count = writebacks = 0;
    occupied = 0;
    requests_missed = bytes_missed = 0;
    for (u32 slot = 0; slot < capacity; slot++) order[slot] = place[slot] = slot;
#ifdef KN_RANK
    kn_init(objects);
#else
    kn_init(capacity);
    kn_bytes(bytes);
#endif
}

static void swap(u32 at, u32 other) {
    u32 slot = order[at];
    order[at] = order[other];
    order[other] = slot;
    place[order[at]] = at;
    place[slot] = other;
}

/* Serves the requests from `from` to before `to`.  Returns how many missed, or the bytes that did; -1 - i if the policy named a slot
 * that holds nothing at request i. */
KN_EXPORT("wb_run") i64 wb_run(u32 from, u32 to) {
    i64 before = by_bytes ? bytes_missed : requests_missed;
    for (u32 at = from; at < to; at++) {
        now = at;
        u32 request = trace[at], block = request & ~WRITTEN, slot = slot_of[block], bytes = sizes[at];
        if (slot != KN_NONE) {
            if (request != block) block_in[slot] = request;
#ifndef KN_RANK
            kn_size(size_in[slot]);
#endif
            kn_hit(slot);
            continue;
        }
        requests_missed++;
        bytes_missed += bytes;
        if (bytes > room) continue;
#ifndef KN_RANK
        kn_size(bytes);
#endif
        u32 declined = 0;
        while (occupied + bytes > room) {
            slot = kn_victim(NAME(block));
            if (slot == KN_NONE) {
                declined = 1;
                break;
            }
            if (slot >= capacity || place[slot] >= count) return -1 - (i64)at;
            writebacks += block_in[slot] / WRITTEN;
            slot_of[block_in[slot] & ~WRITTEN] = KN_NONE;
            occupied -= size_in[slot];
            swap(place[slot], --count);
        }
        if (declined) continue;
        slot = order[count++];
        block_in[slot] = request;
        size_in[slot] = bytes;
        slot_of[block] = slot;
        occupied += bytes;
        kn_insert(slot, NAME(block));
    }
    return (by_bytes ? bytes_missed : requests_missed) - before;
}

/* Dirty objects that were evicted so far; requests and bytes that missed so far. */
KN_EXPORT("wb_writebacks") u32 wb_writebacks(void) { return writebacks; }
KN_EXPORT("wb_requests") i64 wb_requests(void) { return requests_missed; }
KN_EXPORT("wb_bytes") i64 wb_bytes(void) { return bytes_missed; }
