/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out.h - what the engine wants done, in order; and refusals, which are counted on their way. */
#ifndef P4D_OUT_H
#define P4D_OUT_H

#include "engine.h"

/* Zeroed memory. Without any the process ends: it goes on from its store when started again. */
void *p4d_alloc(size_t size);
void *p4d_alloc_unset(size_t size);	/* not zeroed, which costs ten times as much */

void p4d_out_reply(struct p4d_engine *e, const struct p4d_who *who, const void *bytes, size_t len);
/*
 * Replies to this very `who` are collected, P4W_BUNDLE_MAX of them at most, until _end() sends them
 * behind the head of BUNDLED; all others go their way.
 */
void p4d_out_bundle(struct p4d_engine *e, const struct p4d_who *who);
void p4d_out_bundle_end(struct p4d_engine *e, const struct p4d_request *req);
void p4d_out_give(struct p4d_engine *e, const struct p4d_give *give);
void p4d_out_take(struct p4d_engine *e, const struct p4d_take *take);
void p4d_out_count(struct p4d_engine *e, const struct p4d_count *count);
void p4d_out_cell(struct p4d_engine *e, const struct p4d_cell_order *order);

/* t: whose fault it is, or NULL. */
void p4d_out_refuse(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		    const struct p4d_request *req, const struct p4d_refusal *why);

#endif /* P4D_OUT_H */
