/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lockcell.h - locks that are taken and given back in the switch, by one transaction each.
 *
 * What a context knows of cells, and the transactions on one. What the registers of a cell mean is in
 * p4wire.h. A reply is believed only if its results are what this cell and this owner must give: the
 * switch may answer from what it remembers of somebody else's transaction on the same flow.
 */
#ifndef P4A_LOCKCELL_H
#define P4A_LOCKCELL_H

#include <stdbool.h>

#include <linux/homa.h>

#include "msg.h"

#define P4A_KNOWN_CELLS	64

struct p4a_cell_grant {
	uint64_t epoch;			/* of the block that the kernel knows of; 0: none */
	uint64_t ask_us;		/* not to be asked for before */
	struct p4a_known_cell known[P4A_KNOWN_CELLS];	/* by hash of the name */
};

/* An owner whose halves fit into a cell, after this one. */
uint64_t p4a_cell_next_owner(uint64_t owner);

/* The cell of a lock, if it is one of the block at hand; NULL: the allocator must be asked. */
struct p4a_known_cell *p4a_cell_find(struct p4a_cell_grant *g, const uint8_t *name);
/* The cell in which the hold is, likewise. */
struct p4a_known_cell *p4a_cell_of_hold(struct p4a_cell_grant *g, const struct p4a_lock *hold);
void p4a_cell_note(struct p4a_cell_grant *g, const uint8_t *name, const struct p4a_known_cell *cell);

void p4a_cell_take(struct homa_txn *t, const struct p4a_known_cell *c, const struct p4a_lock *hold);
void p4a_cell_give_back(struct homa_txn *t, const struct p4a_known_cell *c,
			const struct p4a_lock *hold);

/* Token of the hold; 0: it is not ours, or the cell's tokens are used up: the allocator knows. */
uint64_t p4a_cell_taken(const struct p4a_known_cell *c, const struct homa_txn_result *r);
/* True: given back, and nobody was told that we have it. */
bool p4a_cell_given_back(const struct p4a_lock *hold, const struct homa_txn_result *r);

#endif
