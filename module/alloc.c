// SPDX-License-Identifier: GPL-2.0
/*
 * alloc.c - what a tenant holds in the switch: blocks, and flows with their sequence numbers.
 *
 * Owns: struct homa_alloc. Entered from netlink.c (check), txn.c (everything else) under the
 * tenant's lock; creating and freeing are for process context without it. Sends nothing.
 *
 * A flow has at most one transaction outstanding, which is what makes a repeat recognisable in the
 * switch: per flow it remembers one sequence number. Flows rest as long as possible (first in,
 * first out), so that a late packet of a transaction that was given up finds its flow untouched.
 */
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include "alloc.h"
#include "tenant.h"

/* 0, or an error and its text. A grant is not trusted: this guards the kernel, not the switch. */
int homa_grant_check(const struct homa_grant_spec *spec, const struct homa_geometry *geo,
		     u64 current_epoch, struct netlink_ext_ack *ack)
{
	if (!spec->epoch)
		return 0;
	if (!geo->registers) {
		NL_SET_ERR_MSG(ack, "GEO_BLOCKS: no geometry was set in this network namespace");
		return -ENODATA;
	}
	if (spec->epoch < current_epoch) {
		NL_SET_ERR_MSG(ack, "ALLOC_EPOCH: below the current one");
		return -ESTALE;
	}
	if (!homa_bitmap_end(spec->bitmap)) {
		NL_SET_ERR_MSG(ack, "ALLOC_BITMAP: at least one bit must be set");
		return -EINVAL;
	}
	if (homa_bitmap_end(spec->bitmap) > geo->blocks) {
		NL_SET_ERR_MSG(ack, "ALLOC_BITMAP: a bit at or above GEO_BLOCKS is set");
		return -ERANGE;
	}
	if (spec->flow_count < 1 || spec->flow_count > HOMA_FLOWS_MAX) {
		NL_SET_ERR_MSG(ack, "ALLOC_FLOW_COUNT: u32, 1 .. 4096");
		return -ERANGE;
	}
	if (spec->flow_first >= geo->flows || spec->flow_count > geo->flows - spec->flow_first) {
		NL_SET_ERR_MSG(ack, "ALLOC_FLOW_FIRST: FIRST + COUNT must not exceed GEO_FLOWS");
		return -ERANGE;
	}
	return 0;
}

struct homa_alloc *homa_alloc_create(const struct homa_grant_spec *spec)
{
	struct homa_alloc *alloc;
	u32 i;

	alloc = kvzalloc(struct_size(alloc, flows, spec->flow_count), GFP_KERNEL_ACCOUNT);
	if (!alloc)
		return NULL;
	alloc->spec = *spec;
	homa_blocks_from_bitmap(&alloc->blocks, spec->bitmap);
	for (i = 0; i < spec->flow_count; i++)
		alloc->flows[i].idle = i;
	alloc->nr_idle = spec->flow_count;
	return alloc;
}

/* Lock word and serial are at the first block: with another one it is not the same grant. */
bool homa_alloc_is_resized(const struct homa_alloc *alloc, const struct homa_grant_spec *spec,
			   const struct homa_blocks *blocks)
{
	return alloc->spec.epoch == spec->epoch && alloc->spec.flow_first == spec->flow_first &&
	       alloc->spec.flow_count == spec->flow_count &&
	       alloc->blocks.block[0] == blocks->block[0];
}

/* The sums do not wrap: both were checked. */
bool homa_grants_share_flows(const struct homa_grant_spec *a, const struct homa_grant_spec *b)
{
	return a->flow_first < b->flow_first + b->flow_count &&
	       b->flow_first < a->flow_first + a->flow_count;
}

void homa_alloc_free(struct homa_alloc *alloc)
{
	kvfree(alloc);
}

/* All flows go on after this sequence number; none is in use yet. */
void homa_alloc_set_seq(struct homa_alloc *alloc, u32 seq)
{
	u32 i;

	for (i = 0; i < alloc->spec.flow_count; i++)
		alloc->flows[i].seq = seq;
}

u32 homa_alloc_seq_high(const struct homa_alloc *alloc)
{
	u32 i, high = 0;

	for (i = 0; i < alloc->spec.flow_count; i++)
		high = max(high, alloc->flows[i].seq);
	return high;
}

/* The flow that has rested longest, with its next sequence number, or NULL if all are in use. */
struct homa_flow *homa_flow_take(struct homa_alloc *alloc)
{
	struct homa_flow *flow;

	if (!alloc->nr_idle)
		return NULL;
	flow = &alloc->flows[alloc->flows[alloc->first_idle].idle];
	alloc->first_idle = (alloc->first_idle + 1) % alloc->spec.flow_count;
	alloc->nr_idle--;
	flow->seq++;
	return flow;
}

void homa_flow_give_back(struct homa_alloc *alloc, struct homa_flow *flow)
{
	u32 place = (alloc->first_idle + alloc->nr_idle) % alloc->spec.flow_count;

	flow->call = NULL;
	if (flow->seq == U32_MAX)
		return;		/* worn out: its next number would be an old one to the switch */
	alloc->flows[place].idle = flow - alloc->flows;
	alloc->nr_idle++;
}

struct homa_flow *homa_flow_find(struct homa_alloc *alloc, u32 number)
{
	u32 i = number - alloc->spec.flow_first;	/* wraps below the first: too large */

	return i < alloc->spec.flow_count ? &alloc->flows[i] : NULL;
}

u32 homa_flow_number(const struct homa_alloc *alloc, const struct homa_flow *flow)
{
	return alloc->spec.flow_first + (flow - alloc->flows);
}
