/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - calls to the lock service: many at a time, beside those of a batch. */
#ifndef P4A_LOCK_H
#define P4A_LOCK_H

#include <stdbool.h>

#include "p4alloc.h"

struct p4a_io_event;

#define P4A_LOCK_COOKIE	(UINT64_C(1) << 61)	/* | generation << 16 | index */
#define P4A_LOCK_BUNDLE	(UINT64_C(1) << 60)	/* | P4A_LOCK_COOKIE: the index is of a bundle */
#define P4A_LOCK_BUNDLES	16		/* on their way at a time; what is beyond goes alone */

enum p4a_lock_use {
	P4A_LOCK_FREE,
	P4A_LOCK_QUEUED,		/* p4a_locks_flush() sends it */
	P4A_LOCK_UNDER_WAY,
	P4A_LOCK_OVER,			/* its result waits to be taken */
};

struct p4a_lock_op {
	enum p4a_lock_use use;
	bool async;
	bool extends;
	uint8_t type;			/* P4W_LOCK or P4W_UNLOCK */
	uint32_t generation;
	uint32_t next;			/* in the free list, or of those over */
	int result;
	void *user;
	struct p4a_lock hold;
	struct p4a_lock *out;		/* NULL: unlock */
	uint32_t wait_us, backoff_us;
	uint64_t began_us, sent_us;
	uint64_t away_us;		/* since when the allocator has not been heard of; 0: it has */
	uint64_t retry_us;		/* when to send again; 0: an answer is waited for */
};

struct p4a_lock_bundle {		/* ops that share a message */
	uint32_t n;			/* 0: free */
	uint32_t generation;
	struct { uint32_t op, generation; } part[64];
};

struct p4a_locks {			/* of a context */
	struct p4a_lock_op *op;		/* depth of them, made when first needed */
	struct p4a_lock_bundle *bundle;	/* P4A_LOCK_BUNDLES; NULL: too few ops for any */
	bool no_bundles;		/* the allocator does not know them */
	uint32_t queue_first, queue_last;
	uint32_t free, over_first, over_last;
	uint32_t busy;			/* ops that are not free */
	uint64_t owner;			/* last one used; they begin at random */
	uint64_t due_us;		/* nothing is due before; 0: nothing */
};

void p4a_locks_flush(struct p4a_ctx *ctx);	/* sends what is queued */
void p4a_locks_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev);
void p4a_locks_tick(struct p4a_ctx *ctx);
uint64_t p4a_locks_next_us(const struct p4a_ctx *ctx);	/* 0: no need */
void p4a_locks_break(struct p4a_ctx *ctx);
unsigned int p4a_locks_take(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max);

#endif
