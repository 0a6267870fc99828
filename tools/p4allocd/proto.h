/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h - allocation messages: bytes to values and back.
 *
 * Pure. Each message is checked once, here, against everything the wire header says about it; what
 * depends on state (geometry, policy, batch) is checked by the engine with the same struct refusal.
 */
#ifndef P4D_PROTO_H
#define P4D_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"

struct p4d_request {
	uint8_t type;			/* enum p4w_msg_type, a request */
	uint16_t node;
	uint16_t nodes;
	uint32_t batch;
	uint32_t code;
	/* REQUEST only */
	uint32_t start_us;
	uint32_t duration_us;
	uint16_t min_blocks;
	uint16_t want_blocks;
	uint32_t flows;
	uint16_t nr_hist;
	uint16_t together;
	const void *hist;	/* in the message; NULL: none, or a request that is held */
	/* LOCK_INFO only: in the message, ascending; NULL in a request that is held */
	const struct p4w_lock_key *keys;
	uint16_t nr_keys;
	uint16_t number;		/* RESIZE only; want_blocks: the blocks */
	/* BUNDLE only: LOCK and UNLOCK messages in it, not checked yet */
	const uint8_t *part;
	uint32_t nr_parts;
	/* LOCK, UNLOCK only; code: the mode */
	uint64_t owner, token;
	uint32_t lease_us, wait_us;
	uint64_t name[P4W_LOCK_NAME_BYTES / 8];
	bool by_cell;			/* the sender can use cells; */
	uint32_t tried;			/* the id of one that it has tried, or 0 */
};

struct p4d_refusal {
	uint32_t code;			/* enum p4w_refusal */
	uint32_t got;
	uint32_t min;
	uint32_t max;
	const char *field;
	const char *text;
};

#define P4D_REFUSALS (P4W_REFUSED_FULL + 1)

/* Name of a refusal code, as the status socket spells it; NULL for 0 and unknown ones. */
const char *p4d_refusal_name(unsigned int code);

/*
 * 0 and *req, or -1 and *why. In both cases req's head (node, nodes, batch) is what the message
 * says, as far as it goes, so that a refusal can name it.
 */
int p4d_proto_decode(const void *bytes, size_t len, struct p4d_request *req,
		     struct p4d_refusal *why);

/* min <= got <= max, or -1 and *why. */
int p4d_proto_range(struct p4d_refusal *why, const char *field, uint32_t got, uint32_t min,
		    uint32_t max);

/* Each writes one response to `out` (P4D_REPLY_MAX bytes) and returns its length. LOCKS is the longest. */
#define P4D_REPLY_MAX (sizeof(struct p4w_locks) + P4W_LOCK_KEYS_MAX * sizeof(struct p4w_lock_bit))

size_t p4d_proto_plain(void *out, const struct p4d_request *req);	/* SYNCED, FREED, LEFT */
size_t p4d_proto_refused(void *out, const struct p4d_request *req, const struct p4d_refusal *why);

struct p4d_welcome {
	uint32_t batch, registers, dependent, blocks, flows, lease_max_us, grace_us, escrow;
};
size_t p4d_proto_welcome(void *out, const struct p4d_request *req, const struct p4d_welcome *w);

struct p4d_reserved {
	uint64_t reservation;
	uint32_t wait_us;
	uint32_t ahead;
	uint16_t target;
	uint8_t why;
	uint8_t believed;
};

size_t p4d_proto_reserved(void *out, const struct p4d_request *req, const struct p4d_reserved *r);

struct p4d_granted {
	uint64_t epoch;
	uint32_t flow_first, flow_count, lease_us;
	struct p4d_blocks blocks;
};
size_t p4d_proto_granted(void *out, const struct p4d_request *req, const struct p4d_granted *g);

/* Head of an ESCROW response; entries follow with p4d_proto_escrow_entry(), in order. */
size_t p4d_proto_escrow(void *out, const struct p4d_request *req, uint32_t total, uint32_t first,
			uint32_t count);
void p4d_proto_escrow_entry(void *out, uint32_t i, uint32_t batch, uint16_t slot, uint8_t reg,
			    uint32_t value);

size_t p4d_proto_locks(void *out, const struct p4d_request *req, const struct p4w_lock_bit *key,
		       uint16_t nr_keys);

size_t p4d_proto_locked(void *out, const struct p4d_request *req, uint64_t token,
			uint32_t lease_us, uint32_t waited_us, bool often);

struct p4d_cell_told {
	uint16_t slot;
	uint32_t id, count, lease_us;
	uint64_t base, epoch;
};
size_t p4d_proto_cell(void *out, const struct p4d_request *req, const struct p4d_cell_told *c);
size_t p4d_proto_unlocked(void *out, const struct p4d_request *req, bool late);
size_t p4d_proto_resized(void *out, const struct p4d_request *req, const struct p4d_blocks *blocks);
/* The head; `len` bytes of answers follow. Returns the length of all. */
size_t p4d_proto_bundled(void *out, const struct p4d_request *req, size_t len);

#endif /* P4D_PROTO_H */
