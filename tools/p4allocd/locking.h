/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * locking.h - the lock service: LOCK and UNLOCK of a tenant's nodes, on tables of named.h.
 *
 * Nothing of it is in the store but three numbers: tokens below token_limit may have been given, no
 * lease was longer than lock_lease_us, and cells_out: there may be cells of locks. So for that long
 * after a restart only holders are served. If there were cells, nodes may still take locks there: then
 * that time begins when the switch has none any more.
 */
#ifndef P4D_LOCKING_H
#define P4D_LOCKING_H

#include "engine.h"

/* A LOCK or UNLOCK that has passed p4d_proto_decode(), of a tenant that is known. */
void p4d_locking_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			 const struct p4d_request *req);

/* A BUNDLE of them. */
void p4d_locking_bundle(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			const struct p4d_request *req);

/* Leases and waits that have ended; false: none had. */
bool p4d_locking_tick(struct p4d_engine *e, struct p4d_tenant *t);
uint64_t p4d_locking_deadline(const struct p4d_tenant *t);	/* UINT64_MAX: never */

/* The switch is known to have no cells from before a restart. */
void p4d_locking_no_cells_before(struct p4d_engine *e);

/* The tenant is gone: its holds are forgotten, its waiters are refused. */
void p4d_locking_end(struct p4d_engine *e, struct p4d_tenant *t);

#endif /* P4D_LOCKING_H */
