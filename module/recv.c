// SPDX-License-Identifier: GPL-2.0
/*
 * recv.c - incoming packets: checked, brought to their RPC, DATA taken in.
 *
 * homa_rcv() has each packet checked (packet.c), finds socket and RPC, and calls the handler, which
 * takes rpc->lock itself; those of control packets are in control.c. What a handler wants to send it
 * puts on rx->queue and rx->plan; both are carried out at the end, with no lock held. Softirq, in an
 * RCU read-side section, which keeps the socket's memory; an RPC in hand is a reference.
 */
#include <linux/ktime.h>
#include <linux/rculist.h>
#include <linux/sizes.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "bundle.h"
#include "cutoffs.h"
#include "ip.h"
#include "net.h"
#include "offload.h"
#include "packet.h"
#include "peer.h"
#include "recent.h"
#include "recv.h"
#include "rmem.h"
#include "rpc.h"
#include "rx.h"
#include "stall.h"
#include "tenant.h"
#include "timer.h"
#include "trace.h"
#include "txn.h"

#define CUTOFFS_MS	4	/* between two CUTOFFS to a peer */

/* The same for what is no well-formed packet: rx->pkt may be anything. */
static void drop_bad(const struct homa_rx *rx, enum homa_counter why)
{
	static const struct homa_pkt none;

	homa_count_nr(rx->hn, why, 1);
	trace_homa_drop(&none, rx->skb ? rx->skb->len : 0, why);
}

/* ------------------------------------------------------------------ DATA */

static void begin_message(struct homa_rx *rx, struct homa_rpc *rpc)
{
	const struct homa_pkt *pkt = &rx->pkt;

	rpc->in.length = pkt->data.msg_len;
	rpc->in.incoming = pkt->data.incoming;
	rpc->in.ifindex = rx->skb->dev->ifindex;
	rpc->peer_tenant = pkt->data.tenant;
	homa_cutoffs_saw(rx->hn, rpc->in.length);
	if (homa_stall_reserve(rpc)) {
		homa_grant_begin(rpc, rpc->in.ifindex, rpc->in.length, rpc->in.incoming);
		return;
	}
	rpc->in.stalled = true;
	rx->stalled = homa_stall(rpc);
	if (rx->stalled)
		homa_count(rx->hn, buffer_alloc_failures);
	else
		homa_rpc_end(rpc);	/* its client will hear that it is unknown, and try again */
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
static void discard(const struct homa_rx *rx, struct homa_rpc *rpc)
{
	homa_count(rx->hn, packet_discards);
	if (rx->pkt.data.again)
		homa_count(rx->hn, resent_discards);
	/* What we asked for comes at the highest priority, and may well overtake what was not lost. */
	if (rx->pkt.data.again || rpc->in.repeated)
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

static void is_here(struct homa_rx *rx, struct homa_rpc *rpc)
{
	homa_count_message(rpc->net, rpc->in.length);
	rx->wake = homa_rpc_complete(rpc, 0);
}

void homa_rx_client_waits(struct homa_rx *rx, struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (!rpc->in.is_doubtful || rpc->state == HOMA_DEAD)
		return;
	rpc->in.is_doubtful = false;
	/* Else it may be from before our time, as others later than it. */
	if (!rpc->in.was_asked_for)
		homa_peer_prove(rpc->peer, rpc->id);
	if (rpc->in.length && rpc->in.received == rpc->in.length)
		is_here(rx, rpc);
}

/* A packet of a request that was finished, and forgotten, may come late. Its client knows. */
static void ask_client(struct homa_rx *rx, struct homa_rpc *rpc)
{
	const struct homa_path path = homa_rpc_path(rpc);

	rpc->in.is_doubtful = true;
	rpc->in.was_asked_for = rx->pkt.data.again;
	homa_count(rx->hn, doubtful_requests);
	homa_queue_simple(&rx->queue, &path, P4W_NEED_ACK);
}

/* Queues the packet, cut down to its new bytes. */
static void take_data(struct homa_rx *rx, struct homa_rpc *rpc)
{
	const struct homa_pkt *pkt = &rx->pkt;
	struct homa_skb_range *range = (struct homa_skb_range *)rx->skb->cb;
	u32 truesize = rx->skb->truesize;
	u32 from, to;
	int new;

	if (is_too_costly(&rpc->in)) {
		homa_rx_drop(rx, HOMA_drop_no_memory);
		return;
	}
	if (!homa_rmem_charge(rpc, truesize)) {
		homa_rx_drop(rx, HOMA_drop_rmem);
		/* Asks for it again, ever more patiently. */
		if (homa_wait_is_on(&rpc->wait))
			homa_timer_alive(rpc);
		else
			homa_timer_start(rpc);
		return;
	}
	new = homa_gaps_add(&rpc->in.gaps, pkt->data.offset, pkt->data.offset + pkt->data.len,
			    &from, &to);
	if (new <= 0)
		homa_rmem_cancel(rpc, truesize);
	if (new < 0) {
		homa_rx_drop(rx, HOMA_drop_no_memory);
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
	__skb_queue_tail(&rpc->in.packets, rx->skb);
	rx->skb = NULL;
	rpc->in.received += new;
	rx->stalled |= homa_rmem_keep_promise(rpc, new);
	if (pkt->data.again) {
		homa_count(rx->hn, resent_packets_used);
		rpc->in.repeated = true;
		homa_rtt_was_right(&rpc->peer->rtt, jiffies);
		homa_timer_repeated(rpc);
	}
	homa_grant_received(rpc, rpc->in.received, &rx->plan);
	if (rpc->in.received == rpc->in.length && !rpc->in.is_doubtful)
		is_here(rx, rpc);
	else
		homa_timer_progress(rpc);
}

/* The sender has other cutoffs than ours. */
static void tell_cutoffs(struct homa_rx *rx, struct homa_rpc *rpc)
{
	unsigned long told = READ_ONCE(rpc->peer->told_cutoffs);
	const struct homa_path path = homa_rpc_path(rpc);

	if (homa_is_recent(told, jiffies, msecs_to_jiffies(CUTOFFS_MS)))
		return;
	WRITE_ONCE(rpc->peer->told_cutoffs, jiffies | 1);
	homa_queue_cutoffs(&rx->queue, &path);
}

static void data_for(struct homa_rx *rx, struct homa_rpc *rpc)
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
		homa_rx_drop(rx, HOMA_drop_mismatch);
		goto unlock;
	}
	if (rpc->in.stalled) {
		homa_timer_alive(rpc);
		homa_rx_drop(rx, HOMA_dropped_data_no_bufs);
		goto unlock;
	}
	take_data(rx, rpc);
unlock:
	spin_unlock(&rpc->lock);
}

static struct homa_rpc *make_server_rpc(struct homa_rx *rx)
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
	if (!err) {
		err = homa_peer_judge(rpc->peer, rpc->id);
		if (err > 0)
			ask_client(rx, rpc);
		else if (err)
			homa_rpc_end(rpc);
	}
	spin_unlock(&rpc->lock);
	if (err >= 0)
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

static void new_request(struct homa_rx *rx)
{
	if (!rx->hsk->is_server || !takes_from(rx->hsk, &rx->pkt.saddr)) {
		homa_rx_drop(rx, HOMA_drop_not_server);
		homa_ip_refuse(rx->skb);
		return;
	}
	rx->rpc = make_server_rpc(rx);
	if (!IS_ERR(rx->rpc)) {
		homa_count(rx->hn, server_requests_started);
		return;
	}
	if (PTR_ERR(rx->rpc) == -EEXIST)	/* another CPU was faster */
		rx->rpc = homa_rpc_find_rcu(rx->hsk, rx->pkt.id, &rx->pkt.saddr);
	else if (PTR_ERR(rx->rpc) == -EALREADY)
		homa_rx_drop(rx, HOMA_drop_repeated);
	else
		homa_rx_drop(rx, HOMA_server_cant_create_rpcs);
	if (IS_ERR(rx->rpc))
		rx->rpc = NULL;
}

/* Something that we have sent got there. */
static void confirm_route(const struct homa_rpc *rpc)
{
	homa_peer_confirm_route(rpc->peer, homa_to_sk(rpc->hsk), &rpc->saddr);
}

/* The client says that it needs the server's side of an RPC no more. */
void homa_rx_acked(struct homa_rx *rx, const struct homa_pkt_ack *ack)
{
	struct homa_sock *hsk = rx->hsk;
	struct homa_rpc *rpc;

	if (!ack->id)
		return;
	if (!hsk || READ_ONCE(hsk->port) != ack->port)
		hsk = homa_sock_find(rx->hn, ack->port);
	rpc = hsk ? homa_rpc_find_rcu(hsk, ack->id, &rx->pkt.saddr) : NULL;
	if (!rpc) {
		/* Perhaps the client has given it up before its request came: it need not come now. */
		if (rx->rpc)
			homa_peer_add_finished(rx->rpc->peer, ack->id, false);
		return;
	}
	if (homa_live_heard(&rpc->peer->live))
		confirm_route(rpc);
	spin_lock(&rpc->lock);
	homa_timer_alive(rpc);
	if (!rpc->is_handed)	/* else its end remembers it */
		homa_peer_add_finished(rpc->peer, rpc->id, false);
	homa_rpc_end(rpc);
	spin_unlock(&rpc->lock);
	homa_rpc_put(rpc);
	homa_count(rx->hn, server_responses_done);
}

static void data_pkt(struct homa_rx *rx)
{
	if (!rx->rpc && homa_rx_is_to_server(rx))
		new_request(rx);
	else if (!rx->rpc)
		homa_rx_drop(rx, HOMA_unknown_rpcs);
	if (rx->rpc)
		data_for(rx, rx->rpc);
	homa_rx_acked(rx, &rx->pkt.data.ack);
}

/* ------------------------------------------------------------------ dispatch */

static void no_socket(struct homa_rx *rx)
{
	switch (rx->pkt.type) {
	case P4W_NEED_ACK:
	case P4W_ACK:		/* may list RPCs of other ports */
		homa_rx_control(rx);
		break;
	case P4W_DATA:
	case P4W_GRANT:
	case P4W_RESEND:
		homa_rx_drop(rx, HOMA_drop_no_socket);
		homa_ip_refuse(rx->skb);
		break;
	default:
		homa_rx_drop(rx, HOMA_drop_no_socket);
	}
}

/* Does it answer what we have sent? Others may come because nothing of ours gets there. */
static bool is_answer(const struct homa_rx *rx)
{
	if (rx->rpc->dport != rx->pkt.sport)
		return false;
	switch (rx->pkt.type) {
	case P4W_DATA:
		return !homa_rx_is_to_server(rx);
	case P4W_GRANT:
	case P4W_BUSY:
	case P4W_ACK:
		return true;
	default:
		return false;
	}
}

static void dispatch(struct homa_rx *rx)
{
	const struct homa_pkt *pkt = &rx->pkt;

	rx->hsk = homa_sock_find(rx->hn, pkt->dport);
	if (!rx->hsk || READ_ONCE(rx->hsk->is_shutdown)) {
		rx->hsk = NULL;
		no_socket(rx);
		return;
	}
	rx->rpc = homa_rpc_find_rcu(rx->hsk, pkt->id, &pkt->saddr);
	if (rx->rpc && homa_live_heard(&rx->rpc->peer->live) && is_answer(rx))
		confirm_route(rx->rpc);
	if (rx->rpc && rx->rpc->dport != pkt->sport)
		homa_rx_drop(rx, HOMA_unknown_rpcs);
	else if (likely(pkt->type == P4W_DATA))
		data_pkt(rx);
	else
		homa_rx_control(rx);
}

/* With no lock held: what the handler wanted to be sent. */
static void finish(struct homa_rx *rx)
{
	if (rx->wake)
		wake_up_process(rx->wake);
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
static void rx_init(struct homa_rx *rx, struct sk_buff *skb)
{
	rx->hn = homa_net(dev_net(skb->dev));
	rx->hsk = NULL;
	rx->rpc = NULL;
	rx->skb = skb;
	rx->plan.nr = 0;
	rx->wake = NULL;
	rx->stalled = false;
	__skb_queue_head_init(&rx->queue);
}

/* The caller has filled in the addresses. */
static void receive(struct homa_rx *rx)
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
		homa_rx_drop(rx, HOMA_drop_txn_request);
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

/* Addresses are those of the whole. */
static noinline void receive_bundle(struct homa_rx *rx)
{
	struct sk_buff *skb = homa_bundle_open(rx->skb), *next;

	rx->skb = NULL;
	if (!skb)
		drop_bad(rx, HOMA_drop_no_memory);
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		rx_init(rx, skb);
		receive(rx);
		finish(rx);
	}
}

static void receive_all(struct homa_rx *rx)
{
	if (skb_is_gso(rx->skb) && homa_bundle_is(rx->skb)) {
		receive_bundle(rx);
		return;
	}
	receive(rx);
	finish(rx);
}

int homa_rcv(struct sk_buff *skb)
{
	struct homa_rx rx __uninitialized;

	rx_init(&rx, skb);
	rx.pkt.saddr = homa_addr_v4(ip_hdr(skb)->saddr);
	rx.pkt.daddr = homa_addr_v4(ip_hdr(skb)->daddr);
	receive_all(&rx);
	return 0;
}

#if IS_ENABLED(CONFIG_IPV6)

int homa_rcv6(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	struct homa_rx rx __uninitialized;

	rx_init(&rx, skb);
	if (homa_addr_from_wire(&rx.pkt.saddr, &ip6->saddr, inet6_iif(skb)) &&
	    !ipv6_addr_is_multicast(&ip6->daddr) && !ipv6_addr_v4mapped(&ip6->daddr)) {
		rx.pkt.daddr = ip6->daddr;
		receive_all(&rx);
		return 0;
	}
	drop_bad(&rx, HOMA_drop_address);
	finish(&rx);
	return 0;
}

#endif
