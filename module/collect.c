// SPDX-License-Identifier: GPL-2.0
/*
 * collect.c - the RPCs of a socket, collected some at a time: there may be a hundred thousand, and
 * senders and packets wait for the list. hsk->rpcs_lock for each part. Process context.
 */
#include <linux/sched.h>

#include "collect.h"
#include "rpc.h"
#include "sock.h"

#define PART	64

struct collection {
	struct homa_rpc **rpcs;
	u32 nr;
	u32 left;	/* how many more are looked at */
};

/* Goes on behind the last one, which cannot be done if that has left the list meanwhile: then it goes,
 * and the one before it is the last. All before it are older, and new ones come to the end, so nobody
 * is missed. False: that was all.
 */
static bool collect_part(struct homa_sock *hsk, struct collection *c)
{
	struct homa_rpc *last = c->nr ? c->rpcs[c->nr - 1] : NULL;
	u32 end = c->nr + min_t(u32, PART, c->left), from = c->nr;
	struct hlist_node *at;
	bool is_gone;

	spin_lock_bh(&hsk->rpcs_lock);
	is_gone = last && hlist_unhashed(&last->in_sock);
	at = last ? last->in_sock.next : hsk->rpcs.head.first;
	for (; !is_gone && at && c->nr < end; at = at->next) {
		struct homa_rpc *rpc = hlist_entry(at, struct homa_rpc, in_sock);

		homa_rpc_get(rpc);
		c->rpcs[c->nr++] = rpc;
	}
	spin_unlock_bh(&hsk->rpcs_lock);
	c->left -= c->nr - from;
	if (is_gone)
		homa_rpc_put(c->rpcs[--c->nr]);
	return is_gone || c->nr > from;
}

u32 homa_collect(struct homa_sock *hsk, struct homa_rpc **rpcs, u32 max)
{
	struct collection c = { .rpcs = rpcs, .left = max };

	while (collect_part(hsk, &c))
		cond_resched();
	return c.nr;
}
