// SPDX-License-Identifier: GPL-2.0
/*
 * qdisc.c - the queueing discipline `homa`: as pacer.c, but for all that a device sends, so that
 * TCP's packets don't fill the device's queue either.
 *
 *     tc qdisc add dev eth0 root homa
 *     tc qdisc replace dev eth0 parent MQ:1 homa		(one for each queue, below mq)
 *
 * Packets wait here while the device has more than max_nic_est_backlog_usecs of work, by our
 * reckoning, or has not yet sent max_nic_queue_usecs of bytes. Control packets, the ends of messages
 * and other short packets never wait. Of what waits, Homa's go by bytes left in the message, each
 * message's in order; pacer_fifo_fraction of them from the message with the most left, that would be
 * last otherwise. All others go round robin over their flows. When both wait, Homa gets homa_share
 * per cent of the bytes. Buffers that would hold the device for longer than a chunk are cut.
 *
 * Lock: that of the discipline, taken by the kernel. What is reckoned of the device is shared with
 * the disciplines of its other queues: pacer->idle_at.
 */
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>
#include <p4wire.h>

#include "link.h"
#include "net.h"
#include "packet.h"
#include "qdisc.h"

#define FLOWS		256	/* of each kind; those that share one wait for each other */
#define PLACES		8	/* where a message of Homa may be, lest it share one */
#define LIMIT		10000	/* packets, where the device doesn't say */
#define QUANTUM_LEAST	256	/* bytes: a device may say that its MTU is 0 */
#define AHEAD_MAX	(100ll * 1000000)	/* a share is a matter of the last megabyte */

/* Packets in order. */
struct flow {
	struct sk_buff *head;
	struct sk_buff *tail;
	struct rb_node by_left;		/* Homa */
	u32 id;				/* Homa: of the first packet's message */
	struct list_head turn;		/* others */
	int deficit;
};

struct homa_sched {
	struct homa_link *link;		/* reference */
	struct homa_net *net;
	struct flow now;		/* short packets: wait for nothing */
	struct flow *homa;		/* FLOWS each */
	struct flow *others;
	struct rb_root_cached by_left;	/* flows of Homa that wait */
	struct list_head turns;		/* others that wait */
	u64 fifo_credit;
	s64 ahead;
	struct qdisc_watchdog watchdog;
};

struct mark {
	u32 left;
	u32 age;		/* low bits of ns >> 10 */
};

static struct mark *mark_of(const struct sk_buff *skb)
{
	return (struct mark *)qdisc_skb_cb(skb)->data;
}

/* ------------------------------------------------------------------ decisions */

bool homa_qdisc_homa_next(s64 ahead, bool homa_waits, bool others_wait)
{
	return homa_waits && (!others_wait || ahead <= 0);
}

s64 homa_qdisc_charge(s64 ahead, bool is_homa, u32 bytes, u32 share)
{
	ahead += is_homa ? (s64)bytes * (100 - share) : -(s64)bytes * share;
	return clamp_t(s64, ahead, -AHEAD_MAX, AHEAD_MAX);
}

/* `to`: a hash of where it goes; two peers may number their calls alike. */
static bool is_ours(const struct sk_buff *skb, int *offset, u32 *to)
{
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buf;
	const struct ipv6hdr *v6;
	const struct iphdr *v4;

	*offset = skb_network_offset(skb);
	switch (skb_protocol(skb, true)) {
	case htons(ETH_P_IP):
		v4 = skb_header_pointer(skb, *offset, sizeof(buf.v4), &buf);
		if (!v4 || ip_is_fragment(v4))
			return false;
		*offset += v4->ihl * 4;
		*to = hash_32(be32_to_cpu(v4->daddr), 32);
		return v4->protocol == P4W_IPPROTO;
	case htons(ETH_P_IPV6):
		v6 = skb_header_pointer(skb, *offset, sizeof(buf.v6), &buf);
		if (!v6)
			return false;
		*offset += sizeof(*v6);
		*to = ipv6_addr_hash(&v6->daddr);
		return v6->nexthdr == P4W_IPPROTO;
	default:
		return false;
	}
}

struct homa_qdisc_view homa_qdisc_look(const struct sk_buff *skb, u32 short_bytes)
{
	struct homa_qdisc_view view = { .is_short = skb->len <= short_bytes };
	const struct p4w_data *d;
	struct p4w_data buf;
	u32 at, length, to;
	int offset;

	if (!is_ours(skb, &offset, &to)) {
		view.flow = skb_get_hash((struct sk_buff *)skb);
		return view;
	}
	view.is_homa = true;
	d = skb_header_pointer(skb, offset, sizeof(*d), &buf);
	if (!d || d->common.type != P4W_DATA) {
		view.is_short = true;	/* control, or nothing that we know how to order */
		return view;
	}
	at = homa_data_offset(d);
	length = ntohl(d->message_length);
	view.left = at < length ? length - at : 0;
	view.is_short = view.left <= short_bytes;
	view.flow = (u32)be64_to_cpu(d->common.sender_id) + to;
	return view;
}

/* ------------------------------------------------------------------ flows */

static void append(struct flow *flow, struct sk_buff *skb)
{
	if (flow->head)
		flow->tail->next = skb;
	else
		flow->head = skb;
	flow->tail = skb;
	skb->next = NULL;
}

static struct sk_buff *take(struct flow *flow)
{
	struct sk_buff *skb = flow->head;

	flow->head = skb->next;
	skb_mark_not_on_list(skb);
	return skb;
}

static bool flow_less(struct rb_node *a, const struct rb_node *b)
{
	const struct mark *x = mark_of(rb_entry(a, struct flow, by_left)->head);
	const struct mark *y = mark_of(rb_entry(b, struct flow, by_left)->head);

	return x->left != y->left ? x->left < y->left : (s32)(x->age - y->age) < 0;
}

static struct flow *flow_of_message(struct flow *flows, u32 id)
{
	struct flow *empty = NULL;
	int i;

	for (i = 0; i < PLACES; i++) {
		struct flow *flow = &flows[(id + i) % FLOWS];

		if (!flow->head)
			empty = empty ?: flow;
		else if (flow->id == id)
			return flow;
	}
	return empty ?: &flows[id % FLOWS];
}

static void add_homa(struct homa_sched *q, struct sk_buff *skb, const struct homa_qdisc_view *view)
{
	struct flow *flow = flow_of_message(q->homa, view->flow);
	bool is_first = !flow->head;

	*mark_of(skb) = (struct mark){ view->left, ktime_get_ns() >> 10 };
	append(flow, skb);
	if (!is_first)
		return;
	flow->id = view->flow;
	rb_add_cached(&flow->by_left, &q->by_left, flow_less);
}

static struct sk_buff *take_homa(struct homa_sched *q)
{
	struct rb_node *node = rb_first_cached(&q->by_left);
	struct sk_buff *skb;
	struct flow *flow;

	if (q->fifo_credit >= qdisc_skb_cb(rb_entry(node, struct flow, by_left)->head)->pkt_len) {
		node = rb_last(&q->by_left.rb_root);
		q->fifo_credit = 0;
	}
	flow = rb_entry(node, struct flow, by_left);
	rb_erase_cached(node, &q->by_left);
	skb = take(flow);
	if (flow->head)
		rb_add_cached(&flow->by_left, &q->by_left, flow_less);
	q->fifo_credit += div_u64((u64)qdisc_skb_cb(skb)->pkt_len *
				  homa_knob(q->net, pacer_fifo_fraction), 1000);
	return skb;
}

static void add_other(struct homa_sched *q, struct sk_buff *skb, const struct homa_qdisc_view *view)
{
	struct flow *flow = &q->others[view->flow % FLOWS];
	bool is_first = !flow->head;

	append(flow, skb);
	if (!is_first)
		return;
	flow->deficit = 0;
	list_add_tail(&flow->turn, &q->turns);
}

static struct sk_buff *take_other(struct homa_sched *q, u32 quantum)
{
	struct flow *flow = list_first_entry(&q->turns, struct flow, turn);
	struct sk_buff *skb;

	while (flow->deficit < 0) {
		flow->deficit += quantum;
		list_move_tail(&flow->turn, &q->turns);
		flow = list_first_entry(&q->turns, struct flow, turn);
	}
	skb = take(flow);
	flow->deficit -= qdisc_skb_cb(skb)->pkt_len;
	if (!flow->head)
		list_del_init(&flow->turn);
	return skb;
}

/* ------------------------------------------------------------------ in */

static void note_others(struct homa_link *link)
{
	unsigned long now = jiffies | 1;

	if (READ_ONCE(link->others_at) != now)
		WRITE_ONCE(link->others_at, now);
}

static void add(struct Qdisc *sch, struct sk_buff *skb)
{
	struct homa_sched *q = qdisc_priv(sch);
	const u32 short_bytes = max_t(u32, homa_knob(q->net, defer_min_bytes), HOMA_SHORT);
	const struct homa_qdisc_view view = homa_qdisc_look(skb, short_bytes);

	sch->q.qlen++;
	sch->qstats.backlog += qdisc_skb_cb(skb)->pkt_len;
	/* A short packet does not overtake its own flow. */
	if (view.is_short && (view.is_homa || !q->others[view.flow % FLOWS].head))
		append(&q->now, skb);
	else if (view.is_homa)
		add_homa(q, skb, &view);
	else
		add_other(q, skb, &view);
	if (!view.is_homa && !view.is_short)
		note_others(q->link);
}

/* A buffer that would hold the device for long goes packet by packet. */
static int cut(struct Qdisc *sch, struct sk_buff *skb, struct sk_buff **to_free)
{
	netdev_features_t features = netif_skb_features(skb) & ~NETIF_F_GSO_MASK;
	u32 before = qdisc_skb_cb(skb)->pkt_len, bytes = 0;
	struct sk_buff *segs, *next;
	int nr = 0;

	segs = skb_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segs))
		return qdisc_drop(skb, sch, to_free);
	skb_list_walk_safe(segs, segs, next) {
		skb_mark_not_on_list(segs);
		qdisc_skb_cb(segs)->pkt_len = segs->len;
		bytes += segs->len;
		nr++;
		add(sch, segs);
	}
	qdisc_tree_reduce_backlog(sch, 1 - nr, before - bytes);
	consume_skb(skb);
	return NET_XMIT_SUCCESS;
}

static int enqueue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct homa_sched *q = qdisc_priv(sch);
	u32 mbps = homa_link_mbps(q->net, q->link);

	if (sch->q.qlen >= LIMIT)
		return qdisc_drop(skb, sch, to_free);
	if (mbps && skb_is_gso(skb) && skb->len > homa_pacer_chunk(mbps))
		return cut(sch, skb, to_free);
	add(sch, skb);
	return NET_XMIT_SUCCESS;
}

/* ------------------------------------------------------------------ out */

/* How long until the device may have more of what can wait; 0: now. */
static u64 wait_for_room(const struct homa_sched *q, u32 mbps)
{
	u64 max = (u64)mbps * homa_knob(q->net, max_nic_queue_usecs) / 8;
	u64 queued = homa_link_queued(q->link), wait;

	if (!mbps)
		return 0;
	wait = homa_pacer_wait_ns(atomic64_read(&q->link->pacer.idle_at), ktime_get_ns(),
				  homa_knob(q->net, max_nic_est_backlog_usecs) * NSEC_PER_USEC);
	if (queued > max)
		wait = max(wait, homa_pacer_wire_ns(queued - max, 1, 0, mbps));
	return wait;
}

static struct sk_buff *take_waiting(struct homa_sched *q, u32 mbps, u32 quantum)
{
	bool homa = !RB_EMPTY_ROOT(&q->by_left.rb_root), others = !list_empty(&q->turns);
	bool is_homa = homa_qdisc_homa_next(q->ahead, homa, others);
	struct sk_buff *skb;
	u64 wait;

	if (!homa && !others)
		return NULL;
	wait = wait_for_room(q, mbps);
	if (wait) {
		qdisc_watchdog_schedule_ns(&q->watchdog, ktime_get_ns() + wait);
		return NULL;
	}
	skb = is_homa ? take_homa(q) : take_other(q, quantum);
	q->ahead = homa && others ? homa_qdisc_charge(q->ahead, is_homa, qdisc_skb_cb(skb)->pkt_len,
						      homa_knob(q->net, homa_share)) : 0;
	return skb;
}

static struct sk_buff *dequeue(struct Qdisc *sch)
{
	struct homa_sched *q = qdisc_priv(sch);
	u32 mbps = homa_link_mbps(q->net, q->link);
	struct sk_buff *skb;

	if (q->now.head)
		skb = take(&q->now);
	else
		skb = take_waiting(q, mbps, max_t(u32, psched_mtu(qdisc_dev(sch)), QUANTUM_LEAST));
	if (!skb)
		return NULL;
	if (mbps)
		homa_pacer_advance(&q->link->pacer, homa_pacer_buffer_ns(skb, mbps));
	sch->q.qlen--;
	qdisc_qstats_backlog_dec(sch, skb);
	qdisc_bstats_update(sch, skb);
	return skb;
}

/* ------------------------------------------------------------------ coming and going */

static void purge(struct flow *flow)
{
	rtnl_kfree_skbs(flow->head, flow->tail);
	flow->head = NULL;
}

static void reset(struct Qdisc *sch)
{
	struct homa_sched *q = qdisc_priv(sch);
	int i;

	qdisc_watchdog_cancel(&q->watchdog);
	if (!q->homa)
		return;
	purge(&q->now);
	for (i = 0; i < FLOWS; i++) {
		purge(&q->homa[i]);
		purge(&q->others[i]);
	}
	q->by_left = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&q->turns);
	q->ahead = 0;
	q->fifo_credit = 0;
	sch->q.qlen = 0;
	sch->qstats.backlog = 0;
}

/* What can be tuned is in net.homa. */
static int change(struct Qdisc *sch, struct nlattr *arg, struct netlink_ext_ack *extack)
{
	if (arg && nla_len(arg)) {
		NL_SET_ERR_MSG(extack, "homa takes no options: see sysctl net.homa");
		return -EINVAL;
	}
	return 0;
}

static int init(struct Qdisc *sch, struct nlattr *arg, struct netlink_ext_ack *extack)
{
	struct net_device *dev = qdisc_dev(sch);
	struct homa_sched *q = qdisc_priv(sch);
	int err = change(sch, arg, extack);

	/* destroy() is called also if this fails. */
	qdisc_watchdog_init(&q->watchdog, sch);
	INIT_LIST_HEAD(&q->turns);
	q->by_left = RB_ROOT_CACHED;
	q->net = homa_net(dev_net(dev));
	q->link = homa_link_get(q->net, dev->ifindex);
	if (err)
		return err;
	q->homa = kvcalloc(2 * FLOWS, sizeof(*q->homa), GFP_KERNEL);
	if (!q->homa)
		return -ENOMEM;
	q->others = q->homa + FLOWS;
	return 0;
}

static void destroy(struct Qdisc *sch)
{
	struct homa_sched *q = qdisc_priv(sch);

	qdisc_watchdog_cancel(&q->watchdog);
	kvfree(q->homa);
	if (q->link)
		homa_link_put(q->link);
}

static int dump(struct Qdisc *sch, struct sk_buff *skb)
{
	struct nlattr *options = nla_nest_start_noflag(skb, TCA_OPTIONS);

	return options ? nla_nest_end(skb, options) : -EMSGSIZE;
}

static struct Qdisc_ops ops = {
	.id = "homa",
	.priv_size = sizeof(struct homa_sched),
	.enqueue = enqueue,
	.dequeue = dequeue,
	.peek = qdisc_peek_dequeued,
	.init = init,
	.reset = reset,
	.destroy = destroy,
	.change = change,
	.dump = dump,
	.owner = THIS_MODULE,
};

bool homa_qdisc_is_on(const struct net_device *dev)
{
	return rcu_dereference(netdev_get_tx_queue(dev, 0)->qdisc)->ops == &ops;
}

int homa_qdisc_init(void)
{
	return register_qdisc(&ops);
}

void homa_qdisc_exit(void)
{
	unregister_qdisc(&ops);
}

MODULE_ALIAS("sch_homa");
MODULE_ALIAS("net-sch-homa");
