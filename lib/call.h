/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call.h - one call at a time to the allocator, or over many cells. */
#ifndef P4A_CALL_H
#define P4A_CALL_H

#include "ctx.h"

#define P4A_CALL_COOKIE	(UINT64_C(1) << 63)	/* | generation */

struct p4a_call_kind {
	const char *name;
	enum p4a_event event;
	bool patient;		/* answered whenever it is time; others within the time-out */
	bool cells;		/* a job over cells, not a message */
	/* What the answer (checked by p4a_msg_check()) means: result, or -errno. */
	int (*answer)(struct p4a_ctx *ctx, int type, const void *msg);
	/* What a failure means; returns the result. NULL: the failure is the result. */
	int (*failed)(struct p4a_ctx *ctx, int err);
};

/* -EBUSY, -EPROTO with text, or 0: the call is the current one and may be sent or finished. */
int p4a_call_begin(struct p4a_ctx *ctx, const struct p4a_call_kind *kind);
/* Sends ctx->call.msg, or long_msg; from here on the call finishes by itself. */
void p4a_call_send(struct p4a_ctx *ctx);
void p4a_call_finish(struct p4a_ctx *ctx, int result);
void p4a_call_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev);
/* Sends again, or gives up, if it is time. */
void p4a_call_tick(struct p4a_ctx *ctx);
/* When p4a_call_tick() wants to be called next; 0: no need. */
uint64_t p4a_call_next_us(const struct p4a_ctx *ctx);

/* How a public function ends, if begin returned 0: waits, or leaves the rest to p4a_poll(). */
int p4a_call_join(struct p4a_ctx *ctx);
int p4a_call_detach(struct p4a_ctx *ctx, void *user);

/*
 * Whether an attempt that failed now should be followed by another. An attempt that lasted longer
 * than the time-out was kept alive by the other side, so absence counts from its end.
 */
struct p4a_patience {
	uint64_t away_us;		/* absent since */
	bool give_up;
};
struct p4a_patience p4a_call_patience(uint64_t now_us, uint64_t sent_us, uint64_t away_us,
				      uint32_t timeout_us);
/* Whether -errno of an RPC means that the other side may come back. */
bool p4a_call_is_away(int err);

#endif
