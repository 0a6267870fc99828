/* SPDX-License-Identifier: GPL-2.0 */
/*
 * msg.h - the bytes of an outgoing message.
 */
#ifndef P4HOMA_MSG_H
#define P4HOMA_MSG_H

#include <linux/types.h>
#include <linux/uio.h>

struct homa_net;
struct page;
struct sk_buff;

/* Up to here a message is kept in the RPC itself, and packets hold copies of it: an allocation, or
 * a reference, costs more than all copies.
 */
#define HOMA_MSG_SMALL_MAX	168

/* Kept until the RPC is freed; never written to once it is complete, since packets refer to it. */
struct homa_msg_mem {
	u8 shift;			/* of the size of a chunk, if there are any */
	u16 nr_chunks;			/* 0: small, or nothing */
	u32 start;			/* of the message in its chunk, if nr_chunks is 1 */
	union {
		struct page *chunk;	/* nr_chunks is 1 */
		struct page **chunks;
	};
	u8 small[HOMA_MSG_SMALL_MAX];	/* last: nobody has to clear it */
};

int homa_msg_net_init(struct homa_net *hn);
void homa_msg_net_exit(struct homa_net *hn);

/* Copies `length` bytes; 0 or -EFAULT, -ENOMEM and nothing is kept. May sleep. */
int homa_msg_mem_copy(struct homa_net *hn, struct homa_msg_mem *mem, struct iov_iter *from,
		      u32 length);
/* Any context. May be called again. */
void homa_msg_mem_free(struct homa_net *hn, struct homa_msg_mem *mem);

/* Whether `bytes` of the message are better copied into a packet than referred to. */
bool homa_msg_mem_copies(const struct homa_msg_mem *mem, u32 bytes);
/* Appends bytes [start, end) to the skb, at most 64 KiB, as copies, for which there is room in its
 * head, or as references.
 */
void homa_msg_mem_add(const struct homa_msg_mem *mem, struct sk_buff *skb, u32 start, u32 end,
		      bool copy);

#endif /* P4HOMA_MSG_H */
