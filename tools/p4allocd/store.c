// SPDX-License-Identifier: GPL-2.0-or-later
/* store.c - see store.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct p4d_store {
	const struct p4d_store_ops *ops;
	void *impl;
	char *place;
	p4d_store_ended ended;
	void *arg;
	struct p4d_changes changes;
	bool under_way;
};

bool p4d_store_has_changes(const struct p4d_store *st)
{
	return st->changes.n;
}

void p4d_store_collect(struct p4d_store *st, struct p4d_engine *e)
{
	p4d_records_collect(e, &st->changes);
}

int p4d_store_commit(struct p4d_store *st, char *err, size_t size)
{
	int ret;

	if (st->under_way)
		return -EINPROGRESS;
	if (!st->changes.n)
		return 0;
	ret = st->ops->commit(st->impl, &st->changes, err, size);
	if (!ret)
		p4d_changes_drop(&st->changes);
	st->under_way = ret == -EINPROGRESS;
	return ret;
}

void p4d_store_done(struct p4d_store *st, int err, const char *why)
{
	st->under_way = false;
	if (!err)
		p4d_changes_drop(&st->changes);
	st->ended(st->arg, err, why);
}

bool p4d_store_holds(const struct p4d_store *st)
{
	return !st->ops->holds || st->ops->holds(st->impl);
}

/* Changes that an earlier attempt has left come first. */
int p4d_store_save(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size)
{
	int ret = p4d_store_commit(st, err, size);

	if (ret)
		return ret;
	p4d_store_collect(st, e);
	return p4d_store_commit(st, err, size);
}

/* ------------------------------------------------------------------------------------ load */

struct loader {
	struct p4d_engine *e;
	char key[P4D_KEY_MAX];
	const char *bad;
};

static int load_one(void *arg, const char *key, const void *value, size_t len)
{
	struct loader *l = arg;
	int ret = p4d_record_load(l->e, key, value, len, &l->bad);

	if (ret)
		snprintf(l->key, sizeof(l->key), "%s: ", key);
	return ret;
}

int p4d_store_load(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size)
{
	struct loader l = { .e = e };
	int ret;

	err[0] = '\0';
	ret = st->ops->load(st->impl, load_one, &l, err, size);
	if (!ret)
		ret = p4d_records_loaded(e, &l.bad);
	if (l.bad)
		snprintf(err, size,
			 "store %s: wrong: %s%s: move it away to start with an empty one",
			 st->place, l.key, l.bad);
	return ret;
}

/* ----------------------------------------------------------------------------- open, close */

int p4d_store_of(struct p4d_store **out, const struct p4d_store_ops *ops, void *impl,
		 const char *place, p4d_store_ended ended, void *arg)
{
	struct p4d_store *st = calloc(1, sizeof(*st));

	if (!st || !(st->place = strdup(place))) {
		free(st);
		ops->close(impl);
		return -ENOMEM;
	}
	st->ops = ops;
	st->impl = impl;
	st->ended = ended;
	st->arg = arg;
	if (ops->attach)
		ops->attach(impl, st);
	*out = st;
	return 0;
}

int p4d_store_open(struct p4d_store **out, const char *path, char *err, size_t size)
{
	void *impl;
	int ret = p4d_sqlite_open(&impl, path, err, size);

	return ret ? ret : p4d_store_of(out, &p4d_store_sqlite, impl, path, NULL, NULL);
}

void p4d_store_close(struct p4d_store *st)
{
	st->ops->close(st->impl);
	p4d_changes_drop(&st->changes);
	free(st->place);
	free(st);
}
