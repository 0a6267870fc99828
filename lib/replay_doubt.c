// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay_doubt.c - which epochs of a replay can be settled, and what that changes in it.
 *
 * An epoch is settled only if all of its nodes have begun and ended it in their logs and nothing is
 * damaged: then who had a serial that no log has is one of those in doubt, or nobody.
 */
#include <errno.h>
#include <string.h>

#include "p4wire.h"
#include "settle.h"

struct epoch {				/* what is known of one */
	struct p4a_replay *r;
	struct p4a_replay_batch *grant;
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

	return g->nodes && !r->info.damaged && !(all & ~g->ended);
}

static void collect_doubts(struct epoch *e)
{
	const struct p4a_replay_intent *t = intents(e->r);
	size_t i;

	for (i = 0; i < e->r->intents.n; i++) {
		if (t[i].epoch != e->grant->epoch || t[i].status != P4A_TXN_UNKNOWN)
			continue;
		if (e->doubts++ < P4A_SETTLE_TXNS)
			e->doubt[e->nr_doubts++] = i;
	}
}

static void collect_gaps(struct epoch *e)
{
	const struct p4a_place *s = e->r->serials.data, *end = s + e->r->serials.n;
	uint64_t next = e->grant->epoch << P4W_SERIAL_SHIFT;

	for (; s < end && s->epoch <= e->grant->epoch; s++) {
		if (s->epoch != e->grant->epoch)
			continue;
		e->gaps += s->serial > next ? s->serial - next : 0;
		for (; next < s->serial && e->nr_gaps < P4A_SETTLE_GAPS; next++)
			e->gap[e->nr_gaps++] = next;
		next = s->serial + 1;
	}
}

/* What its node knew when it sent each of them. */
static void find_floors(struct epoch *e)
{
	const struct p4a_replay_intent *t = intents(e->r), *of;
	unsigned int k;
	size_t i;

	for (i = 0; i < e->r->intents.n; i++) {
		if (t[i].epoch != e->grant->epoch || t[i].status != P4A_TXN_OK)
			continue;
		for (k = 0; k < e->nr_doubts; k++) {
			of = &t[e->doubt[k]];
			if (of->node == t[i].node && of->seq > t[i].answered &&
			    e->txn[k].above < t[i].serial)
				e->txn[k].above = t[i].serial;
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
	const struct p4a_place *s = e->r->serials.data;
	uint64_t last = 0;
	size_t i;

	for (i = 0; i < e->r->serials.n; i++)
		if (s[i].epoch == e->grant->epoch && s[i].txn)
			last = s[i].serial;
	return last;
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

bool p4a_replay_settle(struct p4a_replay *r, uint64_t after)
{
	struct p4a_replay_batch *g = r->batches.data;
	bool changed = false;
	size_t i;

	for (i = 0; i < r->batches.n; i++) {
		struct epoch e = { .r = r, .grant = &g[i] };

		if (g[i].epoch <= after || !(g[i].gaps | g[i].breaks) || !is_complete(r, &g[i]))
			continue;
		collect_doubts(&e);
		collect_gaps(&e);
		if (e.doubts && settle(&e))
			changed |= apply(&e);
	}
	return changed;
}
