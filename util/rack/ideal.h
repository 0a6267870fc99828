/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ideal.h - the rack with links that know everything, instead of transports.
 *
 * Hosts, links, packets and headers are as in the guest (see doc/rack.md), time is exact, and each
 * sender's link and each port of the switch decides for itself, at each packet: first whose bytes
 * left times its time alone is least. That keeps the mean slowdown low at one link. Nobody has to
 * ask, grant or acknowledge, and no buffer is full.
 */
#ifndef RACK_IDEAL_H
#define RACK_IDEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "arrivals.h"

#define DELAY_NS	2000		/* from the switch to a host */

struct ideal;

struct ideal_options {
	int hosts;			/* at most HOSTS_MAX */
	uint32_t rate_mbps;
	bool preemptive;		/* a packet stops for a better one, and goes on after it */
	/* The response is here. */
	void (*done)(void *context, const struct arrival *a, double began_ns, double took_ns);
	void *context;
};

/* Ends the program if there is no memory, as all here do. */
struct ideal *ideal_create(const struct ideal_options *o);
void ideal_destroy(struct ideal *i);

/* A message begins then, no earlier than others did. What happens before it is told first. */
void ideal_begin(struct ideal *i, const struct arrival *a, uint64_t at);

/* All that happens until then. */
void ideal_run(struct ideal *i, uint64_t until);

/* How long a message takes that is alone. */
double ideal_alone_ns(uint32_t bytes, uint32_t rate_mbps);

#endif /* RACK_IDEAL_H */
