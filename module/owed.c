// SPDX-License-Identifier: GPL-2.0
/*
 * owed.c - acks that we owe: word to servers that they may forget RPCs.
 *
 * When a program has got a response, its server still keeps it, until it hears of that. The word goes
 * with the next request to that server, or in an ACK packet when there are too many, or the server
 * asks. Threads with a socket each should not meet because they talk to the same host, so a socket keeps
 * its own, under a lock that a request takes anyway. It does so for one peer at a time, while it owes
 * nobody else, and if its last request came right after a response: so will the next, before the server
 * asks. The rest is kept with the peer, for the next request of whatever socket. Which peer it is, a socket
 * knows by its address: with a reference, as many sockets as there may be peers would leave room for no other.
 *
 * Owns hsk->owed, owed_to, owed_misses, owed_at and is_brisk (hsk->rpcs_lock), peer->owed (peer->lock).
 * Entered from who begins and ends a client's RPCs (rpc.c), makes packets (send.c), answers questions
 * (control.c).
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "owed.h"

static struct homa_pkt_ack ack_of(const struct homa_rpc *rpc)
{
	return (struct homa_pkt_ack){ .id = rpc->id ^ 1, .port = rpc->dport };
}

/* True: `full` has those from before. */
static bool keep(struct homa_owed *owed, const struct homa_pkt_ack *ack,
		 struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	bool flush = owed->nr == P4W_ACKS_MAX;

	if (flush) {
		memcpy(full, owed->ack, sizeof(owed->ack));
		owed->nr = 0;
	}
	owed->ack[owed->nr++] = *ack;
	return flush;
}

static u32 take(struct homa_owed *owed, struct homa_pkt_ack *acks, u32 max)
{
	u32 i, n = min(max, owed->nr);

	owed->nr -= n;
	for (i = 0; i < n; i++)
		acks[i] = owed->ack[owed->nr + i];
	return n;
}

/* It keeps none, or others, or as many as it can. */
int homa_owed_by_sock_slow(struct homa_rpc *rpc, struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	const struct homa_pkt_ack ack = ack_of(rpc);
	struct homa_sock *hsk = rpc->hsk;

	if (!hsk->is_brisk)
		return -EBUSY;
	if (!homa_owed_is_to(hsk, rpc->peer)) {
		/* Not for ever: a host that is gone does not ask. One that is there may ask once more. */
		if (hsk->owed.nr && ++hsk->owed_misses)
			return -EBUSY;
		hsk->owed.nr = 0;
		hsk->owed_to = rpc->peer->addr;
	}
	return keep(&hsk->owed, &ack, full) ? P4W_ACKS_MAX : 0;
}

static int keep_with_peer(struct homa_peer *peer, const struct homa_pkt_ack *ack,
			  struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	bool flush;

	spin_lock(&peer->lock);
	flush = keep(&peer->owed, ack, full);
	spin_unlock(&peer->lock);
	return flush ? P4W_ACKS_MAX : 0;
}

int homa_owed_by_peer(const struct homa_rpc *rpc, struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	const struct homa_pkt_ack ack = ack_of(rpc);

	return keep_with_peer(rpc->peer, &ack, full);
}

u32 homa_owed_take_from_peer(struct homa_peer *peer, struct homa_pkt_ack *acks, u32 max)
{
	u32 n;

	spin_lock(&peer->lock);
	n = take(&peer->owed, acks, max);
	spin_unlock(&peer->lock);
	return n;
}

u32 homa_owed_take(struct homa_sock *hsk, struct homa_peer *peer,
		   struct homa_pkt_ack acks[P4W_ACKS_MAX])
{
	u32 n = 0;

	if (hsk) {
		spin_lock(&hsk->rpcs_lock);
		if (homa_owed_is_to(hsk, peer))
			n = take(&hsk->owed, acks, P4W_ACKS_MAX);
		spin_unlock(&hsk->rpcs_lock);
	}
	return n + homa_owed_take_from_peer(peer, acks + n, P4W_ACKS_MAX - n);
}

/* If the peer has no room, what it had is not said: the server asks. */
void homa_owed_shutdown(struct homa_sock *hsk)
{
	struct homa_pkt_ack acks[P4W_ACKS_MAX], full[P4W_ACKS_MAX];
	struct homa_peer *peer;
	struct in6_addr addr;
	u32 i, n;

	spin_lock_bh(&hsk->rpcs_lock);
	n = take(&hsk->owed, acks, P4W_ACKS_MAX);
	addr = hsk->owed_to;
	spin_unlock_bh(&hsk->rpcs_lock);
	peer = n ? homa_peer_get(hsk->net, &addr) : NULL;
	if (!peer)
		return;
	local_bh_disable();
	for (i = 0; i < n; i++)
		keep_with_peer(peer, &acks[i], full);
	local_bh_enable();
	homa_peer_put(peer);
}
