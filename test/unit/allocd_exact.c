// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_exact.c - see allocd_exact.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocd_exact.h"

uint64_t exact_worth(const struct p4d_bidder *b, size_t n, uint32_t capacity)
{
	uint64_t *now = calloc(capacity + 1, sizeof(*now));
	uint64_t *then = calloc(capacity + 1, sizeof(*then));
	uint32_t must = 0;
	uint64_t best;

	for (size_t i = 0; i < n; i++) {	/* worth of all so far, by what they may use */
		const struct p4d_curve *c = b[i].curve;
		uint32_t least = b[i].cost * c->least;
		uint64_t *old = now;

		for (uint32_t u = must + least; u <= capacity; u++)
			then[u] = now[u - least] + (uint64_t)b[i].factor * c->value[c->least];
		for (unsigned int k = c->min; k <= c->most; k++) {
			uint64_t worth = (uint64_t)b[i].factor * c->value[k];

			for (uint32_t u = must + b[i].cost * k; u <= capacity; u++)
				if (now[u - b[i].cost * k] + worth > then[u])
					then[u] = now[u - b[i].cost * k] + worth;
		}
		must += least;
		now = then;
		then = old;
	}
	best = now[capacity];
	free(now);
	free(then);
	return best;
}

uint64_t exact_random(uint64_t *seed)	/* splitmix64 */
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

double exact_uniform(uint64_t *seed)
{
	return (exact_random(seed) >> 11) * 0x1p-53;
}

/* 1 + 2^-s + ... + n^-s: the head term by term, the tail by Euler and Maclaurin. */
static double zeta(double n, double s)
{
	const double head = 32;
	double sum = 0, whole;

	for (double i = 1; i <= n && i <= head; i++)
		sum += pow(i, -s);
	if (n <= head)
		return sum;
	whole = fabs(s - 1) < 1e-9 ? log(n / head) :
		(pow(n, 1 - s) - pow(head, 1 - s)) / (1 - s);
	return sum + whole + (pow(n, -s) - pow(head, -s)) / 2 +
	       s * (pow(head, -s - 1) - pow(n, -s - 1)) / 12;
}

void exact_zipf(uint16_t hist[P4W_MAX_BLOCKS], double exponent, double keys, double per_block)
{
	double all = zeta(keys, exponent), before = 0;

	memset(hist, 0, P4W_MAX_BLOCKS * sizeof(*hist));
	for (int b = 0; b < P4W_MAX_BLOCKS; b++) {
		double sum = zeta(fmin(keys, (b + 1) * per_block), exponent);
		double share = (sum - before) / all * 65536;

		hist[b] = share > 65535 ? 65535 : share;
		before = sum;
	}
}
