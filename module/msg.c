// SPDX-License-Identifier: GPL-2.0
/*
 * msg.c - the bytes of an outgoing message: copied from the program once, referred to by packets.
 *
 * A few bytes are kept in the struct itself, and move with it. Up to 16 KiB are a piece of the page
 * that the calling task cuts such pieces from, as TCP's are. More are in chunks of 32 KiB, compound
 * pages, so that a packet of 64 KiB has three fragments and the device three DMA addresses; where
 * memory is in pieces, chunks are single pages.
 *
 * The kernel clears each page that it gives out, which costs nearly as much as the copy that follows.
 * So chunks that come back are kept for the next message of the namespace: up to CACHE_MAX, as long
 * as they are in use; what was not needed for a second goes. All memory is charged to the control
 * group of who brings it in; a namespace's programs share the chunks.
 *
 * A message is kept as a whole until its RPC ends, within wmem_max. A GRANT tells how many bytes the
 * receiver has, not which, so a RESEND may ask for any byte that was sent; and a server that has lost
 * a request to a restart asks for all of it.
 *
 * A message is complete before anybody else sees it and needs no lock. cache->lock: BH, a leaf.
 */
#include <linux/homa.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "calls.h"
#include "msg.h"
#include "net.h"
#include "turns.h"

#define CHUNK_ORDER	get_order(32 * 1024)
#define PIECE_MAX	(16 * 1024)
#define CACHE_MAX	64	/* chunks: 2 MiB */

struct homa_msg_cache {
	spinlock_t lock;	/* guards what follows */
	u32 nr;
	u32 spare;		/* fewest that were here since trim() ran */
	struct page *page[CACHE_MAX];
	struct delayed_work trim;	/* pending while there are any */
};

/* ------------------------------------------------------------------ chunks that are kept */

static struct page *take_cached(struct homa_msg_cache *cache)
{
	struct page *page = NULL;

	spin_lock_bh(&cache->lock);
	if (cache->nr)
		page = cache->page[--cache->nr];
	cache->spare = min(cache->spare, cache->nr);
	spin_unlock_bh(&cache->lock);
	return page;
}

/* Nobody else refers to it, and it is a whole chunk. */
static bool is_worth_keeping(struct page *page)
{
	return page_ref_count(page) == 1 && compound_order(page) == CHUNK_ORDER &&
	       !page_is_pfmemalloc(page);
}

/* Puts those of the `nr` pages that cannot be kept. */
static void give_back(struct homa_msg_cache *cache, struct page **pages, u32 nr)
{
	u32 i, left = 0;

	spin_lock_bh(&cache->lock);
	for (i = 0; i < nr; i++) {
		if (!pages[i])
			continue;
		if (cache->nr < CACHE_MAX && is_worth_keeping(pages[i]))
			cache->page[cache->nr++] = pages[i];
		else
			pages[left++] = pages[i];
	}
	if (cache->nr)
		schedule_delayed_work(&cache->trim, HZ);
	spin_unlock_bh(&cache->lock);
	while (left)
		put_page(pages[--left]);
}

/* Frees what nobody has needed since the last time. */
static void trim(struct work_struct *work)
{
	struct homa_msg_cache *cache = container_of(to_delayed_work(work), struct homa_msg_cache,
						    trim);
	struct page *page[CACHE_MAX];
	u32 nr = 0;

	spin_lock_bh(&cache->lock);
	while (cache->spare) {
		page[nr++] = cache->page[--cache->nr];
		cache->spare--;
	}
	cache->spare = cache->nr;
	if (cache->nr)
		schedule_delayed_work(&cache->trim, HZ);
	spin_unlock_bh(&cache->lock);
	while (nr)
		put_page(page[--nr]);
}

int homa_msg_net_init(struct homa_net *hn)
{
	struct homa_msg_cache *cache = kzalloc(sizeof(*cache), GFP_KERNEL);

	if (!cache)
		return -ENOMEM;
	spin_lock_init(&cache->lock);
	INIT_DELAYED_WORK(&cache->trim, trim);
	hn->msg_cache = cache;
	return 0;
}

/* No message is left. */
void homa_msg_net_exit(struct homa_net *hn)
{
	struct homa_msg_cache *cache = hn->msg_cache;

	cancel_delayed_work_sync(&cache->trim);
	while (cache->nr)
		put_page(cache->page[--cache->nr]);
	kfree(cache);
}

/* ------------------------------------------------------------------ the memory of a message */

/* The last chunk may be smaller than the others. */
static u32 chunk_bytes(const struct homa_msg_mem *mem, u32 length, u32 i)
{
	return min(length - (i << mem->shift), 1u << mem->shift);
}

static struct page **table_of(struct homa_msg_mem *mem)
{
	return mem->nr_chunks == 1 ? &mem->chunk : mem->chunks;
}

void homa_msg_mem_free(struct homa_net *hn, struct homa_msg_mem *mem)
{
	if (mem->nr_chunks) {
		give_back(hn->msg_cache, table_of(mem), mem->nr_chunks);
		if (mem->nr_chunks > 1)
			kfree(mem->chunks);
	}
	mem->nr_chunks = 0;
}

/* Large ones are welcome, but not worth waiting for. */
static struct page *alloc_chunk(struct homa_msg_cache *cache, u32 bytes, u32 order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT;
	struct page *page = NULL;

	if (order)
		gfp = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY;
	if (order == CHUNK_ORDER && bytes > PIECE_MAX)
		page = take_cached(cache);
	return page ?: alloc_pages(gfp, min_t(u32, order, get_order(bytes)));
}

static int alloc_chunks(struct homa_net *hn, struct homa_msg_mem *mem, u32 length, u32 order)
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
		struct page *page = alloc_chunk(hn->msg_cache, chunk_bytes(mem, length, i), order);

		table_of(mem)[i] = page;
		if (!page) {
			homa_msg_mem_free(hn, mem);
			return -ENOMEM;
		}
	}
	return 0;
}

/* A piece of the task's page. It is ours before anything is copied: copying may fault, and what
 * happens then may want a piece too.
 */
static bool alloc_piece(struct homa_msg_mem *mem, u32 length)
{
	struct page_frag *frag = &current->task_frag;

	if (length > PIECE_MAX || !skb_page_frag_refill(length, frag, GFP_KERNEL_ACCOUNT) ||
	    frag->size - frag->offset < length)
		return false;
	get_page(frag->page);
	mem->chunk = frag->page;
	mem->nr_chunks = 1;
	mem->start = frag->offset;
	frag->offset += min_t(u32, ALIGN(length, SMP_CACHE_BYTES), frag->size - frag->offset);
	return true;
}

static int copy_chunks(struct homa_msg_mem *mem, struct iov_iter *from, u32 length)
{
	bool is_long = length > HOMA_BPAGE_SIZE;
	u32 i;

	if (mem->nr_chunks == 1)
		return copy_from_iter(page_address(mem->chunk) + mem->start, length, from) ==
		       length ? 0 : -EFAULT;
	for (i = 0; i < mem->nr_chunks; i++) {
		u32 n = chunk_bytes(mem, length, i);

		if (is_long && !(i & 1))
			homa_turns_pass(2 * n);
		if (copy_from_iter(page_address(mem->chunks[i]), n, from) != n)
			return -EFAULT;
	}
	return 0;
}

int homa_msg_mem_copy(struct homa_net *hn, struct homa_msg_mem *mem, struct iov_iter *from,
		      u32 length)
{
	int err = 0;

	mem->nr_chunks = 0;
	mem->start = 0;
	/* Without a check of what has just been checked, which costs as much as the copy. */
	if (length <= HOMA_MSG_SMALL_MAX)
		return _copy_from_iter(mem->small, length, from) == length ? 0 : -EFAULT;
	if (!alloc_piece(mem, length))
		err = alloc_chunks(hn, mem, length, CHUNK_ORDER);
	if (err)
		err = alloc_chunks(hn, mem, length, 0);
	if (!err)
		err = copy_chunks(mem, from, length);
	if (err)
		homa_msg_mem_free(hn, mem);
	return err;
}

/* ------------------------------------------------------------------ packets */

bool homa_msg_mem_copies(const struct homa_msg_mem *mem, u32 bytes)
{
	return !mem->nr_chunks || bytes <= HOMA_MSG_SMALL_MAX;
}

static void add_bytes(struct sk_buff *skb, struct page *page, u32 offset, u32 n, bool copy)
{
	if (copy) {
		skb_put_data(skb, page_address(page) + offset, n);
		return;
	}
	get_page(page);
	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, page, offset, n);
	skb->len += n;
	skb->data_len += n;
	skb->truesize += n;
}

void homa_msg_mem_add(const struct homa_msg_mem *mem, struct sk_buff *skb, u32 start, u32 end,
		      bool copy)
{
	if (!mem->nr_chunks) {
		skb_put_data(skb, mem->small + start, end - start);
		return;
	}
	if (mem->nr_chunks == 1) {
		add_bytes(skb, mem->chunk, mem->start + start, end - start, copy);
		return;
	}
	while (start < end) {
		u32 offset = start & ((1u << mem->shift) - 1);
		u32 n = min(end - start, (1u << mem->shift) - offset);

		add_bytes(skb, mem->chunks[start >> mem->shift], offset, n, copy);
		start += n;
	}
}
