/* SPDX-License-Identifier: GPL-2.0 */
/*
 * qdisc.h - the queueing discipline `homa`.
 */
#ifndef P4HOMA_QDISC_H
#define P4HOMA_QDISC_H

#include <linux/types.h>

struct net_device;
struct sk_buff;

int homa_qdisc_init(void);
void homa_qdisc_exit(void);

/* It is what packets for that device wait in. RCU. */
bool homa_qdisc_is_on(const struct net_device *dev);

/* What a packet is, for the discipline. */
struct homa_qdisc_view {
	bool is_homa;
	bool is_short;		/* waits for nothing */
	u32 left;		/* Homa: bytes of the message from this packet on */
	u32 flow;		/* hash of what must stay in order */
};

struct homa_qdisc_view homa_qdisc_look(const struct sk_buff *skb, u32 short_bytes);

/* Decisions, on numbers only. Whose turn is it? `ahead`: what Homa has had beyond its share. */
bool homa_qdisc_homa_next(s64 ahead, bool homa_waits, bool others_wait);
s64 homa_qdisc_charge(s64 ahead, bool is_homa, u32 bytes, u32 share);

#endif /* P4HOMA_QDISC_H */
