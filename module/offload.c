// SPDX-License-Identifier: GPL-2.0
/*
 * offload.c - several DATA packets in one buffer, on their way out (GSO) and in (GRO).
 *
 * Our buffers are one 56-byte header and up to 64 KiB of contiguous message bytes. Loopback, veth
 * and bridges pass them whole. Before any other device, and wherever else the kernel needs frames,
 * it calls segment(), which writes the true offset into each. They claim to be SCTP's, whose
 * segmentation no common device offers but all of the kernel's own do; gso_size makes up for
 * the difference between the header lengths, so that the kernel's checks against the MTU are right.
 * With the knob `tso` they claim to be TCP's, and the device cuts them: it advances `sequence`, and
 * the offset refers to that.
 *
 * HomaModule has another form: 52 bytes of header, then pieces, each of them an offset and message
 * bytes, so that a device that knows nothing makes correct packets of it. We take it, but do not
 * make it.
 *
 * On the way in, consecutive packets of a message become one buffer of our form again. All else is
 * passed on at once. Softirq; no lock. What a device holds it gives back to us to be completed, and the
 * kernel warns if nobody is there: so before we go, nothing more is held, and we wait for what is.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/sctp.h>
#include <net/gro.h>
#include <net/ip6_checksum.h>
#include <net/protocol.h>
#include <linux/unaligned.h>
#include <p4wire.h>

#include "bundle.h"
#include "offload.h"
#include "packet.h"

#define HEADER		((u32)sizeof(struct p4w_data))
#define WOVEN_HEADER	((u32)offsetof(struct p4w_data, offset))
#define OFFSET_BYTES	((u32)sizeof_field(struct p4w_data, offset))
#define SCTP_SHORTER	((u32)(HEADER - sizeof(struct sctphdr)))
#define HOLD_MAX_MS	10000	/* if a device is told to hold packets for longer, the kernel may warn */
#define GSO_TCP		(SKB_GSO_TCPV4 | SKB_GSO_TCPV6)
/* What may be in front of a buffer on its way to the device. */
#define ROOM		((u32)(MAX_HEADER + sizeof(struct ipv6hdr) + HEADER + 1))

/* ------------------------------------------------------------------ out */

/* Also where the device takes no fragments, and so has no GSO: what is cut before it has come through
 * the stack as one, and the driver rings once for all. With fragments, no GSO is somebody's wish.
 */
u32 homa_offload_segs(const struct net_device *dev, u32 seg, u32 max_gso_size)
{
	u32 max = min3(max_gso_size, READ_ONCE(dev->gso_max_size), (u32)GSO_LEGACY_MAX_SIZE);

	if (max < ROOM + seg || (dev->features & (NETIF_F_GSO | NETIF_F_SG)) == NETIF_F_SG)
		return 1;
	return clamp_t(u32, (max - ROOM) / seg, 1, READ_ONCE(dev->gso_max_segs));
}

/* What segmentation hardware wants to find: the pseudo header, with TCP's number and no length. */
static void seed_checksum(struct sk_buff *skb, struct p4w_data *d, bool is_v4)
{
	__sum16 sum;

	if (is_v4)
		sum = ~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, 0, IPPROTO_TCP, 0);
	else
		sum = ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, 0,
				       IPPROTO_TCP, 0);
	d->common.checksum = (__force __be16)sum;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct p4w_common, checksum);
}

void homa_offload_claim(struct sk_buff *skb, u32 seg)
{
	/* Else the kernel would cut it at once. */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb_shinfo(skb)->gso_type = SKB_GSO_SCTP;
	skb_shinfo(skb)->gso_size = seg + SCTP_SHORTER;
}

u32 homa_offload_claimed(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_size - SCTP_SHORTER;
}

void homa_offload_shape(struct sk_buff *skb, u32 seg, bool tso)
{
	struct p4w_data *d = (struct p4w_data *)skb_transport_header(skb);
	u32 bytes = skb->len - skb_transport_offset(skb) - HEADER;
	bool is_v4 = ip_hdr(skb)->version == 4;

	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(bytes, seg);
	if (tso) {
		d->offset = htonl(P4W_OFFSET_IN_SEQUENCE);
		seed_checksum(skb, d, is_v4);
		skb_shinfo(skb)->gso_type = is_v4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
		skb_shinfo(skb)->gso_size = seg;
	} else {
		homa_offload_claim(skb, seg);
	}
}

/* The header was copied into each of them; what differs is written here. The ack goes but once. */
static void number_segments(struct sk_buff *segs, u32 header, u32 seg)
{
	struct p4w_data *first = (struct p4w_data *)skb_transport_header(segs);
	bool woven = header == WOVEN_HEADER;
	u32 at = woven ? be32_to_cpu(first->common.sequence) : homa_data_offset(first);
	struct sk_buff *skb;

	for (skb = segs; skb; skb = skb->next) {
		struct p4w_data *d = (struct p4w_data *)skb_transport_header(skb);

		d->common.sequence = htonl(at);
		d->common.checksum = 0;
		if (!woven)
			d->offset = htonl(at);
		if (skb != segs)
			d->ack = (struct p4w_ack_entry){};
		/* Nobody verifies a checksum; CHECKSUM_PARTIAL would have it computed. */
		skb->ip_summed = CHECKSUM_NONE;
		at += woven ? seg - OFFSET_BYTES : seg;
	}
}

/* skb->data is at the Homa header; also called for what a guest or another host has made. */
static struct sk_buff *segment(struct sk_buff *skb, netdev_features_t features)
{
	u32 header = HEADER, seg = skb_shinfo(skb)->gso_size;
	struct sk_buff *segs;

	if (!pskb_may_pull(skb, HEADER))
		return ERR_PTR(-EINVAL);
	if (homa_bundle_is(skb))
		return homa_bundle_segment(skb);
	if (skb_shinfo(skb)->gso_type & SKB_GSO_SCTP) {
		if (seg <= SCTP_SHORTER)
			return ERR_PTR(-EINVAL);
		seg -= SCTP_SHORTER;
	} else if (!(skb_shinfo(skb)->gso_type & GSO_TCP)) {
		return ERR_PTR(-EINVAL);
	} else if (((struct p4w_common *)skb->data)->doff >> 4 == WOVEN_HEADER / 4) {
		header = WOVEN_HEADER;
		if (seg <= OFFSET_BYTES)
			return ERR_PTR(-EINVAL);
	}
	if (skb->len <= header + seg)
		return ERR_PTR(-EINVAL);
	/* gso_size is shared by all clones. */
	if (skb_unclone(skb, GFP_ATOMIC))
		return ERR_PTR(-ENOMEM);
	__skb_pull(skb, header);
	skb_shinfo(skb)->gso_size = seg;
	/* There is no checksum, so do not let it be computed. */
	segs = skb_segment(skb, (features | NETIF_F_HW_CSUM) & ~NETIF_F_GSO_MASK);
	if (!IS_ERR(segs))
		number_segments(segs, header, seg);
	return segs;
}

/* ------------------------------------------------------------------ in, as a buffer */

u32 homa_offload_unweave(void *data, u32 len, u32 piece)
{
	struct p4w_data *d = data;
	u32 first, from, to = WOVEN_HEADER, at = 0;

	if (piece <= OFFSET_BYTES || len <= HEADER)
		return 0;
	first = be32_to_cpu(d->offset);
	for (from = WOVEN_HEADER; from < len; from += piece) {
		u32 bytes = min(piece, len - from);

		/* Contiguous, or we could not say where a byte belongs. */
		if (bytes <= OFFSET_BYTES || get_unaligned_be32(data + from) != first + at)
			return 0;
		bytes -= OFFSET_BYTES;
		at += bytes;
		/* The first offset stays: it ends the header. */
		if (from == WOVEN_HEADER) {
			to = HEADER + bytes;
			continue;
		}
		memmove(data + to, data + from + OFFSET_BYTES, bytes);
		to += bytes;
	}
	return to;
}

struct sk_buff *homa_offload_plain(struct sk_buff *skb)
{
	u32 piece = skb_shinfo(skb)->gso_size;
	struct sk_buff *plain = NULL;
	struct p4w_common *c;
	u32 len = 0;

	if (!pskb_may_pull(skb, sizeof(*c)))
		return skb;
	c = (struct p4w_common *)skb->data;
	if (c->doff >> 4 != WOVEN_HEADER / 4 || c->type != P4W_DATA ||
	    !(skb_shinfo(skb)->gso_type & GSO_TCP) || skb->len <= WOVEN_HEADER + piece)
		return skb;
	plain = skb_copy(skb, GFP_ATOMIC);
	if (plain)
		len = homa_offload_unweave(plain->data, plain->len, piece);
	kfree_skb(skb);
	if (!len) {
		kfree_skb(plain);
		return NULL;
	}
	skb_trim(plain, len);
	skb_gso_reset(plain);
	return plain;
}

/* ------------------------------------------------------------------ in, merged */

static struct p4w_data *header_in(const struct sk_buff *held)
{
	return (struct p4w_data *)(held->data + skb_transport_offset(held));
}

/* Bytes of the message in a held buffer. */
static u32 bytes_in(const struct sk_buff *held)
{
	return held->len - skb_transport_offset(held) - HEADER;
}

/* Everything but the place in the message, and the ack, which the first may have. */
static bool is_same_message(const struct p4w_data *a, const struct p4w_data *b)
{
	return a->common.sport == b->common.sport && a->common.dport == b->common.dport &&
	       a->common.sender_id == b->common.sender_id &&
	       a->message_length == b->message_length && a->incoming == b->incoming &&
	       a->cutoff_version == b->cutoff_version && a->retransmit == b->retransmit &&
	       !memcmp(a->tenant, b->tenant, sizeof(a->tenant));
}

static bool follows(const struct sk_buff *held, const struct p4w_data *d, u32 bytes)
{
	const struct p4w_data *h = header_in(held);

	return !d->ack.client_id && bytes <= skb_shinfo(held)->gso_size &&
	       homa_data_offset(h) + bytes_in(held) == homa_data_offset(d) &&
	       held->len + bytes < GSO_LEGACY_MAX_SIZE;
}

/* The payload of a packet whose header has been checked becomes part of `held`: as fragments if
 * there is room, else as a whole.
 */
static void append(struct sk_buff *held, struct sk_buff *skb, u32 bytes)
{
	struct skb_shared_info *to = skb_shinfo(held), *from = skb_shinfo(skb);
	u32 skip = skb_gro_offset(skb), truesize = skb->truesize;

	if (skb_headlen(skb) <= skip && !to->frag_list && held->pp_recycle == skb->pp_recycle &&
	    to->nr_frags + from->nr_frags <= MAX_SKB_FRAGS) {
		memcpy(to->frags + to->nr_frags, from->frags,
		       from->nr_frags * sizeof(*from->frags));
		skip -= skb_headlen(skb);
		skb_frag_off_add(&to->frags[to->nr_frags], skip);
		skb_frag_size_sub(&to->frags[to->nr_frags], skip);
		to->nr_frags += from->nr_frags;
		from->nr_frags = 0;
		skb->truesize = SKB_TRUESIZE(skb_end_offset(skb));
		truesize -= skb->truesize;
		skb->len -= skb->data_len;
		skb->data_len = 0;
		NAPI_GRO_CB(skb)->free = NAPI_GRO_FREE;
	} else {
		skb_orphan(skb);
		if (skip > skb_headlen(skb)) {	/* virtio-net: headers are in the first fragment */
			u32 more = skip - skb_headlen(skb);

			skb_frag_off_add(&from->frags[0], more);
			skb_frag_size_sub(&from->frags[0], more);
			skb->data_len -= more;
			skb->len -= more;
			skip -= more;
		}
		__skb_pull(skb, skip);
		if (to->frag_list)
			NAPI_GRO_CB(held)->last->next = skb;
		else
			to->frag_list = skb;
		NAPI_GRO_CB(held)->last = skb;
		__skb_header_release(skb);
	}
	to->flags |= from->flags & SKBFL_SHARED_FRAG;
	NAPI_GRO_CB(held)->count++;
	held->data_len += bytes;
	held->len += bytes;
	held->truesize += truesize;
	NAPI_GRO_CB(skb)->same_flow = 1;
}

/* The held packets that may be of the same message: those between the same two hosts. */
static struct sk_buff *find_held(struct list_head *head, const struct p4w_data *d)
{
	struct sk_buff *held;

	list_for_each_entry(held, head, list)
		if (NAPI_GRO_CB(held)->same_flow && is_same_message(header_in(held), d))
			return held;
	return NULL;
}

/* Version and traffic class: bytes of one message may travel at different priorities. */
static bool is_same_class(const struct sk_buff *held, struct sk_buff *skb)
{
	return !memcmp(skb_network_header(held), skb_gro_network_header(skb), 2);
}

static bool ends_message(const struct p4w_data *d, u32 bytes)
{
	u32 offset = homa_data_offset(d), length = be32_to_cpu(d->message_length);

	return offset >= length || bytes >= length - offset;
}

static DEFINE_STATIC_KEY_FALSE(is_leaving);

/* Returns a held buffer that is to be passed on now. */
static struct sk_buff *gro_receive(struct list_head *head, struct sk_buff *skb)
{
	u32 off = skb_gro_offset(skb), bytes;
	struct sk_buff *held;
	struct p4w_data *d;
	bool last;

	d = skb_gro_header(skb, off + HEADER, off);
	if (!d || skb_gro_len(skb) <= HEADER || NAPI_GRO_CB(skb)->flush || skb_is_gso(skb) ||
	    d->common.type != P4W_DATA || static_branch_unlikely(&is_leaving))
		goto pass;
	bytes = skb_gro_len(skb) - HEADER;
	held = find_held(head, d);
	last = ends_message(d, bytes);
	if (!held && last)
		goto pass;
	skb_gro_pull(skb, HEADER);
	if (!held)
		return NULL;
	if (NAPI_GRO_CB(held)->flush || !is_same_class(held, skb) || !follows(held, d, bytes)) {
		/* This one may be the beginning of another. */
		NAPI_GRO_CB(skb)->flush |= last;
		NAPI_GRO_CB(held)->same_flow = 0;
		return held;
	}
	last |= bytes < skb_shinfo(held)->gso_size;
	append(held, skb, bytes);
	return last ? held : NULL;

pass:
	NAPI_GRO_CB(skb)->flush = 1;
	return NULL;
}

static int gro_complete(struct sk_buff *skb, int transport)
{
	skb_shinfo(skb)->gso_segs = NAPI_GRO_CB(skb)->count;
	skb_shinfo(skb)->gso_size += SCTP_SHORTER;
	skb_shinfo(skb)->gso_type |= SKB_GSO_SCTP;	/* a tunnel has set its own */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return 0;
}

static const struct net_offload offload = {
	.callbacks = {
		.gso_segment = segment,
		.gro_receive = gro_receive,
		.gro_complete = gro_complete,
	},
};

/* Until all that devices hold now has been given back: as long as they are told to hold it, and until
 * what came in the last tick is old.
 */
static u32 hold_ms(void)
{
	struct net_device *dev;
	struct net *net;
	u64 ns = 0;

	rcu_read_lock();
	for_each_net_rcu(net)
		for_each_netdev_rcu(net, dev)
			ns = max_t(u64, ns, READ_ONCE(dev->gro_flush_timeout));
	rcu_read_unlock();
	return min_t(u64, div_u64(ns, NSEC_PER_MSEC), HOLD_MAX_MS) + jiffies_to_msecs(2);
}

int homa_offload_init(void)
{
	int err = inet_add_offload(&offload, P4W_IPPROTO);

	if (err)
		return err;
	err = inet6_add_offload(&offload, P4W_IPPROTO);
	if (err)
		inet_del_offload(&offload, P4W_IPPROTO);
	return err;
}

void homa_offload_exit(void)
{
	static_branch_enable(&is_leaving);
	synchronize_net();
	msleep(hold_ms());
	inet6_del_offload(&offload, P4W_IPPROTO);
	inet_del_offload(&offload, P4W_IPPROTO);
}
