// SPDX-License-Identifier: GPL-2.0
/*
 * send.c - packets.
 *
 * A packet is a small header of its own and references to the message's memory (msg.c), made anew
 * for each transmission: so a packet that still sits in a device queue is never touched again, and
 * the MTU may change between transmissions. Several packets on the wire leave as one buffer of up
 * to 64 KiB that is cut just before the device, or not at all (offload.c). Packet boundaries of a
 * message stay where they are all the same as long as the MTU allows: some receivers take only
 * whole packets again.
 *
 * Packets are made under rpc->lock, put on a queue, and given to IP by homa_flush() with no lock
 * held, because what IP does then may come back to us.
 */
#include <linux/netdevice.h>
#include <linux/unaligned.h>
#include <net/ip.h>

#include "cutoffs.h"
#include "ip.h"
#include "link.h"
#include "net.h"
#include "offload.h"
#include "owed.h"
#include "pacer.h"
#include "packet.h"
#include "peer.h"
#include "rpc.h"
#include "send.h"
#include "trace.h"

#define BATCH		32	/* packets made before the lock is let go */

u32 homa_seg_start(u32 offset, u32 unsched, u32 seg)
{
	u32 base = offset < unsched ? 0 : unsched;

	return base + (offset - base) / seg * seg;
}

u32 homa_seg_end(u32 offset, u32 unsched, u32 seg, u32 segs, u32 length)
{
	u32 limit = offset < unsched ? unsched : length;
	u32 start = homa_seg_start(offset, unsched, seg);

	/* From within a packet, only to its end: a buffer is cut at equal distances. */
	if (offset != start)
		segs = 1;
	return min3(start + segs * seg, limit, length);
}

int homa_msg_out_copy(struct homa_net *hn, struct homa_msg_out *out, struct iov_iter *from,
		      u32 length)
{
	out->length = length;
	return homa_msg_mem_copy(hn, &out->mem, from, length);
}

void homa_msg_out_free(struct homa_net *hn, struct homa_msg_out *out)
{
	homa_msg_mem_free(hn, &out->mem);
	dst_release(out->dst);
	out->dst = NULL;
}

static u32 seg_bytes(u32 mtu, u32 ip_header)
{
	u32 headers = ip_header + sizeof(struct p4w_data);

	mtu = min_t(u32, mtu, IP_MAX_MTU);
	return mtu > headers ? mtu - headers : 0;
}

/* Bytes of a message in a packet on that way. Older kernels look at its device under no protection but
 * the caller's.
 */
static u32 seg_on(const struct dst_entry *dst, const struct in6_addr *daddr)
{
	u32 mtu;

	rcu_read_lock();	/* the route may lose its device at any moment, and that its memory */
	mtu = dst_mtu(dst);
	rcu_read_unlock();
	return seg_bytes(mtu, homa_ip_header_len(daddr));
}

/* Where no packet waits, and the receiver has a buffer in hand before the next is made, a grant for
 * a part of it costs more than it can save.
 */
static u32 unsched_bytes(struct homa_net *hn, const struct dst_entry *dst, u32 seg)
{
	/* One packet at least, or the receiver would never hear of the message. */
	u32 bytes = max_t(u32, homa_knob(hn, unsched_bytes), seg);
	const struct net_device *dev;

	rcu_read_lock();	/* as in seg_on() */
	dev = READ_ONCE(dst->dev);
	if (!homa_link_waits(hn, dev))
		bytes = max(bytes,
			    seg * homa_offload_segs(dev, seg, homa_knob(hn, max_gso_size)));
	rcu_read_unlock();
	return bytes;
}

int homa_msg_out_init(struct homa_msg_out *out, const struct homa_peer *peer,
		      const struct dst_entry *dst)
{
	out->seg = seg_on(dst, &peer->addr);
	if (!out->seg)
		return -EINVAL;
	out->unsched = out->length;
	if (out->length > out->seg)
		out->unsched = min(out->length, unsched_bytes(peer->net, dst, out->seg));
	out->granted = out->unsched;
	out->unsched_prio = min(homa_unsched_priority(peer->cutoff, out->length),
				homa_control_priority(peer->net));
	return 0;
}

bool homa_msg_out_may_repeat(struct homa_msg_out *out, u32 start, u32 end, u64 now, u64 recent)
{
	u32 bytes = end - start;

	/* Of what later bytes have followed, those were seen by who asks. */
	if (end == out->sent && now - out->sent_at < recent)
		return false;
	if (!out->again_at || now - out->again_at >= recent) {
		out->again_at = now;
		out->again_bytes = 0;
	}
	if (bytes > out->sent - out->again_bytes)
		return false;
	out->again_bytes += bytes;
	return true;
}

/* An empty packet with room for everything, with its IP header written, on the way `dst` and with
 * the local address `saddr`, both from homa_peer_route(). Takes over the reference.
 */
static struct sk_buff *make_packet(const struct homa_peer *peer, struct dst_entry *dst,
				   const struct in6_addr *saddr, u32 linear, u8 priority)
{
	const struct in6_addr *daddr = &peer->addr;
	struct sk_buff *skb;
	u32 headroom;

	headroom = LL_RESERVED_SPACE(dst->dev) + homa_ip_header_len(daddr);
	/* With bottom halves off there is a CPU's own store of them. */
	skb = __alloc_skb(headroom + linear, GFP_ATOMIC, in_softirq() ? SKB_ALLOC_NAPI : 0,
			  NUMA_NO_NODE);
	if (!skb) {
		dst_release(dst);
		return ERR_PTR(-ENOMEM);
	}
	skb_reserve(skb, headroom);
	skb_reset_transport_header(skb);
	skb_dst_set(skb, dst);
	homa_ip_push_header(peer->net->net, skb, saddr, daddr,
			    homa_ip_class(peer->net, priority));
	return skb;
}

/* The same for one that comes alone. */
static struct sk_buff *route_packet(const struct homa_path *path, u32 linear, u8 priority)
{
	struct in6_addr saddr = path->saddr;
	struct dst_entry *dst = homa_peer_route(path->peer, path->sk, &saddr);

	if (!IS_ERR(dst))
		return make_packet(path->peer, dst, &saddr, linear, priority);
	homa_count(path->net, peer_route_errors);
	return ERR_CAST(dst);
}

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
	struct sk_buff *skb;
	bool is_data;
	int err;

	while ((skb = __skb_dequeue(queue))) {
		homa_pacer_sent(hn, skb);
		trace_homa_packet_sent(skb);
		is_data = ((const struct p4w_common *)skb_transport_header(skb))->type == P4W_DATA;
		err = homa_ip_out(hn->net, skb);
		if (!net_xmit_eval(err))
			continue;
		if (is_data)
			homa_count(hn, data_xmit_errors);
		else
			homa_count(hn, control_xmit_errors);
	}
}

/* How a message may be cut now, and where it goes. */
struct cut {
	struct dst_entry *dst;	/* reference */
	struct in6_addr saddr;
	u32 seg;		/* a packet may not outgrow a path whose MTU has shrunk */
	u32 segs;		/* packets in a buffer */
};

/* Makes the packet with bytes [start, end) of the message. Takes over the reference of cut->dst. */
static void queue_data(struct homa_rpc *rpc, u32 start, u32 end, const struct cut *cut, u8 priority,
		       bool again, struct sk_buff_head *queue)
{
	bool copy = homa_msg_mem_copies(&rpc->out.mem, end - start);
	struct homa_pkt_ack ack;
	struct sk_buff *skb;
	struct p4w_data *d;

	/* For a device that takes no fragments a packet is copied sooner or later. */
	if (!copy && end - start <= cut->seg)
		copy = !(cut->dst->dev->features & NETIF_F_SG);
	skb = make_packet(rpc->peer, cut->dst, &cut->saddr, sizeof(*d) + (copy ? end - start : 0),
			  priority);
	/* Else as if the network had lost it: the receiver will ask. */
	if (IS_ERR(skb)) {
		homa_count(rpc->net, data_xmit_errors);
		return;
	}
	d = skb_put_zero(skb, sizeof(*d));
	homa_fill_common(&d->common, P4W_DATA, READ_ONCE(rpc->hsk->port), rpc->dport, rpc->id);
	d->common.sequence = htonl(start);
	d->message_length = htonl(rpc->out.length);
	d->incoming = htonl(max(rpc->out.granted, end));
	if (homa_owed_take_one(rpc, &ack)) {
		d->ack.client_id = cpu_to_be64(ack.id ^ 1);
		d->ack.server_port = htons(ack.port);
	}
	d->cutoff_version = htons(READ_ONCE(rpc->peer->cutoff_version));
	d->retransmit = again;
	put_unaligned_be24(rpc->tenant_id, d->tenant);
	d->offset = htonl(start);
	homa_msg_mem_add(&rpc->out.mem, skb, start, end, copy);
	if (end - start > cut->seg) {
		homa_offload_shape(skb, cut->seg, homa_knob(rpc->net, tso));
		homa_ip_number_segs(rpc->net->net, skb);
	}
	__skb_queue_tail(queue, skb);
	homa_count(rpc->net, packets_sent_DATA);
	homa_count_priority(rpc->net, priority, end - start);
	if (again)
		homa_count(rpc->net, resent_packets);
}

/* False: no way to the peer now. */
static bool current_cut(struct homa_rpc *rpc, struct cut *cut)
{
	u32 seg;

	cut->saddr = rpc->saddr;
	if (rpc->out.dst) {	/* one packet, as sendmsg has just found out */
		cut->dst = rpc->out.dst;
		cut->seg = rpc->out.seg;
		cut->segs = 1;
		rpc->out.dst = NULL;
		return true;
	}
	cut->dst = homa_peer_route(rpc->peer, homa_to_sk(rpc->hsk), &cut->saddr);
	if (IS_ERR(cut->dst))
		return false;
	seg = seg_on(cut->dst, &rpc->peer->addr);
	cut->seg = seg ? min(seg, rpc->out.seg) : rpc->out.seg;
	cut->segs = homa_offload_segs(cut->dst->dev, cut->seg, homa_knob(rpc->net, max_gso_size));
	return true;
}

/* Where the buffer that begins at `start` ends: no further than the packet in which `end` is, as it
 * was cut first.
 */
static u32 buffer_end(const struct homa_msg_out *out, const struct cut *cut, u32 start, u32 end)
{
	return min(homa_seg_end(start, out->unsched, cut->seg, cut->segs, out->length),
		   homa_seg_end(end - 1, out->unsched, out->seg, 1, out->length));
}

/* Who shares a device, by homa_share, should share the way as well: of granted bytes, only those of the
 * shorter messages go before packets of the lowest class, which are the others'.
 */
static u8 granted_priority(struct homa_net *hn, const struct net_device *dev, u8 priority)
{
	bool shared;

	rcu_read_lock();
	shared = homa_link_has_others(hn, dev);
	rcu_read_unlock();
	return shared ? priority / 2 : priority;
}

/* Makes up to BATCH packets for [start, end), to the end of the last. Returns where it stopped. What
 * cannot be sent now counts as sent and lost: the receiver will ask.
 */
static u32 queue_range(struct homa_rpc *rpc, u32 start, u32 end, u8 priority, bool again,
		       struct sk_buff_head *queue)
{
	const struct homa_msg_out *out = &rpc->out;
	struct cut cut;
	int i;

	if (!current_cut(rpc, &cut)) {
		homa_count(rpc->net, peer_route_errors);
		return end;
	}
	if (!start && end == out->unsched && end == out->length && end <= cut.seg) {
		queue_data(rpc, 0, end, &cut, again ? priority : out->unsched_prio, again, queue);
		return end;
	}
	if (!again && end > out->unsched)
		priority = granted_priority(rpc->net, cut.dst->dev, priority);
	for (i = 0; i < BATCH && start < end; i++) {
		u8 prio = again || start >= out->unsched ? priority : out->unsched_prio;
		u32 stop = buffer_end(out, &cut, start, end);

		dst_hold(cut.dst);
		queue_data(rpc, start, stop, &cut, prio, again, queue);
		start = stop;
	}
	dst_release(cut.dst);
	return start;
}

bool homa_queue_granted(struct homa_rpc *rpc, struct sk_buff_head *queue)
{
	struct homa_msg_out *out = &rpc->out;
	u32 end;

	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_DEAD || out->sent >= out->granted)
		return false;
	end = homa_pacer_admit(rpc, out->sent, out->granted);
	if (end <= out->sent)
		return false;
	/* Of the first bytes, who starts the timer notes it, unless they waited. */
	if (out->sent || rpc->pacing.since)
		out->sent_at = ktime_get_ns();
	out->sent = queue_range(rpc, out->sent, end, out->prio, false, queue);
	return out->sent < out->granted;
}

void homa_send_granted(struct homa_rpc *rpc)
{
	struct sk_buff_head queue;
	bool more;

	__skb_queue_head_init(&queue);
	do {
		spin_lock_bh(&rpc->lock);
		more = homa_queue_granted(rpc, &queue);
		spin_unlock_bh(&rpc->lock);
		homa_flush(rpc->net, &queue);
	} while (more);
}

void homa_send_again(struct homa_rpc *rpc, u32 start, u32 end, u8 priority)
{
	const struct homa_msg_out *out = &rpc->out;
	struct sk_buff_head queue;
	bool more, begun = false;

	__skb_queue_head_init(&queue);
	do {
		spin_lock_bh(&rpc->lock);
		end = min(end, out->sent);
		more = rpc->state != HOMA_DEAD && start < end;
		if (more) {
			/* Once: with smaller packets by now, it would go back for ever. */
			if (!begun)
				start = homa_seg_start(start, out->unsched, out->seg);
			begun = true;
			start = queue_range(rpc, start, end, priority, true, &queue);
		}
		spin_unlock_bh(&rpc->lock);
		homa_flush(rpc->net, &queue);
	} while (more);
}

struct homa_path homa_rpc_path(const struct homa_rpc *rpc)
{
	return (struct homa_path){
		.net = rpc->net,
		.sk = homa_to_sk(rpc->hsk),
		.peer = rpc->peer,
		.saddr = rpc->saddr,
		.sport = READ_ONCE(rpc->hsk->port),
		.dport = rpc->dport,
		.id = rpc->id,
	};
}

/* Appends a packet of `len` zeroes with the common header and returns it; NULL: none. */
static void *queue_control(struct sk_buff_head *queue, const struct homa_path *path, u8 type,
			   u32 len)
{
	struct sk_buff *skb = route_packet(path, len, homa_control_priority(path->net));
	void *body;

	if (IS_ERR(skb)) {
		homa_count(path->net, control_xmit_errors);
		return NULL;
	}
	body = skb_put_zero(skb, len);
	homa_fill_common(body, type, path->sport, path->dport, path->id);
	__skb_queue_tail(queue, skb);
	homa_count_type(path->net, packets_sent_DATA, type);
	return body;
}

void homa_queue_simple(struct sk_buff_head *queue, const struct homa_path *path, u8 type)
{
	queue_control(queue, path, type, sizeof(struct p4w_common));
}

void homa_queue_grant(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		      u8 priority)
{
	struct p4w_grant *g = queue_control(queue, path, P4W_GRANT, sizeof(*g));

	if (!g)
		return;
	g->offset = htonl(offset);
	g->priority = priority;
	trace_homa_grant(path, offset, priority);
}

void homa_queue_resend(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		       u32 length)
{
	struct p4w_resend *r = queue_control(queue, path, P4W_RESEND, sizeof(*r));

	if (!r)
		return;
	r->offset = htonl(offset);
	r->length = htonl(length);
	r->priority = homa_control_priority(path->net);
	trace_homa_resend(path, offset, length);
}

void homa_queue_cutoffs(struct sk_buff_head *queue, const struct homa_path *path)
{
	struct p4w_cutoffs *c = queue_control(queue, path, P4W_CUTOFFS, sizeof(*c));
	int i;

	if (!c)
		return;
	/* The version first: with newer cutoffs than it says, it is asked for once more. */
	c->version = htons(READ_ONCE(path->net->cutoffs->cutoff_version));
	smp_rmb();	/* pairs with adopt() */
	for (i = 0; i < P4W_PRIORITIES; i++)
		c->cutoffs[i] = htonl(READ_ONCE(path->net->cutoffs->unsched_cutoffs[i]));
}

void homa_queue_ack(struct sk_buff_head *queue, const struct homa_path *path,
		    const struct homa_pkt_ack *acks, u32 nr)
{
	struct p4w_ack *a = queue_control(queue, path, P4W_ACK, sizeof(*a));
	u32 i;

	if (!a)
		return;
	a->num_acks = htons(nr);
	for (i = 0; i < nr; i++) {
		a->acks[i].client_id = cpu_to_be64(acks[i].id ^ 1);
		a->acks[i].server_port = htons(acks[i].port);
	}
}

int homa_xmit_small(struct homa_sock *hsk, const struct in6_addr *daddr, const void *packet,
		    size_t len, int priority)
{
	struct homa_path path = { .net = hsk->net, .sk = homa_to_sk(hsk) };
	struct sk_buff_head queue;
	struct sk_buff *skb;
	int err = 0;

	if (WARN_ON_ONCE(len > HOMA_DONE_MAX))
		return -EMSGSIZE;
	path.peer = homa_peer_get(path.net, daddr);
	if (!path.peer)
		return -ENOMEM;
	rcu_read_lock();	/* as in seg_on() */
	skb = route_packet(&path, len, clamp(priority, 0, P4W_PRIORITIES - 1));
	rcu_read_unlock();
	if (IS_ERR(skb)) {
		err = PTR_ERR(skb);
		goto put;
	}
	skb_put_data(skb, packet, len);
	__skb_queue_head_init(&queue);
	__skb_queue_tail(&queue, skb);
	homa_flush(path.net, &queue);
put:
	homa_peer_put(path.peer);
	return err;
}
