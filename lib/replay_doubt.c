// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay_doubt.c - which epochs of a replay can be settled, and what that changes in it.
 *
 * An epoch is settled only if all of its nodes have begun and ended it in their logs and nothing is
 * damaged: then who had a serial that no log has is one of those in doubt, or nobody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p4wire.h"
#include "settle.h"

struct epoch {				/* what is known of one */
	struct p4a_replay *r;
	struct p4a_replay_batch *grant;
	const size_t *own;		/* its intents: intents[own[0]] .. intents[own[nr_own - 1]] */
	const struct p4a_place *place;
	size_t nr_own, nr_places;
	size_t doubt[P4A_SETTLE_TXNS];	/* intents without a reply */
	uint64_t gap[P4A_SETTLE_GAPS];
	struct p4a_settle_txn txn[P4A_SETTLE_TXNS];
	unsigned int nr_doubts, nr_gaps;
	uint64_t doubts, gaps;		/* also those beyond the limits */
};

static struct p4a_replay_intent *intents(const struct p4a_replay *r)
{
	return r->intents.data;
}

static bool is_complete(const struct p4a_replay *r, const struct p4a_replay_batch *g)
{
	uint64_t all = g->nodes < 64 ? (UINT64_C(1) << g->nodes) - 1 : UINT64_MAX;

	return g->nodes && !r->info.damaged && !(all & ~g->begun) && !g->open;
}

/* ------------------------------------------------------------------ the records of an epoch */

static int by_epoch(const void *a, const void *b, void *arg)
{
	const struct p4a_replay_intent *t = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (t[x].epoch != t[y].epoch)
		return t[x].epoch < t[y].epoch ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int sort_by_epoch(struct p4a_replay *r)
{
	size_t i, *at;

	r->by_epoch.n = 0;
	for (i = 0; i < r->intents.n; i++) {
		at = p4a_list_add(&r->by_epoch, sizeof(*at));
		if (!at)
			return -ENOMEM;
		*at = i;
	}
	if (r->by_epoch.n)
		qsort_r(r->by_epoch.data, r->by_epoch.n, sizeof(*at), by_epoch, intents(r));
	return 0;
}

/* The first of n that is not of an earlier epoch; epoch_of() looks at one. */
static size_t first_of(const struct p4a_replay *r, uint64_t epoch, size_t n,
		       uint64_t (*epoch_of)(const struct p4a_replay *r, size_t i))
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (epoch_of(r, mid) < epoch)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint64_t epoch_of_intent(const struct p4a_replay *r, size_t i)
{
	const size_t *at = r->by_epoch.data;

	return intents(r)[at[i]].epoch;
}

static uint64_t epoch_of_place(const struct p4a_replay *r, size_t i)
{
	const struct p4a_place *s = r->serials.data;

	return s[i].epoch;
}

static void find_records(struct epoch *e)
{
	uint64_t epoch = e->grant->epoch;
	const struct p4a_replay *r = e->r;
	size_t i, first;

	first = i = first_of(r, epoch, r->by_epoch.n, epoch_of_intent);
	while (i < r->by_epoch.n && epoch_of_intent(r, i) == epoch)
		i++;
	e->own = (const size_t *)r->by_epoch.data + first;
	e->nr_own = i - first;
	first = i = first_of(r, epoch, r->serials.n, epoch_of_place);
	while (i < r->serials.n && epoch_of_place(r, i) == epoch)
		i++;
	e->place = (const struct p4a_place *)r->serials.data + first;
	e->nr_places = i - first;
	e->r->looked_at += e->nr_own + e->nr_places;
}

/* ------------------------------------------------------------------ what is open in it */

static void collect_doubts(struct epoch *e)
{
	const struct p4a_replay_intent *t = intents(e->r);
	size_t i;

	for (i = 0; i < e->nr_own; i++) {
		if (t[e->own[i]].status != P4A_TXN_UNKNOWN)
			continue;
		if (e->doubts++ < P4A_SETTLE_TXNS)
			e->doubt[e->nr_doubts++] = e->own[i];
	}
}

static void collect_gaps(struct epoch *e)
{
	const struct p4a_place *s = e->place, *end = s + e->nr_places;
	uint64_t next = e->grant->epoch << P4W_SERIAL_SHIFT;

	for (; s < end; s++) {
		e->gaps += s->serial > next ? s->serial - next : 0;
		for (; next < s->serial && e->nr_gaps < P4A_SETTLE_GAPS; next++)
			e->gap[e->nr_gaps++] = next;
		next = s->serial + 1;
	}
}

/* What its node knew when it sent each of them. */
static void find_floors(struct epoch *e)
{
	const struct p4a_replay_intent *all = intents(e->r), *t, *of;
	unsigned int k;
	size_t i;

	for (i = 0; i < e->nr_own; i++) {
		t = &all[e->own[i]];
		for (k = 0; k < e->nr_doubts && t->status == P4A_TXN_OK; k++) {
			of = &all[e->doubt[k]];
			if (of->node == t->node && of->seq > t->answered &&
			    e->txn[k].above < t->serial)
				e->txn[k].above = t->serial;
		}
	}
}

static bool settle(struct epoch *e)
{
	struct p4a_replay_op *ops = e->r->ops.data;
	const struct p4a_replay_intent *t = intents(e->r);
	struct p4a_settle s = {
		.epoch = e->grant->epoch, .breaks = e->grant->breaks,
		.touches = { e->r->touches.data, e->r->touches.n },
		.gaps = e->gap, .nr_gaps = e->nr_gaps, .txns = e->txn, .nr_txns = e->nr_doubts,
	};
	unsigned int k;

	if (s.breaks && (e->doubts > P4A_SETTLE_TXNS || e->gaps > P4A_SETTLE_GAPS))
		return false;
	for (k = 0; k < e->nr_doubts; k++)
		e->txn[k] = (struct p4a_settle_txn) {
			.op = ops + t[e->doubt[k]].op, .count = t[e->doubt[k]].count,
		};
	if (s.breaks)
		find_floors(e);
	return p4a_settle(&s);
}

/* Serials that count as gaps are those below the last transaction that is known. */
static uint64_t last_of(const struct epoch *e)
{
	size_t i = e->nr_places;

	while (i && !e->place[i - 1].txn)
		i--;
	return i ? e->place[i - 1].serial : 0;
}

static void commit(struct epoch *e, unsigned int k)
{
	struct p4a_replay_intent *t = &intents(e->r)[e->doubt[k]];

	t->status = P4A_TXN_OK;
	t->serial = e->txn[k].serial;
	t->err = t->err ? t->err : -ENODATA;
	e->r->info.settled++;
}

/* Free serials between those two: the others are taken by somebody known. */
static uint64_t unseen_between(const struct epoch *e, uint64_t low, uint64_t high)
{
	uint64_t unseen = 0;
	unsigned int g, k;

	for (g = 0; g < e->nr_gaps; g++) {
		for (k = 0; k < e->nr_doubts && e->txn[k].serial != e->gap[g]; k++)
			;
		unseen += k == e->nr_doubts && e->gap[g] > low && e->gap[g] < high;
	}
	return unseen;
}

/* True: some are committed now. */
static bool apply(struct epoch *e)
{
	struct p4a_replay_batch *g = e->grant;
	uint64_t last = last_of(e), top = last, left = g->gaps, done = 0;
	unsigned int k;

	for (k = 0; k < e->nr_doubts; k++) {
		done += e->txn[k].serial != 0;
		left -= e->txn[k].serial && e->txn[k].serial < last;
		top = e->txn[k].serial > top ? e->txn[k].serial : top;
	}
	/* More than those who may have been there: of somebody nothing is known at all. */
	if (left > e->doubts - done)
		return false;
	for (k = 0; k < e->nr_doubts; k++)
		if (e->txn[k].serial)
			commit(e, k);
	e->r->info.gaps -= g->gaps;
	e->r->info.breaks -= g->breaks;
	e->r->info.unseen += left + unseen_between(e, last, top);
	return done;
}

static bool settle_epoch(struct p4a_replay *r, struct p4a_replay_batch *g)
{
	struct epoch e = { .r = r, .grant = g };

	find_records(&e);
	collect_doubts(&e);
	collect_gaps(&e);
	return e.doubts && settle(&e) && apply(&e);
}

int p4a_replay_settle(struct p4a_replay *r, uint64_t after)
{
	struct p4a_replay_batch *g = r->batches.data, *end = g + r->batches.n;
	bool sorted = false, changed = false;

	for (; g < end; g++) {
		if (g->epoch <= after || !(g->gaps | g->breaks) || !is_complete(r, g))
			continue;
		if (!sorted && sort_by_epoch(r))
			return -ENOMEM;
		sorted = true;
		changed |= settle_epoch(r, g);
	}
	return changed;
}
