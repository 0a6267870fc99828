// SPDX-License-Identifier: GPL-2.0
/*
 * recv.c - incoming packets, one handler a type.
 *
 * homa_rcv() has each packet checked (packet.c), finds socket and RPC, and calls the handler, which
 * takes rpc->lock itself. What a handler wants to send it puts on rx->queue and rx->plan; both are
 * carried out at the end, with no lock held. Softirq, in an RCU read-side section, which keeps the
 * socket's memory; an RPC in hand is a reference.
 */
#include <linux/ktime.h>
#include <linux/rculist.h>
#include <linux/sizes.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "cutoffs.h"
#include "ip.h"
#include "net.h"
#include "offload.h"
#include "packet.h"
#include "peer.h"
#include "pool.h"
#include "recv.h"
#include "rpc.h"
#include "tenant.h"
#include "timer.h"
#include "trace.h"
#include "txn.h"

#define STALLED_MAX	1024	/* requests of one socket that wait for pool space */
#define CUTOFFS_MS	4	/* between two CUTOFFS to a peer */

struct rx {
	struct homa_net *hn;
	struct homa_sock *hsk;		/* has the packet's destination port */
	struct homa_rpc *rpc;		/* reference, or NULL */
	struct sk_buff *skb;		/* NULL once it was queued */
	struct homa_pkt pkt;
	struct sk_buff_head queue;
	struct homa_grant_plan plan;
	bool stalled;			/* an RPC has begun to wait for pool space */
};

static void drop(const struct rx *rx, enum homa_counter why)
{
	homa_count_nr(rx->hn, why, 1);
	trace_homa_drop(&rx->pkt, rx->skb ? rx->skb->len : 0, why);
}

/* The same for what is no well-formed packet: rx->pkt may be anything. */
static void drop_bad(const struct rx *rx, enum homa_counter why)
{
	static const struct homa_pkt none;

	homa_count_nr(rx->hn, why, 1);
	trace_homa_drop(&none, rx->skb ? rx->skb->len : 0, why);
}

static bool is_to_server(const struct homa_pkt *pkt)
{
	return pkt->id & 1;
}

/* An answer to the packet for which there is no RPC. */
static void answer(struct rx *rx, u8 type)
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
			       homa_peer_take_acks(path.peer, acks, P4W_ACKS_MAX));
	else
		homa_queue_simple(&rx->queue, &path, type);
	homa_peer_put(path.peer);
}

/* ------------------------------------------------------------------ DATA */

/* Waits for pool space, shortest message first. False: too many requests do; how many responses may
 * come, our own programs decide.
 */
static bool stall(struct homa_rpc *rpc)
{
	struct list_head *at = &rpc->hsk->stalled;

	lockdep_assert_held(&rpc->lock);
	spin_lock(&rpc->hsk->lock);
	if (rpc->hsk->nr_stalled >= STALLED_MAX && !homa_rpc_is_client(rpc)) {
		spin_unlock(&rpc->hsk->lock);
		return false;
	}
	homa_rpc_get(rpc);
	rpc->hsk->nr_stalled++;
	while (at->prev != &rpc->hsk->stalled &&
	       list_entry(at->prev, struct homa_rpc, in_stalled)->in.length > rpc->in.length)
		at = at->prev;
	list_add_tail(&rpc->in_stalled, at);
	spin_unlock(&rpc->hsk->lock);
	return true;
}

static void unlist_stalled(struct homa_rpc *rpc)
{
	spin_lock(&rpc->hsk->lock);
	list_del_init(&rpc->in_stalled);
	rpc->hsk->nr_stalled--;
	spin_unlock(&rpc->hsk->lock);
	homa_rpc_put(rpc);
}

static bool reserve(struct homa_rpc *rpc)
{
	struct homa_pool *pool = smp_load_acquire(&rpc->hsk->pool);	/* set_rcvbuf() */

	return pool && !homa_pool_alloc(pool, rpc->in.length, rpc->in.bpage_offsets,
					&rpc->in.nr_bpages);
}

static void begin_message(struct rx *rx, struct homa_rpc *rpc)
{
	const struct homa_pkt *pkt = &rx->pkt;

	rpc->in.length = pkt->data.msg_len;
	rpc->in.incoming = pkt->data.incoming;
	rpc->in.ifindex = rx->skb->dev->ifindex;
	rpc->peer_tenant = pkt->data.tenant;
	homa_cutoffs_saw(rx->hn, rpc->in.length);
	if (reserve(rpc)) {
		homa_grant_begin(rpc, rpc->in.ifindex, rpc->in.length, rpc->in.incoming);
		return;
	}
	rpc->in.stalled = true;
	rx->stalled = stall(rpc);
	if (rx->stalled)
		homa_count(rx->hn, buffer_alloc_failures);
	else
		homa_rpc_end(rpc);	/* its client will hear that it is unknown, and try again */
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
		rpc = list_first_entry_or_null(&hsk->stalled, struct homa_rpc, in_stalled);
		if (rpc)
			homa_rpc_get(rpc);
		spin_unlock_bh(&hsk->lock);
		if (!rpc)
			return;
		spin_lock_bh(&rpc->lock);
		/* Else another CPU was faster: on with the next. */
		if (!list_empty(&rpc->in_stalled))
			more = reserve(rpc);
		if (more && !list_empty(&rpc->in_stalled)) {
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

static bool takes_data(struct homa_rpc *rpc)
{
	if (rpc->is_complete)
		return false;
	if (homa_rpc_is_client(rpc) && rpc->state == HOMA_OUTGOING)
		homa_rpc_move(rpc, HOMA_INCOMING);
	return rpc->state == HOMA_INCOMING;
}

/* Many tiny packets hold far more memory than their message has bytes, and only bytes are taken
 * from the pool. A path with an MTU above 300 stays far below this.
 */
static bool is_too_costly(const struct homa_msg_in *in)
{
	return in->kept > SZ_4K + 16 * in->length;
}

static void asked_too_early(struct homa_rpc *rpc)
{
	const struct homa_rtt_conf conf = homa_timer_rtt_conf(rpc);

	homa_rtt_was_hasty(&rpc->peer->rtt, &conf, jiffies);
}

/* No byte of it is new. */
static void discard(const struct rx *rx, struct homa_rpc *rpc)
{
	homa_count(rx->hn, packet_discards);
	if (!rx->pkt.data.again)
		return;
	homa_count(rx->hn, resent_discards);
	asked_too_early(rpc);
}

/* The first byte of a response: how long it took, if the request went in one packet, once. */
static void measure_answer(struct homa_rpc *rpc)
{
	struct homa_rtt *rtt = &rpc->peer->rtt;

	if (!homa_rtt_wants_answer(rtt, jiffies) || rpc->out.length > rpc->out.seg ||
	    rpc->out.again_at)
		return;
	homa_rtt_add_answer(rtt, ktime_get_ns() - rpc->out.sent_at, jiffies);
}

/* Queues the packet, cut down to its new bytes. */
static void take_data(struct rx *rx, struct homa_rpc *rpc)
{
	const struct homa_pkt *pkt = &rx->pkt;
	struct homa_skb_range *range = (struct homa_skb_range *)rx->skb->cb;
	u32 from, to;
	int new;

	if (is_too_costly(&rpc->in)) {
		drop(rx, HOMA_drop_no_memory);
		return;
	}
	new = homa_gaps_add(&rpc->in.gaps, pkt->data.offset, pkt->data.offset + pkt->data.len,
			    &from, &to);
	if (new < 0) {
		drop(rx, HOMA_drop_no_memory);
		homa_timer_progress(rpc);	/* asks for it again */
		return;
	}
	if (!new) {
		discard(rx, rpc);
		return;
	}
	range->start = from;
	range->len = to - from;
	range->skip = sizeof(struct p4w_data) + from - pkt->data.offset;
	skb_dst_drop(rx->skb);		/* may wait long, and holds a device otherwise */
	rpc->in.kept += rx->skb->truesize;
	__skb_queue_tail(&rpc->in.packets, rx->skb);
	rx->skb = NULL;
	rpc->in.received += new;
	if (pkt->data.again) {
		homa_count(rx->hn, resent_packets_used);
		homa_rtt_was_right(&rpc->peer->rtt, jiffies);
	}
	homa_grant_received(rpc, rpc->in.received, &rx->plan);
	if (rpc->in.received == rpc->in.length) {
		homa_count_message(rx->hn, rpc->in.length);
		homa_rpc_complete(rpc, 0);
	} else {
		homa_timer_progress(rpc);
	}
}

/* The sender has other cutoffs than ours. */
static void tell_cutoffs(struct rx *rx, struct homa_rpc *rpc)
{
	unsigned long told = READ_ONCE(rpc->peer->told_cutoffs);
	const struct homa_path path = homa_rpc_path(rpc);

	if (told && time_before(jiffies, told + msecs_to_jiffies(CUTOFFS_MS)))
		return;
	WRITE_ONCE(rpc->peer->told_cutoffs, jiffies | 1);
	homa_queue_cutoffs(&rx->queue, &path);
}

static void data_for(struct rx *rx, struct homa_rpc *rpc)
{
	const struct homa_pkt *pkt = &rx->pkt;

	if (unlikely(pkt->data.cutoff_version != READ_ONCE(rx->hn->cutoffs->cutoff_version)))
		tell_cutoffs(rx, rpc);
	spin_lock(&rpc->lock);
	if (!takes_data(rpc)) {
		homa_timer_alive(rpc);
		discard(rx, rpc);
		goto unlock;
	}
	if (!rpc->in.length) {
		if (homa_rpc_is_client(rpc) && !pkt->data.again)
			measure_answer(rpc);
		begin_message(rx, rpc);
	}
	if (rpc->in.length != pkt->data.msg_len || rpc->peer_tenant != pkt->data.tenant) {
		drop(rx, HOMA_drop_mismatch);
		goto unlock;
	}
	if (rpc->in.stalled) {
		homa_timer_alive(rpc);
		drop(rx, HOMA_dropped_data_no_bufs);
		goto unlock;
	}
	take_data(rx, rpc);
unlock:
	spin_unlock(&rpc->lock);
}

static struct homa_rpc *make_server_rpc(struct rx *rx)
{
	struct homa_rpc_birth birth = {
		.id = rx->pkt.id,
		.saddr = rx->pkt.daddr,
		.dport = rx->pkt.sport,
		.gfp = GFP_ATOMIC,
	};
	struct homa_rpc *rpc;
	int err;

	birth.peer = homa_peer_get(rx->hn, &rx->pkt.saddr);
	if (!birth.peer)
		return ERR_PTR(-ENOMEM);
	birth.tenant_id = homa_tenant_id(READ_ONCE(rx->hsk->tenant));	/* freed by RCU */
	rpc = homa_rpc_alloc(rx->hsk, &birth);
	if (IS_ERR(rpc)) {
		homa_peer_put(birth.peer);
		return rpc;
	}
	spin_lock(&rpc->lock);
	err = homa_rpc_insert(rpc, HOMA_INCOMING);
	/* Only now: nobody else can bring this id to life and to its end any more. */
	if (!err && homa_peer_has_finished(rpc->peer, rpc->id)) {
		homa_rpc_end(rpc);
		err = -EALREADY;
	}
	spin_unlock(&rpc->lock);
	if (!err)
		return rpc;
	homa_rpc_put(rpc);
	return ERR_PTR(err);
}

/* An AF_INET socket has no form for the address of an IPv6 client. */
static bool takes_from(const struct homa_sock *hsk, const struct in6_addr *client)
{
	const struct sock *sk = &hsk->inet.sk;

	if (homa_addr_is_v4(client))
		return !sk->sk_ipv6only;
	return sk->sk_family == AF_INET6;
}

static void new_request(struct rx *rx)
{
	struct sock *sk = homa_to_sk(rx->hsk);

	if (!rx->hsk->is_server || !takes_from(rx->hsk, &rx->pkt.saddr)) {
		drop(rx, HOMA_drop_not_server);
		homa_ip_refuse(rx->skb);
		return;
	}
	/* A socket on its way out may have no reference left. */
	if (!refcount_inc_not_zero(&sk->sk_refcnt))
		return;
	rx->rpc = make_server_rpc(rx);
	sock_put(sk);
	if (!IS_ERR(rx->rpc)) {
		homa_count(rx->hn, server_requests_started);
		return;
	}
	if (PTR_ERR(rx->rpc) == -EEXIST)	/* another CPU was faster */
		rx->rpc = homa_rpc_find(rx->hsk, rx->pkt.id, &rx->pkt.saddr);
	else if (PTR_ERR(rx->rpc) == -EALREADY)
		drop(rx, HOMA_drop_repeated);
	else
		drop(rx, HOMA_server_cant_create_rpcs);
	if (IS_ERR(rx->rpc))
		rx->rpc = NULL;
}

/* The client says that it needs the server's side of an RPC no more. */
static void acked(struct rx *rx, const struct homa_pkt_ack *ack)
{
	struct homa_sock *hsk = rx->hsk;
	struct homa_rpc *rpc;

	if (!ack->id)
		return;
	if (!hsk || READ_ONCE(hsk->port) != ack->port)
		hsk = homa_sock_find(rx->hn, ack->port);
	rpc = hsk ? homa_rpc_find(hsk, ack->id, &rx->pkt.saddr) : NULL;
	if (!rpc) {
		/* Perhaps the client has given it up before its request came: it need not come now. */
		if (rx->rpc)
			homa_peer_add_finished(rx->rpc->peer, ack->id);
		return;
	}
	homa_live_heard(&rpc->peer->live);
	spin_lock(&rpc->lock);
	homa_timer_alive(rpc);
	if (!rpc->is_handed)	/* else its end remembers it */
		homa_peer_add_finished(rpc->peer, rpc->id);
	homa_rpc_end(rpc);
	spin_unlock(&rpc->lock);
	homa_rpc_put(rpc);
	homa_count(rx->hn, server_responses_done);
}

static void data_pkt(struct rx *rx)
{
	if (!rx->rpc && is_to_server(&rx->pkt))
		new_request(rx);
	else if (!rx->rpc)
		drop(rx, HOMA_unknown_rpcs);
	if (rx->rpc)
		data_for(rx, rx->rpc);
	acked(rx, &rx->pkt.data.ack);
}

/* ------------------------------------------------------------------ control */

/* A client that has its error sends no more; for a server, `complete` was about the request. */
static bool is_sending(const struct homa_rpc *rpc)
{
	return rpc->state == HOMA_OUTGOING && !(homa_rpc_is_client(rpc) && rpc->is_complete);
}

static bool may_repeat(struct homa_rpc *rpc, u32 start, u32 end)
{
	const struct homa_rtt_conf conf = homa_timer_rtt_conf(rpc);

	end = min(end, rpc->out.sent);
	return start < end && homa_msg_out_may_repeat(&rpc->out, end - start, ktime_get_ns(),
						      homa_rtt_recent(&rpc->peer->rtt, &conf));
}

static void grant_pkt(struct rx *rx)
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

static void resend_pkt(struct rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;
	struct homa_rpc *rpc = rx->rpc;
	struct homa_msg_out *out = &rpc->out;
	struct homa_path path;
	bool send, again;
	u32 end;

	spin_lock_bh(&rpc->lock);
	homa_timer_alive(rpc);
	path = homa_rpc_path(rpc);
	send = is_sending(rpc);
	end = pkt->resend.all ? out->sent : min(pkt->resend.end, out->length);
	if (send && end > out->granted)		/* so a GRANT was lost */
		out->granted = end;
	/* What may have crossed the question is not sent; if lost, it will be asked for again. */
	again = send && may_repeat(rpc, pkt->resend.offset, end);
	/* Alive, but there is nothing to send now. */
	if ((send && pkt->resend.offset >= out->sent &&
	     (out->sent >= out->granted || rpc->pacing.link)) ||
	    (!send && !homa_rpc_is_client(rpc) && rpc->state != HOMA_DEAD))
		homa_queue_simple(&rx->queue, &path, P4W_BUSY);
	spin_unlock_bh(&rpc->lock);
	if (again)
		homa_send_again(rpc, pkt->resend.offset, end, pkt->priority);
	if (send)
		homa_send_granted(rpc);
}

static void unknown_pkt(struct rx *rx)
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
		homa_peer_add_finished(rpc->peer, rpc->id);
		homa_rpc_end(rpc);
		homa_count(rx->hn, server_rpc_discards);
		homa_count(rx->hn, server_rpcs_unknown);
	}
	spin_unlock_bh(&rpc->lock);
	if (again)
		homa_send_again(rpc, 0, U32_MAX, priority);
}

static void busy_pkt(struct rx *rx)
{
	spin_lock_bh(&rx->rpc->lock);
	homa_timer_alive(rx->rpc);
	spin_unlock_bh(&rx->rpc->lock);
}

/* Also for RPCs that are gone, and for ports that are. */
static void need_ack_pkt(struct rx *rx)
{
	struct homa_rpc *rpc = rx->rpc;
	struct homa_path path;
	bool done = true;

	if (is_to_server(&rx->pkt))
		return;
	if (rpc) {
		spin_lock_bh(&rpc->lock);
		homa_timer_alive(rpc);
		done = rpc->is_complete || rpc->state == HOMA_DEAD;
		path = homa_rpc_path(rpc);
		if (!done) {
			homa_queue_simple(&rx->queue, &path, P4W_BUSY);
			homa_timer_all_sent(rpc, &rx->queue);
		}
		spin_unlock_bh(&rpc->lock);
	}
	if (done)
		answer(rx, P4W_ACK);
}

static void ack_pkt(struct rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;
	const struct homa_pkt_ack first = { .id = pkt->id, .port = pkt->dport };
	u32 i;

	if (!is_to_server(pkt))
		return;
	acked(rx, &first);
	for (i = 0; i < pkt->ack.nr; i++)
		acked(rx, &pkt->ack.ack[i]);
}

static void cutoffs_pkt(struct rx *rx)
{
	homa_peer_set_cutoffs(rx->rpc->peer, &rx->pkt);
}

static void freeze_pkt(struct rx *rx)
{
	drop(rx, HOMA_drop_freeze);
}

/* ------------------------------------------------------------------ dispatch */

static const struct {
	void (*handle)(struct rx *rx);
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

static void no_rpc(struct rx *rx)
{
	struct homa_peer *peer;
	bool finished = false;

	drop(rx, HOMA_unknown_rpcs);
	if (rx->pkt.type != P4W_RESEND)
		return;
	/* "Unknown" would make the client send a request again that has been served. */
	peer = is_to_server(&rx->pkt) ? homa_peer_get(rx->hn, &rx->pkt.saddr) : NULL;
	if (peer) {
		finished = homa_peer_has_finished(peer, rx->pkt.id);
		homa_peer_put(peer);
	}
	if (!finished)
		answer(rx, P4W_RPC_UNKNOWN);
}

static void no_socket(struct rx *rx)
{
	switch (rx->pkt.type) {
	case P4W_NEED_ACK:
		need_ack_pkt(rx);
		break;
	case P4W_ACK:		/* may list RPCs of other ports */
		ack_pkt(rx);
		break;
	case P4W_DATA:
	case P4W_GRANT:
	case P4W_RESEND:
		drop(rx, HOMA_drop_no_socket);
		homa_ip_refuse(rx->skb);
		break;
	default:
		drop(rx, HOMA_drop_no_socket);
	}
}

static void dispatch(struct rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;

	rx->hsk = homa_sock_find(rx->hn, pkt->dport);
	if (!rx->hsk || READ_ONCE(rx->hsk->is_shutdown)) {
		rx->hsk = NULL;
		no_socket(rx);
		return;
	}
	rx->rpc = homa_rpc_find(rx->hsk, pkt->id, &pkt->saddr);
	if (rx->rpc)
		homa_live_heard(&rx->rpc->peer->live);
	if (rx->rpc && rx->rpc->dport != pkt->sport)
		drop(rx, HOMA_unknown_rpcs);
	else if (likely(pkt->type == P4W_DATA))
		data_pkt(rx);
	else if (handlers[pkt->type].needs_rpc && !rx->rpc)
		no_rpc(rx);
	else
		handlers[pkt->type].handle(rx);
}

/* With no lock held: what the handler wanted to be sent. */
static void finish(struct rx *rx)
{
	if (!skb_queue_empty(&rx->queue))
		homa_flush(rx->hn, &rx->queue);
	if (rx->plan.nr)
		homa_grant_send(&rx->plan);
	/* Space may have come back while the RPC was put on the list. */
	if (rx->stalled)
		homa_unstall(rx->hsk);
	if (rx->rpc)
		homa_rpc_put(rx->rpc);
	if (rx->skb)
		kfree_skb(rx->skb);
}

/* Not more than the header of DATA: what follows is in fragments, and should stay there. */
static bool pull_header(struct sk_buff *skb)
{
	u32 len = HOMA_PKT_PULL;

	if (skb_headlen(skb) >= sizeof(struct p4w_common) &&
	    ((struct p4w_common *)skb->data)->type == P4W_DATA)
		len = sizeof(struct p4w_data);
	return pskb_may_pull(skb, min(skb->len, len));
}

/* Not the whole of it: `pkt` and `plan` are large. */
static void rx_init(struct rx *rx, struct sk_buff *skb)
{
	rx->hn = homa_net(dev_net(skb->dev));
	rx->hsk = NULL;
	rx->rpc = NULL;
	rx->skb = skb;
	rx->plan.nr = 0;
	rx->stalled = false;
	__skb_queue_head_init(&rx->queue);
}

/* The caller has filled in the addresses. */
static void receive(struct rx *rx)
{
	struct sk_buff *skb = rx->skb;
	enum homa_counter why;

	if (skb_is_gso(skb)) {
		rx->skb = skb = homa_offload_plain(skb);
		if (!skb) {
			drop_bad(rx, HOMA_drop_range);
			return;
		}
	}
	if (!pull_header(skb)) {
		drop_bad(rx, HOMA_drop_no_memory);
		return;
	}
	if (!homa_check_packet(skb->data, skb->len, &rx->pkt, &why)) {
		drop_bad(rx, why);
		return;
	}
	/* Nobody is asked for an answer that all hosts of a network would give. */
	if (skb->pkt_type != PACKET_HOST)
		return;
	switch (rx->pkt.type) {
	case P4W_TXN:
		drop(rx, HOMA_drop_txn_request);
		break;
	case P4W_TXN_REPLY:
		homa_txn_reply_pkt(rx->hn, skb, &rx->pkt.saddr);
		break;
	default:
		homa_count_type(rx->hn, packets_rcvd_DATA, rx->pkt.type);
		trace_homa_packet_rcvd(&rx->pkt, skb->len, -1);
		dispatch(rx);
	}
}

int homa_rcv(struct sk_buff *skb)
{
	struct rx rx __uninitialized;

	rx_init(&rx, skb);
	rx.pkt.saddr = homa_addr_v4(ip_hdr(skb)->saddr);
	rx.pkt.daddr = homa_addr_v4(ip_hdr(skb)->daddr);
	receive(&rx);
	finish(&rx);
	return 0;
}

#if IS_ENABLED(CONFIG_IPV6)

int homa_rcv6(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	struct rx rx __uninitialized;

	rx_init(&rx, skb);
	if (homa_addr_from_wire(&rx.pkt.saddr, &ip6->saddr, inet6_iif(skb)) &&
	    !ipv6_addr_is_multicast(&ip6->daddr) && !ipv6_addr_v4mapped(&ip6->daddr)) {
		rx.pkt.daddr = ip6->daddr;
		receive(&rx);
	} else {
		drop_bad(&rx, HOMA_drop_address);
	}
	finish(&rx);
	return 0;
}

#endif
