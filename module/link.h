/* SPDX-License-Identifier: GPL-2.0 */
/*
 * link.h - a network device as the scheduler sees it: how fast it is, when it will have sent all that
 * it was given, which messages wait for it and which come in by it.
 */
#ifndef P4HOMA_LINK_H
#define P4HOMA_LINK_H

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <net/sch_generic.h>

#include "grant.h"
#include "net.h"
#include "pacer.h"
#include "recent.h"

struct homa_links;

struct homa_link {
	struct net_device __rcu *dev;	/* NULL: it is gone */
	u32 mbps;			/* 0: it does not say; racy readers */
	unsigned long others_at;	/* jiffies: others than Homa sent bulk here; 0: never; racy */
	refcount_t refs;		/* the table's, each message's */
	struct homa_budget budget;	/* grant.c */
	struct homa_pacer pacer;	/* pacer.c */
	struct homa_links *links;
	/* Of a device on top of others (VLAN, bond): in whose queue its packets wait if it has none,
	 * and whose time that takes. RCU, changed under RTNL; NULL: not known.
	 */
	struct homa_link __rcu *queue;
	struct homa_link __rcu *sender;
	u32 above;			/* such references to it; RTNL */
	struct list_head gone;		/* links->gone, under RTNL */
	struct rcu_head rcu;
};

int homa_link_init(void);		/* of the module: after all namespaces have their tables */
void homa_link_exit(void);
int homa_links_net_init(struct homa_net *hn);
void homa_links_net_exit(struct homa_net *hn);

/* With a reference, never NULL: a device that is not known is a slow one of unlimited queue. Of a
 * device whose packets wait below it, the record that counts.
 */
struct homa_link *homa_link_get(struct homa_net *hn, int ifindex);
void homa_link_put(struct homa_link *link);

/* Of one just found under RCU. False: its device went meanwhile. */
static inline bool homa_link_hold(struct homa_link *link)
{
	return refcount_inc_not_zero(&link->refs);
}

/* RCU, no reference; NULL: not known. */
struct homa_link *homa_link_find(struct homa_net *hn, int ifindex);
struct homa_net *homa_link_net(const struct homa_link *link);

/* RCU. The device below `dev` in whose queue its packets wait; *link, which was its record, becomes
 * the one that counts. NULL: `dev` has a queue itself, or nobody knows.
 */
struct net_device *homa_link_below(const struct net_device *dev, struct homa_link **link);
/* RCU. Packets for `dev` wait, there or below. */
bool homa_link_waits(struct homa_net *hn, const struct net_device *dev);

/* Bytes that the device has been given and not sent, if it tells. */
u64 homa_link_queued(const struct homa_link *link);

/* Packets wait in a queue of the kernel before they go to the device. RCU. */
static inline bool homa_dev_has_queue(const struct net_device *dev)
{
	return rcu_dereference(netdev_get_tx_queue(dev, 0)->qdisc)->enqueue;
}

/* The queueing discipline `homa` has seen bulk of others lately. Pure. */
static inline bool homa_link_is_shared(unsigned long others_at, unsigned long now)
{
	return homa_is_recent(others_at, now, HZ / 10);
}

/* RCU. So it is where packets for `dev` wait. */
bool homa_link_has_others(struct homa_net *hn, const struct net_device *dev);

/* Mbit/s that it says, or else the knob; 0: nobody says. */
static inline u32 homa_link_mbps(const struct homa_net *hn, const struct homa_link *link)
{
	u32 mbps = READ_ONCE(link->mbps);

	return mbps ? mbps : homa_knob(hn, link_mbps);
}

/* Mbit/s to reckon with, and whether it is only software. */
u32 homa_link_speed(const struct homa_net *hn, const struct homa_link *link, bool *is_soft);

#endif /* P4HOMA_LINK_H */
