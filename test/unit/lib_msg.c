// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_msg.c - allocation messages as the library writes and reads them: the bytes, every truncation,
 * every field out of range, and random garbage. Answers end at an unmapped page, so reading one byte
 * too many faults.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "msg.h"

static const struct p4a_self self = { .node = 3, .nodes = 5 };
static const struct p4a_geometry geo = { 20, 100, 0 };
static struct p4a_error err;
static uint8_t *page_end;	/* the first byte that must not be touched */

static int setup(void **state)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 5 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + 4 * page, page, PROT_NONE))
		return -1;
	page_end = map + 4 * page;
	return 0;
}

static const void *at_page_end(const void *data, size_t len)
{
	return memcpy(page_end - len, data, len);
}

static void write__plain(void **state)
{
	static const uint8_t want[] = { 1, P4W_SYNC, 0, 16, 0, 3, 0, 5, 0, 0, 1, 2, 0, 0, 0, 2 };
	uint8_t buf[P4A_MSG_MAX];

	assert_int_equal(p4a_msg_plain(buf, &self, P4W_SYNC, 0x102, P4W_PHASE_RAN), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void write__request(void **state)
{
	static const struct p4a_demand d = {
		.start_us = 0x01020304, .duration_us = 0x11121314, .min_blocks = 0x2122,
		.want_blocks = 0x3132, .flows = 0x41424344, .together = 0x0051,
	};
	static const uint16_t hist[] = { 0xaabb, 0xccdd };
	static const uint8_t want[] = {
		1, P4W_REQUEST, 0, 40, 0, 3, 0, 5, 0, 0, 0, 9, 0, 0, 0, P4W_REQ_DONE,
		1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x31, 0x32, 0x41, 0x42, 0x43, 0x44,
		0, 2, 0, 0x51, 0xaa, 0xbb, 0xcc, 0xdd,
	};
	uint8_t buf[P4A_MSG_MAX];
	uint16_t full[P4A_MAX_BLOCKS] = { 0 };

	assert_int_equal(p4a_msg_request(buf, &self, 9, P4W_REQ_DONE, &d, hist, 2), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(p4a_msg_request(buf, &self, 9, 0, &d, full, P4A_MAX_BLOCKS), P4A_MSG_MAX);
}

static struct p4w_msg head(enum p4w_msg_type type, size_t len, uint32_t batch, uint32_t code)
{
	return (struct p4w_msg) {
		.version = P4W_VERSION, .type = type, .length = htons(len), .node = htons(3),
		.nodes = htons(5), .batch = htonl(batch), .code = htonl(code),
	};
}

static struct p4w_welcome good_welcome(void)
{
	return (struct p4w_welcome) {
		.msg = head(P4W_WELCOME, sizeof(struct p4w_welcome), 7, 0),
		.registers = htons(20), .blocks = htons(100), .block_slots = htons(64),
		.flows = htonl(512), .lease_max_us = htonl(2000000), .grace_us = htonl(100000),
		.escrow = htonl(9),
	};
}

static struct p4w_granted good_granted(void)
{
	struct p4w_granted g = {
		.msg = head(P4W_GRANTED, sizeof(g), 7, 0), .epoch = htobe64(0x123456789a),
		.flow_first = htonl(64), .flow_count = htonl(32), .lease_us = htonl(5000),
		.nr_blocks = htons(3), .bitmap = { 0x81, 0x10 },
	};

	return g;
}

static void check__types(void **state)
{
	static const struct { enum p4w_msg_type type; size_t len; } t[] = {
		{ P4W_WELCOME, 40 }, { P4W_RESERVED, 36 }, { P4W_GRANTED, 72 }, { P4W_SYNCED, 16 },
		{ P4W_FREED, 16 }, { P4W_LEFT, 16 }, { P4W_ESCROW, 28 }, { P4W_LOCKS, 20 },
		{ P4W_LOCKED, 32 }, { P4W_UNLOCKED, 16 },
	};
	uint8_t buf[256];
	unsigned int i;
	size_t len;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (len = 0; len < 100; len++) {
			struct p4w_msg h = head(t[i].type, len, 7, 0);
			int want = len == t[i].len ? (int)t[i].type : -EBADMSG;

			memset(buf, 0, sizeof(buf));
			memcpy(buf, &h, sizeof(h));
			assert_int_equal(p4a_msg_check(at_page_end(buf, len), len, 7, &err), want);
		}
		/* The length in the head must be right too, and the batch. */
		memcpy(buf, &(struct p4w_msg[]){ head(t[i].type, t[i].len + 1, 7, 0) }, 16);
		assert_int_equal(p4a_msg_check(buf, t[i].len, 7, &err), -EBADMSG);
		memcpy(buf, &(struct p4w_msg[]){ head(t[i].type, t[i].len, 8, 0) }, 16);
		assert_int_equal(p4a_msg_check(buf, t[i].len, 7, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "batch 8, must be 7"));
		assert_int_equal(p4a_msg_check(buf, t[i].len, 0, &err), t[i].type);
	}
}

static void check__unknown_types(void **state)
{
	unsigned int type;

	for (type = 0; type < 256; type++) {
		struct p4w_msg h = head(type, sizeof(h), 7, 0);
		int known = type == P4W_SYNCED || type == P4W_FREED || type == P4W_LEFT ||
			    type == P4W_UNLOCKED || type == P4W_BUNDLED;

		assert_int_equal(p4a_msg_check(at_page_end(&h, sizeof(h)), sizeof(h), 7, &err),
				 known ? (int)type : -EBADMSG);
	}
}

static void check__version(void **state)
{
	struct p4w_msg h = head(P4W_SYNCED, sizeof(h), 7, 0);

	h.version = 9;
	assert_int_equal(p4a_msg_check(&h, sizeof(h), 7, &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text, "version: this library speaks 1, the allocator 9");
	/* Even if the other version's head is shorter than ours. */
	assert_int_equal(p4a_msg_check(at_page_end(&h, 1), 1, 7, &err), -EPROTONOSUPPORT);
}

static void check__refusals(void **state)
{
	static const struct { uint32_t code; int want; const char *says; } t[] = {
		{ P4W_REFUSED_VERSION, -EPROTONOSUPPORT, "this library speaks 1, the allocator 4" },
		{ P4W_REFUSED_LENGTH, -EBADMSG, "code 2" },
		{ P4W_REFUSED_TYPE, -EOPNOTSUPP, "requests of type 5, only up to 4" },
		{ P4W_REFUSED_TENANT, -EACCES, "tenant: because" },
		{ P4W_REFUSED_RANGE, -ERANGE, "refused duration_us = 5: must be 2 .. 4 (because)" },
		{ P4W_REFUSED_ORDER, -EPROTO, "order: because (duration_us = 5, not 2 .. 4)" },
		{ P4W_REFUSED_EXPIRED, -ESTALE, "escrow: because" },
		{ P4W_REFUSED_SWITCH, -EHOSTDOWN, "switch: because" },
		{ P4W_REFUSED_STORE, -EREMOTEIO, "store: because" },
		{ P4W_REFUSED_BUSY, -ETIME, "the lock is not free: because" },
		{ P4W_REFUSED_FULL, -ENOSPC, "full: because" },
		{ 12, -EBADMSG, "code 12" },
	};
	struct p4w_refused r = { .got = htonl(5), .min = htonl(2), .max = htonl(4) };
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		r.msg = head(P4W_REFUSED, sizeof(r), 0, t[i].code);
		strcpy(r.field, "duration_us");
		strcpy(r.text, "because");
		assert_int_equal(p4a_msg_check(at_page_end(&r, sizeof(r)), sizeof(r), 7, &err),
				 t[i].want);
		if (!strstr(err.text, t[i].says))
			fail_msg("code %u says: %s", t[i].code, err.text);
	}
	/* Text without an end, with what a terminal would obey. */
	r.msg = head(P4W_REFUSED, sizeof(r), 0, P4W_REFUSED_RANGE);
	memset(r.field, '\033', sizeof(r.field));
	memset(r.text, 'x', sizeof(r.text));
	assert_int_equal(p4a_msg_check(at_page_end(&r, sizeof(r)), sizeof(r), 7, &err), -ERANGE);
	assert_null(strchr(err.text, '\033'));
	assert_non_null(strstr(err.text, "????????????????????"));
	assert_int_equal(p4a_msg_check(at_page_end(&r, sizeof(r) - 1), sizeof(r) - 1, 7, &err), -EBADMSG);
}

static void read__welcome(void **state)
{
	static const struct { uint16_t registers, blocks, slots; uint32_t flows, batch; const char *says; }
	bad[] = {
		{ 0, 100, 64, 1, 1, "registers = 0, must be 1 .. 32" },
		{ 33, 100, 64, 1, 1, "registers = 33" },
		{ 20, 0, 64, 1, 1, "blocks = 0, must be 1 .. 256" },
		{ 20, 257, 64, 1, 1, "blocks = 257" },
		{ 20, 100, 32, 1, 1, "block_slots = 32, must be 64 .. 64" },
		{ 20, 100, 64, 0, 1, "flows = 0" },
		{ 20, 100, 64, 1, 0, "batch = 0" },
		{ 20, 100, 64, 1, 0x80000000, "batch = 2147483648" },
	};
	struct p4w_welcome m = good_welcome();
	struct p4a_welcome w;
	unsigned int i;

	assert_int_equal(p4a_msg_read_welcome(&m, &w, &err), 0);
	assert_int_equal(w.batch, 7);
	assert_int_equal(w.geo.registers, 20);
	assert_int_equal(w.geo.blocks, 100);
	assert_int_equal(w.flows, 512);
	assert_int_equal(w.lease_max_us, 2000000);
	assert_int_equal(w.grace_us, 100000);
	assert_int_equal(w.escrow, 9);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.registers = htons(bad[i].registers);
		m.blocks = htons(bad[i].blocks);
		m.block_slots = htons(bad[i].slots);
		m.flows = htonl(bad[i].flows);
		m.msg.batch = htonl(bad[i].batch);
		assert_int_equal(p4a_msg_read_welcome(&m, &w, &err), -EBADMSG);
		assert_non_null(strstr(err.text, bad[i].says));
	}
}

static void read__reserved(void **state)
{
	struct p4w_reserved m = { .wait_us = htonl(70000), .ahead = htonl(3),
				  .target = htons(17), .why = P4W_WHY_TURN, .believed = 93 };
	struct p4a_reserved r;

	p4a_msg_read_reserved(&m, &r);
	assert_int_equal(r.wait_us, 70000);
	assert_int_equal(r.ahead, 3);
	assert_int_equal(r.target, 17);
	assert_int_equal(r.why, P4A_WHY_TURN);
	assert_int_equal(r.believed, 93);
}

static void read__granted(void **state)
{
	struct p4w_granted good = good_granted(), m = good;
	struct p4a_grant g;

	assert_int_equal(p4a_msg_read_granted(&m, &geo, &g, &err), 0);
	assert_true(g.epoch == 0x123456789a);
	assert_int_equal(g.flow_first, 64);
	assert_int_equal(g.flow_count, 32);
	assert_int_equal(g.lease_us, 5000);
	assert_int_equal(g.blocks, 3);
	assert_int_equal(g.bitmap[1], 0x10);

#define BAD(change, says) do {							\
		m = good;							\
		change;								\
		assert_int_equal(p4a_msg_read_granted(&m, &geo, &g, &err), -EBADMSG);	\
		assert_non_null(strstr(err.text, says));			\
	} while (0)
	BAD(m.epoch = 0, "epoch = 0");
	BAD(m.epoch = htobe64(1ull << 40), "epoch = 1099511627776");
	BAD(m.flow_count = 0, "flow_count = 0");
	BAD(m.flow_count = htonl(4097), "flow_count = 4097");
	BAD(m.nr_blocks = 0, "nr_blocks = 0");
	BAD(m.nr_blocks = htons(101), "nr_blocks = 101, must be 1 .. 100");
	BAD(m.nr_blocks = htons(2), "nr_blocks = 2 bits below 100");
	BAD(m.bitmap[1] = 0, "nr_blocks = 3 bits");
	BAD((m.bitmap[1] = 0, m.bitmap[12] = 0x10), "bits below 100");	/* block 100 */
}

static void read__escrow(void **state)
{
	struct {
		struct p4w_escrow e;
		struct p4w_escrow_entry entry[2];
	} __attribute__((packed)) m = {
		.e = { .msg = head(P4W_ESCROW, sizeof(m), 7, 0), .total = htonl(5), .first = htonl(3),
		       .count = htonl(2) },
		.entry = { { htonl(4), htons(6399), 19, 0, htonl(0xdeadbeef) },
			   { htonl(5), htons(1), 2, 0, htonl(6) } },
	}, good;
	struct p4a_escrow out[P4W_ESCROW_MAX];
	uint32_t total, len;

	good = m;
	assert_int_equal(p4a_msg_check(at_page_end(&m, sizeof(m)), sizeof(m), 0, &err), P4W_ESCROW);
	assert_int_equal(p4a_msg_read_escrow(&m, 3, &geo, out, &total, &err), 2);
	assert_int_equal(total, 5);
	assert_int_equal(out[0].batch, 4);
	assert_int_equal(out[0].slot, 6399);
	assert_int_equal(out[0].reg, 19);
	assert_int_equal(out[0].value, 0xdeadbeef);
	assert_int_equal(out[1].value, 6);

	for (len = 0; len < sizeof(m); len++)
		assert_int_equal(p4a_msg_check(at_page_end(&m, len), len, 0, &err), -EBADMSG);
	m.e.count = htonl(0xffffffff);		/* 12 times this wraps around */
	assert_int_equal(p4a_msg_check(at_page_end(&m, sizeof(m)), sizeof(m), 0, &err), -EBADMSG);
	m.e.count = htonl(0x15555556);
	assert_int_equal(p4a_msg_check(at_page_end(&m, sizeof(m)), sizeof(m), 0, &err), -EBADMSG);

	assert_int_equal(p4a_msg_read_escrow(&good, 2, &geo, out, &total, &err), -EBADMSG);
	m = good;
	m.e.total = htonl(4);
	assert_int_equal(p4a_msg_read_escrow(&m, 3, &geo, out, &total, &err), -EBADMSG);
	m = good;
	m.entry[1].slot = htons(6400);
	assert_int_equal(p4a_msg_read_escrow(&m, 3, &geo, out, &total, &err), -EBADMSG);
	m = good;
	m.entry[0].reg = 20;
	assert_int_equal(p4a_msg_read_escrow(&m, 3, &geo, out, &total, &err), -EBADMSG);
}

static void write__lock_info(void **state)
{
	static const struct p4a_key_count kc[] = { { 5, 7 }, { UINT64_MAX, UINT64_C(1) << 40 } };
	const struct p4a_self me = { .node = 3, .nodes = 9 };
	uint8_t buf[P4A_MSG_LOCK_INFO_MAX];
	struct p4w_lock_info *m = (void *)buf;

	assert_int_equal(p4a_msg_lock_info(buf, &me, 7, kc, 2), 20 + 2 * 12);
	assert_int_equal(m->msg.type, P4W_LOCK_INFO);
	assert_int_equal(ntohs(m->msg.length), 44);
	assert_int_equal(ntohl(m->msg.batch), 7);
	assert_int_equal(ntohs(m->nr_keys), 2);
	assert_int_equal(be64toh(m->key[0].key), 5);
	assert_int_equal(ntohl(m->key[0].count), 7);
	assert_int_equal(be64toh(m->key[1].key), UINT64_MAX);
	assert_int_equal(ntohl(m->key[1].count), UINT32_MAX);
	assert_true(P4A_MSG_LOCK_INFO_MAX <= UINT16_MAX);
}

static void read__locks(void **state)
{
	struct {
		struct p4w_locks l;
		struct p4w_lock_bit key[2];
	} __attribute__((packed)) m = {
		.l = { .msg = head(P4W_LOCKS, sizeof(m), 7, 0), .nr_keys = htons(2),
		       .bits = htons(32) },
		.key = { { htobe64(1), 31 }, { htobe64(9), 0 } },
	};
	struct p4a_lock_bit out[P4W_LOCK_KEYS_MAX];
	uint32_t len;

	assert_int_equal(p4a_msg_check(at_page_end(&m, sizeof(m)), sizeof(m), 7, &err), P4W_LOCKS);
	assert_int_equal(p4a_msg_read_locks(&m, out, &err), 2);
	assert_int_equal(out[0].bit, 31);
	assert_int_equal(out[1].key, 9);
	for (len = 0; len < sizeof(m); len++)
		assert_int_equal(p4a_msg_check(at_page_end(&m, len), len, 7, &err), -EBADMSG);
	m.l.bits = htons(31);
	assert_int_equal(p4a_msg_read_locks(&m, out, &err), -EBADMSG);
	m.l.bits = htons(33);
	assert_int_equal(p4a_msg_read_locks(&m, out, &err), -EBADMSG);
	m.l.nr_keys = htons(P4W_LOCK_KEYS_MAX + 1);
	assert_int_equal(p4a_msg_check(at_page_end(&m, sizeof(m)), sizeof(m), 7, &err), -EBADMSG);
}

static uint64_t rng_state = 11;

static uint8_t rng(void)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return rng_state >> 56;
}

/* Reads an answer as batch.c would; whatever the bytes, nothing beyond them is touched. */
static void read_any(const void *buf, uint32_t len)
{
	struct p4a_lock_bit bits[P4W_LOCK_KEYS_MAX];
	struct p4a_escrow out[P4W_ESCROW_MAX];
	struct p4a_welcome w;
	struct p4a_grant g;
	uint32_t total;
	int n;

	switch (p4a_msg_check(buf, len, 0, &err)) {
	case P4W_WELCOME:
		if (!p4a_msg_read_welcome(buf, &w, &err))
			assert_true(w.geo.registers >= 1 && w.geo.registers <= P4A_MAX_REGISTERS);
		break;
	case P4W_GRANTED:
		if (!p4a_msg_read_granted(buf, &geo, &g, &err))
			assert_true(g.blocks >= 1 && g.blocks <= geo.blocks);
		break;
	case P4W_ESCROW:
		n = p4a_msg_read_escrow(buf, 0, &geo, out, &total, &err);
		assert_true(n <= (int)(len / sizeof(struct p4w_escrow_entry)));
		break;
	case P4W_LOCKS:
		n = p4a_msg_read_locks(buf, bits, &err);
		assert_true(n <= (int)(len / sizeof(struct p4w_lock_bit)));
	}
}

static void read__garbage(void **state)
{
	static const uint8_t types[] = {
		P4W_WELCOME, P4W_RESERVED, P4W_GRANTED, P4W_SYNCED, P4W_ESCROW, P4W_REFUSED,
		P4W_LOCKS,
	};
	unsigned int round, i;

	for (round = 0; round < 200000; round++) {
		uint8_t buf[512];
		uint32_t len = (rng() << 8 | rng()) % sizeof(buf);

		for (i = 0; i < len; i++)
			buf[i] = rng() & 3 ? rng() : 0;
		if (len > 4 && rng() & 7) {		/* get past the first checks */
			buf[0] = P4W_VERSION;
			buf[1] = types[rng() % sizeof(types)];
			buf[2] = len >> 8;
			buf[3] = len;
			if (buf[1] == P4W_ESCROW && len >= 28)
				memcpy(buf + 24, &(uint32_t){ htonl((len - 28) / 12) }, 4);
			if (buf[1] == P4W_LOCKS && len >= 20)
				memcpy(buf + 16, &(uint32_t){ htonl((len - 20) / 9 << 16 | 32) }, 4);
		}
		read_any(at_page_end(buf, len), len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write__plain),
		cmocka_unit_test(write__request),
		cmocka_unit_test(check__types),
		cmocka_unit_test(check__unknown_types),
		cmocka_unit_test(check__version),
		cmocka_unit_test(check__refusals),
		cmocka_unit_test(read__welcome),
		cmocka_unit_test(read__reserved),
		cmocka_unit_test(read__granted),
		cmocka_unit_test(read__escrow),
		cmocka_unit_test(write__lock_info),
		cmocka_unit_test(read__locks),
		cmocka_unit_test(read__garbage),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
