/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recv.h - incoming packets.
 */
#ifndef P4HOMA_RECV_H
#define P4HOMA_RECV_H

struct sk_buff;

/* Callbacks for IP protocol 146: softirq, in an RCU read-side section. */
int homa_rcv(struct sk_buff *skb);
int homa_rcv6(struct sk_buff *skb);

#endif /* P4HOMA_RECV_H */
