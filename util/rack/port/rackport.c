// SPDX-License-Identifier: GPL-2.0
/*
 * rackport.c - cables between hosts and a switch, for racks in virtual time.
 *
 * Each cable is a pair of Ethernet devices, hostN and portN, of the same rate both ways:
 *
 *   hostN  a network card: a ring with byte queue limits, so that queueing disciplines above it
 *          work as they do above real cards; segments TCP's (and Homa's) long buffers itself.
 *   portN  a port of a switch: packets queue here by class (the upper three bits of TOS), the
 *          highest class first. The classes share `buffer_bytes`; what does not fit is dropped on
 *          arrival. A packet that meets more than `mark_bytes` of queue is marked CE if it is ECT.
 *          Keeps how long the queue had which length.
 *
 * A packet occupies the cable for its bytes, the checksum, preamble and gap (24 bytes, at least 84
 * in all), and arrives as a whole. `delay_ns` is added on the way from the switch to the host: one
 * place is as good as two, and a timer less for each packet.
 *
 * /sys/kernel/debug/rackport has a line for each port; a write sets all to zero.
 * Lock: end->lock of one end at a time, BH; nothing is delivered while it is held.
 */
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <net/inet_ecn.h>

#define HOSTS_MAX	64
#define BANDS		8
#define FRAMING		24	/* checksum 4, preamble 8, gap 12 */
#define FRAME_MIN	60
#define BIN_BYTES	1024
#define BINS		2048
#define RING		256	/* descriptors of the card */

static unsigned int hosts = 8;
module_param(hosts, uint, 0444);
MODULE_PARM_DESC(hosts, "number of cables");
static unsigned int rate_mbps = 10000;
module_param(rate_mbps, uint, 0444);
MODULE_PARM_DESC(rate_mbps, "rate of each cable, Mbit/s");
static unsigned int delay_ns = 2000;
module_param(delay_ns, uint, 0444);
MODULE_PARM_DESC(delay_ns, "from the switch to the host, ns");
static unsigned int buffer_bytes = 1000000;
module_param(buffer_bytes, uint, 0444);
MODULE_PARM_DESC(buffer_bytes, "what a port queues, bytes");
static unsigned int mark_bytes = 100000;
module_param(mark_bytes, uint, 0444);
MODULE_PARM_DESC(mark_bytes, "queue above which ECT packets are marked, bytes");

struct queue_stats {
	u64 packets;
	u64 bytes;
	u64 marked;
	u64 dropped[BANDS];
	u32 max_bytes;
	u64 since;		/* the queue has its length since then, ns */
	u64 bin_ns[BINS];	/* how long it had a length of bin * BIN_BYTES ... */
};

struct end {
	struct net_device *dev;
	struct end *peer;
	bool is_port;
	spinlock_t lock;	/* guards all below */
	struct sk_buff_head band[BANDS];	/* a card uses only the first */
	u32 bytes;		/* of a port, in all bands */
	struct sk_buff *segments;	/* of a long buffer, that have still to go */
	u32 buffer_len;		/* of that buffer; it is done when the last segment is */
	struct sk_buff *sending;
	u64 free_ps;		/* when the cable is free */
	struct hrtimer sent;
	struct sk_buff_head flying;	/* to the host */
	struct hrtimer arrived;
	struct queue_stats *stats;
};

struct flying_cb {
	u64 at;			/* ns */
};

static struct end *host_end[HOSTS_MAX], *port_end[HOSTS_MAX];
static struct dentry *stats_file;

static struct end *end_of(const struct net_device *dev)
{
	return *(struct end **)netdev_priv(dev);
}

static u64 wire_ps(u32 len)
{
	return div_u64((u64)(max_t(u32, len, FRAME_MIN) + FRAMING) * 8000000, rate_mbps);
}

/* ---------------------------------------------------------------- how long the queue is */

static void note_length(struct end *e)
{
	u64 now = ktime_get_ns();
	u32 bin = min_t(u32, e->bytes / BIN_BYTES, BINS - 1);

	e->stats->bin_ns[bin] += now - e->stats->since;
	e->stats->since = now;
}

static void change_length(struct end *e, s32 by)
{
	note_length(e);
	e->bytes += by;
	e->stats->max_bytes = max(e->stats->max_bytes, e->bytes);
}

static void clear_stats(struct end *e)
{
	spin_lock_bh(&e->lock);
	memset(e->stats, 0, sizeof(*e->stats));
	e->stats->since = ktime_get_ns();
	e->stats->max_bytes = e->bytes;
	spin_unlock_bh(&e->lock);
}

static int stats_show(struct seq_file *m, void *v)
{
	unsigned int i, k;

	for (i = 0; i < hosts; i++) {
		struct end *e = port_end[i];

		spin_lock_bh(&e->lock);
		note_length(e);
		seq_printf(m, "port %u packets %llu bytes %llu marked %llu max %u dropped", i + 1,
			   e->stats->packets, e->stats->bytes, e->stats->marked,
			   e->stats->max_bytes);
		for (k = 0; k < BANDS; k++)
			seq_printf(m, " %llu", e->stats->dropped[k]);
		seq_puts(m, " bins");
		for (k = 0; k < BINS; k++)
			if (e->stats->bin_ns[k])
				seq_printf(m, " %u:%llu", k * BIN_BYTES, e->stats->bin_ns[k]);
		spin_unlock_bh(&e->lock);
		seq_putc(m, '\n');
	}
	return 0;
}

static int stats_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, stats_show, NULL, hosts * 32 * BINS);
}

static ssize_t stats_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int i;

	for (i = 0; i < hosts; i++)
		clear_stats(port_end[i]);
	return len;
}

static const struct file_operations stats_fops = {
	.owner		= THIS_MODULE,
	.open		= stats_open,
	.read		= seq_read,
	.write		= stats_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* ---------------------------------------------------------------- the cable */

static struct sk_buff *next_of_port(struct end *e)
{
	int i;

	for (i = BANDS - 1; i >= 0; i--) {
		struct sk_buff *skb = __skb_dequeue(&e->band[i]);

		if (skb) {
			change_length(e, -(s32)skb->len);
			return skb;
		}
	}
	return NULL;
}

static struct sk_buff *next_of_card(struct end *e)
{
	struct sk_buff *skb = e->segments, *first;

	if (skb) {
		e->segments = skb->next;
		skb_mark_not_on_list(skb);
		return skb;
	}
	first = __skb_dequeue(&e->band[0]);
	if (!first)
		return NULL;
	e->buffer_len = first->len;
	if (!skb_is_gso(first))
		return first;
	skb = skb_gso_segment(first, e->dev->features & ~NETIF_F_GSO_MASK);
	if (IS_ERR_OR_NULL(skb)) {
		net_warn_ratelimited("rackport: a buffer of %u bytes cannot be cut\n", first->len);
		return first;
	}
	consume_skb(first);
	e->segments = skb->next;
	skb_mark_not_on_list(skb);
	return skb;
}

static void start_next(struct end *e)
{
	struct sk_buff *skb = e->is_port ? next_of_port(e) : next_of_card(e);

	e->sending = skb;
	if (!skb)
		return;
	e->free_ps = max(e->free_ps, ktime_get_ns() * 1000) + wire_ps(skb->len);
	hrtimer_start(&e->sent, ns_to_ktime(div_u64(e->free_ps, 1000)), HRTIMER_MODE_ABS_SOFT);
}

static void deliver(struct end *to, struct sk_buff *skb)
{
	if (__dev_forward_skb(to->dev, skb))
		return;		/* it is down, and the packet is gone */
	to->dev->stats.rx_packets++;
	to->dev->stats.rx_bytes += skb->len;
	netif_receive_skb(skb);
}

static void card_is_done(struct end *e, u32 len)
{
	netdev_completed_queue(e->dev, 1, len);
	if (netif_queue_stopped(e->dev))
		netif_wake_queue(e->dev);
}

static void fly(struct end *e, struct sk_buff *skb)
{
	u64 at = ktime_get_ns() + delay_ns;

	((struct flying_cb *)skb->cb)->at = at;
	__skb_queue_tail(&e->flying, skb);
	if (skb_queue_len(&e->flying) == 1)
		hrtimer_start(&e->arrived, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

static enum hrtimer_restart sent(struct hrtimer *timer)
{
	struct end *e = container_of(timer, struct end, sent);
	struct sk_buff *skb;
	u32 done = 0;

	spin_lock_bh(&e->lock);
	skb = e->sending;
	skb_orphan(skb);
	e->dev->stats.tx_packets++;
	e->dev->stats.tx_bytes += skb->len;
	if (!e->is_port && !e->segments)
		done = e->buffer_len;
	if (e->is_port)
		fly(e, skb);
	start_next(e);
	spin_unlock_bh(&e->lock);
	if (done)
		card_is_done(e, done);
	if (!e->is_port)
		deliver(e->peer, skb);
	return HRTIMER_NORESTART;
}

static enum hrtimer_restart arrived(struct hrtimer *timer)
{
	struct end *e = container_of(timer, struct end, arrived);
	struct sk_buff *skb, *next;

	spin_lock_bh(&e->lock);
	skb = __skb_dequeue(&e->flying);
	next = skb_peek(&e->flying);
	if (next)
		hrtimer_start(&e->arrived, ns_to_ktime(((struct flying_cb *)next->cb)->at),
			      HRTIMER_MODE_ABS_SOFT);
	spin_unlock_bh(&e->lock);
	if (skb)
		deliver(e->peer, skb);
	return HRTIMER_NORESTART;
}

/* ---------------------------------------------------------------- what the stack sends */

static netdev_tx_t card_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct end *e = end_of(dev);

	spin_lock_bh(&e->lock);
	netdev_sent_queue(dev, skb->len);
	__skb_queue_tail(&e->band[0], skb);
	if (skb_queue_len(&e->band[0]) >= RING)
		netif_stop_queue(dev);
	if (!e->sending)
		start_next(e);
	spin_unlock_bh(&e->lock);
	return NETDEV_TX_OK;
}

static int band_of(const struct sk_buff *skb)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return ip_hdr(skb)->tos >> 5;
	case htons(ETH_P_IPV6):
		return ipv6_get_dsfield(ipv6_hdr(skb)) >> 5;
	default:
		return BANDS - 1;
	}
}

static netdev_tx_t port_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct end *e = end_of(dev);
	int band = band_of(skb);

	spin_lock_bh(&e->lock);
	if (e->bytes + skb->len > buffer_bytes) {
		e->stats->dropped[band]++;
		dev->stats.tx_dropped++;
		spin_unlock_bh(&e->lock);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	if (e->bytes > mark_bytes && INET_ECN_set_ce(skb))
		e->stats->marked++;
	e->stats->packets++;
	e->stats->bytes += skb->len;
	__skb_queue_tail(&e->band[band], skb);
	change_length(e, skb->len);
	if (!e->sending)
		start_next(e);
	spin_unlock_bh(&e->lock);
	return NETDEV_TX_OK;
}

/* ---------------------------------------------------------------- devices */

static int end_open(struct net_device *dev)
{
	netdev_reset_queue(dev);
	netif_carrier_on(dev);
	netif_start_queue(dev);
	return 0;
}

static void free_segments(struct end *e)
{
	kfree_skb_list(e->segments);
	e->segments = NULL;
	kfree_skb(e->sending);
	e->sending = NULL;
}

static int end_stop(struct net_device *dev)
{
	struct end *e = end_of(dev);
	int i;

	netif_stop_queue(dev);
	hrtimer_cancel(&e->sent);
	hrtimer_cancel(&e->arrived);
	spin_lock_bh(&e->lock);
	free_segments(e);
	for (i = 0; i < BANDS; i++)
		__skb_queue_purge(&e->band[i]);
	__skb_queue_purge(&e->flying);
	e->bytes = 0;
	spin_unlock_bh(&e->lock);
	netdev_reset_queue(dev);
	return 0;
}

static const struct net_device_ops card_ops = {
	.ndo_open		= end_open,
	.ndo_stop		= end_stop,
	.ndo_start_xmit		= card_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static const struct net_device_ops port_ops = {
	.ndo_open		= end_open,
	.ndo_stop		= end_stop,
	.ndo_start_xmit		= port_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static int get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *to)
{
	to->base.speed = rate_mbps;
	to->base.duplex = DUPLEX_FULL;
	return 0;
}

static const struct ethtool_ops end_ethtool_ops = {
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= get_link_ksettings,
};

static void end_setup(struct net_device *dev)
{
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->ethtool_ops = &end_ethtool_ops;
	dev->features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA;
	dev->max_mtu = 9000;
}

static void end_free(struct end *e)
{
	if (!e)
		return;
	if (e->dev && e->dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(e->dev);
	if (e->dev)
		free_netdev(e->dev);
	vfree(e->stats);
	kfree(e);
}

static struct end *end_make(bool is_port, int nr)
{
	struct end *e = kzalloc(sizeof(*e), GFP_KERNEL);
	char name[IFNAMSIZ];
	int i;

	if (!e)
		return NULL;
	e->is_port = is_port;
	spin_lock_init(&e->lock);
	for (i = 0; i < BANDS; i++)
		__skb_queue_head_init(&e->band[i]);
	__skb_queue_head_init(&e->flying);
	hrtimer_init(&e->sent, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	e->sent.function = sent;
	hrtimer_init(&e->arrived, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	e->arrived.function = arrived;
	e->stats = vzalloc(sizeof(*e->stats));
	snprintf(name, sizeof(name), "%s%d", is_port ? "port" : "host", nr);
	e->dev = alloc_netdev(sizeof(e), name, NET_NAME_ENUM, end_setup);
	if (!e->dev || !e->stats) {
		end_free(e);
		return NULL;
	}
	*(struct end **)netdev_priv(e->dev) = e;
	e->dev->netdev_ops = is_port ? &port_ops : &card_ops;
	if (is_port) {
		e->dev->priv_flags |= IFF_NO_QUEUE;
		e->dev->features |= NETIF_F_LLTX;
	} else {
		e->dev->features |= NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN;
	}
	e->dev->hw_features = e->dev->features & ~NETIF_F_LLTX;
	return e;
}

static int make_cable(int i)
{
	int err;

	host_end[i] = end_make(false, i + 1);
	port_end[i] = end_make(true, i + 1);
	if (!host_end[i] || !port_end[i])
		return -ENOMEM;
	host_end[i]->peer = port_end[i];
	port_end[i]->peer = host_end[i];
	err = register_netdev(host_end[i]->dev);
	return err ?: register_netdev(port_end[i]->dev);
}

/* A packet of one end may be with the other: both are taken down before either goes. */
static void remove_all(void)
{
	unsigned int i;

	debugfs_remove(stats_file);
	rtnl_lock();
	for (i = 0; i < hosts; i++) {
		if (host_end[i] && host_end[i]->dev->reg_state == NETREG_REGISTERED)
			dev_close(host_end[i]->dev);
		if (port_end[i] && port_end[i]->dev->reg_state == NETREG_REGISTERED)
			dev_close(port_end[i]->dev);
	}
	rtnl_unlock();
	for (i = 0; i < hosts; i++) {
		end_free(host_end[i]);
		end_free(port_end[i]);
	}
}

static int __init rackport_init(void)
{
	unsigned int i;
	int err = 0;

	if (!hosts || hosts > HOSTS_MAX || !rate_mbps)
		return -EINVAL;
	for (i = 0; !err && i < hosts; i++)
		err = make_cable(i);
	if (err) {
		remove_all();
		return err;
	}
	stats_file = debugfs_create_file("rackport", 0644, NULL, NULL, &stats_fops);
	return 0;
}

static void __exit rackport_exit(void)
{
	remove_all();
}

module_init(rackport_init);
module_exit(rackport_exit);
MODULE_DESCRIPTION("Cables and switch ports for a rack in virtual time");
MODULE_LICENSE("GPL");
