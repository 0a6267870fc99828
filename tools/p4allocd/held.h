/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * held.h - requests that are answered later: one of each kind and node, dispatched again when what
 * they wait for may have come.
 */
#ifndef P4D_HELD_H
#define P4D_HELD_H

#include "engine.h"

/* A newer RPC of the same node takes the place of an older one, which is refused. */
void p4d_held_put(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		  const struct p4d_request *req, enum p4d_hold kind);
void p4d_held_drop(struct p4d_engine *e, struct p4d_tenant *t, unsigned int node,
		   enum p4d_hold kind);
void p4d_held_refuse(struct p4d_engine *e, struct p4d_tenant *t, unsigned int node,
		     enum p4d_hold kind, const struct p4d_refusal *why);

#endif /* P4D_HELD_H */
