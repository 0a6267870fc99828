// SPDX-License-Identifier: GPL-2.0-or-later
/* crowd.c - see crowd.h. */
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "out.h"

/* ---------------------------------------------------------------------------------- pools */

#define ROOM 16		/* of everything at first */

void p4d_crowds_init(struct p4d_crowds *t)
{
	t->crowd = p4d_alloc(ROOM * sizeof(*t->crowd));
	t->claim = p4d_alloc(ROOM * sizeof(*t->claim));
	t->heap = p4d_alloc(ROOM * sizeof(*t->heap));
	t->event = p4d_alloc(ROOM * sizeof(*t->event));
	t->crowd_room = t->claim_room = t->event_room = ROOM;
	t->crowd_top = t->claim_top = 1;	/* 0 is nobody */
}

void p4d_crowds_uninit(struct p4d_crowds *t)
{
	free(t->crowd);
	free(t->claim);
	free(t->heap);
	free(t->event);
}

static void *grown(void *p, uint32_t was, uint32_t size, size_t unit)
{
	void *q = p4d_alloc(size * unit);

	memcpy(q, p, was * unit);
	free(p);
	return q;
}

static uint32_t new_crowd(struct p4d_crowds *t)
{
	uint32_t i = t->free_crowd;

	if (i) {
		t->free_crowd = t->crowd[i].holders;
		return i;
	}
	if (t->crowd_top == t->crowd_room) {
		t->crowd = grown(t->crowd, t->crowd_room, 2 * t->crowd_room, sizeof(*t->crowd));
		t->crowd_room *= 2;
	}
	return t->crowd_top++;
}

static uint32_t new_claim(struct p4d_crowds *t)
{
	uint32_t i = t->free_claim;

	t->claims++;
	if (i) {
		t->free_claim = t->claim[i].next;
		return i;
	}
	if (t->claim_top == t->claim_room) {
		uint32_t room = 2 * t->claim_room;

		t->claim = grown(t->claim, t->claim_room, room, sizeof(*t->claim));
		t->heap = grown(t->heap, t->claim_room, room, sizeof(*t->heap));
		t->claim_room = room;
	}
	return t->claim_top++;
}

/* ----------------------------------------------------------------------------------- time */

static void put_in_heap(struct p4d_crowds *t, uint32_t at, uint32_t i)
{
	t->heap[at] = i;
	t->claim[i].heap = at + 1;
}

static void sift(struct p4d_crowds *t, uint32_t at, uint32_t i)
{
	uint64_t until = t->claim[i].until;
	uint32_t child;

	for (; at && t->claim[t->heap[(at - 1) / 2]].until > until; at = (at - 1) / 2)
		put_in_heap(t, at, t->heap[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < t->heaped; at = child) {
		if (child + 1 < t->heaped &&
		    t->claim[t->heap[child + 1]].until < t->claim[t->heap[child]].until)
			child++;
		if (t->claim[t->heap[child]].until >= until)
			break;
		put_in_heap(t, at, t->heap[child]);
	}
	put_in_heap(t, at, i);
}

/* `until` is new, or has changed. */
static void watch(struct p4d_crowds *t, uint32_t i)
{
	sift(t, t->claim[i].heap ? t->claim[i].heap - 1 : t->heaped++, i);
}

static void unwatch(struct p4d_crowds *t, uint32_t i)
{
	uint32_t at = t->claim[i].heap, last;

	if (!at)
		return;
	t->claim[i].heap = 0;
	last = t->heap[--t->heaped];
	if (last != i)
		sift(t, at - 1, last);
}

/* --------------------------------------------------------------------------------- crowds */

static uint32_t make_claim(struct p4d_crowds *t, uint32_t crowd, const struct p4d_claim_of *who)
{
	uint32_t i = new_claim(t);

	t->claim[i] = (struct p4d_claim){
		.owner = who->owner, .crowd = crowd, .lease_us = who->lease_us, .mode = who->mode,
		.ticket = who->ticket,
	};
	return i;
}

static void drop_claim(struct p4d_crowds *t, uint32_t i)
{
	unwatch(t, i);
	t->claim[i].next = t->free_claim;
	t->free_claim = i;
	t->claims--;
}

static void tell(struct p4d_crowds *t, const struct p4d_claim *c, uint64_t token, bool again)
{
	if (t->events == t->event_room) {
		t->event = grown(t->event, t->event_room, 2 * t->event_room, sizeof(*t->event));
		t->event_room *= 2;
	}
	t->event[t->events++] = (struct p4d_named_event){
		.ticket = c->ticket, .token = token, .lease_us = c->lease_us, .again = again,
	};
}

static bool can_share(const struct p4d_crowds *t, const struct p4d_crowd *l, uint8_t mode)
{
	return !l->holders ||
	       (mode == P4W_LOCK_SHARED && t->claim[l->holders].mode == P4W_LOCK_SHARED);
}

static bool is_compatible(const struct p4d_crowds *t, const struct p4d_crowd *l, uint8_t mode)
{
	return can_share(t, l, mode) && l->nr_holders < P4D_QUEUE_MAX;
}

static void add_holder(struct p4d_crowds *t, struct p4d_crowd *l, uint32_t i)
{
	t->claim[i].next = l->holders;
	l->holders = i;
	l->nr_holders++;
	if (l->first)
		watch(t, i);
}

/* Holders whose leases have ended go. */
static void drop_expired(struct p4d_crowds *t, struct p4d_crowd *l, uint64_t now)
{
	uint32_t *at = &l->holders, i;

	while ((i = *at)) {
		if (t->claim[i].until > now) {
			at = &t->claim[i].next;
			continue;
		}
		*at = t->claim[i].next;
		l->nr_holders--;
		drop_claim(t, i);
	}
}

static void grant(struct p4d_crowds *t, struct p4d_crowd *l, uint64_t now, uint32_t i)
{
	struct p4d_claim *c = &t->claim[i];

	l->first = c->next;
	if (!l->first)
		l->last = 0;
	l->nr_waiters--;
	unwatch(t, i);
	c->waits = false;
	c->token = (*t->next_token)++;
	c->until = now + c->lease_us;
	add_holder(t, l, i);
	tell(t, c, c->token, false);
}

/* The lock goes to those at the head of the queue for whom it is free. */
static void serve(struct p4d_crowds *t, struct p4d_crowd *l, uint64_t now)
{
	uint32_t i;

	drop_expired(t, l, now);
	while ((i = l->first) && is_compatible(t, l, t->claim[i].mode))
		grant(t, l, now, i);
	/* Nobody waits: leases that end are of no interest. */
	for (i = l->first ? 0 : l->holders; i; i = t->claim[i].next)
		unwatch(t, i);
}

static uint32_t find_owner(const struct p4d_crowds *t, uint32_t list, uint64_t owner)
{
	while (list && t->claim[list].owner != owner)
		list = t->claim[list].next;
	return list;
}

/* Somebody may hold a name that we have not heard of. Nobody's owner is 0. */
static void hold_for_nobody(struct p4d_crowds *t, uint32_t crowd)
{
	const struct p4d_claim_of nobody = { .mode = P4W_LOCK_EXCLUSIVE };
	uint32_t i = make_claim(t, crowd, &nobody);

	t->claim[i].until = t->grace;
	add_holder(t, &t->crowd[crowd], i);
}

void p4d_crowds_end_grace(struct p4d_crowds *t, uint64_t grace)
{
	t->grace = grace;
	for (uint32_t i = 1; i < t->claim_top; i++) {
		if (t->claim[i].until != UINT64_MAX)
			continue;
		t->claim[i].until = grace;
		if (t->claim[i].heap)
			watch(t, i);
	}
}

static enum p4d_named_result hold_again(struct p4d_crowds *t, struct p4d_crowd *l, uint64_t now,
					const struct p4d_claim_of *who, uint32_t i, uint64_t *token)
{
	struct p4d_claim *c = &t->claim[i];

	if (who->token && who->token != c->token)
		return P4D_NAMED_LOST;
	if (who->mode != c->mode)
		return P4D_NAMED_MODE;
	if (c->until < now + who->lease_us)	/* no lease gets shorter: see named.c */
		c->until = now + who->lease_us;
	if (l->first)
		watch(t, i);
	*token = c->token;
	return P4D_NAMED_HELD;
}

static enum p4d_named_result take(struct p4d_crowds *t, uint32_t crowd, uint64_t now,
				  const struct p4d_claim_of *who, uint64_t as, uint64_t *token)
{
	uint32_t i = make_claim(t, crowd, who);

	t->claim[i].token = *token = as;
	t->claim[i].until = now + who->lease_us;
	add_holder(t, &t->crowd[crowd], i);
	return P4D_NAMED_HELD;
}

/*
 * Tokens ascend: that of an exclusive hold says that all older holds were over when it was given, and
 * any token says so of older exclusive ones. Those have shown theirs too late.
 */
static void drop_older(struct p4d_crowds *t, struct p4d_crowd *l, uint64_t token)
{
	uint32_t i;

	for (i = l->holders; i; i = t->claim[i].next)
		if (t->claim[i].token > token)
			return;
	while ((i = l->holders)) {
		l->holders = t->claim[i].next;
		l->nr_holders--;
		drop_claim(t, i);
	}
}

/*
 * A hold from before the restart. Like a new name, it may have been promised until the end of the grace, and
 * what shows its token now may be an earlier request, of a shorter lease, that was lost: see named.c.
 */
static enum p4d_named_result restore(struct p4d_crowds *t, uint32_t crowd, uint64_t now,
				     const struct p4d_claim_of *who, uint64_t *token)
{
	struct p4d_crowd *l = &t->crowd[crowd];
	uint32_t i;

	if (now >= t->grace || who->token >= t->first_token)
		return P4D_NAMED_LOST;
	if (!can_share(t, l, who->mode))
		drop_older(t, l, who->token);	/* nobody's is 0 */
	if (!is_compatible(t, l, who->mode))
		return P4D_NAMED_LOST;
	take(t, crowd, now, who, who->token, token);
	i = find_owner(t, l->holders, who->owner);
	if (t->claim[i].until < t->grace)
		t->claim[i].until = t->grace;
	if (t->claim[i].heap)
		watch(t, i);
	return P4D_NAMED_HELD;
}

static enum p4d_named_result join_queue(struct p4d_crowds *t, uint32_t crowd, uint64_t now,
					const struct p4d_claim_of *who)
{
	struct p4d_crowd *l = &t->crowd[crowd];
	uint32_t i = find_owner(t, l->first, who->owner);

	if (who->at_once)
		return P4D_NAMED_BUSY;
	if (i && t->claim[i].mode != who->mode)
		return P4D_NAMED_MODE;
	if (i) {		/* keeps its place */
		tell(t, &t->claim[i], 0, true);
		t->claim[i].ticket = who->ticket;
	} else if (!who->wait_us) {
		return P4D_NAMED_BUSY;
	} else if (l->nr_waiters == P4D_QUEUE_MAX) {
		return P4D_NAMED_FULL;
	} else {
		i = make_claim(t, crowd, who);
		t->claim[i].waits = true;
		if (l->last)
			t->claim[l->last].next = i;
		else
			l->first = i;
		l->last = i;
		l->nr_waiters++;
	}
	t->claim[i].until = now + who->wait_us;
	watch(t, i);
	for (uint32_t h = l->holders; h && !t->claim[h].heap; h = t->claim[h].next)
		watch(t, h);
	return P4D_NAMED_WAITS;
}

enum p4d_named_result p4d_crowd_acquire(struct p4d_crowds *t, uint32_t crowd, uint64_t now,
					const struct p4d_claim_of *who, uint64_t *token)
{
	struct p4d_crowd *l = &t->crowd[crowd];
	uint32_t i = find_owner(t, l->holders, who->owner);

	if (now < t->grace && !l->holders && !l->first)
		hold_for_nobody(t, crowd);
	if (!i) {
		serve(t, l, now);
		i = find_owner(t, l->holders, who->owner);	/* it may have waited till now */
	}
	if (i)
		return hold_again(t, l, now, who, i, token);
	if (who->token)
		return restore(t, crowd, now, who, token);
	if (!l->first && is_compatible(t, l, who->mode))
		return take(t, crowd, now, who, (*t->next_token)++, token);
	return join_queue(t, crowd, now, who);
}

/* --------------------------------------------------------------------------- for named.c */

uint32_t p4d_crowd_make(struct p4d_crowds *t, uint32_t entry, uint64_t owner, uint64_t token,
			uint64_t until)
{
	const struct p4d_claim_of who = { .owner = owner, .mode = P4W_LOCK_EXCLUSIVE };
	uint32_t crowd = new_crowd(t), i;

	t->crowd[crowd] = (struct p4d_crowd){ .entry = entry };
	if (!token)
		return crowd;
	i = make_claim(t, crowd, &who);
	t->claim[i].token = token;
	t->claim[i].until = until;
	add_holder(t, &t->crowd[crowd], i);
	return crowd;
}

bool p4d_crowd_has(const struct p4d_crowds *t, uint32_t crowd, uint64_t owner)
{
	const struct p4d_crowd *l = &t->crowd[crowd];

	return find_owner(t, l->holders, owner) || find_owner(t, l->first, owner);
}

bool p4d_crowd_drop_if_empty(struct p4d_crowds *t, uint32_t crowd)
{
	struct p4d_crowd *l = &t->crowd[crowd];

	if (l->holders || l->first)
		return false;
	l->holders = t->free_crowd;
	t->free_crowd = crowd;
	return true;
}

void p4d_crowd_serve(struct p4d_crowds *t, uint32_t crowd, uint64_t now)
{
	serve(t, &t->crowd[crowd], now);
}

bool p4d_crowd_release(struct p4d_crowds *t, uint32_t crowd, uint64_t now, uint64_t owner,
		       uint64_t token)
{
	struct p4d_crowd *l = &t->crowd[crowd];
	uint32_t *at, i;
	bool held;

	for (at = &l->holders; (i = *at); at = &t->claim[i].next)
		if (t->claim[i].owner == owner && t->claim[i].token == token)
			break;
	if (!i)
		return false;
	held = t->claim[i].until > now;
	*at = t->claim[i].next;
	l->nr_holders--;
	drop_claim(t, i);
	serve(t, l, now);
	return held;
}

bool p4d_crowd_claim(struct p4d_crowds *t, uint32_t crowd, uint64_t now, uint64_t owner,
		     uint64_t token, uint64_t until)
{
	struct p4d_crowd *l = &t->crowd[crowd];
	struct p4d_claim *c = &t->claim[l->holders];

	if (l->nr_holders != 1 || c->until <= now || c->mode != P4W_LOCK_EXCLUSIVE ||
	    (c->owner && c->token >= token))
		return false;
	c->owner = owner;
	c->token = token;
	c->until = until;
	if (l->first)
		watch(t, l->holders);
	return true;
}

uint64_t p4d_crowd_check(const struct p4d_crowds *t, uint32_t crowd, uint64_t now)
{
	for (uint32_t i = t->crowd[crowd].holders; i; i = t->claim[i].next)
		if (t->claim[i].until > now)
			return t->claim[i].token;
	return 0;
}

static void leave_queue(struct p4d_crowds *t, struct p4d_crowd *l, uint32_t i)
{
	uint32_t *at = &l->first, before = 0;

	while (*at != i) {
		before = *at;
		at = &t->claim[before].next;
	}
	*at = t->claim[i].next;
	if (l->last == i)
		l->last = before;
	l->nr_waiters--;
	tell(t, &t->claim[i], 0, false);
	drop_claim(t, i);
}

uint32_t p4d_crowds_tick(struct p4d_crowds *t, uint64_t now)
{
	uint32_t i = t->heaped ? t->heap[0] : 0, crowd;
	struct p4d_crowd *l;

	if (!i || t->claim[i].until > now)
		return 0;
	crowd = t->claim[i].crowd;
	l = &t->crowd[crowd];
	if (t->claim[i].waits)
		leave_queue(t, l, i);
	serve(t, l, now);
	return crowd;
}

void p4d_crowd_dismiss(struct p4d_crowds *t, uint32_t crowd)
{
	while (t->crowd[crowd].first)
		leave_queue(t, &t->crowd[crowd], t->crowd[crowd].first);
}
