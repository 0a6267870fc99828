// SPDX-License-Identifier: GPL-2.0-or-later
/* arrivals.c - see arrivals.h. */
#include <math.h>

#include "arrivals.h"
#include "workload.h"

/* splitmix64: 0 <= x < 1 */
static double random_real(struct arrivals *a)
{
	uint64_t z = a->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) / (1ul << 53);
}

static void draw_next(struct arrivals *a)
{
	a->next += fmax(1, -log(1 - random_real(a)) * a->gap_ns);
}

static void draw_hosts(struct arrivals *a, struct arrival *m)
{
	if (a->incast) {
		m->to = 0;
		m->from = 1 + random_real(a) * (a->hosts - 1);
		return;
	}
	m->from = random_real(a) * a->hosts;
	m->to = (m->from + 1 + (int)(random_real(a) * (a->hosts - 1))) % a->hosts;
}

void arrivals_start(struct arrivals *a, double load, uint32_t rate_mbps, uint64_t seed, uint64_t from)
{
	double link = rate_mbps * 1e-3 / 8;		/* bytes a ns */
	double bytes = workload_mean_wire(a->workload);

	/* A link carries responses too if all send to all. */
	if (a->incast)
		a->gap_ns = bytes / link / load;
	else
		a->gap_ns = (bytes + wire_bytes(RESPONSE_BYTES)) / link / load / a->hosts;
	a->random = seed;
	a->next = from;
	draw_next(a);
}

struct arrival arrivals_take(struct arrivals *a)
{
	double u = random_real(a);
	struct arrival m = { .bytes = workload_bytes(a->workload, u), .decile = u * WORKLOAD_DECILES };

	draw_hosts(a, &m);
	draw_next(a);
	return m;
}
