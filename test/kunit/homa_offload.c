// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers of several packets, on real skbs: cut into the packets that they stand for, merged from
 * them again, and HomaModule's interleaved form made plain. Each byte of a message has a value that
 * follows from its place, so any packet shows whether its bytes are those of its offset.
 */
#include <kunit/test.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include <net/ip.h>
#include "../../module/offload.c"
#include "../../module/bundle.c"

#define MSG_LEN		200000

static u8 byte_at(u32 i)
{
	return i * 7 + (i >> 8) * 13;
}

/* Bytes [start, start + bytes) with all headers; the payload behind `linear` bytes is in pages. */
static struct sk_buff *make(struct kunit *test, u32 start, u32 bytes, u32 linear)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + ETH_HLEN + 20 + HEADER + linear, GFP_KERNEL);
	struct p4w_data *d;
	struct iphdr *iph;
	u32 i, done;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, NET_SKB_PAD);
	skb_reset_mac_header(skb);
	eth_hdr(skb)->h_proto = htons(ETH_P_IP);
	skb_put_zero(skb, ETH_HLEN);
	eth_hdr(skb)->h_proto = htons(ETH_P_IP);
	skb->protocol = htons(ETH_P_IP);
	skb_set_network_header(skb, ETH_HLEN);
	iph = skb_put_zero(skb, 20);
	iph->version = 4;
	iph->ihl = 5;
	iph->protocol = P4W_IPPROTO;
	iph->tos = 0x60;
	skb_set_transport_header(skb, ETH_HLEN + 20);
	d = skb_put_zero(skb, HEADER);
	d->common.sport = htons(1);
	d->common.dport = htons(2);
	d->common.type = P4W_DATA;
	d->common.doff = 14 << 4;
	d->common.sequence = htonl(start);
	d->common.sender_id = cpu_to_be64(1234);
	d->message_length = htonl(MSG_LEN);
	d->incoming = htonl(40000);
	d->offset = htonl(start);
	for (i = 0; i < linear && i < bytes; i++)
		*(u8 *)skb_put(skb, 1) = byte_at(start + i);
	for (done = i; done < bytes; done += i) {
		struct page *page = alloc_page(GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		for (i = 0; i < PAGE_SIZE && done + i < bytes; i++)
			((u8 *)page_address(page))[i] = byte_at(start + done + i);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 0, i, PAGE_SIZE);
	}
	return skb;
}

/* skb->data is anywhere at or before the transport header. */
static void expect_packet(struct kunit *test, struct sk_buff *skb, u32 start, u32 bytes)
{
	u32 at = skb_transport_offset(skb), i;
	struct p4w_data d;
	u8 *got;

	KUNIT_ASSERT_EQ(test, skb->len - at, HEADER + bytes);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, at, &d, HEADER), 0);
	KUNIT_EXPECT_EQ(test, ntohl(d.offset), start);
	KUNIT_EXPECT_EQ(test, ntohl(d.common.sequence), start);
	KUNIT_EXPECT_EQ(test, ntohl(d.message_length), MSG_LEN);
	KUNIT_EXPECT_EQ(test, ntohl(d.incoming), 40000);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(d.common.sender_id), 1234);
	got = kvmalloc(bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, at + HEADER, got, bytes), 0);
	for (i = 0; i < bytes; i++)
		if (got[i] != byte_at(start + i))
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, bytes, "wrong bytes from %u on", start + i);
	kvfree(got);
}

static struct sk_buff *cut(struct sk_buff *skb, netdev_features_t features)
{
	__skb_pull(skb, skb_transport_offset(skb));
	return segment(skb, features);
}

/* Expects packets with `seg` bytes each of [start, start + bytes), and frees them. */
static void expect_cut(struct kunit *test, struct sk_buff *segs, u32 start, u32 bytes, u32 seg)
{
	struct sk_buff *skb, *next;
	u32 done = 0;

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
	skb_list_walk_safe(segs, skb, next) {
		struct p4w_data *d = (struct p4w_data *)skb_transport_header(skb);

		expect_packet(test, skb, start + done, min(seg, bytes - done));
		KUNIT_EXPECT_EQ(test, be64_to_cpu(d->ack.client_id), done ? 0 : 77);
		KUNIT_EXPECT_TRUE(test, skb->ip_summed != CHECKSUM_PARTIAL);
		done += seg;
		kfree_skb(skb);
	}
	KUNIT_EXPECT_GE(test, done, bytes);
	KUNIT_EXPECT_LT(test, done, bytes + seg);
}

static void set_ack(struct sk_buff *skb)
{
	((struct p4w_data *)skb_transport_header(skb))->ack.client_id = cpu_to_be64(77);
}

static void cuts_into_true_packets(struct kunit *test)
{
	static const struct { u32 start, bytes, linear, seg; netdev_features_t features; } t[] = {
		{ 0, 2848, 0, 1424, NETIF_F_SG },
		{ 0, 2849, 0, 1424, NETIF_F_SG },
		{ 40000, 62656, 0, 1424, NETIF_F_SG },
		{ 40000, 62000, 0, 1424, 0 },		/* no scatter-gather: copied */
		{ 100, 40000, 0, 8924, NETIF_F_SG },
		{ 0, 1400, 1400, 500, NETIF_F_SG },	/* all in the head */
		{ 0, 10000, 700, 500, NETIF_F_SG },
	};
	u32 i, tso;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		for (tso = 0; tso < 2; tso++) {
			struct sk_buff *skb = make(test, t[i].start, t[i].bytes, t[i].linear);

			set_ack(skb);
			homa_offload_shape(skb, t[i].seg, tso);
			KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs,
					DIV_ROUND_UP(t[i].bytes, t[i].seg));
			expect_cut(test, cut(skb, t[i].features), t[i].start, t[i].bytes, t[i].seg);
			kfree_skb(skb);
		}
	}
}

/* The kernel's check against the MTU is right to the byte. */
static void length_on_the_wire(struct kunit *test)
{
	u32 tso;

	for (tso = 0; tso < 2; tso++) {
		struct sk_buff *skb = make(test, 0, 20000, 0);

		homa_offload_shape(skb, 1424, tso);
		__skb_pull(skb, ETH_HLEN);
		KUNIT_EXPECT_TRUE(test, skb_gso_validate_network_len(skb, 1500));
		KUNIT_EXPECT_FALSE(test, skb_gso_validate_network_len(skb, 1499));
		kfree_skb(skb);
	}
}

/* What a clone refers to stays as it is: a capture, another port of a bridge. */
static void a_clone_is_not_changed(struct kunit *test)
{
	struct sk_buff *skb = make(test, 0, 20000, 0), *clone;
	u32 gso_size;

	homa_offload_shape(skb, 1424, false);
	set_ack(skb);
	gso_size = skb_shinfo(skb)->gso_size;
	clone = skb_clone(skb, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, clone);
	expect_cut(test, cut(skb, NETIF_F_SG), 0, 20000, 1424);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, skb_shinfo(clone)->gso_size, gso_size);
	expect_packet(test, clone, 0, 20000);
	expect_cut(test, cut(clone, NETIF_F_SG), 0, 20000, 1424);
	kfree_skb(clone);
}

static void refuses_what_cannot_be_cut(struct kunit *test)
{
	static const struct { u32 bytes, type, size; } t[] = {
		{ 5000, SKB_GSO_SCTP, SCTP_SHORTER },
		{ 5000, SKB_GSO_SCTP, 0 },
		{ 1000, SKB_GSO_SCTP, 1000 + SCTP_SHORTER },
		{ 5000, SKB_GSO_UDP_L4, 1000 },
		{ 1000, SKB_GSO_TCPV4, 1000 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct sk_buff *skb = make(test, 0, t[i].bytes, 0);

		skb_shinfo(skb)->gso_type = t[i].type;
		skb_shinfo(skb)->gso_size = t[i].size;
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(cut(skb, NETIF_F_SG)), (long)-EINVAL,
				    "row %u", i);
		kfree_skb(skb);
	}
}

static void segs_for_a_device(struct kunit *test)
{
	struct net_device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->gso_max_size = 65536;
	dev->gso_max_segs = 65535;
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, 65536), (65536 - ROOM) / 1424);
	dev->features = NETIF_F_SG;
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, 65536), 1);
	dev->features = NETIF_F_SG | NETIF_F_GSO;
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, 65536), (65536 - ROOM) / 1424);
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, 0), 1);
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, ROOM + 2847), 1);
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 65459, 65536), 1);
	dev->gso_max_segs = 5;
	KUNIT_EXPECT_EQ(test, homa_offload_segs(dev, 1424, 65536), 5);
}

/* ------------------------------------------------------------------ interleaved */

static u32 weave(u8 *to, u32 start, u32 bytes, u32 seg)
{
	u32 len = WOVEN_HEADER, done, i;

	memset(to, 0, WOVEN_HEADER);
	for (done = 0; done < bytes; done += seg) {
		put_unaligned_be32(start + done, to + len);
		len += OFFSET_BYTES;
		for (i = 0; i < min(seg, bytes - done); i++)
			to[len++] = byte_at(start + done + i);
	}
	return len;
}

static void unweaves(struct kunit *test)
{
	static const struct { u32 start, bytes, seg; } t[] = {
		{ 0, 1, 1424 }, { 0, 1424, 1424 }, { 0, 1425, 1424 }, { 4000, 10000, 1420 },
		{ 0, 60000, 1424 }, { 7, 100, 1 },
	};
	u8 *buf = kvmalloc(70000, GFP_KERNEL);
	u32 i, b;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		u32 len = weave(buf, t[i].start, t[i].bytes, t[i].seg);

		KUNIT_ASSERT_EQ_MSG(test, homa_offload_unweave(buf, len, t[i].seg + OFFSET_BYTES),
				    HEADER + t[i].bytes, "row %u", i);
		KUNIT_EXPECT_EQ(test, get_unaligned_be32(buf + WOVEN_HEADER), t[i].start);
		for (b = 0; b < t[i].bytes; b++)
			if (buf[HEADER + b] != byte_at(t[i].start + b))
				break;
		KUNIT_EXPECT_EQ_MSG(test, b, t[i].bytes, "row %u", i);
	}
	/* A hole between two pieces, a piece without bytes, nonsense for a size. */
	b = weave(buf, 0, 3000, 1000);
	put_unaligned_be32(1001, buf + WOVEN_HEADER + 1004);
	KUNIT_EXPECT_EQ(test, homa_offload_unweave(buf, b, 1004), 0);
	b = weave(buf, 0, 2000, 1000);
	KUNIT_EXPECT_EQ(test, homa_offload_unweave(buf, WOVEN_HEADER + 1004 + 4, 1004), 0);
	KUNIT_EXPECT_EQ(test, homa_offload_unweave(buf, b, 4), 0);
	KUNIT_EXPECT_EQ(test, homa_offload_unweave(buf, b, 0), 0);
	KUNIT_EXPECT_EQ(test, homa_offload_unweave(buf, HEADER, 1004), 0);
	kvfree(buf);
}

/* ------------------------------------------------------------------ merged */

/* As a driver hands it to GRO, and IPv4 on to us. */
static struct sk_buff *gro(struct kunit *test, struct list_head *held, struct sk_buff *skb)
{
	struct sk_buff *out;

	__skb_pull(skb, ETH_HLEN);
	memset(NAPI_GRO_CB(skb), 0, sizeof(*NAPI_GRO_CB(skb)));
	NAPI_GRO_CB(skb)->count = 1;
	skb_gro_pull(skb, 20);
	list_for_each_entry(out, held, list)
		NAPI_GRO_CB(out)->same_flow = 1;
	out = gro_receive(held, skb);
	if (out)
		list_del_init(&out->list);
	if (NAPI_GRO_CB(skb)->same_flow || NAPI_GRO_CB(skb)->flush)
		return out;
	NAPI_GRO_CB(skb)->last = skb;
	skb_shinfo(skb)->gso_size = skb_gro_len(skb);
	list_add(&skb->list, held);
	return out;
}

static void merge(struct kunit *test, u32 linear, u32 nr, u32 tail)
{
	struct sk_buff *skb = NULL, *out = NULL;
	LIST_HEAD(held);
	u32 i;

	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_NULL(test, out);
		skb = make(test, 1424 * i, i == nr - 1 ? tail : 1424, linear);
		if (!i)
			set_ack(skb);
		out = gro(test, &held, skb);
		if (NAPI_GRO_CB(skb)->free)
			kfree_skb(skb);
	}
	KUNIT_ASSERT_EQ(test, !!out, tail < 1424);
	if (!out)
		out = list_first_entry(&held, struct sk_buff, list);
	KUNIT_EXPECT_EQ(test, NAPI_GRO_CB(out)->count, nr);
	gro_complete(out, 20);
	expect_packet(test, out, 0, 1424 * (nr - 1) + tail);
	/* As when it is forwarded. */
	skb_list_del_init(out);
	__skb_push(out, ETH_HLEN);
	memset(out->cb, 0, sizeof(out->cb));
	expect_cut(test, cut(out, NETIF_F_SG), 0, 1424 * (nr - 1) + tail, 1424);
	kfree_skb(out);
}

static void merges_and_cuts_again(struct kunit *test)
{
	merge(test, 0, 2, 1424);
	merge(test, 0, 12, 1424);
	merge(test, 0, 12, 7);
	merge(test, 0, 40, 1424);	/* more than a buffer has fragments */
	merge(test, 2000, 3, 1424);	/* all in the heads */
	merge(test, 2000, 30, 100);
	merge(test, 100, 20, 1424);
}

static void passes_on(struct kunit *test, u32 next, void (*change)(struct p4w_data *d), u32 bytes,
		      bool begins_anew)
{
	struct sk_buff *first = make(test, 0, 1424, 0), *second = make(test, next, bytes, 0);
	LIST_HEAD(held);

	change((struct p4w_data *)skb_transport_header(second));
	KUNIT_ASSERT_NULL(test, gro(test, &held, first));
	gro(test, &held, second);
	KUNIT_EXPECT_EQ(test, NAPI_GRO_CB(first)->count, 1);
	KUNIT_EXPECT_FALSE(test, NAPI_GRO_CB(second)->same_flow);
	KUNIT_EXPECT_EQ(test, !NAPI_GRO_CB(second)->flush, begins_anew);
	kfree_skb(first);
	kfree_skb(second);
}

static void same(struct p4w_data *d) { }
static void other_id(struct p4w_data *d) { d->common.sender_id = cpu_to_be64(99); }
static void other_port(struct p4w_data *d) { d->common.sport = htons(9); }
static void with_ack(struct p4w_data *d) { d->ack.client_id = cpu_to_be64(8); }
static void other_cutoffs(struct p4w_data *d) { d->cutoff_version = htons(3); }
static void again(struct p4w_data *d) { d->retransmit = 1; }
static void a_grant(struct p4w_data *d) { d->common.type = P4W_GRANT; }
static void whole(struct p4w_data *d) { d->message_length = htonl(1424); d->offset = 0; }

static void merges_nothing_else(struct kunit *test)
{
	passes_on(test, 2848, same, 1424, true);	/* one is missing */
	passes_on(test, 0, same, 1424, true);		/* a repetition */
	passes_on(test, 1424, same, 2000, true);	/* longer than the first */
	passes_on(test, 1424, other_id, 1424, true);
	passes_on(test, 1424, other_port, 1424, true);
	passes_on(test, 1424, with_ack, 1424, true);
	passes_on(test, 1424, other_cutoffs, 1424, true);
	passes_on(test, 1424, again, 1424, true);
	passes_on(test, 1424, a_grant, 1424, false);
	passes_on(test, 1424, whole, 1424, false);	/* a message of one packet */
	passes_on(test, MSG_LEN - 10, same, 10, false);	/* the last of another run */
	passes_on(test, 0xffffff00, other_id, 1424, false);	/* ends beyond the last number */
}

static void holds_nothing_when_leaving(struct kunit *test)
{
	struct sk_buff *skb = make(test, 0, 1424, 0);
	LIST_HEAD(held);

	static_branch_enable(&is_leaving);
	KUNIT_EXPECT_NULL(test, gro(test, &held, skb));
	static_branch_disable(&is_leaving);
	KUNIT_EXPECT_TRUE(test, NAPI_GRO_CB(skb)->flush);
	kfree_skb(skb);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(cuts_into_true_packets),
	KUNIT_CASE(length_on_the_wire),
	KUNIT_CASE(a_clone_is_not_changed),
	KUNIT_CASE(refuses_what_cannot_be_cut),
	KUNIT_CASE(segs_for_a_device),
	KUNIT_CASE(unweaves),
	KUNIT_CASE(merges_and_cuts_again),
	KUNIT_CASE(merges_nothing_else),
	KUNIT_CASE(holds_nothing_when_leaving),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_offload",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
