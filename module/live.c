// SPDX-License-Identifier: GPL-2.0
/*
 * live.c - the end of all RPCs of a peer that is dead, or cannot be reached.
 *
 * One RPC finds out. Either it has asked for a whole time-out, and nobody has heard of the peer
 * meanwhile (timer.c): then the peer is marked. Or an ICMP error has quoted one of its packets
 * (icmp.c): hosts send few of those, so one must do for all RPCs that it holds for. A work item goes
 * over all RPCs once, however many peers have died until then; so a peer needs no list of its RPCs,
 * which each round trip would pay for. What is sent to such a peer later is not concerned.
 *
 * Lock: dead->lock, BH, a leaf, for the list of what cannot be reached.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "live.h"
#include "net.h"
#include "peer.h"
#include "rpc.h"
#include "timer.h"

#define REFUSALS_MAX	64	/* at a time; beyond that, the RPC that is quoted ends alone */

/* What an ICMP error holds for. */
struct refusal {
	struct list_head link;
	struct homa_peer *peer;		/* reference */
	u16 port;			/* 0: all */
	bool is_client;			/* RPCs whose client we are, if it is about a port */
	int error;
	unsigned long at;		/* jiffies; RPCs that were born later are not concerned */
};

struct homa_dead {
	struct homa_net *net;
	struct work_struct work;
	spinlock_t lock;		/* guards `refusals` and `nr` */
	struct list_head refusals;
	u32 nr;
	struct list_head now;		/* those that the work item has taken */
};

static bool is_refused(const struct homa_rpc *rpc, const struct refusal *r)
{
	return rpc->peer == r->peer && !time_after(rpc->born, r->at) &&
	       (!r->port || (rpc->dport == r->port && homa_rpc_is_client(rpc) == r->is_client));
}

void homa_live_fail(struct homa_rpc *rpc, int error)
{
	lockdep_assert_held(&rpc->lock);
	if (homa_rpc_is_client(rpc))
		homa_rpc_fail(rpc, error);
	else
		homa_rpc_end(rpc);
}

static void fail_if_refused(struct homa_rpc *rpc)
{
	const struct refusal *r;

	list_for_each_entry(r, &rpc->net->dead->now, link) {
		if (!is_refused(rpc, r))
			continue;
		spin_lock_bh(&rpc->lock);
		homa_live_fail(rpc, r->error);
		spin_unlock_bh(&rpc->lock);
	}
}

static void fail_if_dead(struct homa_rpc *rpc)
{
	fail_if_refused(rpc);
	if (!READ_ONCE(rpc->peer->live.died_ns))
		return;
	spin_lock_bh(&rpc->lock);
	if (homa_timer_waits(rpc) && rpc->silence.since <= READ_ONCE(rpc->peer->live.died_ns))
		homa_timer_give_up(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void free_refusals(struct list_head *refusals)
{
	struct refusal *r, *next;

	list_for_each_entry_safe(r, next, refusals, link) {
		list_del(&r->link);
		homa_peer_put(r->peer);
		kfree(r);
	}
}

static void fail_all(struct work_struct *work)
{
	struct homa_dead *dead = container_of(work, struct homa_dead, work);

	spin_lock_bh(&dead->lock);
	list_splice_init(&dead->refusals, &dead->now);
	dead->nr = 0;
	spin_unlock_bh(&dead->lock);
	homa_rpcs_visit(dead->net, fail_if_dead);
	free_refusals(&dead->now);
}

void homa_live_died(struct homa_peer *peer, u64 now_ns)
{
	WRITE_ONCE(peer->live.died_ns, now_ns);
	homa_count(peer->net, peers_died);
	schedule_work(&peer->net->dead->work);
}

/* False: it has been noted before, or there are too many. */
static bool add_refusal(struct homa_dead *dead, struct refusal *new)
{
	const struct refusal *r;
	bool add;

	spin_lock_bh(&dead->lock);
	add = dead->nr < REFUSALS_MAX;
	list_for_each_entry(r, &dead->refusals, link)
		if (r->peer == new->peer && r->port == new->port && r->at == new->at &&
		    r->is_client == new->is_client && r->error == new->error)
			add = false;
	if (add) {
		list_add_tail(&new->link, &dead->refusals);
		dead->nr++;
	}
	spin_unlock_bh(&dead->lock);
	return add;
}

void homa_live_refused(struct homa_rpc *rpc, u16 port, int error)
{
	struct homa_peer *peer = rpc->peer;
	struct refusal *r;

	/* The table and this RPC: there is no other one. */
	if (refcount_read(&peer->refs) <= 2)
		return;
	r = kmalloc(sizeof(*r), GFP_ATOMIC);
	if (!r)
		return;
	refcount_inc(&peer->refs);
	*r = (struct refusal){ .peer = peer, .port = port, .is_client = homa_rpc_is_client(rpc),
			       .error = error, .at = jiffies };
	if (add_refusal(peer->net->dead, r)) {
		schedule_work(&peer->net->dead->work);
		return;
	}
	homa_peer_put(peer);
	kfree(r);
}

int homa_live_net_init(struct homa_net *hn)
{
	hn->dead = kzalloc(sizeof(*hn->dead), GFP_KERNEL);
	if (!hn->dead)
		return -ENOMEM;
	hn->dead->net = hn;
	INIT_WORK(&hn->dead->work, fail_all);
	spin_lock_init(&hn->dead->lock);
	INIT_LIST_HEAD(&hn->dead->refusals);
	INIT_LIST_HEAD(&hn->dead->now);
	return 0;
}

/* No RPC is left in the namespace, so nobody finds a dead peer any more. */
void homa_live_net_exit(struct homa_net *hn)
{
	cancel_work_sync(&hn->dead->work);
	free_refusals(&hn->dead->refusals);
	kfree(hn->dead);
}
