// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_options.c - the command line of p4allocd: what is wrong is named, with what it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/p4allocd/options.h"

static struct p4d_options o;

/* Up to three arguments; the error, or "". */
static const char *parse(char *a, char *b, char *c)
{
	char *argv[] = { "p4allocd", a, b, c, NULL };
	static char err[200];

	err[0] = '\0';
	return p4d_options_parse(&o, a ? b ? c ? 4 : 3 : 2 : 1, argv, err, sizeof(err)) ? err : "";
}

static void options__good(void **state)
{
	assert_string_equal(parse(NULL, NULL, NULL), "");
	assert_string_equal(o.store, "/var/lib/p4allocd.db");
	assert_string_equal(o.name, "switch");
	assert_string_equal(parse("--port=32767", "-vv", "--metrics=9146"), "");
	assert_int_equal(o.port, 32767);
	assert_int_equal(o.verbose, 2);
	assert_string_equal(parse("--lease=60", "--store=etcd://h:1/p", "--name=sw1"), "");
	assert_int_equal(o.lease_s, 60);
	assert_string_equal(parse("--address=10.0.0.1/24@eth0", "--help", NULL), "");
	assert_true(o.help);
}

static void options__bad(void **state)
{
	static const struct { char *a, *b; const char *error; } t[] = {
		{ "--fly", NULL, "--fly: no such option; --help lists the options" },
		{ "--port", NULL, "--port: needs a value; --help lists the options" },
		{ "--port=0", NULL, "--port 0: must be 1 .. 32767" },
		{ "--port=32768", NULL, "--port 32768: must be 1 .. 32767" },
		{ "--port=-1", NULL, "--port -1: must be 1 .. 32767" },
		{ "--port=1x", NULL, "--port 1x: must be 1 .. 32767" },
		{ "--lease=1", "--store=etcd://h:1/p", "--lease 1: must be 2 .. 60" },
		{ "--lease=61", "--store=etcd://h:1/p", "--lease 61: must be 2 .. 60" },
		{ "more", NULL, "more: no arguments but options; --help lists them" },
		{ "--lease=5", NULL, "--lease: only with --store etcd://..., the store is /var/lib/p4allocd.db" },
		{ "--name=sw1", "--store=/a", "--name: only with --store etcd://..., the store is /a" },
		{ "--address=10.0.0.1/24@eth0", NULL,
		  "--address: only with --store etcd://..., the store is /var/lib/p4allocd.db" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(parse(t[i].a, t[i].b, NULL), t[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options__good),
		cmocka_unit_test(options__bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
