// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_locks.c - lock bits of keys: lists merged, bits dealt, and what each node is told when. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocd_world.h"
#include "../../tools/p4allocd/store.h"
#include "rnd.h"

#define MS 1000u

static struct p4w_lock_key entry(uint64_t key, uint32_t count)
{
	return (struct p4w_lock_key){ htobe64(key), htonl(count) };
}

/* ---------------------------------------------------------------------------------- lists */

#define SPACE 3000	/* keys are below it */

static void keys__merged_lists_are_the_sums(void **state)
{
	for (int round = 0; round < 50; round++) {
		uint64_t sum[SPACE] = { 0 };
		struct p4d_keys k = { 0 };
		size_t different = 0, at = 0;

		for (int node = 0; node < 5; node++) {
			struct p4w_lock_key list[SPACE];
			size_t n = 0;

			for (uint64_t key = rnd(20); key < SPACE; key += 1 + rnd(20)) {
				uint32_t count = rnd(8) ? 1 + rnd(100) : UINT32_MAX;

				list[n++] = entry(key, count);
				different += !sum[key];
				sum[key] += count;
			}
			p4d_keys_add(&k, list, n);
		}
		assert_int_equal(k.n, different);
		for (uint64_t key = 0; key < SPACE; key++) {
			if (!sum[key])
				continue;
			assert_int_equal(k.key[at].key, key);
			assert_int_equal(k.key[at++].count, sum[key]);
		}
		p4d_keys_free(&k);
	}
}

static void keys__more_than_are_looked_at(void **state)
{
	static struct p4w_lock_key list[P4W_LOCK_KEYS_MAX];
	struct p4d_keys k = { 0 };

	for (uint64_t node = 0; node < 6; node++) {
		for (uint64_t i = 0; i < P4W_LOCK_KEYS_MAX; i++)
			list[i] = entry(10 * i + node, 1);
		p4d_keys_add(&k, list, P4W_LOCK_KEYS_MAX);
		assert_true(k.n <= P4D_KEYS_MERGED);
	}
	assert_int_equal(k.n, P4D_KEYS_MERGED);
	for (uint64_t i = 0; i < P4W_LOCK_KEYS_MAX; i++)	/* a full table still counts */
		list[i] = entry(10 * i, 1);
	p4d_keys_add(&k, list, P4W_LOCK_KEYS_MAX);
	for (size_t i = 0; i < k.n; i++)
		assert_int_equal(k.key[i].count, k.key[i].key % 10 ? 1 : 2);
	p4d_keys_free(&k);
}

static void keys__heaviest_first(void **state)
{
	for (int round = 0; round < 200; round++) {
		struct p4d_keys k = { 0 };
		struct p4w_lock_key list[600];
		size_t n = rnd(600), max = rnd(700);
		uint64_t all = 0, kept = 0;

		for (size_t i = 0; i < n; i++) {
			uint32_t count = rnd(3) ? 1 + rnd(5) : 1 + rnd(UINT32_MAX);

			list[i] = entry(7 * i, count);
			all += count;
		}
		p4d_keys_add(&k, list, n);
		p4d_keys_heaviest(&k, max);
		assert_int_equal(k.n, n < max ? n : max);
		for (size_t i = 0; i < k.n; i++) {
			kept += k.key[i].count;
			assert_int_equal(k.key[i].count, ntohl(list[k.key[i].key / 7].count));
			assert_true(!i || k.key[i - 1].count > k.key[i].count ||
				    (k.key[i - 1].count == k.key[i].count &&
				     k.key[i - 1].key < k.key[i].key));
		}
		assert_true(k.n < n || kept == all);
		p4d_keys_free(&k);
	}
}

/* By hand: 9 8 5 5 4 2 1 to 3 bits. */
static void deal__heaviest_to_the_lightest_bit(void **state)
{
	static const struct p4d_key key[] = {
		{ 1, 9 }, { 2, 8 }, { 3, 5 }, { 4, 5 }, { 5, 4 }, { 6, 2 }, { 7, 1 },
	};
	static const uint8_t want[] = { 0, 1, 2, 2, 1, 0, 2 };
	uint8_t bit[7];

	p4d_keys_deal(key, 7, 3, bit);
	assert_memory_equal(bit, want, sizeof(want));
}

/* ---------------------------------------------------------------------------------- nodes */

static uint64_t request(struct world *w, uint16_t node, uint16_t nodes, uint32_t batch, uint32_t code)
{
	struct p4d_request r = {
		.node = node, .nodes = nodes, .batch = batch, .code = code,
		.duration_us = 10 * MS, .min_blocks = 2, .want_blocks = 8, .flows = 4,
	};
	uint64_t rpc = world_send_request(w, 1, &r);

	world_settle(w);
	return rpc;
}

static uint64_t say(struct world *w, uint16_t node, uint16_t nodes, uint8_t type, uint32_t batch,
		    uint32_t code)
{
	uint64_t rpc = world_send(w, 1, node, nodes, type, batch, code);

	world_settle(w);
	return rpc;
}

/* A list of `n` keys from `first` on, the heaviest first. */
static uint64_t list(struct world *w, uint16_t node, uint16_t nodes, uint32_t batch, uint64_t first,
		     uint32_t n)
{
	struct p4w_lock_key key[P4W_LOCK_KEYS_MAX];
	uint64_t rpc;

	for (uint32_t i = 0; i < n; i++)
		key[i] = entry(first + i, 2 * (n - i));
	rpc = world_send_lock_info(w, 1, node, nodes, batch, key, n);
	world_settle(w);
	return rpc;
}

static const struct p4w_locks *locks(struct world *w, uint64_t rpc)
{
	assert_int_equal(world_type(w, rpc), P4W_LOCKS);
	return world_answer(w, rpc);
}

static size_t size_of(const struct p4w_locks *m)
{
	return ntohs(m->nr_keys) * sizeof(m->key[0]);
}

static void assert_same(const struct p4w_locks *a, const struct p4w_locks *b)
{
	assert_int_equal(a->nr_keys, b->nr_keys);
	assert_memory_equal(a->key, b->key, size_of(a));
}

static void locks__wait_for_all_lists_and_are_the_same(void **state)
{
	struct world *w = world_create(2, 8, 512, 1);
	const struct p4w_locks *m;
	uint64_t rpc[3];

	for (int i = 0; i < 3; i++)
		request(w, i, 3, 1, 0);
	rpc[0] = list(w, 0, 3, 1, 100, 40);
	rpc[1] = list(w, 1, 3, 1, 120, 40);
	assert_int_equal(world_type(w, rpc[0]), 0);
	assert_int_equal(world_type(w, rpc[1]), 0);
	rpc[2] = list(w, 2, 3, 1, 0, 0);
	m = locks(w, rpc[2]);
	assert_int_equal(ntohs(m->bits), 32);
	assert_int_equal(ntohs(m->nr_keys), 60);
	assert_int_equal(be64toh(m->key[0].key), 120);		/* 40 and 80 together */
	for (int i = 0; i < 32; i++)
		assert_int_equal(m->key[i].bit, i);		/* the heaviest have a bit each */
	assert_same(m, locks(w, rpc[0]));
	assert_same(m, locks(w, rpc[1]));
	/* later lists change nothing, and a repeat hears the same */
	assert_same(m, locks(w, list(w, 1, 3, 1, 5000, 7)));
	world_destroy(w);
}

static void locks__before_the_grant(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4w_locks *before;
	uint64_t a, b;

	request(w, 0, 2, 1, 0);
	request(w, 1, 2, 1, 0);
	request(w, 0, 2, 2, P4W_REQ_DONE);		/* reserved: node 1 is still busy */
	a = list(w, 0, 2, 2, 10, 5);
	assert_int_equal(world_type(w, a), 0);
	request(w, 1, 2, 2, P4W_REQ_DONE);
	b = list(w, 1, 2, 2, 20, 5);
	before = malloc(sizeof(*before) + 10 * sizeof(before->key[0]));
	memcpy(before, locks(w, b), sizeof(*before) + 10 * sizeof(before->key[0]));
	assert_same(before, locks(w, a));
	assert_int_equal(world_type(w, say(w, 0, 2, P4W_WAIT, 2, 0)), P4W_GRANTED);
	assert_same(before, locks(w, list(w, 0, 2, 2, 30, 5)));
	free(before);
	world_destroy(w);
}

static void locks__each_batch_has_its_own(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);

	for (uint32_t batch = 1; batch < 8; batch++) {
		const struct p4w_locks *m;

		request(w, 0, 1, batch, batch > 1 ? P4W_REQ_DONE : 0);
		m = locks(w, list(w, 0, 1, batch, 100 * batch, 3));
		assert_int_equal(ntohs(m->nr_keys), 3);
		assert_int_equal(be64toh(m->key[0].key), 100 * batch);
		if (batch > 1)
			assert_int_equal(world_refusal(w, list(w, 0, 1, batch - 1, 1, 1)),
					 P4W_REFUSED_ORDER);
	}
	assert_int_equal(world_refusal(w, list(w, 0, 1, 9, 1, 1)), P4W_REFUSED_ORDER);
	world_destroy(w);
}

static void locks__all_or_none(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t rpc;

	request(w, 0, 2, 1, 0);
	request(w, 1, 2, 1, 0);
	rpc = list(w, 0, 2, 1, 10, 5);
	assert_int_equal(world_type(w, rpc), 0);
	say(w, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_ORDER);
	assert_int_equal(world_refusal(w, list(w, 1, 2, 1, 10, 5)), P4W_REFUSED_ORDER);
	world_destroy(w);
}

static void locks__who_left_is_not_waited_for(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t rpc;

	for (int i = 0; i < 3; i++)
		request(w, i, 3, 1, 0);
	for (int i = 0; i < 3; i++)
		say(w, i, 3, P4W_SYNC, 1, P4W_PHASE_FILLED);
	request(w, 0, 3, 2, P4W_REQ_DONE);
	rpc = list(w, 0, 3, 2, 10, 5);
	say(w, 1, 3, P4W_LEAVE, 1, 0);
	assert_int_equal(world_type(w, rpc), 0);
	say(w, 2, 3, P4W_LEAVE, 1, 0);
	assert_int_equal(ntohs(locks(w, rpc)->nr_keys), 5);
	world_destroy(w);
}

/* The first of them is told, which wakes the second: the world sees it if one is answered twice. */
static void locks__several_wait_for_who_leaves(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t rpc[2];

	for (int i = 0; i < 3; i++)
		request(w, i, 3, 1, 0);
	for (int i = 0; i < 2; i++) {
		request(w, i, 3, 2, P4W_REQ_DONE);
		rpc[i] = list(w, i, 3, 2, 10, 5);
	}
	assert_int_equal(world_type(w, rpc[0]), 0);
	say(w, 2, 3, P4W_LEAVE, 1, 0);
	assert_same(locks(w, rpc[0]), locks(w, rpc[1]));
	world_destroy(w);
}

static void locks__end_with_the_lease(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t rpc;

	request(w, 0, 2, 1, 0);
	request(w, 1, 2, 1, 0);
	rpc = list(w, 0, 2, 1, 10, 5);
	say(w, 1, 2, P4W_HELLO, 0, 0);		/* it has restarted: the batch is over for all */
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_EXPIRED);
	world_destroy(w);
}

/* The reservation goes: with it what waits for the other nodes' lists. */
static void locks__end_with_the_reservation(void **state)
{
	struct p4d_tenant_conf conf = { 1, "t", 100, 0, 1 };
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t wait, rpc;

	request(w, 0, 2, 1, 0);
	request(w, 1, 2, 1, 0);
	say(w, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	request(w, 0, 2, 2, P4W_REQ_DONE);
	rpc = list(w, 0, 2, 2, 10, 5);
	wait = say(w, 0, 2, P4W_WAIT, 2, 0);
	p4d_engine_tenant(w->e, w->now, &conf);	/* fewer blocks than it needs */
	say(w, 1, 2, P4W_DONE, 1, 0);
	assert_int_equal(world_refusal(w, wait), P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_RANGE);
	world_destroy(w);
}

static void locks__bad_lists_are_refused(void **state)
{
	const struct p4w_lock_key twice[] = { entry(1, 1), entry(5, 1), entry(5, 2) };
	const struct p4w_lock_key down[] = { entry(5, 1), entry(4, 1) };
	const struct p4w_lock_key never[] = { entry(5, 1), entry(6, 0) };
	static struct p4w_lock_key many[P4W_LOCK_KEYS_MAX + 1];
	struct world *w = world_create(2, 8, 64, 1);

	request(w, 0, 1, 1, 0);
	assert_int_equal(world_refusal(w, world_send_lock_info(w, 1, 0, 1, 1, twice, 3)),
			 P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, world_send_lock_info(w, 1, 0, 1, 1, down, 2)),
			 P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, world_send_lock_info(w, 1, 0, 1, 1, never, 2)),
			 P4W_REFUSED_RANGE);
	for (uint64_t i = 0; i <= P4W_LOCK_KEYS_MAX; i++)
		many[i] = entry(i << 32 | 1, UINT32_MAX);
	assert_int_not_equal(world_refusal(w, world_send_lock_info(w, 1, 0, 1, 1, many,
							P4W_LOCK_KEYS_MAX + 1)), 0);
	/* none of them counted */
	assert_int_equal(ntohs(locks(w, world_send_lock_info(w, 1, 0, 1, 1, many,
							P4W_LOCK_KEYS_MAX))->nr_keys),
			 P4W_LOCK_KEYS_MAX);
	world_destroy(w);
}

/* ----------------------------------------------------------------------------------- kill */

static void locks__told_to_one_survive_a_kill(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4d_engine *e = p4d_engine_create(1);
	struct p4w_locks *told;
	struct p4d_store *st;
	char path[64], err[256];
	size_t len;

	snprintf(path, sizeof(path), "/dev/shm/allocd_locks.%d", getpid());
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), 0);
	request(w, 0, 2, 1, 0);
	request(w, 1, 2, 1, 0);
	list(w, 0, 2, 1, 1000, 300);
	told = (void *)locks(w, list(w, 1, 2, 1, 1200, 300));
	len = sizeof(*told) + size_of(told);
	told = memcpy(malloc(len), told, len);
	assert_int_equal(p4d_store_save(st, w->e, err, sizeof(err)), 0);
	p4d_store_close(st);
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), 0);
	assert_int_equal(p4d_store_load(st, e, err, sizeof(err)), 0);
	world_replace_engine(w, e);
	world_know_tenants(w, 1);
	world_switch_up(w);
	world_settle(w);
	assert_same(told, locks(w, list(w, 0, 2, 1, 1, 4)));
	/* and the next ones are saved as well */
	request(w, 0, 2, 2, P4W_REQ_DONE);
	request(w, 1, 2, 2, P4W_REQ_DONE);
	list(w, 0, 2, 2, 1, 1);
	list(w, 1, 2, 2, 1, 1);
	assert_int_equal(p4d_store_save(st, w->e, err, sizeof(err)), 0);
	e = p4d_engine_create(1);
	assert_int_equal(p4d_store_load(st, e, err, sizeof(err)), 0);
	assert_int_equal(p4d_engine_tenant_record(e, 1)->locks[0].n, 1);
	assert_int_equal(p4d_engine_tenant_record(e, 1)->locks[1].n, 500);
	p4d_engine_destroy(e);
	p4d_store_close(st);
	free(told);
	unlink(path);
	world_destroy(w);
}

/* All have filled with bits of their own. Who asks then must not wait for the others. */
static void locks__not_after_a_kill_either(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4d_engine *e = p4d_engine_create(1);
	struct p4d_store *st;
	char path[64], err[256];

	snprintf(path, sizeof(path), "/dev/shm/allocd_locks.%d", getpid());
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), 0);
	for (int i = 0; i < 2; i++)
		request(w, i, 2, 1, 0);
	for (int i = 0; i < 2; i++)
		say(w, i, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	assert_int_equal(p4d_store_save(st, w->e, err, sizeof(err)), 0);
	assert_int_equal(p4d_store_load(st, e, err, sizeof(err)), 0);
	world_replace_engine(w, e);
	world_know_tenants(w, 1);
	world_switch_up(w);
	world_settle(w);
	assert_int_equal(world_refusal(w, list(w, 0, 2, 1, 1, 4)), P4W_REFUSED_ORDER);
	p4d_store_close(st);
	unlink(path);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys__merged_lists_are_the_sums),
		cmocka_unit_test(keys__more_than_are_looked_at),
		cmocka_unit_test(keys__heaviest_first),
		cmocka_unit_test(deal__heaviest_to_the_lightest_bit),
		cmocka_unit_test(locks__wait_for_all_lists_and_are_the_same),
		cmocka_unit_test(locks__before_the_grant),
		cmocka_unit_test(locks__each_batch_has_its_own),
		cmocka_unit_test(locks__all_or_none),
		cmocka_unit_test(locks__who_left_is_not_waited_for),
		cmocka_unit_test(locks__several_wait_for_who_leaves),
		cmocka_unit_test(locks__end_with_the_lease),
		cmocka_unit_test(locks__end_with_the_reservation),
		cmocka_unit_test(locks__bad_lists_are_refused),
		cmocka_unit_test(locks__told_to_one_survive_a_kill),
		cmocka_unit_test(locks__not_after_a_kill_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
