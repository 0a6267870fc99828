// SPDX-License-Identifier: GPL-2.0-or-later
/* records.c - see records.h. Tables say which fields are kept, and which values they may have. */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escrow.h"
#include "fields.h"
#include "lockinfo.h"
#include "out.h"
#include "records.h"

#define SCHEMA 2
#define PART_CELLS 16384	/* cells in one record */

#define SIZE_OF(s, f) sizeof(((struct s *)0)->f)
#define NAMED(name, s, f, min, max) \
	{ name, offsetof(struct s, f), SIZE_OF(s, f), min, max, P4D_NUMBER }
#define F(s, f, min, max) NAMED(#f, s, f, min, max)
#define END { 0 }

/* What is kept in another form than the engine has it in. */
struct meta {
	uint32_t schema;
	struct p4d_geometry geo;
};

struct tenant_times {
	uint64_t barred_us;	/* from the start on: another process has another clock */
};

static const struct p4d_field meta_fields[] = {
	F(p4d_engine, bound, 0, 1),
	F(p4d_engine, boot, 0, UINT64_MAX),
	F(p4d_engine, epoch_limit, 1, P4W_EPOCH_MAX),
	F(p4d_engine, reservation_next, 1, INT64_MAX),
	F(p4d_engine, token_limit, 1, INT64_MAX),
	F(p4d_engine, lock_lease_us, 0, P4W_DURATION_MAX_US),
	F(p4d_engine, cells_out, 0, 1),
	END
}, shape_fields[] = {
	F(meta, schema, SCHEMA, SCHEMA),
	NAMED("registers", meta, geo.registers, 0, P4W_MAX_REGISTERS),
	NAMED("blocks", meta, geo.blocks, 0, P4W_MAX_BLOCKS),
	NAMED("flows", meta, geo.flows, 0, 65536),
	NAMED("dependent", meta, geo.dependent, 0, P4W_MAX_REGISTERS - 1),
	END
}, tenant_fields[] = {
	F(p4d_tenant, nodes, 0, P4W_NODES_MAX),
	F(p4d_tenant, left, 0, UINT64_MAX),
	F(p4d_tenant, last, 0, P4W_BATCH_MAX),
	F(p4d_tenant, last_end, P4D_END_NONE, P4D_END_LOST),
	F(p4d_tenant, last_done, 0, UINT64_MAX),
	F(p4d_tenant, hot, 0, 256),
	F(p4d_tenant, overrun, 0, 1024),
	{ "credit", offsetof(struct p4d_tenant, account.credit), 8, 0, UINT64_MAX, P4D_SIGNED },
	NAMED("mean", p4d_tenant, account.mean, 0, INT64_MAX),
	NAMED("due", p4d_tenant, account.due, 0, INT64_MAX),
	NAMED("had", p4d_tenant, account.had, 0, INT64_MAX),
	END
}, times_fields[] = {
	F(tenant_times, barred_us, 0, INT64_MAX),
	END
}, batch_fields[] = {
	F(p4d_batch, number, 1, P4W_BATCH_MAX),
	F(p4d_batch, state, P4D_RESERVED, P4D_TAKING),
	F(p4d_batch, reservation, 0, INT64_MAX),
	F(p4d_batch, duration_us, 1, P4W_DURATION_MAX_US),
	F(p4d_batch, min_blocks, 1, P4W_MAX_BLOCKS),
	F(p4d_batch, want_blocks, 1, P4W_MAX_BLOCKS),
	F(p4d_batch, flows, 1, UINT32_MAX),
	F(p4d_batch, done, 0, UINT64_MAX),
	F(p4d_batch, epoch, 0, P4W_EPOCH_MAX),
	F(p4d_batch, absent, 0, UINT64_MAX),
	F(p4d_batch, phase, 0, P4W_PHASE_RAN),
	F(p4d_batch, end, P4D_END_NONE, P4D_END_LOST),
	F(p4d_batch, keep, 0, 1),
	{ "blocks", offsetof(struct p4d_batch, blocks), P4W_BITMAP_BYTES, 0, 0, P4D_BLOCKS },
	{ "ranges", offsetof(struct p4d_batch, flow), 8 * P4W_NODES_MAX, 0, 0, P4D_RANGES },
	END
}, escrow_fields[] = {
	F(p4d_escrow, epoch, 1, P4W_EPOCH_MAX),
	F(p4d_escrow, nodes, 1, P4W_NODES_MAX),
	F(p4d_escrow, acked, 0, UINT64_MAX),
	F(p4d_escrow, registers, 1, P4W_MAX_REGISTERS),
	F(p4d_escrow, slots, 1, P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS),
	END
}, locks_fields[] = {
	F(p4d_locks, batch, 1, P4W_BATCH_MAX),
	F(p4d_locks, reservation, 1, INT64_MAX),
	END
};

/* --------------------------------------------------------------------------------- changes */

struct p4d_change *p4d_changes_append(struct p4d_changes *c, size_t len, const char *fmt, ...)
{
	struct p4d_change *change = p4d_alloc(sizeof(*change) + len);
	va_list args;

	va_start(args, fmt);
	vsnprintf(change->key, sizeof(change->key), fmt, args);
	va_end(args);
	change->len = len;
	if (c->last)
		c->last->link = change;
	else
		c->first = change;
	c->last = change;
	c->n++;
	c->bytes += strlen(change->key) + len;
	return change;
}

void p4d_changes_drop(struct p4d_changes *c)
{
	while (c->first) {
		struct p4d_change *change = c->first;

		c->first = change->link;
		free(change);
	}
	*c = (struct p4d_changes){ 0 };
}

static void collect_meta(const struct p4d_engine *e, struct p4d_changes *c)
{
	struct meta m = { SCHEMA, e->geo };
	struct p4d_lines_out l = { 0 };

	p4d_fields_put(&l, shape_fields, &m);
	p4d_fields_put(&l, meta_fields, e);
	p4d_fields_end(&l);
	memcpy(p4d_changes_append(c, l.len, "meta")->value, l.text, l.len);
}

static void put_batch(struct p4d_lines_out *l, const char *which, const struct p4d_batch *b)
{
	if (!b)
		return;
	p4d_fields_word(l, which);
	p4d_fields_put(l, batch_fields, b);
	p4d_fields_end(l);
}

static void collect_tenant(const struct p4d_engine *e, const struct p4d_tenant *t,
			   struct p4d_changes *c)
{
	struct tenant_times times = { t->barred_until > e->now ? t->barred_until - e->now : 0 };
	struct p4d_lines_out l;

	l.len = 0;
	p4d_fields_put(&l, tenant_fields, t);
	p4d_fields_put(&l, times_fields, &times);
	p4d_fields_end(&l);
	put_batch(&l, "cur", t->cur);
	put_batch(&l, "next", t->next);
	memcpy(p4d_changes_append(c, l.len, "tenant/%08u", t->id)->value, l.text, l.len);
}

/* Bits never change once they are dealt. The batch two before has the same place. */
static void collect_locks(struct p4d_tenant *t, struct p4d_changes *c)
{
	for (int i = 0; i < 2; i++) {
		struct p4d_locks *k = &t->locks[i];
		struct p4d_change *change;
		struct p4d_lines_out l;

		if (!k->dealt || k->saved)
			continue;
		l.len = 0;
		p4d_fields_put(&l, locks_fields, k);
		p4d_fields_end(&l);
		change = p4d_changes_append(c, l.len + k->n * sizeof(*k->bit), "locks/%08u/%d",
					    t->id, i);
		memcpy(change->value, l.text, l.len);
		memcpy(change->value + l.len, k->bit, k->n * sizeof(*k->bit));
		k->saved = true;
	}
}

/*
 * What its declarations were worth, for each block up to the last that anything is known of: two
 * numbers of 64 bits, the least byte first, behind how often they were compared.
 */
static void collect_check(struct p4d_tenant *t, struct p4d_changes *c)
{
	struct p4d_change *change;
	unsigned int n = P4W_MAX_BLOCKS;
	uint64_t *le;

	if (t->check.batches == t->saved_check)
		return;
	while (n && !t->check.expected[n - 1] && !t->check.seen[n - 1])
		n--;
	change = p4d_changes_append(c, (1 + 2 * n) * sizeof(*le), "check/%08u", t->id);
	le = p4d_alloc(change->len);
	le[0] = htole64(t->check.batches);
	for (unsigned int b = 0; b < n; b++) {
		le[1 + 2 * b] = htole64(t->check.expected[b]);
		le[2 + 2 * b] = htole64(t->check.seen[b]);
	}
	memcpy(change->value, le, change->len);
	free(le);
	t->saved_check = t->check.batches;
}

static void collect_cells(const struct p4d_tenant *t, const struct p4d_escrow *s,
			  struct p4d_changes *c)
{
	uint32_t n = s->slots * s->registers;

	for (uint32_t part = 0; part * PART_CELLS < n; part++) {
		const uint32_t *cell = s->cells + part * PART_CELLS;
		uint32_t left = n - part * PART_CELLS, here = left < PART_CELLS ? left : PART_CELLS;
		struct p4d_change *change = p4d_changes_append(c, here * sizeof(*cell),
						   "escrow/%08u/%010u/%04u", t->id, s->batch, part);

		for (uint32_t i = 0; i < here; i++) {
			uint32_t le = htole32(cell[i]);

			memcpy(change->value + i * sizeof(le), &le, sizeof(le));
		}
	}
}

static struct p4d_change *set_of(struct p4d_changes *c, const struct p4d_tenant *t,
				 const struct p4d_escrow *s, size_t len)
{
	return p4d_changes_append(c, len, "escrow/%08u/%010u", t->id, s->batch);
}

/* The head of a set is written with each acknowledgement, its cells once. */
static void collect_escrow(struct p4d_tenant *t, struct p4d_changes *c)
{
	struct p4d_lines_out l;

	for (struct p4d_escrow *s = t->fetched; s; s = s->next)
		if (s->saved)
			set_of(c, t, s, 0)->remove = true;
	p4d_escrow_forget(t);
	for (struct p4d_escrow *s = t->escrow; s; s = s->next) {
		if (s->saved && s->acked == s->saved_acked)
			continue;
		l.len = 0;
		p4d_fields_put(&l, escrow_fields, s);
		p4d_fields_end(&l);
		memcpy(set_of(c, t, s, l.len)->value, l.text, l.len);
		if (!s->saved)
			collect_cells(t, s, c);
		s->saved = true;
		s->saved_acked = s->acked;
	}
}

void p4d_records_collect(struct p4d_engine *e, struct p4d_changes *c)
{
	if (e->meta_dirty)
		collect_meta(e, c);
	e->meta_dirty = false;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (!t->dirty)
			continue;
		collect_tenant(e, t, c);
		collect_check(t, c);
		collect_locks(t, c);
		collect_escrow(t, c);
		t->dirty = false;
	}
}

/* ---------------------------------------------------------------------------------- loading */

struct load {
	struct p4d_engine *e;
	struct p4d_lines_in in;
};

static bool load_meta(struct load *l)
{
	struct meta m = { 0 };

	p4d_fields_next(&l->in);
	if (!p4d_fields_get(&l->in, shape_fields, &m, meta_fields, l->e))
		return false;
	l->e->geo = m.geo;
	return m.schema ? true : p4d_fields_spoil(&l->in, "schema");
}

static bool load_batch(struct load *l, struct p4d_tenant *t)
{
	struct p4d_batch **place = p4d_fields_skip(&l->in, "cur") ? &t->cur :
		p4d_fields_skip(&l->in, "next") ? &t->next : NULL;
	struct p4d_batch *b = p4d_alloc(sizeof(*b));

	if (!place || *place || !p4d_fields_get(&l->in, batch_fields, b, NULL, NULL)) {
		free(b);
		return l->in.bad ? false : p4d_fields_spoil(&l->in, "batch");
	}
	*place = b;
	if ((b->state == P4D_RESERVED) != (place == &t->next))
		return p4d_fields_spoil(&l->in, "state");
	return b->number && b->duration_us && b->min_blocks && b->want_blocks ? true :
		p4d_fields_spoil(&l->in, "number");
}

static bool load_tenant(struct load *l, struct p4d_tenant *t)
{
	struct tenant_times times = { 0 };

	p4d_fields_next(&l->in);
	if (!p4d_fields_get(&l->in, tenant_fields, t, times_fields, &times))
		return false;
	t->barred_until = times.barred_us ? l->e->now + times.barred_us : 0;
	while (p4d_fields_next(&l->in))
		if (!load_batch(l, t))
			return false;
	return true;
}

static bool load_check(struct load *l, struct p4d_tenant *t)
{
	size_t len = l->in.end - l->in.rest, n = len / 16;
	uint64_t le[1 + 2 * P4W_MAX_BLOCKS];

	if (len % 16 != sizeof(*le) || n > P4W_MAX_BLOCKS)
		return p4d_fields_spoil(&l->in, "blocks");
	memcpy(le, l->in.rest, len);
	t->check.batches = t->saved_check = le64toh(le[0]);
	for (size_t b = 0; b < n; b++) {
		t->check.expected[b] = le64toh(le[1 + 2 * b]);
		t->check.seen[b] = le64toh(le[2 + 2 * b]);
	}
	return true;
}

static bool load_locks(struct load *l, struct p4d_tenant *t)
{
	struct p4d_locks k = { 0 };
	struct p4w_lock_bit *bit;
	size_t len;

	p4d_fields_next(&l->in);
	if (!p4d_fields_get(&l->in, locks_fields, &k, NULL, NULL))
		return false;
	len = l->in.end - l->in.rest;
	if (!k.batch || len % sizeof(*bit) || len / sizeof(*bit) > P4W_LOCK_KEYS_MAX)
		return p4d_fields_spoil(&l->in, "bits");
	bit = p4d_alloc(len + 1);
	memcpy(bit, l->in.rest, len);
	p4d_lockinfo_restore(t, k.batch, k.reservation, bit, len / sizeof(*bit));
	free(bit);
	return true;
}

static bool load_escrow(struct load *l, struct p4d_tenant *t, uint32_t batch)
{
	struct p4d_escrow head = { 0 }, *s;

	p4d_fields_next(&l->in);
	if (!p4d_fields_get(&l->in, escrow_fields, &head, NULL, NULL))
		return false;
	if (!head.slots || !head.registers || !batch || batch > P4W_BATCH_MAX)
		return p4d_fields_spoil(&l->in, "slots");
	s = p4d_escrow_append(t, batch, head.slots, head.registers);
	s->epoch = head.epoch;
	s->nodes = head.nodes;
	s->acked = s->saved_acked = head.acked;
	s->saved = true;
	s->missing = s->slots * s->registers;
	return true;
}

static bool load_cells(struct load *l, struct p4d_tenant *t, uint32_t batch, uint32_t part)
{
	struct p4d_escrow *s = t->escrow;
	size_t n = (l->in.end - l->in.rest) / sizeof(s->cells[0]);
	uint64_t behind = (uint64_t)part * PART_CELLS + n;
	uint32_t le;

	while (s && s->batch != batch)
		s = s->next;
	if (!s || n > s->missing || behind > (uint64_t)s->slots * s->registers)
		return p4d_fields_spoil(&l->in, "cells");
	s->missing -= n;
	for (size_t i = 0; i < n; i++) {
		memcpy(&le, l->in.rest + i * sizeof(le), sizeof(le));
		s->cells[part * PART_CELLS + i] = le32toh(le);
	}
	return true;
}

static bool load(struct load *l, const char *key)
{
	uint32_t number[3] = { 0 };
	struct p4d_tenant *t;
	char what[8] = "";
	int n;

	if (!strcmp(key, "meta"))
		return load_meta(l);
	n = sscanf(key, "%7[a-z]/%u/%u/%u", what, &number[0], &number[1], &number[2]) - 1;
	if (n < 1 || !number[0] || number[0] > P4W_TENANT_MAX)
		return p4d_fields_spoil(&l->in, "key");
	t = p4d_engine_tenant_record(l->e, number[0]);
	if (!t)
		abort();
	if (!strcmp(what, "tenant") && n == 1)
		return load_tenant(l, t);
	if (!strcmp(what, "check") && n == 1)
		return load_check(l, t);
	if (!strcmp(what, "locks") && n == 2)
		return load_locks(l, t);
	if (!strcmp(what, "escrow") && n == 2)
		return load_escrow(l, t, number[1]);
	if (!strcmp(what, "escrow") && n == 3)
		return load_cells(l, t, number[1], number[2]);
	return p4d_fields_spoil(&l->in, "key");
}

int p4d_record_load(struct p4d_engine *e, const char *key, const void *value, size_t len,
		    const char **bad)
{
	struct load l = { e, { .rest = value, .end = (const char *)value + len } };

	l.in.at = l.in.stop = value;
	if (load(&l, key))
		return 0;
	*bad = l.in.bad;
	return -EINVAL;
}

int p4d_records_loaded(struct p4d_engine *e, const char **bad)
{
	int err;

	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		for (const struct p4d_escrow *s = t->escrow; s; s = s->next)
			if (s->missing) {
				*bad = "cells";
				return -EINVAL;
			}
	err = p4d_engine_restored(e);
	if (err)
		*bad = "a block or a flow that two tenants have";
	return err;
}
