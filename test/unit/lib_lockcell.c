// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_lockcell.c - locks in cells of the switch: the library, the allocator's engine and a switch that
 * executes their transactions, in one process and in simulated time. Each node is a host of its own.
 *
 * The random run loses replies, executes transactions long after their senders have given up, answers
 * with somebody else's results, kills nodes and the allocator, and makes the switch forget; and it knows
 * when two hold one lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/p4allocd/named.h"
#include "../../tools/p4allocd/records.h"
#include "lib_link.h"
#include "rnd.h"

#define NODES 3
#define LEASE 20000
#define LATE 64

enum fate { FATE_GOOD, FATE_NO_REPLY, FATE_LATE, FATE_FOREIGN };

static struct world *w;
static struct link *node[NODES];
static struct p4a_grant kernel[NODES];	/* of each host; outlives its programs */
static unsigned int txns, messages;
static struct { struct homa_txn txn; unsigned int block; } late[LATE];
static unsigned int nr_late;
static struct homa_txn_result last_result, old_result;	/* of this and an earlier epoch */
static enum fate (*fate_of)(void);
static struct p4d_changes stored;	/* ever, in order */

/* ------------------------------------------------------------------------------ the switch */

static uint32_t *cell(unsigned int block, const struct homa_txn_instr *i)
{
	return &w->cells[(block * P4W_BLOCK_SLOTS + i->slot) * w->geo.registers + i->reg];
}

static struct homa_txn_result execute(const struct homa_txn *t, unsigned int block)
{
	struct homa_txn_result r = { .count = t->count, .epoch = t->epoch };
	uint32_t new[HOMA_TXN_MAX_INSTRS];

	if (w->owner[block] != p4d_owner_word(1, t->epoch)) {
		r.status = P4W_TXN_STALE;
		return r;
	}
	for (int k = 0; k < t->count; k++) {
		uint8_t op = t->instr[k].op;

		assert_true(op >= P4W_OP_WRITE && op <= P4W_OP_CADD);
		r.result[k] = *cell(block, &t->instr[k]);
		new[k] = t->instr[k].operand + (op == P4W_OP_WRITE ? 0 : r.result[k]);
		if (op == P4W_OP_CADD && new[k] >> 31)
			r.status = P4W_TXN_ABORT;
	}
	for (int k = 0; k < t->count && !r.status; k++)
		*cell(block, &t->instr[k]) = new[k];
	return r;
}

static void execute_a_late_one(void)
{
	unsigned int i = rnd(nr_late);

	execute(&late[i].txn, late[i].block);
	late[i] = late[--nr_late];
}

static int send_txn(struct p4a_io *io, uint64_t cookie, const struct homa_txn *txn)
{
	struct p4a_grant *g = &kernel[link_of(io)->node];
	enum fate fate = fate_of ? fate_of() : FATE_GOOD;
	struct homa_txn_result r;
	unsigned int block = 0;

	txns++;
	assert_int_equal(txn->space, HOMA_TXN_LOCKS);
	if (txn->epoch != g->epoch) {
		link_put(link_of(io), cookie, -ESTALE, NULL, 0);
		return 0;
	}
	while (!(g->bitmap[block / 8] >> block % 8 & 1))
		block++;
	if (fate == FATE_LATE && nr_late < LATE) {
		late[nr_late].txn = *txn;
		late[nr_late++].block = block;
		link_put(link_of(io), cookie, -ETIMEDOUT, NULL, 0);
		return 0;
	}
	/* Flows are unique, but one of an epoch that is over may have another user. */
	if (fate == FATE_FOREIGN && old_result.epoch && old_result.epoch != txn->epoch) {
		link_put(link_of(io), cookie, 0, &old_result, sizeof(old_result));
		return 0;
	}
	r = execute(txn, block);
	if (last_result.epoch != r.epoch)
		old_result = last_result;
	if (!r.status)
		last_result = r;
	link_put(link_of(io), cookie, fate == FATE_NO_REPLY ? -ETIMEDOUT : 0, &r, sizeof(r));
	return 0;
}

/* ------------------------------------------------------------------------- the other verbs */

/* Each node is at an address of its own. */
static int send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len)
{
	messages++;
	w->peer = 1 + link_of(io)->node;
	return link_send_msg(io, cookie, msg, len);
}

static int hold(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	return 0;
}

static int hold_cells(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	if (grant->epoch >= kernel[link_of(io)->node].epoch)
		kernel[link_of(io)->node] = *grant;
	return 0;
}

static const struct p4a_io_ops ops = {
	.send_msg = send_msg, .send_txn = send_txn, .reap = link_reap, .hold = hold,
	.hold_cells = hold_cells, .now_us = link_now_us, .fd = link_fd, .close = link_close,
};

static void open_node(unsigned int i)
{
	static const struct p4a_geometry geo = { .registers = 8, .blocks = 8 };

	node[i] = link_open(&ops, i, NODES, &geo);
}

static int set_up(void **state)
{
	w = world_create(8, 8, 512, 2);
	links_begin(w);
	txns = messages = nr_late = 0;
	fate_of = NULL;
	memset(kernel, 0, sizeof(kernel));
	memset(&last_result, 0, sizeof(last_result));
	memset(&old_result, 0, sizeof(old_result));
	for (unsigned int i = 0; i < NODES; i++)
		open_node(i);
	return 0;
}

static int tear_down(void **state)
{
	for (unsigned int i = 0; i < NODES; i++)
		p4a_close(node[i]->ctx);
	world_destroy(w);
	p4d_changes_drop(&stored);
	return 0;
}

/* It finds what was stored, nobody's RPC is answered any more, and it has yet to reach the switch. */
static void restart_allocator(void)
{
	struct p4d_engine *e = p4d_engine_create(w->now);
	const char *bad;

	p4d_records_collect(w->e, &stored);
	for (struct p4d_change *r = stored.first; r; r = r->link)
		assert_int_equal(p4d_record_load(e, r->key, r->value, r->len, &bad), 0);
	assert_int_equal(p4d_records_loaded(e, &bad), 0);
	world_replace_engine(w, e);
	world_know_tenants(w, 2);
	links_break();
}

static int take(unsigned int i, const char *name, uint32_t wait_us, struct p4a_lock *l)
{
	return p4a_lock(node[i]->ctx, name, strlen(name), P4A_LOCK_EXCLUSIVE, LEASE, wait_us, l);
}

/* Until node i gets the lock from the switch alone. */
static void make_quick(unsigned int i, const char *name)
{
	struct p4a_lock l;

	for (int round = 0; round < 100; round++) {
		unsigned int before = messages;

		assert_int_equal(take(i, name, 0, &l), 0);
		assert_int_equal(p4a_unlock(node[i]->ctx, &l), 0);
		if (messages == before)
			return;
		world_sleep(w, 1000);
	}
	fail_msg("never became quick");
}

/* ----------------------------------------------------------------------------------- tests */

static void cell__a_lock_used_often_needs_no_message(void **state)
{
	struct p4a_lock l;
	uint64_t last = 0;

	for (int i = 0; i < 200; i++) {
		if (i == 100)
			messages = txns = 0;
		assert_int_equal(take(0, "row", 0, &l), 0);
		assert_true(l.token > last);
		assert_in_range(l.lease_us, LEASE - LINK_STEP, LEASE);
		last = l.token;
		assert_int_equal(p4a_unlock(node[0]->ctx, &l), 0);
		world_sleep(w, 100);
	}
	assert_int_equal(messages, 0);
	assert_int_equal(txns, 200);
	/* A name that is not used often stays with the allocator. */
	assert_int_equal(take(0, "other", 0, &l), 0);
	assert_int_equal(messages, 1);
}

static void cell__others_wait_for_a_quick_holder(void **state)
{
	struct p4a_completion c;
	struct p4a_lock a, b, d;

	make_quick(0, "row");
	make_quick(1, "row");
	assert_int_equal(take(0, "row", 0, &a), 0);
	assert_int_equal(take(1, "row", 0, &b), -ETIME);
	assert_non_null(strstr(p4a_last_error(node[1]->ctx), "held with token"));
	assert_int_equal(p4a_lock_async(node[1]->ctx, "row", 3, P4A_LOCK_EXCLUSIVE, LEASE, 9000, &b,
					NULL), 0);
	assert_int_equal(p4a_poll(node[1]->ctx, &c, 1), 0);
	assert_int_equal(p4a_lock_async(node[2]->ctx, "row", 3, P4A_LOCK_EXCLUSIVE, LEASE, 9000, &d,
					NULL), 0);
	world_sleep(w, 5000);
	assert_int_equal(p4a_poll(node[1]->ctx, &c, 1), 0);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	assert_int_equal(p4a_wait(node[1]->ctx, &c, 1, 1000), 1);
	assert_int_equal(c.err, 0);
	assert_true(b.token > a.token);
	assert_int_equal(p4a_poll(node[2]->ctx, &c, 1), 0);	/* came second */
	assert_int_equal(p4a_unlock(node[1]->ctx, &b), 0);
	assert_int_equal(p4a_wait(node[2]->ctx, &c, 1, 1000), 1);
	assert_int_equal(c.err, 0);
	assert_true(d.token > b.token);
	assert_int_equal(p4a_unlock(node[2]->ctx, &d), 0);
	make_quick(0, "row");
}

static void cell__a_dead_holder_keeps_it_for_its_lease(void **state)
{
	struct p4a_lock a, b;
	uint64_t from;

	make_quick(0, "row");
	assert_int_equal(take(0, "row", 0, &a), 0);
	from = w->now;
	assert_int_equal(take(1, "row", 2 * LEASE, &b), 0);
	assert_in_range(w->now - from, LEASE, LEASE + 2 * LINK_STEP);
	assert_true(b.token > a.token);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), -ESTALE);	/* and does not take b's away */
	assert_int_equal(take(2, "row", 0, &a), -ETIME);
	assert_int_equal(p4a_unlock(node[1]->ctx, &b), 0);
}

/* The switch has answered long before the holder looks: another call has kept it. */
static void cell__the_lease_runs_while_nobody_looks(void **state)
{
	struct p4a_completion c;
	struct p4a_lock a, b;
	uint64_t sent;

	make_quick(0, "row");
	messages = 0;
	sent = w->now;
	assert_int_equal(p4a_lock_async(node[0]->ctx, "row", 3, P4A_LOCK_EXCLUSIVE, LEASE, 0, &a, NULL), 0);
	assert_int_equal(take(0, "other", 0, &b), 0);
	assert_int_equal(messages, 1);
	world_sleep(w, LEASE / 2);
	assert_int_equal(p4a_poll(node[0]->ctx, &c, 1), 1);
	assert_int_equal(c.err, 0);
	assert_int_equal(a.until_us, sent + LEASE);
	assert_int_equal(a.lease_us, a.until_us - w->now);
	assert_in_range(a.lease_us, 1, LEASE / 2);
}

static void cell__two_that_wait_for_each_other(void **state)
{
	struct p4a_lock a, b, c, d;
	struct p4a_completion done;

	make_quick(0, "x");
	make_quick(1, "y");
	assert_int_equal(take(0, "x", 0, &a), 0);
	assert_int_equal(take(1, "y", 0, &b), 0);
	assert_int_equal(p4a_lock_async(node[0]->ctx, "y", 1, P4A_LOCK_EXCLUSIVE, LEASE, 9000, &c,
					NULL), 0);
	assert_int_equal(take(1, "x", 3000, &d), -ETIME);
	assert_non_null(strstr(p4a_last_error(node[1]->ctx), "held with token"));
	assert_int_equal(p4a_unlock(node[1]->ctx, &b), 0);
	assert_int_equal(p4a_wait(node[0]->ctx, &done, 1, 1000), 1);
	assert_int_equal(done.err, 0);
}

static void cell__extended_and_shared_by_the_allocator(void **state)
{
	struct p4a_lock a, b;

	make_quick(0, "row");
	assert_int_equal(take(0, "row", 0, &a), 0);
	for (int i = 0; i < 4; i++) {
		world_sleep(w, LEASE / 2);
		assert_int_equal(p4a_lock_extend(node[0]->ctx, &a, LEASE), 0);
	}
	assert_int_equal(take(1, "row", 0, &b), -ETIME);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	make_quick(0, "row");
	assert_int_equal(p4a_lock(node[1]->ctx, "row", 3, P4A_LOCK_SHARED, LEASE, 0, &a), 0);
	assert_int_equal(take(0, "row", 0, &b), -ETIME);
	assert_int_equal(p4a_unlock(node[1]->ctx, &a), 0);
	make_quick(0, "row");
}

static void cell__a_switch_that_forgets_gives_nothing_twice(void **state)
{
	struct p4a_lock a, b, c;
	uint64_t from;

	make_quick(0, "x");
	make_quick(0, "y");
	assert_int_equal(take(0, "x", 0, &a), 0);
	assert_int_equal(take(0, "y", 0, &b), 0);
	world_switch_restart(w);
	world_switch_up(w);
	world_settle(w);
	from = w->now;
	assert_int_equal(p4a_lock_extend(node[0]->ctx, &a, LEASE), 0);	/* it shows its token */
	assert_int_equal(take(1, "x", 0, &c), -ETIME);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	assert_int_equal(take(1, "x", 0, &c), 0);
	assert_true(c.token > a.token);
	assert_int_equal(p4a_unlock(node[0]->ctx, &b), -ESTALE);	/* proves nothing */
	assert_int_equal(take(1, "y", 2 * LEASE, &b), 0);
	assert_true(w->now - from >= LEASE - LINK_STEP);
	make_quick(2, "z");
}

static void cell__the_block_is_given_to_who_needs_it(void **state)
{
	struct p4d_request r = {
		.nodes = 1, .batch = 1, .duration_us = 10000, .min_blocks = 8, .want_blocks = 8,
		.flows = 4,
	};
	struct p4a_lock a, b;
	uint64_t asked;

	make_quick(0, "x");
	assert_int_equal(take(0, "x", 0, &a), 0);
	world_sleep(w, 1000);
	asked = world_send_request(w, 2, &r);
	world_settle(w);
	if (world_type(w, asked) == P4W_RESERVED)
		asked = world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_settle(w);
	assert_int_equal(world_type(w, asked), P4W_GRANTED);
	assert_int_equal(take(1, "x", 0, &b), -ETIME);		/* still held */
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	assert_int_equal(take(1, "x", 0, &b), 0);
	assert_true(b.token > a.token);
}

/* All tokens of the cell are used up: the allocator gives the last one, and all that come after. */
static void cell__used_up_its_tokens_still_ascend(void **state)
{
	struct homa_txn_instr taken = { .reg = P4W_CELL_TAKEN };
	struct p4a_lock a, b;
	unsigned int block = 0;

	make_quick(0, "row");
	while (!(kernel[0].bitmap[block / 8] >> block % 8 & 1))
		block++;
	for (; taken.slot < P4W_BLOCK_SLOTS && !*cell(block, &taken); taken.slot++)
		;
	*cell(block, &taken) = 65535;
	assert_int_equal(take(0, "row", 0, &a), 0);
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	assert_int_equal(take(0, "row", 0, &b), 0);
	assert_true(b.token > a.token);
}

/* Its cells live on in a switch that it does not reach: nodes still take and give back there. */
static void cell__allocator_that_restarts_waits_for_the_switch(void **state)
{
	struct p4a_lock a, b, d;
	struct p4a_completion c;
	uint64_t from;

	make_quick(0, "x");
	restart_allocator();
	world_sleep(w, 2 * LEASE);
	messages = 0;
	assert_int_equal(take(0, "x", 0, &a), 0);
	assert_int_equal(messages, 0);
	assert_int_equal(take(1, "x", 0, &d), -ETIME);
	assert_int_equal(p4a_lock_async(node[2]->ctx, "y", 1, P4A_LOCK_EXCLUSIVE, LEASE, 9 * LEASE, &b,
					NULL), 0);
	assert_int_equal(p4a_poll(node[2]->ctx, &c, 1), 0);
	world_switch_up(w);
	world_settle(w);
	from = w->now;
	assert_int_equal(take(1, "x", 0, &d), -ETIME);
	assert_int_equal(p4a_lock_extend(node[0]->ctx, &a, LEASE), 0);	/* it shows its token */
	assert_int_equal(p4a_unlock(node[0]->ctx, &a), 0);
	assert_int_equal(p4a_wait(node[2]->ctx, &c, 1, 2 * LEASE), 1);
	assert_int_equal(c.err, 0);
	assert_in_range(w->now - from, LEASE, LEASE + 2 * LINK_STEP);
	assert_int_equal(take(1, "x", 0, &d), 0);
	assert_true(d.token > a.token);
	assert_false(w->e->cells_out);
}

static unsigned int refusals_of_full(void)
{
	return w->e->tenants->refused[P4W_REFUSED_FULL];
}

/* A switch that takes its time must not let requests pile up. */
static void cell__only_so_many_wait_for_the_switch(void **state)
{
	struct p4w_lock m = {
		.msg = { .version = P4W_VERSION, .type = P4W_LOCK, .length = htons(sizeof(m)),
			 .nodes = htons(NODES), .code = htonl(P4W_LOCK_EXCLUSIVE) },
		.lease_us = htonl(LEASE), .name = "row",
	};

	make_quick(0, "row");
	for (uint64_t i = 1; i <= P4D_QUEUE_MAX + 1; i++) {
		assert_int_equal(refusals_of_full(), 0);
		m.owner = htobe64(i);
		world_send_bytes(w, 1, &m, sizeof(m));
	}
	assert_int_equal(refusals_of_full(), 1);
	world_settle(w);
}

static enum fate no_reply(void)
{
	return FATE_NO_REPLY;
}

/* The switch has done it, but its answer was lost: the allocator finds nobody who has the lock. */
static void cell__given_back_without_an_answer(void **state)
{
	const struct p4w_lock m = {
		.msg = { P4W_VERSION, P4W_LOCK, htons(sizeof(m)), htons(0), htons(1), 0,
			 htonl(P4W_LOCK_EXCLUSIVE) },
		.owner = htobe64(1), .lease_us = htonl(LEASE), .name = "row",
	};
	struct p4a_lock l;

	make_quick(0, "row");
	assert_int_equal(take(0, "row", 0, &l), 0);
	messages = 0;
	fate_of = no_reply;
	assert_int_equal(p4a_unlock(node[0]->ctx, &l), 0);
	assert_int_equal(messages, 1);
	fate_of = NULL;
	assert_int_equal(p4a_unlock(node[0]->ctx, &l), 0);	/* a repeat */
	l.token--;
	assert_int_equal(p4a_unlock(node[0]->ctx, &l), -ESTALE);
	/* Whose hold it was nobody knows; so nobody is taken for one who comes late. */
	assert_int_equal(world_type(w, world_send_bytes(w, 1, &m, sizeof(m))), P4W_LOCKED);
}

/* The time that the switch takes to say who has the lock is part of the wait. */
static void cell__the_wait_begins_before_the_switch_is_asked(void **state)
{
	struct p4w_lock m = {
		.msg = { .version = P4W_VERSION, .type = P4W_LOCK, .length = htons(sizeof(m)),
			 .nodes = htons(NODES), .code = htonl(P4W_LOCK_EXCLUSIVE) },
		.owner = htobe64(77), .lease_us = htonl(LEASE), .wait_us = htonl(LEASE / 2),
		.name = "row",
	};
	struct p4a_lock l;
	uint64_t rpc;

	make_quick(0, "row");
	assert_int_equal(take(0, "row", 0, &l), 0);
	rpc = world_send_bytes(w, 1, &m, sizeof(m));
	w->now += LEASE / 2 - 1000;
	world_settle(w);
	assert_int_equal(world_type(w, rpc), 0);
	world_sleep(w, 1500);
	assert_int_equal(world_refusal(w, rpc), P4W_REFUSED_BUSY);
}

/* -------------------------------------------------------------------------------- at random */

#define NAMES 5
#define HOLDS 12
#define ROUNDS 200000

struct claim {
	bool used, asked, shared;
	unsigned int node, name;
	uint64_t until;			/* what the holder believes */
	struct p4a_lock lock;
};

static struct claim claim[HOLDS];
static uint64_t highest[NAMES], alone[NAMES];	/* tokens seen; of exclusive holds */
static unsigned int granted, refused, quick;

static enum fate at_random(void)
{
	return rnd(60) ? FATE_GOOD : 1 + rnd(3);
}

static const char *const names[NAMES] = { "a", "some row", "0123456789abcdef", "d", "e" };

/* A hold that lasts is the only one, or one of those that share, and has the highest token. */
static void check_grant(struct claim *c)
{
	c->until = c->lock.until_us;
	c->asked = false;
	granted++;
	if (!c->lock.lease_us)
		return;
	for (struct claim *o = claim; o < claim + HOLDS; o++)
		if (o != c && o->used && !o->asked && o->name == c->name && o->until > w->now &&
		    !(o->shared && c->shared))
			fail_msg("%s: token %llu of node %u, while %llu of node %u has %llu us",
				 names[c->name], (unsigned long long)c->lock.token, c->node,
				 (unsigned long long)o->lock.token, o->node,
				 (unsigned long long)(o->until - w->now));
	if (c->lock.token <= (c->shared ? alone : highest)[c->name])
		fail_msg("%s: token %llu after %llu", names[c->name],
			 (unsigned long long)c->lock.token,
			 (unsigned long long)highest[c->name]);
	if (highest[c->name] < c->lock.token)
		highest[c->name] = c->lock.token;
	if (!c->shared)
		alone[c->name] = c->lock.token;
}

static void pump(void)
{
	struct p4a_completion done[8];

	for (unsigned int i = 0; i < NODES; i++) {
		int n = p4a_poll(node[i]->ctx, done, 8);

		for (int k = 0; k < n; k++) {
			struct claim *c = done[k].user;

			if (!c)
				continue;
			if (done[k].err) {
				c->used = false;
				refused++;
			} else {
				check_grant(c);
			}
		}
	}
}

static void ask(void)
{
	struct claim *c = &claim[rnd(HOLDS)];

	if (c->used)
		return;
	*c = (struct claim){
		.used = true, .asked = true, .node = rnd(NODES), .name = rnd(4) ? 0 : rnd(NAMES),
		.shared = !rnd(12),
	};
	if (p4a_lock_async(node[c->node]->ctx, names[c->name], strlen(names[c->name]),
			   c->shared ? P4A_LOCK_SHARED : P4A_LOCK_EXCLUSIVE, 1000 + rnd(LEASE),
			   rnd(3) ? rnd(8000) : 0, &c->lock, c))
		c->used = false;
}

/* One node, again and again: so cells are opened. Others may ask at any time after that. */
static void use_often(void)
{
	unsigned int i = rnd(NODES), name = rnd(NAMES);
	struct claim *c = &claim[rnd(HOLDS)];

	for (int n = 0; n < 80 && !c->used; n++) {
		unsigned int before = messages;

		*c = (struct claim){ .node = i, .name = name };
		if (p4a_lock(node[i]->ctx, names[name], strlen(names[name]), P4A_LOCK_EXCLUSIVE,
			     LEASE, 0, &c->lock))
			return;
		quick += messages == before;
		c->used = true;
		check_grant(c);
		if (!rnd(60))
			return;		/* keeps it */
		c->used = false;
		p4a_unlock(node[i]->ctx, &c->lock);
		pump();			/* what has ended meanwhile is looked at when it ends */
		world_sleep(w, rnd(200));
	}
}

static struct claim *a_hold(void)
{
	for (unsigned int i = rnd(HOLDS), n = 0; n < HOLDS; n++, i = (i + 1) % HOLDS)
		if (claim[i].used && !claim[i].asked)
			return &claim[i];
	return NULL;
}

static void give_back(void)
{
	struct claim *c = a_hold();

	if (!c)
		return;
	c->used = false;
	assert_true(p4a_unlock_async(node[c->node]->ctx, &c->lock, NULL) <= 0);
}

static void extend(void)
{
	struct claim *c = a_hold();
	struct p4a_lock l;

	if (!c || c->until <= w->now)
		return;
	l = c->lock;
	if (!p4a_lock_extend(node[c->node]->ctx, &l, LEASE)) {
		assert_int_equal(l.token, c->lock.token);
		c->until = l.until_us;
	}
}

/* Its holds last as long as their leases do: others may not have them before. */
static void die(unsigned int i)
{
	p4a_close(node[i]->ctx);
	open_node(i);
	for (struct claim *c = claim; c < claim + HOLDS; c++)
		if (c->used && c->node == i)
			c->used = c->asked ? false : c->used;
}

static void forget_ended(void)
{
	for (struct claim *c = claim; c < claim + HOLDS; c++)
		if (c->used && !c->asked && c->until + LEASE < w->now)
			c->used = false;
}

static void random__never_two_holders(void **state)
{
	memset(claim, 0, sizeof(claim));
	memset(highest, 0, sizeof(highest));
	memset(alone, 0, sizeof(alone));
	granted = refused = quick = 0;
	fate_of = at_random;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t what = rnd(30000);

		if (what < 11000)
			ask();
		else if (what < 24000)
			give_back();
		else if (what < 24200)
			extend();
		else if (what < 25000 && nr_late)
			execute_a_late_one();
		else if (what < 25200)
			use_often();
		else if (what < 25203)
			die(rnd(NODES));
		else if (what < 25204)
			world_switch_restart(w);
		else if (what < 25206)
			world_switch_down(w);
		else if (what < 25207)
			restart_allocator();
		else if (what < 29990)
			world_sleep(w, rnd(300));
		else if (what < 30000)
			world_sleep(w, LEASE);
		if (!w->connected && !rnd(4))
			world_switch_up(w);
		if (rnd(2))
			world_settle(w);
		pump();
		forget_ended();
	}
	if (!w->connected)
		world_switch_up(w);
	assert_true(granted > ROUNDS / 50);
	assert_true(refused > ROUNDS / 50);
	assert_true(quick > granted / 5);
	/* Whatever was lost, all of them come back. */
	fate_of = NULL;
	for (int i = 0; i < 8; i++) {	/* what is asked again may be had once more */
		world_sleep(w, LEASE);
		pump();
	}
	for (unsigned int n = 0; n < NAMES; n++) {
		struct p4a_lock l;

		assert_int_equal(take(0, names[n], LEASE, &l), 0);
		assert_true(l.token > highest[n]);
		assert_int_equal(p4a_unlock(node[0]->ctx, &l), 0);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cell__a_lock_used_often_needs_no_message),
		TEST(cell__others_wait_for_a_quick_holder),
		TEST(cell__a_dead_holder_keeps_it_for_its_lease),
		TEST(cell__the_lease_runs_while_nobody_looks),
		TEST(cell__two_that_wait_for_each_other),
		TEST(cell__extended_and_shared_by_the_allocator),
		TEST(cell__a_switch_that_forgets_gives_nothing_twice),
		TEST(cell__the_block_is_given_to_who_needs_it),
		TEST(cell__used_up_its_tokens_still_ascend),
		TEST(cell__allocator_that_restarts_waits_for_the_switch),
		TEST(cell__only_so_many_wait_for_the_switch),
		TEST(cell__given_back_without_an_answer),
		TEST(cell__the_wait_begins_before_the_switch_is_asked),
		TEST(random__never_two_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
