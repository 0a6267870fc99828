/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - calls to the lock service: many at a time, beside those of a batch. */
#ifndef P4A_LOCK_H
#define P4A_LOCK_H

#include <stdbool.h>

#include "lockcell.h"
#include "p4alloc.h"

struct p4a_io_event;

#define P4A_LOCK_INDEX_BITS 16
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
	bool in_switch;			/* a transaction is under way, not a message */
	bool no_cell;			/* the allocator is to answer itself */
	uint8_t type;			/* P4W_LOCK, P4W_UNLOCK or P4W_LOCK_CELLS */
	uint8_t turns;			/* from the allocator to a cell */
	uint32_t tried;			/* id of the cell that was not free; 0: none was tried */
	struct p4a_known_cell cell;	/* that it is in, if in_switch */
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
	struct p4a_lock_op *op;		/* depth of them, and one for CELLS; made when first needed */
	struct p4a_cell_grant cells;
	struct p4a_lock_bundle *bundle;	/* P4A_LOCK_BUNDLES; NULL: too few ops for any */
	bool no_bundles;		/* the allocator does not know them */
	uint32_t queue_first, queue_last;
	uint32_t free, over_first, over_last;
	uint32_t busy;			/* ops that are not free */
	uint64_t owner;			/* last one used; they begin at random */
	uint64_t due_us;		/* nothing is due before; 0: nothing */
};

void p4a_locks_flush(struct p4a_ctx *ctx);	/* sends what is queued */
/* lock.c, for the two files below */
const char *p4a_lock_name_of(const struct p4a_lock_op *op);
/* The last one is not for calls: it asks for CELLS. */
uint32_t p4a_lock_nr_ops(const struct p4a_ctx *ctx);
void p4a_lock_finish(struct p4a_ctx *ctx, uint32_t i, int result);

/* lock_send.c */
void p4a_lock_send(struct p4a_ctx *ctx, uint32_t i);	/* where it should go */
void p4a_lock_ask(struct p4a_ctx *ctx, uint32_t i);	/* the allocator */
void p4a_lock_ask_for_cells(struct p4a_ctx *ctx);
void p4a_lock_failed(struct p4a_ctx *ctx, uint32_t i, int err);	/* an attempt */
void p4a_lock_bundle_failed(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, int err);
uint64_t p4a_lock_deadline_us(const struct p4a_ctx *ctx, const struct p4a_lock_op *op);
void p4a_lock_note_due(struct p4a_ctx *ctx, const struct p4a_lock_op *op);

/* lock_answer.c, and the rest of lock.c */
void p4a_locks_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev);
void p4a_locks_tick(struct p4a_ctx *ctx);
uint64_t p4a_locks_next_us(const struct p4a_ctx *ctx);	/* 0: no need */
void p4a_locks_break(struct p4a_ctx *ctx);
unsigned int p4a_locks_take(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max);

#endif
