/*
 * An eviction policy for a real cache: a translated component of the bench file_system, of either of its ABIs, called as the
 * bench calls it.
 *
 *     resident block requested          eviction_hit(slot)
 *     other block, a slot is free       eviction_insert(slot, key)
 *     other block, no slot is free      slot = eviction_victim(key); eviction_insert(slot, key)
 *     a block is removed                eviction_forget(slot)
 *
 * A component that goes wrong (a trap, no more fuel, a slot that there isn't) is asked no more: the slots then go in turn, as FIFO has
 * it.  One is used by one thread at a time.
 */
#ifndef EVICTION_H
#define EVICTION_H

#include <stdint.h>

typedef struct eviction eviction;

#ifdef COMPONENT_HIDDEN /* of use within one library alone, such as one that is loaded before a program's own */
#pragma GCC visibility push(hidden)
#else
#pragma GCC visibility push(default)
#endif

/* For so many slots, at least 1.  C{seed} draws the candidates of a rank function.  0: not even a few
 * bytes are there; where there are too few for the component, eviction_failed says so. */
eviction *eviction_new(uint32_t capacity, uint64_t seed);
void eviction_free(eviction *);

void eviction_hit(eviction *, uint32_t slot);
uint32_t eviction_victim(eviction *, uint64_t key);
void eviction_insert(eviction *, uint32_t slot, uint64_t key);

/* 1: the slot is free, and is to be given to the next block.  0: this component can't be told; it keeps the slot, in which there is
 * nothing any more, until it names it as a victim. */
int eviction_forget(eviction *, uint32_t slot);

/* Why the component is asked no more, for people; 0: it is. */
const char *eviction_failed(const eviction *);

/* Ask the component no more, and say why. */
void eviction_stop(eviction *, const char *why);

/* Bytes that it takes by now. */
uint64_t eviction_memory(const eviction *);

#pragma GCC visibility pop

#endif
