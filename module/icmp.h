/* SPDX-License-Identifier: GPL-2.0 */
/*
 * icmp.h - errors that the network reports.
 */
#ifndef P4HOMA_ICMP_H
#define P4HOMA_ICMP_H

#include <linux/types.h>

struct inet6_skb_parm;
struct sk_buff;

/* Callbacks for ICMP errors that quote a packet of IP protocol 146. */
int homa_icmp(struct sk_buff *skb, u32 info);
int homa_icmp6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code, int offset,
	       __be32 info);

/* Pure: what a program is told, a negative errno, or 0: nothing. */
int homa_icmp_errno(u8 type, u8 code);
int homa_icmp6_errno(u8 type, u8 code);

#endif /* P4HOMA_ICMP_H */
