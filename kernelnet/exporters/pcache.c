/*
 * A component of kernelnet as SQLite's page cache (sqlite3_pcache_methods2), for SQLite 3.35 and newer.
 *
 * Loaded before SQLite is initialized (LD_PRELOAD, or kernelnet.deploy.sqlite.install()), it installs itself.  Every cache that may
 * give pages back has a component of its own, and is used by one thread at a time, as SQLite promises; what all share is counted
 * by atomic numbers.  Caches of databases in memory keep all that they are given, and have no component.
 *
 * Pins: the component may name a slot whose page is in use, or not yet written.  For the component the block goes then; its page stays
 * outside of the slots until SQLite lets it go, or asks for it again, which the component sees as the request for a block that
 * isn't there.  So it sees no more and no less than the bench shows it.
 *
 * Environment: KERNELNET_MEMORY=BYTES lets a component take so many, though the cache itself be smaller.
 * KERNELNET_TRACE=FOLDER writes the page requests of each cache to a file of its own there; KERNELNET_REPORT=FILE
 * writes at the end what happened, as JSON.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eviction.h"

/* From sqlite3.h, whose binary interface is kept: https://www.sqlite.org/c3ref/pcache_methods2.html */
typedef struct {
    void *pBuf, *pExtra;
} pcache_page;

typedef struct cache cache;

typedef struct {
    int iVersion;
    void *pArg;
    int (*xInit)(void *);
    void (*xShutdown)(void *);
    cache *(*xCreate)(int page, int extra, int purgeable);
    void (*xCachesize)(cache *, int pages);
    int (*xPagecount)(cache *);
    pcache_page *(*xFetch)(cache *, unsigned key, int create);
    void (*xUnpin)(cache *, pcache_page *, int discard);
    void (*xRekey)(cache *, pcache_page *, unsigned before, unsigned after);
    void (*xTruncate)(cache *, unsigned limit);
    void (*xDestroy)(cache *);
    void (*xShrink)(cache *);
} pcache_methods2;

#define SQLITE_CONFIG_PCACHE2 18
#define OLDEST 3035000

#define OUTSIDE 0xffffffffu /* of the slots */
#define MOST (1u << 22)     /* slots: 16 GiB of pages of 4 KiB; a component takes memory for each */
#define SLOT_BITS 23
#define LITTLE (4u << 20)   /* bytes that a component may take whatever the cache's size */

typedef struct page {
    pcache_page base;
    struct page *next; /* in its bucket */
    unsigned key, slot, pinned;
} page;

struct cache {
    size_t size, extra;
    int purgeable, told; /* whether it is told that the component broke */
    unsigned wanted;         /* pages, as SQLite said last */
    unsigned slots, used;    /* slots that there are, and those that ever had a page */
    unsigned *spare, spares; /* slots whose block was removed */
    unsigned count, pinned;
    unsigned highest; /* key that a page ever had */
    unsigned long long requests;
    unsigned buckets; /* a power of two */
    page *idle; /* memory of a page that went, for the next one; 0: none */
    page **table, **in;
    eviction *policy;
    FILE *trace;
};

static struct {
    unsigned long long requests, misses, outside, caches, failures, memory;
    unsigned long long largest; /* requests of the cache that has most, and its slots in the last SLOT_BITS bits */
} total;
static const char *first_failure;
static const char *status = "not installed";
static int started;

#define COUNT(name) __atomic_add_fetch(&total.name, 1, __ATOMIC_RELAXED)

/* --- what is told --- */

static void failed(const char *why) {
    const char *none = 0;
    COUNT(failures);
    if (__atomic_compare_exchange_n(&first_failure, &none, why, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        fprintf(stderr, "kernelnet: the component of a page cache is asked no more, FIFO takes over: %s\n", why);
}

static void raise_(unsigned long long *most, unsigned long long to) {
    unsigned long long before = __atomic_load_n(most, __ATOMIC_RELAXED);
    while (to > before && !__atomic_compare_exchange_n(most, &before, to, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

static void report(void) {
    const char *name = getenv("KERNELNET_REPORT");
    FILE *file = name && started ? fopen(name, "w") : 0;
    if (!file) return;
    fprintf(
        file,
        "{\"requests\": %llu, \"misses\": %llu, \"pinned_victims\": %llu, \"caches\": %llu, \"failures\": %llu, "
        "\"component_bytes\": %llu, \"slots\": %llu, \"failure\": %s%s%s}\n",
        total.requests, total.misses, total.outside, total.caches, total.failures, total.memory,
        total.largest & ((1u << SLOT_BITS) - 1),
        first_failure ? "\"" : "", first_failure ? first_failure : "null", first_failure ? "\"" : ""
    );
    fclose(file);
}

static void open_trace(cache *c, unsigned long long number) {
    const char *folder = getenv("KERNELNET_TRACE");
    char name[4096];
    if (!folder) return;
    if (snprintf(name, sizeof name, "%s/%ld-%llu.txt", folder, (long)getpid(), number) < (int)sizeof name)
        c->trace = fopen(name, "we");
    if (!c->trace) fprintf(stderr, "kernelnet: can't write a trace into %s\n", folder);
}

/* Bytes that a component may take whatever the size of its cache, as the user says. */
static unsigned long long allowed(void) {
    const char *bytes = getenv("KERNELNET_MEMORY");
    return bytes ? strtoull(bytes, 0, 10) : 0;
}

/* --- pages by key --- */

static page *find(const cache *c, unsigned key) {
    page *p = c->table[key & (c->buckets - 1)];
    while (p && p->key != key) p = p->next;
    return p;
}

static void unlink_(cache *c, page *p) {
    page **link = &c->table[p->key & (c->buckets - 1)];
    while (*link != p) link = &(*link)->next;
    *link = p->next;
    c->count--;
}

static void grow(cache *c) {
    unsigned buckets = c->buckets * 2;
    page **table = calloc(buckets, sizeof *table), *p, *next;
    if (!table) return; /* longer chains will do */
    for (unsigned i = 0; i < c->buckets; i++)
        for (p = c->table[i]; p; p = next) {
            next = p->next;
            p->next = table[p->key & (buckets - 1)];
            table[p->key & (buckets - 1)] = p;
        }
    free(c->table);
    c->table = table;
    c->buckets = buckets;
}

static void link_(cache *c, page *p, unsigned key) {
    if (c->count >= c->buckets) grow(c);
    if (key > c->highest) c->highest = key;
    p->key = key;
    p->next = c->table[key & (c->buckets - 1)];
    c->table[key & (c->buckets - 1)] = p;
    c->count++;
}

/* SQLite reads page and extra beyond each other by up to eight bytes, if they are one piece: so they are. */
static page *new_page(cache *c) {
    page *p = c->idle;
    c->idle = 0;
    if (!p && !(p = malloc(sizeof *p + c->size + c->extra))) return 0;
    p->base.pBuf = p + 1;
    p->base.pExtra = (char *)(p + 1) + c->size;
    return p;
}

/* A full cache gives a page back for each that it takes: one is kept, and nothing is asked of malloc. */
static void free_page(cache *c, page *p) {
    free(c->idle);
    c->idle = p;
}

static void look(cache *c) {
    const char *why = c->told ? 0 : eviction_failed(c->policy);
    if (!why) return;
    c->told = 1;
    failed(why);
}

/* The block in a slot is no more.  A component that can't be told keeps the slot, until it names it. */
static void vacate(cache *c, unsigned slot) {
    c->in[slot] = 0;
    if (eviction_forget(c->policy, slot)) c->spare[c->spares++] = slot;
    look(c);
}

static void drop(cache *c, page *p) {
    unlink_(c, p);
    if (p->slot != OUTSIDE) vacate(c, p->slot);
    c->pinned -= p->pinned;
    free_page(c, p);
}

/* --- the component --- */

static void forget_policy(cache *c) {
    eviction_free(c->policy);
    free(c->in);
    free(c->spare);
    c->policy = 0;
    c->in = 0;
    c->spare = 0;
    c->slots = c->used = c->spares = 0;
}

/* A component may take more as it goes on. */
static void look_at_memory(cache *c) {
    unsigned long long memory = eviction_memory(c->policy), own = (unsigned long long)c->slots * (c->size + c->extra + sizeof(page));
    raise_(&total.memory, memory);
    if (memory > LITTLE && memory > own && memory > allowed()) eviction_stop(c->policy, "it takes more memory than the cache itself");
}

/* Begin anew with as many slots as are wanted: what isn't in use goes, what is stays outside of the slots. */
static int begin(cache *c) {
    page *p, *next;
    for (unsigned i = 0; i < c->buckets; i++)
        for (p = c->table[i]; p; p = next) {
            next = p->next;
            p->slot = OUTSIDE;
            if (!p->pinned) drop(c, p);
        }
    forget_policy(c);
    c->slots = c->wanted;
    c->in = calloc(c->slots, sizeof *c->in);
    c->spare = calloc(c->slots, sizeof *c->spare);
    c->policy = c->in && c->spare ? eviction_new(c->slots, 1) : 0;
    if (!c->policy) {
        forget_policy(c);
        return 0;
    }
    look_at_memory(c);
    c->told = 0;
    look(c);
    return 1;
}

/* --- what SQLite calls --- */

static int x_init(void *unused) {
    (void)unused;
    started = 1;
    return 0;
}

static void x_shutdown(void *unused) { (void)unused; }

static cache *x_create(int size, int extra, int purgeable) {
    cache *c = calloc(1, sizeof *c);
    if (!c) return 0;
    c->size = (size_t)size;
    c->extra = (size_t)extra;
    c->purgeable = purgeable;
    c->wanted = 100;
    c->buckets = 256;
    c->table = calloc(c->buckets, sizeof *c->table);
    if (!c->table) {
        free(c);
        return 0;
    }
    if (purgeable) open_trace(c, COUNT(caches));
    return c;
}

static void x_cachesize(cache *c, int pages) {
    c->wanted = pages < 1 ? 1 : (unsigned)pages > MOST ? MOST : (unsigned)pages;
}

static int x_pagecount(cache *c) { return (int)c->count; }

static page *kept(cache *c, unsigned key) {
    page *p = new_page(c);
    if (!p) return 0;
    memset(p->base.pExtra, 0, c->extra);
    p->slot = OUTSIDE;
    p->pinned = 0;
    link_(c, p, key);
    return p;
}

/* Put a page that is in no slot into one, as the bench does with a block that isn't resident. */
static void admit(cache *c, page *p) {
    page *old;
    unsigned slot;
    if (c->spares) {
        slot = c->spare[--c->spares];
    } else if (c->used < c->slots) {
        slot = c->used++;
    } else {
        slot = eviction_victim(c->policy, p->key);
        old = c->in[slot];
        if (old && old->pinned) {
            COUNT(outside);
            old->slot = OUTSIDE;
        } else if (old) {
            unlink_(c, old);
            free_page(c, old);
        }
    }
    p->slot = slot;
    c->in[slot] = p;
    eviction_insert(c->policy, slot, p->key);
}

static pcache_page *x_fetch(cache *c, unsigned key, int create) {
    page *p = find(c, key);
    if (!p && !create) return 0;
    if (!c->purgeable) {
        if (!p) p = kept(c, key);
        return p ? &p->base : 0;
    }
    if (!c->policy || c->slots != c->wanted) {
        if (!begin(c)) return 0;
        p = find(c, key);
        if (!p && !create) return 0;
    }
    /* SQLite writes dirty pages then, and asks again. */
    if (!p && create == 1 && c->pinned >= c->slots - c->slots / 10) return 0;
    if (!p) {
        /* before anything is changed: where there is no memory, nothing happened */
        if (!(p = kept(c, key))) return 0;
        COUNT(misses);
    }
    if (c->trace) fprintf(c->trace, "%u\n", key);
    COUNT(requests);
    if (++c->requests % 256 == 1) {
        raise_(&total.largest, c->requests << SLOT_BITS | c->slots); /* a program may end without closing it */
        look_at_memory(c);
    }
    c->pinned += !p->pinned;
    p->pinned = 1;
    if (p->slot == OUTSIDE) admit(c, p);
    else eviction_hit(c->policy, p->slot);
    look(c);
    return &p->base;
}

static void x_unpin(cache *c, pcache_page *given, int discard) {
    page *p = (page *)given;
    c->pinned -= p->pinned;
    p->pinned = 0;
    if (discard || (c->purgeable && p->slot == OUTSIDE)) drop(c, p);
}

static void x_rekey(cache *c, pcache_page *given, unsigned before, unsigned after) {
    page *p = (page *)given, *other = find(c, after);
    (void)before;
    if (other && other != p) drop(c, other);
    unlink_(c, p);
    link_(c, p, after);
    /* Another block is in the slot now; a component that can't be told takes it for the old one. */
    if (p->slot == OUTSIDE) return;
    if (eviction_forget(c->policy, p->slot)) eviction_insert(c->policy, p->slot, after);
    look(c);
}

/* SQLite asks for it at the end of each transaction, mostly for nothing. */
static void x_truncate(cache *c, unsigned limit) {
    page *p, *next;
    if (limit > c->highest) return;
    for (unsigned i = 0; i < c->buckets; i++)
        for (p = c->table[i]; p; p = next) {
            next = p->next;
            if (p->key >= limit) drop(c, p);
        }
    c->highest = limit ? limit - 1 : 0;
}

static void x_destroy(cache *c) {
    page *p, *next;
    for (unsigned i = 0; i < c->buckets; i++)
        for (p = c->table[i]; p; p = next) {
            next = p->next;
            free(p);
        }
    if (c->policy) raise_(&total.memory, eviction_memory(c->policy));
    raise_(&total.largest, c->requests << SLOT_BITS | c->slots);
    forget_policy(c);
    if (c->trace) fclose(c->trace);
    free(c->idle);
    free(c->table);
    free(c);
}

static void x_shrink(cache *c) {
    if (c->purgeable && c->policy) begin(c);
    free(c->idle);
    c->idle = 0;
}

static pcache_methods2 methods = {
    1, 0, x_init, x_shutdown, x_create, x_cachesize, x_pagecount, x_fetch, x_unpin, x_rekey, x_truncate, x_destroy, x_shrink,
};

/* Whether SQLite runs with it: empty, or why not. */
__attribute__((visibility("default"))) const char *kernelnet_sqlite_status(void) { return status; }
__attribute__((visibility("default"))) int kernelnet_sqlite_started(void) { return started; }

/* The SQLite of the program, or of the system: a program that loads it later gets the same one by its name. */
__attribute__((constructor)) static void install(void) {
    void *library = RTLD_DEFAULT;
    int (*config)(int, ...);
    int (*number)(void);
    *(void **)&config = dlsym(library, "sqlite3_config");
    if (!config) {
        library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_GLOBAL);
        if (library) *(void **)&config = dlsym(library, "sqlite3_config");
    }
    if (!config) {
        status = "there is no libsqlite3.so.0";
        return;
    }
    *(void **)&number = dlsym(library, "sqlite3_libversion_number");
    if (!number || number() < OLDEST) {
        status = "this SQLite is older than 3.35";
    } else if (config(SQLITE_CONFIG_PCACHE2, &methods)) {
        status = "SQLite is in use already: it has to be installed before";
    } else {
        status = "";
        atexit(report);
    }
    if (*status) fprintf(stderr, "kernelnet: no component in SQLite: %s\n", status);
}
