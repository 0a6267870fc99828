// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages that wait for others: only those of which more are announced, and not too many. */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/held.c"

unsigned int homa_net_id;
static u32 flushed, largest;	/* messages that have left, most bytes that a buffer may have */

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(queue))) {
		flushed += skb->len;
		kfree_skb(skb);
	}
}

/* Its length says how many they are. */
bool homa_bundle_add(struct sk_buff *held, struct sk_buff *skb, u32 max)
{
	largest = max;
	if (!max)
		return false;
	skb_put(held, skb->len);
	kfree_skb(skb);
	return true;
}

u32 homa_offload_segs(const struct net_device *dev, u32 seg, u32 max_gso_size)
{
	return dev->gso_max_segs;
}

struct fixture {
	struct homa_sock hsk;
	struct homa_net hn;
	struct net_device dev;
	struct dst_entry dst;
};

static void send(struct kunit *test, u32 nr, bool more)
{
	struct fixture *f = test->priv;
	struct sk_buff_head queue;
	struct sk_buff *skb;

	for (; nr; nr--) {
		__skb_queue_head_init(&queue);
		skb = alloc_skb(256, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		skb_put(skb, 1);
		skb->_skb_refdst = (unsigned long)&f->dst | SKB_DST_NOREF;
		__skb_queue_tail(&queue, skb);
		homa_held_add(&f->hsk, &queue, more);
		KUNIT_EXPECT_TRUE(test, skb_queue_empty(&queue));
	}
}

static void waits_for_others(struct kunit *test)
{
	struct fixture *f = test->priv;

	send(test, 1, false);
	KUNIT_EXPECT_EQ(test, flushed, 1);
	send(test, 3, true);
	KUNIT_EXPECT_EQ(test, flushed, 1);
	send(test, 1, false);
	KUNIT_EXPECT_EQ(test, flushed, 5);
	KUNIT_EXPECT_EQ(test, largest, BUNDLE_BYTES);
	send(test, 2, true);
	homa_held_send(&f->hsk);
	KUNIT_EXPECT_EQ(test, flushed, 7);
	homa_held_send(&f->hsk);
	KUNIT_EXPECT_EQ(test, flushed, 7);
}

static void not_too_many(struct kunit *test)
{
	struct fixture *f = test->priv;
	int one_by_one;

	for (one_by_one = 0; one_by_one < 2; one_by_one++) {
		f->dev.gso_max_segs = one_by_one ? 1 : 65535;
		flushed = 0;
		send(test, PACKETS_MAX - 1, true);
		KUNIT_EXPECT_EQ(test, flushed, 0);
		send(test, 2, true);
		KUNIT_EXPECT_EQ(test, flushed, PACKETS_MAX);
		send(test, PACKETS_MAX - 2, true);
		KUNIT_EXPECT_EQ(test, flushed, PACKETS_MAX);
		homa_held_send(&f->hsk);
		KUNIT_EXPECT_EQ(test, flushed, 2 * PACKETS_MAX - 1);
	}
	f->hn.knobs.max_gso_size = 1000;
	f->dev.gso_max_segs = 2;
	send(test, 2, true);
	KUNIT_EXPECT_EQ(test, largest, 1000);
	homa_held_send(&f->hsk);
}

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	skb_queue_head_init(&f->hsk.held);
	f->hsk.net = &f->hn;
	f->hn.knobs.max_gso_size = 65536;
	f->hn.counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_TRUE(test, f->hn.counters != NULL);
	f->dst.dev = &f->dev;
	f->dev.gso_max_segs = 65535;
	flushed = 0;
	return 0;
}

static void finish(struct kunit *test)
{
	struct fixture *f = test->priv;

	free_percpu(f->hn.counters);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(waits_for_others),
	KUNIT_CASE(not_too_many),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_held",
	.test_cases = cases,
	.init = init,
	.exit = finish,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
