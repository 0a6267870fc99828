// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of the control socket against a switch that is an array: answers, refusals, noise. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/p4switch/command.h"
#include "p4wire.h"

#define CELLS	5000

static struct spec_array arrays[] = {
	{ .name = "owner", .size = 4 },	   { .name = "flow_state_0", .size = 8 },
	{ .name = "r0", .size = 256 },	   { .name = "r1", .size = CELLS },
	{ .name = "outcome", .size = 16 },
};
static const struct spec spec = { .file = "p.spec", .arrays = arrays, .nr_arrays = 5 };
static uint64_t cell[5][CELLS];
static unsigned int writes, drains, macs;

static uint64_t read_cell(struct target *t, const struct spec_array *a, uint32_t index)
{
	return cell[a - arrays][index];
}

static uint64_t read_nothing(struct target *t, const struct spec_array *a, uint32_t index)
{
	return 0;
}

static void write_cell(struct target *t, const struct spec_array *a, uint32_t index, uint64_t value)
{
	cell[a - arrays][index] = value;
	writes++;
}

static void drain(struct target *t)
{
	drains++;
}

static int mac_add(struct target *t, const uint8_t mac[6], unsigned int port)
{
	macs++;
	return mac[5] == 0xff ? -ENOSPC : 0;
}

static int mac_del(struct target *t, const uint8_t mac[6])
{
	return -ENOENT;
}

static int mac_get(struct target *t, unsigned int nth, uint8_t mac[6], unsigned int *port)
{
	const uint8_t some[6] = { 2, 0, 0, 0xa, 0, 1 };

	memcpy(mac, some, 6);
	*port = 3;
	return nth ? -ENOENT : 0;
}

static int port_get(struct target *t, unsigned int nth, struct target_port *port)
{
	*port = (struct target_port){ .port = 0, .name = "sw0", .rx = 1, .tx = 2, .drop = 3 };
	return nth ? -ENOENT : 0;
}

static struct target target = {
	.spec = &spec, .boot = 12345, .nr_ports = 14, .read = read_cell, .write = write_cell,
	.drain = drain, .mac_add = mac_add, .mac_del = mac_del, .mac_get = mac_get,
	.port_get = port_get,
};

static const struct {
	const char *line, *want;
} good[] = {
	{ "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"index\":1,\"count\":3}",
	  "{\"values\":[18446744073709551615,0,7],\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"indexes\":[1],\"base64\":true}",
	  "{\"base64\":\"/////w==\",\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"indexes\":[1,3],\"base64\":true}",
	  "{\"base64\":\"/////wcAAAA=\",\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"indexes\":[1,3,3],\"base64\":true}",
	  "{\"base64\":\"/////wcAAAAHAAAA\",\"ok\":true}" },
	{ " {\"id\":{\"a\":1},\"cmd\":\"reg_read\",\"array\":\"owner\",\"indexes\":[3,1,3]} ",
	  "{\"values\":[7,18446744073709551615,7],\"ok\":true,\"id\":{\"a\":1}}" },
	{ "{\"cmd\":\"reg_write\",\"array\":\"r0\",\"index\":254,\"values\":[1,18446744073709551615]}",
	  "{\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r0\",\"index\":254,\"count\":2}",
	  "{\"values\":[1,18446744073709551615],\"ok\":true}" },
	{ "{\"cmd\":\"reg_write\",\"array\":\"r0\",\"indexes\":[9,8],\"values\":[1,2]}",
	  "{\"ok\":true}" },
	{ "{\"cmd\":\"reg_fill\",\"array\":\"flow_state\",\"index\":6,\"count\":2,\"value\":4}",
	  "{\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r0\",\"indexes\":[8,9]}",
	  "{\"values\":[2,1],\"ok\":true}" },
	{ "{\"cmd\":\"reg_fill\",\"array\":\"r*\",\"index\":20,\"count\":3,\"value\":6}", "{\"ok\":true}" },
	{ "{\"cmd\":\"reg_write\",\"array\":\"r1\",\"index\":21,\"values\":[3]}", "{\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r*\",\"index\":21,\"count\":3}",
	  "{\"values\":[6,3,6,6,0,0],\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r*\",\"indexes\":[21],\"base64\":true}",
	  "{\"base64\":\"BgAAAAMAAAA=\",\"ok\":true}" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"flow_state\",\"index\":5,\"count\":3}",
	  "{\"values\":[0,4,4],\"ok\":true}" },
	{ "{\"cmd\":\"table_show\",\"table\":\"l2\"}",
	  "{\"entries\":[{\"mac\":\"02:00:00:0a:00:01\",\"port\":3}],\"ok\":true}" },
	{ "{\"cmd\":\"table_add\",\"table\":\"l2\",\"mac\":\"02:00:00:00:00:01\",\"port\":13}",
	  "{\"ok\":true}" },
	{ "{\"cmd\":\"drain\"}", "{\"ok\":true}" },
	{ "{\"cmd\":\"info\"}",
	  "{\"version\":1,\"control\":2,\"program\":\"p.spec\",\"registers\":2,\"dependent\":0,\"blocks\":4,"
	  "\"block_slots\":64,\"flows\":8,\"boot\":12345,\"ports\":[{\"port\":0,\"name\":\"sw0\"}],"
	  "\"ok\":true}" },
	{ "{\"cmd\":\"info\",\"control\":1}",
	  "{\"version\":1,\"control\":2,\"program\":\"p.spec\",\"registers\":2,\"dependent\":0,\"blocks\":4,"
	  "\"block_slots\":64,\"flows\":8,\"boot\":12345,\"ports\":[{\"port\":0,\"name\":\"sw0\"}],"
	  "\"ok\":true}" },
	{ "{\"cmd\":\"counters\"}",
	  "{\"counters\":{\"txn_ok\":0,\"txn_stale\":0,\"txn_conflict\":0,"
	  "\"txn_abort\":0,\"txn_version\":0,\"txn_malformed\":0,\"txn_replay\":0,\"txn_dropped\":0,"
	  "\"txn_retry\":0,\"txn_second\":0,\"l2_forward\":11,\"l2_flood\":0},"
	  "\"ports\":[{\"port\":0,\"name\":\"sw0\",\"rx\":1,\"tx\":2,\"drop\":3}],\"ok\":true}" },
	{ "{\"cmd\":\"batch\",\"cmds\":[{\"cmd\":\"reg_write\",\"array\":\"r0\",\"index\":0,\"values\":[5]},"
	  "{\"cmd\":\"reg_read\",\"array\":\"r0\",\"index\":0,\"count\":1},{\"cmd\":\"drain\"}]}",
	  "{\"results\":[{\"ok\":true},{\"values\":[5],\"ok\":true},{\"ok\":true}],\"ok\":true}" },
};

static void command__good(void **state)
{
	cell[0][1] = UINT64_MAX;
	cell[0][3] = 7;
	cell[4][10] = 11;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *got = command_run(&target, good[i].line, strlen(good[i].line));

		if (strncmp(got, good[i].want, strlen(good[i].want)) ||
		    strcmp(got + strlen(good[i].want), "\n"))
			fail_msg("%s\n gives  %s should be %s", good[i].line, got, good[i].want);
		free(got);
	}
	assert_int_equal(drains, 2);
}

#define READ(rest)	"{\"cmd\":\"reg_read\",\"array\":\"owner\"," rest "}"
#define WRITE(rest)	"{\"cmd\":\"reg_write\",\"array\":\"owner\"," rest "}"
#define FILL(rest)	"{\"cmd\":\"reg_fill\",\"array\":\"owner\"," rest "}"
#define ALL	"{\"cmd\":\"reg_read\",\"array\":\"r*\",\"index\":0,\"count\":256}"
#define MAC(rest)	"{\"cmd\":\"table_add\",\"table\":\"l2\"," rest "}"

static const struct {
	const char *line, *field, *error;
} bad[] = {
	{ "", "", "not a line of JSON" },
	{ "{", "", "not a line of JSON" },
	{ "{}{}", "", "not a line of JSON" },
	{ "{'cmd':'info'}", "", "not a line of JSON" },
	{ "[1]", "", "it must be an object" },
	{ "12", "", "not a line of JSON" },
	{ "null", "", "the line ends too early" },
	{ "[[[[[[[[[[[[[1]]]]]]]]]]]]]", "", "not a line of JSON" },
	{ "{}", "cmd", "must be a string" },
	{ "{\"cmd\":7}", "cmd", "must be a string" },
	{ "{\"cmd\":\"fly\"}", "cmd", "'fly' is not known" },
	{ "{\"cmd\":\"info\",\"count\":1}", "count", "is not a field of info" },
	{ "{\"cmd\":\"info\",\"\":1}", "", "is not a field of info" },
	{ "{\"cmd\":\"info\",\"control\":0}", "control", "must be a whole number, 1 .. 2" },
	{ "{\"cmd\":\"info\",\"control\":3}", "control", "must be a whole number, 1 .. 2" },
	{ "{\"cmd\":\"drain\",\"control\":2}", "control", "is not a field of drain" },
	{ "{\"cmd\":\"reg_read\",\"index\":0,\"count\":1}", "array", "must be a string" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r2\",\"index\":0,\"count\":1}", "array", "'r2'" },
	{ READ("\"index\":4,\"count\":1"), "index", "must be a whole number, 0 .. 3" },
	{ READ("\"index\":-1,\"count\":1"), "index", "must be a whole number, 0 .. 3" },
	{ READ("\"index\":1.0,\"count\":1"), "index", "must be a whole number, 0 .. 3" },
	{ READ("\"index\":\"1\",\"count\":1"), "index", "must be a whole number, 0 .. 3" },
	{ READ("\"index\":null,\"count\":1"), "index", "must be a whole number, 0 .. 3" },
	{ READ("\"index\":99999999999999999999,\"count\":1"), "",
	  "a number is above 18446744073709551615" },
	{ READ("\"count\":1"), "index", "is missing: a whole number, 0 .. 3" },
	{ READ("\"index\":1"), "count", "is missing: a whole number, 1 .. 4096" },
	{ READ("\"index\":1,\"count\":0"), "count", "must be a whole number, 1 .. 4096" },
	{ READ("\"index\":1,\"count\":4"), "count", "from index 1, must be 1 .. 3" },
	{ READ("\"index\":1,\"count\":4097"), "count", "must be a whole number, 1 .. 4096" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r*\",\"index\":0,\"count\":2049}", "count", "1 .. 2048" },
	{ "{\"cmd\":\"reg_read\",\"array\":\"r*\",\"indexes\":[]}", "indexes", "must be a list of 1 .. 2048" },
	{ "{\"cmd\":\"batch\",\"cmds\":[" WRITE("\"index\":0,\"values\":[1]") "," ALL "," ALL "," ALL "," ALL
	  "," ALL "," ALL "," ALL "," ALL "]}", "cmds", "with writes" },
	{ "{\"cmd\":\"reg_write\",\"array\":\"r*\",\"index\":0,\"values\":[1]}", "array",
	  "only read and filled" },
	{ READ("\"indexes\":[]"), "indexes", "must be a list of 1 .. 4096" },
	{ READ("\"indexes\":7"), "indexes", "must be a list of 1 .. 4096" },
	{ READ("\"indexes\":[0,4]"), "indexes", "must be a whole number, 0 .. 3" },
	{ READ("\"indexes\":[0],\"index\":0"), "indexes", "cannot stand beside" },
	{ READ("\"index\":0,\"count\":1,\"base64\":1"), "base64", "must be true or false" },
	{ READ("\"index\":0,\"count\":1,\"hex\":true"), "hex", "is not a field of reg_read" },
	{ READ("\"index\":0,\"count\":1,\"values\":[1]"), "values", "is not a field of reg_read" },
	{ WRITE("\"index\":0"), "values", "must be a list of 1 .. 4096" },
	{ WRITE("\"index\":0,\"values\":[]"), "values", "must be a list of 1 .. 4096" },
	{ WRITE("\"index\":3,\"values\":[1,2]"), "count", "from index 3, must be 1 .. 1" },
	{ WRITE("\"index\":0,\"values\":[1,-2]"), "values", "0 .. 18446744073709551615" },
	{ WRITE("\"index\":0,\"values\":[1,true]"), "values", "0 .. 18446744073709551615" },
	{ WRITE("\"index\":0,\"values\":[18446744073709551616]"), "",
	  "a number is above 18446744073709551615" },
	{ WRITE("\"indexes\":[0,1],\"values\":[1]"), "values", "must be as many as indexes, 2" },
	{ FILL("\"index\":0,\"count\":2"), "value", "is missing" },
	{ FILL("\"index\":0,\"count\":5,\"value\":1"), "count", "from index 0, must be 1 .. 4" },
	{ "{\"cmd\":\"table_show\",\"table\":\"l3\"}", "table", "must be l2" },
	{ MAC("\"mac\":\"02:00:00:00:00:01\""), "port", "is missing: a whole number, 0 .. 13" },
	{ MAC("\"mac\":\"02:00:00:00:00:01\",\"port\":14"), "port", "0 .. 13" },
	{ MAC("\"mac\":\"02:00:00:00:00:0g\",\"port\":1"), "mac", "must be an address" },
	{ MAC("\"mac\":\"2:0:0:0:0:1\",\"port\":1"), "mac", "must be an address" },
	{ MAC("\"mac\":\"ff:ff:ff:ff:ff:ff\",\"port\":1"), "mac", "is a group address" },
	{ "{\"cmd\":\"table_del\",\"table\":\"l2\",\"mac\":\"02:00:00:00:00:01\"}", "mac",
	  "is not in" },
	{ "{\"cmd\":\"batch\"}", "cmds", "must be a list of 1 .. 1024" },
	{ "{\"cmd\":\"batch\",\"cmds\":[7]}", "cmds[0]", "must be an object" },
	{ "{\"cmd\":\"batch\",\"cmds\":[{\"cmd\":\"batch\",\"cmds\":[{\"cmd\":\"info\"}]}]}",
	  "cmds", "cannot stand in a batch" },
	{ "{\"cmd\":\"batch\",\"cmds\":[" WRITE("\"index\":0,\"values\":[1]") ","
	  WRITE("\"index\":0,\"values\":[1.5]") "]}",
	  "cmds[1].values", "must be a whole number" },
	{ "{\"cmd\":\"batch\",\"cmds\":[" WRITE("\"index\":0,\"values\":[1]") ","
	  "{\"cmd\":\"reg_read\",\"array\":\"r1\",\"index\":0,\"count\":4096}]}",
	  "cmds", "with writes" },
};

/* Digits in strings are text. */
static void command__digits(void **state)
{
	const char line[] = "{\"cmd\":\"drain\",\"id\":\"\\\"99999999999999999999999\"}";
	char *got = command_run(&target, line, strlen(line));

	assert_string_equal(got, "{\"ok\":true,\"id\":\"\\\"99999999999999999999999\"}\n");
	free(got);
}

static void command__bad(void **state)
{
	writes = macs = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *got = command_run(&target, bad[i].line, strlen(bad[i].line)), want[64];

		snprintf(want, sizeof(want), "\"field\":\"%s\"", bad[i].field);
		if (!strstr(got, "\"ok\":false") || !strstr(got, bad[i].error) ||
		    !strstr(got, want))
			fail_msg("%s\n gives  %s should be %s %s", bad[i].line, got, want,
				 bad[i].error);
		free(got);
	}
	assert_int_equal(writes, 0);
	assert_int_equal(macs, 0);
}

static void command__table_full(void **state)
{
	const char line[] = MAC("\"mac\":\"02:00:00:00:00:ff\",\"port\":1");
	char *got = command_run(&target, line, strlen(line));

	assert_non_null(strstr(got, "the table is full"));
	free(got);
}

/* r32 would be one more than a line of this program can name. */
static void command__too_many_registers(void **state)
{
	static struct spec_array many[P4W_MAX_REGISTERS + 1];
	struct spec wide = { .arrays = many, .nr_arrays = P4W_MAX_REGISTERS };
	struct target t = { .spec = &wide, .read = read_nothing };
	const char line[] = "{\"cmd\":\"reg_read\",\"array\":\"r*\",\"index\":0,\"count\":1}";
	char *got;

	for (int i = 0; i <= P4W_MAX_REGISTERS; i++) {
		snprintf(many[i].name, sizeof(many[i].name), "r%d", i);
		many[i].size = 1;
	}
	got = command_run(&t, line, strlen(line));
	assert_non_null(strstr(got, "\"ok\":true"));
	free(got);
	wide.nr_arrays++;
	got = command_run(&t, line, strlen(line));
	assert_non_null(strstr(got, "has more than 32 registers"));
	free(got);
}

/* No answer is longer than a line may be. */
static void command__long_answer(void **state)
{
	const char line[] =
		"{\"cmd\":\"reg_read\",\"array\":\"r1\",\"index\":0,\"count\":4096,\"id\":3}";
	char *got;

	for (int i = 0; i < 4096; i++)
		cell[3][i] = UINT64_MAX;
	got = command_run(&target, line, strlen(line));
	assert_non_null(strstr(got, "\"field\":\"count\",\"id\":3}\n"));
	free(got);
	for (int i = 0; i < 4096; i++)
		cell[3][i] = UINT32_MAX;
	got = command_run(&target, line, strlen(line));
	assert_non_null(strstr(got, "\"ok\":true"));
	assert_true(strlen(got) <= COMMAND_LINE);
	free(got);
}

/* Good lines with bytes changed, cut short, put together: always one line of JSON back. */
static void command__noise(void **state)
{
	srand(1);
	for (int i = 0; i < 50000; i++) {
		char line[512], *got;
		size_t n;

		strcpy(line, good[rand() % (sizeof(good) / sizeof(good[0]))].line);
		n = strlen(line);
		for (int k = rand() % 4; k > 0; k--)
			line[rand() % n] = rand();
		if (rand() % 4 == 0)
			n = rand() % n;
		got = command_run(&target, line, n);
		assert_true(got[0] == '{' && strchr(got, '\n') == got + strlen(got) - 1);
		free(got);
	}
}

static void term__late_words_are_refused(void **state)
{
	static const struct { const char *line; bool ok; } said[] = {
		{ "{\"cmd\":\"drain\"}", true },
		{ "{\"cmd\":\"info\",\"term\":7}", true },
		{ "{\"cmd\":\"reg_write\",\"array\":\"r0\",\"index\":0,\"values\":[5],\"term\":7}", true },
		{ "{\"cmd\":\"reg_write\",\"array\":\"r0\",\"index\":0,\"values\":[6],\"term\":6}", false },
		{ "{\"cmd\":\"reg_write\",\"array\":\"nil\",\"index\":0,\"values\":[6],\"term\":9}", false },
		{ "{\"cmd\":\"drain\",\"term\":8}", true },
		{ "{\"cmd\":\"drain\",\"term\":7}", false },
		{ "{\"cmd\":\"drain\",\"term\":\"9\"}", false },
		{ "{\"cmd\":\"batch\",\"cmds\":[{\"cmd\":\"drain\",\"term\":9}]}", false },
		{ "{\"cmd\":\"drain\"}", true },
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		char *got = command_run(&target, said[i].line, strlen(said[i].line));

		if (!strstr(got, "\"ok\":true") == said[i].ok)
			fail_msg("%s\n gives  %s", said[i].line, got);
		free(got);
	}
	assert_int_equal(cell[2][0], 5);
	assert_int_equal(target.term, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command__good),
		cmocka_unit_test(term__late_words_are_refused),
		cmocka_unit_test(command__bad),
		cmocka_unit_test(command__digits),
		cmocka_unit_test(command__table_full),
		cmocka_unit_test(command__too_many_registers),
		cmocka_unit_test(command__long_answer),
		cmocka_unit_test(command__noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
