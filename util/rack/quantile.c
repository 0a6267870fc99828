// SPDX-License-Identifier: GPL-2.0-or-later
/* quantile.c - see quantile.h. */
#include <math.h>

#include "quantile.h"

#define SMALLEST	1e-3
#define STEP		1.01

static int bin_of(double value)
{
	double bin = value > SMALLEST ? log(value / SMALLEST) / log(STEP) : 0;

	return bin < QUANTILE_BINS - 1 ? (int)bin : QUANTILE_BINS - 1;
}

void quantiles_add_weighted(struct quantiles *q, double value, double weight)
{
	q->count++;
	q->sum += value * weight;
	q->weight += weight;
	q->bin[bin_of(value)] += weight;
}

void quantiles_add(struct quantiles *q, double value)
{
	quantiles_add_weighted(q, value, 1);
}

double quantiles_at(const struct quantiles *q, double p)
{
	double left = p * q->weight;
	int i;

	if (!q->count)
		return 0;
	for (i = 0; i < QUANTILE_BINS - 1; i++) {
		left -= q->bin[i];
		/* sums of weights are not exact */
		if (left <= 1e-9 * q->weight)
			break;
	}
	return SMALLEST * pow(STEP, i + 0.5);
}

double quantiles_mean(const struct quantiles *q)
{
	return q->weight > 0 ? q->sum / q->weight : 0;
}
