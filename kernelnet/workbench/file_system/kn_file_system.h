/*
 * ABI file_system/full/1: a page cache's eviction policy.
 *
 * The cache has `capacity` slots, numbered from 0, each of which holds one block; all blocks have the same size.  The
 * bench walks a trace of requests and calls the policy; `now` is the number of the request, from 0.
 *
 *     resident block requested          kn_hit(slot, now)
 *     other block, a slot is free       kn_insert(slot, key, now)
 *     other block, no slot is free      slot = kn_victim(key, now); kn_insert(slot, key, now)
 *
 * Every block that is requested comes into the cache: a policy chooses what goes, not what comes in.
 *
 * A policy defines the four functions below, and kn_param if it has parameters.  Its key for a block is the same throughout a
 * run and means nothing otherwise: keys differ from policy to policy and from trace to trace, so nothing can be
 * learned by heart.  A policy has no imports, at most 64 KiB of code, and a limited memory and number of
 * instructions; each run starts with a fresh instance.
 *
 * kn.h is a small library for policies: kn_alloc, lists, a map from keys, and queues of ghosts.
 */
#ifndef KN_FILE_SYSTEM_H
#define KN_FILE_SYSTEM_H

#include "kn.h"

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* Called once, before all others but kn_param.  capacity >= 1. */
KN_EXPORT("kn_init") void kn_init(u32 capacity);

/* The block in `slot` was requested again. */
KN_EXPORT("kn_hit") void kn_hit(u32 slot, u32 now);

/* All slots are full and block `key` is about to come in: returns the slot whose block goes.  A number that is not
 * below the capacity ends the run as a broken contract. */
KN_EXPORT("kn_victim") u32 kn_victim(u64 key, u32 now);

/* Block `key` is now in `slot`. */
KN_EXPORT("kn_insert") void kn_insert(u32 slot, u64 key, u32 now);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

#endif

#endif
