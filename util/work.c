// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * work.c - one transaction: how it is planned, and the four ways in which it ends; see node.h.
 *
 * Main thread only. Locks are given back here and nowhere else: own ones at once, those at peers with
 * the next request to them.
 */
#include <string.h>

#include "node.h"

void work_init(struct work *w, const struct node *n, uint32_t number)
{
	const struct trace_op *ops = trace_ops(&n->trace, number);

	memset(w, 0, sizeof(*w));
	w->number = number;
	w->n = trace_len(&n->trace, number);
	for (unsigned int i = 0; i < w->n; i++)
		w->ops[i].op = ops[i];
}

void work_plan(struct work *w, const struct node *n, unsigned int blocks)
{
	struct p4a_op ops[TRACE_OPS_MAX];

	for (unsigned int i = 0; i < w->n; i++)
		ops[i] = (struct p4a_op){ .key = w->ops[i].op.key, .code = w->ops[i].op.kind,
					  .operand = w->ops[i].op.operand };
	/* What does not fit into the switch has a plan with nothing hot in it. */
	p4a_plan(n->layout, blocks, ops, w->n, &w->plan);
	for (unsigned int i = 0; i < w->n; i++)
		w->ops[i].hot = w->plan.at[i] >= 0;
}

static int release(struct node *n, struct work *w, bool undo)
{
	uint64_t held = w->held;
	int rc = 0;

	w->held = 0;
	for (unsigned int i = 0; held && !rc; i++, held >>= 1) {
		if (!(held & 1))
			continue;
		if (i == n->cfg.self.node)
			store_release(n->store, peer_txn(i, w->number), undo);
		else
			rc = peer_release(n->client, i, w->number, undo);
	}
	return rc ? node_fail(n, rc, "release", peer_client_error(n->client)) : 0;
}

static bool is_hot_key(const struct node *n, uint32_t key)
{
	struct p4a_cell cell;

	return n->layout && p4a_layout_lookup(n->layout, key, &cell) &&
	       cell.slot < n->cfg.want_blocks * P4A_BLOCK_SLOTS;
}

/* Without memory the next layout is a worse one, nothing else. */
static void observe(struct node *n, const struct work *w)
{
	struct p4a_op ops[TRACE_OPS_MAX];

	for (unsigned int i = 0; i < w->n; i++)
		ops[i] = (struct p4a_op){ .key = w->ops[i].op.key, .code = w->ops[i].op.kind };
	p4a_counts_txn(n->counts, ops, w->n);
}

static void count(struct node *n, const struct work *w)
{
	if (n->counts)
		observe(n, w);
	n->stats.hot_ops += w->plan.count;
	for (unsigned int i = 0; i < w->n; i++)
		n->stats.hot_key_ops += is_hot_key(n, w->ops[i].op.key);
	if (!w->plan.count)
		n->stats.cold++;
	else if (w->plan.count == w->n)
		n->stats.hot++;
	else
		n->stats.mixed++;
}

int work_commit(struct node *n, struct work *w, uint64_t serial, uint64_t epoch)
{
	if (n->log)
		history_commit(n->log, w->number, serial, epoch, w->ops, w->n);
	if (n->cfg.committed)
		n->cfg.committed(n->cfg.arg, w->number, w->ops, w->n);
	count(n, w);
	w->state = WORK_OVER;
	return release(n, w, false);
}

int work_undo(struct node *n, struct work *w)
{
	w->state = WORK_TODO;
	return release(n, w, true);
}

int work_abort(struct node *n, struct work *w)
{
	if (n->log)
		history_aborted(n->log, w->number);
	n->stats.aborted++;
	w->state = WORK_OVER;
	return release(n, w, true);
}

void work_unknown(struct node *n, struct work *w)
{
	if (n->log)
		history_unknown(n->log, w->number);
	n->stats.unknown++;
	w->state = WORK_OVER;
}
