// SPDX-License-Identifier: GPL-2.0
/*
 * listing.c - what can be told of RPCs, one at a time. Owns nothing; takes rpc->lock for each, no
 * other, and none while the caller writes down what it was told.
 */
#include <linux/cred.h>
#include <linux/math64.h>
#include <net/ipv6.h>

#include "listing.h"
#include "live.h"
#include "net.h"
#include "nlattr.h"
#include "peer.h"
#include "rpc.h"

static void describe(struct homa_rpc *rpc, const struct homa_viewer *viewer,
		     struct homa_rpc_view *v)
{
	struct sock *sk = homa_to_sk(rpc->hsk);

	BUILD_BUG_ON((int)HOMA_OUTGOING != (int)P4A_RPC_OUTGOING ||
		     (int)HOMA_INCOMING != (int)P4A_RPC_INCOMING ||
		     (int)HOMA_IN_SERVICE != (int)P4A_RPC_IN_SERVICE);
	lockdep_assert_held(&rpc->lock);
	v->id = rpc->id;
	v->state = rpc->state;
	memcpy(v->peer, &rpc->peer->addr, sizeof(rpc->peer->addr));
	v->peer_port = rpc->dport;
	v->port = READ_ONCE(rpc->hsk->port);
	v->uid = from_kuid_munged(viewer->ns, READ_ONCE(sk->sk_uid));
	v->tenant = homa_rpc_is_client(rpc) ? rpc->tenant_id : rpc->peer_tenant;
	v->tx_length = rpc->out.length;
	v->tx_sent = rpc->out.sent;
	v->tx_granted = rpc->out.granted;
	v->rx_length = rpc->in.length;
	v->rx_received = rpc->in.received;
	v->rx_granted = READ_ONCE(rpc->grant.granted);
	v->age_ms = jiffies_to_msecs(jiffies - rpc->born);
	v->silence_ms = min_t(u64, U32_MAX,
			      div_u64(homa_live_silent_ns(&rpc->peer->live), NSEC_PER_MSEC));
	v->flags = (rpc->is_private ? P4A_RPC_F_PRIVATE : 0) |
		   (rpc->in.stalled ? P4A_RPC_F_NO_BUFFER : 0) |
		   (rpc->is_complete && !rpc->is_taken && !rpc->is_handed ? P4A_RPC_F_READY : 0);
}

static bool may_see(const struct homa_viewer *viewer, const struct homa_rpc *rpc)
{
	return viewer->sees_all || uid_eq(viewer->uid, READ_ONCE(homa_to_sk(rpc->hsk)->sk_uid));
}

bool homa_listing_next(struct homa_net *hn, const struct homa_viewer *viewer,
		       struct homa_rpc_cursor *at, struct homa_rpc_view *view)
{
	struct homa_rpc *rpc;
	bool found = false;

	while (!found && (rpc = homa_rpc_next(hn, at))) {
		spin_lock_bh(&rpc->lock);
		found = rpc->state != HOMA_DEAD && may_see(viewer, rpc);
		if (found)
			describe(rpc, viewer, view);
		spin_unlock_bh(&rpc->lock);
		homa_rpc_put(rpc);
	}
	return found;
}
