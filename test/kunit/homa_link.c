// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The records of devices: each goes with its own device only. Devices are real ones of the kernel;
 * their driver loses all packets.
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
