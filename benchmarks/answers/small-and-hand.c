/* HYPOTHESIS: scans come in long runs and pollute; few blocks take half of the requests.  Newcomers wait in a small
   queue; who is asked for there again after the burst is over goes to a main queue which a hand walks (SIEVE), where a
   block lives as many rounds as its requests, that fade with each round; a long ghost queue brings back at once who went
   too early, and small grows while that helps. */
#include "kn_file_system.h"
/* begin parameters */
#define SMALL 0.08 /* 0.005..0.9 log: share of the cache for newcomers */
#define GHOSTS 2.0 /* 0.1..6: ghosts, in capacities */
#define BURST 0.02 /* 0..0.5 zero: requests within this share of the capacity after the arrival don't count */
#define ROUNDS 4 /* 1..15 whole: rounds of the hand that a block can earn */
#define BACK 1 /* 0..6 whole: rounds that a ghost brings along */
#define GROW 1.0 /* 0..16 zero: slots by which small grows when a ghost of small comes back, and shrinks with one of main */
/* end parameters */
static kn_links links;
static kn_ghosts ghosts;
static u32 cap, small, main_, hand, small_count, remembered, was_main;
static f64 target;
static u64 now, *key_in, *born;
static u8 *worth, *in_main;

void kn_init(u32 capacity) {
    cap = capacity;
    links = kn_links_new(capacity + 2);
    small = capacity;
    main_ = capacity + 1;
    kn_list_init(links, small);
    kn_list_init(links, main_);
    hand = main_;
    ghosts = kn_ghosts_new((u32)(GHOSTS * capacity) + 1);
    target = SMALL * capacity;
    key_in = kn_alloc(capacity * 8);
    born = kn_alloc(capacity * 8);
    worth = kn_alloc(capacity);
    in_main = kn_alloc(capacity);
}

void kn_hit(u32 slot) {
    now++;
    if (!in_main[slot] && (f64)(now - born[slot]) < BURST * cap) return;
    if (worth[slot] < ROUNDS) worth[slot]++;
}

static u32 from_main(void) {
    for (;;) {
        if (hand == main_) hand = kn_back(links, main_);
        u32 slot = hand;
        hand = links.prev[slot];
        if (!worth[slot]) {
            kn_unlink(links, slot);
            kn_ghosts_add(&ghosts, key_in[slot], 1);
            return slot;
        }
        worth[slot]--;
    }
}

u32 kn_victim(u64 key) {
    u32 tag = kn_ghosts_take(&ghosts, key);
    remembered = tag != KN_NONE;
    if (remembered) {
        target += tag == 0 ? GROW : -GROW;
        target = kn_max(1.0, kn_min(target, 0.9 * cap));
    }
    while (small_count && (small_count > target || small_count == cap)) {
        u32 slot = kn_pop_back(links, small);
        small_count--;
        if (!worth[slot]) {
            kn_ghosts_add(&ghosts, key_in[slot], 0);
            return slot;
        }
        worth[slot]--;
        in_main[slot] = 1;
        kn_push_front(links, main_, slot);
    }
    if (small_count < cap) return from_main();
    small_count--;
    return kn_pop_back(links, small);
}

void kn_insert(u32 slot, u64 key) {
    now++;
    key_in[slot] = key;
    born[slot] = now;
    worth[slot] = remembered ? BACK : 0;
    in_main[slot] = remembered;
    if (remembered) {
        kn_push_front(links, main_, slot);
    } else {
        kn_push_front(links, small, slot);
        small_count++;
    }
    remembered = 0;
}
