// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status.c - see status.h. The format is promised in man/man8/p4allocd.8: members are only
 * appended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "escrow.h"
#include "explain.h"
#include "jsonline.h"
#include "lockcell.h"
#include "named.h"
#include "service.h"
#include "status.h"
#include "waits.h"
#include "why.h"

#define CLIENTS		16
#define LINE_BYTES	65536		/* of a request */
#define UNSENT_BYTES	(64 << 20)	/* a client that asks and never reads is cut off */

struct client {
	struct p4d_lines lines;	/* first; fd -1: free */
	struct p4d_status *status;
	uint64_t active;	/* when it last said something, or could take in more of its answer */
};

struct p4d_status {
	struct p4d_watch listen;
	struct p4d_loop *loop;
	struct p4d_status_conf conf;
	struct client client[CLIENTS];
};

/* ------------------------------------------------------------------------------ short hand */

static void put(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

static void put_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static struct json_object *put_list(struct json_object *o, const char *name)
{
	struct json_object *list = json_object_new_array();

	json_object_object_add(o, name, list);
	return list;
}

static struct json_object *put_object(struct json_object *o, const char *name)
{
	struct json_object *sub = json_object_new_object();

	json_object_object_add(o, name, sub);
	return sub;
}

static void append(struct json_object *list, uint64_t value)
{
	json_object_array_add(list, json_object_new_uint64(value));
}

static void put_refused(struct json_object *o, const uint64_t refused[P4D_REFUSALS])
{
	struct json_object *sub = put_object(o, "refused");

	for (unsigned int i = 0; i < P4D_REFUSALS; i++)
		if (p4d_refusal_name(i))
			put(sub, p4d_refusal_name(i), refused[i]);
}

static const char *switch_state(const struct p4d_engine *e)
{
	static const char *const names[] = {
		[P4D_SWITCH_DOWN] = "down", [P4D_SWITCH_UP] = "up",
		[P4D_SWITCH_MISMATCH] = "mismatch",
	};

	return names[e->sw];
}

/* ------------------------------------------------------------------------------------ info */

static void answer_info(const struct p4d_engine *e, const struct p4d_status_conf *conf,
			bool store_ok, struct json_object *o)
{
	struct json_object *sub;

	put(o, "version", P4W_VERSION);
	put(o, "port", conf->port);
	put_text(o, "store", conf->store);
	json_object_object_add(o, "store_ok", json_object_new_boolean(store_ok));
	put(o, "epoch", e->epoch_next);
	sub = put_object(o, "switch");
	put_text(sub, "path", conf->switch_path);
	put_text(sub, "state", switch_state(e));
	put_text(sub, "why", e->sw_why);
	put(sub, "boot", e->boot);
	put(o, "registers", e->geo.registers);
	put(o, "blocks", e->geo.blocks);
	put(o, "flows", e->geo.flows);
	put(o, "dependent", e->geo.dependent);
	sub = put_object(o, "policy");
	put(sub, "lease_max_us", e->policy.lease_max_us);
	put(sub, "grace_us", e->policy.grace_us);
}

/* ------------------------------------------------------------------------------------ show */

static const char *state_of(const struct p4d_tenant *t)
{
	if (!t->cur)
		return t->next ? "reserved" : "idle";
	switch (t->cur->state) {
	case P4D_GIVING:
		return "giving";
	case P4D_HELD:
		return "held";
	default:
		return t->cur->keep ? "escrowing" : "freeing";
	}
}

static unsigned int waiting_nodes(const struct p4d_tenant *t)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < P4W_NODES_MAX; i++)
		n += t->node[i].held[P4D_HOLD_GRANT].used;
	return n;
}

static void put_grant(const struct p4d_tenant *t, uint64_t now, struct json_object *o)
{
	const struct p4d_batch *b = t->cur;
	struct json_object *blocks;

	put(o, "batch", b ? b->number : t->next ? t->next->number : t->last);
	put(o, "epoch", b ? b->epoch : 0);
	blocks = put_list(o, "blocks");
	if (b)
		p4d_blocks_each(&b->blocks, block)
			append(blocks, block);
	put(o, "phase", b ? b->phase : 0);
	put(o, "done", b ? __builtin_popcountll(b->done) : 0);
	json_object_object_add(o, "lease_us", b && b->state == P4D_HELD ?
		json_object_new_int64((int64_t)(b->lease_until - now)) : NULL);
}

static void put_reserved(const struct p4d_tenant *t, uint64_t now, struct json_object *o)
{
	const struct p4d_batch *b = t->next;
	struct json_object *sub;

	if (!b) {
		json_object_object_add(o, "reserved", NULL);
		return;
	}
	sub = put_object(o, "reserved");
	put(sub, "batch", b->number);
	put(sub, "min_blocks", b->min_blocks);
	put(sub, "want_blocks", b->want_blocks);
	put(sub, "duration_us", b->duration_us);
	put(sub, "start_us", b->ready_at > now ? b->ready_at - now : 0);
	put(sub, "waiting", waiting_nodes(t));
}

static void put_waits(const struct p4d_tenant *t, struct json_object *o)
{
	struct json_object *sub = put_object(o, "waits");

	put(sub, "count", t->nr_waits);
	put(sub, "p50_us", p4d_waits_quantile(t, 50));
	put(sub, "p99_us", p4d_waits_quantile(t, 99));
	put(sub, "max_us", p4d_waits_quantile(t, 100));
}

static void put_counters(const struct p4d_tenant *t, struct json_object *o)
{
#define X(name, help) #name,
	static const char *const names[] = { P4D_COUNTERS(X) };
#undef X
	struct json_object *sub = put_object(o, "counters");

	for (int i = 0; i < P4D_NR_COUNTERS; i++)
		put(sub, names[i], t->counter[i]);
}

static struct json_object *tenant_object(const struct p4d_engine *e, const struct p4d_tenant *t,
					 uint64_t now)
{
	const struct p4d_batch *b = t->next ? t->next : t->cur;
	struct json_object *o = json_object_new_object();
	uint64_t entries;

	p4d_escrow_sets(t, &entries);
	put(o, "id", t->id);
	put_text(o, "name", t->conf.name);
	json_object_object_add(o, "known", json_object_new_boolean(t->known));
	put(o, "weight", t->conf.weight);
	put(o, "min_blocks", t->conf.min_blocks);
	put(o, "max_blocks", t->conf.max_blocks);
	put(o, "nodes", t->nodes);
	put(o, "left", __builtin_popcountll(t->left));
	put_text(o, "state", state_of(t));
	put_grant(t, now, o);
	put_reserved(t, now, o);
	put(o, "escrow", entries);
	put(o, "target", t->target);
	put(o, "hot", t->hot * 100 / 256);
	put(o, "overrun", t->overrun * 100 / 256);
	json_object_object_add(o, "credit", json_object_new_int64(t->account.credit));
	put(o, "locks", t->named ? p4d_named_claims(t->named) : 0);
	put_waits(t, o);
	put_counters(t, o);
	put_refused(o, t->refused);
	put(o, "wanted", b ? b->want_blocks : 0);
	put(o, "believed", b ? p4d_believed(b) : 100);
	put(o, "waiting_us", t->next && t->next->waiting_from ? now - t->next->waiting_from : 0);
	put_text(o, "why", p4d_why_name(p4d_why(e, t)));
	put(o, "block_us", p4d_waits_block_us(t, now));
	json_object_object_add(o, "lock_block", p4d_lockcell_block(t) < 0 ? NULL :
			       json_object_new_int(p4d_lockcell_block(t)));
	put(o, "lock_cells", p4d_lockcell_count(t));
	return o;
}

static void answer_show(const struct p4d_engine *e, uint64_t now, struct json_object *o)
{
	struct json_object *list;
	unsigned int used = 0;

	for (unsigned int b = 0; b < e->geo.blocks; b++)
		used += e->owner[b] != 0;
	put_text(o, "switch", switch_state(e));
	put_text(o, "switch_why", e->sw_why);
	put(o, "blocks", e->geo.blocks);
	put(o, "used", used);
	list = put_list(o, "owners");
	for (unsigned int b = 0; b < e->geo.blocks; b++)
		append(list, e->owner[b]);
	list = put_list(o, "tenants");
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		json_object_array_add(list, tenant_object(e, t, now));
	put_refused(o, e->refused);
}

/* --------------------------------------------------------------------------------- history */

struct rows {
	struct json_object *list;
	uint64_t total, left;
	bool more;
};

static bool add_row(void *arg, uint64_t us, const uint32_t *blocks, size_t n)
{
	struct json_object *row;
	struct rows *rows = arg;
	uint64_t used = 0;

	rows->more = !rows->left;
	if (!rows->left--)
		return false;
	row = json_object_new_array();
	for (size_t i = 0; i < n; i++)
		used += blocks[i];
	append(row, us);
	append(row, used);
	append(row, rows->total);
	for (size_t i = 0; i < n; i++)
		append(row, blocks[i]);
	json_object_array_add(rows->list, row);
	return true;
}

static bool add_waiting(void *arg, uint64_t us, const uint32_t *tenants, size_t n)
{
	struct json_object *row;
	struct rows *rows = arg;

	rows->more = !rows->left;
	if (!rows->left--)
		return false;
	row = json_object_new_array();
	append(row, us);
	append(row, n ? tenants[0] : 0);
	json_object_array_add(rows->list, row);
	return true;
}

/* limit: rows of each list; what is left out comes with since_us of the last one of that list. */
static void answer_history(const struct p4d_engine *e, uint64_t since, uint64_t limit,
			   struct json_object *o)
{
	size_t n = p4d_history_tenants(e->history, NULL, 0);
	uint32_t *ids = calloc(n + 1, sizeof(*ids));
	struct json_object *list;
	struct rows rows, waits;

	put(o, "total", e->geo.blocks);
	list = put_list(o, "tenants");
	if (ids)
		p4d_history_tenants(e->history, ids, n);
	for (size_t i = 0; ids && i < n; i++)
		append(list, ids[i]);
	free(ids);
	put(o, "dropped", p4d_history_dropped(e->history));
	rows = (struct rows){ put_list(o, "history"), e->geo.blocks, limit, false };
	p4d_history_walk(e->history, since, add_row, &rows);
	waits = (struct rows){ put_list(o, "waiting"), 0, limit, false };
	p4d_history_walk(e->waiting, since, add_waiting, &waits);
	json_object_object_add(o, "more", json_object_new_boolean(rows.more));
	json_object_object_add(o, "more_waiting", json_object_new_boolean(waits.more));
}

/* --------------------------------------------------------------------------------- answers */

static struct json_object *error(const char *field, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "ok", json_object_new_boolean(false));
	put_text(o, "error", text);
	put_text(o, "field", field);
	return o;
}

/* A number of the request; absent: *out stays. The error to answer with, or NULL. */
static struct json_object *get_number(struct json_object *request, const char *name, int64_t min,
				      uint64_t *out)
{
	struct json_object *v;
	char text[80];

	if (!json_object_object_get_ex(request, name, &v))
		return NULL;
	if (json_object_is_type(v, json_type_int) && json_object_get_int64(v) >= min) {
		*out = json_object_get_int64(v);
		return NULL;
	}
	snprintf(text, sizeof(text), "%s: a number, %lld .. 2^63-1", name, (long long)min);
	return error(name, text);
}

static const struct p4d_tenant *tenant_of(const struct p4d_engine *e, uint64_t id)
{
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->id == id)
			return t;
	return NULL;
}

/* A name that is not known is as likely one that is misspelt: what it was to leave out would come. */
static struct json_object *check_fields(struct json_object *request, const char *cmd)
{
	static const struct { const char *name, *of; } known[] = {
		{ "cmd", NULL }, { "id", NULL }, { "tenant", "explain" }, { "since_us", "history" },
		{ "limit", "history" },
	};
	char text[120];

	json_object_object_foreach(request, key, value) {
		bool fits = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			fits |= !strcmp(key, known[i].name) &&
				(!known[i].of || !strcmp(cmd, known[i].of));
		if (fits)
			continue;
		snprintf(text, sizeof(text), "%.40s: is not a field of %s", key, cmd);
		return error(key, text);
	}
	return NULL;
}

static struct json_object *answer_object(const struct p4d_engine *e,
					 const struct p4d_status_conf *conf, bool store_ok,
					 uint64_t now, struct json_object *request)
{
	uint64_t since = 0, limit = UINT64_MAX, tenant = 0;
	struct json_object *o, *cmd;
	const char *name = "";

	if (json_object_object_get_ex(request, "cmd", &cmd) &&
	    json_object_is_type(cmd, json_type_string))
		name = json_object_get_string(cmd);
	if (strcmp(name, "info") && strcmp(name, "show") && strcmp(name, "history") &&
	    strcmp(name, "explain"))
		return error("cmd", "cmd: \"info\", \"show\", \"explain\" or \"history\"");
	if ((o = check_fields(request, name)) ||
	    (o = get_number(request, "since_us", 0, &since)) ||
	    (o = get_number(request, "limit", 2, &limit)) ||
	    (o = get_number(request, "tenant", 1, &tenant)))
		return o;
	if (!strcmp(name, "explain") && !tenant_of(e, tenant))
		return error("tenant", "tenant: the allocator knows no such tenant");
	o = json_object_new_object();
	json_object_object_add(o, "ok", json_object_new_boolean(true));
	put(o, "now_us", now - e->start);
	if (!strcmp(name, "info"))
		answer_info(e, conf, store_ok, o);
	else if (!strcmp(name, "show"))
		answer_show(e, now, o);
	else if (!strcmp(name, "explain"))
		p4d_explain(e, tenant_of(e, tenant), now, o);
	else
		answer_history(e, since, limit, o);
	return o;
}

struct json_object *p4d_status_answer(const struct p4d_engine *e,
				      const struct p4d_status_conf *conf, bool store_ok,
				      uint64_t now, const char *line)
{
	struct json_object *request = json_tokener_parse(line), *o, *id;

	if (!json_object_is_type(request, json_type_object)) {
		json_object_put(request);
		return error("", "not a JSON object; try {\"cmd\":\"show\"}");
	}
	o = answer_object(e, conf, store_ok, now, request);
	if (json_object_object_get_ex(request, "id", &id))
		json_object_object_add(o, "id", json_object_get(id));
	json_object_put(request);
	return o;
}

/* --------------------------------------------------------------------------------- clients */

static void on_line(struct p4d_lines *l, char *text)
{
	struct p4d_status *st = ((struct client *)l)->status;
	struct p4d_service *s = st->conf.service;

	p4d_lines_send(l, p4d_status_answer(p4d_service_engine(s), &st->conf,
					    p4d_service_store_ok(s), p4d_now(), text));
	if (p4d_lines_pending(l) > UNSENT_BYTES)
		p4d_lines_close(l);
}

static void on_client(struct p4d_watch *w, uint32_t events)
{
	struct p4d_lines *l = (struct p4d_lines *)w;
	int err = p4d_lines_io(l, events, on_line);

	((struct client *)w)->active = p4d_now();
	if (err)
		p4d_lines_close(l);
}

/* A free place, or that of who has been idle for longest: so nobody is kept out by those who say nothing. */
static struct client *make_place(struct p4d_status *st)
{
	struct client *idle = st->client;

	for (struct client *c = st->client; c < st->client + CLIENTS; c++) {
		if (c->lines.watch.fd < 0)
			return c;
		if (c->active < idle->active)
			idle = c;
	}
	p4d_lines_close(&idle->lines);
	return idle;
}

static void on_listen(struct p4d_watch *w, uint32_t events)
{
	struct p4d_status *st = (struct p4d_status *)w;
	int fd = p4d_loop_accept(st->loop, w->fd);
	struct client *c;

	if (fd < 0)
		return;
	c = make_place(st);
	c->active = p4d_now();
	p4d_lines_open(&c->lines, st->loop, fd, LINE_BYTES, on_client);
}

int p4d_status_open(struct p4d_status **out, struct p4d_loop *loop,
		    const struct p4d_status_conf *conf, char *err, size_t size)
{
	struct p4d_status *st = calloc(1, sizeof(*st));
	int fd = st ? p4d_unix_listen(conf->path, 0666) : -ENOMEM;
	int ret;

	if (fd < 0) {
		snprintf(err, size, "status socket %s: %s%s", conf->path, strerror(-fd),
			 fd == -EADDRINUSE ? ": another p4allocd answers there" : "");
		free(st);
		return fd;
	}
	st->conf = *conf;
	st->loop = loop;
	st->listen = (struct p4d_watch){ fd, on_listen };
	for (int i = 0; i < CLIENTS; i++) {
		st->client[i].lines.watch.fd = -1;
		st->client[i].status = st;
	}
	ret = p4d_loop_watch(loop, &st->listen, EPOLLIN);
	*out = st;
	return ret;
}

void p4d_status_close(struct p4d_status *st)
{
	for (int i = 0; i < CLIENTS; i++)
		p4d_lines_close(&st->client[i].lines);
	close(st->listen.fd);
	unlink(st->conf.path);
	free(st);
}
