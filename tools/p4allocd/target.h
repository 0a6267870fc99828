/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - how many blocks each tenant should have, over all that are at work.
 *
 * A tenant that is cold half of the time leaves its blocks to others for that time, so a block
 * costs it half a block. What each should have when its turn comes is the division that is worth
 * most at these costs: reservations that are not needed yet count as well as grants. Guaranteed
 * blocks first, weights and credits applied.
 */
#ifndef P4D_TARGET_H
#define P4D_TARGET_H

#include "engine.h"

/* Makes the curve of a batch from what was declared; req NULL: nothing. */
void p4d_target_declare(const struct p4d_engine *e, const struct p4d_tenant *t,
			struct p4d_batch *b, const struct p4d_request *req);

/* Limits, guarantees or the geometry have changed. */
void p4d_target_limit(const struct p4d_engine *e, struct p4d_tenant *t);

/* The current batch ends: how much of its time the tenant needs blocks. */
void p4d_target_learn(const struct p4d_engine *e, struct p4d_tenant *t);

/* Sets t->target of all that hold or have reserved something, and e->worth. */
void p4d_target_all(struct p4d_engine *e);

uint32_t p4d_target_factor(const struct p4d_tenant *t);

/* Of a block, 1 .. P4D_COST_MAX: the part of the time in which it needs blocks. */
uint32_t p4d_target_cost(const struct p4d_tenant *t);

#endif /* P4D_TARGET_H */
