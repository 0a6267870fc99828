// SPDX-License-Identifier: GPL-2.0-or-later
/* What a switch's ports report: sums over ports, the length of the queue by time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../util/rack/ports.h"

static const char two_ports[] =
	"port 1 packets 10 bytes 15000 marked 2 max 4096 dropped 1 0 0 0 0 0 0 2 bins 0:50 4096:50\n"
	"port 2 packets 5 bytes 500 marked 0 max 900000 dropped 0 0 0 4 0 0 0 0 bins 0:98 900096:2\n";

static int read_text(struct ports *p, const char *text, int only)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int err;

	assert_non_null(f);
	memset(p, 0, sizeof(*p));
	err = ports_read(p, f, only);
	fclose(f);
	return err;
}

static void read__sums(void **state)
{
	static struct ports p;

	assert_int_equal(read_text(&p, two_ports, 8), 0);
	assert_int_equal(p.packets, 15);
	assert_int_equal(p.bytes, 15500);
	assert_int_equal(p.marked, 2);
	assert_int_equal(p.dropped, 7);
	assert_int_equal(p.max_bytes, 900000);
	assert_true(fabs(quantiles_mean(&p.queue) - (4096 * 50 + 900096 * 2) / 200.0) < 1e-6);
	assert_true(quantiles_at(&p.queue, 0.7) < 1);
	assert_true(fabs(quantiles_at(&p.queue, 0.9) / 4096 - 1) < 0.01);
}

static void read__first_only(void **state)
{
	static struct ports p;

	assert_int_equal(read_text(&p, two_ports, 1), 0);
	assert_int_equal(p.packets, 10);
	assert_int_equal(p.max_bytes, 4096);
}

static const char *const bad[] = {
	"port 1 packets 10\n",
	"port 1 packets 10 bytes 15000 marked 2 max 4096 dropped 1 0 0 0 0 0 0 2 bins 0:50 x\n",
	"host 1\n",
};

static void read__bad(void **state)
{
	static struct ports p;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(read_text(&p, bad[i], 8), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read__sums),
		cmocka_unit_test(read__first_only),
		cmocka_unit_test(read__bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
