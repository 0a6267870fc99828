// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_fuzz_lines.c - what reaches the allocator over sockets: a switch whose answers are spoiled, and
 * clients of the status socket and of the metrics page that send anything.
 *
 * The real service, its store, loop and connections, in one thread: clock and epoll are wrapped (and the log), so
 * that time passes when there is nothing to do, and then it is the other side's turn. Built with
 * sanitizers. In the end the switch tells the truth again: then a tenant must be served, and status and
 * metrics must answer.
 *
 * TURNS=n SEED=n for longer runs: a service has SERVICE_TURNS, the next one another seed.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/p4allocd/http.h"
#include "../../tools/p4allocd/jsonline.h"
#include "../../tools/base64.h"
#include "../../tools/p4allocd/log.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/metrics.h"
#include "../../tools/p4allocd/service.h"
#include "../../tools/p4allocd/status.h"
#include "fuzz_make.h"
#include "fuzz_text.h"

#define TURNS 60000		/* in `make test` */
#define SERVICE_TURNS 20000
#define CLIENTS 28		/* more than are let in */
#define LINE 70000		/* longest that is made */
#define BLOCKS 16
#define REGISTERS 8
#define CALM_US 60000000	/* until all must have been served */

static struct {
	struct p4d_loop *loop;
	struct p4d_service *service;
	struct p4d_status *status;
	struct p4d_http *http;
	char store[64], switch_path[64], status_path[64], http_path[64];
	uint64_t turns;
	bool calm;
	uint64_t calm_from;
	int listen, fd;			/* of the switch; fd -1: not connected */
	char in[LINE];			/* from the allocator */
	size_t nr_in;
	uint64_t owner[P4W_MAX_BLOCKS], boot;
	int client[CLIENTS];		/* -1: none */
	uint64_t rpc, asked;		/* the calm tenant's last message */
	uint8_t heard;			/* type of its answer */
	uint32_t batch;
	bool granted, status_ok, http_ok;
} f;

static uint64_t now = 1000000, armed = UINT64_MAX, turns, lines, spoiled, granted, ups;

static uint32_t rnd(uint32_t n)
{
	return fuzz_rnd(n);
}

/* -------------------------------------------------------------------------------- spoilt lines */

static size_t spoil_line(char *line, size_t len)
{
	spoiled++;
	return fuzz_text(line, len, LINE);
}

static void write_to(int fd, const char *bytes, size_t len)
{
	/* What finds no room is lost, as is what comes after it: one more way to be wrong. */
	if (send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	lines++;
}

/* ------------------------------------------------------------------------------------ the switch */

static uint64_t member(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_uint64(v) : 0;
}

static struct json_object *list(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, name, &v);
	return v;
}

static const char *text(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

static void put(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

/* Owners it knows; of all else it says 0, or anything if that must not matter. */
static uint64_t cell_of(struct json_object *cmd, uint64_t index)
{
	if (!strcmp(text(cmd, "array"), "owner"))
		return f.owner[index % P4W_MAX_BLOCKS];
	return f.calm || rnd(4) ? 0 : rnd(UINT32_MAX);
}

static void read_cells(struct json_object *cmd, struct json_object *out)
{
	struct json_object *indexes = list(cmd, "indexes"), *values = json_object_new_array();
	size_t each = strcmp(text(cmd, "array"), "r*") ? 1 : REGISTERS;
	size_t count = each * (indexes ? json_object_array_length(indexes) : member(cmd, "count"));
	uint32_t *low = calloc(count, sizeof(*low));
	char *digits = calloc(1, BASE64_DIGITS(4 * count) + 1);

	for (size_t i = 0; i < count; i++) {
		uint64_t at = indexes ? json_object_get_uint64(json_object_array_get_idx(indexes, i / each)) :
					member(cmd, "index") + i / each;
		uint64_t v = cell_of(cmd, at);

		json_object_array_add(values, json_object_new_uint64(v));
		low[i] = htole32(v);
	}
	base64_encode(digits, low, 4 * count);
	if (list(cmd, "base64"))
		json_object_object_add(out, "base64", json_object_new_string(digits));
	else
		json_object_object_add(out, "values", json_object_get(values));
	json_object_put(values);
	free(digits);
	free(low);
}

static void write_owners(struct json_object *cmd)
{
	struct json_object *indexes = list(cmd, "indexes"), *values = list(cmd, "values");

	if (strcmp(text(cmd, "array"), "owner") || !indexes)
		return;
	for (size_t i = 0; i < json_object_array_length(indexes); i++)
		f.owner[json_object_get_uint64(json_object_array_get_idx(indexes, i)) %
			P4W_MAX_BLOCKS] =
			json_object_get_uint64(json_object_array_get_idx(values, i));
}

static struct json_object *answer(struct json_object *cmd)
{
	struct json_object *o = json_object_new_object(), *results, *cmds;
	const char *name = text(cmd, "cmd");

	json_object_object_add(o, "ok", json_object_new_boolean(true));
	if (!strcmp(name, "info")) {
		put(o, "version", P4W_VERSION);
		put(o, "control", P4W_CONTROL_VERSION);
		put(o, "registers", REGISTERS);
		put(o, "dependent", 2);
		put(o, "blocks", BLOCKS);
		put(o, "block_slots", P4W_BLOCK_SLOTS);
		put(o, "flows", 256);
		put(o, "boot", f.boot);
	} else if (!strcmp(name, "reg_read")) {
		read_cells(cmd, o);
	} else if (!strcmp(name, "reg_write")) {
		write_owners(cmd);
	} else if (!strcmp(name, "batch")) {
		cmds = list(cmd, "cmds");
		results = json_object_new_array();
		for (size_t i = 0; i < json_object_array_length(cmds); i++)
			json_object_array_add(results, answer(json_object_array_get_idx(cmds, i)));
		json_object_object_add(o, "results", results);
	}
	return o;
}

static void hang_up(void)
{
	if (f.fd >= 0)
		close(f.fd);
	f.fd = -1;
	f.nr_in = 0;
}

static void answer_line(const char *line)
{
	struct json_object *cmd = json_tokener_parse(line), *o;
	static char out[LINE];
	size_t len;

	assert_true(json_object_is_type(cmd, json_type_object));
	o = answer(cmd);
	len = snprintf(out, sizeof(out) - 1, "%s",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	json_object_put(cmd);
	assert_true(len < sizeof(out) - 1);
	/* The first answer decides about all that follow, and is one of many. */
	if (!f.calm && !rnd(strstr(line, "\"info\"") ? 2 : 30))
		len = spoil_line(out, len);
	out[len++] = '\n';
	write_to(f.fd, out, f.calm || rnd(200) ? len : rnd(len));
}

static bool switch_turn(void)
{
	ssize_t n;
	char *end;

	if (f.fd < 0) {
		f.fd = accept4(f.listen, NULL, NULL, SOCK_NONBLOCK);
		ups += f.fd >= 0;
		return f.fd >= 0;
	}
	if (!f.calm && !rnd(2000)) {
		hang_up();
		f.boot += rnd(2);
		return true;
	}
	n = recv(f.fd, f.in + f.nr_in, sizeof(f.in) - f.nr_in, 0);
	if (!n || (n < 0 && errno != EAGAIN))
		hang_up();
	if (n <= 0)
		return !n;
	f.nr_in += n;
	while (f.fd >= 0 && (end = memchr(f.in, '\n', f.nr_in))) {
		*end = '\0';
		answer_line(f.in);
		f.nr_in -= end + 1 - f.in;
		memmove(f.in, end + 1, f.nr_in);
	}
	return true;
}

/* --------------------------------------------------------------------- clients of status, metrics */

static void client_says(unsigned int i)
{
	static const char *const good[] = {
		"{\"cmd\":\"info\",\"id\":7}\n", "{\"cmd\":\"show\"}\n",
		"{\"cmd\":\"history\",\"since_us\":5,\"limit\":100}\n",
		"{\"cmd\":\"explain\",\"tenant\":3}\n", "{\"cmd\":\"show\"}\n{\"cmd\":\"info\"}\n",
		"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n", "HEAD /metrics?a=1 HTTP/1.0\r\n\r\n",
		"POST /metrics HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
	};
	static char line[LINE];
	size_t len = sprintf(line, "%s", good[rnd(9)]);

	for (unsigned int n = rnd(3); n; n--)
		len = spoil_line(line, len);
	if (!rnd(300))
		memset(line, rnd(2) ? '[' : 'x', len = LINE);
	write_to(f.client[i], line, len);
}

static void client_turn(void)
{
	unsigned int i = rnd(CLIENTS);
	char buf[4096];

	if (f.client[i] < 0) {
		f.client[i] = p4d_unix_connect(rnd(2) ? f.status_path : f.http_path);
		return;
	}
	if (rnd(3))
		client_says(i);
	else
		while (recv(f.client[i], buf, sizeof(buf), MSG_DONTWAIT) == sizeof(buf) && rnd(8))
			;
	if (!rnd(6)) {
		close(f.client[i]);
		f.client[i] = -1;
	}
}

/* -------------------------------------------------------------------------------------- tenants */

static const struct p4d_tenant *tenant_of(uint32_t id)
{
	for (const struct p4d_tenant *t = p4d_service_engine(f.service)->tenants; t; t = t->link)
		if (t->id == id)
			return t;
	return NULL;
}

static void tenant_turn(void)
{
	uint32_t id = 2 + rnd(FUZZ_TENANTS - 1);
	static uint8_t bytes[FUZZ_MAKE_MAX];
	struct p4d_who who = { .rpc = ++f.rpc };
	size_t len = fuzz_make(bytes, tenant_of(id), false);

	if (!rnd(8))
		len = fuzz_spoil(bytes, len, sizeof(bytes));
	who.peer.sin_addr.s_addr = htonl(0x0a000001 + rnd(4));
	fuzz_sends(id, who.rpc, bytes, len);
	p4d_service_message(f.service, id, &who, bytes, len);
}

static void on_reply(void *arg, const struct p4d_who *who, const void *bytes, size_t len)
{
	const struct p4w_msg *m = bytes;

	fuzz_heard(who->rpc, bytes);
	granted += m->type == P4W_GRANTED;
	if (who->rpc != f.asked)
		return;
	f.heard = m->type;
	f.batch = ntohl(m->batch);
	f.granted |= m->type == P4W_GRANTED;
}

static void calm_says(const void *bytes, size_t len)
{
	struct p4d_who who = { .rpc = f.asked = ++f.rpc };

	f.heard = 0;
	p4d_service_message(f.service, 1, &who, bytes, len);
}

/* HELLO, REQUEST, WAIT; from the beginning if it is refused. */
static void calm_turn(void)
{
	struct p4w_request m = {
		.msg = { P4W_VERSION, P4W_HELLO, htons(sizeof(m.msg)), 0, htons(1), 0, 0 },
		.duration_us = htonl(1000), .min_blocks = htons(1), .want_blocks = htons(2),
		.flows = htonl(1),
	};

	if (f.granted || (f.asked && !f.heard))
		return;
	if (f.heard == P4W_WELCOME) {
		m.msg.type = P4W_REQUEST;
		m.msg.length = htons(sizeof(m));
		m.msg.batch = htonl(f.batch);
		calm_says(&m, sizeof(m));
	} else if (f.heard == P4W_RESERVED) {
		m.msg.type = P4W_WAIT;
		m.msg.batch = htonl(f.batch);
		calm_says(&m, sizeof(m.msg));
	} else {
		calm_says(&m, sizeof(m.msg));
	}
}

/* Asks once, then looks for the answer. */
static bool ask_until(unsigned int i, const char *path, const char *say, const char *want)
{
	static char buf[1 << 20];
	ssize_t n;

	if (f.client[i] < 0) {
		f.client[i] = p4d_unix_connect(path);
		if (f.client[i] >= 0)
			write_to(f.client[i], say, strlen(say));
		return false;
	}
	n = recv(f.client[i], buf, sizeof(buf) - 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	buf[n < 0 ? 0 : n] = '\0';
	close(f.client[i]);
	f.client[i] = -1;
	return strstr(buf, want);
}

static void close_clients(void)
{
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (f.client[i] >= 0)
			close(f.client[i]);
	memset(f.client, 0xff, sizeof(f.client));
}

static bool calm_is_over(void)
{
	if (!f.status_ok)
		f.status_ok = ask_until(0, f.status_path, "{\"cmd\":\"info\"}\n", "\"ok\":true");
	if (!f.http_ok)
		f.http_ok = ask_until(1, f.http_path, "GET /metrics HTTP/1.1\r\n\r\n", " 200 OK\r\n");
	if (now - f.calm_from > CALM_US)
		fail_msg("after the noise: granted %d, status %d, metrics %d", f.granted,
			 f.status_ok, f.http_ok);
	return f.granted && f.status_ok && f.http_ok;
}

/* ------------------------------------------------------------------------- time and the other side */

static void other_side(void)
{
	if (!f.calm && f.turns-- == 0) {
		f.calm = true;
		f.calm_from = now;
		hang_up();		/* a lie may still be believed of the switch that has told it */
		f.boot++;
		close_clients();
	}
	turns++;
	switch_turn();
	if (f.calm) {
		calm_turn();
		if (calm_is_over())
			p4d_loop_stop(f.loop);
		return;
	}
	if (rnd(3))
		tenant_turn();
	else
		client_turn();
}

int __real_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *old);

/* Nothing to do: the other side has its turn, and time goes on, to the next timer at most. */
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	int n = __real_epoll_wait(epfd, events, max, 0);
	uint64_t at = now + 1 + rnd(200);

	if (n)
		return n;
	other_side();
	if (f.fd < 0 && armed != UINT64_MAX && !rnd(4))
		at = armed;		/* not all of a pause is noise */
	now = at > armed && armed > now ? armed : at;
	return __real_epoll_wait(epfd, events, max, 0);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	ts->tv_sec = now / 1000000;
	ts->tv_nsec = now % 1000000 * 1000;
	return 0;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	uint64_t us = when->it_value.tv_sec * 1000000ull + when->it_value.tv_nsec / 1000;

	armed = us ? us : UINT64_MAX;
	return 0;
}

/* ----------------------------------------------------------------------------------------- runs */

static void after(void *arg)
{
	p4d_service_flush(f.service);
}

static void page(void *arg, FILE *out)
{
	static const struct p4d_server_stats replies;

	p4d_metrics_print(p4d_service_engine(f.service), p4d_service_store_ok(f.service), &replies, now, out);
}

static void path_of(char *out, const char *what)
{
	snprintf(out, 64, "/dev/shm/allocd_fuzz_lines.%d.%s", getpid(), what);
	unlink(out);
}

static void open_all(void)
{
	struct p4d_service_conf conf = {
		.store = f.store, .switch_path = f.switch_path, .switch_ops = &p4d_switch_soft,
		.reply = on_reply,
	};
	struct p4d_status_conf status;
	char err[256];

	f.listen = p4d_unix_listen(f.switch_path, 0600);
	assert_true(f.listen >= 0);
	f.loop = p4d_loop_create();
	assert_non_null(f.loop);
	if (p4d_service_open(&f.service, f.loop, &conf, err, sizeof(err)))
		fail_msg("%s", err);
	status = (struct p4d_status_conf){ f.service, f.status_path, f.store, f.switch_path, 4001 };
	if (p4d_status_open(&f.status, f.loop, &status, err, sizeof(err)) ||
	    p4d_http_open(&f.http, f.loop, f.http_path, page, NULL, err, sizeof(err)))
		fail_msg("%s", err);
}

static void close_all(void)
{
	close_clients();
	hang_up();
	p4d_http_close(f.http);
	p4d_status_close(f.status);
	p4d_service_close(f.service);
	p4d_loop_destroy(f.loop);
	close(f.listen);
	unlink(f.switch_path);
	unlink(f.store);
}

static void run_service(uint64_t seed, uint64_t count)
{
	struct p4d_policy policy = { .lease_max_us = 200000, .grace_us = 5000 };

	memset(&f, 0, sizeof(f));
	fuzz_seed(seed);
	memset(f.client, 0xff, sizeof(f.client));
	f.fd = -1;
	f.turns = count;
	f.boot = 1 + seed;
	armed = UINT64_MAX;
	path_of(f.store, "store");
	path_of(f.switch_path, "switch");
	path_of(f.status_path, "status");
	path_of(f.http_path, "http");
	open_all();
	p4d_engine_policy(p4d_service_engine(f.service), now, &policy);
	for (uint32_t id = 1; id <= FUZZ_TENANTS; id++) {
		struct p4d_tenant_conf conf = { id, "t", 100, 0, P4W_MAX_BLOCKS };

		p4d_engine_tenant(p4d_service_engine(f.service), now, &conf);
	}
	assert_int_equal(p4d_loop_run(f.loop, after, NULL), 0);
	close_all();
}

static uint64_t setting(const char *name, uint64_t usual)
{
	return getenv(name) ? strtoull(getenv(name), NULL, 0) : usual;
}

static void fuzz__nothing_stops_the_service(void **state)
{
	uint64_t count = setting("TURNS", TURNS), seed = setting("SEED", 1);
	for (uint64_t done = 0, s = seed; done < count; done += SERVICE_TURNS)
		run_service(s++, count - done < SERVICE_TURNS ? count - done : SERVICE_TURNS);
	if (getenv("TURNS"))
		print_message("seed %" PRIu64 " on, %" PRIu64 " turns: %" PRIu64 " lines, %" PRIu64
			      " spoilt; %" PRIu64 " grants, %" PRIu64 " connections of the switch\n",
			      seed, turns, lines, spoiled, granted, ups);
	assert_true(granted > turns / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fuzz__nothing_stops_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
