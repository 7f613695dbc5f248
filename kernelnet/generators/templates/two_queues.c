/*
 * A family of eviction policies with two queues and ghosts.
 *
 * Newcomers wait in a small queue.  At its end they are promoted to the main queue if they were requested often enough, and
 * evicted otherwise, leaving a ghost; a block that is requested while its ghost is remembered comes back straight
 * into the main queue.  The parameters span FIFO, CLOCK, LRU, SLRU, 2Q, S3-FIFO, SIEVE behind a filter, and mixtures of
 * them with a target size that adapts like ARC's.  (2Q: Johnson and Shasha, VLDB 1994; ARC: Megiddo and Modha, FAST 2003;
 * S3-FIFO: Yang et al., SOSP 2023; SIEVE: Zhang et al., NSDI 2024.)
 */
#include "kn_file_system.h"

/* begin parameters: replaced by kernelnet.generators.templates */
#define SMALL_SHARE 0.1
#define GHOST_SHARE 0.9
#define PROMOTE_AFTER 2
#define CORRELATED 0.0
#define SMALL_IS_LRU 0
#define MAIN_ORDER 0
#define MAX_ROUNDS 3
#define START_REMEMBERED 0
#define START_PROMOTED 0
#define MAIN_LEAVES 0
#define ADAPT_STEP 0.0
#define SMALL_LEAST 0.0
/* end parameters */

enum { ROUNDS, RECENCY, HAND };      /* MAIN_ORDER */
enum { NOTHING, GHOST, DEMOTED };    /* MAIN_LEAVES */
enum { FROM_SMALL, FROM_MAIN };      /* tags of ghosts */
enum { MAX_DEMOTIONS = 4 };          /* for one eviction, so that it ends */

static kn_links links;
static kn_ghosts ghosts;
static u32 small, main_, hand; /* heads; the hand is at the head when it has no place */
static u32 capacity, small_count, main_count;
static f64 target; /* size aimed at for small */
static u8 *in_main, *frequency;
static u32 now, *arrived; /* requests before this one: the clock; by slot, when it came in */
static u64 *key_in;
static u8 remembered, full;

static void set_target(f64 wanted) {
    f64 least = SMALL_LEAST * capacity, most = 0.98 * capacity;
    target = wanted;
    if (target > most) target = most;
    if (target < least) target = least;
    if (target < 1) target = 1;
}

void kn_init(u32 capacity_) {
    capacity = capacity_;
    links = kn_links_new(capacity + 2);
    small = capacity;
    main_ = hand = capacity + 1;
    kn_list_init(links, small);
    kn_list_init(links, main_);
    ghosts = kn_ghosts_new((u32)(GHOST_SHARE * capacity));
    in_main = kn_alloc(capacity);
    frequency = kn_alloc(capacity);
    arrived = kn_alloc(capacity * 4);
    key_in = kn_alloc(capacity * 8);
    set_target(SMALL_SHARE * capacity);
}

static void enter_small(u32 slot) {
    in_main[slot] = 0;
    frequency[slot] = 0;
    arrived[slot] = now;
    kn_push_front(links, small, slot);
    small_count++;
}

static void enter_main(u32 slot, u32 start) {
    in_main[slot] = 1;
    frequency[slot] = (u8)start;
    kn_push_front(links, main_, slot);
    main_count++;
}

static void to_front(u32 head, u32 slot) {
    kn_unlink(links, slot);
    kn_push_front(links, head, slot);
}

static void hit(u32 slot) {
    if (in_main[slot]) {
        if (frequency[slot] < MAX_ROUNDS) frequency[slot]++;
        if (MAIN_ORDER == RECENCY) to_front(main_, slot);
        return;
    }
    /* Requests that follow at once say little about whether there will be more. */
    if (now - arrived[slot] < CORRELATED * capacity) return;
    if (frequency[slot] < 15) frequency[slot]++;
    if (SMALL_IS_LRU) to_front(small, slot);
}

void kn_hit(u32 slot) {
    hit(slot);
    now++;
}

/* The hand moves from the oldest to the newest, and everything stays in its place (SIEVE). */
static u32 victim_by_hand(void) {
    u32 slot = hand == main_ ? kn_back(links, main_) : hand;
    while (frequency[slot]) {
        frequency[slot]--;
        slot = links.prev[slot];
        if (slot == main_) slot = kn_back(links, main_);
    }
    hand = links.prev[slot];
    kn_unlink(links, slot);
    return slot;
}

static u32 take_from_main(void) {
    main_count--;
    if (MAIN_ORDER == HAND) return victim_by_hand();
    u32 slot = kn_pop_back(links, main_);
    if (MAIN_ORDER == RECENCY) return slot;
    while (frequency[slot]) {
        frequency[slot]--;
        kn_push_front(links, main_, slot);
        slot = kn_pop_back(links, main_);
    }
    return slot;
}

u32 kn_victim(u64 key) {
    full = 1;
    u32 tag = kn_ghosts_take(&ghosts, key);
    remembered = tag != KN_NONE;
    /* A ghost of small's that is requested says that small should have been larger, one of main's the contrary. */
    if (remembered && ADAPT_STEP > 0) set_target(tag == FROM_SMALL ? target + ADAPT_STEP : target - ADAPT_STEP);
    for (u32 demotions = 0;;) {
        if (main_count && small_count < target) {
            u32 slot = take_from_main();
            if (MAIN_LEAVES == DEMOTED && small_count && demotions++ < MAX_DEMOTIONS) {
                enter_small(slot);
                continue;
            }
            if (MAIN_LEAVES != NOTHING) kn_ghosts_add(&ghosts, key_in[slot], FROM_MAIN);
            return slot;
        }
        u32 slot = kn_pop_back(links, small);
        small_count--;
        if (frequency[slot] < PROMOTE_AFTER) {
            kn_ghosts_add(&ghosts, key_in[slot], FROM_SMALL);
            return slot;
        }
        enter_main(slot, START_PROMOTED);
    }
}

void kn_insert(u32 slot, u64 key) {
    key_in[slot] = key;
    /* While the cache fills for the first time, what does not fit into small goes to main. */
    if (remembered) enter_main(slot, START_REMEMBERED);
    else if (!full && small_count >= target) enter_main(slot, 0);
    else enter_small(slot);
    remembered = 0;
    now++;
}
