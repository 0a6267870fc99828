// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_engine.c - what the allocator answers, story by story. */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include "allocd_world.h"

#define MS 1000u

static const struct p4d_request ask_all = {	/* 8 blocks, or 2 if there must be fewer */
	.nodes = 1, .batch = 1, .duration_us = 10 * MS, .min_blocks = 2,
	.want_blocks = 8, .flows = 4,
};

static struct world *small(uint32_t tenants)
{
	return world_create(2, 8, 64, tenants);
}

static uint64_t ask(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes, uint32_t batch,
		    uint32_t code)
{
	struct p4d_request r = ask_all;
	uint64_t rpc;

	r.node = node;
	r.nodes = nodes;
	r.batch = batch;
	r.code = code;
	rpc = world_send_request(w, tenant, &r);
	world_settle(w);
	return rpc;
}

static uint64_t say(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes, uint8_t type,
		    uint32_t batch, uint32_t code)
{
	uint64_t rpc = world_send(w, tenant, node, nodes, type, batch, code);

	world_settle(w);
	return rpc;
}

static const struct p4w_granted *granted(struct world *w, uint64_t rpc)
{
	assert_int_equal(world_type(w, rpc), P4W_GRANTED);
	return world_answer(w, rpc);
}

static struct p4d_tenant *tenant(struct world *w, uint32_t id)
{
	return p4d_engine_tenant_record(w->e, id);
}

/* --------------------------------------------------------------------------- one tenant */

static void batch__granted_at_once_then_freed(void **state)
{
	struct world *w = small(1);
	const struct p4w_welcome *hi = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	const struct p4w_granted *g;

	assert_int_equal(hi->msg.type, P4W_WELCOME);
	assert_int_equal(ntohl(hi->msg.batch), 1);
	assert_int_equal(ntohs(hi->registers), 2);
	assert_int_equal(ntohs(hi->blocks), 8);
	assert_int_equal(ntohl(hi->flows), 8);
	g = granted(w, ask(w, 1, 0, 1, 1, 0));
	assert_int_equal(be64toh(g->epoch), 1);
	assert_int_equal(ntohs(g->nr_blocks), 8);
	assert_int_equal(g->bitmap[0], 0xff);
	assert_int_equal(ntohl(g->flow_count), 4);
	assert_int_equal(ntohl(g->lease_us), 110 * MS);
	assert_int_equal(w->owner[0], p4d_owner_word(1, 1));
	assert_int_equal(w->serial[0], 1ull << P4W_SERIAL_SHIFT);
	assert_int_equal(world_type(w, say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED)), P4W_SYNCED);
	assert_int_equal(world_type(w, say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN)), P4W_SYNCED);
	assert_int_equal(world_type(w, say(w, 1, 0, 1, P4W_DONE, 1, 0)), P4W_FREED);
	assert_int_equal(w->owner[0], 0);
	assert_int_equal(w->reads, 0);
	world_destroy(w);
}

static void grant__waits_for_the_switch(void **state)
{
	struct world *w = small(1);
	uint64_t rpc = world_send_request(w, 1, &ask_all);

	assert_int_equal(world_type(w, rpc), 0);
	world_switch_step(w);
	granted(w, rpc);
	world_destroy(w);
}

static void messages__repeats_get_the_same_answer(void **state)
{
	struct world *w = small(1);
	struct p4w_granted first = *granted(w, ask(w, 1, 0, 2, 1, 0));

	assert_memory_equal(granted(w, ask(w, 1, 0, 2, 1, 0)), &first, sizeof(first));
	assert_memory_equal(granted(w, say(w, 1, 0, 2, P4W_WAIT, 1, 0)), &first, sizeof(first));
	ask(w, 1, 1, 2, 1, 0);
	say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_type(w, say(w, 1, 0, 2, P4W_SYNC, 1, 2)), P4W_SYNCED);
		assert_int_equal(world_type(w, say(w, 1, 0, 2, P4W_DONE, 1, 0)), P4W_FREED);
	}
	assert_int_equal(tenant(w, 1)->cur->state, P4D_HELD);	/* node 1 is not done */
	say(w, 1, 1, 2, P4W_DONE, 1, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_type(w, say(w, 1, 1, 2, P4W_DONE, 1, 0)), P4W_FREED);
		assert_int_equal(world_type(w, say(w, 1, 0, 2, P4W_SYNC, 1, 2)), P4W_SYNCED);
	}
	assert_int_equal(w->gives, 1);
	assert_int_equal(w->takes, 1);
	world_destroy(w);
}

static void nodes__all_get_the_same_blocks_and_own_flows(void **state)
{
	struct world *w = world_create(2, 8, 512, 1);
	struct p4w_granted g[5];

	for (int i = 0; i < 5; i++) {
		g[i] = *granted(w, ask(w, 1, i, 5, 1, 0));
		assert_int_equal(g[i].epoch, g[0].epoch);
		assert_memory_equal(g[i].bitmap, g[0].bitmap, sizeof(g[0].bitmap));
		for (int j = 0; j < i; j++)
			assert_true(ntohl(g[i].flow_first) >= ntohl(g[j].flow_first) + 4 ||
				    ntohl(g[j].flow_first) >= ntohl(g[i].flow_first) + 4);
	}
	world_destroy(w);
}

static void barrier__opens_when_all_are_there(void **state)
{
	struct world *w = small(1);
	uint64_t a, b;

	ask(w, 1, 0, 2, 1, 0);
	ask(w, 1, 1, 2, 1, 0);
	a = say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	assert_int_equal(world_type(w, a), 0);
	b = say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	assert_int_equal(world_type(w, a), P4W_SYNCED);
	assert_int_equal(world_type(w, b), P4W_SYNCED);
	a = say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	assert_int_equal(world_type(w, a), 0);
	say(w, 1, 1, 2, P4W_LEAVE, 1, 0);	/* who has left counts for no barrier */
	assert_int_equal(world_type(w, a), P4W_SYNCED);
	world_destroy(w);
}

static void barrier__spoilt_by_a_node_that_never_filled(void **state)
{
	static const uint8_t how[] = { P4W_DONE, P4W_LEAVE };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = small(1);
		uint64_t a;

		ask(w, 1, 0, 2, 1, 0);
		ask(w, 1, 1, 2, 1, 0);
		a = say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
		say(w, 1, 1, 2, how[i], 1, 0);
		assert_int_equal(world_refusal(w, a), P4W_REFUSED_EXPIRED);
		assert_int_equal(w->owner[0], 0);
		assert_int_equal(w->reads, 0);	/* half-filled cells are not kept */
		world_destroy(w);
	}
}

static void request__next_batch_frees_the_one_before(void **state)
{
	struct world *w = small(1);
	uint64_t second;

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	second = ask(w, 1, 0, 1, 2, P4W_REQ_DONE);
	assert_int_equal(world_type(w, second), P4W_RESERVED);	/* they are taken back first */
	second = say(w, 1, 0, 1, P4W_WAIT, 2, 0);
	assert_int_equal(be64toh(granted(w, second)->epoch), 2);
	assert_int_equal(tenant(w, 1)->last, 1);
	assert_int_equal(tenant(w, 1)->last_end, P4D_END_FREED);
	world_destroy(w);
}

/* The switch takes its time with the batch before, and a reservation comes and goes meanwhile. */
static void request__after_one_that_was_given_up(void **state)
{
	struct world *w = small(1);
	struct p4d_request r = ask_all;
	uint64_t rpc;

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	r.batch = 2;
	r.code = P4W_REQ_DONE;
	assert_int_equal(world_type(w, world_send_request(w, 1, &r)), P4W_RESERVED);
	assert_int_equal(world_type(w, world_send(w, 1, 0, 1, P4W_DONE, 2, 0)), P4W_FREED);
	r.batch = 3;
	r.code = 0;
	assert_int_equal(world_type(w, world_send_request(w, 1, &r)), P4W_RESERVED);
	rpc = world_send(w, 1, 0, 1, P4W_HELLO, 0, 0);
	assert_int_equal(world_type(w, rpc), P4W_WELCOME);
	assert_int_equal(be32toh(((const struct p4w_welcome *)world_answer(w, rpc))->msg.batch),
			 3);
	rpc = say(w, 1, 0, 1, P4W_WAIT, 3, 0);
	assert_int_equal(be64toh(granted(w, rpc)->epoch), 2);
	world_destroy(w);
}

static void request__that_is_refused_frees_nothing(void **state)
{
	struct world *w = small(1);
	struct p4d_request r = ask_all;

	ask(w, 1, 0, 1, 1, 0);
	r.batch = 2;
	r.code = P4W_REQ_DONE;
	r.want_blocks = P4W_MAX_BLOCKS;		/* the wire allows it, this switch has fewer */
	assert_int_equal(world_refusal(w, world_send_request(w, 1, &r)), P4W_REFUSED_RANGE);
	assert_int_equal(world_type(w, say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN)), P4W_SYNCED);
	assert_int_equal(tenant(w, 1)->last, 0);
	world_destroy(w);
}

static void request__gets_nothing_before_its_start(void **state)
{
	struct world *w = small(1);
	struct p4d_request r = ask_all;

	r.start_us = 5 * MS;
	assert_int_equal(world_type(w, world_send_request(w, 1, &r)), P4W_RESERVED);
	world_settle(w);
	assert_int_equal(w->gives, 0);
	world_destroy(w);
}

/* Declared times are wrong: who waits needs the blocks, and idle ones serve nobody. */
static void wait__before_the_declared_start_gets_what_is_free(void **state)
{
	struct world *w = small(1);
	struct p4d_request r = ask_all;

	r.start_us = 5 * MS;
	world_send_request(w, 1, &r);
	world_sleep(w, 2 * MS);
	granted(w, say(w, 1, 0, 1, P4W_WAIT, 1, 0));
	assert_int_equal(tenant(w, 1)->wait_us[0], 0);
	world_destroy(w);
}

/* Places in the queue: not before the declared start, and not for time spent elsewhere. */
static void wait__ranks_by_start_and_arrival(void **state)
{
	struct world *w = small(4);
	struct p4d_request r = ask_all;
	uint64_t rpc[5];

	r.min_blocks = 8;
	ask(w, 1, 0, 1, 1, 0);
	world_send_request(w, 2, &r);		/* declares an early start, comes last */
	r.start_us = 4 * MS;
	world_send_request(w, 3, &r);		/* comes before its start */
	r.start_us = 1 * MS;
	world_send_request(w, 4, &r);		/* comes as it said */
	rpc[3] = say(w, 3, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 1 * MS);
	rpc[4] = say(w, 4, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 4 * MS);
	rpc[2] = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	granted(w, rpc[4]);
	say(w, 4, 0, 1, P4W_DONE, 1, 0);
	granted(w, rpc[3]);
	assert_int_equal(world_type(w, rpc[2]), 0);
	say(w, 3, 0, 1, P4W_DONE, 1, 0);
	granted(w, rpc[2]);
	world_destroy(w);
}

/* Tenant 1 overruns its lease while tenant 2 waits; both have had their batch `number`. */
static void overrun(struct world *w, uint32_t number)
{
	uint64_t rpc = ask(w, 1, 0, 1, number, 0);

	granted(w, rpc);
	ask(w, 2, 0, 1, number, 0);
	rpc = say(w, 2, 0, 1, P4W_WAIT, number, 0);
	world_sleep(w, 110 * MS);		/* declared: 10 */
	granted(w, rpc);
	say(w, 2, 0, 1, P4W_DONE, number, 0);
	say(w, 1, 0, 1, P4W_FETCH, number, 0);
}

/* Who holds twice what it declares, in the mean, is out for a while after a fence. Once is no habit. */
static void lease__habitual_overrunner_stays_out(void **state)
{
	struct world *w = small(2);
	struct p4d_request r = ask_all;
	uint64_t rpc;

	for (uint32_t number = 1; number <= 4; number++) {
		assert_int_equal(tenant(w, 1)->barred_until, 0);
		overrun(w, number);
	}
	r.batch = 5;
	r.start_us = 500 * MS;
	world_send_request(w, 2, &r);		/* another one will want them */
	assert_int_equal(world_type(w, ask(w, 1, 0, 1, 5, 0)), P4W_RESERVED);
	rpc = say(w, 1, 0, 1, P4W_WAIT, 5, 0);
	world_sleep(w, 219 * MS);
	assert_int_equal(world_type(w, rpc), 0);
	world_sleep(w, 2 * MS);
	granted(w, rpc);
	world_destroy(w);
}

/* Kept out, it has what would be left if all others had what they have asked for. */
static void lease__overrunner_gets_what_nobody_wants(void **state)
{
	struct world *w = small(2);
	uint64_t rpc;

	for (uint32_t number = 1; number <= 4; number++)
		overrun(w, number);
	assert_true(tenant(w, 1)->barred_until > w->now);
	if (tenant(w, 2)->cur)
		say(w, 2, 0, 1, P4W_DONE, tenant(w, 2)->cur->number, 0);
	assert_null(tenant(w, 2)->cur);
	assert_null(tenant(w, 2)->next);
	ask(w, 1, 0, 1, 5, 0);
	rpc = say(w, 1, 0, 1, P4W_WAIT, 5, 0);
	granted(w, rpc);
	world_destroy(w);
}

/* Two wait for 8 blocks; the first one's histogram and needs are given, the second one's is flat. */
static unsigned int blocks_of_first(const uint16_t *hist, uint16_t n, uint16_t together)
{
	uint16_t flat[8], first[8];
	struct world *w = small(3);
	struct p4d_request r = ask_all;
	unsigned int blocks;

	for (int i = 0; i < 8; i++) {
		flat[i] = htons(4000);
		first[i] = htons(i < n ? hist[i] : 0);
	}
	r.min_blocks = 1;
	ask(w, 3, 0, 1, 1, 0);		/* has all, meanwhile the others come */
	r.hist = first;
	r.nr_hist = n;
	r.together = together;
	world_send_request(w, 1, &r);
	say(w, 1, 0, 1, P4W_WAIT, 1, 0);
	r.hist = flat;
	r.nr_hist = 8;
	r.together = 0;
	world_send_request(w, 2, &r);
	say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	say(w, 3, 0, 1, P4W_DONE, 1, 0);
	blocks = p4d_blocks_count(&tenant(w, 1)->cur->blocks);
	assert_true(tenant(w, 2)->cur != NULL);
	assert_int_equal(p4d_blocks_count(&tenant(w, 2)->cur->blocks), 8 - blocks);
	world_destroy(w);
	return blocks;
}

static void request__histogram_says_how_many(void **state)
{
	const uint16_t one[] = { 60000, 100, 100 }, six[] = { 10000, 10000, 10000, 10000, 10000,
							      10000, 10, 10 };

	assert_int_equal(blocks_of_first(one, 3, 0), 1);
	assert_int_equal(blocks_of_first(six, 8, 0), 6);
	assert_int_equal(blocks_of_first(six, 8, 8), 6);
}

/* A tenant that is cold half of the time leaves its blocks to others meanwhile. */
static void target__counts_cold_time(void **state)
{
	struct world *w = small(2);
	struct p4d_request r = ask_all;

	for (uint32_t batch = 1; batch <= 20; batch++)
		for (uint32_t id = 1; id <= 2; id++) {
			r.batch = batch;
			r.start_us = 0;
			world_send_request(w, id, &r);
			say(w, id, 0, 1, P4W_WAIT, batch, 0);
			assert_non_null(tenant(w, id)->cur);
			if (batch == 20)
				assert_int_equal(p4d_blocks_count(&tenant(w, id)->cur->blocks), 8);
			world_sleep(w, 10 * MS);
			say(w, id, 0, 1, P4W_DONE, batch, 0);
			r.batch = batch + 1;
			r.start_us = 10 * MS;
			world_send_request(w, id, &r);
		}
	assert_in_range(tenant(w, 1)->hot, 120, 136);
	world_destroy(w);
}

static void request__first_comers_demands_stand(void **state)
{
	struct world *w = small(2);
	struct p4d_request r = ask_all;

	ask(w, 2, 0, 1, 1, 0);
	r.nodes = 2;
	r.start_us = 3 * MS;
	world_send_request(w, 1, &r);
	world_sleep(w, 2 * MS);
	world_send_request(w, 1, &r);			/* a repeat: its start does not move */
	assert_int_equal(tenant(w, 1)->next->ready_at, w->now + MS);
	r.want_blocks = 3;				/* the same node, restarted */
	world_send_request(w, 1, &r);
	assert_int_equal(tenant(w, 1)->next->want_blocks, 3);
	assert_int_equal(tenant(w, 1)->next->ready_at, w->now + 3 * MS);
	r.node = 1;
	r.want_blocks = 7;				/* another one: too late */
	world_send_request(w, 1, &r);
	assert_int_equal(tenant(w, 1)->next->want_blocks, 3);
	world_destroy(w);
}

static void request__late_repeat_leaves_the_wait_alone(void **state)
{
	struct world *w = small(2);
	uint64_t wait, late;

	ask(w, 1, 0, 1, 1, 0);
	ask(w, 2, 0, 1, 1, 0);
	wait = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	late = ask(w, 2, 0, 1, 1, 0);
	assert_int_equal(world_type(w, late), P4W_RESERVED);
	assert_int_equal(world_type(w, wait), 0);
	late = say(w, 2, 0, 1, P4W_WAIT, 1, 0);		/* but a second WAIT takes its place */
	assert_int_equal(world_refusal(w, wait), P4W_REFUSED_ORDER);
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	granted(w, late);
	world_destroy(w);
}

/* -------------------------------------------------------------------------- refusals */

static const struct {
	const char *field;
	struct p4d_request r;
	uint32_t got, min, max;
} ranges[] = {
	{ "node", { .node = 2, .nodes = 2, .batch = 1 }, 2, 0, 1 },
	{ "nodes", { .nodes = 65, .batch = 1 }, 65, 1, 64 },
	{ "nodes", { .nodes = 0, .batch = 1 }, 0, 1, 64 },
	{ "batch", { .nodes = 1, .batch = 0 }, 0, 1, P4W_BATCH_MAX },
	{ "code", { .nodes = 1, .batch = 1, .code = 2 }, 2, 0, 1 },
	{ "together", { .nodes = 1, .batch = 1, .duration_us = 1, .min_blocks = 1,
	  .want_blocks = 1, .flows = 1, .together = 65 }, 65, 0, 64 },
	{ "start_us", { .nodes = 1, .batch = 1, .start_us = 60000001 }, 60000001, 0, 60000000 },
	{ "duration_us", { .nodes = 1, .batch = 1 }, 0, 1, 60000000 },
	{ "want_blocks", { .nodes = 1, .batch = 1, .duration_us = 1 }, 0, 1, 256 },
	{ "min_blocks", { .nodes = 1, .batch = 1, .duration_us = 1, .want_blocks = 3 }, 0, 1, 3 },
	{ "min_blocks", { .nodes = 1, .batch = 1, .duration_us = 1, .want_blocks = 3,
			  .min_blocks = 4 }, 4, 1, 3 },
	{ "flows", { .nodes = 1, .batch = 1, .duration_us = 1, .want_blocks = 3, .min_blocks = 1 },
	  0, 1, UINT32_MAX },
	/* what the engine knows */
	{ "duration_us", { .nodes = 1, .batch = 1, .duration_us = 2000001, .want_blocks = 3,
			   .min_blocks = 1, .flows = 1 }, 2000001, 1, 2000000 },
	{ "want_blocks", { .nodes = 1, .batch = 1, .duration_us = 1, .want_blocks = 9,
			   .min_blocks = 2, .flows = 1 }, 9, 2, 8 },
	{ "flows", { .nodes = 1, .batch = 1, .duration_us = 1, .want_blocks = 3, .min_blocks = 1,
		     .flows = 9 }, 9, 1, 8 },
};

static void request__out_of_range_names_the_field(void **state)
{
	struct world *w = small(1);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct p4w_refused *no =
			world_answer(w, world_send_request(w, 1, &ranges[i].r));

		assert_int_equal(no->msg.type, P4W_REFUSED);
		assert_int_equal(ntohl(no->msg.code), P4W_REFUSED_RANGE);
		assert_string_equal(no->field, ranges[i].field);
		assert_int_equal(ntohl(no->got), ranges[i].got);
		assert_int_equal(ntohl(no->min), ranges[i].min);
		assert_int_equal(ntohl(no->max), ranges[i].max);
		assert_null(tenant(w, 1)->next);
	}
	world_destroy(w);
}

static void order__told_what_would_be_right(void **state)
{
	static const struct { uint8_t type; uint32_t batch, code; uint32_t refusal; } t[] = {
		{ P4W_SYNC, 3, 1, P4W_REFUSED_ORDER },		/* not granted */
		{ P4W_WAIT, 3, 0, P4W_REFUSED_ORDER },		/* not asked for */
		{ P4W_DONE, 3, 0, P4W_REFUSED_ORDER },
		{ P4W_WAIT, 1, 0, P4W_REFUSED_ORDER },		/* long over */
		{ P4W_REQUEST, 1, 0, P4W_REFUSED_ORDER },
		{ P4W_REQUEST, 2, 0, P4W_REFUSED_ORDER },	/* over */
		{ P4W_SYNC, 2, 2, 0 },		/* over, and well: repeats are fine */
		{ P4W_DONE, 2, 0, 0 },
		{ 0x42, 2, 0, P4W_REFUSED_TYPE },
	};
	struct world *w = small(1);

	for (uint32_t batch = 1; batch <= 2; batch++) {
		ask(w, 1, 0, 1, batch, 0);
		say(w, 1, 0, 1, P4W_DONE, batch, 0);
	}
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t rpc = t[i].type == P4W_REQUEST ? ask(w, 1, 0, 1, t[i].batch, t[i].code) :
			say(w, 1, 0, 1, t[i].type, t[i].batch, t[i].code);

		assert_int_equal(world_refusal(w, rpc), t[i].refusal);
	}
	world_destroy(w);
}

static void tenant__unknown_is_refused(void **state)
{
	struct world *w = small(1);

	assert_int_equal(world_refusal(w, say(w, 0, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_TENANT);
	assert_int_equal(world_refusal(w, say(w, 9, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_TENANT);
	assert_int_equal(w->e->refused[P4W_REFUSED_TENANT], 2);
	world_destroy(w);
}

static void nodes__must_agree(void **state)
{
	struct world *w = small(1);
	const struct p4w_refused *no;

	ask(w, 1, 0, 2, 1, 0);
	no = world_answer(w, ask(w, 1, 1, 3, 1, 0));
	assert_int_equal(ntohl(no->msg.code), P4W_REFUSED_RANGE);
	assert_string_equal(no->field, "nodes");
	assert_int_equal(ntohl(no->min), 2);
	world_destroy(w);
}

/* --------------------------------------------------------------- several tenants, leases */

static void lease__overrun_is_tolerated_alone_and_fenced_when_others_wait(void **state)
{
	struct world *w = small(2);
	uint64_t wait, late;

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED);
	world_sleep(w, 500 * MS);
	assert_int_equal(tenant(w, 1)->cur->state, P4D_HELD);
	assert_int_equal(world_type(w, ask(w, 2, 0, 1, 1, 0)), P4W_RESERVED);
	wait = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	granted(w, wait);
	late = say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	assert_int_equal(world_refusal(w, late), P4W_REFUSED_EXPIRED);
	assert_int_equal(world_refusal(w, say(w, 1, 0, 1, P4W_DONE, 1, 0)), P4W_REFUSED_EXPIRED);
	assert_int_equal(world_refusal(w, ask(w, 1, 0, 1, 2, P4W_REQ_DONE)), P4W_REFUSED_EXPIRED);
	assert_int_equal(tenant(w, 1)->counter[P4D_C_fences], 1);
	assert_int_equal(w->reads, 1);
	world_destroy(w);
}

static void lease__ends_only_after_duration_and_grace(void **state)
{
	struct world *w = small(2);
	uint64_t wait, sync;

	ask(w, 1, 0, 2, 1, 0);
	sync = say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	ask(w, 2, 0, 1, 1, 0);
	wait = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 110 * MS - 1);
	assert_int_equal(world_type(w, wait), 0);
	world_sleep(w, 1);
	granted(w, wait);
	assert_int_equal(world_refusal(w, sync), P4W_REFUSED_EXPIRED);
	assert_int_equal(w->reads, 0);		/* not all had filled: nothing to keep */
	world_destroy(w);
}

static void lease__own_next_batch_counts_as_waiting(void **state)
{
	struct world *w = small(1);
	uint64_t wait;

	ask(w, 1, 0, 2, 1, 0);
	ask(w, 1, 1, 2, 1, 0);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	ask(w, 1, 0, 2, 2, P4W_REQ_DONE);	/* node 1 has died */
	wait = say(w, 1, 0, 2, P4W_WAIT, 2, 0);
	world_sleep(w, 200 * MS);
	granted(w, wait);
	assert_int_equal(w->reads, 1);		/* what node 1 had not drained */
	assert_int_equal(world_type(w, say(w, 1, 0, 2, P4W_DONE, 1, 0)), P4W_FREED);
	assert_int_equal(world_refusal(w, say(w, 1, 1, 2, P4W_DONE, 1, 0)), P4W_REFUSED_EXPIRED);
	world_destroy(w);
}

static void share__by_weight_when_both_wait(void **state)
{
	struct p4d_tenant_conf heavy = { 3, "heavy", 300, 0, 256 };
	struct world *w = small(3);
	uint64_t a, b;

	p4d_engine_tenant(w->e, w->now, &heavy);
	ask(w, 1, 0, 1, 1, 0);
	ask(w, 2, 0, 1, 1, 0);
	a = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	ask(w, 3, 0, 1, 1, 0);
	b = say(w, 3, 0, 1, P4W_WAIT, 1, 0);
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	assert_int_equal(ntohs(granted(w, a)->nr_blocks), 2);
	assert_int_equal(ntohs(granted(w, b)->nr_blocks), 6);
	world_destroy(w);
}

static void max_blocks__is_a_ceiling(void **state)
{
	struct p4d_tenant_conf conf = { 1, "t", 100, 0, 3 };
	struct world *w = small(1);
	struct p4d_request r = ask_all;

	p4d_engine_tenant(w->e, w->now, &conf);
	assert_int_equal(ntohs(granted(w, ask(w, 1, 0, 1, 1, 0))->nr_blocks), 3);
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	r.batch = 2;
	r.min_blocks = 4;
	assert_int_equal(world_refusal(w, world_send_request(w, 1, &r)), P4W_REFUSED_RANGE);
	world_destroy(w);
}

/* ------------------------------------------------------------------------------- escrow */

/* A cell's value: its tenant, and where it is. The world insists on the tenant. */
static uint32_t value_at(uint32_t tenant_id, unsigned int slot, unsigned int reg)
{
	return tenant_id << 24 | slot << 8 | reg;
}

static void write_cells(struct world *w, uint32_t tenant_id)
{
	for (unsigned int slot = 0; slot < w->geo.blocks * P4W_BLOCK_SLOTS; slot++)
		for (unsigned int reg = 0; reg < w->geo.registers; reg++)
			if (w->owner[slot / 64] >> P4W_EPOCH_BITS == tenant_id)
				w->cells[slot * w->geo.registers + reg] =
					value_at(tenant_id, slot, reg);
}

static const struct p4w_escrow *fetch(struct world *w, uint16_t node, uint32_t first)
{
	const struct p4w_escrow *m = world_answer(w, say(w, 1, node, 2, P4W_FETCH, 9, first));

	assert_int_equal(m->msg.type, P4W_ESCROW);
	assert_int_equal(ntohl(m->first), first);
	return m;
}

static void make_escrow(struct world *w)
{
	ask(w, 1, 0, 2, 1, 0);
	ask(w, 1, 1, 2, 1, 0);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	write_cells(w, 1);
	world_sleep(w, 200 * MS);
	ask(w, 2, 0, 1, 1, 0);
	granted(w, say(w, 2, 0, 1, P4W_WAIT, 1, 0));
}

static void escrow__pages_all_cells_to_each_node(void **state)
{
	struct world *w = small(2);
	uint32_t total = 8 * 64 * 2;

	make_escrow(w);
	for (uint16_t node = 0; node < 2; node++) {
		uint32_t at = 0;

		while (at < total) {
			const struct p4w_escrow *m = fetch(w, node, at);
			uint32_t n = ntohl(m->count);

			assert_int_equal(ntohl(m->total), total);
			assert_true(n > 0 && n <= P4W_ESCROW_MAX);
			for (uint32_t i = 0; i < n; i++) {
				assert_int_equal(ntohl(m->entry[i].batch), 1);
				assert_int_equal(ntohs(m->entry[i].slot), (at + i) / 2);
				assert_int_equal(m->entry[i].reg, (at + i) % 2);
				assert_int_equal(ntohl(m->entry[i].value),
						 value_at(1, (at + i) / 2, (at + i) % 2));
			}
			at += n;
		}
		assert_int_equal(ntohl(fetch(w, node, total)->total), total);	/* the ack */
		assert_int_equal(ntohl(fetch(w, node, 0)->total), 0);
		if (node == 0)
			assert_non_null(tenant(w, 1)->escrow);	/* for the other node */
	}
	assert_null(tenant(w, 1)->escrow);
	world_destroy(w);
}

static void escrow__next_request_says_it_was_stored(void **state)
{
	struct world *w = small(2);
	const struct p4w_welcome *hi;

	make_escrow(w);
	hi = world_answer(w, say(w, 1, 0, 2, P4W_HELLO, 0, 0));
	assert_int_equal(ntohl(hi->msg.batch), 2);
	assert_int_equal(ntohl(hi->escrow), 1024);
	ask(w, 1, 0, 2, 2, 0);			/* without having looked: nothing is acknowledged */
	assert_int_equal(ntohl(fetch(w, 0, 0)->total), 1024);
	ask(w, 1, 0, 2, 2, 0);
	assert_int_equal(ntohl(fetch(w, 0, 0)->total), 0);
	assert_int_equal(ntohl(fetch(w, 1, 0)->total), 1024);
	world_destroy(w);
}

static void escrow__fetch_waits_for_the_drain(void **state)
{
	struct world *w = small(2);
	uint64_t rpc;

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED);
	world_sleep(w, 200 * MS);
	world_send_request(w, 2, &ask_all);	/* fences; the switch has not answered */
	rpc = world_send(w, 1, 0, 1, P4W_FETCH, 1, 0);
	assert_int_equal(world_type(w, rpc), 0);
	world_settle(w);
	assert_int_equal(world_type(w, rpc), P4W_ESCROW);
	assert_int_equal(ntohl(((const struct p4w_escrow *)world_answer(w, rpc))->total), 1024);
	world_destroy(w);
}

static void leave__in_the_middle_keeps_the_values(void **state)
{
	struct world *w = small(1);

	ask(w, 1, 0, 2, 1, 0);
	ask(w, 1, 1, 2, 1, 0);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 1, 2, P4W_LEAVE, 1, 0);
	assert_int_equal(world_type(w, say(w, 1, 0, 2, P4W_DONE, 1, 0)), P4W_FREED);
	assert_int_equal(w->reads, 1);
	assert_int_equal(ntohl(fetch(w, 0, 0)->total), 0);	/* node 0 has drained its own */
	assert_int_equal(ntohl(fetch(w, 1, 0)->total), 1024);
	world_destroy(w);
}

static void hello__restarted_node_ends_the_batch_but_keeps_values(void **state)
{
	struct world *w = small(1);
	const struct p4w_welcome *hi;
	uint64_t sync;

	ask(w, 1, 0, 2, 1, 0);
	ask(w, 1, 1, 2, 1, 0);
	say(w, 1, 0, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_FILLED);
	sync = say(w, 1, 1, 2, P4W_SYNC, 1, P4W_PHASE_RAN);
	hi = world_answer(w, say(w, 1, 0, 2, P4W_HELLO, 0, 0));
	assert_int_equal(hi->msg.type, P4W_WELCOME);
	assert_int_equal(ntohl(hi->msg.batch), 2);
	assert_int_equal(ntohl(hi->escrow), 1024);
	assert_int_equal(world_refusal(w, sync), P4W_REFUSED_EXPIRED);
	world_destroy(w);
}

/* One message may use them up, with the highest. */
static void hello__batch_numbers_begin_again(void **state)
{
	static const uint8_t types[] = { P4W_REQUEST, P4W_WAIT, P4W_LOCK_INFO };
	struct world *w = small(1);
	const struct p4w_welcome *hi;

	granted(w, ask(w, 1, 0, 1, P4W_BATCH_MAX, 0));
	say(w, 1, 0, 1, P4W_DONE, P4W_BATCH_MAX, 0);
	for (size_t i = 0; i < sizeof(types); i++) {	/* no number above it is asked for */
		uint64_t rpc = types[i] == P4W_REQUEST ? ask(w, 1, 0, 1, P4W_BATCH_MAX, 0) :
			       types[i] == P4W_WAIT ? say(w, 1, 0, 1, P4W_WAIT, P4W_BATCH_MAX, 0) :
			       world_send_lock_info(w, 1, 0, 1, P4W_BATCH_MAX - 1, NULL, 0);
		const struct p4w_refused *no;

		world_settle(w);
		assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_ORDER);
		no = world_answer(w, rpc);
		assert_int_equal(ntohl(no->min), 1);
		assert_int_equal(ntohl(no->max), 1);
	}
	hi = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	assert_int_equal(ntohl(hi->msg.batch), 1);
	granted(w, ask(w, 1, 0, 1, 1, 0));
	world_destroy(w);
}

/* What is in escrow has a number, too: it is fetched first. */
static void hello__escrow_is_fetched_before_numbers_begin_again(void **state)
{
	struct world *w = small(1);
	const struct p4w_welcome *hi;
	uint32_t total;

	granted(w, ask(w, 1, 0, 1, P4W_BATCH_MAX, 0));
	say(w, 1, 0, 1, P4W_SYNC, P4W_BATCH_MAX, P4W_PHASE_FILLED);
	hi = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	assert_int_equal(ntohl(hi->msg.batch), P4W_BATCH_MAX);
	total = ntohl(hi->escrow);
	assert_true(total > 0);
	say(w, 1, 0, 1, P4W_FETCH, P4W_BATCH_MAX, total);
	hi = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	assert_int_equal(ntohl(hi->msg.batch), 1);
	world_destroy(w);
}

static void hello__second_node_joins_the_current_batch(void **state)
{
	struct world *w = small(1);
	const struct p4w_welcome *hi;

	say(w, 1, 0, 2, P4W_HELLO, 0, 0);
	ask(w, 1, 0, 2, 1, 0);
	hi = world_answer(w, say(w, 1, 1, 2, P4W_HELLO, 0, 0));
	assert_int_equal(ntohl(hi->msg.batch), 1);
	granted(w, ask(w, 1, 1, 2, 1, 0));
	assert_int_equal(w->takes, 0);
	world_destroy(w);
}

/* ---------------------------------------------------------------------- switch comes, goes */

static void switch__restart_loses_grants_and_epochs_ascend(void **state)
{
	struct world *w = small(1);
	const struct p4w_refused *no;
	uint64_t rpc;

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED);
	world_switch_restart(w);
	world_switch_up(w);
	rpc = say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_RAN);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_EXPIRED);
	no = world_answer(w, rpc);
	assert_string_equal(no->field, "epoch");
	assert_int_equal(be64toh(granted(w, ask(w, 1, 0, 1, 2, 0))->epoch), 2);
	world_destroy(w);
}

static void switch__reconnect_keeps_grants_and_repeats_orders(void **state)
{
	struct world *w = small(2);
	uint64_t rpc = world_send_request(w, 1, &ask_all);

	world_switch_down(w);		/* the order is lost */
	world_switch_up(w);
	world_settle(w);
	granted(w, rpc);
	world_switch_down(w);
	world_switch_up(w);
	world_settle(w);
	assert_int_equal(tenant(w, 1)->cur->state, P4D_HELD);
	assert_int_equal(w->owner[0], p4d_owner_word(1, 1));
	world_destroy(w);
}

static void switch__given_again_under_a_new_epoch_if_nobody_was_told(void **state)
{
	struct world *w = small(1);
	uint64_t rpc = world_send_request(w, 1, &ask_all);

	world_switch_restart(w);
	world_switch_up(w);
	world_settle(w);
	assert_int_equal(be64toh(granted(w, rpc)->epoch), 2);
	world_destroy(w);
}

static void switch__away_for_long_is_told(void **state)
{
	struct world *w = small(2);
	uint64_t rpc;

	ask(w, 1, 0, 1, 1, 0);
	ask(w, 2, 0, 1, 1, 0);
	rpc = say(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_switch_down(w);
	world_sleep(w, 999 * MS);
	assert_int_equal(world_type(w, rpc), 0);
	world_sleep(w, 2 * MS);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_SWITCH);
	assert_int_equal(world_refusal(w, say(w, 2, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_SWITCH);
	world_switch_up(w);
	assert_int_equal(world_type(w, say(w, 2, 0, 1, P4W_HELLO, 0, 0)), P4W_WELCOME);
	world_destroy(w);
}

static void switch__strays_are_fenced_and_their_epochs_skipped(void **state)
{
	struct world *w = small(1);
	const struct p4w_granted *g;

	world_switch_down(w);
	w->owner[3] = p4d_owner_word(5, 4000);
	w->serial[6] = 5000ull << P4W_SERIAL_SHIFT | 17;
	world_switch_up(w);
	g = granted(w, ask(w, 1, 0, 1, 1, 0));
	assert_int_equal(be64toh(g->epoch), 5001);
	assert_int_equal(w->takes, 1);
	world_destroy(w);
}

static void epoch__is_above_all_serials(void **state)
{
	struct world *w = small(1);
	const struct p4w_granted *g;

	granted(w, ask(w, 1, 0, 1, 1, 0));
	w->serial[0] += 3ull << P4W_SERIAL_SHIFT | 17;	/* more transactions than an epoch has serials */
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	g = granted(w, ask(w, 1, 0, 1, 2, 0));
	assert_int_equal(be64toh(g->epoch), 5);
	assert_true(w->e->epoch_limit > 5);
	world_destroy(w);
}

static void epoch__is_not_used_up_by_a_damaged_word(void **state)
{
	struct world *w = small(1);
	const struct p4w_granted *g;

	world_switch_down(w);
	w->serial[6] = ~0ull;
	w->owner[3] = p4d_owner_word(5, P4W_EPOCH_MAX);
	world_switch_up(w);
	g = granted(w, ask(w, 1, 0, 1, 1, 0));
	assert_in_range(be64toh(g->epoch), 1, 1000);
	world_destroy(w);
}

static void epoch__is_above_what_a_lost_switch_can_have_counted(void **state)
{
	struct world *w = small(1);
	const struct p4w_granted *g;

	granted(w, ask(w, 1, 0, 1, 1, 0));
	world_sleep(w, 168 * MS);	/* ten times 2^24 ns */
	world_switch_restart(w);
	world_switch_up(w);
	g = granted(w, ask(w, 1, 0, 1, 2, 0));
	assert_int_equal(be64toh(g->epoch), 12);
	world_destroy(w);
}

static void geometry__must_be_the_configured_one(void **state)
{
	struct p4d_geometry other = { 2, 16, 64, 1 }, right = { 2, 8, 64, 1 };
	const struct p4w_welcome *m;
	struct world *w = small(1);

	p4d_engine_geometry(w->e, w->now, &other);
	assert_int_equal(world_refusal(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_SWITCH);
	p4d_engine_geometry(w->e, w->now, &right);
	m = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	assert_int_equal(m->msg.type, P4W_WELCOME);
	assert_int_equal(ntohs(m->dependent), 1);
	right.dependent = 0;		/* nobody uses the stage that the switch has */
	p4d_engine_geometry(w->e, w->now, &right);
	m = world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0));
	assert_int_equal(m->msg.type, P4W_WELCOME);
	assert_int_equal(ntohs(m->dependent), 0);
	right.dependent = 2;
	p4d_engine_geometry(w->e, w->now, &right);
	assert_int_equal(world_refusal(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_SWITCH);
	world_destroy(w);
}

static void tenant__deleted_loses_its_blocks_and_keeps_its_values(void **state)
{
	struct world *w = small(1);

	ask(w, 1, 0, 1, 1, 0);
	say(w, 1, 0, 1, P4W_SYNC, 1, P4W_PHASE_FILLED);
	p4d_engine_tenant_gone(w->e, w->now, 1);
	world_settle(w);
	assert_int_equal(w->owner[0], 0);
	assert_int_equal(world_refusal(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0)), P4W_REFUSED_TENANT);
	world_know_tenants(w, 1);
	assert_int_equal(ntohl(((const struct p4w_welcome *)
		world_answer(w, say(w, 1, 0, 1, P4W_HELLO, 0, 0)))->escrow), 1024);
	world_destroy(w);
}

/* The switch insists that no cell given to a tenant holds a value of another one. */
static void cells__of_others_are_cleared(void **state)
{
	struct world *w = small(2);

	ask(w, 1, 0, 1, 1, 0);
	write_cells(w, 1);
	say(w, 1, 0, 1, P4W_DONE, 1, 0);
	ask(w, 1, 0, 1, 2, 0);
	assert_int_equal(w->cells[0], value_at(1, 0, 0));	/* its own may stay */
	say(w, 1, 0, 1, P4W_DONE, 2, 0);
	granted(w, ask(w, 2, 0, 1, 1, 0));
	assert_int_equal(w->cells[0], 0);
	assert_int_equal(tenant(w, 2)->counter[P4D_C_handovers], 1);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch__granted_at_once_then_freed),
		cmocka_unit_test(grant__waits_for_the_switch),
		cmocka_unit_test(messages__repeats_get_the_same_answer),
		cmocka_unit_test(nodes__all_get_the_same_blocks_and_own_flows),
		cmocka_unit_test(barrier__opens_when_all_are_there),
		cmocka_unit_test(barrier__spoilt_by_a_node_that_never_filled),
		cmocka_unit_test(request__next_batch_frees_the_one_before),
		cmocka_unit_test(request__after_one_that_was_given_up),
		cmocka_unit_test(request__that_is_refused_frees_nothing),
		cmocka_unit_test(request__gets_nothing_before_its_start),
		cmocka_unit_test(wait__before_the_declared_start_gets_what_is_free),
		cmocka_unit_test(wait__ranks_by_start_and_arrival),
		cmocka_unit_test(request__histogram_says_how_many),
		cmocka_unit_test(target__counts_cold_time),
		cmocka_unit_test(lease__habitual_overrunner_stays_out),
		cmocka_unit_test(lease__overrunner_gets_what_nobody_wants),
		cmocka_unit_test(request__first_comers_demands_stand),
		cmocka_unit_test(request__late_repeat_leaves_the_wait_alone),
		cmocka_unit_test(request__out_of_range_names_the_field),
		cmocka_unit_test(order__told_what_would_be_right),
		cmocka_unit_test(tenant__unknown_is_refused),
		cmocka_unit_test(nodes__must_agree),
		cmocka_unit_test(lease__overrun_is_tolerated_alone_and_fenced_when_others_wait),
		cmocka_unit_test(lease__ends_only_after_duration_and_grace),
		cmocka_unit_test(lease__own_next_batch_counts_as_waiting),
		cmocka_unit_test(share__by_weight_when_both_wait),
		cmocka_unit_test(max_blocks__is_a_ceiling),
		cmocka_unit_test(escrow__pages_all_cells_to_each_node),
		cmocka_unit_test(escrow__next_request_says_it_was_stored),
		cmocka_unit_test(escrow__fetch_waits_for_the_drain),
		cmocka_unit_test(leave__in_the_middle_keeps_the_values),
		cmocka_unit_test(hello__restarted_node_ends_the_batch_but_keeps_values),
		cmocka_unit_test(hello__batch_numbers_begin_again),
		cmocka_unit_test(hello__escrow_is_fetched_before_numbers_begin_again),
		cmocka_unit_test(hello__second_node_joins_the_current_batch),
		cmocka_unit_test(switch__restart_loses_grants_and_epochs_ascend),
		cmocka_unit_test(switch__reconnect_keeps_grants_and_repeats_orders),
		cmocka_unit_test(switch__given_again_under_a_new_epoch_if_nobody_was_told),
		cmocka_unit_test(switch__away_for_long_is_told),
		cmocka_unit_test(switch__strays_are_fenced_and_their_epochs_skipped),
		cmocka_unit_test(epoch__is_above_all_serials),
		cmocka_unit_test(epoch__is_not_used_up_by_a_damaged_word),
		cmocka_unit_test(epoch__is_above_what_a_lost_switch_can_have_counted),
		cmocka_unit_test(geometry__must_be_the_configured_one),
		cmocka_unit_test(tenant__deleted_loses_its_blocks_and_keeps_its_values),
		cmocka_unit_test(cells__of_others_are_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
