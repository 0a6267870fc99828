// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - see store.h.
 *
 * Write-ahead log, synchronous=FULL: a commit that has returned survives a kill and a power cut.
 * locking_mode=EXCLUSIVE keeps a second daemon out. Sets of nodes are 64-bit masks, kept as
 * SQLite's signed integers; block sets and flow ranges are blobs in wire order.
 */
#include <endian.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escrow.h"
#include "lockinfo.h"
#include "store.h"

#define SCHEMA 1

static const char schema[] =
	"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS tenant(id INTEGER PRIMARY KEY, nodes INTEGER, gone INTEGER,"
	" last INTEGER, last_end INTEGER, last_done INTEGER);"
	"CREATE TABLE IF NOT EXISTS batch(tenant INTEGER, number INTEGER, state INTEGER,"
	" reservation INTEGER, duration_us INTEGER, min_blocks INTEGER, want_blocks INTEGER,"
	" flows INTEGER, done INTEGER, epoch INTEGER, blocks BLOB, ranges BLOB, absent INTEGER,"
	" phase INTEGER, how INTEGER, keep INTEGER, PRIMARY KEY(tenant, number));"
	"CREATE TABLE IF NOT EXISTS escrow(tenant INTEGER, batch INTEGER, epoch INTEGER,"
	" nodes INTEGER, acked INTEGER, registers INTEGER, slots INTEGER, cells BLOB,"
	" PRIMARY KEY(tenant, batch));"
	"CREATE TABLE IF NOT EXISTS locks(tenant INTEGER, batch INTEGER, reservation INTEGER,"
	" bits BLOB, PRIMARY KEY(tenant, batch));"
	"COMMIT;";

enum {
	Q_BEGIN, Q_COMMIT, Q_META, Q_TENANT, Q_BATCH_DEL, Q_BATCH, Q_ESCROW, Q_ACKED, Q_ESCROW_LIST,
	Q_ESCROW_DEL, Q_LOCKS_DEL, Q_LOCKS, NR_QUERIES
};

static const char *const queries[NR_QUERIES] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[Q_TENANT] = "INSERT OR REPLACE INTO tenant VALUES(?,?,?,?,?,?)",
	[Q_BATCH_DEL] = "DELETE FROM batch WHERE tenant=?",
	[Q_BATCH] = "INSERT INTO batch VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[Q_ESCROW] = "INSERT OR REPLACE INTO escrow VALUES(?,?,?,?,?,?,?,?)",
	[Q_ACKED] = "UPDATE escrow SET acked=? WHERE tenant=? AND batch=?",
	[Q_ESCROW_LIST] = "SELECT batch FROM escrow WHERE tenant=?",
	[Q_ESCROW_DEL] = "DELETE FROM escrow WHERE tenant=? AND batch=?",
	[Q_LOCKS_DEL] = "DELETE FROM locks WHERE tenant=? AND batch<?",
	[Q_LOCKS] = "INSERT OR REPLACE INTO locks VALUES(?,?,?,?)",
};

struct p4d_store {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *query[NR_QUERIES];
};

static int errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/* What to do about it, where that is not obvious. */
static const char *hint_of(int err)
{
	switch (err) {
	case -EBUSY:
		return ": another p4allocd uses it";
	case -EACCES:
		return ": does the directory exist, may this user write there?";
	case -EINVAL:
		return ": move the file away to start with an empty one";
	default:
		return "";
	}
}

static int failed(struct p4d_store *st, int rc, char *err, size_t size)
{
	int ret = errno_of(rc);

	snprintf(err, size, "store %s: %s%s", st->path, sqlite3_errmsg(st->db), hint_of(ret));
	return ret;
}

/* -------------------------------------------------------------------------------- queries */

/* Binds integers (`i`), texts (`t`) and blobs (`b`: pointer, size) and runs to the end. */
static int run(struct p4d_store *st, int q, const char *types, ...)
{
	sqlite3_stmt *s = st->query[q];
	va_list args;
	int rc;

	va_start(args, types);
	for (int i = 0; types[i]; i++) {
		if (types[i] == 'i') {
			sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
		} else if (types[i] == 't') {
			sqlite3_bind_text(s, i + 1, va_arg(args, const char *), -1,
					  SQLITE_TRANSIENT);
		} else {
			const void *p = va_arg(args, const void *);

			sqlite3_bind_blob(s, i + 1, p, va_arg(args, int), SQLITE_TRANSIENT);
		}
	}
	va_end(args);
	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

#define I(x) ((int64_t)(x))

/* ----------------------------------------------------------------------------------- save */

static int save_meta(struct p4d_store *st, const struct p4d_engine *e)
{
	const struct { const char *name; uint64_t value; } rows[] = {
		{ "schema", SCHEMA },
		{ "bound", e->bound },
		{ "boot", e->boot },
		{ "registers", e->geo.registers },
		{ "blocks", e->geo.blocks },
		{ "flows", e->geo.flows },
		{ "epoch_limit", e->epoch_limit },
		{ "reservation_next", e->reservation_next },
		{ "token_limit", e->token_limit },
		{ "lock_lease_us", e->lock_lease_us },
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; !rc && i < sizeof(rows) / sizeof(rows[0]); i++)
		rc = run(st, Q_META, "ti", rows[i].name, I(rows[i].value));
	return rc;
}

static int save_batch(struct p4d_store *st, const struct p4d_tenant *t, const struct p4d_batch *b)
{
	uint8_t blocks[P4W_BITMAP_BYTES];
	uint32_t ranges[2 * P4W_NODES_MAX];

	if (!b)
		return SQLITE_OK;
	p4d_blocks_to_wire(&b->blocks, blocks);
	for (unsigned int i = 0; i < P4W_NODES_MAX; i++) {
		ranges[2 * i] = htobe32(b->flow[i].first);
		ranges[2 * i + 1] = htobe32(b->flow[i].count);
	}
	return run(st, Q_BATCH, "iiiiiiiiiibbiiii", I(t->id), I(b->number), I(b->state),
		   I(b->reservation), I(b->duration_us), I(b->min_blocks), I(b->want_blocks),
		   I(b->flows), I(b->done), I(b->epoch), blocks, (int)sizeof(blocks), ranges,
		   (int)sizeof(ranges), I(b->absent), I(b->phase), I(b->end), I(b->keep));
}

static bool has_set(const struct p4d_tenant *t, uint32_t batch)
{
	for (const struct p4d_escrow *s = t->escrow; s; s = s->next)
		if (s->batch == batch)
			return true;
	return false;
}

static int drop_fetched(struct p4d_store *st, const struct p4d_tenant *t)
{
	sqlite3_stmt *list = st->query[Q_ESCROW_LIST];
	int rc;

	sqlite3_bind_int64(list, 1, t->id);
	while ((rc = sqlite3_step(list)) == SQLITE_ROW) {
		uint32_t batch = sqlite3_column_int64(list, 0);

		if (has_set(t, batch))
			continue;
		rc = run(st, Q_ESCROW_DEL, "ii", I(t->id), I(batch));
		if (rc)
			break;
	}
	sqlite3_reset(list);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The rows of the tenant's sets; `saved` is set after the commit only. */
static int save_escrow(struct p4d_store *st, const struct p4d_tenant *t)
{
	int rc = drop_fetched(st, t);

	for (const struct p4d_escrow *s = t->escrow; !rc && s; s = s->next)
		rc = s->saved ? run(st, Q_ACKED, "iii", I(s->acked), I(t->id), I(s->batch)) :
			run(st, Q_ESCROW, "iiiiiiib", I(t->id), I(s->batch), I(s->epoch),
			    I(s->nodes), I(s->acked), I(s->registers), I(s->slots), s->cells,
			    (int)(s->registers * s->slots * sizeof(s->cells[0])));
	return rc;
}

/* Bits never change once they are dealt; those of batches before the last one are of no use. */
static int save_locks(struct p4d_store *st, const struct p4d_tenant *t)
{
	int rc = SQLITE_OK;

	for (int i = 0; !rc && i < 2; i++) {
		const struct p4d_locks *l = &t->locks[i];

		if (!l->dealt || l->saved)
			continue;
		rc = run(st, Q_LOCKS_DEL, "ii", I(t->id), I(l->batch) - 1);
		if (!rc)
			rc = run(st, Q_LOCKS, "iiib", I(t->id), I(l->batch), I(l->reservation),
				 l->bit, (int)(l->n * sizeof(*l->bit)));
	}
	return rc;
}

static int save_tenant(struct p4d_store *st, const struct p4d_tenant *t)
{
	int rc = run(st, Q_TENANT, "iiiiii", I(t->id), I(t->nodes), I(t->left), I(t->last),
		     I(t->last_end), I(t->last_done));

	if (!rc)
		rc = run(st, Q_BATCH_DEL, "i", I(t->id));
	if (!rc)
		rc = save_batch(st, t, t->cur);
	if (!rc)
		rc = save_batch(st, t, t->next);
	if (!rc)
		rc = save_locks(st, t);
	return rc ? rc : save_escrow(st, t);
}

static bool is_dirty(const struct p4d_engine *e)
{
	const struct p4d_tenant *t = e->tenants;

	while (t && !t->dirty)
		t = t->link;
	return t || e->meta_dirty;
}

static void mark_clean(struct p4d_engine *e)
{
	e->meta_dirty = false;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		for (struct p4d_escrow *s = t->escrow; s && t->dirty; s = s->next)
			s->saved = true;
		for (int i = 0; i < 2; i++)
			t->locks[i].saved |= t->locks[i].dealt && t->dirty;
		t->dirty = false;
	}
}

int p4d_store_save(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size)
{
	int rc, ret;

	if (!is_dirty(e))
		return 0;
	rc = run(st, Q_BEGIN, "");
	if (!rc && e->meta_dirty)
		rc = save_meta(st, e);
	for (const struct p4d_tenant *t = e->tenants; !rc && t; t = t->link)
		if (t->dirty)
			rc = save_tenant(st, t);
	if (!rc)
		rc = run(st, Q_COMMIT, "");
	if (!rc) {
		mark_clean(e);
		return 0;
	}
	ret = failed(st, rc, err, size);
	sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	return ret;
}

/* ----------------------------------------------------------------------------------- load */

struct loader {
	struct p4d_engine *e;
	char bad[32];		/* column that is out of range, or empty */
};

static void mark_bad(struct loader *l, const char *what)
{
	snprintf(l->bad, sizeof(l->bad), "%s", what);
}

static uint64_t column(struct loader *l, sqlite3_stmt *s, int i, uint64_t min, uint64_t max)
{
	uint64_t v = sqlite3_column_int64(s, i);

	if (v < min || v > max) {
		mark_bad(l, sqlite3_column_name(s, i));
		return min;
	}
	return v;
}

static const void *blob(struct loader *l, sqlite3_stmt *s, int i, size_t len)
{
	const void *p = sqlite3_column_blob(s, i);

	if (p && (size_t)sqlite3_column_bytes(s, i) == len)
		return p;
	mark_bad(l, sqlite3_column_name(s, i));
	return NULL;
}

static void load_meta(struct loader *l, sqlite3_stmt *s)
{
	const char *name = (const char *)sqlite3_column_text(s, 0);
	struct p4d_engine *e = l->e;

	if (!strcmp(name, "schema"))
		column(l, s, 1, SCHEMA, SCHEMA);
	else if (!strcmp(name, "bound"))
		e->bound = column(l, s, 1, 0, 1);
	else if (!strcmp(name, "boot"))
		e->boot = column(l, s, 1, 0, UINT64_MAX);
	else if (!strcmp(name, "registers"))
		e->geo.registers = column(l, s, 1, 0, P4W_MAX_REGISTERS);
	else if (!strcmp(name, "blocks"))
		e->geo.blocks = column(l, s, 1, 0, P4W_MAX_BLOCKS);
	else if (!strcmp(name, "flows"))
		e->geo.flows = column(l, s, 1, 0, 65536);
	else if (!strcmp(name, "epoch_limit"))
		e->epoch_limit = column(l, s, 1, 1, P4W_EPOCH_MAX);
	else if (!strcmp(name, "reservation_next"))
		e->reservation_next = column(l, s, 1, 1, INT64_MAX);
	else if (!strcmp(name, "token_limit"))
		e->token_limit = column(l, s, 1, 1, INT64_MAX);
	else if (!strcmp(name, "lock_lease_us"))
		e->lock_lease_us = column(l, s, 1, 0, P4W_DURATION_MAX_US);
}

static struct p4d_tenant *record(struct loader *l, sqlite3_stmt *s)
{
	uint32_t id = column(l, s, 0, 1, P4W_TENANT_MAX);
	struct p4d_tenant *t = p4d_engine_tenant_record(l->e, id);

	if (!t)
		abort();
	return t;
}

static void load_tenant(struct loader *l, sqlite3_stmt *s)
{
	struct p4d_tenant *t = record(l, s);

	t->nodes = column(l, s, 1, 0, P4W_NODES_MAX);
	t->left = column(l, s, 2, 0, UINT64_MAX);
	t->last = column(l, s, 3, 0, P4W_BATCH_MAX);
	t->last_end = column(l, s, 4, P4D_END_NONE, P4D_END_LOST);
	t->last_done = column(l, s, 5, 0, UINT64_MAX);
}

static void load_batch(struct loader *l, sqlite3_stmt *s)
{
	struct p4d_batch *b = calloc(1, sizeof(*b));
	struct p4d_tenant *t = record(l, s);
	const uint8_t *blocks = blob(l, s, 10, P4W_BITMAP_BYTES);
	const uint32_t *ranges = blob(l, s, 11, 2 * P4W_NODES_MAX * sizeof(uint32_t));
	struct p4d_batch **place;

	if (!b)
		abort();
	b->number = column(l, s, 1, 1, P4W_BATCH_MAX);
	b->state = column(l, s, 2, P4D_RESERVED, P4D_TAKING);
	b->reservation = column(l, s, 3, 0, INT64_MAX);
	b->duration_us = column(l, s, 4, 1, P4W_DURATION_MAX_US);
	b->min_blocks = column(l, s, 5, 1, P4W_MAX_BLOCKS);
	b->want_blocks = column(l, s, 6, 1, P4W_MAX_BLOCKS);
	b->flows = column(l, s, 7, 1, UINT32_MAX);
	b->done = column(l, s, 8, 0, UINT64_MAX);
	b->epoch = column(l, s, 9, 0, P4W_EPOCH_MAX);
	b->absent = column(l, s, 12, 0, UINT64_MAX);
	b->phase = column(l, s, 13, 0, P4W_PHASE_RAN);
	b->end = column(l, s, 14, P4D_END_NONE, P4D_END_LOST);
	b->keep = column(l, s, 15, 0, 1);
	if (blocks)
		p4d_blocks_from_wire(&b->blocks, blocks);
	for (unsigned int i = 0; ranges && i < P4W_NODES_MAX; i++)
		b->flow[i] = (struct p4d_range){ be32toh(ranges[2 * i]),
						 be32toh(ranges[2 * i + 1]) };
	place = b->state == P4D_RESERVED ? &t->next : &t->cur;
	if (*place)
		mark_bad(l, "state");
	free(*place);
	*place = b;
}

static void load_escrow(struct loader *l, sqlite3_stmt *s)
{
	struct p4d_tenant *t = record(l, s);
	uint32_t registers = column(l, s, 5, 1, P4W_MAX_REGISTERS);
	uint32_t slots = column(l, s, 6, 1, P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS);
	size_t len = sizeof(uint32_t) * registers * slots;
	const void *cells = blob(l, s, 7, len);
	struct p4d_escrow *set;

	set = p4d_escrow_append(t, column(l, s, 1, 1, P4W_BATCH_MAX), slots, registers);
	set->epoch = column(l, s, 2, 1, P4W_EPOCH_MAX);
	set->nodes = column(l, s, 3, 1, P4W_NODES_MAX);
	set->acked = column(l, s, 4, 0, UINT64_MAX);
	set->saved = true;
	if (cells)
		memcpy(set->cells, cells, len);
}

static void load_locks(struct loader *l, sqlite3_stmt *s)
{
	struct p4d_tenant *t = record(l, s);
	uint32_t batch = column(l, s, 1, 1, P4W_BATCH_MAX);
	uint64_t reservation = column(l, s, 2, 1, INT64_MAX);
	size_t len = sqlite3_column_bytes(s, 3);
	const struct p4w_lock_bit *bit = sqlite3_column_blob(s, 3);

	if (len % sizeof(*bit) || len / sizeof(*bit) > P4W_LOCK_KEYS_MAX)
		mark_bad(l, "bits");
	else
		p4d_lockinfo_restore(t, batch, reservation, bit, len / sizeof(*bit));
}

static int load_table(struct p4d_store *st, struct loader *l, const char *sql,
		      void (*row)(struct loader *, sqlite3_stmt *))
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(st->db, sql, -1, &s, NULL);

	if (rc)
		return rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && !l->bad[0])
		row(l, s);
	if (l->bad[0])
		rc = SQLITE_CORRUPT;
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int p4d_store_load(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size)
{
	static const struct {
		const char *sql;
		void (*row)(struct loader *, sqlite3_stmt *);
	} tables[] = {
		{ "SELECT * FROM meta", load_meta },
		{ "SELECT * FROM tenant", load_tenant },
		{ "SELECT * FROM batch", load_batch },
		{ "SELECT * FROM escrow ORDER BY tenant, batch", load_escrow },
		{ "SELECT * FROM locks ORDER BY tenant, batch", load_locks },
	};
	struct loader l = { .e = e };
	int rc = SQLITE_OK, ret;

	for (size_t i = 0; !rc && i < sizeof(tables) / sizeof(tables[0]); i++)
		rc = load_table(st, &l, tables[i].sql, tables[i].row);
	ret = rc ? errno_of(rc) : p4d_engine_restored(e);
	if (ret)
		snprintf(err, size, "store %s: %s%s%s", st->path,
			 l.bad[0] ? "out of range: " : rc ? sqlite3_errmsg(st->db)
			 : "contradicts itself", l.bad, hint_of(-EINVAL));
	return ret;
}

/* ----------------------------------------------------------------------------- open, close */

int p4d_store_open(struct p4d_store **out, const char *path, char *err, size_t size)
{
	struct p4d_store *st = calloc(1, sizeof(*st));
	int rc, ret;

	if (!st || !(st->path = strdup(path))) {
		free(st);
		return -ENOMEM;
	}
	rc = sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (!rc)
		rc = sqlite3_exec(st->db, schema, NULL, NULL, NULL);
	for (int q = 0; !rc && q < NR_QUERIES; q++)
		rc = sqlite3_prepare_v3(st->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT,
					&st->query[q], NULL);
	if (!rc) {
		*out = st;
		return 0;
	}
	ret = failed(st, rc, err, size);
	p4d_store_close(st);
	return ret;
}

void p4d_store_close(struct p4d_store *st)
{
	for (int q = 0; q < NR_QUERIES; q++)
		sqlite3_finalize(st->query[q]);
	sqlite3_close(st->db);
	free(st->path);
	free(st);
}
