// SPDX-License-Identifier: GPL-2.0-or-later
/* locking.c - see locking.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockcell.h"
#include "locking.h"
#include "named.h"
#include "out.h"

#define TOKEN_CHUNK (1u << 22)	/* tokens reserved in the store at a time */
#define TOKENS_AT_ONCE (1u << 20)	/* that one event can draw: a range for each cell, and one each */

struct waiter {			/* its address is the ticket */
	struct p4d_who who;
	struct p4d_request req;
	uint64_t from;		/* when it came */
};

/* Before anything that draws tokens. */
static void reserve_tokens(struct p4d_engine *e)
{
	if (e->token_limit - e->token_next > TOKENS_AT_ONCE)
		return;
	e->token_limit = e->token_next + TOKEN_CHUNK;
	e->meta_dirty = true;
}

static struct p4d_named *table_of(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (!t->named)
		t->named = p4d_named_create(e->lock_seed ^ t->id, e->lock_grace,
					     e->token_first, &e->token_next);
	return t->named;
}

/* ------------------------------------------------------------------------------- answers */

/* The lease runs from now on; waited: since the request came. */
static void granted(struct p4d_engine *e, const struct p4d_tenant *t, const struct p4d_who *who,
		    const struct p4d_request *req, uint64_t token, uint64_t waited)
{
	uint8_t bytes[sizeof(struct p4w_locked)];
	struct p4d_name name;
	bool often;

	memcpy(&name, req->name, sizeof(name));
	often = !req->by_cell && p4d_lockcell_wanted(e, t, name);
	p4d_out_reply(e, who, bytes, p4d_proto_locked(bytes, req, token, req->lease_us,
						      waited < UINT32_MAX ? waited : 0, often));
}

static void refused(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		    const struct p4d_request *req, uint32_t code, const char *text)
{
	struct p4d_refusal why = { code, 0, 0, 0, "name", text };

	p4d_out_refuse(e, t, who, req, &why);
}

static void busy(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		 const struct p4d_request *req)
{
	struct p4d_name name;
	uint64_t holder;
	char text[64];

	memcpy(&name, req->name, sizeof(name));
	holder = p4d_named_check(t->named, e->now, name);
	if (holder)
		snprintf(text, sizeof(text), "held with token %llu after %u us",
			 (unsigned long long)holder, req->wait_us);
	else
		snprintf(text, sizeof(text), e->now < e->lock_grace ?
			 "the allocator has restarted: only holders yet" :
			 "others are before this one after %u us", req->wait_us);
	refused(e, t, who, req, P4W_REFUSED_BUSY, text);
}

/* Those whose wait is over. */
static void answer_waiters(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_named_event ev;

	while (p4d_named_pop(t->named, &ev)) {
		struct waiter *w = (struct waiter *)(uintptr_t)ev.ticket;

		if (ev.token)
			granted(e, t, &w->who, &w->req, ev.token, e->now - w->from);
		else if (ev.again)
			refused(e, t, &w->who, &w->req, P4W_REFUSED_ORDER,
				"a newer request of this owner took its place");
		else
			busy(e, t, &w->who, &w->req);
		free(w);
	}
}

/* ------------------------------------------------------------------------------ requests */

static void lock(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		 const struct p4d_request *req, struct p4d_name name)
{
	struct waiter *w = p4d_alloc_unset(sizeof(*w));
	const struct p4d_claim_of claim = {
		.owner = req->owner, .token = req->token, .lease_us = req->lease_us,
		.wait_us = req->wait_us, .mode = req->code, .ticket = (uintptr_t)w,
		.at_once = e->bundle,
	};
	uint32_t held_as = P4W_LOCK_SHARED + P4W_LOCK_EXCLUSIVE - req->code;
	struct p4d_refusal why;
	uint64_t token = 0;

	switch (p4d_named_acquire(t->named, e->now, name, &claim, &token)) {
	case P4D_NAMED_WAITS:
		*w = (struct waiter){ *who, *req, e->now };
		w = NULL;
		break;
	case P4D_NAMED_HELD:
		granted(e, t, who, req, token, 0);
		break;
	case P4D_NAMED_BUSY:
		busy(e, t, who, req);
		break;
	case P4D_NAMED_LOST:
		refused(e, t, who, req, P4W_REFUSED_EXPIRED, "the lease of this token has ended");
		break;
	case P4D_NAMED_OVER:
		refused(e, t, who, req, P4W_REFUSED_ORDER, "its owner has given the lock back since");
		break;
	case P4D_NAMED_MODE:
		/* To change it means to give the hold back and to wait for one's turn. */
		p4d_proto_range(&why, "code", req->code, held_as, held_as);
		p4d_out_refuse(e, t, who, req, &why);
		break;
	case P4D_NAMED_FULL:
		refused(e, t, who, req, P4W_REFUSED_FULL, "too many locks, or waiters for this one");
		break;
	}
	free(w);
}

static void unlock(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		   const struct p4d_request *req, struct p4d_name name)
{
	bool held = p4d_named_release(t->named, e->now, name, req->owner, req->token);
	uint8_t bytes[sizeof(struct p4w_msg)];

	p4d_out_reply(e, who, bytes, p4d_proto_unlocked(bytes, req, !held));
	if (held)
		p4d_lockcell_freed(e, t, name);
}

static void note_lease(struct p4d_engine *e, uint32_t lease_us)
{
	if (lease_us <= e->lock_lease_us)
		return;
	e->lock_lease_us = lease_us;
	e->meta_dirty = true;
}

void p4d_locking_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			 const struct p4d_request *req)
{
	struct p4d_refusal why;
	struct p4d_name name;

	memcpy(&name, req->name, sizeof(name));
	table_of(e, t);
	reserve_tokens(e);
	if (req->type == P4W_LOCK_CELLS) {
		p4d_lockcell_join(e, t, who, req);
		return;
	}
	if (req->type == P4W_LOCK &&
	    p4d_proto_range(&why, "lease_us", req->lease_us, 1, e->policy.lease_max_us)) {
		p4d_out_refuse(e, t, who, req, &why);
		return;
	}
	note_lease(e, req->lease_us);
	if (p4d_lockcell_request(e, t, who, req))
		return;
	if (req->type == P4W_UNLOCK)
		unlock(e, t, who, req, name);
	else
		lock(e, t, who, req, name);
	answer_waiters(e, t);
}

void p4d_locking_bundle(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			const struct p4d_request *req)
{
	p4d_out_bundle(e, who);
	for (uint32_t i = 0; i < req->nr_parts; i++) {
		const void *bytes = req->part + i * sizeof(struct p4w_lock);
		struct p4d_refusal why;
		struct p4d_request part;
		bool bad = p4d_proto_decode(bytes, sizeof(struct p4w_lock), &part, &why);

		if (!bad && part.type != P4W_LOCK && part.type != P4W_UNLOCK) {
			why = (struct p4d_refusal){ P4W_REFUSED_TYPE, part.type, P4W_LOCK,
						    P4W_UNLOCK, "type", "not one for a BUNDLE" };
			bad = true;
		}
		part.wait_us = 0;	/* who waits is answered alone, later */
		if (bad)
			p4d_out_refuse(e, t, who, &part, &why);
		else
			p4d_locking_request(e, t, who, &part);
	}
	p4d_out_bundle_end(e, req);
}

bool p4d_locking_tick(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (!t->named || p4d_named_deadline(t->named) > e->now)
		return false;
	reserve_tokens(e);
	p4d_named_tick(t->named, e->now);
	answer_waiters(e, t);
	return true;
}

uint64_t p4d_locking_deadline(const struct p4d_tenant *t)
{
	return t->named ? p4d_named_deadline(t->named) : UINT64_MAX;
}

void p4d_locking_no_cells_before(struct p4d_engine *e)
{
	if (e->lock_grace != UINT64_MAX)
		return;
	e->lock_grace = e->now + e->lock_lease_us;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->named)
			p4d_named_end_grace(t->named, e->lock_grace);
	e->cells_out = e->cell_blocks;
	e->meta_dirty = true;
}

void p4d_locking_end(struct p4d_engine *e, struct p4d_tenant *t)
{
	p4d_lockcell_end(e, t);
	if (!t->named)
		return;
	p4d_named_dismiss(t->named);
	answer_waiters(e, t);
	p4d_named_destroy(t->named);
	t->named = NULL;
}
