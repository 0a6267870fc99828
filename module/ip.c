// SPDX-License-Identifier: GPL-2.0
/*
 * ip.c - the two IP versions below us. The destination decides which one: v4-mapped is IPv4.
 *
 * Owns nothing. Routes are cached by peer.c.
 */
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <p4wire.h>

#include "ip.h"

static kuid_t uid_of(const struct sock *sk)
{
	return sk ? sock_i_uid((struct sock *)sk) : GLOBAL_ROOT_UID;
}

static struct dst_entry *route4(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr)
{
	struct rtable *rt;
	struct flowi4 fl4;

	flowi4_init_output(&fl4, sk ? sk->sk_bound_dev_if : 0, sk ? sk->sk_mark : 0, 0,
			   RT_SCOPE_UNIVERSE, P4W_IPPROTO, sk ? inet_sk_flowi_flags(sk) : 0,
			   homa_addr_to_v4(daddr), homa_addr_to_v4(saddr), 0, 0, uid_of(sk));
	if (sk)
		security_sk_classify_flow((struct sock *)sk, flowi4_to_flowi_common(&fl4));
	rt = ip_route_output_flow(net, &fl4, sk);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		ip_rt_put(rt);
		return ERR_PTR(-EACCES);
	}
	*saddr = homa_addr_v4(fl4.saddr);
	return &rt->dst;
}

static void push_header4(struct net *net, struct sk_buff *skb, __be32 saddr, __be32 daddr,
			 u8 tclass)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = tclass;
	iph->ttl = ip4_dst_hoplimit(skb_dst(skb));
	iph->protocol = P4W_IPPROTO;
	iph->saddr = saddr;
	iph->daddr = daddr;
	if (!ip_mtu_locked(skb_dst(skb)))
		iph->frag_off = htons(IP_DF);
	ip_select_ident_segs(net, skb, NULL, 1);
	skb->protocol = htons(ETH_P_IP);
}

#if IS_ENABLED(CONFIG_IPV6)

static struct dst_entry *route6(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr, u32 *cookie)
{
	struct flowi6 fl6 = {
		.saddr = *saddr,
		.flowi6_proto = P4W_IPPROTO,
		.flowi6_mark = sk ? sk->sk_mark : 0,
		.flowi6_uid = uid_of(sk),
	};
	struct dst_entry *dst;
	u32 ifindex;

	fl6.daddr = homa_addr_to_wire(daddr, &ifindex);
	fl6.flowi6_oif = ifindex;
	if (sk && sk->sk_bound_dev_if)
		fl6.flowi6_oif = sk->sk_bound_dev_if;
	if (!ipv6_mod_enabled())
		return ERR_PTR(-EAFNOSUPPORT);
	if (ipv6_addr_is_multicast(&fl6.daddr))
		return ERR_PTR(-EACCES);
	if (sk)
		security_sk_classify_flow((struct sock *)sk, flowi6_to_flowi_common(&fl6));
	dst = ip6_dst_lookup_flow(net, sk, &fl6, NULL);
	if (IS_ERR(dst))
		return dst;
	*saddr = fl6.saddr;
	*cookie = rt6_get_cookie((struct rt6_info *)dst);
	return dst;
}

static void push_header6(struct sk_buff *skb, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u8 tclass)
{
	struct ipv6hdr *ip6 = skb_push(skb, sizeof(*ip6));
	u32 ifindex;

	skb_reset_network_header(skb);
	ip6_flow_hdr(ip6, tclass, 0);
	ip6->payload_len = 0;		/* filled in on the way out */
	ip6->nexthdr = P4W_IPPROTO;
	ip6->hop_limit = ip6_dst_hoplimit(skb_dst(skb));
	ip6->saddr = *saddr;
	ip6->daddr = homa_addr_to_wire(daddr, &ifindex);
	skb->protocol = htons(ETH_P_IPV6);
}

static int out6(struct net *net, struct sk_buff *skb)
{
	return ip6_local_out(net, NULL, skb);
}

#else

static struct dst_entry *route6(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr, u32 *cookie)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

static void push_header6(struct sk_buff *skb, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u8 tclass)
{
}

static int out6(struct net *net, struct sk_buff *skb)
{
	kfree_skb(skb);
	return -EAFNOSUPPORT;
}

#endif

struct dst_entry *homa_ip_route(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr, u32 *cookie)
{
	*cookie = 0;
	if (homa_addr_is_v4(daddr))
		return route4(net, sk, daddr, saddr);
	return route6(net, sk, daddr, saddr, cookie);
}

void homa_ip_confirm(const struct dst_entry *dst, const struct in6_addr *daddr)
{
	const __be32 v4 = homa_addr_to_v4(daddr);
	struct in6_addr wire;
	u32 ifindex;

	if (homa_addr_is_v4(daddr)) {
		dst_confirm_neigh(dst, &v4);
		return;
	}
	wire = homa_addr_to_wire(daddr, &ifindex);
	dst_confirm_neigh(dst, &wire);
}

void homa_ip_push_header(struct net *net, struct sk_buff *skb, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u8 tclass)
{
	if (homa_addr_is_v4(daddr))
		push_header4(net, skb, homa_addr_to_v4(saddr), homa_addr_to_v4(daddr), tclass);
	else
		push_header6(skb, saddr, daddr, tclass);
}

/* Without DF they may be fragmented, and put together by their ids, which count up from the first. */
void homa_ip_number_segs(struct net *net, struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP) && !(ip_hdr(skb)->frag_off & htons(IP_DF)))
		__ip_select_ident(net, ip_hdr(skb), skb_shinfo(skb)->gso_segs);
}

int homa_ip_out(struct net *net, struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return ip_local_out(net, NULL, skb);
	return out6(net, skb);
}

void homa_ip_refuse(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmpv6_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
}
