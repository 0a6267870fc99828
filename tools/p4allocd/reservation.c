// SPDX-License-Identifier: GPL-2.0-or-later
/* reservation.c - see reservation.h. */
#include <stdlib.h>

#include "out.h"
#include "reservation.h"
#include "target.h"

/* A repeat: its start counts from when it was said first. */
static bool has_demands(const struct p4d_batch *b, const struct p4d_request *req)
{
	return b->duration_us == req->duration_us && b->min_blocks == req->min_blocks &&
	       b->want_blocks == req->want_blocks && b->flows == req->flows;
}

void p4d_reservation_make(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_request *req)
{
	struct p4d_batch *b = t->next;

	if (!b) {
		b = t->next = p4d_alloc(sizeof(*b));
		b->number = req->batch;
		b->state = P4D_RESERVED;
		b->reservation = e->reservation_next++;
		e->meta_dirty = true;
	}
	if (!(b->asked & ~p4d_bit(req->node)) && !has_demands(b, req)) {
		b->duration_us = req->duration_us;
		b->min_blocks = req->min_blocks;
		b->want_blocks = req->want_blocks;
		b->flows = req->flows;
		b->ready_at = e->now + req->start_us;
		p4d_target_declare(e, t, b, req);
		t->dirty = true;
	}
	b->asked |= p4d_bit(req->node);
}

void p4d_reservation_await(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (!t->next->waiting_from)
		t->next->waiting_from = e->now;
	p4d_account_want(&e->ledger, &t->account, t->conf.weight);
}

void p4d_reservation_drop(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (!t->cur)
		p4d_account_rest(&e->ledger, &t->account);
	free(t->next);
	t->next = NULL;
	t->dirty = true;
}

/* A WAIT says that the blocks are needed now, whatever was declared. */
bool p4d_reservation_is_due(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	if (!t->next)
		return false;
	for (uint64_t left = t->holding[P4D_HOLD_GRANT]; left; left &= left - 1) {
		const struct p4d_held *h = &t->node[__builtin_ctzll(left)].held[P4D_HOLD_GRANT];

		if (h->used && h->req.batch == t->next->number &&
		    (h->req.type == P4W_WAIT || t->next->ready_at <= e->now))
			return true;
	}
	return false;
}

bool p4d_reservation_is_barred(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	return t->barred_until > e->now;
}

bool p4d_reservation_is_ready(const struct p4d_engine *e, const struct p4d_tenant *t)
{
	return !p4d_reservation_is_barred(e, t) && p4d_reservation_is_due(e, t);
}

/*
 * Who declares an early start and comes late has not waited meanwhile; who comes before its
 * declared start may have what is free, but not before others.
 */
uint64_t p4d_reservation_rank(const struct p4d_batch *b)
{
	return b->waiting_from > b->ready_at ? b->waiting_from : b->ready_at;
}

bool p4d_reservation_comes_before(const struct p4d_batch *a, const struct p4d_batch *b)
{
	if (p4d_reservation_rank(a) != p4d_reservation_rank(b))
		return p4d_reservation_rank(a) < p4d_reservation_rank(b);
	return a->reservation < b->reservation;
}

/* The declared duration, as far as experience with the tenant bears it out. */
static uint64_t expected_us(const struct p4d_tenant *t, const struct p4d_batch *b)
{
	return (uint64_t)b->duration_us * t->overrun / 256;
}

void p4d_reservation_outlook(const struct p4d_engine *e, const struct p4d_tenant *t,
			     uint32_t *wait_us, uint32_t *ahead)
{
	uint64_t busy_until = e->now, ready = t->next->ready_at;
	uint64_t queue = 0;

	if (t->barred_until > ready)
		ready = t->barred_until;
	*ahead = 0;
	for (const struct p4d_tenant *o = e->tenants; o; o = o->link) {
		if (o->cur && o->cur->state == P4D_HELD &&
		    o->cur->granted_at + expected_us(o, o->cur) > busy_until)
			busy_until = o->cur->granted_at + expected_us(o, o->cur);
		if (o != t && o->next && p4d_reservation_comes_before(o->next, t->next)) {
			queue += expected_us(o, o->next) * o->next->min_blocks / e->geo.blocks;
			(*ahead)++;
		}
	}
	busy_until += queue;
	if (busy_until > ready)
		ready = busy_until;
	ready = ready > e->now ? ready - e->now : 0;
	*wait_us = ready > UINT32_MAX ? UINT32_MAX : ready;
}
