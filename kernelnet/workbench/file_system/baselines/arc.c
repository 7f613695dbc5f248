/* ARC (Megiddo and Modha, FAST 2003): LRU lists of blocks seen once (T1) and more often (T2), with ghosts of each (B1, B2);
 * a hit among the ghosts moves the target for T1's size towards the list that would have kept the block. */
#include "kn_file_system.h"

static kn_links links;
static u32 capacity, t1, t2; /* t1 and t2 are heads */
static u32 t1_count, t2_count;
static kn_ghosts b1, b2;
static f64 target; /* p in the paper: the size aimed at for T1 */
static u8 *in_t2;
static u64 *key_in;
static u8 from_b1, from_b2; /* where the block that comes in was remembered */

void kn_init(u32 capacity_) {
    capacity = capacity_;
    links = kn_links_new(capacity + 2);
    t1 = capacity;
    t2 = capacity + 1;
    kn_list_init(links, t1);
    kn_list_init(links, t2);
    b1 = kn_ghosts_new(capacity);
    b2 = kn_ghosts_new(2 * capacity);
    in_t2 = kn_alloc(capacity);
    key_in = kn_alloc(capacity * 8);
}

void kn_hit(u32 slot) {
    if (!in_t2[slot]) {
        in_t2[slot] = 1;
        t1_count--;
        t2_count++;
    }
    kn_unlink(links, slot);
    kn_push_front(links, t2, slot);
}

static u32 take_from_t1(void) {
    t1_count--;
    return kn_pop_back(links, t1);
}

/* REPLACE in the paper. */
static u32 replace(void) {
    int over = (f64)t1_count > target || (from_b2 && (f64)t1_count == target);
    u32 slot;
    if ((t1_count && over) || !t2_count) {
        slot = take_from_t1();
        kn_ghosts_add(&b1, key_in[slot], 0);
    } else {
        t2_count--;
        slot = kn_pop_back(links, t2);
        kn_ghosts_add(&b2, key_in[slot], 0);
    }
    return slot;
}

static f64 ratio(u32 other, u32 own) { return other > own ? (f64)other / (f64)own : 1.0; }

u32 kn_victim(u64 key) {
    u32 b1_count = b1.count, b2_count = b2.count; /* with the ghost that is about to be taken */
    from_b1 = kn_ghosts_take(&b1, key) != KN_NONE;
    from_b2 = !from_b1 && kn_ghosts_take(&b2, key) != KN_NONE;
    if (from_b1) {
        target += ratio(b2_count, b1_count);
        if (target > (f64)capacity) target = (f64)capacity;
        return replace();
    }
    if (from_b2) {
        target -= ratio(b1_count, b2_count);
        if (target < 0) target = 0;
        return replace();
    }
    if (t1_count + b1_count >= capacity) {
        if (t1_count == capacity) return take_from_t1(); /* leaves no ghost */
        kn_ghosts_drop_oldest(&b1);
    } else if (t1_count + t2_count + b1_count + b2_count >= 2 * capacity) {
        kn_ghosts_drop_oldest(&b2);
    }
    return replace();
}

void kn_insert(u32 slot, u64 key) {
    key_in[slot] = key;
    in_t2[slot] = from_b1 || from_b2;
    if (in_t2[slot]) {
        kn_push_front(links, t2, slot);
        t2_count++;
    } else {
        kn_push_front(links, t1, slot);
        t1_count++;
    }
    from_b1 = from_b2 = 0;
}
