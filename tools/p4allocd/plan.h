/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - how many blocks each waiting reservation gets, and which. Pure.
 *
 * First come, first served by the moment at which the blocks were said to be needed. Alone: all
 * that is wanted. With others waiting: a share by weight. Work-conserving: one that does not fit
 * is passed over, but only P4D_BYPASS_MAX times; then nobody behind it is served before it is.
 */
#ifndef P4D_PLAN_H
#define P4D_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "blocks.h"

#define P4D_BYPASS_MAX 4

struct p4d_claim {		/* a reservation that is ready and waited for */
	uint32_t min;		/* fewer are useless; never above the geometry */
	uint32_t want;		/* more are useless */
	uint32_t weight;	/* of the tenant, at least 1 */
	uint32_t guaranteed;	/* blocks that the share is never below */
	uint32_t bypassed;	/* in and out: times that a later claim was served before it */
	uint32_t give;		/* out: blocks now, 0: waits on */
};

/*
 * Fills in `give` of n claims that stand in order. `holding` is the sum of the weights of tenants
 * that hold blocks now. Returns how many claims wait on.
 */
size_t p4d_plan(uint32_t total, uint32_t free, uint32_t holding, struct p4d_claim *claims,
		size_t n);

/* `n` of the free blocks, those in `liked` first, then the lowest ones. */
struct p4d_blocks p4d_pick(const struct p4d_blocks *free, const struct p4d_blocks *liked,
			   uint32_t n);

#endif /* P4D_PLAN_H */
