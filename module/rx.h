/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rx.h - a packet on its way through recv.c and control.c. Softirq, in an RCU read-side section.
 */
#ifndef P4HOMA_RX_H
#define P4HOMA_RX_H

#include <linux/skbuff.h>

#include "counters.h"
#include "grant.h"
#include "net.h"
#include "packet.h"
#include "trace.h"

struct homa_rpc;
struct homa_sock;
struct task_struct;

struct homa_rx {
	struct homa_net *hn;
	struct homa_sock *hsk;		/* has the packet's destination port */
	struct homa_rpc *rpc;		/* reference, or NULL */
	struct sk_buff *skb;		/* NULL once it was queued */
	struct homa_pkt pkt;
	struct sk_buff_head queue;	/* packets to be sent at the end */
	struct homa_grant_plan plan;
	struct task_struct *wake;	/* a reader for whom there is a message now, or NULL */
	bool stalled;			/* an RPC has begun to wait for room, or one need not any more */
};

static inline void homa_rx_drop(const struct homa_rx *rx, enum homa_counter why)
{
	homa_count_nr(rx->hn, why, 1);
	trace_homa_drop(&rx->pkt, rx->skb ? rx->skb->len : 0, why);
}

static inline bool homa_rx_is_to_server(const struct homa_rx *rx)
{
	return rx->pkt.id & 1;
}

/* recv.c: the client says that it needs the server's side of an RPC no more. */
void homa_rx_acked(struct homa_rx *rx, const struct homa_pkt_ack *ack);
/* recv.c: the client waits for the response of this RPC, which is locked: its request is no late packet
 * of one that was finished.
 */
void homa_rx_client_waits(struct homa_rx *rx, struct homa_rpc *rpc);
/* control.c: any packet of Homa but DATA; rx->hsk may be NULL for those that need no RPC. */
void homa_rx_control(struct homa_rx *rx);

#endif /* P4HOMA_RX_H */
