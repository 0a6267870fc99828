// SPDX-License-Identifier: GPL-2.0
/*
 * msg.c - the bytes of an outgoing message: copied from the program once, referred to by packets.
 *
 * A very short message is kept in the struct itself, and moves with it. One that fits into a usual
 * packet is one piece of kmalloc. A longer one is in chunks of
 * up to 32 KiB, compound pages, so that a packet of 64 KiB has three fragments and the device three
 * DMA addresses; where memory is in pieces, chunks are single pages. All memory is charged to the
 * control group of the caller. Takes no lock: the message is complete before anybody else sees it.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "msg.h"

#define CHUNK_ORDER	get_order(32 * 1024)
#define COPY_MAX	192	/* bytes of a packet that are copied rather than referred to */

/* What chunks there are when the last may be smaller than the others. */
static u32 chunk_bytes(const struct homa_msg_mem *mem, u32 length, u32 i)
{
	return min(length - (i << mem->shift), 1u << mem->shift);
}

static struct page **table_of(struct homa_msg_mem *mem)
{
	return mem->nr_chunks == 1 ? &mem->chunk : mem->chunks;
}

static struct page *chunk_at(const struct homa_msg_mem *mem, u32 offset)
{
	return mem->nr_chunks == 1 ? mem->chunk : mem->chunks[offset >> mem->shift];
}

static void init(struct homa_msg_mem *mem)
{
	mem->is_small = false;
	mem->nr_chunks = 0;
	mem->flat = NULL;
}

void homa_msg_mem_free(struct homa_msg_mem *mem)
{
	u32 i;

	if (!mem->nr_chunks) {
		kfree(mem->flat);
	} else {
		for (i = 0; i < mem->nr_chunks; i++)
			if (table_of(mem)[i])
				put_page(table_of(mem)[i]);
		if (mem->nr_chunks > 1)
			kfree(mem->chunks);
	}
	init(mem);
}

/* Large pieces are welcome, but not worth waiting for. */
static struct page *alloc_chunk(u32 bytes, u32 order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT;

	if (order) {
		order = min_t(u32, order, get_order(bytes));
		gfp = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY;
	}
	return alloc_pages(gfp, order);
}

static int alloc_chunks(struct homa_msg_mem *mem, u32 length, u32 order)
{
	u32 i;

	mem->shift = PAGE_SHIFT + order;
	mem->nr_chunks = DIV_ROUND_UP(length, 1u << mem->shift);
	if (mem->nr_chunks > 1) {
		mem->chunks = kcalloc(mem->nr_chunks, sizeof(*mem->chunks), GFP_KERNEL_ACCOUNT);
		if (!mem->chunks) {
			mem->nr_chunks = 0;
			return -ENOMEM;
		}
	}
	for (i = 0; i < mem->nr_chunks; i++) {
		struct page *page = alloc_chunk(chunk_bytes(mem, length, i), order);

		table_of(mem)[i] = page;
		if (!page) {
			homa_msg_mem_free(mem);
			return -ENOMEM;
		}
	}
	return 0;
}

static int copy_chunks(struct homa_msg_mem *mem, struct iov_iter *from, u32 length)
{
	u32 i;

	for (i = 0; i < mem->nr_chunks; i++) {
		u32 n = chunk_bytes(mem, length, i);

		if (copy_from_iter(page_address(table_of(mem)[i]), n, from) != n)
			return -EFAULT;
		/* Copying a long message is milliseconds that a short one must not wait. */
		cond_resched();
	}
	return 0;
}

static int copy_flat(struct homa_msg_mem *mem, struct iov_iter *from, u32 length)
{
	mem->flat = kmalloc(length, GFP_KERNEL_ACCOUNT);
	if (!mem->flat)
		return -ENOMEM;
	return copy_from_iter(mem->flat, length, from) == length ? 0 : -EFAULT;
}

int homa_msg_mem_copy(struct homa_msg_mem *mem, struct iov_iter *from, u32 length)
{
	int err;

	init(mem);
	if (length <= HOMA_MSG_SMALL_MAX) {
		mem->is_small = true;
		/* Without a check of what has just been checked, which costs as much as the copy. */
		err = _copy_from_iter(mem->small, length, from) == length ? 0 : -EFAULT;
	} else if (length <= HOMA_MSG_FLAT_MAX) {
		err = copy_flat(mem, from, length);
	} else {
		err = alloc_chunks(mem, length, CHUNK_ORDER);
		if (err)
			err = alloc_chunks(mem, length, 0);
		if (!err)
			err = copy_chunks(mem, from, length);
	}
	if (err)
		homa_msg_mem_free(mem);
	return err;
}

static bool is_copied(const struct homa_msg_mem *mem, u32 bytes)
{
	return !mem->nr_chunks || bytes <= COPY_MAX;
}

u32 homa_msg_mem_linear(const struct homa_msg_mem *mem, u32 bytes)
{
	return is_copied(mem, bytes) ? bytes : 0;
}

void homa_msg_mem_add(const struct homa_msg_mem *mem, struct sk_buff *skb, u32 start, u32 end)
{
	bool copy = is_copied(mem, end - start);
	int nr = 0;

	if (!mem->nr_chunks) {
		skb_put_data(skb, (mem->is_small ? mem->small : mem->flat) + start, end - start);
		return;
	}
	while (start < end) {
		struct page *page = chunk_at(mem, start);
		u32 offset = start & ((1u << mem->shift) - 1);
		u32 n = min(end - start, (1u << mem->shift) - offset);

		if (copy) {
			skb_put_data(skb, page_address(page) + offset, n);
		} else {
			get_page(page);
			skb_fill_page_desc(skb, nr++, page, offset, n);
			skb->len += n;
			skb->data_len += n;
			skb->truesize += n;
		}
		start += n;
	}
}
