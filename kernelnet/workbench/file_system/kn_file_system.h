/*
 * A page cache's eviction policy, in one of two ABIs: file_system/full/2 is four functions that keep what they like to know,
 * file_system/rank/1 is one function of numbers that the bench keeps.  Both have a sister for objects of different sizes.
 *
 * The cache has `capacity` slots, numbered from 0, each of which holds one block; all blocks have the same size.  The
 * bench walks a trace of requests.  Every block that is requested comes into the cache: a policy chooses what goes, not
 * what comes in.  It has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts
 * with a fresh instance.
 *
 * file_system/full/2: the bench calls the policy for every request.
 *
 *     resident block requested          kn_hit(slot)
 *     other block, a slot is free       kn_insert(slot, key)
 *     other block, no slot is free      slot = kn_victim(key); kn_insert(slot, key)
 *
 * Nothing tells where in the trace a request is.  Each is one hit or one insert: who wants a clock counts them.
 *
 * A policy's key for a block is the same throughout a run and means nothing otherwise.  What counts is measured on a few
 * variants of the trace, in which this and that is missing, and where all keys are others: both follow from the policy's
 * own bytes, so nothing can be learned by heart.
 *
 * file_system/rank/1: when no slot is free, the bench asks for the rank of a few blocks, and the lowest goes.
 *
 * A policy of either kind may have parameters, by kn_param.
 *
 * kn.h is a small library for policies: kn_alloc, lists, a map from keys, and queues of ghosts.
 */
#ifndef KN_FILE_SYSTEM_H
#define KN_FILE_SYSTEM_H

#include "kn.h"

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* Called once, before the three others.  capacity >= 1: slots of the cache. */
KN_EXPORT("kn_init") void kn_init(u32 capacity);

/* The block in `slot` was requested again. */
KN_EXPORT("kn_hit") void kn_hit(u32 slot);

/* All slots are full and block `key` is about to come in: returns the slot whose block goes.  A number that is not
 * below the capacity ends the run as a broken contract. */
KN_EXPORT("kn_victim") u32 kn_victim(u64 key);

/* Block `key` is now in `slot`. */
KN_EXPORT("kn_insert") void kn_insert(u32 slot, u64 key);

/*
 * Optional: the block in `slot` is removed, though no room was needed, since nobody will ask for it again (a file is deleted, or
 * truncated).  The slot is free, and kn_insert gives it to another block, before kn_victim is called again.  A policy without this
 * function isn't told: the slot keeps its block, which nobody requests.  No trace of today removes anything; real caches do.
 */
KN_EXPORT("kn_forget") void kn_forget(u32 slot);

/*
 * file_system/full_sized/1 has these two besides: objects of different sizes, and a cache of so many bytes (the bench's setting
 * `bytes`).  A policy that has them is for blocks of one size, too: there they are not called.
 *
 *     once, right after kn_init         kn_bytes(capacity), in bytes; kn_init's capacity is then the number of slots, which is
 *                                       no less than the objects that can be resident at once: room runs out, slots don't
 *     before each request's first call  kn_size(bytes), >= 1: the resident object's at a hit, else that of the one that comes in
 *     while there is too little room    kn_victim(key) again and again: each time another resident object's slot, which is free
 *                                       at once; a slot that is free already ends the run as a broken contract.  KN_NONE: the
 *                                       object doesn't come in, and what went for it is gone
 *     once there is room                kn_insert(slot, key), into any slot that is free
 *
 * An object that is larger than the cache never comes in, and the policy isn't called.  An object keeps the size with
 * which it came in: a request for it that tells another is a hit as any other, and the new size counts from the next time
 * it comes in (so does libCacheSim).  A policy without these two functions is not for such a cache.
 */
KN_EXPORT("kn_bytes") void kn_bytes(u64 capacity);
KN_EXPORT("kn_size") void kn_size(u32 bytes);

/*
 * The rank of a resident block; the lowest of those asked for goes.  Times are in requests, as multiples of the
 * capacity; one that there isn't is 1e6.
 *
 *   age       since the last request for the block
 *   life      since the block came in
 *   freq      how many requests for it since then, with that one; at least 1
 *   gap       between the last two requests for it, as far as the bench remembers
 *   gap2      between the two before: the last but one and the one before that
 *   hist      how many requests there were in earlier stays in the cache, as far as the bench remembers
 *   ghostgap  between its eviction and its return, for a block that was remembered when it came in
 *   pressure  of the blocks that came in of late (about as many as the cache has slots), the share that was remembered: from
 *             0, where all are new, to 1, where the cache lacks what it just evicted
 *
 * An evicted block is remembered until as many more were evicted as the cache has slots.  A rank that is not a
 * number counts as the highest.
 */
KN_EXPORT("kn_rank")
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure);

/*
 * file_system/rank_sized/1, where objects have sizes (the setting `bytes`): the lowest of those asked for goes, again and again, until
 * there is room.  `size` is the object's, in multiples of the mean of those that are resident; "capacity" and "slots" above are the
 * objects of the mean size of all that fit into the cache.
 */
KN_EXPORT("kn_rank_sized")
f64 kn_rank_sized(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure, f64 size);

/* Optional: sets parameter `index`; called before all else, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

#endif

#endif
