// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * election.c - see election.h. One call at a time: look, take a lease, try for the key, keep it.
 *
 * Who stands by only looks; a lease is taken when the key is gone. When it is not known whether a
 * lease or the key was had, it starts over: what it may have had ends by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election.h"
#include "etcd.h"
#include "loop.h"
#include "out.h"

#define LOOK_US 200000		/* between looks, and between attempts that failed */

enum step { LOOK, LEASE, TRY, KEEP, OVER };

struct p4d_election {
	struct p4d_etcd *etcd;
	struct p4d_timer timer;
	struct p4d_election_events events;
	const char *prefix;
	enum step step;
	uint32_t ttl_s;
	uint64_t lease;
	uint64_t term;
	uint64_t asked_at;	/* when the call that is under way, or was last, began */
	uint64_t until;		/* the lease is alive till then at least */
	char why[256];
};

static void go_on(struct p4d_election *el);

static uint64_t safe_until(const struct p4d_election *el)
{
	return el->asked_at + el->ttl_s * 900000ull;
}

static void say(struct p4d_election *el, const char *why)
{
	if (!strcmp(why, el->why))
		return;
	snprintf(el->why, sizeof(el->why), "%s", why);
	el->events.waiting(el->events.arg, el->why);
}

static void later(struct p4d_election *el, enum step step, uint64_t us)
{
	el->step = step;
	el->timer.at = p4d_now() + us;
}

void p4d_election_was_lost(struct p4d_election *el, const char *why)
{
	if (el->step != KEEP)
		return;
	el->step = OVER;
	el->timer.at = UINT64_MAX;
	el->term = el->until = 0;
	el->events.lost(el->events.arg, why);
}

/* ------------------------------------------------------------------------------------ answers */

static void on_look(struct p4d_election *el, struct json_object *o)
{
	struct json_object *first;
	char text[200], *who;

	if (!p4d_etcd_number(o, "count")) {
		el->step = LEASE;
		go_on(el);
		return;
	}
	first = p4d_etcd_nth(o, "kvs", 0);
	if (first) {
		p4d_etcd_bytes_of(first, "value", &who);
		snprintf(text, sizeof(text), "standing by for %.100s", who);
		free(who);
		say(el, text);
	}
	later(el, LOOK, LOOK_US);
}

static void on_lease(struct p4d_election *el, struct json_object *o)
{
	el->lease = p4d_etcd_number(o, "ID");
	el->until = safe_until(el);
	if (p4d_etcd_number(o, "TTL") < el->ttl_s || !el->lease) {
		say(el, "etcd gives no such lease");
		later(el, LOOK, LOOK_US);
		return;
	}
	el->step = TRY;
	go_on(el);
}

static void on_try(struct p4d_election *el, struct json_object *o)
{
	struct json_object *header;

	if (!p4d_etcd_succeeded(o) ||
	    !json_object_object_get_ex(o, "header", &header)) {
		later(el, LOOK, LOOK_US);
		return;
	}
	el->term = p4d_etcd_number(header, "revision");
	if (!el->term) {		/* it may be had, or not: the lease will end */
		later(el, LOOK, LOOK_US);
		return;
	}
	later(el, KEEP, el->ttl_s * 1000000ull / 3);
	el->why[0] = '\0';
	el->events.renewed(el->events.arg, el->ttl_s);
	el->events.won(el->events.arg);
}

static void on_kept(struct p4d_election *el, struct json_object *o)
{
	struct json_object *result;

	if (!json_object_object_get_ex(o, "result", &result) ||
	    !p4d_etcd_number(result, "TTL")) {
		p4d_election_was_lost(el, "the lease has ended");
		return;
	}
	el->until = safe_until(el);
	later(el, KEEP, el->ttl_s * 1000000ull / 3);
	el->events.renewed(el->events.arg, el->ttl_s);
}

static void on_answer(void *arg, struct json_object *o, const char *why)
{
	static void (*const handlers[])(struct p4d_election *, struct json_object *) = {
		[LOOK] = on_look, [LEASE] = on_lease, [TRY] = on_try, [KEEP] = on_kept,
	};
	struct p4d_election *el = arg;

	if (el->step == OVER)
		return;
	if (o) {
		handlers[el->step](el, o);
		return;
	}
	say(el, why);
	if (el->step != KEEP)
		later(el, LOOK, LOOK_US);
	else if (p4d_election_holds(el))
		later(el, KEEP, LOOK_US);
	else
		p4d_election_was_lost(el, why);
}

/* ---------------------------------------------------------------------------------- questions */

static struct json_object *try_for_key(struct p4d_election *el)
{
	struct json_object *txn = json_object_new_object(), *compare, *put;
	struct json_object *compares = json_object_new_array(), *ops = json_object_new_array();
	char me[96] = "";

	gethostname(me, sizeof(me) - 24);
	snprintf(me + strlen(me), 24, " %d", getpid());
	compare = p4d_etcd_key(el->prefix, "leader");
	json_object_object_add(compare, "target", json_object_new_string("CREATE"));
	p4d_etcd_set(compare, "create_revision", 0);
	json_object_array_add(compares, compare);
	put = p4d_etcd_key(el->prefix, "leader");
	json_object_object_add(put, "value", p4d_etcd_bytes(me, strlen(me)));
	p4d_etcd_set(put, "lease", el->lease);
	json_object_array_add(ops, p4d_etcd_op("request_put", put));
	json_object_object_add(txn, "compare", compares);
	json_object_object_add(txn, "success", ops);
	return txn;
}

static void go_on(struct p4d_election *el)
{
	struct json_object *o;

	el->asked_at = el->step == TRY ? el->asked_at : p4d_now();
	switch (el->step) {
	case LOOK:
		p4d_etcd_call(el->etcd, "kv/range", p4d_etcd_key(el->prefix, "leader"), on_answer,
			      el);
		break;
	case LEASE:
		o = json_object_new_object();
		p4d_etcd_set(o, "TTL", el->ttl_s);
		p4d_etcd_call(el->etcd, "lease/grant", o, on_answer, el);
		break;
	case TRY:
		p4d_etcd_call(el->etcd, "kv/txn", try_for_key(el), on_answer, el);
		break;
	case KEEP:
		o = json_object_new_object();
		p4d_etcd_set(o, "ID", el->lease);
		p4d_etcd_call(el->etcd, "lease/keepalive", o, on_answer, el);
		break;
	case OVER:
		break;
	}
}

static void on_due(struct p4d_timer *t)
{
	go_on((struct p4d_election *)((char *)t - offsetof(struct p4d_election, timer)));
}

/* ---------------------------------------------------------------------------------------- rest */

bool p4d_election_holds(const struct p4d_election *el)
{
	return el->term && p4d_now() < el->until;
}

uint64_t p4d_election_term(const struct p4d_election *el)
{
	return el->term;
}

struct p4d_election *p4d_election_create(struct p4d_loop *loop, struct p4d_etcd *etcd,
					 const char *prefix, uint32_t ttl_s,
					 const struct p4d_election_events *events)
{
	struct p4d_election *el = calloc(1, sizeof(*el));

	if (!el)
		return NULL;
	el->etcd = etcd;
	el->prefix = prefix;
	el->ttl_s = ttl_s;
	el->events = *events;
	el->timer.due = on_due;		/* due at once */
	p4d_loop_timer(loop, &el->timer);
	return el;
}

void p4d_election_destroy(struct p4d_election *el)
{
	if (el->term) {
		struct json_object *o = json_object_new_object();
		char why[256];

		p4d_etcd_set(o, "ID", el->lease);
		json_object_put(p4d_etcd_now(el->etcd, "lease/revoke", o, why, sizeof(why)));
	}
	free(el);
}
