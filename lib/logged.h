/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* logged.h - what a context writes to its log: ctx->log. */
#ifndef P4A_LOGGED_H
#define P4A_LOGGED_H

#include "ctx.h"
#include "log.h"

#define P4A_LOG_COOKIE	(UINT64_C(1) << 62)	/* of the back end's event that a sync has ended */

/* Those of batches do nothing in a context without log. */
void p4a_logged_grant(struct p4a_ctx *ctx);
/*
 * This node neither sends nor reads any more of that batch (0: none) or of those before, whatever comes: END,
 * when all that is outstanding has its result.
 */
void p4a_logged_end(struct p4a_ctx *ctx, uint32_t batch);
/* The allocator has told which batch is next: the process before this one had no time to say so of others. */
void p4a_logged_hello(struct p4a_ctx *ctx);
/* The context goes: nobody will hear of what is outstanding. */
void p4a_logged_close(struct p4a_ctx *ctx);
/* All nodes have filled: what is older than this batch is not needed any more. */
void p4a_logged_all_begun(struct p4a_ctx *ctx);

/* All others need one. */

/*
 * The slot's transaction, to be sent as soon as its intent is safe: p4a_logged_run() does it. 0, or
 * -errno with text: the log has failed, or an instruction is for a cell where no key lives.
 */
int p4a_logged_intent(struct p4a_ctx *ctx, uint32_t slot);
/* The slot's completion, to be made ready as soon as its record is safe. */
void p4a_logged_result(struct p4a_ctx *ctx, uint32_t slot);
/* A transaction of a fill or a drain has been acknowledged. */
void p4a_logged_cells(struct p4a_ctx *ctx, uint32_t slot, bool drain);
/* All of those are safe, or never will be; also without a log. p4a_logged_run() sees to it. */
bool p4a_logged_has_cells(const struct p4a_ctx *ctx);
/* -errno: what has been read must not be told; also without a log. */
int p4a_logged_mute(const struct p4a_ctx *ctx);

/* Moves what gathers and what waits; before the back end is asked for events, and after. */
void p4a_logged_run(struct p4a_ctx *ctx);
void p4a_logged_synced(struct p4a_ctx *ctx, int err);
/* The back end has failed: nothing that waits will be sent, and what came is ready. */
void p4a_logged_break(struct p4a_ctx *ctx);

#endif
