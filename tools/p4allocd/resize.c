// SPDX-License-Identifier: GPL-2.0-or-later
/* resize.c - see resize.h. */
#include <string.h>

#include "grant.h"
#include "held.h"
#include "out.h"
#include "reconcile.h"
#include "request.h"
#include "resize.h"
#include "waits.h"

/* That of the current batch. */
static struct p4d_resize *resize_of(struct p4d_tenant *t)
{
	struct p4d_resize *r = &t->resize;

	if (r->epoch != t->cur->epoch)
		*r = (struct p4d_resize){ .epoch = t->cur->epoch };
	return r;
}

/* ------------------------------------------------------------------------------- growing */

static uint32_t highest(const struct p4d_blocks *s)
{
	uint32_t found = 0;

	p4d_blocks_each(s, b)
		found = b;
	return found;
}

static bool somebody_waits(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	for (const struct p4d_tenant *o = e->tenants; o; o = o->link)
		if (o != t && p4d_waits(o))
			return true;
	return false;
}

/* Free ones above all that it has: virtual blocks stay where they are. */
static struct p4d_blocks pick(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	const struct p4d_blocks *have = &t->cur->blocks;
	uint32_t n = p4d_blocks_count(have), most = p4d_grant_limit(e, t);
	struct p4d_blocks out = { 0 };

	if (most > t->resize.target)
		most = t->resize.target;
	if (somebody_waits(e, t))
		return out;
	for (unsigned int b = highest(have) + 1; b < e->geo.blocks && n < most; b++)
		if (p4d_grant_is_free(e, b)) {
			p4d_blocks_add(&out, b);
			n++;
		}
	return out;
}

static void issue(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_give give = {
		.action = t->resize.action = e->action_next++,
		.tenant = t->id, .epoch = t->cur->epoch, .blocks = t->resize.extra, .more = true,
	};

	p4d_blocks_each(&give.blocks, b)
		if (e->before[b])
			p4d_blocks_add(&give.clear, b);
	p4d_out_give(e, &give);
}

static void begin_growing(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_resize *r = &t->resize;

	r->extra = pick(e, t);
	if (!p4d_blocks_count(&r->extra)) {
		r->active = false;
		return;
	}
	p4d_blocks_each(&r->extra, b)
		e->owner[b] = t->id;
	issue(e, t);
}

/* ------------------------------------------------------------------------------- the end */

static void set_blocks(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_blocks *blocks)
{
	struct p4d_batch *b = t->cur;
	uint64_t from = b->sized_at ? b->sized_at : b->granted_at;

	t->counter[P4D_C_block_us] += (e->now - from) * p4d_blocks_count(&b->blocks);
	b->sized_at = e->now;
	b->blocks = *blocks;
	p4d_account_resize(&e->ledger, &t->account, p4d_blocks_count(blocks));
	p4d_history_record(e->history, e->now - e->start, t->id, p4d_blocks_count(blocks));
	t->dirty = true;
}

static struct p4d_blocks with_extra(const struct p4d_tenant *t)
{
	struct p4d_blocks all = t->cur->blocks;

	p4d_blocks_each(&t->resize.extra, b)
		p4d_blocks_add(&all, b);
	return all;
}

static void shrink(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_blocks keep = { 0 }, go = { 0 };
	uint32_t n = 0;

	p4d_blocks_each(&t->cur->blocks, b)
		p4d_blocks_add(n++ < t->resize.target ? &keep : &go, b);
	set_blocks(e, t, &keep);
	p4d_reconcile_release(e, &go);
	e->must_schedule = true;
}

static void finish(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_resize *r = &t->resize;
	struct p4d_blocks all = with_extra(t);

	r->active = false;
	if (r->target < p4d_blocks_count(&t->cur->blocks))
		shrink(e, t);
	else
		set_blocks(e, t, &all);
	memset(&r->extra, 0, sizeof(r->extra));
}

void p4d_resize_end(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_resize *r = resize_of(t);

	r->active = false;
	r->action = 0;
	if (p4d_blocks_count(&r->extra))
		p4d_reconcile_release(e, &r->extra);
	memset(&r->extra, 0, sizeof(r->extra));
	p4d_request_wake(e, t, P4D_HOLD_RESIZE);
}

/* -------------------------------------------------------------------------------- steps */

/* Who has run will say nothing more of it. */
static bool all_said(const struct p4d_tenant *t, uint64_t said)
{
	for (unsigned int i = 0; i < t->nodes; i++)
		if (t->node[i].phase >= P4W_PHASE_RAN)
			said |= p4d_bit(i);
	return !(p4d_grant_participants(t) & ~said);
}

void p4d_resize_settle(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_resize *r = resize_of(t);

	if (!r->active)
		return;
	if (!r->prepared && all_said(t, r->asked)) {
		r->prepared = true;
		if (r->target > p4d_blocks_count(&t->cur->blocks))
			begin_growing(e, t);
		else if (r->target == p4d_blocks_count(&t->cur->blocks))
			r->active = false;
	}
	if (r->active && r->prepared && !r->action && all_said(t, r->ready))
		finish(e, t);
	if (r->prepared && !r->action)
		p4d_request_wake(e, t, P4D_HOLD_RESIZE);
}

void p4d_resize_given(struct p4d_engine *e, struct p4d_tenant *t)
{
	t->resize.action = 0;
	p4d_blocks_each(&t->resize.extra, b)
		e->before[b] = t->id;
	p4d_resize_settle(e, t);
}

void p4d_resize_resume(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (t->cur && t->resize.epoch == t->cur->epoch && t->resize.action)
		issue(e, t);
}

static void answer(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		   const struct p4d_request *req)
{
	struct p4d_blocks all = with_extra(t), keep = { 0 };
	uint8_t bytes[sizeof(struct p4w_resized)];
	uint32_t n = 0;

	/* What it will be, if it is under way. */
	p4d_blocks_each(&all, b)
		if (!t->resize.active || n++ < t->resize.target)
			p4d_blocks_add(&keep, b);
	p4d_out_reply(e, who, bytes, p4d_proto_resized(bytes, req, &keep));
}

/* 0, or -1 and *why: what the node says does not fit what was said before. */
static int check(const struct p4d_tenant *t, const struct p4d_request *req, struct p4d_refusal *why)
{
	const struct p4d_resize *r = &t->resize;
	uint16_t next = r->number + !r->active;

	if (t->cur->phase < P4W_PHASE_FILLED || t->node[req->node].phase >= P4W_PHASE_RAN) {
		*why = (struct p4d_refusal){ P4W_REFUSED_ORDER, 0, 0, 0, "batch",
					     "a batch changes between FILLED and RAN" };
		return -1;
	}
	if (r->number && req->number == r->number)
		return r->active ? p4d_proto_range(why, "blocks", req->want_blocks, r->target,
						   r->target) : 0;
	if (req->code == P4W_RESIZE_ASK && req->number == next && !r->active)
		return 0;
	*why = (struct p4d_refusal){ P4W_REFUSED_ORDER, req->number, next, next, "number",
				     "another change of this batch comes next" };
	return -1;
}

void p4d_resize_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			const struct p4d_request *req)
{
	struct p4d_resize *r = resize_of(t);
	struct p4d_refusal why;
	uint64_t bit = p4d_bit(req->node);

	if (check(t, req, &why)) {
		p4d_out_refuse(e, t, who, req, &why);
		return;
	}
	if (req->number != r->number) {
		*r = (struct p4d_resize){ .epoch = r->epoch, .number = req->number,
					  .target = req->want_blocks, .active = true };
	}
	if (r->active && !(r->asked & bit)) {
		r->asked |= bit;
		p4d_resize_settle(e, t);
	}
	if (r->active && req->code == P4W_RESIZE_READY && !(r->ready & bit)) {
		r->ready |= bit;
		p4d_resize_settle(e, t);
	}
	if (!r->active || (req->code == P4W_RESIZE_ASK && r->prepared && !r->action))
		answer(e, t, who, req);
	else
		p4d_held_put(e, t, who, req, P4D_HOLD_RESIZE);
}
