// SPDX-License-Identifier: GPL-2.0
/*
 * bundle.c - short messages to the same host in one buffer.
 *
 * A packet's way through the stack costs more than a short message itself. So packets that go the same
 * way at the same time (held.c), each with a whole message, make one buffer: the first with its IP
 * header, the others, without, in its frag_list. No format of its own: each packet says how long it
 * is, and where a buffer is longer than the message that it begins with, the next one follows. Loopback,
 * veth and bridges pass it whole, anything else has it cut into frames, see offload.c.
 *
 * Owns nothing, no lock. Any context.
 */
#include <linux/err.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <p4wire.h>

#include "bundle.h"
#include "offload.h"

#define HEADER		((u32)sizeof(struct p4w_data))

/* ------------------------------------------------------------------ out */

/* Only what may not be fragmented: the packets would need ids of their own. */
static bool goes_like4(const struct iphdr *a, const struct iphdr *b)
{
	return a->saddr == b->saddr && a->daddr == b->daddr && a->tos == b->tos &&
	       a->frag_off == htons(IP_DF) && b->frag_off == htons(IP_DF);
}

static bool goes_like6(const struct ipv6hdr *a, const struct ipv6hdr *b)
{
	return ipv6_addr_equal(&a->saddr, &b->saddr) && ipv6_addr_equal(&a->daddr, &b->daddr) &&
	       ip6_flowinfo(a) == ip6_flowinfo(b);
}

static bool goes_like(const struct sk_buff *a, const struct sk_buff *b)
{
	if (skb_dst(a) != skb_dst(b) || a->protocol != b->protocol)
		return false;
	if (a->protocol == htons(ETH_P_IP))
		return goes_like4(ip_hdr(a), ip_hdr(b));
	return goes_like6(ipv6_hdr(a), ipv6_hdr(b));
}

bool homa_bundle_add(struct sk_buff *held, struct sk_buff *skb, u32 max)
{
	struct skb_shared_info *info = skb_shinfo(held);
	u32 bytes = skb->len - skb_transport_offset(skb);

	if (!goes_like(held, skb) || held->len + bytes > max)
		return false;
	skb_dst_drop(skb);
	__skb_pull(skb, skb_transport_offset(skb));
	if (!info->frag_list) {
		homa_offload_claim(held, held->len - skb_transport_offset(held) - HEADER);
		info->gso_segs = 1;
		info->frag_list = skb;
	} else {
		info->frag_list->prev->next = skb;
	}
	info->frag_list->prev = skb;	/* the last */
	if (bytes - HEADER > homa_offload_claimed(held))
		homa_offload_claim(held, bytes - HEADER);
	info->gso_segs++;
	held->len += bytes;
	held->data_len += bytes;
	held->truesize += skb->truesize;
	return true;
}

/* ------------------------------------------------------------------ in */

/* Of the packet at `offset`, or 0: there is no whole message. */
static u32 packet_bytes(const struct sk_buff *skb, u32 offset)
{
	struct p4w_data copy;
	const struct p4w_data *d = skb_header_pointer(skb, offset, HEADER, &copy);
	u32 left = skb->len - offset;

	if (!d || d->common.type != P4W_DATA ||
	    be32_to_cpu(d->message_length) > left - HEADER)
		return 0;
	return HEADER + be32_to_cpu(d->message_length);
}

bool homa_bundle_is(struct sk_buff *skb)
{
	u32 first;

	if (!(skb_shinfo(skb)->gso_type & SKB_GSO_SCTP) || skb->len <= HEADER)
		return false;
	first = packet_bytes(skb, 0);
	return first > HEADER && first < skb->len;
}

/* Nobody else looks at it, and it is cut where its packets end. */
static bool is_ready_made(const struct sk_buff *skb, u32 front)
{
	u32 first = skb->len;
	const struct sk_buff *piece;

	if (skb_cloned(skb))
		return false;
	skb_walk_frags(skb, piece) {
		if (skb_shared(piece) || skb_cloned(piece) || skb_headroom(piece) < front)
			return false;
		first -= piece->len;
	}
	return first == packet_bytes(skb, 0);
}

/* The IP header is that of the whole, which has perhaps been changed on the way. */
static void inherit(struct sk_buff *piece, const struct sk_buff *skb, u32 front)
{
	memcpy(piece->data - front, skb->data - front, front);
	memcpy(piece->cb, skb->cb, sizeof(piece->cb));	/* IP's: options, device */
	skb_set_network_header(piece, -(int)front);
	skb_reset_transport_header(piece);
	piece->protocol = skb->protocol;
	piece->dev = skb->dev;
	piece->skb_iif = skb->skb_iif;
	piece->pkt_type = skb->pkt_type;
	skb_dst_copy(piece, skb);
}

static void set_length(struct sk_buff *piece)
{
	if (piece->protocol == htons(ETH_P_IP))
		ip_hdr(piece)->tot_len = htons(piece->len - skb_network_offset(piece));
	else
		ipv6_hdr(piece)->payload_len = htons(piece->len);
}

static struct sk_buff *take_apart(struct sk_buff *skb, u32 front)
{
	struct sk_buff *list = skb_shinfo(skb)->frag_list, *piece;

	skb_shinfo(skb)->frag_list = NULL;
	skb_gso_reset(skb);
	for (piece = list; piece; piece = piece->next) {
		skb->len -= piece->len;
		skb->data_len -= piece->len;
		skb->truesize -= piece->truesize;
		inherit(piece, skb, front);
		set_length(piece);
	}
	set_length(skb);
	skb->next = list;
	return skb;
}

/* Headers are as far from the beginning of the buffer as in the whole, so all that says where they are
 * can be copied. So are those of tunnels, which may be in front of what we are shown.
 */
static struct sk_buff *copy_packet(const struct sk_buff *skb, u32 offset, u32 len)
{
	struct sk_buff *piece = alloc_skb(skb_headroom(skb) + len, GFP_ATOMIC);

	if (!piece)
		return NULL;
	skb_reserve(piece, skb_headroom(skb));
	memcpy(piece->head, skb->head, skb_headroom(skb));
	skb_copy_bits(skb, offset, skb_put(piece, len), len);
	skb_copy_header(piece, skb);
	skb_gso_reset(piece);
	piece->dev = skb->dev;
	piece->ip_summed = CHECKSUM_NONE;	/* there is none */
	return piece;
}

/* As many as there are whole ones, and memory for. */
static struct sk_buff *copy_apart(const struct sk_buff *skb)
{
	struct sk_buff *first = NULL, **end = &first;
	u32 offset, bytes;

	for (offset = 0; offset + HEADER < skb->len; offset += bytes) {
		bytes = packet_bytes(skb, offset);
		*end = bytes > HEADER ? copy_packet(skb, offset, bytes) : NULL;
		if (!*end)
			break;
		end = &(*end)->next;
	}
	return first;
}

struct sk_buff *homa_bundle_open(struct sk_buff *skb)
{
	u32 front = skb->data - skb_network_header(skb);
	struct sk_buff *list, *piece;

	if (is_ready_made(skb, front))
		return take_apart(skb, front);
	list = copy_apart(skb);
	for (piece = list; piece; piece = piece->next)
		set_length(piece);
	kfree_skb(skb);
	return list;
}

struct sk_buff *homa_bundle_segment(struct sk_buff *skb)
{
	u32 front = skb->data - skb_mac_header(skb);
	struct sk_buff *list = copy_apart(skb), *piece;

	for (piece = list; piece; piece = piece->next) {
		__skb_push(piece, front);
		skb_reset_mac_header(piece);
		piece->mac_len = skb->mac_len;
	}
	return list ?: ERR_PTR(-ENOMEM);
}
