/* SPDX-License-Identifier: GPL-2.0 */
/*
 * grant.h - who may send us how much.
 */
#ifndef P4HOMA_GRANT_H
#define P4HOMA_GRANT_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "shares.h"

struct homa_grant_flow;
struct homa_link;
struct homa_net;
struct homa_rpc;

#define HOMA_GRANT_ACTIVE	8	/* most messages granted at a time */
#define HOMA_GRANT_PLAN		16

/* Of one incoming message; all under grants->lock once it is managed. `granted` is also read
 * without it, by the timer.
 */
struct homa_grant {
	struct homa_link *link;	/* came in by it: reference; NULL: not managed */
	struct homa_grant_flow *flow;
	struct rb_node in_flow;	/* waiting, by rank */
	struct list_head by_age;	/* not fully granted, and not silent */
	enum homa_grant_where {
		HOMA_GRANT_NOWHERE,	/* fully granted, or silent */
		HOMA_GRANT_WAITING,
		HOMA_GRANT_GRANTED,	/* one of those granted at a time */
	} where;
	bool needy;		/* has got less than it should for want of budget */
	unsigned long heard;	/* jiffies when bytes came, or were granted */
	u64 birth;		/* ns */
	u32 length;
	u32 received;
	u32 granted;		/* the sender may send up to here */
	u32 unasked;		/* up to here it did without us */
	u32 counted;		/* granted and not here, as it is in the budget */
	struct list_head by_heard;	/* while that is not 0 */
};

/* What comes in by one device. grants->lock. */
struct homa_budget {
	struct homa_net *net;
	struct homa_link *link;
	struct homa_grant *active[HOMA_GRANT_ACTIVE];	/* by rank, as of the last pass */
	u32 nr_active;
	u32 nr_waiting;
	u64 incoming;		/* granted and not here */
	bool is_needy;		/* one of them is */
	struct homa_shares shares;	/* their queues: flows with waiting messages */
	struct list_head by_age;	/* the oldest first */
	struct list_head by_heard;	/* with bytes on the way, the longest silent first */
	u64 fifo_credit;	/* bytes that the oldest may be given */
	bool moved;		/* bytes have come since the timer ran */
	bool armed;
	struct hrtimer timer;	/* while something waits */
};

/* GRANT packets to send once no lock is held. */
struct homa_grant_plan {
	u32 nr;
	struct {
		struct homa_rpc *rpc;	/* reference */
		u32 offset;
		u8 priority;
	} grant[HOMA_GRANT_PLAN];
};

int homa_grants_net_init(struct homa_net *hn);
void homa_grants_net_exit(struct homa_net *hn);

void homa_budget_init(struct homa_budget *b, struct homa_net *hn, struct homa_link *link);
/* No message is left in it. Sleeps. */
void homa_budget_stop(struct homa_budget *b);

/* rpc->lock is held in these three. `ifindex`: of the device that the first packet came in by. */
void homa_grant_begin(struct homa_rpc *rpc, int ifindex, u32 length, u32 incoming);
void homa_grant_received(struct homa_rpc *rpc, u32 received, struct homa_grant_plan *plan);
void homa_grant_end(struct homa_rpc *rpc);

/* Are bytes of others on the way too, that may go first? rpc->lock, racy on purpose. */
bool homa_grant_has_rivals(const struct homa_grant *g);

/* No lock is held. Empties the plan. */
void homa_grant_send(struct homa_grant_plan *plan);

/* Decisions, on numbers only. */
u32 homa_grant_budget(u32 max_incoming, u32 mbps, bool is_soft);
u32 homa_grant_window(u32 max_incoming, u32 fixed, u32 nr_active);
u32 homa_grant_increment(u32 received, u32 granted, u32 length, u32 window, u64 headroom);
/* Bytes granted and not here; what came without a grant is not in our hands. */
u32 homa_grant_on_the_way(u32 granted, u32 received, u32 unasked);
u8 homa_grant_priority(u32 rank, u32 nr_active, u8 highest);
bool homa_grant_before(const struct homa_grant *a, const struct homa_grant *b);

#endif /* P4HOMA_GRANT_H */
