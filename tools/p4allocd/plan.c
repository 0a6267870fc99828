// SPDX-License-Identifier: GPL-2.0-or-later
/* plan.c - see plan.h. */
#include "plan.h"

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t share(const struct p4d_claim *c, uint32_t total, uint64_t weights)
{
	uint32_t fair = (uint64_t)total * c->weight / weights;

	return max32(c->min, min32(c->want, max32(fair, c->guaranteed)));
}

/* Blocks that nobody waits for go to those just served, in order, up to what they want. */
static void spread(struct p4d_claim *claims, size_t n, uint32_t free)
{
	for (size_t i = 0; i < n && free; i++) {
		uint32_t more = min32(free, claims[i].want - claims[i].give);

		claims[i].give += more;
		free -= more;
	}
}

size_t p4d_plan(uint32_t total, uint32_t free, uint32_t holding, struct p4d_claim *claims,
		size_t n)
{
	uint64_t weights = holding;
	size_t waiting = 0;

	for (size_t i = 0; i < n; i++) {
		weights += claims[i].weight;
		claims[i].give = 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct p4d_claim *c = &claims[i];
		bool kept = false;

		for (size_t j = 0; j < i; j++)
			kept |= !claims[j].give && claims[j].bypassed >= P4D_BYPASS_MAX;
		if (kept || c->min > free) {
			waiting++;
			continue;
		}
		c->give = min32(free, n == 1 ? c->want : share(c, total, weights));
		free -= c->give;
		for (size_t j = 0; j < i; j++)
			claims[j].bypassed += !claims[j].give;
	}
	if (!waiting)
		spread(claims, n, free);
	return waiting;
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
