// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_named.c - named locks: stories, and random schedules against a plain model that keeps lists
 * and looks at everything each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../tools/p4allocd/named.h"
#include "rnd.h"

static struct p4d_name name_of(uint32_t i)
{
	struct p4d_name n = { { 0 } };

	snprintf((char *)&n, sizeof(n), "lock %u", i);
	return n;
}

/* ------------------------------------------------------------------------------- stories */

static struct p4d_named *t;
static uint64_t now, next_token, token, tickets;

static enum p4d_named_result ask_for(uint32_t lock, uint64_t owner, uint8_t mode, uint32_t lease,
				     uint32_t wait, uint64_t old)
{
	const struct p4d_claim_of who = { owner, old, lease, wait, ++tickets, mode, false };
	const struct p4d_name n = name_of(lock);

	token = 0;
	return p4d_named_acquire(t, now, n, &who, &token);
}

#define X P4W_LOCK_EXCLUSIVE
#define S P4W_LOCK_SHARED
#define LEASE 1000

static bool give_back(uint32_t lock, uint64_t owner, uint64_t which)
{
	const struct p4d_name n = name_of(lock);

	return p4d_named_release(t, now, n, owner, which);
}

static uint64_t holder(uint32_t lock)
{
	const struct p4d_name n = name_of(lock);

	return p4d_named_check(t, now, n);
}

/* The next event is this grant (token 0: refusal). */
static void assert_told(uint64_t ticket, uint64_t granted)
{
	struct p4d_named_event ev;

	assert_true(p4d_named_pop(t, &ev));
	assert_int_equal(ev.ticket, ticket);
	assert_int_equal(ev.token, granted);
}

static void assert_quiet(void)
{
	struct p4d_named_event ev;

	assert_false(p4d_named_pop(t, &ev));
}

static int set_up(void **state)
{
	t = p4d_named_create(5, 0, 0, &next_token);
	now = 1 << 20;
	next_token = 1;
	tickets = 0;
	return 0;
}

static int tear_down(void **state)
{
	p4d_named_destroy(t);
	return 0;
}

static void exclusive__one_at_a_time(void **state)
{
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(token, 1);
	assert_int_equal(holder(1), 1);
	assert_int_equal(ask_for(1, 8, X, LEASE, 0, 0), P4D_NAMED_BUSY);
	assert_int_equal(ask_for(1, 8, S, LEASE, 0, 0), P4D_NAMED_BUSY);
	assert_int_equal(ask_for(2, 8, X, LEASE, 0, 0), P4D_NAMED_HELD);	/* another one */
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);	/* a repeat */
	assert_int_equal(token, 1);
	assert_false(give_back(1, 8, 1));
	assert_false(give_back(1, 7, 2));
	assert_true(give_back(1, 7, 1));
	assert_true(give_back(1, 7, 1));	/* a repeat */
	assert_int_equal(holder(1), 0);
	assert_int_equal(ask_for(1, 9, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(token, 3);		/* ascending over all locks */
	assert_int_equal(p4d_named_deadline(t), UINT64_MAX);
	assert_int_equal(p4d_named_claims(t), 2);
}

static void queue__first_come_first_served(void **state)
{
	assert_int_equal(ask_for(1, 1, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 3, X, LEASE, 500, 0), P4D_NAMED_WAITS);	/* ticket 3 */
	assert_int_equal(ask_for(1, 4, S, LEASE, 0, 0), P4D_NAMED_BUSY);	/* no overtaking */
	assert_int_equal(ask_for(1, 4, S, LEASE, 500, 0), P4D_NAMED_WAITS);	/* 5 */
	assert_int_equal(ask_for(1, 5, S, LEASE, 500, 0), P4D_NAMED_WAITS);	/* 6 */
	assert_int_equal(ask_for(1, 6, X, LEASE, 500, 0), P4D_NAMED_WAITS);	/* 7 */
	assert_quiet();
	assert_true(give_back(1, 1, 1));
	assert_quiet();
	assert_true(give_back(1, 2, 2));
	assert_told(3, 3);
	assert_quiet();
	assert_true(give_back(1, 3, 3));
	assert_told(5, 4);
	assert_told(6, 5);
	assert_quiet();
	assert_true(give_back(1, 5, 5));
	assert_true(give_back(1, 4, 4));
	assert_told(7, 6);
	assert_true(give_back(1, 6, 6));
	assert_int_equal(p4d_named_claims(t), 0);
}

static void lease__comes_back_when_it_has_ended(void **state)
{
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 0), P4D_NAMED_HELD);
	now += LEASE - 1;
	assert_int_equal(ask_for(1, 2, X, LEASE, 0, 0), P4D_NAMED_BUSY);
	assert_int_equal(ask_for(1, 2, X, LEASE, 5000, 0), P4D_NAMED_WAITS);
	assert_int_equal(p4d_named_deadline(t), now + 1);
	p4d_named_tick(t, now);
	assert_quiet();
	now++;
	p4d_named_tick(t, now);
	assert_told(3, 2);
	assert_false(give_back(1, 1, 1));		/* too late */
	assert_int_equal(holder(1), 2);
	/* without anybody who wants it, it can be renewed late */
	now += 10 * LEASE;
	assert_int_equal(holder(1), 0);
	assert_int_equal(ask_for(1, 2, X, LEASE, 0, 2), P4D_NAMED_HELD);
	assert_int_equal(token, 2);
	assert_int_equal(holder(1), 2);
	now += LEASE;
	assert_int_equal(ask_for(1, 3, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 0, 2), P4D_NAMED_LOST);
}

static void lease__is_extended_by_asking_again(void **state)
{
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 50 * LEASE, 0), P4D_NAMED_WAITS);
	for (int i = 0; i < 10; i++) {
		now += LEASE / 2;
		assert_int_equal(ask_for(1, 1, X, LEASE, 0, 1), P4D_NAMED_HELD);
		p4d_named_tick(t, now);
		assert_quiet();
		assert_int_equal(p4d_named_deadline(t), now + LEASE);
	}
	now += LEASE;
	p4d_named_tick(t, now);
	assert_told(2, 2);
}

/* The first request was lost in the network and comes when the lease has long been extended. */
static void lease__does_not_end_earlier_by_a_late_repeat(void **state)
{
	for (uint32_t lock = 1; lock <= 3; lock++) {	/* the first is a crowd of one, the third none */
		bool waited_for = lock == 2;

		assert_int_equal(ask_for(lock, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
		if (waited_for)
			assert_int_equal(ask_for(lock, 8, X, LEASE, 9 * LEASE, 0), P4D_NAMED_WAITS);
		assert_int_equal(ask_for(lock, 7, X, 5 * LEASE, 0, holder(lock)), P4D_NAMED_HELD);
		assert_int_equal(ask_for(lock, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
		now += 4 * LEASE;
		p4d_named_tick(t, now);
		assert_quiet();
		assert_int_equal(ask_for(lock, 9, X, LEASE, 0, 0), P4D_NAMED_BUSY);
		now += LEASE;
		p4d_named_tick(t, now);
		if (waited_for)
			assert_told(7, 4);
		else
			assert_int_equal(ask_for(lock, 9, X, LEASE, 0, 0), P4D_NAMED_HELD);
	}
}

/* Lost in the network, it comes when the hold that a repeat of it has taken was given back. */
static void late__after_its_own_release(void **state)
{
	static const uint8_t modes[] = { X, S };

	for (uint32_t lock = 1; lock <= 4; lock++) {
		uint64_t mine = 10 * lock, held;
		uint8_t mode = modes[lock % 2];

		if (lock > 2) {			/* there is a crowd */
			assert_int_equal(ask_for(lock, mine + 1, S, 9 * LEASE, 0, 0), P4D_NAMED_HELD);
			assert_int_equal(ask_for(lock, mine, mode, LEASE, 100, 0),
					 mode == S ? P4D_NAMED_HELD : P4D_NAMED_WAITS);
			assert_true(give_back(lock, mine + 1, holder(lock) == token ? token - 1 :
					      holder(lock)));
			while (mode == X && !token)
				token = holder(lock);
		} else {
			assert_int_equal(ask_for(lock, mine, mode, LEASE, 0, 0), P4D_NAMED_HELD);
		}
		held = token;
		while (p4d_named_pop(t, &(struct p4d_named_event){ 0 }))
			;
		assert_true(give_back(lock, mine, held));
		assert_int_equal(ask_for(lock, mine, mode, LEASE, 0, 0), P4D_NAMED_OVER);
		assert_int_equal(ask_for(lock, mine, mode, LEASE, 500, 0), P4D_NAMED_OVER);
		assert_int_equal(ask_for(lock, mine, mode, LEASE, 0, held), P4D_NAMED_LOST);
		assert_int_equal(ask_for(lock, mine + 5, X, LEASE, 0, 0), P4D_NAMED_HELD);
		assert_true(give_back(lock, mine + 5, token));
		assert_int_equal(ask_for(lock, mine, mode, LEASE, 0, 0), P4D_NAMED_OVER);
		assert_int_equal(p4d_named_claims(t), 0);
	}
}

/* Other owners push it out of what is remembered, and that does not grow. */
static void late__is_not_remembered_for_ever(void **state)
{
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_true(give_back(1, 7, token));
	for (uint64_t owner = 8; owner < 7 + P4D_OVER; owner++) {
		assert_int_equal(ask_for(1, owner, X, LEASE, 0, 0), P4D_NAMED_HELD);
		assert_true(give_back(1, owner, token));
	}
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_OVER);
	assert_int_equal(ask_for(1, 7 + P4D_OVER, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_true(give_back(1, 7 + P4D_OVER, token));
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
}

/* A wrong token gives nothing back: the holder may go on. */
static void late__but_it_still_holds(void **state)
{
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_false(give_back(1, 7, 99));
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 1), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 8, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 1), P4D_NAMED_HELD);
	assert_false(give_back(1, 8, 99));
	assert_int_equal(ask_for(1, 8, X, LEASE, 500, 0), P4D_NAMED_WAITS);
}

static void wait__ends(void **state)
{
	assert_int_equal(ask_for(1, 1, S, 100 * LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 10, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 3, S, LEASE, 500, 0), P4D_NAMED_WAITS);
	now += 10;
	p4d_named_tick(t, now);
	assert_told(2, 0);
	assert_told(3, 2);		/* nobody is before it any more */
	assert_quiet();
}

/* Each holds what the other wants: the one that is less patient gets an error, the other the lock. */
static void wait__deadlock_of_two_ends(void **state)
{
	assert_int_equal(ask_for(1, 1, X, 100 * LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(2, 2, X, 100 * LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(2, 1, X, LEASE, 300, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 2, X, LEASE, 400, 0), P4D_NAMED_WAITS);
	now += 300;
	p4d_named_tick(t, now);
	assert_told(3, 0);
	assert_quiet();
	assert_true(give_back(1, 1, 1));
	assert_told(4, 3);
}

static void wait__repeat_keeps_its_place(void **state)
{
	struct p4d_named_event ev;

	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 3, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 2, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_true(p4d_named_pop(t, &ev));
	assert_int_equal(ev.ticket, 2);
	assert_true(ev.again);
	assert_true(give_back(1, 1, 1));
	assert_told(4, 2);
}

static void grace__only_holders_of_before(void **state)
{
	p4d_named_destroy(t);
	t = p4d_named_create(5, now + 100, 50, &next_token);
	next_token = 50;
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 0), P4D_NAMED_BUSY);
	assert_int_equal(ask_for(1, 1, X, LEASE, 5000, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(2, 9, X, LEASE, 0, 50), P4D_NAMED_LOST);	/* not of before */
	assert_int_equal(ask_for(2, 9, X, LEASE, 0, 17), P4D_NAMED_HELD);
	assert_int_equal(token, 17);
	assert_int_equal(ask_for(2, 8, S, LEASE, 0, 16), P4D_NAMED_LOST);
	assert_int_equal(ask_for(3, 8, S, LEASE, 0, 15), P4D_NAMED_HELD);
	assert_int_equal(ask_for(3, 7, S, LEASE, 0, 14), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 6, X, 10 * LEASE, 0, 13), P4D_NAMED_HELD);	/* before who waits */
	assert_quiet();
	now += 100;
	p4d_named_tick(t, now);
	assert_quiet();
	assert_true(give_back(1, 6, 13));
	assert_told(2, 50);
	assert_int_equal(ask_for(4, 8, S, LEASE, 0, 12), P4D_NAMED_LOST);
	assert_int_equal(ask_for(4, 8, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_true(give_back(2, 9, 17));
}

static void grace__given_back_before_it_shows_its_token(void **state)
{
	p4d_named_destroy(t);
	t = p4d_named_create(5, now + 100, 50, &next_token);
	assert_false(give_back(1, 7, 17));	/* nobody knows of it */
	assert_int_equal(ask_for(1, 7, X, LEASE, 0, 17), P4D_NAMED_LOST);
	now += 100;
	assert_int_equal(ask_for(1, 8, X, LEASE, 0, 0), P4D_NAMED_HELD);
}

/* Who lost the lock before the restart shows its token first; who got it then has a higher one. */
static void grace__higher_token_counts(void **state)
{
	p4d_named_destroy(t);
	t = p4d_named_create(5, now + 100, 50, &next_token);
	next_token = 50;
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 5), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 0, 9), P4D_NAMED_HELD);
	assert_int_equal(holder(1), 9);
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 5), P4D_NAMED_LOST);
	assert_false(give_back(1, 1, 5));
	assert_int_equal(ask_for(1, 3, S, LEASE, 0, 11), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 4, S, LEASE, 0, 10), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 2, X, LEASE, 0, 9), P4D_NAMED_LOST);
	assert_int_equal(p4d_named_claims(t), 2);
}

/* What its holder shows may be an early request, of a shorter lease than it has been promised since. */
static void grace__no_hold_of_before_ends_in_it(void **state)
{
	for (uint32_t lock = 1; lock <= 2; lock++) {
		p4d_named_destroy(t);
		t = p4d_named_create(5, now + 4 * LEASE, 50, &next_token);
		next_token = 50;
		if (lock == 2)
			assert_int_equal(ask_for(lock, 8, X, LEASE, 9 * LEASE, 0), P4D_NAMED_WAITS);
		assert_int_equal(ask_for(lock, 7, X, LEASE, 0, 17), P4D_NAMED_HELD);
		if (lock == 1)
			assert_int_equal(ask_for(lock, 8, X, LEASE, 9 * LEASE, 0), P4D_NAMED_WAITS);
		now += 3 * LEASE;
		p4d_named_tick(t, now);
		assert_quiet();
		now += LEASE;
		p4d_named_tick(t, now);
		assert_told(lock + 1, 50);
	}
}

static void grace__ends_for_those_who_wait(void **state)
{
	p4d_named_destroy(t);
	t = p4d_named_create(5, now + 100, 50, &next_token);
	assert_int_equal(ask_for(1, 1, X, LEASE, 5000, 0), P4D_NAMED_WAITS);
	assert_int_equal(p4d_named_deadline(t), now + 100);
	now += 100;
	p4d_named_tick(t, now);
	assert_told(1, 1);
}

static void limits__full_until_leases_end(void **state)
{
	uint32_t n = 0;

	while (ask_for(n, 1, X, LEASE, 0, 0) == P4D_NAMED_HELD)
		n++;
	assert_int_equal(n, P4D_CLAIMS_MAX - 1);
	assert_int_equal(ask_for(n, 2, S, LEASE, 500, 0), P4D_NAMED_FULL);
	assert_true(give_back(7, 1, 8));
	assert_int_equal(ask_for(n, 2, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(n + 1, 2, S, LEASE, 0, 0), P4D_NAMED_FULL);
	now += 10 * LEASE;
	assert_int_equal(ask_for(n + 1, 2, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(p4d_named_claims(t), 1);
}

/* Leases that began after the table was searched for ended ones are found the next time. */
static void limits__full_of_long_leases(void **state)
{
	uint32_t n = 0;

	while (ask_for(n, 1, X, 1000 * LEASE, 0, 0) == P4D_NAMED_HELD)
		n++;
	assert_true(give_back(7, 1, 8));
	assert_int_equal(ask_for(n, 2, X, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(n + 1, 2, X, LEASE, 0, 0), P4D_NAMED_FULL);
	now += 10 * LEASE;
	assert_int_equal(ask_for(n + 1, 2, X, LEASE, 0, 0), P4D_NAMED_HELD);
}

static void limits__full_but_for_those_in_it(void **state)
{
	uint32_t n = 2;

	assert_int_equal(ask_for(0, 1, S, LEASE, 0, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(0, 2, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	while (ask_for(n, 1, X, LEASE, 0, 0) == P4D_NAMED_HELD)
		n++;
	assert_int_equal(ask_for(2, 1, X, 5 * LEASE, 0, 2), P4D_NAMED_HELD);
	assert_int_equal(ask_for(2, 1, X, 5 * LEASE, 0, 3), P4D_NAMED_LOST);
	assert_int_equal(ask_for(0, 1, S, 5 * LEASE, 0, 1), P4D_NAMED_HELD);
	assert_int_equal(ask_for(0, 2, X, LEASE, 600, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(0, 3, X, LEASE, 600, 0), P4D_NAMED_FULL);
	now += 4 * LEASE;
	assert_int_equal(holder(0), 1);
	assert_int_equal(holder(2), 2);
}

static void limits__shared_holders(void **state)
{
	for (uint32_t i = 0; i < P4D_QUEUE_MAX; i++)
		assert_int_equal(ask_for(1, 100 + i, S, LEASE, 500, 0), P4D_NAMED_HELD);
	assert_int_equal(ask_for(1, 1, S, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 2, S, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_quiet();
	assert_true(give_back(1, 100, 1));
	assert_told(P4D_QUEUE_MAX + 1, P4D_QUEUE_MAX + 1);
	assert_quiet();
}

/* Names that differ only in the high bits of their words are spread like any others. */
static void names__that_look_alike(void **state)
{
	const struct p4d_claim_of who = { .owner = 1, .lease_us = LEASE, .mode = X };
	struct p4d_name n;
	clock_t other, alike, from = clock();
	uint64_t i;

	for (i = 0; i < P4D_CLAIMS_MAX - 1; i++)
		assert_int_equal(ask_for(i, 1, X, LEASE, 0, 0), P4D_NAMED_HELD);
	other = clock() - from;
	tear_down(state);
	set_up(state);
	from = clock();
	for (i = 0; i < P4D_CLAIMS_MAX - 1; i++) {
		n.word[0] = 1 + (i << 56);
		n.word[1] = 1 + (i >> 8 << 56);
		assert_int_equal(p4d_named_acquire(t, now, n, &who, &token), P4D_NAMED_HELD);
	}
	alike = clock() - from;
	assert_true(alike < 4 * other + CLOCKS_PER_SEC / 50);
}

static void limits__queue(void **state)
{
	assert_int_equal(ask_for(1, 1, X, LEASE, 0, 0), P4D_NAMED_HELD);
	for (uint32_t i = 0; i < P4D_QUEUE_MAX; i++)
		assert_int_equal(ask_for(1, 100 + i, X, LEASE, 500, 0), P4D_NAMED_WAITS);
	assert_int_equal(ask_for(1, 2, X, LEASE, 500, 0), P4D_NAMED_FULL);
	p4d_named_dismiss(t);
	for (uint32_t i = 0; i < P4D_QUEUE_MAX; i++)
		assert_told(2 + i, 0);
	assert_quiet();
	assert_int_equal(holder(1), 1);
	assert_int_equal(p4d_named_claims(t), 1);
}

/* -------------------------------------------------------------------------------- a model */

#define LOCKS 12
#define OWNERS 10
#define STEPS 400000
#define MANY 100000		/* further names, so that the table is made anew */

struct model_claim {
	uint64_t owner, token, until, ticket;
	uint32_t lease;
	uint8_t mode;
	bool waits;
};

struct model_lock {
	struct model_claim claim[64];
	unsigned int n;			/* in order of arrival */
};

static struct model_lock model[LOCKS];
static uint64_t owner_of[LOCKS][OWNERS];	/* the current number of each who asks for a lock */
static uint64_t last_owner;
static uint64_t given_back[P4D_OVER];
static struct { uint64_t ticket, token; } expected[256];
static unsigned int nr_expected;

static void expect(uint64_t ticket, uint64_t granted)
{
	expected[nr_expected].ticket = ticket;
	expected[nr_expected++].token = granted;
}

static void forget(struct model_lock *l, unsigned int i)
{
	memmove(&l->claim[i], &l->claim[i + 1], (--l->n - i) * sizeof(l->claim[0]));
}

static unsigned int waiters(const struct model_lock *l)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n; i++)
		n += l->claim[i].waits;
	return n;
}

static bool fits(const struct model_lock *l, uint8_t mode)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (!l->claim[i].waits && (mode == X || l->claim[i].mode == X))
			return false;
	return true;
}

static void model_serve(struct model_lock *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (!l->claim[i].waits && l->claim[i].until <= now)
			forget(l, i--);
	for (unsigned int i = 0; i < l->n; i++) {
		struct model_claim *c = &l->claim[i];

		if (!c->waits)
			continue;
		if (!fits(l, c->mode))
			return;
		c->waits = false;
		c->token = next_token++;
		c->until = now + c->lease;
		expect(c->ticket, c->token);
	}
}

static enum p4d_named_result model_ask(struct model_lock *l, const struct p4d_claim_of *who,
				       uint64_t *got)
{
	struct model_claim *mine = NULL;

	for (unsigned int i = 0; i < l->n; i++)
		if (l->claim[i].owner == who->owner)
			mine = &l->claim[i];
	if (!mine && given_back[who->owner % P4D_OVER] == who->owner)
		return P4D_NAMED_OVER;
	if (!mine || mine->waits)
		model_serve(l);
	for (unsigned int i = 0; i < l->n; i++)		/* it may have moved, or been served */
		if (l->claim[i].owner == who->owner)
			mine = &l->claim[i];
	if (mine && mine->mode != who->mode)
		return P4D_NAMED_MODE;
	if (mine && !mine->waits) {
		if (mine->until < now + who->lease_us)
			mine->until = now + who->lease_us;
		*got = mine->token;
		return P4D_NAMED_HELD;
	}
	if (!mine && !waiters(l) && fits(l, who->mode)) {
		*got = next_token++;
		l->claim[l->n++] = (struct model_claim) { who->owner, *got, now + who->lease_us, 0,
							  who->lease_us, who->mode, false };
		return P4D_NAMED_HELD;
	}
	if (!mine && !who->wait_us)
		return P4D_NAMED_BUSY;
	if (mine) {
		expect(mine->ticket, 0);
		mine->ticket = tickets;
		mine->until = now + who->wait_us;
		return P4D_NAMED_WAITS;
	}
	l->claim[l->n++] = (struct model_claim) { who->owner, 0, now + who->wait_us, tickets,
						  who->lease_us, who->mode, true };
	return P4D_NAMED_WAITS;
}

/* Of a tick that serves several locks the order, and so who gets which token, is the table's. */
static void take_over_token(const struct p4d_named_event *ev)
{
	for (struct model_lock *l = model; l < model + LOCKS; l++)
		for (unsigned int i = 0; i < l->n; i++)
			if (l->claim[i].ticket == ev->ticket && !l->claim[i].waits)
				l->claim[i].token = ev->token;
}

static void check_events(bool in_order)
{
	struct p4d_named_event ev;

	for (unsigned int i = 0; i < nr_expected; i++) {
		unsigned int j = i;

		assert_true(p4d_named_pop(t, &ev));
		if (!in_order)
			while (j < nr_expected && expected[j].ticket != ev.ticket)
				j++;
		assert_int_equal(ev.ticket, expected[j].ticket);
		assert_int_equal(!ev.token, !expected[j].token);
		expected[j] = expected[i];
		if (ev.token && !in_order)
			take_over_token(&ev);
	}
	nr_expected = 0;
	assert_quiet();
}

static struct model_claim *soonest(struct model_lock **which)
{
	struct model_claim *found = NULL;

	for (struct model_lock *l = model; l < model + LOCKS; l++)
		for (unsigned int i = 0; waiters(l) && i < l->n; i++)
			if (l->claim[i].until <= now &&
			    (!found || l->claim[i].until < found->until)) {
				found = &l->claim[i];
				*which = l;
			}
	return found;
}

static void model_tick(void)
{
	struct model_claim *c;
	struct model_lock *l;

	while ((c = soonest(&l))) {
		if (c->waits) {
			expect(c->ticket, 0);
			forget(l, c - l->claim);
		}
		model_serve(l);
	}
}

#define UNIT 4096		/* of time: no two claims of a lock end at the same moment */

/* The model draws its tokens after the table, from where the table began. */
static void random_step(void)
{
	uint32_t odd = ++tickets % (UNIT / 2) * 2 + 1, i = rnd(LOCKS);
	uint64_t *owner = &owner_of[i][rnd(OWNERS)];
	struct p4d_claim_of who = {
		.owner = *owner = *owner ? *owner : ++last_owner, .lease_us = UNIT * rnd(300) + odd - 1,
		.wait_us = rnd(2) ? UNIT * rnd(400) + odd : 0, .ticket = tickets,
		.mode = rnd(2) ? X : S,
	};
	uint64_t got = 0, want = 0, first = next_token, drawn;
	struct p4d_name n = name_of(i);
	struct model_lock *l = &model[i];
	enum p4d_named_result result;

	now += rnd(8) ? 0 : rnd(200) * UNIT;
	switch (rnd(4)) {
	case 0:
		p4d_named_tick(t, now);
		drawn = next_token;
		next_token = first;
		model_tick();
		check_events(false);
		assert_int_equal(next_token, drawn);
		break;
	case 1:
		for (unsigned int k = 0; k < l->n; k++) {
			if (l->claim[k].owner != who.owner || l->claim[k].waits)
				continue;
			want = l->claim[k].until > now;
			got = l->claim[k].token;
			assert_int_equal(p4d_named_release(t, now, n, who.owner, got), want);
			assert_int_equal(p4d_named_release(t, now, n, who.owner, got), want);
			next_token = first;
			given_back[who.owner % P4D_OVER] = who.owner;
			if (rnd(4))		/* else its next request comes late */
				*owner = 0;
			forget(l, k);
			model_serve(l);
			check_events(true);
			break;
		}
		break;
	case 2:
		n = name_of(LOCKS + rnd(MANY));
		who.owner = ++last_owner;
		given_back[who.owner % P4D_OVER] = who.owner;
		who.wait_us = 0;
		assert_int_equal(p4d_named_acquire(t, now, n, &who, &got), P4D_NAMED_HELD);
		assert_true(p4d_named_release(t, now, n, who.owner, got));
		assert_quiet();
		break;
	default:
		result = p4d_named_acquire(t, now, n, &who, &got);
		next_token = first;
		assert_int_equal(result, model_ask(l, &who, &want));
		if (result == P4D_NAMED_OVER)
			*owner = 0;
		if (result == P4D_NAMED_HELD)
			assert_int_equal(got, want);
		check_events(true);
	}
}

static void random__as_the_model(void **state)
{
	for (unsigned int i = 0; i < STEPS; i++)
		random_step();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exclusive__one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(queue__first_come_first_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lease__comes_back_when_it_has_ended, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lease__is_extended_by_asking_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lease__does_not_end_earlier_by_a_late_repeat, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(late__after_its_own_release, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late__is_not_remembered_for_ever, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late__but_it_still_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wait__ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wait__deadlock_of_two_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wait__repeat_keeps_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grace__only_holders_of_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grace__ends_for_those_who_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grace__no_hold_of_before_ends_in_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(limits__full_until_leases_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grace__given_back_before_it_shows_its_token, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(grace__higher_token_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits__queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits__full_of_long_leases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits__full_but_for_those_in_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits__shared_holders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names__that_look_alike, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random__as_the_model, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
