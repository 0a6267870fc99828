// SPDX-License-Identifier: GPL-2.0
/*
 * held.c - short messages that wait for those of the calls to come, so as to leave together.
 *
 * sendmmsg() says of all its messages but the last that more follow (MSG_BATCH). Those that fit into a
 * packet wait, and leave with the last, in as few buffers as possible (bundle.c), or when there are
 * enough, or a call fails or is about to sleep: nothing waits for what may not come soon.
 * If sendmmsg() fails before it has called us, they leave with the socket's next sendmsg, recvmsg, poll,
 * ioctl, option or shutdown; or the timers of their RPCs find that nobody knows of them.
 *
 * Owns hsk->held, and its lock, inside which nothing is taken. Process context, no lock held.
 */
#include <linux/netdevice.h>
#include <net/dst.h>

#include "bundle.h"
#include "counters.h"
#include "held.h"
#include "net.h"
#include "offload.h"
#include "send.h"

#define PACKETS_MAX	64
#define BUNDLE_BYTES	(32 * 1024)	/* for one device queue, one buffer should not be too much */

static u32 most_bytes(const struct homa_net *hn, const struct sk_buff *skb)
{
	u32 max = min_t(u32, homa_knob(hn, max_gso_size), BUNDLE_BYTES);

	return homa_offload_segs(skb_dst(skb)->dev, 1, max) > 1 ? max : 0;
}

static void hold(struct homa_sock *hsk, struct sk_buff *skb)
{
	struct sk_buff *last = skb_peek_tail(&hsk->held);

	hsk->nr_held++;
	if (last && homa_bundle_add(last, skb, most_bytes(hsk->net, last)))
		homa_count(hsk->net, bundled_packets);
	else
		__skb_queue_tail(&hsk->held, skb);
}

void homa_held_add(struct homa_sock *hsk, struct sk_buff_head *queue, bool more)
{
	struct sk_buff *skb;

	if (likely(!more && skb_queue_empty_lockless(&hsk->held))) {
		homa_flush(hsk->net, queue);
		return;
	}
	spin_lock_bh(&hsk->held.lock);
	while ((skb = __skb_dequeue(queue)))
		hold(hsk, skb);
	if (!more || hsk->nr_held >= PACKETS_MAX) {
		skb_queue_splice_init(&hsk->held, queue);
		hsk->nr_held = 0;
	}
	spin_unlock_bh(&hsk->held.lock);
	homa_flush(hsk->net, queue);
}

void homa_held_send_all(struct homa_sock *hsk)
{
	struct sk_buff_head none;

	__skb_queue_head_init(&none);
	homa_held_add(hsk, &none, false);
}
