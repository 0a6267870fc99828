// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - what a log costs a transaction (the library's part, and the kernel's write to a file in
 * memory), and how long a replay takes.
 *
 * Behind the context is a back end that answers each transaction at the next reap, so that the
 * difference between two rows is the log.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "ctx.h"

#define DEPTH	64
#define KEYS	1000
#define TXNS	65536
#define REPLAY	200000

struct echo {
	struct p4a_io io;
	uint64_t cookie[DEPTH], call, serial;
	struct homa_txn_result result[DEPTH];
	unsigned int n;
	uint32_t len;
	union {
		struct p4w_msg msg;
		struct p4w_welcome welcome;
		struct p4w_granted granted;
	} answer;
};

static struct echo *of(struct p4a_io *io)
{
	return (struct echo *)io;
}

static int send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len)
{
	const struct p4w_msg *m = msg;
	struct echo *e = of(io);
	uint8_t type = P4W_SYNCED;

	e->len = sizeof(e->answer.msg);
	if (m->type == P4W_HELLO) {
		e->answer.welcome = (struct p4w_welcome) {
			.registers = htons(20), .blocks = htons(4),
			.block_slots = htons(P4A_BLOCK_SLOTS), .flows = htonl(DEPTH),
			.lease_max_us = htonl(1000),
		};
		e->len = sizeof(e->answer.welcome);
		type = P4W_WELCOME;
	} else if (m->type == P4W_REQUEST) {
		e->answer.granted = (struct p4w_granted) {
			.epoch = htobe64(1), .flow_count = htonl(DEPTH), .lease_us = htonl(1000),
			.nr_blocks = htons(1), .bitmap = { 1 },
		};
		e->len = sizeof(e->answer.granted);
		type = P4W_GRANTED;
	}
	e->answer.msg = (struct p4w_msg) {
		.version = P4W_VERSION, .type = type, .length = htons(e->len),
		.batch = m->type == P4W_HELLO ? htonl(1) : m->batch,
	};
	e->call = cookie;
	return 0;
}

static int send_txn(struct p4a_io *io, uint64_t cookie, const struct homa_txn *t)
{
	struct echo *e = of(io);

	e->cookie[e->n] = cookie;
	e->result[e->n++] = (struct homa_txn_result) {
		.epoch = 1, .count = t->count, .serial = e->serial++, .status = P4W_TXN_OK,
	};
	return 0;
}

static int reap(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	struct echo *e = of(io);
	unsigned int i, n = e->n;

	if (e->call) {
		ev[0] = (struct p4a_io_event) {
			.cookie = e->call, .len = e->len, .data = &e->answer,
		};
		e->call = 0;
		return 1;
	}
	for (i = 0; i < n; i++)
		ev[i] = (struct p4a_io_event) {
			.cookie = e->cookie[i], .len = sizeof(e->result[i]), .data = &e->result[i],
		};
	e->n = 0;
	return n;
}

static int hold(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	return 0;
}

static uint64_t now_us(struct p4a_io *io)
{
	return 1;
}

static void close_echo(struct p4a_io *io)
{
	free(io);
}

static const struct p4a_io_ops echo_ops = {
	.send_msg = send_msg, .send_txn = send_txn, .reap = reap, .hold = hold, .now_us = now_us,
	.close = close_echo,
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench-alloc log: %s\n", what);
	exit(1);
}

static struct p4a_ctx *open_running(const struct p4a_layout *layout, const char *dir)
{
	static const struct p4a_geometry geo = { 20, 4, 0 };
	const struct p4a_demand demand = { .duration_us = 1000, .min_blocks = 1,
					   .want_blocks = 1, .flows = DEPTH };
	const struct p4a_log_options log = { .dir = dir };
	struct p4a_options opts = { .tenant = 7, .nodes = 1, .depth = DEPTH };
	struct echo *e = bench_alloc(1, sizeof(*e));
	struct p4a_ctx *ctx;

	e->io.ops = &echo_ops;
	e->serial = 1 << P4W_SERIAL_SHIFT;
	must(!p4a_options_check(&opts, NULL), "options");
	must(!p4a_ctx_new(&ctx, &opts, &e->io, &geo, P4A_HOT, "", NULL), "context");
	must(!p4a_use_layout(ctx, layout), "layout");
	must(!dir || !p4a_log_open(ctx, &log), p4a_last_error(ctx));
	must(!p4a_hello(ctx) && p4a_request(ctx, &demand) == 1 && !p4a_sync(ctx, P4A_FILLED),
	     p4a_last_error(ctx));
	return ctx;
}

/* ns a transaction, `parallel` at a time. */
static double run(const struct p4a_layout *layout, const char *dir, unsigned int ops,
		  unsigned int parallel, unsigned int txns)
{
	struct p4a_ctx *ctx = open_running(layout, dir);
	struct p4a_completion c[DEPTH];
	struct p4a_op op[P4A_MAX_INSTRS];
	struct p4a_plan plan;
	unsigned int done, i, got;
	uint64_t began;

	for (i = 0; i < ops; i++)
		op[i] = (struct p4a_op) { i, 0, P4A_ADD };
	must(p4a_plan(layout, 1, op, ops, &plan) == (int)ops, "plan");
	began = bench_ns();
	for (done = 0; done < txns; done += parallel) {
		for (i = 0; i < parallel; i++)
			must(!p4a_txn_submit(ctx, &plan, NULL), p4a_last_error(ctx));
		for (got = 0; got < parallel;)
			got += p4a_poll(ctx, c, DEPTH);
	}
	began = bench_ns() - began;
	p4a_close(ctx);
	return (double)began / txns;
}

static void compare(const struct p4a_layout *layout, const char *dir, unsigned int ops,
		    unsigned int parallel)
{
	char name[64];

	snprintf(name, sizeof(name), "txn-%u-ops-%u-outstanding-no-log", ops, parallel);
	bench_row(name, run(layout, NULL, ops, parallel, TXNS), "ns");
	snprintf(name, sizeof(name), "txn-%u-ops-%u-outstanding-log", ops, parallel);
	bench_row(name, run(layout, dir, ops, parallel, TXNS), "ns");
}

static void replay(const char *dir)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;
	uint64_t began = bench_ns();

	must(!p4a_replay_new(&r, 7, NULL), "replay");
	must(p4a_replay_dir(r, dir, NULL) == 1, "one log");
	must(!p4a_replay_run(r, 0, NULL), "replay");
	p4a_replay_info(r, &info);
	must(info.committed == REPLAY && !info.gaps && !info.damaged, "all transactions");
	p4a_replay_free(r);
	bench_row("replay-200000-transactions", (bench_ns() - began) / 1e6, "ms");
}

static void clear(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	must(!!d, dir);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

int main(void)
{
	static const struct p4a_geometry geo = { 20, 4, 0 };
	static struct p4a_key_count kc[KEYS];
	char dir[] = "/tmp/bench-log.XXXXXX";
	struct p4a_layout *layout;
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		kc[i] = (struct p4a_key_count) { i, 2 * KEYS - i };
	must(p4a_layout_from_counts(&layout, &geo, kc, KEYS, NULL) == KEYS, "layout");
	must(!!mkdtemp(dir), dir);
	compare(layout, dir, 2, 1);
	compare(layout, dir, 8, 1);
	compare(layout, dir, 2, 16);
	compare(layout, dir, 8, 16);
	clear(dir);
	run(layout, dir, 2, 32, REPLAY);
	replay(dir);
	clear(dir);
	rmdir(dir);
	p4a_layout_free(layout);
	return 0;
}
