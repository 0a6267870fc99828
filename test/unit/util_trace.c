// SPDX-License-Identifier: GPL-2.0-or-later
/* Traces: what the reader takes, what it says about the rest, and what the generator draws. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/trace.h"
#include "../../util/zipf.h"

#define KEYS 1000

static const struct {
	const char *line;
	int want;			/* operations, or -EINVAL and: */
	const char *says;
} lines[] = {
	{ "r 1", 1, NULL },
	{ "r 1;w 2 3;a 4 5", 3, NULL },
	{ " r 1 ; w 2 4294967295 ", 2, NULL },
	{ "", 0, NULL },
	{ "  # anything", 0, NULL },
	{ "r 999", 1, NULL },
	{ "r 1000", -EINVAL, "f:1: KEY is '1000', must be 0 .. 999" },
	{ "r -1", -EINVAL, "f:1: KEY is '-1', must be 0 .. 999" },
	{ "r", -EINVAL, "f:1: operation is 'r', must be r, w, a, c or f" },
	{ "r ", -EINVAL, "f:1: KEY is '', must be 0 .. 999" },
	{ "x 1", -EINVAL, "f:1: operation is 'x', must be r, w, a, c or f" },
	{ "w 1", -EINVAL, "f:1: VALUE is '', must be 0 .. 4294967295" },
	{ "a 1 4294967296", -EINVAL, "f:1: DELTA is '4294967296', must be 0 .. 4294967295" },
	{ "a 1 2z", -EINVAL, "f:1: DELTA is '2z', must be 0 .. 4294967295" },
	{ "r 1 2", -EINVAL, "f:1: '2' behind the operation, must be ; or the end" },
	{ "r 1;", -EINVAL, "f:1: operation is '', must be r, w, a, c or f" },
	{ "r 1;w 1 2", -EINVAL, "f:1: KEY 1 occurs twice in the transaction" },
	{ "r 1;r 2;r 3;r 4;r 5;r 6;r 7;r 8;r 9;r 10;r 11;r 12;r 13;r 14;r 15;r 16;r 17", -EINVAL,
	  "f:1: operations are more than 16, must be 1 .. 16" },
};

static void parse_line__table(void **state)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct trace_op ops[TRACE_OPS_MAX];
		struct trace_error err = { "" };

		assert_int_equal(trace_parse_line("f:1", lines[i].line, KEYS, ops, &err),
				 lines[i].want);
		if (lines[i].says)
			assert_string_equal(err.text, lines[i].says);
	}
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void read__keeps_order_and_operands(void **state)
{
	char path[] = "/tmp/util_trace.XXXXXX";
	static const char text[] = "# head\nr 1;w 2 7\n\na 3 9";
	struct trace t;
	struct trace_error err;

	close(mkstemp(path));
	write_file(path, text, strlen(text));
	assert_int_equal(trace_read(&t, path, KEYS, &err), 0);
	assert_int_equal(t.txns, 2);
	assert_int_equal(trace_len(&t, 0), 2);
	assert_int_equal(trace_ops(&t, 0)[1].operand, 7);
	assert_int_equal(trace_len(&t, 1), 1);
	assert_int_equal(trace_ops(&t, 1)[0].kind, TRACE_ADD);
	assert_int_equal(trace_ops(&t, 1)[0].key, 3);
	trace_free(&t);
	unlink(path);
}

static void read__names_file_and_line(void **state)
{
	char path[] = "/tmp/util_trace.XXXXXX", want[128];
	struct trace t = { .txns = 77 };
	struct trace_error err;

	close(mkstemp(path));
	write_file(path, "r 1\nq 2\n", 8);
	assert_int_equal(trace_read(&t, path, KEYS, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s:2: operation is 'q', must be r, w, a, c or f", path);
	assert_string_equal(err.text, want);
	write_file(path, "r 1\0;w 5\n", 9);
	assert_int_equal(trace_read(&t, path, KEYS, &err), -EINVAL);
	write_file(path, "# nothing\n", 10);
	assert_int_equal(trace_read(&t, path, KEYS, &err), -EINVAL);
	unlink(path);
	assert_int_equal(trace_read(&t, path, KEYS, &err), -ENOENT);
	assert_int_equal(t.txns, 77);
}

static void write_txn__is_read_back(void **state)
{
	struct trace_op ops[] = { { 5, 0, TRACE_READ }, { 6, 8, TRACE_WRITE }, { 7, 9, TRACE_ADD } };
	struct trace_op got[TRACE_OPS_MAX];
	struct trace_error err;
	char text[64] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	trace_write_txn(f, ops, 3);
	fclose(f);
	assert_string_equal(text, "r 5;w 6 8;a 7 9\n");
	text[strlen(text) - 1] = 0;
	assert_int_equal(trace_parse_line("f:1", text, KEYS, got, &err), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(got[i].key, ops[i].key);
		assert_int_equal(got[i].operand, ops[i].operand);
		assert_int_equal(got[i].kind, ops[i].kind);
	}
}

static void apply__each_kind(void **state)
{
	assert_int_equal(p4a_apply(TRACE_READ, 5, 7, 9), 7);
	assert_int_equal(p4a_apply(TRACE_WRITE, 5, 7, 9), 5);
	assert_int_equal(p4a_apply(TRACE_ADD, 5, UINT32_MAX, 9), 4);
	assert_int_equal(p4a_apply(TRACE_CADD, -5, 4, 9), UINT32_MAX);
	assert_int_equal(p4a_apply(TRACE_REFILL, -5, 15, 9), 10);
	assert_int_equal(p4a_apply(TRACE_REFILL, -5, 14, 9), 100);
	assert_int_equal(p4a_apply(TRACE_REFILL, -5, 2, 9), 88);
	assert_int_equal(p4a_apply(TRACE_CHARGE, -5, 5, 9), 0);
	assert_int_equal(p4a_apply(TRACE_CHARGE, -5, 4, 9), -2u);
	assert_int_equal(p4a_apply(TRACE_CHARGE | TRACE_DEPENDENT, -5, 4, 1), -1u);
	assert_int_equal(p4a_apply(TRACE_CHARGE | TRACE_DEPENDENT, -5, 4, 0), -2u);
	assert_int_equal(p4a_apply(TRACE_ADD | TRACE_DEPENDENT, 1, 4, 9), 14);
	assert_int_equal(p4a_apply(TRACE_WRITE | TRACE_DEPENDENT, 1, 4, 9), 10);
}

static void zipf_draw__has_zipf_shares(void **state)
{
	/* rank^-theta / sum; a steep one shows what rejection is for */
	static const struct { double theta; uint32_t n; double share[3]; } t[] = {
		{ 0.99, 1000000, { 0.0651, 0.0328, 0.0219 } },
		{ 3, 1000, { 0.8319, 0.1040, 0.0308 } },
	};

	for (int i = 0; i < 2; i++) {
		unsigned int count[4] = { 0 };
		struct rng r = { .state = 5 };
		struct zipf z;

		zipf_init(&z, t[i].n, t[i].theta);
		for (int draw = 0; draw < 200000; draw++) {
			uint32_t rank = zipf_draw(&z, &r);

			assert_in_range(rank, 1, t[i].n);
			if (rank <= 3)
				count[rank]++;
		}
		for (int k = 0; k < 3; k++) {
			double got = count[k + 1] / 200000.0;

			assert_true(got > t[i].share[k] * 0.95 && got < t[i].share[k] * 1.05);
		}
	}
}

static void zipf_draw__theta_0_is_uniform(void **state)
{
	unsigned int count[10] = { 0 };
	struct rng r = { .state = 6 };
	struct zipf z;

	zipf_init(&z, 10, 0);
	for (int i = 0; i < 100000; i++)
		count[zipf_draw(&z, &r) - 1]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(count[i], 9500, 10500);
}

static void zipf_scatter__hits_each_key_once(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 10, 1000, 1024, 99991 };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint8_t *seen = calloc(sizes[s], 1);

		for (uint32_t rank = 1; rank <= sizes[s]; rank++)
			assert_int_equal(seen[zipf_scatter(rank, sizes[s])]++, 0);
		free(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_line__table),
		cmocka_unit_test(read__keeps_order_and_operands),
		cmocka_unit_test(read__names_file_and_line),
		cmocka_unit_test(write_txn__is_read_back),
		cmocka_unit_test(apply__each_kind),
		cmocka_unit_test(zipf_draw__has_zipf_shares),
		cmocka_unit_test(zipf_draw__theta_0_is_uniform),
		cmocka_unit_test(zipf_scatter__hits_each_key_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
