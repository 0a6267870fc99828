// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_replay.c - logs of several nodes merged: against a model of the switch, with replies lost, files in
 * any order, logs missing or not ended.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib_books.h"
#include "replay.h"

static uint64_t seed;

static unsigned int below(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (seed >> 33) % n;
}

/* ---------------------------------------------------------------- tests */

static void two_nodes__interleaved(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD }, set = { 4, 7, P4A_WRITE };
	struct p4a_replay_info info;
	struct p4a_logged t;
	struct p4a_replay *r;
	uint32_t pos = 0;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(0, &add, 1);		/* 14 */
	commit(1, &set, 1);		/* 7 */
	commit(0, &add, 1);		/* 17 */
	commit(2, &add, 1);		/* 27 */
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(info.nodes, NODES);
	assert_int_equal(info.committed, 4);
	assert_int_equal(value_of(r, 4).value, 27);
	assert_int_equal(value_of(r, 5).value, 5);
	assert_int_equal(value_of(r, 4).epoch, epoch);
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_int_equal(t.node, 0);
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_int_equal(t.node, 1);
	assert_int_equal(t.op[0].result, 14);
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_int_equal(t.node, 2);
	assert_false(p4a_replay_txn(r, &pos, &t));
	p4a_replay_free(r);
}

static void second_pass__comes_after_the_first(void **state)
{
	const struct p4a_op ops[3] = {
		{ 4, 100, P4A_WRITE | P4A_SECOND_PASS }, { 5, 1, P4A_ADD },
		{ 4, 50, P4A_WRITE },
	};
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(0, ops, 3);
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 100);
	p4a_replay_free(r);
}

/* What an operation adds depends on what others have seen, in either pass. */
static void sum__comes_from_results(void **state)
{
	const struct p4a_op ops[3] = {
		{ 5, 0, P4A_WRITE | P4A_SOURCE }, { 4, 1, P4A_ADD | P4A_DEPENDENT },
		{ 6, 0, P4A_WRITE | P4A_SOURCE },
	};
	struct p4a_op late[3] = { ops[0], ops[1], ops[2] };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 100);
	commit(0, ops, 3);		/* 104 + 1 + 105: the source behind it does not count */
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 210);
	p4a_replay_free(r);
	late[1].code |= P4A_SECOND_PASS;
	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 100);
	commit(0, late, 3);
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 316);
	p4a_replay_free(r);
}

static void unknown__is_never_applied_and_named(void **state)
{
	const struct p4a_op add[2] = { { 4, 10, P4A_ADD }, { 6, 0, P4A_READ } };
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct p4a_logged t;
	uint32_t pos = 1;
	struct sent s;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(0, add, 1);
	s = intend(1, add, 2, 99);
	execute(&s);			/* done, but the reply is lost with the switch */
	serial++;
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(info.unknown, 1);
	assert_int_equal(value_of(r, 4).value, 14);
	assert_int_equal(value_of(r, 4).doubt, 1);
	assert_int_equal(value_of(r, 6).doubt, 0);
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_int_equal(t.status, P4A_TXN_UNKNOWN);
	assert_int_equal(t.user, 99);
	assert_int_equal(t.err, 0);
	assert_int_equal(t.op[0].key, 4);
	p4a_replay_free(r);
}

/* What is logged as STALE was not done, whatever else is missing; what is in doubt remains so. */
static void stale__is_proof(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD }, other = { 5, 1, P4A_ADD };
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct sent s;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	s = intend(1, &other, 1, 1);
	conclude(&s, P4A_TXN_STALE, 0);
	s = intend(1, &add, 1, 1);
	execute(&s);
	serial++;
	commit(0, &add, 1);
	conclude(&s, P4A_TXN_UNKNOWN, 0);
	r = replay(&info);		/* before the nodes have ended the batch */
	assert_int_equal(info.gaps, 1);
	assert_int_equal(info.breaks, 1);
	assert_int_equal(info.unknown, 1);
	assert_int_equal(info.refused, 1);
	assert_int_equal(value_of(r, 4).doubt, 1);
	assert_int_equal(value_of(r, 5).doubt, 0);
	p4a_replay_free(r);
}

static void drains__may_be_repeated(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(0, &add, 1);
	end_all(1);
	serial += 3;			/* reads without a reply */
	move_cells(P4A_LOG_DRAIN, 0);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 14);
	p4a_replay_free(r);
}

static void nodes__missing_and_not_ended(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD };
	struct p4a_replay_info info;
	unsigned int node;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(2, &add, 1);
	commit(1, &add, 1);
	commit(0, &add, 1);
	end_one(0, 1);
	end_one(2, 1);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.unended, 2);
	assert_int_equal(info.missing, 0);
	p4a_replay_free(replay_nodes(5, 0, &info));
	assert_int_equal(info.unended, 0);
	assert_int_equal(info.missing, 2);
	assert_true(info.gaps > 0);	/* its commit, and its fills */
	assert_int_equal(info.breaks, 1);
	end_one(1, 1);
	p4a_replay_free(replay(&info));
	all_well(&info);
	for (node = 0; node < NODES; node++)
		grant(node, 2, epoch + 1);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.batch, 2);
	assert_int_equal(info.unended, 7);
}

/* Nobody removes the files of a node that the tenant has no more, and nobody waits for it. */
static void nodes__fewer_than_before(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct p4a_error err;
	unsigned int node;

	open_books();
	begin_epoch(1);
	for (node = 0; node < NODES; node++)
		end_one(node, 1);
	assert_int_equal(p4a_replay_new(&r, 7, &err), 0);
	for (node = 0; node < NODES; node++)
		assert_int_equal(p4a_replay_add(r, book[node].data, book[node].len, &err), 0);
	book_nodes = NODES - 1;
	for (node = 0; node < book_nodes; node++) {
		open_book(node, 7, 2, P4A_LOG_VERSION);
		grant(node, 2, epoch + 1);
		end_one(node, 2);
		assert_int_equal(p4a_replay_add(r, book[node].data, book[node].len, &err), 0);
	}
	book_nodes = NODES;
	assert_int_equal(p4a_replay_run(r, 0, &err), 0);
	p4a_replay_info(r, &info);
	assert_int_equal(info.nodes, NODES - 1);
	assert_int_equal(info.unended | info.missing, 0);
	p4a_replay_free(r);
}

static void epochs__only_those_asked_for(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD }, other = { 5, 1, P4A_ADD };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	commit(0, &add, 1);
	end_all(1);
	move_cells(P4A_LOG_DRAIN, 0);
	begin_epoch(2);			/* meanwhile a cold transaction has changed key 4 */
	move_cells(P4A_LOG_FILL, 1000);
	commit(0, &other, 1);
	end_all(2);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 1004);
	assert_int_equal(info.committed, 2);
	p4a_replay_free(r);
	r = replay_nodes(7, epoch - 1, &info);
	all_well(&info);
	assert_int_equal(value_of(r, 4).value, 1004);
	assert_int_equal(value_of(r, 5).value, 1006);
	assert_int_equal(info.committed, 1);
	p4a_replay_free(r);
}

/* A grant of more transactions than an epoch has serials, by an allocator that did not know of it. */
static void epochs__order_serials_that_overlap(void **state)
{
	const struct p4a_op first = { 4, 1111, P4A_WRITE }, second = { 4, 2222, P4A_WRITE };
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct p4a_logged t;
	uint32_t pos = 0;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	serial += (1 << SERIAL) + 100;
	commit(0, &first, 1);
	end_all(1);
	begin_epoch(2);
	move_cells(P4A_LOG_FILL, 1000);
	commit(1, &second, 1);
	end_all(2);
	r = replay(&info);
	assert_int_equal(value_of(r, 4).value, 2222);
	assert_int_equal(value_of(r, 4).epoch, epoch);
	assert_int_equal(info.gaps, (1 << SERIAL) + 100);
	assert_int_equal(info.damaged + info.breaks, 0);
	assert_true(p4a_replay_txn(r, &pos, &t));
	assert_int_equal(t.node, 0);
	p4a_replay_free(r);
}

static void files__any_order_and_twice(void **state)
{
	const struct p4a_op add = { 4, 10, P4A_ADD };
	struct p4a_replay_info info;
	struct p4a_replay *r;
	unsigned int i;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	for (i = 0; i < 30; i++)
		commit(i % NODES, &add, 1);
	end_all(1);
	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_int_equal(p4a_replay_add(r, book[2].data, book[2].len / 2, NULL), 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(p4a_replay_add(r, book[2 - i % NODES].data,
						book[2 - i % NODES].len, NULL), 0);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	p4a_replay_info(r, &info);
	all_well(&info);
	assert_int_equal(info.committed, 30);
	assert_int_equal(value_of(r, 4).value, 304);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);	/* again: the same */
	p4a_replay_info(r, &info);
	all_well(&info);
	assert_int_equal(info.committed, 30);
	p4a_replay_free(r);
}

static void files__wrong_ones(void **state)
{
	struct p4a_error err;
	struct p4a_replay *r;

	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	open_book(0, 8, 1, P4A_LOG_VERSION);
	assert_int_equal(p4a_replay_add(r, book[0].data, book[0].len, &err), -EINVAL);
	assert_string_equal(err.text, "log: of tenant 8, must be of 7");
	open_book(0, 7, 1, P4A_LOG_VERSION + 1);
	assert_int_equal(p4a_replay_add(r, book[0].data, book[0].len, &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text, "log: of another version, must be 1 .. 2");
	open_book(0, 7, 1, 0);
	assert_int_equal(p4a_replay_add(r, book[0].data, book[0].len, &err), -EPROTONOSUPPORT);
	memset(book[0].data, 'x', 4096);
	assert_int_equal(p4a_replay_add(r, book[0].data, 4096, &err), -EBADMSG);
	assert_int_equal(p4a_replay_add(r, book[0].data, 0, &err), 0);
	assert_int_equal(p4a_replay_dir(r, "/nowhere", &err), -ENOENT);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	p4a_replay_free(r);
}

static struct p4a_op any_op(void)
{
	static const uint32_t codes[] = { P4A_READ, P4A_WRITE, P4A_ADD, P4A_REFILL,
					  P4A_CHARGE, P4A_ADD | P4A_SOURCE,
					  P4A_WRITE | P4A_DEPENDENT, P4A_CHARGE | P4A_DEPENDENT };

	return (struct p4a_op) { below(KEYS), below(1000), codes[below(8)] };
}

/*
 * Epochs of random transactions, some refused, some without reply; the last ends with the switch. What
 * was done at the very end and not answered has gone with it.
 */
static void random__against_a_model(void **state)
{
	unsigned int round, i, unknown, committed;
	struct p4a_replay_info info;
	uint32_t want[KEYS];
	struct p4a_replay *r;
	struct sent s;

	for (round = 0; round < 300; round++) {
		unsigned int batches = 1 + below(3), b, txns;

		seed = round;
		unknown = committed = 0;
		open_books();
		for (b = 1; b <= batches; b++) {
			begin_epoch(b);
			move_cells(P4A_LOG_FILL, below(1000));
			for (txns = below(60); txns; txns--) {
				struct p4a_op op[3] = { any_op(), any_op(), any_op() };
				unsigned int what = below(10);

				if (what < 8) {
					commit(below(NODES), op, 1 + below(3));
					committed++;
					continue;
				}
				s = intend(below(NODES), op, 1 + below(3), 0);
				if (what == 8)
					conclude(&s, P4A_TXN_CONFLICT, 0);
				else
					unknown++;	/* never done */
			}
			memcpy(want, cell, sizeof(want));
			for (txns = b == batches ? below(5) : 0; txns; txns--) {
				struct p4a_op op = any_op();

				s = intend(below(NODES), &op, 1, 0);
				execute(&s);
				serial++;
				if (below(2))
					conclude(&s, P4A_TXN_UNKNOWN, 0);
				unknown++;
			}
			end_all(b);
			if (b < batches)
				move_cells(P4A_LOG_DRAIN, 0);
		}
		r = replay(&info);
		all_well(&info);
		assert_int_equal(info.committed, committed);
		assert_int_equal(info.unknown, unknown);
		for (i = 0; i < KEYS; i++)
			assert_int_equal(value_of(r, i).value, want[i]);
		p4a_replay_free(r);
	}
}

/*
 * Some are done without their node hearing of it. What nobody committed after is gone with the switch;
 * every other one is missed, and all that may have been one is named.
 */
static void random__losses_are_noticed(void **state)
{
	unsigned int round, txns, lost, missed, i;
	struct p4a_replay_info info;
	uint32_t want[KEYS];
	struct p4a_replay *r;

	for (round = 0; round < 300; round++) {
		seed = round;
		lost = missed = 0;
		open_books();
		begin_epoch(1);
		move_cells(P4A_LOG_FILL, below(1000));
		memcpy(want, cell, sizeof(want));
		for (txns = 20; txns; txns--) {
			struct p4a_op op[3] = { any_op(), any_op(), any_op() };
			struct sent s;

			if (below(8)) {
				commit(below(NODES), op, 3);
				missed = lost;
				memcpy(want, cell, sizeof(want));
				continue;
			}
			s = intend(below(NODES), op, 3, 0);
			execute(&s);
			serial++;
			lost++;
			if (below(2))
				conclude(&s, P4A_TXN_UNKNOWN, 0);
		}
		/* Not ended: whose reply may still come cannot be settled. */
		r = replay(&info);
		assert_int_equal(info.gaps, missed);
		assert_int_equal(info.committed, 20 - lost);
		assert_int_equal(info.unknown, lost);
		for (i = 0; i < KEYS && !missed; i++)
			assert_int_equal(value_of(r, i).value, want[i]);
		for (i = 0; i < KEYS && missed; i++)
			assert_true(value_of(r, i).doubt || value_of(r, i).value == want[i]);
		p4a_replay_free(r);
	}
}

/* ---------------------------------------------------------------- who is over */

static struct {
	uint8_t *data;
	size_t len, room;
	uint64_t next;
} file;

static void put(union p4a_log_record *rec, enum p4a_log_type type, uint32_t arg)
{
	uint32_t len = p4a_log_seal(rec, type, 0, arg, file.next++);

	assert_true(file.len + len <= file.room);
	memcpy(file.data + file.len, rec, len);
	file.len += len;
}

static void begin_file(unsigned int records)
{
	union p4a_log_record rec = { .open = {
		.magic = P4A_LOG_MAGIC, .tenant = htole32(7), .nodes = htole16(1),
	} };

	file.room = (records + 1) * sizeof(struct p4a_log_open_rec);
	file.data = malloc(file.room);
	assert_non_null(file.data);
	file.len = 0;
	file.next = UINT64_C(1) << P4A_LOG_SEGMENT_SHIFT;
	put(&rec, P4A_LOG_OPEN, P4A_LOG_VERSION);
}

static void put_grant(uint64_t e, uint32_t batch)
{
	union p4a_log_record rec = { .grant = { .epoch = htole64(e) } };

	put(&rec, P4A_LOG_GRANT, batch);
}

static void put_end(uint32_t batch)
{
	union p4a_log_record rec = { 0 };

	put(&rec, P4A_LOG_END, batch);
}

static void read_file(struct p4a_replay *r)
{
	struct p4a_error err;

	assert_int_equal(p4a_replay_add(r, file.data, file.len, &err), 0);
	free(file.data);
}

static struct p4a_replay *new_replay(void)
{
	struct p4a_error err;
	struct p4a_replay *r;

	assert_int_equal(p4a_replay_new(&r, 7, &err), 0);
	return r;
}

/* Each grant is looked at once, whatever the ENDs between them are of. */
static void empty_batches__take_as_many_steps(void **state)
{
	const unsigned int n = 250000;
	const struct p4a_replay_grant *g;
	struct p4a_replay *r;
	unsigned int i, kind;

	for (kind = 0; kind < 3; kind++) {
		begin_file(2 * n);
		for (i = 1; i <= n; i++) {
			put_grant(i, kind ? n + 1 - i : i);
			put_end(kind == 2 ? 0 : i);
		}
		r = new_replay();
		read_file(r);
		g = r->grants.data;
		assert_int_equal(r->grants.n, n);
		for (i = 0; i < n; i++)
			assert_int_equal(g[i].over, kind < 2);
		assert_int_equal(r->marked, n);
		p4a_replay_free(r);
	}
}

/* As the words are: an END of a batch is for all grants of it, and of batches before, that come before it
 * in the same file.
 */
static void over__as_ends_say(void **state)
{
	uint32_t batch[20];
	bool over[20];
	unsigned int round, i, j, n;
	const struct p4a_replay_grant *g;
	struct p4a_replay *r;

	for (round = 0; round < 2000; round++) {
		seed = round;
		r = new_replay();
		begin_file(1);		/* of the same segment: what comes in the next is not for it */
		put_grant(1, 0);
		read_file(r);
		begin_file(20);
		for (i = n = 0; i < 20; i++) {
			uint32_t b = below(6);

			if (below(2)) {
				put_grant(2 + i, b);
				over[n] = false;
				batch[n++] = b;
				continue;
			}
			put_end(b);
			for (j = 0; j < n; j++)
				over[j] |= batch[j] <= b;
		}
		read_file(r);
		g = r->grants.data;
		assert_int_equal(r->grants.n, n + 1);
		assert_false(g[0].over);
		for (i = 0; i < n; i++) {
			assert_int_equal(g[i + 1].over, over[i]);
			assert_int_equal(g[i + 1].ended, over[i]);
		}
		p4a_replay_free(r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_nodes__interleaved),
		cmocka_unit_test(second_pass__comes_after_the_first),
		cmocka_unit_test(sum__comes_from_results),
		cmocka_unit_test(unknown__is_never_applied_and_named),
		cmocka_unit_test(stale__is_proof),
		cmocka_unit_test(drains__may_be_repeated),
		cmocka_unit_test(nodes__missing_and_not_ended),
		cmocka_unit_test(nodes__fewer_than_before),
		cmocka_unit_test(epochs__only_those_asked_for),
		cmocka_unit_test(epochs__order_serials_that_overlap),
		cmocka_unit_test(files__any_order_and_twice),
		cmocka_unit_test(files__wrong_ones),
		cmocka_unit_test(random__against_a_model),
		cmocka_unit_test(random__losses_are_noticed),
		cmocka_unit_test(empty_batches__take_as_many_steps),
		cmocka_unit_test(over__as_ends_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
