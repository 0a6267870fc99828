// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_watch.c - what the allocator says about itself: reasons, explanations, history, metrics. */
#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/p4allocd/http.h"
#include "../../tools/p4allocd/jsonline.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/metrics.h"
#include "../../tools/p4allocd/service.h"
#include "../../tools/p4allocd/status.h"
#include "../../tools/p4allocd/why.h"
#include "allocd_world.h"

#define MS 1000

static struct world *w;

static int set_up(void **state)
{
	w = world_create(2, 8, 64, 3);
	return 0;
}

static int tear_down(void **state)
{
	world_destroy(w);
	return 0;
}

static uint64_t reserve(uint32_t tenant, uint32_t start_us, uint16_t min, uint16_t want)
{
	static const uint8_t hist[16] = { 100, 0, 50, 0, 30, 0, 20, 0, 15, 0, 12, 0, 10, 0, 9, 0 };
	struct p4d_request r = {
		.nodes = 1, .batch = 1, .start_us = start_us, .duration_us = 10 * MS,
		.min_blocks = min, .want_blocks = want, .flows = 1, .nr_hist = want,
		.hist = (const char *)hist,
	};

	return world_send_request(w, tenant, &r);
}

static void grant(uint32_t tenant, uint16_t min, uint16_t want)
{
	reserve(tenant, 0, min, want);
	world_send(w, tenant, 0, 1, P4W_WAIT, 1, 0);
	world_settle(w);
	assert_non_null(p4d_engine_tenant_record(w->e, tenant)->cur);
}

static struct json_object *ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct json_object *ask(const char *fmt, ...)
{
	static const struct p4d_status_conf conf = { .store = "s", .switch_path = "p" };
	char line[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return p4d_status_answer(w->e, &conf, true, w->now, line);
}

static struct json_object *at(struct json_object *o, const char *path)
{
	char name[32];

	for (int n; o && sscanf(path, "%31[^.]%n", name, &n) == 1; path += n + (path[n] == '.'))
		o = isdigit(*name) ? json_object_array_get_idx(o, atoi(name)) :
				     json_object_object_get(o, name);
	return o;
}

static int64_t number(struct json_object *o, const char *path)
{
	if (!at(o, path))
		fail_msg("no %s in %s", path, json_object_to_json_string(o));
	return json_object_get_int64(at(o, path));
}

static const char *text(struct json_object *o, const char *path)
{
	if (!at(o, path))
		fail_msg("no %s in %s", path, json_object_to_json_string(o));
	return json_object_get_string(at(o, path));
}

/* --------------------------------------------------------------------------------- reasons */

/* Declared to start later, so that RESERVED comes at once; then each reason in turn. */
static void why__each_reason(void **state)
{
	struct p4d_tenant *t = p4d_engine_tenant_record(w->e, 2);
	const struct p4w_reserved *r;
	uint64_t rpc;

	assert_int_equal(p4d_why(w->e, t), P4W_WHY_NONE);
	rpc = reserve(2, 5 * MS, 4, 8);
	r = world_answer(w, rpc);
	assert_int_equal(r->msg.type, P4W_RESERVED);
	assert_int_equal(r->why, P4W_WHY_START);
	assert_int_equal(r->believed, 100);
	assert_int_equal(ntohs(r->target), 0);		/* not decided yet */
	world_sleep(w, 6 * MS);
	assert_int_equal(p4d_why(w->e, t), P4W_WHY_WAIT);
	grant(1, 6, 6);
	assert_int_equal(p4d_why(w->e, t), P4W_WHY_BLOCKS);
	world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_settle(w);
	reserve(3, 0, 8, 8);
	world_send(w, 3, 0, 1, P4W_WAIT, 1, 0);
	world_settle(w);
	assert_int_equal(p4d_why(w->e, p4d_engine_tenant_record(w->e, 3)), P4W_WHY_TURN);
	world_switch_down(w);
	assert_int_equal(p4d_why(w->e, t), P4W_WHY_SWITCH);
	world_switch_up(w);
	t->barred_until = w->now + MS;
	assert_int_equal(p4d_why(w->e, t), P4W_WHY_OVERRAN);
	t->barred_until = 0;
	for (int why = P4W_WHY_NONE; why <= P4W_WHY_WAIT; why++)
		assert_true(strlen(p4d_why_name(why)) > 2);
}

static void explain__says_what_decided(void **state)
{
	struct json_object *o;

	grant(1, 2, 6);
	reserve(2, 0, 4, 8);
	world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 3 * MS);
	o = ask("{\"cmd\":\"explain\",\"tenant\":2}");
	assert_string_equal(text(o, "when.why"), "blocks");
	assert_int_equal(number(o, "number.min"), 4);
	assert_int_equal(number(o, "number.want"), 8);
	assert_int_equal(number(o, "number.held"), 0);
	assert_in_range(number(o, "number.target"), 2, 6);
	assert_int_equal(number(o, "when.free"), 2);
	assert_int_equal(number(o, "when.waited_us"), 3 * MS);
	assert_int_equal(number(o, "when.holders.0.tenant"), 1);
	assert_int_equal(number(o, "when.holders.0.blocks"), 6);
	assert_int_equal(number(o, "when.holders.0.lease_us"), 10 * MS + 100 * MS - 3 * MS);
	assert_true(json_object_get_double(at(o, "number.price")) > 0);
	assert_true(json_object_get_double(at(o, "number.certificate.of_bound")) > 0.9);
	assert_int_equal(json_object_array_length(at(o, "declared")), 9);
	assert_true(fabs(json_object_get_double(at(o, "declared.2")) - 150. / 246) < 1e-4);
	assert_true(json_object_get_double(at(o, "believed.8")) == 1);
	assert_int_equal(number(o, "check.batches"), 0);
	json_object_put(o);
	o = ask("{\"cmd\":\"explain\",\"tenant\":3}");
	assert_null(at(o, "number"));
	json_object_put(o);
}

static void explain__shows_what_is_not_believed(void **state)
{
	struct p4d_tenant *t = p4d_engine_tenant_record(w->e, 1);
	const uint16_t flat[8] = { 100, 100, 100, 100, 100, 100, 100, 100 };
	const uint64_t seen[8] = { 800000 };
	struct json_object *o;

	p4d_check_learn(&t->check, flat, 8, seen, 8);
	reserve(1, 5 * MS, 4, 8);
	o = ask("{\"cmd\":\"explain\",\"tenant\":1}");
	assert_in_range(number(o, "check.believed"), 38, 45);	/* 100 of 246 */
	assert_int_equal(number(o, "check.batches"), 1);
	assert_true(json_object_get_double(at(o, "check.off.0")) == 0);
	assert_true(json_object_get_double(at(o, "check.off.7")) > 0.99);
	json_object_put(o);
}

static void bad_questions__name_the_field(void **state)
{
	static const struct { const char *line, *field; } bad[] = {
		{ "{\"cmd\":\"explain\"}", "tenant" },
		{ "{\"cmd\":\"explain\",\"tenant\":77}", "tenant" },
		{ "{\"cmd\":\"explain\",\"tenant\":\"1\"}", "tenant" },
		{ "{\"cmd\":\"history\",\"limit\":1}", "limit" },
		{ "{\"cmd\":\"history\",\"since_us\":-1}", "since_us" },
		{ "{\"cmd\":\"why\"}", "cmd" },
		{ "{\"cmd\":\"history\",\"since\":5}", "since" },
		{ "{\"cmd\":\"show\",\"tenant\":1}", "tenant" },
		{ "{\"id\":1,\"cmd\":\"info\",\"limit\":3}", "limit" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json_object *o = ask("%s", bad[i].line);

		assert_false(json_object_get_boolean(at(o, "ok")));
		assert_string_equal(text(o, "field"), bad[i].field);
		json_object_put(o);
	}
}

static void show__what_top_needs(void **state)
{
	struct json_object *o;

	grant(1, 6, 6);
	reserve(2, 0, 4, 8);
	world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 2 * MS);
	o = ask("{\"cmd\":\"show\"}");
	assert_int_equal(number(o, "tenants.0.block_us"), 6 * 2 * MS);	/* while it still holds */
	assert_int_equal(number(o, "tenants.0.wanted"), 6);
	assert_int_equal(number(o, "tenants.1.waiting_us"), 2 * MS);
	assert_string_equal(text(o, "tenants.1.why"), "blocks");
	assert_int_equal(number(o, "tenants.1.believed"), 100);
	json_object_put(o);
}

static void show__the_block_for_cells_of_locks(void **state)
{
	struct p4w_lock m = {
		.msg = { P4W_VERSION, P4W_LOCK, htons(sizeof(m)), 0, htons(1), 0, htonl(P4W_LOCK_EXCLUSIVE) },
		.owner = htobe64(7), .name = "often",
	};
	const struct p4w_locked *locked;
	struct json_object *o = ask("{\"cmd\":\"show\"}");

	assert_null(at(o, "tenants.0.lock_block"));
	assert_int_equal(number(o, "tenants.0.lock_cells"), 0);
	json_object_put(o);
	tear_down(NULL);
	w = world_create(8, 8, 64, 3);
	world_send(w, 1, 0, 1, P4W_LOCK_CELLS, 0, 0);
	world_settle(w);
	for (int i = 0; i < 8; i++) {		/* until it is worth a cell */
		m.owner = htobe64(7 + i);
		m.msg.type = P4W_LOCK;
		m.msg.code = htonl(P4W_LOCK_EXCLUSIVE);
		m.token = 0;
		m.lease_us = htonl(MS);
		locked = world_answer(w, world_send_bytes(w, 1, &m, sizeof(m)));
		m.msg.type = P4W_UNLOCK;
		m.msg.code = m.lease_us = 0;
		m.token = locked->token;
		world_send_bytes(w, 1, &m, sizeof(m));
		world_settle(w);
	}
	o = ask("{\"cmd\":\"show\"}");
	assert_int_equal(number(o, "tenants.0.lock_block"), 7);
	assert_int_equal(number(o, "tenants.0.lock_cells"), 1);
	assert_int_equal(number(o, "owners.7"), 1);
	json_object_put(o);
}

/* A later row of the same time replaces an earlier one, here as in p4ctl. */
static size_t keep(struct json_object **row, size_t n, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);

		if (n && number(r, "0") == number(row[n - 1], "0"))
			json_object_put(row[--n]);
		row[n++] = json_object_get(r);
	}
	return n;
}

static void history__in_pages(void **state)
{
	struct json_object *whole[64], *paged[64], *o = NULL;
	size_t n, m = 0;
	bool more;

	for (uint32_t batch = 1; batch <= 5; batch++) {
		struct p4d_request r = {
			.nodes = 1, .batch = batch, .code = batch > 1 ? P4W_REQ_DONE : 0,
			.duration_us = MS, .min_blocks = 1, .want_blocks = batch, .flows = 1,
		};

		world_send_request(w, 1, &r);
		world_send(w, 1, 0, 1, P4W_WAIT, batch, 0);
		world_sleep(w, MS);
	}
	o = ask("{\"cmd\":\"history\"}");
	n = keep(whole, 0, at(o, "history"));
	assert_false(json_object_get_boolean(at(o, "more")));
	assert_int_equal(json_object_array_length(at(o, "history")), 9);
	json_object_put(o);
	do {
		o = ask("{\"cmd\":\"history\",\"since_us\":%lld,\"limit\":2}",
			m ? (long long)number(paged[m - 1], "0") : 0);
		assert_true(json_object_array_length(at(o, "history")) <= 2);
		m = keep(paged, m, at(o, "history"));
		more = json_object_get_boolean(at(o, "more"));
		json_object_put(o);
	} while (more && m < 60);
	assert_int_equal(n, 5);
	assert_int_equal(m, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(json_object_to_json_string(whole[i]),
				    json_object_to_json_string(paged[i]));
		json_object_put(whole[i]);
		json_object_put(paged[i]);
	}
}

static void history__who_waits(void **state)
{
	struct json_object *o;

	grant(1, 8, 8);
	world_sleep(w, MS);
	for (uint32_t id = 2; id <= 3; id++) {
		reserve(id, 0, 4, 8);
		world_send(w, id, 0, 1, P4W_WAIT, 1, 0);
		world_settle(w);
	}
	world_sleep(w, MS);
	world_send(w, 1, 0, 1, P4W_DONE, 1, 0);
	world_settle(w);
	o = ask("{\"cmd\":\"history\",\"since_us\":%d}", 3 * MS / 2);
	assert_int_equal(number(o, "waiting.0.1"), 2);
	assert_int_equal(number(o, "waiting.1.0"), 2 * MS);
	assert_int_equal(number(o, "waiting.1.1"), 1);	/* one after the other, at once */
	assert_int_equal(number(o, "waiting.2.1"), 0);
	json_object_put(o);
}

/* --------------------------------------------------------------------------------- metrics */

struct family {
	char name[80], type[16];
	bool help;
};

static bool is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalpha(s[i]) && s[i] != '_' && (!i || !isdigit(s[i])))
			return false;
	return n;
}

/* Of NAME{label="value",...}: where it ends, NULL if it is not well formed. */
static const char *labels_end(const char *s)
{
	if (*s != '{')
		return s;
	do {
		const char *equals = strchr(++s, '=');

		if (!equals || !is_name(s, equals - s) || equals[1] != '"')
			return NULL;
		for (s = equals + 2; *s && *s != '"'; s++)
			if (*s == '\\' && !strchr("\\\"n", *++s))
				return NULL;
		if (*s++ != '"')
			return NULL;
	} while (*s == ',');
	return *s == '}' ? s + 1 : NULL;
}

static bool belongs(const struct family *f, const char *name, size_t n)
{
	size_t len = strlen(f->name);

	if (n == len && !memcmp(name, f->name, n))
		return true;
	return !strcmp(f->type, "summary") && n > len && !memcmp(name, f->name, len) &&
	       ((n == len + 4 && !memcmp(name + len, "_sum", 4)) ||
		(n == len + 6 && !memcmp(name + len, "_count", 6)));
}

/* What Prometheus refuses is refused here, too. Returns samples. */
static size_t parse(char *page)
{
	static struct family families[64];
	static char *seen[512];
	struct family *f = NULL;
	size_t samples = 0;

	for (char *line = page, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);		/* the last line ends, too */
		*end = '\0';
		if (!strncmp(line, "# HELP ", 7)) {
			f = f ? f + 1 : families;
			memset(f, 0, sizeof(*f));
			assert_int_equal(sscanf(line, "# HELP %79s", f->name), 1);
			for (const struct family *g = families; g < f; g++)
				assert_string_not_equal(g->name, f->name);
			f->help = true;
		} else if (!strncmp(line, "# TYPE ", 7)) {
			char name[80];

			assert_int_equal(sscanf(line, "# TYPE %79s %15s", name, f->type), 2);
			assert_string_equal(name, f->name);
			assert_non_null(strstr("gauge counter summary", f->type));
			assert_int_equal(!strcmp(f->type, "counter"), strlen(name) > 6 &&
					 !strcmp(name + strlen(name) - 6, "_total"));
		} else {
			size_t n = strcspn(line, "{ ");
			const char *value = labels_end(line + n);
			char *rest;

			assert_true(is_name(line, n) && belongs(f, line, n));
			assert_non_null(value);
			assert_int_equal(*value, ' ');
			strtod(value + 1, &rest);
			assert_true(rest > value + 1 && !*rest);
			*(char *)value = '\0';
			for (size_t i = 0; i < samples; i++)
				assert_string_not_equal(seen[i], line);
			seen[samples++] = line;
			*(char *)value = ' ';
		}
		*end = '\n';
	}
	return samples;
}

static void page(void *arg, FILE *f)
{
	static const struct p4d_server_stats replies = { 3, 70, 2 };

	p4d_metrics_print(w->e, true, &replies, w->now, f);
}

static char *metrics(void)
{
	char *text_ = NULL;
	size_t len;
	FILE *f = open_memstream(&text_, &len);

	page(NULL, f);
	fclose(f);
	return text_;
}

static void has(const char *page_, const char *line)
{
	char find[200];

	snprintf(find, sizeof(find), "\n%s\n", line);
	if (!strstr(page_, find))
		fail_msg("no %s in %s", line, page_);
}

static void metrics__are_well_formed_and_true(void **state)
{
	struct p4d_tenant_conf evil = { 3, "a\"b\\c\nd", 100, 0, 8 };
	char *m;

	p4d_engine_tenant(w->e, w->now, &evil);
	grant(1, 6, 6);
	reserve(2, 0, 4, 8);
	world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_sleep(w, 500 * MS / 10);
	assert_int_equal(world_refusal(w, world_send(w, 1, 0, 1, P4W_SYNC, 9, 1)),
			 P4W_REFUSED_ORDER);
	m = metrics();
	assert_true(parse(m) > 100);
	has(m, "p4alloc_blocks 8");
	has(m, "p4alloc_blocks_held 6");
	has(m, "p4alloc_switch_up 1");
	has(m, "p4alloc_replies_waiting 3");
	has(m, "p4alloc_replies_kept_total 70");
	has(m, "p4alloc_replies_dropped_total 2");
	has(m, "p4alloc_tenant_blocks{tenant=\"1\",name=\"t\"} 6");
	has(m, "p4alloc_tenant_waiting{tenant=\"2\",name=\"t\"} 1");
	has(m, "p4alloc_tenant_waiting{tenant=\"3\",name=\"a\\\"b\\\\c\\nd\"} 0");
	has(m, "p4alloc_tenant_wait_seconds{tenant=\"2\",name=\"t\",quantile=\"0.5\"} NaN");
	has(m, "p4alloc_tenant_refused_total{tenant=\"1\",name=\"t\",reason=\"order\"} 2");
	has(m, "p4alloc_tenant_block_seconds_total{tenant=\"1\",name=\"t\"} 0.29999999999999999");
	free(m);
}

/* ------------------------------------------------------------------------------------ HTTP */

static struct {
	struct p4d_loop *loop;
	struct p4d_http *http;
	struct p4d_watch stop;
	int pipe[2];
	pthread_t thread;
	char path[64];
} server;

static void on_stop(struct p4d_watch *watch, uint32_t events)
{
	p4d_loop_stop(server.loop);
}

static void after(void *arg)
{
}

static void *serve(void *arg)
{
	p4d_loop_run(server.loop, after, NULL);
	return NULL;
}

static int start_http(void **state)
{
	char err[200];

	set_up(state);
	snprintf(server.path, sizeof(server.path), "/tmp/allocd_watch.%d", getpid());
	server.loop = p4d_loop_create();
	assert_int_equal(p4d_http_open(&server.http, server.loop, server.path, page, NULL, err,
				       sizeof(err)), 0);
	assert_int_equal(pipe(server.pipe), 0);
	server.stop = (struct p4d_watch){ server.pipe[0], on_stop };
	p4d_loop_watch(server.loop, &server.stop, EPOLLIN);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_http(void **state)
{
	assert_int_equal(write(server.pipe[1], "x", 1), 1);
	pthread_join(server.thread, NULL);
	p4d_http_close(server.http);
	p4d_loop_destroy(server.loop);
	close(server.pipe[0]);
	close(server.pipe[1]);
	assert_int_not_equal(access(server.path, F_OK), 0);
	return tear_down(state);
}

static int dial(void)
{
	int fd;

	for (int i = 0; (fd = p4d_unix_connect(server.path)) == -EAGAIN && i < 1000; i++)
		usleep(1000);
	assert_true(fd >= 0);
	return fd;
}

/* All that comes until the end, within 10 s. */
static size_t receive(int fd, char *buf, size_t size)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t got = 0;
	ssize_t n;

	while (poll(&p, 1, 10000) == 1 && (n = recv(fd, buf + got, size - 1 - got, 0)) > 0)
		got += n;
	buf[got] = '\0';
	close(fd);
	return got;
}

static const char *get(const char *request, size_t len)
{
	static char buf[1 << 16];
	int fd = dial();

	send(fd, request, len, MSG_NOSIGNAL);
	receive(fd, buf, sizeof(buf));
	return buf;
}

static void http__page(void **state)
{
	static const char request[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
	int fd = dial();
	const char *answer = get(request, sizeof(request) - 1), *body;
	char *m = metrics(), buf[4096];
	size_t len;

	assert_int_equal(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4"));
	assert_int_equal(sscanf(strstr(answer, "Content-Length: "), "Content-Length: %zu", &len), 1);
	body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), len);
	assert_string_equal(body, m);
	free(m);
	for (const char *c = "HEAD /metrics HTTP/1.0\n\n"; *c; c++) {	/* byte by byte */
		assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
		usleep(200);
	}
	receive(fd, buf, sizeof(buf));
	assert_int_equal(strncmp(buf, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_string_equal(strstr(buf, "\r\n\r\n"), "\r\n\r\n");
}

static void http__what_it_refuses(void **state)
{
	static const struct { const char *request, *status; } t[] = {
		{ "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
		{ "GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
		{ "GET /metrics\r\n\r\n", "HTTP/1.1 400 " },
		{ "\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /metrics FTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
	};
	static char many[HTTP_HEAD + 1];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(strncmp(get(t[i].request, strlen(t[i].request)), t[i].status, 13),
				 0);
	assert_int_equal(strncmp(get("GET \0/metrics HTTP/1.1\r\n\r\n", 27), "HTTP/1.1 400 ", 13), 0);
	memset(many, 'a', HTTP_HEAD);
	assert_int_equal(strncmp(get(many, HTTP_HEAD), "HTTP/1.1 431 ", 13), 0);
	for (uint32_t seed = 1, i = 0; i < 300; i++) {		/* noise ends in an answer, or in none */
		char noise[200];

		for (size_t n = 0; n < sizeof(noise); n++)
			noise[n] = (seed = seed * 1664525 + 1013904223) >> 24;
		memcpy(noise + 190, "\r\n\r\n", 4);
		assert_int_equal(strncmp(get(noise, sizeof(noise)), "HTTP/1.1 400 ", 13), 0);
	}
}

/* Who says nothing keeps a place for a while, and keeps nobody out. */
static void http__slow_clients_are_cut_off(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	int fd[HTTP_CLIENTS], fresh;
	char c;

	for (int i = 0; i < HTTP_CLIENTS; i++)
		fd[i] = dial();
	for (int i = 0; i < HTTP_CLIENTS; i++)
		assert_int_equal(send(fd[i], "G", 1, MSG_NOSIGNAL), 1);
	usleep(20000);
	assert_int_equal(strncmp(get(request, sizeof(request) - 1), "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(recv(fd[0], &c, 1, MSG_DONTWAIT), 0);	/* the oldest gave its place */
	fresh = dial();			/* which this one has now */
	assert_int_equal(send(fresh, "G", 1, MSG_NOSIGNAL), 1);
	usleep(20000);
	assert_int_equal(strncmp(get(request, sizeof(request) - 1), "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(recv(fd[1], &c, 1, MSG_DONTWAIT), 0);	/* the oldest that is left */
	assert_int_equal(recv(fresh, &c, 1, MSG_DONTWAIT), -1);
	close(fresh);
	for (int i = 0; i < HTTP_CLIENTS; i++) {
		struct pollfd p = { fd[i], POLLIN, 0 };

		assert_int_equal(poll(&p, 1, HTTP_US / 1000 + 5000), 1);
		assert_int_equal(recv(fd[i], &c, 1, 0), 0);
		close(fd[i]);
	}
	assert_int_equal(strncmp(get(request, sizeof(request) - 1), "HTTP/1.1 200 ", 13), 0);
}

/* Without a descriptor left: who knocks is sent away, else the loop would turn for ever. */
static void http__without_descriptors(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), next = dup(0);
	struct pollfd p = { fd, POLLIN, 0 };
	struct rlimit before, none;
	char c;

	close(next);
	strcpy(a.sun_path, server.path);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
	assert_int_equal(strncmp(get(request, sizeof(request) - 1), "HTTP/1.1 200 ", 13), 0);
}

static void http__where(void **state)
{
	static const char *const bad[] = { "", "0", "65536", "9x", ":", "1.2.3:80", "host:80",
					   "127.0.0.1:", "[::1:80", "/nowhere/at/all", "999999999999" };
	static const char *const good[] = { "38991", "127.0.0.1:38991", "[::1]:38991" };
	struct p4d_loop *loop = p4d_loop_create();
	struct p4d_http *http;
	char err[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(p4d_http_open(&http, loop, bad[i], page, NULL, err, sizeof(err)) < 0);
		assert_non_null(strstr(err, bad[i]));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int ret;

		loop = p4d_loop_create();
		ret = p4d_http_open(&http, loop, good[i], page, NULL, err, sizeof(err));
		if (ret != -EADDRNOTAVAIL && ret != -EAFNOSUPPORT && ret != -EADDRINUSE) {
			assert_int_equal(ret, 0);
			p4d_http_close(http);
		}
		p4d_loop_destroy(loop);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define HTTP_TEST(f) cmocka_unit_test_setup_teardown(f, start_http, stop_http)

/* Who asks on, and reads, but never all that there is. */
static void lines__of_a_slow_reader_need_no_more_room(void **state)
{
	static char text[65536], sink[65536];
	struct p4d_loop *loop = p4d_loop_create();
	struct p4d_lines l;
	int fd[2];

	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	p4d_lines_open(&l, loop, fd[0], 65536, NULL);
	for (int i = 0; i < 500; i++) {
		p4d_lines_send(&l, json_object_new_string(text));
		while (p4d_lines_pending(&l) > 4 * sizeof(text)) {
			assert_int_equal(p4d_lines_io(&l, EPOLLOUT, NULL), 0);
			assert_true(read(fd[1], sink, sizeof(sink)) > 0);
		}
	}
	assert_true(l.out_room < 64 * sizeof(text));
	p4d_lines_close(&l);
	close(fd[1]);
	p4d_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(why__each_reason),
		TEST(explain__says_what_decided),
		TEST(explain__shows_what_is_not_believed),
		TEST(bad_questions__name_the_field),
		TEST(show__what_top_needs),
		TEST(show__the_block_for_cells_of_locks),
		TEST(history__in_pages),
		TEST(history__who_waits),
		TEST(metrics__are_well_formed_and_true),
		HTTP_TEST(http__page),
		HTTP_TEST(http__what_it_refuses),
		HTTP_TEST(http__slow_clients_are_cut_off),
		HTTP_TEST(http__without_descriptors),
		TEST(http__where),
		cmocka_unit_test(lines__of_a_slow_reader_need_no_more_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
