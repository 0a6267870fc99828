/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quantile.h - quantiles of millions of positive values, exact to half a percent, in little memory.
 *
 * Values are counted in bins whose limits grow by 1 %; a quantile is the middle of its bin.
 */
#ifndef RACK_QUANTILE_H
#define RACK_QUANTILE_H

#include <stdint.h>

#define QUANTILE_BINS	3600	/* 1e-3 .. 3e12 */

struct quantiles {
	uint64_t count;
	double sum;
	double weight;
	double bin[QUANTILE_BINS];
};

void quantiles_add(struct quantiles *q, double value);

/* A value that counts as much as `weight` others: a state and how long it lasted. */
void quantiles_add_weighted(struct quantiles *q, double value, double weight);

/* The smallest value that a share of at least 0 < p <= 1 of all does not exceed; 0 if there are none. */
double quantiles_at(const struct quantiles *q, double p);
double quantiles_mean(const struct quantiles *q);

#endif /* RACK_QUANTILE_H */
