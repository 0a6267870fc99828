/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch.h - the numbers of grants, from one counter that never goes back.
 *
 * The commit serials of a grant begin at its epoch << 24 and order a tenant's transactions over all
 * its grants. A grant with more transactions than that runs on into serials of later epochs, so
 * none of those is drawn any more once it is over.
 */
#ifndef P4D_EPOCH_H
#define P4D_EPOCH_H

#include "engine.h"

uint64_t p4d_epoch_draw(struct p4d_engine *e);

/* All epochs drawn from now on are above this one. */
void p4d_epoch_raise(struct p4d_engine *e, uint64_t epoch);

/* The batch is lost, and nobody can read how far its serials went: beyond what can have been. */
void p4d_epoch_lost(struct p4d_engine *e, const struct p4d_batch *b);

#endif /* P4D_EPOCH_H */
