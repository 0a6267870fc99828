/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.h - a batch gets more blocks, or gives some back, while it runs.
 *
 * Blocks that are added are owned in the switch before anybody is told, but they are the batch's, and in
 * the store, only when all nodes have filled them: until then they are fenced with it and forgotten. So
 * a kill at any time leaves the batch with blocks of which every cell is somebody's.
 */
#ifndef P4D_RESIZE_H
#define P4D_RESIZE_H

#include "engine.h"

/* A RESIZE of a node of the current batch, which is held. */
void p4d_resize_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			const struct p4d_request *req);

/* Nodes have left, or have run: perhaps the others need not wait any more. */
void p4d_resize_settle(struct p4d_engine *e, struct p4d_tenant *t);

/* The switch has answered; it is to be told again; the batch is over. */
void p4d_resize_given(struct p4d_engine *e, struct p4d_tenant *t);
void p4d_resize_resume(struct p4d_engine *e, struct p4d_tenant *t);
void p4d_resize_end(struct p4d_engine *e, struct p4d_tenant *t);

#endif /* P4D_RESIZE_H */
