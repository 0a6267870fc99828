// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_plan.c - who gets how many blocks and which; flow ranges; the history of it all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../tools/p4allocd/flows.h"
#include "../../tools/p4allocd/history.h"
#include "../../tools/p4allocd/plan.h"

#define W 100
#define C(min_, want_, weight_, ...) \
	{ .min = (min_), .want = (want_), .weight = (weight_), ##__VA_ARGS__ }

static const struct {
	const char *what;
	uint32_t total, free, holding;
	struct p4d_claim c[3];
	size_t n, waiting;
	uint32_t give[3];
} plans[] = {
	{ "alone: all it wants", 16, 16, 0, { C(1, 9, W) }, 1, 0, { 9 } },
	{ "alone: what there is", 16, 5, W, { C(2, 9, W) }, 1, 0, { 5 } },
	{ "alone: too little", 16, 1, W, { C(2, 9, W) }, 1, 1, { 0 } },
	{ "two: half each", 16, 16, 0, { C(1, 16, W), C(1, 16, W) }, 2, 0, { 8, 8 } },
	{ "two: by weight", 16, 16, 0, { C(1, 16, W), C(1, 16, 3 * W) }, 2, 0, { 4, 12 } },
	{ "two: what one does not want goes to the other", 16, 16, 0,
	  { C(1, 16, W), C(1, 3, W) }, 2, 0, { 13, 3 } },
	{ "two: minimum above the share", 16, 16, 0,
	  { C(12, 16, W), C(1, 16, W) }, 2, 0, { 12, 4 } },
	{ "two: guaranteed above the share", 16, 16, 0,
	  { C(1, 16, W, .guaranteed = 10), C(1, 16, W) }, 2, 0, { 10, 6 } },
	{ "a holder counts in the share", 16, 12, 2 * W,
	  { C(1, 16, W), C(1, 16, W) }, 2, 0, { 8, 4 } },
	{ "first does not fit: passed over", 16, 4, W, { C(5, 9, W), C(1, 4, W) }, 2, 1, { 0, 4 } },
	{ "passed over too often: nobody behind it is served", 16, 4, W,
	  { C(5, 9, W, .bypassed = P4D_BYPASS_MAX), C(1, 4, W) }, 2, 2, { 0, 0 } },
	{ "but those before it are", 16, 4, W,
	  { C(1, 1, W), C(5, 9, W, .bypassed = P4D_BYPASS_MAX), C(1, 4, W) }, 3, 2, { 1, 0, 0 } },
};

static void plan__table(void **state)
{
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct p4d_claim c[3] = { plans[i].c[0], plans[i].c[1], plans[i].c[2] };
		size_t waiting = p4d_plan(plans[i].total, plans[i].free, plans[i].holding, c,
					  plans[i].n);

		for (size_t j = 0; j < plans[i].n; j++)
			if (c[j].give != plans[i].give[j])
				fail_msg("%s: claim %zu got %u", plans[i].what, j, c[j].give);
		assert_int_equal(waiting, plans[i].waiting);
	}
}

/* A stream of small claims must not keep a large one waiting for ever. */
static void plan__no_starvation(void **state)
{
	struct p4d_claim large = C(16, 16, W);
	unsigned int rounds = 0;

	for (uint32_t free = 8; !large.give; rounds++) {
		struct p4d_claim c[2] = { large, C(8, 8, W) };

		p4d_plan(16, free, W, c, 2);
		large = c[0];
		free = c[1].give ? 8 : 16;	/* the small one's blocks come back each round */
		assert_true(rounds <= P4D_BYPASS_MAX + 1);
	}
	assert_int_equal(rounds, P4D_BYPASS_MAX + 2);
}

static void plan__never_gives_too_much(void **state)
{
	uint32_t seed = 1;

	for (int i = 0; i < 200000; i++) {
		struct p4d_claim c[6];
		uint32_t total, free, sum = 0;
		size_t n;

#define R(k) ((seed = seed * 1103515245 + 12345) >> 16) % (k)
		total = 1 + R(256);
		free = R(total + 1);
		n = 1 + R(6);
		for (size_t j = 0; j < n; j++) {
			uint32_t min = 1 + R(total), want = min + R(total - min + 1);

			c[j] = (struct p4d_claim){ min, want, 1 + R(1000), R(want + 1), R(6), 99 };
		}
		p4d_plan(total, free, R(3000), c, n);
		for (size_t j = 0; j < n; j++) {
			assert_true(!c[j].give ||
				    (c[j].give >= c[j].min && c[j].give <= c[j].want));
			sum += c[j].give;
		}
		assert_true(sum <= free);
		if (c[0].min <= free)
			assert_true(c[0].give > 0);	/* the first in line is served if it fits */
#undef R
	}
}

static void pick__prefers_what_it_likes(void **state)
{
	struct p4d_blocks free = { { 0xff0 } }, liked = { { 0xc01 } }, got;

	got = p4d_pick(&free, &liked, 3);
	assert_int_equal(got.w[0], 0xc10);
	got = p4d_pick(&free, &liked, 1);
	assert_int_equal(got.w[0], 0x400);
	free.w[3] = 1ull << 63;
	got = p4d_pick(&free, &liked, 9);
	assert_int_equal(p4d_blocks_count(&got), 9);
	assert_true(p4d_blocks_has(&got, 255));
}

static void flows__disjoint_and_shrinking(void **state)
{
	struct p4d_flows f = { 0 };
	struct p4d_range r[4];

	assert_int_equal(p4d_flows_init(&f, 32), 0);
	assert_int_equal(p4d_flows_max(&f), 4);
	assert_true(p4d_flows_take(&f, 1, 8, r, 3));
	assert_int_equal(r[2].first, 16);
	assert_int_equal(r[2].count, 8);
	assert_true(p4d_flows_take(&f, 2, 8, r, 2));	/* 8 are left: 4 each */
	assert_int_equal(r[0].first, 24);
	assert_int_equal(r[1].count, 4);
	assert_false(p4d_flows_take(&f, 3, 8, r, 1));
	p4d_flows_free(&f, 2);
	assert_false(p4d_flows_claim(&f, 3, (struct p4d_range){ 23, 2 }));
	assert_false(p4d_flows_claim(&f, 3, (struct p4d_range){ 31, 2 }));
	assert_false(p4d_flows_claim(&f, 3, (struct p4d_range){ 33, 0 }));
	assert_true(p4d_flows_claim(&f, 3, (struct p4d_range){ 24, 8 }));
	p4d_flows_uninit(&f);
}

static void flows__freed_ones_are_taken_last(void **state)
{
	struct p4d_flows f = { 0 };
	struct p4d_range r[2];

	assert_int_equal(p4d_flows_init(&f, 32), 0);
	for (uint32_t first = 0; first < 32; first += 8) {
		assert_true(p4d_flows_take(&f, 1, 4, r, 2));
		assert_int_equal(r[0].first, first);
		assert_int_equal(r[1].first, first + 4);
		p4d_flows_free(&f, 1);
	}
	assert_true(p4d_flows_take(&f, 1, 3, r, 2));	/* from 0 again */
	assert_int_equal(r[0].first, 0);
	assert_true(p4d_flows_take(&f, 2, 26, r, 1));
	assert_int_equal(r[0].first, 6);
	p4d_flows_free(&f, 1);
	assert_true(p4d_flows_take(&f, 3, 4, r, 1));
	p4d_flows_free(&f, 2);
	assert_true(p4d_flows_take(&f, 2, 28, r, 1));	/* fits only from its first free one on */
	assert_int_equal(r[0].first, 4);
	p4d_flows_uninit(&f);
}

struct seen {
	uint64_t us[10];
	uint32_t blocks[10][2];
	size_t n, columns;
};

static void see(void *arg, uint64_t us, const uint32_t *blocks, size_t n)
{
	struct seen *s = arg;

	if (s->n < 10) {
		s->us[s->n] = us;
		s->blocks[s->n][0] = n > 0 ? blocks[0] : 0;
		s->blocks[s->n][1] = n > 1 ? blocks[1] : 0;
	}
	s->columns = n;
	s->n++;
}

static void history__rows(void **state)
{
	struct p4d_history *h = p4d_history_create();
	struct seen all = { 0 }, late = { 0 };

	p4d_history_record(h, 10, 7, 4);
	p4d_history_record(h, 20, 3, 2);
	p4d_history_record(h, 30, 7, 4);	/* no change */
	p4d_history_record(h, 40, 7, 0);
	p4d_history_walk(h, 0, see, &all);
	assert_int_equal(all.n, 4);		/* the state at 0, and three changes */
	assert_int_equal(all.columns, 2);
	assert_int_equal(all.us[1], 10);
	assert_int_equal(all.blocks[1][1], 4);	/* column 1 is tenant 7 */
	assert_int_equal(all.blocks[2][0], 2);
	assert_int_equal(all.blocks[3][1], 0);
	p4d_history_walk(h, 25, see, &late);
	assert_int_equal(late.n, 2);
	assert_int_equal(late.us[0], 25);
	assert_int_equal(late.blocks[0][1], 4);
	p4d_history_destroy(h);
}

static void history__forgets_into_its_base(void **state)
{
	struct p4d_history *h = p4d_history_create();
	struct seen s = { 0 };

	p4d_history_record(h, 1, 1, 5);
	for (uint32_t i = 0; i < P4D_HISTORY; i++)
		p4d_history_record(h, 10 + i, 2, i % 2 + 1);
	assert_int_equal(p4d_history_dropped(h), 1);
	p4d_history_walk(h, 0, see, &s);
	assert_int_equal(s.n, P4D_HISTORY + 1);
	assert_int_equal(s.us[0], 1);
	assert_int_equal(s.blocks[0][0], 5);
	assert_int_equal(s.blocks[0][1], 0);
	assert_int_equal(s.blocks[1][1], 1);
	p4d_history_destroy(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__table),
		cmocka_unit_test(plan__no_starvation),
		cmocka_unit_test(plan__never_gives_too_much),
		cmocka_unit_test(pick__prefers_what_it_likes),
		cmocka_unit_test(flows__disjoint_and_shrinking),
		cmocka_unit_test(flows__freed_ones_are_taken_last),
		cmocka_unit_test(history__rows),
		cmocka_unit_test(history__forgets_into_its_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
