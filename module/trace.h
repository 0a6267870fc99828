/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - tracepoints p4homa:*, for perf, trace-cmd and bpftrace. Off, each is a jump that is not
 * taken. Ids are as this host knows the RPC: even, it is the client.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM p4homa

#if !defined(P4HOMA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define P4HOMA_TRACE_H

#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <p4wire.h>

#include "counters.h"
#include "packet.h"
#include "peer.h"
#include "rpc.h"
#include "send.h"

#define show_homa_type(type) __print_symbolic(type, \
	{ P4W_DATA, "DATA" }, { P4W_GRANT, "GRANT" }, { P4W_RESEND, "RESEND" }, \
	{ P4W_RPC_UNKNOWN, "RPC_UNKNOWN" }, { P4W_BUSY, "BUSY" }, { P4W_CUTOFFS, "CUTOFFS" }, \
	{ P4W_FREEZE, "FREEZE" }, { P4W_NEED_ACK, "NEED_ACK" }, { P4W_ACK, "ACK" }, \
	{ P4W_TXN, "TXN" }, { P4W_TXN_REPLY, "TXN_REPLY" })

TRACE_DEFINE_ENUM(HOMA_NEW);
TRACE_DEFINE_ENUM(HOMA_OUTGOING);
TRACE_DEFINE_ENUM(HOMA_INCOMING);
TRACE_DEFINE_ENUM(HOMA_IN_SERVICE);
TRACE_DEFINE_ENUM(HOMA_DEAD);

#define show_homa_state(state) __print_symbolic(state, \
	{ HOMA_NEW, "new" }, { HOMA_OUTGOING, "outgoing" }, { HOMA_INCOMING, "incoming" }, \
	{ HOMA_IN_SERVICE, "in service" }, { HOMA_DEAD, "dead" })

#define X(name, help) TRACE_DEFINE_ENUM(HOMA_##name);
HOMA_DROPS(X)
#undef X

#define X(name, help) { HOMA_##name, #name },
#define show_homa_drop(why) __print_symbolic(why, HOMA_DROPS(X) { -1, "" })

DECLARE_EVENT_CLASS(homa_rpc,
	TP_PROTO(const struct homa_rpc *rpc),
	TP_ARGS(rpc),
	TP_STRUCT__entry(
		__field(u64, id)
		__array(u8, peer, 16)
		__field(u16, port)
	),
	TP_fast_assign(
		__entry->id = rpc->id;
		homa_trace_addr(__entry->peer, rpc->peer);
		__entry->port = rpc->dport;
	),
	TP_printk("id=%llu peer=%pI6c port=%u", __entry->id, __entry->peer, __entry->port)
);

/* The peer was silent for too long. */
DEFINE_EVENT(homa_rpc, homa_timeout,
	TP_PROTO(const struct homa_rpc *rpc),
	TP_ARGS(rpc)
);

TRACE_EVENT(homa_rpc_state,
	TP_PROTO(const struct homa_rpc *rpc, enum homa_state to),
	TP_ARGS(rpc, to),
	TP_STRUCT__entry(
		__field(u64, id)
		__array(u8, peer, 16)
		__field(u16, port)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->id = rpc->id;
		homa_trace_addr(__entry->peer, rpc->peer);
		__entry->port = rpc->dport;
		__entry->from = rpc->state;
		__entry->to = to;
	),
	TP_printk("id=%llu peer=%pI6c port=%u %s -> %s", __entry->id, __entry->peer, __entry->port,
		  show_homa_state(__entry->from), show_homa_state(__entry->to))
);

/* Its headers are written and linear; a buffer of several packets counts as one. */
TRACE_EVENT(homa_packet_sent,
	TP_PROTO(const struct sk_buff *skb),
	TP_ARGS(skb),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u16, sport)
		__field(u16, dport)
		__field(u32, sequence)
		__field(u32, len)
		__field(u8, type)
	),
	TP_fast_assign(
		const struct p4w_common *c = (const void *)skb_transport_header(skb);

		__entry->id = be64_to_cpu(c->sender_id);
		__entry->sport = be16_to_cpu(c->sport);
		__entry->dport = be16_to_cpu(c->dport);
		__entry->sequence = be32_to_cpu(c->sequence);
		__entry->len = skb->len - skb_transport_offset(skb);
		__entry->type = c->type;
	),
	TP_printk("id=%llu %s ports=%u,%u offset=%u len=%u", __entry->id,
		  show_homa_type(__entry->type), __entry->sport, __entry->dport,
		  __entry->sequence, __entry->len)
);

DECLARE_EVENT_CLASS(homa_packet,
	TP_PROTO(const struct homa_pkt *pkt, u32 len, int why),
	TP_ARGS(pkt, len, why),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u16, sport)
		__field(u16, dport)
		__field(u32, len)
		__field(int, why)
		__field(u8, type)
	),
	TP_fast_assign(
		__entry->id = pkt->id;
		__entry->sport = pkt->sport;
		__entry->dport = pkt->dport;
		__entry->len = len;
		__entry->why = why;
		__entry->type = pkt->type;
	),
	TP_printk("id=%llu %s ports=%u,%u len=%u %s", __entry->id, show_homa_type(__entry->type),
		  __entry->sport, __entry->dport, __entry->len, show_homa_drop(__entry->why))
);

/* Well-formed; `why` is -1. */
DEFINE_EVENT(homa_packet, homa_packet_rcvd,
	TP_PROTO(const struct homa_pkt *pkt, u32 len, int why),
	TP_ARGS(pkt, len, why)
);

/* `why` is the name of the counter. Of a packet that is no well-formed one, all others are 0. */
DEFINE_EVENT(homa_packet, homa_drop,
	TP_PROTO(const struct homa_pkt *pkt, u32 len, int why),
	TP_ARGS(pkt, len, why)
);

TRACE_EVENT(homa_grant,
	TP_PROTO(const struct homa_path *path, u32 offset, u8 priority),
	TP_ARGS(path, offset, priority),
	TP_STRUCT__entry(
		__field(u64, id)
		__array(u8, peer, 16)
		__field(u32, offset)
		__field(u8, priority)
	),
	TP_fast_assign(
		__entry->id = path->id;
		homa_trace_addr(__entry->peer, path->peer);
		__entry->offset = offset;
		__entry->priority = priority;
	),
	TP_printk("id=%llu peer=%pI6c up to %u at priority %u", __entry->id, __entry->peer,
		  __entry->offset, __entry->priority)
);

TRACE_EVENT(homa_resend,
	TP_PROTO(const struct homa_path *path, u32 offset, u32 length),
	TP_ARGS(path, offset, length),
	TP_STRUCT__entry(
		__field(u64, id)
		__array(u8, peer, 16)
		__field(u32, offset)
		__field(int, length)
	),
	TP_fast_assign(
		__entry->id = path->id;
		homa_trace_addr(__entry->peer, path->peer);
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("id=%llu peer=%pI6c from %u, %d bytes", __entry->id, __entry->peer,
		  __entry->offset, __entry->length)
);

#undef X

#endif /* P4HOMA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
