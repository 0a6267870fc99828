// SPDX-License-Identifier: GPL-2.0-or-later
/* why.c - see why.h. */
#include "grant.h"
#include "reservation.h"
#include "why.h"

static bool somebody_is_before(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	for (const struct p4d_tenant *o = e->tenants; o; o = o->link)
		if (o != t && o->next && o->holding[P4D_HOLD_GRANT] &&
		    p4d_reservation_comes_before(o->next, t->next))
			return true;
	return false;
}

enum p4w_why p4d_why(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	if (!t->next)
		return P4W_WHY_NONE;
	if (!p4d_grant_usable(e))
		return P4W_WHY_SWITCH;
	if (t->barred_until > e->now)
		return P4W_WHY_OVERRAN;
	if (t->cur)
		return P4W_WHY_OWN;
	if (t->next->ready_at > e->now && !t->holding[P4D_HOLD_GRANT])
		return P4W_WHY_START;
	if (somebody_is_before(e, t))
		return P4W_WHY_TURN;
	if (p4d_grant_free(e) < t->next->min_blocks)
		return P4W_WHY_BLOCKS;
	return t->holding[P4D_HOLD_GRANT] ? P4W_WHY_FLOWS : P4W_WHY_WAIT;
}

const char *p4d_why_name(enum p4w_why why)
{
	static const char *const names[] = {
		[P4W_WHY_NONE] = "none",     [P4W_WHY_SWITCH] = "switch",
		[P4W_WHY_OVERRAN] = "overran", [P4W_WHY_OWN] = "own",
		[P4W_WHY_START] = "start",   [P4W_WHY_TURN] = "turn",
		[P4W_WHY_BLOCKS] = "blocks", [P4W_WHY_FLOWS] = "flows",
		[P4W_WHY_WAIT] = "wait",
	};

	return names[why];
}

unsigned int p4d_believed(const struct p4d_batch *b)
{
	if (!b->nr_hist)
		return 100;
	return ((uint64_t)b->curve.value[b->nr_hist] * 100 + P4D_CURVE_ONE / 2) >> P4D_CURVE_BITS;
}

void p4d_why_reserved(const struct p4d_engine *e, const struct p4d_tenant *t,
		      const struct p4d_batch *b, struct p4d_reserved *r)
{
	*r = (struct p4d_reserved){
		.reservation = b->reservation,
		.target = t->target,
		.believed = p4d_believed(b),
	};
	if (b != t->next)
		return;
	p4d_reservation_outlook(e, t, &r->wait_us, &r->ahead);
	r->why = p4d_why(e, t);
}
