// SPDX-License-Identifier: GPL-2.0-or-later
/* proto.c - see proto.h. Reads byte by byte: input may lie at any address and be of any length. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "proto.h"

static const char *const refusal_names[P4D_REFUSALS] = {
	[P4W_REFUSED_VERSION] = "version", [P4W_REFUSED_LENGTH] = "length",
	[P4W_REFUSED_TYPE] = "type",	   [P4W_REFUSED_TENANT] = "tenant",
	[P4W_REFUSED_RANGE] = "range",	   [P4W_REFUSED_ORDER] = "order",
	[P4W_REFUSED_EXPIRED] = "expired", [P4W_REFUSED_SWITCH] = "switch",
	[P4W_REFUSED_STORE] = "store",	   [P4W_REFUSED_BUSY] = "busy",
	[P4W_REFUSED_FULL] = "full",
};

const char *p4d_refusal_name(unsigned int code)
{
	return code < P4D_REFUSALS ? refusal_names[code] : NULL;
}

static int refuse(struct p4d_refusal *why, uint32_t code, const char *field, uint32_t got,
		  uint32_t min, uint32_t max, const char *text)
{
	*why = (struct p4d_refusal){ code, got, min, max, field, text };
	return -1;
}

int p4d_proto_range(struct p4d_refusal *why, const char *field, uint32_t got, uint32_t min,
		    uint32_t max)
{
	if (got >= min && got <= max)
		return 0;
	return refuse(why, P4W_REFUSED_RANGE, field, got, min, max, "out of range");
}

static int check_length(struct p4d_refusal *why, size_t len, uint32_t claimed, uint32_t min,
			uint32_t max)
{
	if (len < min || len > max)
		return refuse(why, P4W_REFUSED_LENGTH, "length",
			      len > UINT32_MAX ? UINT32_MAX : len, min, max,
			      "the message has a wrong size for its type");
	if (claimed != len)
		return refuse(why, P4W_REFUSED_LENGTH, "length", claimed, len, len,
			      "the length in the message is not its size");
	return 0;
}

static void read_head(const void *bytes, size_t len, struct p4w_msg *m, struct p4d_request *req)
{
	memset(m, 0, sizeof(*m));
	if (len)
		memcpy(m, bytes, len < sizeof(*m) ? len : sizeof(*m));
	memset(req, 0, sizeof(*req));
	req->type = m->type;
	req->node = ntohs(m->node);
	req->nodes = ntohs(m->nodes);
	req->batch = ntohl(m->batch);
	req->code = ntohl(m->code);
}

static int check_code(const struct p4d_request *req, struct p4d_refusal *why)
{
	switch (req->type) {
	case P4W_SYNC:
		return p4d_proto_range(why, "code", req->code, P4W_PHASE_FILLED, P4W_PHASE_RAN);
	case P4W_REQUEST:
		return p4d_proto_range(why, "code", req->code, 0, P4W_REQ_DONE);
	case P4W_RESIZE:
		return p4d_proto_range(why, "code", req->code, P4W_RESIZE_ASK, P4W_RESIZE_READY);
	case P4W_FETCH:
		return 0;
	case P4W_LOCK:
		return p4d_proto_range(why, "code", req->code & ~P4W_LOCK_BY_CELL,
				       P4W_LOCK_SHARED, P4W_LOCK_EXCLUSIVE);
	default:
		return p4d_proto_range(why, "code", req->code, 0, 0);
	}
}

static int check_head(const struct p4d_request *req, struct p4d_refusal *why)
{
	bool none = req->type == P4W_HELLO || req->type == P4W_LOCK || req->type == P4W_UNLOCK ||
		    req->type == P4W_BUNDLE || req->type == P4W_LOCK_CELLS;
	uint32_t most = !none ? P4W_BATCH_MAX :
			req->type == P4W_LOCK && req->code & P4W_LOCK_BY_CELL ? P4W_CELL_ID_MAX : 0;

	if (p4d_proto_range(why, "nodes", req->nodes, 1, P4W_NODES_MAX) ||
	    p4d_proto_range(why, "node", req->node, 0, req->nodes - 1u) ||
	    p4d_proto_range(why, "batch", req->batch, none ? 0 : 1, most))
		return -1;
	return check_code(req, why);
}

static int check_request(const struct p4w_request *m, struct p4d_request *req,
			 struct p4d_refusal *why)
{
	req->start_us = ntohl(m->start_us);
	req->duration_us = ntohl(m->duration_us);
	req->min_blocks = ntohs(m->min_blocks);
	req->want_blocks = ntohs(m->want_blocks);
	req->flows = ntohl(m->flows);
	req->nr_hist = ntohs(m->nr_hist);
	req->together = ntohs(m->together);
	if (p4d_proto_range(why, "start_us", req->start_us, 0, P4W_DURATION_MAX_US) ||
	    p4d_proto_range(why, "duration_us", req->duration_us, 1, P4W_DURATION_MAX_US) ||
	    p4d_proto_range(why, "want_blocks", req->want_blocks, 1, P4W_MAX_BLOCKS) ||
	    p4d_proto_range(why, "min_blocks", req->min_blocks, 1, req->want_blocks) ||
	    p4d_proto_range(why, "flows", req->flows, 1, UINT32_MAX) ||
	    p4d_proto_range(why, "together", req->together, 0, P4W_TOGETHER_MAX))
		return -1;
	return 0;
}

/* A node's keys: each once, in order, so that lists can be merged in one run. */
static int check_lock_info(const struct p4w_lock_info *m, struct p4d_request *req,
			   struct p4d_refusal *why)
{
	uint64_t before = 0;

	req->keys = m->key;
	req->nr_keys = ntohs(m->nr_keys);
	if (p4d_proto_range(why, "reserved", ntohs(m->reserved), 0, 0))
		return -1;
	for (uint32_t i = 0; i < req->nr_keys; i++) {
		uint64_t key = be64toh(m->key[i].key);

		if (i && key <= before)
			return refuse(why, P4W_REFUSED_RANGE, "key", i, 0, 0,
				      "not above the key before it");
		if (!m->key[i].count)
			return refuse(why, P4W_REFUSED_RANGE, "count", 0, 1, UINT32_MAX,
				      "of a key: out of range");
		before = key;
	}
	return 0;
}

static int check_lock(const void *bytes, struct p4d_request *req, struct p4d_refusal *why)
{
	bool lock = req->type == P4W_LOCK;
	struct p4w_lock m;

	memcpy(&m, bytes, sizeof(m));
	req->by_cell = req->code & P4W_LOCK_BY_CELL;
	req->code &= ~P4W_LOCK_BY_CELL;
	req->tried = req->batch;
	req->batch = 0;
	req->owner = be64toh(m.owner);
	req->token = be64toh(m.token);
	req->lease_us = ntohl(m.lease_us);
	req->wait_us = ntohl(m.wait_us);
	memcpy(req->name, m.name, sizeof(req->name));
	if (!m.name[0])
		return refuse(why, P4W_REFUSED_RANGE, "name", 0, 1, 255, "begins with a 0");
	if (!req->owner)
		return refuse(why, P4W_REFUSED_RANGE, "owner", 0, 1, UINT32_MAX, "is 0");
	if (!lock && !req->token)
		return refuse(why, P4W_REFUSED_RANGE, "token", 0, 1, UINT32_MAX, "is 0");
	if (p4d_proto_range(why, "lease_us", req->lease_us, lock, lock ? P4W_DURATION_MAX_US : 0) ||
	    p4d_proto_range(why, "wait_us", req->wait_us, 0, lock ? P4W_DURATION_MAX_US : 0))
		return -1;
	return 0;
}

static int check_resize(const void *bytes, struct p4d_request *req, struct p4d_refusal *why)
{
	struct p4w_resize m;

	memcpy(&m, bytes, sizeof(m));
	req->want_blocks = ntohs(m.blocks);
	req->number = ntohs(m.number);
	if (p4d_proto_range(why, "blocks", req->want_blocks, 1, P4W_MAX_BLOCKS) ||
	    p4d_proto_range(why, "number", req->number, 1, UINT16_MAX))
		return -1;
	return 0;
}

/*
 * Size of a message of this type: exact, except that REQUEST and LOCK_INFO say themselves how many
 * entries they have, and BUNDLE has as many as it is long: *max of them at most.
 */
static uint32_t size_of_type(uint8_t type, const void *bytes, size_t len, uint32_t *max)
{
	struct p4w_lock_info l;
	struct p4w_request m;
	uint32_t head, entry, most, n = 0;

	switch (type) {
	case P4W_REQUEST:
		head = sizeof(m);
		entry = sizeof(m.hist[0]);
		most = P4W_MAX_BLOCKS;
		if (len >= head) {
			memcpy(&m, bytes, head);
			n = ntohs(m.nr_hist);
		}
		break;
	case P4W_LOCK_INFO:
		head = sizeof(l);
		entry = sizeof(l.key[0]);
		most = P4W_LOCK_KEYS_MAX;
		if (len >= head) {
			memcpy(&l, bytes, head);
			n = ntohs(l.nr_keys);
		}
		break;
	case P4W_BUNDLE:
		head = sizeof(struct p4w_msg);
		entry = sizeof(struct p4w_lock);
		most = P4W_BUNDLE_MAX;
		n = len < head + entry ? 1 : (len - head) / entry;
		break;
	case P4W_LOCK:
	case P4W_UNLOCK:
		return *max = sizeof(struct p4w_lock);
	case P4W_RESIZE:
		return *max = sizeof(struct p4w_resize);
	default:
		return *max = sizeof(struct p4w_msg);
	}
	*max = head + most * entry;
	if (len < head || n > most)
		return head;
	return *max = head + n * entry;
}

int p4d_proto_decode(const void *bytes, size_t len, struct p4d_request *req,
		     struct p4d_refusal *why)
{
	struct p4w_lock_info l;
	struct p4w_request m;
	struct p4w_msg head;
	uint32_t min, max;

	read_head(bytes, len, &head, req);
	if (len < 1)
		return refuse(why, P4W_REFUSED_LENGTH, "length", 0, sizeof(head), sizeof(head),
			      "empty");
	if (head.version != P4W_VERSION)
		return refuse(why, P4W_REFUSED_VERSION, "version", head.version, P4W_VERSION,
			      P4W_VERSION, "the allocator speaks another version");
	if (len < sizeof(head))
		return check_length(why, len, ntohs(head.length), sizeof(head), UINT16_MAX);
	if (req->type < P4W_HELLO || req->type >= P4W_REQUESTS_END)
		return refuse(why, P4W_REFUSED_TYPE, "type", req->type, P4W_HELLO, P4W_REQUESTS_END - 1,
			      "not a request");
	min = size_of_type(req->type, bytes, len, &max);
	if (check_length(why, len, ntohs(head.length), min, max) || check_head(req, why))
		return -1;
	if (req->type == P4W_LOCK_INFO) {
		memcpy(&l, bytes, sizeof(l));
		if (p4d_proto_range(why, "nr_keys", ntohs(l.nr_keys), 0, P4W_LOCK_KEYS_MAX))
			return -1;
		return check_lock_info(bytes, req, why);
	}
	if (req->type == P4W_LOCK || req->type == P4W_UNLOCK)
		return check_lock(bytes, req, why);
	if (req->type == P4W_RESIZE)
		return check_resize(bytes, req, why);
	if (req->type == P4W_BUNDLE) {
		req->part = (const uint8_t *)bytes + sizeof(head);
		req->nr_parts = (len - sizeof(head)) / sizeof(struct p4w_lock);
		return 0;
	}
	if (req->type != P4W_REQUEST)
		return 0;
	memcpy(&m, bytes, sizeof(m));
	if (p4d_proto_range(why, "nr_hist", ntohs(m.nr_hist), 0, P4W_MAX_BLOCKS))
		return -1;
	req->hist = m.nr_hist ? (const char *)bytes + sizeof(m) : NULL;
	return check_request(&m, req, why);
}

/* ------------------------------------------------------------------------------ responses */

static struct p4w_msg head_of(const struct p4d_request *req, uint8_t type, size_t len,
			      uint32_t code)
{
	return (struct p4w_msg){
		.version = P4W_VERSION,
		.type = type,
		.length = htons(len),
		.node = htons(req->node),
		.nodes = htons(req->nodes),
		.batch = htonl(req->batch),
		.code = htonl(code),
	};
}

size_t p4d_proto_plain(void *out, const struct p4d_request *req)
{
	struct p4w_msg m = head_of(req, req->type | 0x80, sizeof(m), 0);

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_refused(void *out, const struct p4d_request *req, const struct p4d_refusal *why)
{
	struct p4w_refused m = {
		.msg = head_of(req, P4W_REFUSED, sizeof(m), why->code),
		.got = htonl(why->got),
		.min = htonl(why->min),
		.max = htonl(why->max),
	};

	snprintf(m.field, sizeof(m.field), "%s", why->field);
	snprintf(m.text, sizeof(m.text), "%s", why->text);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_welcome(void *out, const struct p4d_request *req, const struct p4d_welcome *w)
{
	struct p4w_welcome m = {
		.msg = head_of(req, P4W_WELCOME, sizeof(m), 0),
		.registers = htons(w->registers),
		.blocks = htons(w->blocks),
		.block_slots = htons(P4W_BLOCK_SLOTS),
		.dependent = htons(w->dependent),
		.flows = htonl(w->flows),
		.lease_max_us = htonl(w->lease_max_us),
		.grace_us = htonl(w->grace_us),
		.escrow = htonl(w->escrow),
	};

	m.msg.batch = htonl(w->batch);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_reserved(void *out, const struct p4d_request *req, const struct p4d_reserved *r)
{
	struct p4w_reserved m = {
		.msg = head_of(req, P4W_RESERVED, sizeof(m), 0),
		.reservation = htobe64(r->reservation),
		.wait_us = htonl(r->wait_us),
		.ahead = htonl(r->ahead),
		.target = htons(r->target),
		.why = r->why,
		.believed = r->believed,
	};

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_granted(void *out, const struct p4d_request *req, const struct p4d_granted *g)
{
	uint8_t type = req->type == P4W_LOCK_CELLS ? P4W_CELLS : P4W_GRANTED;
	struct p4w_granted m = {
		.msg = head_of(req, type, sizeof(m), 0),
		.epoch = htobe64(g->epoch),
		.flow_first = htonl(g->flow_first),
		.flow_count = htonl(g->flow_count),
		.lease_us = htonl(g->lease_us),
		.nr_blocks = htons(p4d_blocks_count(&g->blocks)),
	};

	p4d_blocks_to_wire(&g->blocks, m.bitmap);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_escrow(void *out, const struct p4d_request *req, uint32_t total, uint32_t first,
			uint32_t count)
{
	size_t len = sizeof(struct p4w_escrow) + count * sizeof(struct p4w_escrow_entry);
	struct p4w_escrow m = {
		.msg = head_of(req, P4W_ESCROW, len, 0),
		.total = htonl(total),
		.first = htonl(first),
		.count = htonl(count),
	};

	memcpy(out, &m, sizeof(m));
	return len;
}

void p4d_proto_escrow_entry(void *out, uint32_t i, uint32_t batch, uint16_t slot, uint8_t reg,
			    uint32_t value)
{
	struct p4w_escrow_entry e = {
		.batch = htonl(batch),
		.slot = htons(slot),
		.reg = reg,
		.value = htonl(value),
	};

	memcpy((char *)out + sizeof(struct p4w_escrow) + i * sizeof(e), &e, sizeof(e));
}

size_t p4d_proto_locks(void *out, const struct p4d_request *req, const struct p4w_lock_bit *key,
		       uint16_t nr_keys)
{
	size_t len = sizeof(struct p4w_locks) + nr_keys * sizeof(*key);
	struct p4w_locks m = {
		.msg = head_of(req, P4W_LOCKS, len, 0),
		.nr_keys = htons(nr_keys),
		.bits = htons(P4W_LOCK_BITS),
	};

	memcpy(out, &m, sizeof(m));
	if (nr_keys)
		memcpy((char *)out + sizeof(m), key, nr_keys * sizeof(*key));
	return len;
}

size_t p4d_proto_locked(void *out, const struct p4d_request *req, uint64_t token,
			uint32_t lease_us, uint32_t waited_us, bool often)
{
	struct p4w_locked m = {
		.msg = head_of(req, P4W_LOCKED, sizeof(m), often ? P4W_LOCKED_OFTEN : 0),
		.token = htobe64(token),
		.lease_us = htonl(lease_us),
		.waited_us = htonl(waited_us),
	};

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_cell(void *out, const struct p4d_request *req, const struct p4d_cell_told *c)
{
	struct p4w_cell m = {
		.msg = head_of(req, P4W_CELL, sizeof(m), 0),
		.slot = htons(c->slot),
		.id = htonl(c->id),
		.base = htobe64(c->base),
		.count = htonl(c->count),
		.lease_us = htonl(c->lease_us),
		.epoch = htobe64(c->epoch),
	};

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_unlocked(void *out, const struct p4d_request *req, bool late)
{
	struct p4w_msg m = head_of(req, P4W_UNLOCKED, sizeof(m), late);

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

size_t p4d_proto_bundled(void *out, const struct p4d_request *req, size_t len)
{
	struct p4w_msg m = head_of(req, P4W_BUNDLED, sizeof(m) + len, 0);

	memcpy(out, &m, sizeof(m));
	return sizeof(m) + len;
}

size_t p4d_proto_resized(void *out, const struct p4d_request *req, const struct p4d_blocks *blocks)
{
	struct p4w_resized m = {
		.msg = head_of(req, P4W_RESIZED, sizeof(m), 0),
		.nr_blocks = htons(p4d_blocks_count(blocks)),
	};

	p4d_blocks_to_wire(blocks, m.bitmap);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}
