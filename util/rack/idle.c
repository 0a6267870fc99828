// SPDX-License-Identifier: GPL-2.0-or-later
/* idle.c - how long messages take that are alone: what the reference of slowdown is made of. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "load.h"

#define IDLE_REPEATS	5

static double idle_ns;
static bool alone;	/* and under way */

static void alone_is_done(struct message *m)
{
	double ns = now - m->began;

	if (!idle_ns || ns < idle_ns)
		idle_ns = ns;
	alone = false;
}

static void measure_alone(const struct transport *t, uint32_t bytes)
{
	int i;

	idle_ns = 0;
	for (i = 0; i < IDLE_REPEATS; i++) {
		alone = true;
		t->send(new_message(NULL, 0, 1, bytes));
		while (alone)
			wait_until(LATER);
	}
	printf("%s %u %.0f\n", t->name, bytes, idle_ns);
}

/* Short ones closely, and both sides of where one packet more is needed for them. */
void measure_idle(const struct transport *t, int hosts)
{
	static const uint32_t few[] = {
		8, 32, 64, 100, 150, 200, 300, 400, 600, 800, 1000, 1200, 1424, 1449, 2000, 2848, 2897,
		3600, 4272, 4345, 5000, 6000, 7000, 8500, 10000, 12000, 14000,
	};
	double bytes = 16000;
	size_t i;

	when_done = alone_is_done;
	t->open(hosts, 1);
	settle();
	for (i = 0; i < sizeof(few) / sizeof(*few); i++)
		measure_alone(t, few[i]);
	for (; bytes < MESSAGE_MAX; bytes *= 1.15)
		measure_alone(t, bytes);
	measure_alone(t, MESSAGE_MAX);
}
