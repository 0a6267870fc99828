/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_ALLOC_H
#define P4HOMA_ALLOC_H

#include <linux/types.h>
#include "bitmap.h"

#define HOMA_FLOWS_MAX		4096	/* of one tenant on one host */

struct homa_geometry;
struct homa_txn_call;
struct netlink_ext_ack;

/* A grant as the library reports it. */
struct homa_grant_spec {
	u64 epoch;			/* 0: holds nothing */
	u32 flow_first;
	u32 flow_count;
	u8 bitmap[P4W_BITMAP_BYTES];
};

struct homa_flow {
	struct homa_txn_call *call;	/* outstanding on it, or NULL */
	__be64 repeated_id;		/* of the last that was answered after a repeat, or 0 */
	u32 seq;			/* the last one used */
	u16 idle;			/* place in the ring of idle flows: not about this flow */
};

/* What a tenant holds. Guarded by the tenant's lock. */
struct homa_alloc {
	struct homa_grant_spec spec;
	struct homa_blocks blocks;
	u32 first_idle;
	u32 nr_idle;
	struct homa_flow flows[];
};

int homa_grant_check(const struct homa_grant_spec *spec, const struct homa_geometry *geo,
		     u64 current_epoch, struct netlink_ext_ack *ack);
struct homa_alloc *homa_alloc_create(const struct homa_grant_spec *spec);
bool homa_alloc_is_resized(const struct homa_alloc *alloc, const struct homa_grant_spec *spec,
			   const struct homa_blocks *blocks);
bool homa_grants_share_flows(const struct homa_grant_spec *a, const struct homa_grant_spec *b);
void homa_alloc_free(struct homa_alloc *alloc);
void homa_alloc_set_seq(struct homa_alloc *alloc, u32 seq);
u32 homa_alloc_seq_high(const struct homa_alloc *alloc);

struct homa_flow *homa_flow_take(struct homa_alloc *alloc);
void homa_flow_give_back(struct homa_alloc *alloc, struct homa_flow *flow);
struct homa_flow *homa_flow_find(struct homa_alloc *alloc, u32 number);
u32 homa_flow_number(const struct homa_alloc *alloc, const struct homa_flow *flow);

#endif
