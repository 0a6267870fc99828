// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * divide.c - how good and how fast the division of blocks is, against the exact optimum.
 *
 * 300 tenants on 256 blocks of 1,280 cells: Zipf exponents 0.6 .. 1.3, 10^4 .. 10^7 keys, rates
 * log-normal (sigma 1). A transaction gains for each of its accesses, or only if all of 2 or 8
 * are there.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../unit/allocd_exact.h"
#include "bench.h"

#define TENANTS 300
#define SEEDS 10
#define TIMED 20		/* decisions timed a seed, weights changing between them */
#define CHECKED 1		/* of them compared with the optimum, which takes long */

static struct p4d_curve curves[TENANTS];
static struct p4d_bidder bidders[TENANTS];
static uint16_t hists[TENANTS][P4W_MAX_BLOCKS];
static uint32_t factors[TENANTS];

static double normal(uint64_t *seed)
{
	return sqrt(-2 * log(1 - exact_uniform(seed))) * cos(2 * M_PI * exact_uniform(seed));
}

static void draw(uint64_t seed)
{
	for (int i = 0; i < TENANTS; i++) {
		double exponent = 0.6 + 0.7 * exact_uniform(&seed);
		double keys = pow(10, 4 + 3 * exact_uniform(&seed));
		double factor = 4096 * exp(normal(&seed));

		exact_zipf(hists[i], exponent, keys, 1280);
		factors[i] = factor > P4D_FACTOR_MAX ? P4D_FACTOR_MAX : factor;
	}
}

struct figures {
	double sum, worst, proved;	/* of the optimum; of the bound */
	uint64_t ns[SEEDS * TIMED], curve_ns;
	size_t timed, checked;
	unsigned int exact, wrong;
};

static void check(const struct p4d_worth *w, struct figures *f)
{
	uint64_t best = exact_worth(bidders, TENANTS, P4W_MAX_BLOCKS);

	f->sum += (double)w->value / best;
	f->worst = fmin(f->worst, (double)w->value / best);
	f->proved = fmin(f->proved, (double)w->value / w->bound);
	f->checked++;
	f->exact += w->exact;
	f->wrong += w->value > best || w->bound < best || (w->exact && w->value != best);
}

static void measure(struct p4d_divider *d, uint64_t seed, unsigned int together,
		    struct figures *f)
{
	uint64_t from = bench_ns();
	struct p4d_worth w;

	for (int i = 0; i < TENANTS; i++)
		p4d_curve_make(&curves[i], hists[i], P4W_MAX_BLOCKS, P4D_CURVE_ALL, together);
	f->curve_ns = (bench_ns() - from) / TENANTS;
	for (int round = 0; round < TIMED; round++) {
		for (int i = 0; i < TENANTS; i++) {
			double change = round ? 0.5 + exact_uniform(&seed) : 1;

			bidders[i] = (struct p4d_bidder){ &curves[i], factors[i] * change, 1, 0 };
		}
		from = bench_ns();
		w = p4d_divide(d, bidders, TENANTS, P4W_MAX_BLOCKS);
		f->ns[f->timed++] = bench_ns() - from;
		if (round < CHECKED)
			check(&w, f);
	}
}

static void row(struct p4d_divider *d, unsigned int together)
{
	struct figures f = { .worst = 1, .proved = 1 };
	char name[4][40];

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		draw(seed + 1);
		measure(d, seed + 1, together, &f);
	}
	snprintf(name[0], sizeof(name[0]), "utility-%u-mean", together);
	snprintf(name[1], sizeof(name[1]), "utility-%u-worst", together);
	snprintf(name[2], sizeof(name[2]), "utility-%u-p99", together);
	snprintf(name[3], sizeof(name[3]), "utility-%u-proved", together);
	bench_least(name[0], f.sum / f.checked, "of_optimum", together == 1 ? 1 : 0.999);
	bench_least(name[1], f.worst, "of_optimum",
		     together == 1 ? 1 : 0.995);
	bench_least(name[3], f.proved, "of_bound",
		     together == 1 ? 1 : 0.99);
	bench_most(name[2], bench_quantile(f.ns, f.timed, 0.99), "ns", 1e6);
	snprintf(name[0], sizeof(name[0]), "utility-%u-wrong-proofs", together);
	snprintf(name[1], sizeof(name[1]), "utility-%u-proved-exact", together);
	snprintf(name[2], sizeof(name[2]), "utility-%u-curve", together);
	bench_most(name[0], f.wrong, "divisions", 0);
	bench_row(name[1], (double)f.exact / f.checked, "of_divisions");
	bench_row(name[2], f.curve_ns, "ns");
}

int main(void)
{
	struct p4d_divider *d = p4d_divider_create();

	row(d, 1);
	row(d, 2);
	row(d, 8);
	p4d_divider_destroy(d);
	return 0;
}
