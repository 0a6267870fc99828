// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_allocd.c - the library and the allocator's engine in one process: what one says, the other
 * understands. Two nodes of a tenant, time that passes when nobody has anything to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_link.h"

#define NODES 2
#define KEYS 600
#define LEASE 10000

static struct world *w;
static struct link *node[NODES];

static int send_txn(struct p4a_io *io, uint64_t cookie, const struct homa_txn *txn)
{
	return -EOPNOTSUPP;
}

static int hold(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	return 0;
}

static const struct p4a_io_ops ops = {
	.send_msg = link_send_msg, .send_txn = send_txn, .reap = link_reap, .hold = hold,
	.now_us = link_now_us, .fd = link_fd, .close = link_close,
};

static int set_up(void **state)
{
	static const struct p4a_geometry geo = { .registers = 4, .blocks = 8, .dependent = 2 };

	w = world_create(geo.registers, geo.blocks, 512, 1);
	links_begin(w);
	for (unsigned int i = 0; i < NODES; i++)
		node[i] = link_open(&ops, i, NODES, &geo);
	return 0;
}

static int tear_down(void **state)
{
	for (unsigned int i = 0; i < NODES; i++)
		p4a_close(node[i]->ctx);
	world_destroy(w);
	return 0;
}

static void finish(struct p4a_ctx *ctx, int want)
{
	struct p4a_completion c;

	assert_int_equal(p4a_wait(ctx, &c, 1, 1000000), 1);
	if (c.err != want)
		fail_msg("%d, not %d: %s", c.err, want, p4a_last_error(ctx));
}

/* ---- a batch, with lock bits ---- */

static struct p4a_layout *layout;

static void ask_for_a_batch(unsigned int i)
{
	const struct p4a_demand demand = {
		.duration_us = 100000, .min_blocks = 3, .want_blocks = 3, .flows = 8,
	};

	assert_int_equal(p4a_use_layout(node[i]->ctx, layout), 0);
	assert_int_equal(p4a_hello(node[i]->ctx), 0);
	assert_true(p4a_request(node[i]->ctx, &demand) >= 0);
}

static void lock_info__all_nodes_get_the_same_bits(void **state)
{
	static const struct p4a_geometry geo = { .registers = 4, .blocks = 8, .dependent = 2 };
	struct p4a_key_count kc[KEYS], list[NODES][200];
	struct p4a_layout *bits[NODES];
	unsigned int with = 0, of_bit[P4A_LOCK_BITS] = { 0 };
	struct p4a_cell a, b;
	uint32_t pos = 0, other = 0;

	for (unsigned int i = 0; i < KEYS; i++)
		kc[i] = (struct p4a_key_count) { i, 1 + i };
	assert_int_equal(p4a_layout_from_counts(&layout, &geo, kc, KEYS, NULL), KEYS);
	for (unsigned int i = 0; i < NODES; i++) {
		ask_for_a_batch(i);
		for (unsigned int k = 0; k < 200; k++)
			list[i][k] = (struct p4a_key_count) { 300 + 100 * i - k, 5 };
	}
	for (unsigned int i = 0; i < NODES; i++)
		assert_int_equal(p4a_lock_info_async(node[i]->ctx, list[i], 200, &bits[i], NULL), 0);
	for (unsigned int i = 0; i < NODES; i++)
		finish(node[i]->ctx, 300);
	while (p4a_layout_next(bits[0], 0, geo.blocks, &pos, &a)) {
		assert_int_equal(p4a_layout_next(bits[1], 0, geo.blocks, &other, &b), 1);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.lock != P4A_NO_LOCK, a.key > 100 && a.key <= 400 && a.slot);
		if (a.lock == P4A_NO_LOCK)
			continue;
		with++;
		of_bit[a.lock]++;
	}
	assert_true(with >= 296);
	for (unsigned int bit = 0; bit < P4A_LOCK_BITS; bit++)
		assert_in_range(of_bit[bit], 5, 14);	/* 300 keys, 100 of them twice as heavy */
	for (unsigned int i = 0; i < NODES; i++) {
		assert_int_equal(p4a_wait_grant(node[i]->ctx), 3);
		p4a_layout_free(bits[i]);
	}
	/* too late for this batch, and it says so */
	assert_int_equal(p4a_sync_async(node[0]->ctx, P4A_FILLED, NULL), 0);
	assert_int_equal(p4a_sync_async(node[1]->ctx, P4A_FILLED, NULL), 0);
	finish(node[0]->ctx, 0);
	finish(node[1]->ctx, 0);
	assert_int_equal(p4a_lock_info(node[0]->ctx, NULL, 0, &bits[0]), -EPROTO);
	p4a_layout_free(layout);
}

static void lock_info__one_goes_on_without(void **state)
{
	static const struct p4a_geometry geo = { .registers = 4, .blocks = 8, .dependent = 2 };
	const struct p4a_key_count kc[] = { { 1, 1 }, { 2, 2 } };
	struct p4a_layout *bits = NULL;

	assert_int_equal(p4a_layout_from_counts(&layout, &geo, kc, 2, NULL), 2);
	for (unsigned int i = 0; i < NODES; i++) {
		ask_for_a_batch(i);
		assert_int_equal(p4a_wait_grant(node[i]->ctx), 3);
	}
	assert_int_equal(p4a_lock_info_async(node[0]->ctx, kc, 2, &bits, NULL), 0);
	p4a_poll(node[0]->ctx, &(struct p4a_completion) { 0 }, 1);
	assert_int_equal(p4a_sync_async(node[1]->ctx, P4A_FILLED, NULL), 0);
	finish(node[0]->ctx, -EPROTO);
	assert_null(bits);
	assert_int_equal(p4a_sync(node[0]->ctx, P4A_FILLED), 0);
	finish(node[1]->ctx, 0);
	p4a_layout_free(layout);
}

/* ---- locks by name ---- */

static int take(unsigned int i, enum p4a_lock_mode mode, uint32_t wait_us, struct p4a_lock *l)
{
	return p4a_lock(node[i]->ctx, "row", 3, mode, LEASE, wait_us, l);
}

static void lock__one_at_a_time(void **state)
{
	struct p4a_lock a, b, c;

	assert_int_equal(take(0, P4A_LOCK_EXCLUSIVE, 0, &a), 0);
	assert_int_equal(take(1, P4A_LOCK_SHARED, 0, &b), -ETIME);
	assert_non_null(strstr(p4a_last_error(node[1]->ctx), "held with token 1 after 0 us"));
	assert_int_equal(p4a_lock_async(node[1]->ctx, "row", 3, P4A_LOCK_SHARED, LEASE, 5000, &b,
					NULL), 0);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	finish(node[1]->ctx, 0);
	assert_int_equal(take(0, P4A_LOCK_SHARED, 0, &c), 0);
	assert_true(a.token < b.token && b.token < c.token);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);	/* a repeat */
	assert_int_equal(p4a_unlock(node[0]->ctx, &c), 0);
	assert_int_equal(p4a_unlock(node[1]->ctx, &b), 0);
}

static void lock__lease_ends_and_is_extended(void **state)
{
	struct p4a_lock a, b;

	assert_int_equal(take(0, P4A_LOCK_EXCLUSIVE, 0, &a), 0);
	for (int i = 0; i < 5; i++) {
		world_sleep(w, LEASE / 2);
		assert_int_equal(p4a_lock_extend(node[0]->ctx, &a, LEASE), 0);
		assert_int_equal(take(1, P4A_LOCK_EXCLUSIVE, 0, &b), -ETIME);
	}
	assert_int_equal(take(1, P4A_LOCK_EXCLUSIVE, 2 * LEASE, &b), 0);	/* waits for the end */
	assert_int_equal(p4a_lock_extend(node[0]->ctx, &a, LEASE), -ESTALE);
	assert_non_null(strstr(p4a_last_error(node[0]->ctx), "the lock was lost"));
	assert_int_equal(p4a_lock(node[0]->ctx, "x", 1, P4A_LOCK_SHARED, 60000000, 0, &a), -ERANGE);
}

static void lock__two_that_wait_for_each_other(void **state)
{
	struct p4a_lock a, b, more[2];

	assert_int_equal(p4a_lock(node[0]->ctx, "a", 1, P4A_LOCK_EXCLUSIVE, 50000, 0, &a), 0);
	assert_int_equal(p4a_lock(node[1]->ctx, "b", 1, P4A_LOCK_EXCLUSIVE, 50000, 0, &b), 0);
	assert_int_equal(p4a_lock_async(node[0]->ctx, "b", 1, P4A_LOCK_EXCLUSIVE, 50000, 20000,
					&more[0], NULL), 0);
	assert_int_equal(p4a_lock_async(node[1]->ctx, "a", 1, P4A_LOCK_EXCLUSIVE, 50000, 30000,
					&more[1], NULL), 0);
	finish(node[0]->ctx, -ETIME);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	finish(node[1]->ctx, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lock_info__all_nodes_get_the_same_bits, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lock_info__one_goes_on_without, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lock__one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lock__lease_ends_and_is_extended, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lock__two_that_wait_for_each_other, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
