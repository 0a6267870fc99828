// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packet boundaries: each byte is in exactly one packet, whichever byte one starts from, and the
 * unasked part ends at a boundary; buffers of several packets end at the same boundaries.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/send.c"

unsigned int homa_net_id;

struct dst_entry *homa_peer_route(struct homa_peer *peer, const struct sock *sk,
				  struct in6_addr *saddr)
{
	return ERR_PTR(-ENETUNREACH);
}

u32 homa_pacer_admit(struct homa_rpc *rpc, u32 start, u32 end)
{
	return end;
}

void homa_pacer_sent(struct homa_net *hn, const struct sk_buff *skb)
{
}

struct homa_peer *homa_peer_get(struct homa_net *hn, const struct in6_addr *addr)
{
	return NULL;
}

void homa_peer_put(struct homa_peer *peer)
{
}

int homa_msg_mem_copy(struct homa_net *hn, struct homa_msg_mem *mem, struct iov_iter *from,
		      u32 length)
{
	return -ENOMEM;
}

void homa_msg_mem_free(struct homa_net *hn, struct homa_msg_mem *mem)
{
}

bool homa_msg_mem_copies(const struct homa_msg_mem *mem, u32 bytes)
{
	return false;
}

void homa_msg_mem_add(const struct homa_msg_mem *mem, struct sk_buff *skb, u32 start, u32 end,
		      bool copy)
{
}

static bool has_others;

bool homa_link_has_others(struct homa_net *hn, const struct net_device *dev)
{
	return has_others;
}

bool homa_link_waits(struct homa_net *hn, const struct net_device *dev)
{
	return true;
}

u32 homa_offload_segs(const struct net_device *dev, u32 seg, u32 max_gso_size)
{
	return 1;
}

void homa_offload_shape(struct sk_buff *skb, u32 seg, bool tso)
{
}

u32 homa_owed_take_from_peer(struct homa_peer *peer, struct homa_pkt_ack *acks, u32 max)
{
	return 0;
}

u8 homa_unsched_priority(const u32 cutoff[P4W_PRIORITIES], u32 length)
{
	return 6;
}

void homa_ip_push_header(struct net *net, struct sk_buff *skb, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u8 priority)
{
}

void homa_ip_number_segs(struct net *net, struct sk_buff *skb)
{
}

int homa_ip_out(struct net *net, struct sk_buff *skb)
{
	return 0;
}

void homa_fill_common(struct p4w_common *c, u8 type, u16 sport, u16 dport, u64 id)
{
}

static void boundaries(struct kunit *test)
{
	static const struct {
		u32 offset, unsched, length, start, end;
	} t[] = {
		{ 0, 40000, 100, 0, 100 },
		{ 0, 40000, 100000, 0, 1424 },
		{ 1423, 40000, 100000, 0, 1424 },
		{ 1424, 40000, 100000, 1424, 2848 },
		{ 39999, 40000, 100000, 39872, 40000 },		/* the unasked part ends */
		{ 40000, 40000, 100000, 40000, 41424 },
		{ 99999, 40000, 100000, 99808, 100000 },
		{ 0, 0, 100000, 0, 1424 },
		{ 5000, 0, 5001, 4272, 5001 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		u32 start = homa_seg_start(t[i].offset, t[i].unsched, 1424);
		u32 end = homa_seg_end(t[i].offset, t[i].unsched, 1424, 1, t[i].length);

		KUNIT_EXPECT_EQ_MSG(test, start, t[i].start, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, end, t[i].end, "row %d", i);
	}
}

/* Of packets that are sent again, none goes beyond what was lost: some receivers drop those that do. */
static void again_with_a_smaller_mtu(struct kunit *test)
{
	const struct homa_msg_out out = { .length = 10000, .unsched = 4000, .seg = 1424 };
	const struct cut same = { .seg = 1424, .segs = 2 }, smaller = { .seg = 1224, .segs = 2 };

	KUNIT_EXPECT_EQ(test, buffer_end(&out, &same, 0, 10000), 2848);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &same, 1424, 2000), 2848);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &same, 2848, 4000), 4000);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &same, 4000, 4001), 5424);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &smaller, 1424, 2848), 2448);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &smaller, 2448, 2848), 2848);
	KUNIT_EXPECT_EQ(test, buffer_end(&out, &smaller, 2448, 2849), 4000);
}

static void packets_tile_the_message(struct kunit *test)
{
	u32 length = 12345, unsched, seg, at, b;

	for (unsched = 0; unsched <= length; unsched += 777) {
		for (seg = 100; seg < 3000; seg += 331) {
			for (at = 0; at < length;) {
				u32 end = homa_seg_end(at, unsched, seg, 1, length);

				KUNIT_ASSERT_GT(test, end, at);
				KUNIT_ASSERT_LE(test, end - at, seg);
				for (b = at; b < end; b += 7) {
					KUNIT_ASSERT_EQ(test, homa_seg_start(b, unsched, seg), at);
					KUNIT_ASSERT_EQ(test,
							homa_seg_end(b, unsched, seg, 1, length),
							end);
				}
				at = end;
			}
			KUNIT_ASSERT_EQ(test, at, length);
		}
	}
}

static void buffers_end_where_packets_end(struct kunit *test)
{
	static const struct {
		u32 offset, segs, end;
	} t[] = {
		{ 0, 1, 1424 },
		{ 0, 2, 2848 },
		{ 0, 28, 39872 },
		{ 0, 44, 40000 },		/* the unasked part ends */
		{ 40000, 20, 40000 + 20 * 1424 },
		{ 40000, 100, 100000 },		/* the message does */
		{ 1000, 44, 1424 },		/* up to the next boundary first */
		{ 41000, 44, 41424 },
		{ 39872, 44, 40000 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ_MSG(test, homa_seg_end(t[i].offset, 40000, 1424, t[i].segs, 100000),
				    t[i].end, "row %d", i);
}

static void repeats(struct kunit *test)
{
	struct homa_msg_out out = { .length = 1000, .sent = 800, .sent_at = 5000 };

	/* The last bytes may have crossed the question; what they followed has not. */
	KUNIT_EXPECT_FALSE(test, homa_msg_out_may_repeat(&out, 700, 800, 5099, 100));
	KUNIT_EXPECT_TRUE(test, homa_msg_out_may_repeat(&out, 100, 200, 5010, 100));
	KUNIT_EXPECT_TRUE(test, homa_msg_out_may_repeat(&out, 700, 800, 5100, 100));
	/* Not more than the message has bytes, in that time. */
	KUNIT_EXPECT_TRUE(test, homa_msg_out_may_repeat(&out, 100, 700, 5105, 100));
	KUNIT_EXPECT_FALSE(test, homa_msg_out_may_repeat(&out, 100, 101, 5109, 100));
	KUNIT_EXPECT_TRUE(test, homa_msg_out_may_repeat(&out, 0, 800, 5110, 100));
}

static void granted_beside_others(struct kunit *test)
{
	struct homa_net hn = {};

	has_others = false;
	KUNIT_EXPECT_EQ(test, granted_priority(&hn, NULL, 5), 5);
	has_others = true;
	KUNIT_EXPECT_EQ(test, granted_priority(&hn, NULL, 5), 2);
	KUNIT_EXPECT_EQ(test, granted_priority(&hn, NULL, 1), 0);
	KUNIT_EXPECT_EQ(test, granted_priority(&hn, NULL, 0), 0);
}

static bool is_protected;

static unsigned int ask_device(const struct dst_entry *dst)
{
	is_protected = rcu_read_lock_held();
	return 1500;
}

static void mtu_of_a_route(struct kunit *test)
{
	struct in6_addr v4 = { .s6_addr16 = { [5] = 0xffff } }, v6 = { .s6_addr = { 0xfd } };
	struct dst_ops ops = { .mtu = ask_device };
	struct dst_entry dst = { .ops = &ops };

	KUNIT_EXPECT_EQ(test, seg_on(&dst, &v4), 1424);
	KUNIT_EXPECT_TRUE(test, is_protected);
	KUNIT_EXPECT_EQ(test, seg_on(&dst, &v6), 1404);
}

static void mtu(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, seg_bytes(1500, 20), 1424);
	KUNIT_EXPECT_EQ(test, seg_bytes(1500, 40), 1404);
	KUNIT_EXPECT_EQ(test, seg_bytes(9000, 20), 8924);
	KUNIT_EXPECT_EQ(test, seg_bytes(9000, 40), 8904);
	KUNIT_EXPECT_EQ(test, seg_bytes(77, 20), 1);
	KUNIT_EXPECT_EQ(test, seg_bytes(76, 20), 0);
	KUNIT_EXPECT_EQ(test, seg_bytes(0, 20), 0);
	KUNIT_EXPECT_EQ(test, seg_bytes(65536, 20), 65535 - 76);	/* IP's length field */
	KUNIT_EXPECT_LE(test, seg_bytes(65536, 20) + PAGE_SIZE - 1, MAX_SKB_FRAGS * PAGE_SIZE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(boundaries),
	KUNIT_CASE(again_with_a_smaller_mtu),
	KUNIT_CASE(packets_tile_the_message),
	KUNIT_CASE(buffers_end_where_packets_end),
	KUNIT_CASE(repeats),
	KUNIT_CASE(granted_beside_others),
	KUNIT_CASE(mtu_of_a_route),
	KUNIT_CASE(mtu),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_send",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
