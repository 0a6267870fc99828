/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * divide.h - the division of blocks that is worth most to all together, and the proof of it.
 *
 * Pure, integers only. A price per block decides: at the right one everybody's best purchase
 * together just fits, and no division can be worth more than those purchases and the rest at that
 * price (`bound`). With concave curves the purchases fit exactly and that is the greatest worth.
 * With others one purchase is too large; what is best then is searched among the numbers that lose
 * less against the price than the best division found so far, tenants with the smallest losses
 * first. The search ends when nothing better can be left (bound or not: the answer is the optimum
 * if `exact`), or after P4D_DIVIDE_WORK steps.
 */
#ifndef P4D_DIVIDE_H
#define P4D_DIVIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "curve.h"

#define P4D_DIVIDE_WORK 55000		/* steps of the search, about 10 instructions each */
#define P4D_FACTOR_MAX (1u << 20)
#define P4D_COST_MAX 16u
#define P4D_CAPACITY_MAX (P4W_MAX_BLOCKS * P4D_COST_MAX)

struct p4d_bidder {
	const struct p4d_curve *curve;
	uint32_t factor;	/* 0 .. P4D_FACTOR_MAX, of the curve's values */
	uint32_t cost;		/* 1 .. P4D_COST_MAX: of a block, in units of the capacity */
	uint32_t give;		/* out: blocks */
};

struct p4d_worth {
	uint64_t value;		/* of the division */
	uint64_t bound;		/* no division is worth more */
	uint64_t price;		/* of a unit of capacity: what one more could bring */
	uint32_t used;		/* of the capacity */
	bool exact;		/* no division is worth more than this one */
};

struct p4d_divider;		/* room to work in */

struct p4d_divider *p4d_divider_create(void);	/* NULL: no memory */
void p4d_divider_destroy(struct p4d_divider *d);

/*
 * Fills in `give` of n bidders. The sum of cost * least must not be above the capacity, which is at
 * most P4D_CAPACITY_MAX.
 */
struct p4d_worth p4d_divide(struct p4d_divider *d, struct p4d_bidder *b, size_t n,
			    uint32_t capacity);

#endif /* P4D_DIVIDE_H */
