// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_etcd.c - see fake_etcd.h. Numbers are strings and what is 0 is left out, as in etcd's JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/p4allocd/etcd.h"
#include "fake_etcd.h"

struct pair {			/* ascending keys */
	struct pair *next;
	char *key, *value;
	size_t key_len, len;
	uint64_t created, modified, lease;
};

static struct pair *pairs;
static uint64_t revision = 1, lease_id, lease_until;	/* the last lease that was given is the only one */

size_t (*fake_etcd_spoil)(char **value, size_t len);

/* -------------------------------------------------------------------------------------- keys */

struct range {			/* end NULL: only the first key */
	char *first, *end;
	size_t first_len, end_len;
};

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : a_len < b_len ? -1 : a_len > b_len;
}

static struct range range_of(struct json_object *o)
{
	struct range r = { 0 };

	r.first_len = p4d_etcd_bytes_of(o, "key", &r.first);
	r.end_len = p4d_etcd_bytes_of(o, "range_end", &r.end);
	return r;
}

static void free_range(struct range *r)
{
	free(r->first);
	free(r->end);
}

static bool is_in(const struct range *r, const struct pair *p)
{
	int c = compare(p->key, p->key_len, r->first, r->first_len);

	return r->end_len ? c >= 0 && compare(p->key, p->key_len, r->end, r->end_len) < 0 : !c;
}

static void drop(struct pair **at)
{
	struct pair *p = *at;

	*at = p->next;
	free(p->key);
	free(p->value);
	free(p);
}

void fake_etcd_forget(void)
{
	while (pairs)
		drop(&pairs);
	lease_id = 0;
}

static void end_lease(void)
{
	for (struct pair **at = &pairs; *at;) {
		if ((*at)->lease && (*at)->lease == lease_id)
			drop(at);
		else
			at = &(*at)->next;
	}
	lease_id = 0;
}

/* ------------------------------------------------------------------------------------- words */

static struct json_object *with_header(void)
{
	struct json_object *o = json_object_new_object(), *header = json_object_new_object();

	p4d_etcd_set(header, "cluster_id", 14841639068965178418u);
	p4d_etcd_set(header, "revision", revision);
	p4d_etcd_set(header, "raft_term", 2);
	json_object_object_add(o, "header", header);
	return o;
}

static void set(struct json_object *o, const char *name, uint64_t value)
{
	if (value)
		p4d_etcd_set(o, name, value);
}

static struct json_object *pair_object(const struct pair *p)
{
	struct json_object *o = json_object_new_object();
	char *value = malloc(p->len + 1);
	size_t len = p->len;

	memcpy(value, p->value, len);
	if (fake_etcd_spoil)
		len = fake_etcd_spoil(&value, len);
	json_object_object_add(o, "key", p4d_etcd_bytes(p->key, p->key_len));
	set(o, "create_revision", p->created);
	set(o, "mod_revision", p->modified);
	set(o, "version", 1 + p->modified - p->created);
	if (len)
		json_object_object_add(o, "value", p4d_etcd_bytes(value, len));
	set(o, "lease", p->lease);
	free(value);
	return o;
}

/* -------------------------------------------------------------------------------------- verbs */

static struct json_object *get(struct json_object *body)
{
	struct json_object *o = with_header(), *list = json_object_new_array();
	uint64_t limit = p4d_etcd_number(body, "limit"), count = 0;
	struct range r = range_of(body);

	for (const struct pair *p = pairs; p; p = p->next) {
		if (!is_in(&r, p))
			continue;
		if (!limit || count < limit)
			json_object_array_add(list, pair_object(p));
		count++;
	}
	if (count)
		json_object_object_add(o, "kvs", json_object_get(list));
	if (limit && count > limit)
		json_object_object_add(o, "more", json_object_new_boolean(true));
	set(o, "count", count);
	json_object_put(list);
	free_range(&r);
	return o;
}

static struct json_object *put(struct json_object *body)
{
	struct range r = range_of(body);
	struct pair **at = &pairs, *p;

	while (*at && compare((*at)->key, (*at)->key_len, r.first, r.first_len) < 0)
		at = &(*at)->next;
	p = *at;
	if (!p || compare(p->key, p->key_len, r.first, r.first_len)) {
		p = calloc(1, sizeof(*p));
		*p = (struct pair){ .next = *at, .key = r.first, .key_len = r.first_len, .created = revision };
		r.first = NULL;
		*at = p;
	}
	free(p->value);
	p->len = p4d_etcd_bytes_of(body, "value", &p->value);
	p->modified = revision;
	p->lease = p4d_etcd_number(body, "lease");
	free_range(&r);
	return with_header();
}

static struct json_object *remove_range(struct json_object *body)
{
	struct json_object *o = with_header();
	struct range r = range_of(body);
	uint64_t deleted = 0;

	for (struct pair **at = &pairs; *at;) {
		if (is_in(&r, *at)) {
			drop(at);
			deleted++;
		} else {
			at = &(*at)->next;
		}
	}
	set(o, "deleted", deleted);
	free_range(&r);
	return o;
}

static const struct pair *find(struct json_object *o)
{
	struct range r = range_of(o);
	const struct pair *p = pairs;

	while (p && !is_in(&r, p))
		p = p->next;
	free_range(&r);
	return p;
}

/* All that the allocator compares: a create revision, or the value, with what it says. */
static bool is_so(struct json_object *compares)
{
	size_t n = json_object_is_type(compares, json_type_array) ?
		   json_object_array_length(compares) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_object_array_get_idx(compares, i), *v;
		const struct pair *p = find(c);
		char *want;
		size_t len;
		bool same;

		if (!json_object_object_get_ex(c, "value", &v)) {
			if ((p ? p->created : 0) != p4d_etcd_number(c, "create_revision"))
				return false;
			continue;
		}
		len = p4d_etcd_bytes_of(c, "value", &want);
		same = p && !compare(p->value, p->len, want, len);
		free(want);
		if (!same)
			return false;
	}
	return true;
}

static struct json_object *do_op(struct json_object *op)
{
	static const struct {
		const char *request, *response;
		struct json_object *(*verb)(struct json_object *body);
	} verbs[] = {
		{ "request_range", "response_range", get }, { "request_put", "response_put", put },
		{ "request_delete_range", "response_delete_range", remove_range },
	};
	struct json_object *body;

	for (size_t i = 0; i < 3; i++)
		if (json_object_object_get_ex(op, verbs[i].request, &body))
			return p4d_etcd_op(verbs[i].response, verbs[i].verb(body));
	return NULL;
}

/* It binds a key to a lease that has ended, or never was. */
static bool is_impossible(struct json_object *ops)
{
	struct json_object *body;

	for (size_t i = 0; ops && i < json_object_array_length(ops); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(ops, i), "request_put", &body) &&
		    p4d_etcd_number(body, "lease") && p4d_etcd_number(body, "lease") != lease_id)
			return true;
	return false;
}

static struct json_object *transaction(struct json_object *body)
{
	struct json_object *o, *ops = NULL, *compares = NULL, *list;
	bool so;

	json_object_object_get_ex(body, "success", &ops);
	if (is_impossible(ops))
		return json_tokener_parse("{\"error\":\"etcdserver: requested lease not found\"}");
	list = json_object_new_array();

	json_object_object_get_ex(body, "compare", &compares);
	so = is_so(compares);
	revision += so;
	o = with_header();
	json_object_object_get_ex(body, so ? "success" : "failure", &ops);
	for (size_t i = 0; ops && i < json_object_array_length(ops); i++)
		json_object_array_add(list, do_op(json_object_array_get_idx(ops, i)));
	if (so)
		json_object_object_add(o, "succeeded", json_object_new_boolean(true));
	json_object_object_add(o, "responses", list);
	return o;
}

static struct json_object *grant_lease(struct json_object *body, uint64_t now)
{
	struct json_object *o = with_header();
	uint64_t ttl = p4d_etcd_number(body, "TTL");

	end_lease();
	lease_id = 7587862894000000000u + revision;
	lease_until = now + ttl * 1000000;
	p4d_etcd_set(o, "ID", lease_id);
	p4d_etcd_set(o, "TTL", ttl);
	return o;
}

static struct json_object *keep_alive(struct json_object *body, uint64_t now)
{
	struct json_object *o = json_object_new_object(), *result = with_header();
	uint64_t id = p4d_etcd_number(body, "ID");

	p4d_etcd_set(result, "ID", id);
	if (id == lease_id) {
		lease_until = now + 10000000;
		p4d_etcd_set(result, "TTL", 10);
	}
	json_object_object_add(o, "result", result);
	return o;
}

static struct json_object *revoke(struct json_object *body)
{
	if (p4d_etcd_number(body, "ID") == lease_id)
		end_lease();
	return with_header();
}

struct json_object *fake_etcd_answer(const char *method, struct json_object *body, uint64_t now)
{
	if (lease_id && now >= lease_until)
		end_lease();
	if (!strcmp(method, "kv/range"))
		return get(body);
	if (!strcmp(method, "kv/txn"))
		return transaction(body);
	if (!strcmp(method, "lease/grant"))
		return grant_lease(body, now);
	if (!strcmp(method, "lease/keepalive"))
		return keep_alive(body, now);
	if (!strcmp(method, "lease/revoke"))
		return revoke(body);
	return NULL;
}
