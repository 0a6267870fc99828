/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * curve.h - what each number of blocks is worth to a tenant, from the histogram of its layout.
 *
 * Pure. The histogram is declared by the tenant, so it is believed only as far as a layout allows:
 * no block has more than the one before it, as layouts are made in descending order of frequency.
 * The allocator counts worth in parts of what the tenant could have at most; so multiplying a
 * histogram changes nothing, and how much a tenant's all is worth is said by its weight alone.
 */
#ifndef P4D_CURVE_H
#define P4D_CURVE_H

#include <stddef.h>
#include <stdint.h>

#include "p4wire.h"

#define P4D_CURVE_BITS 31	/* all accesses are worth 1 << 31 */
#define P4D_CURVE_ONE (1u << P4D_CURVE_BITS)

struct p4d_curve {
	uint16_t least;		/* blocks that it has in any case */
	uint16_t min;		/* above `least`: fewer than this are worth no more than `least` */
	uint16_t most;		/* more are useless */
	uint16_t corners;
	uint32_t value[P4W_MAX_BLOCKS + 1];	/* of 0 .. most blocks, ascending */
	uint16_t corner[P4W_MAX_BLOCKS + 1];	/* of the concave envelope over least and min .. most;
						 * points on an edge are corners too */
};

#define P4D_CURVE_OWN 0		/* whole: what the n blocks have together */
#define P4D_CURVE_ALL 65536	/* whole: all accesses, also those to no block */

/*
 * hist: accesses by virtual block, n of them, the further ones are 0. whole: what they are parts
 * of, at least their sum.
 * together: accesses of a transaction that must all be there for it to gain anything; the worth is
 * coverage to this power. 1: each access gains by itself. n = 0: nothing was declared, each block
 * is worth less than the one before it, so that equal weights share equally.
 */
void p4d_curve_make(struct p4d_curve *c, const uint16_t *hist, unsigned int n, uint32_t whole,
		    unsigned int together);

/* Makes the envelope over these numbers of blocks. least <= most; after p4d_curve_make(). */
void p4d_curve_limit(struct p4d_curve *c, unsigned int least, unsigned int min,
		     unsigned int most);

#endif /* P4D_CURVE_H */
