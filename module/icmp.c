// SPDX-License-Identifier: GPL-2.0
/*
 * icmp.c - ICMP errors about packets of ours: those that say that a peer cannot be reached end the
 * RPC that is quoted, and no other. Softirq, in an RCU read-side section.
 */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <net/icmp.h>
#include <net/route.h>
#include <p4wire.h>

#include "icmp.h"
#include "net.h"
#include "peer.h"
#include "rpc.h"

static int icmp_errno(int type, int code)
{
	if (type != ICMP_DEST_UNREACH)
		return 0;
	switch (code) {
	case ICMP_PORT_UNREACH:
		return -ENOTCONN;
	case ICMP_PROT_UNREACH:
		return -EPROTONOSUPPORT;
	default:
		return -EHOSTUNREACH;
	}
}

/* The quoted packet must be one of ours, for an RPC that is alive. */
static void icmp_for(struct homa_net *hn, const struct iphdr *iph, const struct p4w_common *c,
		     int error)
{
	struct homa_sock *hsk = homa_sock_find(hn, ntohs(c->sport));
	struct homa_rpc *rpc = NULL;

	if (hsk)
		rpc = homa_rpc_find(hsk, be64_to_cpu(c->sender_id), iph->daddr);
	if (!rpc)
		return;
	spin_lock_bh(&rpc->lock);
	if (rpc->dport == ntohs(c->dport) && rpc->state != HOMA_DEAD) {
		homa_count(hn, icmp_errors);
		if (homa_rpc_is_client(rpc))
			homa_rpc_complete(rpc, error);
		else
			homa_rpc_end(rpc);
	}
	spin_unlock_bh(&rpc->lock);
	homa_rpc_put(rpc);
}

int homa_icmp(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	int type = icmp_hdr(skb)->type;
	int code = icmp_hdr(skb)->code;
	int error = icmp_errno(type, code);

	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		ipv4_update_pmtu(skb, net, info, 0, P4W_IPPROTO);
		return 0;
	}
	if (!error || !pskb_may_pull(skb, iph->ihl * 4 + sizeof(struct p4w_common)))
		return 0;
	iph = (const struct iphdr *)skb->data;
	icmp_for(homa_net(net), iph, (const void *)iph + iph->ihl * 4, error);
	return 0;
}
