// SPDX-License-Identifier: GPL-2.0-or-later
/* The reference of slowdown: the fastest of each size, between sizes a line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/rack/reference.h"

static struct reference r;

static int empty(void **state)
{
	memset(&r, 0, sizeof(r));
	return 0;
}

static void ns__between(void **state)
{
	reference_add(&r, 1000, 30);
	reference_add(&r, 100, 10);
	reference_add(&r, 10000, 120);
	assert_true(reference_ns(&r, 1) == 10);
	assert_true(reference_ns(&r, 100) == 10);
	assert_true(reference_ns(&r, 550) == 20);
	assert_true(reference_ns(&r, 1000) == 30);
	assert_true(reference_ns(&r, 5500) == 75);
	assert_true(reference_ns(&r, 1000000) == 120);
}

static void add__fastest(void **state)
{
	reference_add(&r, 100, 10);
	reference_add(&r, 100, 12);
	assert_true(reference_ns(&r, 100) == 10);
	reference_add(&r, 100, 9);
	assert_true(reference_ns(&r, 100) == 9);
	assert_int_equal(r.count, 1);
}

static void add__full(void **state)
{
	uint32_t i;

	for (i = 0; i < REFERENCE_SIZES; i++)
		assert_int_equal(reference_add(&r, i + 1, i), 0);
	assert_int_equal(reference_add(&r, 1000000, 1), -1);
	assert_int_equal(reference_add(&r, 1, 1), 0);
}

static const struct {
	const char *text;
	int want;
	int count;
} files[] = {
	{ "homa 8 1000\nhoma 100 1100\ntcp 8 900\n", 0, 2 },
	{ "", -1, 0 },
	{ "homa 8\n", -1, 0 },
	{ "homa 8 1000\nhoma eight 1000\n", -1, 0 },
};

static void read__files(void **state)
{
	char path[] = "/tmp/rack_reference.XXXXXX";
	int fd = mkstemp(path);
	size_t i;

	assert_true(fd >= 0);
	close(fd);
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *f = fopen(path, "w");

		fputs(files[i].text, f);
		fclose(f);
		memset(&r, 0, sizeof(r));
		assert_int_equal(reference_read(&r, path), files[i].want);
		if (!files[i].want)
			assert_int_equal(r.count, files[i].count);
	}
	unlink(path);
	assert_int_equal(reference_read(&r, path), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ns__between, empty),
		cmocka_unit_test_setup(add__fastest, empty),
		cmocka_unit_test_setup(add__full, empty),
		cmocka_unit_test_setup(read__files, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
