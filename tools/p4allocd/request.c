// SPDX-License-Identifier: GPL-2.0-or-later
/* request.c - see request.h. */
#include <string.h>

#include "escrow.h"
#include "grant.h"
#include "held.h"
#include "lockinfo.h"
#include "out.h"
#include "request.h"
#include "reservation.h"
#include "resize.h"
#include "why.h"

struct call {			/* one request on its way through its handler */
	struct p4d_engine *e;
	struct p4d_tenant *t;
	const struct p4d_who *who;
	const struct p4d_request *req;
};

static void refuse(const struct call *c, const struct p4d_refusal *why)
{
	p4d_out_refuse(c->e, c->t, c->who, c->req, why);
}

static void plain(const struct call *c)
{
	uint8_t bytes[sizeof(struct p4w_msg)];

	p4d_out_reply(c->e, c->who, bytes, p4d_proto_plain(bytes, c->req));
}

static struct p4d_refusal order(const char *field, uint32_t got, uint32_t min, uint32_t max,
				const char *text)
{
	return (struct p4d_refusal){ P4W_REFUSED_ORDER, got, min, max, field, text };
}

/* It will have to be a batch after `last`. */
static struct p4d_refusal over(uint32_t batch, uint32_t last, const char *text)
{
	if (last == P4W_BATCH_MAX)
		return order("batch", batch, 1, 1, "no number is left: after a HELLO they begin again");
	return order("batch", batch, last + 1, P4W_BATCH_MAX, text);
}

static struct p4d_refusal expired(enum p4d_end end, uint32_t batch)
{
	if (end == P4D_END_LOST)
		return (struct p4d_refusal){ P4W_REFUSED_EXPIRED, batch, batch, batch, "epoch",
			"the switch restarted, or lost a packet: this batch is lost" };
	return (struct p4d_refusal){ P4W_REFUSED_EXPIRED, batch, batch, batch, "duration_us",
		"the blocks were taken back: FETCH what was kept" };
}

static uint64_t bit_of(const struct call *c)
{
	return p4d_bit(c->req->node);
}

/* ------------------------------------------------------------------------ common checks */

/*
 * A short absence is waited out: the request is held. Before the first sight there is no geometry.
 */
static bool is_without_switch(const struct call *c, struct p4d_refusal *why)
{
	const struct p4d_engine *e = c->e;

	if (e->sw == P4D_SWITCH_UP ||
	    (e->sw == P4D_SWITCH_DOWN && e->bound && e->sw_down_at))
		return false;
	*why = (struct p4d_refusal){ P4W_REFUSED_SWITCH, 0, 0, 0, "", e->sw_why };
	return true;
}

/* All nodes must agree how many they are; who is alone with no batch under way may change it. */
static bool nodes_differ(const struct call *c, struct p4d_refusal *why)
{
	struct p4d_tenant *t = c->t;
	bool may_change = !t->cur && !t->next &&
		(c->req->type == P4W_HELLO || c->req->type == P4W_REQUEST);

	if (t->nodes == c->req->nodes)
		return false;
	if (t->nodes && !may_change)
		return p4d_proto_range(why, "nodes", c->req->nodes, t->nodes, t->nodes);
	t->nodes = c->req->nodes;
	t->left = 0;
	t->dirty = true;
	return false;
}

/* Did this batch end well for the node? Else *why. For batches that are neither cur nor next. */
static int check_over(const struct call *c, uint32_t batch, struct p4d_refusal *why)
{
	const struct p4d_tenant *t = c->t;
	uint32_t last = t->cur ? t->cur->number - 1 : t->last;

	if (!t->last || batch != t->last) {
		*why = over(batch, last, batch <= last ? "that batch is long over" :
			    "REQUEST that batch first");
		why->max = t->next ? t->next->number : why->min;
		return -1;
	}
	if (t->last_end == P4D_END_FREED || t->last_done & bit_of(c))
		return 0;
	*why = expired(t->last_end, batch);
	return -1;
}

/* The same for the current batch while its blocks are being taken. */
static int check_taking(const struct call *c, struct p4d_refusal *why)
{
	const struct p4d_batch *b = c->t->cur;

	if (b->end == P4D_END_FREED || b->done & bit_of(c))
		return 0;
	*why = expired(b->end, b->number);
	return -1;
}

static bool is_current(const struct call *c, uint32_t batch)
{
	return c->t->cur && c->t->cur->number == batch;
}

static bool is_next(const struct call *c, uint32_t batch)
{
	return c->t->next && c->t->next->number == batch;
}

/* --------------------------------------------------------------------------------- HELLO */

/* A node that lost what it was doing. Its committed values must not be filled over. */
static bool restarted_in(const struct call *c, const struct p4d_batch *b)
{
	return b->state == P4D_HELD && b->answered & bit_of(c) & ~b->done & ~b->absent;
}

static uint32_t after(uint32_t batch)
{
	return batch < P4W_BATCH_MAX ? batch + 1 : batch;
}

static uint32_t batch_to_ask_for(const struct call *c)
{
	const struct p4d_tenant *t = c->t;
	const struct p4d_batch *b = t->cur;

	if (b && b->state != P4D_TAKING && !((b->done | b->absent) & bit_of(c)))
		return b->number;
	return t->next ? t->next->number : after(b ? b->number : t->last);
}

/* The numbers are used up, be it by one message: nothing is under way, so they may begin again. */
static void renumber(struct p4d_tenant *t)
{
	if (t->last < P4W_BATCH_MAX || t->cur || t->next || t->escrow)
		return;
	t->last = 0;
	t->dirty = true;
}

static void join_current(const struct call *c)
{
	struct p4d_batch *b = c->t->cur;

	if (b && b->absent & bit_of(c) && b->phase < P4W_PHASE_FILLED) {
		b->absent &= ~bit_of(c);
		c->t->dirty = true;
	}
}

static void welcome(const struct call *c)
{
	const struct p4d_engine *e = c->e;
	uint8_t bytes[sizeof(struct p4w_welcome)];
	struct p4d_welcome w = {
		.batch = batch_to_ask_for(c),
		.registers = e->geo.registers,
		.blocks = e->geo.blocks,
		.dependent = e->wanted.blocks ? e->wanted.dependent : e->geo.dependent,
		.flows = p4d_flows_max(&e->flows),
		.lease_max_us = e->policy.lease_max_us,
		.grace_us = e->policy.grace_us,
		.escrow = p4d_escrow_total(c->t, c->req->node, P4W_BATCH_MAX),
	};

	p4d_out_reply(c->e, c->who, bytes, p4d_proto_welcome(bytes, c->req, &w));
}

static void hello(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	struct p4d_refusal why;

	if (is_without_switch(c, &why)) {
		refuse(c, &why);
		return;
	}
	if (t->left & bit_of(c)) {
		t->left &= ~bit_of(c);
		t->dirty = true;
		join_current(c);
	}
	if (t->cur && restarted_in(c, t->cur))
		p4d_grant_break(c->e, t);
	renumber(t);
	if (t->cur && t->cur->state == P4D_TAKING && t->cur->keep)
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_DRAIN);
	else
		welcome(c);
}

/* ------------------------------------------------------------------------- REQUEST, WAIT */

static void granted(const struct call *c)
{
	struct p4d_batch *b = c->t->cur;
	uint64_t left = b->lease_until > c->e->now ? b->lease_until - c->e->now : 0;
	uint8_t bytes[sizeof(struct p4w_granted)];
	struct p4d_granted g = {
		.epoch = b->epoch,
		.flow_first = b->flow[c->req->node].first,
		.flow_count = b->flow[c->req->node].count,
		.lease_us = left > UINT32_MAX ? UINT32_MAX : left,
		.blocks = b->blocks,
	};

	b->answered |= bit_of(c);
	p4d_out_reply(c->e, c->who, bytes, p4d_proto_granted(bytes, c->req, &g));
}

static void reserved(const struct call *c, const struct p4d_batch *b)
{
	uint8_t bytes[sizeof(struct p4w_reserved)];
	struct p4d_reserved r;

	p4d_why_reserved(c->e, c->t, b, &r);
	p4d_out_reply(c->e, c->who, bytes, p4d_proto_reserved(bytes, c->req, &r));
}

/* A REQUEST that comes late must not take the place of the WAIT that followed it. */
static bool waits_already(const struct call *c)
{
	const struct p4d_held *h = &c->t->node[c->req->node].held[P4D_HOLD_GRANT];

	return c->req->type == P4W_REQUEST && h->used && h->req.type == P4W_WAIT &&
	       h->req.batch == c->req->batch;
}

static void hold_for_grant(const struct call *c, const struct p4d_batch *b)
{
	if (waits_already(c))
		reserved(c, b);
	else
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_GRANT);
}

void p4d_request_settle(struct p4d_engine *e, struct p4d_tenant *t)
{
	for (uint64_t left = t->holding[P4D_HOLD_GRANT]; t->next && left; left &= left - 1) {
		unsigned int i = __builtin_ctzll(left);
		struct p4d_held *h = &t->node[i].held[P4D_HOLD_GRANT];
		struct call c = { e, t, &h->who, &h->req };

		if (h->req.type != P4W_REQUEST || h->req.batch != t->next->number)
			continue;
		p4d_held_drop(e, t, i, P4D_HOLD_GRANT);
		reserved(&c, t->next);
	}
}

/* The current batch is the one that is asked for. */
static void answer_current(const struct call *c)
{
	struct p4d_batch *b = c->t->cur;
	struct p4d_refusal why = over(b->number, b->number, "this node is done with that batch");

	if (b->state == P4D_TAKING && check_taking(c, &why))
		refuse(c, &why);
	else if (b->state == P4D_TAKING || (b->done | b->absent) & bit_of(c))
		refuse(c, &why);
	else if (b->state == P4D_GIVING)
		hold_for_grant(c, b);
	else
		granted(c);
}

static int check_limits(const struct call *c, struct p4d_refusal *why)
{
	const struct p4d_request *r = c->req;
	const struct p4d_engine *e = c->e;

	if (p4d_proto_range(why, "duration_us", r->duration_us, 1, e->policy.lease_max_us) ||
	    p4d_proto_range(why, "want_blocks", r->want_blocks, r->min_blocks, e->geo.blocks) ||
	    p4d_proto_range(why, "min_blocks", r->min_blocks, 1, p4d_grant_limit(e, c->t)) ||
	    p4d_proto_range(why, "flows", r->flows, 1, p4d_flows_max(&e->flows)))
		return -1;
	return 0;
}

/* May a reservation for this batch be made? Numbers of those that were given up are left out. */
static int check_new(const struct call *c, struct p4d_refusal *why)
{
	const struct p4d_tenant *t = c->t;
	uint32_t batch = c->req->batch;
	uint64_t entries;

	if (t->next || (t->cur && batch < t->cur->number)) {
		uint32_t want = t->next ? t->next->number : after(t->cur->number);

		*why = order("batch", batch, want, t->next ? want : P4W_BATCH_MAX,
			     "another batch of the tenant comes next");
		return -1;
	}
	if (batch <= t->last) {
		if (!check_over(c, batch, why))
			*why = over(batch, t->last, "that batch is over");
		return -1;
	}
	if (p4d_escrow_sets(t, &entries) >= P4D_SETS_MAX) {
		*why = order("escrow", P4D_SETS_MAX, 0, P4D_SETS_MAX - 1,
			     "too much in escrow: FETCH it first");
		return -1;
	}
	return check_limits(c, why);
}

static int say_done(const struct call *c, uint32_t batch, struct p4d_refusal *why);

static void request(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	struct p4d_refusal why;

	if (is_without_switch(c, &why)) {
		refuse(c, &why);
		return;
	}
	/* Before anything is freed: a request that is refused changes nothing. */
	if (c->req->code & P4W_REQ_DONE && !is_current(c, c->req->batch) &&
	    check_limits(c, &why)) {
		refuse(c, &why);
		return;
	}
	if (c->req->code & P4W_REQ_DONE && say_done(c, c->req->batch - 1, &why) &&
	    why.code == P4W_REFUSED_EXPIRED) {
		refuse(c, &why);
		return;
	}
	if (is_current(c, c->req->batch)) {
		answer_current(c);
		return;
	}
	if (is_next(c, c->req->batch) ? check_limits(c, &why) : check_new(c, &why)) {
		refuse(c, &why);
		return;
	}
	p4d_reservation_make(c->e, t, c->req);
	if (t->left & bit_of(c)) {
		t->left &= ~bit_of(c);
		t->dirty = true;
	}
	t->next->done &= ~bit_of(c);
	p4d_escrow_ack_shown(t, c->req->node);
	hold_for_grant(c, t->next);
	c->e->must_schedule = true;
}

static void wait(const struct call *c)
{
	struct p4d_refusal why;

	if (is_without_switch(c, &why)) {
		refuse(c, &why);
	} else if (is_current(c, c->req->batch)) {
		answer_current(c);
	} else if (is_next(c, c->req->batch)) {
		p4d_reservation_await(c->e, c->t);
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_GRANT);
		c->e->must_schedule = true;
	} else {
		if (!check_over(c, c->req->batch, &why))
			why = over(c->req->batch, c->t->last, "that batch is over");
		refuse(c, &why);
	}
}

/* --------------------------------------------------------------------- SYNC, DONE, LEAVE */

static void sync_current(const struct call *c)
{
	struct p4d_node *node = &c->t->node[c->req->node];
	uint32_t number = c->req->batch;

	if (node->phase < c->req->code) {
		node->phase = c->req->code;
		p4d_grant_settle(c->e, c->t);
		p4d_request_wake(c->e, c->t, P4D_HOLD_LOCKS);
	}
	if (!is_current(c, number) || c->t->cur->state != P4D_HELD)
		p4d_request_dispatch(c->e, c->t, c->who, c->req);
	else if (c->t->cur->phase >= c->req->code || c->t->cur->done & bit_of(c))
		plain(c);
	else
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_SYNC);
}

static void sync(const struct call *c)
{
	struct p4d_refusal why = order("batch", c->req->batch, c->req->batch, c->req->batch,
				       "that batch is not granted yet");
	bool ok = false;

	if (is_current(c, c->req->batch) && c->t->cur->state == P4D_HELD) {
		if (c->req->type == P4W_RESIZE)
			p4d_resize_request(c->e, c->t, c->who, c->req);
		else
			sync_current(c);
		return;
	}
	if (is_current(c, c->req->batch) && c->t->cur->state == P4D_TAKING)
		ok = !check_taking(c, &why);
	else if (!is_current(c, c->req->batch) && !is_next(c, c->req->batch))
		ok = !check_over(c, c->req->batch, &why);
	if (ok && c->req->type == P4W_RESIZE) {
		ok = false;
		why = over(c->req->batch, c->req->batch, "this node is done with that batch");
	}
	if (ok)
		plain(c);
	else
		refuse(c, &why);
}

static void give_up_reservation(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	struct p4d_refusal why = order("batch", t->next->number, t->next->number, t->next->number,
				       "the node has given the batch up");

	p4d_held_refuse(c->e, t, c->req->node, P4D_HOLD_GRANT, &why);
	t->next->done |= bit_of(c);
	p4d_request_wake(c->e, t, P4D_HOLD_LOCKS);
	t->dirty = true;
	if (!(p4d_all_nodes(t) & ~t->next->done & ~t->left))
		p4d_reservation_drop(c->e, t);
}

/* The node is done with a batch: 0, or -1 and *why. */
static int say_done(const struct call *c, uint32_t batch, struct p4d_refusal *why)
{
	struct p4d_tenant *t = c->t;

	if (is_next(c, batch)) {
		give_up_reservation(c);
		return 0;
	}
	if (!is_current(c, batch))
		return check_over(c, batch, why);
	if (t->cur->state == P4D_TAKING)
		return check_taking(c, why);
	if (!(t->cur->done & bit_of(c))) {
		t->cur->done |= bit_of(c);
		t->dirty = true;
		p4d_grant_settle(c->e, t);
		p4d_request_wake(c->e, t, P4D_HOLD_LOCKS);
	}
	return 0;
}

static void done(const struct call *c)
{
	struct p4d_refusal why;

	if (say_done(c, c->req->batch, &why))
		refuse(c, &why);
	else
		plain(c);
}

static void leave(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	struct p4d_refusal why = order("node", c->req->node, 0, 0, "the node has left");

	for (int kind = 0; kind < P4D_HOLDS; kind++)
		p4d_held_refuse(c->e, t, c->req->node, kind, &why);
	if (!(t->left & bit_of(c))) {
		t->left |= bit_of(c);
		t->dirty = true;
		p4d_grant_settle(c->e, t);
	}
	if (t->next && !(p4d_all_nodes(t) & ~t->next->done & ~t->left))
		p4d_reservation_drop(c->e, t);
	p4d_request_wake(c->e, t, P4D_HOLD_LOCKS);
	c->e->must_schedule = true;
	plain(c);
}

/* ----------------------------------------------------------------------------- LOCK_INFO */

/* The batch is the current or the next one, and the node has a part in it. */
static void lock_info_of(const struct call *c, struct p4d_batch *b)
{
	struct p4d_refusal why = over(b->number, b->number,
				      "another node has filled without LOCK_INFO");
	struct p4d_locks *l = p4d_lockinfo_of(c->t, b);
	bool dealt = l->dealt;
	uint8_t bytes[P4D_REPLY_MAX];

	switch (p4d_lockinfo_take(c->t, b, l, c->req)) {
	case P4D_LOCKS_DEALT:
		p4d_out_reply(c->e, c->who, bytes,
			      p4d_proto_locks(bytes, c->req, l->bit, l->n));
		if (!dealt)
			p4d_request_wake(c->e, c->t, P4D_HOLD_LOCKS);
		break;
	case P4D_LOCKS_MISSING:
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_LOCKS);
		break;
	case P4D_LOCKS_NEVER:
		refuse(c, &why);
		break;
	}
}

static void lock_info(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	struct p4d_refusal why;

	if (is_next(c, c->req->batch) && !(t->next->done & bit_of(c))) {
		lock_info_of(c, t->next);
		return;
	}
	if (is_current(c, c->req->batch) && t->cur->state != P4D_TAKING &&
	    !((t->cur->done | t->cur->absent) & bit_of(c))) {
		lock_info_of(c, t->cur);
		return;
	}
	why = over(c->req->batch, c->req->batch, "this node is done with that batch");
	if (is_current(c, c->req->batch) && t->cur->state == P4D_TAKING)
		check_taking(c, &why);
	else if (!is_current(c, c->req->batch) && !is_next(c, c->req->batch))
		check_over(c, c->req->batch, &why);
	refuse(c, &why);
}

/* --------------------------------------------------------------------------------- FETCH */

static void fetch(const struct call *c)
{
	struct p4d_tenant *t = c->t;
	uint32_t total = p4d_escrow_total(t, c->req->node, c->req->batch);
	uint8_t bytes[P4D_REPLY_MAX];

	if (t->cur && t->cur->state == P4D_TAKING && t->cur->keep) {
		p4d_held_put(c->e, c->t, c->who, c->req, P4D_HOLD_DRAIN);
		return;
	}
	p4d_out_reply(c->e, c->who, bytes, p4d_escrow_page(t, c->req, bytes));
	if (total && c->req->code == total)
		p4d_escrow_ack(t, c->req->node, c->req->batch);
}

void p4d_request_dispatch(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			  const struct p4d_request *req)
{
	static void (*const handlers[])(const struct call *) = {
		[P4W_HELLO] = hello, [P4W_REQUEST] = request, [P4W_WAIT] = wait,
		[P4W_SYNC] = sync,   [P4W_DONE] = done,	      [P4W_LEAVE] = leave,
		[P4W_FETCH] = fetch, [P4W_LOCK_INFO] = lock_info,
		[P4W_RESIZE] = sync,
	};
	struct call c = { e, t, who, req };
	struct p4d_refusal why;

	if (nodes_differ(&c, &why))
		refuse(&c, &why);
	else
		handlers[req->type](&c);
}
