// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hot.c - the hot phase: own keys into the switch, hot parts through it, own keys back.
 *
 * Main thread only. While n->filled is set, the switch has the only current value of this node's hot
 * keys, and the store refuses them. If the lease ends meanwhile, they come back from the escrow; if the
 * switch has lost them, from the logs of all nodes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node.h"

#define TRIES		6	/* of a call while the allocator is away */
#define PAUSE_US	200000	/* before the next, if it said at once that it lacks the switch */
#define SWITCH_TRIES	60	/* then: a switch may take seconds to start again */
#define TAKE_MS		60000	/* for peers to free the locks that they hold on our hot keys */
#define COMPLETIONS	64
#define LOGS_US		60000000u	/* for peers to end the batch in their logs */
#define LOGS_PAUSE_US	100000

bool node_again(int rc, unsigned int *tries)
{
	++*tries;
	if (rc == -EHOSTDOWN)
		usleep(PAUSE_US);
	return (rc == -ETIMEDOUT && *tries < TRIES) ||
	       (rc == -EHOSTDOWN && *tries < SWITCH_TRIES);
}

/* All are within the blocks that we asked for and got. */
static int all_of(const struct node *n, int moved)
{
	return moved >= 0 && (size_t)moved != n->nr_hot ? -EBADMSG : moved;
}

/* Not tried again: a write that is late could undo what a hot transaction did after it. */
static int fill_cells(struct node *n)
{
	return all_of(n, p4a_fill(n->ctx, n->hot_kv, n->nr_hot));
}

static int drain_cells(struct node *n)
{
	return all_of(n, NODE_AGAIN(p4a_drain(n->ctx, n->hot_kv, n->nr_hot)));
}

static int undo_prepared(struct node *n)
{
	int rc = 0;

	for (size_t i = 0; i < n->nr_work && !rc; i++)
		if (n->work[i].state == WORK_PREPARED)
			rc = work_undo(n, &n->work[i]);
	return rc;
}

static void note_grant(struct node *n, uint64_t waited)
{
	struct p4a_info info;

	p4a_info(n->ctx, &info);
	n->epoch = info.epoch;
	if (n->stats.grants < NODE_ROUNDS_MAX) {
		n->stats.wait_us[n->stats.grants] = waited;
		n->stats.epoch[n->stats.grants++] = info.epoch;
	}
}

static void put_back(struct node *n, bool from_switch)
{
	uint32_t *values = malloc(n->nr_hot * sizeof(*values) + 1);

	for (size_t i = 0; values && i < n->nr_hot; i++)
		values[i] = n->hot_kv[i].value;
	/* Without memory the keys stay marked: refused for ever rather than served with old values. */
	if (values)
		store_put(n->store, n->hot_keys, n->nr_hot, from_switch ? values : NULL,
			  from_switch ? n->epoch : 0);
	free(values);
	n->filled = false;
}

/*
 * The switch did not take the fill for ours. Until the allocator has said so too, or has taken our word,
 * it takes no request for the next batch. -ESTALE, or another error.
 */
static int give_up_batch(struct node *n)
{
	int rc = NODE_AGAIN(p4a_cancel(n->ctx));

	return rc && rc != -ESTALE ? rc : -ESTALE;
}

static int fill(struct node *n)
{
	uint32_t *values = malloc(n->nr_hot * sizeof(*values) + 1);
	int rc = values ? store_take(n->store, n->hot_keys, n->nr_hot, values, TAKE_MS) : -ENOMEM;

	for (size_t i = 0; i < n->nr_hot && !rc; i++)
		n->hot_kv[i] = (struct p4a_kv){ .key = n->hot_keys[i], .value = values[i] };
	free(values);
	if (rc)
		return node_fail(n, rc, "fill", "peers keep locks on hot keys");
	rc = fill_cells(n);
	if (rc < 0)
		put_back(n, false);	/* nobody runs before all have filled */
	return rc == -ESTALE ? give_up_batch(n) : rc;
}

static const char *not_ended(const struct p4a_replay_info *info, struct p4a_error *err)
{
	snprintf(err->text, sizeof(err->text), "%s %d%s", info->missing ? "there is none of node" : "node",
		 __builtin_ctzll(info->missing ? info->missing : info->unended),
		 info->missing ? "" : " does not end the batch in its own");
	return err->text;
}

/* What all nodes have logged of this epoch, once none of them will add to it. */
static int replay_logs(struct node *n, struct p4a_replay **out, struct p4a_replay_info *info)
{
	uint64_t end = node_now_us() + LOGS_US;
	struct p4a_error err;
	struct p4a_replay *r;
	int rc;

	for (;;) {
		rc = p4a_replay_new(&r, n->cfg.self.tenant, &err);
		if (rc)
			return node_fail(n, rc, "logs", err.text);
		rc = p4a_replay_dir(r, n->cfg.log, &err);
		if (rc >= 0)
			rc = p4a_replay_run(r, n->epoch - 1, &err);
		p4a_replay_info(r, info);
		if (!rc && !(info->missing | info->unended))
			break;
		p4a_replay_free(r);
		if (rc || node_now_us() > end)
			return node_fail(n, rc ? rc : -ETIMEDOUT, "logs",
					 rc ? err.text : not_ended(info, &err));
		usleep(LOGS_PAUSE_US);
	}
	*out = r;
	return 0;
}

static int by_kv(const void *a, const void *b)
{
	const struct p4a_kv *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_hot_key(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Entry i of both is the same key, before and after. */
static void sort_hot(struct node *n)
{
	if (!n->nr_hot)
		return;
	qsort(n->hot_kv, n->nr_hot, sizeof(*n->hot_kv), by_kv);
	qsort(n->hot_keys, n->nr_hot, sizeof(*n->hot_keys), by_hot_key);
}

static struct p4a_kv *hot_kv_of(const struct node *n, uint64_t key)
{
	const struct p4a_kv want = { .key = key };

	return n->nr_hot ? bsearch(&want, n->hot_kv, n->nr_hot, sizeof(want), by_kv) : NULL;
}

static struct work *in_doubt(const struct node *n, uint64_t user)
{
	for (size_t i = 0; i < n->nr_work; i++)
		if ((uintptr_t)&n->work[i] == user && n->work[i].state == WORK_IN_DOUBT)
			return &n->work[i];
	return NULL;
}

/* Those that others have seen: the values have what they did. */
static int commit_settled(struct node *n, const struct p4a_replay *r)
{
	struct p4a_logged t;
	uint32_t pos = 0;
	int rc = 0;

	while (!rc && p4a_replay_txn(r, &pos, &t)) {
		bool own = t.node == n->cfg.self.node && t.epoch == n->epoch;
		struct work *w = own && t.status == P4A_TXN_OK && t.err ? in_doubt(n, t.user) : NULL;

		if (!w)
			continue;
		for (unsigned int i = 0; i < w->n; i++)
			if (w->ops[i].hot)
				w->ops[i].got = t.op[w->plan.at[i]].result;
		n->stats.settled++;
		rc = work_commit(n, w, t.serial, t.epoch);
	}
	return rc;
}

/* logs: where the values come from that there are now; they are without the others in doubt. Or NULL. */
static int settle_doubts(struct node *n, const struct p4a_replay *logs)
{
	int rc = logs ? commit_settled(n, logs) : 0;

	for (size_t i = 0; i < n->nr_work && !rc; i++) {
		if (n->work[i].state != WORK_IN_DOUBT)
			continue;
		if (logs)
			rc = work_undo(n, &n->work[i]);
		else
			work_unknown(n, &n->work[i]);
	}
	return rc;
}

/* Own values from the logs of all nodes: 0, or -errno if they are not certain. */
static int read_logs(struct node *n)
{
	struct p4a_replay_info info;
	struct p4a_replay *r = NULL;
	struct p4a_replayed v;
	size_t missing = n->nr_hot;
	uint32_t pos = 0;
	int rc = replay_logs(n, &r, &info);

	if (rc)
		return rc;
	sort_hot(n);
	while (p4a_replay_value(r, &pos, &v)) {
		struct p4a_kv *kv = hot_kv_of(n, v.key);

		if (!kv)
			continue;
		missing--;
		kv->value = v.value;
	}
	if (missing || info.gaps || info.breaks || info.damaged) {
		rc = node_fail(n, -ENODATA, "logs", "do not have all that was committed");
	} else {
		n->stats.replayed++;
		report_progress(n, "replayed", true);
		if (n->log)
			history_logs(n->log, n->epoch, info.unseen);
		rc = settle_doubts(n, r);
	}
	p4a_replay_free(r);
	return rc;
}

/* Own values from what the allocator has drained after the lease: 0, or -errno if one is missing. */
static int read_escrow(struct node *n)
{
	struct p4a_escrow e;
	struct p4a_info info;
	uint32_t pos = 0;
	size_t missing = n->nr_hot;
	int rc;

	p4a_info(n->ctx, &info);
	sort_hot(n);
	for (size_t i = 0; i < n->nr_hot; i++)
		n->hot_kv[i].held = 0;
	while ((rc = NODE_AGAIN(p4a_escrow_next(n->ctx, &pos, &e))) > 0) {
		struct p4a_kv *kv = e.known && e.batch == info.batch ? hot_kv_of(n, e.key) : NULL;

		if (!kv)
			continue;
		missing -= !kv->held;
		kv->held = 1;
		kv->value = e.value;
	}
	if (rc < 0)
		return node_fail(n, rc, "escrow", p4a_last_error(n->ctx));
	if (!missing)
		return 0;
	return n->cfg.log ? read_logs(n) :
	       node_fail(n, -ENODATA, "escrow", "lacks values of this node's keys");
}

/* The lease ended. Nothing of ours is in the switch any more when this returns 0. */
static int recover(struct node *n)
{
	int rc = 0;

	n->stats.expired++;
	report_progress(n, "expired", true);
	if (n->filled) {
		rc = read_escrow(n);
		if (!rc)
			put_back(n, true);
	}
	if (!rc)
		rc = settle_doubts(n, NULL);
	return rc ? rc : undo_prepared(n);
}

static int take_completion(struct node *n, const struct p4a_completion *c)
{
	struct work *w = c->user;

	switch (c->status) {
	case P4A_TXN_OK:
		for (unsigned int i = 0; i < w->n; i++)
			if (w->ops[i].hot)
				p4a_op_result(&w->plan, c, i, &w->ops[i].got);
		return work_commit(n, w, c->serial, c->epoch);
	case P4A_TXN_ABORT:
		return work_abort(n, w);
	case P4A_TXN_UNKNOWN:
		/* The switch may have restarted: then the logs tell. */
		if (n->cfg.log) {
			w->state = WORK_IN_DOUBT;
			n->stats.stale += c->err == -ESTALE;
		} else {
			work_unknown(n, w);
		}
		return 0;
	case P4A_TXN_CONFLICT:
		n->stats.conflicts++;
		return work_undo(n, w);
	case P4A_TXN_UNSENT:
		if (c->err != -ESTALE)
			return node_fail(n, c->err, "hot transaction", strerror(-c->err));
		/* fallthrough */
	case P4A_TXN_STALE:
		n->stats.stale++;
		return work_undo(n, w);
	}
	return node_fail(n, -EPROTO, "hot transaction", "the switch does not understand it");
}

/* Takes completions, waiting for the first: how many, or -errno. */
static int take_completions(struct node *n)
{
	struct p4a_completion c[COMPLETIONS];
	int nr = p4a_wait(n->ctx, c, COMPLETIONS, 1000000), rc = 0;

	if (nr < 0)
		return node_fail(n, nr, "hot transaction", p4a_last_error(n->ctx));
	for (int i = 0; i < nr && !rc; i++)
		rc = take_completion(n, &c[i]);
	report_progress(n, "hot", false);
	return rc ? rc : nr;
}

static unsigned int outstanding(const struct node *n)
{
	struct p4a_info info;

	p4a_info(n->ctx, &info);
	return info.outstanding;
}

static int submit(struct node *n, struct work *w)
{
	int rc;

	while ((rc = p4a_txn_submit(n->ctx, &w->plan, w)) == -EAGAIN) {
		rc = take_completions(n);
		if (rc < 0)
			return rc;
	}
	if (rc)
		return node_fail(n, rc, "hot transaction", p4a_last_error(n->ctx));
	w->state = WORK_SENT;
	return 0;
}

static int run_all(struct node *n)
{
	uint64_t stale = n->stats.stale;
	int rc = 0;

	/* After the first STALE the blocks are gone; asking for the others would be noise. */
	for (size_t i = 0; i < n->nr_work && rc >= 0 && n->stats.stale == stale; i++)
		if (n->work[i].state == WORK_PREPARED)
			rc = submit(n, &n->work[i]);
	while (rc >= 0 && outstanding(n))
		rc = take_completions(n);
	return rc < 0 ? rc : undo_prepared(n);
}

/* Keys that prepared transactions have in their second pass; room for all of their operations. */
static size_t second_pass_keys(const struct node *n, struct p4a_key_count *kc)
{
	size_t nr = 0;

	for (size_t i = 0; i < n->nr_work; i++) {
		const struct work *w = &n->work[i];

		for (unsigned int op = 0; w->state == WORK_PREPARED && op < w->n; op++)
			if (w->ops[op].hot &&
			    w->plan.instr[w->plan.at[op]].op & P4A_SECOND_PASS)
				kc[nr++] = (struct p4a_key_count){ w->ops[op].op.key, 1 };
	}
	return nr;
}

static int relock(struct node *n, const struct p4a_layout *layout)
{
	int rc = 0;

	for (size_t i = 0; i < n->nr_work && !rc; i++)
		if (n->work[i].state == WORK_PREPARED &&
		    p4a_plan_relock(layout, &n->work[i].plan))
			rc = work_undo(n, &n->work[i]);
	return rc;
}

/* Bits for the keys that need one in this batch. Without them, each key has that of the layout. */
static int agree_on_locks(struct node *n)
{
	struct p4a_key_count *kc = malloc(n->nr_work * P4A_MAX_INSTRS * sizeof(*kc) + 1);
	struct p4a_layout *layout;
	int rc = -ENOMEM;

	if (kc) {
		size_t nr = second_pass_keys(n, kc);

		rc = NODE_AGAIN(p4a_lock_info(n->ctx, kc, nr, &layout));
	}
	free(kc);
	if (rc == -EOPNOTSUPP || rc == -EPROTO)
		return 0;
	if (rc < 0)
		return rc;
	rc = relock(n, layout);
	p4a_layout_free(layout);
	return rc;
}

static int fill_all_nodes(struct node *n)
{
	uint64_t began = node_now_us();
	int rc;

	report_progress(n, "fill", true);
	rc = fill(n);
	if (rc >= 0) {
		n->filled = true;
		n->stats.cells = n->nr_hot;
		rc = NODE_AGAIN(p4a_sync(n->ctx, P4A_FILLED));
	}
	n->stats.fill_us += node_now_us() - began;
	return rc;
}

int hot_phase(struct node *n)
{
	uint64_t began = node_now_us();
	int rc;

	report_progress(n, "wait", true);
	rc = agree_on_locks(n);
	if (!rc)
		rc = NODE_AGAIN(p4a_wait_grant(n->ctx));
	if (!rc)		/* a cold context grants nothing */
		return undo_prepared(n);
	if (rc > 0) {
		note_grant(n, node_now_us() - began);
		rc = fill_all_nodes(n);
	}
	if (rc == -ESTALE)
		return recover(n);
	if (rc < 0)
		return node_fail(n, rc, "grant", p4a_last_error(n->ctx));
	began = node_now_us();
	report_progress(n, "hot", true);
	rc = run_all(n);
	n->stats.hot_us += node_now_us() - began;
	return rc;
}

/* The switch says that the blocks are not ours. Until the allocator has said so too, or has taken our
 * DONE, it takes no request for the next batch.
 */
static int end_lost_batch(struct node *n)
{
	int rc = NODE_AGAIN(p4a_done(n->ctx));

	return rc && rc != -ESTALE ? rc : -ESTALE;
}

int hot_finish(struct node *n)
{
	uint64_t began = node_now_us();
	int rc;

	if (!n->filled)
		return 0;
	report_progress(n, "drain", true);
	rc = NODE_AGAIN(p4a_sync(n->ctx, P4A_RAN));
	if (!rc) {
		rc = drain_cells(n);
		if (rc == -ESTALE)
			rc = end_lost_batch(n);
	}
	n->stats.drain_us += node_now_us() - began;
	if (rc == -ESTALE)
		return recover(n);
	if (rc < 0)
		return node_fail(n, rc, "drain", p4a_last_error(n->ctx));
	put_back(n, true);
	return settle_doubts(n, NULL);
}
