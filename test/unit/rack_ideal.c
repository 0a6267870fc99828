// SPDX-License-Identifier: GPL-2.0-or-later
/* The rack with links that know everything: by hand, against a formula, and without load. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../util/rack/ideal.h"
#include "../../util/rack/workload.h"

#define RATE	10000		/* Mbit/s: a byte takes 0.8 ns */

static double took[4], sum;
static int nr;

static void note(void *context, const struct arrival *a, double began_ns, double took_ns)
{
	took[a->decile % 4] = took_ns;
	sum += took_ns - ideal_alone_ns(a->bytes, RATE);
	nr++;
}

static struct ideal *create(bool preemptive)
{
	const struct ideal_options o = {
		.hosts = 4, .rate_mbps = RATE, .preemptive = preemptive, .done = note,
	};

	sum = nr = 0;
	return ideal_create(&o);
}

static void finish(struct ideal *i, int messages)
{
	ideal_run(i, UINT64_MAX);
	assert_int_equal(nr, messages);
	ideal_destroy(i);
}

/* Frames of 8 and of 1424 bytes take 97.6 and 1230.4 ns, and each way has a delay of 2 us. */
static const struct {
	struct {
		uint32_t bytes;
		uint8_t from, to;
		uint64_t at;
	} message[3];
	bool preemptive;
	double took[3];
} cases[] = {
	/* alone: each frame twice; of several packets, one is sent while the next one comes */
	{ { { 8, 0, 1, 5 } }, false, { 4390.4 } },
	{ { { 1424, 0, 1, 5 } }, false, { 6656 } },
	{ { { 1424 + 8, 0, 1, 5 } }, false, { 6753.6 } },
	{ { { 14240, 0, 1, 0 } }, false, { 11 * 1230.4 + 4195.2 } },
	/* the shorter of two that come together goes first */
	{ { { 1424, 0, 1, 0 }, { 8, 0, 2, 0 } }, false, { 6656, 4390.4 + 1230.4 } },
	{ { { 1424, 0, 1, 0 }, { 8, 0, 2, 0 } }, true, { 6656 + 97.6, 4390.4 } },
	/* a packet that has begun is sent to its end, but not the message */
	{ { { 14240, 0, 1, 0 }, { 8, 0, 2, 1000 } }, false,
	  { 11 * 1230.4 + 4195.2 + 97.6, 4390.4 + 230.4 } },
	{ { { 14240, 0, 1, 0 }, { 8, 0, 2, 1000 } }, true, { 11 * 1230.4 + 4195.2 + 97.6, 4390.4 } },
	/* at the port: a long one has begun to leave when a short one comes */
	{ { { 1424, 0, 2, 0 }, { 8, 1, 2, 1300 } }, false, { 6656, 4390.4 + 1063.2 } },
	{ { { 1424, 0, 2, 0 }, { 8, 1, 2, 1300 } }, true, { 6656 + 97.6, 4390.4 } },
	/* nearly done is better than short */
	{ { { 1432, 0, 1, 0 }, { 100, 0, 2, 1200 } }, false, { 6753.6, 4537.6 + 128 } },
	/* a response waits for a request of its host */
	{ { { 8, 0, 1, 0 }, { 1424, 1, 2, 2000 } }, false, { 4390.4 + 1035.2, 6656 } },
	{ { { 8, 0, 1, 0 }, { 1424, 1, 2, 2000 } }, true, { 4390.4, 6656 + 97.6 } },
};

static void took__by_hand(void **state)
{
	size_t c, k, messages;

	for (c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		struct ideal *i = create(cases[c].preemptive);

		for (messages = 0; messages < 3 && cases[c].message[messages].bytes; messages++)
			;
		for (k = 0; k < messages; k++) {
			const struct arrival a = {
				cases[c].message[k].bytes, cases[c].message[k].from,
				cases[c].message[k].to, k,
			};

			ideal_begin(i, &a, cases[c].message[k].at);
		}
		finish(i, messages);
		for (k = 0; k < messages; k++)
			if (fabs(took[k] - cases[c].took[k]) > 0.01)
				fail_msg("case %zu, message %zu: %.1f", c, k, took[k]);
	}
}

/* From one host to one other, all of one packet of one size: they wait only for the host's link, as
 * Pollaczek and Khinchine say, then leave no faster than the rest can take them.
 */
static void mean__as_one_queue(void **state)
{
	static const double load[] = { 0.2, 0.5, 0.8 };
	const double service = wire_bytes(500) * 0.8;
	size_t l;

	for (l = 0; l < sizeof(load) / sizeof(*load); l++) {
		const struct arrival a = { 500, 0, 1, 0 };
		double want = load[l] / 2 / (1 - load[l]) * service, at = 0;
		struct ideal *i = create(l % 2);
		int k;

		srand48(1);
		for (k = 0; k < 400000; k++) {
			at += -log(1 - drand48()) * service / load[l];
			ideal_begin(i, &a, at);
		}
		finish(i, 400000);
		if (fabs(sum / nr / want - 1) > 0.03)
			fail_msg("load %g: waits %.1f, formula %.1f", load[l], sum / nr, want);
	}
}

/* So seldom that none meets another: nothing waits, whatever its size. */
static void slowdown__without_load(void **state)
{
	struct arrivals arrivals = { .workload = workload_find("w3"), .hosts = 4 };
	struct ideal *i = create(false);
	int k;

	arrivals_start(&arrivals, 1e-6, RATE, 1, 0);
	for (k = 0; k < 2000; k++) {
		uint64_t at = arrivals.next;
		struct arrival a = arrivals_take(&arrivals);

		ideal_begin(i, &a, at);
		ideal_run(i, arrivals.next - 1);
		assert_int_equal(nr, k + 1);
		assert_true(fabs(sum) < 1);
	}
	ideal_destroy(i);
}

/* Links carry what was asked for. */
static void arrivals__load(void **state)
{
	struct arrivals a = { .workload = workload_find("w2"), .hosts = 4 };
	double up[4] = {}, down[4] = {};
	int k;

	arrivals_start(&a, 0.8, RATE, 1, 0);
	for (k = 0; k < 2000000; k++) {
		struct arrival m = arrivals_take(&a);

		assert_int_not_equal(m.from, m.to);
		up[m.from] += wire_bytes(m.bytes);
		up[m.to] += wire_bytes(RESPONSE_BYTES);
		down[m.to] += wire_bytes(m.bytes);
		down[m.from] += wire_bytes(RESPONSE_BYTES);
	}
	for (k = 0; k < 4; k++) {
		assert_true(fabs(up[k] * 0.8 / a.next - 0.8) < 0.04);
		assert_true(fabs(down[k] * 0.8 / a.next - 0.8) < 0.04);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(took__by_hand),
		cmocka_unit_test(mean__as_one_queue),
		cmocka_unit_test(slowdown__without_load),
		cmocka_unit_test(arrivals__load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
