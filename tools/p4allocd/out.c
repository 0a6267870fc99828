// SPDX-License-Identifier: GPL-2.0-or-later
/* out.c - see out.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

#define BUNDLE_BYTES (sizeof(struct p4w_msg) + P4W_BUNDLE_MAX * sizeof(struct p4w_refused))

static void *or_abort(void *p)
{
	if (!p) {
		fprintf(stderr, "p4allocd: out of memory\n");
		abort();
	}
	return p;
}

void *p4d_alloc(size_t size)
{
	return or_abort(calloc(1, size));
}

void *p4d_alloc_unset(size_t size)
{
	return or_abort(malloc(size));
}

static struct p4d_out *append(struct p4d_engine *e, enum p4d_out_kind kind, size_t len)
{
	struct p4d_out *out = p4d_alloc_unset(sizeof(*out) + len);

	out->link = NULL;
	out->kind = kind;
	out->len = len;
	*e->out_last = out;
	e->out_last = &out->link;
	return out;
}

static void collect(struct p4d_out *bundle, const void *bytes, size_t len)
{
	if (bundle->len + len > BUNDLE_BYTES)
		abort();
	memcpy(bundle->bytes + bundle->len, bytes, len);
	bundle->len += len;
}

void p4d_out_bundle(struct p4d_engine *e, const struct p4d_who *who)
{
	e->bundle = p4d_alloc(sizeof(*e->bundle) + BUNDLE_BYTES);
	e->bundle->kind = P4D_OUT_REPLY;
	e->bundle->who = *who;
	e->bundle->len = sizeof(struct p4w_msg);
	e->bundle_who = who;
}

void p4d_out_bundle_end(struct p4d_engine *e, const struct p4d_request *req)
{
	p4d_proto_bundled(e->bundle->bytes, req, e->bundle->len - sizeof(struct p4w_msg));
	*e->out_last = e->bundle;
	e->out_last = &e->bundle->link;
	e->bundle = NULL;
	e->bundle_who = NULL;
}

void p4d_out_reply(struct p4d_engine *e, const struct p4d_who *who, const void *bytes, size_t len)
{
	struct p4d_out *out;

	if (e->bundle_who == who) {
		collect(e->bundle, bytes, len);
		return;
	}
	out = append(e, P4D_OUT_REPLY, len);
	out->who = *who;
	memcpy(out->bytes, bytes, len);
}

void p4d_out_give(struct p4d_engine *e, const struct p4d_give *give)
{
	append(e, P4D_OUT_GIVE, 0)->give = *give;
}

void p4d_out_take(struct p4d_engine *e, const struct p4d_take *take)
{
	append(e, P4D_OUT_TAKE, 0)->take = *take;
}

void p4d_out_count(struct p4d_engine *e, const struct p4d_count *count)
{
	append(e, P4D_OUT_COUNT, 0)->count = *count;
}

void p4d_out_cell(struct p4d_engine *e, const struct p4d_cell_order *order)
{
	append(e, P4D_OUT_CELL, 0)->cell = *order;
}

void p4d_out_refuse(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		    const struct p4d_request *req, const struct p4d_refusal *why)
{
	uint8_t bytes[sizeof(struct p4w_refused)];

	(t ? t->refused : e->refused)[why->code]++;
	p4d_out_reply(e, who, bytes, p4d_proto_refused(bytes, req, why));
}

struct p4d_out *p4d_engine_pop(struct p4d_engine *e)
{
	struct p4d_out *out = e->out_first;

	if (!out)
		return NULL;
	e->out_first = out->link;
	if (!e->out_first)
		e->out_last = &e->out_first;
	return out;
}
