// SPDX-License-Identifier: GPL-2.0
/*
 * gaps.c - which bytes of an incoming message have come. Pure but for the memory of the holes; the
 * caller has the lock of the RPC. Segments may overlap in any way: a path's MTU can change between
 * a packet and its retransmission.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "gaps.h"

void homa_gaps_init(struct homa_gaps *g)
{
	INIT_LIST_HEAD(&g->list);
	g->nr = 0;
	g->recv_end = 0;
}

static void remove(struct homa_gaps *g, struct homa_gap *gap)
{
	list_del(&gap->link);
	g->nr--;
	kfree(gap);
}

void homa_gaps_free_all(struct homa_gaps *g)
{
	struct homa_gap *gap, *next;

	list_for_each_entry_safe(gap, next, &g->list, link)
		remove(g, gap);
}

/* One call needs at most one more hole: behind recv_end, or where a hole is split. */
static bool needs_hole(const struct homa_gaps *g, u32 start, u32 end)
{
	const struct homa_gap *gap;

	if (start > g->recv_end)
		return true;
	list_for_each_entry(gap, &g->list, link)
		if (gap->start < start && end < gap->end)
			return true;
	return false;
}

/* Takes [start, end) out of the holes; *spare is used up if one is split. */
static u32 fill(struct homa_gaps *g, u32 start, u32 end, struct homa_gap **spare, u32 *from,
		u32 *to)
{
	struct homa_gap *gap, *next;
	u32 new = 0;

	list_for_each_entry_safe(gap, next, &g->list, link) {
		u32 lo = max(start, gap->start);
		u32 hi = min(end, gap->end);

		if (gap->start >= end)
			break;
		if (lo >= hi)
			continue;
		new += hi - lo;
		*from = min(*from, lo);
		*to = max(*to, hi);
		if (lo == gap->start && hi == gap->end) {
			remove(g, gap);
		} else if (lo == gap->start) {
			gap->start = hi;
		} else if (hi == gap->end) {
			gap->end = lo;
		} else {
			(*spare)->start = hi;
			(*spare)->end = gap->end;
			gap->end = lo;
			list_add(&(*spare)->link, &gap->link);
			g->nr++;
			*spare = NULL;
		}
	}
	return new;
}

int homa_gaps_add(struct homa_gaps *g, u32 start, u32 end, u32 *from, u32 *to)
{
	struct homa_gap *spare = NULL;
	u32 new;

	if (start == g->recv_end && !g->nr) {	/* in order, as nearly always */
		*from = start;
		*to = end;
		g->recv_end = end;
		return end - start;
	}
	if (needs_hole(g, start, end)) {
		if (g->nr == HOMA_GAPS_MAX)
			return -ENOMEM;
		spare = kmalloc(sizeof(*spare), GFP_ATOMIC);
		if (!spare)
			return -ENOMEM;
	}

	*from = U32_MAX;
	*to = 0;
	new = fill(g, start, end, &spare, from, to);
	if (end > g->recv_end) {
		u32 lo = max(start, g->recv_end);

		if (start > g->recv_end) {
			spare->start = g->recv_end;
			spare->end = start;
			list_add_tail(&spare->link, &g->list);
			g->nr++;
		}
		new += end - lo;
		*from = min(*from, lo);
		*to = end;
		g->recv_end = end;
	}
	return new;
}

u32 homa_gaps_bytes(const struct homa_gaps *g)
{
	const struct homa_gap *gap;
	u32 sum = 0;

	list_for_each_entry(gap, &g->list, link)
		sum += gap->end - gap->start;
	return sum;
}
