/* 2Q (Johnson and Shasha, VLDB 1994), the full version: newcomers pass through a FIFO (A1in, a quarter of the cache); who
 * is requested again while its ghost is remembered (A1out, half the cache's size) gets into an LRU list (Am). */
#include "kn_file_system.h"

static kn_links links;
static kn_ghosts a1out;
static u32 a1in, am; /* heads */
static u32 a1in_count, am_count, a1in_limit;
static u8 *in_am;
static u64 *key_in;
static u8 remembered; /* whether the block that comes in was in A1out */

void kn_init(u32 capacity) {
    links = kn_links_new(capacity + 2);
    a1in = capacity;
    am = capacity + 1;
    kn_list_init(links, a1in);
    kn_list_init(links, am);
    a1in_limit = capacity / 4;
    a1out = kn_ghosts_new(capacity / 2);
    in_am = kn_alloc(capacity);
    key_in = kn_alloc(capacity * 8);
}

void kn_hit(u32 slot) {
    if (!in_am[slot]) return;
    kn_unlink(links, slot);
    kn_push_front(links, am, slot);
}

u32 kn_victim(u64 key) {
    remembered = kn_ghosts_take(&a1out, key) != KN_NONE;
    if (a1in_count > a1in_limit || !am_count) {
        u32 slot = kn_pop_back(links, a1in);
        a1in_count--;
        kn_ghosts_add(&a1out, key_in[slot], 0);
        return slot;
    }
    am_count--;
    return kn_pop_back(links, am);
}

void kn_insert(u32 slot, u64 key) {
    key_in[slot] = key;
    in_am[slot] = remembered;
    if (remembered) {
        kn_push_front(links, am, slot);
        am_count++;
    } else {
        kn_push_front(links, a1in, slot);
        a1in_count++;
    }
    remembered = 0;
}
