// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_settle.c - transactions without a reply: told as done if others have seen them, left out if nobody
 * has, and nothing told where it can't be known.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib_books.h"
#include "settle.h"

static const struct p4a_op add = { 4, 10, P4A_ADD }, other = { 5, 1, P4A_ADD };

static void begin(void)
{
	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
}

/* Done in the switch, and the reply goes down with it. */
static struct sent lose(unsigned int node, const struct p4a_op *op, unsigned int n, uint64_t user)
{
	struct sent s = intend(node, op, n, user);

	execute(&s);
	serial++;
	return s;
}

static struct p4a_logged find(const struct p4a_replay *r, uint64_t user)
{
	struct p4a_logged t;
	uint32_t pos = 0;

	while (p4a_replay_txn(r, &pos, &t))
		if (t.user == user)
			return t;
	fail_msg("transaction %u is not there", (unsigned int)user);
	return t;
}

static struct p4a_replay *well_replayed(struct p4a_replay_info *info)
{
	struct p4a_replay *r = replay(info);

	all_well(info);
	return r;
}

/* Nothing was told: gaps and breaks are as they would be without those in doubt. */
static void not_settled(uint64_t gaps, uint64_t breaks)
{
	struct p4a_replay_info info;

	p4a_replay_free(replay(&info));
	assert_int_equal(info.gaps, gaps);
	assert_int_equal(info.breaks, breaks);
	assert_int_equal(info.settled + info.unseen, 0);
}

static void seen__is_done(void **state)
{
	const struct p4a_op two[2] = { add, { 6, 0, P4A_READ } };
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct p4a_logged t;
	struct sent s;

	begin();
	s = lose(1, two, 2, 99);
	commit(0, &add, 1);
	conclude(&s, P4A_TXN_UNKNOWN, 0);
	lose(1, &other, 1, 77);		/* nobody commits after it */
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 1);
	assert_int_equal(info.unseen, 0);
	assert_int_equal(info.unknown, 1);
	assert_int_equal(info.committed, 2);
	assert_int_equal(value_of(r, 4).value, 24);
	assert_int_equal(value_of(r, 4).doubt, 0);
	assert_int_equal(value_of(r, 5).value, 5);
	t = find(r, 99);
	assert_int_equal(t.status, P4A_TXN_OK);
	assert_int_equal(t.err, -ETIMEDOUT);
	assert_int_equal(t.serial, (epoch << SERIAL) + KEYS);
	assert_int_equal(t.op[0].result, 4);
	assert_int_equal(t.op[1].result, 6);
	assert_int_equal(find(r, 77).status, P4A_TXN_UNKNOWN);
	p4a_replay_free(r);
}

/* Its log just ends; and what is told is the same when it is asked again. */
static void seen__of_a_log_without_result(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct sent s;
	int again;

	begin();
	s = lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	r = replay(&info);
	for (again = 0; again < 2; again++) {
		all_well(&info);
		assert_int_equal(info.settled, 1);
		assert_int_equal(find(r, 99).err, -ENODATA);
		assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
		p4a_replay_info(r, &info);
	}
	s.seq += 1000;			/* a result without its intent: a damaged log */
	conclude(&s, P4A_TXN_STALE, 0);
	assert_int_equal(p4a_replay_add(r, book[1].data, book[1].len, NULL), 0);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	assert_int_equal(find(r, 99).status, P4A_TXN_UNKNOWN);
	assert_int_equal(find(r, 99).err, 0);
	p4a_replay_free(r);
}

static void unseen__is_left_out(void **state)
{
	const struct p4a_op read = { 4, 0, P4A_READ };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &add, 1, 99);
	lose(2, &read, 1, 77);
	commit(0, &other, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.unseen, 2);
	assert_int_equal(info.settled, 0);
	assert_int_equal(info.unknown, 2);
	assert_int_equal(value_of(r, 4).value, 4);
	assert_int_equal(value_of(r, 5).value, 6);
	assert_int_equal(find(r, 99).status, P4A_TXN_UNKNOWN);
	p4a_replay_free(r);
}

/* What a drain has read tells as much as a transaction. */
static void drained__is_seen(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	commit(0, &add, 1);
	lose(1, &add, 1, 99);
	end_all(1);
	serial += 3;			/* reads without a reply */
	move_cells(P4A_LOG_DRAIN, 0);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 1);
	assert_int_equal(find(r, 99).op[0].result, 14);
	assert_int_equal(value_of(r, 4).value, 24);
	p4a_replay_free(r);
}

/* Below it is the serial of a read that was lost, which is no gap, but nobody has that one either. */
static void drained__after_a_lost_read(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;
	struct sent s;

	begin();
	commit(0, &add, 1);
	s = intend(1, &add, 1, 99);
	end_all(1);
	serial++;
	move_cells(P4A_LOG_DRAIN, 0);
	execute(&s);			/* the network has held it until now */
	serial++;
	move_cells(P4A_LOG_DRAIN, 0);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 1);
	assert_int_equal(info.unseen, 1);
	assert_int_equal(value_of(r, 4).value, 24);
	p4a_replay_free(r);
}

static void alike__cannot_be_told(void **state)
{
	const struct p4a_op here[2] = { add, { 5, 1, P4A_ADD } }, there[2] = { add, { 6, 1, P4A_ADD } };

	begin();
	lose(1, here, 2, 99);
	intend(2, there, 2, 77);	/* never sent */
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
}

/* Both must have been, and nobody was between them: who was first is the same to all. */
static void alike__but_all_were_done(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &add, 1, 99);
	lose(2, &add, 1, 77);
	commit(0, &add, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 2);
	assert_int_equal(value_of(r, 4).value, 34);
	assert_int_equal(find(r, 99).op[0].result + find(r, 77).op[0].result, 4 + 14);
	p4a_replay_free(r);
}

/* Who had seen the result when it sent its own can't have been before it. */
static void alike__but_one_was_sent_later(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	lose(0, &add, 1, 77);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(find(r, 99).status, P4A_TXN_OK);
	assert_int_equal(find(r, 77).status, P4A_TXN_UNKNOWN);
	p4a_replay_free(r);
}

/* It may have been at either of two serials: the later one contradicts nobody. */
static void place__is_the_last_possible(void **state)
{
	const struct p4a_op two[2] = { add, { 6, 0, P4A_READ } }, set = { 6, 60, P4A_WRITE };
	const struct p4a_op read = { 7, 0, P4A_READ };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, two, 2, 99);
	commit(0, &set, 1);
	lose(2, &read, 1, 77);
	commit(0, &add, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 1);
	assert_int_equal(info.unseen, 1);
	assert_int_equal(find(r, 99).serial, (epoch << SERIAL) + KEYS + 2);
	assert_int_equal(find(r, 99).op[1].result, 60);
	p4a_replay_free(r);
}

/* More serials than transactions in doubt: of somebody nothing is known. */
static void too_few__for_the_gaps(void **state)
{
	begin();
	lose(1, &other, 1, 99);
	serial++;
	commit(0, &add, 1);
	end_all(1);
	not_settled(2, 0);
}

static void nobody__explains_it(void **state)
{
	begin();
	lose(1, &other, 1, 99);
	cell[4] += 3;
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
}

static void not_ended__is_not_settled(void **state)
{
	struct p4a_replay_info info;

	open_books();
	begin_epoch(5);
	move_cells(P4A_LOG_FILL, 20);
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_one(0, 5);
	end_one(1, 5);
	not_settled(1, 1);
	end_one(2, 4);
	not_settled(1, 1);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.unended, 4);
	end_one(2, 6);			/* which it was not granted */
	p4a_replay_free(replay(&info));
	all_well(&info);
}

/* In logs of version 1 drains come after END: the values are told, but nothing is settled. */
static void ended_by_version_1__is_not_settled(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	open_book(2, 7, 1, 1);
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 0);
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
	r = replay(&info);
	assert_int_equal(info.unended, 0);
	assert_int_equal(value_of(r, 4).value, 24);
	p4a_replay_free(r);
}

/* A node that was granted the batch twice, in two lives, has ended it when both have. */
static void ended_in_each_file__is_settled(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;
	unsigned int ends;

	for (ends = 0; ends < 3; ends++) {
		begin();
		lose(1, &add, 1, 99);
		commit(0, &add, 1);
		end_one(0, 1);
		end_one(1, 1);
		r = replay(&info);	/* a file that is added again may have grown */
		assert_int_equal(info.unended, 4);
		end_one(2, 1);
		assert_int_equal(p4a_replay_add(r, book[2].data, book[2].len, NULL), 0);
		open_book(2, 7, 2, P4A_LOG_VERSION);
		if (ends)
			grant(2, 1, epoch);
		if (ends > 1)
			end_one(2, 1);
		assert_int_equal(p4a_replay_add(r, book[2].data, book[2].len, NULL), 0);
		assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
		p4a_replay_info(r, &info);
		assert_int_equal(info.unended, ends == 1 ? 4 : 0);
		assert_int_equal(info.gaps, ends == 1);
		assert_int_equal(info.settled, ends != 1);
		p4a_replay_free(r);
	}
}

/* Numbers of batches may begin again: an END of long ago says nothing of one that was granted since. */
static void numbered_again__has_not_ended(void **state)
{
	struct p4a_replay_info info;

	open_books();
	begin_epoch(1000);
	move_cells(P4A_LOG_FILL, 20);
	end_all(1000);
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 20);
	end_one(1, 1);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.unended, 5);
}

static void not_granted__is_not_settled(void **state)
{
	unsigned int node;

	open_books();
	epoch++;
	serial = epoch << SERIAL;
	for (node = 0; node < NODES - 1; node++)
		grant(node, 1, epoch);
	move_cells(P4A_LOG_FILL, 0);
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
}

static void damaged__is_not_settled(void **state)
{
	struct p4a_replay_info info;
	struct sent s;

	begin();
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	s = intend(0, &other, 1, 1);
	s.seq += 1000;			/* an intent that is not there */
	conclude(&s, P4A_TXN_STALE, 0);
	end_all(1);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.damaged, 1);
	assert_int_equal(info.settled + info.unseen, 0);
	assert_int_equal(info.gaps, 1);
}

/* Without a fill, nothing is known of what was there at first. */
static void not_filled__is_not_settled(void **state)
{
	const struct p4a_op set = { 4, 1, P4A_WRITE };

	open_books();
	begin_epoch(1);
	commit(0, &set, 1);
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
}

/* What one has left is explained only by what another has left before. */
static void sums__lead_further(void **state)
{
	const struct p4a_op set = { 7, 1000, P4A_WRITE };
	const struct p4a_op sum[2] = { { 7, 0, P4A_READ | P4A_SOURCE }, { 4, 1, P4A_ADD | P4A_DEPENDENT } };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &set, 1, 99);
	lose(2, sum, 2, 77);
	commit(0, &add, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 2);
	assert_int_equal(value_of(r, 4).value, 4 + 1000 + 1 + 10);
	assert_int_equal(value_of(r, 7).value, 1000);
	assert_true(find(r, 99).serial < find(r, 77).serial);
	p4a_replay_free(r);
}

/* It would have aborted where the other one was not. */
static void conditions__lead_further(void **state)
{
	const struct p4a_op pay_in = { 7, 1000, P4A_ADD };
	const struct p4a_op pay[2] = { { 7, -500, P4A_CADD }, add };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &pay_in, 1, 99);
	lose(2, pay, 2, 77);
	commit(0, &add, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 2);
	assert_int_equal(value_of(r, 7).value, 507);
	p4a_replay_free(r);
	begin();
	intend(2, pay, 2, 77);		/* would abort */
	cell[4] += 10;
	serial++;
	commit(0, &add, 1);
	end_all(1);
	not_settled(1, 1);
}

/* Who was told to abort has seen the other one, though no value says so. */
static void abort__needs_a_reason(void **state)
{
	static const struct {
		uint32_t key, operand;
		uint64_t breaks;
	} t[] = {
		{ 4, -2, 1 },		/* there were 4 and are 1, which nobody else has seen */
		{ 4, -5, 0 },		/* not even 4 are enough */
		{ 8, -9, 0 },		/* of what nobody in doubt has written */
		{ 6, -61, 1 },		/* there were 60, which the node knew had become 70 */
		{ 6, -65, 1 },
		{ 6, -75, 0 },
	};
	const struct p4a_op lost[2] = { { 4, -3, P4A_ADD }, { 6, 1, P4A_ADD } };
	const struct p4a_op set = { 6, 60, P4A_WRITE }, more = { 6, 10, P4A_ADD };
	const struct p4a_op less = { 6, 5, P4A_WRITE };
	struct p4a_replay_info info;
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct p4a_op op = { t[i].key, t[i].operand, P4A_CADD };
		struct sent s;

		begin();
		commit(2, &set, 1);
		commit(2, &more, 1);
		s = intend(2, &op, 1, 77);
		conclude(&s, P4A_TXN_ABORT, 0);
		commit(2, &less, 1);	/* too late to be the reason */
		lose(1, lost, 2, 99);
		commit(0, &other, 1);
		end_all(1);
		p4a_replay_free(replay(&info));
		assert_int_equal(info.breaks, t[i].breaks);
		assert_int_equal(info.gaps, 0);
	}
}

static void second_pass__comes_after_the_first(void **state)
{
	const struct p4a_op ops[3] = {
		{ 4, 100, P4A_WRITE | P4A_SECOND_PASS }, { 5, 1, P4A_ADD }, { 4, 50, P4A_ADD },
	};
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, ops, 3, 99);
	commit(0, &add, 1);
	end_all(1);
	r = well_replayed(&info);
	assert_int_equal(value_of(r, 4).value, 110);
	assert_int_equal(value_of(r, 5).value, 6);
	assert_int_equal(find(r, 99).op[0].result, 54);
	assert_int_equal(find(r, 99).op[2].result, 4);
	p4a_replay_free(r);
}

/* One of an earlier grant explains nothing in this one, and each is settled by itself. */
static void epochs__are_apart(void **state)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	begin();
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	begin_epoch(2);
	move_cells(P4A_LOG_FILL, 0);
	lose(1, &add, 1, 77);
	commit(0, &other, 1);
	end_all(2);
	r = well_replayed(&info);
	assert_int_equal(info.settled, 1);
	assert_int_equal(info.unseen, 1);
	assert_int_equal(find(r, 99).status, P4A_TXN_OK);
	assert_int_equal(find(r, 77).status, P4A_TXN_UNKNOWN);
	p4a_replay_free(r);
	begin();
	lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	begin_epoch(2);
	move_cells(P4A_LOG_FILL, 0);
	cell[4] += 10;
	serial++;
	commit(0, &add, 1);
	end_all(2);
	p4a_replay_free(replay(&info));
	assert_int_equal(info.settled, 1);
	assert_int_equal(info.gaps, 1);
	assert_int_equal(info.breaks, 1);
}

/* With more than it looks at, it says that it can't tell; left out may be any number. */
static void many__are_bounded(void **state)
{
	struct p4a_replay_info info;
	unsigned int i, n;

	for (n = P4A_SETTLE_TXNS - 1; n <= P4A_SETTLE_TXNS; n++) {
		begin();
		lose(1, &add, 1, 99);
		for (i = 0; i < n; i++)
			intend(2, &other, 1, 77);
		commit(0, &add, 1);
		end_all(1);
		if (n == P4A_SETTLE_TXNS) {
			not_settled(1, 1);
			continue;
		}
		p4a_replay_free(replay(&info));
		all_well(&info);
	}
	begin();
	for (i = 0; i < 200; i++)
		lose(1, &add, 1, 99);
	commit(0, &other, 1);
	end_all(1);
	p4a_replay_free(replay(&info));
	all_well(&info);
	assert_int_equal(info.unseen, 200);
	begin();
	for (i = 0; i < 20; i++)	/* any of them in any order */
		lose(1, &add, 1, 99);
	commit(0, &add, 1);
	end_all(1);
	not_settled(20, 1);
	begin();
	for (i = 0; i < 20; i++)	/* no number of them in no order */
		lose(1, &add, 1, 99);
	cell[4]++;
	commit(0, &add, 1);
	end_all(1);
	not_settled(20, 1);
}

/* Each may have been judged behind each of as many transactions, and only behind the last with a reason. */
static void many_aborts__are_bounded(void **state)
{
	const struct p4a_op pay = { 6, -10, P4A_CADD }, more = { 6, 1, P4A_ADD };
	const struct p4a_op much = { 6, 1000, P4A_ADD }, set = { 6, 5, P4A_WRITE }, lost = { 6, 0, P4A_WRITE };
	static struct sent s[2100];
	unsigned int n, i;

	for (n = 100; n <= 2100; n += 2000) {
		struct p4a_replay_info info;
		struct p4a_replay *r;

		begin();
		commit(2, &much, 1);
		for (i = 0; i < n; i++)
			s[i] = intend(2, &pay, 1, 77);
		for (i = 0; i < n; i++)
			commit(0, &more, 1);
		commit(0, &set, 1);
		for (i = 0; i < n; i++)
			conclude(&s[i], P4A_TXN_ABORT, 0);
		lose(1, &lost, 1, 99);
		end_all(1);
		r = replay(&info);
		if (n == 100)
			assert_int_equal(info.breaks, 0);
		else
			assert_in_range(info.breaks, 1, n - 1);
		assert_in_range(p4a_replay_batch(r, epoch)->looks, 1, P4A_ABORT_LOOKS);
		p4a_replay_free(r);
	}
}

/* Of an epoch only its own records are looked at, however many others there are. */
static void many_epochs__take_as_many_steps(void **state)
{
	const unsigned int n = 2000;
	struct p4a_replay_info info;
	struct p4a_replay *r;
	unsigned int batch;

	open_books();
	for (batch = 1; batch <= n; batch++) {
		begin_epoch(batch);
		lose(1, &other, 1, 99);
		commit(0, &add, 1);
		end_all(batch);
	}
	r = well_replayed(&info);
	assert_int_equal(info.unseen, n);
	assert_int_equal(r->looked_at, 3 * n);
	p4a_replay_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(seen__is_done),
		cmocka_unit_test(seen__of_a_log_without_result),
		cmocka_unit_test(unseen__is_left_out),
		cmocka_unit_test(drained__is_seen),
		cmocka_unit_test(drained__after_a_lost_read),
		cmocka_unit_test(alike__cannot_be_told),
		cmocka_unit_test(alike__but_all_were_done),
		cmocka_unit_test(alike__but_one_was_sent_later),
		cmocka_unit_test(place__is_the_last_possible),
		cmocka_unit_test(too_few__for_the_gaps),
		cmocka_unit_test(nobody__explains_it),
		cmocka_unit_test(not_ended__is_not_settled),
		cmocka_unit_test(ended_by_version_1__is_not_settled),
		cmocka_unit_test(ended_in_each_file__is_settled),
		cmocka_unit_test(numbered_again__has_not_ended),
		cmocka_unit_test(not_granted__is_not_settled),
		cmocka_unit_test(damaged__is_not_settled),
		cmocka_unit_test(not_filled__is_not_settled),
		cmocka_unit_test(sums__lead_further),
		cmocka_unit_test(conditions__lead_further),
		cmocka_unit_test(abort__needs_a_reason),
		cmocka_unit_test(second_pass__comes_after_the_first),
		cmocka_unit_test(epochs__are_apart),
		cmocka_unit_test(many__are_bounded),
		cmocka_unit_test(many_aborts__are_bounded),
		cmocka_unit_test(many_epochs__take_as_many_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
