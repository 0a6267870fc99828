// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_resize.c - a batch that gets more blocks, or gives some back, while it runs. */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include "allocd_world.h"

#define MS 1000u
#define NODES 2

static uint64_t request(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes,
			uint16_t min, uint16_t want)
{
	struct p4d_request r = {
		.node = node, .nodes = nodes, .batch = 1, .duration_us = 10 * MS, .min_blocks = min,
		.want_blocks = want, .flows = 4,
	};
	uint64_t rpc = world_send_request(w, tenant, &r);

	world_settle(w);
	return rpc;
}

static uint64_t say(struct world *w, uint32_t tenant, uint16_t node, uint8_t type, uint32_t code)
{
	uint64_t rpc = world_send(w, tenant, node, NODES, type, 1, code);

	world_settle(w);
	return rpc;
}

static uint64_t step(struct world *w, uint16_t node, uint32_t code, uint16_t blocks, uint16_t number)
{
	struct p4w_resize m = {
		.msg = { P4W_VERSION, P4W_RESIZE, htons(sizeof(m)), htons(node), htons(NODES),
			 htonl(1), htonl(code) },
		.blocks = htons(blocks), .number = htons(number),
	};

	return world_send_bytes(w, 1, &m, sizeof(m));
}

static unsigned int resized(struct world *w, uint64_t rpc)
{
	const struct p4w_resized *m = world_answer(w, rpc);

	assert_int_equal(world_type(w, rpc), P4W_RESIZED);
	return ntohs(m->nr_blocks);
}

static struct p4d_tenant *tenant(struct world *w, uint32_t id)
{
	return p4d_engine_tenant_record(w->e, id);
}

static uint32_t holds(struct world *w)
{
	return p4d_blocks_count(&tenant(w, 1)->cur->blocks);
}

/* Tenant 1 runs on `blocks` of 8, with two nodes. */
static struct world *running(uint16_t blocks)
{
	struct world *w = world_create(2, 8, 64, 2);

	for (int i = 0; i < NODES; i++)
		request(w, 1, i, NODES, blocks, blocks);
	for (int i = 0; i < NODES; i++)
		say(w, 1, i, P4W_SYNC, P4W_PHASE_FILLED);
	assert_int_equal(holds(w), blocks);
	return w;
}

static void grow__in_two_steps_of_all(void **state)
{
	struct world *w = running(3);
	uint64_t a = step(w, 0, P4W_RESIZE_ASK, 5, 1), b, word = w->owner[0], serial = w->serial[0];

	world_settle(w);
	assert_int_equal(world_type(w, a), 0);
	b = step(w, 1, P4W_RESIZE_ASK, 5, 1);
	assert_int_equal(world_type(w, a), 0);		/* the switch has not been told */
	world_settle(w);
	assert_int_equal(resized(w, a), 5);
	assert_int_equal(resized(w, b), 5);
	assert_int_equal(w->owner[4], word);
	assert_int_equal(w->serial[0], serial);		/* the batch goes on */
	assert_int_equal(w->serial[3], 0);
	assert_int_equal(holds(w), 3);			/* not before all are filled */
	a = step(w, 0, P4W_RESIZE_READY, 5, 1);
	assert_int_equal(world_type(w, a), 0);
	assert_int_equal(resized(w, step(w, 1, P4W_RESIZE_ASK, 5, 1)), 5);	/* a repeat */
	b = step(w, 1, P4W_RESIZE_READY, 5, 1);
	assert_int_equal(resized(w, a), 5);
	assert_int_equal(resized(w, b), 5);
	assert_int_equal(holds(w), 5);
	assert_int_equal(resized(w, step(w, 0, P4W_RESIZE_READY, 5, 1)), 5);	/* a repeat */
	say(w, 1, 0, P4W_DONE, 0);
	say(w, 1, 1, P4W_DONE, 0);
	for (int block = 0; block < 8; block++)
		assert_int_equal(w->owner[block], 0);
	world_destroy(w);
}

static void grow__not_while_others_wait(void **state)
{
	struct world *w = running(3);
	uint64_t a, b;

	request(w, 2, 0, 1, 6, 6);
	world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	a = step(w, 0, P4W_RESIZE_ASK, 5, 1);
	b = step(w, 1, P4W_RESIZE_ASK, 5, 1);
	assert_int_equal(resized(w, a), 3);
	assert_int_equal(resized(w, b), 3);
	assert_int_equal(resized(w, step(w, 0, P4W_RESIZE_ASK, 5, 1)), 3);
	world_destroy(w);
}

static void shrink__gives_the_highest_to_who_waits(void **state)
{
	struct world *w = running(6);
	uint64_t a, b, other;

	request(w, 2, 0, 1, 5, 5);
	other = world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	a = step(w, 0, P4W_RESIZE_ASK, 3, 1);
	world_settle(w);
	assert_int_equal(world_type(w, a), 0);		/* node 1 may still use them */
	b = step(w, 1, P4W_RESIZE_ASK, 3, 1);
	assert_int_equal(resized(w, a), 3);
	assert_int_equal(resized(w, b), 3);
	assert_int_equal(w->owner[5], w->owner[0]);	/* to be drained */
	a = step(w, 0, P4W_RESIZE_READY, 3, 1);
	assert_int_equal(world_type(w, a), 0);
	b = step(w, 1, P4W_RESIZE_READY, 3, 1);
	assert_int_equal(resized(w, a), 3);
	world_settle(w);
	assert_int_equal(holds(w), 3);
	assert_int_equal(world_type(w, other), P4W_GRANTED);
	assert_int_equal(w->owner[3] >> P4W_EPOCH_BITS, 2);
	assert_int_equal(w->owner[2] >> P4W_EPOCH_BITS, 1);
	/* And once more: numbers say which change is meant. */
	assert_int_equal(resized(w, step(w, 0, P4W_RESIZE_READY, 3, 1)), 3);
	a = step(w, 0, P4W_RESIZE_ASK, 2, 2);
	b = step(w, 1, P4W_RESIZE_ASK, 2, 2);
	step(w, 0, P4W_RESIZE_READY, 2, 2);
	b = step(w, 1, P4W_RESIZE_READY, 2, 2);
	assert_int_equal(resized(w, b), 2);
	world_destroy(w);
}

static void grow__is_forgotten_with_the_lease(void **state)
{
	struct world *w = running(3);
	struct p4d_policy policy = { .lease_max_us = 1000 * MS, .grace_us = 1 * MS };
	const struct p4w_welcome *hi;
	uint64_t a, other;

	p4d_engine_policy(w->e, w->now, &policy);
	step(w, 0, P4W_RESIZE_ASK, 5, 1);
	step(w, 1, P4W_RESIZE_ASK, 5, 1);
	world_settle(w);
	a = step(w, 0, P4W_RESIZE_READY, 5, 1);		/* node 1 has died */
	request(w, 2, 0, 1, 8, 8);
	other = world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 200 * MS);
	assert_int_equal(world_type(w, other), P4W_GRANTED);
	assert_int_equal(world_refusal(w, a), P4W_REFUSED_EXPIRED);
	hi = world_answer(w, say(w, 1, 0, P4W_HELLO, 0));
	assert_int_equal(hi->msg.type, P4W_REFUSED);	/* batch must be 0 */
	a = world_send(w, 1, 0, NODES, P4W_HELLO, 0, 0);
	hi = world_answer(w, a);
	assert_int_equal(ntohl(hi->escrow), 3 * 64 * 2);	/* the others were never filled */
	world_destroy(w);
}

static void steps__of_who_leaves_or_has_run_are_not_waited_for(void **state)
{
	struct world *w = running(3);
	uint64_t a = step(w, 0, P4W_RESIZE_ASK, 4, 1);

	world_settle(w);
	assert_int_equal(world_type(w, a), 0);
	say(w, 1, 1, P4W_LEAVE, 0);
	assert_int_equal(resized(w, a), 4);
	assert_int_equal(resized(w, step(w, 0, P4W_RESIZE_READY, 4, 1)), 4);
	assert_int_equal(holds(w), 4);
	world_destroy(w);
	w = running(3);
	a = step(w, 0, P4W_RESIZE_ASK, 4, 1);
	say(w, 1, 1, P4W_SYNC, P4W_PHASE_RAN);
	assert_int_equal(resized(w, a), 4);
	assert_int_equal(world_refusal(w, step(w, 1, P4W_RESIZE_ASK, 4, 1)), P4W_REFUSED_ORDER);
	world_destroy(w);
}

static void steps__out_of_order_are_refused(void **state)
{
	struct world *w = running(3);

	assert_int_equal(world_refusal(w, step(w, 0, P4W_RESIZE_READY, 4, 1)), P4W_REFUSED_ORDER);
	assert_int_equal(world_refusal(w, step(w, 0, P4W_RESIZE_ASK, 4, 2)), P4W_REFUSED_ORDER);
	assert_int_equal(world_refusal(w, step(w, 0, P4W_RESIZE_ASK, 0, 1)), P4W_REFUSED_RANGE);
	step(w, 0, P4W_RESIZE_ASK, 4, 1);
	assert_int_equal(world_refusal(w, step(w, 1, P4W_RESIZE_ASK, 5, 1)), P4W_REFUSED_RANGE);
	world_destroy(w);
}

/* The switch is told again what it had not acknowledged. */
static void grow__over_a_broken_connection(void **state)
{
	struct world *w = running(3);
	uint64_t a = step(w, 0, P4W_RESIZE_ASK, 5, 1);

	step(w, 1, P4W_RESIZE_ASK, 5, 1);
	world_switch_down(w);
	world_switch_up(w);
	assert_int_equal(world_type(w, a), 0);
	world_settle(w);
	assert_int_equal(resized(w, a), 5);
	world_destroy(w);
}

static void steps__after_the_batch_are_refused(void **state)
{
	struct world *w = running(3);

	for (int i = 0; i < NODES; i++)
		say(w, 1, i, P4W_DONE, 0);
	assert_int_equal(world_refusal(w, step(w, 0, P4W_RESIZE_ASK, 5, 1)), P4W_REFUSED_ORDER);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grow__in_two_steps_of_all),
		cmocka_unit_test(grow__not_while_others_wait),
		cmocka_unit_test(shrink__gives_the_highest_to_who_waits),
		cmocka_unit_test(grow__is_forgotten_with_the_lease),
		cmocka_unit_test(steps__of_who_leaves_or_has_run_are_not_waited_for),
		cmocka_unit_test(steps__out_of_order_are_refused),
		cmocka_unit_test(steps__after_the_batch_are_refused),
		cmocka_unit_test(grow__over_a_broken_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
