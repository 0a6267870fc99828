// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_divide.c - what blocks are worth, and the division that is worth most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "allocd_exact.h"

#define ONE P4D_CURVE_ONE

/* ---------------------------------------------------------------------------------- curves */

static void curve__sums_and_powers(void **state)
{
	const uint16_t hist[] = { 32768, 16384, 8192 };
	struct p4d_curve c;

	p4d_curve_make(&c, hist, 3, P4D_CURVE_ALL, 1);
	assert_int_equal(c.value[0], 0);
	assert_int_equal(c.value[1], ONE / 2);
	assert_int_equal(c.value[2], ONE / 4 * 3);
	assert_int_equal(c.value[3], ONE / 8 * 7);
	assert_int_equal(c.value[256], ONE / 8 * 7);
	p4d_curve_make(&c, hist, 3, P4D_CURVE_ALL, 2);
	assert_int_equal(c.value[1], ONE / 4);
	assert_int_equal(c.value[2], ONE / 16 * 9);
	p4d_curve_make(&c, hist, 3, P4D_CURVE_ALL, 8);
	assert_int_equal(c.value[1], ONE / 256);
}

static void curve__is_believed_as_far_as_a_layout_allows(void **state)
{
	const uint16_t rising[] = { 100, 5000, 50 }, flat[] = { 100, 100, 50 };
	uint16_t much[4] = { 60000, 60000, 60000, 60000 }, more[3];
	struct p4d_curve a, b;

	p4d_curve_make(&a, rising, 3, P4D_CURVE_ALL, 1);
	p4d_curve_make(&b, flat, 3, P4D_CURVE_ALL, 1);
	assert_memory_equal(a.value, b.value, sizeof(a.value));
	p4d_curve_make(&a, much, 4, P4D_CURVE_ALL, 1);
	assert_int_equal(a.value[1], ONE / 4);
	assert_int_equal(a.value[4], ONE);
	p4d_curve_make(&a, flat, 3, P4D_CURVE_OWN, 3);
	for (int i = 0; i < 3; i++)
		more[i] = 10 * flat[i];
	p4d_curve_make(&b, more, 3, P4D_CURVE_OWN, 3);
	assert_memory_equal(a.value, b.value, sizeof(a.value));
	assert_int_equal(a.value[3], ONE);
}

static void curve__nothing_declared_falls(void **state)
{
	struct p4d_curve c;

	p4d_curve_make(&c, NULL, 0, P4D_CURVE_ALL, 0);
	for (int b = 2; b <= P4W_MAX_BLOCKS; b++)
		assert_true(c.value[b] - c.value[b - 1] < c.value[b - 1] - c.value[b - 2]);
	assert_true(c.value[P4W_MAX_BLOCKS] < ONE);
	assert_int_equal(c.corners, P4W_MAX_BLOCKS + 1);
}

static void curve__corners(void **state)
{
	const uint16_t hist[] = { 10000, 10000, 10000, 10000, 100 };
	struct p4d_curve c;

	p4d_curve_make(&c, hist, 5, P4D_CURVE_ALL, 1);
	p4d_curve_limit(&c, 0, 1, 6);
	assert_int_equal(c.corners, 7);		/* points on an edge count */
	p4d_curve_limit(&c, 2, 4, 6);
	assert_int_equal(c.corners, 4);
	assert_int_equal(c.corner[0], 2);
	assert_int_equal(c.corner[1], 4);
	p4d_curve_make(&c, hist, 5, P4D_CURVE_ALL, 8);
	p4d_curve_limit(&c, 0, 1, 5);
	assert_int_equal(c.corners, 3);
	assert_int_equal(c.corner[1], 4);
}

/* -------------------------------------------------------------------------------- division */

struct bench {
	struct p4d_divider *d;
	struct p4d_curve curve[40];
	struct p4d_bidder b[40];
};

static void check_limits(const struct p4d_bidder *b, size_t n, uint32_t capacity,
			 const struct p4d_worth *w)
{
	uint64_t value = 0;
	uint32_t used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct p4d_curve *c = b[i].curve;

		assert_true(b[i].give == c->least ||
			    (b[i].give >= c->min && b[i].give <= c->most));
		value += (uint64_t)b[i].factor * c->value[b[i].give];
		used += b[i].cost * b[i].give;
	}
	assert_true(used <= capacity);
	assert_int_equal(used, w->used);
	assert_true(value == w->value);
}

static void random_curve(struct p4d_curve *c, uint64_t *seed, unsigned int together)
{
	uint16_t hist[P4W_MAX_BLOCKS];
	unsigned int least, min, most, n = 1 + exact_random(seed) % 40;

	for (unsigned int b = 0; b < n; b++)
		hist[b] = exact_random(seed) % (b ? hist[b - 1] + 1 : 30000);
	p4d_curve_make(c, hist, n, P4D_CURVE_ALL, together);
	least = exact_random(seed) % 4 ? 0 : exact_random(seed) % 3;
	min = exact_random(seed) % 2 ? 1 : 1 + exact_random(seed) % 5;
	most = least + exact_random(seed) % 40;
	p4d_curve_limit(c, least, min, most > min ? most : min);
}

/* Small ones are solved to the end, and the proof says so. */
static void divide__is_the_optimum(void **state)
{
	struct bench *t = *state;
	uint64_t seed = 1;

	for (int round = 0; round < 3000; round++) {
		unsigned int together = 1 + exact_random(&seed) % 8;
		size_t n = 1 + exact_random(&seed) % 12;
		uint32_t must = 0, capacity;
		struct p4d_worth w;

		for (size_t i = 0; i < n; i++) {
			random_curve(&t->curve[i], &seed, together);
			t->b[i] = (struct p4d_bidder){ &t->curve[i], 1 + exact_random(&seed) % 999,
						       1 + exact_random(&seed) % 3, 0 };
			must += t->b[i].cost * t->curve[i].least;
		}
		capacity = must + exact_random(&seed) % 120;
		w = p4d_divide(t->d, t->b, n, capacity);
		check_limits(t->b, n, capacity, &w);
		assert_true(w.exact);
		assert_true(w.value == exact_worth(t->b, n, capacity));
		assert_true(w.bound == w.value);
	}
}

/* Many alike and no luck with the price: the search may end early, the bound holds. */
static void divide__bound_holds(void **state)
{
	struct bench *t = *state;
	uint64_t seed = 7;

	for (int round = 0; round < 60; round++) {
		uint32_t capacity = 1 + exact_random(&seed) % 256;
		uint64_t best;
		struct p4d_worth w;

		for (size_t i = 0; i < 40; i++) {
			uint16_t hist[P4W_MAX_BLOCKS];

			exact_zipf(hist, 0.6 + exact_uniform(&seed), 2e4, 1280);
			p4d_curve_make(&t->curve[i], hist, P4W_MAX_BLOCKS, P4D_CURVE_ALL, 8);
			t->b[i] = (struct p4d_bidder){ &t->curve[i], 1000, 1, 0 };
		}
		w = p4d_divide(t->d, t->b, 40, capacity);
		check_limits(t->b, 40, capacity, &w);
		best = exact_worth(t->b, 40, capacity);
		assert_true(w.value <= best);
		assert_true(w.bound >= best);
		assert_true(!w.exact || w.value == best);
		assert_true(w.value >= best * 0.99);
	}
}

static void divide__by_weight_if_nothing_is_declared(void **state)
{
	struct bench *t = *state;
	struct p4d_worth w;

	p4d_curve_make(&t->curve[0], NULL, 0, P4D_CURVE_ALL, 0);
	for (int i = 0; i < 3; i++)
		t->b[i] = (struct p4d_bidder){ &t->curve[0], i == 2 ? 200 : 100, 1, 0 };
	w = p4d_divide(t->d, t->b, 3, 64);
	assert_true(w.exact);
	assert_int_equal(t->b[0].give, 16);
	assert_int_equal(t->b[1].give, 16);
	assert_int_equal(t->b[2].give, 32);
}

static void divide__guaranteed_first(void **state)
{
	const uint16_t steep[] = { 40000, 20000 }, shallow[] = { 10, 10, 10, 10 };
	struct bench *t = *state;

	p4d_curve_make(&t->curve[0], steep, 2, P4D_CURVE_ALL, 1);
	p4d_curve_make(&t->curve[1], shallow, 4, P4D_CURVE_ALL, 1);
	p4d_curve_limit(&t->curve[1], 2, 1, 4);
	for (int i = 0; i < 2; i++)
		t->b[i] = (struct p4d_bidder){ &t->curve[i], 100, 1, 0 };
	p4d_divide(t->d, t->b, 2, 3);
	assert_int_equal(t->b[0].give, 1);
	assert_int_equal(t->b[1].give, 2);
	p4d_divide(t->d, t->b, 2, 9);
	assert_int_equal(t->b[0].give, 2);
	assert_int_equal(t->b[1].give, 4);
}

static void divide__nobody_and_nothing(void **state)
{
	struct bench *t = *state;
	struct p4d_worth w = p4d_divide(t->d, t->b, 0, 10);

	assert_true(w.exact && !w.value && !w.used);
	p4d_curve_make(&t->curve[0], NULL, 0, P4D_CURVE_ALL, 0);
	t->b[0] = (struct p4d_bidder){ &t->curve[0], 100, 1, 0 };
	w = p4d_divide(t->d, t->b, 1, 0);
	assert_true(w.exact && !w.value && !t->b[0].give);
}

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));

	t->d = p4d_divider_create();
	*state = t;
	return t->d ? 0 : -1;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	p4d_divider_destroy(t->d);
	free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(curve__sums_and_powers),
		cmocka_unit_test(curve__is_believed_as_far_as_a_layout_allows),
		cmocka_unit_test(curve__nothing_declared_falls),
		cmocka_unit_test(curve__corners),
		cmocka_unit_test(divide__is_the_optimum),
		cmocka_unit_test(divide__bound_holds),
		cmocka_unit_test(divide__by_weight_if_nothing_is_declared),
		cmocka_unit_test(divide__guaranteed_first),
		cmocka_unit_test(divide__nobody_and_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
