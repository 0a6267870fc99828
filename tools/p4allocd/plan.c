// SPDX-License-Identifier: GPL-2.0-or-later
/* plan.c - see plan.h. */
#include <stdbool.h>
#include <stdlib.h>

#include "out.h"
#include "plan.h"

static size_t admit(uint32_t free, struct p4d_claim *claims, size_t n, uint32_t *left)
{
	size_t served = 0, waiting = 0;
	bool kept = false;

	for (size_t i = 0; i < n; i++) {
		struct p4d_claim *c = &claims[i];

		c->give = kept || c->min > free ? 0 : c->min;
		free -= c->give;
		if (!c->give) {
			waiting++;
			kept |= c->bypassed >= P4D_BYPASS_MAX;
			continue;
		}
		served++;
		for (size_t j = 0; waiting && j < i; j++)
			if (!claims[j].give)
				kept |= ++claims[j].bypassed >= P4D_BYPASS_MAX;
	}
	*left = free;
	return served;
}

static void spread(struct p4d_divider *d, uint32_t left, struct p4d_claim *claims, size_t n,
		   size_t served)
{
	struct p4d_bidder *b = p4d_alloc(served * sizeof(*b));
	struct p4d_curve *curve = p4d_alloc(served * sizeof(*curve));
	uint32_t room = left;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct p4d_claim *c = &claims[i];
		uint32_t most = c->target < left + c->give ? c->target : left + c->give;

		if (!c->give)
			continue;
		curve[k] = *c->curve;
		p4d_curve_limit(&curve[k], c->min, c->min, most > c->min ? most : c->min);
		b[k] = (struct p4d_bidder){ &curve[k], c->factor, 1, 0 };
		room += c->give;
		k++;
	}
	p4d_divide(d, b, k, room);
	for (size_t i = k = 0; i < n; i++)
		if (claims[i].give)
			claims[i].give = b[k++].give;
	free(b);
	free(curve);
}

size_t p4d_plan(struct p4d_divider *d, uint32_t free, struct p4d_claim *claims, size_t n)
{
	uint32_t left;
	size_t served = admit(free, claims, n, &left);

	if (served && left)
		spread(d, left, claims, n, served);
	return n - served;
}

struct p4d_blocks p4d_pick(const struct p4d_blocks *free, const struct p4d_blocks *liked,
			   uint32_t n)
{
	struct p4d_blocks out = { 0 };

	p4d_blocks_each(free, b) {
		if (!n)
			return out;
		if (p4d_blocks_has(liked, b)) {
			p4d_blocks_add(&out, b);
			n--;
		}
	}
	p4d_blocks_each(free, b) {
		if (!n)
			return out;
		if (!p4d_blocks_has(&out, b)) {
			p4d_blocks_add(&out, b);
			n--;
		}
	}
	return out;
}
