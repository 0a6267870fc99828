// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cold.c - the cold phase: every transaction of the batch gets its cold keys or is carried over.
 *
 * Main thread only. One request to each remote owner, up to a window of them at a time. Owners of what
 * depends on sources elsewhere are asked when these have answered. Locks are never waited for, so there is
 * no deadlock; the batch that comes next is the retry.
 */
#include <errno.h>
#include <string.h>

#include "node.h"

_Static_assert(TRACE_OPS_MAX <= PEER_CALLS, "a transaction's requests fit");

/* The operations of one owner; at[] says which of the transaction's they are. */
static unsigned int cold_ops_of(const struct node *n, const struct work *w, unsigned int owner,
				struct trace_op *ops, unsigned int *at)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < w->n; i++) {
		if (w->ops[i].hot || w->ops[i].op.key % n->cfg.self.nodes != owner)
			continue;
		ops[found] = w->ops[i].op;
		at[found++] = i;
	}
	return found;
}

static void take_results(const struct node *n, struct work *w, unsigned int owner,
			 const struct store_result *results)
{
	struct trace_op ops[TRACE_OPS_MAX];
	unsigned int at[TRACE_OPS_MAX];
	unsigned int found = cold_ops_of(n, w, owner, ops, at);

	for (unsigned int i = 0; i < found; i++) {
		w->ops[at[i]].got = results[i].got;
		w->ops[at[i]].version = results[i].version;
		w->ops[at[i]].epoch = results[i].epoch;
	}
	w->held |= 1ull << owner;
}

/* An abort is for good, whatever else has been refused. */
static void take_refusal(struct node *n, struct work *w, enum store_verdict verdict)
{
	w->aborts |= verdict == STORE_ABORT;
	if (w->refused)
		return;
	w->refused = true;
	if (verdict == STORE_IN_SWITCH)
		n->stats.in_switch++;
	else if (verdict != STORE_ABORT)
		n->stats.locked++;
}

/* Which step of a transaction an owner is in: the second if it needs results of others. */
static bool is_late(const struct node *n, const struct work *w, unsigned int owner)
{
	bool dependent = false, elsewhere = false;

	for (unsigned int i = 0; i < w->n; i++) {
		bool here = w->ops[i].op.key % n->cfg.self.nodes == owner;

		dependent |= here && w->ops[i].op.kind & TRACE_DEPENDENT;
		elsewhere |= !here && w->ops[i].op.kind & TRACE_SOURCE;
	}
	return dependent && elsewhere;
}

/* Of the sources that have answered at other owners. */
static uint32_t sum_elsewhere(const struct node *n, const struct work *w, unsigned int owner)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < w->n; i++) {
		unsigned int at = w->ops[i].op.key % n->cfg.self.nodes;

		if (w->ops[i].op.kind & TRACE_SOURCE && at != owner && w->held >> at & 1)
			sum += w->ops[i].got;
	}
	return sum;
}

static void access_own(struct node *n, struct work *w)
{
	struct store_result results[TRACE_OPS_MAX];
	struct trace_op ops[TRACE_OPS_MAX];
	unsigned int at[TRACE_OPS_MAX];
	unsigned int self = n->cfg.self.node, found = cold_ops_of(n, w, self, ops, at);
	enum store_verdict verdict;

	if (!found)
		return;
	verdict = store_access(n->store, peer_txn(self, w->number), ops, found,
			       sum_elsewhere(n, w, self), results);
	if (verdict)
		take_refusal(n, w, verdict);
	else
		take_results(n, w, self, results);
}

static int ask_peers(struct node *n, struct work *w)
{
	struct trace_op ops[TRACE_OPS_MAX];
	unsigned int at[TRACE_OPS_MAX];
	int rc = 0;

	for (unsigned int owner = 0; owner < n->cfg.self.nodes && !rc; owner++) {
		unsigned int found = cold_ops_of(n, w, owner, ops, at);

		if (owner == n->cfg.self.node || !found || is_late(n, w, owner) != w->late)
			continue;
		rc = peer_access(n->client, owner, w->number, ops, found,
				 sum_elsewhere(n, w, owner), w);
		w->asked++;
	}
	return rc ? node_fail(n, rc, "access", peer_client_error(n->client)) : 0;
}

static bool has_late(const struct node *n, const struct work *w)
{
	for (unsigned int i = 0; i < w->n; i++)
		if (!w->ops[i].hot && w->ops[i].op.kind & TRACE_DEPENDENT &&
		    is_late(n, w, w->ops[i].op.key % n->cfg.self.nodes))
			return true;
	return false;
}

static int step(struct node *n, struct work *w)
{
	if (is_late(n, w, n->cfg.self.node) == w->late)
		access_own(n, w);
	return w->refused ? 0 : ask_peers(n, w);
}

/* All owners have answered; the second step may be answered at once, by this node. */
static int conclude(struct node *n, struct work *w)
{
	int rc = 0;

	if (!w->refused && !w->late && has_late(n, w)) {
		w->late = true;
		rc = step(n, w);
		if (rc || w->asked)
			return rc;
	}
	if (w->aborts)
		return work_abort(n, w);
	if (w->refused)
		return work_undo(n, w);
	if (!w->plan.count)
		return work_commit(n, w, 0, 0);
	w->state = WORK_PREPARED;
	return 0;
}

static int start(struct node *n, struct work *w)
{
	int rc;

	w->state = WORK_ACCESSING;
	w->refused = w->late = w->aborts = false;
	w->asked = 0;
	rc = step(n, w);
	return rc || w->asked ? rc : conclude(n, w);
}

/* Takes one answer: 1, or 0 if none came, or -errno. */
static int take_answer(struct node *n, int timeout_ms)
{
	struct peer_done done;
	struct work *w;
	int rc = peer_next(n->client, &done, timeout_ms);

	if (rc < 0)
		return node_fail(n, rc, "access", peer_client_error(n->client));
	if (!rc)
		return 0;
	w = done.user;
	if (done.verdict)
		take_refusal(n, w, done.verdict);
	else
		take_results(n, w, done.node, done.results);
	w->asked--;
	rc = w->asked ? 0 : conclude(n, w);
	return rc ? rc : 1;
}

/* Takes answers until at most `busy` requests are outstanding. */
static int settle(struct node *n, unsigned int busy)
{
	int rc = 0;

	while (rc >= 0 && PEER_CALLS - peer_client_room(n->client) > busy) {
		rc = take_answer(n, 1000);
		report_progress(n, "cold", false);
	}
	return rc < 0 ? rc : 0;
}

/* Requests that one transaction can need. */
static unsigned int fan_out(const struct node *n)
{
	unsigned int peers = n->cfg.self.nodes - 1;

	return peers < TRACE_OPS_MAX ? peers : TRACE_OPS_MAX;
}

static int flush(struct node *n)
{
	int rc = peer_flush(n->client);

	return rc ? node_fail(n, rc, "release", peer_client_error(n->client)) : 0;
}

int cold_phase(struct node *n, unsigned int window)
{
	uint64_t began = node_now_us();
	unsigned int busy = window > fan_out(n) ? window - fan_out(n) : 0;
	int rc = 0;

	report_progress(n, "cold", true);
	for (size_t i = 0; i < n->nr_work && !rc; i++) {
		if (n->work[i].state != WORK_TODO)
			continue;
		rc = settle(n, busy);
		if (!rc && !busy)
			rc = flush(n);	/* locks are what others fail for: none is kept for later */
		if (!rc)
			rc = start(n, &n->work[i]);
	}
	if (!rc)
		rc = settle(n, 0);
	if (!rc)
		rc = flush(n);
	n->last_cold_us = node_now_us() - began;
	n->last_cold_txns = n->nr_work;
	n->stats.cold_us += n->last_cold_us;
	return rc;
}
