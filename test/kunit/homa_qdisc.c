// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queueing discipline: what it takes packets for, in which order they leave, and how the bytes
 * are divided. Packets are real, the device is not.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/qdisc.c"

unsigned int homa_net_id;

struct homa_link *homa_link_get(struct homa_net *hn, int ifindex)
{
	return NULL;
}

void homa_link_put(struct homa_link *link)
{
}

u64 homa_link_queued(const struct homa_link *link)
{
	return 0;
}

u32 homa_pacer_chunk(u32 mbps)
{
	return 10000;
}

u64 homa_pacer_wire_ns(u32 bytes, u32 segs, u32 headers, u32 mbps)
{
	return 0;
}

u64 homa_pacer_buffer_ns(const struct sk_buff *skb, u32 mbps)
{
	return 0;
}

u64 homa_pacer_wait_ns(u64 idle_at, u64 now, u64 backlog_ns)
{
	return 0;
}

void homa_pacer_advance(struct homa_pacer *p, u64 ns)
{
}

static struct sk_buff *packet(struct kunit *test, u8 protocol, u32 len)
{
	struct sk_buff *skb = alloc_skb(2000, GFP_KERNEL);
	struct iphdr *ip;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_network_header(skb);
	skb_set_hash(skb, 1, PKT_HASH_TYPE_L4);	/* else it is computed for a device */
	skb->protocol = htons(ETH_P_IP);
	ip = skb_put_zero(skb, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->protocol = protocol;
	skb_put_zero(skb, len);
	qdisc_skb_cb(skb)->pkt_len = skb->len;
	return skb;
}

static struct sk_buff *data(struct kunit *test, u64 id, u32 length, u32 offset, u32 len)
{
	struct sk_buff *skb = packet(test, P4W_IPPROTO, sizeof(struct p4w_data) + len);
	struct p4w_data *d = (struct p4w_data *)(skb->data + sizeof(struct iphdr));

	d->common.type = P4W_DATA;
	d->common.sender_id = cpu_to_be64(id);
	d->message_length = htonl(length);
	d->offset = htonl(offset);
	return skb;
}

static void takes_for(struct kunit *test)
{
	struct sk_buff *skb = data(test, 8, 100000, 40000, 1000);
	struct p4w_data *d = (struct p4w_data *)(skb->data + sizeof(struct iphdr));
	struct homa_qdisc_view v = homa_qdisc_look(skb, 1000);
	struct iphdr *ip = ip_hdr(skb);

	KUNIT_EXPECT_TRUE(test, v.is_homa && !v.is_short);
	KUNIT_EXPECT_EQ(test, v.left, 60000);
	KUNIT_EXPECT_EQ(test, v.flow, 8);
	d->offset = htonl(P4W_OFFSET_IN_SEQUENCE);
	d->common.sequence = htonl(99500);
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, v.is_homa && v.is_short);
	KUNIT_EXPECT_EQ(test, v.left, 500);
	d->common.sequence = htonl(100001);	/* nonsense, from another program */
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_EQ(test, v.left, 0);
	d->common.type = P4W_GRANT;
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, v.is_homa && v.is_short);
	ip->frag_off = htons(IP_MF);
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, !v.is_homa && !v.is_short);
	skb_trim(skb, sizeof(struct iphdr) + 30);
	ip->frag_off = 0;
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, v.is_homa && v.is_short);
	skb_trim(skb, 10);
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_FALSE(test, v.is_homa);
	kfree_skb(skb);

	skb = packet(test, IPPROTO_TCP, 1400);
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, !v.is_homa && !v.is_short);
	skb_trim(skb, 40);
	v = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_TRUE(test, !v.is_homa && v.is_short);
	kfree_skb(skb);
}

static struct homa_sched *make(struct kunit *test)
{
	struct homa_sched *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, q);
	q->net = kunit_kzalloc(test, sizeof(*q->net), GFP_KERNEL);
	q->homa = kunit_kcalloc(test, 2 * FLOWS, sizeof(*q->homa), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, q->net && q->homa);
	q->others = q->homa + FLOWS;
	q->by_left = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&q->turns);
	return q;
}

static void add_data(struct kunit *test, struct homa_sched *q, u64 id, u32 length, u32 offset)
{
	struct sk_buff *skb = data(test, id, length, offset, 1000);
	const struct homa_qdisc_view view = homa_qdisc_look(skb, 1000);

	add_homa(q, skb, &view);
}

static void expect_data(struct kunit *test, struct homa_sched *q, u64 id, u32 offset)
{
	struct sk_buff *skb = take_homa(q);
	struct p4w_data *d = (struct p4w_data *)(skb->data + sizeof(struct iphdr));

	KUNIT_EXPECT_EQ(test, be64_to_cpu(d->common.sender_id), id);
	KUNIT_EXPECT_EQ(test, ntohl(d->offset), offset);
	kfree_skb(skb);
}

static void fewest_left_first_in_order(struct kunit *test)
{
	struct homa_sched *q = make(test);
	int i;

	for (i = 0; i < 3; i++) {
		add_data(test, q, 2, 50000, i * 1000);
		add_data(test, q, 4, 10000, i * 1000);
	}
	add_data(test, q, 6, 9500, 0);
	expect_data(test, q, 6, 0);
	for (i = 0; i < 3; i++)
		expect_data(test, q, 4, i * 1000);
	for (i = 0; i < 3; i++)
		expect_data(test, q, 2, i * 1000);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&q->by_left.rb_root));
	/* A tenth of the bytes from the other end. */
	q->net->knobs.pacer_fifo_fraction = 100;
	for (i = 0; i < 12; i++) {
		add_data(test, q, 2, 50000, i * 1000);
		add_data(test, q, 4, 20000, i * 1000);
	}
	for (i = 0; i < 11; i++)
		expect_data(test, q, 4, i * 1000);
	expect_data(test, q, 2, 0);
	expect_data(test, q, 4, 11000);
	while (!RB_EMPTY_ROOT(&q->by_left.rb_root))
		kfree_skb(take_homa(q));
}

static void no_message_waits_for_another(struct kunit *test)
{
	struct homa_sched *q = make(test);
	struct homa_qdisc_view v, w;
	struct sk_buff *skb;
	int i;

	/* In the same place of the table; then of the same number, to somebody else. */
	for (i = 0; i < PLACES; i++)
		add_data(test, q, 2 + i * FLOWS, 50000 + i, 0);
	add_data(test, q, 2, 50000, 1000);
	add_data(test, q, 2 + (PLACES - 1) * FLOWS, 20000, 12000);
	expect_data(test, q, 2, 0);
	expect_data(test, q, 2, 1000);
	for (i = 1; i < PLACES; i++)
		expect_data(test, q, 2 + i * FLOWS, 0);
	expect_data(test, q, 2 + (PLACES - 1) * FLOWS, 12000);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&q->by_left.rb_root));
	skb = data(test, 2, 50000, 0, 1000);
	v = homa_qdisc_look(skb, 1000);
	ip_hdr(skb)->daddr = htonl(0x0a000002);
	w = homa_qdisc_look(skb, 1000);
	KUNIT_EXPECT_NE(test, v.flow, w.flow);
	kfree_skb(skb);
}

static void others_in_turn(struct kunit *test)
{
	struct homa_sched *q = make(test);
	u32 bytes[2] = {};
	int i;

	for (i = 0; i < 40; i++) {
		struct homa_qdisc_view view = { .flow = i % 2 };
		struct sk_buff *skb = packet(test, IPPROTO_TCP, i % 2 ? 1400 : 500);

		skb->mark = i % 2;
		add_other(q, skb, &view);
	}
	for (i = 0; i < 20; i++) {
		struct sk_buff *skb = take_other(q, 1500);

		bytes[skb->mark] += skb->len;
		kfree_skb(skb);
	}
	/* By bytes, not by packets. */
	KUNIT_EXPECT_LT(test, abs((int)(bytes[0] - bytes[1])), 2 * 1500);
	while (!list_empty(&q->turns))
		kfree_skb(take_other(q, 1500));
}

static void notes_bulk_of_others(struct kunit *test)
{
	struct Qdisc *sch = kunit_kzalloc(test, sizeof(*sch) + sizeof(struct homa_sched), GFP_KERNEL);
	struct homa_sched *q = qdisc_priv(sch);

	KUNIT_ASSERT_NOT_NULL(test, sch);
	*q = *make(test);
	INIT_LIST_HEAD(&q->turns);
	q->net->knobs.defer_min_bytes = 1000;
	q->link = kunit_kzalloc(test, sizeof(*q->link), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q->link);
	add(sch, data(test, 8, 100000, 40000, 1000));
	add(sch, packet(test, IPPROTO_TCP, 100));
	KUNIT_EXPECT_EQ(test, q->link->others_at, 0);
	add(sch, packet(test, IPPROTO_TCP, 1400));
	KUNIT_EXPECT_TRUE(test, homa_link_is_shared(q->link->others_at, jiffies));
	kfree_skb(take_homa(q));
	kfree_skb(take_other(q, 1500));
	kfree_skb(take(&q->now));
}

static void shares(struct kunit *test)
{
	u32 share, bytes[2];
	s64 ahead;
	int i;

	KUNIT_EXPECT_FALSE(test, homa_qdisc_homa_next(-100, false, true));
	KUNIT_EXPECT_TRUE(test, homa_qdisc_homa_next(100, true, false));
	for (share = 10; share < 100; share += 20) {
		bytes[0] = bytes[1] = 0;
		for (ahead = 0, i = 0; i < 10000; i++) {
			bool homa = homa_qdisc_homa_next(ahead, true, true);
			u32 n = homa ? 1500 : 700;

			bytes[homa] += n;
			ahead = homa_qdisc_charge(ahead, homa, n, share);
		}
		KUNIT_EXPECT_GT(test, (u64)bytes[1] * 100, (u64)(bytes[0] + bytes[1]) * (share - 1));
		KUNIT_EXPECT_LT(test, (u64)bytes[1] * 100, (u64)(bytes[0] + bytes[1]) * (share + 1));
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(takes_for),
	KUNIT_CASE(fewest_left_first_in_order),
	KUNIT_CASE(no_message_waits_for_another),
	KUNIT_CASE(others_in_turn),
	KUNIT_CASE(notes_bulk_of_others),
	KUNIT_CASE(shares),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_qdisc",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
