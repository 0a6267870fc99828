// SPDX-License-Identifier: GPL-2.0-or-later
/* engine.c - see engine.h. The events; each ends with finish(), the only place that schedules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escrow.h"
#include "grant.h"
#include "lockcell.h"
#include "locking.h"
#include "lockinfo.h"
#include "measure.h"
#include "out.h"
#include "reconcile.h"
#include "request.h"
#include "reservation.h"
#include "resize.h"
#include "target.h"

#define SWITCH_PATIENCE_US 1000000	/* a switch may be away so long before nodes are told */

struct p4d_engine *p4d_engine_create(uint64_t now)
{
	struct p4d_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->history = p4d_history_create();
	e->waiting = p4d_history_create();
	e->divider = p4d_divider_create();
	e->ledger.now = now;
	if (!e->history || !e->waiting || !e->divider || p4d_flows_init(&e->flows, 0)) {
		p4d_engine_destroy(e);
		return NULL;
	}
	e->now = e->start = now;
	e->policy = (struct p4d_policy){ .lease_max_us = 2000000, .grace_us = 100000 };
	e->epoch_next = e->epoch_limit = 1;
	e->reservation_next = 1;
	e->token_next = e->token_limit = 1;
	e->batches_due = UINT64_MAX;
	e->action_next = 1;
	e->out_last = &e->out_first;
	for (unsigned int b = 0; b < P4W_MAX_BLOCKS; b++)
		e->before[b] = P4D_ANYBODY;
	snprintf(e->sw_why, sizeof(e->sw_why), "the allocator has not seen the switch yet");
	return e;
}

void p4d_engine_destroy(struct p4d_engine *e)
{
	struct p4d_tenant *t;
	struct p4d_out *out;

	if (!e)
		return;
	for (t = e->tenants; t; t = t->link)
		p4d_locking_end(e, t);
	while (e->out_last && (out = p4d_engine_pop(e)))
		free(out);
	while ((t = e->tenants)) {
		e->tenants = t->link;
		p4d_escrow_free(t);
		p4d_lockinfo_free(t);
		p4d_lockcell_free(t);
		free(t->cur);
		free(t->next);
		free(t);
	}
	free(e->place);
	p4d_flows_uninit(&e->flows);
	p4d_history_destroy(e->history);
	p4d_history_destroy(e->waiting);
	p4d_divider_destroy(e->divider);
	free(e);
}

/* Where the tenant is in e->place, or would be. */
static size_t place_of(const struct p4d_engine *e, uint32_t id)
{
	size_t low = 0, high = e->nr_tenants;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (e->place[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct p4d_tenant *find(struct p4d_engine *e, uint32_t id)
{
	size_t at = place_of(e, id);

	return at < e->nr_tenants && e->place[at].id == id ? e->place[at].tenant : NULL;
}

static bool make_place(struct p4d_engine *e, size_t at, struct p4d_tenant *t)
{
	size_t room = e->room ? 2 * e->room : 16;
	struct p4d_place *more = e->place;

	if (e->nr_tenants == e->room) {
		more = reallocarray(e->place, room, sizeof(*more));
		if (!more)
			return false;
		e->place = more;
		e->room = room;
	}
	memmove(more + at + 1, more + at, (e->nr_tenants++ - at) * sizeof(*more));
	more[at] = (struct p4d_place){ t->id, t };
	return true;
}

struct p4d_tenant *p4d_engine_tenant_record(struct p4d_engine *e, uint32_t id)
{
	struct p4d_tenant *t = find(e, id);
	size_t at = place_of(e, id);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->id = id;
	t->overrun = t->hot = 256;
	t->conf = (struct p4d_tenant_conf){ id, "", 100, 0, P4W_MAX_BLOCKS };
	if (!make_place(e, at, t)) {
		free(t);
		return NULL;
	}
	t->link = at + 1 < e->nr_tenants ? e->place[at + 1].tenant : NULL;
	*(at ? &e->place[at - 1].tenant->link : &e->tenants) = t;
	return t;
}

/* What was due at a time that this event has come after is due with it. */
static void begin(struct p4d_engine *e, uint64_t now)
{
	if (now > e->now)
		e->now = now;
	if (e->now >= e->batches_due) {
		e->batches_due = UINT64_MAX;
		e->must_schedule = true;
	}
	p4d_ledger_advance(&e->ledger, e->now);
}

/* t: the tenant whose message it was, or NULL. */
static void finish(struct p4d_engine *e, struct p4d_tenant *t)
{
	while (e->must_schedule) {
		e->must_schedule = false;
		p4d_grant_schedule(e);
	}
	if (t)
		p4d_request_settle(e, t);
	p4d_history_record(e->waiting, e->now - e->start, 0, e->nr_waiting);
}

/* ------------------------------------------------------------------------------- messages */

void p4d_engine_message(struct p4d_engine *e, uint64_t now, uint32_t tenant,
			const struct p4d_who *who, const void *bytes, size_t len)
{
	struct p4d_tenant *t = tenant ? find(e, tenant) : NULL;
	struct p4d_request req;
	struct p4d_refusal why;

	begin(e, now);
	if (t && !t->known)
		t = NULL;
	if (t)
		t->counter[P4D_C_requests]++;
	if (p4d_proto_decode(bytes, len, &req, &why)) {
		p4d_out_refuse(e, t, who, &req, &why);
	} else if (!t) {
		why = (struct p4d_refusal){ P4W_REFUSED_TENANT, tenant, 1, P4W_TENANT_MAX, "tenant",
			tenant ? "unknown to the allocator: p4ctl tenant add, on its host too"
			       : "the socket has joined no tenant" };
		p4d_out_refuse(e, NULL, who, &req, &why);
	} else if (req.type == P4W_LOCK || req.type == P4W_UNLOCK || req.type == P4W_LOCK_CELLS) {
		p4d_locking_request(e, t, who, &req);
		finish(e, NULL);
	} else if (req.type == P4W_BUNDLE) {
		p4d_locking_bundle(e, t, who, &req);
		finish(e, NULL);
	} else {
		p4d_request_dispatch(e, t, who, &req);
		finish(e, t);
	}
}

/* ----------------------------------------------------------------------------------- time */

void p4d_engine_tick(struct p4d_engine *e, uint64_t now)
{
	bool locks_only = false;	/* leases and waits of those are many, and no batch's concern */

	begin(e, now);
	if (e->sw == P4D_SWITCH_DOWN && e->sw_down_at &&
	    e->now >= e->sw_down_at + SWITCH_PATIENCE_US) {
		e->sw_down_at = 0;
		for (struct p4d_tenant *t = e->tenants; t; t = t->link)
			p4d_request_wake(e, t, P4D_HOLD_GRANT);
		for (struct p4d_tenant *t = e->tenants; t; t = t->link)
			p4d_lockcell_away(e, t);
	}
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		locks_only |= p4d_locking_tick(e, t);
		p4d_measure_tick(e, t);
	}
	e->must_schedule |= !locks_only;
	finish(e, NULL);
}

static void sooner(const struct p4d_engine *e, uint64_t *deadline, uint64_t at)
{
	if (at > e->now && at < *deadline)
		*deadline = at;
}

static uint64_t batches_due(const struct p4d_engine *e)
{
	uint64_t at = UINT64_MAX;

	if (e->sw == P4D_SWITCH_DOWN && e->sw_down_at)
		sooner(e, &at, e->sw_down_at + SWITCH_PATIENCE_US);
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (t->next) {
			sooner(e, &at, t->next->ready_at);
			sooner(e, &at, t->barred_until);
		}
		if (t->cur && t->cur->state == P4D_HELD) {
			sooner(e, &at, t->cur->lease_until);
			sooner(e, &at, t->cur->count_at);
		}
	}
	return at;
}

uint64_t p4d_engine_deadline(struct p4d_engine *e)
{
	uint64_t at = e->batches_due = batches_due(e);

	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (p4d_locking_deadline(t) < at)
			at = p4d_locking_deadline(t);
	return at;
}

/* ----------------------------------------------------------------------------- the switch */

static bool fits_configuration(struct p4d_engine *e)
{
	const struct p4d_geometry *w = &e->wanted, *g = &e->geo;

	if (!w->blocks || (w->registers == g->registers && w->blocks == g->blocks &&
			   w->flows == g->flows && (!w->dependent || w->dependent == g->dependent)))
		return true;
	snprintf(e->sw_why, sizeof(e->sw_why),
		 "geometry is %u (%u)x%u, %u flows; the switch has %u (%u)x%u, %u", w->registers,
		 w->dependent, w->blocks, w->flows, g->registers, g->dependent, g->blocks, g->flows);
	return false;
}

static void judge_switch(struct p4d_engine *e)
{
	e->sw = fits_configuration(e) ? P4D_SWITCH_UP : P4D_SWITCH_MISMATCH;
	if (e->sw == P4D_SWITCH_UP)
		e->sw_why[0] = '\0';
	e->must_schedule = true;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		p4d_request_wake(e, t, P4D_HOLD_GRANT);
}

void p4d_engine_switch_up(struct p4d_engine *e, uint64_t now, const struct p4d_switch_info *info)
{
	begin(e, now);
	e->sw_down_at = 0;
	p4d_reconcile(e, info);
	judge_switch(e);
	finish(e, NULL);
}

void p4d_engine_switch_down(struct p4d_engine *e, uint64_t now, const char *why)
{
	begin(e, now);
	if (e->sw != P4D_SWITCH_DOWN)
		e->sw_down_at = e->now;
	e->sw = P4D_SWITCH_DOWN;
	snprintf(e->sw_why, sizeof(e->sw_why), "%s", why);
}

static struct p4d_tenant *waiting_for(struct p4d_engine *e, uint64_t action,
				      enum p4d_batch_state state)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur && t->cur->action == action && t->cur->state == state)
			return t;
	return NULL;
}

/* Further blocks of a batch that runs: whose. */
static struct p4d_tenant *resized(struct p4d_engine *e, uint64_t action)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur && t->resize.epoch == t->cur->epoch && t->resize.action == action) {
			p4d_resize_given(e, t);
			return t;
		}
	return NULL;
}

void p4d_engine_given(struct p4d_engine *e, uint64_t now, uint64_t action)
{
	struct p4d_tenant *t = waiting_for(e, action, P4D_GIVING);

	begin(e, now);
	if (t)
		p4d_grant_given(e, t);
	for (struct p4d_tenant *o = e->tenants; o && !t; o = o->link)
		if (p4d_lockcell_given(e, o, action))
			break;
	if (!t)
		t = resized(e, action);
	finish(e, t);
}

void p4d_engine_taken(struct p4d_engine *e, uint64_t now, uint64_t action, const uint32_t *cells)
{
	struct p4d_tenant *t = waiting_for(e, action, P4D_TAKING);

	begin(e, now);
	if (t)
		p4d_grant_taken(e, t, cells);
	for (struct p4d_tenant *o = e->tenants; o && !t && cells; o = o->link)
		if (p4d_lockcell_taken(e, o, action, cells))
			break;
	if (action == e->stray_action) {
		p4d_reconcile_strays_taken(e);
		e->must_schedule = true;
	}
	finish(e, t);
}

void p4d_engine_counted(struct p4d_engine *e, uint64_t now, const struct p4d_count *count,
			const uint64_t *seen)
{
	struct p4d_tenant *t = find(e, count->tenant);

	begin(e, now);
	if (t && t->cur && t->cur->epoch == count->epoch)
		p4d_measure_counted(t, seen);
	finish(e, t);
}

void p4d_engine_stuck(struct p4d_engine *e, uint64_t now, const struct p4d_count *count)
{
	struct p4d_tenant *t = find(e, count->tenant);

	begin(e, now);
	if (t && t->cur && t->cur->epoch == count->epoch && t->cur->state == P4D_HELD)
		p4d_grant_give_up(e, t);
	finish(e, t);
}

void p4d_engine_celled(struct p4d_engine *e, uint64_t now, uint64_t action,
		       const uint32_t value[P4W_CELL_REGISTERS])
{
	begin(e, now);
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (p4d_lockcell_done(e, t, action, value))
			break;
	finish(e, NULL);
}

/* -------------------------------------------------------------------------- configuration */

void p4d_engine_policy(struct p4d_engine *e, uint64_t now, const struct p4d_policy *policy)
{
	begin(e, now);
	e->policy = *policy;
}

void p4d_engine_geometry(struct p4d_engine *e, uint64_t now, const struct p4d_geometry *geo)
{
	enum p4d_switch_state before = e->sw;

	begin(e, now);
	e->wanted = *geo;
	if (before == P4D_SWITCH_DOWN)
		return;
	judge_switch(e);
	if (before == P4D_SWITCH_MISMATCH && e->sw == P4D_SWITCH_UP)
		p4d_grant_resume(e, false);
	finish(e, NULL);
}

void p4d_engine_tenant(struct p4d_engine *e, uint64_t now, const struct p4d_tenant_conf *conf)
{
	struct p4d_tenant *t = p4d_engine_tenant_record(e, conf->id);

	begin(e, now);
	if (!t)
		abort();
	t->conf = *conf;
	t->known = t->seen = true;
	p4d_target_limit(e, t);
	e->must_schedule = true;
	finish(e, t);
}

static void gone(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_refusal why = { P4W_REFUSED_TENANT, t->id, 1, P4W_TENANT_MAX, "tenant",
				   "the tenant was deleted" };

	for (int kind = 0; kind < P4D_HOLDS; kind++)
		p4d_request_refuse_held(e, t, kind, &why);
	p4d_locking_end(e, t);
	t->known = false;
	if (t->next)
		p4d_reservation_drop(e, t);
	if (t->cur && t->cur->state == P4D_HELD)
		p4d_grant_break(e, t);
	e->must_schedule = true;
}

void p4d_engine_tenant_gone(struct p4d_engine *e, uint64_t now, uint32_t id)
{
	struct p4d_tenant *t = find(e, id);

	begin(e, now);
	if (t && t->known)
		gone(e, t);
	finish(e, NULL);
}

void p4d_engine_tenants_begin(struct p4d_engine *e)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		t->seen = false;
}

void p4d_engine_tenants_end(struct p4d_engine *e, uint64_t now)
{
	begin(e, now);
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (!t->seen && (t->known || t->cur || t->next))
			gone(e, t);
	finish(e, NULL);
}

/* -------------------------------------------------------------------------------- restart */

static int take_back(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;

	if (p4d_blocks_next(&b->blocks, e->geo.blocks) < P4W_MAX_BLOCKS)
		return -EINVAL;
	p4d_blocks_each(&b->blocks, block) {
		if (e->owner[block])
			return -EINVAL;
		e->owner[block] = t->id;
		if (b->state != P4D_GIVING)
			e->before[block] = t->id;
	}
	for (unsigned int i = 0; i < t->nodes; i++)
		if (!p4d_flows_claim(&e->flows, t->id, b->flow[i]))
			return -EINVAL;
	b->answered = ~0ull;
	if (b->state == P4D_HELD) {
		e->overdue_from = e->now;
		b->granted_at = e->now;
		b->lease_until = e->now + b->duration_us + e->policy.grace_us;
	}
	p4d_account_want(&e->ledger, &t->account, t->conf.weight);
	p4d_account_hold(&e->ledger, &t->account, p4d_blocks_count(&b->blocks));
	p4d_history_record(e->history, 0, t->id, p4d_blocks_count(&b->blocks));
	return 0;
}

int p4d_engine_restored(struct p4d_engine *e)
{
	int err = p4d_flows_init(&e->flows, e->geo.flows);

	if (err)
		return err;
	e->epoch_next = e->epoch_first = e->epoch_limit;
	e->token_next = e->token_first = e->token_limit;
	e->lock_grace = e->cells_out ? UINT64_MAX : e->now + e->lock_lease_us;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (t->next) {
			t->next->ready_at = e->now;
			p4d_target_declare(e, t, t->next, NULL);
		}
		if (t->cur)
			p4d_target_declare(e, t, t->cur, NULL);
		if (t->cur && (err = take_back(e, t)))
			return err;
	}
	return 0;
}
