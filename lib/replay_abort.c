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

struct aborts {
	const struct p4a_replay *r;
	struct p4a_touches touches;
	struct p4a_list doubts;		/* const struct p4a_replay_intent * */
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

static int find_doubts(struct aborts *a, uint64_t after)
{
	const struct p4a_replay_intent *t = intents(a->r), *end = t + a->r->intents.n, **at;

	for (; t < end; t++) {
		if (t->epoch <= after || (t->status != P4A_TXN_UNKNOWN && !is_settled(t)))
			continue;
		at = p4a_list_add(&a->doubts, sizeof(*at));
		if (!at)
			return -ENOMEM;
		*at = t;
	}
	return 0;
}

static bool writes(const struct p4a_replay *r, const struct p4a_replay_intent *t, uint64_t key)
{
	const struct p4a_replay_op *op = ops_of(r, t);
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (op[i].key == key && (op[i].code & P4A_CODE) != P4A_READ)
			return true;
	return false;
}

/* Somebody in doubt writes what it has read. */
static bool is_concerned(const struct aborts *a, const struct p4a_replay_intent *t)
{
	const struct p4a_replay_intent *const *of = a->doubts.data;
	const struct p4a_replay_op *op = ops_of(a->r, t);
	unsigned int i;
	size_t n;

	for (n = 0; n < a->doubts.n; n++)
		for (i = 0; of[n]->epoch == t->epoch && i < t->count; i++)
			if (writes(a->r, of[n], op[i].key))
				return true;
	return false;
}

/* The serials between which it was judged. */
static void find_moment(const struct p4a_replay *r, const struct p4a_replay_intent *t, uint64_t *low,
			uint64_t *high)
{
	const struct p4a_replay_intent *of = intents(r), *end = of + r->intents.n;

	*low = 0;
	*high = UINT64_MAX;
	for (; of < end; of++) {
		if (of->node != t->node || of->epoch != t->epoch || of->status != P4A_TXN_OK ||
		    is_settled(of))
			continue;
		if (of->answered < t->seq && of->serial > *low)
			*low = of->serial;
		if (of->seq > t->answered && of->serial < *high)
			*high = of->serial;
	}
}

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

static bool is_explained(const struct aborts *a, const struct p4a_replay_intent *t)
{
	const struct p4a_replay_op *op = ops_of(a->r, t);
	const struct p4a_touch *next;
	uint64_t low, high;
	unsigned int i;

	find_moment(a->r, t, &low, &high);
	if (fails_at(a, t, low))
		return true;
	for (i = 0; i < t->count; i++) {
		uint64_t at = low;

		while ((next = p4a_touch_after(&a->touches, op[i].key, t->epoch, at)) &&
		       next->serial < high) {
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
	int rc = find_doubts(&a, after);

	for (; t < end && !rc && a.doubts.n; t++)
		if (t->status == P4A_TXN_ABORT && t->epoch > after && is_concerned(&a, t))
			*unexplained += !is_explained(&a, t);
	free(a.doubts.data);
	return rc;
}
