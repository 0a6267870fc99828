// SPDX-License-Identifier: GPL-2.0-or-later
/* held.c - see held.h. */
#include "held.h"
#include "out.h"
#include "request.h"

void p4d_held_put(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		  const struct p4d_request *req, enum p4d_hold kind)
{
	struct p4d_held *h = &t->node[req->node].held[kind];
	struct p4d_refusal why = { P4W_REFUSED_ORDER, h->req.type, req->type, req->type, "type",
				   "a newer request of this node took its place" };

	if (h->used)
		p4d_out_refuse(e, t, &h->who, &h->req, &why);
	*h = (struct p4d_held){ .used = true, .who = *who, .req = *req };
	e->nr_waiting += kind == P4D_HOLD_GRANT && !t->holding[kind];
	t->holding[kind] |= p4d_bit(req->node);
	h->req.hist = NULL;	/* they are of the message, which goes */
	h->req.keys = NULL;
}

void p4d_held_drop(struct p4d_engine *e, struct p4d_tenant *t, unsigned int node, enum p4d_hold kind)
{
	e->nr_waiting -= kind == P4D_HOLD_GRANT && t->holding[kind] == p4d_bit(node);
	t->node[node].held[kind].used = false;
	t->holding[kind] &= ~p4d_bit(node);
}

void p4d_request_wake(struct p4d_engine *e, struct p4d_tenant *t, enum p4d_hold kind)
{
	for (uint64_t left = t->holding[kind]; left; left &= left - 1) {
		unsigned int i = __builtin_ctzll(left);
		struct p4d_held h = t->node[i].held[kind];

		if (!h.used)		/* what woke another one has answered it */
			continue;
		p4d_held_drop(e, t, i, kind);
		p4d_request_dispatch(e, t, &h.who, &h.req);
	}
}

void p4d_held_refuse(struct p4d_engine *e, struct p4d_tenant *t, unsigned int node,
		     enum p4d_hold kind, const struct p4d_refusal *why)
{
	struct p4d_held *h = &t->node[node].held[kind];

	if (h->used)
		p4d_out_refuse(e, t, &h->who, &h->req, why);
	p4d_held_drop(e, t, node, kind);
}

void p4d_request_refuse_held(struct p4d_engine *e, struct p4d_tenant *t, enum p4d_hold kind,
			     const struct p4d_refusal *why)
{
	for (uint64_t left = t->holding[kind]; left; left &= left - 1)
		p4d_held_refuse(e, t, __builtin_ctzll(left), kind, why);
}
