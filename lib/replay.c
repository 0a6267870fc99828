// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * replay.c - what the collected records say together: transactions in serial order, the value of each
 * key, what is missing. Pure: works on memory alone; doc/log.md has the reasoning.
 *
 * A result holds the value that each instruction found, so the last transaction on a key alone gives
 * the key's value, and each one before it must have left what the next has found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p4wire.h"
#include "settle.h"

#define SECOND_PASS_ORDER	P4A_MAX_INSTRS	/* after all instructions of the first pass */

static struct p4a_replay_intent *intents(const struct p4a_replay *r)
{
	return r->intents.data;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_node_seq(const void *a, const void *b)
{
	const struct p4a_replay_intent *x = a, *y = b;

	return x->node != y->node ? compare(x->node, y->node) : compare(x->seq, y->seq);
}

static int by_node_intent(const void *a, const void *b)
{
	const struct p4a_replay_result *x = a, *y = b;

	return x->node != y->node ? compare(x->node, y->node) : compare(x->intent, y->intent);
}

/* A grant of very many transactions may have come to serials above its successor's first. */
static int compare_places(uint64_t epoch_a, uint64_t a, uint64_t epoch_b, uint64_t b)
{
	return epoch_a != epoch_b ? compare(epoch_a, epoch_b) : compare(a, b);
}

static int by_cells_serial(const void *a, const void *b)
{
	const struct p4a_replay_cells *x = a, *y = b;

	return compare_places(x->epoch, x->serial, y->epoch, y->serial);
}

static int by_place(const void *a, const void *b)
{
	const struct p4a_place *x = a, *y = b;

	return compare_places(x->epoch, x->serial, y->epoch, y->serial);
}

static int by_key_serial(const void *a, const void *b)
{
	const struct p4a_touch *x = a, *y = b;

	if (x->key != y->key)
		return compare(x->key, y->key);
	if (x->epoch != y->epoch || x->serial != y->serial)
		return compare_places(x->epoch, x->serial, y->epoch, y->serial);
	return compare(x->order, y->order);
}

static int by_key(const void *a, const void *b)
{
	const struct p4a_replayed *x = a, *y = b;

	return compare(x->key, y->key);
}

static int by_serial_arg(const void *a, const void *b, void *arg)
{
	const struct p4a_replay_intent *t = arg;
	const struct p4a_replay_intent *x = t + *(const size_t *)a, *y = t + *(const size_t *)b;

	return compare_places(x->epoch, x->serial, y->epoch, y->serial);
}

/* Sorts, and drops what is there twice because a file was added twice. */
static void sort_unique(struct p4a_list *l, size_t size, int (*cmp)(const void *, const void *))
{
	uint8_t *data = l->data;
	size_t i, kept = 0;

	if (!l->n)
		return;
	qsort(data, l->n, size, cmp);
	for (i = 1; i < l->n; i++) {
		if (!cmp(data + kept * size, data + i * size))
			continue;
		if (++kept != i)
			memcpy(data + kept * size, data + i * size, size);
	}
	l->n = kept + 1;
}

static void take_result(struct p4a_replay *r, struct p4a_replay_intent *t,
			const struct p4a_replay_result *result)
{
	struct p4a_replay_op *op = r->ops.data;
	unsigned int i;

	t->status = result->status;
	t->answered = result->seq;
	t->err = result->status == P4A_TXN_UNKNOWN ? result->err : 0;
	if (result->status != P4A_TXN_OK)
		return;
	if (result->count != t->count) {
		t->status = P4A_TXN_UNKNOWN;
		r->info.damaged++;
		return;
	}
	t->serial = result->serial;
	for (i = 0; i < t->count; i++)
		op[t->op + i].before = result->value[i];
}

/* Both are sorted alike. */
static void match_results(struct p4a_replay *r)
{
	const struct p4a_replay_result *result = r->results.data;
	struct p4a_replay_intent *t = intents(r);
	size_t i, k = 0;

	for (i = 0; i < r->intents.n; i++) {
		t[i].status = P4A_TXN_UNKNOWN;
		t[i].serial = 0;
		t[i].err = 0;
		for (; k < r->results.n; k++) {
			struct p4a_replay_intent of = {
				.node = result[k].node, .seq = result[k].intent,
			};
			int order = by_node_seq(&of, &t[i]);

			if (order > 0)
				break;
			if (order < 0)
				r->info.damaged++;	/* its intent is missing */
			else
				take_result(r, &t[i], &result[k]);
		}
	}
	r->info.damaged += r->results.n - k;
}

static int collect_serials(struct p4a_replay *r, uint64_t after)
{
	const struct p4a_replay_cells *c = r->cells.data;
	const struct p4a_replay_intent *t = intents(r);
	struct p4a_place *s;
	size_t i;

	r->serials.n = 0;
	for (i = 0; i < r->intents.n; i++) {
		if (t[i].epoch <= after || t[i].status != P4A_TXN_OK)
			continue;
		s = p4a_list_add(&r->serials, sizeof(*s));
		if (!s)
			return -ENOMEM;
		*s = (struct p4a_place){ t[i].epoch, t[i].serial, true };
	}
	for (i = 0; i < r->cells.n; i++) {
		if (c[i].epoch <= after)
			continue;
		s = p4a_list_add(&r->serials, sizeof(*s));
		if (!s)
			return -ENOMEM;
		*s = (struct p4a_place){ c[i].epoch, c[i].serial, false };
	}
	if (r->serials.n)
		qsort(r->serials.data, r->serials.n, sizeof(*s), by_place);
	return 0;
}

/* Serials of the epoch that begins at s up to that of its last transaction which are not there. */
static uint64_t gaps_of(const struct p4a_place *s, const struct p4a_place *end)
{
	uint64_t epoch = s->epoch, next = epoch << P4W_SERIAL_SHIFT, missing = 0, gaps = 0;

	for (; s < end && s->epoch == epoch; s++) {
		missing += s->serial > next ? s->serial - next : 0;
		next = s->serial + 1;
		/* A read of a drain that was lost and repeated has changed nothing. */
		if (s->txn)
			gaps = missing;
	}
	return gaps;
}

static void find_gaps(struct p4a_replay *r)
{
	const struct p4a_place *s = r->serials.data, *end = s + r->serials.n, *first = s;
	struct p4a_replay_batch *g;

	for (; s < end; s++) {
		if (s != first && s->epoch == s[-1].epoch)
			continue;
		g = p4a_replay_batch(r, s->epoch);
		if (!g)
			continue;
		g->gaps = gaps_of(s, end);
		r->info.gaps += g->gaps;
	}
}

static void find_twice(struct p4a_replay *r)
{
	const struct p4a_place *s = r->serials.data;
	size_t i;

	for (i = 1; i < r->serials.n; i++)
		r->info.damaged += !by_place(&s[i], &s[i - 1]);
}

/* Of the results of sources that instruction i can see. */
static uint32_t sum_before(const struct p4a_replay_op *op, unsigned int i, unsigned int n)
{
	unsigned int end = op[i].code & P4A_SECOND_PASS ? n : i, k;
	uint32_t sum = 0;

	for (k = 0; k < end; k++)
		if (op[k].code & P4A_SOURCE)
			sum += op[k].before;
	return sum;
}

uint32_t p4a_replay_left(const struct p4a_replay_op *op, unsigned int i, unsigned int n)
{
	return p4a_apply(op[i].code, op[i].operand, op[i].before, sum_before(op, i, n));
}

static int touch_ops(struct p4a_replay *r, const struct p4a_replay_intent *t)
{
	const struct p4a_replay_op *ops = r->ops.data, *op;
	unsigned int i;

	for (i = 0, ops += t->op; i < t->count; i++) {
		struct p4a_touch *touch = p4a_list_add(&r->touches, sizeof(*touch));

		if (!touch)
			return -ENOMEM;
		op = &ops[i];
		*touch = (struct p4a_touch) {
			.key = op->key, .epoch = t->epoch, .serial = t->serial, .before = op->before,
			.after = p4a_replay_left(ops, i, t->count),
			.order = op->code & P4A_SECOND_PASS ? SECOND_PASS_ORDER + i : i,
		};
	}
	return 0;
}

static int touch_cells(struct p4a_replay *r, const struct p4a_replay_cells *c)
{
	unsigned int i;

	for (i = 0; i < c->count; i++) {
		struct p4a_touch *touch = p4a_list_add(&r->touches, sizeof(*touch));

		if (!touch)
			return -ENOMEM;
		*touch = (struct p4a_touch) {
			.key = c->key[i], .epoch = c->epoch, .serial = c->serial, .before = c->value[i],
			.after = c->value[i], .order = i, .fill = !c->drain, .drain = c->drain,
		};
	}
	return 0;
}

static int collect_touches(struct p4a_replay *r, uint64_t after)
{
	const struct p4a_replay_cells *c = r->cells.data;
	const struct p4a_replay_intent *t = intents(r);
	int rc = 0;
	size_t i;

	r->touches.n = 0;
	for (i = 0; i < r->intents.n && !rc; i++)
		if (t[i].epoch > after && t[i].status == P4A_TXN_OK)
			rc = touch_ops(r, &t[i]);
	for (i = 0; i < r->cells.n && !rc; i++)
		if (c[i].epoch > after)
			rc = touch_cells(r, &c[i]);
	if (!rc && r->touches.n)
		qsort(r->touches.data, r->touches.n, sizeof(struct p4a_touch), by_key_serial);
	return rc;
}

/* Found something else than t has left, in the same epoch. */
static bool breaks_off(const struct p4a_touch *t, const struct p4a_touch *next)
{
	return next->key == t->key && next->epoch == t->epoch && !next->fill &&
	       next->before != t->after;
}

static void find_breaks(struct p4a_replay *r)
{
	const struct p4a_touch *t = r->touches.data;
	struct p4a_replay_batch *g;
	size_t i;

	for (i = 1; i < r->touches.n; i++) {
		if (!breaks_off(&t[i - 1], &t[i]))
			continue;
		r->info.breaks++;
		g = p4a_replay_batch(r, t[i].epoch);
		if (g)
			g->breaks++;
	}
}

static int make_values(struct p4a_replay *r)
{
	const struct p4a_touch *t = r->touches.data, *end = t + r->touches.n;
	struct p4a_replayed *v = NULL;

	r->values.n = 0;
	for (; t < end; t++) {
		if (!v || v->key != t->key) {
			v = p4a_list_add(&r->values, sizeof(*v));
			if (!v)
				return -ENOMEM;
			v->key = t->key;
		}
		v->serial = t->serial;
		v->epoch = t->epoch;
		v->value = t->after;
		v->doubt = t->drain ? UINT32_MAX : 0;	/* until mark_doubt() */
	}
	return 0;
}

/* What a drain has read is true, whatever was unknown before it. */
static void mark_doubt(struct p4a_replay *r, uint64_t after)
{
	const struct p4a_replay_intent *t = intents(r), *end = t + r->intents.n;
	const struct p4a_replay_op *ops = r->ops.data;
	struct p4a_replayed *v = r->values.data;
	size_t i;

	for (; t < end; t++) {
		if (t->status != P4A_TXN_UNKNOWN || t->epoch <= after || !r->values.n)
			continue;
		for (i = 0; i < t->count; i++) {
			const struct p4a_replay_op *op = &ops[t->op + i];
			struct p4a_replayed want = { .key = op->key }, *found;

			found = bsearch(&want, v, r->values.n, sizeof(*v), by_key);
			if (found && found->epoch == t->epoch && !found->doubt &&
			    (op->code & P4A_CODE) != P4A_READ)
				found->doubt = 1;
		}
	}
	for (i = 0; i < r->values.n; i++)
		v[i].doubt = v[i].doubt == 1;
}

static int list_status(struct p4a_replay *r, uint64_t after, enum p4a_txn_status status)
{
	const struct p4a_replay_intent *t = intents(r);
	size_t i;

	for (i = 0; i < r->intents.n; i++) {
		size_t *at;

		if (t[i].epoch <= after || t[i].status != status)
			continue;
		at = p4a_list_add(&r->order, sizeof(*at));
		if (!at)
			return -ENOMEM;
		*at = i;
	}
	return 0;
}

static int make_order(struct p4a_replay *r, uint64_t after)
{
	const struct p4a_replay_intent *t = intents(r);
	size_t i;
	int rc;

	r->order.n = 0;
	rc = list_status(r, after, P4A_TXN_OK);
	if (rc)
		return rc;
	r->info.committed = r->order.n;
	if (r->order.n)
		qsort_r(r->order.data, r->order.n, sizeof(size_t), by_serial_arg, intents(r));
	rc = list_status(r, after, P4A_TXN_UNKNOWN);
	r->info.unknown = r->order.n - r->info.committed;
	for (i = 0; i < r->intents.n; i++)
		r->info.refused += t[i].epoch > after;
	r->info.refused -= r->order.n;
	return rc;
}

int p4a_replay_run(struct p4a_replay *r, uint64_t after, struct p4a_error *err)
{
	int rc;

	r->info = (struct p4a_replay_info) {
		.damaged = r->damaged, .torn = r->torn, .beheaded = r->beheaded,
	};
	sort_unique(&r->intents, sizeof(struct p4a_replay_intent), by_node_seq);
	sort_unique(&r->results, sizeof(struct p4a_replay_result), by_node_intent);
	sort_unique(&r->cells, sizeof(struct p4a_replay_cells), by_cells_serial);
	match_results(r);
	rc = p4a_replay_batches(r);
	if (!rc)
		rc = collect_serials(r, after);
	if (!rc) {
		find_twice(r);
		find_gaps(r);
		rc = collect_touches(r, after);
	}
	if (!rc) {
		find_breaks(r);
		rc = p4a_replay_settle(r, after);
		if (rc > 0)
			rc = collect_touches(r, after);
	}
	if (!rc)
		rc = p4a_replay_aborts(r, after, &r->info.breaks);
	if (!rc)
		rc = make_values(r);
	if (!rc) {
		mark_doubt(r, after);
		rc = make_order(r, after);
	}
	if (rc)
		return p4a_fail(err, rc, "replay: no memory for %zu transactions", r->intents.n);
	p4a_replay_judge(r, after);
	r->info.keys = r->values.n;
	return 0;
}

void p4a_replay_info(const struct p4a_replay *r, struct p4a_replay_info *info)
{
	*info = r->info;
}

int p4a_replay_value(const struct p4a_replay *r, uint32_t *pos, struct p4a_replayed *v)
{
	const struct p4a_replayed *all = r->values.data;

	if (*pos >= r->values.n)
		return 0;
	*v = all[(*pos)++];
	return 1;
}

int p4a_replay_txn(const struct p4a_replay *r, uint32_t *pos, struct p4a_logged *out)
{
	const struct p4a_replay_op *op = r->ops.data;
	const struct p4a_replay_intent *t;
	const size_t *order = r->order.data;
	unsigned int i;

	if (*pos >= r->order.n)
		return 0;
	t = &intents(r)[order[(*pos)++]];
	*out = (struct p4a_logged) {
		.serial = t->serial, .epoch = t->epoch, .user = t->user, .node = t->node,
		.status = t->status, .count = t->count, .err = t->err,
	};
	for (i = 0, op += t->op; i < t->count; i++, op++) {
		out->op[i].key = op->key;
		out->op[i].operand = op->operand;
		out->op[i].code = op->code;
		out->op[i].result = t->status == P4A_TXN_OK ? op->before : 0;
	}
	return 1;
}
