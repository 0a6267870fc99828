/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zipf.h - repeatable random numbers and zipf-distributed ranks.
 *
 * Ranks 1 .. n with probability proportional to rank^-theta, by rejection-inversion (W. Hormann,
 * G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions",
 * 1996): exact for every rank and without a table of 10^6 entries.
 */
#ifndef ZIPF_H
#define ZIPF_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);			/* splitmix64 */
uint32_t rng_below(struct rng *r, uint32_t bound);	/* 0 .. bound-1 */

struct zipf {
	double theta, n, high, range, squeeze;
};

void zipf_init(struct zipf *z, uint32_t n, double theta);	/* n >= 1, 0 <= theta <= 10 */
uint32_t zipf_draw(const struct zipf *z, struct rng *r);	/* 1 .. n */

/* The key that has a rank: ranks spread over 0 .. keys-1, each key once. */
uint32_t zipf_scatter(uint32_t rank, uint32_t keys);

#endif /* ZIPF_H */
