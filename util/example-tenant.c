// SPDX-License-Identifier: GPL-2.0-or-later
/* example-tenant TENANT COUNTS: one node, three batches; each transaction adds 1 to two keys of COUNTS
 * (`key:count` lines), in one packet, or on the array in memory: the cold path. */
#include <p4alloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Both keys hot in one packet, or both cold. A real tenant runs again what was not OK. */
static int run(struct p4a_ctx *ctx, const struct p4a_layout *l, struct p4a_kv *kv, uint32_t n)
{
	struct p4a_op ops[2] = { { kv[0].key, 1, P4A_ADD }, { kv[n - 1].key, 1, P4A_ADD } };
	int todo = 1000, got = 1;		/* transactions of a batch */
	struct p4a_completion c;
	struct p4a_plan plan;

	if (p4a_plan(l, p4a_blocks(ctx), ops, 2, &plan) < 2) {
		kv[0].value += todo;
		kv[n - 1].value += todo;
		return 0;
	}
	while (got > 0) {		/* p4a_wait() answers 0 when nothing is outstanding */
		while (todo && !p4a_txn_submit(ctx, &plan, NULL))
			todo--;
		if ((got = p4a_wait(ctx, &c, 1, -1)) == 1 && c.status != P4A_TXN_OK)
			fprintf(stderr, "status %u\n", c.status);
	}
	return got;
}

int main(int argc, char **argv)
{
	struct p4a_options opts = { .nodes = 1, .tenant = argc == 3 ? strtoul(argv[1], NULL, 0) : 0 };
	struct p4a_demand want = { .duration_us = 1000000, .min_blocks = 1, .want_blocks = 1, .flows = 16 };
	struct p4a_geometry geo = { .registers = 1, .blocks = 1 };
	struct p4a_error err = { "" };
	struct p4a_kv kv[64] = { 0 };
	uint32_t pos = 0, n = 0;
	struct p4a_layout *l;
	struct p4a_cell cell;
	struct p4a_ctx *ctx;
	const char *why;
	int rc = p4a_open(&ctx, &opts, &err);

	if (rc < 0 || (p4a_geometry(ctx, &geo), p4a_layout_from_file(&l, &geo, argv[2], &err)) <= 0)
		return fprintf(stderr, "usage: example-tenant TENANT COUNTS  %s\n", err.text), 1;
	while (n < 64 && p4a_layout_next(l, 0, 1, &pos, &cell))
		kv[n++].key = cell.key;
	if (!(rc = p4a_use_layout(ctx, l)) && !(rc = p4a_hello(ctx)) && p4a_why_cold(ctx, &why))
		printf("cold: %s\n", why);
	for (int batch = 0; rc >= 0 && batch < 3; batch++)
		if ((rc = p4a_request(ctx, &want)) >= 0 && (rc = p4a_wait_grant(ctx)) >= 0 &&
		    (rc = p4a_fill(ctx, kv, n)) >= 0 && (rc = p4a_sync(ctx, P4A_FILLED)) >= 0 &&
		    (rc = run(ctx, l, kv, n)) >= 0 && (rc = p4a_sync(ctx, P4A_RAN)) >= 0 &&
		    (rc = p4a_drain(ctx, kv, n)) >= 0 && (rc = p4a_done(ctx)) >= 0)
			printf("batch %d: %u\n", batch, kv[0].value);
	if (rc < 0)
		fprintf(stderr, "%s\n", p4a_last_error(ctx));
	return p4a_leave(ctx), p4a_close(ctx), p4a_layout_free(l), rc < 0;
}
