/* SPDX-License-Identifier: GPL-2.0 */
/*
 * held.h - short messages that wait for those of the calls to come, so as to leave together.
 */
#ifndef P4HOMA_HELD_H
#define P4HOMA_HELD_H

#include <linux/skbuff.h>

#include "sock.h"

/* Packets of the socket, each a whole message: sends them, and those that wait; with `more` announced they
 * wait, too. No lock is held.
 */
void homa_held_add(struct homa_sock *hsk, struct sk_buff_head *queue, bool more);
void homa_held_send_all(struct homa_sock *hsk);

/* The calls that were announced do not come yet. No lock is held. */
static inline void homa_held_send(struct homa_sock *hsk)
{
	if (unlikely(!skb_queue_empty_lockless(&hsk->held)))
		homa_held_send_all(hsk);
}

#endif /* P4HOMA_HELD_H */
