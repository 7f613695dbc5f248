/*
 * GDSF, greedy dual size with frequency (L. Cherkasova, Improving WWW proxies performance with greedy-dual-size-frequency caching
 * policy, HP Labs 1998): an object's priority is the age of the cache plus requests a byte, the lowest goes, and its priority is the
 * new age.  As in libCacheSim, of equals the one goes that was requested first, and an object that would be the lowest itself does
 * not come in.
 */
#include "kn_file_system.h"

#define SCALE 1e6 /* of requests a byte, libCacheSim's */

static f64 *priority, age, newcomer;
static u64 *stamp, requests; /* by slot: the number of the last request for it */
static u32 *frequency, *size_of;
static u32 *heap, *place, count; /* the lowest is at 0 */
static u32 size;

void kn_init(u32 slots) {
    priority = kn_alloc(slots * 8);
    stamp = kn_alloc(slots * 8);
    frequency = kn_alloc(slots * 4);
    size_of = kn_alloc(slots * 4);
    heap = kn_alloc(slots * 4);
    place = kn_alloc(slots * 4);
}

void kn_bytes(u64 capacity) {}

void kn_size(u32 bytes) {
    size = bytes;
    requests++;
    newcomer = age + SCALE / bytes;
}

static u32 before(u32 a, u32 b) {
    return priority[a] < priority[b] || (priority[a] == priority[b] && stamp[a] < stamp[b]);
}

static void put(u32 at, u32 slot) {
    heap[at] = slot;
    place[slot] = at;
}

static void up(u32 at, u32 slot) {
    for (; at && before(slot, heap[(at - 1) / 2]); at = (at - 1) / 2) put(at, heap[(at - 1) / 2]);
    put(at, slot);
}

static void down(u32 at, u32 slot) {
    for (;;) {
        u32 child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], slot)) break;
        put(at, heap[child]);
        at = child;
    }
    put(at, slot);
}

void kn_hit(u32 slot) {
    frequency[slot]++;
    priority[slot] = age + frequency[slot] * SCALE / size_of[slot];
    stamp[slot] = requests;
    down(place[slot], slot); /* it never falls */
}

u32 kn_victim(u64 key) {
    u32 lowest = heap[0];
    if (newcomer < priority[lowest]) {
        age = newcomer;
        return KN_NONE;
    }
    age = priority[lowest];
    u32 last = heap[--count];
    if (count) down(0, last);
    return lowest;
}

void kn_insert(u32 slot, u64 key) {
    frequency[slot] = 1;
    size_of[slot] = size;
    priority[slot] = newcomer;
    stamp[slot] = requests;
    up(count++, slot);
}
