// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_locking.c - the lock service as nodes see it: messages in, answers out, time, a kill. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocd_world.h"
#include "../../tools/p4allocd/store.h"

#define MS 1000u

static uint64_t send_lock(struct world *w, uint32_t tenant, uint8_t type, const char *name,
			  uint64_t owner, uint64_t token, uint32_t wait_us)
{
	bool lock = type == P4W_LOCK;
	struct p4w_lock m = {
		.msg = { P4W_VERSION, type, htons(sizeof(m)), htons(0), htons(1), 0,
			 htonl(lock ? P4W_LOCK_EXCLUSIVE : 0) },
		.owner = htobe64(owner), .token = htobe64(token),
		.lease_us = htonl(lock ? 10 * MS : 0), .wait_us = htonl(wait_us),
	};

	memcpy(m.name, name, strlen(name));
	return world_send_bytes(w, tenant, &m, sizeof(m));
}

static uint64_t locked(struct world *w, uint64_t rpc)
{
	const struct p4w_locked *m = world_answer(w, rpc);

	assert_int_equal(world_type(w, rpc), P4W_LOCKED);
	assert_int_equal(ntohl(m->lease_us), 10 * MS);
	return be64toh(m->token);
}

static void assert_unlocked(struct world *w, uint64_t rpc, uint32_t late)
{
	assert_int_equal(world_type(w, rpc), P4W_UNLOCKED);
	assert_int_equal(ntohl(((const struct p4w_msg *)world_answer(w, rpc))->code), late);
}

static void lock__waiter_is_answered_by_the_unlock(void **state)
{
	struct world *w = world_create(2, 8, 64, 2);
	uint64_t a = send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0), b, token = locked(w, a);

	b = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 5 * MS);
	assert_int_equal(world_type(w, b), 0);
	/* another tenant's lock of this name is another lock */
	assert_true(locked(w, send_lock(w, 2, P4W_LOCK, "x", 2, 0, 0)) > token);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 3, 0, 0)),
			 P4W_REFUSED_BUSY);
	assert_unlocked(w, send_lock(w, 1, P4W_UNLOCK, "x", 1, token, 0), 0);
	assert_true(locked(w, b) > token);
	/* The answer may have been lost. */
	assert_unlocked(w, send_lock(w, 1, P4W_UNLOCK, "x", 1, token, 0), 0);
	assert_unlocked(w, send_lock(w, 1, P4W_UNLOCK, "x", 1, token + 100, 0), 1);
	world_destroy(w);
}

static struct p4w_lock part(uint8_t type, const char *name, uint64_t owner, uint64_t token)
{
	bool lock = type == P4W_LOCK;
	struct p4w_lock m = {
		.msg = { P4W_VERSION, type, htons(sizeof(m)), htons(0), htons(1), 0,
			 htonl(lock ? P4W_LOCK_EXCLUSIVE : 0) },
		.owner = htobe64(owner), .token = htobe64(token),
		.lease_us = htonl(lock ? 10 * MS : 0), .wait_us = htonl(lock ? 5 * MS : 0),
	};

	memcpy(m.name, name, strlen(name));
	return m;
}

/* Answers in their order, nobody waits, and a bad part spoils no other. */
static void bundle__is_answered_at_once(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t rpc, waiter, token = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	struct { struct p4w_msg m; struct p4w_lock p[5]; } __attribute__((packed)) b = {
		{ P4W_VERSION, P4W_BUNDLE, htons(sizeof(b)), htons(0), htons(1), 0, 0 },
		{ part(P4W_LOCK, "x", 3, 0), part(P4W_UNLOCK, "x", 1, token),
		  part(P4W_LOCK, "y", 4, 0), part(P4W_LOCK, "", 5, 0),
		  part(P4W_LOCK, "x", 2, 0) },
	};
	const uint8_t *at;
	const struct p4w_msg *m;
	static const struct { uint8_t type; uint32_t code; } want[] = {
		{ P4W_REFUSED, P4W_REFUSED_BUSY }, { P4W_UNLOCKED, 0 }, { P4W_LOCKED, 0 },
		{ P4W_REFUSED, P4W_REFUSED_RANGE }, { P4W_LOCKED, 0 },
	};

	waiter = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 50 * MS);
	rpc = world_send_bytes(w, 1, &b, sizeof(b));
	assert_int_equal(world_type(w, rpc), P4W_BUNDLED);
	assert_true(locked(w, waiter) > token);		/* by the UNLOCK in the bundle */
	at = world_answer(w, rpc);
	for (unsigned int i = 0, pos = sizeof(*m); i < 5; i++) {
		m = (const struct p4w_msg *)(at + pos);
		assert_int_equal(m->type, want[i].type);
		assert_int_equal(ntohl(m->code), want[i].code);
		pos += ntohs(m->length);
	}
	/* Who waits already keeps its place, and is not answered twice. */
	waiter = send_lock(w, 1, P4W_LOCK, "y", 6, 0, 3 * MS);
	b.p[0] = part(P4W_LOCK, "y", 6, 0);
	rpc = world_send_bytes(w, 1, &b, sizeof(b));
	assert_int_equal(ntohl(((const struct p4w_msg *)world_answer(w, rpc))[1].code),
			 P4W_REFUSED_BUSY);
	assert_int_equal(world_type(w, waiter), 0);
	world_sleep(w, 3 * MS);
	assert_int_equal(world_refusal(w, waiter), P4W_REFUSED_BUSY);
	/* Neither another kind of message in it, nor half a one. */
	b.p[0].msg.type = P4W_REQUEST;
	rpc = world_send_bytes(w, 1, &b, sizeof(b));
	assert_int_equal(((const struct p4w_msg *)world_answer(w, rpc))[1].type, P4W_REFUSED);
	b.m.length = htons(sizeof(b) - 1);
	assert_int_equal(world_refusal(w, world_send_bytes(w, 1, &b, sizeof(b) - 1)),
			 P4W_REFUSED_LENGTH);
	world_destroy(w);
}

static void lock__says_when_the_lease_began(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t a = send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0), b, token = locked(w, a);

	assert_int_equal(((const struct p4w_locked *)world_answer(w, a))->waited_us, 0);
	b = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 5 * MS);
	world_sleep(w, 3 * MS);
	send_lock(w, 1, P4W_UNLOCK, "x", 1, token, 0);
	locked(w, b);
	assert_int_equal(ntohl(((const struct p4w_locked *)world_answer(w, b))->waited_us), 3 * MS);
	world_destroy(w);
}

/* The network has kept the first attempt until the hold of the second was given back. */
static void lock__that_comes_after_its_unlock(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct { struct p4w_msg m; struct p4w_lock p; } __attribute__((packed)) b = {
		{ P4W_VERSION, P4W_BUNDLE, htons(sizeof(b)), htons(0), htons(1), 0, 0 },
		part(P4W_LOCK, "x", 1, 0),
	};
	uint64_t token = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0)), rpc;

	assert_unlocked(w, send_lock(w, 1, P4W_UNLOCK, "x", 1, token, 0), 0);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 5 * MS)),
			 P4W_REFUSED_ORDER);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 1, token, 0)),
			 P4W_REFUSED_EXPIRED);
	rpc = world_send_bytes(w, 1, &b, sizeof(b));
	assert_int_equal(ntohl(((const struct p4w_msg *)world_answer(w, rpc))[1].code),
			 P4W_REFUSED_ORDER);
	locked(w, send_lock(w, 1, P4W_LOCK, "x", 2, 0, 0));	/* it is free */
	world_destroy(w);
}

static void lock__has_one_mode(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4w_lock m = {
		.msg = { P4W_VERSION, P4W_LOCK, htons(sizeof(m)), htons(0), htons(1), 0,
			 htonl(P4W_LOCK_SHARED) },
		.owner = htobe64(1), .lease_us = htonl(10 * MS), .name = "x",
	};
	uint64_t token = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	const struct p4w_refused *no = world_answer(w, world_send_bytes(w, 1, &m, sizeof(m)));

	assert_int_equal(no->msg.type, P4W_REFUSED);
	assert_int_equal(ntohl(no->msg.code), P4W_REFUSED_RANGE);
	assert_string_equal(no->field, "code");
	assert_int_equal(ntohl(no->min), P4W_LOCK_EXCLUSIVE);
	m.token = htobe64(token);
	assert_int_equal(world_refusal(w, world_send_bytes(w, 1, &m, sizeof(m))), P4W_REFUSED_RANGE);
	m.token = 0;
	memcpy(m.name, "y", 2);
	token = locked(w, world_send_bytes(w, 1, &m, sizeof(m)));	/* shared */
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "y", 1, token, 0)),
			 P4W_REFUSED_RANGE);
	send_lock(w, 1, P4W_LOCK, "y", 2, 0, 5 * MS);
	m.owner = htobe64(2);
	assert_int_equal(world_refusal(w, world_send_bytes(w, 1, &m, sizeof(m))), P4W_REFUSED_RANGE);
	world_destroy(w);
}

static void lock__dead_holders_lease_ends(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t token = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	uint64_t b = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 50 * MS);

	world_sleep(w, 10 * MS - 1);
	assert_int_equal(world_type(w, b), 0);
	world_sleep(w, 1);
	assert_true(locked(w, b) > token);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 1, token, 0)),
			 P4W_REFUSED_EXPIRED);
	world_destroy(w);
}

static void lock__wait_ends_with_a_reason(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t token = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	uint64_t b = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 3 * MS);
	char text[64];

	world_sleep(w, 3 * MS);
	assert_int_equal(world_refusal(w, b), P4W_REFUSED_BUSY);
	snprintf(text, sizeof(text), "held with token %lu after 3000 us", (unsigned long)token);
	assert_string_equal(((const struct p4w_refused *)world_answer(w, b))->text, text);
	world_destroy(w);
}

static void lock__bad_messages_are_refused(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4d_policy policy = { .lease_max_us = 9 * MS, .grace_us = 1 };

	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "", 1, 0, 0)),
			 P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 0, 0, 0)),
			 P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_UNLOCK, "x", 1, 0, 0)),
			 P4W_REFUSED_RANGE);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, UINT32_MAX)),
			 P4W_REFUSED_RANGE);
	p4d_engine_policy(w->e, w->now, &policy);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0)),
			 P4W_REFUSED_RANGE);
	world_destroy(w);
}

/* The deadline is over when another message comes first: it must not be forgotten. */
static void lock__leaves_deadlines_of_batches_alone(void **state)
{
	const struct p4d_request all = {
		.nodes = 1, .batch = 1, .duration_us = MS, .min_blocks = 8, .want_blocks = 8,
		.flows = 4,
	};
	struct world *w = world_create(2, 8, 64, 2);
	uint64_t second;

	world_send_request(w, 1, &all);
	world_settle(w);
	world_send_request(w, 2, &all);
	second = world_send(w, 2, 0, 1, P4W_WAIT, 1, 0);
	world_settle(w);
	w->now = p4d_engine_deadline(w->e) + 1;
	locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	p4d_engine_deadline(w->e);
	world_settle(w);
	assert_int_equal(world_type(w, second), P4W_GRANTED);
	world_destroy(w);
}

static void tenant__deleted_refuses_its_waiters(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	uint64_t b;

	send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0);
	b = send_lock(w, 1, P4W_LOCK, "x", 2, 0, 3 * MS);
	p4d_engine_tenant_gone(w->e, w->now, 1);
	world_settle(w);
	assert_int_equal(world_type(w, b), P4W_REFUSED);
	world_destroy(w);
}

static void kill__holders_come_back_before_others(void **state)
{
	struct world *w = world_create(2, 8, 64, 1);
	struct p4d_engine *e = p4d_engine_create(w->now);
	uint64_t x, y, b;
	struct p4d_store *st;
	char path[64], err[256];

	snprintf(path, sizeof(path), "/dev/shm/allocd_locking.%d", getpid());
	assert_int_equal(p4d_store_open(&st, path, err, sizeof(err)), 0);
	x = locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, 0, 0));
	y = locked(w, send_lock(w, 1, P4W_LOCK, "y", 2, 0, 0));
	assert_int_equal(p4d_store_save(st, w->e, err, sizeof(err)), 0);
	assert_int_equal(p4d_store_load(st, e, err, sizeof(err)), 0);
	world_replace_engine(w, e);
	world_know_tenants(w, 1);
	b = send_lock(w, 1, P4W_LOCK, "y", 3, 0, 30 * MS);
	/* A token that was never given. */
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "z", 5, e->token_limit, 0)),
			 P4W_REFUSED_EXPIRED);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "x", 4, 0, 0)),
			 P4W_REFUSED_BUSY);
	assert_int_equal(locked(w, send_lock(w, 1, P4W_LOCK, "x", 1, x, 0)), x);
	world_sleep(w, 10 * MS - 1);
	assert_int_equal(world_type(w, b), 0);
	world_sleep(w, 1);			/* y's holder has not come back */
	assert_true(locked(w, b) > y);
	assert_int_equal(world_refusal(w, send_lock(w, 1, P4W_LOCK, "y", 2, y, 0)),
			 P4W_REFUSED_EXPIRED);
	assert_true(locked(w, send_lock(w, 1, P4W_LOCK, "z", 4, 0, 0)) > y);
	p4d_store_close(st);
	unlink(path);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock__waiter_is_answered_by_the_unlock),
		cmocka_unit_test(bundle__is_answered_at_once),
		cmocka_unit_test(lock__says_when_the_lease_began),
		cmocka_unit_test(lock__that_comes_after_its_unlock),
		cmocka_unit_test(lock__has_one_mode),
		cmocka_unit_test(lock__dead_holders_lease_ends),
		cmocka_unit_test(lock__wait_ends_with_a_reason),
		cmocka_unit_test(lock__bad_messages_are_refused),
		cmocka_unit_test(lock__leaves_deadlines_of_batches_alone),
		cmocka_unit_test(tenant__deleted_refuses_its_waiters),
		cmocka_unit_test(kill__holders_come_back_before_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
