// SPDX-License-Identifier: GPL-2.0
/*
 * pool.c - which parts of a socket's receive region are free.
 *
 * The region is cut into pages of 64 KiB. A message has whole pages for all its full 64 KiB, and
 * its tail shares the page that is open at the moment with other tails, in pieces of 64 bytes, so
 * that no two messages share a cache line. Free pages are a stack: the page given back last is the
 * warmest. When all pieces of the open page have come back, it starts over at once.
 *
 * Lock: pool->lock, BH, a leaf. Never touches the user's memory.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "pool.h"

#define PIECE_SHIFT	6
#define PIECES		(HOMA_BPAGE_SIZE >> PIECE_SHIFT)
#define NO_PAGE		U32_MAX

struct bpage {
	u32 users;			/* pieces given out */
	DECLARE_BITMAP(start, PIECES);	/* where they start: offsets that may be given back */
};

struct homa_pool {
	spinlock_t lock;		/* guards all but start, length and nr */
	u64 start;
	u64 length;
	u32 nr;
	u32 nr_free;
	u32 open;			/* page that tails are cut from, or NO_PAGE */
	u32 open_fill;			/* bytes of it that are used up */
	u32 *free;			/* stack of page numbers */
	struct bpage *page;
};

struct homa_pool *homa_pool_create(u64 start, u64 length)
{
	struct homa_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!pool)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&pool->lock);
	pool->start = start;
	pool->length = length;
	pool->nr = length >> HOMA_BPAGE_SHIFT;
	pool->open = NO_PAGE;
	pool->free = kvmalloc_array(pool->nr, sizeof(*pool->free), GFP_KERNEL_ACCOUNT);
	pool->page = kvcalloc(pool->nr, sizeof(*pool->page), GFP_KERNEL_ACCOUNT);
	if (!pool->free || !pool->page) {
		homa_pool_destroy(pool);
		return ERR_PTR(-ENOMEM);
	}
	for (i = pool->nr; i > 0; i--)
		pool->free[pool->nr_free++] = i - 1;
	return pool;
}

void homa_pool_destroy(struct homa_pool *pool)
{
	if (!pool)
		return;
	kvfree(pool->free);
	kvfree(pool->page);
	kfree(pool);
}

static u32 give(struct homa_pool *pool, u32 page, u32 offset)
{
	pool->page[page].users++;
	__set_bit(offset >> PIECE_SHIFT, pool->page[page].start);
	return (page << HOMA_BPAGE_SHIFT) + offset;
}

/* The page that is no longer open becomes free as soon as its pieces are. */
static void close_open(struct homa_pool *pool)
{
	if (pool->open != NO_PAGE && !pool->page[pool->open].users)
		pool->free[pool->nr_free++] = pool->open;
	pool->open = NO_PAGE;
}

static bool fits_open(const struct homa_pool *pool, u32 tail)
{
	return pool->open != NO_PAGE && tail <= HOMA_BPAGE_SIZE - pool->open_fill;
}

int homa_pool_alloc(struct homa_pool *pool, u32 length, u32 offsets[HOMA_MAX_BPAGES], u32 *nr)
{
	u32 tail = ALIGN(length & (HOMA_BPAGE_SIZE - 1), 1 << PIECE_SHIFT);
	u32 whole = length >> HOMA_BPAGE_SHIFT;
	u32 i, need;
	int err = 0;

	spin_lock(&pool->lock);
	need = whole + (tail && !fits_open(pool, tail));
	if (need > pool->nr_free) {
		err = -ENOBUFS;
		goto unlock;
	}
	for (i = 0; i < whole; i++)
		offsets[i] = give(pool, pool->free[--pool->nr_free], 0);
	if (tail) {
		if (!fits_open(pool, tail)) {
			u32 page = pool->free[--pool->nr_free];

			close_open(pool);
			pool->open = page;
			pool->open_fill = 0;
		}
		offsets[i++] = give(pool, pool->open, pool->open_fill);
		pool->open_fill += tail;
	}
	*nr = i;
unlock:
	spin_unlock(&pool->lock);
	return err;
}

static bool was_given(const struct homa_pool *pool, u32 offset)
{
	u32 page = offset >> HOMA_BPAGE_SHIFT;
	u32 in_page = offset & (HOMA_BPAGE_SIZE - 1);

	return page < pool->nr && !(in_page & ((1 << PIECE_SHIFT) - 1)) &&
	       test_bit(in_page >> PIECE_SHIFT, pool->page[page].start);
}

static bool all_given_once(const struct homa_pool *pool, const u32 *offsets, u32 nr)
{
	u32 i, j;

	for (i = 0; i < nr; i++) {
		if (!was_given(pool, offsets[i]))
			return false;
		for (j = 0; j < i; j++)
			if (offsets[j] == offsets[i])
				return false;
	}
	return true;
}

static void take_back(struct homa_pool *pool, u32 offset)
{
	u32 page = offset >> HOMA_BPAGE_SHIFT;

	__clear_bit((offset & (HOMA_BPAGE_SIZE - 1)) >> PIECE_SHIFT, pool->page[page].start);
	if (--pool->page[page].users)
		return;
	if (page == pool->open)
		pool->open_fill = 0;
	else
		pool->free[pool->nr_free++] = page;
}

int homa_pool_free(struct homa_pool *pool, const u32 *offsets, u32 nr)
{
	int err = 0;
	u32 i;

	spin_lock_bh(&pool->lock);
	if (all_given_once(pool, offsets, nr))
		for (i = 0; i < nr; i++)
			take_back(pool, offsets[i]);
	else
		err = -EINVAL;
	spin_unlock_bh(&pool->lock);
	return err;
}

u64 homa_pool_start(const struct homa_pool *pool)
{
	return pool->start;
}

u64 homa_pool_length(const struct homa_pool *pool)
{
	return pool->length;
}

u64 homa_pool_avail(struct homa_pool *pool)
{
	u64 avail;

	spin_lock_bh(&pool->lock);
	avail = (u64)pool->nr_free << HOMA_BPAGE_SHIFT;
	if (pool->open != NO_PAGE)
		avail += HOMA_BPAGE_SIZE - pool->open_fill;
	spin_unlock_bh(&pool->lock);
	return avail;
}
