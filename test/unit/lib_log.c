// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_log.c - the log of a node: what its context writes and when, and what a reader believes of a file
 * that was cut at any byte or changed at any byte.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib_fake.h"
#include "logged.h"

#define KEYS	64
#define FILE_MAX	(1 << 20)

static const struct p4a_demand demand = {
	.duration_us = 1000, .min_blocks = 1, .want_blocks = 2, .flows = 8,
};

static struct p4a_layout *layout;
static struct p4a_kv kv[KEYS];
static char dir[] = "/tmp/lib_log.XXXXXX";

/* ---------------------------------------------------------------- files */

static unsigned int each_file(void (*f)(const char *path))
{
	DIR *d = opendir(dir);
	unsigned int n = 0;
	struct dirent *e;
	char path[PATH_MAX];

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (f)
			f(path);
	}
	closedir(d);
	return n;
}

static void remove_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static size_t read_segment(unsigned int segment, uint8_t *data)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/t7.n1.%08x.p4log", dir, segment);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, data, FILE_MAX);
	assert_in_range(n, 0, FILE_MAX - 1);
	close(fd);
	return n;
}

/* ---------------------------------------------------------------- walks */

static struct fake *open_logged(uint32_t sync, uint32_t segment_bytes)
{
	const struct p4a_log_options opts = {
		.dir = dir, .sync = sync, .segment_bytes = segment_bytes,
	};

	return fake_open_logged(layout, &opts);
}

static void start_batch(struct fake *f)
{
	fake_start_batch(f, &demand, kv, KEYS);
}

static void end_batch(struct fake *f)
{
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
	assert_int_equal(p4a_done(f->ctx), 0);
}

static int submit(struct fake *f, uint64_t key, uint64_t other, uintptr_t user)
{
	struct p4a_op ops[2] = { { key, 5, P4A_ADD }, { other, user, P4A_WRITE } };
	struct p4a_plan plan;

	assert_int_equal(p4a_plan(layout, p4a_blocks(f->ctx), ops, 2, &plan), 2);
	return p4a_txn_submit(f->ctx, &plan, (void *)user);
}

static struct p4a_replay *replay_bytes(const uint8_t *data, size_t len,
				       struct p4a_replay_info *info)
{
	struct p4a_replay *r;

	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_int_equal(p4a_replay_add(r, data, len, NULL), 0);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	p4a_replay_info(r, info);
	return r;
}

static struct p4a_replay *replay_all(uint64_t after, struct p4a_replay_info *info)
{
	struct p4a_replay *r;

	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_true(p4a_replay_dir(r, dir, NULL) >= 0);
	assert_int_equal(p4a_replay_run(r, after, NULL), 0);
	p4a_replay_info(r, info);
	return r;
}

static uint32_t cell_of(const struct fake *f, uint64_t key)
{
	struct p4a_cell cell;

	assert_true(p4a_layout_lookup(layout, key, &cell));
	return f->cell[cell.reg][cell.slot];
}

/* ---------------------------------------------------------------- what is written, and when */

static void batch__all_values_come_back(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	struct p4a_completion c[8];
	struct p4a_replayed v;
	struct p4a_logged t;
	struct p4a_replay *r;
	uint64_t serial = 0;
	uint32_t pos = 0;
	unsigned int n;

	start_batch(f);
	for (n = 0; n < 200; n++)
		if (submit(f, n % 50, 50 + n % 14, n + 1) == -EAGAIN) {
			n--;
			assert_in_range(p4a_wait(f->ctx, c, 8, -1), 1, 8);
		}
	while (p4a_wait(f->ctx, c, 8, -1) > 0)
		assert_int_equal(c[0].err, 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	/* Here the switch loses its memory: nothing has been drained. */
	r = replay_all(0, &info);
	assert_int_equal(info.committed, 200);
	assert_int_equal(info.unknown + info.refused + info.gaps + info.breaks, 0);
	assert_int_equal(info.damaged + info.torn, 0);
	assert_int_equal(info.unended, 2);	/* of two nodes this is number 1 */
	assert_int_equal(info.missing, 1);
	assert_int_equal(info.keys, KEYS);
	assert_int_equal(info.batch, 41);
	assert_int_equal(info.epoch, f->epoch);
	for (n = 0; p4a_replay_value(r, &pos, &v); n++) {
		assert_int_equal(v.key, n);
		assert_int_equal(v.value, cell_of(f, n));
		assert_int_equal(v.doubt, 0);
	}
	assert_int_equal(n, KEYS);
	for (pos = 0, n = 0; p4a_replay_txn(r, &pos, &t); n++) {
		assert_int_equal(t.status, P4A_TXN_OK);
		assert_true(t.serial > serial);
		assert_int_equal(t.user, n + 1);
		assert_int_equal(t.node, 1);
		assert_int_equal(t.count, 2);
		serial = t.serial;
	}
	assert_int_equal(n, 200);
	p4a_replay_free(r);
	r = replay_all(f->epoch, &info);
	assert_int_equal(info.committed + info.keys + info.epoch, 0);
	p4a_replay_free(r);
	fake_close(f);
}

static uint8_t bytes[FILE_MAX];

/* What would be there if process or host, whichever the log is for, ended now. */
static struct p4a_replay *replay_what_is_safe(struct fake *f)
{
	struct p4a_replay_info info;
	struct p4a_log_info log;
	size_t len;

	assert_int_equal(p4a_log_info(f->ctx, &log), 0);
	len = read_segment(log.segment, bytes);
	if (f->ctx->log->to_disk)
		len = f->synced;
	return replay_bytes(bytes, len, &info);
}

/* The switch gets it: its intent must be safe by then, as safe as was asked for. */
static enum fake_verdict intent_is_safe(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	struct p4a_logged txn;
	struct p4a_replay *r;
	uint32_t pos = 0;
	bool found = false;

	r = replay_what_is_safe(f);
	while (p4a_replay_txn(r, &pos, &txn))
		found |= txn.status == P4A_TXN_UNKNOWN && txn.op[1].operand == t->instr[1].operand;
	assert_true(found);
	p4a_replay_free(r);
	f->hook++;
	return FAKE_GOOD;
}

static void result_is_safe(struct fake *f, const struct p4a_completion *c)
{
	struct p4a_logged txn;
	struct p4a_replay *r;
	uint32_t pos = 0;
	bool found = false;

	r = replay_what_is_safe(f);
	while (p4a_replay_txn(r, &pos, &txn))
		found |= txn.status == P4A_TXN_OK && txn.serial == c->serial &&
			 txn.user == (uintptr_t)c->user;
	assert_true(found);
	p4a_replay_free(r);
}

static void order(uint32_t sync)
{
	struct fake *f = open_logged(sync, 0);
	struct p4a_completion c;
	unsigned int n;

	start_batch(f);
	f->on_txn = intent_is_safe;
	for (n = 0; n < 40; n++) {
		assert_int_equal(submit(f, n % 5, 5 + n % 7, n + 1), 0);
		if (n % 4 == 3)
			while (p4a_wait(f->ctx, &c, 1, -1) == 1)
				result_is_safe(f, &c);
	}
	assert_int_equal(f->hook, 40);
	assert_int_equal(submit(f, 1, 5, 41), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), sync == P4A_LOG_PROCESS);
	fake_close(f);
}

static void order__process(void **state)
{
	order(P4A_LOG_PROCESS);
}

static void order__host(void **state)
{
	order(P4A_LOG_HOST);
}

static void group__gathers_while_one_is_on_its_way(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	struct p4a_completion c[8];
	unsigned int txns, n;

	start_batch(f);
	txns = f->nr_txns;
	f->nr_syncs = 0;
	f->sync_late = true;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	assert_int_equal(f->nr_syncs, 1);
	for (n = 0; n < 7; n++) {
		assert_int_equal(submit(f, 1, 2, 2), 0);
		assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	}
	assert_int_equal(f->nr_syncs, 1);
	assert_int_equal(f->nr_txns, txns);	/* none is sent: no intent is on the disk */
	fake_sync(f);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	assert_int_equal(f->nr_txns, txns + 1);
	assert_int_equal(f->nr_syncs, 2);	/* the seven others together */
	fake_sync(f);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	assert_int_equal(f->nr_txns, txns + 8);
	f->sync_late = false;
	fake_sync(f);
	for (n = 0; n < 8;)
		n += p4a_wait(f->ctx, c, 8, -1);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 0);
	fake_close(f);
}

/* ---------------------------------------------------------------- failures */

static enum fake_verdict by_turns(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	struct homa_txn_result r = { .epoch = f->epoch, .count = t->count };

	switch (f->hook++ % 4) {
	case 0:
		return FAKE_GOOD;
	case 1:
		f->serial--;
		fake_error(f, cookie, -ETIMEDOUT, false);
		return FAKE_DONE;
	case 2:
		f->serial--;
		r.status = P4A_TXN_CONFLICT;
		fake_answer(f, cookie, &r, sizeof(r));
		return FAKE_DONE;
	default:
		f->serial--;
		fake_error(f, cookie, -ENOBUFS, true);
		return FAKE_DONE;
	}
}

static void replies__lost_ones_are_unknown(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	struct p4a_completion c[8];
	struct p4a_replayed v;
	struct p4a_replay *r;
	struct p4a_logged t;
	unsigned int n, unknown = 0;
	uint32_t pos = 0;

	start_batch(f);
	f->on_txn = by_turns;
	for (n = 0; n < 8; n++)
		assert_int_equal(submit(f, n, 20 + n, n + 1), 0);
	for (n = 0; n < 8;)
		n += p4a_wait(f->ctx, c, 8, -1);
	r = replay_all(0, &info);
	assert_int_equal(info.committed, 2);
	assert_int_equal(info.unknown, 2);
	assert_int_equal(info.refused, 4);
	assert_int_equal(info.gaps + info.breaks, 0);
	while (p4a_replay_txn(r, &pos, &t)) {
		if (t.status == P4A_TXN_OK)
			continue;
		assert_int_equal(t.status, P4A_TXN_UNKNOWN);
		assert_int_equal(t.err, -ETIMEDOUT);
		assert_int_equal(t.user, unknown ? 6 : 2);
		unknown++;
	}
	assert_int_equal(unknown, 2);
	for (pos = 0; p4a_replay_value(r, &pos, &v);)
		assert_int_equal(v.doubt, v.key == 1 || v.key == 5 || v.key == 21 || v.key == 25);
	p4a_replay_free(r);
	/* A drain sees what is there: no doubt remains. */
	f->on_txn = NULL;
	end_batch(f);
	r = replay_all(0, &info);
	assert_int_equal(info.unknown, 2);
	for (pos = 0; p4a_replay_value(r, &pos, &v);)
		assert_int_equal(v.doubt, 0);
	p4a_replay_free(r);
	fake_close(f);
}

static void disk__fails(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	struct p4a_completion c[8];
	struct p4a_log_info info;
	unsigned int txns;

	start_batch(f);
	txns = f->nr_txns;
	f->sync_error = -EIO;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 1);
	assert_int_equal(c[0].status, P4A_TXN_UNSENT);
	assert_int_equal(c[0].err, -EIO);
	assert_int_equal(f->nr_txns, txns);
	assert_int_equal(submit(f, 1, 2, 1), -EIO);
	assert_string_equal(p4a_last_error(f->ctx), "transaction: log: Input/output error");
	assert_int_equal(p4a_log_info(f->ctx, &info), 0);
	assert_int_equal(info.err, -EIO);
	f->sync_error = 0;
	end_batch(f);			/* the rest goes on */
	fake_close(f);
}

static void disk__fails_after_the_reply(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	struct p4a_completion c[8];

	start_batch(f);
	f->sync_late = true;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	fake_sync(f);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);	/* sent */
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);	/* answered, its result is on its way */
	f->sync_error = -ENOSPC;
	fake_sync(f);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 1);
	assert_int_equal(c[0].status, P4A_TXN_OK);
	assert_int_equal(c[0].err, -ENOSPC);
	fake_close(f);
}

static uint64_t kept;

static enum fake_verdict keep(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	kept = cookie;
	return FAKE_SILENT;
}

/* A call that waits for a transaction goes on when its result is in the log, and not with the next event. */
static void result__lets_a_resize_go_on(void **state)
{
	struct homa_txn_result r = { .count = 2, .status = P4W_TXN_OK };
	struct p4a_layout *small = layout;
	struct p4a_completion c[8];
	struct fake *f;

	layout = fake_layout(400);		/* the first ones are in the second block */
	f = open_logged(P4A_LOG_PROCESS, 0);
	start_batch(f);
	f->on_txn = keep;
	assert_int_equal(submit(f, 0, 1, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 0);
	f->on_txn = NULL;
	r.epoch = f->epoch;
	fake_answer(f, kept, &r, sizeof(r));
	assert_int_equal(p4a_resize(f->ctx, 1), 1);
	assert_int_equal(p4a_poll(f->ctx, c, 8), 1);
	fake_close(f);
	p4a_layout_free(layout);
	layout = small;
}

/* No write reaches a file whose descriptor is closed. */
static void disk__cannot_be_written(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_completion c[8];
	unsigned int txns;
	int null = open("/dev/full", O_WRONLY);

	start_batch(f);
	assert_true(null >= 0);
	assert_int_equal(dup2(null, f->ctx->log->fd), f->ctx->log->fd);
	close(null);
	txns = f->nr_txns;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 1);
	assert_int_equal(c[0].status, P4A_TXN_UNSENT);
	assert_int_equal(c[0].err, -ENOSPC);
	assert_int_equal(f->nr_txns, txns);
	assert_int_equal(submit(f, 1, 2, 1), -ENOSPC);
	fake_close(f);
}

static void broken__what_waits_ends(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	struct p4a_completion c[8];
	unsigned int n;

	start_batch(f);
	f->sync_late = true;
	for (n = 0; n < 3; n++)
		assert_int_equal(submit(f, 1, 2, n), 0);
	f->reap_error = -EBADF;
	assert_int_equal(p4a_poll(f->ctx, c, 8), 3);
	for (n = 0; n < 3; n++) {
		assert_int_equal(c[n].status, P4A_TXN_UNSENT);
		assert_int_equal(c[n].err, -EIO);
	}
	assert_int_equal(p4a_poll(f->ctx, c, 8), -EIO);
	fake_close(f);
}

static void open__refuses(void **state)
{
	struct p4a_log_options opts = { .dir = dir, .sync = 2 };
	struct fake *f = fake_open();

	assert_int_equal(p4a_log_open(f->ctx, &opts), -EINVAL);
	assert_string_equal(p4a_last_error(f->ctx), "log: sync 2, must be 0 .. 1");
	opts.sync = P4A_LOG_PROCESS;
	opts.dir = NULL;
	assert_int_equal(p4a_log_open(f->ctx, &opts), -EINVAL);
	assert_non_null(strstr(p4a_last_error(f->ctx), "dir"));
	opts.dir = dir;
	opts.segment_bytes = 4095;
	assert_int_equal(p4a_log_open(f->ctx, &opts), -EINVAL);
	opts.segment_bytes = 0;
	opts.reserved[3] = 1;
	assert_int_equal(p4a_log_open(f->ctx, &opts), -EINVAL);
	opts.reserved[3] = 0;
	opts.dir = "/nowhere/at/all";
	assert_int_equal(p4a_log_open(f->ctx, &opts), -ENOENT);
	assert_string_equal(p4a_last_error(f->ctx),
			    "log: /nowhere/at/all: No such file or directory");
	opts.dir = dir;
	assert_int_equal(p4a_log_info(f->ctx, &(struct p4a_log_info) { 0 }), -ENODATA);
	assert_int_equal(p4a_log_open(f->ctx, &opts), 0);
	assert_int_equal(p4a_log_open(f->ctx, &opts), -EALREADY);
	fake_close(f);
}

/* ---------------------------------------------------------------- the end of a batch */

static enum fake_verdict no_switch(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	fake_refuse(f, cookie, P4W_REFUSED_SWITCH, "switch");
	return FAKE_DONE;
}

static enum fake_verdict expired(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	fake_refuse(f, cookie, P4W_REFUSED_EXPIRED, "epoch");
	return FAKE_DONE;
}

/* Whatever the allocator says, there is an end when no transaction and no drain may follow any more. */
static void end__is_the_last_word(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	struct p4a_completion c;

	start_batch(f);
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	f->on_msg = no_switch;
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), -EHOSTDOWN);
	assert_int_equal(submit(f, 1, 2, 1), -EPROTO);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);	/* it may still drain */
	assert_int_equal(info.committed, 1);
	f->on_msg = expired;
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), -ESTALE);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 0);
	f->on_msg = NULL;
	start_batch(f);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	assert_int_equal(p4a_leave(f->ctx), 0);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 0);
	fake_close(f);
}

/* Who leaves, or is closed, in the middle: others must not wait for its log, nor believe it too early. */
static void end__waits_for_what_is_outstanding(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	struct p4a_completion c;

	start_batch(f);
	f->on_txn = keep;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	assert_int_equal(p4a_leave(f->ctx), 0);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	fake_error(f, kept, -ETIMEDOUT, false);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 0);
	assert_int_equal(info.unknown, 1);
	assert_int_equal(p4a_hello(f->ctx), 0);
	f->on_txn = NULL;
	start_batch(f);
	f->on_txn = keep;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	fake_close(f);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 0);
	assert_int_equal(info.unknown, 2);
}

static enum fake_verdict stale(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	struct homa_txn_result r = { .epoch = f->epoch, .count = t->count, .status = P4W_TXN_STALE };

	fake_answer(f, cookie, &r, sizeof(r));
	return FAKE_DONE;
}

/* A drain may be repeated, with other keys too, until the blocks are given back. */
static void end__comes_after_drains(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	unsigned int again;

	for (again = 0; again < 3; again++) {
		start_batch(f);
		assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
		assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
		f->on_txn = again == 2 ? stale : NULL;
		assert_int_equal(p4a_drain(f->ctx, kv, KEYS), again == 2 ? -ESTALE : KEYS);
		f->on_txn = NULL;
		p4a_replay_free(replay_all(0, &info));
		assert_int_equal(info.unended, 2);
		f->hold_error = -EIO;
		assert_int_equal(p4a_done(f->ctx), -EIO);
		p4a_replay_free(replay_all(0, &info));
		assert_int_equal(info.unended, 2);
		f->on_msg = no_switch;
		if (again)
			assert_int_equal(p4a_done(f->ctx), -EHOSTDOWN);
		else
			assert_int_equal(p4a_request(f->ctx, &demand), -EHOSTDOWN);
		f->on_msg = NULL;
		p4a_replay_free(replay_all(0, &info));
		assert_int_equal(info.unended, 0);
		assert_int_equal(fake_state(f->ctx), P4A_DRAINING);
		assert_int_equal(p4a_drain(f->ctx, kv, KEYS), 0);
		assert_int_equal(p4a_done(f->ctx), 0);
	}
	fake_close(f);
}

/* The call under way ends when a sync that covers its records has, and not before. */
static void end_with_the_sync(struct fake *f, int err)
{
	unsigned int syncs = f->nr_syncs;
	struct p4a_completion c;

	f->sync_late = true;
	f->sync_error = err;
	while (!p4a_poll(f->ctx, &c, 1)) {
		if (f->in_flight || f->nr_syncs == syncs)
			continue;
		assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
		syncs = f->nr_syncs;
		fake_sync(f);
	}
	assert_int_equal(c.err, KEYS);
	if (!err)
		assert_int_equal(f->synced, f->ctx->log->size);
	f->sync_late = false;
}

/* What a caller hears of fills and drains is as safe as what it hears of transactions. */
static void cells__wait_for_the_disk(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		kv[i] = (struct p4a_kv) { .key = i, .value = 100 + i };
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_fill_async(f->ctx, kv, KEYS, NULL), 0);
	end_with_the_sync(f, 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain_async(f->ctx, kv, KEYS, NULL), 0);
	end_with_the_sync(f, 0);
	/* If it fails, so does the log, but not the drain. */
	assert_int_equal(p4a_drain_async(f->ctx, kv, KEYS, NULL), 0);
	end_with_the_sync(f, -EIO);
	assert_int_equal(f->ctx->log->err, -EIO);
	fake_close(f);
}

/* Here a drain finds what a transaction without a reply has left: others may read so at once. */
static void drain__is_in_the_file_when_it_returns(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_replay_info info;
	struct p4a_cell at;

	start_batch(f);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_true(p4a_layout_lookup(layout, 3, &at));
	f->cell[at.reg][at.slot] += 10;
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.breaks, 1);
	fake_close(f);
}

/* ---------------------------------------------------------------- segments */

/* One process at a time: so the next file proves that the one before is whole. */
static void segments__of_one_process(void **state)
{
	const struct p4a_log_options opts = { .dir = dir };
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0), *other = fake_open();
	struct p4a_replay_info info;
	int null;

	start_batch(f);
	assert_int_equal(p4a_log_open(other->ctx, &opts), -EBUSY);
	assert_non_null(strstr(p4a_last_error(other->ctx), "another process keeps this node's"));
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	null = open("/dev/null", O_WRONLY);
	assert_int_equal(dup2(null, f->ctx->log->fd), f->ctx->log->fd);	/* it is killed */
	close(null);
	fake_close(f);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	assert_int_equal(p4a_log_open(other->ctx, &opts), 0);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 0);
	fake_close(other);
}

/* What its caller was told of is not all there, so nobody speaks for it. */
static void segments__of_a_log_that_failed(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST, 0);
	struct p4a_replay_info info;
	struct p4a_completion c;

	start_batch(f);
	f->sync_error = -EIO;
	assert_int_equal(submit(f, 1, 2, 1), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	fake_close(f);
	fake_close(open_logged(P4A_LOG_HOST, 0));
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unended, 2);
	assert_int_equal(info.damaged, 0);
	assert_int_equal(info.keys, KEYS);
}

/* A result of the batch before would come behind the beginning of a file that says that none does. */
static void segments__not_while_results_are_to_come(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 4096);
	struct p4a_replay_info info;
	struct p4a_log_info log;
	struct p4a_completion c;
	unsigned int batch;

	for (batch = 0; batch < 3; batch++) {
		start_batch(f);
		f->on_txn = keep;
		assert_int_equal(submit(f, 1, 2, 1), 0);
		assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
		f->on_txn = NULL;
		assert_int_equal(p4a_leave(f->ctx), 0);
		if (batch < 2) {
			fake_error(f, kept, -ETIMEDOUT, false);
			assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
		}
		assert_int_equal(p4a_hello(f->ctx), 0);
	}
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_log_info(f->ctx, &log), 0);
	assert_true(f->ctx->log->size > 4096);
	assert_int_equal(log.segments, 1);
	fake_error(f, kept, -ETIMEDOUT, false);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.unknown, 3);
	fake_close(f);
}

static void segments__old_ones_go_when_all_have_begun(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 4096);
	struct p4a_log_info info;
	unsigned int batch;

	for (batch = 0; batch < 5; batch++) {
		assert_int_equal(p4a_request(f->ctx, &demand), 1);
		assert_int_equal(p4a_fill(f->ctx, kv, KEYS), KEYS);
		/* Nodes that have not begun may still need what the last batch has left. */
		assert_int_equal(each_file(NULL), batch ? 2 : 1);
		assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
		assert_int_equal(each_file(NULL), 1);
		assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
		assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
		assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
		assert_int_equal(p4a_done(f->ctx), 0);
	}
	assert_int_equal(p4a_log_info(f->ctx, &info), 0);
	assert_int_equal(info.segments, 5);
	assert_int_equal(info.trimmed, 4);
	assert_true(f->ctx->log->life);
	fake_close(f);
	/* The next run begins behind, and clears away what this one has left. */
	f = open_logged(P4A_LOG_PROCESS, 4096);
	assert_int_equal(p4a_log_info(f->ctx, &info), 0);
	assert_int_equal(info.segment, 6);
	assert_int_equal(each_file(NULL), 2);
	start_batch(f);
	assert_int_equal(each_file(NULL), 1);
	fake_close(f);
}

static void names__parse(void **state)
{
	static const struct { const char *text; bool good; } t[] = {
		{ "t7.n1.0000002a.p4log", true },
		{ "t16777215.n63.ffffffff.p4log", true },
		{ "t7.n1.0000002a.p4log~", false },
		{ "t7.n1.2a.p4log", false },
		{ "t07.n1.0000002a.p4log", false },
		{ "t7.n1.0000002A.p4log", false },
		{ "history", false },
		{ "", false },
	};
	struct p4a_log_name n;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(p4a_log_parse_name(t[i].text, &n), t[i].good);
	assert_true(p4a_log_parse_name(t[0].text, &n));
	assert_int_equal(n.tenant, 7);
	assert_int_equal(n.node, 1);
	assert_int_equal(n.segment, 42);
}

/* ---------------------------------------------------------------- cut and damaged files */

static size_t write_log(void)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS, 0);
	struct p4a_completion c[8];
	unsigned int n;
	size_t len;

	start_batch(f);
	for (n = 0; n < 24; n++) {
		f->on_txn = n % 8 == 5 ? by_turns : NULL;
		f->hook = n / 8 + 1;
		assert_int_equal(submit(f, n % 5, 5 + n % 7, n + 1), 0);
		if (n % 3 == 2)
			while (p4a_wait(f->ctx, c, 8, -1) > 0)
				;
	}
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	len = read_segment(1, bytes);
	fake_close(f);
	return len;
}

struct truth {				/* what whole records below a byte say */
	unsigned int committed, unknown, refused;
};

/* An independent reading of the file: by its lengths alone. */
static struct truth truth_of(const uint8_t *data, size_t cut)
{
	struct truth t = { 0 };
	struct p4a_log_head h;
	size_t at;

	for (at = 0; at + sizeof(h) <= cut; at += h.len) {
		uint32_t status;

		memcpy(&h, data + at, sizeof(h));
		status = h.arg;
		if (at + h.len > cut)
			break;
		if (h.type == P4A_LOG_INTENT)
			t.unknown++;
		if (h.type != P4A_LOG_RESULT || status == P4A_TXN_UNKNOWN)
			continue;
		t.unknown--;
		if (status == P4A_TXN_OK)
			t.committed++;
		else
			t.refused++;
	}
	return t;
}

/* Killed at each byte: nothing before the cut is lost, nothing behind it invented. */
static void cut__at_every_byte(void **state)
{
	size_t len = write_log(), cut;
	struct p4a_replay_info info;
	struct p4a_replay *r;

	assert_int_equal(truth_of(bytes, len).committed, 21);
	assert_int_equal(truth_of(bytes, len).unknown, 1);
	for (cut = 0; cut <= len; cut++) {
		uint8_t *copy = malloc(cut + 1);	/* so that reading behind it is found */
		struct truth want = truth_of(bytes, cut);

		memcpy(copy, bytes, cut);
		r = replay_bytes(copy, cut, &info);
		assert_int_equal(info.committed, want.committed);
		assert_int_equal(info.unknown, want.unknown);
		assert_int_equal(info.refused, want.refused);
		assert_int_equal(info.damaged + info.gaps + info.breaks, 0);
		p4a_replay_free(r);
		free(copy);
	}
}

/* The size of a file may be on the disk before its bytes are: zeros at the end. */
static void cut__then_zeros(void **state)
{
	size_t len = write_log(), cut;
	static uint8_t copy[FILE_MAX];
	struct p4a_replay_info info;

	for (cut = 0; cut <= len; cut += 8) {
		size_t same = cut;
		struct truth want;

		while (same < len && !bytes[same])
			same++;
		want = truth_of(bytes, same);
		memcpy(copy, bytes, cut);
		memset(copy + cut, 0, len - cut + 4096);
		if (cut && cut < sizeof(struct p4a_log_open_rec))
			continue;
		p4a_replay_free(replay_bytes(copy, len + 4096, &info));
		assert_int_equal(info.committed, want.committed);
		assert_int_equal(info.unknown, want.unknown);
		assert_int_equal(info.damaged, 0);
		assert_true(info.torn >= 4096);
	}
}

/* Each byte changed: the record is not believed, all others are, and somebody hears of it. */
static void damage__at_every_byte(void **state)
{
	size_t len = write_log(), at;
	struct p4a_replay_info whole, info;
	struct p4a_replay *r;

	p4a_replay_free(replay_bytes(bytes, len, &whole));
	for (at = 0; at < len; at++) {
		bytes[at] ^= 1 << at % 8;
		assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
		if (at < sizeof(struct p4a_log_open_rec)) {
			assert_int_equal(p4a_replay_add(r, bytes, len, NULL), -EBADMSG);
		} else {
			assert_int_equal(p4a_replay_add(r, bytes, len, NULL), 0);
			assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
			p4a_replay_info(r, &info);
			assert_true(info.damaged || info.torn);
			assert_true(info.committed >= whole.committed - 1);
			assert_true(info.committed + info.unknown + info.refused >=
				    whole.committed + whole.unknown + whole.refused - 1);
			assert_true(info.committed <= whole.committed);
		}
		p4a_replay_free(r);
		bytes[at] ^= 1 << at % 8;
	}
}

/* ---------------------------------------------------------------- killed */

#define KILLED_TXNS	20000

static struct seen {			/* shared with the process that is killed */
	uint8_t executed[KILLED_TXNS + 1];	/* the switch got it */
	uint8_t reported[KILLED_TXNS + 1];	/* p4a_wait() told of it */
	bool started;
} *seen;

static enum fake_verdict note_executed(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	seen->executed[t->instr[1].operand] = 1;
	return FAKE_GOOD;
}

static void run_until_killed(uint32_t sync)
{
	struct fake *f = open_logged(sync, 4096);
	struct p4a_completion c[8];
	unsigned int n = 1;
	int rc;

	start_batch(f);
	f->on_txn = note_executed;
	seen->started = true;
	while (n <= KILLED_TXNS) {
		while (n <= KILLED_TXNS && !submit(f, n % 20, 20 + n % 40, n))
			n++;
		for (rc = p4a_wait(f->ctx, c, 8, -1); rc > 0; rc--)
			seen->reported[(uintptr_t)c[rc - 1].user] = 1;
	}
	_exit(0);
}

static void check_killed(void)
{
	struct p4a_replay_info info;
	struct p4a_logged t;
	struct p4a_replay *r = replay_all(0, &info);
	uint32_t pos = 0;
	unsigned int n;

	assert_int_equal(info.gaps + info.breaks + info.damaged, 0);
	while (p4a_replay_txn(r, &pos, &t)) {
		assert_in_range(t.user, 1, KILLED_TXNS);
		assert_true(t.status == P4A_TXN_OK || t.status == P4A_TXN_UNKNOWN);
		assert_true(t.status == P4A_TXN_UNKNOWN || seen->executed[t.user]);
		seen->executed[t.user] = 0;
		if (t.status == P4A_TXN_OK)
			seen->reported[t.user] = 0;
	}
	for (n = 1; n <= KILLED_TXNS; n++) {
		assert_false(seen->executed[n]);
		assert_false(seen->reported[n]);
	}
	p4a_replay_free(r);
}

/* Whatever the switch got has an intent, whatever was told has a result. */
/* The name of the file says whose log it is; all behind its OPEN counts. */
static void damage__of_the_beginning(void **state)
{
	struct p4a_replay_info whole, info;
	struct p4a_error err;
	struct p4a_replay *r;
	char path[PATH_MAX];
	uint8_t byte;
	int fd;

	write_log();
	p4a_replay_free(replay_all(0, &whole));
	snprintf(path, sizeof(path), "%s/t7.n1.00000001.p4log", dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 17), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, 17), 1);
	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_int_equal(p4a_replay_dir(r, dir, &err), 1);
	assert_non_null(strstr(err.text, "t7.n1.00000001.p4log"));
	p4a_replay_free(r);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(whole.damaged + whole.beheaded, 0);
	assert_int_equal(info.beheaded, 1);
	assert_int_equal(info.damaged, sizeof(struct p4a_log_open_rec));
	assert_int_equal(info.committed, whole.committed);
	assert_int_equal(info.keys, whole.keys);
	assert_int_equal(info.batch, whole.batch);
	assert_int_equal(info.missing, whole.missing);
	/* Of a file in which nothing can be read, somebody hears as well. */
	assert_int_equal(ftruncate(fd, 96), 0);
	assert_int_equal(pwrite(fd, "nonsense nonsense nonsense nonsense nonsense nonsense nonsense "
				"nonsense nonsense nonsense nonsen", 96, 0), 96);
	p4a_replay_free(replay_all(0, &info));
	assert_int_equal(info.damaged, 96);
	close(fd);
}

static void killed__at_any_time(void **state)
{
	unsigned int round;

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(seen != MAP_FAILED);
	srand(1);
	for (round = 0; round < 40; round++) {
		pid_t pid;

		memset(seen, 0, sizeof(*seen));
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			run_until_killed(round % 2);
		while (!*(volatile bool *)&seen->started)
			usleep(100);
		usleep(rand() % 3000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		check_killed();
		each_file(remove_file);
	}
	munmap(seen, sizeof(*seen));
}

static void check__one_word(void **state)
{
	uint64_t words[20] = { 0 }, sum = p4a_log_check(words, sizeof(words));
	unsigned int bit;

	for (bit = 0; bit < 20 * 64; bit++) {
		words[bit / 64] ^= UINT64_C(1) << bit % 64;
		assert_true(p4a_log_check(words, sizeof(words)) != sum);
		words[bit / 64] ^= UINT64_C(1) << bit % 64;
	}
	assert_true(p4a_log_check(words, sizeof(words) - 8) != sum);
}

/* ---------------------------------------------------------------- */

static int make_dir(void **state)
{
	static const struct p4a_geometry geo = { FAKE_REGISTERS, FAKE_BLOCKS, 0 };
	struct p4a_key_count kc[KEYS];
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		kc[i] = (struct p4a_key_count) { i, 100 };
	if (p4a_layout_from_counts(&layout, &geo, kc, KEYS, NULL) != KEYS)
		return -1;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	p4a_layout_free(layout);
	return rmdir(dir);
}

static int remove_files(void **state)
{
	each_file(remove_file);
	return 0;
}

#define LOG_TEST(f)	cmocka_unit_test_teardown(f, remove_files)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LOG_TEST(batch__all_values_come_back),
		LOG_TEST(order__process),
		LOG_TEST(order__host),
		LOG_TEST(group__gathers_while_one_is_on_its_way),
		LOG_TEST(replies__lost_ones_are_unknown),
		LOG_TEST(disk__fails),
		LOG_TEST(disk__fails_after_the_reply),
		LOG_TEST(result__lets_a_resize_go_on),
		LOG_TEST(disk__cannot_be_written),
		LOG_TEST(broken__what_waits_ends),
		LOG_TEST(open__refuses),
		LOG_TEST(end__is_the_last_word),
		LOG_TEST(end__waits_for_what_is_outstanding),
		LOG_TEST(end__comes_after_drains),
		LOG_TEST(cells__wait_for_the_disk),
		LOG_TEST(drain__is_in_the_file_when_it_returns),
		LOG_TEST(segments__of_one_process),
		LOG_TEST(segments__of_a_log_that_failed),
		LOG_TEST(segments__not_while_results_are_to_come),
		LOG_TEST(segments__old_ones_go_when_all_have_begun),
		LOG_TEST(names__parse),
		LOG_TEST(cut__at_every_byte),
		LOG_TEST(cut__then_zeros),
		LOG_TEST(damage__at_every_byte),
		LOG_TEST(damage__of_the_beginning),
		LOG_TEST(killed__at_any_time),
		LOG_TEST(check__one_word),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
