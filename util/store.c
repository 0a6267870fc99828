// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - see store.h.
 *
 * Cells lie in one array, by key / nodes. One mutex guards everything: an access is a few dozen
 * instructions, and a node has two threads. Transactions that hold keys are kept in a small hash
 * table of undo records. Versions are put back with values, so those of the committed accesses of
 * a key are 1, 2, 3 ... without gaps; the oracle relies on it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "store.h"

#define BUCKETS 1024u

struct cell {
	uint64_t epoch;
	uint32_t value;
	uint32_t version;
	bool locked;
	bool in_switch;
};

struct record {				/* what one transaction did here, enough to undo it */
	struct record *next;
	uint64_t txn;
	unsigned int n;
	struct {
		uint32_t key;
		struct store_result result;
	} done[TRACE_OPS_MAX];
};

struct store {
	pthread_mutex_t lock;		/* guards all below but keys, nodes, node, which are constant */
	pthread_cond_t unlocked;	/* a record was released */
	uint32_t keys;
	unsigned int nodes, node;
	size_t holders;
	struct record *bucket[BUCKETS];
	struct cell cell[];
};

static struct cell *cell_of(struct store *s, uint32_t key)
{
	return &s->cell[key / s->nodes];
}

static bool is_own(const struct store *s, uint32_t key)
{
	return key < s->keys && key % s->nodes == s->node;
}

struct store *store_new(uint32_t keys, enum start start, unsigned int nodes, unsigned int node)
{
	size_t n = keys / nodes + 1;
	struct store *s = calloc(1, sizeof(*s) + n * sizeof(struct cell));
	pthread_condattr_t attr;

	if (!s)
		return NULL;
	s->keys = keys;
	s->nodes = nodes;
	s->node = node;
	for (uint32_t key = node; key < keys; key += nodes)
		cell_of(s, key)->value = start_value(start, keys, key);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->unlocked, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (unsigned int b = 0; b < BUCKETS; b++) {
		for (struct record *r = s->bucket[b], *next; r; r = next) {
			next = r->next;
			free(r);
		}
	}
	pthread_cond_destroy(&s->unlocked);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* The link that points to the transaction's record, or the NULL at the end of its bucket. */
static struct record **find(struct store *s, uint64_t txn)
{
	struct record **p = &s->bucket[(txn * 0x9e3779b97f4a7c15ull) >> 32 & (BUCKETS - 1)];

	while (*p && (*p)->txn != txn)
		p = &(*p)->next;
	return p;
}

static enum store_verdict check(struct store *s, const struct trace_op *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!is_own(s, ops[i].key))
			return STORE_FOREIGN;
		if (cell_of(s, ops[i].key)->in_switch)
			return STORE_IN_SWITCH;
		if (cell_of(s, ops[i].key)->locked)
			return STORE_LOCKED;
	}
	return STORE_OK;
}

/* The values that keys get, which is what can still be refused. No key occurs twice. */
static enum store_verdict compute(struct store *s, const struct trace_op *ops, unsigned int n,
				  uint32_t sum, uint32_t *after)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t before = cell_of(s, ops[i].key)->value;

		after[i] = p4a_apply(ops[i].kind, ops[i].operand, before, sum);
		if ((ops[i].kind & P4A_CODE) == TRACE_CADD && (int32_t)after[i] < 0)
			return STORE_ABORT;
		if (ops[i].kind & TRACE_SOURCE)
			sum += before;
	}
	return STORE_OK;
}

static struct store_result execute(struct cell *c, uint32_t after)
{
	struct store_result r = { .got = c->value, .version = ++c->version, .epoch = c->epoch };

	c->locked = true;
	c->value = after;
	return r;
}

static enum store_verdict access_locked(struct store *s, uint64_t txn, const struct trace_op *ops,
					unsigned int n, uint32_t sum, struct store_result *results)
{
	struct record **link = find(s, txn), *r = *link;
	uint32_t after[TRACE_OPS_MAX];
	enum store_verdict verdict;

	if (r) {
		for (unsigned int i = 0; i < n && i < r->n; i++)
			results[i] = r->done[i].result;
		return STORE_OK;
	}
	verdict = check(s, ops, n);
	if (!verdict)
		verdict = compute(s, ops, n, sum, after);
	if (verdict)
		return verdict;
	r = calloc(1, sizeof(*r));
	if (!r)
		return STORE_LOCKED;	/* no memory for an undo record: as good as a taken lock */
	r->txn = txn;
	r->n = n;
	for (unsigned int i = 0; i < n; i++) {
		results[i] = execute(cell_of(s, ops[i].key), after[i]);
		r->done[i].key = ops[i].key;
		r->done[i].result = results[i];
	}
	*link = r;
	s->holders++;
	return STORE_OK;
}

enum store_verdict store_access(struct store *s, uint64_t txn, const struct trace_op *ops,
				unsigned int n, uint32_t sum, struct store_result *results)
{
	enum store_verdict verdict;

	pthread_mutex_lock(&s->lock);
	verdict = access_locked(s, txn, ops, n, sum, results);
	pthread_mutex_unlock(&s->lock);
	return verdict;
}

void store_release(struct store *s, uint64_t txn, bool undo)
{
	struct record **link, *r;

	pthread_mutex_lock(&s->lock);
	link = find(s, txn);
	r = *link;
	if (r) {
		*link = r->next;
		s->holders--;
		for (unsigned int i = 0; i < r->n; i++) {
			struct cell *c = cell_of(s, r->done[i].key);

			if (undo) {
				c->value = r->done[i].result.got;
				c->version--;
			}
			c->locked = false;
		}
		pthread_cond_broadcast(&s->unlocked);
	}
	pthread_mutex_unlock(&s->lock);
	free(r);
}

static bool any_locked(struct store *s, const uint32_t *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cell_of(s, keys[i])->locked)
			return true;
	return false;
}

static void mark(struct store *s, const uint32_t *keys, size_t n, bool in_switch)
{
	for (size_t i = 0; i < n; i++)
		cell_of(s, keys[i])->in_switch = in_switch;
}

int store_take(struct store *s, const uint32_t *keys, size_t n, uint32_t *values, int timeout_ms)
{
	struct timespec end;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += timeout_ms % 1000 * 1000000L;
	end.tv_sec += timeout_ms / 1000 + end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&s->lock);
	mark(s, keys, n, true);
	while (any_locked(s, keys, n) && !rc)
		rc = -pthread_cond_timedwait(&s->unlocked, &s->lock, &end);
	if (any_locked(s, keys, n)) {
		mark(s, keys, n, false);
		rc = -ETIMEDOUT;
	} else {
		for (size_t i = 0; i < n; i++)
			values[i] = cell_of(s, keys[i])->value;
		rc = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void store_put(struct store *s, const uint32_t *keys, size_t n, const uint32_t *values,
	       uint64_t epoch)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n; i++) {
		struct cell *c = cell_of(s, keys[i]);

		if (values)
			c->value = values[i];
		if (epoch)
			c->epoch = epoch;
		c->in_switch = false;
	}
	pthread_mutex_unlock(&s->lock);
}

void store_peek(struct store *s, uint32_t key, uint32_t *value, uint32_t *version)
{
	pthread_mutex_lock(&s->lock);
	*value = cell_of(s, key)->value;
	*version = cell_of(s, key)->version;
	pthread_mutex_unlock(&s->lock);
}

uint32_t store_value(void *store, uint32_t key)
{
	uint32_t value, version;

	store_peek(store, key, &value, &version);
	return value;
}

uint64_t store_epoch(struct store *s, uint32_t key)
{
	uint64_t epoch;

	pthread_mutex_lock(&s->lock);
	epoch = cell_of(s, key)->epoch;
	pthread_mutex_unlock(&s->lock);
	return epoch;
}

size_t store_holders(struct store *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->holders;
	pthread_mutex_unlock(&s->lock);
	return n;
}
