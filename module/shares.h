/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shares.h - what is scarce, divided among tenants by their weights.
 *
 * Each tenant that wants some has a share with a clock: what it is given moves its clock on, the
 * less the greater its weight is. The one whose clock is furthest behind comes first. A share that
 * begins to want starts at the time of the one served last, so nobody saves up. Who has left last keeps its
 * clock: it may have left only to send, and come back.
 *
 * All calls want the lock of the owner of `shares`. Never sleeps.
 */
#ifndef P4HOMA_SHARES_H
#define P4HOMA_SHARES_H

#include <linux/rbtree.h>
#include <linux/types.h>

struct homa_net;

struct homa_share {
	struct rb_node by_id;
	struct rb_node by_time;		/* while something waits in it */
	struct rb_root_cached queue;	/* what waits, in its owner's order */
	u64 time;
	u32 id;				/* of the tenant; 0: none, or one not known here */
	u32 weight;
	u32 users;
};

struct homa_shares {
	struct rb_root by_id;
	struct rb_root_cached by_time;
	u64 now;
	struct homa_share *last;	/* that left: it may come back at once, with its clock; or NULL */
	struct homa_share none;
};

void homa_shares_init(struct homa_shares *shares);
/* Nobody has joined any more. */
void homa_shares_exit(struct homa_shares *shares);

/* The share of a tenant, made if need be; that of tenant 0 if there is no memory. */
struct homa_share *homa_share_join(struct homa_shares *shares, struct homa_net *hn, u32 tenant);
void homa_share_leave(struct homa_shares *shares, struct homa_share *share);

/* Its queue is no longer empty; is empty. Both may be called again. */
void homa_share_wait(struct homa_shares *shares, struct homa_share *share);
void homa_share_rest(struct homa_shares *shares, struct homa_share *share);

void homa_share_charge(struct homa_shares *shares, struct homa_share *share, u32 bytes);

/* Those with something in their queues, the furthest behind first; NULL: no more. */
struct homa_share *homa_share_first(const struct homa_shares *shares);
struct homa_share *homa_share_next(const struct homa_share *share);

#endif /* P4HOMA_SHARES_H */
