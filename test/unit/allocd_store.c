// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_store.c - what is in the store is there after a kill, and nobody was told of anything
 * else.
 *
 * A child works batches for tenants and notes in shared memory what its nodes have been told; it is
 * killed at a moment of chance, the file is opened again and compared with the notes.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocd_world.h"
#include "../../tools/p4allocd/escrow.h"
#include "../../tools/p4allocd/store.h"

#define KILLS 150
#define TENANTS 3

static char path[64], err[256];

static int fresh_path(void **state)
{
	char wal[80];

	snprintf(path, sizeof(path), "/dev/shm/allocd_store.%d", getpid());
	unlink(path);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(wal);
	return 0;
}

static int remove_path(void **state)
{
	return fresh_path(state);
}

static struct p4d_store *open_into(struct p4d_engine *e)
{
	struct p4d_store *st = NULL;

	if (p4d_store_open(&st, path, err, sizeof(err)) ||
	    p4d_store_load(st, e, err, sizeof(err)))
		fail_msg("%s", err);
	return st;
}

static void save(struct p4d_store *st, struct p4d_engine *e)
{
	if (p4d_store_save(st, e, err, sizeof(err)))
		fail_msg("%s", err);
}

/* -------------------------------------------------------------------------------- the kill */

struct note {			/* of one tenant; written by the child, read after its death */
	volatile uint32_t granted;	/* batch whose grant its node was told of */
	volatile uint64_t epoch;
	volatile uint32_t ending;	/* batch of which it has begun to say DONE */
	volatile uint32_t freed;	/* batch of which it was told that it is over */
	volatile uint32_t reserved;	/* batch that it was promised */
};

struct notes {
	struct note tenant[TENANTS + 1];
	volatile uint64_t epoch_max;
	volatile uint64_t batches;
};

static struct notes *notes;
static struct world *w;
static struct p4d_store *store;

static uint64_t tell(uint32_t tenant, uint8_t type, uint32_t batch)
{
	struct p4d_request r = { .nodes = 1, .batch = batch, .duration_us = 10, .min_blocks = 2,
				 .want_blocks = 8, .flows = 3 };
	struct p4w_msg m = { P4W_VERSION, type, htons(sizeof(m)), 0, htons(1), htonl(batch), 0 };
	struct p4d_who who;
	struct p4w_request q = { .msg = m };

	who.rpc = ++w->rpc;
	if (type == P4W_REQUEST) {
		q.msg.length = htons(sizeof(q));
		q.duration_us = htonl(r.duration_us);
		q.min_blocks = htons(r.min_blocks);
		q.want_blocks = htons(r.want_blocks);
		q.flows = htonl(r.flows);
		p4d_engine_message(w->e, w->now, tenant, &who, &q, sizeof(q));
	} else {
		p4d_engine_message(w->e, w->now, tenant, &who, &m, sizeof(m));
	}
	do {
		save(store, w->e);	/* first the store, then the world: as the service does */
		world_collect(w);
	} while (world_switch_step(w));
	save(store, w->e);
	world_collect(w);
	return who.rpc;
}

static void note_grant(struct note *n, uint64_t rpc)
{
	const struct p4w_granted *g = world_answer(w, rpc);

	n->epoch = be64toh(g->epoch);
	n->granted = ntohl(g->msg.batch);
	if (n->epoch > notes->epoch_max)
		notes->epoch_max = n->epoch;
}

static void work_for(uint32_t tenant)
{
	struct note *n = &notes->tenant[tenant];
	struct p4d_tenant *t = p4d_engine_tenant_record(w->e, tenant);
	uint64_t rpc;

	if (t->cur && t->cur->state == P4D_HELD) {
		n->ending = t->cur->number;
		rpc = tell(tenant, P4W_DONE, t->cur->number);
		if (world_type(w, rpc) == P4W_FREED)
			n->freed = n->ending;
		notes->batches++;
		return;
	}
	rpc = tell(tenant, t->next ? P4W_WAIT : P4W_REQUEST,
		   t->next ? t->next->number : t->last + 1);
	if (world_type(w, rpc) == P4W_GRANTED)
		note_grant(n, rpc);
	else if (world_type(w, rpc) == P4W_RESERVED)
		n->reserved = t->next->number;
}

static void work_until_killed(void)
{
	for (;;) {
		w->now += 7;
		work_for(1 + w->now % TENANTS);
	}
}

static void check_tenant(struct p4d_engine *e, uint32_t id)
{
	struct p4d_tenant *t = p4d_engine_tenant_record(e, id);
	const struct note *n = &notes->tenant[id];

	assert_true(n->epoch < e->epoch_next);
	assert_true(t->last >= n->freed);
	if (n->granted && n->ending < n->granted) {	/* it works with these blocks right now */
		assert_non_null(t->cur);
		assert_int_equal(t->cur->number, n->granted);
		assert_int_equal(t->cur->epoch, n->epoch);
	}
	if (n->reserved > n->granted && n->reserved > n->ending)
		assert_true((t->next && t->next->number == n->reserved) ||
			    (t->cur && t->cur->number == n->reserved));
}

static void child_main(const uint64_t *sw)
{
	struct p4d_policy patient = { 2000000, 60000000 };	/* no lease ends here */
	struct p4d_engine *e;

	w = world_create(2, 8, 64, 0);
	e = p4d_engine_create(w->now);
	p4d_engine_policy(e, w->now, &patient);
	store = open_into(e);
	world_replace_engine(w, e);
	world_know_tenants(w, TENANTS);
	memcpy(w->owner, sw, sizeof(w->owner));
	world_switch_up(w);
	world_settle(w);
	save(store, w->e);
	work_until_killed();
}

/*
 * Compares the store with the notes; sw: the switch has survived and holds what the store
 * believes.
 */
static void check_store(uint64_t *sw)
{
	struct p4d_engine *e = p4d_engine_create(1);
	struct p4d_store *st = open_into(e);

	memset(sw, 0, P4W_MAX_BLOCKS * sizeof(*sw));
	for (uint32_t id = 1; id <= TENANTS; id++)
		check_tenant(e, id);
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur)
			p4d_blocks_each(&t->cur->blocks, b)
				sw[b] = p4d_owner_word(t->id, t->cur->epoch);
	p4d_store_close(st);
	p4d_engine_destroy(e);
}

static void kill__no_grant_is_lost_and_epochs_ascend(void **state)
{
	uint64_t sw[P4W_MAX_BLOCKS] = { 0 };
	uint32_t rng = 1;

	notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	assert_true(notes != MAP_FAILED);
	for (int i = 0; i < KILLS; i++) {
		pid_t child = fork();

		if (!child)
			child_main(sw);
		rng = rng * 1103515245 + 12345;
		usleep(2000 + (rng >> 16) % 6000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		check_store(sw);
	}
	assert_true(notes->batches > KILLS);	/* it did work in between */
}

/* ------------------------------------------------------------------------------ round trip */

static void store__round_trip(void **state)
{
	struct p4d_engine *e = p4d_engine_create(1), *f = p4d_engine_create(1);
	struct p4d_store *st = open_into(e);
	struct p4d_tenant *t = p4d_engine_tenant_record(e, 0xffffff), *u;
	struct p4d_escrow *s;

	e->geo = (struct p4d_geometry){ 3, 200, 640, 2 };
	e->bound = true;
	e->boot = 0xfedcba9876543210ull;
	e->meta_dirty = true;
	t->nodes = 64;
	t->left = 1ull << 63 | 1;
	t->last = 41;
	t->last_end = P4D_END_LOST;
	t->last_done = ~0ull;
	t->cur = calloc(1, sizeof(*t->cur));
	*t->cur = (struct p4d_batch){ .number = 42, .state = P4D_TAKING, .duration_us = 9,
				      .min_blocks = 1, .want_blocks = 256, .flows = 5,
				      .done = 1ull << 63, .epoch = P4W_EPOCH_MAX, .absent = 2,
				      .phase = 2, .end = P4D_END_EXPIRED, .keep = true };
	p4d_blocks_add(&t->cur->blocks, 0);
	p4d_blocks_add(&t->cur->blocks, 199);
	for (int i = 0; i < 64; i++)
		t->cur->flow[i] = (struct p4d_range){ i * 10, 10 };
	t->next = calloc(1, sizeof(*t->next));
	*t->next = (struct p4d_batch){ .number = 43, .state = P4D_RESERVED, .reservation = 7,
				       .duration_us = 9, .min_blocks = 1, .want_blocks = 2,
				       .flows = 1 };
	t->hot = 77;
	t->overrun = 1024;
	t->account = (struct p4d_account){ .credit = -123456789012, .mean = 99, .due = 7, .had = 8 };
	t->barred_until = e->now + 3000000;
	t->check.batches = 3;
	t->check.expected[2] = 1ull << 40;
	t->check.seen[1] = 5;
	s = p4d_escrow_append(t, 40, 6400, 3);	/* in two parts */
	s->epoch = 5;
	s->nodes = 64;
	s->cells[6400 * 3 - 1] = 0xdeadbeef;
	t->dirty = true;
	save(st, e);
	s->acked = 3;
	t->dirty = true;
	save(st, e);
	p4d_store_close(st);

	st = open_into(f);
	u = p4d_engine_tenant_record(f, 0xffffff);
	assert_int_equal(f->boot, e->boot);
	assert_memory_equal(&f->geo, &e->geo, sizeof(f->geo));
	assert_int_equal(u->left, t->left);
	assert_int_equal(u->last_done, t->last_done);
	assert_int_equal(u->last_end, P4D_END_LOST);
	assert_int_equal(u->cur->epoch, P4W_EPOCH_MAX);
	assert_int_equal(u->cur->done, 1ull << 63);
	assert_int_equal(u->cur->state, P4D_TAKING);
	assert_true(u->cur->keep);
	assert_memory_equal(&u->cur->blocks, &t->cur->blocks, sizeof(t->cur->blocks));
	assert_memory_equal(u->cur->flow, t->cur->flow, sizeof(t->cur->flow));
	assert_int_equal(u->next->number, 43);
	assert_int_equal(u->escrow->acked, 3);
	assert_int_equal(u->escrow->cells[6400 * 3 - 1], 0xdeadbeef);
	assert_int_equal(u->hot, 77);
	assert_int_equal(u->overrun, 1024);
	assert_memory_equal(&u->check, &t->check, sizeof(t->check));
	assert_true(u->account.credit == -123456789012 && u->account.mean == 99);
	assert_int_equal(u->barred_until, f->now + 3000000);
	p4d_escrow_ack(u, 0, 99);	/* 62 nodes to go: stays */
	for (unsigned int n = 0; n < 64; n++)
		p4d_escrow_ack(u, n, 99);
	save(st, f);
	p4d_store_close(st);
	p4d_engine_destroy(f);
	p4d_engine_destroy(e);

	f = p4d_engine_create(1);
	st = open_into(f);
	assert_null(p4d_engine_tenant_record(f, 0xffffff)->escrow);
	p4d_store_close(st);
	p4d_engine_destroy(f);
}

/* What version 1 wrote: a table for each kind. */
static const char version_1[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE tenant(id INTEGER PRIMARY KEY, nodes INTEGER, gone INTEGER,"
	" last INTEGER, last_end INTEGER, last_done INTEGER);"
	"CREATE TABLE batch(tenant INTEGER, number INTEGER, state INTEGER,"
	" reservation INTEGER, duration_us INTEGER, min_blocks INTEGER, want_blocks INTEGER,"
	" flows INTEGER, done INTEGER, epoch INTEGER, blocks BLOB, ranges BLOB, absent INTEGER,"
	" phase INTEGER, how INTEGER, keep INTEGER, PRIMARY KEY(tenant, number));"
	"CREATE TABLE escrow(tenant INTEGER, batch INTEGER, epoch INTEGER,"
	" nodes INTEGER, acked INTEGER, registers INTEGER, slots INTEGER, cells BLOB,"
	" PRIMARY KEY(tenant, batch));"
	"CREATE TABLE locks(tenant INTEGER, batch INTEGER, reservation INTEGER,"
	" bits BLOB, PRIMARY KEY(tenant, batch));"
	"INSERT INTO meta VALUES('schema',1),('bound',1),('boot',-2),('registers',3),('blocks',200),"
	"('flows',640),('epoch_limit',1025),('reservation_next',9),('token_limit',5),"
	"('lock_lease_us',6);"
	"INSERT INTO tenant VALUES(7,64,-9223372036854775808,41,1,-1),(8,1,0,0,0,0);"
	"INSERT INTO batch VALUES(7,42,2,8,1000,1,256,5,-1,1000,CAST(zeroblob(24)||x'8000000000000000' AS BLOB),"
	" CAST(x'0000000100000002'||zeroblob(504) AS BLOB),2,2,0,0),"
	" (7,43,0,9,1000,1,2,1,0,0,zeroblob(32),zeroblob(512),0,0,0,0);"
	"INSERT INTO escrow VALUES(7,40,5,64,3,3,6400,CAST(zeroblob(76796)||x'efbeadde' AS BLOB));"
	"INSERT INTO locks VALUES(7,42,8,x'000000000000000105'),(7,41,7,x'000000000000000209');";

static void store__of_version_1_is_read(void **state)
{
	for (int round = 0; round < 2; round++) {	/* made new, and as such */
		struct p4d_engine *e = p4d_engine_create(1);
		struct p4d_store *st;
		struct p4d_tenant *t;
		sqlite3 *db;

		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		if (!round)
			assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		st = open_into(e);
		t = p4d_engine_tenant_record(e, 7);
		assert_true(e->boot == (uint64_t)-2 && e->epoch_next == 1025 && e->bound);
		assert_true(t->nodes == 64 && t->left == 1ull << 63 && t->last_done == ~0ull);
		assert_true(t->cur->number == 42 && t->cur->state == P4D_HELD);
		assert_true(p4d_blocks_has(&t->cur->blocks, 199));
		assert_true(t->cur->flow[0].first == 1 && t->cur->flow[0].count == 2);
		assert_true(t->next->number == 43 && t->next->want_blocks == 2);
		assert_true(t->escrow->acked == 3 && t->escrow->cells[19199] == 0xdeadbeef);
		assert_true(t->locks[0].n == 1 && t->locks[0].bit[0].bit == 5);
		assert_int_equal(t->hot, 256);		/* as in a new tenant */
		assert_int_equal(p4d_engine_tenant_record(e, 8)->nodes, 1);
		p4d_store_close(st);
		p4d_engine_destroy(e);
	}
}

static void store__of_a_later_version_is_refused(void **state)
{
	struct p4d_store *st;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=3", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "version 3"));
}

static void store__one_daemon_a_file(void **state)
{
	struct p4d_store *a, *b;

	assert_int_equal(p4d_store_open(&a, path, err, sizeof(err)), 0);
	assert_int_equal(p4d_store_open(&b, path, err, sizeof(err)), -EBUSY);
	assert_non_null(strstr(err, "another p4allocd"));
	p4d_store_close(a);
}

static void store__damaged_file_is_refused(void **state)
{
	static const char *const damage[] = {
#define CHANGE(key, from, to) "UPDATE record SET value=replace(value, '" from "', '" to "')" \
	" WHERE key LIKE '" key "%'"
		CHANGE("tenant", "nodes=1", "nodes=65"), CHANGE("tenant", "last=0", "last=9x"),
		CHANGE("tenant", " state=", " state=9"), CHANGE("tenant", "state=2", "state=0"),
		CHANGE("tenant", "cur ", "old "), CHANGE("tenant", "hot=", "new=1 hot="),
		CHANGE("tenant", "blocks=", "blocks=fg"), CHANGE("tenant", "want_blocks=8", ""),
		CHANGE("meta", "schema=2", "schema=3"), CHANGE("meta", "schema=2 ", ""),
		CHANGE("tenant", "blocks=ff ", "blocks=00000000000000000000000000000000000000000"
		       "00000000000000000000080 "),
		"INSERT INTO record VALUES('check/00000001', x'0011')",
		"UPDATE record SET key='tenants/3' WHERE key LIKE 'tenant%'",
		"INSERT INTO record VALUES('escrow/00000001/0000000007/0000', x'00000000')",
		"INSERT INTO record VALUES('escrow/00000001/0000000007',"
		" 'epoch=1 nodes=1 acked=0 registers=1 slots=64')",
#undef CHANGE
	};

	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct p4d_engine *e = p4d_engine_create(1);
		struct p4d_store *st;
		sqlite3 *db;

		fresh_path(NULL);
		w = world_create(2, 8, 64, 1);
		store = open_into(w->e);
		tell(1, P4W_REQUEST, 1);
		p4d_store_close(store);
		world_destroy(w);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, damage[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_not_equal(sqlite3_changes(db), 0);
		sqlite3_close(db);
		assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), 0);
		if (p4d_store_load(st, e, err, sizeof(err)) != -EINVAL)
			fail_msg("%s", damage[i]);
		assert_non_null(strstr(err, "move it away"));
		p4d_store_close(st);
		p4d_engine_destroy(e);
	}
}

static void store__no_database_is_refused(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	struct p4d_store *st;

	for (int i = 0; i < 1000; i++)
		if (write(fd, "garbage ", 8) != 8)
			break;
	close(fd);
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), -EINVAL);
	assert_int_equal(p4d_store_open(&st, "/nonexistent/x", err, sizeof(err)), -EACCES);
	assert_non_null(strstr(err, "/nonexistent/x"));
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fresh_path, remove_path)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(kill__no_grant_is_lost_and_epochs_ascend),
		STORE_TEST(store__round_trip),
		STORE_TEST(store__of_version_1_is_read),
		STORE_TEST(store__of_a_later_version_is_refused),
		STORE_TEST(store__one_daemon_a_file),
		STORE_TEST(store__damaged_file_is_refused),
		STORE_TEST(store__no_database_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
