// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4tpcc - one node of a wholesale supplier: TPC-C's new-order and payment, hot rows in the switch.
 *
 * In the end TPC-C's consistency conditions must hold, see orders.h. Exit status: 0 they do; 1 they do
 * not, or the node had to give up, and says why; 2 an argument is wrong.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "orders.h"
#include "program.h"

static struct orders orders = { .warehouses = 4, .remote_percent = 10, .txns = 10000, .seed = 1 };

static uint32_t nr_keys(void)
{
	return orders.warehouses * ORDERS_FIELDS;
}

static void prepare(struct node *n)
{
	const struct peer_self *self = &n->cfg.self;

	if (orders.warehouses % self->nodes)
		arg_fail("--warehouses is %u, must be a multiple of the %u nodes", orders.warehouses,
			 self->nodes);
	n->cfg.self.keys = nr_keys();
	orders.district = calloc(orders.warehouses * ORDERS_DISTRICTS, sizeof(*orders.district));
	if (!orders.district)
		arg_fail("%s", strerror(ENOMEM));
	if (orders_trace(&orders, self->node, self->nodes, &n->trace))
		arg_fail("%s", strerror(ENOMEM));
}

static int layout(const struct node *n, const struct p4a_geometry *geo, struct p4a_layout **out,
		  struct p4a_error *err)
{
	struct p4a_key_count *kc = calloc(nr_keys(), sizeof(*kc));
	int rc;

	if (!kc)
		return -ENOMEM;
	for (unsigned int node = 0; node < n->cfg.self.nodes; node++) {
		struct trace t;

		if (orders_trace(&orders, node, n->cfg.self.nodes, &t))
			arg_fail("%s", strerror(ENOMEM));
		program_count(kc, &t);
		trace_free(&t);
	}
	rc = program_layout(kc, nr_keys(), geo, out, err);
	free(kc);
	return rc;
}

/* What own customers have paid beyond what this node's payments say; 0 over all nodes. */
static uint32_t count_paid(struct node *n)
{
	const struct peer_self *self = &n->cfg.self;
	uint32_t sum = -orders.paid;

	for (uint32_t key = self->node; key < self->keys; key += self->nodes) {
		uint32_t field = key / orders.warehouses;

		if (field >= ORDERS_CUSTOMER && (field - ORDERS_CUSTOMER) % 3 == 1)
			sum += store_value(n->store, key) - ORDERS_C_PAID_START;
	}
	return sum;
}

static int check(void *arg, struct node *n)
{
	unsigned int faults = orders_check(arg, n->cfg.self.node, n->cfg.self.nodes, store_value,
					   n->store, stderr);
	uint32_t surplus = count_paid(n), unknown = n->stats.unknown;
	uint32_t rollbacks = orders_rollbacks(&n->trace);
	size_t rows = 0;
	int rc = node_sum(n, &surplus);

	if (!rc)
		rc = node_sum(n, &unknown);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < orders.warehouses * ORDERS_DISTRICTS; i++)
		rows += orders.district[i].nr_orders;
	printf("p4tpcc tenant %u node %u orders %zu paid %u surplus %" PRId32 " faults %u unknown %u "
	       "rolled-back %" PRIu64 "\n", n->cfg.self.tenant, n->cfg.self.node, rows, orders.paid,
	       (int32_t)surplus, faults, unknown, n->stats.aborted);
	if (unknown)
		return node_fail(n, -EINVAL, "conditions", "unknown transactions: nobody can tell");
	if (surplus)
		return node_fail(n, -EINVAL, "conditions", "customers have not paid what was paid");
	if (n->stats.aborted != rollbacks)
		return node_fail(n, -EINVAL, "conditions", "other orders were rolled back than had to be");
	return faults ? node_fail(n, -EINVAL, "conditions", "are not met, see above") : 0;
}

int main(int argc, char **argv)
{
	static const struct program_option options[] = {
		{ .name = "warehouses", .min = 1, .max = 10000, .number = &orders.warehouses },
		{ .name = "remote-percent", .min = 0, .max = 100, .number = &orders.remote_percent },
		{ .name = "txns", .min = 1, .max = 10000000, .number = &orders.txns },
		{ .name = "seed", .min = 0, .max = UINT32_MAX, .number = &orders.seed }, { 0 },
	};
	static const struct program program = {
		.name = "p4tpcc", .options = options, .prepare = prepare, .layout = layout,
		.usage = "  --warehouses N     a multiple of the nodes (4)\n"
			 "  --remote-percent N stock lines and customers of any warehouse (10)\n"
			 "  --txns N           transactions of this node (10000)\n"
			 "  --seed N           draws them; the same at all nodes (1)\n",
	};
	static struct node n = { .cfg = {
		.batches = 4, .want_blocks = 1, .flows = 32, .duration_us = 1000000,
		.start = START_ORDERS, .committed = orders_committed, .check = check, .arg = &orders,
	} };
	int rc = program_run(&program, &n, argc, argv);

	orders_free(&orders);
	return rc;
}
