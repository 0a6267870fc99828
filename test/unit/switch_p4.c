// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4src/ against include/p4wire.h, and the .spec against the P4 source that it stands for: layouts,
 * constants, arrays, and how often each register array is read and written. Run from the top
 * folder; build/p4db.p4i is the source behind the preprocessor.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/p4wire.h"
#include "../../tools/p4switch/port.h"
#include "../../tools/p4switch/spec.h"

#define SPEC	"p4src/p4db.spec"
#define MADE	"build/p4db-20-16-1024.spec"
#define SOURCE	"build/p4db.p4i"

static struct spec spec;
static char *source;

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text)
		fail_msg("%s cannot be read", path);
	text[fread(text, 1, (1 << 20) - 1, f)] = 0;
	fclose(f);
	return text;
}

static int set_up(void **state)
{
	char err[SPEC_ERR];

	if (spec_load(&spec, SPEC, err) || spec_check(&spec, PORTS, err))
		fail_msg("%s", err);
	source = read_all(SOURCE);
	return 0;
}

static int tear_down(void **state)
{
	spec_free(&spec);
	free(source);
	return 0;
}

struct layout {
	const char *field;
	size_t offset;
};

#define F(type, field)	{ #field, offsetof(struct type, field) }
static const struct layout common[] = {
	F(p4w_common, sport), F(p4w_common, dport), F(p4w_common, sequence), F(p4w_common, ack),
	F(p4w_common, type), F(p4w_common, doff), F(p4w_common, flags), F(p4w_common, window),
	F(p4w_common, checksum), F(p4w_common, urgent), F(p4w_common, sender_id),
	{ NULL, sizeof(struct p4w_common) }
};
static const struct layout txn[] = {
	F(p4w_txn, version), F(p4w_txn, status), F(p4w_txn, pass), F(p4w_txn, retries),
	F(p4w_txn, owner), F(p4w_txn, flow), F(p4w_txn, seq), F(p4w_txn, lock_check),
	F(p4w_txn, lock_acquire), F(p4w_txn, home), F(p4w_txn, port), F(p4w_txn, sum),
	F(p4w_txn, serial), { NULL, offsetof(struct p4w_txn, instr) }
};
static const struct layout instr[] = {
	F(p4w_instr, reg), F(p4w_instr, op), F(p4w_instr, cell), F(p4w_instr, operand),
	F(p4w_instr, result), { NULL, sizeof(struct p4w_instr) }
};

static void compare(const char *type, const struct layout *want, size_t base)
{
	const struct spec_struct *s = spec_struct(&spec, type);
	size_t i;

	assert_non_null(s);
	for (i = 0; want[i].field; i++) {
		assert_true(i < s->nr_fields);
		assert_string_equal(s->fields[i].name, want[i].field);
		if (s->fields[i].offset / 8 + base != want[i].offset)
			fail_msg("%s.%s", type, want[i].field);
	}
	assert_int_equal(i, s->nr_fields);
	assert_int_equal((s->fields[i - 1].offset + s->fields[i - 1].bits) / 8 + base,
			 want[i].offset);
}

static void p4__layout(void **state)
{
	compare("common_t", common, 0);
	compare("txn_t", txn, sizeof(struct p4w_common));
	compare("instr_t", instr, 0);
	assert_int_equal(offsetof(struct p4w_txn, instr) + P4W_INSTRS * sizeof(struct p4w_instr),
			 sizeof(struct p4w_txn));
}

/* The text of `header NAME {..}` or `struct NAME {..}`, behind the brace. */
static const char *find_type(const char *kind, const char *name)
{
	char head[80];
	const char *at;

	snprintf(head, sizeof(head), "%s %s {", kind, name);
	at = strstr(source, head);
	if (!at)
		fail_msg("the source has no %s %s", kind, name);
	return at + strlen(head);
}

/* Do the source's fields follow in the .spec from field `first` on, with `prefix` before each? */
static void compare_type(const char *kind, const char *name, size_t first, const char *prefix)
{
	const struct spec_struct *s = spec_struct(&spec, name);
	const char *at = find_type(kind, name);
	unsigned int bits;
	char field[64], want[128];
	int n;

	for (size_t i = first; sscanf(at, " bit<%u> %63[a-z_0-9];%n", &bits, field, &n) == 2; i++) {
		snprintf(want, sizeof(want), "%s%s", prefix, field);
		assert_true(i < s->nr_fields);
		assert_string_equal(s->fields[i].name, want);
		assert_int_equal(s->fields[i].bits, bits);
		at += n;
	}
	at += strspn(at, " \t\n");
	assert_int_equal(*at, '}');
}

static void p4__types(void **state)
{
	compare_type("header", "ethernet_t", 0, "");
	compare_type("header", "ipv4_t", 0, "");
	compare_type("header", "common_t", 0, "");
	compare_type("header", "txn_t", 0, "");
	compare_type("header", "instr_t", 0, "");
	compare_type("struct", "metadata_t", 4, "local_metadata_");
}

/* The value of `#define NAME` in a file of p4src/. */
static unsigned long constant(const char *file, const char *name)
{
	char path[64], find[64], *text, *at;
	unsigned long value;

	snprintf(path, sizeof(path), "p4src/%s", file);
	snprintf(find, sizeof(find), "#define %s ", name);
	text = read_all(path);
	at = strstr(text, find);
	if (!at)
		fail_msg("%s has no %s", path, name);
	value = strtoul(at + strlen(find), NULL, 0);
	free(text);
	return value;
}

static void p4__constants(void **state)
{
	static const struct {
		const char *name;
		unsigned long want;
	} wire[] = {
		{ "IPPROTO_HOMA", P4W_IPPROTO }, { "TYPE_TXN", P4W_TXN },
		{ "TYPE_TXN_REPLY", P4W_TXN_REPLY }, { "WIRE_VERSION", P4W_VERSION },
		{ "OP_NONE", P4W_OP_NONE },	{ "OP_READ", P4W_OP_READ },
		{ "OP_WRITE", P4W_OP_WRITE },	{ "OP_ADD", P4W_OP_ADD },
		{ "OP_CADD", P4W_OP_CADD },	{ "OP_REFILL", P4W_OP_REFILL },
		{ "OP_CHARGE", P4W_OP_CHARGE },	{ "OPS_END", P4W_OPS_END },
		{ "REFILL_BELOW", P4W_REFILL_BELOW }, { "REFILL_BY", P4W_REFILL_BY },
		{ "OP_SECOND_PASS", P4W_OP_SECOND_PASS }, { "OP_SOURCE", P4W_OP_SOURCE },
		{ "OP_DEPENDENT", P4W_OP_DEPENDENT }, { "OP_CODE", P4W_OP_CODE },
		{ "PASS_FIRST", P4W_PASS_FIRST }, { "PASS_RETRY", P4W_PASS_RETRY },
		{ "PASS_SECOND", P4W_PASS_SECOND }, { "RETRIES_MAX", P4W_RETRIES_MAX },
		{ "FLOW_BUSY", P4W_FLOW_BUSY },	{ "FLOW_DONE", P4W_FLOW_DONE },
	}, state_[] = {
		{ "TXN_OK", P4W_TXN_OK }, { "TXN_STALE", P4W_TXN_STALE },
		{ "TXN_CONFLICT", P4W_TXN_CONFLICT }, { "TXN_ABORT", P4W_TXN_ABORT },
		{ "TXN_VERSION", P4W_TXN_VERSION }, { "TXN_MALFORMED", P4W_TXN_MALFORMED },
		{ "TXN_REPLAY", 6 }, { "TXN_DROPPED", 7 }, { "TXN_RETRY", 8 }, { "TXN_SECOND", 9 },
		{ "L2_FORWARD", 10 }, { "L2_FLOOD", 11 },
	};

	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++)
		assert_int_equal(constant("wire.p4", wire[i].name), wire[i].want);
	for (size_t i = 0; i < sizeof(state_) / sizeof(state_[0]); i++)
		assert_int_equal(constant("state.p4", state_[i].name), state_[i].want);
	assert_int_equal(1 << constant("geometry.p4", "BLOCK_SHIFT"), P4W_BLOCK_SLOTS);
	assert_int_equal(constant("p4db.p4", "LOOPBACK_PORT"), PORT_LOOPBACK);
	assert_int_equal(constant("p4db.p4", "FLOOD_PORT"), PORT_FLOOD);
	assert_int_equal(PORT_FLOOD, PORTS - 1);
}

static unsigned int count_text(const char *what)
{
	unsigned int n = 0;

	for (const char *at = source; (at = strstr(at, what)); at++)
		n += at == source || !strchr("_abcdefghijklmnopqrstuvwxyz", at[-1]);
	return n;
}

static unsigned int count_instr(const char *op, const char *array, int operand)
{
	unsigned int n = 0;

	for (size_t i = 0; i < spec.apply.nr; i++)
		n += !strcmp(spec.apply.instr[i].token[0], op) &&
		     !strcmp(spec.apply.instr[i].token[operand], array);
	return n;
}

/* Each access in the source, times its uses if it stands in an action, is one in the .spec. */
static void p4__accesses(void **state)
{
	for (size_t i = 0; i < spec.nr_arrays; i++) {
		const char *name = spec.arrays[i].name;
		unsigned int uses = !strcmp(name, "flow_state") ? count_text("flow_entry();") : 1;
		char text[80];

		if (!strcmp(name, "outcome") || !strcmp(name, "access"))
			continue;
		snprintf(text, sizeof(text), "%s.read(", name);
		if (count_text(text) != count_instr("regrd", name, 2))
			fail_msg("%s: %u in the source", text, count_text(text));
		snprintf(text, sizeof(text), "%s.write(", name);
		if (count_text(text) * uses != count_instr("regwr", name, 1))
			fail_msg("%s: %u in the source", text, count_text(text));
		snprintf(text, sizeof(text), " %s;", name);
		assert_int_equal(count_text(text + 1) >= 1, 1);
	}
	assert_int_equal(count_instr("regadd", "outcome", 1), 1);
	assert_int_equal(count_text("outcome.count("), 1);
	assert_int_equal(count_instr("regadd", "access", 1), P4W_INSTRS);
	assert_int_equal(count_text("access.count("), P4W_INSTRS);
}

/* What the compiler would take and compile wrongly, or not take. */
static void p4__limits(void **state)
{
	static const char *const never[] = { "for (", "while (",      "advance(",  "|+|",
					     "int<",  "recirculate(", "resubmit(", "@" };
	static const char *const taken[] = { "IngressParser", "Ingress", "EgressParser", "Egress",
					     "IngressDeparser", "EgressDeparser" };
	char text[64];

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(source, never[i]))
			fail_msg("the source has '%s'", never[i]);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		snprintf(text, sizeof(text), "control %s(", taken[i]);
		assert_null(strstr(source, text));
		snprintf(text, sizeof(text), "parser %s(", taken[i]);
		assert_null(strstr(source, text));
	}
	/* one inverted jump each: see p4db.spec.m4 */
	assert_null(strstr(source, " > "));
	assert_null(strstr(source, " < "));
}

static void p4__one_table(void **state)
{
	size_t table = 0;

	for (size_t i = 0; i < spec.apply.nr; i++)
		table += !strcmp(spec.apply.instr[i].token[0], "table");
	assert_int_equal(table, 1);
	assert_int_equal(spec.nr_tables, 1);
}

static void p4__spec_is_what_m4_makes(void **state)
{
	char *kept = read_all(SPEC), *made = read_all(MADE);

	if (strcmp(kept, made))
		fail_msg("%s differs from %s: copy it", SPEC, MADE);
	free(kept);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p4__layout),
		cmocka_unit_test(p4__types),
		cmocka_unit_test(p4__constants),
		cmocka_unit_test(p4__accesses),
		cmocka_unit_test(p4__limits),
		cmocka_unit_test(p4__one_table),
		cmocka_unit_test(p4__spec_is_what_m4_makes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
