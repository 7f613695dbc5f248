/* S3-FIFO (Yang et al., SOSP 2023) for objects of different sizes: a small FIFO for newcomers (a tenth of the bytes), a main FIFO with
 * up to three further rounds for what is requested, and a ghost FIFO; only who is requested twice in small, or is
 * remembered, gets into main.  The sizes and thresholds are those of libCacheSim, but for an object that is larger than small: there
 * it doesn't come in, here it comes into main. */
#include "kn_file_system.h"

#define MOVE_TO_MAIN 2 /* requests in small that earn a place in main */
#define MAX_ROUNDS 3

static kn_links links;
static kn_ghosts ghosts;
static u32 small, main_; /* heads */
static u64 small_bytes, main_bytes, ghost_bytes, small_limit, main_limit, ghost_limit;
static u8 *frequency;
static u64 *key_in;
static u32 *size_of, size;
static u8 remembered, asked, full;

void kn_init(u32 slots) {
    ghosts = kn_ghosts_new(slots);
    links = kn_links_new(slots + 2);
    small = slots;
    main_ = slots + 1;
    kn_list_init(links, small);
    kn_list_init(links, main_);
    frequency = kn_alloc(slots);
    key_in = kn_alloc(slots * 8);
    size_of = kn_alloc(slots * 4);
}

void kn_bytes(u64 capacity) {
    small_limit = (u64)((f64)capacity * 0.1);
    main_limit = capacity - small_limit;
    ghost_limit = (u64)((f64)capacity * 0.9);
}

void kn_size(u32 bytes) {
    size = bytes;
    asked = 0;
}

void kn_hit(u32 slot) {
    if (frequency[slot] < 255) frequency[slot]++;
}

/* A ghost's tag is its object's size. */
static void drop_oldest_ghost(void) {
    ghost_bytes -= ghosts.tag[kn_back(ghosts.links, ghosts.size)];
    kn_ghosts_drop_oldest(&ghosts);
}

static void add_ghost(u32 slot) {
    if (size_of[slot] > ghost_limit) return;
    while (ghosts.count && (ghost_bytes + size_of[slot] > ghost_limit || ghosts.count == ghosts.size)) drop_oldest_ghost();
    kn_ghosts_add(&ghosts, key_in[slot], size_of[slot]);
    ghost_bytes += size_of[slot];
}

/* Whether the key that comes in is remembered; asked once a request, before anything goes. */
static void ask(u64 key) {
    if (asked) return;
    asked = 1;
    u32 bytes = kn_ghosts_take(&ghosts, key);
    remembered = bytes != KN_NONE;
    if (remembered) ghost_bytes -= bytes;
}

static u32 victim_of_main(void) {
    for (;;) {
        u32 slot = kn_pop_back(links, main_);
        if (!frequency[slot]) {
            main_bytes -= size_of[slot];
            return slot;
        }
        frequency[slot] = (frequency[slot] < MAX_ROUNDS ? frequency[slot] : MAX_ROUNDS) - 1;
        kn_push_front(links, main_, slot);
    }
}

u32 kn_victim(u64 key) {
    ask(key);
    full = 1;
    if (main_bytes > main_limit) return victim_of_main();
    while (small_bytes) { /* as in libCacheSim, main may grow beyond its limit here */
        u32 slot = kn_pop_back(links, small);
        small_bytes -= size_of[slot];
        if (frequency[slot] < MOVE_TO_MAIN) {
            add_ghost(slot);
            return slot;
        }
        frequency[slot] = 0;
        kn_push_front(links, main_, slot);
        main_bytes += size_of[slot];
    }
    return victim_of_main();
}

void kn_insert(u32 slot, u64 key) {
    ask(key);
    key_in[slot] = key;
    size_of[slot] = size;
    frequency[slot] = 0;
    /* While the cache fills for the first time, what does not fit into small goes to main. */
    if (remembered || size > small_limit || (!full && small_bytes >= small_limit)) {
        kn_push_front(links, main_, slot);
        main_bytes += size;
    } else {
        kn_push_front(links, small, slot);
        small_bytes += size;
    }
}
