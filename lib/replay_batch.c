// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay_batch.c - which batches the logs tell of, and which nodes have ended them there. Pure.
 *
 * A node has ended a batch when its log will not get another record of it, nor its process hear anything
 * that is not in it. END says so; it is there in each file in which the node has begun the batch, since whoever
 * begins one ends the one before (log.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "replay.h"

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_epoch(const void *a, const void *b)
{
	const struct p4a_replay_batch *x = a, *y = b;

	return compare(x->epoch, y->epoch);
}

static int by_grant(const void *a, const void *b)
{
	const struct p4a_replay_grant *x = a, *y = b;

	if (x->epoch != y->epoch)
		return compare(x->epoch, y->epoch);
	return x->node != y->node ? compare(x->node, y->node) : compare(x->segment, y->segment);
}

static void note(struct p4a_replay_batch *b, const struct p4a_replay *r,
		 const struct p4a_replay_grant *g)
{
	uint16_t nodes = g->nodes ? g->nodes : r->nodes;	/* without its beginning a log lacks it */
	uint64_t bit = UINT64_C(1) << g->node;

	b->epoch = g->epoch;
	b->batch = g->batch > b->batch ? g->batch : b->batch;
	b->nodes = nodes > b->nodes ? nodes : b->nodes;
	b->begun |= bit;
	b->going |= g->over ? 0 : bit;
	b->open |= g->ended ? 0 : bit;
}

/* One for all copies of a file: one may have been read before it was ended, and one after. */
static void merge_copies(struct p4a_list *grants)
{
	struct p4a_replay_grant *g = grants->data;
	size_t i, n = 0;

	if (grants->n)
		qsort(g, grants->n, sizeof(*g), by_grant);
	for (i = 0; i < grants->n; i++) {
		if (!n || by_grant(&g[n - 1], &g[i])) {
			g[n++] = g[i];
			continue;
		}
		g[n - 1].over |= g[i].over;
		g[n - 1].ended |= g[i].ended;
	}
	grants->n = n;
}

int p4a_replay_batches(struct p4a_replay *r)
{
	struct p4a_replay_batch *b = NULL;
	struct p4a_replay_grant *g;
	size_t i;

	merge_copies(&r->grants);
	g = r->grants.data;
	r->batches.n = 0;
	for (i = 0; i < r->grants.n; i++) {
		if (!b || b->epoch != g[i].epoch)
			b = p4a_list_add(&r->batches, sizeof(*b));
		if (!b)
			return -ENOMEM;
		note(b, r, &g[i]);
	}
	return 0;
}

struct p4a_replay_batch *p4a_replay_batch(const struct p4a_replay *r, uint64_t epoch)
{
	const struct p4a_replay_batch want = { .epoch = epoch };

	if (!r->batches.n)
		return NULL;
	return bsearch(&want, r->batches.data, r->batches.n, sizeof(want), by_epoch);
}

void p4a_replay_judge(struct p4a_replay *r, uint64_t after)
{
	const struct p4a_replay_batch *b = r->batches.data;
	struct p4a_replay_info *info = &r->info;
	uint64_t begun = 0, going = 0;
	unsigned int node;

	info->nodes = r->nodes;
	if (r->batches.n && b[r->batches.n - 1].epoch > after) {
		b += r->batches.n - 1;
		info->epoch = b->epoch;
		info->batch = b->batch;
		info->nodes = b->nodes;		/* it may have had more before */
		begun = b->begun;
		going = b->going;
	}
	for (node = 0; node < info->nodes && node < P4A_MAX_NODES; node++) {
		uint64_t bit = UINT64_C(1) << node;

		if (!(r->seen & bit))
			info->missing |= bit;
		else if (begun & bit ? going & bit : r->ended[node] < info->batch)
			info->unended |= bit;
	}
}
