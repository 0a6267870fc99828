// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-resize.c - one of two nodes of a tenant that grows by a block and shrinks by it while both run
 * transactions.
 *
 * usage: net-resize NODE
 *
 * Each node adds to its own keys, four transactions at a time, in the switch where they are in the blocks
 * held, else in its memory. Prints how long growing and shrinking took, from the call until all nodes
 * go on with the other blocks, in nanoseconds; transactions that were answered meanwhile; and keys
 * whose value at the end is not what was added to it.
 */
#include <inttypes.h>
#include <p4alloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define NODES		2
#define KEYS		3840		/* three blocks of 20 registers */
#define WINDOW		4
#define FLOWS		32		/* what transactions leave of them, fill and drain use */
#define RUN_NS		UINT64_C(20000000)

static struct p4a_ctx *ctx;
static struct p4a_layout *layout;
static unsigned int node, turn;
static uint64_t answered;
static uint32_t value[KEYS], added[KEYS];	/* of own keys: when it is not in the switch; in all */
static struct p4a_kv kv[KEYS];
static bool call_over;

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "net-resize: node %u: %s: %s\n", node, what, p4a_last_error(ctx));
	exit(1);
}

static bool is_hot(uint64_t key, unsigned int blocks)
{
	struct p4a_cell cell;

	return p4a_layout_lookup(layout, key, &cell) && cell.slot < blocks * P4A_BLOCK_SLOTS;
}

/* Own keys of some blocks, with the values that they have outside of the switch. */
static size_t own_kv(unsigned int first, unsigned int end)
{
	struct p4a_cell cell;
	uint32_t pos = 0;
	size_t n = 0;

	while (p4a_layout_next(layout, first, end, &pos, &cell))
		if (cell.key % NODES == node)
			kv[n++] = (struct p4a_kv){ .key = cell.key, .value = value[cell.key] };
	return n;
}

static void take_kv(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (kv[i].held)
			value[kv[i].key] = kv[i].value;
}

static void take_completions(void)
{
	struct p4a_completion c[WINDOW + 1];
	int n = p4a_wait(ctx, c, WINDOW + 1, -1);

	must(n, "p4a_wait");
	for (int i = 0; i < n; i++) {
		if (c[i].kind == P4A_KIND_CALL) {
			must(c[i].err, "call");
			call_over = true;
			continue;
		}
		if (c[i].status != P4A_TXN_OK)
			must(-1, "transaction");
		added[(uintptr_t)c[i].user]++;
		answered++;
	}
}

/* One more transaction on a key of this node that is in the switch. */
static bool submit(void)
{
	unsigned int blocks = p4a_blocks(ctx);
	struct p4a_op op = { .operand = 1, .code = P4A_ADD };
	struct p4a_plan plan;

	do
		op.key = (turn++ * NODES + node) % KEYS;
	while (!is_hot(op.key, blocks));
	p4a_plan(layout, blocks, &op, 1, &plan);
	return !p4a_txn_submit(ctx, &plan, (void *)(uintptr_t)op.key);
}

static unsigned int outstanding(void)
{
	struct p4a_info info;

	p4a_info(ctx, &info);
	return info.outstanding;
}

/* Until the call that is under way is over, or for a while. */
static void run_load(uint64_t for_ns)
{
	uint64_t end = bench_ns() + for_ns;

	call_over = false;
	while (for_ns ? bench_ns() < end : !call_over) {
		while (outstanding() < WINDOW && submit())
			;
		take_completions();
	}
}

static uint64_t resize(unsigned int blocks, bool grows)
{
	uint64_t from = bench_ns();
	size_t n;

	must(p4a_resize_async(ctx, blocks, NULL), "p4a_resize");
	run_load(0);
	n = own_kv(2, 3);
	must(grows ? p4a_fill_async(ctx, kv, n, NULL) : p4a_drain_async(ctx, kv, n, NULL), "cells");
	run_load(0);
	must(p4a_sync_async(ctx, P4A_RESIZED, NULL), "p4a_sync");
	run_load(0);
	if (!grows)
		take_kv(n);
	if (p4a_blocks(ctx) != blocks)
		must(-1, "blocks");
	return bench_ns() - from;
}

static void begin(void)
{
	struct p4a_options opts = { .tenant = 1, .node = node, .nodes = NODES, .depth = FLOWS };
	const struct p4a_demand demand = {
		.duration_us = 20000000, .min_blocks = 2, .want_blocks = 2, .flows = FLOWS,
	};
	struct p4a_key_count *counts = bench_alloc(KEYS, sizeof(*counts));
	struct p4a_geometry geo;
	struct p4a_error err;

	for (uint32_t i = 0; i < KEYS; i++)
		counts[i] = (struct p4a_key_count){ i, 1 };
	if (p4a_open(&ctx, &opts, &err) || p4a_geometry(ctx, &geo) ||
	    p4a_layout_from_counts(&layout, &geo, counts, KEYS, &err) < 0) {
		fprintf(stderr, "net-resize: %s\n", err.text);
		exit(1);
	}
	free(counts);
	must(p4a_use_layout(ctx, layout), "p4a_use_layout");
	must(p4a_hello(ctx), "p4a_hello");
	must(p4a_request(ctx, &demand), "p4a_request");
	must(p4a_wait_grant(ctx), "p4a_wait_grant");
	must(p4a_fill(ctx, kv, own_kv(0, 2)), "p4a_fill");
	must(p4a_sync(ctx, P4A_FILLED), "p4a_sync");
}

int main(int argc, char **argv)
{
	uint64_t grown, shrunk, before;
	unsigned int lost = 0;
	size_t n;

	node = argc > 1 ? atoi(argv[1]) : 0;
	begin();
	run_load(RUN_NS);
	before = answered;
	grown = resize(3, true);
	before = answered - before;
	run_load(RUN_NS);
	shrunk = resize(2, false);
	run_load(RUN_NS);
	while (outstanding())
		take_completions();
	must(p4a_sync(ctx, P4A_RAN), "p4a_sync");
	n = own_kv(0, 2);
	must(p4a_drain(ctx, kv, n), "p4a_drain");
	take_kv(n);
	must(p4a_done(ctx), "p4a_done");
	for (uint32_t i = node; i < KEYS; i += NODES)
		lost += value[i] != added[i];
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %u\n", grown, shrunk, before, lost);
	p4a_close(ctx);
	return 0;
}
