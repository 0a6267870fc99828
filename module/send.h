/* SPDX-License-Identifier: GPL-2.0 */
/*
 * send.h - outgoing messages and packets.
 */
#ifndef P4HOMA_SEND_H
#define P4HOMA_SEND_H

#include <linux/in6.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <p4wire.h>

#include "msg.h"

struct dst_entry;
struct homa_net;
struct homa_peer;
struct homa_pkt;
struct homa_pkt_ack;
struct homa_rpc;
struct sock;

/* The message that goes. rpc->lock. */
struct homa_msg_out {
	u32 length;		/* 0: nothing to send yet */
	u32 unsched;		/* bytes that go unasked: also a packet boundary */
	u32 seg;		/* message bytes in a full packet on the wire */
	u32 sent;		/* all bytes below were sent at least once */
	u32 granted;		/* may be sent */
	u32 again_bytes;
	u64 sent_at;		/* ns: new bytes were last sent */
	u64 again_at;		/* ns: and old ones, from when on again_bytes were */
	u64 ack_id;		/* owed.c: goes with the first packet; 0: none */
	u16 ack_port;
	u8 unsched_prio;
	u8 prio;		/* of granted bytes, from the last GRANT */
	struct dst_entry *dst;	/* way of a first packet that leaves at once: reference, or NULL */
	struct homa_msg_mem mem;	/* last, see there */
};

/* Copies a message of `length` bytes to where all is zero before `mem`; 0 or -EFAULT, -ENOMEM and nothing
 * but the length is kept.
 */
int homa_msg_out_copy(struct homa_net *hn, struct homa_msg_out *out, struct iov_iter *from,
		      u32 length);
void homa_msg_out_free(struct homa_net *hn, struct homa_msg_out *out);
/* Fixes what can be sent how; -EINVAL: the MTU is too small. */
int homa_msg_out_init(struct homa_msg_out *out, const struct homa_peer *peer,
		      const struct dst_entry *dst);

/* Packets that are complete, with route and IP header, to be sent when no lock is held. */
void homa_flush(struct homa_net *hn, struct sk_buff_head *queue);

/* Takes the lock of the RPC: sends what is granted and not sent; sends [start, end) again, as far
 * as it was sent before. No lock is held.
 */
void homa_send_granted(struct homa_rpc *rpc);
/* Makes packets of what is granted and not sent. True: there are more, for homa_send_granted().
 * rpc->lock is held; homa_flush() the queue when it is not.
 */
bool homa_queue_granted(struct homa_rpc *rpc, struct sk_buff_head *queue);
void homa_send_again(struct homa_rpc *rpc, u32 start, u32 end, u8 priority);

/* Where a control packet goes. */
struct homa_path {
	struct homa_net *net;
	const struct sock *sk;	/* or NULL */
	struct homa_peer *peer;
	struct in6_addr saddr;	/* or "any" */
	u16 sport;
	u16 dport;
	u64 id;			/* as we know it */
};

struct homa_path homa_rpc_path(const struct homa_rpc *rpc);

/* These append a packet to `queue`, or count tx_error. Any context, locks may be held. */
void homa_queue_simple(struct sk_buff_head *queue, const struct homa_path *path, u8 type);
void homa_queue_grant(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		      u8 priority);
void homa_queue_resend(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		       u32 length);
void homa_queue_cutoffs(struct sk_buff_head *queue, const struct homa_path *path);
void homa_queue_ack(struct sk_buff_head *queue, const struct homa_path *path,
		    const struct homa_pkt_ack *acks, u32 nr);

/* Whether bytes `start` .. `end` of what was sent, end <= out->sent, may be sent again: not the last
 * ones while they may be on their way, and not the whole message more than once in `recent` ns,
 * whoever asks. Notes it.
 */
bool homa_msg_out_may_repeat(struct homa_msg_out *out, u32 start, u32 end, u64 now, u64 recent);

/* Where the packet around byte `offset` begins. */
u32 homa_seg_start(u32 offset, u32 unsched, u32 seg);
/* Where it ends if up to `segs` packets are sent in one buffer. */
u32 homa_seg_end(u32 offset, u32 unsched, u32 seg, u32 segs, u32 length);

#endif /* P4HOMA_SEND_H */
