// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IP headers. Packets without DF, for a path whose MTU somebody has fixed, may be fragmented: no two
 * of them have the same id, also those that a buffer is cut into.
 */
#include <kunit/test.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include "../../module/addr.c"
#include "../../module/ip.c"
#include "../../module/offload.c"
#include "../../module/bundle.c"

#define SEG	1000
#define BUFFERS	4
#define SEGS	20

static struct rtable route;
static struct dst_metrics metrics;

/* What send.c makes, for a route with a locked MTU or one without. */
static struct sk_buff *make(struct kunit *test, bool locked)
{
	struct in6_addr saddr = homa_addr_v4(htonl(0x0a000001));
	struct in6_addr daddr = homa_addr_v4(htonl(0x0a000002));
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + ETH_HLEN + 20 + HEADER + SEGS * SEG, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	metrics.metrics[RTAX_HOPLIMIT - 1] = 64;
	dst_init_metrics(&route.dst, metrics.metrics, true);
	route.rt_mtu_locked = locked;
	skb_reserve(skb, NET_SKB_PAD + ETH_HLEN + 20);
	skb_reset_transport_header(skb);
	rcu_read_lock();
	skb_dst_set_noref(skb, &route.dst);
	homa_ip_push_header(&init_net, skb, &saddr, &daddr, 0);
	skb_dst_drop(skb);
	rcu_read_unlock();
	skb_put_zero(skb, HEADER + SEGS * SEG);
	homa_offload_shape(skb, SEG, false);
	homa_ip_number_segs(&init_net, skb);
	ip_hdr(skb)->tot_len = htons(skb->len);
	skb_push(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	eth_hdr(skb)->h_proto = htons(ETH_P_IP);
	return skb;
}

/* As the kernel cuts it before a device. */
static u32 ids_of(struct kunit *test, struct sk_buff *skb, u16 *ids, bool has_df)
{
	struct sk_buff *segs, *next, *s;
	u32 nr = 0;

	rcu_read_lock();
	segs = skb_mac_gso_segment(skb, 0);
	rcu_read_unlock();
	consume_skb(skb);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
	skb_list_walk_safe(segs, s, next) {
		KUNIT_EXPECT_EQ(test, !!(ip_hdr(s)->frag_off & htons(IP_DF)), has_df);
		ids[nr++] = ntohs(ip_hdr(s)->id);
		kfree_skb(s);
	}
	return nr;
}

static void no_two_packets_have_one_id(struct kunit *test)
{
	u16 ids[BUFFERS * SEGS];
	u32 i, j, nr = 0;

	for (i = 0; i < BUFFERS; i++)
		nr += ids_of(test, make(test, true), ids + nr, false);
	KUNIT_ASSERT_EQ(test, nr, BUFFERS * SEGS);
	for (i = 0; i < nr; i++)
		for (j = i + 1; j < nr; j++)
			KUNIT_EXPECT_NE_MSG(test, ids[i], ids[j], "packets %u and %u", i, j);
}

static void with_df_none_is_wanted(struct kunit *test)
{
	u16 ids[SEGS];

	KUNIT_EXPECT_EQ(test, ids_of(test, make(test, false), ids, true), SEGS);
	KUNIT_EXPECT_EQ(test, ids[0], 0);
}

static int init(struct kunit *test)
{
	return inet_add_offload(&offload, P4W_IPPROTO);
}

static void leave(struct kunit *test)
{
	inet_del_offload(&offload, P4W_IPPROTO);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(no_two_packets_have_one_id),
	KUNIT_CASE(with_df_none_is_wanted),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_ip",
	.init = init,
	.exit = leave,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
