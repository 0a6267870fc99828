// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that the loader must refuse, each one edit away from one that it takes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/p4switch/spec.h"

#define NR_PORTS	16

static const char good[] =
	"; a comment\n"
	"struct eth_t {\n"
	"	bit<48> dst\n"
	"	bit<48> src\n"
	"	bit<16> type\n"
	"}\n"
	"struct to_t {\n"
	"	bit<32> port\n"
	"}\n"
	"header eth instanceof eth_t\n"
	"struct meta_t {\n"
	"	bit<32> in\n"
	"	bit<32> out\n"
	"	bit<64> old\n"
	"}\n"
	"metadata instanceof meta_t\n"
	"regarray count size 0x8 initval 0\n"
	"regarray other size 8 initval 0x5\n"
	"action to args instanceof to_t {\n"
	"	mov m.out t.port\n"
	"	return\n"
	"}\n"
	"action nowhere args none {\n"
	"	mov m.out 0x3\n"
	"	return\n"
	"}\n"
	"table l2 {\n"
	"	key {\n"
	"		h.eth.dst exact\n"
	"	}\n"
	"	actions {\n"
	"		to\n"
	"		nowhere\n"
	"	}\n"
	"	default_action nowhere args none \n"
	"	size 0x10\n"
	"}\n"
	"apply {\n"
	"	rx m.in\n"
	"	extract h.eth\n"
	"	table l2\n"
	"	regrd m.old count m.in\n"
	"	add m.old 0x1\n"
	"	regwr count m.in m.old\n"
	"	regadd other 0x1 m.in\n"
	"	jmpeq BAD m.old 0x7\n"
	"	emit h.eth\n"
	"	tx m.out\n"
	"	BAD :	drop\n"
	"}\n";

/* `good` with the first `find` replaced by `put`; the caller frees it. */
static char *edit(const char *find, const char *put)
{
	const char *at = strstr(good, find);
	char *text;

	assert_non_null(at);
	text = malloc(sizeof(good) + strlen(put));
	memcpy(text, good, at - good);
	strcpy(text + (at - good), put);
	strcat(text, at + strlen(find));
	return text;
}

static int load(const char *text, struct spec *spec, char *err)
{
	int ret = spec_parse(spec, "x.spec", text, err);

	if (ret)
		return ret;
	ret = spec_check(spec, NR_PORTS, err);
	if (ret)
		spec_free(spec);
	return ret;
}

static void spec__good(void **state)
{
	char err[SPEC_ERR] = "";
	struct spec spec;

	assert_int_equal(load(good, &spec, err), 0);
	assert_string_equal(err, "");
	assert_int_equal(spec_array(&spec, "other")->size, 8);
	assert_int_equal(spec_array(&spec, "other")->initval, 5);
	assert_int_equal(spec_table(&spec, "l2")->size, 16);
	assert_string_equal(spec_action(&spec, "to")->args, "to_t");
	spec_free(&spec);
}

static const struct {
	const char *find, *put, *want;
} bad[] = {
	/* grammar */
	{ "struct eth_t {", "structure eth_t {", "x.spec:2: 'structure' is not known" },
	{ "struct eth_t {", "struct eth_t", "x.spec:2: expected 'struct % {'" },
	{ "bit<48> dst", "bit<47> dst", "x.spec:3: bit<47>" },
	{ "bit<48> dst", "bit<128> dst", "x.spec:3: bit<128>" },
	{ "bit<48> dst", "bit<48>", "x.spec:3: expected 'bit<N> NAME'" },
	{ "bit<48> src", "bit<48> dst", "x.spec:4: 'dst' is defined twice" },
	{ "struct to_t", "struct eth_t", "x.spec:7: 'eth_t' is defined twice" },
	{ "	bit<32> port\n", "", "struct 'to_t' has no fields" },
	{ "regarray other", "regarray count", "x.spec:18: 'count' is defined twice" },
	{ "size 0x8 ", "size 0 ", "x.spec:17: size is 0, must be 1 .. 16777216" },
	{ "size 0x8 ", "size 0x1000001 ", "x.spec:17: size is '0x1000001'" },
	{ "size 0x8 ", "size -1 ", "x.spec:17: size is '-1'" },
	{ "initval 0x5", "initval 99999999999999999999", "x.spec:18: initval" },
	{ "size 0x10\n", "size ten\n", "x.spec:36: size is 'ten'" },
	{ "size 0x10\n", "sized 0x10\n", "x.spec:36: 'sized' is not known in a table" },
	{ "metadata instanceof meta_t\n", "", "no metadata" },
	{ "BAD :	drop\n}\n", "BAD :	drop\n", "the text ends inside of apply" },
	{ "apply {", "action more args none {", "no apply block" },
	{ "BAD :	drop", "BAD :", "x.spec:49: no instruction behind the label" },
	{ "mov m.out 0x3", "mov m.out 0x3 0x3 0x3 0x3", "x.spec:24: more than 4 operands" },
	/* names */
	{ "instanceof eth_t", "instanceof eth", "x.spec:10: 'eth' is not a struct" },
	{ "metadata instanceof meta_t", "metadata instanceof m", "x.spec:16: 'm' is not a struct" },
	{ "to args instanceof to_t", "to args instanceof too", "x.spec:19: 'too' is not a struct" },
	{ "mov m.out t.port", "mov m.out t.prt", "x.spec:20: 't.prt' is not a field or a number" },
	{ "mov m.out t.port", "mov t.port m.out",
	  "x.spec:20: 't.port' is not a field of a header" },
	{ "mov m.out 0x3", "mov m.out t.port", "x.spec:24: 't.port' is not a field or a number" },
	{ "mov m.out 0x3", "mov m.uot 0x3", "x.spec:24: 'm.uot' is not" },
	{ "mov m.out 0x3", "mov h.eth.typ 0x3", "x.spec:24: 'h.eth.typ' is not" },
	{ "mov m.out 0x3", "mov h.et.type 0x3", "x.spec:24: 'h.et.type' is not" },
	{ "h.eth.dst exact", "h.eth.dest exact", "x.spec:29: 'h.eth.dest' is not a field" },
	{ "h.eth.dst exact", "h.eth.dst lpm", "x.spec:29: match is 'lpm', must be exact" },
	{ "		to\n", "		too\n", "x.spec:27: 'too' is not an action" },
	{ "default_action nowhere", "default_action here",
	  "default_action 'here' is not in the list" },
	{ "default_action nowhere", "default_action to", "default_action 'to' takes arguments" },
	{ "		h.eth.dst exact\n", "", "table 'l2' has no key" },
	/* instructions */
	{ "extract h.eth", "advance h.eth", "x.spec:40: 'advance' is not known" },
	{ "extract h.eth", "extract h.eth.dst", "x.spec:40: 'h.eth.dst' is not a header" },
	{ "extract h.eth", "extract", "x.spec:40: 'extract' takes 1 operands, not 0" },
	{ "	table l2\n", "	table l3\n", "x.spec:41: 'l3' is not a table" },
	{ "regrd m.old count", "regrd m.old counter",
	  "x.spec:42: 'counter' is not a register array" },
	{ "jmpeq BAD", "jmpeq WORSE", "x.spec:46: 'WORSE' is not a label in this block" },
	{ "emit h.eth", "BAD : emit h.eth", "x.spec:49: label 'BAD' is defined twice" },
	{ "	rx m.in\n", "	mov m.in 0x1\n", "x.spec:39: apply must begin with rx" },
	{ "extract h.eth", "rx m.in", "x.spec:40: a second rx" },
	{ "BAD :	drop", "BAD :	emit h.eth", "x.spec:49: the block goes on behind" },
	{ "	return\n}\naction no", "	mov m.in 0x1\n}\naction no",
	  "the block goes on behind" },
	{ "mov m.out 0x3", "tx m.out", "x.spec:24: 'tx' cannot stand in an action" },
	{ "BAD :	drop", "BAD :	return", "x.spec:49: 'return' cannot stand in apply" },
	/* what the pipeline would execute wrongly */
	{ "regadd other 0x1 m.in", "regadd other 0x1 0x1",
	  "x.spec:45: regadd with constant index" },
	{ "regwr count m.in m.old", "regwr count 0x0 0x1", "x.spec:44: regwr with constant index" },
	{ "	add m.old 0x1\n", "	table l2\n", "x.spec:44: 'count' was read before a table" },
	{ "tx m.out", "tx 0x10", "x.spec:48: port 0x10, must be 0 .. 15" },
	{ "tx m.out", "tx h.eth.type", "x.spec:48: 'h.eth.type' is not a field of metadata or" },
	{ "jmpeq BAD", "jmp P4SWITCH_NO_PORT\n	P4SWITCH_NO_PORT :	jmpeq BAD",
	  "the label P4SWITCH_NO_PORT is p4switch's own" },
};

static void spec__bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = edit(bad[i].find, bad[i].put), err[SPEC_ERR] = "";
		struct spec spec;

		if (!load(text, &spec, err))
			fail_msg("'%s' instead of '%s' was taken", bad[i].put, bad[i].find);
		if (!strstr(err, bad[i].want))
			fail_msg("'%s' instead of '%s': got '%s', want '%s'", bad[i].put,
				 bad[i].find, err, bad[i].want);
		free(text);
	}
}

/* Every prefix of a program: an error or a program, never a crash. */
static void spec__cut(void **state)
{
	for (size_t n = 0; n < sizeof(good) - 2; n++) {
		char *text = strndup(good, n), err[SPEC_ERR];
		struct spec spec;

		if (!load(text, &spec, err))
			fail_msg("the first %zu bytes were taken", n);
		free(text);
	}
}

static const char *token(const struct spec *spec, size_t instr, int n)
{
	return spec->apply.instr[instr].token[n];
}

static void spec__ports_are_guarded(void **state)
{
	char err[SPEC_ERR];
	struct spec spec;
	size_t tx;

	assert_int_equal(load(good, &spec, err), 0);
	for (tx = 0; strcmp(token(&spec, tx, 0), "tx"); tx++)
		;
	assert_string_equal(token(&spec, tx - 1, 0), "emit");
	assert_string_equal(token(&spec, tx - 2, 0), "jmpgt");
	assert_string_equal(token(&spec, tx - 2, 2), "m.out");
	assert_string_equal(token(&spec, tx - 2, 3), "15");
	assert_string_equal(spec.apply.instr[spec.apply.nr - 1].label, token(&spec, tx - 2, 1));
	assert_string_equal(token(&spec, spec.apply.nr - 1, 0), "drop");
	spec_free(&spec);
}

/* Who jumps to an emit must come by the guard, too. */
static void spec__labels_do_not_pass_the_guard(void **state)
{
	char *text = edit("	emit h.eth\n", "	jmp OUT\n	OUT :	emit h.eth\n"),
	     err[SPEC_ERR];
	struct spec spec;
	size_t i;

	assert_int_equal(load(text, &spec, err), 0);
	for (i = 0; strcmp(spec.apply.instr[i].label, "OUT"); i++)
		;
	assert_string_equal(token(&spec, i, 0), "jmpgt");
	assert_string_equal(token(&spec, i + 1, 0), "emit");
	assert_string_equal(spec.apply.instr[i + 1].label, "");
	spec_free(&spec);
	free(text);
}

/* Read, table, read again, write: the second read is what counts. */
static void spec__read_again_is_fresh(void **state)
{
	char *text = edit("	table l2\n", "	regrd m.old count m.in\n	table l2\n"),
	     err[SPEC_ERR];
	struct spec spec;

	assert_int_equal(load(text, &spec, err), 0);
	spec_free(&spec);
	free(text);
}

/* The write stands in an action: the table itself is what lies in between. */
static void spec__write_in_an_action(void **state)
{
	const char find[] = "	mov m.out 0x3\n", put[] = "	regwr count m.in m.old\n";
	char *text = edit("	table l2\n", "	regrd m.old count m.in\n	table l2\n");
	char *both = calloc(1, strlen(text) + sizeof(put)), *at = strstr(text, find), err[SPEC_ERR];
	struct spec spec;

	memcpy(both, text, at - text);
	strcat(both, put);
	strcat(both, at + strlen(find));
	assert_int_not_equal(load(both, &spec, err), 0);
	assert_non_null(strstr(err, "x.spec:24: 'count' was read before a table"));
	free(both);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spec__good),
		cmocka_unit_test(spec__bad),
		cmocka_unit_test(spec__cut),
		cmocka_unit_test(spec__ports_are_guarded),
		cmocka_unit_test(spec__labels_do_not_pass_the_guard),
		cmocka_unit_test(spec__read_again_is_fresh),
		cmocka_unit_test(spec__write_in_an_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
