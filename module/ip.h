/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ip.h - the two IP versions below us: routes, headers, the way out.
 */
#ifndef P4HOMA_IP_H
#define P4HOMA_IP_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>

#include "addr.h"

struct dst_entry;
struct net;
struct sk_buff;
struct sock;

static inline u32 homa_ip_header_len(const struct in6_addr *daddr)
{
	return homa_addr_is_v4(daddr) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/*
 * A route with a reference, or an ERR_PTR. `sk` may be NULL. *saddr: the local address wanted, or
 * "any"; then it is filled in. *cookie is for dst_check().
 */
struct dst_entry *homa_ip_route(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr, u32 *cookie);

/* What is sent on this way gets to the peer: so the neighbour on it lives, and need not be asked. RCU. */
void homa_ip_confirm(const struct dst_entry *dst, const struct in6_addr *daddr);

/* Pushes the IP header of a packet that has its route, and room. `tclass`: TOS or traffic class. */
void homa_ip_push_header(struct net *net, struct sk_buff *skb, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u8 tclass);

/* Gives each packet that the buffer will be cut into an id, where they need one. */
void homa_ip_number_segs(struct net *net, struct sk_buff *skb);

/* No lock is held: IP may call back. Takes the packet. 0 or an error as of a device's queue. */
int homa_ip_out(struct net *net, struct sk_buff *skb);

/* Tells the sender of a packet that nobody has its destination port. */
void homa_ip_refuse(struct sk_buff *skb);

#endif /* P4HOMA_IP_H */
