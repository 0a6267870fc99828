/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pacer.h - which message may give how much to a device that has a queue, and when.
 */
#ifndef P4HOMA_PACER_H
#define P4HOMA_PACER_H

#include <linux/hrtimer.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "shares.h"

/* With so few bytes left, a message does not wait for what others have given to the device; in the
 * queueing discipline, a packet of that length waits for nothing.
 */
#define HOMA_SHORT	1000

struct homa_link;
struct homa_net;
struct homa_rpc;
struct sk_buff;

/* Of one outgoing message. pacer->lock; `link` changes under rpc->lock too. */
struct homa_pacing {
	struct homa_link *link;	/* waits for it: reference, and one to the RPC; or NULL */
	struct homa_share *share;
	struct rb_node in_share;	/* by bytes left, then age */
	struct rb_node by_age;
	u64 since;		/* ns, when it began to wait for the first time; 0: never */
	u32 left;		/* bytes to send, granted or not */
	bool turn;		/* it has been chosen to send next */
};

/* Of one device. */
struct homa_pacer {
	spinlock_t lock;	/* BH, after rpc->lock, a leaf */
	struct homa_shares shares;	/* their queues: messages */
	struct rb_root_cached by_age;	/* messages, the oldest first */
	u32 nr;
	u64 fifo_credit;	/* thousandths of bytes that the oldest may send */
	u32 late_ns;		/* how late the timer comes; read without the lock */
	bool armed;
	u64 pause_until;	/* ns: for others in the device's queue, before the next chunk; 0: none */
	struct hrtimer timer;	/* while a message waits */
	atomic64_t idle_at;	/* ns: when what was given to the device will be on the wire */
};

void homa_pacer_init(struct homa_pacer *p);
/* No message is left in it. Sleeps. */
void homa_pacer_stop(struct homa_pacer *p);

/* rpc->lock is held. How far of [start, end) may be sent now; `start`: it waits, and the pacer will
 * call homa_send_granted().
 */
u32 homa_pacer_admit(struct homa_rpc *rpc, u32 start, u32 end);
/* rpc->lock is held: it has nothing to send any more. */
void homa_pacer_forget(struct homa_rpc *rpc);

/* A packet, complete, is given to IP. */
void homa_pacer_sent(struct homa_net *hn, const struct sk_buff *skb);
/* The device was given work for so long. Any context. */
void homa_pacer_advance(struct homa_pacer *p, u64 ns);
/* How long a buffer of anybody takes on the wire. */
u64 homa_pacer_buffer_ns(const struct sk_buff *skb, u32 mbps);

/* Decisions, on numbers only. */
u32 homa_pacer_chunk(u32 mbps);
u64 homa_pacer_wire_ns(u32 bytes, u32 segs, u32 headers, u32 mbps);
u64 homa_pacer_wait_ns(u64 idle_at, u64 now, u64 backlog_ns);
/* How late the timer comes, after one more was `sample_ns` late: what is late counts at once. */
u32 homa_pacer_late(u32 late_ns, s64 sample_ns);
/* How much work a device needs in hand, lest it idle until the timer comes. */
u64 homa_pacer_backlog_ns(u32 late_ns, u32 max_us);
/* The timer is exact enough for short messages to wait for it. */
bool homa_pacer_is_exact(u32 late_ns, u32 max_us);

#endif /* P4HOMA_PACER_H */
