// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_batch.c - a node's batches against an allocator and a switch in memory: the whole walk, wrong
 * order, absent and hostile allocators, lost and refused transactions.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "lib_fake.h"

#define KEYS	700			/* 512 fit into the two blocks that the fake grants */

static const struct p4a_demand demand = {
	.start_us = 10, .duration_us = 1000, .min_blocks = 1, .want_blocks = 2, .flows = 8,
};

static struct p4a_layout *layout;
static struct p4a_kv kv[KEYS];

static int make_layout(void **state)
{
	layout = fake_layout(KEYS);
	return 0;
}

static int free_layout(void **state)
{
	p4a_layout_free(layout);
	return 0;
}

/* Walks a new context to a state; its log is empty then. */
static struct fake *open_in(unsigned int want)
{
	struct fake *f = fake_open();
	struct p4a_ctx *ctx = f->ctx;

	assert_int_equal(p4a_use_layout(ctx, layout), 0);
	if (want != P4A_NEW)
		assert_int_equal(p4a_hello(ctx), 0);
	f->reserve = want == P4A_RESERVED;
	if (want == P4A_RESERVED)
		assert_int_equal(p4a_request(ctx, &demand), 0);
	if (want == P4A_GRANTED || want == P4A_RUNNING || want == P4A_DRAINING ||
	    want == P4A_RESIZING)
		assert_int_equal(p4a_request(ctx, &demand), 1);
	if (want == P4A_RUNNING || want == P4A_DRAINING || want == P4A_RESIZING)
		assert_int_equal(p4a_sync(ctx, P4A_FILLED), 0);
	if (want == P4A_RESIZING)
		assert_int_equal(p4a_resize(ctx, 3), 3);
	if (want == P4A_DRAINING)
		assert_int_equal(p4a_sync(ctx, P4A_RAN), 0);
	if (want == P4A_LEFT)
		assert_int_equal(p4a_leave(ctx), 0);
	if (want == P4A_EXPIRED) {
		assert_int_equal(p4a_request(ctx, &demand), 1);
		ctx->state = P4A_EXPIRED;
	}
	assert_int_equal(fake_state(ctx), want);
	memset(f->log, 0, sizeof(f->log));
	return f;
}

static void set_keys(uint32_t offset)
{
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		kv[i] = (struct p4a_kv) { .key = i, .value = i + offset, .held = 9 };
}

/* Adds 1000 to each of the first `txns` keys that are held, one transaction each. */
static unsigned int run_txns(struct p4a_ctx *ctx, unsigned int txns)
{
	struct p4a_completion c[5];
	struct p4a_plan plan;
	unsigned int k = 0, ended = 0;
	uint64_t serial = 0;
	uint32_t value;

	while (ended < txns) {
		struct p4a_op op = { k, 1000, P4A_ADD };
		int rc = -EAGAIN, i;

		if (k < txns) {
			assert_int_equal(p4a_plan(layout, p4a_blocks(ctx), &op, 1, &plan), 1);
			rc = p4a_txn_submit(ctx, &plan, (void *)(uintptr_t)k);
		}
		k += !rc;
		if (rc != -EAGAIN)
			continue;
		rc = p4a_wait(ctx, c, 5, -1);
		assert_in_range(rc, 1, 5);
		for (i = 0; i < rc; i++) {
			assert_int_equal(c[i].kind, P4A_KIND_TXN);
			assert_int_equal(c[i].status, P4A_TXN_OK);
			assert_true(c[i].serial > serial);
			serial = c[i].serial;
			assert_true(p4a_op_result(&plan, &c[i], 0, &value));
			assert_int_equal(value, (uintptr_t)c[i].user + 50);
		}
		ended += rc;
	}
	return ended;
}

static void batch__whole_life(void **state)
{
	struct fake *f = open_in(P4A_NEW);
	struct p4a_ctx *ctx = f->ctx;
	struct p4a_info info;
	unsigned int i, held;

	assert_int_equal(p4a_hello(ctx), 0);
	f->reserve = true;
	assert_int_equal(p4a_request(ctx, &demand), 0);
	p4a_info(ctx, &info);
	assert_int_equal(info.batch, 41);
	assert_int_equal(info.wait_us, 777);
	assert_int_equal(info.ahead, 2);
	assert_int_equal(p4a_blocks(ctx), 0);
	assert_int_equal(p4a_wait_grant(ctx), 2);
	assert_int_equal(p4a_wait_grant(ctx), 2);	/* again: no message */
	p4a_info(ctx, &info);
	assert_int_equal(info.flows, 8);
	assert_int_equal(info.bitmap[0], 0xc0);

	set_keys(50);
	assert_int_equal(p4a_fill(ctx, kv, KEYS), 512);
	assert_int_equal(f->nr_txns, 128);		/* 4 registers: 4 cells each */
	assert_int_equal(f->most_in_flight, 8);
	for (held = 0, i = 0; i < KEYS; i++)
		held += kv[i].held;
	assert_int_equal(held, 512);
	assert_int_equal(p4a_sync(ctx, P4A_FILLED), 0);
	assert_int_equal(kv[0].held, 0);		/* ties: the larger keys are the hotter ones */
	assert_int_equal(p4a_sync(ctx, P4A_RAN), 0);

	set_keys(0);
	assert_int_equal(p4a_drain(ctx, kv, KEYS), 512);
	for (i = 0; i < KEYS; i++) {
		assert_int_equal(kv[i].held, i >= KEYS - 512);
		assert_int_equal(kv[i].value, i + (kv[i].held ? 50 : 0));
	}
	assert_int_equal(p4a_request(ctx, &demand), 0);
	assert_int_equal(ntohl(f->last_request.msg.code), P4W_REQ_DONE);
	assert_int_equal(ntohl(f->last_request.msg.batch), 42);
	assert_int_equal(p4a_blocks(ctx), 0);
	assert_int_equal(p4a_wait_grant(ctx), 2);
	assert_int_equal(p4a_sync(ctx, P4A_FILLED), 0);
	assert_int_equal(p4a_sync(ctx, P4A_RAN), 0);
	assert_int_equal(p4a_done(ctx), 0);
	assert_int_equal(p4a_leave(ctx), 0);
	assert_string_equal(f->log, "HRW+SS-RW+SS-DL");
	fake_close(f);
}

static void batch__request_says_all(void **state)
{
	struct fake *f = open_in(P4A_IDLE);

	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(ntohl(f->last_request.start_us), 10);
	assert_int_equal(ntohl(f->last_request.duration_us), 1000);
	assert_int_equal(ntohs(f->last_request.min_blocks), 1);
	assert_int_equal(ntohs(f->last_request.want_blocks), 2);
	assert_int_equal(ntohl(f->last_request.flows), 8);
	assert_int_equal(ntohl(f->last_request.msg.code), 0);
	assert_int_equal(ntohs(f->last_request.nr_hist), 3);	/* 700 keys: 2.7 blocks */
	assert_int_equal(ntohs(f->last_hist[0]), 65536 * 256 / 700);
	assert_int_equal(ntohs(f->last_hist[2]), 65536 * 188 / 700);
	assert_string_equal(f->log, "R+");
	fake_close(f);
}

static void txn__runs(void **state)
{
	struct fake *f = open_in(P4A_GRANTED);
	struct p4a_ctx *ctx = f->ctx;
	unsigned int i;

	f->grant_blocks = 8;
	ctx->grant.blocks = ctx->usable = 8;
	set_keys(50);
	assert_int_equal(p4a_fill(ctx, kv, KEYS), KEYS);
	assert_int_equal(p4a_sync(ctx, P4A_FILLED), 0);
	f->most_in_flight = 0;
	assert_int_equal(run_txns(ctx, 300), 300);
	assert_int_equal(f->most_in_flight, 8);
	assert_int_equal(p4a_sync(ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain(ctx, kv, KEYS), KEYS);
	for (i = 0; i < KEYS; i++)
		assert_int_equal(kv[i].value, i + 50 + (i < 300 ? 1000 : 0));
	fake_close(f);
}

/* Every call in every state where it may not be: -EPROTO, nothing sent, state as before. */
static void batch__wrong_order(void **state)
{
	struct p4a_escrow e;
	struct p4a_plan plan = { .count = 1, .instr = { { .op = P4A_READ } } };
	unsigned int s, call;

	for (s = 0; s < P4A_NR_STATES; s++)
		for (call = 0; call < 14; call++) {
			static const enum p4a_event event[] = {
				P4A_EV_HELLO, P4A_EV_REQUEST, P4A_EV_GRANT, P4A_EV_FILL, P4A_EV_FILLED,
				P4A_EV_TXN, P4A_EV_RAN, P4A_EV_DRAIN, P4A_EV_DONE, P4A_EV_LEAVE,
				P4A_EV_ESCROW, P4A_EV_CANCEL, P4A_EV_RESIZE, P4A_EV_RESIZED,
			};
			struct fake *f = open_in(s);
			uint32_t pos = 0;
			int rc = 0;

			if (p4a_state_after(s, event[call]) >= 0) {
				fake_close(f);
				continue;
			}
			switch (call) {
			case 0: rc = p4a_hello(f->ctx); break;
			case 1: rc = p4a_request(f->ctx, &demand); break;
			case 2: rc = p4a_wait_grant(f->ctx); break;
			case 3: rc = p4a_fill(f->ctx, kv, 1); break;
			case 4: rc = p4a_sync(f->ctx, P4A_FILLED); break;
			case 5: rc = p4a_txn_submit(f->ctx, &plan, NULL); break;
			case 6: rc = p4a_sync(f->ctx, P4A_RAN); break;
			case 7: rc = p4a_drain(f->ctx, kv, 1); break;
			case 8: rc = p4a_done(f->ctx); break;
			case 9: rc = p4a_leave(f->ctx); break;
			case 10: rc = p4a_escrow_next(f->ctx, &pos, &e); break;
			case 11: rc = p4a_cancel(f->ctx); break;
			case 12: rc = p4a_resize(f->ctx, 3); break;
			case 13: rc = p4a_sync(f->ctx, P4A_RESIZED); break;
			}
			if (rc != -EPROTO || f->log[0] || fake_state(f->ctx) != s)
				fail_msg("call %u in state %s: %d, sent %s", call, p4a_state_name(s),
					 rc, f->log);
			assert_non_null(strstr(p4a_last_error(f->ctx), p4a_state_name(s)));
			fake_close(f);
		}
}

static void batch__bad_demands(void **state)
{
	static const struct { struct p4a_demand d; const char *says; } t[] = {
		{ { 60000001, 1, 1, 1, 1, 0, 0 }, "start_us = 60000001: must be 0 .. 60000000" },
		{ { 0, 0, 1, 1, 1, 0, 0 }, "duration_us = 0: must be 1 .. 2000000" },
		{ { 0, 2000001, 1, 1, 1, 0, 0 }, "duration_us = 2000001" },
		{ { 0, 1, 0, 1, 1, 0, 0 }, "min_blocks = 0: must be 1 .. 1" },
		{ { 0, 1, 2, 1, 1, 0, 0 }, "min_blocks = 2: must be 1 .. 1" },
		{ { 0, 1, 1, 9, 1, 0, 0 }, "want_blocks = 9: must be 1 .. 8" },
		{ { 0, 1, 1, 0, 1, 0, 0 }, "want_blocks = 0" },
		{ { 0, 1, 1, 1, 0, 0, 0 }, "flows = 0: must be 1 .. 512" },
		{ { 0, 1, 1, 1, 513, 0, 0 }, "flows = 513" },
		{ { 0, 1, 1, 1, 1, 65, 0 }, "together = 65: must be 0 .. 64" },
		{ { 0, 1, 1, 1, 1, 64, 1 }, "reserved = 1: must be 0 .. 0" },
	};
	struct fake *f;
	unsigned int i;
	int cold;

	for (cold = 0; cold < 2; cold++) {
		f = open_in(cold ? P4A_IDLE : P4A_DRAINING);
		if (cold)
			p4a_set_cold(f->ctx, P4A_COLD_NO_SWITCH, "so");
		for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			assert_int_equal(p4a_request(f->ctx, &t[i].d), -EINVAL);
			assert_non_null(strstr(p4a_last_error(f->ctx), t[i].says));
			assert_int_equal(p4a_blocks(f->ctx), cold ? 0 : 2);	/* still held */
			assert_int_equal(fake_state(f->ctx), cold ? P4A_IDLE : P4A_DRAINING);
		}
		assert_string_equal(f->log, "");
		fake_close(f);

		f = fake_open();
		assert_int_equal(p4a_hello(f->ctx), 0);
		if (cold)
			p4a_set_cold(f->ctx, P4A_COLD_NO_SWITCH, "so");
		assert_int_equal(p4a_request(f->ctx, &demand), -ENODATA);
		fake_close(f);
	}
}

/* Where nobody has told of a switch, what messages have room for is in range. */
static void cold__arguments_are_checked(void **state)
{
	static const struct { struct p4a_demand d; const char *says; } t[] = {
		{ { 60000001, 1, 1, 1, 1, 0, 0 }, "start_us = 60000001: must be 0 .. 60000000" },
		{ { 0, 60000001, 1, 1, 1, 0, 0 }, "duration_us = 60000001: must be 1 .. 60000000" },
		{ { 0, 1, 1, 257, 1, 0, 0 }, "want_blocks = 257: must be 1 .. 256" },
		{ { 0, 1, 2, 1, 1, 0, 0 }, "min_blocks = 2: must be 1 .. 1" },
		{ { 0, 1, 1, 1, 0, 0, 0 }, "flows = 0" },
	};
	const struct p4a_demand most = { 60000000, 60000000, 256, 256, 65536, 64, 0 };
	const struct p4a_options opts = { .tenant = 7, .nodes = 1, .depth = 16 };
	const struct p4a_geometry nothing = { 0 };
	struct p4a_ctx *ctx;
	unsigned int i;

	assert_int_equal(p4a_ctx_new(&ctx, &opts, NULL, &nothing, P4A_COLD_NO_MODULE, "so", NULL), 0);
	assert_int_equal(p4a_hello(ctx), 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(p4a_request(ctx, &t[i].d), -EINVAL);
		assert_non_null(strstr(p4a_last_error(ctx), t[i].says));
	}
	assert_int_equal(p4a_request(ctx, &most), 1);
	set_keys(3);
	kv[5].key = kv[600].key;
	assert_int_equal(p4a_fill(ctx, kv, KEYS), 0);	/* no layout: no cell */
	assert_int_equal(kv[5].held, 0);
	assert_int_equal(p4a_cancel(ctx), 0);
	assert_int_equal(p4a_use_layout(ctx, layout), 0);
	assert_int_equal(p4a_request(ctx, &most), 1);
	assert_int_equal(p4a_fill(ctx, kv, KEYS), -EINVAL);
	assert_non_null(strstr(p4a_last_error(ctx), "key 600 occurs twice"));
	assert_int_equal(fake_state(ctx), P4A_GRANTED);
	set_keys(3);
	assert_int_equal(p4a_fill(ctx, kv, KEYS), 0);
	for (i = 0; i < KEYS; i++)
		assert_int_equal(kv[i].held, 0);
	assert_int_equal(p4a_sync(ctx, P4A_FILLED), 0);
	assert_int_equal(p4a_resize(ctx, 0), -EINVAL);
	assert_int_equal(p4a_resize(ctx, 257), -EINVAL);
	assert_non_null(strstr(p4a_last_error(ctx), "blocks = 257: must be 1 .. 256"));
	assert_int_equal(p4a_resize(ctx, 256), 0);
	assert_int_equal(fake_state(ctx), P4A_RUNNING);
	assert_int_equal(p4a_sync(ctx, P4A_RAN), 0);
	kv[5].key = kv[600].key;
	assert_int_equal(p4a_drain(ctx, kv, KEYS), -EINVAL);
	assert_int_equal(p4a_done(ctx), 0);
	p4a_close(ctx);
}

static enum fake_verdict fails_first(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (!f->hook)
		return FAKE_GOOD;
	f->hook--;
	fake_error(f, cookie, f->hook & 1 ? -ETIMEDOUT : -ENOTCONN, false);
	return FAKE_DONE;
}

static void away__comes_back(void **state)
{
	struct fake *f = open_in(P4A_IDLE);
	unsigned int i;

	f->on_msg = fails_first;
	f->hook = 5;
	f->nr_msgs = 0;
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_string_equal(f->log, "RRRRRR+");
	for (i = 1; i < 6; i++)			/* pauses of 10, 20, 40, 80, 160 ms */
		assert_int_equal(f->sent_us[i] - f->sent_us[i - 1], 10000 << (i - 1));
	fake_close(f);
}

static void away__for_good(void **state)
{
	static const unsigned int states[] = {
		P4A_IDLE, P4A_RESERVED, P4A_GRANTED, P4A_RUNNING, P4A_DRAINING,
	};
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct fake *f = open_in(states[i]);
		uint64_t begin = f->now_us;
		int rc = 0;

		f->on_msg = fails_first;
		f->hook = 1000;
		switch (states[i]) {
		case P4A_IDLE: rc = p4a_request(f->ctx, &demand); break;
		case P4A_RESERVED: rc = p4a_wait_grant(f->ctx); break;
		case P4A_GRANTED: rc = p4a_sync(f->ctx, P4A_FILLED); break;
		case P4A_RUNNING: rc = p4a_sync(f->ctx, P4A_RAN); break;
		case P4A_DRAINING: rc = p4a_done(f->ctx); break;
		}
		assert_int_equal(rc, -ETIMEDOUT);
		assert_int_equal(fake_state(f->ctx), states[i]);
		assert_in_range(f->now_us - begin, 900000, 2100000);
		assert_non_null(strstr(p4a_last_error(f->ctx), "no answer from the allocator"));
		f->hook = 0;			/* it is back: the same call goes through */
		switch (states[i]) {
		case P4A_IDLE: rc = p4a_request(f->ctx, &demand) - 1; break;
		case P4A_RESERVED: rc = p4a_wait_grant(f->ctx) - 2; break;
		case P4A_GRANTED: rc = p4a_sync(f->ctx, P4A_FILLED); break;
		case P4A_RUNNING: rc = p4a_sync(f->ctx, P4A_RAN); break;
		case P4A_DRAINING: rc = p4a_done(f->ctx); break;
		}
		assert_int_equal(rc, 0);
		fake_close(f);
	}
}

static enum fake_verdict silent(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	return f->hook ? FAKE_SILENT : FAKE_GOOD;
}

/* Not even an error comes: only what is answered at once has a deadline. */
static void away__silent(void **state)
{
	struct fake *f = open_in(P4A_DRAINING);

	f->on_msg = silent;
	f->hook = 1;
	assert_int_equal(p4a_done(f->ctx), -ETIMEDOUT);
	assert_true(f->now_us >= 1001000);
	fake_close(f);

	f = open_in(P4A_RESERVED);
	f->on_msg = silent;
	f->hook = 1;
	assert_int_equal(p4a_wait_grant_async(f->ctx, NULL), 0);
	assert_int_equal(p4a_timeout_us(f->ctx), -1);
	fake_close(f);
}

static uint64_t first_cookie;

static enum fake_verdict answers_late(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	struct p4w_msg freed = fake_head(P4W_FREED, sizeof(freed), ntohl(m->batch));
	struct p4w_refused old = { .msg = fake_head(P4W_REFUSED, sizeof(old), 0) };

	if (!f->hook++) {
		first_cookie = cookie;
		fake_error(f, cookie, -ETIMEDOUT, false);
		return FAKE_DONE;
	}
	old.msg.code = htonl(P4W_REFUSED_STORE);
	fake_answer(f, first_cookie, &old, sizeof(old));	/* must not be taken for the new one */
	fake_answer(f, cookie, &freed, sizeof(freed));
	return FAKE_DONE;
}

static void away__late_answer_is_dropped(void **state)
{
	struct fake *f = open_in(P4A_DRAINING);

	f->on_msg = answers_late;
	assert_int_equal(p4a_done(f->ctx), 0);
	assert_int_equal(f->hook, 2);
	fake_close(f);
}

static void hello__goes_cold_and_back(void **state)
{
	struct fake *f = open_in(P4A_NEW);
	const char *why;

	f->on_msg = fails_first;
	f->hook = 1000;
	assert_int_equal(p4a_hello(f->ctx), 0);
	assert_true(p4a_is_cold(f->ctx));
	assert_int_equal(p4a_why_cold(f->ctx, &why), P4A_COLD_NO_ALLOCATOR);
	assert_non_null(strstr(why, "no answer"));
	memset(f->log, 0, sizeof(f->log));
	set_keys(3);
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_wait_grant(f->ctx), 0);
	assert_int_equal(p4a_fill(f->ctx, kv, KEYS), 0);
	assert_int_equal(kv[600].held, 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), 0);
	assert_int_equal(kv[600].value, 603);
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_done(f->ctx), 0);
	assert_string_equal(f->log, "");
	f->hook = 0;
	assert_int_equal(p4a_hello(f->ctx), 0);
	assert_false(p4a_is_cold(f->ctx));
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_blocks(f->ctx), 2);
	fake_close(f);
}

static enum fake_verdict refuses(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (!f->hook)
		return FAKE_GOOD;
	fake_refuse(f, cookie, f->hook, "flows");
	return FAKE_DONE;
}

static void refused__each(void **state)
{
	static const struct { enum p4w_refusal code; int want; } t[] = {
		{ P4W_REFUSED_VERSION, -EPROTONOSUPPORT }, { P4W_REFUSED_LENGTH, -EBADMSG },
		{ P4W_REFUSED_TENANT, -EACCES }, { P4W_REFUSED_RANGE, -ERANGE },
		{ P4W_REFUSED_ORDER, -EPROTO }, { P4W_REFUSED_SWITCH, -EHOSTDOWN },
		{ P4W_REFUSED_STORE, -EREMOTEIO },
	};
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fake *f = open_in(P4A_IDLE);

		f->on_msg = refuses;
		f->hook = t[i].code;
		assert_int_equal(p4a_request(f->ctx, &demand), t[i].want);
		assert_string_equal(f->log, "R");
		assert_int_equal(fake_state(f->ctx), P4A_IDLE);
		if (t[i].want == -ERANGE)
			assert_non_null(strstr(p4a_last_error(f->ctx), "flows = 5: must be 1 .. 4"));
		fake_close(f);
	}
}

static void refused__expired(void **state)
{
	static const unsigned int states[] = { P4A_RESERVED, P4A_GRANTED, P4A_RUNNING, P4A_DRAINING };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct fake *f = open_in(states[i]);
		int rc = 0;

		f->on_msg = refuses;
		f->hook = P4W_REFUSED_EXPIRED;
		switch (states[i]) {
		case P4A_RESERVED: rc = p4a_wait_grant(f->ctx); break;
		case P4A_GRANTED: rc = p4a_sync(f->ctx, P4A_FILLED); break;
		case P4A_RUNNING: rc = p4a_sync(f->ctx, P4A_RAN); break;
		case P4A_DRAINING: rc = p4a_done(f->ctx); break;
		}
		assert_int_equal(rc, -ESTALE);
		assert_int_equal(fake_state(f->ctx), P4A_EXPIRED);
		assert_int_equal(p4a_blocks(f->ctx), 0);
		assert_non_null(strstr(p4a_last_error(f->ctx), "escrow"));
		f->hook = 0;
		f->reserve = false;
		assert_int_equal(p4a_request(f->ctx, &demand), 1);
		assert_int_equal(ntohl(f->last_request.msg.batch), 42);
		assert_int_equal(ntohl(f->last_request.msg.code), 0);
		fake_close(f);
	}
}

static enum fake_verdict lies(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	struct p4w_granted g = {
		.msg = fake_head(P4W_GRANTED, sizeof(g), ntohl(m->batch)), .epoch = ~0ull,
	};
	struct p4w_msg synced = fake_head(P4W_SYNCED, sizeof(synced), ntohl(m->batch));

	switch (f->hook) {
	case 0:
		fake_answer(f, cookie, &synced, sizeof(synced));	/* to a REQUEST */
		break;
	case 1:
		fake_answer(f, cookie, &g, sizeof(g));
		break;
	case 2:
		fake_answer(f, cookie, &g, 7);
		break;
	case 3:
		fake_answer(f, cookie, NULL, 0);
		break;
	case 4:
		g.msg.batch = htonl(40);
		fake_answer(f, cookie, &g, sizeof(g));
		break;
	}
	return FAKE_DONE;
}

static void hostile__answers(void **state)
{
	int i;

	for (i = 0; i < 5; i++) {
		struct fake *f = open_in(P4A_IDLE);

		f->on_msg = lies;
		f->hook = i;
		assert_int_equal(p4a_request(f->ctx, &demand), -EBADMSG);
		assert_int_equal(p4a_blocks(f->ctx), 0);
		assert_null(strchr(f->log, '+'));
		fake_close(f);
	}
}

static void hostile__cookies(void **state)
{
	struct fake *f = open_in(P4A_RUNNING);
	struct homa_txn_result r = { .count = 1 };
	struct p4a_completion c;
	unsigned int i;

	for (i = 0; i < 64; i++)
		fake_answer(f, UINT64_C(1) << i, &r, sizeof(r));
	f->in_flight = 64;
	for (i = 0; i < 20; i++)
		fake_answer(f, i + 1, &r, sizeof(r)), f->in_flight++;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	assert_int_equal(f->first, f->last);
	fake_close(f);
}

static uint64_t old_cookie;

static enum fake_verdict keep_cookie(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	if (!old_cookie) {
		old_cookie = cookie;
		return FAKE_GOOD;
	}
	return FAKE_SILENT;
}

/* A second answer to a finished transaction must not end the one that has its slot now. */
static void hostile__repeated_answer(void **state)
{
	struct homa_txn_result r = { .count = 1, .serial = 99 };
	struct fake *f = open_in(P4A_RUNNING);
	struct p4a_op op = { 699, 0, P4A_READ };
	struct p4a_completion c;
	struct p4a_plan plan;

	old_cookie = 0;
	f->on_txn = keep_cookie;
	assert_int_equal(p4a_plan(layout, p4a_blocks(f->ctx), &op, 1, &plan), 1);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	fake_answer(f, old_cookie, &r, sizeof(r));
	f->in_flight++;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	assert_int_equal(f->ctx->outstanding, 1);
	fake_close(f);
}

static void grant__kernel_refuses(void **state)
{
	struct fake *f = open_in(P4A_RESERVED);

	f->hold_error = -EPERM;
	assert_int_equal(p4a_wait_grant(f->ctx), -EPERM);
	assert_int_equal(p4a_blocks(f->ctx), 0);
	assert_int_equal(fake_state(f->ctx), P4A_RESERVED);
	assert_int_equal(p4a_wait_grant(f->ctx), 2);
	fake_close(f);
}

static enum fake_verdict other_geometry(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	struct p4w_welcome w = {
		.msg = fake_head(P4W_WELCOME, sizeof(w), 1), .registers = htons(4), .blocks = htons(9),
		.block_slots = htons(64), .flows = htonl(1),
	};

	fake_answer(f, cookie, &w, sizeof(w));
	return FAKE_DONE;
}

static void hello__other_geometry(void **state)
{
	struct fake *f = open_in(P4A_NEW);

	f->on_msg = other_geometry;
	assert_int_equal(p4a_hello(f->ctx), -ENOTUNIQ);
	assert_non_null(strstr(p4a_last_error(f->ctx), "4 registers (0 dependent) and 8 blocks are set on this host, "
			       "4 (0) and 9 at the allocator"));
	assert_int_equal(fake_state(f->ctx), P4A_NEW);
	fake_close(f);
}

static void use_layout__geometry(void **state)
{
	static const struct p4a_geometry other = { 4, 7, 0 };
	struct fake *f = open_in(P4A_IDLE);
	struct p4a_layout *l;

	assert_int_equal(p4a_layout_from_counts(&l, &other, NULL, 0, NULL), 0);
	assert_int_equal(p4a_use_layout(f->ctx, l), -EINVAL);
	p4a_layout_free(l);
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_use_layout(f->ctx, layout), -EPROTO);
	fake_close(f);
}

/* ---- fill and drain under faults; hook counts down, every 5th transaction is touched ---- */

static enum fake_verdict status(struct fake *f, uint64_t cookie, const struct homa_txn *t, int s)
{
	struct homa_txn_result r = { .epoch = f->epoch, .count = t->count, .status = s };

	if (f->nr_txns % 5)
		return FAKE_GOOD;
	fake_answer(f, cookie, &r, sizeof(r));
	return FAKE_DONE;
}

static enum fake_verdict conflicts(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	return status(f, cookie, t, P4W_TXN_CONFLICT);
}

static enum fake_verdict stale(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	return status(f, cookie, t, P4W_TXN_STALE);
}

static enum fake_verdict lost(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	if (f->nr_txns % 5)
		return FAKE_GOOD;
	fake_error(f, cookie, -ETIMEDOUT, false);
	return FAKE_DONE;
}

static enum fake_verdict in_doubt(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	fake_error(f, cookie, -ESTALE, false);
	return FAKE_DONE;
}

static enum fake_verdict replaced(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	fake_error(f, cookie, -ECANCELED, false);
	return FAKE_DONE;
}

static enum fake_verdict unsent_stale(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	fake_error(f, cookie, -ESTALE, true);
	return FAKE_DONE;
}

static enum fake_verdict short_answer(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	struct homa_txn_result r = { .count = t->count };

	fake_answer(f, cookie, &r, sizeof(r) - 1);
	return FAKE_DONE;
}

static void cells__faults(void **state)
{
	static const struct {
		const char *name;
		enum fake_verdict (*on_txn)(struct fake *, uint64_t, const struct homa_txn *);
		int fill, drain;
	} t[] = {
		{ "conflict", conflicts, 512, 512 },
		{ "stale", stale, -ESTALE, -ESTALE },
		{ "lost", lost, -ETIMEDOUT, 512 },
		{ "replaced", replaced, -ESTALE, -ESTALE },
		{ "in doubt", in_doubt, -ESTALE, -ESTALE },
		{ "unsent", unsent_stale, -ESTALE, -ESTALE },
		{ "short", short_answer, -ETIMEDOUT, -ETIMEDOUT },
	};
	unsigned int i, k;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fake *f = open_in(P4A_GRANTED);
		int rc;

		f->on_txn = t[i].on_txn;
		set_keys(9);
		rc = p4a_fill(f->ctx, kv, KEYS);
		if (rc != t[i].fill)
			fail_msg("%s: fill %d", t[i].name, rc);
		assert_int_equal(f->in_flight, 0);
		fake_close(f);

		f = open_in(P4A_GRANTED);
		set_keys(9);
		assert_int_equal(p4a_fill(f->ctx, kv, KEYS), 512);
		assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
		assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
		set_keys(0);
		f->on_txn = t[i].on_txn;
		rc = p4a_drain(f->ctx, kv, KEYS);
		if (rc != t[i].drain)
			fail_msg("%s: drain %d", t[i].name, rc);
		for (k = KEYS - 512; rc > 0 && k < KEYS; k++)
			assert_int_equal(kv[k].value, k + 9);
		assert_int_equal(f->in_flight, 0);
		fake_close(f);
	}
}

static void cells__same_key_twice(void **state)
{
	struct fake *f = open_in(P4A_GRANTED);

	set_keys(0);
	kv[1].key = kv[699].key;
	assert_int_equal(p4a_fill(f->ctx, kv, KEYS), -EINVAL);
	assert_non_null(strstr(p4a_last_error(f->ctx), "key 699 occurs twice"));
	assert_int_equal(f->nr_txns, 0);
	assert_int_equal(p4a_fill(f->ctx, kv + 2, KEYS - 2), 512);
	fake_close(f);
}

/* ---- transactions ---- */

static struct p4a_plan one_read(struct p4a_ctx *ctx)
{
	struct p4a_op op = { 699, 0, P4A_READ };
	struct p4a_plan plan;

	assert_int_equal(p4a_plan(layout, p4a_blocks(ctx), &op, 1, &plan), 1);
	return plan;
}

static void txn__limits(void **state)
{
	struct fake *f = open_in(P4A_RUNNING);
	struct p4a_plan plan = one_read(f->ctx), bad = plan;
	struct p4a_completion c[16];
	unsigned int i;

	bad.count = 0;
	assert_int_equal(p4a_txn_submit(f->ctx, &bad, NULL), -EINVAL);
	bad.count = 9;
	assert_int_equal(p4a_txn_submit(f->ctx, &bad, NULL), -EINVAL);
	bad.count = 1;
	bad.instr[0].slot = 128;
	assert_int_equal(p4a_txn_submit(f->ctx, &bad, NULL), -EINVAL);
	assert_non_null(strstr(p4a_last_error(f->ctx), "slot 128, must be 0 .. 127"));
	for (i = 0; i < 8; i++)
		assert_int_equal(p4a_txn_submit(f->ctx, &plan, &c[i]), 0);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), -EAGAIN);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), -EBUSY);
	assert_int_equal(p4a_wait(f->ctx, c, 3, 0), 3);
	assert_ptr_equal(c[2].user, &c[2]);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	assert_int_equal(p4a_timeout_us(f->ctx), 0);	/* nothing comes for those that are left */
	assert_int_equal(p4a_poll(f->ctx, c, 16), 6);
	assert_int_equal(p4a_timeout_us(f->ctx), -1);
	assert_int_equal(p4a_wait(f->ctx, c, 16, -1), 0);	/* nothing outstanding: no waiting */
	assert_int_equal(p4a_poll(f->ctx, c, 0), -EINVAL);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	fake_close(f);
}

static enum fake_verdict away_for_good(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	fake_error(f, cookie, -ETIMEDOUT, false);
	return FAKE_DONE;
}

/* The others drain as soon as all have said that they ran. */
static void txn__not_after_the_last_word(void **state)
{
	struct p4a_op op = { 699, 0, P4A_READ };
	struct fake *f = open_in(P4A_RUNNING);
	struct p4a_completion c;
	struct p4a_plan plan;

	assert_int_equal(p4a_plan(layout, p4a_blocks(f->ctx), &op, 1, &plan), 1);
	assert_int_equal(p4a_sync_async(f->ctx, P4A_RAN, NULL), 0);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), -EPROTO);
	assert_non_null(strstr(p4a_last_error(f->ctx), "not after"));
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.err, 0);
	fake_close(f);
	f = open_in(P4A_RUNNING);		/* whatever comes of it: the state is as before */
	f->on_msg = away_for_good;
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), -ETIMEDOUT);
	assert_int_equal(fake_state(f->ctx), P4A_RUNNING);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), -EPROTO);
	f->on_msg = NULL;
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	fake_close(f);
	f = open_in(P4A_RUNNING);
	assert_int_equal(p4a_escrow_next(f->ctx, &(uint32_t){ 0 }, &(struct p4a_escrow){ 0 }), 0);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	fake_close(f);
}

static void txn__no_reply(void **state)
{
	static const struct {
		enum fake_verdict (*on_txn)(struct fake *, uint64_t, const struct homa_txn *);
		int status, err;
	} t[] = {
		{ replaced, P4A_TXN_UNKNOWN, -ECANCELED },
		{ in_doubt, P4A_TXN_UNKNOWN, -ESTALE },
		{ unsent_stale, P4A_TXN_STALE, 0 },
		{ short_answer, P4A_TXN_UNKNOWN, -EBADMSG },
	};
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fake *f = open_in(P4A_RUNNING);
		struct p4a_plan plan = one_read(f->ctx);
		struct p4a_completion c;

		f->on_txn = t[i].on_txn;
		assert_int_equal(p4a_txn_submit(f->ctx, &plan, f), 0);
		assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
		assert_int_equal(c.status, t[i].status);
		assert_int_equal(c.err, t[i].err);
		assert_int_equal(c.count, 0);
		assert_ptr_equal(c.user, f);
		fake_close(f);
	}
}

static enum fake_verdict silent_txn(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	return FAKE_SILENT;
}

static void wait__time_out_and_signal(void **state)
{
	struct fake *f = open_in(P4A_RUNNING);
	struct p4a_plan plan = one_read(f->ctx);
	struct p4a_completion c;
	uint64_t begin = f->now_us;

	f->on_txn = silent_txn;
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, 5000), 0);
	assert_int_equal(f->now_us - begin, 5000);
	f->reap_error = -EINTR;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	fake_close(f);
}

static void broken__everything_ends(void **state)
{
	struct fake *f = open_in(P4A_RUNNING);
	struct p4a_plan plan = one_read(f->ctx);
	struct p4a_completion c[4];

	f->on_txn = silent_txn;
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), 0);
	f->reap_error = -ESHUTDOWN;
	assert_int_equal(p4a_wait(f->ctx, c, 4, -1), 2);
	assert_int_equal(c[1].status, P4A_TXN_UNKNOWN);
	assert_int_equal(c[1].err, -EIO);
	assert_int_equal(p4a_wait(f->ctx, c, 4, -1), -EIO);
	assert_int_equal(p4a_txn_submit(f->ctx, &plan, NULL), -EIO);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), -EIO);
	fake_close(f);

	f = open_in(P4A_GRANTED);
	f->on_txn = silent_txn;
	set_keys(0);
	assert_int_equal(p4a_fill_async(f->ctx, kv, KEYS, f), 0);
	f->reap_error = -ESHUTDOWN;
	assert_int_equal(p4a_wait(f->ctx, c, 4, -1), 1);
	assert_int_equal(c[0].err, -EIO);
	fake_close(f);
}

/* ---- asynchronous forms ---- */

static int finish(struct fake *f, int rc, void *user)
{
	struct p4a_completion c;

	assert_int_equal(rc, 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.kind, P4A_KIND_CALL);
	assert_ptr_equal(c.user, user);
	return c.err;
}

static void async__whole_life(void **state)
{
	struct fake *f = open_in(P4A_NEW);
	struct p4a_ctx *ctx = f->ctx;
	int u[8];

	set_keys(4);
	f->reserve = true;
	assert_int_equal(finish(f, p4a_hello_async(ctx, &u[0]), &u[0]), 0);
	assert_int_equal(finish(f, p4a_request_async(ctx, &demand, &u[1]), &u[1]), 0);
	assert_int_equal(finish(f, p4a_wait_grant_async(ctx, &u[2]), &u[2]), 2);
	assert_int_equal(finish(f, p4a_fill_async(ctx, kv, KEYS, &u[3]), &u[3]), 512);
	assert_int_equal(finish(f, p4a_sync_async(ctx, P4A_FILLED, &u[4]), &u[4]), 0);
	assert_int_equal(finish(f, p4a_sync_async(ctx, P4A_RAN, &u[4]), &u[4]), 0);
	assert_int_equal(finish(f, p4a_drain_async(ctx, kv, KEYS, &u[5]), &u[5]), 512);
	assert_int_equal(finish(f, p4a_done_async(ctx, &u[6]), &u[6]), 0);
	assert_int_equal(finish(f, p4a_leave_async(ctx, &u[7]), &u[7]), 0);
	assert_string_equal(f->log, "HRW+SS-DL");
	fake_close(f);
}

static void async__one_at_a_time(void **state)
{
	struct fake *f = open_in(P4A_RESERVED);
	struct p4a_completion c;

	assert_int_equal(p4a_wait_grant_async(f->ctx, NULL), 0);
	assert_int_equal(p4a_leave(f->ctx), -EBUSY);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(p4a_leave(f->ctx), 0);
	fake_close(f);
}

/* ---- escrow ---- */

#define ESCROW	2500

static enum fake_verdict has_escrow(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	uint32_t first = ntohl(m->code), i;
	uint32_t count = ESCROW - first < P4W_ESCROW_MAX ? ESCROW - first : P4W_ESCROW_MAX;
	uint32_t len = sizeof(struct p4w_escrow) + count * sizeof(struct p4w_escrow_entry);
	struct p4w_escrow *e = calloc(1, len);

	e->msg = fake_head(P4W_ESCROW, len, ntohl(m->batch));
	e->total = htonl(ESCROW);
	e->first = m->code;
	e->count = htonl(count);
	for (i = 0; i < count; i++)
		e->entry[i] = (struct p4w_escrow_entry) {
			.batch = htonl(6), .slot = htons((first + i) / 4 % 512), .reg = (first + i) % 4,
			.value = htonl(first + i),
		};
	fake_answer(f, cookie, e, len);
	free(e);
	return FAKE_DONE;
}

static void escrow__pages(void **state)
{
	struct fake *f = open_in(P4A_EXPIRED);
	struct p4a_escrow e;
	struct p4a_cell cell;
	uint32_t pos = 0, i;

	f->on_msg = has_escrow;
	for (i = 0; i < ESCROW; i++) {
		assert_int_equal(p4a_escrow_next(f->ctx, &pos, &e), 1);
		assert_int_equal(e.value, i);
		assert_int_equal(e.batch, 6);
		assert_int_equal(e.known, p4a_layout_at(layout, i % 4, i / 4 % 512, &cell));
		if (e.known)
			assert_int_equal(e.key, cell.key);
	}
	assert_int_equal(p4a_escrow_next(f->ctx, &pos, &e), 0);
	assert_string_equal(f->log, "FFF");
	f->on_msg = NULL;
	pos = 0;
	assert_int_equal(p4a_escrow_next(f->ctx, &pos, &e), 0);
	fake_close(f);
}

static void options__ranges(void **state)
{
	static const struct { struct p4a_options o; const char *says; } t[] = {
		{ { .tenant = 0, .nodes = 1 }, "tenant 0: must be 1 .. 16777215" },
		{ { .tenant = 0x1000000, .nodes = 1 }, "tenant 16777216" },
		{ { .tenant = 1, .nodes = 0 }, "nodes 0: must be 1 .. 64" },
		{ { .tenant = 1, .nodes = 65 }, "nodes 65" },
		{ { .tenant = 1, .nodes = 2, .node = 2 }, "node 2: must be 0 .. 1" },
		{ { .tenant = 1, .nodes = 1, .depth = 4097 }, "depth 4097: must be 0 .. 4096" },
		{ { .tenant = 1, .nodes = 1, .reserved = { 0, 1 } }, "reserved: must be 0" },
	};
	struct p4a_error err;
	struct p4a_ctx *ctx = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(p4a_open(&ctx, &t[i].o, &err), -EINVAL);
		assert_non_null(strstr(err.text, t[i].says));
		assert_null(ctx);
	}
}

static void locks__are_those_of_the_answer(void **state)
{
	static const struct p4a_key_count kc[] = {
		{ 300, 2 }, { 9, 1 }, { 300, 3 }, { 17, 1 }, { 9999, 4 }, { 30, 0 },
	};
	struct fake *f = open_in(P4A_RESERVED);
	struct p4w_lock_key *key = f->last_lock_info.key;
	struct p4a_layout *l, *again;
	struct p4a_cell cell, was;
	uint32_t pos = 0;
	unsigned int with = 0;

	assert_int_equal(p4a_lock_info(f->ctx, kc, 6, &l), 4);
	assert_int_equal(fake_state(f->ctx), P4A_RESERVED);
	assert_string_equal(f->log, "K");
	/* each once, ascending, counts added, what never happens left out */
	assert_int_equal(ntohs(f->last_lock_info.m.nr_keys), 4);
	assert_int_equal(be64toh(key[0].key), 9);
	assert_int_equal(be64toh(key[1].key), 17);
	assert_int_equal(be64toh(key[2].key), 300);
	assert_int_equal(ntohl(key[2].count), 5);
	while (p4a_layout_next(l, 0, FAKE_BLOCKS, &pos, &cell)) {
		assert_int_equal(p4a_layout_lookup(layout, cell.key, &was), 1);
		was.lock = cell.key == 9 ? 0 : cell.key == 17 ? 1 : cell.key == 300 ? 2 : P4A_NO_LOCK;
		assert_memory_equal(&cell, &was, sizeof(cell));
		assert_int_equal(p4a_layout_lookup(l, cell.key, &was), 1);
		assert_int_equal(was.lock, cell.lock);
		assert_int_equal(p4a_layout_at(l, cell.reg, cell.slot, &was), 1);
		assert_int_equal(was.lock, cell.lock);
		with += cell.lock != P4A_NO_LOCK;
	}
	assert_int_equal(with, 3);
	/* a layout of a layout; each may go first */
	assert_int_equal(p4a_use_layout(f->ctx, l), -EPROTO);
	f->ctx->layout = l;
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &again), 1);
	f->ctx->layout = layout;
	p4a_layout_free(l);
	assert_int_equal(p4a_layout_lookup(again, 300, &cell), 1);
	assert_int_equal(cell.lock, 0);
	assert_int_equal(p4a_layout_lookup(again, 9, &cell), 1);
	assert_int_equal(cell.lock, P4A_NO_LOCK);
	p4a_layout_free(again);
	fake_close(f);
}

static void locks__too_many_keys(void **state)
{
	struct fake *f = open_in(P4A_GRANTED);
	struct p4a_key_count kc[6000];
	struct p4a_layout *l;
	unsigned int i;

	for (i = 0; i < 6000; i++)
		kc[i] = (struct p4a_key_count) { i, 1 + (i * 7919 % 6000) };
	assert_int_equal(p4a_lock_info(f->ctx, kc, 6000, &l), P4A_MAX_LOCK_KEYS);
	p4a_layout_free(l);
	for (i = 0; i < P4A_MAX_LOCK_KEYS; i++) {
		assert_true(ntohl(f->last_lock_info.key[i].count) > 6000 - P4A_MAX_LOCK_KEYS);
		assert_true(!i || be64toh(f->last_lock_info.key[i].key) >
				  be64toh(f->last_lock_info.key[i - 1].key));
	}
	fake_close(f);
}

static enum fake_verdict refuse_locks(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (m->type != P4W_LOCK_INFO)
		return FAKE_GOOD;
	fake_refuse(f, cookie, f->hook, "type");
	return FAKE_DONE;
}

static void locks__refused(void **state)
{
	static const struct p4a_key_count kc[] = { { 300, 2 } };
	struct fake *f = open_in(P4A_GRANTED);
	struct p4a_layout *l = NULL;

	f->on_msg = refuse_locks;
	f->hook = P4W_REFUSED_TYPE;
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), -EOPNOTSUPP);
	f->hook = P4W_REFUSED_ORDER;
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), -EPROTO);
	assert_int_equal(fake_state(f->ctx), P4A_GRANTED);	/* it can go on without */
	f->hook = P4W_REFUSED_EXPIRED;
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), -ESTALE);
	assert_int_equal(fake_state(f->ctx), P4A_EXPIRED);
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), -EPROTO);	/* not in this state */
	assert_null(l);
	fake_close(f);
}

static void locks__async_and_cold(void **state)
{
	static const struct p4a_key_count kc[] = { { 300, 2 } };
	struct fake *f = open_in(P4A_GRANTED);
	struct p4a_layout *l = NULL;
	struct p4a_completion c;
	struct p4a_cell cell;

	assert_int_equal(p4a_lock_info_async(f->ctx, kc, 1, &l, &c), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.err, 1);
	assert_ptr_equal(c.user, &c);
	p4a_layout_free(l);
	p4a_set_cold(f->ctx, P4A_COLD_NO_SWITCH, "so");
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), 0);
	assert_int_equal(p4a_layout_lookup(l, 300, &cell), 1);
	assert_int_equal(cell.lock, P4A_NO_LOCK);
	p4a_layout_free(l);
	f->ctx->layout = NULL;
	assert_int_equal(p4a_lock_info(f->ctx, kc, 1, &l), -ENODATA);
	fake_close(f);
}

static void patience__table(void **state)
{
	static const struct { uint64_t now, sent, away, want_away; bool give_up; } t[] = {
		{ 100, 90, 0, 90, false },	/* first failure: away since it was asked */
		{ 1089, 1000, 90, 90, false },
		{ 1090, 1000, 90, 90, true },	/* for the time-out */
		{ 5000, 90, 0, 5000, false },	/* was there for long: a new absence */
		{ 5000, 3000, 90, 5000, false },
		{ 1090, 90, 0, 90, true },
	};
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct p4a_patience p = p4a_call_patience(t[i].now, t[i].sent, t[i].away, 1000);

		assert_int_equal(p.away_us, t[i].want_away);
		assert_int_equal(p.give_up, t[i].give_up);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch__whole_life),
		cmocka_unit_test(batch__request_says_all),
		cmocka_unit_test(batch__wrong_order),
		cmocka_unit_test(batch__bad_demands),
		cmocka_unit_test(cold__arguments_are_checked),
		cmocka_unit_test(away__comes_back),
		cmocka_unit_test(away__for_good),
		cmocka_unit_test(away__silent),
		cmocka_unit_test(away__late_answer_is_dropped),
		cmocka_unit_test(hello__goes_cold_and_back),
		cmocka_unit_test(hello__other_geometry),
		cmocka_unit_test(use_layout__geometry),
		cmocka_unit_test(refused__each),
		cmocka_unit_test(refused__expired),
		cmocka_unit_test(hostile__answers),
		cmocka_unit_test(hostile__cookies),
		cmocka_unit_test(hostile__repeated_answer),
		cmocka_unit_test(grant__kernel_refuses),
		cmocka_unit_test(cells__faults),
		cmocka_unit_test(cells__same_key_twice),
		cmocka_unit_test(txn__runs),
		cmocka_unit_test(txn__limits),
		cmocka_unit_test(txn__not_after_the_last_word),
		cmocka_unit_test(txn__no_reply),
		cmocka_unit_test(wait__time_out_and_signal),
		cmocka_unit_test(broken__everything_ends),
		cmocka_unit_test(async__whole_life),
		cmocka_unit_test(async__one_at_a_time),
		cmocka_unit_test(escrow__pages),
		cmocka_unit_test(options__ranges),
		cmocka_unit_test(locks__are_those_of_the_answer),
		cmocka_unit_test(locks__too_many_keys),
		cmocka_unit_test(locks__refused),
		cmocka_unit_test(locks__async_and_cold),
		cmocka_unit_test(patience__table),
	};

	return cmocka_run_group_tests(tests, make_layout, free_layout);
}
