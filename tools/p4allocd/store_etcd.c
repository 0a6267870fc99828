// SPDX-License-Identifier: GPL-2.0-or-later
/* store_etcd.c - see store_etcd.h. A commit is a list of steps, each a transaction of etcd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "election.h"
#include "etcd.h"
#include "out.h"
#include "store_etcd.h"

#define STEP_OPS 100		/* etcd allows 128 in a transaction, */
#define STEP_BYTES (512u << 10)	/* and 1.5 MB in a request, unless told otherwise */
#define PAGE 200		/* keys in an answer, when all are read */
#define PARTS_MAX 9999		/* of what is written aside */

struct step {
	struct step *link;
	struct json_object *ops;
	size_t n, bytes;
};

struct p4d_store_etcd {
	struct p4d_etcd *etcd;
	struct p4d_election *el;
	const char *prefix;
	struct p4d_store *st;
	uint64_t seq;		/* transactions that were carried out, ever */
	struct step *first, **last;	/* of the commit that is under way */
};

/* ------------------------------------------------------------------------------------ steps */

static struct step *add_step(struct p4d_store_etcd *s)
{
	struct step *step = p4d_alloc(sizeof(*step));

	step->ops = json_object_new_array();
	*s->last = step;
	s->last = &step->link;
	return step;
}

static void drop_step(struct p4d_store_etcd *s)
{
	struct step *step = s->first;

	s->first = step->link;
	if (!s->first)
		s->last = &s->first;
	json_object_put(step->ops);
	free(step);
}

static struct json_object *remove_op(const char *prefix, const char *key)
{
	struct json_object *del = p4d_etcd_key(prefix, key);

	p4d_etcd_all_under(del, prefix, key);
	return p4d_etcd_op("request_delete_range", del);
}

static void add_op(struct step *step, struct json_object *op, size_t bytes)
{
	json_object_array_add(step->ops, op);
	step->n++;
	step->bytes += bytes;
}

static void record_key(char out[P4D_KEY_MAX + 8], const struct p4d_change *c)
{
	snprintf(out, P4D_KEY_MAX + 8, "record/%s", c->key);
}

/* A set's cells are under its key, so that one range has both. */
static void add_changes(struct p4d_store_etcd *s, const struct p4d_changes *changes)
{
	struct step *step = add_step(s);
	char key[P4D_KEY_MAX + 8];

	for (const struct p4d_change *c = changes->first; c; c = c->link) {
		if (step->n >= STEP_OPS || step->bytes + c->len > STEP_BYTES)
			step = add_step(s);
		record_key(key, c);
		add_op(step, c->remove ? remove_op(s->prefix, key) :
		       p4d_etcd_put_op(s->prefix, key, c->value, c->len), c->len);
	}
}

/* ----------------------------------------------------------------------- what is written aside */

struct head {			/* of a change, in front of its value */
	char key[P4D_KEY_MAX];
	uint32_t len;
	uint32_t remove;
};

static size_t flatten(const struct p4d_changes *changes, char **out)
{
	size_t n = 0;

	*out = p4d_alloc(changes->bytes + changes->n * sizeof(struct head));
	for (const struct p4d_change *c = changes->first; c; c = c->link) {
		struct head h = { .len = c->len, .remove = c->remove };

		memcpy(h.key, c->key, sizeof(h.key));
		memcpy(*out + n, &h, sizeof(h));
		memcpy(*out + n + sizeof(h), c->value, c->len);
		n += sizeof(h) + c->len;
	}
	return n;
}

static int unflatten(struct p4d_changes *changes, const char *bytes, size_t len)
{
	struct head h;

	while (len >= sizeof(h)) {
		struct p4d_change *c;

		memcpy(&h, bytes, sizeof(h));
		if (h.len > len - sizeof(h) || !memchr(h.key, '\0', sizeof(h.key)))
			return -EINVAL;
		c = p4d_changes_append(changes, h.len, "%s", h.key);
		c->remove = h.remove;
		memcpy(c->value, bytes + sizeof(h), h.len);
		bytes += sizeof(h) + h.len;
		len -= sizeof(h) + h.len;
	}
	return len ? -EINVAL : 0;
}

static void write_aside(struct p4d_store_etcd *s, const struct p4d_changes *changes)
{
	unsigned int parts = 0;
	char key[32], *bytes;
	size_t len = flatten(changes, &bytes);

	for (size_t at = 0; at < len; at += STEP_BYTES) {
		size_t here = len - at < STEP_BYTES ? len - at : STEP_BYTES;

		snprintf(key, sizeof(key), "redo/%04u", parts++);
		add_op(add_step(s), p4d_etcd_put_op(s->prefix, key, bytes + at, here), here);
	}
	free(bytes);
	snprintf(key, sizeof(key), "%u", parts);
	add_op(add_step(s), p4d_etcd_put_op(s->prefix, "redo", key, strlen(key)), 0);
}

static void begin(struct p4d_store_etcd *s, const struct p4d_changes *changes)
{
	bool aside = changes->n > STEP_OPS || changes->bytes > STEP_BYTES;

	if (aside)
		write_aside(s, changes);
	add_changes(s, changes);
	if (aside)
		add_op(add_step(s), remove_op(s->prefix, "redo"), 0);
}

/* ------------------------------------------------------------------------------ transactions */

static struct json_object *range_op(const char *prefix, const char *key)
{
	return p4d_etcd_op("request_range", p4d_etcd_key(prefix, key));
}

static struct json_object *is_leader(const struct p4d_store_etcd *s)
{
	struct json_object *o = p4d_etcd_key(s->prefix, "leader");

	json_object_object_add(o, "target", json_object_new_string("CREATE"));
	p4d_etcd_set(o, "create_revision", p4d_election_term(s->el));
	return o;
}

static struct json_object *number_value(uint64_t v)
{
	char text[24];

	return p4d_etcd_bytes(text, snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

static struct json_object *transaction(const struct p4d_store_etcd *s, const struct step *step)
{
	struct json_object *txn = json_object_new_object(), *seq, *put, *ops;
	struct json_object *compares = json_object_new_array();
	struct json_object *otherwise = json_object_new_array();

	seq = p4d_etcd_key(s->prefix, "seq");
	json_object_object_add(seq, "target", json_object_new_string("VALUE"));
	json_object_object_add(seq, "value", number_value(s->seq));
	json_object_array_add(compares, is_leader(s));
	json_object_array_add(compares, seq);
	put = p4d_etcd_key(s->prefix, "seq");
	json_object_object_add(put, "value", number_value(s->seq + 1));
	ops = json_object_new_array();
	for (size_t i = 0; i < json_object_array_length(step->ops); i++) {
		struct json_object *op = json_object_array_get_idx(step->ops, i);

		json_object_array_add(ops, json_object_get(op));
	}
	json_object_array_add(ops, p4d_etcd_op("request_put", put));
	json_object_array_add(otherwise, range_op(s->prefix, "leader"));
	json_object_array_add(otherwise, range_op(s->prefix, "seq"));
	json_object_object_add(txn, "compare", compares);
	json_object_object_add(txn, "success", ops);
	json_object_object_add(txn, "failure", otherwise);
	return txn;
}

/* The first key-value pair of an answer to a range, or NULL. */
static struct json_object *first_of(struct json_object *range)
{
	return p4d_etcd_nth(range, "kvs", 0);
}

static uint64_t value_of(struct json_object *kv)
{
	uint64_t v;
	char *text;

	p4d_etcd_bytes_of(kv, "value", &text);
	v = strtoull(text, NULL, 10);
	free(text);
	return v;
}

static struct json_object *response(struct json_object *answer, size_t i)
{
	struct json_object *o = NULL;

	json_object_object_get_ex(p4d_etcd_nth(answer, "responses", i), "response_range", &o);
	return o;
}

/* The first step was carried out, by this answer or before: 0. */
static int take_answer(struct p4d_store_etcd *s, struct json_object *answer)
{
	uint64_t term = p4d_election_term(s->el);

	if (!p4d_etcd_succeeded(answer)) {
		if (p4d_etcd_number(first_of(response(answer, 0)), "create_revision") != term) {
			p4d_election_was_lost(s->el, "another one has taken over");
			return -ESTALE;
		}
		if (value_of(first_of(response(answer, 1))) != s->seq + 1) {
			p4d_election_was_lost(s->el, "somebody else writes here");
			return -ESTALE;
		}
	}
	s->seq++;
	drop_step(s);
	return 0;
}

/* ----------------------------------------------------------------------------------- commit */

static void on_answer(void *arg, struct json_object *answer, const char *why);

static void send_first(struct p4d_store_etcd *s)
{
	p4d_etcd_call(s->etcd, "kv/txn", transaction(s, s->first), on_answer, s);
}

static void on_answer(void *arg, struct json_object *answer, const char *why)
{
	struct p4d_store_etcd *s = arg;
	int err = -EIO;

	if (answer) {
		err = take_answer(s, answer);
		why = "no longer the allocator of this switch";
	}
	if (!err && s->first)
		send_first(s);
	else
		p4d_store_done(s->st, err, why);
}

/* After a failure it goes on with the step that failed: the changes are the same. */
static int commit(void *impl, const struct p4d_changes *changes, char *err, size_t size)
{
	struct p4d_store_etcd *s = impl;

	if (!p4d_election_term(s->el)) {
		snprintf(err, size, "no longer the allocator of this switch");
		return -ESTALE;
	}
	if (!s->first)
		begin(s, changes);
	send_first(s);
	return -EINPROGRESS;
}

/* ------------------------------------------------------------------------------------- load */

static int carry_out_now(struct p4d_store_etcd *s, char *err, size_t size)
{
	struct json_object *answer;
	int ret = 0;

	while (!ret && s->first) {
		answer = p4d_etcd_now(s->etcd, "kv/txn", transaction(s, s->first), err, size);
		ret = answer ? take_answer(s, answer) : -EIO;
		json_object_put(answer);
	}
	return ret;
}

static struct json_object *range_now(struct p4d_store_etcd *s, struct json_object *body,
				     char *err, size_t size)
{
	return p4d_etcd_now(s->etcd, "kv/range", body, err, size);
}

static int load_seq(struct p4d_store_etcd *s, char *err, size_t size)
{
	struct json_object *o = range_now(s, p4d_etcd_key(s->prefix, "seq"), err, size);
	struct json_object *txn, *array;

	if (!o)
		return -EIO;
	s->seq = first_of(o) ? value_of(first_of(o)) : 0;
	if (first_of(o)) {
		json_object_put(o);
		return 0;
	}
	json_object_put(o);
	txn = json_object_new_object();
	array = json_object_new_array();
	json_object_array_add(array, is_leader(s));
	json_object_object_add(txn, "compare", array);
	array = json_object_new_array();
	json_object_array_add(array, p4d_etcd_put_op(s->prefix, "seq", "0", 1));
	json_object_object_add(txn, "success", array);
	o = p4d_etcd_now(s->etcd, "kv/txn", txn, err, size);
	json_object_put(o);
	return o ? 0 : -EIO;
}

static int read_aside(struct p4d_store_etcd *s, uint64_t parts, struct p4d_changes *changes,
		      char *err, size_t size)
{
	int ret = parts <= PARTS_MAX ? 0 : -EINVAL;
	char *bytes = NULL, key[32];
	size_t len = 0;

	for (unsigned int i = 0; !ret && i < parts; i++) {
		struct json_object *o;
		char *part;
		size_t n;

		snprintf(key, sizeof(key), "redo/%04u", i);
		o = range_now(s, p4d_etcd_key(s->prefix, key), err, size);
		if (!o) {
			free(bytes);
			return -EIO;
		}
		n = p4d_etcd_bytes_of(first_of(o), "value", &part);
		ret = n ? 0 : -EINVAL;
		bytes = realloc(bytes, len + n + 1);
		if (!bytes)
			abort();
		memcpy(bytes + len, part, n);
		len += n;
		free(part);
		json_object_put(o);
	}
	if (!ret)
		ret = unflatten(changes, bytes, len);
	free(bytes);
	if (ret)
		snprintf(err, size, "etcd: what was written aside is damaged");
	return ret;
}

/* A commit that its maker did not finish is finished if it was valid, else forgotten. */
static int finish_aside(struct p4d_store_etcd *s, char *err, size_t size)
{
	struct json_object *o = range_now(s, p4d_etcd_key(s->prefix, "redo"), err, size);
	struct p4d_changes changes = { 0 };
	int ret = 0;

	if (!o)
		return -EIO;
	if (first_of(o))
		ret = read_aside(s, value_of(first_of(o)), &changes, err, size);
	json_object_put(o);
	if (!ret && changes.n)
		add_changes(s, &changes);
	p4d_changes_drop(&changes);
	if (ret)
		return ret;
	add_op(add_step(s), remove_op(s->prefix, "redo"), 0);
	return carry_out_now(s, err, size);
}

typedef int (*record_fn)(void *, const char *, const void *, size_t);

/* What follows the prefix of the key if that is of a record, and not below *from; else NULL. */
static const char *name_of(const struct p4d_store_etcd *s, const char *key, const char *from)
{
	size_t len = strlen(s->prefix);

	return strcmp(key, from) >= 0 && !strncmp(key, s->prefix, len) &&
	       !strncmp(key + len, "record/", 7) ? key + len + 7 : NULL;
}

/*
 * One page. *from: the key to begin with, then that of the next page, NULL at the end. Keys ascend, or this
 * would not end.
 */
static int load_page(struct p4d_store_etcd *s, char **from, record_fn record, void *arg, char *err,
		     size_t size)
{
	struct json_object *body = p4d_etcd_key(*from, ""), *o;
	int ret = 0;

	p4d_etcd_all_under(body, s->prefix, "record/");
	p4d_etcd_set(body, "limit", PAGE);
	o = range_now(s, body, err, size);
	ret = o ? 0 : -EIO;
	for (size_t i = 0; !ret && i < p4d_etcd_length(o, "kvs"); i++) {
		struct json_object *kv = p4d_etcd_nth(o, "kvs", i);
		char *key, *value;
		const char *name;
		size_t len;

		p4d_etcd_bytes_of(kv, "key", &key);
		len = p4d_etcd_bytes_of(kv, "value", &value);
		name = name_of(s, key, *from);
		if (!name)
			snprintf(err, size, "etcd: a record's key is not the next one");
		ret = name ? record(arg, name, value, len) : -EIO;
		free(value);
		free(*from);
		*from = p4d_alloc(strlen(key) + 2);
		sprintf(*from, "%s\x01", key);		/* no key has one, and none is between */
		free(key);
	}
	if (ret || p4d_etcd_length(o, "kvs") < PAGE) {
		free(*from);
		*from = NULL;
	}
	json_object_put(o);
	return ret;
}

static int load(void *impl, record_fn record, void *arg, char *err, size_t size)
{
	struct p4d_store_etcd *s = impl;
	char *from;
	int ret;

	ret = load_seq(s, err, size);
	if (!ret)
		ret = finish_aside(s, err, size);
	from = p4d_alloc(strlen(s->prefix) + 8);
	sprintf(from, "%srecord/", s->prefix);
	while (!ret && from)
		ret = load_page(s, &from, record, arg, err, size);
	free(from);
	return ret;
}

/* ------------------------------------------------------------------------------ create, close */

static bool holds(void *impl)
{
	return p4d_election_holds(((struct p4d_store_etcd *)impl)->el);
}

static void attach(void *impl, struct p4d_store *st)
{
	((struct p4d_store_etcd *)impl)->st = st;
}

static void close_store(void *impl)
{
	struct p4d_store_etcd *s = impl;

	while (s->first)
		drop_step(s);
	free(s);
}

const struct p4d_store_ops p4d_store_etcd_ops = {
	.load = load, .commit = commit, .holds = holds, .attach = attach,
	.close = close_store,
};

struct p4d_store_etcd *p4d_store_etcd_create(struct p4d_etcd *etcd, struct p4d_election *el,
					     const char *prefix)
{
	struct p4d_store_etcd *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->etcd = etcd;
	s->el = el;
	s->prefix = prefix;
	s->last = &s->first;
	return s;
}
