// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several messages in one buffer, on real skbs: what goes together, and that each packet is as it was
 * when it comes out again, whatever has happened to the buffer on its way. The message of packet n
 * has bytes of the value n.
 */
#include <kunit/test.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "../../module/packet.c"
#include "../../module/offload.c"
#include "../../module/bundle.c"

#define V4	20
#define V6	40
#define BYTES_MAX	(32 * 1024)
#define TUNNEL		16	/* bytes of headers in front of the frame */

/* One message of `bytes`, from the IP header on; `way` makes its class. */
static struct sk_buff *make(struct kunit *test, u8 n, u32 bytes, u32 ip_len, u8 way)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + ETH_HLEN + ip_len + HEADER + bytes, GFP_KERNEL);
	struct p4w_data *d;
	struct iphdr *iph;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, NET_SKB_PAD + ETH_HLEN);
	iph = skb_put_zero(skb, ip_len);
	skb_reset_network_header(skb);
	if (ip_len == V4) {
		skb->protocol = htons(ETH_P_IP);
		iph->version = 4;
		iph->ihl = 5;
		iph->protocol = P4W_IPPROTO;
		iph->frag_off = htons(IP_DF);
		iph->tos = way;
		iph->ttl = 64;
	} else {
		skb->protocol = htons(ETH_P_IPV6);
		ip6_flow_hdr(ipv6_hdr(skb), way, 0);
		ipv6_hdr(skb)->nexthdr = P4W_IPPROTO;
	}
	skb_set_transport_header(skb, ip_len);
	d = skb_put_zero(skb, HEADER);
	homa_fill_common(&d->common, P4W_DATA, 1, 2, 2 * n);
	d->message_length = htonl(bytes);
	memset(skb_put(skb, bytes), n, bytes);
	return skb;
}

/* skb->data is at the Homa header. Frees it. */
static void expect_packet(struct kunit *test, struct sk_buff *skb, u8 n, u32 bytes, u32 ip_len)
{
	const struct p4w_data *d = (const void *)skb->data;

	KUNIT_ASSERT_EQ(test, skb->len, HEADER + bytes);
	KUNIT_ASSERT_EQ(test, skb_linearize(skb), 0);
	KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
	KUNIT_EXPECT_EQ(test, be64_to_cpu(d->common.sender_id), 2 * n);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(d + 1, n, bytes), NULL);
	KUNIT_EXPECT_EQ(test, skb->data - skb_network_header(skb), ip_len);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(skb->cb, 0xc, sizeof(skb->cb)), NULL);
	if (ip_len == V4) {
		KUNIT_EXPECT_EQ(test, ip_hdr(skb)->ttl, 63);
		KUNIT_EXPECT_EQ(test, ntohs(ip_hdr(skb)->tot_len), ip_len + skb->len);
	} else {
		KUNIT_EXPECT_EQ(test, ntohs(ipv6_hdr(skb)->payload_len), skb->len);
	}
	kfree_skb(skb);
}

static u32 length_of(u32 n)
{
	return 1 + (n * 37) % 1400;
}

static struct sk_buff *bundle(struct kunit *test, u32 nr, u32 ip_len)
{
	struct sk_buff *skb = make(test, 1, length_of(1), ip_len, 0);
	u32 n;

	for (n = 2; n <= nr; n++)
		KUNIT_ASSERT_TRUE(test, homa_bundle_add(skb, make(test, n, length_of(n), ip_len, 0),
							BYTES_MAX));
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs, nr);
	if (ip_len == V4)
		ip_hdr(skb)->ttl--;	/* on the way */
	memset(skb->cb, 0xc, sizeof(skb->cb));	/* IP has looked at it */
	return skb;
}

static void expect_list(struct kunit *test, struct sk_buff *list, u32 nr, u32 ip_len)
{
	struct sk_buff *skb, *next;
	u32 n = 0;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		n++;
		expect_packet(test, skb, n, length_of(n), ip_len);
	}
	KUNIT_EXPECT_EQ(test, n, nr);
}

static void open_again(struct kunit *test, u32 nr, u32 ip_len, bool clone, bool linear)
{
	struct sk_buff *skb = bundle(test, nr, ip_len), *other = NULL;

	if (linear)
		KUNIT_ASSERT_EQ(test, skb_linearize(skb), 0);
	if (clone)
		other = skb_clone(skb, GFP_KERNEL);
	__skb_pull(skb, ip_len);
	KUNIT_ASSERT_TRUE(test, homa_bundle_is(skb));
	expect_list(test, homa_bundle_open(skb), nr, ip_len);
	if (!clone)
		return;
	KUNIT_ASSERT_NOT_NULL(test, other);
	__skb_pull(other, ip_len);
	KUNIT_EXPECT_TRUE(test, homa_bundle_is(other));
	expect_list(test, homa_bundle_open(other), nr, ip_len);
}

static void opens(struct kunit *test)
{
	int how;

	for (how = 0; how < 8; how++) {
		open_again(test, 2, how & 4 ? V6 : V4, how & 1, how & 2);
		open_again(test, 20, how & 4 ? V6 : V4, how & 1, how & 2);
	}
}

/* A message that has no room for an IP header in front of it is copied. */
static void opens_without_headroom(struct kunit *test)
{
	struct sk_buff *bare = alloc_skb(HEADER + length_of(2), GFP_KERNEL);
	struct sk_buff *skb = bundle(test, 2, V4), *list;

	KUNIT_ASSERT_NOT_NULL(test, bare);
	skb_put_data(bare, skb_shinfo(skb)->frag_list->data, HEADER + length_of(2));
	kfree_skb(skb_shinfo(skb)->frag_list);
	skb_shinfo(skb)->frag_list = bare;
	__skb_pull(skb, V4);
	list = homa_bundle_open(skb);
	KUNIT_EXPECT_PTR_NE(test, list->next, bare);
	expect_list(test, list, 2, V4);
}

/* Frames, with what is in front of the first. */
static void cuts_into_frames(struct kunit *test)
{
	struct sk_buff *skb = bundle(test, 20, V4), *list, *piece, *next;
	u32 n = 0;

	skb->dev = NULL;
	memset(__skb_push(skb, ETH_HLEN), 0xe, ETH_HLEN);
	memset(skb->data - TUNNEL, 0xd, TUNNEL);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	KUNIT_EXPECT_TRUE(test, skb_gso_validate_network_len(skb, 20 + HEADER + length_of(20)));
	KUNIT_EXPECT_FALSE(test, skb_gso_validate_network_len(skb, 19 + HEADER + length_of(20)));
	__skb_pull(skb, ETH_HLEN + V4);
	list = segment(skb, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(list));
	kfree_skb(skb);
	skb_list_walk_safe(list, piece, next) {
		skb_mark_not_on_list(piece);
		n++;
		KUNIT_EXPECT_PTR_EQ(test, piece->data, skb_mac_header(piece));
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(piece->data, 0xe, ETH_HLEN), NULL);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(piece->data - TUNNEL, 0xd, TUNNEL), NULL);
		ip_hdr(piece)->tot_len = htons(piece->len - ETH_HLEN);	/* IP does that */
		__skb_pull(piece, ETH_HLEN + V4);
		expect_packet(test, piece, n, length_of(n), V4);
	}
	KUNIT_EXPECT_EQ(test, n, 20);
}

static bool go_together(struct kunit *test, struct sk_buff *a, struct sk_buff *b, u32 max)
{
	bool ok = homa_bundle_add(a, b, max);

	kfree_skb(a);
	if (!ok)
		kfree_skb(b);
	return ok;
}

static void what_goes_together(struct kunit *test)
{
	struct sk_buff *a, *b;

	KUNIT_EXPECT_TRUE(test, go_together(test, make(test, 1, 100, V4, 0), make(test, 2, 1, V4, 0),
					    V4 + 2 * HEADER + 101));
	KUNIT_EXPECT_FALSE(test, go_together(test, make(test, 1, 100, V4, 0), make(test, 2, 1, V4, 0),
					     V4 + 2 * HEADER + 100));
	KUNIT_EXPECT_FALSE(test, go_together(test, make(test, 1, 9, V4, 0), make(test, 2, 9, V4, 32),
					     BYTES_MAX));
	KUNIT_EXPECT_FALSE(test, go_together(test, make(test, 1, 9, V6, 0), make(test, 2, 9, V6, 32),
					     BYTES_MAX));
	KUNIT_EXPECT_FALSE(test, go_together(test, make(test, 1, 9, V4, 0), make(test, 2, 9, V6, 0),
					     BYTES_MAX));
	a = make(test, 1, 9, V4, 0);
	b = make(test, 2, 9, V4, 0);
	ip_hdr(b)->daddr = 1;
	KUNIT_EXPECT_FALSE(test, go_together(test, a, b, BYTES_MAX));
	a = make(test, 1, 9, V4, 0);
	b = make(test, 2, 9, V4, 0);
	ip_hdr(a)->frag_off = ip_hdr(b)->frag_off = 0;
	KUNIT_EXPECT_FALSE(test, go_together(test, a, b, BYTES_MAX));
	a = make(test, 1, 9, V6, 0);
	b = make(test, 2, 9, V6, 0);
	ipv6_hdr(b)->saddr.s6_addr[0] = 1;
	KUNIT_EXPECT_FALSE(test, go_together(test, a, b, BYTES_MAX));
}

/* What is whole comes out, nothing is read beyond the end. */
static void malformed(struct kunit *test)
{
	static const u32 lengths[] = { 0, 10, 0xffffffff, 0xffffffc8 };
	struct sk_buff *skb;
	struct p4w_data *d;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		skb = bundle(test, 2, V4);
		KUNIT_ASSERT_EQ(test, skb_linearize(skb), 0);
		__skb_pull(skb, V4);
		d = (struct p4w_data *)(skb->data + HEADER + length_of(1));
		d->message_length = htonl(length_of(2) + 1);
		if (lengths[i])
			d->message_length = htonl(lengths[i] > length_of(2) ? lengths[i] : length_of(2) + 1);
		KUNIT_EXPECT_TRUE(test, homa_bundle_is(skb));
		expect_list(test, homa_bundle_open(skb), 1, V4);
	}
	/* One message, in a buffer or alone, is none; nor is another packet. */
	skb = make(test, 1, 100, V4, 0);
	__skb_pull(skb, V4);
	KUNIT_EXPECT_FALSE(test, homa_bundle_is(skb));
	homa_offload_claim(skb, 50);
	KUNIT_EXPECT_FALSE(test, homa_bundle_is(skb));
	((struct p4w_data *)skb->data)->message_length = htonl(50);
	KUNIT_EXPECT_TRUE(test, homa_bundle_is(skb));
	((struct p4w_data *)skb->data)->common.type = P4W_BUSY;
	KUNIT_EXPECT_FALSE(test, homa_bundle_is(skb));
	kfree_skb(skb);
	skb = make(test, 1, 1, V4, 0);
	__skb_pull(skb, V4);
	homa_offload_claim(skb, 50);
	skb_trim(skb, HEADER);
	KUNIT_EXPECT_FALSE(test, homa_bundle_is(skb));
	skb_trim(skb, 10);
	KUNIT_EXPECT_FALSE(test, homa_bundle_is(skb));
	kfree_skb(skb);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(opens),
	KUNIT_CASE(opens_without_headroom),
	KUNIT_CASE(cuts_into_frames),
	KUNIT_CASE(what_goes_together),
	KUNIT_CASE(malformed),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_bundle",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
