/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - which waiting reservations are served now, with how many blocks, and which. Pure.
 *
 * Served in their order, each with its minimum at least. Work-conserving: one that does not fit is
 * passed over, but only P4D_BYPASS_MAX times; then nobody behind it is served before it is. What is
 * left beyond the minimums is divided among those served so that it is worth most, up to the
 * target of each.
 */
#ifndef P4D_PLAN_H
#define P4D_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "divide.h"

#define P4D_BYPASS_MAX 4

struct p4d_claim {		/* a reservation that is ready and waited for */
	const struct p4d_curve *curve;
	uint32_t factor;	/* of the curve's values */
	uint32_t min;		/* fewer are useless */
	uint32_t target;	/* more would be taken from others; counts as min if below it */
	uint32_t bypassed;	/* in and out: times that a later claim was served before it */
	uint32_t give;		/* out: blocks now, 0: waits on */
};

/* Fills in `give` of n claims that stand in order. Returns how many wait on. */
size_t p4d_plan(struct p4d_divider *d, uint32_t free, struct p4d_claim *claims, size_t n);

/* `n` of the free blocks, those in `liked` first, then the lowest ones. */
struct p4d_blocks p4d_pick(const struct p4d_blocks *free, const struct p4d_blocks *liked,
			   uint32_t n);

#endif /* P4D_PLAN_H */
