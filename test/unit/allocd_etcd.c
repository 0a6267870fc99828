// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_etcd.c - commits that are too long for one transaction, and the common configuration.
 *
 * A child stores a change of many tenants and is killed at system calls of chance; what the next
 * one finds is all of it or nothing of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "etcd_here.h"
#include "../../tools/p4allocd/engine.h"
#include "../../tools/p4allocd/escrow.h"
#include "../../tools/p4allocd/etcd.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/seat.h"
#include "../../tools/p4allocd/store_etcd.h"

#define TENANTS 300
#define SETS 9			/* of 128 KiB each */

static struct p4d_loop *loop;

static void stop_loop(void *arg)
{
	p4d_loop_stop(loop);
}

static void on_lost(void *arg, const char *why)
{
	_exit(3);
}

static void on_ended(void *arg, int err, const char *why)
{
	p4d_loop_stop(loop);
}

static void nothing(void *arg)
{
}

static struct p4d_store *open_store(struct p4d_engine *e)
{
	static char place[64];
	struct p4d_seat_conf conf = {
		.place = place, .name = "long", .lease_s = 10, .won = stop_loop, .lost = on_lost,
	};
	struct p4d_seat *seat;
	struct p4d_store *st;
	char err[256];

	alarm(20);
	if (!freopen("/dev/null", "w", stderr))
		_exit(2);
	loop = p4d_loop_create();
	snprintf(place, sizeof(place), "etcd://%s/test", etcd_at);
	if (p4d_seat_open(&seat, loop, &conf, err, sizeof(err)) ||
	    p4d_loop_run(loop, nothing, NULL) ||
	    p4d_store_of(&st, &p4d_store_etcd_ops, p4d_seat_store(seat), place, on_ended, NULL) ||
	    p4d_store_load(st, e, err, sizeof(err)))
		_exit(2);
	return st;
}

static void change_all(struct p4d_engine *e, uint32_t round)
{
	e->meta_dirty = true;
	for (uint32_t id = 1; id <= TENANTS; id++) {
		struct p4d_tenant *t = p4d_engine_tenant_record(e, id);
		struct p4d_escrow *s;

		t->last = round;
		t->nodes = 1;
		t->dirty = true;
		if (id > SETS)
			continue;
		p4d_escrow_ack(t, 0, P4W_BATCH_MAX);	/* that of the round before */
		s = p4d_escrow_append(t, round, 512, 32);
		s->epoch = s->nodes = 1;
		s->cells[512 * 32 - 1] = round;
		s->cells[0] = round;
	}
}

/* A child: what was round n becomes n + 1. */
static void store_one_more(bool traced)
{
	struct p4d_engine *e = p4d_engine_create(1);
	struct p4d_store *st = open_store(e);
	char err[256];

	if (traced)
		raise(SIGSTOP);		/* from here on it is killed */
	change_all(e, p4d_engine_tenant_record(e, 1)->last + 1);
	p4d_store_collect(st, e);
	while (p4d_store_has_changes(st)) {
		p4d_store_commit(st, err, sizeof(err));
		p4d_loop_run(loop, nothing, NULL);
	}
	_exit(0);
}

/* A child: its exit status is the round that all tenants are in; 255: they differ. */
static void say_round(void)
{
	struct p4d_engine *e = p4d_engine_create(1);
	uint32_t round;

	open_store(e);
	round = p4d_engine_tenant_record(e, 1)->last;
	for (uint32_t id = 1; round && id <= TENANTS; id++) {
		struct p4d_tenant *t = p4d_engine_tenant_record(e, id);
		struct p4d_escrow *s = t->escrow;

		if (t->last != round || !s != (id > SETS))
			_exit(255);
		if (s && (s->next || s->batch != round || s->cells[0] != round ||
			  s->cells[512 * 32 - 1] != round))
			_exit(255);
	}
	_exit(round);
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int round_now(void)
{
	pid_t pid = fork();
	int round;

	if (!pid)
		say_round();
	round = status_of(pid);
	etcd_forget_leader("long");
	return round;
}

static void commit__of_many_transactions_is_one(void **state)
{
	int round = 0, now, stored = 0, kills = 0, status;

	for (unsigned int n = 20; n < 2000; n += 40) {
		pid_t pid = fork();
		bool ended;

		if (!pid) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			store_one_more(true);
		}
		ended = !trace_to(pid, n, &status);
		if (!ended) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			kills++;
		}
		etcd_forget_leader("long");
		now = round_now();
		assert_true(now == round || now == round + 1);
		stored += now != round;
		round = now;
		if (ended) {
			assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
			break;
		}
	}
	print_message("%d kills, %d rounds were stored\n", kills, stored);
	assert_true(kills > 2 && stored > 1 && stored <= kills);
}

/* ------------------------------------------------------------------------------ configuration */

struct seen {
	struct p4d_tenant_conf conf[4];	/* by id; weight 0: gone, or never seen */
	unsigned int events;
};

static void on_tenant(void *arg, const struct p4d_tenant_conf *conf)
{
	((struct seen *)arg)->conf[conf->id] = *conf;
	((struct seen *)arg)->events++;
}

static void on_gone(void *arg, uint32_t id)
{
	((struct seen *)arg)->conf[id].weight = 0;
	((struct seen *)arg)->events++;
}

static struct p4d_timer until;

static void on_until(struct p4d_timer *t)
{
	p4d_loop_stop(loop);
}

static struct p4d_config *open_config(struct p4d_etcd *etcd, struct seen *s)
{
	struct p4d_config_events events = { s, on_tenant, on_gone };
	struct p4d_config *c;
	char err[256];

	if (p4d_config_open(&c, loop, etcd, "/test/config/", &events, err, sizeof(err)))
		fail_msg("%s", err);
	return c;
}

static void pass_time(uint64_t us)
{
	until.at = p4d_now() + us;
	p4d_loop_run(loop, nothing, NULL);
}

static void config__is_common(void **state)
{
	struct p4d_tenant_conf one = { 1, "ada", 100, 0, 256 }, two = { 2, "bob l.", 7, 1, 9 };
	struct seen a = { 0 }, b = { 0 }, c = { 0 };
	struct p4d_config *ca, *cb;
	struct p4d_etcd *etcd;

	loop = p4d_loop_create();
	until = (struct p4d_timer){ .at = UINT64_MAX, .due = on_until };
	p4d_loop_timer(loop, &until);
	etcd = p4d_etcd_create(loop, etcd_at);
	ca = open_config(etcd, &a);
	p4d_config_begin(ca);		/* what netlink has at the start is added */
	p4d_config_tenant(ca, &one);
	p4d_config_end(ca);
	p4d_config_tenant(ca, &two);
	pass_time(300000);
	cb = open_config(etcd, &b);
	assert_true(b.conf[1].weight == 100 && b.conf[2].weight == 7 && b.conf[2].max_blocks == 9);
	assert_string_equal(b.conf[2].name, "bob l.");
	one.weight = 55;		/* but is not believed where it differs */
	p4d_config_begin(cb);
	p4d_config_tenant(cb, &one);
	p4d_config_end(cb);
	assert_int_equal(b.conf[1].weight, 100);
	p4d_config_tenant(cb, &one);	/* a change is */
	p4d_config_tenant_gone(cb, 2);
	pass_time(1500000);
	assert_true(a.conf[1].weight == 55 && a.conf[2].weight == 0);
	p4d_config_begin(ca);		/* what was deleted elsewhere does not come back */
	p4d_config_tenant(ca, &two);
	p4d_config_end(ca);
	assert_int_equal(a.conf[2].weight, 0);
	pass_time(1500000);
	p4d_config_close(open_config(etcd, &c));
	assert_true(c.conf[1].weight == 55 && c.conf[2].weight == 0);
	assert_true(a.events < 12 && b.events < 12);	/* they do not echo */
	p4d_etcd_destroy(etcd);
	p4d_config_close(ca);
	p4d_config_close(cb);
	p4d_loop_destroy(loop);
}

static int start(void **state)
{
	return etcd_start();
}

static int stop(void **state)
{
	return etcd_stop();
}

/* Anybody who may write to etcd can make a key under "record/", and a page goes on behind its last one. */
static void key__may_be_long(void **state)
{
	char key[2000], *back;
	struct json_object *o;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	o = p4d_etcd_key(key, "/1");
	p4d_etcd_all_under(o, key, "/1");
	assert_int_equal(p4d_etcd_bytes_of(o, "key", &back), sizeof(key) + 1);
	assert_memory_equal(back, key, sizeof(key) - 1);
	assert_string_equal(back + sizeof(key) - 1, "/1");
	free(back);
	assert_int_equal(p4d_etcd_bytes_of(o, "range_end", &back), sizeof(key) + 1);
	assert_string_equal(back + sizeof(key) - 1, "/2");
	free(back);
	json_object_put(o);
}

/* Whoever answers there need not be an etcd. */
static void list__may_be_none(void **state)
{
	struct json_object *o = json_tokener_parse("{\"kvs\":[{\"n\":\"7\"}],\"no\":\"list\"}");

	assert_int_equal(p4d_etcd_length(o, "kvs"), 1);
	assert_int_equal(p4d_etcd_number(p4d_etcd_nth(o, "kvs", 0), "n"), 7);
	assert_null(p4d_etcd_nth(o, "kvs", 1));
	assert_int_equal(p4d_etcd_length(o, "no"), 0);
	assert_null(p4d_etcd_nth(o, "no", 0));
	assert_null(p4d_etcd_nth(o, "missing", 0));
	assert_null(p4d_etcd_nth(NULL, "kvs", 0));
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commit__of_many_transactions_is_one),
		cmocka_unit_test(config__is_common),
		cmocka_unit_test(key__may_be_long),
		cmocka_unit_test(list__may_be_none),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
