// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - incoming control packets, one handler a type.
 *
 * Entered from recv.c with a packet that was checked. A handler takes rpc->lock itself. Softirq, in
 * an RCU read-side section.
 */
#include <linux/ktime.h>

#include "net.h"
#include "owed.h"
#include "packet.h"
#include "peer.h"
#include "rpc.h"
#include "rx.h"
#include "timer.h"

/* An answer to the packet for which there is no RPC. */
static void answer(struct homa_rx *rx, u8 type)
{
	struct homa_path path = {
		.net = rx->hn,
		.peer = homa_peer_get(rx->hn, &rx->pkt.saddr),
		.saddr = rx->pkt.daddr,
		.sport = rx->pkt.dport,
		.dport = rx->pkt.sport,
		.id = rx->pkt.id,
	};
	struct homa_pkt_ack acks[P4W_ACKS_MAX];

	if (!path.peer)
		return;
	if (type == P4W_ACK)
		homa_queue_ack(&rx->queue, &path, acks,
			       homa_owed_take(rx->hsk, path.peer, acks));
	else
		homa_queue_simple(&rx->queue, &path, type);
	homa_peer_put(path.peer);
}

/* A client that has its error sends no more; for a server, `complete` was about the request. */
static bool is_sending(const struct homa_rpc *rpc)
{
	return rpc->state == HOMA_OUTGOING && !(homa_rpc_is_client(rpc) && rpc->is_complete);
}

static bool may_repeat(struct homa_rpc *rpc, u32 start, u32 end)
{
	const struct homa_rtt_conf conf = homa_timer_rtt_conf(rpc);

	end = min(end, rpc->out.sent);
	return start < end && homa_msg_out_may_repeat(&rpc->out, start, end, ktime_get_ns(),
						      homa_rtt_recent(&rpc->peer->rtt, &conf));
}

static void grant_pkt(struct homa_rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;
	struct homa_rpc *rpc = rx->rpc;
	struct homa_msg_out *out = &rpc->out;
	bool again;
	u32 offset;

	spin_lock_bh(&rpc->lock);
	offset = min(pkt->grant.offset, out->length);
	if (!is_sending(rpc)) {
		spin_unlock_bh(&rpc->lock);
		return;
	}
	/* GRANTs overtake each other: an old one says nothing about the priority now. */
	if (offset >= out->granted) {
		out->granted = offset;
		out->prio = pkt->priority;
	}
	homa_timer_progress(rpc);
	again = pkt->grant.resend && may_repeat(rpc, 0, U32_MAX);
	spin_unlock_bh(&rpc->lock);
	if (again)
		homa_send_again(rpc, 0, U32_MAX, pkt->priority);
	homa_send_granted(rpc);
}

static void resend_pkt(struct homa_rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;
	struct homa_rpc *rpc = rx->rpc;
	struct homa_msg_out *out = &rpc->out;
	struct homa_path path;
	bool send, again;
	u32 end;

	spin_lock_bh(&rpc->lock);
	if (homa_rpc_is_client(rpc))
		homa_timer_alive(rpc);
	else
		homa_timer_all_sent(rpc, &rx->queue);	/* the request is out, as far as it may be */
	homa_rx_client_waits(rx, rpc);
	path = homa_rpc_path(rpc);
	send = is_sending(rpc);
	end = pkt->resend.all ? out->sent : min(pkt->resend.end, out->length);
	if (send && end > out->granted)		/* so a GRANT was lost */
		out->granted = end;
	/* What may have crossed the question is not sent; if lost, it will be asked for again. */
	again = send && may_repeat(rpc, pkt->resend.offset, end);
	/* Alive, but there is nothing to send now, or nothing was asked for: older ones just knock. */
	if ((send && (pkt->resend.offset >= out->sent || pkt->resend.offset == end) &&
	     (out->sent >= out->granted || rpc->pacing.link)) ||
	    (!send && !homa_rpc_is_client(rpc) && rpc->state != HOMA_DEAD))
		homa_queue_simple(&rx->queue, &path, P4W_BUSY);
	spin_unlock_bh(&rpc->lock);
	if (again)
		homa_send_again(rpc, pkt->resend.offset, end, pkt->priority);
	if (send)
		homa_send_granted(rpc);
}

static void unknown_pkt(struct homa_rx *rx)
{
	struct homa_rpc *rpc = rx->rpc;
	bool again = false;
	u8 priority;

	spin_lock_bh(&rpc->lock);
	priority = rpc->out.unsched_prio;
	if (homa_rpc_is_client(rpc)) {
		homa_timer_lost(rpc);
		again = is_sending(rpc) && may_repeat(rpc, 0, U32_MAX);
	} else if (rpc->state != HOMA_DEAD) {
		homa_peer_add_finished(rpc->peer, rpc->id, false);
		homa_rpc_end(rpc);
		homa_count(rx->hn, server_rpc_discards);
		homa_count(rx->hn, server_rpcs_unknown);
	}
	spin_unlock_bh(&rpc->lock);
	if (again)
		homa_send_again(rpc, 0, U32_MAX, priority);
}

static void busy_pkt(struct homa_rx *rx)
{
	spin_lock_bh(&rx->rpc->lock);
	homa_timer_alive(rx->rpc);
	homa_rx_client_waits(rx, rx->rpc);
	spin_unlock_bh(&rx->rpc->lock);
}

/* Also for RPCs that are gone, and for ports that are. */
static void need_ack_pkt(struct homa_rx *rx)
{
	struct homa_rpc *rpc = rx->rpc;
	struct homa_path path;
	bool done = true;

	if (homa_rx_is_to_server(rx))
		return;
	if (rpc) {
		spin_lock_bh(&rpc->lock);
		homa_timer_all_sent(rpc, &rx->queue);
		done = rpc->is_complete || rpc->state == HOMA_DEAD;
		path = homa_rpc_path(rpc);
		if (!done)
			homa_queue_simple(&rx->queue, &path, P4W_BUSY);
		spin_unlock_bh(&rpc->lock);
	}
	if (done)
		answer(rx, P4W_ACK);
}

static void ack_pkt(struct homa_rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;
	const struct homa_pkt_ack first = { .id = pkt->id, .port = pkt->dport };
	u32 i;

	if (!homa_rx_is_to_server(rx))
		return;
	homa_rx_acked(rx, &first);
	for (i = 0; i < pkt->ack.nr; i++)
		homa_rx_acked(rx, &pkt->ack.ack[i]);
}

static void cutoffs_pkt(struct homa_rx *rx)
{
	homa_peer_set_cutoffs(rx->rpc->peer, &rx->pkt);
}

static void freeze_pkt(struct homa_rx *rx)
{
	homa_rx_drop(rx, HOMA_drop_freeze);
}

static const struct {
	void (*handle)(struct homa_rx *rx);
	bool needs_rpc;
} handlers[] = {		/* of all but DATA, the usual case */
	[P4W_GRANT]	  = { grant_pkt, true },
	[P4W_RESEND]	  = { resend_pkt, true },
	[P4W_RPC_UNKNOWN] = { unknown_pkt, true },
	[P4W_BUSY]	  = { busy_pkt, true },
	[P4W_CUTOFFS]	  = { cutoffs_pkt, true },
	[P4W_FREEZE]	  = { freeze_pkt, false },
	[P4W_NEED_ACK]	  = { need_ack_pkt, false },
	[P4W_ACK]	  = { ack_pkt, false },
};

static void no_rpc(struct homa_rx *rx)
{
	struct homa_peer *peer;
	bool finished = false;

	homa_rx_drop(rx, HOMA_unknown_rpcs);
	if (rx->pkt.type != P4W_RESEND)
		return;
	/* "Unknown" would make the client send a request again that has been served. */
	peer = homa_rx_is_to_server(rx) ? homa_peer_get(rx->hn, &rx->pkt.saddr) : NULL;
	if (peer) {
		finished = homa_peer_has_finished(peer, rx->pkt.id);
		homa_peer_put(peer);
	}
	if (!finished)
		answer(rx, P4W_RPC_UNKNOWN);
}

void homa_rx_control(struct homa_rx *rx)
{
	if (handlers[rx->pkt.type].needs_rpc && !rx->rpc)
		no_rpc(rx);
	else
		handlers[rx->pkt.type].handle(rx);
}
