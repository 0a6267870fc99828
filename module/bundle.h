/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bundle.h - short messages to the same host in one buffer.
 */
#ifndef P4HOMA_BUNDLE_H
#define P4HOMA_BUNDLE_H

#include <linux/types.h>

struct sk_buff;

/* `skb`, a whole message, goes with `held`, another one or a bundle, which may become `max` bytes long;
 * both are complete from the IP header on. False: it has to go on its own.
 */
bool homa_bundle_add(struct sk_buff *held, struct sk_buff *skb, u32 max);

/* Whether there are more messages behind the first. skb->data is at the Homa header. */
bool homa_bundle_is(struct sk_buff *skb);

/* Takes over a received bundle, returns its packets, linked by `next`, each at its Homa header, with IP
 * header, route and device of the bundle. NULL: no memory.
 */
struct sk_buff *homa_bundle_open(struct sk_buff *skb);

/* The same as frames, skb stays the caller's, as callbacks.gso_segment() wants it. */
struct sk_buff *homa_bundle_segment(struct sk_buff *skb);

#endif /* P4HOMA_BUNDLE_H */
