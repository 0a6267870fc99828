/* SPDX-License-Identifier: GPL-2.0 */
/*
 * waits.h - which RPCs wait until when.
 */
#ifndef P4HOMA_WAITS_H
#define P4HOMA_WAITS_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct homa_net;
struct homa_rpc;
struct homa_waits;

/* Of one RPC. Written under the lock of `waits`; set from NULL only under rpc->lock. */
struct homa_wait {
	struct homa_waits *waits;	/* NULL: it does not wait */
	union {
		struct hlist_node link;	/* young */
		struct rb_node node;
	};
	bool is_young;
	u64 since;			/* ns */
	u64 due;			/* ns */
};

int homa_waits_net_init(struct homa_net *hn);
void homa_waits_net_exit(struct homa_net *hn);

/* rpc->lock is held. homa_timer_due() is called when `now + delay` ns have come; an RPC that waits
 * already waits until then instead.
 */
void homa_wait_until(struct homa_rpc *rpc, u64 now, u64 delay);
void homa_wait_cancel(struct homa_rpc *rpc);

static inline bool homa_wait_is_on(const struct homa_wait *wait)
{
	return READ_ONCE(wait->waits);
}

#endif /* P4HOMA_WAITS_H */
