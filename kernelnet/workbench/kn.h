/*
 * What every component and every bench program may include, through its bench's own header: types, and a small library
 * (kn_alloc, lists, a map from keys, queues of ghosts, and the arithmetic of rank functions).
 */
#ifndef KN_H
#define KN_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;
typedef double f64;

#define KN_EXPORT(name) __attribute__((export_name(name)))
#define KN_NONE 0xffffffffu /* no node, no slot */

/* In a bench's driver: what it calls of the component. */
#define KN_POLICY(name) __attribute__((import_module("policy"), import_name(name)))

/* --- memory: taken once, zeroed, never given back ------------------------------------------------------- */

extern u8 __heap_base; /* from the linker: the first byte after stack and data */
static u32 kn_heap_end;

static inline void *kn_alloc(u32 bytes) {
    if (!kn_heap_end) kn_heap_end = (u32)&__heap_base;
    u32 start = (kn_heap_end + 15u) & ~15u;
    u64 end = (u64)start + bytes;
    u64 have = (u64)__builtin_wasm_memory_size(0) << 16;
    if (end > have) {
        u32 pages = (u32)((end - have + 65535u) >> 16);
        if (__builtin_wasm_memory_grow(0, pages) == (__SIZE_TYPE__)-1) __builtin_trap();
    }
    kn_heap_end = (u32)end;
    return (void *)start;
}

/* --- lists: doubly linked, circular, of nodes 0..n-1; a list's head is a node of its own ------------------- */

typedef struct {
    u32 *next, *prev;
} kn_links;

static inline kn_links kn_links_new(u32 nodes) {
    kn_links links = {kn_alloc(nodes * 4), kn_alloc(nodes * 4)};
    return links;
}

static inline void kn_list_init(kn_links links, u32 head) { links.next[head] = links.prev[head] = head; }

static inline void kn_push_front(kn_links links, u32 head, u32 node) {
    u32 first = links.next[head];
    links.next[head] = node;
    links.prev[node] = head;
    links.next[node] = first;
    links.prev[first] = node;
}

static inline void kn_unlink(kn_links links, u32 node) {
    u32 next = links.next[node], prev = links.prev[node];
    links.next[prev] = next;
    links.prev[next] = prev;
}

/* The node pushed first, which is the oldest; the head itself if the list is empty. */
static inline u32 kn_back(kn_links links, u32 head) { return links.prev[head]; }

static inline u32 kn_pop_back(kn_links links, u32 head) {
    u32 node = links.prev[head];
    kn_unlink(links, node);
    return node;
}

/* --- a map from keys to nodes 0..n-1: hashing with chains ------------------------------------------------- */

typedef struct {
    u32 *bucket, *next, shift;
    u64 *key;
} kn_map;

static inline kn_map kn_map_new(u32 nodes) {
    u32 bits = 4;
    while (bits < 31 && (1u << bits) < nodes * 2) bits++;
    kn_map map = {kn_alloc(4u << bits), kn_alloc(nodes * 4), 64 - bits, kn_alloc(nodes * 8)};
    for (u32 i = 0; i < 1u << bits; i++) map.bucket[i] = KN_NONE;
    return map;
}

/* Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4). */
static inline u32 *kn_map_bucket(kn_map map, u64 key) {
    return &map.bucket[(key * 0x9E3779B97F4A7C15ull) >> map.shift];
}

static inline u32 kn_map_get(kn_map map, u64 key) {
    u32 node = *kn_map_bucket(map, key);
    while (node != KN_NONE && map.key[node] != key) node = map.next[node];
    return node;
}

static inline void kn_map_put(kn_map map, u64 key, u32 node) {
    u32 *bucket = kn_map_bucket(map, key);
    map.key[node] = key;
    map.next[node] = *bucket;
    *bucket = node;
}

static inline void kn_map_remove(kn_map map, u32 node) {
    u32 *link = kn_map_bucket(map, map.key[node]);
    while (*link != node) link = &map.next[*link];
    *link = map.next[node];
}

/* --- ghosts: a queue of keys of evicted blocks, each with a tag; the oldest is forgotten when it is full ----- */

typedef struct {
    kn_links links; /* node `size` is the head of the queue, node `size + 1` of the free nodes */
    kn_map map;
    u32 *tag;
    u32 size, count;
} kn_ghosts;

static inline kn_ghosts kn_ghosts_new(u32 size) {
    kn_ghosts ghosts = {kn_links_new(size + 2), kn_map_new(size + 1), kn_alloc(size * 4), size, 0};
    kn_list_init(ghosts.links, size);
    kn_list_init(ghosts.links, size + 1);
    for (u32 node = 0; node < size; node++) kn_push_front(ghosts.links, size + 1, node);
    return ghosts;
}

static inline void kn_ghosts_drop(kn_ghosts *ghosts, u32 node) {
    kn_unlink(ghosts->links, node);
    kn_map_remove(ghosts->map, node);
    kn_push_front(ghosts->links, ghosts->size + 1, node);
    ghosts->count--;
}

static inline void kn_ghosts_drop_oldest(kn_ghosts *ghosts) {
    if (ghosts->count) kn_ghosts_drop(ghosts, kn_back(ghosts->links, ghosts->size));
}

static inline void kn_ghosts_add(kn_ghosts *ghosts, u64 key, u32 tag) {
    if (!ghosts->size) return;
    if (ghosts->count == ghosts->size) kn_ghosts_drop_oldest(ghosts);
    u32 node = kn_pop_back(ghosts->links, ghosts->size + 1);
    kn_map_put(ghosts->map, key, node);
    ghosts->tag[node] = tag;
    kn_push_front(ghosts->links, ghosts->size, node);
    ghosts->count++;
}

/* Forgets `key` and returns its tag; KN_NONE if it isn't among the ghosts. */
static inline u32 kn_ghosts_take(kn_ghosts *ghosts, u64 key) {
    u32 node = kn_map_get(ghosts->map, key);
    if (node == KN_NONE) return KN_NONE;
    kn_ghosts_drop(ghosts, node);
    return ghosts->tag[node];
}

/* --- arithmetic of rank functions: defined for all finite numbers, the same bits on every machine ------------ */

static inline f64 kn_min(f64 a, f64 b) { return __builtin_wasm_min_f64(a, b); }
static inline f64 kn_max(f64 a, f64 b) { return __builtin_wasm_max_f64(a, b); }
static inline f64 kn_sqrt(f64 x) { return __builtin_sqrt(__builtin_fabs(x)); }

/* The analytic quotient: a division that never divides by zero (Ni, Drieberg and Rockett, The use of an analytic
 * quotient operator in genetic programming, IEEE Trans. Evolutionary Computation 17(1), 2013). */
static inline f64 kn_aq(f64 a, f64 b) { return a / __builtin_sqrt(1.0 + b * b); }

/* About log2(1 + |x|): the exponent, and the mantissa as a straight line between powers of two. */
static inline f64 kn_lg(f64 x) {
    union {
        f64 number;
        u64 bits;
    } value = {__builtin_fabs(x) + 1.0};
    return (f64)value.bits * 0x1p-52 - 1023.0;
}

#endif
