/* HYPOTHESIS: phases of some 6000 requests with scans between them: within a phase recency decides, between phases what
   was used often.  A stack of two halves: blocks asked for again after a burst stay by recency in a protected part; the
   newcomers' part is a queue; who falls out of the protected part gets a second stay at the newcomers' end. */
#include "kn_file_system.h"
/* begin parameters */
#define PROTECTED 0.8 /* 0.05..0.99: share of the cache for blocks that proved themselves */
#define BURST 0.05 /* 0..0.9 zero: requests within this share of the capacity prove nothing */
#define NEED 2 /* 1..6 whole: requests after bursts that prove a newcomer */
#define GHOSTS 2.0 /* 0.1..6: ghosts, in capacities */
#define SECOND 1 /* 0..1 whole: 1: who leaves the protected part waits at the newcomers' end, else goes at once */
#define KEPT 4 /* 0..15 whole: rounds at most that requests in the protected part are worth when it is full */
/* end parameters */
static kn_links links;
static kn_ghosts ghosts;
static u32 cap, fresh, safe, safe_count;
static u64 now, *key_in, *seen;
static u8 *proofs, *is_safe, *worth;
static u32 back;

void kn_init(u32 capacity) {
    cap = capacity;
    links = kn_links_new(capacity + 2);
    fresh = capacity;
    safe = capacity + 1;
    kn_list_init(links, fresh);
    kn_list_init(links, safe);
    ghosts = kn_ghosts_new((u32)(GHOSTS * capacity) + 1);
    key_in = kn_alloc(capacity * 8);
    seen = kn_alloc(capacity * 8);
    proofs = kn_alloc(capacity);
    is_safe = kn_alloc(capacity);
    worth = kn_alloc(capacity);
}

static void protect(u32 slot) {
    is_safe[slot] = 1;
    worth[slot] = 0;
    kn_push_front(links, safe, slot);
    safe_count++;
    while (safe_count > PROTECTED * cap) {
        u32 last = kn_pop_back(links, safe);
        if (worth[last]) {
            worth[last]--;
            kn_push_front(links, safe, last);
            continue;
        }
        safe_count--;
        is_safe[last] = 0;
        proofs[last] = 0;
        if (SECOND) {
            kn_push_front(links, fresh, last);
        } else {
            links.next[last] = fresh;
            u32 tail = links.prev[fresh];
            links.prev[last] = tail;
            links.next[tail] = last;
            links.prev[fresh] = last;
        }
    }
}

void kn_hit(u32 slot) {
    now++;
    u64 gap = now - seen[slot];
    if (is_safe[slot]) {
        seen[slot] = now;
        if (worth[slot] < KEPT) worth[slot]++;
        if (!KEPT) {
            kn_unlink(links, slot);
            kn_push_front(links, safe, slot);
        }
        return;
    }
    if ((f64)gap < BURST * cap) return;
    seen[slot] = now;
    if (++proofs[slot] >= NEED) {
        kn_unlink(links, slot);
        protect(slot);
    }
}

u32 kn_victim(u64 key) {
    back = kn_ghosts_take(&ghosts, key) != KN_NONE;
    u32 from = kn_back(links, fresh) != fresh ? fresh : safe;
    u32 slot = kn_pop_back(links, from);
    if (is_safe[slot]) safe_count--;
    is_safe[slot] = 0;
    kn_ghosts_add(&ghosts, key_in[slot], 0);
    return slot;
}

void kn_insert(u32 slot, u64 key) {
    now++;
    key_in[slot] = key;
    seen[slot] = now;
    proofs[slot] = 0;
    is_safe[slot] = 0;
    if (back) protect(slot);
    else kn_push_front(links, fresh, slot);
    back = 0;
}
