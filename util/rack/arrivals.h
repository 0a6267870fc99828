/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arrivals.h - which messages begin when, between which hosts.
 *
 * A Poisson process. The same seed gives the same messages at the same times, whoever carries them.
 */
#ifndef RACK_ARRIVALS_H
#define RACK_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

struct workload;

struct arrivals {
	const struct workload *workload;
	int hosts;
	bool incast;			/* all others to the first; else each to each */
	double gap_ns;			/* mean, between messages of all hosts */
	uint64_t next;			/* when the next one begins, ns */
	uint64_t random;
};

struct arrival {
	uint32_t bytes;
	uint8_t from, to;		/* hosts */
	uint8_t decile;			/* of the distribution that its size was drawn from */
};

/* `load`: the share of a link that the messages take; `from` then on, ns. The others are set already. */
void arrivals_start(struct arrivals *a, double load, uint32_t rate_mbps, uint64_t seed, uint64_t from);

/* The message that begins at a->next, which becomes the time of the one after it. */
struct arrival arrivals_take(struct arrivals *a);

#endif /* RACK_ARRIVALS_H */
