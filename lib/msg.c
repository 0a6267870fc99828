// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * msg.c - allocation messages between bytes and structures. Lengths and ranges of everything that
 * comes in are checked here and nowhere else; the rest of the library may trust what it gets.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "error.h"
#include "msg.h"

_Static_assert(P4A_MAX_REGISTERS == P4W_MAX_REGISTERS, "limits");
_Static_assert(P4A_MAX_BLOCKS == P4W_MAX_BLOCKS, "limits");
_Static_assert(P4A_BLOCK_SLOTS == P4W_BLOCK_SLOTS, "limits");
_Static_assert(P4A_MAX_INSTRS == P4W_INSTRS, "limits");
_Static_assert(P4A_MAX_NODES == P4W_NODES_MAX, "limits");
_Static_assert(P4A_LOCK_BITS == P4W_LOCK_BITS, "limits");
_Static_assert(P4A_LOCK_NAME == P4W_LOCK_NAME_BYTES, "limits");
_Static_assert(P4A_LOCK_EXCLUSIVE == (int)P4W_LOCK_EXCLUSIVE, "the allocator's numbers");
_Static_assert(P4A_MAX_LOCK_KEYS == P4W_LOCK_KEYS_MAX, "limits");
_Static_assert(P4A_CADD == (int)P4W_OP_CADD, "the switch's numbers");
_Static_assert(P4A_CHARGE + 1 == (int)P4W_OPS_END, "the switch's numbers");
_Static_assert(P4A_SOURCE == P4W_OP_SOURCE && P4A_DEPENDENT == P4W_OP_DEPENDENT, "its flags");
_Static_assert(P4A_SECOND_PASS == P4W_OP_SECOND_PASS, "the switch's numbers");
_Static_assert(P4A_TXN_MALFORMED == (int)P4W_TXN_MALFORMED, "the switch's numbers");
_Static_assert(P4A_FILLED == (int)P4W_PHASE_FILLED, "the allocator's numbers");
_Static_assert(P4A_RAN == (int)P4W_PHASE_RAN, "the allocator's numbers");

#define FLOWS_MAX	4096		/* of one node: the kernel takes no more */

static void put_head(struct p4w_msg *m, const struct p4a_self *self, enum p4w_msg_type type,
		     uint32_t length, uint32_t batch, uint32_t code)
{
	*m = (struct p4w_msg) {
		.version = P4W_VERSION, .type = type, .length = htons(length),
		.node = htons(self->node), .nodes = htons(self->nodes),
		.batch = htonl(batch), .code = htonl(code),
	};
}

uint32_t p4a_msg_plain(void *buf, const struct p4a_self *self, enum p4w_msg_type type,
		       uint32_t batch, uint32_t code)
{
	put_head(buf, self, type, sizeof(struct p4w_msg), batch, code);
	return sizeof(struct p4w_msg);
}

uint32_t p4a_msg_request(void *buf, const struct p4a_self *self, uint32_t batch, uint32_t flags,
			 const struct p4a_demand *demand, const uint16_t *hist, unsigned int nr_hist)
{
	uint32_t length = sizeof(struct p4w_request) + nr_hist * sizeof(__be16);
	struct p4w_request *r = buf;
	unsigned int i;

	*r = (struct p4w_request) {
		.start_us = htonl(demand->start_us), .duration_us = htonl(demand->duration_us),
		.min_blocks = htons(demand->min_blocks), .want_blocks = htons(demand->want_blocks),
		.flows = htonl(demand->flows), .nr_hist = htons(nr_hist),
		.together = htons(demand->together),
	};
	put_head(&r->msg, self, P4W_REQUEST, length, batch, flags);
	for (i = 0; i < nr_hist; i++)
		r->hist[i] = htons(hist[i]);
	return length;
}

uint32_t p4a_msg_lock_info(void *buf, const struct p4a_self *self, uint32_t batch,
			   const struct p4a_key_count *kc, unsigned int n)
{
	uint32_t length = sizeof(struct p4w_lock_info) + n * sizeof(struct p4w_lock_key);
	struct p4w_lock_info *m = buf;
	unsigned int i;

	*m = (struct p4w_lock_info) { .nr_keys = htons(n) };
	put_head(&m->msg, self, P4W_LOCK_INFO, length, batch, 0);
	for (i = 0; i < n; i++)
		m->key[i] = (struct p4w_lock_key) {
			.key = htobe64(kc[i].key),
			.count = htonl(kc[i].count < UINT32_MAX ? kc[i].count : UINT32_MAX),
		};
	return length;
}

uint32_t p4a_msg_lock(void *buf, const struct p4a_self *self, enum p4w_msg_type type,
		      const struct p4a_lock *lock, uint32_t wait_us, bool by_cell, uint32_t tried)
{
	bool takes = type == P4W_LOCK;
	uint32_t code = takes ? lock->mode | (by_cell ? P4W_LOCK_BY_CELL : 0) : 0;
	struct p4w_lock *m = buf;

	*m = (struct p4w_lock) {
		.owner = htobe64(lock->owner), .token = htobe64(lock->token),
		.lease_us = htonl(takes ? lock->lease_us : 0), .wait_us = htonl(takes ? wait_us : 0),
	};
	memcpy(m->name, lock->name, sizeof(m->name));
	put_head(&m->msg, self, type, sizeof(*m), takes && by_cell ? tried : 0, code);
	return sizeof(*m);
}

uint32_t p4a_msg_resize(void *buf, const struct p4a_self *self, uint32_t batch,
			enum p4w_resize_step step, unsigned int blocks, uint16_t number)
{
	struct p4w_resize *m = buf;

	m->blocks = htons(blocks);
	m->number = htons(number);
	put_head(&m->msg, self, P4W_RESIZE, sizeof(*m), batch, step);
	return sizeof(*m);
}

uint32_t p4a_msg_bundle(void *buf, const struct p4a_self *self, unsigned int n)
{
	uint32_t length = sizeof(struct p4w_msg) + n * sizeof(struct p4w_lock);

	put_head(buf, self, P4W_BUNDLE, length, 0, 0);
	return length;
}

uint32_t p4a_msg_part(const void *buf, uint32_t len)
{
	const struct p4w_msg *m = buf;

	return len < sizeof(*m) || ntohs(m->length) > len ? len : ntohs(m->length);
}

/* Text of a foreign host: ends at a NUL or at room, and has nothing that moves a terminal. */
static void copy_text(char *to, const char *from, size_t room)
{
	size_t i;

	for (i = 0; i < room && from[i]; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[i] = 0;
}

static int refusal(const struct p4w_refused *r, struct p4a_error *err)
{
	char field[sizeof(r->field) + 1], text[sizeof(r->text) + 1];
	uint32_t got = ntohl(r->got), min = ntohl(r->min), max = ntohl(r->max);
	uint32_t code = ntohl(r->msg.code);

	copy_text(field, r->field, sizeof(r->field));
	copy_text(text, r->text, sizeof(r->text));
	switch (code) {
	case P4W_REFUSED_VERSION:
		return p4a_fail(err, -EPROTONOSUPPORT,
				"version: this library speaks %u, the allocator %u", P4W_VERSION, max);
	case P4W_REFUSED_TYPE:
		return p4a_fail(err, -EOPNOTSUPP, "the allocator does not know requests of type %u, "
				"only up to %u", got, max);
	case P4W_REFUSED_RANGE:
		return p4a_fail(err, -ERANGE, "allocator refused %s = %u: must be %u .. %u (%s)",
				field, got, min, max, text);
	case P4W_REFUSED_TENANT:
		return p4a_fail(err, -EACCES, "allocator refused the tenant: %s", text);
	case P4W_REFUSED_ORDER:
		return p4a_fail(err, -EPROTO, "allocator refused the order: %s (%s = %u, not %u .. %u)",
				text, field, got, min, max);
	case P4W_REFUSED_BUSY:
		return p4a_fail(err, -ETIME, "the lock is not free: %s", text);
	case P4W_REFUSED_FULL:
		return p4a_fail(err, -ENOSPC, "the lock service is full: %s", text);
	case P4W_REFUSED_EXPIRED:
		if (!strcmp(field, "name"))
			return p4a_fail(err, -ESTALE, "the lock was lost: %s", text);
		return p4a_fail(err, -ESTALE, "the lease has ended, values are in the escrow: %s", text);
	case P4W_REFUSED_SWITCH:
		return p4a_fail(err, -EHOSTDOWN, "the allocator cannot reach the switch: %s", text);
	case P4W_REFUSED_STORE:
		return p4a_fail(err, -EREMOTEIO, "the allocator cannot write its store: %s", text);
	default:
		return p4a_fail(err, -EBADMSG, "allocator refused the message (code %u): %s", code, text);
	}
}

/* Exact length of an answer, as far as its head tells; 0: no answer of this type exists. */
static uint32_t answer_length(unsigned int type, const void *buf, uint32_t len)
{
	const struct p4w_escrow *e = buf;
	const struct p4w_locks *l = buf;

	switch (type) {
	case P4W_WELCOME:
		return sizeof(struct p4w_welcome);
	case P4W_RESERVED:
		return sizeof(struct p4w_reserved);
	case P4W_GRANTED:
	case P4W_CELLS:
		return sizeof(struct p4w_granted);
	case P4W_CELL:
		return sizeof(struct p4w_cell);
	case P4W_SYNCED:
	case P4W_FREED:
	case P4W_LEFT:
	case P4W_UNLOCKED:
		return sizeof(struct p4w_msg);
	case P4W_LOCKED:
		return sizeof(struct p4w_locked);
	case P4W_RESIZED:
		return sizeof(struct p4w_resized);
	case P4W_BUNDLED:		/* its parts say for themselves */
		return len;
	case P4W_REFUSED:
		return sizeof(struct p4w_refused);
	case P4W_ESCROW:
		if (len < sizeof(*e) || ntohl(e->count) > P4W_ESCROW_MAX)
			return sizeof(*e);
		return sizeof(*e) + ntohl(e->count) * sizeof(e->entry[0]);
	case P4W_LOCKS:
		if (len < sizeof(*l) || ntohs(l->nr_keys) > P4W_LOCK_KEYS_MAX)
			return sizeof(*l);
		return sizeof(*l) + ntohs(l->nr_keys) * sizeof(l->key[0]);
	default:
		return 0;
	}
}

int p4a_msg_check(const void *buf, uint32_t len, uint32_t batch, struct p4a_error *err)
{
	const struct p4w_msg *m = buf;
	uint32_t want;

	if (len < 1 || (m->version == P4W_VERSION && len < sizeof(*m)))
		return p4a_fail(err, -EBADMSG, "answer: length %u, must be %zu or more", len,
				sizeof(*m));
	if (m->version != P4W_VERSION)
		return p4a_fail(err, -EPROTONOSUPPORT,
				"version: this library speaks %u, the allocator %u", P4W_VERSION,
				m->version);
	want = answer_length(m->type, buf, len);
	if (!want)
		return p4a_fail(err, -EBADMSG, "answer: type 0x%02x is not known", m->type);
	if (len != want || ntohs(m->length) != want)
		return p4a_fail(err, -EBADMSG, "answer of type 0x%02x: length %u (told: %u), must be %u",
				m->type, len, ntohs(m->length), want);
	if (m->type == P4W_REFUSED)
		return refusal(buf, err);
	if (batch && ntohl(m->batch) != batch)
		return p4a_fail(err, -EBADMSG, "answer of type 0x%02x: batch %u, must be %u", m->type,
				ntohl(m->batch), batch);
	return m->type;
}

static int bad_field(struct p4a_error *err, const char *field, uint64_t got, uint64_t min,
		     uint64_t max)
{
	return p4a_fail(err, -EBADMSG, "answer: %s = %llu, must be %llu .. %llu", field,
			(unsigned long long)got, (unsigned long long)min, (unsigned long long)max);
}

int p4a_msg_read_welcome(const void *buf, struct p4a_welcome *w, struct p4a_error *err)
{
	const struct p4w_welcome *m = buf;

	*w = (struct p4a_welcome) {
		.batch = ntohl(m->msg.batch),
		.geo = { ntohs(m->registers), ntohs(m->blocks), ntohs(m->dependent) },
		.flows = ntohl(m->flows), .lease_max_us = ntohl(m->lease_max_us),
		.grace_us = ntohl(m->grace_us), .escrow = ntohl(m->escrow),
	};
	if (!w->batch || w->batch > P4W_BATCH_MAX)
		return bad_field(err, "batch", w->batch, 1, P4W_BATCH_MAX);
	if (!w->geo.registers || w->geo.registers > P4W_MAX_REGISTERS)
		return bad_field(err, "registers", w->geo.registers, 1, P4W_MAX_REGISTERS);
	if (!w->geo.blocks || w->geo.blocks > P4W_MAX_BLOCKS)
		return bad_field(err, "blocks", w->geo.blocks, 1, P4W_MAX_BLOCKS);
	if (w->geo.dependent >= w->geo.registers)
		return bad_field(err, "dependent", w->geo.dependent, 0, w->geo.registers - 1);
	if (ntohs(m->block_slots) != P4W_BLOCK_SLOTS)
		return bad_field(err, "block_slots", ntohs(m->block_slots), P4W_BLOCK_SLOTS,
				 P4W_BLOCK_SLOTS);
	if (!w->flows)
		return bad_field(err, "flows", 0, 1, UINT32_MAX);
	return 0;
}

void p4a_msg_read_reserved(const void *buf, struct p4a_reserved *r)
{
	const struct p4w_reserved *m = buf;

	*r = (struct p4a_reserved) {
		.wait_us = ntohl(m->wait_us), .ahead = ntohl(m->ahead),
		.target = ntohs(m->target), .why = m->why, .believed = m->believed,
	};
}

/* Bits set, or -1 if one is at or above limit. */
static int count_bits(const uint8_t *bitmap, unsigned int limit)
{
	unsigned int b;
	int set = 0;

	for (b = 0; b < P4W_MAX_BLOCKS; b++) {
		if (!(bitmap[b / 8] >> b % 8 & 1))
			continue;
		if (b >= limit)
			return -1;
		set++;
	}
	return set;
}

static int check_blocks(const struct p4a_geometry *geo, const struct p4a_grant *g,
			struct p4a_error *err)
{
	if (!g->blocks || g->blocks > geo->blocks)
		return bad_field(err, "nr_blocks", g->blocks, 1, geo->blocks);
	if (count_bits(g->bitmap, geo->blocks) != (int)g->blocks)
		return p4a_fail(err, -EBADMSG, "answer: bitmap must have nr_blocks = %u bits below %u",
				g->blocks, geo->blocks);
	return 0;
}

int p4a_msg_read_granted(const void *buf, const struct p4a_geometry *geo, struct p4a_grant *g,
			 struct p4a_error *err)
{
	const struct p4w_granted *m = buf;

	*g = (struct p4a_grant) {
		.epoch = be64toh(m->epoch), .flow_first = ntohl(m->flow_first),
		.flow_count = ntohl(m->flow_count), .lease_us = ntohl(m->lease_us),
		.blocks = ntohs(m->nr_blocks),
	};
	memcpy(g->bitmap, m->bitmap, sizeof(g->bitmap));
	if (!g->epoch || g->epoch > P4W_EPOCH_MAX)
		return bad_field(err, "epoch", g->epoch, 1, P4W_EPOCH_MAX);
	if (!g->flow_count || g->flow_count > FLOWS_MAX)
		return bad_field(err, "flow_count", g->flow_count, 1, FLOWS_MAX);
	return check_blocks(geo, g, err);
}

int p4a_msg_read_resized(const void *buf, const struct p4a_geometry *geo, struct p4a_grant *g,
			 struct p4a_error *err)
{
	const struct p4w_resized *m = buf;

	g->blocks = ntohs(m->nr_blocks);
	memcpy(g->bitmap, m->bitmap, sizeof(g->bitmap));
	return check_blocks(geo, g, err) ?: (int)g->blocks;
}

int p4a_msg_read_escrow(const void *buf, uint32_t first, const struct p4a_geometry *geo,
			struct p4a_escrow *entry, uint32_t *total, struct p4a_error *err)
{
	const struct p4w_escrow *m = buf;
	uint32_t count = ntohl(m->count), i;

	*total = ntohl(m->total);
	if (ntohl(m->first) != first)
		return bad_field(err, "first", ntohl(m->first), first, first);
	if (count > P4W_ESCROW_MAX || count > *total || first > *total - count)
		return bad_field(err, "count", count, 0, P4W_ESCROW_MAX);
	for (i = 0; i < count; i++) {
		const struct p4w_escrow_entry *e = &m->entry[i];

		entry[i] = (struct p4a_escrow) {
			.batch = ntohl(e->batch), .slot = ntohs(e->slot), .reg = e->reg,
			.value = ntohl(e->value),
		};
		if (entry[i].slot >= geo->blocks * P4W_BLOCK_SLOTS)
			return bad_field(err, "slot", entry[i].slot, 0,
					 geo->blocks * P4W_BLOCK_SLOTS - 1);
		if (entry[i].reg >= geo->registers)
			return bad_field(err, "reg", entry[i].reg, 0, geo->registers - 1);
	}
	return count;
}

int p4a_msg_read_locks(const void *buf, struct p4a_lock_bit *bit, struct p4a_error *err)
{
	const struct p4w_locks *m = buf;
	unsigned int n = ntohs(m->nr_keys), bits = ntohs(m->bits), i;

	if (n > P4W_LOCK_KEYS_MAX)
		return bad_field(err, "nr_keys", n, 0, P4W_LOCK_KEYS_MAX);
	if (!bits || bits > P4W_LOCK_BITS)
		return bad_field(err, "bits", bits, 1, P4W_LOCK_BITS);
	for (i = 0; i < n; i++) {
		bit[i] = (struct p4a_lock_bit) { be64toh(m->key[i].key), m->key[i].bit };
		if (bit[i].bit >= bits)
			return bad_field(err, "bit", bit[i].bit, 0, bits - 1);
	}
	return n;
}

int p4a_msg_read_locked(const void *buf, struct p4a_lock *lock, uint32_t *waited_us,
			struct p4a_error *err)
{
	const struct p4w_locked *m = buf;

	if (!m->token)
		return bad_field(err, "token", 0, 1, UINT32_MAX);
	lock->token = be64toh(m->token);
	lock->lease_us = ntohl(m->lease_us);
	*waited_us = ntohl(m->waited_us);
	return 0;
}

bool p4a_msg_is_often(const void *buf)
{
	const struct p4w_locked *m = buf;

	return ntohl(m->msg.code) == P4W_LOCKED_OFTEN;
}

int p4a_msg_read_cell(const void *buf, struct p4a_known_cell *c, struct p4a_error *err)
{
	const struct p4w_cell *m = buf;

	*c = (struct p4a_known_cell) {
		.epoch = be64toh(m->epoch), .base = be64toh(m->base), .id = ntohl(m->id),
		.count = ntohl(m->count), .lease_us = ntohl(m->lease_us), .slot = ntohs(m->slot),
	};
	if (c->slot >= P4W_BLOCK_SLOTS)
		return bad_field(err, "slot", c->slot, 0, P4W_BLOCK_SLOTS - 1);
	if (!c->id || c->id > P4W_CELL_ID_MAX)
		return bad_field(err, "id", c->id, 1, P4W_CELL_ID_MAX);
	return 0;
}

bool p4a_msg_is_late(const void *buf)
{
	const struct p4w_msg *m = buf;

	return m->code != 0;
}
