/* SPDX-License-Identifier: GPL-2.0 */
/*
 * packet.h - bytes from the wire become a struct homa_pkt of checked numbers, or are dropped.
 */
#ifndef P4HOMA_PACKET_H
#define P4HOMA_PACKET_H

#include <linux/in6.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#include <p4wire.h>

#include "counters.h"

struct homa_pkt_ack {
	u64 id;			/* as the server knows the RPC: odd */
	u16 port;		/* of the server */
};

/* Acks that we owe one host, see owed.c. */
struct homa_owed {
	u32 nr;
	struct homa_pkt_ack ack[P4W_ACKS_MAX];
};

/* What a packet says, in host order, every number in range. */
struct homa_pkt {
	u8 type;
	u8 priority;		/* GRANT, RESEND: 0 .. 7 */
	u16 sport;		/* not 0 */
	u16 dport;		/* not 0 */
	struct in6_addr saddr;	/* filled in by the caller, see addr.h */
	struct in6_addr daddr;	/* likewise */
	u64 id;			/* as this host knows the RPC: odd if it is the server; > 1 */
	union {
		struct {
			u32 msg_len;	/* 1 .. P4W_MSG_MAX */
			u32 offset;
			u32 len;	/* 1 .. msg_len - offset */
			u32 incoming;	/* 0 .. msg_len */
			u32 tenant;
			u16 cutoff_version;	/* of ours that the sender has */
			bool again;	/* sent because we asked for it */
			struct homa_pkt_ack ack;	/* id 0: none */
		} data;
		struct {
			u32 offset;	/* 0 .. P4W_MSG_MAX */
			bool resend;	/* send what was sent so far again */
		} grant;
		struct {
			u32 offset;	/* 0 .. P4W_MSG_MAX */
			u32 end;	/* offset .. 2 * P4W_MSG_MAX, unless all */
			bool all;	/* everything sent so far */
		} resend;
		struct {
			u32 cutoff[P4W_PRIORITIES];	/* 0 .. INT_MAX */
			u16 version;
		} cutoffs;
		struct {
			u32 nr;		/* 0 .. P4W_ACKS_MAX */
			struct homa_pkt_ack ack[P4W_ACKS_MAX];	/* id 0: none */
		} ack;
	};
};

/* Bytes of a packet that must be contiguous before it is checked; fewer if it is shorter. */
#define HOMA_PKT_PULL	((unsigned int)sizeof(struct p4w_txn))

/* The only place that judges what the network sent. `head` holds the first min(len, HOMA_PKT_PULL)
 * bytes after the IP header, `len` is the whole length. False: drop, and count as *why.
 */
bool homa_check_packet(const void *head, u32 len, struct homa_pkt *pkt, enum homa_counter *why);

/* Where in the message the first byte of a DATA packet is. Not checked against its length. */
static inline u32 homa_data_offset(const struct p4w_data *d)
{
	u32 offset = be32_to_cpu(d->offset);

	return offset == P4W_OFFSET_IN_SEQUENCE ? be32_to_cpu(d->common.sequence) : offset;
}

/* Writes the first 28 bytes; `id` as this host knows it. */
void homa_fill_common(struct p4w_common *c, u8 type, u16 sport, u16 dport, u64 id);

#endif /* P4HOMA_PACKET_H */
