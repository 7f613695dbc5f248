/*
 * A page cache's eviction policy, in one of two ABIs: file_system/full/1 is four functions that keep what they like to know,
 * file_system/rank/1 is one function of numbers that the bench keeps.
 *
 * The cache has `capacity` slots, numbered from 0, each of which holds one block; all blocks have the same size.  The
 * bench walks a trace of requests.  Every block that is requested comes into the cache: a policy chooses what goes, not
 * what comes in.  It has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts
 * with a fresh instance.
 *
 * file_system/full/1: the bench calls the policy for every request; `now` is the request's number, from 0.
 *
 *     resident block requested          kn_hit(slot, now)
 *     other block, a slot is free       kn_insert(slot, key, now)
 *     other block, no slot is free      slot = kn_victim(key, now); kn_insert(slot, key, now)
 *
 * A policy's key for a block is the same throughout a run and means nothing otherwise: keys differ from policy to policy
 * and from trace to trace, so nothing can be learned by heart.
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

/* Called once, before the three others.  capacity >= 1. */
KN_EXPORT("kn_init") void kn_init(u32 capacity);

/* The block in `slot` was requested again. */
KN_EXPORT("kn_hit") void kn_hit(u32 slot, u32 now);

/* All slots are full and block `key` is about to come in: returns the slot whose block goes.  A number that is not
 * below the capacity ends the run as a broken contract. */
KN_EXPORT("kn_victim") u32 kn_victim(u64 key, u32 now);

/* Block `key` is now in `slot`. */
KN_EXPORT("kn_insert") void kn_insert(u32 slot, u64 key, u32 now);

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

/* Optional: sets parameter `index`; called before all else, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

#endif

#endif
