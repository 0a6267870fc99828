/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ctx.h - a context: what batch.c, call.c, cells.c, txn.c and pump.c share. One thread at a time.
 *
 * Transactions live in `slots`, from submission until their completion has been taken; a slot's
 * generation is part of its cookie, so that a late event never meets another transaction. There is
 * one call at a time: a message to the allocator with its retries, or a job over many cells. Calls to
 * the lock service are beside it, many at a time.
 */
#ifndef P4A_CTX_H
#define P4A_CTX_H

#include "error.h"
#include "io.h"
#include "lock.h"
#include "state.h"

#define P4A_NO_SLOT	UINT32_MAX

enum p4a_slot_use {
	P4A_SLOT_FREE,
	P4A_SLOT_USER,			/* in flight, of p4a_txn_submit() */
	P4A_SLOT_READY,			/* its completion waits to be taken */
	P4A_SLOT_CELLS,			/* in flight, of p4a_fill() or p4a_drain() */
	P4A_SLOT_INTENT,		/* not sent: its intent is on its way to the log */
	P4A_SLOT_RESULT,		/* not ready: its result is on its way to the log */
};

struct p4a_slot {
	struct homa_txn txn;
	struct p4a_completion done;
	uint32_t generation;
	uint32_t next;			/* in the free list, the ready queue or that of the log */
	enum p4a_slot_use use;
	uint64_t logged;		/* seq of its last record in the log */
};

struct p4a_cells {			/* cells.c */
	struct p4a_kv *kv;
	uint32_t *at;			/* [slot * registers + reg]: index into kv + 1; 0: not asked */
	uint32_t first, end;		/* blocks that it is about */
	uint32_t last, cursor;		/* of at */
	uint32_t in_flight;
	uint32_t finished;		/* cells acknowledged */
	uint64_t progress_us;		/* when the last one was */
	int err;			/* first error: nothing new is sent */
	bool drain;
};

struct p4a_call_kind;			/* batch.c */
struct p4a_log;				/* log.c */

struct p4a_call {			/* call.c */
	const struct p4a_call_kind *kind;	/* NULL: none */
	bool finished;
	bool async;			/* its completion goes to p4a_poll() */
	bool in_flight;
	bool waits;			/* to be sent by p4a_resize_run() */
	void *user;
	int result;
	uint32_t generation;
	uint32_t batch;			/* that the answer must name; 0: any */
	uint32_t len;
	uint32_t backoff_us;
	uint64_t sent_us;		/* when this attempt began */
	uint64_t away_us;		/* since when the allocator has not been heard of; 0: it has */
	uint64_t retry_us;		/* when to send again; 0: not waiting for that */
	uint8_t msg[P4A_MSG_MAX];
	void *long_msg;			/* sent instead of msg, if there is one */
	struct p4a_layout **layout;	/* of p4a_lock_info(): where the new one goes */
	struct p4a_cells cells;
};

struct p4a_ctx {
	struct p4a_options opts;
	struct p4a_self self;
	struct p4a_io *io;		/* NULL: cold for good */
	struct p4a_error err;
	enum p4a_cold cold;
	struct p4a_error cold_text;
	int broken;			/* -errno of the back end, 0: works */

	struct p4a_geometry geo;	/* 0, 0: not known */
	const struct p4a_layout *layout;
	unsigned int state;		/* enum p4a_state */
	bool said_ran;			/* P4A_RAN has been sent: no transaction may follow */
	uint32_t batch, next_batch;
	struct p4a_grant grant;		/* blocks 0: nothing held */
	unsigned int usable;		/* of its blocks, for transactions; fewer while it is resized */
	struct {
		uint16_t number, done;	/* of this batch: under way, last one that all have begun */
		unsigned int want;
		struct p4a_grant after;
	} resize;
	struct p4a_welcome welcome;
	struct p4a_reserved reserved;

	struct p4a_slot *slots;		/* opts.depth of them */
	uint32_t free_slot, ready_first, ready_last;
	uint32_t outstanding;		/* slots not free */
	struct p4a_call call;
	struct p4a_locks locks;		/* lock.c */

	struct p4a_log *log;		/* NULL: none is kept */

	struct p4a_escrow *escrow;	/* P4W_ESCROW_MAX entries, made when first needed */
	uint32_t escrow_first, escrow_count, escrow_total;
};

/* ctx.c. Takes the back end over, also on failure. io NULL: cold. */
int p4a_ctx_new(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_io *io,
		const struct p4a_geometry *geo, enum p4a_cold cold, const char *cold_text,
		struct p4a_error *err);
int p4a_options_check(struct p4a_options *opts, struct p4a_error *err);
void p4a_set_cold(struct p4a_ctx *ctx, enum p4a_cold cold, const char *text);
int p4a_hold(struct p4a_ctx *ctx, const struct p4a_grant *grant);

/* pump.c */
int p4a_pump(struct p4a_ctx *ctx, int64_t timeout_us);
bool p4a_works(const struct p4a_ctx *ctx);	/* has a back end that may be used now */

/* txn.c */
uint32_t p4a_slot_take(struct p4a_ctx *ctx, enum p4a_slot_use use);
void p4a_slot_put(struct p4a_ctx *ctx, uint32_t i);
int p4a_slot_send(struct p4a_ctx *ctx, uint32_t i);
void p4a_txn_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev);
void p4a_txn_ready(struct p4a_ctx *ctx, uint32_t i);
void p4a_txn_break(struct p4a_ctx *ctx);
unsigned int p4a_take_ready(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max);

/* cells.c */
void p4a_cells_event(struct p4a_ctx *ctx, uint32_t slot, const struct p4a_io_event *ev);
void p4a_cells_run(struct p4a_ctx *ctx);
void p4a_cells_end(struct p4a_cells *job);

#endif
