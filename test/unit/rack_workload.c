// SPDX-License-Identifier: GPL-2.0-or-later
/* Workloads: what their distributions are at some points, and that sampling keeps to them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../util/rack/workload.h"

static const struct {
	const char *name;
	double u;
	uint32_t want;
} points[] = {
	{ "w1", 0, 8 },
	{ "w1", 0.3, 8 },
	{ "w1", 0.5, 27 },
	{ "w1", 0.9, 503 },
	{ "w1", 0.9995, 6406 },
	{ "w1", 0.99975, 53203 },	/* halfway between two points */
	{ "w1", 1, 100000 },
	{ "w2", 0.99, 3151 },
	{ "w2", 1, 1000000 },
	{ "w3", 0.5, 268 },
	{ "w3", 0.99, 31013 },
	{ "w4", 0, 53 },
	{ "w4", 0.005, 92 },
	{ "w4", 0.8, 49408 },
	{ "w4", 0.98, 1000000 },
	{ "w5", 0, 1430 },
	{ "w5", 0.5, 72030 },
	{ "w5", 0.75, 1000000 },
};

static void bytes__points(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(points) / sizeof(*points); i++) {
		const struct workload *w = workload_find(points[i].name);

		assert_non_null(w);
		assert_int_equal(workload_bytes(w, points[i].u), points[i].want);
	}
}

static void find__names(void **state)
{
	assert_non_null(workload_find("w5"));
	assert_null(workload_find("w6"));
	assert_null(workload_find("w"));
	assert_null(workload_find(""));
}

static const struct {
	uint32_t message;
	double want;
} frames[] = {
	{ 1, 115 },
	{ 8, 122 },
	{ 1424, 1538 },
	{ 1425, 1538 + 115 },
	{ 2848, 2 * 1538 },
};

static void wire_bytes__packets(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(*frames); i++)
		assert_int_equal(lround(wire_bytes(frames[i].message)), frames[i].want);
}

/* Drawing gives the same mean as the points do by the rule of trapezes. */
static void mean__of_sample(void **state)
{
	static const struct {
		const char *name;
		double want;
	} means[] = {
		{ "w1", 212 }, { "w2", 634 }, { "w3", 2426 }, { "w4", 60269 }, { "w5", 384145 },
	};
	size_t i;

	for (i = 0; i < sizeof(means) / sizeof(*means); i++) {
		const struct workload *w = workload_find(means[i].name);
		double mean = workload_mean(w), sum = 0;
		int n;

		for (n = 0; n < 1000000; n++)
			sum += workload_bytes(w, drand48());
		assert_true(fabs(mean / means[i].want - 1) < 0.01);
		assert_true(fabs(sum / 1e6 / mean - 1) < 0.05);
		assert_true(workload_mean_wire(w) > mean + 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes__points),
		cmocka_unit_test(find__names),
		cmocka_unit_test(wire_bytes__packets),
		cmocka_unit_test(mean__of_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
