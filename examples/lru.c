/*
 * LRU, the least recently used: when the cache is full, the block goes that was requested longest ago.
 *
 * A policy to start from.  Measure it beside all hand-made ones, on the traces that ship or on one of your own:
 *
 *     kernelnet bench run file_system --component examples/lru.c
 *     kernelnet bench run file_system --component examples/lru.c --trace FILE --capacity 10%
 *
 * It has the misses of the built-in "lru", to the unit.  Then change which block goes.
 */
#include "kn_file_system.h" /* says what the bench calls when; it brings kn.h, a library of lists, maps and ghosts */

static kn_links links;
static u32 list; /* the slots in use, the one requested last in front; its head is a node of its own, behind the slots */

/* Once, before all else. */
void kn_init(u32 capacity) {
    links = kn_links_new(capacity + 1);
    list = capacity;
    kn_list_init(links, list);
}

/* The block in `slot` was requested again. */
void kn_hit(u32 slot) {
    kn_unlink(links, slot);
    kn_push_front(links, list, slot);
}

/* The cache is full: which slot's block goes? */
u32 kn_victim(u64 key) { return kn_pop_back(links, list); }

/* Block `key` came into `slot`. */
void kn_insert(u32 slot, u64 key) { kn_push_front(links, list, slot); }
