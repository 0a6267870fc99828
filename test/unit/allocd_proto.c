// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_proto.c - the decoder survives any bytes, and what it lets through is in range.
 *
 * Each message ends at a page that may not be touched: reading one byte too far is a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/p4allocd/engine.h"
#include "../../tools/p4allocd/proto.h"
#include "rnd.h"

#define ROUNDS 3000000
#define LONGEST 700

static uint8_t *edge;		/* first byte that may not be touched */

static int set_up_edge(void **state)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE))
		return -1;
	edge = p + page;
	return 0;
}

static size_t valid_lock_info(uint8_t *out)
{
	uint32_t keys = rnd(40), key = 0;
	size_t len = sizeof(struct p4w_lock_info) + keys * sizeof(struct p4w_lock_key);
	struct p4w_lock_info *m = (void *)out;

	memset(out, 0, LONGEST);
	m->msg = (struct p4w_msg){ P4W_VERSION, P4W_LOCK_INFO, htons(len), htons(1), htons(2),
				   htonl(7), 0 };
	m->nr_keys = htons(keys);
	for (uint32_t i = 0; i < keys; i++)
		m->key[i] = (struct p4w_lock_key){ htobe64(key += 1 + rnd(3)), htonl(1 + rnd(3)) };
	return len;
}

static size_t valid_lock(uint8_t *out, uint8_t type)
{
	bool lock = type == P4W_LOCK;
	struct p4w_lock m = {
		.msg = { P4W_VERSION, type, htons(sizeof(m)), htons(1), htons(2), 0,
			 htonl(lock ? 1 + rnd(2) : 0) },
		.owner = htobe64(1 + rnd(4)), .token = htobe64(lock ? 0 : 1),
		.lease_us = htonl(lock), .wait_us = htonl(lock ? rnd(2) : 0), .name = { 1 + rnd(2) },
	};

	memset(out, 0, LONGEST);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

static size_t valid_message(uint8_t *out)
{
	uint32_t hist = rnd(P4W_MAX_BLOCKS + 1), type = 1 + rnd(P4W_REQUESTS_END - 1);
	struct p4w_request m = {
		.msg = { P4W_VERSION, type, 0, htons(1), htons(2), htonl(type == P4W_HELLO ? 0 : 7),
			 htonl(type == P4W_SYNC) },
		.duration_us = htonl(1), .min_blocks = htons(1), .want_blocks = htons(1),
		.flows = htonl(1), .nr_hist = htons(hist),
	};
	size_t len = type == P4W_REQUEST ? sizeof(m) + 2 * hist : sizeof(m.msg);

	if (type == P4W_LOCK_INFO)
		return valid_lock_info(out);
	if (type == P4W_LOCK || type == P4W_UNLOCK)
		return valid_lock(out, type);
	m.msg.length = htons(len);
	memset(out, 0, LONGEST);
	memcpy(out, &m, len < sizeof(m) ? len : sizeof(m));
	return len;
}

static void check_refusal(const struct p4d_request *req, const struct p4d_refusal *why)
{
	uint8_t bytes[P4D_REPLY_MAX];
	const struct p4w_refused *m = (void *)bytes;

	assert_int_equal(p4d_proto_refused(bytes, req, why), sizeof(*m));
	assert_non_null(p4d_refusal_name(ntohl(m->msg.code)));
	assert_true(m->field[0]);
	assert_true(memchr(m->field, 0, sizeof(m->field)) != NULL);
	assert_true(memchr(m->text, 0, sizeof(m->text)) != NULL);
	if (ntohl(m->msg.code) != P4W_REFUSED_TENANT)
		assert_true(ntohl(m->got) < ntohl(m->min) || ntohl(m->got) > ntohl(m->max));
}

static void check_accepted(const struct p4d_request *r)
{
	assert_in_range(r->type, P4W_HELLO, P4W_REQUESTS_END - 1);
	assert_in_range(r->nodes, 1, P4W_NODES_MAX);
	assert_true(r->node < r->nodes);
	assert_int_equal(r->batch == 0, r->type == P4W_HELLO || r->type == P4W_LOCK ||
					r->type == P4W_UNLOCK || r->type == P4W_LOCK_CELLS);
	assert_true(r->batch <= P4W_BATCH_MAX);
	for (unsigned int i = 0; i < r->nr_keys; i++) {
		assert_true(r->keys[i].count > 0);
		assert_true(!i || be64toh(r->keys[i].key) > be64toh(r->keys[i - 1].key));
	}
	if (r->type != P4W_REQUEST)
		return;
	assert_in_range(r->min_blocks, 1, r->want_blocks);
	assert_in_range(r->want_blocks, 1, P4W_MAX_BLOCKS);
	assert_in_range(r->duration_us, 1, P4W_DURATION_MAX_US);
	assert_true(r->flows > 0);
}

static void decode__survives_any_bytes(void **state)
{
	unsigned int accepted = 0, refused[P4D_REFUSALS] = { 0 };
	uint8_t message[LONGEST];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		size_t len = valid_message(message), cut = rnd(8) ? len : rnd(LONGEST);
		struct p4d_request req;
		struct p4d_refusal why;

		for (uint32_t n = rnd(4); n > 0; n--)
			message[rnd(rnd(2) ? 16 : len)] = rnd(2) ? rnd(256) :
							  (1 << rnd(8)) - rnd(2);
		memcpy(edge - cut, message, cut);
		if (!p4d_proto_decode(edge - cut, cut, &req, &why)) {
			check_accepted(&req);
			accepted++;
		} else {
			check_refusal(&req, &why);
			refused[why.code]++;
		}
	}
	/* all paths were taken, and more than once */
	assert_true(accepted > ROUNDS / 10);
	assert_true(refused[P4W_REFUSED_VERSION] > 1000);
	assert_true(refused[P4W_REFUSED_LENGTH] > 1000);
	assert_true(refused[P4W_REFUSED_TYPE] > 1000);
	assert_true(refused[P4W_REFUSED_RANGE] > 1000);
}

/* The same bytes into a whole engine, which has a batch under way. */
static void engine__survives_any_bytes(void **state)
{
	struct p4d_tenant_conf conf = { 1, "t", 100, 0, 256 };
	uint64_t owner[8] = { 0 }, serial[8] = { 0 };
	struct p4d_switch_info info = { { 2, 8, 64, 0 }, 1, owner, serial };
	struct p4d_engine *e = p4d_engine_create(1);
	unsigned int answers = 0, messages = 300000;
	uint8_t message[LONGEST];

	p4d_engine_tenant(e, 1, &conf);
	p4d_engine_switch_up(e, 1, &info);
	for (unsigned int i = 0; i < messages; i++) {
		size_t len = valid_message(message);
		struct p4d_who who = { .rpc = i + 1 };
		struct p4d_out *out;

		for (uint32_t n = rnd(3); n > 0; n--)
			message[rnd(len)] = rnd(256);
		message[11] = rnd(4);	/* low byte of batch: near the current one */
		memcpy(edge - len, message, len);
		p4d_engine_message(e, i, rnd(50) ? 1 : rnd(3), &who, edge - len, len);
		while ((out = p4d_engine_pop(e))) {
			answers += out->kind == P4D_OUT_REPLY;
			if (out->kind == P4D_OUT_GIVE)
				p4d_engine_given(e, i, out->give.action);
			if (out->kind == P4D_OUT_TAKE) {
				uint32_t *cells = calloc(8 * 64 * 2, sizeof(*cells));

				p4d_engine_taken(e, i, out->take.action,
						 out->take.read ? cells : NULL);
				free(cells);
			}
			free(out);
		}
	}
	assert_true(answers > messages - 3 * P4W_NODES_MAX);	/* but for those that are held */
	assert_true(answers <= messages);
	p4d_engine_destroy(e);
}

static void version__names_both(void **state)
{
	uint8_t message[1] = { 9 };
	struct p4d_request req;
	struct p4d_refusal why;

	assert_int_equal(p4d_proto_decode(message, 1, &req, &why), -1);
	assert_int_equal(why.code, P4W_REFUSED_VERSION);
	assert_int_equal(why.got, 9);
	assert_int_equal(why.min, P4W_VERSION);
	assert_int_equal(why.max, P4W_VERSION);
}

static void length__must_be_exact(void **state)
{
	static const struct { size_t len, claimed; uint16_t hist; uint32_t got, min, max; } t[] = {
		{ 5, 5, 0, 5, 16, 65535 },	/* not even a head */
		{ 16, 16, 0, 16, 36, 548 },	/* cannot tell how many shares */
		{ 36, 36, 1, 36, 38, 38 },
		{ 40, 40, 1, 40, 38, 38 },
		{ 38, 36, 1, 36, 38, 38 },
		{ 36, 36, 257, 36, 0, 0 },	/* the field is to blame, see below */
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct p4w_request m = {
			.msg = { P4W_VERSION, P4W_REQUEST, htons(t[i].claimed), 0, htons(1),
				 htonl(1), 0 },
			.nr_hist = htons(t[i].hist),
		};
		uint8_t bytes[64] = { 0 };
		struct p4d_request req;
		struct p4d_refusal why;

		memcpy(bytes, &m, sizeof(m));
		assert_int_equal(p4d_proto_decode(bytes, t[i].len, &req, &why), -1);
		if (t[i].hist > P4W_MAX_BLOCKS) {
			assert_int_equal(why.code, P4W_REFUSED_RANGE);
			assert_string_equal(why.field, "nr_hist");
			continue;
		}
		assert_int_equal(why.code, P4W_REFUSED_LENGTH);
		assert_int_equal(why.got, t[i].got);
		assert_int_equal(why.min, t[i].min);
		assert_int_equal(why.max, t[i].max);
	}
}

/* What it may mean one day, an allocator of today must not take for nothing. */
static void reserved__must_be_0(void **state)
{
	struct p4w_lock_info m = {
		.msg = { P4W_VERSION, P4W_LOCK_INFO, htons(sizeof(m)), htons(1), htons(2),
			 htonl(7), 0 },
	};
	struct p4d_request req;
	struct p4d_refusal why;

	assert_int_equal(p4d_proto_decode(&m, sizeof(m), &req, &why), 0);
	m.reserved = htons(1);
	assert_int_equal(p4d_proto_decode(&m, sizeof(m), &req, &why), -1);
	assert_int_equal(why.code, P4W_REFUSED_RANGE);
	assert_string_equal(why.field, "reserved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length__must_be_exact),
		cmocka_unit_test(decode__survives_any_bytes),
		cmocka_unit_test(engine__survives_any_bytes),
		cmocka_unit_test(version__names_both),
		cmocka_unit_test(reserved__must_be_0),
	};

	return cmocka_run_group_tests(tests, set_up_edge, NULL);
}
