// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_make.c - see fuzz_make.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include "../../tools/p4allocd/escrow.h"
#include "fuzz_make.h"
#include "rnd.h"

#define LEASE_US 200000
#define OLD 64			/* messages that are sent again */
#define OLD_BYTES 600
#define TOLD 16
#define OWNERS 6

static struct {
	struct { size_t len; uint8_t bytes[OLD_BYTES]; } old[OLD];
	uint64_t token[TOLD];		/* of anybody's holds */
	uint32_t cell[TOLD];		/* ids of cells */
	struct { uint64_t rpc; struct p4w_lock m; } asked[FUZZ_TENANTS + 1];	/* LOCK, by tenant */
	struct p4w_lock hold[FUZZ_TENANTS + 1];	/* the UNLOCK that is due, or zeroes */
	uint64_t owner[OWNERS], last_owner;	/* of locks, by all tenants */
} made;

uint32_t fuzz_rnd(uint32_t n)
{
	return rnd(n);
}

void fuzz_seed(uint64_t seed)
{
	memset(&made, 0, sizeof(made));
	rnd_seed(seed);
}

/* ----------------------------------------------------------------------- messages that fit */

static uint32_t some_batch(const struct p4d_tenant *t)
{
	uint32_t last = t ? t->last : 0;

	switch (rnd(8)) {
	case 0:
		return last;
	case 1:
		return last + 2;
	case 2:
		return rnd(4) ? last + rnd(9) : rnd(UINT32_MAX);
	case 3:
	case 4:
		return t && t->next ? t->next->number : last + 1;
	default:
		return t && t->cur ? t->cur->number : last + 1;
	}
}

static struct p4w_msg head(const struct p4d_tenant *t, uint8_t type, size_t len, uint32_t batch,
			   uint32_t code)
{
	uint16_t usual = t && t->nodes ? t->nodes : t ? 1 + t->id % 2 : 3;
	uint16_t nodes = rnd(50) ? usual : 1 + rnd(rnd(4) ? 3 : P4W_NODES_MAX);

	return (struct p4w_msg){ P4W_VERSION, type, htons(len), htons(rnd(nodes)), htons(nodes),
				 htonl(batch), htonl(code) };
}

static size_t make_request(uint8_t *out, const struct p4d_tenant *t)
{
	uint16_t hist = rnd(4) ? rnd(20) : rnd(P4W_MAX_BLOCKS + 1), min = 1 + rnd(4);
	size_t len = sizeof(struct p4w_request) + hist * sizeof(uint16_t);
	struct p4w_request m = {
		.msg = head(t, P4W_REQUEST, len, some_batch(t), rnd(2)),
		.start_us = htonl(rnd(2) * rnd(20000)),
		.duration_us = htonl(1 + rnd(rnd(2) ? 2000 : LEASE_US)),
		.min_blocks = htons(min), .want_blocks = htons(min + rnd(13)),
		.flows = htonl(1 + rnd(16)), .nr_hist = htons(hist),
		.together = htons(rnd(P4W_TOGETHER_MAX + 1)),
	};

	memcpy(out, &m, sizeof(m));
	for (size_t i = sizeof(m); i < len; i++)
		out[i] = rnd(256);
	return len;
}

static size_t make_lock_info(uint8_t *out, const struct p4d_tenant *t)
{
	uint16_t keys = rnd(100) ? rnd(20) : rnd(P4W_LOCK_KEYS_MAX + 1);
	size_t len = sizeof(struct p4w_lock_info) + keys * sizeof(struct p4w_lock_key);
	struct p4w_lock_info m = {
		.msg = head(t, P4W_LOCK_INFO, len, some_batch(t), 0), .nr_keys = htons(keys),
	};
	uint64_t key = rnd(100);

	memcpy(out, &m, sizeof(m));
	for (unsigned int i = 0; i < keys; i++) {
		struct p4w_lock_key k = { htobe64(key += 1 + rnd(9)), htonl(1 + rnd(UINT32_MAX)) };

		memcpy(out + sizeof(m) + i * sizeof(k), &k, sizeof(k));
	}
	return len;
}

/* Another one for each hold; but now and then one that has given its hold back asks again. */
static void renew_owner(uint64_t *owner)
{
	if (!*owner || rnd(8))
		*owner = ++made.last_owner;
}

static size_t make_unlock(uint8_t *out, const struct p4d_tenant *t)
{
	struct p4w_lock *m = &made.hold[t->id];

	for (unsigned int i = 0; i < OWNERS; i++)
		if (made.owner[i] == be64toh(m->owner))
			renew_owner(&made.owner[i]);
	memcpy(out, m, sizeof(*m));
	memset(m, 0, sizeof(*m));
	return sizeof(*m);
}

static size_t make_lock(uint8_t *out, const struct p4d_tenant *t, uint8_t type)
{
	bool lock = type == P4W_LOCK, by_cell = lock && rnd(3);
	uint64_t token = rnd(2) || !lock ? made.token[rnd(16)] : 0;
	uint64_t *owner = &made.owner[rnd(OWNERS)];
	struct p4w_lock m = {
		.msg = head(t, type, sizeof(m), by_cell && rnd(2) ? made.cell[rnd(16)] : 0,
			    lock ? (1 + rnd(2)) | by_cell * P4W_LOCK_BY_CELL : 0),
		.owner = htobe64(*owner = *owner ? *owner : ++made.last_owner), .token = htobe64(token),
		.lease_us = htonl(lock ? 1 + rnd(rnd(3) ? 3000 : LEASE_US) : 0),
		.wait_us = htonl(lock && !rnd(3) ? rnd(20000) : 0),
		.name = { 1 + rnd(rnd(20) ? 3 : 200) },
	};

	if (!lock)
		renew_owner(owner);
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

static size_t make_bundle(uint8_t *out, const struct p4d_tenant *t)
{
	uint32_t parts = 1 + rnd(rnd(20) ? 4 : P4W_BUNDLE_MAX);
	size_t len = sizeof(struct p4w_msg);
	struct p4w_msg m;

	for (uint32_t i = 0; i < parts; i++) {
		size_t part = make_lock(out + len, t, P4W_LOCK + rnd(2));

		if (!rnd(8))
			out[len + rnd(part)] = rnd(256);
		len += part;
	}
	m = head(t, P4W_BUNDLE, len, 0, 0);
	memcpy(out, &m, sizeof(m));
	return len;
}

static size_t make_resize(uint8_t *out, const struct p4d_tenant *t)
{
	uint16_t number = t && t->cur && t->resize.epoch == t->cur->epoch ? t->resize.number : 0;
	struct p4w_resize m = {
		.msg = head(t, P4W_RESIZE, sizeof(m), some_batch(t), 1 + rnd(2)),
		.blocks = htons(1 + rnd(16)), .number = htons(number + rnd(2)),
	};

	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

static size_t make_plain(uint8_t *out, const struct p4d_tenant *t, uint8_t type)
{
	bool none = type == P4W_HELLO || type == P4W_LOCK_CELLS;
	uint32_t code = type == P4W_SYNC ? 1 + rnd(2) : 0;
	struct p4w_msg m = head(t, type, sizeof(m), none ? 0 : some_batch(t), code);

	if (type == P4W_FETCH && t) {
		uint32_t total = p4d_escrow_total(t, ntohs(m.node), ntohl(m.batch));

		m.code = htonl(rnd(2) ? total : rnd(total + 2));
	}
	memcpy(out, &m, sizeof(m));
	return sizeof(m);
}

static size_t make_kind(uint8_t *out, const struct p4d_tenant *t, bool locks_only)
{
	uint8_t type = 1 + rnd(P4W_REQUESTS_END - 1);

	if (locks_only && (type == P4W_REQUEST || type == P4W_WAIT || rnd(3)))
		type = rnd(12) ? P4W_LOCK : P4W_LOCK_CELLS;
	switch (type) {
	case P4W_HELLO:			/* these end what is under way, or nothing would get on */
	case P4W_LEAVE:
		return make_plain(out, t, rnd(8) ? P4W_SYNC : type);
	case P4W_REQUEST:
		return make_request(out, t);
	case P4W_LOCK_INFO:
		return make_lock_info(out, t);
	case P4W_LOCK:
	case P4W_UNLOCK:
		if (t && made.hold[t->id].token && rnd(4))
			return make_unlock(out, t);
		return make_lock(out, t, type);
	case P4W_BUNDLE:
		return make_bundle(out, t);
	case P4W_RESIZE:
		return make_resize(out, t);
	default:
		return make_plain(out, t, type);
	}
}

/* Of all tenants: another one's numbers are bad ones. */
static size_t make_again(uint8_t *out)
{
	unsigned int i = rnd(OLD);

	memcpy(out, made.old[i].bytes, made.old[i].len);
	return made.old[i].len;
}

size_t fuzz_make(uint8_t *out, const struct p4d_tenant *t, bool locks_only)
{
	unsigned int i = rnd(OLD);
	size_t len;

	if (!rnd(6))
		return make_again(out);
	len = make_kind(out, t, locks_only);
	if (len <= OLD_BYTES)
		memcpy(made.old[i].bytes, out, made.old[i].len = len);
	return len;
}

/* ---------------------------------------------------------------------------------- spoiling */

static void set_field(uint8_t *bytes, size_t len)
{
	static const uint64_t values[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
					   0x80000000, 0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX };
	size_t size = 1u << rnd(4), at = rnd(rnd(2) ? 64 : len);
	uint64_t v = htobe64((values[rnd(15)] + rnd(3) - 1) << (64 - 8 * size));

	at -= at % size;
	if (at + size <= len)
		memcpy(bytes + at, &v, size);
}

static size_t longer(size_t len, size_t room)
{
	size_t more = rnd(rnd(4) ? 100 : room);

	return len + more < room ? len + more : room;
}

size_t fuzz_spoil(uint8_t *bytes, size_t len, size_t room)
{
	const void *other = made.old[rnd(OLD)].bytes;
	size_t n;

	switch (rnd(9)) {
	case 0:
		for (n = 1 + rnd(4); n && len; n--)
			bytes[rnd(len)] ^= 1 << rnd(8);
		return len;
	case 1:
	case 2:
		for (n = 1 + rnd(3); n && len; n--)
			set_field(bytes, len);
		return len;
	case 3:
		return rnd(len + 1);
	case 4:
		return longer(len, room);
	case 5:
	case 6:				/* as long as it says, but not as its type would have it */
		len = rnd(2) ? rnd(len + 1) : longer(len, room);
		if (len >= 4)
			memcpy(bytes + 2, &(uint16_t){ htons(len) }, 2);
		return len;
	case 7:
		n = rnd(len < OLD_BYTES ? len + 1 : OLD_BYTES);
		memcpy(bytes + len - n, other, n);
		return len;
	default:
		for (n = rnd(len + 1); n < len; n++)
			bytes[n] = rnd(256);
		return len;
	}
}

/* ------------------------------------------------------------------------------ what was told */

void fuzz_sends(uint32_t tenant, uint64_t rpc, const void *bytes, size_t len)
{
	const struct p4w_msg *m = bytes;

	if (len != sizeof(struct p4w_lock) || m->type != P4W_LOCK || tenant > FUZZ_TENANTS)
		return;
	made.asked[tenant].rpc = rpc;
	memcpy(&made.asked[tenant].m, bytes, len);
}

static void on_locked(uint64_t rpc, const struct p4w_locked *m)
{
	made.token[rnd(TOLD)] = be64toh(m->token);
	for (unsigned int id = 0; id <= FUZZ_TENANTS; id++) {
		struct p4w_lock *hold = &made.hold[id];

		if (made.asked[id].rpc != rpc)
			continue;
		*hold = made.asked[id].m;
		hold->msg.type = P4W_UNLOCK;
		hold->msg.batch = hold->msg.code = hold->lease_us = hold->wait_us = 0;
		hold->token = m->token;
	}
}

void fuzz_heard(uint64_t rpc, const void *bytes)
{
	const struct p4w_msg *m = bytes;

	if (m->type == P4W_LOCKED)
		on_locked(rpc, bytes);
	if (m->type == P4W_CELL)
		made.cell[rnd(TOLD)] = ntohl(((const struct p4w_cell *)m)->id);
}
