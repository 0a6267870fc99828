/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - what each message does. One handler a type; each may answer, refuse or hold.
 *
 * All are idempotent: a node may repeat a request at any time, and a held one is simply dispatched
 * again when something has changed.
 */
#ifndef P4D_REQUEST_H
#define P4D_REQUEST_H

#include "engine.h"

/* req has passed p4d_proto_decode(), the tenant is known. */
void p4d_request_dispatch(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			  const struct p4d_request *req);

/* Dispatches again what the tenant's nodes have held of this kind. */
void p4d_request_wake(struct p4d_engine *e, struct p4d_tenant *t, enum p4d_hold kind);

/* After scheduling: a held REQUEST that got nothing is answered with RESERVED; WAITs stay. */
void p4d_request_settle(struct p4d_engine *e, struct p4d_tenant *t);

/* Refuses what the tenant's nodes have held of this kind. */
void p4d_request_refuse_held(struct p4d_engine *e, struct p4d_tenant *t, enum p4d_hold kind,
			     const struct p4d_refusal *why);

#endif /* P4D_REQUEST_H */
