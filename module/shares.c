// SPDX-License-Identifier: GPL-2.0
/*
 * shares.c - see shares.h.
 */
#include <linux/math64.h>
#include <linux/slab.h>

#include "net.h"
#include "shares.h"
#include "tenant.h"

#define WEIGHT_DEFAULT	100	/* as that of a tenant for which nothing was said */
#define TIME_SHIFT	12	/* a byte at weight 1 */

void homa_shares_init(struct homa_shares *shares)
{
	*shares = (struct homa_shares){
		.by_time = RB_ROOT_CACHED,
		.none = { .weight = WEIGHT_DEFAULT, .queue = RB_ROOT_CACHED },
	};
	RB_CLEAR_NODE(&shares->none.by_time);
}

/* Unless somebody has joined again, or it is NULL. */
static void free_share(struct homa_shares *shares, struct homa_share *share)
{
	if (!share || share->users)
		return;
	rb_erase(&share->by_id, &shares->by_id);
	kfree(share);
}

void homa_shares_exit(struct homa_shares *shares)
{
	free_share(shares, shares->last);
	shares->last = NULL;
}

/* 0: not one of ours. */
static u32 weight_of(struct homa_net *hn, u32 tenant)
{
	const struct homa_tenant *t;
	u32 weight = 0;

	rcu_read_lock();
	t = xa_load(&hn->tenants->by_id, tenant);
	if (t)
		weight = READ_ONCE(t->conf.weight);
	rcu_read_unlock();
	return weight;
}

static struct homa_share *find_or_add(struct homa_shares *shares, u32 id)
{
	struct rb_node **link = &shares->by_id.rb_node, *parent = NULL;
	struct homa_share *share;

	while (*link) {
		parent = *link;
		share = rb_entry(parent, struct homa_share, by_id);
		if (share->id == id)
			return share;
		link = id < share->id ? &parent->rb_left : &parent->rb_right;
	}
	share = kzalloc(sizeof(*share), GFP_ATOMIC);
	if (!share)
		return NULL;
	share->id = id;
	share->queue = RB_ROOT_CACHED;
	share->time = shares->now;
	RB_CLEAR_NODE(&share->by_time);
	rb_link_node(&share->by_id, parent, link);
	rb_insert_color(&share->by_id, &shares->by_id);
	return share;
}

struct homa_share *homa_share_join(struct homa_shares *shares, struct homa_net *hn, u32 tenant)
{
	u32 weight = tenant ? weight_of(hn, tenant) : 0;
	struct homa_share *share = NULL;

	if (weight)
		share = find_or_add(shares, tenant);
	if (!share)
		share = &shares->none;
	else
		share->weight = weight;
	if (!share->users++)
		share->time = max(share->time, shares->now);
	return share;
}

void homa_share_leave(struct homa_shares *shares, struct homa_share *share)
{
	if (--share->users)
		return;
	homa_share_rest(shares, share);
	if (share == &shares->none)
		return;
	if (shares->last != share)
		free_share(shares, shares->last);
	shares->last = share;
}

static bool is_behind(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_share *x = rb_entry(a, struct homa_share, by_time);
	const struct homa_share *y = rb_entry(b, struct homa_share, by_time);

	return x->time < y->time;
}

void homa_share_wait(struct homa_shares *shares, struct homa_share *share)
{
	if (RB_EMPTY_NODE(&share->by_time))
		rb_add_cached(&share->by_time, &shares->by_time, is_behind);
}

void homa_share_rest(struct homa_shares *shares, struct homa_share *share)
{
	if (RB_EMPTY_NODE(&share->by_time))
		return;
	rb_erase_cached(&share->by_time, &shares->by_time);
	RB_CLEAR_NODE(&share->by_time);
}

void homa_share_charge(struct homa_shares *shares, struct homa_share *share, u32 bytes)
{
	bool waits = !RB_EMPTY_NODE(&share->by_time);

	shares->now = max(shares->now, share->time);
	homa_share_rest(shares, share);
	share->time += div_u64((u64)bytes << TIME_SHIFT, share->weight);
	if (waits)
		homa_share_wait(shares, share);
}

struct homa_share *homa_share_first(const struct homa_shares *shares)
{
	struct rb_node *node = rb_first_cached(&shares->by_time);

	return node ? rb_entry(node, struct homa_share, by_time) : NULL;
}

struct homa_share *homa_share_next(const struct homa_share *share)
{
	struct rb_node *node = rb_next(&share->by_time);

	return node ? rb_entry(node, struct homa_share, by_time) : NULL;
}
