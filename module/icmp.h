/* SPDX-License-Identifier: GPL-2.0 */
/*
 * icmp.h - errors that the network reports.
 */
#ifndef P4HOMA_ICMP_H
#define P4HOMA_ICMP_H

#include <linux/types.h>

struct sk_buff;

/* Callback for ICMP errors that quote a packet of IP protocol 146. */
int homa_icmp(struct sk_buff *skb, u32 info);

#endif /* P4HOMA_ICMP_H */
