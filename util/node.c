// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node.c - the batches of a node: what is in them, and when all nodes of the tenant stop.
 *
 * Main thread only. At the end of each round every node tells the others how many transactions it has
 * left; since all add up the same numbers, all decide the same. The next blocks are asked for as
 * soon as the last ones have been drained, before the cold phase that they are needed after.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node.h"

#define EXTRA_BATCHES	3	/* for what was carried over, before the rest runs cold */
#define WORTH_A_BATCH	64	/* left-over transactions that a further batch is worth */
#define START_MAX_US	60000000u	/* that may be asked for */
#define ROUND_MS	180000	/* for the slowest node to end its round */

uint64_t node_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

int node_fail(struct node *n, int rc, const char *what, const char *why)
{
	if (!n->error[0])
		snprintf(n->error, sizeof(n->error), "%s: %s (%s)", what,
			 why && *why ? why : "failed", strerror(-rc));
	return rc;
}

enum node_step node_next_step(unsigned int round, unsigned int batches, uint64_t left)
{
	if (!left)
		return NODE_END;
	if (round <= batches)
		return NODE_HOT;
	return round <= batches + EXTRA_BATCHES && left >= WORTH_A_BATCH ? NODE_HOT : NODE_COLD;
}

uint32_t node_slice_end(uint32_t txns, unsigned int batches, unsigned int round)
{
	return round < batches ? (uint64_t)txns * round / batches : txns;
}

/* What was carried over comes first, then the trace's next slice. */
static int collect_work(struct node *n, unsigned int round)
{
	uint32_t end = node_slice_end(n->trace.txns, n->cfg.batches, round);
	struct work *w;
	size_t kept = 0;

	for (size_t i = 0; i < n->nr_work; i++)
		if (n->work[i].state != WORK_OVER)
			n->work[kept++] = n->work[i];
	w = realloc(n->work, (kept + end - n->next + 1) * sizeof(*w));
	if (!w)
		return node_fail(n, -ENOMEM, "batch", NULL);
	n->work = w;
	for (; n->next < end; n->next++)
		work_init(&w[kept++], n, n->next);
	n->nr_work = kept;
	return 0;
}

static void plan_work(struct node *n, unsigned int blocks)
{
	for (size_t i = 0; i < n->nr_work; i++)
		work_plan(&n->work[i], n, blocks);
}

static uint64_t left_over(const struct node *n)
{
	uint64_t left = n->trace.txns - n->next;

	for (size_t i = 0; i < n->nr_work; i++)
		left += n->work[i].state != WORK_OVER;
	return left;
}

uint32_t node_start_us(uint64_t cold_us, uint64_t done, uint64_t coming)
{
	uint64_t us = done ? cold_us * coming / done : 0;

	return us < START_MAX_US ? us : START_MAX_US;
}

/* How long the cold phase of the next batch will take, by what the last one took. */
static uint32_t estimate_start(const struct node *n)
{
	uint32_t end = node_slice_end(n->trace.txns, n->cfg.batches, n->stats.rounds + 1);
	uint64_t coming = end - n->next;

	for (size_t i = 0; i < n->nr_work; i++)
		coming += n->work[i].state != WORK_OVER;
	return node_start_us(n->last_cold_us, n->last_cold_txns, coming);
}

/* Who asks, or is done, has its values back: it does not matter if the lease of before ended first. */
static bool is_late(struct node *n, int rc)
{
	n->stats.expired += rc == -ESTALE;
	return rc == -ESTALE;
}

int node_request(struct node *n)
{
	struct p4a_demand demand = {
		.start_us = estimate_start(n),
		.duration_us = n->cfg.duration_us,
		.min_blocks = n->cfg.want_blocks,
		.want_blocks = n->cfg.want_blocks,
		.flows = n->cfg.flows,
	};
	int rc = NODE_AGAIN(p4a_request(n->ctx, &demand));

	if (is_late(n, rc))
		rc = NODE_AGAIN(p4a_request(n->ctx, &demand));
	if (rc < 0)
		return node_fail(n, rc, "request", p4a_last_error(n->ctx));
	n->requested = true;
	return 0;
}

static bool can_be_hot(const struct node *n)
{
	return n->layout && !p4a_is_cold(n->ctx);
}

/*
 * Where hot keys are not in the switch, transactions get into each other's way; there, less at a
 * time is more. One that commits fewer than half of its transactions leaves the next round a
 * quarter of its requests at a time.
 */
unsigned int node_next_window(unsigned int window, uint64_t committed, uint64_t tried)
{
	return 2 * committed >= tried || window < 4 ? window : window / 4;
}

/*
 * Each takes its own keys first. Nodes that do so in step refuse each other's transactions, and would in
 * every round; so after one in which nobody got anywhere, the next is one node's alone.
 */
bool node_has_turn(unsigned int node, unsigned int nodes, unsigned int round, bool stuck)
{
	return !stuck || round % nodes == node;
}

static uint64_t committed(const struct node *n)
{
	return n->stats.hot + n->stats.mixed + n->stats.cold;
}

static int run_cold(struct node *n)
{
	uint64_t before = committed(n);
	int rc;

	if (!node_has_turn(n->cfg.self.node, n->cfg.self.nodes, n->stats.rounds, n->stuck))
		return 0;
	rc = cold_phase(n, n->window);
	n->window = node_next_window(n->window, committed(n) - before, n->nr_work);
	return rc;
}

/* Cold phase and, if step says so, hot phase; up to the point where all have run. */
static int run_round(struct node *n, enum node_step step)
{
	bool hot = step == NODE_HOT && can_be_hot(n);
	int rc = 0;

	plan_work(n, hot ? n->cfg.want_blocks : 0);
	if (hot && !n->requested)
		rc = node_request(n);
	if (!rc)
		rc = hot ? cold_phase(n, PEER_CALLS) : run_cold(n);
	if (!rc && hot)
		rc = hot_phase(n);
	n->requested = false;
	if (rc)
		return rc;
	rc = peer_flush(n->client);
	return rc ? node_fail(n, rc, "release", peer_client_error(n->client)) : 0;
}

/* Ends the round together with the peers: what all of them have left, or -errno. */
static int64_t end_round(struct node *n, unsigned int round)
{
	uint64_t left = left_over(n);
	int64_t others;
	int rc = peer_tell(n->client, PEER_ROUND, round, left);

	if (rc)
		return node_fail(n, rc, "round", peer_client_error(n->client));
	rc = hot_finish(n);
	if (rc)
		return rc;
	others = peer_serve_round(n->server, round, ROUND_MS);
	if (others < 0)
		return node_fail(n, others, "round", "a peer does not end its round");
	return left + others;
}

int node_sum(struct node *n, uint32_t *number)
{
	uint32_t round = n->stats.rounds + ++n->sums;
	int rc = peer_tell(n->client, PEER_ROUND, round, *number);
	int64_t others;

	if (rc)
		return node_fail(n, rc, "sum", peer_client_error(n->client));
	others = peer_serve_round(n->server, round, ROUND_MS);
	if (others < 0)
		return node_fail(n, others, "sum", "a peer does not tell its own");
	*number += others;
	return 0;
}

int node_use_layout(struct node *n, struct p4a_layout *layout)
{
	int rc = p4a_use_layout(n->ctx, layout);
	struct p4a_cell cell;
	uint32_t pos = 0;

	if (rc)
		return rc;
	if (n->layout != layout)
		p4a_layout_free(n->layout);
	n->layout = layout;
	n->nr_hot = 0;
	while (p4a_layout_next(layout, 0, n->cfg.want_blocks, &pos, &cell))
		if (cell.key % n->cfg.self.nodes == n->cfg.self.node)
			n->hot_keys[n->nr_hot++] = cell.key;
	return 0;
}

/* Own counts go to all peers, theirs are added up with them. */
static int add_up_counts(struct node *n, struct p4a_counts *sum)
{
	struct p4a_key_count *own;
	size_t keys = p4a_counts_get(n->counts, NULL, 0);
	int64_t nr = 0;
	int rc;

	own = calloc(keys + 1, sizeof(*own));
	if (!own)
		return node_fail(n, -ENOMEM, "counts", NULL);
	p4a_counts_get(n->counts, own, keys);
	rc = peer_tell_counts(n->client, n->stats.rounds, own, keys);
	if (rc)
		node_fail(n, rc, "counts", peer_client_error(n->client));
	else
		rc = p4a_counts_add(sum, own, keys);
	free(own);
	for (unsigned int i = 0; i < n->cfg.self.nodes && !rc; i++) {
		const struct p4a_key_count *kc;

		if (i == n->cfg.self.node)
			continue;
		nr = peer_serve_counts(n->server, i, n->stats.rounds, &kc, ROUND_MS);
		rc = nr < 0 ? nr : p4a_counts_add(sum, kc, nr);
	}
	return rc ? node_fail(n, rc, "counts", "a peer does not tell its own") : 0;
}

/* The same layout at all nodes, from what they have seen; what was before the last batch counts half. */
static int follow_counts(struct node *n)
{
	struct p4a_geometry geo;
	struct p4a_layout *layout;
	struct p4a_counts *sum;
	struct p4a_error err;
	int rc = p4a_counts_new(&sum, (size_t)n->cfg.self.nodes * NODE_COUNTS);

	if (rc)
		return node_fail(n, rc, "counts", NULL);
	rc = add_up_counts(n, sum);
	if (!rc)
		rc = p4a_counts_age(n->counts);
	if (!rc && n->layout) {
		geo = p4a_layout_geometry(n->layout);
		rc = p4a_counts_layout(sum, &layout, &geo, &err);
		if (rc >= 0) {
			rc = node_use_layout(n, layout);
			if (rc)
				p4a_layout_free(layout);
			n->stats.layouts += !rc;
		}
	}
	p4a_counts_free(sum);
	return rc < 0 ? node_fail(n, rc, "layout", p4a_last_error(n->ctx)) : 0;
}

static int give_back(struct node *n)
{
	struct p4a_info info;
	int rc;

	p4a_info(n->ctx, &info);
	if (info.state != P4A_DRAINING)
		return 0;
	rc = NODE_AGAIN(p4a_done(n->ctx));
	return rc < 0 && !is_late(n, rc) ? node_fail(n, rc, "done", p4a_last_error(n->ctx)) : 0;
}

/* Gives the blocks back, together with the next request if there will be one. */
static int hand_over(struct node *n, enum node_step next)
{
	int rc;

	if (next == NODE_HOT && n->counts) {
		rc = give_back(n);
		if (!rc)
			rc = follow_counts(n);
		if (rc)
			return rc;
	}
	return next == NODE_HOT && can_be_hot(n) ? node_request(n) : give_back(n);
}

static int run_rounds(struct node *n)
{
	enum node_step step = NODE_HOT;
	int64_t left, before = -1;
	int rc;

	while (step != NODE_END) {
		unsigned int round = ++n->stats.rounds;

		if (round > NODE_ROUNDS_MAX)
			return node_fail(n, -ELOOP, "rounds", "transactions keep failing");
		rc = collect_work(n, round);
		if (!rc)
			rc = run_round(n, step);
		left = rc ? rc : end_round(n, round);
		if (left < 0)
			return left;
		n->stuck = step == NODE_COLD && left == before;
		before = left;
		step = node_next_step(round + 1, n->cfg.batches, left);
		rc = hand_over(n, step);
		if (rc)
			return rc;
	}
	return 0;
}

/* The others wait for that, whatever is wrong here. */
static int say_goodbye(struct node *n)
{
	int rc = peer_tell(n->client, PEER_BYE, 0, 0);

	if (rc)
		return node_fail(n, rc, "bye", peer_client_error(n->client));
	rc = peer_serve_byes(n->server, ROUND_MS);
	if (rc)
		return node_fail(n, rc, "bye", "a peer does not end");
	rc = NODE_AGAIN(p4a_leave(n->ctx));
	return rc < 0 ? node_fail(n, rc, "leave", p4a_last_error(n->ctx)) : 0;
}

int node_run(struct node *n)
{
	int rc, gone;

	if (n->cfg.relayout && p4a_counts_new(&n->counts, NODE_COUNTS))
		return node_fail(n, -ENOMEM, "counts", NULL);
	n->started_us = node_now_us();
	n->window = PEER_CALLS;
	rc = run_rounds(n);
	n->stats.total_us = node_now_us() - n->started_us;
	if (rc)
		return rc;
	report_progress(n, "end", true);
	if (n->cfg.check)
		rc = n->cfg.check(n->cfg.arg, n);
	gone = say_goodbye(n);
	if (!gone)
		gone = report_finals(n);
	return rc ? rc : gone;
}

void node_free(struct node *n)
{
	p4a_close(n->ctx);
	p4a_layout_free(n->layout);
	peer_serve_stop(n->server);
	peer_client_free(n->client);
	store_free(n->store);
	trace_free(&n->trace);
	free(n->hot_keys);
	free(n->hot_kv);
	free(n->work);
	p4a_counts_free(n->counts);
}
