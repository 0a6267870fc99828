// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay_batch.c - which batches the logs tell of, and which nodes have ended them there. Pure.
 *
 * A node has ended a batch when its log will not get another record of it, nor its process hear anything
 * that is not in it. It says so itself (END); or its next file does: a process begins one only when all of
 * its own batches have ended, or when whoever wrote the file before is gone (log.c). What that one had been
 * told is in the file, if the file has outlived what it was to outlive.
 */
#include <errno.h>
#include <stdlib.h>

#include "replay.h"

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_file(const void *a, const void *b)
{
	const struct p4a_replay_file *x = a, *y = b;

	return x->node != y->node ? compare(x->node, y->node) : compare(x->segment, y->segment);
}

static int by_epoch(const void *a, const void *b)
{
	const struct p4a_replay_batch *x = a, *y = b;

	return compare(x->epoch, y->epoch);
}

static int by_grant(const void *a, const void *b)
{
	const struct p4a_replay_grant *x = a, *y = b;

	return compare(x->epoch, y->epoch);
}

/* A host that has gone down since may have taken with it what its processes had been told; so may an error. */
static bool is_whole(const struct p4a_replay_file *f, const struct p4a_replay_file *next)
{
	uint32_t boot = f->life & ~P4A_LOG_OUTLIVES_HOST;

	return f->life & P4A_LOG_OUTLIVES_HOST ||
	       (boot && boot == (next->life & ~P4A_LOG_OUTLIVES_HOST));
}

/* By node and segment, without those that are there twice. */
static void sort_files(struct p4a_list *files)
{
	struct p4a_replay_file *f = files->data;
	size_t i, n = 0;

	if (files->n)
		qsort(f, files->n, sizeof(*f), by_file);
	for (i = 0; i < files->n; i++)
		if (!n || by_file(&f[n - 1], &f[i]))
			f[n++] = f[i];
	files->n = n;
}

/* Its node has begun another file since. */
static bool is_followed(const struct p4a_replay *r, const struct p4a_replay_grant *g)
{
	const struct p4a_replay_file want = { .node = g->node, .segment = g->segment };
	const struct p4a_replay_file *first = r->files.data, *f, *next;

	f = first ? bsearch(&want, first, r->files.n, sizeof(want), by_file) : NULL;
	next = f ? f + 1 : NULL;
	return f && next < first + r->files.n && next->node == f->node &&
	       f->version > P4A_LOG_VERSION_DRAIN_LAST &&
	       next->version > P4A_LOG_VERSION_DRAIN_LAST && is_whole(f, next);
}

static void note(struct p4a_replay_batch *b, const struct p4a_replay *r,
		 const struct p4a_replay_grant *g)
{
	uint16_t nodes = g->nodes ? g->nodes : r->nodes;	/* without its beginning a log lacks it */

	b->epoch = g->epoch;
	b->batch = g->batch > b->batch ? g->batch : b->batch;
	b->nodes = nodes > b->nodes ? nodes : b->nodes;
	if (g->ended)
		b->ended |= UINT64_C(1) << g->node;
}

int p4a_replay_batches(struct p4a_replay *r)
{
	struct p4a_replay_grant *g = r->grants.data;
	struct p4a_replay_batch *b = NULL;
	size_t i;

	sort_files(&r->files);
	if (r->grants.n)
		qsort(g, r->grants.n, sizeof(*g), by_grant);
	r->batches.n = 0;
	for (i = 0; i < r->grants.n; i++) {
		if (!b || b->epoch != g[i].epoch)
			b = p4a_list_add(&r->batches, sizeof(*b));
		if (!b)
			return -ENOMEM;
		if (!g[i].ended)
			g[i].ended = is_followed(r, &g[i]);
		if (g[i].ended && g[i].batch > r->ended[g[i].node])
			r->ended[g[i].node] = g[i].batch;
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
	unsigned int node;

	info->nodes = r->nodes;
	if (r->batches.n && b[r->batches.n - 1].epoch > after) {
		b += r->batches.n - 1;
		info->epoch = b->epoch;
		info->batch = b->batch;
		info->nodes = b->nodes;		/* it may have had more before */
	}
	for (node = 0; node < info->nodes && node < P4A_MAX_NODES; node++) {
		uint64_t bit = UINT64_C(1) << node;

		if (!(r->seen & bit))
			info->missing |= bit;
		else if (r->ended[node] < info->batch)
			info->unended |= bit;
	}
}
