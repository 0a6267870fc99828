// SPDX-License-Identifier: GPL-2.0
/*
 * places.c - see places.h.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "net.h"
#include "peer.h"
#include "places.h"
#include "rpc.h"

#define SHARES_SEEN	16	/* tenants looked at in search of a peer without a place */

/* The waiting messages of one peer and tenant. */
struct homa_grant_flow {
	struct hlist_node in_peer;	/* peer->grant_flows; unhashed: of no peer in particular */
	struct rb_node in_share;	/* while there are any, by the first of them */
	struct homa_share *share;
	struct homa_peer *peer;		/* valid while there are messages */
	struct rb_root_cached waiting;
	u32 users;			/* messages, waiting or not */
};

/* ------------------------------------------------------------------ ranks */

static u32 remaining(const struct homa_grant *g)
{
	return g->length - g->received;
}

bool homa_grant_before(const struct homa_grant *a, const struct homa_grant *b)
{
	if (remaining(a) != remaining(b))
		return remaining(a) < remaining(b);
	return a->birth < b->birth;
}

/* The tenant that is furthest behind first. */
static bool ranks_before(const struct homa_grant *a, const struct homa_grant *b)
{
	const struct homa_share *x = a->flow->share, *y = b->flow->share;

	if (x != y && x->time != y->time)
		return x->time < y->time;
	return homa_grant_before(a, b);
}

void homa_places_sort(struct homa_budget *b)
{
	u32 i, j;

	for (i = 1; i < b->nr_active; i++) {
		struct homa_grant *g = b->active[i];

		for (j = i; j && ranks_before(g, b->active[j - 1]); j--)
			b->active[j] = b->active[j - 1];
		b->active[j] = g;
	}
}

/* ------------------------------------------------------------------ who waits */

static struct homa_grant *first_of(const struct homa_grant_flow *flow)
{
	struct rb_node *node = rb_first_cached(&flow->waiting);

	return node ? rb_entry(node, struct homa_grant, in_flow) : NULL;
}

static bool grant_less(struct rb_node *a, const struct rb_node *b)
{
	return homa_grant_before(rb_entry(a, struct homa_grant, in_flow),
				 rb_entry(b, struct homa_grant, in_flow));
}

static bool flow_less(struct rb_node *a, const struct rb_node *b)
{
	return homa_grant_before(first_of(rb_entry(a, struct homa_grant_flow, in_share)),
				 first_of(rb_entry(b, struct homa_grant_flow, in_share)));
}

/* Where a flow belongs may change when its first message does, so it is taken out before that. */
static void take_flow(struct homa_budget *b, struct homa_grant_flow *flow)
{
	struct homa_share *share = flow->share;

	if (RB_EMPTY_NODE(&flow->in_share))
		return;
	rb_erase_cached(&flow->in_share, &share->queue);
	RB_CLEAR_NODE(&flow->in_share);
	if (RB_EMPTY_ROOT(&share->queue.rb_root))
		homa_share_rest(&b->shares, share);
}

static void put_flow(struct homa_budget *b, struct homa_grant_flow *flow)
{
	if (!first_of(flow))
		return;
	rb_add_cached(&flow->in_share, &flow->share->queue, flow_less);
	homa_share_wait(&b->shares, flow->share);
}

void homa_place_wait(struct homa_budget *b, struct homa_grant *g)
{
	take_flow(b, g->flow);
	rb_add_cached(&g->in_flow, &g->flow->waiting, grant_less);
	put_flow(b, g->flow);
	g->where = HOMA_GRANT_WAITING;
	b->nr_waiting++;
}

void homa_place_stop_waiting(struct homa_budget *b, struct homa_grant *g)
{
	take_flow(b, g->flow);
	rb_erase_cached(&g->in_flow, &g->flow->waiting);
	put_flow(b, g->flow);
	g->where = HOMA_GRANT_NOWHERE;
	b->nr_waiting--;
}

void homa_flow_leave(struct homa_budget *b, struct homa_grant *g)
{
	struct homa_grant_flow *flow = g->flow;

	g->flow = NULL;
	if (--flow->users)
		return;
	hlist_del(&flow->in_peer);
	homa_share_leave(&b->shares, flow->share);
	kfree(flow);
}

void homa_flow_charge(struct homa_budget *b, struct homa_grant_flow *flow, u32 bytes)
{
	homa_share_charge(&b->shares, flow->share, bytes);
}

struct homa_grant_flow *homa_flow_join(struct homa_budget *b, struct homa_rpc *rpc)
{
	struct homa_share *share = homa_share_join(&b->shares, b->net, rpc->peer_tenant);
	struct homa_grant_flow *flow;

	hlist_for_each_entry(flow, &rpc->peer->grant_flows, in_peer) {
		if (flow->share != share)
			continue;
		homa_share_leave(&b->shares, share);
		flow->users++;
		return flow;
	}
	flow = kzalloc(sizeof(*flow), GFP_ATOMIC);
	if (!flow) {
		homa_share_leave(&b->shares, share);
		return NULL;
	}
	flow->share = share;
	flow->peer = rpc->peer;
	flow->waiting = RB_ROOT_CACHED;
	flow->users = 1;
	RB_CLEAR_NODE(&flow->in_share);
	hlist_add_head(&flow->in_peer, &rpc->peer->grant_flows);
	return flow;
}

/* ------------------------------------------------------------------ who has a place */

static u32 places_of(const struct homa_budget *b, const struct homa_peer *peer)
{
	u32 i, nr = 0;

	for (i = 0; i < b->nr_active; i++)
		nr += b->active[i]->flow->peer == peer;
	return nr;
}

void homa_place_give(struct homa_budget *b, struct homa_grant *g)
{
	b->active[b->nr_active++] = g;
	g->where = HOMA_GRANT_GRANTED;
	g->needy = false;
	g->heard = jiffies;
	if (!list_empty(&g->by_heard))
		list_move_tail(&g->by_heard, &b->by_heard);
}

void homa_place_take(struct homa_budget *b, struct homa_grant *g)
{
	u32 i;

	for (i = 0; b->active[i] != g; i++)
		;
	b->nr_active--;
	memmove(&b->active[i], &b->active[i + 1], (b->nr_active - i) * sizeof(g));
	g->where = HOMA_GRANT_NOWHERE;
}

struct homa_grant *homa_place_next(const struct homa_budget *b)
{
	struct homa_grant_flow *flow, *best = NULL;
	struct homa_share *share;
	u32 fewest = U32_MAX, seen = 0;
	struct rb_node *node;

	for (share = homa_share_first(&b->shares); share && seen++ < SHARES_SEEN;
	     share = homa_share_next(share)) {
		for (node = rb_first_cached(&share->queue); node; node = rb_next(node)) {
			u32 places;

			flow = rb_entry(node, struct homa_grant_flow, in_share);
			places = places_of(b, flow->peer);
			if (places < fewest) {
				fewest = places;
				best = flow;
			}
			if (!places)
				return first_of(flow);
		}
	}
	return best ? first_of(best) : NULL;
}

/* Whose place a waiting message may have: that of a peer that has most of them, itself counted; of
 * those, the last in rank. NULL: nobody's.
 */
static struct homa_grant *victim_for(const struct homa_budget *b, const struct homa_grant *g)
{
	u32 mine = places_of(b, g->flow->peer), most = 0, i;
	struct homa_grant *victim = NULL;

	for (i = 0; i < b->nr_active; i++) {
		struct homa_grant *a = b->active[i];
		u32 places = places_of(b, a->flow->peer) + (a->flow->peer == g->flow->peer);

		if (places > most || (places == most && ranks_before(victim, a))) {
			most = places;
			victim = a;
		}
	}
	if (victim && (most > mine + 1 || ranks_before(g, victim)))
		return victim;
	return NULL;
}

void homa_places_fill(struct homa_budget *b)
{
	u32 max = min_t(u32, homa_knob(b->net, max_overcommit), HOMA_GRANT_ACTIVE);

	while (b->nr_active > max) {
		struct homa_grant *last = b->active[b->nr_active - 1];

		homa_place_take(b, last);
		homa_place_wait(b, last);
	}
	while (b->nr_waiting && b->nr_active < max) {
		struct homa_grant *g = homa_place_next(b);

		homa_place_stop_waiting(b, g);
		homa_place_give(b, g);
	}
}

void homa_place_compete(struct homa_budget *b, struct homa_grant *g)
{
	struct homa_grant *victim;

	if (b->nr_active < min_t(u32, homa_knob(b->net, max_overcommit), HOMA_GRANT_ACTIVE))
		return;		/* homa_places_fill() */
	victim = victim_for(b, g);
	if (!victim)
		return;
	homa_place_take(b, victim);
	homa_place_wait(b, victim);
	homa_place_stop_waiting(b, g);
	homa_place_give(b, g);
}
