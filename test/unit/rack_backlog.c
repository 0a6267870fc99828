// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether a backlog grows: by all looks at it, not by the first and the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../util/rack/backlog.h"

static void growth__of_lines(void **state)
{
	static const double slopes[] = { 0, 1, -3, 1e6 };
	struct backlog b;
	int i, t;

	for (i = 0; i < 4; i++) {
		b = (struct backlog){};
		for (t = 0; t < 100; t++)
			backlog_add(&b, t, 5e6 + slopes[i] * t);
		assert_float_equal(backlog_growth(&b), slopes[i], 1e-3);
	}
}

static void growth__ends_are_two_looks_of_many(void **state)
{
	struct backlog b = {};
	int t;

	for (t = 0; t <= 100; t++)
		backlog_add(&b, t, t == 100 ? 1e6 : 0);
	/* by its ends: 10,000 */
	assert_true(backlog_growth(&b) > 0 && backlog_growth(&b) < 700);
}

static void growth__of_too_little(void **state)
{
	struct backlog b = {};

	assert_float_equal(backlog_growth(&b), 0, 0);
	backlog_add(&b, 3, 1000);
	assert_float_equal(backlog_growth(&b), 0, 0);
	backlog_add(&b, 3, 2000);
	assert_float_equal(backlog_growth(&b), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth__of_lines),
		cmocka_unit_test(growth__ends_are_two_looks_of_many),
		cmocka_unit_test(growth__of_too_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
