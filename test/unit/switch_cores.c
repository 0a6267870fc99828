// SPDX-License-Identifier: GPL-2.0-or-later
/* switch_cores.c - which CPUs p4switch takes, with some that are off, and what it says of others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/p4switch/cores.h"

static void check__table(void **state)
{
	static const struct { const char *list, *online, *says; } t[] = {
		{ "0", "0", NULL },
		{ "0-1,3", "0-1,3", NULL },
		{ "3,0-1,1", "0-1,3", NULL },
		{ "0-7", "0-7", NULL },
		{ "2-5", "0-3,4-7", NULL },
		{ "0-3", "0-1,3", "--cores 0-3: CPU 2 is not online; there are CPUs 0-1,3" },
		{ "2", "0-1,3", "--cores 2: CPU 2 is not online; there are CPUs 0-1,3" },
		{ "0,2-3", "0-1,3", "CPU 2 is not online" },
		{ "3-4", "0-1,3", "CPU 4 is not online" },
		{ "0,9999", "0-1", "--cores 0,9999: CPU 9999 is not online; there are CPUs 0-1" },
		{ "0-18446744073709551615", "0-1", "CPU 2 is not online" },
		{ "99999999999999999999999", "0-1", "is not online" },
		{ "", "0-1", "--cores must be like 0-1,3, of CPUs 0-1" },
		{ "all", "0-1", "--cores must be like 0-1,3, of CPUs 0-1" },
		{ "0,", "0-1", "must be like" },
		{ ",0", "0-1", "must be like" },
		{ "0,,1", "0-1", "must be like" },
		{ "1-0", "0-1", "must be like" },
		{ "0-", "0-1", "must be like" },
		{ "-1", "0-1", "must be like" },
		{ "0 1", "0-1", "must be like" },
		{ "0x1", "0-1", "must be like" },
		{ "0-1-1", "0-1", "must be like" },
	};
	char err[256];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		print_message("# '%s' of '%s'\n", t[i].list, t[i].online);
		err[0] = '\0';
		assert_int_equal(cores_check(t[i].list, t[i].online, err, sizeof(err)),
				 t[i].says ? -EINVAL : 0);
		if (t[i].says)
			assert_non_null(strstr(err, t[i].says));
	}
}

static void check__too_long(void **state)
{
	char list[CORES_TEXT + 2] = "", err[256];

	while (strlen(list) < CORES_TEXT - 2)
		strcat(list, "0,");
	strcat(list, "0");
	assert_int_equal(cores_check(list, "0", err, sizeof(err)), 0);
	strcat(list, ",0");
	assert_int_equal(cores_check(list, "0", err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "--cores: the list is too long");
}

static void online__is_a_good_list(void **state)
{
	char list[CORES_TEXT], err[256];

	assert_int_equal(cores_online(list, sizeof(list)), 0);
	assert_int_equal(cores_check(list, list, err, sizeof(err)), 0);
	assert_int_equal(cores_online(list, 2), -E2BIG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(check__table),
		cmocka_unit_test(check__too_long),
		cmocka_unit_test(online__is_a_good_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
