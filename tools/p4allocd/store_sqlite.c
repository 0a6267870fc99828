// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store_sqlite.c - records in one SQLite file, see store.h.
 *
 * Why SQLite: a commit is one append to the write-ahead log and one fsync, a damaged file is told
 * from a good one, anybody can look into it, and Debian keeps it well. (LMDB writes whole pages
 * twice for each commit and gives up when its map is full.) synchronous=FULL: a commit that has
 * returned survives a kill and a power cut. locking_mode=EXCLUSIVE keeps a second daemon out.
 *
 * user_version says what is in the file; a file of version 1, which had a table for each kind, is
 * made into one of version 2 when it is opened.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define VERSION 2

static const char set_up[] =
	"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";

static const char make[] =
	"CREATE TABLE record(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
	"PRAGMA user_version=2;";

/* Sets of nodes were signed integers, escrow was one blob; a batch of state 0 was the next one. */
#define V1_BATCH(which, state) \
	"coalesce((SELECT '" which " '||printf('number=%d state=%d reservation=%d duration_us=%d" \
	" min_blocks=%d want_blocks=%d flows=%d done=%d epoch=%d absent=%d phase=%d end=%d" \
	" keep=%d blocks=%s ranges=%s', number, state, reservation, duration_us, min_blocks," \
	" want_blocks, flows, done, epoch, absent, phase, how, keep, hex(blocks), hex(ranges))" \
	"||char(10) FROM batch WHERE tenant=id AND " state "), '')"

static const char from_1[] =
	"INSERT INTO record SELECT 'meta', CAST('schema=2 '||group_concat(printf('%s=%d', name,"
	" value), ' ')||char(10) AS BLOB) FROM meta WHERE name<>'schema';"
	"INSERT INTO record SELECT printf('tenant/%08d', id), CAST(printf('nodes=%d left=%d last=%d"
	" last_end=%d last_done=%d', nodes, gone, last, last_end, last_done)||char(10)||"
	V1_BATCH("cur", "state<>0") "||" V1_BATCH("next", "state=0") " AS BLOB) FROM tenant;"
	"INSERT OR REPLACE INTO record SELECT printf('locks/%08d/%d', tenant, batch&1),"
	" CAST(printf('batch=%d reservation=%d', batch, reservation)||char(10) AS BLOB)||bits"
	" FROM locks ORDER BY batch;"
	"INSERT INTO record SELECT printf('escrow/%08d/%010d', tenant, batch),"
	" CAST(printf('epoch=%d nodes=%d acked=%d registers=%d slots=%d', epoch, nodes, acked,"
	" registers, slots)||char(10) AS BLOB) FROM escrow;"
	"WITH RECURSIVE part(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM part WHERE i<255)"
	" INSERT INTO record SELECT printf('escrow/%08d/%010d/%04d', tenant, batch, i),"
	" substr(cells, 1+65536*i, 65536) FROM escrow, part WHERE 65536*i<length(cells);"
	"UPDATE record SET value=CAST(value AS BLOB);"
	"DROP TABLE meta; DROP TABLE tenant; DROP TABLE batch; DROP TABLE escrow;"
	"DROP TABLE locks;";

enum { Q_BEGIN, Q_COMMIT, Q_PUT, Q_REMOVE, Q_ALL, NR_QUERIES };

static const char *const queries[NR_QUERIES] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_PUT] = "INSERT OR REPLACE INTO record VALUES(?,?)",
	/* '0' follows '/' */
	[Q_REMOVE] = "DELETE FROM record WHERE key=?1 OR key>?1||'/' AND key<?1||'0'",
	[Q_ALL] = "SELECT key, value FROM record ORDER BY key",
};

struct file {
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

static int failed(struct file *f, int rc, char *err, size_t size)
{
	int ret = errno_of(rc);

	snprintf(err, size, "store %s: %s%s", f->path, sqlite3_errmsg(f->db), hint_of(ret));
	return ret;
}

/* ---------------------------------------------------------------------------------- commit */

/* To its end; values were bound before. */
static int run(struct file *f, int q)
{
	sqlite3_stmt *s = f->query[q];
	int rc;

	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int change(struct file *f, const struct p4d_change *c)
{
	int q = c->remove ? Q_REMOVE : Q_PUT;

	sqlite3_bind_text(f->query[q], 1, c->key, -1, SQLITE_STATIC);
	if (!c->remove)
		sqlite3_bind_blob64(f->query[q], 2, c->value, c->len, SQLITE_STATIC);
	return run(f, q);
}

static int commit(void *impl, const struct p4d_changes *changes, char *err, size_t size)
{
	struct file *f = impl;
	int rc = run(f, Q_BEGIN), ret;

	for (const struct p4d_change *c = changes->first; !rc && c; c = c->link)
		rc = change(f, c);
	if (!rc)
		rc = run(f, Q_COMMIT);
	if (!rc)
		return 0;
	ret = failed(f, rc, err, size);
	sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	return ret;
}

/* ------------------------------------------------------------------------------------ load */

static int load(void *impl, int (*record)(void *, const char *, const void *, size_t), void *arg,
		char *err, size_t size)
{
	struct file *f = impl;
	sqlite3_stmt *s = f->query[Q_ALL];
	int rc, ret = 0;

	while (!ret && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(s, 0);
		const void *value = sqlite3_column_blob(s, 1);

		ret = record(arg, key, value ? value : "", sqlite3_column_bytes(s, 1));
	}
	if (!ret && rc != SQLITE_DONE)
		ret = failed(f, rc, err, size);
	sqlite3_reset(s);
	return ret;
}

/* ----------------------------------------------------------------------------- open, close */

static int one_number(sqlite3 *db, const char *sql, int *out)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (rc)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Brings the file to VERSION, in one transaction. A version that is newer is left alone. */
static int prepare(sqlite3 *db, int *version)
{
	int rc, tables = 0;

	rc = sqlite3_exec(db, set_up, NULL, NULL, NULL);
	if (!rc)
		rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (!rc)
		rc = one_number(db, "PRAGMA user_version", version);
	if (!rc && *version == 0) {
		rc = one_number(db, "SELECT count(*) FROM sqlite_master WHERE name='meta'",
				&tables);
		if (!rc)
			rc = sqlite3_exec(db, make, NULL, NULL, NULL);
		if (!rc && tables)
			rc = sqlite3_exec(db, from_1, NULL, NULL, NULL);
		*version = VERSION;
	}
	return rc ? rc : sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

static void close_file(void *impl)
{
	struct file *f = impl;

	for (int q = 0; q < NR_QUERIES; q++)
		sqlite3_finalize(f->query[q]);
	sqlite3_close(f->db);
	free(f->path);
	free(f);
}

const struct p4d_store_ops p4d_store_sqlite = {
	.load = load, .commit = commit, .close = close_file,
};

int p4d_sqlite_open(void **out, const char *path, char *err, size_t size)
{
	struct file *f = calloc(1, sizeof(*f));
	int rc, ret, version = 0;

	if (!f || !(f->path = strdup(path))) {
		free(f);
		return -ENOMEM;
	}
	rc = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (!rc)
		rc = prepare(f->db, &version);
	for (int q = 0; !rc && version == VERSION && q < NR_QUERIES; q++)
		rc = sqlite3_prepare_v3(f->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT,
					&f->query[q], NULL);
	if (!rc && version == VERSION) {
		*out = f;
		return 0;
	}
	ret = rc ? failed(f, rc, err, size) : -EINVAL;
	if (!rc)
		snprintf(err, size, "store %s: of version %d, this p4allocd knows up to %d%s", path,
			 version, VERSION, hint_of(-EINVAL));
	close_file(f);
	return ret;
}
