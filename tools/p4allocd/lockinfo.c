// SPDX-License-Identifier: GPL-2.0-or-later
/* lockinfo.c - see lockinfo.h. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "lockinfo.h"
#include "out.h"

static void clear(struct p4d_locks *l)
{
	p4d_keys_free(&l->keys);
	free(l->bit);
	*l = (struct p4d_locks){ 0 };
}

/* The current batch and the next one have numbers that follow each other. */
static struct p4d_locks *place(struct p4d_tenant *t, uint32_t batch)
{
	return &t->locks[batch & 1];
}

struct p4d_locks *p4d_lockinfo_of(struct p4d_tenant *t, const struct p4d_batch *b)
{
	struct p4d_locks *l = place(t, b->number);

	if (l->reservation != b->reservation) {
		clear(l);
		l->reservation = b->reservation;
		l->batch = b->number;
	}
	return l;
}

static void deal(struct p4d_locks *l)
{
	uint8_t bit[P4W_LOCK_KEYS_MAX];

	p4d_keys_heaviest(&l->keys, P4W_LOCK_KEYS_MAX);
	p4d_keys_deal(l->keys.key, l->keys.n, P4W_LOCK_BITS, bit);
	l->n = l->keys.n;
	l->bit = p4d_alloc((l->n + 1) * sizeof(*l->bit));
	for (size_t i = 0; i < l->n; i++)
		l->bit[i] = (struct p4w_lock_bit){ htobe64(l->keys.key[i].key), bit[i] };
	p4d_keys_free(&l->keys);
	l->dealt = true;
}

/* Nodes that run, or soon will, with bits of their own. After a restart `phase` is what we know. */
static bool has_filled_without(const struct p4d_tenant *t, const struct p4d_batch *b,
			       const struct p4d_locks *l)
{
	if (b->phase >= P4W_PHASE_FILLED)
		return true;
	for (unsigned int i = 0; b->state == P4D_HELD && i < t->nodes; i++)
		if (t->node[i].phase >= P4W_PHASE_FILLED && !(l->given & p4d_bit(i)))
			return true;
	return false;
}

enum p4d_locks_state p4d_lockinfo_take(struct p4d_tenant *t, const struct p4d_batch *b,
				       struct p4d_locks *l, const struct p4d_request *req)
{
	uint64_t nodes = p4d_all_nodes(t) & ~t->left & ~b->done & ~b->absent;

	if (l->dealt)
		return P4D_LOCKS_DEALT;
	if (has_filled_without(t, b, l))
		return P4D_LOCKS_NEVER;
	if (req->keys && !(l->given & p4d_bit(req->node))) {
		l->given |= p4d_bit(req->node);
		p4d_keys_add(&l->keys, req->keys, req->nr_keys);
	}
	if (nodes & ~l->given)
		return P4D_LOCKS_MISSING;
	deal(l);
	t->dirty = true;
	return P4D_LOCKS_DEALT;
}

void p4d_lockinfo_restore(struct p4d_tenant *t, uint32_t batch, uint64_t reservation,
			  const struct p4w_lock_bit *bit, size_t n)
{
	struct p4d_locks *l = place(t, batch);

	clear(l);
	l->reservation = reservation;
	l->batch = batch;
	l->dealt = l->saved = true;
	l->n = n;
	l->bit = p4d_alloc((n + 1) * sizeof(*l->bit));
	if (n)
		memcpy(l->bit, bit, n * sizeof(*bit));
}

void p4d_lockinfo_free(struct p4d_tenant *t)
{
	clear(&t->locks[0]);
	clear(&t->locks[1]);
}
