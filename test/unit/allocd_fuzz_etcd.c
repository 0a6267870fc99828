// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_fuzz_etcd.c - an etcd whose answers are spoilt: JSON, values, HTTP around them, and time.
 *
 * The real election, store, configuration and service over the real libcurl, in one thread. epoll_wait()
 * is wrapped for the loop, poll() and clock_gettime() are replaced for libcurl too: whoever waits gives the
 * other side its turn, and when there is nothing to do, time passes. Built with sanitizers. Each life of
 * the allocator must end, with every descriptor closed and after a bounded number of calls, whatever it is
 * told; when etcd tells the truth again, the next one must serve.
 *
 * TURNS=n SEED=n for longer runs: an etcd answers ETCD_TURNS calls, the next one has another seed.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
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

#include "../../tools/p4allocd/escrow.h"
#include "../../tools/p4allocd/etcd.h"
#include "../../tools/p4allocd/log.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/seat.h"
#include "../../tools/p4allocd/service.h"
#include "../../tools/p4allocd/store_etcd.h"
#include "fake_etcd.h"
#include "fuzz_make.h"
#include "fuzz_text.h"

#define TURNS 1000		/* in `make test` */
#define ETCD_TURNS 250
#define LIFE_TURNS 120		/* of one allocator, at most */
#define CONNECTIONS 64
#define ASKS_MAX 3000		/* while everything is read, of which there is little */
#define CALM_US 60000000
#define SETS 9			/* of 64 KiB each: more than etcd takes at once */

struct conn {			/* fd -1: none */
	int fd;
	char *in, *out;
	size_t nr_in, room, nr_out, sent;
	uint64_t from;		/* when the answer goes on */
	bool last;		/* closed behind it */
};

enum lie { TRUTH, SAME_PAGE, MANY_PARTS, LIES };	/* told again and again */

static struct {
	struct p4d_loop *loop;
	struct p4d_seat *seat;
	struct p4d_service *service;
	bool lost, quiet, lies;
	enum lie lie;
	struct json_object *page;	/* that is always told */
	uint64_t turns, life, asks, calm_from;
	int listen;
	struct conn conn[CONNECTIONS];
	char place[64];
	uint64_t rpc, asked, token;	/* the calm tenant's lock */
} f;

static uint64_t now = 1000000, armed = UINT64_MAX, calls, spoiled, lives, wins, services, locks;

static uint32_t rnd(uint32_t n)
{
	return fuzz_rnd(n);
}

/* --------------------------------------------------------------------------------- what it says */

static size_t spoil_value(char **value, size_t len)
{
	if (f.quiet || f.lie || rnd(50))
		return len;
	*value = realloc(*value, 2 * len + 64);
	spoiled++;
	return fuzz_text(*value, len, 2 * len + 64);
}

/* The page of records that was told first, made long enough that another one must follow. */
static struct json_object *same_page(struct json_object *truth)
{
	struct json_object *kvs;

	if (!f.page && p4d_etcd_length(truth, "kvs") && json_object_object_get_ex(truth, "kvs", &kvs)) {
		f.page = json_object_new_array();
		for (int i = 0; i < 200; i++)
			json_object_array_add(f.page, json_object_get(json_object_array_get_idx(kvs, 0)));
	}
	if (f.page)
		json_object_object_add(truth, "kvs", json_object_get(f.page));
	return truth;
}

static struct json_object *many_parts(struct json_object *truth)
{
	struct json_object *kvs = json_object_new_array(), *kv = json_object_new_object();

	json_object_object_add(kv, "value", p4d_etcd_bytes("4000000000", 10));
	json_object_array_add(kvs, kv);
	json_object_object_add(truth, "kvs", kvs);
	return truth;
}

static struct json_object *lie_about(const char *method, struct json_object *body,
				     struct json_object *truth)
{
	size_t len;
	char *key;

	if (!f.lies || strcmp(method, "kv/range"))
		return truth;
	len = p4d_etcd_bytes_of(body, "key", &key);
	if (f.lie == SAME_PAGE && strstr(key, "/record/"))
		truth = same_page(truth);
	if (f.lie == MANY_PARTS && len > 5 && !strcmp(key + len - 5, "/redo"))
		truth = many_parts(truth);
	free(key);
	return truth;
}

/* Something that is no answer to anything, with `room` for it. */
static size_t odd_text(char *text, size_t room)
{
	static const char *const odd[] = {
		"", "null", "7", "\"x\"", "[]", "{}", "{\"kvs\":{}}", "{\"kvs\":[1,null,\"x\",[],{}]}",
		"{\"header\":7,\"succeeded\":1,\"responses\":{}}", "{\"result\":[]}", "{\"kvs\":null,\"count\":\"9\"}",
		"{\"ID\":{},\"TTL\":[]}", "{\"ID\":\"99999999999999999999\",\"TTL\":\"-1\"}",
		"{\"error\":\"etcdserver: no leader\",\"code\":14}", "\xff\xfe{}", "{\"succeeded\":true}",
		"{\"succeeded\":true,\"header\":{}}", "{\"header\":{\"revision\":\"0\"},\"succeeded\":true}",
	};
	unsigned int i = rnd(sizeof(odd) / sizeof(odd[0]) + 2);
	size_t n = 1 + rnd(room - 100);

	if (i < sizeof(odd) / sizeof(odd[0]))
		return sprintf(text, "%s", odd[i]);
	memset(text, i & 1 ? '[' : '9', n);
	return n;
}

static size_t spoil_body(char *text, size_t len, size_t room)
{
	unsigned int what = f.quiet || f.lie ? 99 : rnd(24);

	if (what > 2)
		return len;
	spoiled++;
	return what ? fuzz_text(text, len, room) : odd_text(text, room);
}

/* ------------------------------------------------------------------------------------- and how */

static void put(struct conn *c, const char *bytes, size_t n)
{
	c->out = realloc(c->out, c->nr_out + n + 1);
	memcpy(c->out + c->nr_out, bytes, n);
	c->nr_out += n;
}

__attribute__((format(printf, 2, 3)))
static void print(struct conn *c, const char *fmt, ...)
{
	char line[300];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	put(c, line, n);
}

static void put_chunks(struct conn *c, const char *body, size_t len, bool wrong)
{
	for (size_t at = 0, n; at < len; at += n) {
		n = 1 + rnd(len - at);
		print(c, "%zx\r\n", wrong && !rnd(3) ? n + rnd(9) - 4 : n);
		put(c, body + at, n);
		put(c, "\r\n", 2);
	}
	put(c, "0\r\n\r\n", wrong ? rnd(6) : 5);
}

static void put_head(struct conn *c, const char *status, const char *more)
{
	print(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s", status, more);
}

static void put_answer(struct conn *c, const char *body, size_t len)
{
	static const char *const states[] = {
		"500 Internal Server Error", "404 Not Found", "503 Service Unavailable",
		"302 Found\r\nLocation: http://127.0.0.1:1/", "204 No Content", "99 x", "200", "1000 No",
		"401 Unauthorized\r\nWWW-Authenticate: Basic",
	};
	unsigned int how = f.quiet || f.lie ? 99 : rnd(250);
	size_t said = len;

	spoiled += how < 30;
	if (how < 4) {
		print(c, "%.*s", (int)rnd(200), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
	} else if (how < 8) {
		put_head(c, "200 OK", "Transfer-Encoding: chunked\r\n\r\n");
		put_chunks(c, body, len, how < 6);
		c->last = how < 6;
		return;
	} else if (how < 12) {
		said = how < 10 ? len + 1 + rnd(100) : rnd(len + 1);
		c->last = true;
	} else if (how < 14) {
		put_head(c, "200 OK", "\r\n");		/* it ends with the connection */
		put(c, body, len);
		c->last = true;
		return;
	}
	put_head(c, how >= 14 && how < 18 ? states[rnd(9)] : "200 OK", "");
	print(c, "Content-Length: %zu\r\n\r\n", said);
	put(c, body, len);
	if (how == 18) {
		c->out = realloc(c->out, 2 * c->nr_out + 64);
		c->nr_out = fuzz_text(c->out, c->nr_out, 2 * c->nr_out + 64);
		c->last = true;
	} else if (how == 19) {
		c->nr_out = rnd(c->nr_out + 1);
		c->last = true;
	} else if (how < 24) {
		c->from = how == 20 ? UINT64_MAX : now + rnd(3000000);
	}
}

/* One call. What the allocator asks is always well-formed. */
static void answer(struct conn *c, const char *method, char *text)
{
	struct json_object *body = json_tokener_parse(text), *o;
	const char *said;
	size_t len, room;
	char *out;

	assert_true(json_object_is_type(body, json_type_object));
	calls++;
	if (++f.asks > ASKS_MAX)
		fail_msg("%s again and again", method);
	f.turns -= f.turns && !f.quiet;
	f.life -= f.life > 0;
	o = fake_etcd_answer(method, body, now);
	if (!o)
		fail_msg("%s is no call", method);
	o = lie_about(method, body, o);
	said = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);
	room = 2 * len + 20000;
	out = memcpy(malloc(room), said, len);
	put_answer(c, out, spoil_body(out, len, room));
	free(out);
	json_object_put(o);
	json_object_put(body);
}

/* --------------------------------------------------------------------------------- connections */

static void hang_up(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct conn){ .fd = -1 };
}

static void hang_up_all(void)
{
	for (struct conn *c = f.conn; c < f.conn + CONNECTIONS; c++)
		hang_up(c);
}

static void take_connection(void)
{
	struct conn *c = f.conn;
	int fd = accept4(f.listen, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	while (c < f.conn + CONNECTIONS && c->fd >= 0)
		c++;
	if (c == f.conn + CONNECTIONS)
		hang_up(c = &f.conn[rnd(CONNECTIONS)]);
	c->fd = fd;
}

/* False: it is over. */
static bool transmit(struct conn *c)
{
	ssize_t n;

	while (now >= c->from && c->sent < c->nr_out) {
		n = send(c->fd, c->out + c->sent, c->nr_out - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		c->sent += n;
	}
	if (now < c->from || !c->nr_out)
		return true;
	c->nr_out = c->sent = 0;
	return !c->last;
}

static void take_request(struct conn *c)
{
	char method[32], *body, *length;
	size_t want;

	c->in[c->nr_in] = '\0';
	body = strstr(c->in, "\r\n\r\n");
	length = strstr(c->in, "Content-Length: ");
	if (!body || !length)
		return;
	body += 4;
	want = strtoul(length + 16, NULL, 10);
	if (c->nr_in < body - c->in + want)
		return;
	assert_int_equal(sscanf(c->in, "POST /v3/%31s HTTP/1.1", method), 1);
	c->nr_in = 0;
	answer(c, method, body);
}

static bool receive(struct conn *c)
{
	ssize_t n;

	for (;;) {
		if (c->room < c->nr_in + 4097)
			c->in = realloc(c->in, c->room = 2 * c->nr_in + 8192);
		n = recv(c->fd, c->in + c->nr_in, c->room - 1 - c->nr_in, 0);
		if (n <= 0)
			return n && errno == EAGAIN;
		c->nr_in += n;
		take_request(c);
	}
}

/* When an answer goes on that waits. */
static uint64_t etcd_turn(void)
{
	uint64_t next = UINT64_MAX;

	take_connection();
	for (struct conn *c = f.conn; c < f.conn + CONNECTIONS; c++) {
		if (c->fd >= 0 && (!receive(c) || !transmit(c)))
			hang_up(c);
		if (c->fd >= 0 && c->from > now && c->from < next)
			next = c->from;
	}
	return next;
}

/* -------------------------------------------------------------------------------------- tenants */

static const struct p4d_tenant *tenant_of(uint32_t id)
{
	for (const struct p4d_tenant *t = p4d_service_engine(f.service)->tenants; t; t = t->link)
		if (t->id == id)
			return t;
	return NULL;
}

/* So much that a commit takes several transactions, and is written aside first. */
static void change_much(void)
{
	struct p4d_engine *e = p4d_service_engine(f.service);

	for (uint32_t id = FUZZ_TENANTS + 1; id <= FUZZ_TENANTS + SETS; id++) {
		struct p4d_tenant *t = p4d_engine_tenant_record(e, id);
		struct p4d_escrow *s;

		p4d_escrow_ack(t, 0, P4W_BATCH_MAX);
		t->last++;
		t->nodes = 1;
		t->dirty = true;
		s = p4d_escrow_append(t, t->last, 512, 32);
		s->epoch = s->nodes = 1;
	}
}

static void calm_turn(void)
{
	struct p4w_lock m = {
		.msg = { P4W_VERSION, P4W_LOCK, htons(sizeof(m)), 0, htons(1), 0, htonl(P4W_LOCK_EXCLUSIVE) },
		.owner = htobe64(1 + f.rpc), .lease_us = htonl(1000), .wait_us = htonl(1000000), .name = "calm",
	};
	struct p4d_who who = { .rpc = ++f.rpc };

	if (f.asked)
		return;
	f.asked = f.rpc;
	p4d_service_message(f.service, 1, &who, &m, sizeof(m));
}

static void tenant_turn(void)
{
	static uint8_t bytes[FUZZ_MAKE_MAX];
	uint32_t id = 1 + rnd(FUZZ_TENANTS);
	struct p4d_who who = { .rpc = ++f.rpc };
	size_t len;

	if (!f.service)
		return;
	if (f.quiet) {
		calm_turn();
		return;
	}
	if (!rnd(200))
		change_much();
	len = fuzz_make(bytes, tenant_of(id), rnd(2));
	fuzz_sends(id, who.rpc, bytes, len);
	p4d_service_message(f.service, id, &who, bytes, len);
}

static void on_reply(void *arg, const struct p4d_who *who, const void *bytes, size_t len)
{
	const struct p4w_locked *m = bytes;

	fuzz_heard(who->rpc, bytes);
	locks += m->msg.type == P4W_LOCKED;
	if (who->rpc != f.asked)
		return;
	f.asked = 0;
	if (m->msg.type != P4W_LOCKED || !f.quiet)
		return;
	assert_true(be64toh(m->token) > f.token);
	f.token = be64toh(m->token);
	p4d_loop_stop(f.loop);
}

/* ----------------------------------------------------------------------------------------- time */

int __real_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old);

/* After the noise a busy kernel has a millisecond to deliver before time goes on. */
static void check_time(void)
{
	if (f.quiet && now - f.calm_from > CALM_US)
		fail_msg("after the noise nobody is served");
}

int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	int n = __real_epoll_wait(epfd, events, max, 0);
	uint64_t at = f.service ? now + 1 + rnd(20000) : UINT64_MAX - 1, next;

	f.asks = 0;
	if (n)
		return n;
	tenant_turn();
	next = etcd_turn();
	if (!f.quiet && (!f.turns || !f.life))
		p4d_loop_stop(f.loop);
	n = __real_epoll_wait(epfd, events, max, f.quiet);
	if (n)
		return n;
	at = at > next ? next : at;
	now = at > armed ? armed > now ? armed : now + 1 : at;
	check_time();
	return 0;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	uint64_t us = when->it_value.tv_sec * 1000000ull + when->it_value.tv_nsec / 1000;

	armed = us ? us : UINT64_MAX;
	return 0;
}

/* libcurl's, when it is waited for. */
int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	const struct timespec none = { 0 }, some = { .tv_nsec = f.quiet ? 1000000 : 0 };
	int left = timeout < 0 ? 1000 : timeout;

	for (;;) {
		int ready = ppoll(fds, n, &none, NULL);
		uint64_t next, ms;

		if (ready || !left)
			return ready;
		next = etcd_turn();
		ready = ppoll(fds, n, &some, NULL);
		if (ready)
			return ready;
		ms = next == UINT64_MAX ? (unsigned int)left : (next - now) / 1000 + 1;
		ms = ms < (unsigned int)left ? ms : (unsigned int)left;
		now += 1000 * ms;
		left -= ms;
		check_time();
	}
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	ts->tv_sec = now / 1000000;
	ts->tv_nsec = now % 1000000 * 1000;
	return 0;
}

/* ----------------------------------------------------------------------------------- allocators */

static void on_won(void *arg)
{
	wins++;
	p4d_loop_stop(f.loop);
}

static void on_lost(void *arg, const char *why)
{
	f.lost = true;
	p4d_loop_stop(f.loop);
}

static void on_tenant(void *arg, const struct p4d_tenant_conf *conf)
{
	p4d_engine_tenant(p4d_service_engine(f.service), now, conf);
}

static void on_gone(void *arg, uint32_t id)
{
	p4d_engine_tenant_gone(p4d_service_engine(f.service), now, id);
}

static void nothing(void *arg)
{
}

static void after(void *arg)
{
	p4d_service_flush(f.service);
}

static void serve(struct p4d_config *config)
{
	struct p4d_policy policy = { .lease_max_us = 200000, .grace_us = 5000 };

	p4d_engine_policy(p4d_service_engine(f.service), now, &policy);
	p4d_config_begin(config);
	for (uint32_t id = 1; id <= FUZZ_TENANTS; id++) {
		struct p4d_tenant_conf conf = { id, "t", 100, 0, P4W_MAX_BLOCKS };

		p4d_config_tenant(config, &conf);
	}
	p4d_config_end(config);
	if (!f.lost)
		p4d_loop_run(f.loop, after, NULL);
}

static void open_service(void)
{
	struct p4d_config_events events = { NULL, on_tenant, on_gone };
	struct p4d_service_conf conf = {
		.store = f.place, .switch_path = "/dev/shm/allocd_fuzz_etcd.none",
		.switch_ops = &p4d_switch_soft, .reply = on_reply,
		.store_ops = &p4d_store_etcd_ops, .store_impl = p4d_seat_store(f.seat),
		.term = p4d_seat_term(f.seat),
	};
	struct p4d_config *config;
	char err[512];

	f.asks = f.asked = 0;
	if (p4d_service_open(&f.service, f.loop, &conf, err, sizeof(err))) {
		f.service = NULL;
		return;
	}
	f.asks = 0;
	if (!p4d_seat_config(f.seat, &config, &events, err, sizeof(err))) {
		services++;
		serve(config);
		p4d_config_close(config);
	}
	p4d_service_close(f.service);
	f.service = NULL;
}

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* As the daemon does it, from its start to its end. */
static void live(void)
{
	struct p4d_seat_conf conf = {
		.place = f.place, .name = "a", .lease_s = 10, .won = on_won, .lost = on_lost,
	};
	unsigned int before = count_descriptors();
	char err[512];

	f.life = 1 + rnd(LIFE_TURNS);
	f.lost = false;
	armed = UINT64_MAX;
	f.loop = p4d_loop_create();
	if (p4d_seat_open(&f.seat, f.loop, &conf, err, sizeof(err)))
		fail_msg("%s", err);
	lives++;
	p4d_loop_run(f.loop, nothing, NULL);
	if (!f.lost && p4d_seat_is_ours(f.seat))
		open_service();
	f.asks = 0;
	p4d_seat_close(f.seat);
	p4d_loop_destroy(f.loop);
	hang_up_all();
	assert_int_equal(count_descriptors(), before);
}

static void listen_anywhere(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	f.listen = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f.listen, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f.listen, 64), 0);
	assert_int_equal(getsockname(f.listen, (struct sockaddr *)&a, &len), 0);
	snprintf(f.place, sizeof(f.place), "etcd://127.0.0.1:%u/t", ntohs(a.sin_port));
}

/* Truth again, in an etcd that is new: a lie may be stored in the old one. */
static void be_calm(void)
{
	fake_etcd_forget();
	f.quiet = true;
	f.calm_from = now;
	for (int i = 0; i < 2; i++) {	/* the second one goes on from what the first has stored */
		uint64_t token = f.token;

		live();
		assert_true(f.token > token);
	}
}

static void run_etcd(uint64_t seed, uint64_t count)
{
	fuzz_seed(seed);
	memset(&f, 0, sizeof(f));
	for (struct conn *c = f.conn; c < f.conn + CONNECTIONS; c++)
		c->fd = -1;
	f.lie = seed % 2 ? TRUTH : 1 + seed / 2 % (LIES - 1);
	f.turns = count;
	listen_anywhere();
	while (f.turns) {
		live();
		f.lies = f.turns < count / 2;
	}
	f.lie = TRUTH;
	be_calm();
	fake_etcd_forget();
	json_object_put(f.page);
	close(f.listen);
}

static uint64_t setting(const char *name, uint64_t usual)
{
	return getenv(name) ? strtoull(getenv(name), NULL, 0) : usual;
}

static void fuzz__no_answer_of_etcd_stops_the_allocator(void **state)
{
	uint64_t count = setting("TURNS", TURNS), seed = setting("SEED", 1);

	fake_etcd_spoil = spoil_value;
	for (uint64_t done = 0, s = seed; done < count; done += ETCD_TURNS)
		run_etcd(s++, count - done < ETCD_TURNS ? count - done : ETCD_TURNS);
	if (getenv("TURNS"))
		print_message("seed %" PRIu64 " on, %" PRIu64 " calls, %" PRIu64 " spoilt; %" PRIu64
			      " lives, %" PRIu64 " won, %" PRIu64 " served, %" PRIu64 " locks\n",
			      seed, calls, spoiled, lives, wins, services, locks);
	assert_true(services > count / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fuzz__no_answer_of_etcd_stops_the_allocator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
