// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The records of devices: whose counts for a device that is on top of others, and that a record goes
 * with its own device only. Devices are real ones of the kernel; their driver loses all packets.
 */
#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include "../../module/link.c"

unsigned int homa_net_id;

#define DEVS	6

static struct homa_net hn;
static struct net_device *dev[DEVS];
static u32 nr;

void homa_budget_init(struct homa_budget *b, struct homa_net *net, struct homa_link *link)
{
}

void homa_budget_stop(struct homa_budget *b)
{
}

void homa_pacer_init(struct homa_pacer *p)
{
}

void homa_pacer_stop(struct homa_pacer *p)
{
}

static netdev_tx_t xmit(struct sk_buff *skb, struct net_device *to)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops ops = { .ndo_start_xmit = xmit };

static void setup(struct net_device *d)
{
	ether_setup(d);
	d->netdev_ops = &ops;
	eth_hw_addr_random(d);
}

/* Up, and with a record. */
static struct net_device *make(struct kunit *test, u32 flags)
{
	struct net_device *d = alloc_netdev(0, "kunit%d", NET_NAME_UNKNOWN, setup);

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->priv_flags |= flags;
	d->flags |= flags & IFF_BONDING ? IFF_MASTER : 0;
	KUNIT_ASSERT_EQ(test, register_netdevice(d), 0);
	KUNIT_ASSERT_EQ(test, dev_open(d, NULL), 0);
	add(hn.links, d);
	dev[nr++] = d;
	return d;
}

static struct net_device *card(struct kunit *test)
{
	return make(test, 0);
}

static struct net_device *upper(struct kunit *test, u32 flags, struct net_device *a,
				struct net_device *b)
{
	struct net_device *d = make(test, flags | IFF_NO_QUEUE);

	KUNIT_ASSERT_EQ(test, netdev_upper_dev_link(a, d, NULL), 0);
	if (b)
		KUNIT_ASSERT_EQ(test, netdev_upper_dev_link(b, d, NULL), 0);
	look_below_all(hn.links);
	return d;
}

static void expect_waits(struct kunit *test, const struct net_device *d, bool waits)
{
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, homa_link_waits(&hn, d), waits);
	rcu_read_unlock();
}

/* Whose record has what `d` sends and receives. */
static void expect(struct kunit *test, const struct net_device *d, const struct net_device *whose,
		   bool waits)
{
	struct homa_link *link = homa_link_get(&hn, d->ifindex);

	KUNIT_EXPECT_PTR_EQ(test, link, homa_link_find(&hn, whose->ifindex));
	homa_link_put(link);
	expect_waits(test, d, waits);
}

static void shared_for_a_while(struct kunit *test)
{
	struct net_device *eth = card(test), *vlan = upper(test, 0, eth, NULL);
	struct homa_link *link = homa_link_get(&hn, eth->ifindex);

	KUNIT_EXPECT_FALSE(test, homa_link_is_shared(0, 0));
	KUNIT_EXPECT_TRUE(test, homa_link_is_shared(ULONG_MAX, ULONG_MAX));
	KUNIT_EXPECT_TRUE(test, homa_link_is_shared(ULONG_MAX, HZ / 10 - 2));
	KUNIT_EXPECT_FALSE(test, homa_link_is_shared(ULONG_MAX, HZ / 10 - 1));
	KUNIT_EXPECT_TRUE(test, homa_link_is_shared(1001, 1000));	/* jiffies | 1 */
	KUNIT_EXPECT_FALSE(test, homa_link_is_shared(1, LONG_MAX + 1000ul));
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, homa_link_has_others(&hn, vlan));
	link->others_at = jiffies | 1;
	KUNIT_EXPECT_TRUE(test, homa_link_has_others(&hn, eth));
	KUNIT_EXPECT_TRUE(test, homa_link_has_others(&hn, vlan));
	rcu_read_unlock();
	homa_link_put(link);
}

/* Wherever the queueing discipline is: at a port of the bond, at the bond, or at what is above it. */
static void shared_below(struct kunit *test)
{
	struct net_device *a = card(test), *b = card(test);
	struct net_device *bond = upper(test, IFF_BONDING, a, b);
	struct net_device *d[] = { a, bond, upper(test, 0, bond, NULL) };
	struct homa_link *link;
	int i;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(d); i++) {
		KUNIT_EXPECT_FALSE(test, homa_link_has_others(&hn, d[2]));
		link = homa_link_find(&hn, d[i]->ifindex);
		link->others_at = jiffies | 1;
		KUNIT_EXPECT_TRUE(test, homa_link_has_others(&hn, d[i]));
		KUNIT_EXPECT_TRUE(test, homa_link_has_others(&hn, d[2]));
		KUNIT_EXPECT_EQ(test, homa_link_has_others(&hn, bond), i < 2);
		KUNIT_EXPECT_EQ(test, homa_link_has_others(&hn, a), !i);
		link->others_at = 0;
	}
	rcu_read_unlock();
}

static void on_one(struct kunit *test)
{
	struct net_device *eth = card(test), *vlan = upper(test, 0, eth, NULL);
	struct net_device *inner = upper(test, 0, vlan, NULL);
	bool is_soft;

	expect(test, eth, eth, true);
	expect(test, vlan, eth, true);
	expect(test, inner, eth, true);
	homa_link_speed(&hn, homa_link_find(&hn, inner->ifindex), &is_soft);
	KUNIT_EXPECT_FALSE(test, is_soft);
	netdev_upper_dev_unlink(eth, vlan);
	look_below_all(hn.links);
	expect(test, vlan, vlan, false);
	expect(test, inner, inner, false);
}

/* Such as one of another namespace: what it does with packets is not known. */
static void on_one_without_record(struct kunit *test)
{
	struct net_device *eth = card(test), *vlan = upper(test, 0, eth, NULL);
	struct net_device *inner = upper(test, 0, vlan, NULL);

	expect(test, inner, eth, true);
	drop(hn.links, vlan);
	look_below_all(hn.links);
	expect(test, inner, inner, false);
}

static void on_one_without_queue(struct kunit *test)
{
	struct net_device *veth = make(test, IFF_NO_QUEUE), *vlan = upper(test, 0, veth, NULL);
	bool is_soft;

	expect(test, veth, veth, false);
	expect(test, vlan, vlan, false);
	homa_link_speed(&hn, homa_link_find(&hn, vlan->ifindex), &is_soft);
	KUNIT_EXPECT_TRUE(test, is_soft);
}

/* A bond's ports add up; of a bridge's, one is chosen for each packet. */
static void on_two(struct kunit *test)
{
	struct net_device *a = card(test), *b = card(test), *c = card(test);
	struct net_device *bond = upper(test, IFF_BONDING, a, b);
	struct net_device *vlan = upper(test, 0, bond, NULL);
	struct net_device *bridge = upper(test, 0, vlan, c);

	expect(test, bond, bond, true);
	expect(test, vlan, bond, true);
	expect(test, bridge, bridge, false);
}

/* What the device says goes before the knob, and that before a guess, which is for budgets only. */
static void how_fast(struct kunit *test)
{
	static const struct {
		u32 says, knob, mbps, speed;
	} t[] = {
		{ 0, 0, 0, UNKNOWN_MBPS }, { 0, 500, 500, 500 }, { 1000, 0, 1000, 1000 },
		{ 1000, 500, 1000, 1000 },
	};
	struct homa_link *link = homa_link_find(&hn, card(test)->ifindex);
	bool is_soft;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		hn.knobs.link_mbps = t[i].knob;
		link->mbps = t[i].says;
		KUNIT_EXPECT_EQ(test, homa_link_mbps(&hn, link), t[i].mbps);
		KUNIT_EXPECT_EQ(test, homa_link_speed(&hn, link, &is_soft), t[i].speed);
	}
	hn.knobs.link_mbps = 0;
}

/* With a queue of its own, it is as any other. */
static void on_one_with_queues(struct kunit *test)
{
	struct net_device *eth = card(test), *vlan = card(test);

	KUNIT_ASSERT_EQ(test, netdev_upper_dev_link(eth, vlan, NULL), 0);
	look_below_all(hn.links);
	expect(test, vlan, vlan, true);
}

/* Its record may be in use; nobody is led to it any more. */
static void the_lower_goes_first(struct kunit *test)
{
	struct net_device *eth = card(test), *vlan = upper(test, 0, eth, NULL);
	struct homa_link *link = homa_link_get(&hn, vlan->ifindex);

	drop(hn.links, eth);
	expect(test, vlan, vlan, false);
	KUNIT_EXPECT_EQ(test, refcount_read(&link->refs), 2);
	homa_link_put(link);
}

/* A device that has gone is reported once more while somebody holds it, and its number may be another
 * one's by then.
 */
static void a_number_is_used_again(struct kunit *test)
{
	struct net_device *eth = card(test);
	struct net_device *gone = kunit_kzalloc(test, sizeof(*gone), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, gone);
	gone->ifindex = eth->ifindex;
	drop(hn.links, gone);
	KUNIT_EXPECT_NOT_NULL(test, homa_link_find(&hn, eth->ifindex));
	drop(hn.links, eth);
	KUNIT_EXPECT_NULL(test, homa_link_find(&hn, eth->ifindex));
}

static int init(struct kunit *test)
{
	nr = 0;
	if (homa_links_net_init(&hn))
		return -ENOMEM;
	rtnl_lock();
	return 0;
}

/* The topmost first: they hold the others. */
static void leave(struct kunit *test)
{
	struct net_device *lower;
	struct list_head *iter;

	while (nr) {
		struct net_device *d = dev[--nr];

		netdev_for_each_lower_dev(d, lower, iter)
			netdev_upper_dev_unlink(lower, d);
		drop(hn.links, d);
		unregister_netdevice(d);
		rtnl_unlock();
		free_netdev(d);
		rtnl_lock();
	}
	rtnl_unlock();
	homa_links_net_exit(&hn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(shared_for_a_while),
	KUNIT_CASE(shared_below),
	KUNIT_CASE(on_one),
	KUNIT_CASE(on_one_without_record),
	KUNIT_CASE(on_one_without_queue),
	KUNIT_CASE(on_two),
	KUNIT_CASE(how_fast),
	KUNIT_CASE(on_one_with_queues),
	KUNIT_CASE(the_lower_goes_first),
	KUNIT_CASE(a_number_is_used_again),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_link",
	.init = init,
	.exit = leave,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
