/* SPDX-License-Identifier: GPL-2.0 */
/*
 * offload.h - several DATA packets in one buffer.
 */
#ifndef P4HOMA_OFFLOAD_H
#define P4HOMA_OFFLOAD_H

#include <linux/types.h>

struct net_device;
struct sk_buff;

int homa_offload_init(void);
void homa_offload_exit(void);

/* Packets with `seg` message bytes each that may be in one buffer for that device, at least 1. */
u32 homa_offload_segs(const struct net_device *dev, u32 seg, u32 max_gso_size);
/* The skb, complete from the IP header on, stands for packets with `seg` message bytes each. */
void homa_offload_shape(struct sk_buff *skb, u32 seg, bool tso);

/* It claims to be SCTP's, of packets with up to `seg` message bytes each. */
void homa_offload_claim(struct sk_buff *skb, u32 seg);
u32 homa_offload_claimed(const struct sk_buff *skb);	/* seg */

/* A received buffer of the interleaved kind becomes an ordinary one: the same skb if it is none, or
 * a new one, and the old one is freed. NULL: freed, it is malformed, or there is no memory.
 * skb->data is at the Homa header.
 */
struct sk_buff *homa_offload_plain(struct sk_buff *skb);

/* On bytes only. Takes the offsets out of the interleaved buffer of `len` bytes at `data`, each
 * piece with `piece` bytes, its offset among them. Returns how many bytes are left, 0: malformed.
 */
u32 homa_offload_unweave(void *data, u32 len, u32 piece);

#endif /* P4HOMA_OFFLOAD_H */
