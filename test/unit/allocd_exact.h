/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allocd_exact.h - the greatest worth that any division has, by a dynamic program over all numbers
 * of all bidders: slow, and nothing in it can go wrong. And curves to try it on.
 */
#ifndef ALLOCD_EXACT_H
#define ALLOCD_EXACT_H

#include "../../tools/p4allocd/divide.h"

uint64_t exact_worth(const struct p4d_bidder *b, size_t n, uint32_t capacity);

/* A generator of its own: the same numbers everywhere. */
uint64_t exact_random(uint64_t *seed);
double exact_uniform(uint64_t *seed);	/* 0 .. 1 */

/*
 * Histogram of a layout with `per_block` cells a block, hottest keys first, of a tenant whose keys
 * are accessed by a Zipf law.
 */
void exact_zipf(uint16_t hist[P4W_MAX_BLOCKS], double exponent, double keys, double per_block);

#endif /* ALLOCD_EXACT_H */
