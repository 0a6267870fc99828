// SPDX-License-Identifier: GPL-2.0
/*
 * link.c - the network devices of each namespace, as the scheduler sees them.
 *
 * A record is made when a device is registered and leaves the table when that goes; it is freed
 * when no message refers to it any more, looked for when devices come and go, so in process context
 * only. The speed is what the device says, asked when that may have changed (RTNL). Lookup under
 * RCU; the table is changed under RTNL.
 *
 * A device may have no queue, but be on top of one that has: then its packets are that one's. So it
 * is with VLANs, and a bridge with one port. The ports of a bond add up, so its packets are its own,
 * by the speed that it tells. Where one of several devices is chosen for each packet, as by a bridge,
 * nothing is known beforehand. Nor are devices of other namespaces.
 */
#include <linux/ethtool.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "link.h"
#include "net.h"

#define QUEUES_SEEN	16	/* of a device */
#define UNKNOWN_MBPS	25000	/* for budgets, of devices that don't say how fast they are */

struct homa_links {
	struct homa_net *net;
	struct xarray by_ifindex;	/* struct homa_link */
	struct list_head gone;		/* out of the table, in use by messages; RTNL */
	struct homa_link unknown;	/* stands for what is not in the table */
};

static void link_init(struct homa_link *link, struct homa_links *links)
{
	link->links = links;
	refcount_set(&link->refs, 1);
	INIT_LIST_HEAD(&link->gone);
	homa_budget_init(&link->budget, links->net, link);
	homa_pacer_init(&link->pacer);
}

/* No message refers to it. */
static void link_stop(struct homa_link *link)
{
	homa_pacer_stop(&link->pacer);
	homa_budget_stop(&link->budget);
}

struct homa_link *homa_link_find(struct homa_net *hn, int ifindex)
{
	return xa_load(&hn->links->by_ifindex, ifindex);
}

struct homa_net *homa_link_net(const struct homa_link *link)
{
	return link->links->net;
}

static struct net_device *queue_below(const struct homa_link *link, const struct net_device *dev)
{
	const struct homa_link *queue = rcu_dereference(link->queue);
	struct net_device *below;

	if (!queue || homa_dev_has_queue(dev))
		return NULL;
	below = rcu_dereference(queue->dev);
	return below && homa_dev_has_queue(below) ? below : NULL;
}

struct net_device *homa_link_below(const struct net_device *dev, struct homa_link **link)
{
	struct homa_link *sender = rcu_dereference((*link)->sender);
	struct net_device *below = sender ? queue_below(*link, dev) : NULL;

	if (below)
		*link = sender;
	return below;
}

bool homa_link_waits(struct homa_net *hn, const struct net_device *dev)
{
	struct homa_link *link;

	if (homa_dev_has_queue(dev))
		return true;
	link = homa_link_find(hn, dev->ifindex);
	return link && queue_below(link, dev);
}

static bool has_others(const struct homa_link *link)
{
	return link && homa_link_is_shared(READ_ONCE(link->others_at), jiffies);
}

/* The queueing discipline may be at any of them: at a bond's ports, of which the first speaks for all,
 * there is no word of it at the bond, whose packets they are.
 */
bool homa_link_has_others(struct homa_net *hn, const struct net_device *dev)
{
	const struct homa_link *link = homa_link_find(hn, dev->ifindex);

	return link && (has_others(link) || has_others(rcu_dereference(link->queue)) ||
			has_others(rcu_dereference(link->sender)));
}

struct homa_link *homa_link_get(struct homa_net *hn, int ifindex)
{
	struct homa_link *link;
	struct net_device *dev;

	rcu_read_lock();
	link = xa_load(&hn->links->by_ifindex, ifindex);
	dev = link ? rcu_dereference(link->dev) : NULL;
	if (dev)
		homa_link_below(dev, &link);
	if (!link || !refcount_inc_not_zero(&link->refs)) {
		link = &hn->links->unknown;
		refcount_inc(&link->refs);
	}
	rcu_read_unlock();
	return link;
}

/* The last reference is dropped by sweep() and homa_links_net_exit() alone. */
void homa_link_put(struct homa_link *link)
{
	refcount_dec(&link->refs);
}

u32 homa_link_speed(const struct homa_net *hn, const struct homa_link *link, bool *is_soft)
{
	u32 mbps = homa_link_mbps(hn, link);
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(link->dev);
	*is_soft = dev && !homa_dev_has_queue(dev) && !queue_below(link, dev);
	rcu_read_unlock();
	return mbps ? mbps : UNKNOWN_MBPS;
}

u64 homa_link_queued(const struct homa_link *link)
{
	u64 sum = 0;
#ifdef CONFIG_BQL
	struct net_device *dev;
	u32 i;

	rcu_read_lock();
	dev = rcu_dereference(link->dev);
	for (i = 0; dev && i < min_t(u32, dev->real_num_tx_queues, QUEUES_SEEN); i++) {
		const struct dql *dql = &netdev_get_tx_queue(dev, i)->dql;

		/* More may be completed between the two reads than was queued at the first. */
		sum += max_t(s32, READ_ONCE(dql->num_queued) - READ_ONCE(dql->num_completed), 0);
	}
	rcu_read_unlock();
#endif
	return sum;
}

/* The record of just this device: its ifindex may be another one's in another namespace, or by now. */
static struct homa_link *link_of(struct homa_links *links, const struct net_device *dev)
{
	struct homa_link *link = xa_load(&links->by_ifindex, dev->ifindex);

	return link && rtnl_dereference(link->dev) == dev ? link : NULL;
}

/* NULL: none, or one of several. */
static struct net_device *below(struct net_device *dev)
{
	struct net_device *lower, *found = NULL;
	struct list_head *iter;

	netdev_for_each_lower_dev(dev, lower, iter) {
		if (found)
			return netif_is_lag_master(dev) ? found : NULL;
		found = lower;
	}
	return found;
}

static void look_below(struct homa_links *links, struct homa_link *link)
{
	struct net_device *dev = rtnl_dereference(link->dev), *lower;
	struct homa_link *queue = NULL, *sender = NULL;

	while ((lower = below(dev))) {
		queue = link_of(links, lower);
		/* Of another namespace: packets may wait there, whatever is below it. */
		if (!queue)
			break;
		if (!sender && netif_is_lag_master(dev))
			sender = link_of(links, dev);
		dev = lower;
	}
	sender = queue ? sender ?: queue : NULL;
	rcu_assign_pointer(link->queue, queue);
	rcu_assign_pointer(link->sender, sender);
	if (queue) {
		queue->above++;
		sender->above++;
	}
}

static void look_below_all(struct homa_links *links)
{
	struct homa_link *link;
	unsigned long i;

	ASSERT_RTNL();
	xa_for_each(&links->by_ifindex, i, link)
		link->above = 0;
	xa_for_each(&links->by_ifindex, i, link)
		look_below(links, link);
}

static void sweep(struct homa_links *links)
{
	struct homa_link *link, *next;

	list_for_each_entry_safe(link, next, &links->gone, gone) {
		if (!refcount_dec_if_one(&link->refs))
			continue;
		list_del(&link->gone);
		link_stop(link);
		kfree_rcu(link, rcu);
	}
}

static void add(struct homa_links *links, struct net_device *dev)
{
	struct homa_link *link;

	ASSERT_RTNL();
	sweep(links);
	if (xa_load(&links->by_ifindex, dev->ifindex))
		return;
	link = kzalloc(sizeof(*link), GFP_KERNEL);
	if (!link)
		return;		/* served as `unknown` */
	link_init(link, links);
	rcu_assign_pointer(link->dev, dev);
	if (xa_err(xa_store(&links->by_ifindex, dev->ifindex, link, GFP_KERNEL))) {
		kfree(link);
		return;
	}
	/* It may be stacked already: it was there before us, or comes from another namespace. */
	if (!list_empty(&dev->adj_list.lower) || !list_empty(&dev->adj_list.upper))
		look_below_all(links);
}

/* dev_get_by_index() finds it no longer; whoever has the pointer is waited for before it is freed. */
static void drop(struct homa_links *links, struct net_device *dev)
{
	struct homa_link *link = link_of(links, dev);

	if (link) {
		xa_erase(&links->by_ifindex, dev->ifindex);
		rcu_assign_pointer(link->dev, NULL);
		list_add(&link->gone, &links->gone);
		if (link->above || rtnl_dereference(link->queue))
			look_below_all(links);
		rcu_assign_pointer(link->queue, NULL);
		rcu_assign_pointer(link->sender, NULL);
	}
	sweep(links);
}

static void ask_speed(struct homa_links *links, struct net_device *dev)
{
	struct homa_link *link = link_of(links, dev);
	struct ethtool_link_ksettings k;
	u32 mbps = 0;

	ASSERT_RTNL();
	if (!link)
		return;
	if (!__ethtool_get_link_ksettings(dev, &k) && k.base.speed != (u32)SPEED_UNKNOWN)
		mbps = k.base.speed;
	WRITE_ONCE(link->mbps, mbps);
}

static int event(struct notifier_block *nb, unsigned long what, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct homa_links *links = homa_net(dev_net(dev))->links;
	struct net_device *master;

	switch (what) {
	case NETDEV_REGISTER:
		add(links, dev);
		break;
	case NETDEV_CHANGEUPPER:
		look_below_all(links);
		fallthrough;
	case NETDEV_UP:
	case NETDEV_CHANGE:
	case NETDEV_CHANGELOWERSTATE:
		ask_speed(links, dev);
		master = netdev_master_upper_dev_get(dev);
		if (master && netif_is_lag_master(master))
			ask_speed(links, master);
		break;
	case NETDEV_UNREGISTER:
		drop(links, dev);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = event };

int homa_link_init(void)
{
	return register_netdevice_notifier(&notifier);
}

void homa_link_exit(void)
{
	unregister_netdevice_notifier(&notifier);
}

int homa_links_net_init(struct homa_net *hn)
{
	struct homa_links *links = kzalloc(sizeof(*links), GFP_KERNEL);

	if (!links)
		return -ENOMEM;
	links->net = hn;
	xa_init(&links->by_ifindex);
	INIT_LIST_HEAD(&links->gone);
	link_init(&links->unknown, links);
	hn->links = links;
	return 0;
}

/* All devices and all messages of the namespace have gone. */
void homa_links_net_exit(struct homa_net *hn)
{
	struct homa_links *links = hn->links;

	rtnl_lock();
	sweep(links);
	rtnl_unlock();
	link_stop(&links->unknown);
	xa_destroy(&links->by_ifindex);
	kfree(links);
}
