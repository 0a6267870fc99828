/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * escrow.h - cells that were drained because their nodes did not do it.
 *
 * A set is one batch of a tenant. Each node is shown the sets that it has not acknowledged yet, as
 * one list: by batch, virtual slot, register. A set goes when all nodes have acknowledged it.
 */
#ifndef P4D_ESCROW_H
#define P4D_ESCROW_H

#include "engine.h"

/* Makes a set out of the tenant's current batch; nodes in `done` are shown nothing of it. */
void p4d_escrow_add(struct p4d_engine *e, struct p4d_tenant *t, const uint32_t *cells,
		    uint64_t done);

/* Appends a set, for the store at start. slots * registers cells, zeroed. */
struct p4d_escrow *p4d_escrow_append(struct p4d_tenant *t, uint32_t batch, uint32_t slots,
				     uint32_t registers);

/* Entries that this node is shown of batches up to `batch`. */
uint32_t p4d_escrow_total(const struct p4d_tenant *t, unsigned int node, uint32_t batch);

/* Sets that are kept; all their entries. */
unsigned int p4d_escrow_sets(const struct p4d_tenant *t, uint64_t *entries);

/* One page from entry `first` on, as an ESCROW response; returns its length. */
size_t p4d_escrow_page(struct p4d_tenant *t, const struct p4d_request *req, void *out);

/* The node has stored all it was shown of batches up to `batch`. */
void p4d_escrow_ack(struct p4d_tenant *t, unsigned int node, uint32_t batch);

/* The node goes on: sets of which it has been sent the last entry are acknowledged. */
void p4d_escrow_ack_shown(struct p4d_tenant *t, unsigned int node);

/* The store has been told which sets are over. */
void p4d_escrow_forget(struct p4d_tenant *t);

void p4d_escrow_free(struct p4d_tenant *t);

#endif /* P4D_ESCROW_H */
