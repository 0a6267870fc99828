// SPDX-License-Identifier: GPL-2.0-or-later
/* grant.c - see grant.h. */
#include <stdlib.h>
#include <string.h>

#include "epoch.h"
#include "escrow.h"
#include "grant.h"
#include "lockcell.h"
#include "measure.h"
#include "out.h"
#include "plan.h"
#include "request.h"
#include "reservation.h"
#include "resize.h"
#include "target.h"

#define HABIT 512		/* twice the declared time, in the mean of the last batches */
#define OVERRUN_MAX 1024	/* of one batch */

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

bool p4d_grant_usable(const struct p4d_engine *e)
{
	return e->sw == P4D_SWITCH_UP;
}

uint32_t p4d_grant_limit(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	return min32(t->conf.max_blocks, e->geo.blocks);
}

/* ------------------------------------------------------------------------- to the switch */

static void issue_give(struct p4d_engine *e, const struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;
	struct p4d_give give = {
		.action = b->action = e->action_next++,
		.tenant = t->id,
		.epoch = b->epoch,
		.blocks = b->blocks,
	};

	p4d_blocks_each(&b->blocks, block)
		if (e->before[block] && e->before[block] != t->id)
			p4d_blocks_add(&give.clear, block);
	for (unsigned int i = 0; i < t->nodes; i++)
		give.flow[give.nr_flows++] = b->flow[i];
	p4d_out_give(e, &give);
}

static void issue_take(struct p4d_engine *e, struct p4d_batch *b)
{
	struct p4d_take take = {
		.action = b->action = e->action_next++,
		.blocks = b->blocks,
		.read = b->keep,
	};

	p4d_out_take(e, &take);
}

bool p4d_grant_is_free(const struct p4d_engine *e, unsigned int block)
{
	return !e->owner[block] && !p4d_blocks_has(&e->stray, block);
}

static struct p4d_blocks free_blocks(const struct p4d_engine *e)
{
	struct p4d_blocks set = { 0 };

	for (unsigned int b = 0; b < e->geo.blocks; b++)
		if (p4d_grant_is_free(e, b))
			p4d_blocks_add(&set, b);
	return set;
}

uint32_t p4d_grant_free(const struct p4d_engine *e)
{
	struct p4d_blocks set = free_blocks(e);

	return p4d_blocks_count(&set);
}

static void own(struct p4d_engine *e, const struct p4d_blocks *blocks, uint32_t tenant)
{
	p4d_blocks_each(blocks, b)
		e->owner[b] = tenant;
}

static bool give(struct p4d_engine *e, struct p4d_tenant *t, uint32_t count)
{
	struct p4d_blocks free = free_blocks(e), liked = { 0 };
	struct p4d_batch *b = t->next;
	uint64_t rank = p4d_reservation_rank(b);

	if (!p4d_flows_take(&e->flows, t->id, b->flows, b->flow, t->nodes))
		return false;
	p4d_blocks_each(&free, block)
		if (e->before[block] == t->id)
			p4d_blocks_add(&liked, block);
	b->blocks = p4d_pick(&free, &liked, count);
	b->epoch = p4d_epoch_draw(e);
	b->state = P4D_GIVING;
	b->absent = t->left;
	t->cold_us = rank > t->freed_at ? rank - t->freed_at : 0;
	p4d_account_want(&e->ledger, &t->account, t->conf.weight);
	p4d_account_hold(&e->ledger, &t->account, count);
	t->cur = b;
	t->next = NULL;
	t->dirty = true;
	for (unsigned int i = 0; i < P4W_NODES_MAX; i++)
		t->node[i].phase = 0;
	own(e, &b->blocks, t->id);
	p4d_history_record(e->history, e->now - e->start, t->id, count);
	issue_give(e, t);
	return true;
}

static void count_grant(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;
	uint64_t rank = p4d_reservation_rank(b), waited = e->now > rank ? e->now - rank : 0;
	bool moved = false;

	p4d_blocks_each(&b->blocks, block) {
		uint32_t before = e->before[block];

		moved |= before && before != t->id && before != P4D_ANYBODY;
		e->before[block] = t->id;
	}
	t->counter[P4D_C_grants]++;
	t->counter[P4D_C_handovers] += moved;
	t->waited_us += waited;
	t->wait_us[t->nr_waits++ % P4D_WAITS] = waited > UINT32_MAX ? UINT32_MAX : waited;
}

void p4d_grant_given(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;

	b->action = 0;
	b->state = P4D_HELD;
	b->granted_at = e->now;
	b->lease_until = e->now + b->duration_us + e->policy.grace_us;
	if (b->lease_until < e->overdue_from)
		e->overdue_from = b->lease_until;
	t->dirty = true;
	count_grant(e, t);
	if (!t->known) {
		p4d_grant_break(e, t);
		return;
	}
	p4d_request_wake(e, t, P4D_HOLD_GRANT);
	p4d_grant_settle(e, t);
}

/* ----------------------------------------------------------------------------- the end */

/* What declarations are worth: each batch counts for an eighth of the mean, and once is no habit. */
static void learn_overrun(const struct p4d_engine *e, struct p4d_tenant *t)
{
	const struct p4d_batch *b = t->cur;
	uint64_t ratio = (e->now - b->granted_at) * 256 / b->duration_us;

	ratio = ratio < OVERRUN_MAX ? ratio : OVERRUN_MAX;
	t->overrun = (7 * t->overrun + ratio) / 8;
}

static void end(struct p4d_engine *e, struct p4d_tenant *t, const uint32_t *cells)
{
	struct p4d_batch *b = t->cur;

	if (b->keep && cells)
		p4d_escrow_add(e, t, cells, b->done | b->absent);
	t->last = b->number;
	t->last_end = b->end;
	t->last_done = b->done | b->absent;
	t->counter[P4D_C_batches]++;
	t->counter[P4D_C_expired] += b->end == P4D_END_EXPIRED;
	t->counter[P4D_C_lost] += b->end == P4D_END_LOST;
	if (b->granted_at)
		t->counter[P4D_C_block_us] +=
			(e->now - (b->sized_at ? b->sized_at : b->granted_at)) *
			p4d_blocks_count(&b->blocks);
	own(e, &b->blocks, 0);
	p4d_flows_free(&e->flows, t->id, b->flow, t->nodes);
	p4d_history_record(e->history, e->now - e->start, t->id, 0);
	if (b->granted_at)
		p4d_target_learn(e, t);
	p4d_account_rest(&e->ledger, &t->account);
	t->freed_at = e->now;
	free(b);
	t->cur = NULL;
	t->dirty = true;
	for (int kind = 0; kind < P4D_HOLDS; kind++)
		p4d_request_wake(e, t, kind);
	e->must_schedule = true;
}

static void take(struct p4d_engine *e, struct p4d_tenant *t, enum p4d_end how, bool keep)
{
	struct p4d_batch *b = t->cur;

	b->state = P4D_TAKING;
	b->end = how;
	b->keep = keep;
	t->dirty = true;
	p4d_resize_end(e, t);
	p4d_measure_end(e, t);
	if (p4d_grant_usable(e))
		issue_take(e, b);
	p4d_request_wake(e, t, P4D_HOLD_SYNC);
	p4d_request_wake(e, t, P4D_HOLD_LOCKS);
}

/* Before all have filled, the nodes still have every value: cells are kept only after that. */
void p4d_grant_break(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;
	bool someone = p4d_all_nodes(t) & ~b->done & ~b->absent;

	t->counter[P4D_C_fences]++;
	take(e, t, P4D_END_EXPIRED, b->phase >= P4W_PHASE_FILLED && someone);
}

void p4d_grant_give_up(struct p4d_engine *e, struct p4d_tenant *t)
{
	t->counter[P4D_C_fences]++;
	take(e, t, P4D_END_LOST, false);
}

void p4d_grant_taken(struct p4d_engine *e, struct p4d_tenant *t, const uint32_t *cells)
{
	end(e, t, cells);
}

uint64_t p4d_grant_participants(const struct p4d_tenant *t)
{
	return p4d_all_nodes(t) & ~t->left & ~t->cur->done & ~t->cur->absent;
}

static uint8_t phase_of_all(const struct p4d_tenant *t)
{
	uint64_t who = p4d_grant_participants(t);
	uint8_t phase = who ? P4W_PHASE_RAN : t->cur->phase;

	for (unsigned int i = 0; i < t->nodes; i++)
		if (who & p4d_bit(i) && t->node[i].phase < phase)
			phase = t->node[i].phase;
	return phase;
}

/*
 * A node that goes before all have filled leaves cells that nobody filled: the others must not run
 * on them, so the batch ends for all. Nothing has run yet, so nothing is lost.
 */
static bool is_spoilt(const struct p4d_tenant *t)
{
	const struct p4d_batch *b = t->cur;
	uint64_t gone = (b->done | t->left) & ~b->absent;

	if (b->phase >= P4W_PHASE_FILLED)
		return false;
	for (unsigned int i = 0; i < t->nodes; i++)
		if (gone & p4d_bit(i) && t->node[i].phase < P4W_PHASE_FILLED)
			return true;
	return false;
}

void p4d_grant_settle(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;
	uint8_t phase;

	if (!b || b->state != P4D_HELD)
		return;
	if (!p4d_grant_participants(t)) {
		learn_overrun(e, t);
		take(e, t, P4D_END_FREED, b->phase >= P4W_PHASE_FILLED &&
		     p4d_all_nodes(t) & ~b->done & ~b->absent);
		return;
	}
	if (is_spoilt(t)) {
		p4d_grant_break(e, t);
		return;
	}
	phase = phase_of_all(t);
	if (phase > b->phase) {
		b->phase = phase;
		t->dirty = true;
		p4d_measure_phase(e, t);
		p4d_request_wake(e, t, P4D_HOLD_SYNC);
	}
	if (t->cur == b && b->state == P4D_HELD)
		p4d_resize_settle(e, t);
}

void p4d_grant_lose(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;

	b->state = P4D_TAKING;
	b->end = P4D_END_LOST;
	b->keep = false;
	p4d_epoch_lost(e, b);
	p4d_resize_end(e, t);
	end(e, t, NULL);
}

void p4d_grant_resume(struct p4d_engine *e, bool fresh)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		struct p4d_batch *b = t->cur;

		if (b && b->state == P4D_GIVING) {
			if (fresh) {
				b->epoch = p4d_epoch_draw(e);
				t->dirty = true;
			}
			issue_give(e, t);
		} else if (b && b->state == P4D_TAKING) {
			issue_take(e, b);
		}
		p4d_resize_resume(e, t);
	}
}

/* ------------------------------------------------------------------------------ schedule */

struct queue {
	size_t n;
	size_t room;
	struct p4d_tenant **tenant;	/* in order of service */
	struct p4d_claim *claim;
};

static void enqueue(struct queue *q, struct p4d_tenant *t)
{
	size_t at = q->n;

	if (q->n == q->room) {
		q->room = q->room ? q->room * 2 : 16;
		q->tenant = realloc(q->tenant, q->room * sizeof(*q->tenant));
		if (!q->tenant)
			abort();
	}
	while (at > 0 && p4d_reservation_comes_before(t->next, q->tenant[at - 1]->next)) {
		q->tenant[at] = q->tenant[at - 1];
		at--;
	}
	q->tenant[at] = t;
	q->n++;
}

static struct p4d_claim claim_of(const struct p4d_tenant *t)
{
	return (struct p4d_claim){
		.curve = &t->next->curve,
		.factor = p4d_target_factor(t),
		.min = t->next->min_blocks,
		.target = t->target,
		.bypassed = t->next->bypassed,
	};
}

/* Geometry or max_blocks have changed since the request: it can never be served. */
static bool is_impossible(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_refusal why;

	if (!p4d_proto_range(&why, "min_blocks", t->next->min_blocks, 1, p4d_grant_limit(e, t)))
		return false;
	p4d_request_refuse_held(e, t, P4D_HOLD_GRANT, &why);
	p4d_request_refuse_held(e, t, P4D_HOLD_LOCKS, &why);
	p4d_reservation_drop(e, t);
	return true;
}

/* Blocks that would be left if all others had what they have asked for. */
static uint32_t spare_blocks(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	uint32_t free = p4d_grant_free(e), wanted = 0;

	for (const struct p4d_tenant *o = e->tenants; o; o = o->link)
		if (o != t && o->next && o->known)
			wanted += o->next->want_blocks;
	return free > wanted ? free - wanted : 0;
}

/* What nobody else has asked for need not lie idle: the first of those who are kept out. */
static void collect_barred(struct p4d_engine *e, struct queue *q)
{
	for (struct p4d_tenant *t = e->tenants; t && !q->n; t = t->link)
		if (t->known && !t->cur && p4d_reservation_is_barred(e, t) &&
		    p4d_reservation_is_due(e, t) &&
		    t->next->min_blocks <= spare_blocks(e, t) && !is_impossible(e, t))
			enqueue(q, t);
}

static void collect(struct p4d_engine *e, struct queue *q)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->known && !t->cur && p4d_reservation_is_ready(e, t) && !is_impossible(e, t))
			enqueue(q, t);
	if (!q->n)
		collect_barred(e, q);
	if (q->n)
		p4d_target_all(e);
	q->claim = p4d_alloc((q->n + 1) * sizeof(*q->claim));
	for (size_t i = 0; i < q->n; i++)
		q->claim[i] = claim_of(q->tenant[i]);
}

static bool is_overdue(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	return t->cur && t->cur->state == P4D_HELD && t->cur->lease_until <= e->now;
}

static struct p4d_tenant *longest_overdue(struct p4d_engine *e)
{
	struct p4d_tenant *found = NULL;

	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (is_overdue(e, t) && (!found || t->cur->lease_until < found->cur->lease_until))
			found = t;
	return found;
}

/* Blocks that are free or on their way to it. */
static uint32_t coming(const struct p4d_engine *e)
{
	struct p4d_blocks set = free_blocks(e);
	uint32_t n = p4d_blocks_count(&set) + p4d_blocks_count(&e->stray);

	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur && t->cur->state == P4D_TAKING)
			n += p4d_blocks_count(&t->cur->blocks);
	return n + p4d_lockcell_coming(e);
}

/*
 * Fences overrunners until the first who waits fits. `flows`: it waits for flows, not for blocks.
 */
static void reclaim(struct p4d_engine *e, uint32_t need, bool flows)
{
	struct p4d_tenant *t;

	while ((flows || coming(e) < need) && p4d_lockcell_give_back(e))
		flows = false;
	while ((flows || coming(e) < need) && (t = longest_overdue(e))) {
		learn_overrun(e, t);
		if (t->overrun > HABIT)
			t->barred_until = e->now + 2 * (e->now - t->cur->granted_at);
		p4d_grant_break(e, t);
		flows = false;
	}
}

/* A tenant that waits for its own next batch while a node of it sleeps on the current one. */
static void reclaim_own(struct p4d_engine *e)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (is_overdue(e, t) && p4d_reservation_is_ready(e, t))
			p4d_grant_break(e, t);
}

static void serve(struct p4d_engine *e, struct queue *q)
{
	struct p4d_blocks free = free_blocks(e);

	p4d_plan(e->divider, p4d_blocks_count(&free), q->claim, q->n);
	for (size_t i = 0; i < q->n; i++)
		q->tenant[i]->next->bypassed = q->claim[i].bypassed;
	for (size_t i = 0; i < q->n; i++)
		if (q->claim[i].give && !give(e, q->tenant[i], q->claim[i].give)) {
			reclaim(e, 0, true);
			return;
		}
	for (size_t i = 0; i < q->n; i++)
		if (!q->claim[i].give) {
			reclaim(e, q->claim[i].min, false);
			return;
		}
}

/* Nothing is free and no lease is over: whoever waits, nothing can be done about it. */
static bool is_stuck(struct p4d_engine *e)
{
	struct p4d_blocks free = free_blocks(e);
	uint64_t first = UINT64_MAX;

	if (p4d_blocks_count(&free) || e->cell_blocks)
		return false;
	if (e->now < e->overdue_from)
		return true;
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur && t->cur->state == P4D_HELD && t->cur->lease_until < first)
			first = t->cur->lease_until;
	e->overdue_from = first;
	return e->now < first;
}

void p4d_grant_schedule(struct p4d_engine *e)
{
	struct queue q = { 0 };

	if (!p4d_grant_usable(e) || is_stuck(e))
		return;
	collect(e, &q);
	if (q.n)
		serve(e, &q);
	reclaim_own(e);
	free(q.tenant);
	free(q.claim);
}
