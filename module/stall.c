// SPDX-License-Identifier: GPL-2.0
/*
 * stall.c - messages that wait for room in the receive pool of their socket, or for memory, the
 * shortest first.
 *
 * Owns hsk->stalled, under hsk->lock, inside rpc->lock; an RPC in it is a reference. Entered from
 * recv.c when a message begins, and by whoever gives room back.
 */
#include <linux/rbtree.h>

#include "grant.h"
#include "pool.h"
#include "rmem.h"
#include "rpc.h"
#include "send.h"
#include "stall.h"
#include "timer.h"

#define STALLED_MAX	1024	/* requests of one socket that wait for pool space */

static bool is_shorter(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct homa_rpc, in_stalled)->in.length <
	       rb_entry(b, struct homa_rpc, in_stalled)->in.length;
}

bool homa_stall(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	spin_lock(&rpc->hsk->lock);
	if (rpc->hsk->nr_stalled >= STALLED_MAX && !homa_rpc_is_client(rpc)) {
		spin_unlock(&rpc->hsk->lock);
		return false;
	}
	homa_rpc_get(rpc);
	rpc->hsk->nr_stalled++;
	rb_add_cached(&rpc->in_stalled, &rpc->hsk->stalled, is_shorter);
	spin_unlock(&rpc->hsk->lock);
	return true;
}

static struct homa_rpc *first_stalled(struct homa_sock *hsk)
{
	return rb_entry_safe(rb_first_cached(&hsk->stalled), struct homa_rpc, in_stalled);
}

static void unlist_stalled(struct homa_rpc *rpc)
{
	spin_lock(&rpc->hsk->lock);
	homa_stall_unlist(rpc);
	spin_unlock(&rpc->hsk->lock);
	homa_rpc_put(rpc);
}

bool homa_stall_reserve(struct homa_rpc *rpc)
{
	struct homa_pool *pool = smp_load_acquire(&rpc->hsk->pool);	/* set_rcvbuf() */

	if (!pool || !homa_rmem_promise(rpc))
		return false;
	if (!homa_pool_alloc(pool, rpc->in.length, rpc->in.bpage_offsets, &rpc->in.nr_bpages))
		return true;
	homa_rmem_keep_promise(rpc, rpc->in.length);
	return false;
}

/* An RPC leaves the list only when it has its space: whoever gives space back meanwhile finds it. */
void homa_unstall_now(struct homa_sock *hsk)
{
	struct sk_buff_head queue;
	struct homa_path path;
	struct homa_rpc *rpc;
	bool more = true;

	__skb_queue_head_init(&queue);
	while (more) {
		spin_lock_bh(&hsk->lock);
		rpc = first_stalled(hsk);
		if (rpc)
			homa_rpc_get(rpc);
		spin_unlock_bh(&hsk->lock);
		if (!rpc)
			return;
		spin_lock_bh(&rpc->lock);
		/* Else another CPU was faster: on with the next. */
		if (!RB_EMPTY_NODE(&rpc->in_stalled))
			more = homa_stall_reserve(rpc);
		if (more && !RB_EMPTY_NODE(&rpc->in_stalled)) {
			unlist_stalled(rpc);
			rpc->in.stalled = false;
			homa_grant_begin(rpc, rpc->in.ifindex, rpc->in.length, rpc->in.incoming);
			path = homa_rpc_path(rpc);
			homa_queue_resend(&queue, &path, 0, P4W_RESEND_ALL);
			homa_timer_start(rpc);
		}
		spin_unlock_bh(&rpc->lock);
		homa_flush(hsk->net, &queue);
		homa_rpc_put(rpc);
	}
}
