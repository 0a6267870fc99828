// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * resize.c - a batch goes on with more blocks, or with fewer, in two steps that all nodes take.
 *
 * ctx->grant is what the kernel translates with, ctx->usable how many of its blocks transactions may use:
 * the fewer of before and after, until all nodes have filled the new ones, or nobody needs the old ones.
 */
#include <errno.h>

#include "batch.h"
#include "resize.h"

/* A transaction on its way that touches a block which is to go. */
static bool uses_beyond(const struct p4a_ctx *ctx)
{
	uint32_t i;
	unsigned int k;

	for (i = 0; ctx->outstanding && i < ctx->opts.depth; i++) {
		const struct p4a_slot *s = &ctx->slots[i];

		if (s->use == P4A_SLOT_FREE || s->use == P4A_SLOT_READY)
			continue;
		for (k = 0; k < s->txn.count; k++)
			if (s->txn.instr[k].slot >= ctx->usable * P4A_BLOCK_SLOTS)
				return true;
	}
	return false;
}

static void send_step(struct p4a_ctx *ctx, enum p4w_resize_step step)
{
	ctx->call.batch = ctx->batch;
	ctx->call.len = p4a_msg_resize(ctx->call.msg, &ctx->self, ctx->batch, step,
				       ctx->resize.want, ctx->resize.number);
	p4a_call_send(ctx);
}

void p4a_resize_run(struct p4a_ctx *ctx)
{
	if (uses_beyond(ctx))
		return;
	ctx->call.waits = false;
	send_step(ctx, P4W_RESIZE_ASK);
}

/* ---- ask ---- */

static int grow(struct p4a_ctx *ctx, const struct p4a_grant *g)
{
	unsigned int before = ctx->usable;
	int rc = p4a_hold(ctx, g);

	if (!rc)
		ctx->usable = before;
	return rc;
}

static int ask_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	struct p4a_grant g = ctx->grant;
	int n, rc = 0;

	if (type != P4W_RESIZED)
		return p4a_batch_wrong_type(ctx, type);
	n = p4a_msg_read_resized(msg, &ctx->geo, &g, &ctx->err);
	if (n < 0)
		return n;
	ctx->resize.done = ctx->resize.number;
	ctx->resize.after = g;
	if (g.blocks == ctx->grant.blocks) {
		ctx->usable = g.blocks;
		return n;
	}
	if (g.blocks > ctx->grant.blocks)
		rc = grow(ctx, &g);
	if (rc)
		return rc;
	p4a_batch_move(ctx, P4A_EV_RESIZE);
	return n;
}

/* Without an answer the others may be on their way; refused, nobody is. */
static int ask_failed(struct p4a_ctx *ctx, int err)
{
	if (err != -ETIMEDOUT && err != -ESTALE)
		ctx->usable = ctx->grant.blocks;
	return p4a_batch_expire(ctx, err);
}

static const struct p4a_call_kind ask_kind = {
	.name = "resize", .event = P4A_EV_RESIZE, .patient = true,
	.answer = ask_answer, .failed = ask_failed,
};

static int resize(struct p4a_ctx *ctx, unsigned int blocks)
{
	int rc = p4a_call_begin(ctx, &ask_kind);

	if (rc)
		return rc;
	if (!blocks || blocks > p4a_batch_blocks_max(ctx))
		return p4a_batch_cancel(ctx, p4a_batch_range(ctx, "blocks", blocks, 1,
							     p4a_batch_blocks_max(ctx)));
	if (ctx->said_ran)
		return p4a_batch_cancel(ctx, p4a_fail(&ctx->err, -EPROTO,
						      "resize: not after sync (ran)"));
	if (p4a_is_cold(ctx) || !ctx->grant.blocks) {
		p4a_call_finish(ctx, 0);
		return 0;
	}
	ctx->resize.want = blocks;
	ctx->resize.number = ctx->resize.done + 1;
	if (blocks < ctx->usable)
		ctx->usable = blocks;
	ctx->call.waits = true;
	p4a_resize_run(ctx);
	return 0;
}

int p4a_resize(struct p4a_ctx *ctx, unsigned int blocks)
{
	return p4a_batch_join(ctx, resize(ctx, blocks));
}

int p4a_resize_async(struct p4a_ctx *ctx, unsigned int blocks, void *user)
{
	return p4a_batch_detach(ctx, resize(ctx, blocks), user);
}

/* ---- ready ---- */

static int ready_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	int rc = 0;

	if (type != P4W_RESIZED)
		return p4a_batch_wrong_type(ctx, type);
	if (ctx->resize.after.blocks < ctx->grant.blocks)
		rc = p4a_hold(ctx, &ctx->resize.after);
	if (rc)
		return rc;
	ctx->usable = ctx->grant.blocks;
	p4a_batch_move(ctx, P4A_EV_RESIZED);
	return 0;
}

static const struct p4a_call_kind ready_kind = {
	.name = "sync (resized)", .event = P4A_EV_RESIZED, .patient = true,
	.answer = ready_answer, .failed = p4a_batch_expire,
};

int p4a_resize_ready(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &ready_kind);

	if (rc)
		return rc;
	send_step(ctx, P4W_RESIZE_READY);
	return 0;
}
