// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_switch.c - the whole service but its Homa socket, against a control socket that a thread
 * plays: what it is told, in which order, and what happens when it is slow, refuses, or restarts.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../tools/base64.h"
#include "../../tools/p4allocd/jsonline.h"
#include "../../tools/p4allocd/log.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/service.h"
#include "../../tools/p4allocd/status.h"

#define REGISTERS 12		/* so that 5 blocks are one line */
#define BLOCKS 8
#define FLOWS 64
#define LINES 256
#define OWNER "1099511627777"	/* tenant 1, epoch 1 */

/* ------------------------------------------------------------------------- the fake switch */

static struct {
	pthread_t thread;
	pthread_mutex_t lock;	/* guards all below */
	int listen, fd;
	uint64_t boot;
	uint64_t owner[BLOCKS], serial[BLOCKS], access[BLOCKS], bits[BLOCKS];
	uint32_t cells[REGISTERS][BLOCKS * 64];
	char *line[LINES];	/* what it was told, info and first readings left out */
	unsigned int nr_lines;
	bool hold;		/* answers wait */
	bool refuse;		/* the next write is refused */
	bool old;		/* it does not know what `control` is */
	bool mute;		/* nor says up to which version it knows */
	unsigned int infos;	/* that it was asked for */
	bool stop;
} sw = { .lock = PTHREAD_MUTEX_INITIALIZER };

static char sw_path[64], store_path[64], status_path[64];

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

static uint64_t number_of(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_uint64(v) : 0;
}

static struct json_object *base64_slots(uint64_t first, uint64_t count)
{
	char text[BASE64_DIGITS(4 * BLOCKS * 64 * REGISTERS)];
	uint32_t low[BLOCKS * 64 * REGISTERS];

	for (uint64_t i = 0; i < count * REGISTERS; i++)
		low[i] = htole32(sw.cells[i % REGISTERS][first + i / REGISTERS]);
	base64_encode(text, low, 4 * count * REGISTERS);
	return json_object_new_string_len(text, BASE64_DIGITS(4 * count * REGISTERS));
}

static struct json_object *do_read(struct json_object *o)
{
	struct json_object *answer = json_object_new_object(), *values = json_object_new_array();
	const char *array = text_of(o, "array");
	uint64_t index = number_of(o, "index"), count = number_of(o, "count");
	struct json_object *indexes;

	if (json_object_object_get_ex(o, "base64", NULL)) {
		assert_string_equal(array, "r*");
		json_object_object_add(answer, "base64", base64_slots(index, count));
		json_object_put(values);
		return answer;
	}
	if (json_object_object_get_ex(o, "indexes", &indexes))
		count = json_object_array_length(indexes);
	for (uint64_t n = 0, i = index; n < count; n++, i++) {
		if (indexes)
			i = json_object_get_uint64(json_object_array_get_idx(indexes, n));
		json_object_array_add(values, json_object_new_uint64(
			!strcmp(array, "owner") ? sw.owner[i] :
			!strcmp(array, "access") ? sw.access[i] :
			!strcmp(array, "lock") ? sw.bits[i] :
			!strcmp(array, "serial") ? sw.serial[i] : sw.cells[array[1] - '0'][i]));
	}
	json_object_object_add(answer, "values", values);
	return answer;
}

static struct json_object *do_write(struct json_object *o)
{
	struct json_object *indexes, *values;

	if (!json_object_object_get_ex(o, "indexes", &indexes) ||
	    !json_object_object_get_ex(o, "values", &values))
		return json_object_new_object();
	for (size_t i = 0; i < json_object_array_length(indexes); i++)
		(!strcmp(text_of(o, "array"), "access") ? sw.access : sw.owner)[json_object_get_int(json_object_array_get_idx(indexes, i))] =
			json_object_get_uint64(json_object_array_get_idx(values, i));
	return json_object_new_object();
}

static struct json_object *do_command(struct json_object *o)
{
	struct json_object *answer = NULL, *cmds, *results;
	const char *cmd = text_of(o, "cmd");

	if (!strcmp(cmd, "info")) {
		answer = json_tokener_parse("{\"version\":1,\"block_slots\":64}");
		if (!sw.mute)
			json_object_object_add(answer, "control", json_object_new_int(2));
		json_object_object_add(answer, "registers", json_object_new_int(REGISTERS));
		json_object_object_add(answer, "dependent", json_object_new_int(1));
		json_object_object_add(answer, "blocks", json_object_new_int(BLOCKS));
		json_object_object_add(answer, "flows", json_object_new_int(FLOWS));
		json_object_object_add(answer, "boot", json_object_new_uint64(sw.boot));
	} else if (!strcmp(cmd, "reg_read")) {
		answer = do_read(o);
	} else if (!strcmp(cmd, "reg_write")) {
		answer = do_write(o);
	} else if (!strcmp(cmd, "batch")) {
		answer = json_object_new_object();
		results = json_object_new_array();
		json_object_object_add(answer, "results", results);
		json_object_object_get_ex(o, "cmds", &cmds);
		for (size_t i = 0; i < json_object_array_length(cmds); i++)
			json_object_array_add(results,
					      do_command(json_object_array_get_idx(cmds, i)));
	} else {
		answer = json_object_new_object();
	}
	json_object_object_add(answer, "ok", json_object_new_boolean(true));
	return answer;
}

static void answer_line(const char *line)
{
	struct json_object *o = json_tokener_parse(line), *answer;
	const char *cmd = text_of(o, "cmd"), *array = text_of(o, "array"), *text;

	if (strcmp(cmd, "info") && strcmp(array, "serial") &&
	    !(!strcmp(cmd, "reg_read") && !strcmp(array, "owner")) && sw.nr_lines < LINES)
		sw.line[sw.nr_lines++] = strdup(line);
	sw.infos += !strcmp(cmd, "info");
	if (sw.old && number_of(o, "control")) {
		answer = json_tokener_parse("{\"ok\":false,\"error\":\"is not a field of info\","
					    "\"field\":\"control\"}");
	} else if (sw.refuse && !strcmp(cmd, "batch")) {
		sw.refuse = false;
		answer = json_tokener_parse("{\"ok\":false,\"error\":\"no\",\"field\":\"index\"}");
	} else {
		answer = do_command(o);
	}
	text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
	send(sw.fd, text, strlen(text), MSG_NOSIGNAL);
	send(sw.fd, "\n", 1, MSG_NOSIGNAL);
	json_object_put(answer);
	json_object_put(o);
}

static void serve_lines(char *buf, size_t *n)
{
	char *end;

	while (!sw.hold && (end = memchr(buf, '\n', *n))) {
		*end = '\0';
		answer_line(buf);
		*n -= end + 1 - buf;
		memmove(buf, end + 1, *n);
	}
}

static void *switch_main(void *arg)
{
	static char buf[1 << 18];
	size_t n = 0;

	for (;;) {
		struct pollfd p[2];

		pthread_mutex_lock(&sw.lock);
		if (sw.stop) {
			pthread_mutex_unlock(&sw.lock);
			return NULL;
		}
		serve_lines(buf, &n);
		p[0] = (struct pollfd){ sw.listen, POLLIN, 0 };
		p[1] = (struct pollfd){ sw.fd, POLLIN, 0 };
		pthread_mutex_unlock(&sw.lock);
		poll(p, 2, 2);
		pthread_mutex_lock(&sw.lock);
		if (p[0].revents && sw.listen >= 0) {
			close(sw.fd);
			sw.fd = accept(sw.listen, NULL, NULL);
			n = 0;
		} else if (p[1].revents && p[1].fd == sw.fd) {
			ssize_t got = recv(sw.fd, buf + n, sizeof(buf) - n, MSG_DONTWAIT);

			if (got > 0) {
				n += got;
			} else if (got == 0 || errno != EAGAIN) {
				close(sw.fd);
				sw.fd = -1;
			}
		}
		pthread_mutex_unlock(&sw.lock);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(path);
	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A line that the switch was told, or "" */
static const char *told(unsigned int i)
{
	const char *line;

	pthread_mutex_lock(&sw.lock);
	line = i < sw.nr_lines ? sw.line[i] : "";
	pthread_mutex_unlock(&sw.lock);
	return line;
}

static void forget_lines(void)
{
	pthread_mutex_lock(&sw.lock);
	while (sw.nr_lines)
		free(sw.line[--sw.nr_lines]);
	pthread_mutex_unlock(&sw.lock);
}

/* Drops the connection; restarted: with empty registers and another boot. */
static void break_switch(bool restarted)
{
	pthread_mutex_lock(&sw.lock);
	if (sw.fd >= 0)
		shutdown(sw.fd, SHUT_RDWR);
	if (restarted) {
		sw.boot++;
		memset(sw.owner, 0, sizeof(sw.owner));
		memset(sw.serial, 0, sizeof(sw.serial));
	}
	pthread_mutex_unlock(&sw.lock);
}

static void set_hold(bool hold)
{
	pthread_mutex_lock(&sw.lock);
	sw.hold = hold;
	pthread_mutex_unlock(&sw.lock);
}

/* ------------------------------------------------------------------------------ the service */

static struct p4d_loop *loop;
static struct p4d_service *service;
static struct p4d_timer until;
static struct { uint64_t rpc; uint8_t bytes[P4D_REPLY_MAX]; } answers[64];
static uint64_t last_rpc;

static void on_reply(void *arg, const struct p4d_who *who, const void *bytes, size_t len)
{
	answers[who->rpc % 64].rpc = who->rpc;
	memcpy(answers[who->rpc % 64].bytes, bytes, len);
}

static void on_until(struct p4d_timer *t)
{
	p4d_loop_stop(loop);
}

static void after(void *arg)
{
	p4d_service_flush(service);
}

static void run_for(uint32_t us)
{
	until.at = p4d_now() + us;
	p4d_loop_run(loop, after, NULL);
}

static const struct p4w_msg *answer(uint64_t rpc)
{
	return answers[rpc % 64].rpc == rpc ? (void *)answers[rpc % 64].bytes : NULL;
}

/* Waits until it is answered, at most 3 s: a machine may be slow. */
static const struct p4w_msg *wait_for(uint64_t rpc)
{
	for (int i = 0; i < 300 && !answer(rpc); i++)
		run_for(10000);
	assert_non_null(answer(rpc));
	return answer(rpc);
}

static uint64_t send_bytes(uint32_t tenant, const void *bytes, size_t len)
{
	struct p4d_who who = { .rpc = ++last_rpc };

	p4d_service_message(service, tenant, &who, bytes, len);
	p4d_service_flush(service);
	return who.rpc;
}

static uint64_t say(uint32_t tenant, uint8_t type, uint32_t batch, uint32_t code)
{
	struct p4w_msg m = { P4W_VERSION, type, htons(sizeof(m)), 0, htons(1), htonl(batch),
			     htonl(code) };

	return send_bytes(tenant, &m, sizeof(m));
}

static uint64_t ask(uint32_t tenant, uint32_t batch)
{
	struct p4w_request m = {
		.msg = { P4W_VERSION, P4W_REQUEST, htons(sizeof(m)), 0, htons(1), htonl(batch), 0 },
		.duration_us = htonl(1000), .min_blocks = htons(2), .want_blocks = htons(3),
		.flows = htonl(4),
	};

	return send_bytes(tenant, &m, sizeof(m));
}

static void open_service(void)
{
	struct p4d_service_conf conf = { .store = store_path, .switch_path = sw_path,
					 .switch_ops = &p4d_switch_soft, .reply = on_reply };
	struct p4d_policy policy = { 1000000, 1000 };
	char err[256];

	loop = p4d_loop_create();
	if (p4d_service_open(&service, loop, &conf, err, sizeof(err)))
		fail_msg("%s", err);
	until = (struct p4d_timer){ .at = UINT64_MAX, .due = on_until };
	p4d_loop_timer(loop, &until);
	p4d_engine_policy(p4d_service_engine(service), p4d_now(), &policy);
	for (uint32_t id = 1; id <= 3; id++) {
		struct p4d_tenant_conf tenant = { id, "t", 100, 0, 256 };

		p4d_engine_tenant(p4d_service_engine(service), p4d_now(), &tenant);
	}
}

static void close_service(void)
{
	p4d_service_close(service);
	p4d_loop_destroy(loop);
}

/* It stays down for a while before it connects again, so this is seen. */
static void wait_until_down(void)
{
	for (int i = 0; i < 3000 && p4d_service_engine(service)->sw == P4D_SWITCH_UP; i++)
		run_for(1000);
	assert_int_equal(p4d_service_engine(service)->sw, P4D_SWITCH_DOWN);
}

static void wait_until_up(void)
{
	for (int i = 0; i < 300 && p4d_service_engine(service)->sw != P4D_SWITCH_UP; i++)
		run_for(10000);
	assert_int_equal(p4d_service_engine(service)->sw, P4D_SWITCH_UP);
}

static int set_up(void **state)
{
	char wal[80];

	snprintf(sw_path, sizeof(sw_path), "/tmp/allocd_switch.%d", getpid());
	snprintf(status_path, sizeof(status_path), "/tmp/allocd_status.%d", getpid());
	snprintf(store_path, sizeof(store_path), "/dev/shm/allocd_switch.%d", getpid());
	snprintf(wal, sizeof(wal), "%s-wal", store_path);
	unlink(store_path);
	unlink(wal);
	sw.fd = -1;
	sw.boot = 1000;
	sw.hold = sw.refuse = sw.stop = sw.old = sw.mute = false;
	sw.nr_lines = 0;
	memset(sw.owner, 0, sizeof(sw.owner));
	memset(sw.serial, 0, sizeof(sw.serial));
	sw.listen = listen_at(sw_path);
	pthread_create(&sw.thread, NULL, switch_main, NULL);
	open_service();
	wait_until_up();
	return 0;
}

static int tear_down(void **state)
{
	close_service();
	pthread_mutex_lock(&sw.lock);
	sw.stop = true;
	pthread_mutex_unlock(&sw.lock);
	pthread_join(sw.thread, NULL);
	close(sw.listen);
	close(sw.fd);
	forget_lines();
	unlink(sw_path);
	unlink(store_path);
	return 0;
}

/* ------------------------------------------------------------------------------------ tests */

/* `parts` must occur in this order. */
static void assert_in_order(const char *line, const char *const *parts)
{
	const char *at = line;

	for (; *parts; parts++) {
		at = strstr(at, *parts);
		if (!at)
			fail_msg("%s missing, or too early, in %s", *parts, line);
	}
}

static void give__one_batch_in_order_and_only_then_the_answer(void **state)
{
	static const char *const parts[] = {
		"\"batch\"",
		"\"flow_state\",\"index\":0,\"count\":4,\"value\":1099511627776",
		"\"flow_serial\",\"index\":0,\"count\":4,\"value\":16777216",
		"\"lock\",\"index\":0,\"count\":1,\"value\":0",
		"\"serial\",\"index\":0,\"count\":1,\"value\":16777216",
		"\"owner\",\"indexes\":[0,1,2],\"values\":[" OWNER "," OWNER "," OWNER "]",
		NULL
	};
	uint64_t rpc;

	set_hold(true);
	rpc = ask(1, 1);
	run_for(50000);
	assert_null(answer(rpc));	/* the switch has not acknowledged */
	set_hold(false);
	assert_int_equal(wait_for(rpc)->type, P4W_GRANTED);
	assert_in_order(told(0), parts);
	assert_string_equal(told(1), "");
}

/* The first three are one line: an allocator that is killed leaves no block fenced, but not drained. */
static void take__fence_then_drain_then_read(void **state)
{
	static const char *const parts[] = {
		"\"batch\"", "\"reg_write\",\"array\":\"owner\",\"indexes\":[0,1,2],\"values\":[0,0,0]",
		"\"drain\"", "\"reg_read\",\"array\":\"serial\",\"indexes\":[0,1,2]", NULL
	};
	const struct p4w_escrow *m;
	uint64_t rpc;

	wait_for(ask(1, 1));
	wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_FILLED));
	forget_lines();
	pthread_mutex_lock(&sw.lock);
	for (int reg = 0; reg < REGISTERS; reg++)
		for (int slot = 0; slot < BLOCKS * 64; slot++)
			sw.cells[reg][slot] = slot * 100 + reg;
	sw.serial[0] = 9ull << P4W_SERIAL_SHIFT | 5;
	pthread_mutex_unlock(&sw.lock);
	rpc = say(1, P4W_HELLO, 0, 0);	/* the node has restarted: its values go to escrow */
	assert_int_equal(wait_for(rpc)->type, P4W_WELCOME);
	assert_in_order(told(0), parts);
	assert_non_null(strstr(told(1), "\"reg_read\",\"array\":\"r*\",\"index\":0,\"count\":192"));
	assert_string_equal(told(2), "");
	m = (const struct p4w_escrow *)wait_for(say(1, P4W_FETCH, 1, 0));
	assert_int_equal(ntohl(m->total), 192 * REGISTERS);
	assert_int_equal(p4d_service_engine(service)->epoch_next, 10);
	for (uint32_t i = 0; i < ntohl(m->count); i++) {
		assert_int_equal(ntohs(m->entry[i].slot), i / REGISTERS);
		assert_int_equal(ntohl(m->entry[i].value), i / REGISTERS * 100 + i % REGISTERS);
	}
}

static void set_access(uint64_t first, uint64_t second)
{
	pthread_mutex_lock(&sw.lock);
	sw.access[0] = first;
	sw.access[1] = second;
	pthread_mutex_unlock(&sw.lock);
}

static void wait_for_count(void)
{
	for (int i = 0; i < 300; i++) {
		uint64_t left;

		pthread_mutex_lock(&sw.lock);
		left = sw.access[0];
		pthread_mutex_unlock(&sw.lock);
		run_for(10000);
		if (!left)
			return;
	}
	fail_msg("the switch was not asked");
}

/* Two blocks for tenant 1, with what is expected of them: the id of the RPC. */
static uint64_t ask_with_counts(void)
{
	struct {
		struct p4w_request r;
		__be16 hist[2];
	} m = {
		.r = { .msg = { P4W_VERSION, P4W_REQUEST, htons(sizeof(m)), 0, htons(1), htonl(1), 0 },
		       .duration_us = htonl(1000000), .min_blocks = htons(2),
		       .want_blocks = htons(2), .flows = htonl(4), .nr_hist = htons(2) },
		.hist = { htons(1000), htons(500) },
	};

	return send_bytes(1, &m, sizeof(m));
}

static void count__reads_and_clears_between_the_barriers(void **state)
{
	static const char *const parts[] = {
		"\"batch\"", "\"reg_read\",\"array\":\"access\",\"indexes\":[0,1]",
		"\"reg_write\",\"array\":\"access\",\"indexes\":[0,1],\"values\":[0,0]",
		"\"drain\"", "\"reg_read\",\"array\":\"lock\",\"index\":0,\"count\":1", NULL
	};
	const struct p4d_check *c = &p4d_engine_tenant_record(p4d_service_engine(service), 1)->check;

	assert_int_equal(wait_for(ask_with_counts())->type, P4W_GRANTED);
	set_access(1280, 1280);			/* filled */
	assert_int_equal(wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_FILLED))->type, P4W_SYNCED);
	wait_for_count();
	assert_int_equal(c->batches, 0);
	forget_lines();
	set_access(8000, 4000);
	assert_int_equal(wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_RAN))->type, P4W_SYNCED);
	wait_for_count();
	assert_in_order(sw.line[0], parts);
	assert_int_equal(c->batches, 1);
	assert_int_equal(c->seen[0], 8000);
	assert_int_equal(c->seen[1], 4000);
}

/* Bits that no packet holds: found with the next count, and the batch is over. */
static void count__finds_lock_bits_that_are_stuck(void **state)
{
	const struct p4d_tenant *t = p4d_engine_tenant_record(p4d_service_engine(service), 1);

	assert_int_equal(wait_for(ask_with_counts())->type, P4W_GRANTED);
	pthread_mutex_lock(&sw.lock);
	sw.bits[0] = 4;
	pthread_mutex_unlock(&sw.lock);
	set_access(1, 1);
	assert_int_equal(wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_FILLED))->type, P4W_SYNCED);
	wait_for_count();
	for (int i = 0; i < 100 && t->cur; i++)
		run_for(10000);
	assert_null(t->cur);
	assert_int_equal(t->last_end, P4D_END_LOST);
	sw.bits[0] = 0;
}

static void give__clears_what_another_tenant_left(void **state)
{
	static const char *const parts[] = {
		"\"reg_fill\",\"array\":\"r*\",\"index\":0,\"count\":192,\"value\":0", NULL
	};

	wait_for(ask(1, 1));
	wait_for(say(1, P4W_DONE, 1, 0));
	for (int i = 0; i < 300 && p4d_engine_tenant_record(p4d_service_engine(service), 1)->cur; i++)
		run_for(10000);
	forget_lines();
	wait_for(ask(2, 1));
	assert_in_order(told(0), parts);
	assert_non_null(strstr(told(1), "\"owner\""));
}

/* The data plane stands still for a line, so none has more than 4096 cells. */
static void lines__are_not_too_long(void **state)
{
	struct p4w_request m = {
		.msg = { P4W_VERSION, P4W_REQUEST, htons(sizeof(m)), 0, htons(1), htonl(1), 0 },
		.duration_us = htonl(1000), .min_blocks = htons(BLOCKS), .want_blocks = htons(BLOCKS),
		.flows = htonl(4),
	};

	assert_int_equal(wait_for(send_bytes(1, &m, sizeof(m)))->type, P4W_GRANTED);
	wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_FILLED));
	forget_lines();
	wait_for(say(1, P4W_HELLO, 0, 0));	/* into escrow */
	assert_non_null(strstr(told(1), "\"r*\",\"index\":0,\"count\":320"));
	assert_non_null(strstr(told(2), "\"r*\",\"index\":320,\"count\":192"));
	forget_lines();
	assert_int_equal(wait_for(send_bytes(2, &m, sizeof(m)))->type, P4W_GRANTED);
	assert_non_null(strstr(told(0), "\"r*\",\"index\":0,\"count\":320,\"value\":0"));
	assert_non_null(strstr(told(1), "\"r*\",\"index\":320,\"count\":192,\"value\":0"));
}

static void refusal__is_not_a_grant(void **state)
{
	uint64_t rpc;

	sw.refuse = true;
	rpc = ask(1, 1);
	run_for(100000);
	assert_null(answer(rpc));
	assert_int_equal(wait_for(rpc)->type, P4W_GRANTED);	/* after it has connected again */
	assert_int_equal(sw.owner[0], p4d_owner_word(1, 1));
}

static void assert_why(const char *part)
{
	if (!strstr(p4d_service_engine(service)->sw_why, part))
		fail_msg("'%s' is not in '%s'", part, p4d_service_engine(service)->sw_why);
}

static void refusal__says_of_what(void **state)
{
	sw.refuse = true;
	ask(1, 1);
	wait_until_down();
	assert_why("refuses a batch that gives blocks: index: no");
}

/* Of before the two said which version of the control socket they speak; or it looks at no such field. */
static void old_switch__both_versions_are_named(void **state)
{
	bool *const kinds[] = { &sw.old, &sw.mute };

	for (unsigned int i = 0; i < 2; i++) {
		*kinds[i] = true;
		break_switch(false);
		wait_until_down();
		run_for(300000);
		assert_why("another version of the control socket than this allocator, 2");
		assert_why(i ? "it names none" : "is not a field of info");
		assert_why("start the p4switch that came with this p4allocd");
		*kinds[i] = false;
		wait_until_up();
	}
}

/* 0.2 s after the first refusal, then 0.4 s. Five times would go on for ever. */
static void old_switch__is_asked_less_and_less_often(void **state)
{
	unsigned int asked;

	sw.old = true;
	break_switch(false);
	wait_until_down();
	asked = sw.infos;
	run_for(1150000);
	assert_in_range(sw.infos - asked, 2, 4);
}

static void connection__lost_and_found(void **state)
{
	wait_for(ask(1, 1));
	break_switch(false);
	wait_until_down();
	wait_until_up();
	assert_int_equal(wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_FILLED))->type, P4W_SYNCED);
	break_switch(true);
	wait_until_down();
	wait_until_up();
	assert_int_equal(wait_for(say(1, P4W_SYNC, 1, P4W_PHASE_RAN))->type, P4W_REFUSED);
	assert_int_equal(wait_for(ask(1, 2))->type, P4W_GRANTED);
}

static void service__killed_and_started_again(void **state)
{
	const struct p4w_granted *g, *h;
	uint64_t epoch;

	g = (const struct p4w_granted *)wait_for(ask(1, 1));
	epoch = g->epoch;
	close_service();
	open_service();
	wait_until_up();
	h = (const struct p4w_granted *)wait_for(ask(1, 1));
	assert_int_equal(h->msg.type, P4W_GRANTED);
	assert_int_equal(h->epoch, epoch);
	h = (const struct p4w_granted *)wait_for(ask(2, 1));
	assert_int_equal(h->msg.type, P4W_GRANTED);
	assert_true(be64toh(h->epoch) > be64toh(epoch));
}

/* ----------------------------------------------------------------------------------- status */

static struct json_object *status(const char *line)
{
	struct p4d_status_conf conf = { service, status_path, store_path, sw_path, 4001 };

	return p4d_status_answer(p4d_service_engine(service), &conf, true, p4d_now(), line);
}

static struct json_object *member(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no member %s", name);
	return v;
}

static void status__shows_grants_and_history(void **state)
{
	struct json_object *o, *t, *rows, *row;

	wait_for(ask(1, 1));
	o = status("{\"cmd\":\"show\",\"id\":\"x\"}");
	assert_string_equal(text_of(o, "id"), "x");
	assert_int_equal(number_of(o, "used"), 3);
	assert_int_equal(json_object_array_length(member(o, "owners")), BLOCKS);
	t = json_object_array_get_idx(member(o, "tenants"), 0);
	assert_string_equal(text_of(t, "state"), "held");
	assert_int_equal(number_of(t, "batch"), 1);
	assert_int_equal(number_of(t, "epoch"), 1);
	assert_int_equal(json_object_array_length(member(t, "blocks")), 3);
	assert_int_equal(number_of(member(t, "counters"), "grants"), 1);
	assert_int_equal(number_of(member(t, "waits"), "count"), 1);
	json_object_put(o);
	o = status("{\"cmd\":\"history\"}");
	rows = member(o, "history");
	row = json_object_array_get_idx(rows, json_object_array_length(rows) - 1);
	assert_int_equal(json_object_get_int(json_object_array_get_idx(row, 1)), 3);
	assert_int_equal(json_object_get_int(json_object_array_get_idx(row, 2)), BLOCKS);
	assert_int_equal(json_object_get_int(json_object_array_get_idx(row, 3)), 3);
	json_object_put(o);
	o = status("{\"cmd\":\"info\"}");
	assert_string_equal(text_of(member(o, "switch"), "state"), "up");
	assert_int_equal(number_of(o, "flows"), FLOWS);
	json_object_put(o);
}

static void status__bad_input_names_the_field(void **state)
{
	static const struct { const char *line, *field; } t[] = {
		{ "{\"cmd\":\"reboot\"}", "cmd" }, { "{}", "cmd" }, { "{\"cmd\":7}", "cmd" },
		{ "{\"cmd\":\"history\",\"since_us\":-1}", "since_us" },
		{ "{\"cmd\":\"history\",\"since_us\":\"now\"}", "since_us" },
		{ "nonsense", "" }, { "[]", "" }, { "", "" }, { "{\"cmd\":", "" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct json_object *o = status(t[i].line);

		assert_false(json_object_get_boolean(member(o, "ok")));
		assert_string_equal(text_of(o, "field"), t[i].field);
		assert_true(*text_of(o, "error"));
		json_object_put(o);
	}
}

static void status__answers_over_its_socket(void **state)
{
	struct p4d_status_conf conf = { service, status_path, store_path, sw_path, 4001 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct p4d_status *st;
	char buf[4096] = "";
	size_t len = 0;
	ssize_t n;

	assert_int_equal(p4d_status_open(&st, loop, &conf, buf, sizeof(buf)), 0);
	strcpy(a.sun_path, status_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(fd, "{\"cmd\":\"info\"}\n{\"cmd\":\"x\"}\n", 27, 0), 27);
	for (int i = 0; i < 300 && !strstr(buf, "\"ok\":false"); i++) {
		run_for(10000);
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? n : 0;
		buf[len] = '\0';
	}
	assert_non_null(strstr(buf, "\"ok\":true"));
	assert_non_null(strchr(buf, '\n'));
	assert_non_null(strstr(strchr(buf, '\n'), "\"ok\":false"));
	close(fd);
	run_for(10000);
	p4d_status_close(st);
	assert_int_equal(access(status_path, F_OK), -1);
}

static int dial_status(void)
{
	int fd = p4d_unix_connect(status_path);

	assert_true(fd >= 0);
	run_for(2000);
	return fd;
}

static bool is_answered(int fd)
{
	char buf[4096] = "";

	assert_int_equal(send(fd, "{\"cmd\":\"info\"}\n", 15, MSG_NOSIGNAL), 15);
	for (int i = 0; i < 300; i++) {
		run_for(2000);
		if (recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT) >= 0)
			break;
	}
	return strstr(buf, "\"ok\":true");
}

/* More than there is room for, who say nothing; one of the first has, since. */
static void status__idle_clients_keep_nobody_out(void **state)
{
	struct p4d_status_conf conf = { service, status_path, store_path, sw_path, 4001 };
	struct p4d_status *st;
	char err[256], c;
	int fd[40];

	assert_int_equal(p4d_status_open(&st, loop, &conf, err, sizeof(err)), 0);
	for (int i = 0; i < 16; i++)
		fd[i] = dial_status();
	assert_true(is_answered(fd[0]));
	for (int i = 16; i < 31; i++) {
		fd[i] = dial_status();
		assert_int_equal(recv(fd[i - 15], &c, 1, MSG_DONTWAIT), 0);	/* the oldest */
	}
	assert_true(is_answered(fd[0]));
	assert_true(is_answered(fd[16]));
	assert_true(is_answered(fd[30]));
	for (int i = 31; i < 40; i++)		/* at once */
		assert_true((fd[i] = p4d_unix_connect(status_path)) >= 0);
	assert_true(is_answered(fd[39]));
	for (int i = 0; i < 40; i++)
		close(fd[i]);
	run_for(10000);
	p4d_status_close(st);
}

#define SWITCH_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ------------------------------------------------------------------------------------ base64 */

static void base64__there_and_back(void **state)
{
	static const struct { const char *bytes, *text; } t[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "\xff\xef\xbe\xfb", "/++++w==" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		size_t len = strlen(t[i].bytes), digits = BASE64_DIGITS(len);
		char text[16] = "", bytes[16] = "";

		base64_encode(text, t[i].bytes, len);
		assert_string_equal(text, t[i].text);
		assert_int_equal(base64_decode(bytes, text, digits), len);
		assert_memory_equal(bytes, t[i].bytes, len);
	}
}

static void base64__refuses(void **state)
{
	static const char *const bad[] = { "Z", "Zg=", "Zg=g", "=g==", "Z===", "====", "Zm9v-m9v", "Zm9\x80" };
	char bytes[16];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(base64_decode(bytes, bad[i], strlen(bad[i])) == BASE64_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64__there_and_back),
		cmocka_unit_test(base64__refuses),
		SWITCH_TEST(give__one_batch_in_order_and_only_then_the_answer),
		SWITCH_TEST(take__fence_then_drain_then_read),
		SWITCH_TEST(count__reads_and_clears_between_the_barriers),
		SWITCH_TEST(count__finds_lock_bits_that_are_stuck),
		SWITCH_TEST(give__clears_what_another_tenant_left),
		SWITCH_TEST(lines__are_not_too_long),
		SWITCH_TEST(refusal__is_not_a_grant),
		SWITCH_TEST(refusal__says_of_what),
		SWITCH_TEST(old_switch__both_versions_are_named),
		SWITCH_TEST(old_switch__is_asked_less_and_less_often),
		SWITCH_TEST(connection__lost_and_found),
		SWITCH_TEST(service__killed_and_started_again),
		SWITCH_TEST(status__shows_grants_and_history),
		SWITCH_TEST(status__bad_input_names_the_field),
		SWITCH_TEST(status__answers_over_its_socket),
		SWITCH_TEST(status__idle_clients_keep_nobody_out),
	};

	p4d_log_level = getenv("V") ? P4D_EACH : P4D_WARN;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
