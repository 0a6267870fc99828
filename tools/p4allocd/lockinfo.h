/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lockinfo.h - lock bits of the keys of a batch: collected from its nodes, dealt once, then fixed.
 *
 * Bits are dealt when all nodes of the batch have sent their lists, saved before any of them is told,
 * and never dealt again for that batch: so all nodes hear the same, also after a kill. The lock word
 * is 0 when a grant begins, so another batch may have other bits without one being held.
 */
#ifndef P4D_LOCKINFO_H
#define P4D_LOCKINFO_H

#include "engine.h"

/* Of this batch, which is the tenant's current or next one; empty when it is new. */
struct p4d_locks *p4d_lockinfo_of(struct p4d_tenant *t, const struct p4d_batch *b);

enum p4d_locks_state {
	P4D_LOCKS_DEALT,
	P4D_LOCKS_MISSING,	/* lists of other nodes */
	P4D_LOCKS_NEVER,	/* a node has filled without having sent one */
};

/*
 * A LOCK_INFO of a node that has a part in the batch. Its first list counts, and only before the bits
 * are dealt; without `keys` it asks again.
 */
enum p4d_locks_state p4d_lockinfo_take(struct p4d_tenant *t, const struct p4d_batch *b,
				       struct p4d_locks *l, const struct p4d_request *req);

/* For the store, at start. */
void p4d_lockinfo_restore(struct p4d_tenant *t, uint32_t batch, uint64_t reservation,
			  const struct p4w_lock_bit *bit, size_t n);

void p4d_lockinfo_free(struct p4d_tenant *t);

#endif /* P4D_LOCKINFO_H */
