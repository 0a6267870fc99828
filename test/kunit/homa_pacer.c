// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pacer: its reckoning as tables, and the whole of it with a device that exists only as a number:
 * fewest bytes left first, the device never far behind, the oldest not forgotten, tenants by weight,
 * no message lost, whatever dies in between.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include "../../module/pacer.c"
#include "../../module/shares.c"

unsigned int homa_net_id;

#define MBPS	20		/* a chunk, of CHUNK_MIN bytes, takes 400 us */
#define CHUNK_NS	(CHUNK_MIN * 8000ull / MBPS)
#define MESSAGES	64

static struct homa_link the_link;
static struct homa_net *the_net;
static u64 the_queued;		/* bytes, by the device's own count */
static u64 worst_backlog;
static struct homa_rpc *done[MESSAGES];
static atomic_t nr_done;
static u32 sent_of[3];		/* by tenant, while both have something */
static struct homa_rpc *watched;
static u32 watched_sent;	/* when 40 messages were done */

struct homa_link *homa_link_find(struct homa_net *hn, int ifindex)
{
	return &the_link;
}

struct net_device *homa_link_below(const struct net_device *dev, struct homa_link **link)
{
	return NULL;
}

struct homa_net *homa_link_net(const struct homa_link *link)
{
	return the_net;
}

void homa_link_put(struct homa_link *link)
{
	refcount_dec(&link->refs);
}

u64 homa_link_queued(const struct homa_link *link)
{
	return the_queued;
}

bool homa_qdisc_is_on(const struct net_device *dev)
{
	return false;
}

void homa_rpc_put(struct homa_rpc *rpc)
{
	refcount_dec(&rpc->refs);
}

void homa_send_granted(struct homa_rpc *rpc)
{
	struct homa_msg_out *out = &rpc->out;
	bool more = true;

	while (more) {
		u32 end;

		spin_lock_bh(&rpc->lock);
		end = out->sent;
		if (rpc->state != HOMA_DEAD && out->sent < out->granted)
			end = homa_pacer_admit(rpc, out->sent, out->granted);
		more = end > out->sent;
		if (more) {
			u64 wait;

			homa_pacer_advance(&the_link.pacer,
					   div_u64((u64)(end - out->sent) * 8000, MBPS));
			wait = homa_pacer_wait_ns(atomic64_read(&the_link.pacer.idle_at),
						  ktime_get_ns(), 0);
			if (out->length - out->sent > 100)
				worst_backlog = max(worst_backlog, wait);
			if (atomic_read(&nr_done) < 2)
				sent_of[rpc->tenant_id] += end - out->sent;
			out->sent = end;
			if (watched && atomic_read(&nr_done) == 40)
				watched_sent = watched->out.sent;
			if (end == out->length)
				done[atomic_fetch_inc(&nr_done)] = rpc;
		}
		spin_unlock_bh(&rpc->lock);
	}
}

static int has_queue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	return 0;
}

struct rig {
	struct homa_net hn;
	struct homa_tenants tenants;
	struct homa_tenant tenant[2];
	struct Qdisc qdisc;
	struct netdev_queue txq;
	struct net_device dev;
	struct dst_entry dst;
	struct homa_route route;
	struct homa_peer peer;
	struct homa_rpc *rpc[MESSAGES];
};

static struct rig *make(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	the_net = &rig->hn;
	rig->hn.tenants = &rig->tenants;
	rig->hn.counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)rig->hn.counters);
	rig->hn.has_paced = true;
	rig->hn.knobs.defer_min_bytes = 100;
	rig->hn.knobs.max_nic_est_backlog_usecs = 400;
	rig->hn.knobs.max_nic_queue_usecs = 1000;
	xa_init(&rig->tenants.by_id);
	for (i = 0; i < 2; i++) {
		rig->tenant[i].conf.weight = 100;
		xa_store(&rig->tenants.by_id, i + 1, &rig->tenant[i], GFP_KERNEL);
	}
	rig->qdisc.enqueue = has_queue;
	rcu_assign_pointer(rig->txq.qdisc, &rig->qdisc);
	rig->dev._tx = &rig->txq;
	rig->dev.num_tx_queues = 1;
	rig->dst.dev = &rig->dev;
	rig->route.dst = &rig->dst;
	rcu_assign_pointer(rig->peer.route, &rig->route);
	memset(&the_link, 0, sizeof(the_link));
	the_link.mbps = MBPS;
	refcount_set(&the_link.refs, 1);
	homa_pacer_init(&the_link.pacer);
	the_link.pacer.late_ns = 199 * NSEC_PER_USEC;	/* the backlog, nearly */
	for (i = 0; i < MESSAGES; i++) {
		struct homa_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rpc);
		rpc->net = &rig->hn;
		rpc->peer = &rig->peer;
		rpc->state = HOMA_OUTGOING;
		refcount_set(&rpc->refs, 1);
		spin_lock_init(&rpc->lock);
		rig->rpc[i] = rpc;
	}
	atomic_set(&nr_done, 0);
	worst_backlog = 0;
	memset(sent_of, 0, sizeof(sent_of));
	return rig;
}

static void unmake(struct kunit *test, struct rig *rig)
{
	int i;

	homa_pacer_stop(&the_link.pacer);
	KUNIT_EXPECT_EQ(test, the_link.pacer.nr, 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&the_link.pacer.by_age.rb_root));
	KUNIT_EXPECT_PTR_EQ(test, homa_share_first(&the_link.pacer.shares), NULL);
	KUNIT_EXPECT_EQ(test, refcount_read(&the_link.refs), 1);
	for (i = 0; i < MESSAGES; i++)
		KUNIT_EXPECT_EQ(test, refcount_read(&rig->rpc[i]->refs), 1);
	free_percpu(rig->hn.counters);
	xa_destroy(&rig->tenants.by_id);
}

static void send(struct homa_rpc *rpc, u32 length)
{
	rpc->out.length = length;
	rpc->out.granted = length;
	homa_send_granted(rpc);
}

static void wait_for(struct kunit *test, int nr)
{
	int i;

	for (i = 0; i < 2000 && atomic_read(&nr_done) < nr; i++)
		msleep(1);
	KUNIT_ASSERT_EQ(test, atomic_read(&nr_done), nr);
}

static void reckoning(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, homa_pacer_chunk(10000), 6250);
	KUNIT_EXPECT_EQ(test, homa_pacer_chunk(1000), CHUNK_MIN);
	KUNIT_EXPECT_EQ(test, homa_pacer_chunk(100000), 62500);
	KUNIT_EXPECT_EQ(test, homa_pacer_chunk(U32_MAX), CHUNK_MAX);
	KUNIT_EXPECT_EQ(test, homa_pacer_wire_ns(1500, 1, 76, 10000), 1542 * 8 / 10);
	KUNIT_EXPECT_EQ(test, homa_pacer_wire_ns(10, 1, 76, 1000), 84 * 8);
	KUNIT_EXPECT_EQ(test, homa_pacer_wire_ns(76 + 4 * 1424, 4, 76, 1000), 4 * 1542 * 8);
	KUNIT_EXPECT_EQ(test, homa_pacer_wait_ns(10000, 4000, 5000), 1000);
	KUNIT_EXPECT_EQ(test, homa_pacer_wait_ns(9000, 4000, 5000), 0);
	KUNIT_EXPECT_EQ(test, homa_pacer_wait_ns(0, 4000, 5000), 0);
	/* A late turn counts at once, and is forgotten slowly. */
	KUNIT_EXPECT_EQ(test, homa_pacer_late(0, 300), 300);
	KUNIT_EXPECT_EQ(test, homa_pacer_late(6400, 300), 6300);
	KUNIT_EXPECT_EQ(test, homa_pacer_late(6400, -1), 6300);
	KUNIT_EXPECT_EQ(test, homa_pacer_late(6400, S64_MAX), LATE_MAX_NS);
	KUNIT_EXPECT_EQ(test, homa_pacer_late(50, 0), 50);
	/* The device has work for twice as long, between a packet and what the knob says. */
	KUNIT_EXPECT_EQ(test, homa_pacer_backlog_ns(0, 5), BACKLOG_LEAST_NS);
	KUNIT_EXPECT_EQ(test, homa_pacer_backlog_ns(700, 5), 1400);
	KUNIT_EXPECT_EQ(test, homa_pacer_backlog_ns(LATE_MAX_NS, 5), 5000);
	KUNIT_EXPECT_EQ(test, homa_pacer_backlog_ns(0, 1), BACKLOG_LEAST_NS);
	KUNIT_EXPECT_TRUE(test, homa_pacer_is_exact(2499, 5));
	KUNIT_EXPECT_FALSE(test, homa_pacer_is_exact(2500, 5));
	KUNIT_EXPECT_FALSE(test, homa_pacer_is_exact(LATE_MAX_NS, 5));
}

static void set_bytes(struct sk_buff *skb, u32 bytes)
{
	skb_trim(skb, 0);
	skb_put(skb, bytes);
}

static u64 as_frames(u32 nr, u32 bytes)
{
	return nr * homa_pacer_wire_ns(bytes, 1, 0, 1000);
}

/* A buffer takes as long as the frames that it is cut into, whoever looks: IP sees it from its own header
 * on, a queueing discipline from the frame's.
 */
static void buffers(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN + 20 + 60000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, ETH_HLEN);
	skb_put_zero(skb, 20 + 60000);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, 20);
	set_bytes(skb, 20 + 56 + 1424);
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(1, 1500));
	set_bytes(skb, 20 + 56 + 4 * 1424);
	skb_shinfo(skb)->gso_segs = 4;
	skb_shinfo(skb)->gso_type = SKB_GSO_SCTP;
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 1500));
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;	/* as homa_offload_shape() does */
	tcp_hdr(skb)->doff = 14;
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 1500));
	__skb_push(skb, ETH_HLEN);
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 1500));
	set_bytes(skb, ETH_HLEN + 20 + 32 + 4 * 1448);	/* TCP's own */
	tcp_hdr(skb)->doff = 8;
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 1500));
	set_bytes(skb, ETH_HLEN + 20 + 8 + 4 * 1200);
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 1228));
	/* Of somebody who says that it is TCP, and not where that begins. */
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
	skb->transport_header = (typeof(skb->transport_header))~0U;
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000),
			homa_pacer_wire_ns(20 + 8 + 4 * 1200, 4, 0, 1000));
	skb_set_transport_header(skb, ETH_HLEN + 20);
	/* Each message of a bundle has its header. */
	set_bytes(skb, ETH_HLEN + 20 + 4 * (56 + 300));
	skb_shinfo(skb)->gso_type = SKB_GSO_SCTP;
	skb_shinfo(skb)->frag_list = alloc_skb(100, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, homa_pacer_buffer_ns(skb, 1000), as_frames(4, 20 + 56 + 300));
	kfree_skb(skb);
}

static void fewest_left_first(struct kunit *test)
{
	static const u32 length[] = { 20000, 9000, 15000, 12000, 100, 3000 };
	static const int order[] = { 4, 5, 1, 3, 2, 0 };
	struct rig *rig = make(test);
	int i;

	/* All are there before the timer can run, however slow this machine is. */
	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(length); i++)
		send(rig->rpc[i], length[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 1);	/* the short one has not waited */
	local_bh_enable();
	wait_for(test, ARRAY_SIZE(length));
	for (i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_EXPECT_PTR_EQ(test, done[i], rig->rpc[order[i]]);
	/* What may be there, a chunk, and the one short message that nobody held back. */
	KUNIT_EXPECT_LE(test, worst_backlog, 400 * NSEC_PER_USEC + 2 * CHUNK_NS);
	unmake(test, rig);
}

/* Where a device is paced, the shortest waits as well, and goes first; a knob lets it pass. */
static void short_ones_wait_too(struct kunit *test)
{
	struct rig *rig = make(test);

	rig->hn.knobs.defer_min_bytes = 0;
	send(rig->rpc[0], 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 1);	/* there was room */
	local_bh_disable();
	send(rig->rpc[1], 9000);
	send(rig->rpc[2], 500);
	send(rig->rpc[3], 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 1);
	rig->hn.knobs.defer_min_bytes = 10;
	send(rig->rpc[4], 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 2);
	/* Not where the timer may come later than the device is done. */
	rig->hn.knobs.defer_min_bytes = 0;
	the_link.pacer.late_ns = LATE_MAX_NS;
	send(rig->rpc[5], 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 3);
	local_bh_enable();
	wait_for(test, 6);
	KUNIT_EXPECT_PTR_EQ(test, done[3], rig->rpc[3]);
	KUNIT_EXPECT_PTR_EQ(test, done[4], rig->rpc[2]);
	KUNIT_EXPECT_PTR_EQ(test, done[5], rig->rpc[1]);
	unmake(test, rig);
}

/* Others fill the device. A long message makes a pause, which short ones neither wait for nor prolong. */
static void pauses_for_others(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->hn.knobs.defer_min_bytes = 0;
	rig->hn.knobs.max_nic_queue_usecs = 100000;
	rig->hn.knobs.pacer_fifo_fraction = 0;
	the_queued = U32_MAX;
	local_bh_disable();
	send(rig->rpc[0], CHUNK_MIN + 10);
	/* By our reckoning there is no room for the first of them. */
	homa_pacer_advance(&the_link.pacer, 3 * NSEC_PER_MSEC);
	send(rig->rpc[1], 10);
	local_bh_enable();
	for (i = 2; i < 22; i++) {
		msleep(10);
		if (i == 4)
			KUNIT_EXPECT_PTR_EQ(test, done[0], rig->rpc[1]);
		send(rig->rpc[i], 10);
	}
	KUNIT_EXPECT_GT(test, rig->rpc[0]->out.sent, 0);
	the_queued = 0;
	wait_for(test, 22);
	unmake(test, rig);
}

static void a_newcomer_gets_ahead(struct kunit *test)
{
	struct rig *rig = make(test);

	send(rig->rpc[0], 200000);
	msleep(5);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 0);
	send(rig->rpc[1], 2000);
	wait_for(test, 2);
	KUNIT_EXPECT_PTR_EQ(test, done[0], rig->rpc[1]);
	unmake(test, rig);
}

/* Short ones keep coming; a fifth of the bytes go to the long one all the same. */
static void oldest_gets_its_part(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->hn.knobs.pacer_fifo_fraction = 200;
	watched = rig->rpc[0];
	send(rig->rpc[0], 60000);
	for (i = 1; i < 61; i++)
		send(rig->rpc[i], 2 * CHUNK_MIN + 10);	/* the last few need not wait, if timers are late */
	wait_for(test, 61);
	watched = NULL;
	KUNIT_EXPECT_GT(test, watched_sent, 12000);
	KUNIT_EXPECT_LT(test, watched_sent, 40000);
	unmake(test, rig);
}

/* Its part is one of bytes, however short the others are. */
static void oldest_beside_short_ones(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->hn.knobs.pacer_fifo_fraction = 200;
	watched = rig->rpc[0];
	local_bh_disable();
	send(rig->rpc[0], 60000);
	for (i = 1; i < 61; i++)
		send(rig->rpc[i], 300);
	local_bh_enable();
	wait_for(test, 61);
	watched = NULL;
	/* 2000 at once, and a fifth of 12000 or so; a fifth of the turns would be 8000. */
	KUNIT_EXPECT_GT(test, watched_sent, 1000);
	KUNIT_EXPECT_LT(test, watched_sent, 5000);
	unmake(test, rig);
}

static void tenants_by_weight(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->tenant[1].conf.weight = 300;
	local_bh_disable();
	for (i = 0; i < 10; i++) {
		rig->rpc[i]->tenant_id = 1 + i % 2;
		send(rig->rpc[i], i % 2 ? 30000 : 10000);
	}
	local_bh_enable();
	wait_for(test, 10);
	KUNIT_EXPECT_GT(test, sent_of[2] * 10, sent_of[1] * 20);
	KUNIT_EXPECT_LT(test, sent_of[2] * 10, sent_of[1] * 40);
	unmake(test, rig);
}

/* Weights are of the wire: many short messages of one tenant are not cheaper than long ones of another. */
static void tenants_pay_headers(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->hn.knobs.defer_min_bytes = 0;
	rig->hn.knobs.pacer_fifo_fraction = 0;
	watched = rig->rpc[0];
	local_bh_disable();
	rig->rpc[0]->tenant_id = 1;
	send(rig->rpc[0], 20000);
	for (i = 1; i < 51; i++) {
		rig->rpc[i]->tenant_id = 2;
		send(rig->rpc[i], 10);
	}
	local_bh_enable();
	wait_for(test, 51);
	watched = NULL;
	/* 40 times 128 bytes are its part as well, and it may have had 2000 before. */
	KUNIT_EXPECT_GT(test, watched_sent, 3500);
	KUNIT_EXPECT_LT(test, watched_sent, 8500);
	unmake(test, rig);
}

static void death_while_waiting(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	for (i = 0; i < 30; i++)
		send(rig->rpc[i], 2000 + i);
	for (i = 0; i < 30; i += 2) {
		spin_lock_bh(&rig->rpc[i]->lock);
		if (rig->rpc[i]->out.sent < rig->rpc[i]->out.length) {
			rig->rpc[i]->state = HOMA_DEAD;
			atomic_inc(&nr_done);
		}
		homa_pacer_forget(rig->rpc[i]);
		homa_pacer_forget(rig->rpc[i]);
		spin_unlock_bh(&rig->rpc[i]->lock);
	}
	wait_for(test, 30);
	unmake(test, rig);
}

/* The device is taken away, or its queue is: nobody waits for ever. */
static void nothing_to_wait_for(struct kunit *test)
{
	struct rig *rig = make(test);

	send(rig->rpc[0], 60000);
	send(rig->rpc[1], 60000);
	WRITE_ONCE(the_link.mbps, 0);
	wait_for(test, 2);
	WRITE_ONCE(the_link.mbps, MBPS);
	rig->qdisc.enqueue = NULL;
	send(rig->rpc[2], 500000);
	KUNIT_EXPECT_EQ(test, atomic_read(&nr_done), 3);
	unmake(test, rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reckoning),
	KUNIT_CASE(buffers),
	KUNIT_CASE(fewest_left_first),
	KUNIT_CASE(short_ones_wait_too),
	KUNIT_CASE(pauses_for_others),
	KUNIT_CASE(a_newcomer_gets_ahead),
	KUNIT_CASE(oldest_gets_its_part),
	KUNIT_CASE(oldest_beside_short_ones),
	KUNIT_CASE(tenants_by_weight),
	KUNIT_CASE(tenants_pay_headers),
	KUNIT_CASE(death_while_waiting),
	KUNIT_CASE(nothing_to_wait_for),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_pacer",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
