// SPDX-License-Identifier: GPL-2.0
/*
 * icmp.c - ICMP errors about packets of ours. Those of the peer itself end the RPC that is quoted and
 * all others with that peer; with that port, if it is the port that nobody has. What others say on
 * the way, that the peer cannot be reached, may pass, as while routes change: the peer is asked, and only
 * if it is silent for a time-out, that is why (timer.c). A router that knows a better first hop is
 * believed as the kernel believes it for other protocols; its tables then say of the route that is
 * kept with the peer that it is good no more (route.c). Softirq, in an RCU read-side section.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <net/icmp.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/route.h>
#include <p4wire.h>

#include "addr.h"
#include "icmp.h"
#include "live.h"
#include "net.h"
#include "peer.h"
#include "rpc.h"
#include "sock.h"
#include "timer.h"

/* "Fragmentation needed" is no error: the route learns the new MTU. */
int homa_icmp_errno(u8 type, u8 code)
{
	if (type != ICMP_DEST_UNREACH)
		return 0;
	switch (code) {
	case ICMP_FRAG_NEEDED:
		return 0;
	case ICMP_PORT_UNREACH:
		return -ENOTCONN;
	case ICMP_PROT_UNREACH:
		return -EPROTONOSUPPORT;
	default:
		return -EHOSTUNREACH;
	}
}

int homa_icmp6_errno(u8 type, u8 code)
{
	if (type == ICMPV6_DEST_UNREACH && code == ICMPV6_PORT_UNREACH)
		return -ENOTCONN;
	if (type == ICMPV6_DEST_UNREACH && code == ICMPV6_ADDR_UNREACH)
		return -EHOSTUNREACH;
	if (type == ICMPV6_PARAMPROB && code == ICMPV6_UNK_NEXTHDR)
		return -EPROTONOSUPPORT;
	return 0;
}

/* The RPC of which the quoted packet is, with a reference; NULL: none that is alive, so nobody has seen
 * a packet of ours.
 */
static struct homa_rpc *quoted_rpc(struct homa_net *hn, const struct in6_addr *daddr,
				   const struct p4w_common *c)
{
	struct homa_sock *hsk = homa_sock_find(hn, ntohs(c->sport));
	struct homa_rpc *rpc = NULL;
	u64 id = be64_to_cpu(c->sender_id);
	bool ours;

	/* 0: an RPC that is being made, and will have another id. */
	if (hsk && id)
		rpc = homa_rpc_find(hsk, id, daddr);
	if (!rpc)
		return NULL;
	spin_lock_bh(&rpc->lock);
	ours = rpc->dport == ntohs(c->dport) && rpc->state != HOMA_DEAD;
	spin_unlock_bh(&rpc->lock);
	if (ours)
		return rpc;
	homa_rpc_put(rpc);
	return NULL;
}

static void fail_for(struct homa_rpc *rpc, int error)
{
	bool is_final = error != -EHOSTUNREACH, is_alive;

	spin_lock_bh(&rpc->lock);
	is_alive = rpc->state != HOMA_DEAD;
	if (is_alive && is_final)
		homa_live_fail(rpc, error);
	else if (is_alive)
		homa_timer_unreachable(rpc);
	spin_unlock_bh(&rpc->lock);
	if (!is_alive)
		return;
	homa_count(rpc->net, icmp_errors);
	if (is_final)
		homa_live_refused(rpc, error == -ENOTCONN ? rpc->dport : 0, error);
}

/* Old routers quote 8 bytes, of which the ports are all that tells whose packet it was. */
static bool is_port_quoted(struct homa_net *hn, struct sk_buff *skb, int offset)
{
	const struct p4w_common *c;

	if (!pskb_may_pull(skb, offset + offsetofend(struct p4w_common, dport)))
		return false;
	c = (const void *)skb->data + offset;
	return homa_sock_find(hn, ntohs(c->sport));
}

int homa_icmp(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	int type = icmp_hdr(skb)->type;
	int code = icmp_hdr(skb)->code;
	bool too_big = type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED;
	int error = homa_icmp_errno(type, code);
	struct in6_addr daddr;
	struct homa_rpc *rpc;
	struct sock *sk;

	if (!error && !too_big && type != ICMP_REDIRECT)
		return 0;
	if (!pskb_may_pull(skb, iph->ihl * 4 + sizeof(struct p4w_common))) {
		if (too_big && is_port_quoted(homa_net(net), skb, iph->ihl * 4))
			ipv4_update_pmtu(skb, net, info, 0, P4W_IPPROTO);
		return 0;
	}
	iph = (const struct iphdr *)skb->data;
	daddr = homa_addr_v4(iph->daddr);
	rpc = quoted_rpc(homa_net(net), &daddr, (const void *)iph + iph->ihl * 4);
	if (!rpc)
		return 0;
	sk = homa_to_sk(rpc->hsk);
	if (error)
		fail_for(rpc, error);
	else if (too_big)	/* not ipv4_sk_update_pmtu(), for where the socket is connected to */
		ipv4_update_pmtu(skb, net, info, READ_ONCE(sk->sk_bound_dev_if), P4W_IPPROTO);
	else
		ipv4_sk_redirect(skb, sk);
	homa_rpc_put(rpc);
	return 0;
}

#if IS_ENABLED(CONFIG_IPV6)

int homa_icmp6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code, int offset,
	       __be32 info)
{
	int error = homa_icmp6_errno(type, code);
	struct net *net = dev_net(skb->dev);
	const struct ipv6hdr *ip6;
	int ifindex = inet6_iif(skb);
	struct in6_addr daddr;
	struct homa_rpc *rpc;
	struct sock *sk;

	if ((!error && type != ICMPV6_PKT_TOOBIG && type != NDISC_REDIRECT) ||
	    !pskb_may_pull(skb, offset + sizeof(struct p4w_common)))
		return 0;
	ip6 = (const struct ipv6hdr *)skb->data;
	if (!homa_addr_from_wire(&daddr, &ip6->daddr, ifindex))
		return 0;
	rpc = quoted_rpc(homa_net(net), &daddr, (const void *)skb->data + offset);
	if (!rpc)
		return 0;
	sk = homa_to_sk(rpc->hsk);
	if (error)
		fail_for(rpc, error);
	else if (type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, net, info, READ_ONCE(sk->sk_bound_dev_if),
				READ_ONCE(sk->sk_mark), sock_net_uid(net, sk));
	else	/* not ip6_sk_redirect(), which takes only what comes by the device that is bound to */
		ip6_redirect(skb, net, ifindex, READ_ONCE(sk->sk_mark), sock_net_uid(net, sk));
	homa_rpc_put(rpc);
	return 0;
}

#endif
