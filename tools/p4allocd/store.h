/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - where the records of records.h are kept: one SQLite file, or etcd.
 *
 * One commit at a time, of all that has changed since the one before: it is stored as a whole or
 * not at all, and nothing is lost when it fails, as its changes are kept and tried again. A kind of
 * store is a struct of few verbs.
 */
#ifndef P4D_STORE_H
#define P4D_STORE_H

#include "records.h"

struct p4d_store;

/* A commit that was under way has ended: 0, or -errno with the reason; from the loop only. */
typedef void (*p4d_store_ended)(void *arg, int err, const char *why);

struct p4d_store_ops {
	/* Calls `record` for each, in order of keys, until it returns not 0, and returns that. */
	int (*load)(void *impl, int (*record)(void *arg, const char *key, const void *value,
					      size_t len), void *arg, char *err, size_t size);
	/* 0: stored. -EINPROGRESS: p4d_store_done() will say. Other -errno: nothing was stored. */
	int (*commit)(void *impl, const struct p4d_changes *c, char *err, size_t size);
	bool (*holds)(void *impl);	/* NULL: always */
	/* Who is to be told by p4d_store_done(); NULL: no commit is ever under way. */
	void (*attach)(void *impl, struct p4d_store *st);
	void (*close)(void *impl);
};

/* A file, made if there is none. 0, or -errno with the reason and what to do in err. */
int p4d_store_open(struct p4d_store **out, const char *path, char *err, size_t size);
/* Another kind of store, that is open already. Takes it over, also on failure (-ENOMEM). */
int p4d_store_of(struct p4d_store **out, const struct p4d_store_ops *ops, void *impl,
		 const char *place, p4d_store_ended ended, void *arg);
void p4d_store_close(struct p4d_store *st);

/* Fills a fresh engine. 0, or -errno and err: the records are damaged, the engine unusable. */
int p4d_store_load(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size);

/* Changes were collected that are not stored yet. */
bool p4d_store_has_changes(const struct p4d_store *st);
/* Collects what has changed in the engine. Only without changes. */
void p4d_store_collect(struct p4d_store *st, struct p4d_engine *e);
/* Stores them, or begins to, as commit() of the verbs; -EINPROGRESS, too, while it is at it. */
int p4d_store_commit(struct p4d_store *st, char *err, size_t size);
/* Nobody else can have the place now: what depends on that may be done. */
bool p4d_store_holds(const struct p4d_store *st);

/* All at once, for a file. */
int p4d_store_save(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size);

/* For the kinds of store: the end of a commit. */
void p4d_store_done(struct p4d_store *st, int err, const char *why);

/* store_sqlite.c */
extern const struct p4d_store_ops p4d_store_sqlite;
int p4d_sqlite_open(void **out, const char *path, char *err, size_t size);

#endif /* P4D_STORE_H */
