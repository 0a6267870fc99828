// SPDX-License-Identifier: GPL-2.0-or-later
/* Quantiles of known sets of values are right to half a bin, whatever their size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../util/rack/quantile.h"

static struct quantiles q;

static int empty(void **state)
{
	memset(&q, 0, sizeof(q));
	return 0;
}

static void near(double got, double want)
{
	if (fabs(got / want - 1) > 0.0051)
		fail_msg("got %g, wanted %g", got, want);
}

static void at__none(void **state)
{
	assert_true(quantiles_at(&q, 0.5) == 0);
	assert_true(quantiles_mean(&q) == 0);
}

static void at__thousand(void **state)
{
	int i;

	for (i = 1000; i > 0; i--)
		quantiles_add(&q, i);
	near(quantiles_at(&q, 0.5), 500);
	near(quantiles_at(&q, 0.99), 990);
	near(quantiles_at(&q, 0.999), 999);
	near(quantiles_at(&q, 1), 1000);
	assert_int_equal(q.count, 1000);
	assert_true(fabs(quantiles_mean(&q) - 500.5) < 1e-6);
}

static void at__one_of_hundred_is_far(void **state)
{
	int i;

	for (i = 0; i < 99; i++)
		quantiles_add(&q, 2);
	quantiles_add(&q, 1e6);
	near(quantiles_at(&q, 0.99), 2);
	near(quantiles_at(&q, 0.995), 1e6);
}

static void at__weights(void **state)
{
	quantiles_add_weighted(&q, 100000, 1);
	quantiles_add_weighted(&q, 10, 98);
	quantiles_add_weighted(&q, 1000, 1);
	near(quantiles_at(&q, 0.98), 10);
	near(quantiles_at(&q, 0.99), 1000);
	near(quantiles_at(&q, 0.999), 100000);
	near(quantiles_mean(&q), (10 * 98 + 1000 + 100000) / 100.0);
}

static void at__beyond_both_ends(void **state)
{
	quantiles_add(&q, 0);
	near(quantiles_at(&q, 1), 1e-3);
	quantiles_add(&q, 1e30);
	assert_true(quantiles_at(&q, 1) > 1e12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(at__none, empty),
		cmocka_unit_test_setup(at__thousand, empty),
		cmocka_unit_test_setup(at__one_of_hundred_is_far, empty),
		cmocka_unit_test_setup(at__weights, empty),
		cmocka_unit_test_setup(at__beyond_both_ends, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
