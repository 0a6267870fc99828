/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recv.h - incoming packets.
 */
#ifndef P4HOMA_RECV_H
#define P4HOMA_RECV_H

#include <linux/types.h>

struct homa_sock;
struct sk_buff;

/* Callbacks for IP protocol 146: softirq, inside of an RCU read-side section. */
int homa_rcv(struct sk_buff *skb);
int homa_icmp(struct sk_buff *skb, u32 info);

/* Room in the pool of the socket has become free: messages that waited for it get it, and their
 * senders are asked to send again. No lock is held.
 */
void homa_unstall(struct homa_sock *hsk);

#endif /* P4HOMA_RECV_H */
