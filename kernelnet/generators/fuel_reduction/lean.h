/* The queues of ghosts of kn.h, for fewer instructions: what is remembered of a key lies together, and the oldest makes
 * way for the newest where it is.  What they answer is the same. */
typedef struct {
    u64 key;
    u32 next, prev; /* of the ring, from older to newer; `next` of a free node is the next free one */
    u32 chain, tag;
    u64 unused;
} lean_node;

typedef struct {
    lean_node *node;
    u32 *bucket;
    u32 shift, size, count, oldest, free;
} lean_ghosts;

static inline lean_ghosts lean_ghosts_new(u32 size) {
    u32 bits = 4;
    while (bits < 31 && (1u << bits) < size * 2) bits++;
    lean_ghosts ghosts = {kn_alloc((size + 1) * sizeof(lean_node)), kn_alloc(4u << bits), 64 - bits, size, 0, 0, 0};
    for (u32 i = 0; i < 1u << bits; i++) ghosts.bucket[i] = KN_NONE;
    for (u32 i = 0; i < size; i++) ghosts.node[i].next = i + 1;
    return ghosts;
}

static inline u32 *lean_bucket(const lean_ghosts *ghosts, u64 key) {
    return &ghosts->bucket[(key * 0x9E3779B97F4A7C15ull) >> ghosts->shift];
}

static inline void lean_unchain(const lean_ghosts *ghosts, u32 node) {
    u32 *link = lean_bucket(ghosts, ghosts->node[node].key);
    while (*link != node) link = &ghosts->node[*link].chain;
    *link = ghosts->node[node].chain;
}

static inline void lean_ghosts_drop(lean_ghosts *ghosts, u32 node) {
    lean_node *gone = &ghosts->node[node];
    if (node == ghosts->oldest) ghosts->oldest = gone->next;
    ghosts->node[gone->prev].next = gone->next;
    ghosts->node[gone->next].prev = gone->prev;
    gone->next = ghosts->free;
    ghosts->free = node;
    ghosts->count--;
}

static inline void lean_ghosts_drop_oldest(lean_ghosts *ghosts) {
    if (!ghosts->count) return;
    lean_unchain(ghosts, ghosts->oldest);
    lean_ghosts_drop(ghosts, ghosts->oldest);
}

static inline void lean_ghosts_add(lean_ghosts *ghosts, u64 key, u32 tag) {
    u32 node;
    lean_node *added;
    if (ghosts->count == ghosts->size) {
        if (!ghosts->size) return;
        node = ghosts->oldest;
        lean_unchain(ghosts, node);
        added = &ghosts->node[node];
        ghosts->oldest = added->next;
    } else {
        node = ghosts->free;
        added = &ghosts->node[node];
        ghosts->free = added->next;
        if (ghosts->count++) {
            lean_node *oldest = &ghosts->node[ghosts->oldest];
            added->next = ghosts->oldest;
            added->prev = oldest->prev;
            ghosts->node[oldest->prev].next = node;
            oldest->prev = node;
        } else {
            ghosts->oldest = added->next = added->prev = node;
        }
    }
    u32 *bucket = lean_bucket(ghosts, key);
    added->key = key;
    added->tag = tag;
    added->chain = *bucket;
    *bucket = node;
}

static inline u32 lean_ghosts_take(lean_ghosts *ghosts, u64 key) {
    u32 *link = lean_bucket(ghosts, key), node;
    while ((node = *link) != KN_NONE) {
        lean_node *found = &ghosts->node[node];
        if (found->key == key) {
            *link = found->chain;
            u32 tag = found->tag;
            lean_ghosts_drop(ghosts, node);
            return tag;
        }
        link = &found->chain;
    }
    return KN_NONE;
}

#define kn_ghosts lean_ghosts
#define kn_ghosts_new lean_ghosts_new
#define kn_ghosts_add lean_ghosts_add
#define kn_ghosts_take lean_ghosts_take
#define kn_ghosts_drop_oldest lean_ghosts_drop_oldest
