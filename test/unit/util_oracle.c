// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The oracle: a correct pair of histories passes, and each kind of corruption is named. Histories go
 * through the writer's text and the reader, so both are tested here as well.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/oracle.h"

#define V(key) trace_initial(key)
#define SERIAL(epoch, n) ((uint64_t)(epoch) << 24 | (n))

/*
 * Two nodes, keys modulo 2. Key 10 and 11 are hot; 2, 3, 4, 5 are cold. Epoch 7 and 9 were granted.
 *
 * serial   node txn  operations
 * (cold)   0    0    w 10 100 (in the store, before epoch 7), r 2
 * (7, 3)   0    1    a 10 1, w 3 30
 * (7, 4)   1    0    a 10 1, r 11
 * (7, 5)   1    1    w 11 5, a 2 2
 * (cold)   1    2    r 10 (in the store, after epoch 7), r 3
 * (9, 2)   0    2    a 10 1, a 3 1
 */
struct sample {
	struct history_commit c[2][3];
	struct history_op ops[2][6];
	struct history_key finals[2][4];
	struct history h[2];
	struct trace traces[2];
	struct trace_op trace_ops[2][6];
	uint32_t first[2][4];
};

static struct history_op in_switch(uint8_t kind, uint32_t key, uint32_t operand, uint32_t got)
{
	return (struct history_op){ .op = { key, operand, kind }, .hot = true, .got = got };
}

static struct history_op in_store(uint8_t kind, uint32_t key, uint32_t operand, uint32_t got,
				  uint32_t version, uint64_t epoch)
{
	return (struct history_op){ .op = { key, operand, kind }, .got = got, .version = version,
				    .epoch = epoch };
}

static void make_node(struct sample *s, unsigned int node)
{
	struct history *h = &s->h[node];

	h->head = (struct history_head){ .tenant = 5, .keys = 20, .txns = 3, .node = node,
					 .nodes = 2 };
	h->commits = s->c[node];
	h->ops = s->ops[node];
	h->finals = s->finals[node];
	h->nr_commits = 3;
	h->nr_ops = 6;
	h->nr_finals = 2;
	for (unsigned int i = 0; i < 6; i++)
		s->trace_ops[node][i] = s->ops[node][i].op;
	for (unsigned int i = 0; i < 4; i++)
		s->first[node][i] = 2 * i;
	s->traces[node] = (struct trace){ .ops = s->trace_ops[node], .first = s->first[node],
					  .txns = 3 };
}

static struct sample make(void)
{
	static struct sample s;

	s = (struct sample){
		.c = { { { 0, 0, 0, 0, 2 }, { 1, SERIAL(7, 3), 7, 2, 2 }, { 2, SERIAL(9, 2), 9, 4, 2 } },
		       { { 0, SERIAL(7, 4), 7, 0, 2 }, { 1, SERIAL(7, 5), 7, 2, 2 }, { 2, 0, 0, 4, 2 } } },
		.ops = { { in_store(TRACE_WRITE, 10, 100, V(10), 1, 0), in_store(TRACE_READ, 2, 0, V(2), 1, 0),
			   in_switch(TRACE_ADD, 10, 1, 100), in_store(TRACE_WRITE, 3, 30, V(3), 1, 0),
			   in_switch(TRACE_ADD, 10, 1, 102), in_store(TRACE_ADD, 3, 1, 30, 3, 0) },
			 { in_switch(TRACE_ADD, 10, 1, 101), in_switch(TRACE_READ, 11, 0, V(11)),
			   in_switch(TRACE_WRITE, 11, 5, V(11)), in_store(TRACE_ADD, 2, 2, V(2), 2, 0),
			   in_store(TRACE_READ, 10, 0, 102, 2, 7), in_store(TRACE_READ, 3, 0, 30, 2, 0) } },
		.finals = { { { 10, 103, 2 }, { 2, V(2) + 2, 2 } }, { { 11, 5, 0 }, { 3, 31, 3 } } },
	};
	make_node(&s, 0);
	make_node(&s, 1);
	return s;
}

static char said[4096];

static unsigned long judge(struct sample *s)
{
	struct oracle_stats stats;
	FILE *out = fmemopen(said, sizeof(said), "w");
	int rc;

	memset(said, 0, sizeof(said));
	rc = oracle_check(s->h, 2, s->traces, out, &stats);
	fclose(out);
	assert_int_equal(rc, stats.faults ? -EINVAL : 0);
	return stats.faults;
}

/* The sample's parts are copied by value; the pointers must follow. */
#define SAMPLE(s) struct sample s = make(); \
	for (int n_ = 0; n_ < 2; n_++) { \
		s.h[n_].commits = s.c[n_]; s.h[n_].ops = s.ops[n_]; s.h[n_].finals = s.finals[n_]; \
		s.traces[n_].ops = s.trace_ops[n_]; s.traces[n_].first = s.first[n_]; \
	}

#define assert_said(text) do { \
	if (!strstr(said, text)) \
		fail_msg("oracle said: %s", said); \
} while (0)

static void check__accepts_a_serial_execution(void **state)
{
	SAMPLE(s);
	struct oracle_stats stats;

	assert_int_equal(oracle_check(s.h, 2, s.traces, stdout, &stats), 0);
	assert_int_equal(stats.faults, 0);
	assert_int_equal(stats.transactions, 6);
	assert_int_equal(stats.hot, 1);
	assert_int_equal(stats.mixed, 3);
	assert_int_equal(stats.cold, 2);
	assert_int_equal(stats.hot_ops, 5);
	assert_int_equal(stats.epochs, 2);
	assert_int_equal(stats.values, 16);
}

static void check__value_read_in_switch(void **state)
{
	SAMPLE(s);
	s.ops[1][0].got++;
	assert_int_equal(judge(&s), 2);	/* and what the next one makes of it */
	assert_said("node 1 transaction 0 operation 0 (a, in the switch): key 10 had value 102, "
		    "must be 101");
}

static void check__value_read_in_store(void **state)
{
	SAMPLE(s);
	s.ops[1][5].got = 29;
	s.ops[0][5].got = 29;
	s.finals[1][1].value = 30;
	assert_int_equal(judge(&s), 1);
	assert_said("node 1 transaction 2 operation 1 (r, in the store): key 3 had value 29, "
		    "must be 30");
}

static void check__final_value(void **state)
{
	SAMPLE(s);
	s.finals[1][0].value = 6;
	assert_int_equal(judge(&s), 1);
	assert_said("final value: key 11 (node 1) has value 6, must be 5");
}

static void check__final_missing(void **state)
{
	SAMPLE(s);
	s.h[0].nr_finals = 1;
	assert_int_equal(judge(&s), 1);
	assert_said("final value of key 2 is missing at node 0");
}

static void check__lost_write_back(void **state)
{
	SAMPLE(s);
	s.ops[0][4].got = 100;		/* epoch 9 was filled with what was there before epoch 7 */
	s.ops[1][4].got = 100;
	s.finals[0][0].value = 101;
	assert_int_equal(judge(&s), 1);
	assert_said("node 1 transaction 2 operation 0 (r, in the store): key 10");
}

static void check__duplicate_serial(void **state)
{
	SAMPLE(s);
	s.c[1][1].serial = SERIAL(7, 4);
	assert_true(judge(&s) >= 1);
	assert_said("serial 117440516 twice: node 1 transaction 0, node 1 transaction 1");
}

static void check__missing_serial(void **state)
{
	SAMPLE(s);
	s.c[1][1].serial = SERIAL(7, 6);
	assert_int_equal(judge(&s), 1);
	assert_said("serials 117440517 .. 117440517 of epoch 7 are missing");
}

/* Both nodes say that the logs of the epoch had one serial that nobody has seen. */
static void check__serial_that_nobody_has_seen(void **state)
{
	struct history_logs logs[2] = { { 7, 1 }, { 7, 1 } };

	SAMPLE(s);
	s.c[1][1].serial = SERIAL(7, 6);
	for (int n = 0; n < 2; n++) {
		s.h[n].logs = &logs[n];
		s.h[n].nr_logs = 1;
	}
	assert_int_equal(judge(&s), 0);
	s.c[1][1].serial = SERIAL(7, 7);
	assert_int_equal(judge(&s), 1);
	assert_said("serials 117440517 .. 117440518 of epoch 7 are missing");
	logs[1].unseen = 2;
	assert_true(judge(&s) >= 1);
	assert_said("node 1: the logs of epoch 7 lack 2 serials that nobody has seen, those of another "
		    "node 1");
	logs[0].unseen = 2;
	assert_int_equal(judge(&s), 0);
	logs[0].epoch = logs[1].epoch = 9;
	assert_int_equal(judge(&s), 1);
}

static void check__serial_of_another_epoch(void **state)
{
	SAMPLE(s);
	s.c[0][2].serial = SERIAL(8, 2);
	assert_int_equal(judge(&s), 1);
	assert_said("node 0: transaction 2 has serial 134217730, which is not of epoch 9");
}

static void check__hot_without_serial(void **state)
{
	SAMPLE(s);
	s.c[1][1].serial = 0;
	s.c[1][1].epoch = 0;
	assert_true(judge(&s) >= 1);
	assert_said("node 1: transaction 1 has 1 operations in the switch and serial 0");
}

static void check__missing_transaction(void **state)
{
	SAMPLE(s);
	s.h[1].nr_commits = 2;
	assert_true(judge(&s) >= 1);
	assert_said("node 1: transaction 2 is missing");
}

static void check__transaction_twice(void **state)
{
	SAMPLE(s);
	s.c[0][2].number = 1;
	assert_true(judge(&s) >= 2);
	assert_said("node 0: transaction 1 has two fates");
	assert_said("node 0: transaction 2 is missing");
}

static void check__aborted_is_a_fate(void **state)
{
	static uint32_t number = 3;
	SAMPLE(s);

	s.h[1].head.txns = s.traces[1].txns = 4;
	s.h[1].aborted = &number;
	s.h[1].nr_aborted = 1;
	assert_int_equal(judge(&s), 0);
}

static void check__unknown_cannot_be_judged(void **state)
{
	static uint32_t number = 3;
	SAMPLE(s);

	s.h[1].head.txns = s.traces[1].txns = 4;
	s.h[1].unknown = &number;
	s.h[1].nr_unknown = 1;
	assert_int_equal(judge(&s), 1);
	assert_said("node 1: transaction 3 is unknown");
}

static void check__other_operations_than_the_trace(void **state)
{
	SAMPLE(s);
	s.trace_ops[1][2].operand = 6;
	assert_int_equal(judge(&s), 1);
	assert_said("node 1: transaction 1 did other operations than its trace says");
}

static void check__version_gap(void **state)
{
	SAMPLE(s);
	s.ops[0][5].version = 4;
	s.finals[1][1].version = 4;
	assert_int_equal(judge(&s), 2);
	assert_said("node 0 transaction 2: key 3 has version 4 after epoch 0, must be 3");
}

static void check__access_not_in_a_history(void **state)
{
	SAMPLE(s);
	s.finals[1][1].version = 4;
	assert_int_equal(judge(&s), 1);
	assert_said("key 3 (node 1) was accessed 4 times in the store, the histories have 3");
}

/* Node 0 txn 1 (serial 3) sees key 3 after node 1 txn 1 (serial 5): not possible in any order. */
static void check__cycle(void **state)
{
	SAMPLE(s);
	s.ops[1][3] = in_store(TRACE_READ, 3, 0, V(3), 1, 0);
	s.trace_ops[1][3] = s.ops[1][3].op;
	s.ops[0][3].version = 2;
	s.ops[1][5].version = 3;
	s.ops[0][5].version = 4;
	assert_int_equal(judge(&s), 1);
	assert_said("not serialisable: ");
	assert_said("node 0 transaction 1");
	assert_said("node 1 transaction 1");
}

/* The same, but the two have no key in common, and none with a third: only serials order them. */
static void check__cycle_by_serials_alone(void **state)
{
	SAMPLE(s);
	s.ops[1][1] = in_switch(TRACE_READ, 13, 0, V(13));
	s.trace_ops[1][1] = s.ops[1][1].op;
	s.finals[1][2] = (struct history_key){ 13, V(13), 0 };
	s.h[1].nr_finals = 3;
	assert_int_equal(judge(&s), 0);
	s.ops[1][3] = in_store(TRACE_READ, 3, 0, V(3), 1, 0);
	s.trace_ops[1][3] = s.ops[1][3].op;
	s.ops[0][3].version = 2;
	s.ops[1][5].version = 3;
	s.ops[0][5].version = 4;
	assert_int_equal(judge(&s), 1);
	assert_said("not serialisable: ");
}

static void check__access_in_store_during_epoch(void **state)
{
	SAMPLE(s);
	s.ops[1][4].epoch = 0;		/* says it came before epoch 7, but read key 3 from it */
	assert_int_equal(judge(&s), 1);
	assert_said("not serialisable: ");
}

/* Accounts 0 .. 9: savings of 3, checking of 3 (13) and of 4 (14). All of 3 goes to 4's checking. */
static void check__sums_of_sources(void **state)
{
	struct history_op ops[] = {
		in_store(TRACE_WRITE | TRACE_SOURCE, 3, 0, 10000, 1, 0),
		in_store(TRACE_WRITE | TRACE_SOURCE, 13, 0, 10000, 1, 0),
		in_store(TRACE_ADD | TRACE_DEPENDENT, 14, 0, 10000, 1, 0),
	};
	struct history_commit c = { .n = 3 };
	struct history_key finals[] = { { 3, 0, 1 }, { 13, 0, 1 }, { 14, 30000, 1 } };
	struct history h = {
		.head = { .tenant = 5, .keys = 20, .txns = 1, .nodes = 1, .start = START_BANK },
		.commits = &c, .ops = ops, .finals = finals, .nr_commits = 1, .nr_ops = 3,
		.nr_finals = 3,
	};
	struct oracle_stats stats;

	assert_int_equal(oracle_check(&h, 1, NULL, stderr, &stats), 0);
	finals[2].value--;
	assert_int_equal(oracle_check(&h, 1, NULL, stderr, &stats), -EINVAL);
}

static void check__cut_history_lacks_what_it_lacks(void **state)
{
	SAMPLE(s);
	s.h[0].cut = true;
	s.h[0].nr_commits = 2;		/* (9, 2), which made key 10 103, is not known */
	s.h[0].nr_ops = 4;
	s.h[0].nr_finals = 0;
	s.c[1][1].serial = SERIAL(7, 6);
	assert_int_equal(judge(&s), 0);
}

static void check__cut_history_is_held_to_what_it_has(void **state)
{
	SAMPLE(s);
	s.h[0].cut = true;
	s.ops[1][0].got = 100;		/* one serial after the one that made it 101 */
	assert_int_equal(judge(&s), 1);
	assert_said("node 1 transaction 0 operation 0: key 10 had value 100, must be 101");
}

static void check__cut_history_may_lack_the_last_write(void **state)
{
	SAMPLE(s);
	s.h[0].cut = true;
	s.c[1][0].serial = SERIAL(7, 1);	/* now after none that is known */
	s.ops[1][0].got = 55;
	assert_int_equal(judge(&s), 0);
}

static void check__cut_history_of_a_version_twice(void **state)
{
	SAMPLE(s);
	s.h[0].cut = true;
	s.ops[1][5].version = 1;
	assert_true(judge(&s) >= 1);
	assert_said("key 3 has version 1 after epoch 0, must be 2");
}

static void check__wrong_heads(void **state)
{
	SAMPLE(s);
	s.h[1].head.tenant = 6;
	assert_int_equal(judge(&s), 1);
	assert_said("history 1 is of tenant 6 with 20 keys (mixed), node 0 of 5 with 20 (mixed)");
	s.h[1].head.tenant = 5;
	s.h[1].head.node = 0;
	assert_int_equal(judge(&s), 1);
	assert_said("history 1 is of node 0 of 2, must be of node 1 of 2");
}

/* ------------------------------------------------------------------ text */

static void write_history(const char *path, const struct history *h)
{
	struct history_log *log = history_create(path, &h->head);

	assert_non_null(log);
	for (size_t i = 0; i < h->nr_commits; i++)
		history_commit(log, h->commits[i].number, h->commits[i].serial, h->commits[i].epoch,
			       h->ops + h->commits[i].first, h->commits[i].n);
	history_aborted(log, 100);
	history_unknown(log, 101);
	history_logs(log, 7, 3);
	for (size_t i = 0; i < h->nr_finals; i++)
		history_final(log, h->finals[i].key, h->finals[i].value, h->finals[i].version);
	assert_int_equal(history_close(log), 0);
}

static void read__takes_what_was_written(void **state)
{
	char path[] = "/tmp/util_oracle.XXXXXX";
	struct history h;
	struct trace_error err;
	SAMPLE(s);

	close(mkstemp(path));
	write_history(path, &s.h[1]);
	assert_int_equal(history_read(&h, path, &err), 0);
	assert_memory_equal(&h.head, &s.h[1].head, sizeof(h.head));
	assert_int_equal(h.nr_commits, 3);
	assert_int_equal(h.nr_ops, 6);
	assert_int_equal(h.nr_finals, 2);
	assert_int_equal(h.nr_aborted, 1);
	assert_int_equal(h.aborted[0], 100);
	assert_int_equal(h.unknown[0], 101);
	assert_int_equal(h.nr_logs, 1);
	assert_int_equal(h.logs[0].epoch, 7);
	assert_int_equal(h.logs[0].unseen, 3);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(&h.commits[i], &s.h[1].commits[i], sizeof(h.commits[i]));
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(h.ops[i].op.key, s.ops[1][i].op.key);
		assert_int_equal(h.ops[i].op.operand, s.ops[1][i].op.operand);
		assert_int_equal(h.ops[i].op.kind, s.ops[1][i].op.kind);
		assert_int_equal(h.ops[i].hot, s.ops[1][i].hot);
		assert_int_equal(h.ops[i].got, s.ops[1][i].got);
		assert_int_equal(h.ops[i].version, s.ops[1][i].version);
		assert_int_equal(h.ops[i].epoch, s.ops[1][i].epoch);
	}
	assert_memory_equal(h.finals, s.finals[1], 2 * sizeof(h.finals[0]));
	history_free(&h);
	unlink(path);
}

#define HEAD "history 1 tenant 5 node 0 of 2 keys 20 txns 3 start mixed\n"

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", ":1: end line is '', must be there: the file is not complete" },
	{ "history 2 tenant 5 node 0 of 2 keys 20 txns 3 start mixed\nend 1\n", ":1: version" },
	{ "history 1 tenant 5 node 2 of 2 keys 20 txns 3 start mixed\nend 1\n", ":1: node" },
	{ "history 1 tenant 5 node 0 of 2 keys 20\nend 1\n", ":1: head" },
	{ "history 1 tenant 5 node 0 of 2 keys 20 txns 3 start odd\nend 1\n", ":1: start" },
	{ HEAD "A 1\n", ":3: end line is '', must be there: the file is not complete" },
	{ HEAD "A 1\nend 1\n", ":3: LINES" },
	{ HEAD "end 1\nA 1\n", ":3: line is 'A 1" },
	{ HEAD "Q 1\nend 2\n", ":2: line is 'Q 1', must be C, A, U, L, F or end" },
	{ HEAD "A\nend 2\n", ":2: NUMBER is ''" },
	{ HEAD "A 1 2\nend 2\n", ":2: rest of the line is ' 2'" },
	{ HEAD "C 1 0 0\nend 2\n", ":2: operation is ''" },
	{ HEAD "C 1 0 0;hr 20 0 0\nend 2\n", ":2: KEY is ' 20 0 0', must be 0 .. 19" },
	{ HEAD "C 1 0 0;xr 1 0 0\nend 2\n", ":2: operation is ';xr 1 0 0'" },
	{ HEAD "C 1 0 0;cr 1 0 0 1\nend 2\n", ":2: EPOCH is ''" },
	{ HEAD "F 1 4294967296 1\nend 2\n", ":2: VALUE is ' 4294967296 1', must be 0 .. 4294967295" },
};

static void read__refuses_what_it_does_not_understand(void **state)
{
	char path[] = "/tmp/util_oracle.XXXXXX";

	close(mkstemp(path));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct history h;
		struct trace_error err;
		FILE *f = fopen(path, "w");

		fputs(bad[i].text, f);
		fclose(f);
		assert_int_equal(history_read(&h, path, &err), -EINVAL);
		if (!strstr(err.text, bad[i].says))
			fail_msg("'%s' lacks '%s'", err.text, bad[i].says);
	}
	unlink(path);
}

static void read__takes_what_was_left_of_a_killed_node(void **state)
{
	char path[] = "/tmp/util_oracle.XXXXXX";
	struct trace_error err;
	struct history h;
	FILE *f;

	close(mkstemp(path));
	f = fopen(path, "w");
	fputs("history 1 tenant 5 node 0 of 2 keys 20 txns 3 start mixed\nA 0\nA 1", f);
	fclose(f);
	assert_int_equal(history_read(&h, path, &err), -EINVAL);
	assert_int_equal(history_read_cut(&h, path, &err), 0);
	assert_true(h.cut);
	assert_int_equal(h.nr_aborted, 1);	/* the last line may have gone on */
	history_free(&h);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check__accepts_a_serial_execution),
		cmocka_unit_test(check__value_read_in_switch),
		cmocka_unit_test(check__value_read_in_store),
		cmocka_unit_test(check__final_value),
		cmocka_unit_test(check__final_missing),
		cmocka_unit_test(check__sums_of_sources),
		cmocka_unit_test(check__lost_write_back),
		cmocka_unit_test(check__duplicate_serial),
		cmocka_unit_test(check__missing_serial),
		cmocka_unit_test(check__serial_that_nobody_has_seen),
		cmocka_unit_test(check__serial_of_another_epoch),
		cmocka_unit_test(check__hot_without_serial),
		cmocka_unit_test(check__missing_transaction),
		cmocka_unit_test(check__transaction_twice),
		cmocka_unit_test(check__aborted_is_a_fate),
		cmocka_unit_test(check__unknown_cannot_be_judged),
		cmocka_unit_test(check__other_operations_than_the_trace),
		cmocka_unit_test(check__version_gap),
		cmocka_unit_test(check__access_not_in_a_history),
		cmocka_unit_test(check__cycle),
		cmocka_unit_test(check__cycle_by_serials_alone),
		cmocka_unit_test(check__access_in_store_during_epoch),
		cmocka_unit_test(check__cut_history_lacks_what_it_lacks),
		cmocka_unit_test(check__cut_history_is_held_to_what_it_has),
		cmocka_unit_test(check__cut_history_may_lack_the_last_write),
		cmocka_unit_test(check__cut_history_of_a_version_twice),
		cmocka_unit_test(check__wrong_heads),
		cmocka_unit_test(read__takes_what_was_written),
		cmocka_unit_test(read__refuses_what_it_does_not_understand),
		cmocka_unit_test(read__takes_what_was_left_of_a_killed_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
