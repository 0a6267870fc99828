/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_good.h - tenants that do everything right in a world where others do not: batches with all
 * that belongs to them, and a named lock. Each answer must be one that is due; if nothing ever went
 * wrong with the switch or the allocator, no request may be refused.
 */
#ifndef FUZZ_GOOD_H
#define FUZZ_GOOD_H

#include "allocd_world.h"

#define GOOD_TENANTS 2		/* ids 1 .. */
#define GOOD_NODES 2		/* of each */

struct good;

struct good *good_create(struct world *w);
void good_destroy(struct good *g);

/* One node, chosen by `any`, does what it has to do next, if it waits for nothing. */
void good_act(struct good *g, uint32_t any);

/* Of an answer: false if the RPC is none of theirs. */
bool good_answer(struct good *g, uint64_t rpc, const void *bytes, size_t len);

/* From now on the switch or the allocator may have lost something. */
void good_rough(struct good *g);
/* The allocator has restarted: what was asked is asked again. */
void good_restarted(struct good *g);

/* Of the node that has finished fewest. */
unsigned int good_batches(const struct good *g);
/* Longest time between asking for blocks and their grant. */
uint64_t good_longest_wait(const struct good *g);
/* RPCs that they wait for. */
unsigned int good_waiting(const struct good *g);

#endif /* FUZZ_GOOD_H */
