// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_drain_random.c - nodes that stand still, or die, alone or with their host, at any point between what
 * they read and what they write, while the switch loses its memory: whoever replays the logs, whenever the
 * library says that nobody will add to them, finds the same, and what callers of drains and transactions
 * have been told. If a log has failed before its END, the library never says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib_fake.h"
#include "logged.h"
#include "rnd.h"

#define NODES	3
#define KEYS	12
#define WIRE	256
#define STEPS	4000

enum stage { RUNS, ENDS, DRAINS, GIVES_BACK, GIVES_UP, LOOKS, OVER, DEAD };

struct actor {				/* a node: what its program does */
	struct fake *f;
	enum stage stage;
	struct p4a_kv kv[KEYS];
	bool drained;			/* kv has what its caller will keep */
	unsigned int todo;		/* transactions */
	unsigned int still;		/* steps until it goes on */
	bool to_disk;			/* P4A_LOG_HOST: its host may go down with it */
	uint64_t ran;			/* cookie of its P4A_RAN; 0: not said */
};

struct packet {				/* between a node and the switch */
	struct actor *of;
	uint64_t cookie;
	struct homa_txn txn;
	struct homa_txn_result r;
	enum { NOWHERE, GOES, RETURNS } where;
};

struct told {				/* what a transaction's caller has heard */
	bool done;
	uint8_t count;
	uint32_t result[2];
};

struct view {				/* what a replay has told */
	bool well;
	uint32_t value[KEYS];
	uint64_t done;			/* bit n: transaction n */
};

static struct actor actor[NODES];
static struct packet wire[WIRE];
static uint32_t cell[FAKE_REGISTERS][64];
static uint64_t serial;
static bool direct, lost, noticed;
static bool never;			/* may the library say so: a log has failed */
static struct p4a_layout *layout;
static struct view view;
static struct told told[64];
static struct { ino_t file; off_t len; } disk[64];	/* what outlives the host */
static unsigned int nr_files;
static unsigned int nr_views, nr_txns, steps;
static struct { unsigned int views, well, settled, drained, died, crashed, broken; } sum;
static char dir[] = "/tmp/lib_drain.XXXXXX";

/* ---------------------------------------------------------------- disk */

static off_t *on_disk(int fd)
{
	struct stat st;
	unsigned int i;

	assert_int_equal(fstat(fd, &st), 0);
	for (i = 0; i < nr_files && disk[i].file != st.st_ino; i++)
		;
	assert_true(i < sizeof(disk) / sizeof(disk[0]));
	if (i == nr_files) {
		disk[nr_files].len = 0;
		disk[nr_files++].file = st.st_ino;
	}
	return &disk[i].len;
}

/* The library's. */
int fdatasync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*on_disk(fd) = st.st_size;
	return 0;
}

static void end_sync(struct fake *f)
{
	off_t *len = on_disk(f->ctx->log->fd);

	fake_sync(f);
	f->syncing = 0;
	*len = f->synced > *len ? f->synced : *len;
}

/* Of what was not on the disk, anything may be. */
static void lose_files(unsigned int node, uint32_t last)
{
	char path[PATH_MAX];
	struct stat st;
	off_t len;
	int fd;

	for (; last; last--) {
		snprintf(path, sizeof(path), "%s/t7.n%u.%08x.p4log", dir, node, last);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		len = *on_disk(fd);
		if (len < st.st_size)
			len += rnd(st.st_size - len + 1);
		assert_int_equal(ftruncate(fd, len), 0);
		*on_disk(fd) = len;
		close(fd);
	}
}

/* ---------------------------------------------------------------- switch and network */

static struct actor *actor_of(const struct fake *f)
{
	return &actor[f->node];
}

static bool is_fenced(void)
{
	unsigned int i;

	for (i = 0; i < NODES; i++)
		if (actor[i].stage != OVER)
			return lost;
	return true;
}

static struct homa_txn_result execute(const struct homa_txn *t)
{
	struct homa_txn_result r = { .epoch = t->epoch, .count = t->count };
	unsigned int i;

	if (is_fenced()) {
		r.status = P4W_TXN_STALE;
		return r;
	}
	r.serial = serial++;
	for (i = 0; i < t->count; i++) {
		uint32_t *c = &cell[t->instr[i].reg][t->instr[i].slot];

		r.result[i] = *c;
		*c = p4a_apply(t->instr[i].op, t->instr[i].operand, *c, 0);
	}
	return r;
}

static enum fake_verdict on_txn(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	unsigned int i;

	if (direct) {
		struct homa_txn_result r = execute(t);

		fake_answer(f, cookie, &r, sizeof(r));
		return FAKE_DONE;
	}
	for (i = 0; i < WIRE && wire[i].where != NOWHERE; i++)
		;
	assert_true(i < WIRE);
	wire[i] = (struct packet) { .of = actor_of(f), .cookie = cookie, .txn = *t, .where = GOES };
	return FAKE_DONE;
}

/* Its node hears nothing in time; no packet is on its way for longer than that. */
static void time_out(struct packet *p)
{
	struct fake *f = p->of->f;

	if (p->where == GOES && rnd(2))
		execute(&p->txn);
	f->now_us += rnd(400000);
	fake_error(f, p->cookie, -ETIMEDOUT, false);
	p->where = NOWHERE;
}

static void step_packet(struct packet *p)
{
	if (!rnd(12)) {
		time_out(p);
	} else if (p->where == GOES) {
		p->r = execute(&p->txn);
		p->where = RETURNS;
	} else {
		fake_answer(p->of->f, p->cookie, &p->r, sizeof(p->r));
		p->where = NOWHERE;
	}
}

/* Its node is dead. */
static void end_packets(const struct actor *a)
{
	unsigned int i;

	for (i = 0; i < WIRE; i++) {
		if (wire[i].of != a)
			continue;
		if (wire[i].where == GOES && rnd(2))
			execute(&wire[i].txn);
		wire[i].where = NOWHERE;
	}
}

/* ---------------------------------------------------------------- allocator */

static void end_barrier(void)
{
	struct p4w_msg all = fake_head(P4W_SYNCED, sizeof(all), 41);
	unsigned int i, said = 0;

	for (i = 0; i < NODES; i++)
		said += actor[i].ran && actor[i].stage != DEAD;
	if (said < NODES && !noticed)
		return;
	for (i = 0; i < NODES; i++) {
		if (actor[i].stage != ENDS || !actor[i].ran)
			continue;
		if (noticed)
			fake_refuse(actor[i].f, actor[i].ran, P4W_REFUSED_EXPIRED, "epoch");
		else
			fake_answer(actor[i].f, actor[i].ran, &all, sizeof(all));
		actor[i].ran = 0;
	}
}

static enum fake_verdict on_msg(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (direct || m->type == P4W_HELLO)
		return FAKE_GOOD;
	if (m->type == P4W_SYNC) {
		actor_of(f)->ran = cookie;
		end_barrier();
		return FAKE_DONE;
	}
	if (!noticed)
		return FAKE_GOOD;
	fake_refuse(f, cookie, P4W_REFUSED_EXPIRED, "epoch");
	return FAKE_DONE;
}

/* ---------------------------------------------------------------- who replays */

static struct view read_logs(struct p4a_replay_info *info)
{
	struct p4a_replayed value;
	struct p4a_logged t;
	struct p4a_replay *r;
	unsigned int i;
	uint32_t pos = 0;
	struct view v;

	memset(&v, 0, sizeof(v));
	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_true(p4a_replay_dir(r, dir, NULL) >= NODES);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	p4a_replay_info(r, info);
	v.well = !(info->gaps | info->breaks | info->damaged);
	while (p4a_replay_value(r, &pos, &value))
		v.value[value.key] = value.value;
	for (pos = 0; p4a_replay_txn(r, &pos, &t);) {
		for (i = 0; told[t.user].done && i < t.count; i++)
			assert_int_equal(t.op[i].result, told[t.user].result[i]);
		if (t.status == P4A_TXN_OK)
			v.done |= UINT64_C(1) << t.user;
	}
	for (i = 0; i < nr_txns; i++)
		assert_true(!told[i].done || v.done >> i & 1);
	p4a_replay_free(r);
	return v;
}

/* False: not all have ended. Else it is what everybody finds, at any time. */
static bool look(void)
{
	struct p4a_replay_info info;
	struct view v = read_logs(&info);

	if (info.missing | info.unended)
		return false;
	assert_false(never);
	if (!nr_views++) {
		view = v;
		sum.settled += info.settled > 0;
	}
	assert_memory_equal(&v, &view, sizeof(v));
	return true;
}

/* ---------------------------------------------------------------- nodes */

static void open_node(struct actor *a)
{
	const struct p4a_log_options opts = { .dir = dir, .sync = a->to_disk };

	a->f = fake_open_as(a - actor, NODES);
	a->f->on_txn = on_txn;
	a->f->on_msg = on_msg;
	assert_int_equal(p4a_use_layout(a->f->ctx, layout), 0);
	assert_int_equal(p4a_log_open(a->f->ctx, &opts), 0);
	assert_int_equal(p4a_hello(a->f->ctx), 0);
}

static void begin(struct actor *a)
{
	const struct p4a_demand demand = {
		.duration_us = 1000, .min_blocks = 1, .want_blocks = 1, .flows = 8,
	};
	unsigned int i;

	*a = (struct actor) { .todo = rnd(8), .to_disk = !rnd(3) };
	open_node(a);
	a->f->grant_blocks = 1;
	assert_int_equal(p4a_request(a->f->ctx, &demand), 1);
	serial = serial ? serial : a->f->epoch << P4W_SERIAL_SHIFT;
	for (i = 0; i < KEYS; i++)
		a->kv[i] = (struct p4a_kv) { .key = i % NODES == a - actor ? i : KEYS + i, .value = i };
	assert_int_equal(p4a_fill(a->f->ctx, a->kv, KEYS), KEYS / NODES);
	assert_int_equal(p4a_sync(a->f->ctx, P4A_FILLED), 0);
	if (a->to_disk)
		*on_disk(a->f->ctx->log->fd) = a->f->synced;
	a->f->sync_late = true;
}

static void submit(struct actor *a)
{
	static const uint32_t codes[] = { P4A_READ, P4A_WRITE, P4A_ADD, P4A_ADD };
	unsigned int key = rnd(KEYS), i;
	struct p4a_plan plan;
	struct p4a_op op[2];

	for (i = 0; i < 2; i++)
		op[i] = (struct p4a_op) { (key + i) % KEYS, 1 + rnd(1000), codes[rnd(4)] };
	assert_true(p4a_plan(layout, 1, op, 1 + rnd(2), &plan) > 0);
	assert_int_equal(p4a_txn_submit(a->f->ctx, &plan, (void *)(uintptr_t)nr_txns++), 0);
	a->todo--;
}

static void drain(struct actor *a)
{
	a->stage = DRAINS;
	assert_int_equal(p4a_drain_async(a->f->ctx, a->kv, KEYS, NULL), 0);
}

static void give_back(struct actor *a, enum stage stage)
{
	bool leaves = !rnd(4);

	a->stage = stage;
	assert_int_equal(leaves ? p4a_leave_async(a->f->ctx, NULL) : p4a_done_async(a->f->ctx, NULL), 0);
}

/* A call has ended. */
static void go_on(struct actor *a, int rc)
{
	switch (a->stage) {
	case ENDS:
		assert_true(!rc || rc == -ESTALE);
		if (rc)
			a->stage = LOOKS;
		else
			drain(a);
		break;
	case DRAINS:
		a->drained = rc == KEYS / NODES;
		assert_true(a->drained || rc == -ESTALE || rc == -ETIMEDOUT);
		if (rc == -ETIMEDOUT && rnd(4))
			drain(a);
		else
			give_back(a, a->drained ? GIVES_BACK : GIVES_UP);
		break;
	case GIVES_BACK:
		a->stage = OVER;
		break;
	default:
		assert_int_equal(a->stage, GIVES_UP);
		a->stage = LOOKS;
	}
}

static void tell(const struct p4a_completion *c)
{
	struct told *t = &told[(uintptr_t)c->user];

	t->done = c->status == P4A_TXN_OK && !c->err;
	memcpy(t->result, c->result, sizeof(t->result));
}

static void step_node(struct actor *a)
{
	struct p4a_completion c[4];
	struct p4a_info info;
	int n, i;

	if (a->stage == LOOKS) {
		if (lost && look())
			a->stage = OVER;
		return;
	}
	if (a->stage == OVER || a->stage == DEAD)
		return;
	n = p4a_poll(a->f->ctx, c, 4);
	assert_true(n >= 0);
	for (i = 0; i < n; i++)
		if (c[i].kind == P4A_KIND_CALL)
			go_on(a, c[i].err);
		else if (c[i].status == P4A_TXN_STALE)
			a->todo = 0;
		else
			tell(&c[i]);
	p4a_info(a->f->ctx, &info);
	if (a->stage != RUNS)
		return;
	if (a->todo && info.outstanding < 3) {
		submit(a);
	} else if (!a->todo && !info.outstanding) {
		a->stage = ENDS;
		assert_int_equal(p4a_sync_async(a->f->ctx, P4A_RAN, NULL), 0);
	}
}

/* Its callers hear of more than is there. */
static void break_log(struct actor *a)
{
	struct p4a_replay_info info;

	p4a_log_fail(a->f->ctx->log, -EIO);
	a->todo = 0;
	read_logs(&info);
	never = info.unended >> (a - actor) & 1;
	sum.broken += never;
}

/* As SIGKILL does: nothing more gets into its file, and the kernel closes it. */
static void kill_node(struct actor *a)
{
	int null = open("/dev/null", O_WRONLY);

	assert_true(null >= 0);
	assert_int_equal(dup2(null, a->f->ctx->log->fd), a->f->ctx->log->fd);
	close(null);
	p4a_close(a->f->ctx);
	a->f = NULL;
	a->stage = DEAD;
	end_packets(a);
}

static void crash_host(struct actor *a)
{
	uint32_t last = a->f->ctx->log->name.segment;

	kill_node(a);
	lose_files(a - actor, last);
}

static void die(struct actor *a)
{
	bool with_host = a->to_disk && rnd(4);

	if (with_host)
		crash_host(a);
	else
		kill_node(a);
	sum.died++;
	sum.crashed += with_host;
}

static void start_again(struct actor *a)
{
	open_node(a);
	a->stage = LOOKS;
}

/* ---------------------------------------------------------------- a run */

static void clear_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[PATH_MAX];

	assert_non_null(d);
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	closedir(d);
}

static bool all_over(void)
{
	unsigned int i;

	for (i = 0; i < NODES; i++)
		if (actor[i].stage != OVER && (actor[i].stage != LOOKS || !never))
			return false;
	return true;
}

/* Packets go by ones and twos, most of the time; nodes run, stand still, and sometimes die. */
static void step(bool may_die, bool may_break)
{
	struct packet *p = &wire[rnd(WIRE)];
	struct actor *a = &actor[rnd(NODES)];
	unsigned int i;

	for (i = 0; i < WIRE && p->where == NOWHERE; i++)
		p = &wire[rnd(WIRE)];
	if (p->where != NOWHERE && rnd(3))
		step_packet(p);
	if (a->still) {
		a->still--;
		return;
	}
	if (a->stage != DEAD && a->f->syncing && !rnd(3))
		end_sync(a->f);
	if (may_break && !never && a->stage <= GIVES_BACK && !rnd(60))
		break_log(a);
	if (!rnd(40))
		a->still = rnd(60);
	else if (may_die && a->stage != DEAD && a->stage != OVER && !rnd(200))
		die(a);
	else if (a->stage == DEAD && noticed)
		start_again(a);
	else
		step_node(a);
}

static void play(unsigned int seed)
{
	unsigned int i, key, lost_at, may_die = !(seed % 3);

	rnd_seed(seed);
	memset(wire, 0, sizeof(wire));
	memset(cell, 0, sizeof(cell));
	memset(&view, 0, sizeof(view));
	memset(told, 0, sizeof(told));
	nr_files = 0;
	nr_views = nr_txns = 0;
	serial = 0;
	lost = noticed = never = false;
	direct = true;
	for (i = 0; i < NODES; i++)
		begin(&actor[i]);
	direct = false;
	lost_at = 20 + rnd(250);
	for (steps = 0; steps < STEPS && !(all_over() && lost); steps++) {
		lost |= steps >= lost_at;
		noticed |= lost && !rnd(30);
		if (noticed)
			end_barrier();
		step(may_die, seed % 8 == 1);
		if (lost && !rnd(10))
			look();
	}
	assert_true(all_over());
	assert_int_equal(look(), !never);
	for (i = 0; i < NODES; i++) {
		if (!actor[i].to_disk)
			continue;
		crash_host(&actor[i]);
		open_node(&actor[i]);
		assert_int_equal(look(), !never);
	}
	for (i = 0; i < NODES; i++)
		for (key = i; key < KEYS && actor[i].drained && view.well; key += NODES)
			assert_int_equal(actor[i].kv[key].value, view.value[key]);
	for (i = 0; i < NODES; i++) {
		sum.drained += actor[i].drained;
		p4a_close(actor[i].f->ctx);
	}
	sum.views += nr_views;
	sum.well += view.well;
	clear_dir();
}

static void random__all_find_the_same(void **state)
{
	const unsigned int runs = 1000;
	unsigned int seed;

	for (seed = 0; seed < runs; seed++)
		play(seed);
	print_message("%u of %u well, %u settled; %u replays, %u drains, %u deaths, %u with their hosts, "
		      "%u logs failed\n", sum.well, runs, sum.settled, sum.views, sum.drained, sum.died,
		      sum.crashed, sum.broken);
	assert_true(sum.well > runs / 2 && sum.settled > runs / 10);
	assert_true(sum.drained > runs / 2 && sum.died > runs / 20);
	assert_true(sum.crashed > runs / 200 && sum.broken > runs / 50);
}

static int make_dir(void **state)
{
	layout = fake_layout(KEYS);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	p4a_layout_free(layout);
	return rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random__all_find_the_same),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
