/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reservation.h - what a tenant has asked for and not got yet, and when it has its turn.
 *
 * Owns t->next. A request draws a number; which blocks it will be is decided by grant.c when it has its
 * turn. Told by request.c what the nodes say.
 */
#ifndef P4D_RESERVATION_H
#define P4D_RESERVATION_H

#include "engine.h"

/*
 * Makes t->next out of a REQUEST. The first comer's demands stand, until it comes with other ones
 * (a node that has restarted) and nobody else has asked yet.
 */
void p4d_reservation_make(struct p4d_engine *e, struct p4d_tenant *t,
			  const struct p4d_request *req);
void p4d_reservation_drop(struct p4d_engine *e, struct p4d_tenant *t);

/* A node waits for it. */
void p4d_reservation_await(struct p4d_engine *e, struct p4d_tenant *t);

/* Blocks are needed now and a node waits; it is kept out as a habitual overrunner; one, not the other. */
bool p4d_reservation_is_due(const struct p4d_engine *e, const struct p4d_tenant *t);
bool p4d_reservation_is_barred(const struct p4d_engine *e, const struct p4d_tenant *t);
bool p4d_reservation_is_ready(const struct p4d_engine *e, const struct p4d_tenant *t);

/* Since when its time has come. */
uint64_t p4d_reservation_rank(const struct p4d_batch *b);
/* Which of two has its turn first. */
bool p4d_reservation_comes_before(const struct p4d_batch *a, const struct p4d_batch *b);

/* What RESERVED says: reservations that come first, and a guess how long that takes. */
void p4d_reservation_outlook(const struct p4d_engine *e, const struct p4d_tenant *t,
			     uint32_t *wait_us, uint32_t *ahead);

#endif /* P4D_RESERVATION_H */
