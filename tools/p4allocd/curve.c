// SPDX-License-Identifier: GPL-2.0-or-later
/* curve.c - see curve.h. */
#include <stdbool.h>

#include "curve.h"

static uint32_t times(uint32_t a, uint32_t b)
{
	return (uint64_t)a * b >> P4D_CURVE_BITS;
}

/* x to the n, both as parts of P4D_CURVE_ONE. */
static uint32_t power(uint32_t x, unsigned int n)
{
	uint32_t out = P4D_CURVE_ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			out = times(out, x);
		x = times(x, x);
	}
	return out;
}

/* 1, 1/2, 1/3, ...: the greatest weighted sum of such curves divides by weight. */
static void nothing_declared(struct p4d_curve *c)
{
	uint32_t sum = 0;

	c->value[0] = 0;
	for (uint32_t b = 1; b <= P4W_MAX_BLOCKS; b++)
		c->value[b] = sum += P4D_CURVE_ONE / 8 / b;
}

void p4d_curve_make(struct p4d_curve *c, const uint16_t *hist, unsigned int n, uint32_t whole,
		    unsigned int together)
{
	uint32_t mass[P4W_MAX_BLOCKS], most = UINT32_MAX, sum = 0;

	for (unsigned int b = 0; b < n; b++) {
		most = hist[b] < most ? hist[b] : most;
		mass[b] = sum += most;
	}
	if (!sum) {
		nothing_declared(c);
		p4d_curve_limit(c, 0, 1, P4W_MAX_BLOCKS);
		return;
	}
	whole = whole > sum ? whole : sum;
	c->value[0] = 0;
	for (unsigned int b = 0; b < P4W_MAX_BLOCKS; b++) {
		uint32_t share;

		if (b >= n) {
			c->value[b + 1] = c->value[n];
			continue;
		}
		share = ((uint64_t)mass[b] << P4D_CURVE_BITS) / whole;
		c->value[b + 1] = together > 1 ? power(share, together) : share;
	}
	p4d_curve_limit(c, 0, 1, P4W_MAX_BLOCKS);
}

/* Is b below the line from a to c? */
static bool is_below(const struct p4d_curve *v, unsigned int a, unsigned int b, unsigned int c)
{
	uint64_t rise_ab = v->value[b] - v->value[a], rise_bc = v->value[c] - v->value[b];

	return rise_ab * (c - b) < rise_bc * (b - a);
}

void p4d_curve_limit(struct p4d_curve *c, unsigned int least, unsigned int min,
		     unsigned int most)
{
	unsigned int n = 0;

	if (min <= least)
		min = least + 1;
	c->least = least;
	c->min = min;
	c->most = most;
	c->corner[n++] = least;
	for (unsigned int b = min; b <= most; b++) {
		while (n > 1 && is_below(c, c->corner[n - 2], c->corner[n - 1], b))
			n--;
		c->corner[n++] = b;
	}
	c->corners = n;
}
