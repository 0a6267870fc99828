// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_fake.c - an allocator and a switch in memory. */
#include <arpa/inet.h>
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib_fake.h"
#include "logged.h"

static struct fake *of(struct p4a_io *io)
{
	return (struct fake *)io;
}

static void note(struct fake *f, char what)
{
	size_t len = strlen(f->log);

	assert_true(len + 1 < FAKE_LOG);
	f->log[len] = what;
}

static void queue(struct fake *f, uint64_t cookie, int err, bool unsent, const void *data,
		  uint32_t len)
{
	unsigned int i = f->last++ % FAKE_EVENTS;

	assert_true(f->last - f->first <= FAKE_EVENTS);
	f->queue[i].cookie = cookie;
	f->queue[i].err = err;
	f->queue[i].unsent = unsent;
	f->queue[i].len = len;
	f->queue[i].data = len ? malloc(len) : NULL;
	if (len)
		memcpy(f->queue[i].data, data, len);
}

void fake_answer(struct fake *f, uint64_t cookie, const void *data, uint32_t len)
{
	queue(f, cookie, 0, false, data, len);
}

void fake_error(struct fake *f, uint64_t cookie, int err, bool unsent)
{
	queue(f, cookie, err, unsent, NULL, 0);
}

struct p4w_msg fake_head(enum p4w_msg_type type, uint32_t len, uint32_t batch)
{
	return (struct p4w_msg) {
		.version = P4W_VERSION, .type = type, .length = htons(len), .batch = htonl(batch),
	};
}

void fake_refuse(struct fake *f, uint64_t cookie, enum p4w_refusal code, const char *field)
{
	struct p4w_refused r = {
		.msg = fake_head(P4W_REFUSED, sizeof(r), 0),
		.got = htonl(5), .min = htonl(1), .max = htonl(4), .text = "so",
	};

	strcpy(r.field, field);
	r.msg.code = htonl(code);
	fake_answer(f, cookie, &r, sizeof(r));
}

static void grant(struct fake *f, uint64_t cookie, uint32_t batch)
{
	struct p4w_granted g = {
		.msg = fake_head(P4W_GRANTED, sizeof(g), batch), .epoch = htobe64(++f->epoch),
		.flow_first = htonl(8), .flow_count = htonl(f->grant_flows),
		.lease_us = htonl(1000000), .nr_blocks = htons(f->grant_blocks),
	};
	unsigned int b;

	f->serial = (f->epoch << P4W_SERIAL_SHIFT) - 1;
	for (b = FAKE_BLOCKS - f->grant_blocks; b < FAKE_BLOCKS; b++)
		g.bitmap[b / 8] |= 1 << b % 8;
	fake_answer(f, cookie, &g, sizeof(g));
}

/* As wanted, up to FAKE_BLOCKS; new ones at once, old ones go with READY. */
static void resize(struct fake *f, uint64_t cookie, const struct p4w_resize *m)
{
	unsigned int n = ntohs(m->blocks);
	struct p4w_resized r = {
		.msg = fake_head(P4W_RESIZED, sizeof(r), ntohl(m->msg.batch)),
		.nr_blocks = htons(n),
	};

	if (n > f->grant_blocks || ntohl(m->msg.code) == P4W_RESIZE_READY)
		f->grant_blocks = n;
	while (n--)
		r.bitmap[n / 8] |= 1 << n % 8;
	fake_answer(f, cookie, &r, sizeof(r));
}

/* Bits by turns, in the order of the list. */
static void deal(struct fake *f, uint64_t cookie, const struct p4w_lock_info *m)
{
	unsigned int n = ntohs(m->nr_keys), i;
	uint32_t len = sizeof(struct p4w_locks) + n * sizeof(struct p4w_lock_bit);
	struct p4w_locks *l = calloc(1, len);

	l->msg = fake_head(P4W_LOCKS, len, ntohl(m->msg.batch));
	l->nr_keys = m->nr_keys;
	l->bits = htons(32);
	for (i = 0; i < n; i++)
		l->key[i] = (struct p4w_lock_bit) { m->key[i].key, i % 32 };
	fake_answer(f, cookie, l, len);
	free(l);
}

static void answer_well(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	uint32_t batch = ntohl(m->batch);
	struct p4w_welcome w = {
		.msg = fake_head(P4W_WELCOME, sizeof(w), 41), .registers = htons(FAKE_REGISTERS),
		.blocks = htons(FAKE_BLOCKS), .block_slots = htons(64), .flows = htonl(512),
		.lease_max_us = htonl(2000000), .grace_us = htonl(1000), .escrow = htonl(0),
	};
	struct p4w_reserved r = {
		.msg = fake_head(P4W_RESERVED, sizeof(r), batch), .wait_us = htonl(777),
		.ahead = htonl(2),
	};
	struct p4w_escrow none = { .msg = fake_head(P4W_ESCROW, sizeof(none), batch) };
	struct p4w_locked locked = {
		.msg = fake_head(P4W_LOCKED, sizeof(locked), 0), .token = htobe64(f->token + 1),
		.lease_us = htonl(4321),
	};
	struct p4w_msg plain = fake_head(m->type | 0x80, sizeof(plain), batch);

	switch (m->type) {
	case P4W_HELLO:
		fake_answer(f, cookie, &w, sizeof(w));
		break;
	case P4W_REQUEST:
		if (f->reserve)
			fake_answer(f, cookie, &r, sizeof(r));
		else
			grant(f, cookie, batch);
		break;
	case P4W_WAIT:
		grant(f, cookie, batch);
		break;
	case P4W_FETCH:
		none.first = m->code;
		fake_answer(f, cookie, &none, sizeof(none));
		break;
	case P4W_RESIZE:
		resize(f, cookie, (const struct p4w_resize *)m);
		break;
	case P4W_LOCK:
		f->token++;
		fake_answer(f, cookie, &locked, sizeof(locked));
		break;
	case P4W_UNLOCK:
		fake_answer(f, cookie, &plain, sizeof(plain));
		break;
	case P4W_LOCK_INFO:
		deal(f, cookie, (const struct p4w_lock_info *)m);
		break;
	default:		/* SYNC, DONE, LEAVE are answered by their number + 0x80, see below */
		plain.type = m->type == P4W_SYNC ? P4W_SYNCED : m->type == P4W_DONE ? P4W_FREED :
			     P4W_LEFT;
		fake_answer(f, cookie, &plain, sizeof(plain));
	}
}

static int send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len)
{
	static const char letter[] = "?HRWSDLFKXUB?Z";
	const struct p4w_msg *m = msg;
	struct fake *f = of(io);

	assert_true(len >= sizeof(*m) && ntohs(m->length) == len && m->version == P4W_VERSION);
	assert_true(m->type >= P4W_HELLO && m->type < P4W_REQUESTS_END);
	assert_true(ntohs(m->node) == f->node && ntohs(m->nodes) == f->nodes);
	note(f, letter[m->type]);
	f->sent_us[f->nr_msgs++ % FAKE_LOG] = f->now_us;
	if (m->type == P4W_LOCK || m->type == P4W_UNLOCK)
		memcpy(&f->last_lock, msg, sizeof(f->last_lock));
	if (m->type == P4W_LOCK_INFO)
		memcpy(&f->last_lock_info, msg, len);
	if (m->type == P4W_REQUEST) {
		memcpy(&f->last_request, msg, sizeof(f->last_request));
		memcpy(f->last_hist, (const char *)msg + sizeof(f->last_request),
		       len - sizeof(f->last_request));
	}
	switch (f->on_msg ? f->on_msg(f, cookie, m) : FAKE_GOOD) {
	case FAKE_GOOD:
		answer_well(f, cookie, m);
		break;
	case FAKE_SILENT:
	case FAKE_DONE:
		break;
	}
	return 0;
}

static void run_instr(struct fake *f, const struct homa_txn *t, unsigned int i,
		      struct homa_txn_result *r)
{
	const struct homa_txn_instr *in = &t->instr[i];
	uint32_t *cell = &f->cell[in->reg][in->slot];

	assert_true(in->reg < FAKE_REGISTERS && in->slot < f->grant_blocks * 64);
	r->result[i] = *cell;
	if ((in->op & 0x7f) == P4A_WRITE)
		*cell = in->operand;
	else if ((in->op & 0x7f) != P4A_READ)
		*cell += in->operand;
}

static int send_txn(struct p4a_io *io, uint64_t cookie, const struct homa_txn *t)
{
	struct fake *f = of(io);
	struct homa_txn_result r = {
		.epoch = f->epoch, .count = t->count, .status = P4W_TXN_OK, .serial = ++f->serial,
	};
	unsigned int i;

	assert_true(t->epoch == f->epoch && t->count >= 1 && t->count <= 8);
	f->nr_txns++;
	if (++f->in_flight > f->most_in_flight)
		f->most_in_flight = f->in_flight;
	switch (f->on_txn ? f->on_txn(f, cookie, t) : FAKE_GOOD) {
	case FAKE_GOOD:
		for (i = 0; i < t->count; i++)
			run_instr(f, t, i, &r);
		fake_answer(f, cookie, &r, sizeof(r));
		break;
	case FAKE_SILENT:
	case FAKE_DONE:
		break;
	}
	return 0;
}

static int reap(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	struct fake *f = of(io);
	unsigned int n;
	int rc = f->reap_error;

	while (f->nr_handed_out)
		free(f->handed_out[--f->nr_handed_out]);
	f->reap_error = 0;
	if (rc)
		return rc;
	if (f->first == f->last) {
		if (timeout_us < 0)
			fail_msg("waits for ever, log: %s", f->log);
		f->now_us += timeout_us;
	}
	for (n = 0; n < max && f->first != f->last; n++) {
		unsigned int i = f->first++ % FAKE_EVENTS;

		if (!(f->queue[i].cookie >> 61))
			f->in_flight--;
		ev[n] = (struct p4a_io_event) {
			.cookie = f->queue[i].cookie, .err = f->queue[i].err,
			.unsent = f->queue[i].unsent, .len = f->queue[i].len, .data = f->queue[i].data,
		};
		f->handed_out[f->nr_handed_out++] = f->queue[i].data;
	}
	return n;
}

static int hold(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	struct fake *f = of(io);
	int rc = f->hold_error;

	f->hold_error = 0;
	if (rc)
		return p4a_fail(err, rc, "hold");
	note(f, grant ? '+' : '-');
	return 0;
}

void fake_sync(struct fake *f)
{
	f->synced = f->syncing;
	fake_error(f, P4A_LOG_COOKIE, f->sync_error, false);
}

static int sync_file(struct p4a_io *io, uint64_t cookie, int fd)
{
	struct fake *f = of(io);
	struct stat st;

	assert_true(cookie == P4A_LOG_COOKIE);
	assert_int_equal(fstat(fd, &st), 0);
	f->syncing = st.st_size;
	f->nr_syncs++;
	if (!f->sync_late)
		fake_sync(f);
	return 0;
}

static uint64_t now_us(struct p4a_io *io)
{
	return of(io)->now_us;
}

static int no_fd(struct p4a_io *io)
{
	return -1;
}

static void close_fake(struct p4a_io *io)
{
	struct fake *f = of(io);

	while (f->nr_handed_out)
		free(f->handed_out[--f->nr_handed_out]);
	while (f->first != f->last)
		free(f->queue[f->first++ % FAKE_EVENTS].data);
	free(f);
}

static const struct p4a_io_ops fake_ops = {
	.send_msg = send_msg, .send_txn = send_txn, .reap = reap, .hold = hold, .sync = sync_file,
	.now_us = now_us, .fd = no_fd, .close = close_fake,
};

struct fake *fake_open(void)
{
	return fake_open_as(1, 2);
}

struct fake *fake_open_as(unsigned int node, unsigned int nodes)
{
	static const struct p4a_geometry geo = { FAKE_REGISTERS, FAKE_BLOCKS, 0 };
	struct p4a_options opts = {
		.tenant = 7, .node = node, .nodes = nodes, .depth = 16, .timeout_us = 1000000,
	};
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->node = node;
	f->nodes = nodes;
	f->io.ops = &fake_ops;
	f->now_us = 1000;
	f->grant_blocks = 2;
	f->grant_flows = 8;
	assert_int_equal(p4a_options_check(&opts, NULL), 0);
	assert_int_equal(p4a_ctx_new(&f->ctx, &opts, &f->io, &geo, P4A_HOT, "", NULL), 0);
	return f;
}

void fake_close(struct fake *f)
{
	p4a_close(f->ctx);
}

struct fake *fake_open_logged(const struct p4a_layout *layout, const struct p4a_log_options *opts)
{
	struct fake *f = fake_open();

	assert_int_equal(p4a_use_layout(f->ctx, layout), 0);
	assert_int_equal(p4a_log_open(f->ctx, opts), 0);
	assert_int_equal(p4a_hello(f->ctx), 0);
	return f;
}

void fake_start_batch(struct fake *f, const struct p4a_demand *demand, struct p4a_kv *kv,
		      unsigned int keys)
{
	unsigned int i;

	for (i = 0; i < keys; i++)
		kv[i] = (struct p4a_kv) { .key = i, .value = 100 + i };
	assert_int_equal(p4a_request(f->ctx, demand), 1);
	assert_int_equal(p4a_fill(f->ctx, kv, keys), keys);
	assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
}

struct p4a_layout *fake_layout(unsigned int keys)
{
	static const struct p4a_geometry geo = {
		.registers = FAKE_REGISTERS, .blocks = FAKE_BLOCKS,
	};
	struct p4a_key_count *counts = calloc(keys, sizeof(*counts));
	struct p4a_layout *layout;

	assert_non_null(counts);
	for (unsigned int i = 0; i < keys; i++)
		counts[i] = (struct p4a_key_count){ .key = i, .count = 100 };
	assert_int_equal(p4a_layout_from_counts(&layout, &geo, counts, keys, NULL), keys);
	free(counts);
	return layout;
}

unsigned int fake_state(struct p4a_ctx *ctx)
{
	struct p4a_info info;

	p4a_info(ctx, &info);
	return info.state;
}
