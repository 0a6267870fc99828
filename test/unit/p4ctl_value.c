// SPDX-License-Identifier: GPL-2.0-or-later
/* p4ctl_value.c - p4ctl: values as people write them, tables, owners of blocks */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "owners.h"
#include "table.h"
#include "value.h"

#define ROWS(t)	(sizeof(t) / sizeof((t)[0]))

static void parse_number__table(void **state)
{
	static const struct { const char *in; bool ok; uint64_t want; } t[] = {
		{ "0", true, 0 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "0X1f", true, 31 },
		{ "010", true, 10 },				/* never octal */
		{ "18446744073709551616", false, 0 },		/* one too many */
		{ "0x10000000000000000", false, 0 },
		{ "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 }, { " 1", false, 0 },
		{ "1 ", false, 0 }, { "0x", false, 0 }, { "12a", false, 0 }, { "1.0", false, 0 },
	};
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		uint64_t v = 0;

		print_message("# '%s'\n", t[i].in);
		assert_int_equal(parse_number(t[i].in, &v), t[i].ok);
		assert_int_equal(v, t[i].want);
	}
}

static void parse_time__table(void **state)
{
	static const struct { const char *in; bool ok; uint64_t want; } t[] = {
		{ "0", true, 0 }, { "0us", true, 0 }, { "500us", true, 500 },
		{ "20ms", true, 20000 }, { "2s", true, 2000000 }, { "1m", true, 60000000 },
		{ "1.5ms", true, 1500 }, { "0.001ms", true, 1 }, { "0.5m", true, 30000000 },
		{ "1.50s", true, 1500000 },
		{ "1.5us", false, 0 },			/* half a microsecond */
		{ "0.0001ms", false, 0 }, { "1.00009ms", false, 0 }, { "1.0000000001s", false, 0 },
		{ "5", false, 0 }, { "ms", false, 0 }, { "5 ms", false, 0 }, { "5msx", false, 0 },
		{ ".5ms", false, 0 }, { "1.ms", false, 0 }, { "-1ms", false, 0 },
		{ "5h", false, 0 }, { "18446744073709551615m", false, 0 },
		{ "18446744073709.551616s", false, 0 },	/* 2^64 us */
		{ "18446744073709.551615s", true, UINT64_MAX },
	};
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		uint64_t v = 0;

		print_message("# '%s'\n", t[i].in);
		assert_int_equal(parse_time(t[i].in, &v), t[i].ok);
		if (t[i].ok)
			assert_int_equal(v, t[i].want);
	}
}

static void format_time__reads_back(void **state)
{
	static const struct { uint64_t us; const char *want; } t[] = {
		{ 0, "0us" }, { 1, "1us" }, { 999, "999us" }, { 1000, "1ms" }, { 1001, "1001us" },
		{ 1500000, "1500ms" }, { 2000000, "2s" }, { 60000000, "60s" },
		{ UINT64_MAX, "18446744073709551615us" },
	};
	char buf[VALUE_LEN];
	uint64_t us;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		format_time(t[i].us, buf);
		assert_string_equal(buf, t[i].want);
		assert_true(parse_time(buf, &us));
		assert_int_equal(us, t[i].us);
	}
}

static void is_name__limits(void **state)
{
	assert_true(is_name("a", 31));
	assert_true(is_name("A-z_0.9", 31));
	assert_true(is_name("1234567890123456789012345678901", 31));
	assert_false(is_name("12345678901234567890123456789012", 31));
	assert_false(is_name("", 31));
	assert_false(is_name("a b", 31));
	assert_false(is_name("a;reboot", 31));
	assert_false(is_name("a\n", 31));
}

static void parse_addr__reads_back(void **state)
{
	static const char *const good[] = { "10.0.0.254", "255.255.255.255", "none" };
	static const char *const bad[] = { "10.0.0", "10.0.0.256", "::1", "host", "", "10.0.0.1 " };
	char buf[VALUE_LEN];
	uint32_t addr;
	size_t i;

	for (i = 0; i < ROWS(good); i++) {
		assert_true(parse_addr(good[i], &addr));
		format_addr(addr, buf);
		assert_string_equal(buf, good[i]);
	}
	for (i = 0; i < ROWS(bad); i++)
		assert_false(parse_addr(bad[i], &addr));
	assert_true(parse_addr("1.2.3.4", &addr));
	assert_memory_equal(&addr, "\1\2\3\4", 4);		/* network order */
}

static void format_blocks__ranges(void **state)
{
	static const struct { uint8_t map[4]; unsigned int n; const char *want; } t[] = {
		{ { 0, 0, 0, 0 }, 0, "none" },
		{ { 0x01, 0, 0, 0 }, 1, "0" },
		{ { 0x0f, 0x01, 0, 0 }, 5, "0-3,8" },
		{ { 0x80, 0x01, 0, 0x80 }, 3, "7-8,31" },	/* across a byte; the last one */
		{ { 0xff, 0xff, 0xff, 0xff }, 32, "0-31" },
	};
	char buf[32];
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		assert_int_equal(format_blocks(t[i].map, 4, buf, sizeof(buf)), t[i].n);
		assert_string_equal(buf, t[i].want);
	}
}

static void format_blocks__short_buffer(void **state)
{
	uint8_t map[32];
	char buf[13];

	memset(map, 0x55, sizeof(map));
	assert_int_equal(format_blocks(map, sizeof(map), buf, sizeof(buf)), 128);
	assert_string_equal(buf, "0,2,4,6,8,..");
}

static void format_rate__short(void **state)
{
	static const struct { double in; const char *want; } t[] = {
		{ 0, "0" }, { 0.25, "0.2" }, { 12.34, "12.3" }, { 99.4, "99.4" }, { 99.6, "100" },
		{ 9999, "9999" }, { 9999.9, "10k" }, { 1234567, "1235k" }, { 5e10, "50G" },
	};
	char buf[VALUE_LEN];
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		format_rate(t[i].in, buf);
		assert_string_equal(buf, t[i].want);
	}
}

static void word_distance__table(void **state)
{
	static const struct { const char *a, *b; unsigned int want; } t[] = {
		{ "weight", "weight", 0 }, { "wieght", "weight", 1 }, { "weigt", "weight", 1 },
		{ "weights", "weight", 1 }, { "", "abc", 3 }, { "uid", "gid", 1 },
		{ "kitten", "sitting", 3 },
	};
	char longer[100];
	size_t i;

	for (i = 0; i < ROWS(t); i++)
		assert_int_equal(word_distance(t[i].a, t[i].b), t[i].want);
	memset(longer, 'x', sizeof(longer));
	longer[99] = '\0';
	assert_int_equal(word_distance(longer, ""), 31);
}

static char *printed(const struct table *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	table_print(t, f);
	fclose(f);
	return text;
}

static void table__aligns_and_cleans(void **state)
{
	struct table *t = table_create("NAME >N LAST");
	char *text;
	int i;

	for (i = 0; i < 2; i++) {
		table_cell(t, "%s", i ? "a\x1b[2J\xc3\xa4" : "longer name");
		table_cell(t, "%d", i ? 12345 : 7);
		table_cell(t, "x");
	}
	text = printed(t);
	assert_string_equal(text, "NAME             N  LAST\n"
				  "longer name      7  x\n"
				  "a?[2J??      12345  x\n");
	free(text);
	table_free(t);
}

static void table__only_heads(void **state)
{
	struct table *t = table_create(">A B");
	char *text = printed(t);

	assert_string_equal(text, "A  B\n");
	free(text);
	table_free(t);
}

static void table__many_rows(void **state)
{
	struct table *t = table_create(">I");
	char *text;
	int i;

	for (i = 0; i < 1000; i++)
		table_cell(t, "%d", i);
	text = printed(t);
	assert_non_null(strstr(text, "\n999\n"));
	assert_int_equal(strlen(text), 4 * 1001);
	free(text);
	table_free(t);
}

#define OWNER(tenant, epoch)	((uint64_t)(tenant) << P4W_EPOCH_BITS | (epoch))

static void owners_group__by_grant(void **state)
{
	const uint64_t words[] = {
		0, OWNER(7, 3), OWNER(8, 9), OWNER(7, 3), 0, OWNER(7, 4),
		OWNER(0xffffff, P4W_EPOCH_MAX),
	};
	struct owner o[ROWS(words)];

	assert_int_equal(owners_group(words, ROWS(words), o), 5);
	assert_int_equal(o[0].tenant, 0);
	assert_int_equal(o[0].bitmap[0], 0x11);
	assert_int_equal(o[1].tenant, 7);
	assert_int_equal(o[1].epoch, 3);
	assert_int_equal(o[1].home, 1);
	assert_int_equal(o[1].bitmap[0], 0x0a);
	assert_int_equal(o[2].tenant, 8);
	assert_int_equal(o[3].epoch, 4);		/* another grant of the same tenant */
	assert_int_equal(o[4].tenant, 0xffffff);
	assert_int_equal(o[4].epoch, P4W_EPOCH_MAX);
	assert_int_equal(o[4].home, 6);
}

static void owners_group__same_epoch_of_two(void **state)
{
	const uint64_t words[] = { OWNER(7, 3), OWNER(8, 3) };
	struct owner o[ROWS(words)];

	assert_int_equal(owners_group(words, ROWS(words), o), 2);
	assert_int_equal(o[1].tenant, 8);
}

static void owners_group__full(void **state)
{
	static uint64_t words[P4W_MAX_BLOCKS];
	static struct owner o[P4W_MAX_BLOCKS];
	size_t i;

	for (i = 0; i < ROWS(words); i++)
		words[i] = OWNER(1, i + 1);
	assert_int_equal(owners_group(words, ROWS(words), o), P4W_MAX_BLOCKS);
	assert_int_equal(o[255].bitmap[31], 0x80);
	assert_int_equal(owners_group(words, 0, o), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_number__table),
		cmocka_unit_test(parse_time__table),
		cmocka_unit_test(format_time__reads_back),
		cmocka_unit_test(is_name__limits),
		cmocka_unit_test(parse_addr__reads_back),
		cmocka_unit_test(format_blocks__ranges),
		cmocka_unit_test(format_blocks__short_buffer),
		cmocka_unit_test(format_rate__short),
		cmocka_unit_test(word_distance__table),
		cmocka_unit_test(table__aligns_and_cleans),
		cmocka_unit_test(table__only_heads),
		cmocka_unit_test(table__many_rows),
		cmocka_unit_test(owners_group__by_grant),
		cmocka_unit_test(owners_group__same_epoch_of_two),
		cmocka_unit_test(owners_group__full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
