/* LIRS (Jiang and Zhang, SIGMETRICS 2002): blocks with a low inter-reference recency (LIR) fill all but 1 % of the cache; the
 * others (HIR) pass through a queue Q.  The stack S has, by recency, the LIR blocks and all that were requested since the
 * oldest of these, gone ones among them; who is requested while in S has a lower recency than that oldest LIR block,
 * and takes its place.
 *
 * As in libCacheSim at least one block is HIR, and S has at most twice as many blocks as the cache: beyond that the one
 * that is gone for longest leaves it.  (libCacheSim differs where a HIR block in Q is hit that is not in S: it also
 * demotes a LIR block there, which leaves a slot empty; here, as in the paper, it does not.) */
#include "kn_file_system.h"

static u32 capacity, lir_limit, lir_count;
static kn_links stack; /* S; nodes: the slots, then blocks that are gone, then the head; the front is the top */
static kn_links queue; /* Q; nodes: the slots, the head; the back goes next */
static kn_links gone;  /* blocks of S that are gone; nodes as in S; the back is gone for longest */
static kn_map gone_map;
static u32 stack_head, stack_count, gone_used, gone_free;
static u8 *lir, *in_stack; /* by slot */
static u64 *key_in;
static u8 promoted; /* whether the block that comes in was in S */

void kn_init(u32 capacity_) {
    capacity = capacity_;
    u32 hir_limit = capacity / 100 ? capacity / 100 : 1, most_gone = 2 * capacity + 2;
    lir_limit = capacity - hir_limit;
    stack_head = capacity + most_gone;
    gone_free = stack_head + 1;
    stack = kn_links_new(stack_head + 1);
    gone = kn_links_new(stack_head + 2);
    queue = kn_links_new(capacity + 1);
    gone_map = kn_map_new(stack_head);
    kn_list_init(stack, stack_head);
    kn_list_init(gone, stack_head);
    kn_list_init(gone, gone_free);
    kn_list_init(queue, capacity);
    for (u32 node = capacity; node < stack_head; node++) kn_push_front(gone, gone_free, node);
    lir = kn_alloc(capacity);
    in_stack = kn_alloc(capacity);
    key_in = kn_alloc(capacity * 8);
}

static void to_top(u32 slot) {
    if (in_stack[slot]) kn_unlink(stack, slot);
    else stack_count++;
    in_stack[slot] = 1;
    kn_push_front(stack, stack_head, slot);
}

static void leave_stack(u32 node) {
    kn_unlink(stack, node);
    stack_count--;
    if (node < capacity) {
        in_stack[node] = 0;
        return;
    }
    kn_map_remove(gone_map, node);
    kn_unlink(gone, node);
    kn_push_front(gone, gone_free, node);
}

/* Nothing but a LIR block is at the bottom of S. */
static void prune(void) {
    for (;;) {
        u32 bottom = kn_back(stack, stack_head);
        if (bottom == stack_head || (bottom < capacity && lir[bottom])) return;
        leave_stack(bottom);
    }
}

static void limit_stack(void) {
    while (stack_count > 2 * capacity && kn_back(gone, stack_head) != stack_head) leave_stack(kn_back(gone, stack_head));
}

/* The oldest LIR block becomes HIR. */
static void demote(void) {
    u32 bottom = kn_back(stack, stack_head);
    leave_stack(bottom);
    lir[bottom] = 0;
    lir_count--;
    kn_push_front(queue, capacity, bottom);
    prune();
}

void kn_hit(u32 slot) {
    u8 was_in_stack = in_stack[slot];
    to_top(slot);
    if (lir[slot]) {
        prune();
        return;
    }
    kn_unlink(queue, slot);
    if (was_in_stack && lir_limit) {
        lir[slot] = 1;
        lir_count++;
        demote();
    } else {
        kn_push_front(queue, capacity, slot);
    }
    limit_stack();
}

/* The slot of the HIR block that goes; if S has the block, it stays there as one that is gone. */
static u32 evict(void) {
    u32 slot = kn_pop_back(queue, capacity);
    if (in_stack[slot]) {
        u32 node = kn_pop_back(gone, gone_free);
        kn_push_front(gone, stack_head, node);
        kn_map_put(gone_map, key_in[slot], node);
        /* Below the slot's own place, which is given up. */
        kn_push_front(stack, slot, node);
        kn_unlink(stack, slot);
        in_stack[slot] = 0;
    }
    return slot;
}

u32 kn_victim(u64 key) {
    u32 node = kn_map_get(gone_map, key);
    promoted = node != KN_NONE && lir_limit;
    if (node != KN_NONE) leave_stack(node);
    u32 slot = evict();
    if (promoted) demote();
    return slot;
}

void kn_insert(u32 slot, u64 key) {
    key_in[slot] = key;
    in_stack[slot] = 0;
    to_top(slot);
    lir[slot] = promoted || lir_count < lir_limit;
    if (lir[slot]) lir_count++;
    else kn_push_front(queue, capacity, slot);
    promoted = 0;
    limit_stack();
}
