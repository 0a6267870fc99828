// SPDX-License-Identifier: GPL-2.0-or-later
/* p4ctl_config.c - p4ctl: words to records and back, error texts, help, knobs */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "help.h"
#include "knobs.h"

#define ROWS(t)	(sizeof(t) / sizeof((t)[0]))

/* Splits a line at its blanks. */
static int split(char *line, char **argv)
{
	int n = 0;
	char *word;

	while ((word = strsep(&line, " ")))
		if (*word)
			argv[n++] = word;
	return n;
}

static int parse(const struct arg_spec *specs, const char *line, struct arg *args, struct diag *d)
{
	static char copy[512];
	static char *argv[64];

	snprintf(copy, sizeof(copy), "%s", line);
	memset(d, 0, sizeof(*d));
	return args_parse(specs, split(copy, argv), argv, args, d);
}

/* ------------------------------------------------------------------ words to records */

static void args_parse__errors_name_argument_and_range(void **state)
{
	static const struct { const char *line, *want; } t[] = {
		{ "", "ID is missing: tenant number, the same on every host (1..16777215)" },
		{ "0", "ID: '0' is out of range; accepted: 1..16777215" },
		{ "16777216", "ID: '16777216' is out of range; accepted: 1..16777215" },
		{ "seven", "ID: 'seven' is not a number; accepted: 1..16777215" },
		{ "name", "ID: 'name' is not a number; accepted: 1..16777215" },
		{ "7 weight", "weight needs a value: 1..1000" },
		{ "7 weight 0", "weight: '0' is out of range; accepted: 1..1000" },
		{ "7 weight 1001", "weight: '1001' is out of range; accepted: 1..1000" },
		{ "7 weight 5 weight 6", "weight is given twice" },
		{ "7 wieght 5", "'wieght' is not known here: did you mean 'weight'?" },
		{ "7 max 5", "'max' is not known here: did you mean 'max-blocks'?" },
		{ "7 max-blocks 257", "max-blocks: '257' is out of range; accepted: 1..256" },
		{ "7 name a/b", "name: 'a/b' is not a name; accepted: 1..31 of [A-Za-z0-9._-]" },
		{ "7 uid -1", "uid: '-1' is not a number; accepted: 0..4294967294 or none" },
		{ "7 uid 4294967295",
		  "uid: '4294967295' is out of range; accepted: 0..4294967294 or none" },
		{ "7 user no.such.user", "user: there is no user 'no.such.user' (by number: uid)" },
		{ "7 --weight 5", "'--weight' is not known here: nothing may follow here" },
		{ "7 xyzzy", "'xyzzy' is not known here: expected one of: name uid user gid group "
			     "weight min-blocks max-blocks max-rpcs" },
	};
	struct arg args[ARGS_MAX];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		print_message("# '%s'\n", t[i].line);
		assert_int_equal(parse(tenant_args, t[i].line, args, &d), -1);
		assert_string_equal(d.text, t[i].want);
		assert_true(d.usage);
	}
}

static void args_parse__times_and_required(void **state)
{
	static const struct { const struct arg_spec *specs; const char *line, *want; } t[] = {
		{ policy_args, "lease-max 5",
		  "lease-max: '5' needs a unit (us, ms, s, m); accepted: 1ms..60s" },
		{ policy_args, "lease-max 999us",
		  "lease-max: '999us' is out of range; accepted: 1ms..60s" },
		{ policy_args, "grace 60.000001s",
		  "grace: '60.000001s' is out of range; accepted: 0..60s" },
		{ policy_args, "grace soon",
		  "grace: 'soon' is not a time like 500us, 20ms or 2s; accepted: 0..60s" },
		{ policy_args, "port 32768", "port: '32768' is out of range; accepted: 1..32767" },
		{ policy_args, "allocator 10.0.0",
		  "allocator: '10.0.0' is not an address; accepted: IPv4 address or none" },
		{ geometry_args, "registers 20 blocks 16",
		  "flows is missing: flow entries of the switch (1..65536)" },
		{ geometry_args, "registers 33",
		  "registers: '33' is out of range; accepted: 1..32" },
	};
	struct arg args[ARGS_MAX];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		print_message("# '%s'\n", t[i].line);
		assert_int_equal(parse(t[i].specs, t[i].line, args, &d), -1);
		assert_string_equal(d.text, t[i].want);
	}
}

static const struct arg_spec mixed_args[] = {
	{ .value = "ARRAY", .type = ARG_NAME, .max = 8, .required = true, .help = "a" },
	{ .value = "VALUE", .type = ARG_TEXT, .required = true, .many = true, .help = "v" },
	{ .word = "--force", .help = "f" },
	{ .word = "--socket", .brief = "-s", .value = "PATH", .type = ARG_TEXT, .help = "s" },
	{ 0 },
};

static const struct arg_spec endless_args[] = { COUNT_ARG("c"), { 0 } };

static void args_parse__count(void **state)
{
	static const char *const words[] = { "--count 3", "--count=3", "-n 3", "-n=3" };
	struct arg args[ARGS_MAX];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(words); i++) {
		assert_int_equal(parse(endless_args, words[i], args, &d), 0);
		assert_int_equal(args[0].number, 3);
	}
	assert_int_equal(parse(endless_args, "-n 0", args, &d), -1);
	assert_string_equal(d.text, "--count: '0' is out of range; accepted: 1..4294967295");
}

static void args_parse__options_and_lists(void **state)
{
	struct arg args[ARGS_MAX];
	struct diag d;

	assert_int_equal(parse(mixed_args, "r0 --socket=/x 1 2 3 --force", args, &d), 0);
	assert_int_equal(args[1].count, 3);
	assert_string_equal(args[1].list[2], "3");
	assert_true(args[2].given);
	assert_string_equal(args[3].text, "/x");
	assert_int_equal(parse(mixed_args, "--socket /y r0 1", args, &d), 0);
	assert_string_equal(args[3].text, "/y");
	assert_int_equal(args[1].count, 1);
	assert_false(args[2].given);
	assert_int_equal(parse(mixed_args, "-s /z r0 1", args, &d), 0);
	assert_string_equal(args[3].text, "/z");
	assert_int_equal(parse(mixed_args, "r0 1 -s=/z", args, &d), 0);
	assert_string_equal(args[3].text, "/z");
	assert_int_equal(parse(mixed_args, "-s /z --socket /z r0 1", args, &d), -1);
	assert_string_equal(d.text, "--socket is given twice");

	assert_int_equal(parse(mixed_args, "r0 1 --force 2", args, &d), -1);	/* list is torn */
	assert_int_equal(parse(mixed_args, "r0 1 --force=yes", args, &d), -1);
	assert_string_equal(d.text, "--force takes no value");
	assert_int_equal(parse(mixed_args, "r0 1 --froce", args, &d), -1);
	assert_string_equal(d.text, "'--froce' is not known here: did you mean '--force'?");
	assert_int_equal(parse(mixed_args, "r0 1 --socket", args, &d), -1);
	assert_string_equal(d.text, "--socket needs a value");
	assert_int_equal(parse(mixed_args, "r0", args, &d), -1);
	assert_string_equal(d.text, "VALUE is missing: v");
}

static void config_tenant__contradictions(void **state)
{
	static const struct { const char *line, *want; } t[] = {
		{ "7 uid 0 user root", "uid and user mean the same: give one of them" },
		{ "7 gid 0 group root", "gid and group mean the same: give one of them" },
		{ "7 min-blocks 9 max-blocks 3", "min-blocks: 9 is above max-blocks 3" },
	};
	struct arg args[ARGS_MAX];
	struct tenant tenant;
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		assert_int_equal(parse(tenant_args, t[i].line, args, &d), 0);
		assert_int_equal(config_tenant(args, &tenant, &d), -1);
		assert_string_equal(d.text, t[i].want);
	}
}

static void config_tenant__only_what_is_given(void **state)
{
	struct arg args[ARGS_MAX];
	struct tenant t;
	struct diag d;

	assert_int_equal(parse(tenant_args, "0x7 user root weight 3", args, &d), 0);
	assert_int_equal(config_tenant(args, &t, &d), 0);
	assert_int_equal(t.have, msg_bit(tenant_fields, P4A_A_TENANT_ID) |
				 msg_bit(tenant_fields, P4A_A_TENANT_UID) |
				 msg_bit(tenant_fields, P4A_A_TENANT_WEIGHT));
	assert_int_equal(t.id, 7);
	assert_int_equal(t.uid, 0);
	assert_int_equal(t.weight, 3);
}

static void config_policy__empty(void **state)
{
	struct arg args[ARGS_MAX];
	struct policy p;
	struct diag d;

	assert_int_equal(parse(policy_args, "", args, &d), 0);
	assert_int_equal(config_policy(args, &p, &d), -1);
	assert_string_equal(d.text, "nothing to set: give at least one argument");
}

/* ------------------------------------------------------------------ records to words and back */

/* The words behind the command's own, as the shell would hand them over. */
static const char *after(const char *line, const char *command)
{
	assert_int_equal(strncmp(line, command, strlen(command)), 0);
	return line + strlen(command);
}

static void tenant_line__reads_back(void **state)
{
	const uint32_t all = (1u << 8) - 1;	/* every field but sockets */
	const struct tenant t[] = {
		{ .have = all, .id = 7, .name = "shop", .uid = 1000, .gid = 100, .weight = 200,
		  .min_blocks = 2, .max_blocks = 8, .max_rpcs = 0 },
		{ .have = all, .id = 0xffffff, .name = "1234567890123456789012345678901",
		  .uid = MSG_NOBODY, .gid = MSG_NOBODY, .weight = 1000, .min_blocks = 256,
		  .max_blocks = 256, .max_rpcs = UINT32_MAX },
		{ .have = all, .id = 1, .name = "name", .uid = 0, .gid = 0, .weight = 1,
		  .min_blocks = 0, .max_blocks = 1, .max_rpcs = 1 },	/* named like a keyword */
	};
	struct arg args[ARGS_MAX];
	struct tenant back;
	char line[256];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		config_tenant_line(&t[i], line, sizeof(line));
		assert_int_equal(parse(tenant_args, after(line, "tenant replace "), args, &d), 0);
		assert_int_equal(config_tenant(args, &back, &d), 0);
		assert_memory_equal(&back, &t[i], sizeof(back));
	}
}

static void geometry_line__reads_back(void **state)
{
	const struct geometry g = { 15, 32, 256, 65536, 31 };
	struct arg args[ARGS_MAX];
	struct geometry back;
	char line[256];
	struct diag d;

	config_geometry_line(&g, line, sizeof(line));
	assert_int_equal(parse(geometry_args, after(line, "geometry set "), args, &d), 0);
	assert_int_equal(config_geometry(args, &back, &d), 0);
	assert_memory_equal(&back, &g, sizeof(g));
}

static void policy_line__reads_back(void **state)
{
	const struct policy t[] = {
		{ 15, 0, 2000000, 100000, 4001 },
		{ 15, 0x0100000a, 1000, 0, 1 },
		{ 15, 0xfe00000a, 60000000, 59999999, 32767 },
	};
	struct arg args[ARGS_MAX];
	struct policy back;
	char line[256];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		config_policy_line(&t[i], line, sizeof(line));
		assert_int_equal(parse(policy_args, after(line, "policy set "), args, &d), 0);
		assert_int_equal(config_policy(args, &back, &d), 0);
		assert_int_equal(back.addr, t[i].addr);
		assert_int_equal(back.port, t[i].port);
		assert_int_equal(back.lease_max_us, t[i].lease_max_us);
		assert_int_equal(back.grace_us, t[i].grace_us);
	}
}

static void tenant_complete__absent_is_nobody(void **state)
{
	struct tenant t = { .have = msg_bit(tenant_fields, P4A_A_TENANT_GID), .gid = 5 };
	struct json_object *o;

	config_tenant_complete(&t);
	assert_int_equal(t.uid, MSG_NOBODY);
	assert_int_equal(t.gid, 5);
	o = config_tenant_json(&t);
	assert_string_equal(json_object_to_json_string_ext(o, 0), "{\"uid\":null,\"gid\":5}");
	json_object_put(o);
}

static void policy_json__address(void **state)
{
	const struct policy p = { 15, 0xfe00000a, 2000000, 100000, 4001 };
	struct json_object *o = config_policy_json(&p);

	assert_string_equal(json_object_to_json_string_ext(o, 0),
			    "{\"allocator\":\"10.0.0.254\",\"port\":4001,\"lease_max_us\":2000000,"
			    "\"grace_us\":100000}");
	json_object_put(o);
}

/* ------------------------------------------------------------------ knobs */

static void knob_parse__table(void **state)
{
	static const struct { const char *in; int ret; const char *name, *value; } t[] = {
		{ "resend_interval=20", 0, "resend_interval", "20" },
		{ "net.homa.resend_interval=20", 0, "resend_interval", "20" },
		{ "resend_interval=0", -1, NULL,
		  "resend_interval: '0' is out of range; accepted: 1..10000 ms" },
		{ "resend_interval=10001", -1, NULL,
		  "resend_interval: '10001' is out of range; accepted: 1..10000 ms" },
		{ "resend_interval=x", -1, NULL,
		  "resend_interval: 'x' is not a number; accepted: 1..10000 ms" },
		{ "resend_interval=-1", -1, NULL,
		  "resend_interval: '-1' is not a number; accepted: 1..10000 ms" },
		{ "resend_interval", -1, NULL, "'resend_interval' is not of the form NAME=VALUE" },
		{ "resend_interval=", -1, NULL,
		  "'resend_interval=' is not of the form NAME=VALUE" },
		{ "=5", -1, NULL, "'=5' is not of the form NAME=VALUE" },
		{ "../../kernel/x=5", -1, NULL,
		  "'../../kernel/x=5' is not of the form NAME=VALUE" },
		{ "..=5", -1, NULL, "'..=5' is not of the form NAME=VALUE" },
		{ "priority_map=0 1 2\t3 4  5 6 7", 0, "priority_map", "0 1 2\t3 4  5 6 7" },
		{ "priority_map=0 1 8", -1, NULL,
		  "priority_map: '8' is out of range; accepted: 0..7 class" },
		{ "of_a_newer_module=5", 0, "of_a_newer_module", "5" },	/* the kernel will say */
	};
	char name[64], value[64];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		print_message("# '%s'\n", t[i].in);
		assert_int_equal(knob_parse(t[i].in, name, sizeof(name), value, sizeof(value), &d),
				 t[i].ret);
		assert_string_equal(t[i].ret ? d.text : value, t[i].value);
		if (!t[i].ret)
			assert_string_equal(name, t[i].name);
	}
}

static void knobs__defaults_in_range(void **state)
{
	const struct knob *k;

	assert_non_null(knob_find("resend_interval"));
	assert_null(knob_find("resend"));
	for (k = knobs; k->name; k++)
		assert_true(k->min <= k->def && k->def <= k->max && *k->help);
}

/* ------------------------------------------------------------------ help */

static const struct cmd leaves[] = {
	{ "add", "make one", .args = tenant_args, .about = "Examples:\n  p4ctl tenant add 7\n" },
	{ "write", "write", .args = mixed_args },
	{ "top", "look", .args = endless_args },
	{ 0 },
};

static const struct cmd group = { .name = "p4ctl", .summary = "all", .sub = leaves };

static char *completed(int argc, char **argv)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	help_complete(f, &group, argc, argv);
	fclose(f);
	return text;
}

static void help_complete__words(void **state)
{
	static const struct { int argc; char *argv[4]; const char *want; } t[] = {
		{ 0, { NULL }, "add\nwrite\ntop\n--json\n--help\n" },
		{ 1, { "nonsense" }, "" },
		{ 1, { "add" }, "@tenants\nname\nuid\nuser\ngid\ngroup\nweight\nmin-blocks\n"
				"max-blocks\nmax-rpcs\n--json\n--help\n" },
		{ 3, { "add", "7", "weight" }, "" },		/* a number, not a word */
		{ 2, { "write", "r0" }, "--force\n--socket\n--json\n--help\n" },
		{ 4, { "write", "r0", "1", "--force" }, "--force\n--socket\n--json\n--help\n" },
		{ 3, { "write", "r0", "-s" }, "" },
		{ 1, { "top" }, "--count\n--json\n--help\n" },
		{ 2, { "top", "-n" }, "" },
	};
	char *text;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		text = completed(t[i].argc, (char **)t[i].argv);
		assert_string_equal(text, t[i].want);
		free(text);
	}
}

static void help_print__says_it_all(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	help_print(f, "p4ctl tenant add", &leaves[0]);
	fclose(f);
	assert_non_null(strstr(text, "p4ctl tenant add - make one\n"));
	assert_non_null(strstr(text, "Usage: p4ctl tenant add ID [name NAME] [uid UID]"));
	assert_non_null(strstr(text, "weight W           share of pacing, grants and blocks; "
				     "default 100 (1..1000)\n"));
	assert_non_null(strstr(text, "\nExamples:\n  p4ctl tenant add 7\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args_parse__errors_name_argument_and_range),
		cmocka_unit_test(args_parse__times_and_required),
		cmocka_unit_test(args_parse__count),
		cmocka_unit_test(args_parse__options_and_lists),
		cmocka_unit_test(config_tenant__contradictions),
		cmocka_unit_test(config_tenant__only_what_is_given),
		cmocka_unit_test(config_policy__empty),
		cmocka_unit_test(tenant_line__reads_back),
		cmocka_unit_test(geometry_line__reads_back),
		cmocka_unit_test(policy_line__reads_back),
		cmocka_unit_test(tenant_complete__absent_is_nobody),
		cmocka_unit_test(policy_json__address),
		cmocka_unit_test(knob_parse__table),
		cmocka_unit_test(knobs__defaults_in_range),
		cmocka_unit_test(help_complete__words),
		cmocka_unit_test(help_print__says_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
