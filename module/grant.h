/* SPDX-License-Identifier: GPL-2.0 */
/*
 * grant.h - who may send us how much.
 */
#ifndef P4HOMA_GRANT_H
#define P4HOMA_GRANT_H

#include <linux/list.h>
#include <linux/types.h>

struct homa_net;
struct homa_rpc;

#define HOMA_GRANT_ACTIVE	8	/* most messages granted at a time */

/* Of one incoming message; all under grants->lock once it is managed. `granted` is also read
 * without it, by the timer.
 */
struct homa_grant {
	struct list_head link;	/* managed: by rank; else empty */
	bool managed;		/* has been in the list: rpc->lock */
	u64 birth;		/* ns */
	u32 length;
	u32 received;
	u32 granted;		/* the sender may send up to here unasked */
};

/* GRANT packets to send once no lock is held. */
struct homa_grant_plan {
	u32 nr;
	struct {
		struct homa_rpc *rpc;	/* reference */
		u32 offset;
		u8 priority;
	} grant[HOMA_GRANT_ACTIVE];
};

int homa_grants_net_init(struct homa_net *hn);
void homa_grants_net_exit(struct homa_net *hn);

/* rpc->lock is held in these three. */
void homa_grant_begin(struct homa_rpc *rpc, u32 length, u32 incoming);
void homa_grant_received(struct homa_rpc *rpc, u32 received, struct homa_grant_plan *plan);
void homa_grant_end(struct homa_rpc *rpc);

/* No lock is held. Empties the plan. */
void homa_grant_send(struct homa_grant_plan *plan);

/* Decisions, on numbers only. */
u32 homa_grant_window(u32 max_incoming, u32 fixed, u32 nr_active);
u32 homa_grant_increment(u32 received, u32 granted, u32 length, u32 window, u64 headroom);
u8 homa_grant_priority(u32 rank, u32 nr_active);
bool homa_grant_before(const struct homa_grant *a, const struct homa_grant *b);

#endif /* P4HOMA_GRANT_H */
