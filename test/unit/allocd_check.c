// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_check.c - what is believed of histograms after the switch has counted, and when it counts. */
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/p4allocd/check.h"
#include "../../tools/p4allocd/measure.h"
#include "allocd_exact.h"
#include "allocd_world.h"

#define N 16
#define HELD 8

static const uint16_t truth[N] = { 20000, 9000, 6000, 4500, 3500, 3000, 2500, 2200,
				   2000, 1800, 1600, 1500, 1400, 1300, 1200, 1100 };

/* What an honest tenant does with `total` accesses, chance left out. */
static void use(uint64_t seen[HELD], uint64_t total)
{
	uint64_t sum = 0;

	for (int b = 0; b < HELD; b++)
		sum += truth[b];
	for (int b = 0; b < HELD; b++)
		seen[b] = total * truth[b] / sum;
}

static void assert_nothing_off(const struct p4d_check *c)
{
	uint16_t off[P4W_MAX_BLOCKS];

	p4d_check_off(c, off);
	for (int b = 0; b < P4W_MAX_BLOCKS; b++)
		assert_int_equal(off[b], 0);
}

static void honest__is_believed(void **state)
{
	uint16_t ten[N], believed[N];
	struct p4d_check c = { 0 };
	uint64_t seen[HELD];

	for (int b = 0; b < N; b++)
		ten[b] = truth[b] / 10;
	for (uint64_t total = 1; total < 1ull << 36; total *= 3) {
		use(seen, total);
		p4d_check_learn(&c, truth, N, seen, HELD);
		assert_nothing_off(&c);
		p4d_check_learn(&c, ten, N, seen, HELD);	/* a tenth of all of it: the same shape */
		assert_nothing_off(&c);
	}
	assert_int_equal(p4d_check_apply(&c, truth, N, believed), 62600);
	assert_memory_equal(believed, truth, sizeof(truth));
}

/* Sampled batches of all sizes, 300 tenants of 200 batches each. */
static void chance__takes_nothing_off(void **state)
{
	uint64_t seed = 1;

	for (int tenant = 0; tenant < 300; tenant++) {
		struct p4d_check c = { 0 };

		for (int batch = 0; batch < 200; batch++) {
			uint64_t seen[HELD], total = exp(12 * exact_uniform(&seed));

			use(seen, total);
			for (int b = 0; b < HELD; b++) {
				double u = 1 - exact_uniform(&seed), v = exact_uniform(&seed);
				double z = sqrt(-2 * log(u)) * cos(2 * M_PI * v);

				seen[b] = fmax(0, round(seen[b] + sqrt(seen[b]) * z));
			}
			p4d_check_learn(&c, truth, N, seen, HELD);
			assert_nothing_off(&c);
		}
	}
}

static void rounding__takes_nothing_off(void **state)
{
	const uint16_t small[HELD] = { 60, 30, 5, 3, 2, 1, 1, 1 };	/* 60.0 30.0 4.5 2.5 1.5 0.5.. */
	const uint64_t seen[HELD] = { 6000000, 3000000, 450000, 250000, 150000, 50000, 50000, 50000 };
	struct p4d_check c = { 0 };

	for (int i = 0; i < 50; i++)
		p4d_check_learn(&c, small, HELD, seen, HELD);
	assert_nothing_off(&c);
}

static void flat__is_believed_as_far_as_it_was_seen(void **state)
{
	uint16_t flat[N], believed[N];
	struct p4d_check c = { 0 };
	uint64_t seen[HELD];
	uint32_t sum = 0;

	for (int b = 0; b < N; b++)
		flat[b] = 4000;
	use(seen, 1000000);
	p4d_check_learn(&c, flat, N, seen, HELD);
	assert_int_equal(p4d_check_apply(&c, flat, N, believed), N * 4000);
	assert_int_equal(believed[0], 4000);	/* what was understated is not made more */
	for (int b = 2; b < HELD; b++)		/* 1/8 was said, truth[b] / 50700 was seen */
		assert_in_range(believed[b], HELD * 4000 * truth[b] / 50700,
				HELD * 4000 * truth[b] / 50700 * 110 / 100);
	for (int b = HELD; b < N; b++)		/* not given: as the last one that was */
		assert_int_equal(believed[b], believed[HELD - 1]);
	for (int b = 0; b < N; b++)
		sum += believed[b];
	assert_true(sum < N * 4000 * 55 / 100);
}

static void lie__fades(void **state)
{
	uint16_t flat[N], off[P4W_MAX_BLOCKS];
	struct p4d_check c = { 0 };
	uint64_t seen[HELD];
	int batches = 0;

	for (int b = 0; b < N; b++)
		flat[b] = 4000;
	use(seen, 1000000);
	for (int i = 0; i < 100; i++)		/* an honest life before */
		p4d_check_learn(&c, truth, N, seen, HELD);
	for (int i = 0; i < 20; i++)
		p4d_check_learn(&c, flat, N, seen, HELD);
	p4d_check_off(&c, off);
	assert_true(off[HELD - 1] > 30000);
	do {
		p4d_check_learn(&c, truth, N, seen, HELD);
		p4d_check_off(&c, off);
	} while (off[HELD - 1] && ++batches < 100);
	assert_in_range(batches, 3, 40);
}

static void extremes__are_bounded(void **state)
{
	uint16_t hist[P4W_MAX_BLOCKS], off[P4W_MAX_BLOCKS], believed[P4W_MAX_BLOCKS];
	uint64_t seen[P4W_MAX_BLOCKS];
	struct p4d_check c = { 0 };

	memset(hist, 0xff, sizeof(hist));
	memset(seen, 0xff, sizeof(seen));
	for (int i = 0; i < 3; i++)
		p4d_check_learn(&c, hist, P4W_MAX_BLOCKS, seen, P4W_MAX_BLOCKS);
	memset(seen, 0, sizeof(seen));
	p4d_check_learn(&c, hist, P4W_MAX_BLOCKS, seen, P4W_MAX_BLOCKS);
	assert_nothing_off(&c);
	seen[0] = 1ull << 40;
	for (int i = 0; i < 100; i++)
		p4d_check_learn(&c, hist, P4W_MAX_BLOCKS, seen, P4W_MAX_BLOCKS);
	p4d_check_off(&c, off);
	assert_int_equal(off[0], 0);
	assert_true(off[1] > 65000 && off[255] > 65000);
	assert_int_equal(p4d_check_apply(&c, hist, 256, believed), 256 * 65535);
	memset(hist, 0, sizeof(hist));
	p4d_check_learn(&c, hist, P4W_MAX_BLOCKS, seen, P4W_MAX_BLOCKS);
	assert_int_equal(p4d_check_apply(&c, hist, 256, believed), 0);
	p4d_check_learn(&c, hist, 0, seen, 5);
	p4d_check_learn(&c, truth, N, seen, 0);
}

/* --------------------------------------------------------------------------------- when */

static struct world *make_world(uint32_t tenants)
{
	static const struct p4d_policy policy = { .lease_max_us = 5000000, .grace_us = 1000 };
	struct world *w = world_create(2, N, 64, tenants);

	p4d_engine_policy(w->e, w->now, &policy);
	return w;
}

static struct p4d_tenant *tenant(struct world *w, uint32_t id)
{
	return p4d_engine_tenant_record(w->e, id);
}

static void ask(struct world *w, uint32_t id, uint32_t batch, uint32_t code, bool flat)
{
	uint16_t hist[N];
	struct p4d_request r = {
		.nodes = 1, .batch = batch, .code = code, .duration_us = 5000000, .min_blocks = 1,
		.want_blocks = N, .flows = 1, .nr_hist = N, .hist = (const char *)hist,
	};

	for (int b = 0; b < N; b++)
		hist[b] = htons(flat ? 4000 : truth[b]);
	world_send_request(w, id, &r);
	world_send(w, id, 0, 1, P4W_WAIT, batch, 0);
	world_settle(w);
	assert_int_equal(tenant(w, id)->cur->state, P4D_HELD);
}

static void use_blocks(struct world *w, uint32_t id, uint64_t total)
{
	const struct p4d_batch *b = tenant(w, id)->cur;
	int n = 0;

	p4d_blocks_each(&b->blocks, block)
		w->access[block] += total * truth[n++] / 62600;
}

static void reach(struct world *w, uint32_t id, uint32_t batch, uint32_t phase)
{
	world_send(w, id, 0, 1, P4W_SYNC, batch, phase);
	world_settle(w);
}

static void fill_and_drain__are_not_counted(void **state)
{
	struct world *w = make_world(1);
	struct p4d_tenant *t = tenant(w, 1);

	for (uint32_t batch = 1; batch <= 10; batch++) {
		ask(w, 1, batch, batch > 1 ? P4W_REQ_DONE : 0, false);
		for (int b = 0; b < N; b++)
			w->access[b] += 100000;		/* far more than what runs */
		reach(w, 1, batch, P4W_PHASE_FILLED);
		assert_int_equal(t->check.batches, batch - 1);
		use_blocks(w, 1, 20000);
		reach(w, 1, batch, P4W_PHASE_RAN);
		assert_int_equal(t->check.batches, batch);
		for (int b = 0; b < N; b++)
			w->access[b] += 100000;
		assert_nothing_off(&t->check);
	}
	assert_int_equal(w->counts, 20);
	world_destroy(w);
}

static void flat__has_less_worth_in_the_next_batch(void **state)
{
	struct world *w = make_world(2);
	uint32_t before, honest;

	ask(w, 1, 1, 0, true);
	before = tenant(w, 1)->cur->curve.value[N];
	reach(w, 1, 1, P4W_PHASE_FILLED);
	use_blocks(w, 1, 1000000);
	reach(w, 1, 1, P4W_PHASE_RAN);
	ask(w, 1, 2, P4W_REQ_DONE, true);
	assert_int_equal(before, P4D_CURVE_ONE);
	assert_true(tenant(w, 1)->cur->curve.value[N] < before * 7ull / 10);
	ask(w, 1, 3, P4W_REQ_DONE, false);
	honest = tenant(w, 1)->cur->curve.value[N];
	assert_true(honest < P4D_CURVE_ONE);	/* until it is forgotten */
	world_destroy(w);
}

static void long_batch__is_counted_again_and_at_the_fence(void **state)
{
	struct world *w = make_world(2);
	struct p4d_tenant *t = tenant(w, 1);

	ask(w, 1, 1, 0, false);
	reach(w, 1, 1, P4W_PHASE_FILLED);
	for (int i = 1; i <= 4; i++) {
		use_blocks(w, 1, 10000);
		world_sleep(w, P4D_MEASURE_US);
		assert_int_equal(t->check.batches, i);
	}
	use_blocks(w, 1, 10000);
	world_send(w, 1, 0, 1, P4W_HELLO, 0, 0);	/* the node has restarted: a fence */
	world_settle(w);
	assert_null(t->cur);
	assert_int_equal(t->check.batches, 5);
	assert_nothing_off(&t->check);
	world_sleep(w, 3 * P4D_MEASURE_US);
	assert_int_equal(w->counts, 6);
	world_destroy(w);
}

/* A packet was lost between its passes: the batch is lost within a second, and the next one is whole. */
static void stuck_bits__end_the_batch(void **state)
{
	struct world *w = make_world(2);
	struct p4d_tenant *t = tenant(w, 1);
	uint64_t rpc;

	ask(w, 1, 1, 0, false);
	reach(w, 1, 1, P4W_PHASE_FILLED);
	w->stuck = true;
	world_sleep(w, P4D_MEASURE_US);
	assert_null(t->cur);
	assert_int_equal(t->last_end, P4D_END_LOST);
	assert_int_equal(t->counter[P4D_C_lost], 1);
	assert_int_equal(w->reads, 0);		/* half of a transaction is in its cells */
	rpc = world_send(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_EXPIRED);
	ask(w, 1, 2, 0, false);
	assert_non_null(t->cur);
	world_destroy(w);
}

static void switch_away__nobody_waits_for_counts(void **state)
{
	struct world *w = make_world(1);
	uint64_t rpc;

	ask(w, 1, 1, 0, false);
	world_send(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED);	/* the count is under way */
	world_switch_down(w);
	world_switch_up(w);
	use_blocks(w, 1, 10000);
	rpc = world_send(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	assert_int_equal(world_type(w, rpc), P4W_SYNCED);	/* before the switch is asked */
	world_settle(w);
	assert_int_equal(tenant(w, 1)->check.batches, 0);	/* the filling may be in it */
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest__is_believed),
		cmocka_unit_test(chance__takes_nothing_off),
		cmocka_unit_test(rounding__takes_nothing_off),
		cmocka_unit_test(flat__is_believed_as_far_as_it_was_seen),
		cmocka_unit_test(lie__fades),
		cmocka_unit_test(extremes__are_bounded),
		cmocka_unit_test(fill_and_drain__are_not_counted),
		cmocka_unit_test(flat__has_less_worth_in_the_next_batch),
		cmocka_unit_test(long_batch__is_counted_again_and_at_the_fence),
		cmocka_unit_test(stuck_bits__end_the_batch),
		cmocka_unit_test(switch_away__nobody_waits_for_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
