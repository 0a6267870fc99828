// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4smallbank - one node of a bank: SmallBank's transactions, hot accounts in the switch.
 *
 * In the end all nodes together must have as much money as there was, and what was paid in and out; no
 * savings may be below 0. Exit status: 0 they have; 1 they have not, or the node had to give up, and says
 * why; 2 an argument is wrong.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "bank.h"
#include "program.h"

static struct bank bank = { .accounts = 10000, .hot = 200, .hot_percent = 90, .txns = 10000, .seed = 1 };

static void prepare(struct node *n)
{
	const struct peer_self *self = &n->cfg.self;

	if (bank.accounts % self->nodes)
		arg_fail("--accounts is %u, must be a multiple of the %u nodes", bank.accounts,
			 self->nodes);
	if (bank.hot > bank.accounts)
		arg_fail("--hot is %u, must be 1 .. %u", bank.hot, bank.accounts);
	n->cfg.self.keys = 2 * bank.accounts;
	bank.kind = malloc(bank.txns);
	if (!bank.kind)
		arg_fail("%s", strerror(ENOMEM));
	if (bank_trace(&bank, self->node, &n->trace, bank.kind))
		arg_fail("%s", strerror(ENOMEM));
}

static int layout(const struct node *n, const struct p4a_geometry *geo, struct p4a_layout **out,
		  struct p4a_error *err)
{
	struct p4a_key_count *kc = calloc(2 * bank.accounts, sizeof(*kc));
	int rc;

	if (!kc)
		return -ENOMEM;
	for (unsigned int node = 0; node < n->cfg.self.nodes; node++) {
		struct trace t;

		if (bank_trace(&bank, node, &t, NULL))
			arg_fail("%s", strerror(ENOMEM));
		program_count(kc, &t);
		trace_free(&t);
	}
	rc = program_layout(kc, 2 * bank.accounts, geo, out, err);
	free(kc);
	return rc;
}

/* What own accounts have beyond what they must, modulo 2^32, and how many savings are below 0. */
static uint32_t count_money(struct node *n, uint32_t *negative)
{
	const struct peer_self *self = &n->cfg.self;
	uint32_t surplus = -bank.inflow;

	for (uint32_t key = self->node; key < self->keys; key += self->nodes) {
		uint32_t value = store_value(n->store, key);

		surplus += value - BANK_START;
		*negative += key < bank.accounts && (int32_t)value < 0;
	}
	return surplus;
}

static int check(void *arg, struct node *n)
{
	uint32_t negative = 0, surplus = count_money(n, &negative), unknown = n->stats.unknown;
	int rc = node_sum(n, &surplus);

	if (!rc)
		rc = node_sum(n, &unknown);
	if (!rc)
		rc = node_sum(n, &negative);
	if (rc)
		return rc;
	printf("p4smallbank tenant %u node %u paid %" PRId32 " surplus %" PRId32 " negative %u "
	       "forbidden %" PRIu64 " unknown %u\n", n->cfg.self.tenant, n->cfg.self.node,
	       (int32_t)bank.inflow, (int32_t)surplus, negative, bank.wrong, unknown);
	if (unknown)
		return node_fail(n, -EINVAL, "money", "unknown transactions: nobody can tell");
	if (surplus)
		return node_fail(n, -EINVAL, "money", "all nodes together do not have what they must");
	if (negative || bank.wrong)
		return node_fail(n, -EINVAL, "money", "something was below 0 that must not be");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct program_option options[] = {
		{ .name = "accounts", .min = 2, .max = 100000000, .number = &bank.accounts },
		{ .name = "hot", .min = 1, .max = 100000000, .number = &bank.hot },
		{ .name = "hot-percent", .min = 0, .max = 100, .number = &bank.hot_percent },
		{ .name = "txns", .min = 1, .max = 10000000, .number = &bank.txns },
		{ .name = "seed", .min = 0, .max = UINT32_MAX, .number = &bank.seed }, { 0 },
	};
	static const struct program program = {
		.name = "p4smallbank", .options = options, .prepare = prepare, .layout = layout,
		.usage = "  --accounts N       a multiple of the nodes (10000)\n"
			 "  --hot N            of them, those that are wanted most (200)\n"
			 "  --hot-percent N    how often they are (90)\n"
			 "  --txns N           transactions of this node (10000)\n"
			 "  --seed N           draws them; the same at all nodes (1)\n",
	};
	static struct node n = { .cfg = {
		.batches = 4, .want_blocks = 1, .flows = 32, .duration_us = 1000000,
		.start = START_BANK, .committed = bank_committed, .check = check, .arg = &bank,
	} };
	int rc = program_run(&program, &n, argc, argv);

	free(bank.kind);
	return rc;
}
