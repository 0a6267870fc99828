// SPDX-License-Identifier: GPL-2.0-or-later
/* config.c - see config.h. A key that every change writes says whether there is anything new. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "etcd.h"
#include "fields.h"
#include "log.h"
#include "loop.h"
#include "out.h"

#define LOOK_US 1000000		/* between looks whether there is something new */

struct shared {
	struct shared *link;
	struct p4d_tenant_conf conf;
	bool gone;
	bool told;		/* in the reading of all that is under way */
};

struct p4d_config {
	struct p4d_etcd *etcd;
	struct p4d_timer timer;
	const char *prefix;
	struct p4d_config_events events;
	struct shared *all;
	uint64_t version;	/* of the key "version", when all were read */
	bool reading;		/* netlink, all of it */
};

#define SIZE_OF(f) sizeof(((struct p4d_tenant_conf *)0)->f)
#define F(f, min, max) { #f, offsetof(struct p4d_tenant_conf, f), SIZE_OF(f), min, max, P4D_NUMBER }

static const struct p4d_field fields[] = {
	F(weight, 1, UINT32_MAX),
	F(min_blocks, 0, P4W_MAX_BLOCKS),
	F(max_blocks, 0, P4W_MAX_BLOCKS),
	{ 0 }
}, gone_field[] = {
	{ "deleted", offsetof(struct shared, gone), sizeof(bool), 0, 1, P4D_NUMBER },
	{ 0 }
};

static struct shared *find(struct p4d_config *c, uint32_t id)
{
	struct shared *s = c->all;

	while (s && s->conf.id != id)
		s = s->link;
	return s;
}

static struct shared *record(struct p4d_config *c, uint32_t id)
{
	struct shared *s = find(c, id);

	if (s)
		return s;
	s = p4d_alloc(sizeof(*s));
	s->conf.id = id;
	s->gone = true;		/* until it is said what it is */
	s->link = c->all;
	c->all = s;
	return s;
}

static bool differ(const struct p4d_tenant_conf *a, const struct p4d_tenant_conf *b)
{
	return a->weight != b->weight || a->min_blocks != b->min_blocks ||
		a->max_blocks != b->max_blocks || strcmp(a->name, b->name);
}

static void tell(struct p4d_config *c, struct shared *s)
{
	s->told = true;
	if (s->gone)
		c->events.tenant_gone(c->events.arg, s->conf.id);
	else
		c->events.tenant(c->events.arg, &s->conf);
}

/* -------------------------------------------------------------------------------------- reading */

/* The first line has the fields, the second one the name. */
static void take_in(struct p4d_config *c, uint32_t id, const char *value, size_t len)
{
	struct p4d_lines_in in = { .rest = value, .end = value + len };
	struct p4d_tenant_conf conf = { id, "", 100, 0, P4W_MAX_BLOCKS };
	struct shared *s = record(c, id), was = { .gone = false };

	p4d_fields_next(&in);
	if (!p4d_fields_get(&in, fields, &conf, gone_field, &was)) {
		p4d_log(P4D_WARN, "configuration of tenant %u: wrong: %s; passed over", id, in.bad);
		return;
	}
	if (p4d_fields_next(&in))
		snprintf(conf.name, sizeof(conf.name), "%.*s", (int)(in.stop - in.at), in.at);
	if (s->gone == was.gone && !differ(&s->conf, &conf))
		return;
	s->conf = conf;
	s->gone = was.gone;
	tell(c, s);
}

static void take_in_all(struct p4d_config *c, struct json_object *range)
{
	size_t n = p4d_etcd_length(range, "kvs"), len;
	char *key, *value;

	for (size_t i = 0; i < n; i++) {
		struct json_object *kv = p4d_etcd_nth(range, "kvs", i);
		uint32_t id = 0;

		p4d_etcd_bytes_of(kv, "key", &key);
		len = p4d_etcd_bytes_of(kv, "value", &value);
		if (strlen(key) > strlen(c->prefix) &&
		    sscanf(key + strlen(c->prefix), "tenant/%u", &id) == 1 && id &&
		    id <= P4W_TENANT_MAX)
			take_in(c, id, value, len);
		free(key);
		free(value);
	}
}

static struct json_object *ask_for_all(const struct p4d_config *c)
{
	struct json_object *body = p4d_etcd_key(c->prefix, "tenant/");

	p4d_etcd_all_under(body, c->prefix, "tenant/");
	return body;
}

static uint64_t version_of(struct json_object *range)
{
	return p4d_etcd_number(p4d_etcd_nth(range, "kvs", 0), "mod_revision");
}

static void on_all(void *arg, struct json_object *o, const char *why)
{
	struct p4d_config *c = arg;

	if (o)
		take_in_all(c, o);
	else
		c->version = 0;		/* read it again */
	c->timer.at = p4d_now() + LOOK_US;
}

static void on_version(void *arg, struct json_object *o, const char *why)
{
	struct p4d_config *c = arg;

	if (o && version_of(o) != c->version) {
		c->version = version_of(o);
		p4d_etcd_call(c->etcd, "kv/range", ask_for_all(c), on_all, c);
	} else {
		c->timer.at = p4d_now() + LOOK_US;
	}
}

static void on_due(struct p4d_timer *t)
{
	struct p4d_config *c = (struct p4d_config *)
		((char *)t - offsetof(struct p4d_config, timer));

	p4d_etcd_call(c->etcd, "kv/range", p4d_etcd_key(c->prefix, "version"), on_version, c);
}

/* -------------------------------------------------------------------------------------- writing */

/* If it fails, the next start of an allocator that knows better says it again. */
static void on_published(void *arg, struct json_object *o, const char *why)
{
	if (!o)
		p4d_log(P4D_WARN, "configuration: %s: set it again", why);
}

static void publish(struct p4d_config *c, const struct shared *s)
{
	struct json_object *txn = json_object_new_object(), *ops = json_object_new_array();
	struct p4d_lines_out l;
	char key[32];

	l.len = 0;
	p4d_fields_put(&l, fields, &s->conf);
	p4d_fields_put(&l, gone_field, s);
	p4d_fields_end(&l);
	l.len += snprintf(l.text + l.len, sizeof(l.text) - l.len, "%s\n", s->conf.name);
	snprintf(key, sizeof(key), "tenant/%08u", s->conf.id);
	json_object_array_add(ops, p4d_etcd_put_op(c->prefix, key, l.text, l.len));
	json_object_array_add(ops, p4d_etcd_put_op(c->prefix, "version", key, strlen(key)));
	json_object_object_add(txn, "success", ops);
	p4d_etcd_call(c->etcd, "kv/txn", txn, on_published, c);
}

void p4d_config_begin(struct p4d_config *c)
{
	c->reading = true;
	for (struct shared *s = c->all; s; s = s->link)
		s->told = false;
}

void p4d_config_tenant(struct p4d_config *c, const struct p4d_tenant_conf *conf)
{
	bool known = find(c, conf->id);
	struct shared *s = record(c, conf->id);

	if (!known || (!c->reading && (s->gone || differ(&s->conf, conf)))) {
		s->conf = *conf;
		s->gone = false;
		publish(c, s);
	}
	tell(c, s);
}

void p4d_config_tenant_gone(struct p4d_config *c, uint32_t id)
{
	struct shared *s = record(c, id);

	if (!s->gone) {
		s->gone = true;
		publish(c, s);
	}
	tell(c, s);
}

void p4d_config_end(struct p4d_config *c)
{
	c->reading = false;
	for (struct shared *s = c->all; s; s = s->link)
		if (!s->told)
			tell(c, s);
}

/* --------------------------------------------------------------------------------- open, close */

int p4d_config_open(struct p4d_config **out, struct p4d_loop *loop, struct p4d_etcd *etcd,
		    const char *prefix, const struct p4d_config_events *events, char *err,
		    size_t size)
{
	struct p4d_config *c = calloc(1, sizeof(*c));
	struct json_object *o;

	snprintf(err, size, "out of memory");
	if (!c)
		return -ENOMEM;
	c->etcd = etcd;
	c->prefix = prefix;
	c->events = *events;
	o = p4d_etcd_now(etcd, "kv/range", p4d_etcd_key(prefix, "version"), err, size);
	if (o) {
		c->version = version_of(o);
		json_object_put(o);
		o = p4d_etcd_now(etcd, "kv/range", ask_for_all(c), err, size);
	}
	if (!o) {
		free(c);
		return -EIO;
	}
	take_in_all(c, o);
	json_object_put(o);
	c->timer = (struct p4d_timer){ .at = p4d_now() + LOOK_US, .due = on_due };
	p4d_loop_timer(loop, &c->timer);
	*out = c;
	return 0;
}

void p4d_config_close(struct p4d_config *c)
{
	while (c->all) {
		struct shared *s = c->all;

		c->all = s->link;
		free(s);
	}
	free(c);
}
