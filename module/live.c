// SPDX-License-Identifier: GPL-2.0
/*
 * live.c - the end of all RPCs of a peer that is dead.
 *
 * One RPC finds out (timer.c): it has asked for a whole time-out, and nobody has heard of the peer
 * meanwhile. The peer is marked, and a work item goes over all RPCs once, however many peers have
 * died until then; so a peer needs no list of its RPCs, which each round trip would pay for. What
 * is sent to a dead peer later has a time-out of its own.
 */
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "live.h"
#include "net.h"
#include "peer.h"
#include "rpc.h"
#include "timer.h"

struct homa_dead {
	struct homa_net *net;
	struct work_struct work;
};

static void fail_if_dead(struct homa_rpc *rpc)
{
	if (!READ_ONCE(rpc->peer->live.died_ns))
		return;
	spin_lock_bh(&rpc->lock);
	if (homa_timer_waits(rpc) && rpc->silence.since <= READ_ONCE(rpc->peer->live.died_ns))
		homa_timer_give_up(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void fail_all(struct work_struct *work)
{
	struct homa_dead *dead = container_of(work, struct homa_dead, work);

	homa_rpcs_visit(dead->net, fail_if_dead);
}

void homa_live_died(struct homa_peer *peer, u64 now_ns)
{
	WRITE_ONCE(peer->live.died_ns, now_ns);
	homa_count(peer->net, peers_died);
	schedule_work(&peer->net->dead->work);
}

int homa_live_net_init(struct homa_net *hn)
{
	hn->dead = kzalloc(sizeof(*hn->dead), GFP_KERNEL);
	if (!hn->dead)
		return -ENOMEM;
	hn->dead->net = hn;
	INIT_WORK(&hn->dead->work, fail_all);
	return 0;
}

/* No RPC is left in the namespace, so nobody finds a dead peer any more. */
void homa_live_net_exit(struct homa_net *hn)
{
	cancel_work_sync(&hn->dead->work);
	kfree(hn->dead);
}
