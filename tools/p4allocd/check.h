/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - how far a tenant's declared histograms are borne out by the switch's counters.
 *
 * Pure. What is compared is the shape, over the blocks that the tenant held: which share of what
 * it did there it said that each would have, and which share each had. Only a share that was
 * clearly overstated, beyond what chance and an old histogram explain, takes something off what is
 * believed of that virtual block next time; a block that was understated gains nothing. So an honest
 * tenant keeps all it declares. Blocks that it was not given are believed as far as the last one that
 * it was. Each batch adds to what is known, which fades by an eighth with each.
 */
#ifndef P4D_CHECK_H
#define P4D_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "p4wire.h"

struct p4d_check {
	uint64_t expected[P4W_MAX_BLOCKS];	/* accesses by virtual block, as was declared */
	uint64_t seen[P4W_MAX_BLOCKS];
	uint64_t batches;			/* times that they were compared */
};

/* hist: shares as they were declared, n of them. seen: accesses to each of the blocks held. */
void p4d_check_learn(struct p4d_check *c, const uint16_t *hist, unsigned int n,
		     const uint64_t *seen, unsigned int held);

/* What is taken off a declared share of each virtual block, in 1/65536. */
void p4d_check_off(const struct p4d_check *c, uint16_t off[P4W_MAX_BLOCKS]);

/* The shares that are believed; no block more than the one before it. Returns the declared sum. */
uint32_t p4d_check_apply(const struct p4d_check *c, const uint16_t *hist, unsigned int n,
			 uint16_t *believed);

#endif /* P4D_CHECK_H */
