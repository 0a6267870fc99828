/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recv.h - incoming packets.
 */
#ifndef P4HOMA_RECV_H
#define P4HOMA_RECV_H

#include <linux/types.h>

struct homa_sock;
struct sk_buff;

/* Callback for IP protocol 146: softirq, in an RCU read-side section. */
int homa_rcv(struct sk_buff *skb);

/* Room in the pool of the socket has become free: messages that waited for it get it, and their
 * senders are asked to send again. No lock is held.
 */
void homa_unstall(struct homa_sock *hsk);

#endif /* P4HOMA_RECV_H */
