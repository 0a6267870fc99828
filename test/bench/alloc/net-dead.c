// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-dead.c - a tenant's process is killed in the middle of its transactions: when does who waits have
 * its blocks, and its lock?
 *
 * usage: net-dead
 *
 * Tenant 1 has all blocks and a lock, and is killed by SIGKILL while it runs transactions. Tenant 2 waits
 * for the blocks, another context of tenant 1 for the lock. Prints how long after the end of each lease
 * they had them, in nanoseconds; leases are counted from when the dead one had asked.
 */
#include <inttypes.h>
#include <p4alloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define BLOCKS		4
#define KEYS		5000
#define DURATION_US	200000
#define LOCK_US		250000
#define LIVES_US	50000		/* with transactions, before it is killed */

struct report {				/* of the one that is killed */
	uint64_t asked_ns, lock_asked_ns;
	uint32_t lease_us;
};

static struct p4a_key_count counts[KEYS];

static void die(const char *what, const char *why)
{
	fprintf(stderr, "net-dead: %s: %s\n", what, why);
	exit(1);
}

static void must(struct p4a_ctx *ctx, int rc, const char *what)
{
	if (rc < 0)
		die(what, p4a_last_error(ctx));
}

static struct p4a_ctx *open_tenant(uint32_t tenant, struct p4a_layout **layout)
{
	struct p4a_options opts = { .tenant = tenant, .nodes = 1, .depth = 16 };
	struct p4a_geometry geo;
	struct p4a_error err;
	struct p4a_ctx *ctx;

	if (p4a_open(&ctx, &opts, &err))
		die("p4a_open", err.text);
	if (p4a_geometry(ctx, &geo) || p4a_layout_from_counts(layout, &geo, counts, KEYS, &err) < 0)
		die("layout", "cannot be made");
	must(ctx, p4a_use_layout(ctx, *layout), "p4a_use_layout");
	must(ctx, p4a_hello(ctx), "p4a_hello");
	if (p4a_is_cold(ctx))
		die("p4a_hello", "cold");
	return ctx;
}

static const struct p4a_demand demand = {
	.duration_us = DURATION_US, .min_blocks = BLOCKS, .want_blocks = BLOCKS, .flows = 8,
};

static void run_for_ever(struct p4a_ctx *ctx, const struct p4a_layout *layout)
{
	struct p4a_op op = { .code = P4A_ADD, .operand = 1 };
	struct p4a_completion done[16];
	struct p4a_plan plan;

	for (;; op.key = (op.key + 1) % 100) {
		p4a_plan(layout, p4a_blocks(ctx), &op, 1, &plan);
		while (p4a_txn_submit(ctx, &plan, NULL))
			if (p4a_wait(ctx, done, 16, -1) < 0)
				die("p4a_wait", p4a_last_error(ctx));
	}
}

static void victim(int report_to)
{
	static struct p4a_kv kv[KEYS];
	struct p4a_layout *layout;
	struct p4a_ctx *ctx = open_tenant(1, &layout);
	struct report r = { .lock_asked_ns = bench_ns() };
	struct p4a_lock lock;
	struct p4a_info info;

	must(ctx, p4a_lock(ctx, "mine", 4, P4A_LOCK_EXCLUSIVE, LOCK_US, 0, &lock), "p4a_lock");
	r.asked_ns = bench_ns();
	must(ctx, p4a_request(ctx, &demand), "p4a_request");
	must(ctx, p4a_wait_grant(ctx), "p4a_wait_grant");
	p4a_info(ctx, &info);
	r.lease_us = DURATION_US + info.grace_us;
	for (uint32_t i = 0; i < KEYS; i++)
		kv[i] = (struct p4a_kv){ .key = i, .value = i };
	must(ctx, p4a_fill(ctx, kv, KEYS), "p4a_fill");
	must(ctx, p4a_sync(ctx, P4A_FILLED), "p4a_sync");
	if (write(report_to, &r, sizeof(r)) != sizeof(r))
		exit(1);
	run_for_ever(ctx, layout);
}

/* When the first completion of each came; both must be good. */
static void await_both(struct p4a_ctx *ctx[2], uint64_t ns[2])
{
	while (!ns[0] || !ns[1]) {
		struct pollfd p[2] = {
			{ p4a_fd(ctx[0]), POLLIN, 0 }, { p4a_fd(ctx[1]), POLLIN, 0 },
		};

		for (int i = 0; i < 2; i++) {
			struct p4a_completion done;

			if (p4a_poll(ctx[i], &done, 1) != 1)
				continue;
			if (done.err < 0)
				die("the one who waits", p4a_last_error(ctx[i]));
			ns[i] = bench_ns();
		}
		if (!ns[0] || !ns[1])
			poll(p, 2, 10);
	}
}

int main(void)
{
	struct p4a_options opts = { .tenant = 1, .nodes = 1, .depth = 1 };
	struct p4a_layout *layout;
	struct p4a_ctx *ctx[2];			/* for the blocks, for the lock */
	struct p4a_error err;
	struct p4a_lock lock;
	uint64_t ns[2] = { 0 };
	struct report r;
	int end[2];
	pid_t child;

	for (uint32_t i = 0; i < KEYS; i++)
		counts[i] = (struct p4a_key_count){ i, KEYS - i };
	if (pipe(end))
		die("pipe", "failed");
	child = fork();
	if (!child)
		victim(end[1]);
	close(end[1]);
	if (read(end[0], &r, sizeof(r)) != sizeof(r))
		die("the one to be killed", "ended before");
	ctx[0] = open_tenant(2, &layout);
	must(ctx[0], p4a_request(ctx[0], &demand), "p4a_request");
	must(ctx[0], p4a_wait_grant_async(ctx[0], NULL), "p4a_wait_grant");
	if (p4a_open(&ctx[1], &opts, &err))
		die("p4a_open", err.text);
	must(ctx[1], p4a_lock_async(ctx[1], "mine", 4, P4A_LOCK_EXCLUSIVE, LOCK_US, 10000000, &lock,
				    NULL), "p4a_lock");
	p4a_poll(ctx[0], &(struct p4a_completion){ 0 }, 1);
	p4a_poll(ctx[1], &(struct p4a_completion){ 0 }, 1);
	usleep(LIVES_US);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	await_both(ctx, ns);
	printf("%" PRId64 " %" PRId64 "\n",
	       (int64_t)(ns[0] - r.asked_ns) - INT64_C(1000) * r.lease_us,
	       (int64_t)(ns[1] - r.lock_asked_ns) - INT64_C(1000) * LOCK_US);
	return 0;
}
