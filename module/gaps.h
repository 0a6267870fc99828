/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gaps.h - which bytes of an incoming message have come.
 */
#ifndef P4HOMA_GAPS_H
#define P4HOMA_GAPS_H

#include <linux/list.h>
#include <linux/types.h>

#define HOMA_GAPS_MAX	1024	/* of one message; a sender that makes more is not honest */

struct homa_gap {
	struct list_head link;
	u32 start;
	u32 end;
};

struct homa_gaps {
	struct list_head list;	/* holes below recv_end, ascending, disjoint, not empty */
	u32 nr;
	u32 recv_end;		/* end of the highest byte that has come */
};

void homa_gaps_init(struct homa_gaps *g);
void homa_gaps_free_all(struct homa_gaps *g);

static inline void homa_gaps_free(struct homa_gaps *g)
{
	if (!list_empty(&g->list))
		homa_gaps_free_all(g);
}

/* Bytes [start, end), start < end, have come. Returns how many of them are new, or -ENOMEM and
 * nothing is changed. *from, *to: the smallest range with all new ones.
 */
int homa_gaps_add(struct homa_gaps *g, u32 start, u32 end, u32 *from, u32 *to);

/* Bytes that are missing below recv_end. */
u32 homa_gaps_bytes(const struct homa_gaps *g);

#endif /* P4HOMA_GAPS_H */
