/* SPDX-License-Identifier: GPL-2.0 */
/*
 * owed.h - acks that we owe: word to servers that they may forget RPCs.
 */
#ifndef P4HOMA_OWED_H
#define P4HOMA_OWED_H

#include <linux/jiffies.h>
#include <linux/types.h>
#include <net/ipv6.h>

#include "packet.h"
#include "peer.h"
#include "rpc.h"
#include "sock.h"

/* Bottom halves are off in all of these but the last. */

static inline bool homa_owed_is_to(const struct homa_sock *hsk, const struct homa_peer *peer)
{
	return ipv6_addr_equal(&hsk->owed_to, &peer->addr);
}

/* A new request: it may carry one of its socket's. hsk->rpcs_lock is held. */
static inline void homa_owed_carry(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	const struct homa_pkt_ack *ack;

	lockdep_assert_held(&hsk->rpcs_lock);
	hsk->is_brisk = jiffies - hsk->owed_at <= 1;
	if (!hsk->owed.nr || !homa_owed_is_to(hsk, rpc->peer))
		return;
	ack = &hsk->owed.ack[--hsk->owed.nr];
	rpc->out.ack_id = ack->id;
	rpc->out.ack_port = ack->port;
}

u32 homa_owed_take_from_peer(struct homa_peer *peer, struct homa_pkt_ack *acks, u32 max);

/* What a packet of the RPC, which is locked, carries. False: nothing. */
static inline bool homa_owed_take_one(struct homa_rpc *rpc, struct homa_pkt_ack *ack)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->out.ack_id) {
		ack->id = rpc->out.ack_id;
		ack->port = rpc->out.ack_port;
		rpc->out.ack_id = 0;
		return true;
	}
	return READ_ONCE(rpc->peer->owed.nr) && homa_owed_take_from_peer(rpc->peer, ack, 1);
}

/* What goes with an ACK to that peer; hsk: whose RPC the server has asked about, or NULL. */
u32 homa_owed_take(struct homa_sock *hsk, struct homa_peer *peer,
		   struct homa_pkt_ack acks[P4W_ACKS_MAX]);

int homa_owed_by_sock_slow(struct homa_rpc *rpc, struct homa_pkt_ack full[P4W_ACKS_MAX]);

/* A client RPC is over: its ack is owed. Returns how many acks are to be sent now, in `full`; -EBUSY: its
 * socket does not keep it, and nothing is done. hsk->rpcs_lock is held.
 */
static inline int homa_owed_by_sock(struct homa_rpc *rpc, struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	struct homa_sock *hsk = rpc->hsk;
	struct homa_pkt_ack *ack;

	lockdep_assert_held(&hsk->rpcs_lock);
	hsk->owed_at = jiffies;
	if (unlikely(!hsk->is_brisk || !homa_owed_is_to(hsk, rpc->peer) ||
		     hsk->owed.nr == P4W_ACKS_MAX))
		return homa_owed_by_sock_slow(rpc, full);
	ack = &hsk->owed.ack[hsk->owed.nr++];
	ack->id = rpc->id ^ 1;
	ack->port = rpc->dport;
	return 0;
}

/* Then this is to be called without the lock. */
int homa_owed_by_peer(const struct homa_rpc *rpc, struct homa_pkt_ack full[P4W_ACKS_MAX]);

/* What the socket, which is shut down, owes goes along with others' requests. */
void homa_owed_shutdown(struct homa_sock *hsk);

#endif /* P4HOMA_OWED_H */
