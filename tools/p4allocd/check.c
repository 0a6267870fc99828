// SPDX-License-Identifier: GPL-2.0-or-later
/* check.c - see check.h. Integers only, so that every allocator comes to the same result. */
#include "check.h"

#define FADES 8		/* by such a part with each batch */
#define ALL_MAX (1ull << 40)	/* accesses of a batch that count */
#define DEVIATIONS 4	/* of chance: one honest block in 30,000 is beyond */
#define LEAST 64	/* accesses expected; fewer say nothing */
#define DRIFT 16		/* a part of a share: histograms are of the batch before */

static uint64_t root(uint64_t x)
{
	uint64_t r = 0;

	for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
		if ((r | bit) * (r | bit) <= x)
			r |= bit;
	return r;
}

static uint16_t min16(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* The most that this count speaks for: Wilson's upper limit, and what may have changed. */
static uint64_t at_most(uint64_t seen)
{
	uint64_t chance = DEVIATIONS * DEVIATIONS / 2 +
			  DEVIATIONS * root(seen + DEVIATIONS * DEVIATIONS / 4) + 1;

	return seen + chance + seen / DRIFT;
}

void p4d_check_learn(struct p4d_check *c, const uint16_t *hist, unsigned int n,
		     const uint64_t *seen, unsigned int held)
{
	uint16_t share[P4W_MAX_BLOCKS], most = UINT16_MAX;
	uint64_t declared = 0, all = 0;

	held = held < n ? held : n;
	for (unsigned int b = 0; b < held; b++) {
		share[b] = most = min16(most, hist[b]);
		declared += share[b];
		all += seen[b] < ALL_MAX ? seen[b] : ALL_MAX;
	}
	if (!declared || !all || all > ALL_MAX)
		return;
	for (unsigned int b = 0; b < P4W_MAX_BLOCKS; b++) {
		c->expected[b] -= c->expected[b] / FADES;
		c->seen[b] -= c->seen[b] / FADES;
	}
	for (unsigned int b = 0; b < held; b++) {
		/* shares are rounded: it may be one less */
		c->expected[b] += all * (share[b] - !!share[b]) / declared;
		c->seen[b] += seen[b];
	}
	c->batches++;
}

static void off_of(const struct p4d_check *c, unsigned int n, uint16_t *off)
{
	uint16_t last = 0;

	for (unsigned int b = 0; b < n; b++) {
		uint64_t expected = c->expected[b], had = at_most(c->seen[b]);

		if (expected >= LEAST)
			last = had < expected ? ((expected - had) << 16) / expected : 0;
		off[b] = last;
	}
}

void p4d_check_off(const struct p4d_check *c, uint16_t off[P4W_MAX_BLOCKS])
{
	off_of(c, P4W_MAX_BLOCKS, off);
}

uint32_t p4d_check_apply(const struct p4d_check *c, const uint16_t *hist, unsigned int n,
			 uint16_t *believed)
{
	uint16_t declared = UINT16_MAX, most = UINT16_MAX, off[P4W_MAX_BLOCKS];
	uint32_t sum = 0;

	off_of(c, n, off);
	for (unsigned int b = 0; b < n; b++) {
		declared = min16(declared, hist[b]);
		sum += declared;
		most = min16(most, declared - ((uint32_t)declared * off[b] >> 16));
		believed[b] = most;
	}
	return sum;
}
