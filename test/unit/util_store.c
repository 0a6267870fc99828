// SPDX-License-Identifier: GPL-2.0-or-later
/* A node's store: locks all or none, undo, and keys that are in the switch. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/store.h"

#define KEYS 100	/* node 1 of 2 owns the odd ones */

static struct store_result got[TRACE_OPS_MAX];

static enum store_verdict access2(struct store *s, uint64_t txn, uint32_t a, uint32_t b)
{
	struct trace_op ops[] = { { a, 10, TRACE_ADD }, { b, 20, TRACE_WRITE } };

	return store_access(s, txn, ops, 2, 0, got);
}

static uint32_t value(struct store *s, uint32_t key, uint32_t *version)
{
	uint32_t v;

	store_peek(s, key, &v, version);
	return v;
}

static void access__executes_and_counts(void **state)
{
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t version;

	assert_int_equal(access2(s, 1, 3, 5), STORE_OK);
	assert_int_equal(got[0].got, trace_initial(3));
	assert_int_equal(got[1].got, trace_initial(5));
	assert_int_equal(got[0].version, 1);
	store_release(s, 1, false);
	assert_int_equal(value(s, 3, &version), trace_initial(3) + 10);
	assert_int_equal(version, 1);
	assert_int_equal(access2(s, 2, 5, 3), STORE_OK);
	assert_int_equal(got[0].got, 20);
	assert_int_equal(got[0].version, 2);
	assert_int_equal(store_holders(s), 1);
	store_free(s);
}

static void access__takes_all_or_none(void **state)
{
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t version;

	assert_int_equal(access2(s, 1, 3, 5), STORE_OK);
	assert_int_equal(access2(s, 2, 7, 5), STORE_LOCKED);
	assert_int_equal(value(s, 7, &version), trace_initial(7));
	assert_int_equal(version, 0);
	assert_int_equal(access2(s, 2, 7, 9), STORE_OK);
	assert_int_equal(access2(s, 3, 11, 4), STORE_FOREIGN);
	assert_int_equal(access2(s, 3, 11, KEYS + 1), STORE_FOREIGN);
	store_release(s, 1, false);
	assert_int_equal(access2(s, 3, 11, 5), STORE_OK);
	store_free(s);
}

static void access__repeat_is_answered_from_record(void **state)
{
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t version;

	assert_int_equal(access2(s, 1, 3, 5), STORE_OK);
	assert_int_equal(access2(s, 1, 3, 5), STORE_OK);
	assert_int_equal(got[0].got, trace_initial(3));
	assert_int_equal(value(s, 3, &version), trace_initial(3) + 10);
	assert_int_equal(version, 1);
	store_free(s);
}

static void release__undo_restores_values_and_versions(void **state)
{
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t version;

	assert_int_equal(access2(s, 1, 3, 5), STORE_OK);
	store_release(s, 1, true);
	store_release(s, 1, true);
	assert_int_equal(value(s, 3, &version), trace_initial(3));
	assert_int_equal(version, 0);
	assert_int_equal(value(s, 5, &version), trace_initial(5));
	assert_int_equal(store_holders(s), 0);
	store_free(s);
}

static void take__refuses_until_put(void **state)
{
	static const uint32_t keys[] = { 3, 5 }, values[] = { 33, 55 };
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t out[2], version;

	assert_int_equal(store_take(s, keys, 2, out, 1000), 0);
	assert_int_equal(out[1], trace_initial(5));
	assert_int_equal(access2(s, 1, 7, 5), STORE_IN_SWITCH);
	store_put(s, keys, 2, values, 9);
	assert_int_equal(access2(s, 1, 7, 5), STORE_OK);
	assert_int_equal(got[0].epoch, 0);
	assert_int_equal(got[1].got, 55);
	assert_int_equal(got[1].epoch, 9);
	assert_int_equal(value(s, 3, &version), 33);
	assert_int_equal(version, 0);
	store_free(s);
}

static void take__times_out_behind_a_lock(void **state)
{
	static const uint32_t keys[] = { 3, 5 };
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t out[2];

	assert_int_equal(access2(s, 1, 9, 5), STORE_OK);
	assert_int_equal(store_take(s, keys, 2, out, 20), -ETIMEDOUT);
	assert_int_equal(access2(s, 2, 3, 7), STORE_OK);
	store_free(s);
}

static void *release_later(void *arg)
{
	usleep(50000);
	store_release(arg, 1, false);
	return NULL;
}

static void take__waits_for_the_lock(void **state)
{
	static const uint32_t keys[] = { 5 };
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	pthread_t t;
	uint32_t out;

	assert_int_equal(access2(s, 1, 9, 5), STORE_OK);
	assert_int_equal(pthread_create(&t, NULL, release_later, s), 0);
	assert_int_equal(store_take(s, keys, 1, &out, 20000), 0);
	assert_int_equal(out, 20);
	pthread_join(t, NULL);
	store_free(s);
}

static void put__without_epoch_leaves_values(void **state)
{
	static const uint32_t keys[] = { 3 };
	struct store *s = store_new(KEYS, START_MIXED, 2, 1);
	uint32_t out;

	assert_int_equal(store_take(s, keys, 1, &out, 0), 0);
	store_put(s, keys, 1, NULL, 0);
	assert_int_equal(access2(s, 1, 3, 7), STORE_OK);
	assert_int_equal(got[0].got, trace_initial(3));
	assert_int_equal(got[0].epoch, 0);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access__executes_and_counts),
		cmocka_unit_test(access__takes_all_or_none),
		cmocka_unit_test(access__repeat_is_answered_from_record),
		cmocka_unit_test(release__undo_restores_values_and_versions),
		cmocka_unit_test(take__refuses_until_put),
		cmocka_unit_test(take__times_out_behind_a_lock),
		cmocka_unit_test(take__waits_for_the_lock),
		cmocka_unit_test(put__without_epoch_leaves_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
