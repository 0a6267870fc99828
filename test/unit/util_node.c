// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes of a tenant against a switch inside of the test: whatever gets in the way, the oracle must be
 * content with the histories; and when a value is altered on the way, it must not be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/bank.h"
#include "../../util/node.h"
#include "../../util/oracle.h"
#include "../../util/orders.h"
#include "../../util/zipf.h"
#include "util_fake_link.h"
#include "util_fake_switch.h"

#define NODES_MAX	3
#define KEYS		3000u		/* of all but orders */
#define KEYS_MAX	(2 * ORDERS_FIELDS)
#define TXNS		800u
#define OPS		8

struct rack {
	unsigned int nodes;
	struct node node[NODES_MAX];
	struct link *links[NODES_MAX][2];
	struct sockaddr_in addr[NODES_MAX];
	char history[NODES_MAX][32], summary[NODES_MAX][32];
	uint32_t keys;
	struct p4a_key_count counts[KEYS_MAX];
	struct bank bank[NODES_MAX];
	struct orders orders[NODES_MAX];
	int rc[NODES_MAX];
};

static struct rack rack;
static enum start work = START_MIXED;	/* what the next rack shall be like */
static bool relayout;
static int unlucky = -1;		/* a node whose conditions shall not hold */

static void make_bank(struct trace *t, unsigned int node)
{
	struct bank *b = &rack.bank[node];

	*b = (struct bank){ .accounts = KEYS / 2, .hot = 100, .hot_percent = 80, .txns = TXNS, .seed = 3 };
	b->kind = malloc(TXNS);
	assert_int_equal(bank_trace(b, node, t, b->kind), 0);
	for (uint32_t i = 0; i < t->first[TXNS]; i++) {
		rack.counts[t->ops[i].key].count++;
		if (t->ops[i].kind & TRACE_SOURCE)
			rack.counts[t->ops[i].key].count |= P4A_KEY_SOURCE;
		if (t->ops[i].kind & TRACE_DEPENDENT)
			rack.counts[t->ops[i].key].count |= P4A_KEY_DEPENDENT;
	}
}

/* As p4smallbank does. */
static int count_money(void *arg, struct node *n)
{
	struct bank *b = arg;
	uint32_t surplus = -b->inflow;

	for (uint32_t key = n->cfg.self.node; key < KEYS; key += rack.nodes)
		surplus += store_value(n->store, key) - BANK_START;
	return node_sum(n, &surplus) || surplus || b->wrong ? -EINVAL : 0;
}

static void make_orders(struct trace *t, unsigned int node)
{
	struct orders *o = &rack.orders[node];

	*o = (struct orders){ .warehouses = 2, .remote_percent = 10, .txns = TXNS, .seed = 3 };
	o->district = calloc(2 * ORDERS_DISTRICTS, sizeof(*o->district));
	assert_int_equal(orders_trace(o, node, rack.nodes, t), 0);
	for (uint32_t i = 0; i < t->first[TXNS]; i++)
		rack.counts[t->ops[i].key].count++;
}

/* A rolled back order would show as a number that is missing, or as one that was not to be. */
static int check_orders(void *arg, struct node *n)
{
	unsigned int faults = orders_check(arg, n->cfg.self.node, rack.nodes, store_value, n->store, stderr);

	return faults || (int)n->cfg.self.node == unlucky ||
	       n->stats.aborted != orders_rollbacks(&n->trace) ? -EINVAL : 0;
}

static void make_trace(struct trace *t, unsigned int node)
{
	struct rng r = { .state = 77 + node };
	struct zipf z;

	zipf_init(&z, KEYS, 0.8);
	t->txns = TXNS;
	t->ops = calloc(TXNS * OPS, sizeof(*t->ops));
	t->first = calloc(TXNS + 1, sizeof(*t->first));
	for (uint32_t i = 0; i < TXNS * OPS; i++) {
		struct trace_op *op = &t->ops[i];
		bool twice;

		do {
			op->key = zipf_scatter(zipf_draw(&z, &r), KEYS);
			twice = false;
			for (uint32_t j = i - i % OPS; j < i; j++)
				twice |= t->ops[j].key == op->key;
		} while (twice);
		op->kind = 1 + rng_below(&r, 3);
		op->operand = op->kind == TRACE_READ ? 0 : rng_below(&r, 1000000);
		rack.counts[op->key].count++;
	}
	for (uint32_t i = 0; i <= TXNS; i++)
		t->first[i] = i * OPS;
}

static void make_layout(struct node *n, const struct p4a_geometry *geo)
{
	struct p4a_layout *layout;
	struct p4a_error err;

	assert_true(p4a_layout_from_counts(&layout, geo, rack.counts, rack.keys, &err) > 0);
	n->hot_keys = calloc(rack.keys, sizeof(*n->hot_keys));
	n->hot_kv = calloc(rack.keys, sizeof(*n->hot_kv));
	assert_int_equal(node_use_layout(n, layout), 0);
}

static void make_node(unsigned int i, const struct fake_switch *what)
{
	struct node *n = &rack.node[i];
	struct p4a_options opts = { .tenant = 4, .node = i, .nodes = rack.nodes };
	const char *step;

	n->cfg = (struct node_config){
		.name = "util_node",
		.self = { .tenant = 4, .keys = rack.keys, .node = i, .nodes = rack.nodes },
		.batches = 4, .want_blocks = 1, .flows = 16, .duration_us = 1000,
		.history = rack.history[i], .summary = rack.summary[i],
	};
	close(mkstemp(strcpy(rack.history[i], "/tmp/util_node.h.XXXXXX")));
	close(mkstemp(strcpy(rack.summary[i], "/tmp/util_node.s.XXXXXX")));
	assert_int_equal(link_open(&rack.links[i][0], 4, 5000 + i, &step), 0);
	assert_int_equal(link_open(&rack.links[i][1], 4, 0, &step), 0);
	n->cfg.start = work;
	if (work == START_BANK) {
		n->cfg.committed = bank_committed;
		n->cfg.check = count_money;
		n->cfg.arg = &rack.bank[i];
	} else if (work == START_ORDERS) {
		n->cfg.committed = orders_committed;
		n->cfg.check = check_orders;
		n->cfg.arg = &rack.orders[i];
	}
	n->cfg.relayout = relayout;
	n->store = store_new(rack.keys, n->cfg.start, rack.nodes, i);
	n->client = peer_client_new(&n->cfg.self, rack.links[i][1], rack.addr);
	n->log = history_create(n->cfg.history, &(struct history_head){
		.tenant = 4, .keys = rack.keys, .txns = TXNS, .node = i, .nodes = rack.nodes,
		.start = n->cfg.start });
	n->server = peer_serve_start(&n->cfg.self, rack.links[i][0], n->store);
	assert_int_equal(p4a_open(&n->ctx, &opts, NULL), 0);
	make_layout(n, &what->geo);
	p4a_hello(n->ctx);
}

static void *run_node(void *arg)
{
	struct node *n = arg;
	int rc = peer_greet(n->client, 10000);

	if (!rc)
		rc = node_run(n);
	if (rc)
		fprintf(stderr, "node %u: %s\n", n->cfg.self.node, n->error);
	rack.rc[n->cfg.self.node] = rc;
	return NULL;
}

static void free_node(unsigned int i)
{
	node_free(&rack.node[i]);
	link_close(rack.links[i][0]);
	link_close(rack.links[i][1]);
	free(rack.bank[i].kind);
	orders_free(&rack.orders[i]);
	unlink(rack.history[i]);
	unlink(rack.summary[i]);
}

/* Runs the rack and returns the number of faults that the oracle found. */
static unsigned long run(const struct fake_switch *what, unsigned int nodes,
			 struct oracle_stats *stats, struct node_stats *sum)
{
	void (*const make[START_KINDS])(struct trace *t, unsigned int node) = {
		[START_MIXED] = make_trace, [START_BANK] = make_bank, [START_ORDERS] = make_orders,
	};
	struct history h[NODES_MAX];
	struct trace traces[NODES_MAX];
	struct trace_error err;
	pthread_t thread[NODES_MAX];

	memset(&rack, 0, sizeof(rack));
	rack.nodes = nodes;
	rack.keys = work == START_ORDERS ? 2 * ORDERS_FIELDS : KEYS;
	fake_switch_reset(what);
	for (uint32_t k = 0; k < rack.keys; k++)
		rack.counts[k] = (struct p4a_key_count){ .key = k, .count = 1 };
	for (unsigned int i = 0; i < nodes; i++) {
		rack.addr[i].sin_port = htons(5000 + i);
		make[work](&rack.node[i].trace, i);
	}
	for (unsigned int i = 0; i < nodes; i++)
		make_node(i, what);
	for (unsigned int i = 0; i < nodes; i++)
		pthread_create(&thread[i], NULL, run_node, &rack.node[i]);
	for (unsigned int i = 0; i < nodes; i++)
		pthread_join(thread[i], NULL);
	memset(sum, 0, sizeof(*sum));
	for (unsigned int i = 0; i < nodes; i++) {
		const struct node_stats *s = &rack.node[i].stats;

		assert_int_equal(rack.rc[i], (int)i == unlucky ? -EINVAL : 0);
		assert_int_equal(history_close(rack.node[i].log), 0);
		assert_int_equal(history_read(&h[i], rack.history[i], &err), 0);
		traces[i] = rack.node[i].trace;
		sum->conflicts += s->conflicts;
		sum->stale += s->stale;
		sum->expired += s->expired;
		sum->layouts += s->layouts;
		sum->hot += s->hot;
		sum->grants += s->grants;
		sum->hot_ops += s->hot_ops;
		sum->hot_key_ops += s->hot_key_ops;
		assert_int_equal(store_holders(rack.node[i].store), 0);
	}
	oracle_check(h, nodes, traces, stdout, stats);
	for (unsigned int i = 0; i < nodes; i++) {
		history_free(&h[i]);
		free_node(i);
	}
	return stats->faults;
}

#define GEO { .registers = 12, .blocks = 1 }

static void run__two_nodes(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.transactions, 2 * TXNS);
	assert_true(stats.epochs >= 4);
	assert_int_equal(sum.grants, 2 * stats.epochs);
	assert_true(stats.hot_ops > 2 * TXNS);
	assert_int_equal(stats.hot_ops, sum.hot_ops);
	assert_true(2 * sum.hot_ops > sum.hot_key_ops);
}

static void run__one_and_three_nodes(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 1, &stats, &sum), 0);
	assert_int_equal(stats.transactions, TXNS);
	assert_int_equal(run(&what, 3, &stats, &sum), 0);
	assert_int_equal(stats.transactions, 3 * TXNS);
}

static void run__layouts_follow_accesses(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	relayout = true;
	assert_int_equal(run(&what, 3, &stats, &sum), 0);
	relayout = false;
	assert_int_equal(stats.transactions, 3 * TXNS);
	assert_true(sum.layouts >= 9);
	assert_true(2 * sum.hot_ops > sum.hot_key_ops);
}

/* Operations that depend on others, in the switch and between nodes; money stays what it is. */
static void run__bank(void **state)
{
	struct fake_switch what = { .geo = { .registers = 12, .blocks = 1, .dependent = 4 } };
	struct oracle_stats stats;
	struct node_stats sum;

	work = START_BANK;
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_true(stats.transactions + stats.aborted == 2 * TXNS && stats.hot > TXNS);
	relayout = true;
	assert_int_equal(run(&what, 3, &stats, &sum), 0);
	relayout = false;
	assert_true(sum.layouts >= 9 && stats.hot > TXNS);
	what.cold = true;
	assert_int_equal(run(&what, 3, &stats, &sum), 0);
	assert_int_equal(stats.cold + stats.aborted, 3 * TXNS);
	work = START_MIXED;
}

/* One new-order of a hundred has an item that does not exist: it leaves nothing behind, hot or cold. */
static void run__orders_are_rolled_back(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	work = START_ORDERS;
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.transactions + stats.aborted, 2 * TXNS);
	assert_in_range(stats.aborted, 3, 25);
	assert_true(stats.hot > TXNS / 2);
	what.cold = true;
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.cold + stats.aborted, 2 * TXNS);
	assert_in_range(stats.aborted, 3, 25);
	work = START_MIXED;
}

/* The others do not wait for one that has found a fault. */
static void run__conditions_of_one_node_do_not_hold(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	work = START_ORDERS;
	unlucky = 1;
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	unlucky = -1;
	work = START_MIXED;
}

static void run__conflicts_and_aborts(void **state)
{
	struct fake_switch what = { .geo = GEO, .conflict_every = 7, .abort_every = 31 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_true(sum.conflicts > 50);
	assert_true(stats.aborted > 10);
	assert_int_equal(stats.transactions + stats.aborted, 2 * TXNS);
}

static void run__keys_without_lock_bits(void **state)
{
	struct fake_switch what = { .geo = GEO, .bitless_every = 5 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.transactions, 2 * TXNS);
	what = (struct fake_switch) { .geo = GEO, .no_lock_info = true };
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.transactions, 2 * TXNS);
}

static void run__answers_of_peers_are_lost(void **state)
{
	struct fake_switch what = { .geo = GEO };
	struct oracle_stats stats;
	struct node_stats sum;

	fake_link_lose = 10;
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	fake_link_lose = 0;
	assert_int_equal(stats.transactions, 2 * TXNS);
}

static void run__lease_ends_in_a_batch(void **state)
{
	struct fake_switch what = { .geo = GEO, .expire_epoch = 2, .expire_txns = 50 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(sum.expired, 2);
	assert_true(sum.stale >= 1);
	assert_int_equal(stats.transactions, 2 * TXNS);
}

static void run__fill_finds_the_blocks_gone(void **state)
{
	struct fake_switch what = { .geo = GEO, .spoil_epoch = 2 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(sum.expired, 2);
	assert_int_equal(stats.transactions, 2 * TXNS);
}

static void run__allocator_is_away_for_a_while(void **state)
{
	struct fake_switch what = { .geo = GEO, .expire_epoch = 2, .expire_txns = 50, .away = 5 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(sum.expired, 2);
	what = (struct fake_switch){ .geo = GEO, .away = 5 };	/* when they leave */
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
}

/* Between the last value that was read and the word that it was. */
static void run__lease_ends_after_the_drain(void **state)
{
	struct fake_switch what = { .geo = GEO, .late_epoch = 2 };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(sum.expired, 2);
	relayout = true;	/* says it before it asks for more */
	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	relayout = false;
	assert_int_equal(sum.expired, 2);
	assert_int_equal(stats.transactions, 2 * TXNS);
}

static void run__cold_without_allocator(void **state)
{
	struct fake_switch what = { .geo = GEO, .cold = true };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_int_equal(run(&what, 2, &stats, &sum), 0);
	assert_int_equal(stats.cold, 2 * TXNS);
	assert_int_equal(stats.hot_ops, 0);
}

static void run__altered_cell_is_found(void **state)
{
	struct fake_switch what = { .geo = GEO, .flip_epoch = 2,
				    .flip_key = zipf_scatter(1, KEYS) };
	struct oracle_stats stats;
	struct node_stats sum;

	assert_true(run(&what, 2, &stats, &sum) > 0);
}

static void next_step__table(void **state)
{
	static const struct { unsigned int round; uint64_t left; enum node_step want; } t[] = {
		{ 1, 100, NODE_HOT }, { 4, 1, NODE_HOT }, { 2, 0, NODE_END }, { 5, 64, NODE_HOT },
		{ 5, 63, NODE_COLD }, { 7, 64, NODE_HOT }, { 8, 6400, NODE_COLD }, { 9, 0, NODE_END },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(node_next_step(t[i].round, 4, t[i].left), t[i].want);
}

static void slice_end__covers_the_trace(void **state)
{
	assert_int_equal(node_slice_end(10, 3, 1), 3);
	assert_int_equal(node_slice_end(10, 3, 2), 6);
	assert_int_equal(node_slice_end(10, 3, 3), 10);
	assert_int_equal(node_slice_end(10, 3, 4), 10);
	assert_int_equal(node_slice_end(1, 4, 1), 0);
}

static void start_us__scales_with_the_batch(void **state)
{
	assert_int_equal(node_start_us(1000000, 100, 50), 500000);
	assert_int_equal(node_start_us(0, 0, 50), 0);
	assert_int_equal(node_start_us(50000000, 100, 1000), 60000000);
}

static void has_turn__one_node_after_a_round_for_nothing(void **state)
{
	assert_true(node_has_turn(0, 2, 7, false));
	assert_true(node_has_turn(1, 2, 7, false));
	assert_false(node_has_turn(0, 2, 7, true));
	assert_true(node_has_turn(1, 2, 7, true));
	assert_true(node_has_turn(0, 2, 8, true));
	assert_true(node_has_turn(0, 1, 7, true));
}

static void next_window__shrinks_when_most_fail(void **state)
{
	assert_int_equal(node_next_window(16, 50, 100), 16);
	assert_int_equal(node_next_window(16, 49, 100), 4);
	assert_int_equal(node_next_window(4, 0, 100), 1);
	assert_int_equal(node_next_window(1, 0, 100), 1);
	assert_int_equal(node_next_window(16, 0, 0), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run__two_nodes),
		cmocka_unit_test(run__one_and_three_nodes),
		cmocka_unit_test(run__layouts_follow_accesses),
		cmocka_unit_test(run__bank),
		cmocka_unit_test(run__orders_are_rolled_back),
		cmocka_unit_test(run__conditions_of_one_node_do_not_hold),
		cmocka_unit_test(run__conflicts_and_aborts),
		cmocka_unit_test(run__keys_without_lock_bits),
		cmocka_unit_test(run__answers_of_peers_are_lost),
		cmocka_unit_test(run__lease_ends_in_a_batch),
		cmocka_unit_test(run__fill_finds_the_blocks_gone),
		cmocka_unit_test(run__allocator_is_away_for_a_while),
		cmocka_unit_test(run__lease_ends_after_the_drain),
		cmocka_unit_test(run__cold_without_allocator),
		cmocka_unit_test(run__altered_cell_is_found),
		cmocka_unit_test(next_step__table),
		cmocka_unit_test(slice_end__covers_the_trace),
		cmocka_unit_test(next_window__shrinks_when_most_fail),
		cmocka_unit_test(has_turn__one_node_after_a_round_for_nothing),
		cmocka_unit_test(start_us__scales_with_the_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
