// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_counts.c - counts of what transactions access: sums, room, layouts of several nodes, "together". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p4alloc.h"

static const struct p4a_geometry geo = { .registers = 4, .blocks = 8, .dependent = 1 };
static uint64_t rng_state;

static uint32_t below(uint32_t n)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rng_state >> 33) % n;
}

static uint64_t count_of(const struct p4a_counts *c, uint64_t key)
{
	struct p4a_key_count kc[4096];
	size_t n = p4a_counts_get(c, kc, 4096), i;

	for (i = 0; i < n; i++)
		if (kc[i].key == key)
			return kc[i].count;
	return 0;
}

static void access_keys(struct p4a_counts *c, const uint64_t *key, unsigned int n)
{
	struct p4a_op ops[P4A_MAX_OPS];

	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct p4a_op) { .key = key[i], .code = P4A_ADD };
	assert_int_equal(p4a_counts_txn(c, ops, n), 0);
}

static void counts__sums_and_flags(void **state)
{
	const struct p4a_op ops[] = {
		{ 7, 0, P4A_READ | P4A_SOURCE }, { 8, 1, P4A_ADD | P4A_DEPENDENT }, { 7, 0, P4A_READ },
	};
	struct p4a_key_count kc[3] = { { 1, 1 }, { 2, 1 }, { 3, 1 } };
	struct p4a_counts *c;

	assert_int_equal(p4a_counts_new(&c, 0), -EINVAL);
	assert_int_equal(p4a_counts_new(&c, 2), 0);
	assert_int_equal(p4a_counts_txn(c, ops, 65), -EINVAL);
	assert_int_equal(p4a_counts_txn(c, ops, 3), 0);
	assert_true(count_of(c, 7) == (2 | P4A_KEY_SOURCE));
	assert_true(count_of(c, 8) == (1 | P4A_KEY_DEPENDENT));
	assert_int_equal(p4a_counts_get(c, NULL, 0), 2);
	assert_int_equal(p4a_counts_age(c), 0);
	assert_true(count_of(c, 7) == (1 | P4A_KEY_SOURCE));
	assert_int_equal(p4a_counts_get(c, kc, 1), 1);
	assert_int_equal(kc[0].key, 7);
	kc[0].key = 9;
	assert_int_equal(p4a_counts_add(c, kc, 2), -ENOSPC);
	kc[0].count = 0;
	assert_int_equal(p4a_counts_add(c, kc, 1), -EINVAL);
	p4a_counts_free(c);
	p4a_counts_free(NULL);
}

/* Many cold keys pass by; the hot ones stay, and there are never more than were asked for. */
static void counts__keep_the_heavy_ones(void **state)
{
	struct p4a_counts *c;

	assert_int_equal(p4a_counts_new(&c, 100), 0);
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t key[2] = { i % 20, 1000 + i };

		access_keys(c, key, 2);
		assert_true(p4a_counts_get(c, NULL, 0) <= 100);
	}
	for (uint64_t key = 0; key < 20; key++)
		assert_true(count_of(c, key) >= 2);
	p4a_counts_free(c);
}

/*
 * Two nodes see different transactions; what is hot moves from batch to batch. Both exchange counts, in
 * whatever order, and have the same layout, in which what was hot has the first places.
 */
static void layout__follows_what_nodes_see(void **state)
{
	struct p4a_counts *own[2], *all[2];
	struct p4a_key_count kc[2][4096];
	struct p4a_layout *l[2];
	size_t n[2];

	rng_state = 5;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(p4a_counts_new(&own[i], 4096), 0);
	for (uint64_t batch = 0; batch < 4; batch++) {
		for (unsigned int i = 0; i < 4000; i++) {
			uint64_t key[3] = { batch * 50 + below(25) * 2 + i % 2, 1000 + below(1000),
					    2000 + below(1000) };

			access_keys(own[i % 2], key, 3);
		}
		for (unsigned int i = 0; i < 2; i++)
			n[i] = p4a_counts_get(own[i], kc[i], 4096);
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(p4a_counts_new(&all[i], 8192), 0);
			assert_int_equal(p4a_counts_add(all[i], kc[i], n[i]), 0);
			assert_int_equal(p4a_counts_add(all[i], kc[!i], n[!i]), 0);
			assert_true(p4a_counts_layout(all[i], &l[i], &geo, NULL) > 0);
			assert_int_equal(p4a_counts_age(own[i]), 0);
			assert_int_equal(p4a_counts_age(own[i]), 0);
		}
		for (uint64_t key = 0; key < 3000; key++) {
			struct p4a_cell a = { 0 }, b = { 0 };

			assert_int_equal(p4a_layout_lookup(l[0], key, &a),
					 p4a_layout_lookup(l[1], key, &b));
			assert_memory_equal(&a, &b, sizeof(a));
			if (key / 50 == batch)
				assert_true(a.count && a.slot < 64);
		}
		for (unsigned int i = 0; i < 2; i++) {
			p4a_layout_free(l[i]);
			p4a_counts_free(all[i]);
		}
	}
	p4a_counts_free(own[0]);
	p4a_counts_free(own[1]);
}

static unsigned int together(void (*draw)(uint64_t *key), unsigned int n)
{
	struct p4a_counts *c;
	struct p4a_layout *l;
	unsigned int k;

	rng_state = 9;
	assert_int_equal(p4a_counts_new(&c, 4096), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t key[8];

		draw(key);
		access_keys(c, key, n);
	}
	assert_true(p4a_counts_layout(c, &l, &geo, NULL) > 0);
	k = p4a_counts_together(c, l);
	p4a_layout_free(l);
	p4a_counts_free(c);
	return k;
}

static void draw_by_chance(uint64_t *key)
{
	for (unsigned int i = 0; i < 8; i++)
		key[i] = below(1 + below(3000));
}

/* Groups of eight that never mix, some wanted more than others. */
static void draw_groups(uint64_t *key)
{
	uint64_t group = below(1 + below(300));

	for (unsigned int i = 0; i < 8; i++)
		key[i] = group * 8 + i;
}

/* Two groups of four. */
static void draw_two(uint64_t *key)
{
	for (unsigned int half = 0; half < 2; half++) {
		uint64_t group = below(1 + below(600));

		for (unsigned int i = 0; i < 4; i++)
			key[4 * half + i] = group * 4 + i;
	}
}

static void together__is_how_much_chance_there_is(void **state)
{
	unsigned int alone = together(draw_by_chance, 1), chance = together(draw_by_chance, 8);
	unsigned int groups = together(draw_groups, 8), two = together(draw_two, 8);
	struct p4a_counts *c;
	struct p4a_layout *l;

	assert_int_equal(alone, 1);
	assert_in_range(chance, 7, 9);
	assert_int_equal(groups, 1);
	assert_int_equal(two, 2);
	assert_int_equal(p4a_counts_new(&c, 10), 0);
	assert_int_equal(p4a_counts_layout(c, &l, &geo, NULL), 0);
	assert_int_equal(p4a_counts_together(c, l), 1);
	p4a_layout_free(l);
	p4a_counts_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts__sums_and_flags),
		cmocka_unit_test(counts__keep_the_heavy_ones),
		cmocka_unit_test(layout__follows_what_nodes_see),
		cmocka_unit_test(together__is_how_much_chance_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
