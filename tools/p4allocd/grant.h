/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant.h - the life of a batch from the moment at which it has its turn: given, held, taken.
 *
 * Owns t->cur and who holds which block and flow; makes it out of t->next, see reservation.h. Told by
 * request.c what the nodes say and by engine.c what the switch and the clock say. Wakes held requests;
 * never answers one itself.
 */
#ifndef P4D_GRANT_H
#define P4D_GRANT_H

#include "engine.h"

/* The switch is there and has the geometry that is configured. */
bool p4d_grant_usable(const struct p4d_engine *e);

bool p4d_grant_is_free(const struct p4d_engine *e, unsigned int block);

/* Nodes that the barriers of the current batch wait for. */
uint64_t p4d_grant_participants(const struct p4d_tenant *t);

/* Most blocks that this tenant can ever be given. */
uint32_t p4d_grant_limit(const struct p4d_engine *e, const struct p4d_tenant *t);

/* Blocks to those who wait; from overrunners, if that is what it takes. */
void p4d_grant_schedule(struct p4d_engine *e);

/*
 * Nodes said something: raises the barrier phase if all are there; ends the batch if all are done.
 */
void p4d_grant_settle(struct p4d_engine *e, struct p4d_tenant *t);

/* Takes the blocks of a held batch away from the tenant. */
void p4d_grant_break(struct p4d_engine *e, struct p4d_tenant *t);

/* Blocks that nobody holds. */
uint32_t p4d_grant_free(const struct p4d_engine *e);

/* Likewise, as if the switch had forgotten what is in them: cells are not kept, logs have them. */
void p4d_grant_give_up(struct p4d_engine *e, struct p4d_tenant *t);

/* The switch has answered. */
void p4d_grant_given(struct p4d_engine *e, struct p4d_tenant *t);
void p4d_grant_taken(struct p4d_engine *e, struct p4d_tenant *t, const uint32_t *cells);

/* The switch does not remember the batch. */
void p4d_grant_lose(struct p4d_engine *e, struct p4d_tenant *t);

/*
 * Tells the switch again what it had not acknowledged. fresh: with new epochs, as it has
 * restarted.
 */
void p4d_grant_resume(struct p4d_engine *e, bool fresh);

#endif /* P4D_GRANT_H */
