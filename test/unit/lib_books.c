// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_books.c - see lib_books.h. */
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

struct book book[NODES];
uint32_t cell[KEYS];
uint64_t epoch, serial;
uint16_t book_nodes = NODES;

/* ---------------------------------------------------------------- writing */

static uint64_t put(struct book *b, union p4a_log_record *rec, enum p4a_log_type type,
		    unsigned int count, uint32_t arg)
{
	uint32_t len = p4a_log_seal(rec, type, count, arg, b->next);

	assert_true(b->len + len <= BYTES);
	memcpy(b->data + b->len, rec, len);
	b->len += len;
	return b->next++;
}

void open_book(unsigned int node, uint32_t tenant, uint32_t segment, uint32_t version)
{
	struct book *b = &book[node];
	union p4a_log_record rec = { .open = {
		.magic = P4A_LOG_MAGIC, .tenant = htole32(tenant), .node = htole16(node),
		.nodes = htole16(book_nodes),
	} };

	b->len = 0;
	b->next = (uint64_t)segment << P4A_LOG_SEGMENT_SHIFT;
	put(b, &rec, P4A_LOG_OPEN, 0, version);
}

void open_books(void)
{
	unsigned int node;

	for (node = 0; node < NODES; node++)
		open_book(node, 7, 1, P4A_LOG_VERSION);
	memset(cell, 0, sizeof(cell));
}

void grant(unsigned int node, uint32_t batch, uint64_t e)
{
	union p4a_log_record rec = { .grant = { .epoch = htole64(e) } };

	put(&book[node], &rec, P4A_LOG_GRANT, 0, batch);
}

void end_one(unsigned int node, uint32_t batch)
{
	union p4a_log_record rec = { 0 };

	put(&book[node], &rec, P4A_LOG_END, 0, batch);
}

void begin_epoch(uint32_t batch)
{
	unsigned int node;

	epoch++;
	serial = epoch << SERIAL;
	for (node = 0; node < NODES; node++)
		grant(node, batch, epoch);
}

/* The node that owns them fills or drains its keys, one record each. */
void move_cells(enum p4a_log_cells kind, uint32_t value)
{
	unsigned int key;

	for (key = 0; key < KEYS; key++) {
		union p4a_log_record rec = { .cells = {
			.epoch = htole64(epoch), .serial = htole64(serial++),
		} };

		if (kind == P4A_LOG_FILL)
			cell[key] = value + key;
		rec.cells.cell[0].key = htole64(key);
		rec.cells.cell[0].value = htole32(cell[key]);
		put(&book[key % NODES], &rec, P4A_LOG_CELLS, 1, kind);
	}
}

struct sent intend(unsigned int node, const struct p4a_op *op, unsigned int n,
			  uint64_t user)
{
	union p4a_log_record rec = { .intent = {
		.epoch = htole64(epoch), .user = htole64(user),
	} };
	struct sent s = { .node = node, .n = n };
	unsigned int i;

	for (i = 0; i < n; i++) {
		s.op[i] = op[i];
		rec.intent.op[i] = (struct p4a_log_op) {
			.key = htole64(op[i].key), .operand = htole32(op[i].operand),
			.code = op[i].code,
		};
	}
	s.seq = put(&book[node], &rec, P4A_LOG_INTENT, n, 0);
	return s;
}

void execute(struct sent *s)
{
	unsigned int pass, i;
	uint32_t sum = 0;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < s->n; i++) {
			uint32_t *c = &cell[s->op[i].key];

			if (s->op[i].code / P4A_SECOND_PASS != pass)
				continue;
			s->before[i] = *c;
			*c = p4a_apply(s->op[i].code, s->op[i].operand, *c, sum);
			sum += s->op[i].code & P4A_SOURCE ? s->before[i] : 0;
		}
}

void conclude(const struct sent *s, enum p4a_txn_status status, uint64_t at)
{
	union p4a_log_record rec = { .result = { .intent = htole64(s->seq) } };
	unsigned int i, n = status == P4A_TXN_OK ? s->n : 0;

	if (status == P4A_TXN_OK)
		rec.result.serial = htole64(at);
	if (status == P4A_TXN_UNKNOWN)
		rec.result.err = htole32(-ETIMEDOUT);
	for (i = 0; i < n; i++)
		rec.result.value[i] = htole32(s->before[i]);
	put(&book[s->node], &rec, P4A_LOG_RESULT, n, status);
}

void commit(unsigned int node, const struct p4a_op *op, unsigned int n)
{
	struct sent s = intend(node, op, n, serial);

	execute(&s);
	conclude(&s, P4A_TXN_OK, serial++);
}

/* ---------------------------------------------------------------- reading */

struct p4a_replay *replay_nodes(unsigned int nodes, uint64_t after,
				       struct p4a_replay_info *info)
{
	struct p4a_replay *r;
	unsigned int i;

	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	for (i = 0; i < NODES; i++)
		if (nodes >> i & 1)
			assert_int_equal(p4a_replay_add(r, book[i].data, book[i].len, NULL), 0);
	assert_int_equal(p4a_replay_run(r, after, NULL), 0);
	p4a_replay_info(r, info);
	return r;
}

struct p4a_replay *replay(struct p4a_replay_info *info)
{
	return replay_nodes(7, 0, info);
}

struct p4a_replayed value_of(const struct p4a_replay *r, uint64_t key)
{
	struct p4a_replayed v;
	uint32_t pos = 0;

	while (p4a_replay_value(r, &pos, &v))
		if (v.key == key)
			return v;
	fail_msg("key %u has no value", (unsigned int)key);
	return v;
}

void all_well(const struct p4a_replay_info *info)
{
	assert_int_equal(info->unended, 0);
	assert_int_equal(info->missing, 0);
	assert_int_equal(info->gaps, 0);
	assert_int_equal(info->breaks, 0);
	assert_int_equal(info->damaged, 0);
}

void end_all(uint32_t batch)
{
	unsigned int node;

	for (node = 0; node < NODES; node++)
		end_one(node, batch);
}
