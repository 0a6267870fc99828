/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recv.h - incoming packets.
 */
#ifndef P4HOMA_RECV_H
#define P4HOMA_RECV_H

#include <linux/types.h>

#include "sock.h"

struct sk_buff;

/* Callbacks for IP protocol 146: softirq, in an RCU read-side section. */
int homa_rcv(struct sk_buff *skb);
int homa_rcv6(struct sk_buff *skb);

void homa_unstall_now(struct homa_sock *hsk);

/* Room in the pool of the socket has become free: messages that waited for it get it, and their
 * senders are asked to send again. No lock is held.
 */
static inline void homa_unstall(struct homa_sock *hsk)
{
	/* Either we see who has begun to wait, or he, who comes here too then, sees the space that
	 * was given back before.
	 */
	smp_mb();
	if (READ_ONCE(hsk->nr_stalled))
		homa_unstall_now(hsk);
}

#endif /* P4HOMA_RECV_H */
