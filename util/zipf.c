// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zipf.c - see zipf.h. Pure functions of the generator's state; equal seeds give equal traces.
 *
 * area(x) is the integral of x^-theta from 1 to x. A uniform point under area is mapped back to a
 * real x and rounded; the small surplus of the integral over the sum is rejected.
 */
#include <math.h>

#include "zipf.h"

uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
	return (rng_next(r) >> 32) * bound >> 32;
}

static double uniform(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

static double weight(double theta, double x)
{
	return pow(x, -theta);
}

static double area(double theta, double x)
{
	return theta == 1 ? log(x) : (pow(x, 1 - theta) - 1) / (1 - theta);
}

static double area_inverse(double theta, double a)
{
	return theta == 1 ? exp(a) : pow(1 + a * (1 - theta), 1 / (1 - theta));
}

void zipf_init(struct zipf *z, uint32_t n, double theta)
{
	z->theta = theta;
	z->n = n;
	z->high = area(theta, n + 0.5);
	z->range = area(theta, 1.5) - 1 - z->high;
	z->squeeze = 2 - area_inverse(theta, area(theta, 2.5) - weight(theta, 2));
}

uint32_t zipf_draw(const struct zipf *z, struct rng *r)
{
	for (;;) {
		double a = z->high + uniform(r) * z->range;
		double x = area_inverse(z->theta, a);
		double k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		if (k > z->n)
			k = z->n;
		if (k - x <= z->squeeze || a >= area(z->theta, k + 0.5) - weight(z->theta, k))
			return k;
	}
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

uint32_t zipf_scatter(uint32_t rank, uint32_t keys)
{
	uint32_t step = keys * 0.6180339887 + 1;	/* far from every simple fraction of keys */

	while (gcd(step, keys) != 1)
		step++;
	return (uint64_t)rank * step % keys;
}
