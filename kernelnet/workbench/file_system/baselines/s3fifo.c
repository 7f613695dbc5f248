/* S3-FIFO (Yang et al., SOSP 2023): a small FIFO for newcomers (a tenth of the cache), a main FIFO with up to three further
 * rounds for what is requested, and a ghost FIFO; only who is requested twice in small, or is remembered, gets
 * into main.  The sizes and thresholds are those of libCacheSim. */
#include "kn_file_system.h"

#define MOVE_TO_MAIN 2 /* requests in small that earn a place in main */
#define MAX_ROUNDS 3

static kn_links links;
static kn_ghosts ghosts;
static u32 small, main_; /* heads */
static u32 small_count, main_count, small_limit, main_limit;
static u8 *frequency;
static u64 *key_in;
static u8 remembered, full;

void kn_init(u32 capacity) {
    small_limit = (u32)((f64)capacity * 0.1);
    main_limit = capacity - small_limit;
    ghosts = kn_ghosts_new((u32)((f64)capacity * 0.9));
    links = kn_links_new(capacity + 2);
    small = capacity;
    main_ = capacity + 1;
    kn_list_init(links, small);
    kn_list_init(links, main_);
    frequency = kn_alloc(capacity);
    key_in = kn_alloc(capacity * 8);
}

void kn_hit(u32 slot) {
    if (frequency[slot] < 255) frequency[slot]++;
}

static u32 victim_of_main(void) {
    for (;;) {
        u32 slot = kn_pop_back(links, main_);
        if (!frequency[slot]) {
            main_count--;
            return slot;
        }
        frequency[slot] = (frequency[slot] < MAX_ROUNDS ? frequency[slot] : MAX_ROUNDS) - 1;
        kn_push_front(links, main_, slot);
    }
}

u32 kn_victim(u64 key) {
    full = 1;
    remembered = kn_ghosts_take(&ghosts, key) != KN_NONE;
    if (main_count > main_limit) return victim_of_main();
    while (small_count) { /* as in libCacheSim, main may grow beyond its limit here */
        u32 slot = kn_pop_back(links, small);
        small_count--;
        if (frequency[slot] < MOVE_TO_MAIN) {
            kn_ghosts_add(&ghosts, key_in[slot], 0);
            return slot;
        }
        frequency[slot] = 0;
        kn_push_front(links, main_, slot);
        main_count++;
    }
    return victim_of_main();
}

void kn_insert(u32 slot, u64 key) {
    key_in[slot] = key;
    frequency[slot] = 0;
    /* While the cache fills for the first time, what does not fit into small goes to main. */
    if (remembered || (!full && small_count >= small_limit)) {
        kn_push_front(links, main_, slot);
        main_count++;
    } else {
        kn_push_front(links, small, slot);
        small_count++;
    }
    remembered = 0;
}
