/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* msg.h - allocation messages between bytes and structures. Pure functions. */
#ifndef P4A_MSG_H
#define P4A_MSG_H

#include <stdbool.h>

#include "p4wire.h"

#include "p4alloc.h"

#include "layout.h"

#define P4A_MSG_MAX	(sizeof(struct p4w_request) + P4A_MAX_BLOCKS * sizeof(__be16))

struct p4a_self {
	uint16_t node, nodes;
};

struct p4a_welcome {
	uint32_t batch;
	struct p4a_geometry geo;
	uint32_t flows, lease_max_us, grace_us, escrow;
};

struct p4a_reserved {
	uint32_t wait_us, ahead, target, why, believed;
};

struct p4a_grant {
	uint64_t epoch;
	uint32_t flow_first, flow_count, lease_us;
	uint32_t blocks;
	uint8_t bitmap[P4W_BITMAP_BYTES];
};

struct p4a_known_cell {			/* of a lock, in the block of CELLS with this epoch */
	uint8_t name[P4W_LOCK_NAME_BYTES];
	uint64_t epoch, base;
	uint32_t id, count, lease_us;
	uint16_t slot;
};

/* Each puts a request into buf (P4A_MSG_MAX bytes) and returns its length. */
uint32_t p4a_msg_plain(void *buf, const struct p4a_self *self, enum p4w_msg_type type,
		       uint32_t batch, uint32_t code);
uint32_t p4a_msg_request(void *buf, const struct p4a_self *self, uint32_t batch, uint32_t flags,
			 const struct p4a_demand *demand, const uint16_t *hist, unsigned int nr_hist);

/* Likewise, into P4A_MSG_LOCK_INFO_MAX bytes: n keys, ascending, each once. */
#define P4A_MSG_LOCK_INFO_MAX \
	(sizeof(struct p4w_lock_info) + P4W_LOCK_KEYS_MAX * sizeof(struct p4w_lock_key))
uint32_t p4a_msg_lock_info(void *buf, const struct p4a_self *self, uint32_t batch,
			   const struct p4a_key_count *kc, unsigned int n);

/*
 * LOCK, or UNLOCK, which says nothing of lease and wait. by_cell: the sender has CELLS; tried: the id
 * of the cell in which it did not find the lock free.
 */
uint32_t p4a_msg_lock(void *buf, const struct p4a_self *self, enum p4w_msg_type type,
		      const struct p4a_lock *lock, uint32_t wait_us, bool by_cell, uint32_t tried);

uint32_t p4a_msg_resize(void *buf, const struct p4a_self *self, uint32_t batch,
			enum p4w_resize_step step, unsigned int blocks, uint16_t number);

/* The head of a BUNDLE, which n of p4a_msg_lock() follow in buf; returns the length of all. */
#define P4A_MSG_BUNDLE_MAX \
	(sizeof(struct p4w_msg) + P4W_BUNDLE_MAX * sizeof(struct p4w_lock))
uint32_t p4a_msg_bundle(void *buf, const struct p4a_self *self, unsigned int n);

/* Length of the answer that begins here, of BUNDLED: as it says, but within len. */
uint32_t p4a_msg_part(const void *buf, uint32_t len);

/*
 * Checks what came back: version, type, length, and that it is about `batch` (0: any). Returns the
 * type (enum p4w_msg_type, never P4W_REFUSED), or -errno with *err if it is not well-formed or a
 * refusal. After this the readers below may be used for that type.
 */
int p4a_msg_check(const void *buf, uint32_t len, uint32_t batch, struct p4a_error *err);

int p4a_msg_read_welcome(const void *buf, struct p4a_welcome *w, struct p4a_error *err);
void p4a_msg_read_reserved(const void *buf, struct p4a_reserved *r);
int p4a_msg_read_granted(const void *buf, const struct p4a_geometry *geo, struct p4a_grant *g,
			 struct p4a_error *err);

/* Copies the entries (host order, `known` and `key` left 0); returns how many, *total of how many. */
int p4a_msg_read_escrow(const void *buf, uint32_t first, const struct p4a_geometry *geo,
			struct p4a_escrow *entry, uint32_t *total, struct p4a_error *err);

/* Copies the keys and bits into `bit` (P4W_LOCK_KEYS_MAX entries); returns how many. */
int p4a_msg_read_locks(const void *buf, struct p4a_lock_bit *bit, struct p4a_error *err);

/* All blocks there will be into the bitmap of *g; how many, or -errno. */
int p4a_msg_read_resized(const void *buf, const struct p4a_geometry *geo, struct p4a_grant *g,
			 struct p4a_error *err);

/* Token and lease into *lock; the lease began that long after the request had come in. */
int p4a_msg_read_locked(const void *buf, struct p4a_lock *lock, uint32_t *waited_us,
			struct p4a_error *err);
/* Of LOCKED: LOCK_CELLS would make it faster. */
bool p4a_msg_is_often(const void *buf);
int p4a_msg_read_cell(const void *buf, struct p4a_known_cell *c, struct p4a_error *err);
/* Of UNLOCKED: the lease had ended before. */
bool p4a_msg_is_late(const void *buf);

#endif
