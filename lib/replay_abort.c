// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay_abort.c - transactions that were told to abort because of what nobody is known to have written.
 *
 * An ABORT has no serial and no values, but its caller has heard of it: at some moment between what its
 * node knew when it sent it and what the node sent after it, a condition must have failed. In a replay
 * that may not be so only because of somebody in doubt, so only aborts that these concern are looked at.
 */
#include <errno.h>
#include <stdlib.h>

#include "settle.h"

struct event {				/* a record of a node's log */
	uint64_t epoch, seq;
	size_t intent;
	uint16_t node;
	bool answer;
};

struct moment {				/* of an abort: the serials between which it was judged */
	uint64_t low, high;
};

struct written {			/* by somebody in doubt */
	uint64_t epoch, key;
};

struct aborts {
	const struct p4a_replay *r;
	struct p4a_touches touches;
	struct p4a_list written;	/* in order; one may be there twice */
	struct moment *moment;		/* by intent */
};

static const struct p4a_replay_intent *intents(const struct p4a_replay *r)
{
	return r->intents.data;
}

static struct p4a_replay_op *ops_of(const struct p4a_replay *r, const struct p4a_replay_intent *t)
{
	return (struct p4a_replay_op *)r->ops.data + t->op;
}

static bool is_settled(const struct p4a_replay_intent *t)
{
	return t->status == P4A_TXN_OK && t->err;
}

static int by_key(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int add_written(struct aborts *a, const struct p4a_replay_intent *t)
{
	const struct p4a_replay_op *op = ops_of(a->r, t);
	struct written *w;
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		if ((op[i].code & P4A_CODE) == P4A_READ)
			continue;
		w = p4a_list_add(&a->written, sizeof(*w));
		if (!w)
			return -ENOMEM;
		*w = (struct written){ t->epoch, op[i].key };
	}
	return 0;
}

static int find_written(struct aborts *a, uint64_t after)
{
	const struct p4a_replay_intent *t = intents(a->r), *end = t + a->r->intents.n;

	for (; t < end; t++)
		if (t->epoch > after && (t->status == P4A_TXN_UNKNOWN || is_settled(t)) &&
		    add_written(a, t))
			return -ENOMEM;
	if (a->written.n)
		qsort(a->written.data, a->written.n, sizeof(struct written), by_key);
	return 0;
}

/* Somebody in doubt writes what it has read. */
static bool is_concerned(const struct aborts *a, const struct p4a_replay_intent *t)
{
	const struct p4a_replay_op *op = ops_of(a->r, t);
	struct written want = { .epoch = t->epoch };
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		want.key = op[i].key;
		if (bsearch(&want, a->written.data, a->written.n, sizeof(want), by_key))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ when it was judged */

static int by_record(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int add_event(struct p4a_list *events, const struct p4a_replay_intent *t, size_t i, bool answer)
{
	struct event *e = p4a_list_add(events, sizeof(*e));

	if (!e)
		return -ENOMEM;
	*e = (struct event) {
		.node = t->node, .epoch = t->epoch, .seq = answer ? t->answered : t->seq,
		.intent = i, .answer = answer,
	};
	return 0;
}

/* What a node has told the switch and heard from it, in the order of its log. */
static int collect_events(const struct p4a_replay *r, uint64_t after, struct p4a_list *events)
{
	const struct p4a_replay_intent *t = intents(r);
	size_t i;

	for (i = 0; i < r->intents.n; i++) {
		if (t[i].epoch <= after || is_settled(&t[i]) ||
		    (t[i].status != P4A_TXN_OK && t[i].status != P4A_TXN_ABORT))
			continue;
		if (add_event(events, &t[i], i, false) || add_event(events, &t[i], i, true))
			return -ENOMEM;
	}
	if (events->n)
		qsort(events->data, events->n, sizeof(struct event), by_record);
	return 0;
}

static bool are_alike(const struct event *a, const struct event *b)
{
	return a->node == b->node && a->epoch == b->epoch;
}

/* Behind all that its node had heard of when it sent it. */
static void find_lows(struct aborts *a, const struct event *e, size_t n)
{
	const struct p4a_replay_intent *t;
	uint64_t low = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		t = &intents(a->r)[e[i].intent];
		low = i && are_alike(&e[i], &e[i - 1]) ? low : 0;
		if (t->status == P4A_TXN_OK && e[i].answer && t->serial > low)
			low = t->serial;
		if (t->status == P4A_TXN_ABORT && !e[i].answer)
			a->moment[e[i].intent].low = low;
	}
}

/* Before all that its node has sent when it had heard of it. */
static void find_highs(struct aborts *a, const struct event *e, size_t n)
{
	const struct p4a_replay_intent *t;
	uint64_t high = UINT64_MAX;
	size_t i;

	for (i = n; i--;) {
		t = &intents(a->r)[e[i].intent];
		high = i + 1 < n && are_alike(&e[i], &e[i + 1]) ? high : UINT64_MAX;
		if (t->status == P4A_TXN_OK && !e[i].answer && t->serial < high)
			high = t->serial;
		if (t->status == P4A_TXN_ABORT && e[i].answer)
			a->moment[e[i].intent].high = high;
	}
}

static int find_moments(struct aborts *a, uint64_t after)
{
	struct p4a_list events = { 0 };
	int rc = collect_events(a->r, after, &events);

	a->moment = rc || !events.n ? NULL : calloc(a->r->intents.n, sizeof(*a->moment));
	if (a->moment) {
		find_lows(a, events.data, events.n);
		find_highs(a, events.data, events.n);
	} else if (events.n) {
		rc = -ENOMEM;
	}
	free(events.data);
	return rc;
}

/* ------------------------------------------------------------------ whether a condition failed then */

/* Its first pass behind that serial: what instruction i finds. False: not known. */
static bool find_before(const struct aborts *a, const struct p4a_replay_intent *t, uint64_t serial,
			unsigned int i)
{
	struct p4a_replay_op *op = ops_of(a->r, t);
	const struct p4a_touch *last = p4a_touch_until(&a->touches, op[i].key, t->epoch, serial);
	unsigned int k;

	if (!last)
		return false;
	op[i].before = last->after;
	for (k = 0; k < i; k++)
		if (op[k].key == op[i].key && !(op[k].code & P4A_SECOND_PASS))
			op[i].before = p4a_replay_left(op, k, t->count);
	return true;
}

/* Behind that serial it would have aborted. */
static bool fails_at(const struct aborts *a, const struct p4a_replay_intent *t, uint64_t serial)
{
	const struct p4a_replay_op *op = ops_of(a->r, t);
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		if (op[i].code & P4A_SECOND_PASS)
			continue;
		if (!find_before(a, t, serial, i))
			return false;
		if ((op[i].code & P4A_CODE) == P4A_CADD &&
		    (int32_t)p4a_replay_left(op, i, t->count) < 0)
			return true;
	}
	return false;
}

/* Without a grant, it is not known what was there at first. */
static bool may_look(const struct aborts *a, const struct p4a_replay_intent *t)
{
	struct p4a_replay_batch *b = p4a_replay_batch(a->r, t->epoch);

	return b && b->looks < P4A_ABORT_LOOKS && ++b->looks;
}

static bool is_explained(const struct aborts *a, const struct p4a_replay_intent *t)
{
	const struct moment *m = &a->moment[t - intents(a->r)];
	const struct p4a_replay_op *op = ops_of(a->r, t);
	const struct p4a_touch *next;
	unsigned int i;

	if (fails_at(a, t, m->low))
		return true;
	for (i = 0; i < t->count; i++) {
		uint64_t at = m->low;

		while ((next = p4a_touch_after(&a->touches, op[i].key, t->epoch, at)) &&
		       next->serial < m->high && may_look(a, t)) {
			at = next->serial;
			if (fails_at(a, t, at))
				return true;
		}
	}
	return false;
}

int p4a_replay_aborts(const struct p4a_replay *r, uint64_t after, uint64_t *unexplained)
{
	const struct p4a_replay_intent *t = intents(r), *end = t + r->intents.n;
	struct aborts a = { .r = r, .touches = { r->touches.data, r->touches.n } };
	int rc = find_written(&a, after);

	if (!rc && a.written.n)
		rc = find_moments(&a, after);
	for (; t < end && !rc && a.written.n; t++)
		if (t->status == P4A_TXN_ABORT && t->epoch > after && is_concerned(&a, t))
			*unexplained += !is_explained(&a, t);
	free(a.written.data);
	free(a.moment);
	return rc;
}
