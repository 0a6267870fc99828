// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_plan.c - who gets how many blocks and which; credits, flow ranges, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../tools/p4allocd/account.h"
#include "../../tools/p4allocd/flows.h"
#include "../../tools/p4allocd/history.h"
#include "../../tools/p4allocd/plan.h"

#define W 100
#define C(min_, target_, factor_, ...) \
	{ .min = (min_), .target = (target_), .factor = (factor_), ##__VA_ARGS__ }

static const struct {
	const char *what;
	uint32_t free;
	struct p4d_claim c[3];
	size_t n, waiting;
	uint32_t give[3];
} plans[] = {
	{ "alone: its target", 16, { C(1, 9, W) }, 1, 0, { 9 } },
	{ "alone: what there is", 5, { C(2, 9, W) }, 1, 0, { 5 } },
	{ "alone: too little", 1, { C(2, 9, W) }, 1, 1, { 0 } },
	{ "alone: its minimum is above its target", 16, { C(3, 0, W) }, 1, 0, { 3 } },
	{ "two: half each", 16, { C(1, 16, W), C(1, 16, W) }, 2, 0, { 8, 8 } },
	{ "two: by weight", 16, { C(1, 16, W), C(1, 16, 3 * W) }, 2, 0, { 4, 12 } },
	{ "two: what one should not have goes to the other", 16, { C(1, 16, W), C(1, 3, W) }, 2, 0,
	  { 13, 3 } },
	{ "two: targets leave some free", 16, { C(1, 7, W), C(1, 3, W) }, 2, 0, { 7, 3 } },
	{ "two: minimum above the share", 16, { C(12, 16, W), C(1, 16, W) }, 2, 0, { 12, 4 } },
	{ "first does not fit: passed over", 4, { C(5, 9, W), C(1, 4, W) }, 2, 1, { 0, 4 } },
	{ "passed over too often: nobody behind it is served", 4,
	  { C(5, 9, W, .bypassed = P4D_BYPASS_MAX), C(1, 4, W) }, 2, 2, { 0, 0 } },
	{ "but those before it are", 4,
	  { C(1, 1, W), C(5, 9, W, .bypassed = P4D_BYPASS_MAX), C(1, 4, W) }, 3, 2, { 1, 0, 0 } },
	{ "the bypass that is one too many counts at once", 4,
	  { C(5, 9, W, .bypassed = P4D_BYPASS_MAX - 1), C(1, 1, W), C(1, 1, W) }, 3, 2,
	  { 0, 1, 0 } },
};

static struct p4d_divider *divider;
static struct p4d_curve curve;		/* of nothing declared */

static void plan__table(void **state)
{
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct p4d_claim c[3] = { plans[i].c[0], plans[i].c[1], plans[i].c[2] };
		size_t waiting;

		for (size_t j = 0; j < plans[i].n; j++)
			c[j].curve = &curve;
		waiting = p4d_plan(divider, plans[i].free, c, plans[i].n);
		for (size_t j = 0; j < plans[i].n; j++)
			if (c[j].give != plans[i].give[j])
				fail_msg("%s: claim %zu got %u", plans[i].what, j, c[j].give);
		assert_int_equal(waiting, plans[i].waiting);
	}
}

/* A stream of small claims must not keep a large one waiting for ever. */
static void plan__no_starvation(void **state)
{
	struct p4d_claim large = C(16, 16, W, .curve = &curve);
	unsigned int rounds = 0;

	for (uint32_t free = 8; !large.give; rounds++) {
		struct p4d_claim c[2] = { large, C(8, 8, W, .curve = &curve) };

		p4d_plan(divider, free, c, 2);
		large = c[0];
		free = c[1].give ? 8 : 16;	/* the small one's blocks come back each round */
		assert_true(rounds <= P4D_BYPASS_MAX + 1);
	}
	assert_int_equal(rounds, P4D_BYPASS_MAX + 2);
}

static void plan__never_gives_too_much(void **state)
{
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct p4d_claim c[6];
		uint32_t total, free, sum = 0;
		size_t n;

#define R(k) ((seed = seed * 1103515245 + 12345) >> 16) % (k)
		total = 1 + R(256);
		free = R(total + 1);
		n = 1 + R(6);
		for (size_t j = 0; j < n; j++) {
			uint32_t min = 1 + R(total), target = R(total + 1);

			c[j] = (struct p4d_claim){ &curve, 1 + R(1000), min, target, R(6), 99 };
		}
		p4d_plan(divider, free, c, n);
		for (size_t j = 0; j < n; j++) {
			assert_true(!c[j].give || c[j].give == c[j].min ||
				    (c[j].give > c[j].min && c[j].give <= c[j].target));
			sum += c[j].give;
		}
		assert_true(sum <= free);
		if (c[0].min <= free)
			assert_true(c[0].give > 0);	/* the first in line is served if it fits */
#undef R
	}
}

/* ---------------------------------------------------------------------------------- credits */

#define BATCH_US 1000

/* `n` tenants want all the time; who gets how much is decided by `give`. */
static void live(struct p4d_account *a, struct p4d_ledger *l, size_t n, int batches,
		 void (*give)(struct p4d_account *a, size_t n, uint32_t *blocks))
{
	for (int round = 0; round < batches; round++) {
		uint32_t blocks[8] = { 0 };

		give(a, n, blocks);
		for (size_t i = 0; i < n; i++) {
			p4d_account_want(l, &a[i], W);
			p4d_account_hold(l, &a[i], blocks[i]);
		}
		p4d_ledger_advance(l, l->now + BATCH_US);
		for (size_t i = 0; i < n; i++)
			p4d_account_rest(l, &a[i]);
	}
}

static void give_unequal(struct p4d_account *a, size_t n, uint32_t *blocks)
{
	blocks[0] = 12;
	blocks[1] = 4;
}

static void account__lending_earns(void **state)
{
	struct p4d_account a[2] = { 0 };
	struct p4d_ledger l = { .now = 1 };

	live(a, &l, 2, 4, give_unequal);
	assert_int_equal(a[0].credit, -4 * 4 * BATCH_US);
	assert_int_equal(a[1].credit, 4 * 4 * BATCH_US);
	assert_int_equal(a[1].due, 4 * 8 * BATCH_US);
	assert_int_equal(a[1].had, 4 * 4 * BATCH_US);
	assert_true(p4d_account_factor(&a[0], W) < 16 * W);
	assert_true(p4d_account_factor(&a[1], W) > 16 * W);
	live(a, &l, 2, 12, give_unequal);	/* eight batches' worth */
	assert_int_equal(p4d_account_factor(&a[1], W), 2 * 16 * W);
	assert_int_equal(p4d_account_factor(&a[0], W), 16 * W / 2);
	live(a, &l, 2, 1000, give_unequal);	/* and no further than that */
	assert_int_equal(p4d_account_factor(&a[1], W), 64 * 16 * W);
	assert_int_equal(p4d_account_factor(&a[0], 1), 1);
}

static void account__what_is_not_wanted_earns_nothing(void **state)
{
	struct p4d_account a[2] = { 0 };
	struct p4d_ledger l = { .now = 1 };

	p4d_account_want(&l, &a[0], W);
	p4d_account_hold(&l, &a[0], 16);
	p4d_ledger_advance(&l, 1 + BATCH_US);
	p4d_account_rest(&l, &a[0]);
	assert_int_equal(a[0].credit, 0);	/* alone: all is due to it */
	p4d_account_rest(&l, &a[1]);
	assert_int_equal(a[1].credit, 0);
}

/* One gains by each block, the other only by all: dividing by worth and credit is fair to both. */
static void give_by_worth(struct p4d_account *a, size_t n, uint32_t *blocks)
{
	static struct p4d_curve c[2];
	const uint16_t flat[16] = { 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096,
				    4096, 4096, 4096, 4096, 4096, 4096 };
	struct p4d_bidder b[2];

	for (size_t i = 0; i < 2; i++) {
		p4d_curve_make(&c[i], flat, 16, P4D_CURVE_ALL, i ? 8 : 1);
		b[i] = (struct p4d_bidder){ &c[i], p4d_account_factor(&a[i], W), 1, 0 };
	}
	p4d_divide(divider, b, 2, 16);
	blocks[0] = b[0].give;
	blocks[1] = b[1].give;
}

static void account__fair_in_the_long_run(void **state)
{
	struct p4d_account a[2] = { 0 };
	struct p4d_ledger l = { .now = 1 };

	live(a, &l, 2, 1000, give_by_worth);
	assert_in_range(a[0].had, a[0].due * 97 / 100, a[0].due * 103 / 100);
	assert_in_range(a[1].had, a[1].due * 97 / 100, a[1].due * 103 / 100);
}

/* -------------------------------------------------------------------------- which, flows */

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

static void free_all(struct p4d_flows *f, uint32_t tenant)
{
	const struct p4d_range all = { 0, f->total };

	p4d_flows_free(f, tenant, &all, 1);
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
	free_all(&f, 2);
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
		free_all(&f, 1);
	}
	assert_true(p4d_flows_take(&f, 1, 3, r, 2));	/* from 0 again */
	assert_int_equal(r[0].first, 0);
	assert_true(p4d_flows_take(&f, 2, 26, r, 1));
	assert_int_equal(r[0].first, 6);
	free_all(&f, 1);
	assert_true(p4d_flows_take(&f, 3, 4, r, 1));
	free_all(&f, 2);
	assert_true(p4d_flows_take(&f, 2, 28, r, 1));	/* fits only from its first free one on */
	assert_int_equal(r[0].first, 4);
	p4d_flows_uninit(&f);
}

struct seen {
	uint64_t us[10];
	uint32_t blocks[10][2];
	size_t n, columns, stop;
};

static bool see(void *arg, uint64_t us, const uint32_t *blocks, size_t n)
{
	struct seen *s = arg;

	if (s->n < 10) {
		s->us[s->n] = us;
		s->blocks[s->n][0] = n > 0 ? blocks[0] : 0;
		s->blocks[s->n][1] = n > 1 ? blocks[1] : 0;
	}
	s->columns = n;
	return ++s->n < s->stop;
}

static void history__rows(void **state)
{
	struct p4d_history *h = p4d_history_create();
	struct seen all = { .stop = 99 }, late = { .stop = 99 }, two = { .stop = 2 };

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
	p4d_history_walk(h, 0, see, &two);
	assert_int_equal(two.n, 2);
	p4d_history_walk(h, 25, see, &late);
	assert_int_equal(late.n, 2);
	assert_int_equal(late.us[0], 25);
	assert_int_equal(late.blocks[0][1], 4);
	p4d_history_destroy(h);
}

static void history__forgets_into_its_base(void **state)
{
	struct p4d_history *h = p4d_history_create();
	struct seen s = { .stop = SIZE_MAX };

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
		cmocka_unit_test(account__lending_earns),
		cmocka_unit_test(account__what_is_not_wanted_earns_nothing),
		cmocka_unit_test(account__fair_in_the_long_run),
		cmocka_unit_test(pick__prefers_what_it_likes),
		cmocka_unit_test(flows__disjoint_and_shrinking),
		cmocka_unit_test(flows__freed_ones_are_taken_last),
		cmocka_unit_test(history__rows),
		cmocka_unit_test(history__forgets_into_its_base),
	};

	divider = p4d_divider_create();
	p4d_curve_make(&curve, NULL, 0, P4D_CURVE_ALL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
