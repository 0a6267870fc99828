// SPDX-License-Identifier: GPL-2.0
/*
 * pacer.c - keeps the queue of a device short, so that it is here that messages wait, where the one
 * with the fewest bytes left goes first.
 *
 * For each device that has a queue and says how fast it is, we reckon when it will be done with all
 * that we gave it. While that is too far ahead, messages with more than defer_min_bytes left wait; others
 * never do, but are counted. A message sends a chunk at a time, so that no short one finds much in front
 * of it. Tenants send by weight (shares.c); pacer_fifo_fraction of what is sent comes from the oldest
 * message.
 *
 * There is no thread: a timer runs when there will be room, and only while a message waits. How much the
 * device has in hand then, and a chunk has, is what it needs until the timer comes, which we
 * measure: at most max_nic_est_backlog_usecs. Where it needs that much, short messages wait in the device,
 * as its queue is shorter than their wait for the timer would be. A device that tells how many bytes it has (byte queue
 * limits) is given a pause when others have filled it, one in front of each chunk of all but short
 * messages: so we neither add to a full queue nor starve.
 *
 * Devices without a queue (veth, loopback, bridges) are not paced, neither are those that have our
 * own queueing discipline, qdisc.c.
 *
 * Entered from send.c with rpc->lock, and from the timer. Lock: pacer->lock, BH, a leaf.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "link.h"
#include "net.h"
#include "pacer.h"
#include "peer.h"
#include "qdisc.h"
#include "rpc.h"
#include "send.h"

#define FRAME_BYTES	42	/* Ethernet header with tag, preamble, checksum, gap */
#define FRAME_MIN	84	/* on the wire */
#define PACKET		1424	/* bytes of a message, and the headers in front of them: about */
#define HEADERS		76
#define CHUNK_US	5
#define CHUNK_MIN	1000
#define CHUNK_MAX	65536
#define TURNS		16	/* at a time, before others on this CPU get theirs */
#define BACKLOG_LEAST_NS 500	/* some packet should be there when the one before it has gone */
#define LATE_MAX_NS	1000000
#define LATE_FADES	64	/* turns after which a late one is half forgotten, roughly */

/* ------------------------------------------------------------------ decisions */

u32 homa_pacer_chunk(u32 mbps)
{
	return clamp_t(u64, (u64)mbps * CHUNK_US / 8, CHUNK_MIN, CHUNK_MAX);
}

/* `bytes` from the IP header on, that become `segs` packets with `headers` bytes before the data. */
u64 homa_pacer_wire_ns(u32 bytes, u32 segs, u32 headers, u32 mbps)
{
	u64 wire = (u64)bytes + segs * FRAME_BYTES + (segs - 1) * headers;

	return div_u64(max_t(u64, wire, FRAME_MIN) * 8000, mbps);
}

/* Bytes, from the IP header on, that each packet cut from a buffer has in front of its data, beyond those
 * that are in it. The messages of a bundle bring their own Homa headers.
 */
static u32 headers_of(const struct sk_buff *skb)
{
	const struct tcphdr *tcp;
	struct tcphdr buf;
	u32 ip;

	/* What programs hand to a device as it is may claim to be anything. */
	if (skb_shinfo(skb)->gso_segs <= 1 || !skb_transport_header_was_set(skb))
		return 0;
	ip = skb_network_header_len(skb);
	if (skb_is_gso_tcp(skb)) {	/* or DATA that is to be cut as if it were: knob `tso` */
		tcp = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf), &buf);
		return tcp ? ip + __tcp_hdrlen(tcp) : ip;
	}
	if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4)
		return ip + sizeof(struct udphdr);
	return skb_has_frag_list(skb) ? ip : ip + sizeof(struct p4w_data);
}

u64 homa_pacer_buffer_ns(const struct sk_buff *skb, u32 mbps)
{
	return homa_pacer_wire_ns(skb->len - skb_network_offset(skb),
				  max_t(u32, skb_shinfo(skb)->gso_segs, 1), headers_of(skb), mbps);
}

u64 homa_pacer_wait_ns(u64 idle_at, u64 now, u64 backlog_ns)
{
	u64 from = now + backlog_ns;

	return idle_at > from ? idle_at - from : 0;
}

u32 homa_pacer_late(u32 late_ns, s64 sample_ns)
{
	return clamp_t(s64, sample_ns, late_ns - late_ns / LATE_FADES, LATE_MAX_NS);
}

u64 homa_pacer_backlog_ns(u32 late_ns, u32 max_us)
{
	return clamp_t(u64, 2ull * late_ns, BACKLOG_LEAST_NS, (u64)max_us * NSEC_PER_USEC);
}

bool homa_pacer_is_exact(u32 late_ns, u32 max_us)
{
	return 2ull * late_ns < (u64)max_us * NSEC_PER_USEC;
}

/* ------------------------------------------------------------------ devices */

static bool is_paced(const struct net_device *dev)
{
	return homa_dev_has_queue(dev) && !homa_qdisc_is_on(dev);
}

/* RCU. NULL: this device is not paced. */
static struct homa_link *paced_link(struct homa_net *hn, const struct net_device *dev, u32 *mbps)
{
	struct homa_link *link;

	if (likely(!is_paced(dev) && list_empty(&dev->adj_list.lower)))
		return NULL;
	link = homa_link_find(hn, dev->ifindex);
	if (!link)
		return NULL;
	if (!is_paced(dev)) {
		dev = homa_link_below(dev, &link);
		if (!dev || !is_paced(dev))
			return NULL;
	}
	*mbps = homa_link_mbps(hn, link);
	return *mbps ? link : NULL;
}

void homa_pacer_advance(struct homa_pacer *p, u64 ns)
{
	s64 old = atomic64_read(&p->idle_at), new;
	u64 now = ktime_get_ns();

	do {
		new = max_t(u64, old, now) + ns;
	} while (!atomic64_try_cmpxchg(&p->idle_at, &old, new));
}

void homa_pacer_sent(struct homa_net *hn, const struct sk_buff *skb)
{
	struct homa_link *link;
	u32 mbps;

	rcu_read_lock();
	link = paced_link(hn, skb_dst(skb)->dev, &mbps);
	if (link) {
		if (!READ_ONCE(hn->has_paced))
			WRITE_ONCE(hn->has_paced, true);
		homa_pacer_advance(&link->pacer, homa_pacer_buffer_ns(skb, mbps));
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------------ who waits */

static struct homa_rpc *rpc_of(struct homa_pacing *m)
{
	return container_of(m, struct homa_rpc, pacing);
}

static bool is_before(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_pacing *x = rb_entry(a, struct homa_pacing, in_share);
	const struct homa_pacing *y = rb_entry(b, struct homa_pacing, in_share);

	return x->left != y->left ? x->left < y->left : x->since < y->since;
}

static bool is_older(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct homa_pacing, by_age)->since <
	       rb_entry(b, struct homa_pacing, by_age)->since;
}

/* False: the device has just gone. */
static bool start_waiting(struct homa_link *link, struct homa_pacing *m, u32 left)
{
	struct homa_rpc *rpc = rpc_of(m);
	struct homa_pacer *p = &link->pacer;

	if (!homa_link_hold(link))
		return false;
	homa_rpc_get(rpc);
	m->link = link;
	m->left = left;
	m->share = homa_share_join(&p->shares, rpc->net, rpc->tenant_id);
	if (!m->since)
		m->since = ktime_get_ns();
	rb_add_cached(&m->by_age, &p->by_age, is_older);
	rb_add_cached(&m->in_share, &m->share->queue, is_before);
	homa_share_wait(&p->shares, m->share);
	p->nr++;
	return true;
}

/* The references become the caller's. */
static void stop_waiting(struct homa_pacer *p, struct homa_pacing *m)
{
	rb_erase_cached(&m->in_share, &m->share->queue);
	if (RB_EMPTY_ROOT(&m->share->queue.rb_root))
		homa_share_rest(&p->shares, m->share);
	homa_share_leave(&p->shares, m->share);
	rb_erase_cached(&m->by_age, &p->by_age);
	m->link = NULL;
	p->nr--;
}

/* What a tenant pays for so many bytes: most of a short message is what is around it. */
static u32 price(u32 bytes)
{
	return bytes + DIV_ROUND_UP(bytes, PACKET) * (HEADERS + FRAME_BYTES);
}

/* The message with the fewest bytes left, of the tenant whose turn it is; one waits. */
static struct homa_pacing *shortest(const struct homa_pacer *p)
{
	const struct homa_share *share = homa_share_first(&p->shares);

	return rb_entry(rb_first_cached(&share->queue), struct homa_pacing, in_share);
}

static struct homa_pacing *choose(struct homa_net *hn, struct homa_pacer *p, u32 chunk)
{
	struct homa_pacing *m = shortest(p);
	u32 bytes;

	if (p->fifo_credit >= (u64)chunk * 1000) {
		p->fifo_credit -= (u64)chunk * 1000;
		m = rb_entry(rb_first_cached(&p->by_age), struct homa_pacing, by_age);
	}
	bytes = min(chunk, m->left);
	p->fifo_credit += (u64)bytes * homa_knob(hn, pacer_fifo_fraction);
	homa_share_charge(&p->shares, m->share, price(bytes));
	return m;
}

static void arm_again(struct homa_pacer *p, u64 wait_ns)
{
	p->armed = true;
	hrtimer_start(&p->timer, ns_to_ktime(wait_ns), HRTIMER_MODE_REL_SOFT);
}

static void arm(struct homa_pacer *p, u64 wait_ns)
{
	if (!p->armed)
		arm_again(p, wait_ns);
}

static u64 backlog_ns(struct homa_net *hn, const struct homa_pacer *p)
{
	return homa_pacer_backlog_ns(READ_ONCE(p->late_ns), homa_knob(hn, max_nic_est_backlog_usecs));
}

/* How long until the device has little enough to do, by our reckoning. */
static u64 wait_for_device(struct homa_net *hn, const struct homa_pacer *p)
{
	return homa_pacer_wait_ns(atomic64_read(&p->idle_at), ktime_get_ns(), backlog_ns(hn, p));
}

/* What a message sends at a time: as much as the device should have in hand. */
static u32 chunk_of(struct homa_net *hn, const struct homa_pacer *p, u32 mbps)
{
	return clamp_t(u64, div_u64(backlog_ns(hn, p) * mbps, 8000), CHUNK_MIN, homa_pacer_chunk(mbps));
}

/* How long until there is room for a chunk, or for a message with `left` bytes; 0: there is. */
static u64 wait_for_room(struct homa_net *hn, struct homa_link *link, u32 mbps, u32 left)
{
	struct homa_pacer *p = &link->pacer;
	u64 wait = wait_for_device(hn, p);
	u32 pause_us = homa_knob(hn, max_nic_queue_usecs);

	if (wait || left <= HOMA_SHORT)
		return wait;
	if (p->pause_until)
		return homa_pacer_wait_ns(p->pause_until, ktime_get_ns(), 0);
	if (homa_link_queued(link) <= (u64)mbps * pause_us / 8)
		return 0;
	p->pause_until = ktime_get_ns() + pause_us * NSEC_PER_USEC;
	return pause_us * NSEC_PER_USEC;
}

/* A short message, and nothing that it would have to wait for, or a timer for which it would wait longer than
 * for what the device has. Racy: one too many does no harm.
 */
static bool may_pass(const struct homa_rpc *rpc, const struct homa_pacer *p, u32 left)
{
	u32 max_us = homa_knob(rpc->net, max_nic_est_backlog_usecs);

	if (left > HOMA_SHORT || rpc->pacing.link || rpc->pacing.turn)
		return false;
	return !homa_pacer_is_exact(READ_ONCE(p->late_ns), max_us) ||
	       (!READ_ONCE(p->nr) && !wait_for_device(rpc->net, p));
}

static noinline u32 admit_paced(struct homa_rpc *rpc, u32 start, u32 end)
{
	struct homa_pacing *m = &rpc->pacing;
	u32 left = rpc->out.length - start;
	struct homa_link *link = NULL;
	const struct homa_route *route;
	u64 wait = 0;		/* while others wait, the timer is armed */
	u32 mbps;

	rcu_read_lock();
	route = rcu_dereference(rpc->peer->route);
	if (route)
		link = paced_link(rpc->net, route->dst->dev, &mbps);
	if (!link || may_pass(rpc, &link->pacer, left))
		goto unlock;
	spin_lock_bh(&link->pacer.lock);
	if (!m->link && !m->turn && !link->pacer.nr)
		wait = wait_for_room(rpc->net, link, mbps, left);
	if (m->link) {
		end = start;		/* its turn will come */
	} else if (m->turn || (!link->pacer.nr && !wait)) {
		m->turn = false;
		/* Short ones leave the pause to those who make it, or these would begin it anew for ever. */
		if (left > HOMA_SHORT)
			link->pacer.pause_until = 0;
		end = min(end, start + chunk_of(rpc->net, &link->pacer, mbps));
	} else if (start_waiting(link, m, left)) {
		end = start;
		if (left <= HOMA_SHORT && link->pacer.pause_until)	/* that is not for it */
			arm_again(&link->pacer, wait_for_device(rpc->net, &link->pacer));
		else
			arm(&link->pacer, wait);
		homa_count(rpc->net, pacer_waits);
	}
	spin_unlock_bh(&link->pacer.lock);
unlock:
	rcu_read_unlock();
	return end;
}

u32 homa_pacer_admit(struct homa_rpc *rpc, u32 start, u32 end)
{
	u32 left = rpc->out.length - start;

	lockdep_assert_held(&rpc->lock);
	if (left <= homa_knob(rpc->net, defer_min_bytes))
		return end;
	if (left <= HOMA_SHORT && !READ_ONCE(rpc->net->has_paced))
		return end;
	return admit_paced(rpc, start, end);
}

void homa_pacer_forget(struct homa_rpc *rpc)
{
	struct homa_link *link = rpc->pacing.link;
	bool waited = false;

	lockdep_assert_held(&rpc->lock);
	if (likely(!link))
		return;
	spin_lock_bh(&link->pacer.lock);
	/* Else the timer has it in hand. */
	if (rpc->pacing.link) {
		stop_waiting(&link->pacer, &rpc->pacing);
		waited = true;
	}
	spin_unlock_bh(&link->pacer.lock);
	if (!waited)
		return;
	homa_link_put(link);
	homa_rpc_put(rpc);
}

/* The message whose turn it is, with the references that it had while it waited; NULL: none yet. */
static struct homa_rpc *next_turn(struct homa_link *link)
{
	struct homa_net *hn = homa_link_net(link);
	struct homa_pacer *p = &link->pacer;
	struct homa_pacing *m = NULL;
	/* Its speed may be gone with the device: then nobody waits for it any longer. */
	u32 mbps = homa_link_mbps(hn, link);
	u64 wait;

	spin_lock_bh(&p->lock);
	p->armed = false;
	if (p->nr) {
		wait = mbps ? wait_for_room(hn, link, mbps, shortest(p)->left) : 0;
		if (wait)
			arm(p, wait);
		else
			m = choose(hn, p, chunk_of(hn, p, mbps));
	}
	if (m) {
		stop_waiting(p, m);
		m->turn = true;
	}
	spin_unlock_bh(&p->lock);
	return m ? rpc_of(m) : NULL;
}

static enum hrtimer_restart there_is_room(struct hrtimer *timer)
{
	struct homa_pacer *p = container_of(timer, struct homa_pacer, timer);
	struct homa_link *link = container_of(p, struct homa_link, pacer);
	struct homa_rpc *rpc;
	int turns = TURNS;

	WRITE_ONCE(p->late_ns, homa_pacer_late(p->late_ns, ktime_get_ns() -
					       ktime_to_ns(hrtimer_get_expires(timer))));
	while (turns-- && (rpc = next_turn(link))) {
		homa_send_granted(rpc);
		homa_rpc_put(rpc);
		homa_link_put(link);
	}
	spin_lock_bh(&p->lock);
	if (p->nr)
		arm(p, 0);
	spin_unlock_bh(&p->lock);
	return HRTIMER_NORESTART;
}

void homa_pacer_init(struct homa_pacer *p)
{
	spin_lock_init(&p->lock);
	homa_shares_init(&p->shares);
	p->by_age = RB_ROOT_CACHED;
	p->late_ns = LATE_MAX_NS;	/* until we know */
	hrtimer_init(&p->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	p->timer.function = there_is_room;
}

void homa_pacer_stop(struct homa_pacer *p)
{
	hrtimer_cancel(&p->timer);
	homa_shares_exit(&p->shares);
}
