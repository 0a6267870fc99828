/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lockcell.h - cells in the switch for locks that are used often and that nobody waits for.
 *
 * A name is either in the tenant's table (named.h), or it has a cell and the table knows nothing of it;
 * each change from one to the other is one atomic order to the switch. It gets a cell when it has been
 * given back some times without anybody waiting. It loses it as soon as somebody asks who has found
 * the cell taken, wants to share or to extend, or shows a token of the cell that is not given back
 * there. What the cell says then becomes the table's hold, and requests that came meanwhile are served in
 * their order. So all that waits, and every lease, is the table's business.
 *
 * Tokens: each cell has a range of its own, drawn from the same counter as all others when it is
 * opened. If the switch forgets, each name that had a cell counts as held, for the longest lease that
 * was ever given, by nobody but who shows one of its tokens.
 */
#ifndef P4D_LOCKCELL_H
#define P4D_LOCKCELL_H

#include "engine.h"
#include "named.h"

/* A LOCK or UNLOCK: true if it was answered here, or waits for the switch. */
bool p4d_lockcell_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			  const struct p4d_request *req);

/* LOCK_CELLS */
void p4d_lockcell_join(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		       const struct p4d_request *req);

/* The table's hold on this name was given back: it may get a cell. */
void p4d_lockcell_freed(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_name name);

/* Is it used so often that its user should ask for CELLS? */
bool p4d_lockcell_wanted(const struct p4d_engine *e, const struct p4d_tenant *t,
			 struct p4d_name name);

/* The switch has answered; false: not an action of this tenant's cells. */
bool p4d_lockcell_given(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action);
bool p4d_lockcell_taken(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action,
			const uint32_t *cells);
bool p4d_lockcell_done(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action,
		       const uint32_t *value);

/* Others need blocks: gives one back; false: there is none. How many are on their way. */
bool p4d_lockcell_give_back(struct p4d_engine *e);
uint32_t p4d_lockcell_coming(const struct p4d_engine *e);

/* The switch is back: whether it still has the tenant's block, and what it has not acknowledged. */
void p4d_lockcell_reconcile(struct p4d_engine *e, struct p4d_tenant *t,
			    const struct p4d_switch_info *info, bool restarted);
/* It has been away for long: nobody is kept waiting for it. */
void p4d_lockcell_away(struct p4d_engine *e, struct p4d_tenant *t);

/* The block that the tenant's cells are in, or are to be in; -1: none. How many locks have one. */
int p4d_lockcell_block(const struct p4d_tenant *t);
unsigned int p4d_lockcell_count(const struct p4d_tenant *t);

/* The tenant is gone; then its memory. */
void p4d_lockcell_end(struct p4d_engine *e, struct p4d_tenant *t);
void p4d_lockcell_free(struct p4d_tenant *t);

#endif /* P4D_LOCKCELL_H */
