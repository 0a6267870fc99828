// SPDX-License-Identifier: GPL-2.0-or-later
/* etcd.c - see etcd.h. curl says which descriptors and which time it waits for; the loop waits. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../base64.h"
#include "etcd.h"
#include "loop.h"
#include "out.h"

#define CALL_MS 1500L		/* then it is as if there was no answer */
#define CONNECT_MS 500L
#define ANSWER_MAX (64u << 20)

struct call {
	struct call *link;
	struct p4d_etcd *etcd;
	CURL *curl;
	char *body;
	char *answer;
	size_t len, room;
	p4d_etcd_answer done;
	void *arg;
};

struct sock {
	struct p4d_watch watch;	/* first */
	struct p4d_etcd *etcd;
};

struct p4d_etcd {
	struct p4d_loop *loop;
	struct p4d_timer timer;
	CURLM *multi;
	char *members;		/* each with its own end */
	unsigned int nr_members, at;
	struct curl_slist *headers;
	struct call *calls;
};

/* ----------------------------------------------------------------------------------- values */

struct json_object *p4d_etcd_bytes(const void *bytes, size_t len)
{
	size_t n = BASE64_DIGITS(len);
	char *text = p4d_alloc(n + 1);
	struct json_object *o;

	base64_encode(text, bytes, len);
	o = json_object_new_string_len(text, n);
	free(text);
	return o;
}

static struct json_object *member(struct json_object *o, const char *name)
{
	struct json_object *m = NULL;

	json_object_object_get_ex(o, name, &m);
	return m;
}

size_t p4d_etcd_bytes_of(struct json_object *o, const char *name, char **out)
{
	const char *text = json_object_get_string(member(o, name));
	size_t len = text ? strlen(text) : 0, n;

	*out = p4d_alloc(len / 4 * 3 + 1);
	n = base64_decode(*out, text, len);
	if (n == BASE64_BAD)
		n = 0;
	(*out)[n] = '\0';
	return n;
}

size_t p4d_etcd_length(struct json_object *o, const char *name)
{
	struct json_object *list = member(o, name);

	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

struct json_object *p4d_etcd_nth(struct json_object *o, const char *name, size_t i)
{
	return i < p4d_etcd_length(o, name) ? json_object_array_get_idx(member(o, name), i) : NULL;
}

uint64_t p4d_etcd_number(struct json_object *o, const char *name)
{
	const char *text = json_object_get_string(member(o, name));

	return text ? strtoull(text, NULL, 10) : 0;
}

void p4d_etcd_set(struct json_object *o, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	json_object_object_add(o, name, json_object_new_string(text));
}

static struct json_object *joined(const char *prefix, const char *key, int last)
{
	size_t n = strlen(prefix) + strlen(key);
	char *text = p4d_alloc(n + 1);
	struct json_object *o;

	sprintf(text, "%s%s", prefix, key);
	text[n - 1] += last;
	o = p4d_etcd_bytes(text, n);
	free(text);
	return o;
}

struct json_object *p4d_etcd_key(const char *prefix, const char *key)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "key", joined(prefix, key, 0));
	return o;
}

void p4d_etcd_all_under(struct json_object *body, const char *prefix, const char *key)
{
	json_object_object_add(body, "range_end", joined(prefix, key, 1));
}

struct json_object *p4d_etcd_op(const char *kind, struct json_object *op)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, kind, op);
	return o;
}

struct json_object *p4d_etcd_put_op(const char *prefix, const char *key, const void *value,
				    size_t len)
{
	struct json_object *put = p4d_etcd_key(prefix, key);

	json_object_object_add(put, "value", p4d_etcd_bytes(value, len));
	return p4d_etcd_op("request_put", put);
}

bool p4d_etcd_succeeded(struct json_object *answer)
{
	return json_object_get_boolean(member(answer, "succeeded"));
}

/* ------------------------------------------------------------------------------------ calls */

static size_t on_bytes(char *bytes, size_t one, size_t n, void *arg)
{
	struct call *c = arg;

	if (c->len + n >= c->room) {
		size_t room = 2 * (c->len + n) + 256;
		char *more = room > ANSWER_MAX ? NULL : realloc(c->answer, room);

		if (!more)
			return 0;
		c->answer = more;
		c->room = room;
	}
	memcpy(c->answer + c->len, bytes, n);
	c->len += n;
	c->answer[c->len] = '\0';
	return n;
}

static const char *member_now(const struct p4d_etcd *etcd)
{
	const char *m = etcd->members;

	for (unsigned int i = 0; i < etcd->at; i++)
		m += strlen(m) + 1;
	return m;
}

static struct call *new_call(struct p4d_etcd *etcd, const char *method, struct json_object *body)
{
	struct call *c = p4d_alloc(sizeof(*c));
	char url[512];

	snprintf(url, sizeof(url), "http://%s/v3/%s", member_now(etcd), method);
	c->etcd = etcd;
	c->body = strdup(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
	json_object_put(body);
	c->curl = curl_easy_init();
	if (!c->curl || !c->body)
		abort();
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, etcd->headers);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(c->body));
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CALL_MS);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
	return c;
}

static void free_call(struct call *c)
{
	curl_easy_cleanup(c->curl);
	free(c->body);
	free(c->answer);
	free(c);
}

/* The answer as an object, or NULL and why. */
static struct json_object *result_of(struct call *c, CURLcode rc, char *why, size_t size)
{
	struct json_object *o = NULL;
	long status = 0;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!rc && status == 200 && c->len)
		o = json_tokener_parse(c->answer);
	if (o)
		return o;
	snprintf(why, size, "etcd at %s: %s", member_now(c->etcd),
		 rc ? curl_easy_strerror(rc) : c->len ? c->answer : "no answer");
	why[strcspn(why, "\n")] = '\0';
	if (rc || status >= 500)	/* no leader, or about to stop: another one may be better */
		c->etcd->at = (c->etcd->at + 1) % c->etcd->nr_members;
	return NULL;
}

static void finish(struct call *c, CURLcode rc)
{
	struct json_object *o;
	char why[256] = "";

	for (struct call **at = &c->etcd->calls; *at; at = &(*at)->link) {
		if (*at == c) {
			*at = c->link;
			break;
		}
	}
	curl_multi_remove_handle(c->etcd->multi, c->curl);
	o = result_of(c, rc, why, sizeof(why));
	c->done(c->arg, o, why);
	json_object_put(o);
	free_call(c);
}

/* Answers are given from here only, that is never from inside p4d_etcd_call(). */
static void advance(struct p4d_etcd *etcd, curl_socket_t fd, int what)
{
	int running, left;
	CURLMsg *m;

	curl_multi_socket_action(etcd->multi, fd, what, &running);
	while ((m = curl_multi_info_read(etcd->multi, &left))) {
		struct call *c;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		finish(c, m->data.result);
	}
}

void p4d_etcd_call(struct p4d_etcd *etcd, const char *method, struct json_object *body,
		   p4d_etcd_answer answer, void *arg)
{
	struct call *c = new_call(etcd, method, body);

	c->done = answer;
	c->arg = arg;
	c->link = etcd->calls;
	etcd->calls = c;
	curl_multi_add_handle(etcd->multi, c->curl);
}

struct json_object *p4d_etcd_now(struct p4d_etcd *etcd, const char *method,
				 struct json_object *body, char *err, size_t size)
{
	struct call *c = new_call(etcd, method, body);
	struct json_object *o;

	o = result_of(c, curl_easy_perform(c->curl), err, size);
	free_call(c);
	return o;
}

/* ---------------------------------------------------------------------------- what it waits for */

static void on_ready(struct p4d_watch *w, uint32_t events)
{
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	advance(((struct sock *)w)->etcd, w->fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct p4d_etcd *etcd = arg;
	struct sock *s = sockp;

	if (what == CURL_POLL_REMOVE) {
		if (s)
			p4d_loop_unwatch(etcd->loop, &s->watch);
		free(s);
		return 0;
	}
	if (!s) {
		s = p4d_alloc(sizeof(*s));
		*s = (struct sock){ { fd, on_ready }, etcd };
		curl_multi_assign(etcd->multi, fd, s);
	}
	p4d_loop_watch(etcd->loop, &s->watch, (what & CURL_POLL_IN ? EPOLLIN : 0) |
		       (what & CURL_POLL_OUT ? EPOLLOUT : 0));
	return 0;
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
	struct p4d_etcd *etcd = arg;

	etcd->timer.at = ms < 0 ? UINT64_MAX : p4d_now() + ms * 1000;
	return 0;
}

static void on_due(struct p4d_timer *t)
{
	advance((struct p4d_etcd *)((char *)t - offsetof(struct p4d_etcd, timer)),
		CURL_SOCKET_TIMEOUT, 0);
}

/* ------------------------------------------------------------------------------ create, destroy */

struct p4d_etcd *p4d_etcd_create(struct p4d_loop *loop, const char *members)
{
	struct p4d_etcd *etcd = calloc(1, sizeof(*etcd));

	if (!etcd)
		return NULL;
	etcd->loop = loop;
	etcd->nr_members = 1;
	etcd->members = strdup(members);
	etcd->multi = curl_multi_init();
	/* Without "Expect:" curl would wait for leave to send bodies of more than 1 MB. */
	etcd->headers = curl_slist_append(NULL, "Expect:");
	if (!etcd->members || !etcd->multi || !etcd->headers) {
		p4d_etcd_destroy(etcd);
		return NULL;
	}
	for (char *p = etcd->members; *p; p++) {
		if (*p == ',') {
			*p = '\0';
			etcd->nr_members++;
		}
	}
	curl_multi_setopt(etcd->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(etcd->multi, CURLMOPT_SOCKETDATA, etcd);
	curl_multi_setopt(etcd->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(etcd->multi, CURLMOPT_TIMERDATA, etcd);
	etcd->timer = (struct p4d_timer){ .at = UINT64_MAX, .due = on_due };
	if (loop)
		p4d_loop_timer(loop, &etcd->timer);
	return etcd;
}

void p4d_etcd_destroy(struct p4d_etcd *etcd)
{
	while (etcd->calls) {
		struct call *c = etcd->calls;

		etcd->calls = c->link;
		curl_multi_remove_handle(etcd->multi, c->curl);
		free_call(c);
	}
	if (etcd->multi)
		curl_multi_cleanup(etcd->multi);
	curl_slist_free_all(etcd->headers);
	free(etcd->members);
	free(etcd);
}
