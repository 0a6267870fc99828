// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_resize.c - a batch that goes on with more blocks, or with fewer, while transactions run. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib_fake.h"

#define KEYS	700		/* in blocks of 256: 2 and a part of the third */
#define BLOCK	(64 * FAKE_REGISTERS)

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

static void set_values(uint32_t offset)
{
	for (uint32_t i = 0; i < KEYS; i++)
		kv[i] = (struct p4a_kv){ .key = i, .value = i + offset };
}

static struct fake *running(unsigned int blocks)
{
	const struct p4a_demand demand = {
		.duration_us = 1000, .min_blocks = 1, .want_blocks = blocks, .flows = 8,
	};
	struct fake *f = fake_open();

	f->grant_blocks = blocks;
	assert_int_equal(p4a_use_layout(f->ctx, layout), 0);
	assert_int_equal(p4a_hello(f->ctx), 0);
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	set_values(0);
	p4a_fill(f->ctx, kv, KEYS);
	assert_int_equal(p4a_sync(f->ctx, P4A_FILLED), 0);
	memset(f->log, 0, sizeof(f->log));
	return f;
}

/* A key that lives in this virtual block. */
static uint64_t key_in(unsigned int block)
{
	struct p4a_cell cell;

	assert_true(p4a_layout_at(layout, 0, block * 64, &cell));
	return cell.key;
}

static int add(struct fake *f, uint64_t key)
{
	struct p4a_op op = { key, 1000, P4A_ADD };
	struct p4a_plan plan;

	assert_int_equal(p4a_plan(layout, FAKE_BLOCKS, &op, 1, &plan), 1);
	return p4a_txn_submit(f->ctx, &plan, NULL);
}

static uint32_t value_of(struct fake *f, uint64_t key)
{
	struct p4a_cell cell;

	assert_true(p4a_layout_lookup(layout, key, &cell));
	return f->cell[cell.reg][cell.slot];
}

static void grow__fills_only_what_is_new(void **state)
{
	struct fake *f = running(2);
	struct p4a_completion c;

	assert_int_equal(add(f, key_in(0)), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(p4a_resize(f->ctx, 3), 3);
	assert_string_equal(f->log, "Z+");
	assert_int_equal(fake_state(f->ctx), P4A_RESIZING);
	assert_int_equal(p4a_blocks(f->ctx), 2);
	assert_int_equal(add(f, key_in(2)), -EINVAL);
	assert_int_equal(add(f, key_in(1)), 0);		/* outstanding while it fills */
	set_values(5);
	assert_int_equal(p4a_fill(f->ctx, kv, KEYS), KEYS - 2 * BLOCK);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.status, P4A_TXN_OK);
	assert_int_equal(value_of(f, key_in(0)), key_in(0) + 1000);
	assert_int_equal(value_of(f, key_in(2)), key_in(2) + 5);
	assert_int_equal(p4a_sync(f->ctx, P4A_RESIZED), 0);
	assert_int_equal(fake_state(f->ctx), P4A_RUNNING);
	assert_int_equal(p4a_blocks(f->ctx), 3);
	assert_int_equal(add(f, key_in(2)), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(value_of(f, key_in(2)), key_in(2) + 1005);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS);
	fake_close(f);
}

static uint64_t kept;

static enum fake_verdict keep(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	kept = cookie;
	return FAKE_SILENT;
}

static void shrink__waits_for_what_is_on_its_way(void **state)
{
	struct fake *f = running(3);
	struct homa_txn_result r = { .epoch = f->epoch, .count = 1, .status = P4W_TXN_OK };
	struct p4a_completion c[2];
	int n = 0;

	f->on_txn = keep;
	assert_int_equal(add(f, key_in(1)), 0);
	assert_int_equal(p4a_poll(f->ctx, c, 2), 0);
	f->on_txn = NULL;
	assert_int_equal(p4a_resize_async(f->ctx, 1, f), 0);
	assert_int_equal(p4a_blocks(f->ctx), 1);
	assert_int_equal(add(f, key_in(1)), -EINVAL);
	assert_int_equal(add(f, key_in(0)), 0);
	assert_int_equal(p4a_wait(f->ctx, c, 2, -1), 1);
	assert_string_equal(f->log, "");
	fake_answer(f, kept, &r, sizeof(r));
	while (n < 2)
		n += p4a_wait(f->ctx, c + n, 2 - n, -1);
	assert_int_equal(c[n - 1].kind, P4A_KIND_CALL);
	assert_int_equal(c[n - 1].err, 1);
	assert_string_equal(f->log, "Z");
	assert_int_equal(fake_state(f->ctx), P4A_RESIZING);
	set_values(77777);
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), KEYS - BLOCK);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(kv[i].value, i + (kv[i].held ? 0 : 77777));
	assert_int_equal(p4a_sync(f->ctx, P4A_RESIZED), 0);
	assert_string_equal(f->log, "ZZ+");
	assert_int_equal(p4a_blocks(f->ctx), 1);
	/* The next change has the next number; none is one as well. */
	assert_int_equal(p4a_resize(f->ctx, 1), 1);
	assert_int_equal(fake_state(f->ctx), P4A_RUNNING);
	assert_int_equal(f->ctx->resize.done, 2);
	fake_close(f);
}

/* Slots that the caller has made free are used before it waits for more. */
static void fill__takes_the_slots_of_what_was_taken(void **state)
{
	struct fake *f = running(2);
	struct homa_txn_result r = { .epoch = f->epoch, .count = 1, .status = P4W_TXN_OK };
	struct p4a_completion c;

	assert_int_equal(p4a_resize(f->ctx, 3), 3);
	f->on_txn = keep;
	while (add(f, key_in(1)) != -EAGAIN)
		;
	assert_int_equal(p4a_fill_async(f->ctx, kv, KEYS, f), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	f->on_txn = NULL;
	fake_answer(f, kept, &r, sizeof(r));
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.kind, P4A_KIND_TXN);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.kind, P4A_KIND_CALL);
	assert_int_equal(c.err, KEYS - 2 * BLOCK);
	fake_close(f);
}

static enum fake_verdict no_such_type(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	fake_refuse(f, cookie, f->hook, "type");
	return FAKE_DONE;
}

static void resize__refused(void **state)
{
	struct fake *f = running(3);

	assert_int_equal(p4a_resize(f->ctx, 0), -EINVAL);
	assert_int_equal(p4a_resize(f->ctx, FAKE_BLOCKS + 1), -EINVAL);
	f->on_msg = no_such_type;
	f->hook = P4W_REFUSED_TYPE;
	assert_int_equal(p4a_resize(f->ctx, 1), -EOPNOTSUPP);
	assert_int_equal(p4a_blocks(f->ctx), 3);
	assert_int_equal(fake_state(f->ctx), P4A_RUNNING);
	f->hook = P4W_REFUSED_EXPIRED;
	assert_int_equal(p4a_resize(f->ctx, 1), -ESTALE);
	assert_int_equal(fake_state(f->ctx), P4A_EXPIRED);
	fake_close(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(grow__fills_only_what_is_new),
		cmocka_unit_test(shrink__waits_for_what_is_on_its_way),
		cmocka_unit_test(fill__takes_the_slots_of_what_was_taken),
		cmocka_unit_test(resize__refused),
	};

	return cmocka_run_group_tests(tests, make_layout, free_layout);
}
