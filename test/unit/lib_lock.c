// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_lock.c - locks by name against an allocator in memory: answers, refusals, absence, many at once. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "lib_fake.h"

#define LEASE 5000

static int take(struct fake *f, struct p4a_lock *l, uint32_t wait_us)
{
	return p4a_lock(f->ctx, "row 7", 5, P4A_LOCK_EXCLUSIVE, LEASE, wait_us, l);
}

static void lock__says_all_and_keeps_the_token(void **state)
{
	struct fake *f = fake_open();
	struct p4a_lock a, b;

	assert_int_equal(take(f, &a, 300), 0);
	assert_int_equal(a.token, 1);
	assert_int_equal(a.lease_us, 4321);		/* as the allocator says */
	assert_int_equal(ntohl(f->last_lock.msg.code), P4W_LOCK_EXCLUSIVE);
	assert_int_equal(ntohl(f->last_lock.lease_us), LEASE);
	assert_int_equal(ntohl(f->last_lock.wait_us), 300);
	assert_int_equal(be64toh(f->last_lock.owner), a.owner);
	assert_int_equal(f->last_lock.token, 0);
	assert_memory_equal(f->last_lock.name, "row 7\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(p4a_lock(f->ctx, "0123456789abcdef", 16, P4A_LOCK_SHARED, 1, 0, &b), 0);
	assert_memory_equal(f->last_lock.name, "0123456789abcdef", 16);
	assert_int_not_equal(a.owner, b.owner);
	assert_int_equal(p4a_lock_extend(f->ctx, &a, 77), 0);
	assert_int_equal(be64toh(f->last_lock.token), 1);
	assert_int_equal(be64toh(f->last_lock.owner), a.owner);
	assert_int_equal(ntohl(f->last_lock.lease_us), 77);
	assert_int_equal(p4a_unlock(f->ctx, &b), 0);
	assert_int_equal(f->last_lock.msg.type, P4W_UNLOCK);
	assert_int_equal(be64toh(f->last_lock.token), 2);
	assert_int_equal(f->last_lock.lease_us, 0);
	assert_string_equal(f->log, "XXXU");
	fake_close(f);
}

static void lock__bad_arguments(void **state)
{
	struct fake *f = fake_open();
	struct p4a_lock l = { 0 };

	assert_int_equal(p4a_lock(f->ctx, "", 0, P4A_LOCK_SHARED, 1, 0, &l), -EINVAL);
	assert_int_equal(p4a_lock(f->ctx, "\0x", 2, P4A_LOCK_SHARED, 1, 0, &l), -EINVAL);
	assert_int_equal(p4a_lock(f->ctx, "0123456789abcdefg", 17, P4A_LOCK_SHARED, 1, 0, &l), -EINVAL);
	assert_int_equal(p4a_lock(f->ctx, "x", 1, 3, 1, 0, &l), -EINVAL);
	assert_int_equal(p4a_lock(f->ctx, "x", 1, P4A_LOCK_SHARED, 0, 0, &l), -EINVAL);
	assert_int_equal(p4a_lock(f->ctx, "x", 1, P4A_LOCK_SHARED, 1, 60000001, &l), -EINVAL);
	assert_int_equal(p4a_unlock(f->ctx, &l), -EINVAL);
	assert_string_equal(f->log, "");
	fake_close(f);
}

static enum fake_verdict refuse(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	struct p4w_msg late = fake_head(P4W_UNLOCKED, sizeof(late), 0);

	late.code = htonl(1);
	if (m->type == P4W_UNLOCK)
		fake_answer(f, cookie, &late, sizeof(late));
	else
		fake_refuse(f, cookie, f->hook, "name");
	return FAKE_DONE;
}

static void lock__refused(void **state)
{
	static const struct { uint32_t code; int want; const char *says; } t[] = {
		{ P4W_REFUSED_BUSY, -ETIME, "the lock is not free: so" },
		{ P4W_REFUSED_FULL, -ENOSPC, "full" },
		{ P4W_REFUSED_EXPIRED, -ESTALE, "the lock was lost: so" },
		{ P4W_REFUSED_TYPE, -EOPNOTSUPP, "only up to 4" },
		{ P4W_REFUSED_STORE, -EREMOTEIO, "store" },
	};
	struct fake *f = fake_open();
	struct p4a_lock l;

	assert_int_equal(take(f, &l, 0), 0);
	f->on_msg = refuse;
	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct p4a_lock other = { .token = 99 };

		f->hook = t[i].code;
		assert_int_equal(take(f, &other, 10), t[i].want);
		assert_non_null(strstr(p4a_last_error(f->ctx), t[i].says));
		assert_int_equal(other.token, 99);
	}
	assert_int_equal(p4a_unlock(f->ctx, &l), -ESTALE);
	fake_close(f);
}

/* Granted after a wait of 2 ms, and the answer came 1 ms after that. */
static enum fake_verdict late(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	struct p4w_locked locked = {
		.msg = fake_head(P4W_LOCKED, sizeof(locked), 0), .token = htobe64(9),
		.lease_us = htonl(LEASE), .waited_us = htonl(2000),
	};

	f->now_us += f->hook;
	fake_answer(f, cookie, &locked, sizeof(locked));
	return FAKE_DONE;
}

static void lock__counts_its_lease_from_the_request(void **state)
{
	struct fake *f = fake_open();
	struct p4a_lock l;

	f->on_msg = late;
	f->hook = 3000;
	assert_int_equal(take(f, &l, 5000), 0);
	assert_int_equal(l.lease_us, LEASE - 1000);
	assert_int_equal(l.until_us, f->now_us + LEASE - 1000);
	f->hook = 1000;				/* more than can be: not longer than the lease */
	assert_int_equal(take(f, &l, 5000), 0);
	assert_int_equal(l.lease_us, LEASE);
	f->hook = 20000;
	assert_int_equal(take(f, &l, 5000), 0);
	assert_int_equal(l.lease_us, 0);
	fake_close(f);
}

/* The answer comes while the holder is in another call, and after that it does not look for 3 ms. */
static void async__the_lease_runs_while_nobody_looks(void **state)
{
	struct fake *f = fake_open();
	uint64_t sent = f->now_us;
	struct p4a_completion c;
	struct p4a_lock l;

	assert_int_equal(p4a_lock_async(f->ctx, "x", 1, P4A_LOCK_SHARED, LEASE, 9, &l, &l), 0);
	assert_int_equal(p4a_hello(f->ctx), 0);
	assert_non_null(strchr(f->log, 'X'));
	f->now_us += 3000;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	assert_int_equal(c.err, 0);
	assert_int_equal(l.until_us, sent + 4321);
	assert_int_equal(l.lease_us, 4321 - 3000);
	assert_int_equal(p4a_lock_extend_async(f->ctx, &l, LEASE, &l), 0);
	assert_int_equal(p4a_hello(f->ctx), 0);
	f->now_us += 5000;			/* over before it was looked at */
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	assert_int_equal(l.until_us, sent + 3000 + 4321);
	assert_int_equal(l.lease_us, 0);
	fake_close(f);
}

static enum fake_verdict away(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (!f->hook)
		return FAKE_GOOD;
	f->hook--;
	fake_error(f, cookie, -ENOTCONN, false);
	return FAKE_DONE;
}

/* Sent again under the same owner, with what is left of the wait. */
static void lock__allocator_comes_back(void **state)
{
	struct fake *f = fake_open();
	struct p4a_lock l;

	f->on_msg = away;
	f->hook = 3;
	assert_int_equal(take(f, &l, 50000), 0);
	assert_string_equal(f->log, "XXXX");
	assert_int_equal(f->sent_us[1] - f->sent_us[0], 10000);
	assert_int_equal(f->sent_us[3] - f->sent_us[0], 70000);
	assert_int_equal(ntohl(f->last_lock.wait_us), 0);
	assert_int_equal(be64toh(f->last_lock.owner), l.owner);
	f->hook = 1000000;
	assert_int_equal(take(f, &l, 50000), -ETIMEDOUT);
	fake_close(f);
}

static enum fake_verdict silent(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	return FAKE_SILENT;
}

static void lock__silence_ends(void **state)
{
	struct fake *f = fake_open();
	uint64_t began = f->now_us;
	struct p4a_lock l;

	f->on_msg = silent;
	assert_int_equal(take(f, &l, 3000000), -ETIMEDOUT);	/* 1 s beyond the wait */
	assert_int_equal(f->now_us - began, 4000000);
	fake_close(f);
}

static uint64_t kept[16];

static enum fake_verdict keep(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	kept[f->hook++] = cookie;
	return FAKE_DONE;
}

static void async__many_in_any_order(void **state)
{
	struct p4w_locked locked = { .msg = fake_head(P4W_LOCKED, sizeof(locked), 0) };
	struct fake *f = fake_open();
	struct p4a_lock l[16], one;
	struct p4a_completion c[20];

	f->on_msg = keep;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(p4a_lock_async(f->ctx, "x", 1, P4A_LOCK_SHARED, LEASE, 9, &l[i],
						&l[i]), 0);
		assert_int_equal(p4a_poll(f->ctx, c, 20), 0);
	}
	assert_int_equal(take(f, &one, 0), -EAGAIN);
	for (int i = 15; i >= 0; i--) {
		locked.token = htobe64(100 + i);
		fake_answer(f, kept[i], &locked, sizeof(locked));
		fake_answer(f, kept[i], &locked, sizeof(locked));	/* twice: dropped */
	}
	assert_int_equal(p4a_wait(f->ctx, c, 20, -1), 16);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(c[i].kind, P4A_KIND_LOCK);
		assert_int_equal(c[i].err, 0);
		assert_ptr_equal(c[i].user, &l[15 - i]);
		assert_int_equal(l[i].token, 100 + i);
	}
	assert_int_equal(p4a_wait(f->ctx, c, 20, -1), 0);	/* nothing is outstanding */
	f->on_msg = NULL;
	assert_int_equal(take(f, &one, 0), 0);
	assert_string_equal(f->log, "XXXXXXXXXXXXXXXXX");
	/* beside a call of a batch */
	assert_int_equal(p4a_hello_async(f->ctx, f), 0);
	assert_int_equal(p4a_unlock_async(f->ctx, &one, &one), 0);
	assert_int_equal(p4a_wait(f->ctx, c, 20, -1), 2);
	assert_int_equal(c[0].kind + c[1].kind, P4A_KIND_CALL + P4A_KIND_LOCK);
	fake_close(f);
}

/* Each part of a bundle is answered in its place; "busy" is refused as long as hook is 1. */
static enum fake_verdict answer_bundle(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	const struct p4w_lock *part = (const struct p4w_lock *)(m + 1);
	unsigned int n = (ntohs(m->length) - sizeof(*m)) / sizeof(*part);
	uint8_t bytes[4096];
	size_t len = sizeof(*m);

	if (m->type != P4W_BUNDLE)
		return FAKE_GOOD;
	for (unsigned int i = 0; i < n; i++) {
		bool busy = !strcmp((const char *)part[i].name, "busy");
		struct p4w_locked locked = {
			.msg = fake_head(P4W_LOCKED, sizeof(locked), 0),
			.token = htobe64(200 + i), .lease_us = htonl(LEASE),
		};
		struct p4w_msg un = fake_head(P4W_UNLOCKED, sizeof(un), 0);
		struct p4w_refused no = {
			.msg = fake_head(P4W_REFUSED, sizeof(no), 0), .text = "so",
		};
		size_t size = busy ? sizeof(no) : part[i].msg.type == P4W_UNLOCK ? sizeof(un) :
			      sizeof(locked);

		no.msg.code = htonl(P4W_REFUSED_BUSY);
		assert_int_equal(ntohs(part[i].msg.length), sizeof(*part));
		assert_int_equal(part[i].wait_us, 0);
		memcpy(bytes + len, busy ? (void *)&no : part[i].msg.type == P4W_UNLOCK ?
		       (void *)&un : (void *)&locked, size);
		len += size;
	}
	memcpy(bytes, &(struct p4w_msg[]){ fake_head(P4W_BUNDLED, len, 0) }, sizeof(*m));
	fake_answer(f, cookie, bytes, len - f->hook);
	return FAKE_DONE;
}

static void lock_four(struct fake *f, struct p4a_lock *l)
{
	static const char *const names[] = { "a", "busy", "busy", "b" };

	for (int i = 0; i < 4; i++)
		assert_int_equal(p4a_lock_async(f->ctx, names[i], strlen(names[i]), P4A_LOCK_SHARED,
						LEASE, i == 1 ? 500 : 0, &l[i], &l[i]), 0);
}

static void async__several_in_one_message(void **state)
{
	struct fake *f = fake_open();
	struct p4a_completion c[8];
	struct p4a_lock l[4];

	f->on_msg = answer_bundle;
	lock_four(f, l);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 3);
	assert_ptr_equal(c[0].user, &l[0]);
	assert_int_equal(c[0].err, 0);
	assert_int_equal(l[0].token, 200);
	assert_int_equal(c[1].err, -ETIME);		/* did not want to wait */
	assert_int_equal(c[2].err, 0);
	assert_int_equal(l[3].token, 203);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 1);	/* waits alone */
	assert_ptr_equal(c[0].user, &l[1]);
	assert_int_equal(c[0].err, 0);
	assert_string_equal(f->log, "BX");
	assert_int_equal(p4a_unlock_async(f->ctx, &l[0], NULL), 0);
	assert_int_equal(p4a_unlock_async(f->ctx, &l[3], NULL), 0);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 2);
	assert_int_equal(c[0].err + c[1].err, 0);
	assert_string_equal(f->log, "BXB");
	f->hook = 100;				/* cut */
	lock_four(f, l);
	assert_int_equal(p4a_wait(f->ctx, c, 8, -1), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(c[i].err, -EBADMSG);
	fake_close(f);
}

static enum fake_verdict knows_no_bundles(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	if (m->type != P4W_BUNDLE)
		return FAKE_GOOD;
	fake_refuse(f, cookie, P4W_REFUSED_TYPE, "type");
	return FAKE_DONE;
}

static void async__one_by_one_with_an_old_allocator(void **state)
{
	struct fake *f = fake_open();
	struct p4a_completion c[8];
	struct p4a_lock l[4];

	f->on_msg = knows_no_bundles;
	lock_four(f, l);
	for (int n = 0; n < 4;)
		n += p4a_wait(f->ctx, c, 8, -1);
	assert_string_equal(f->log, "BXXXX");
	lock_four(f, l);
	for (int n = 0; n < 4;)
		n += p4a_wait(f->ctx, c, 8, -1);
	assert_string_equal(f->log, "BXXXXXXXX");
	fake_close(f);
}

/* The network loses it: each is asked for again, under the same owner. */
static void async__bundle_is_lost(void **state)
{
	struct fake *f = fake_open();
	struct p4a_completion c[8];
	struct p4a_lock l[4];

	f->on_msg = away;
	f->hook = 1;
	lock_four(f, l);
	for (int n = 0; n < 4;)
		n += p4a_wait(f->ctx, c, 8, -1);
	assert_string_equal(f->log, "BXXXX");
	fake_close(f);
}

static void async__ends_with_the_socket(void **state)
{
	struct fake *f = fake_open();
	struct p4a_completion c;
	struct p4a_lock l;

	f->on_msg = silent;
	assert_int_equal(p4a_lock_async(f->ctx, "x", 1, P4A_LOCK_SHARED, LEASE, 9, &l, &l), 0);
	f->reap_error = -EBADF;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	assert_int_equal(c.err, -EIO);
	assert_int_equal(take(f, &l, 0), -EIO);
	fake_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock__says_all_and_keeps_the_token),
		cmocka_unit_test(lock__bad_arguments),
		cmocka_unit_test(lock__refused),
		cmocka_unit_test(lock__counts_its_lease_from_the_request),
		cmocka_unit_test(async__the_lease_runs_while_nobody_looks),
		cmocka_unit_test(lock__allocator_comes_back),
		cmocka_unit_test(lock__silence_ends),
		cmocka_unit_test(async__many_in_any_order),
		cmocka_unit_test(async__several_in_one_message),
		cmocka_unit_test(async__one_by_one_with_an_old_allocator),
		cmocka_unit_test(async__bundle_is_lost),
		cmocka_unit_test(async__ends_with_the_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
