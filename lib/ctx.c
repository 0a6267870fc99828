// SPDX-License-Identifier: LGPL-2.1-or-later
/* ctx.c - making and ending a context, and what can be asked about it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "layout.h"
#include "logged.h"

#define DEPTH_DEFAULT		256
#define DEPTH_MAX		4096
#define TIMEOUT_DEFAULT_US	10000000

int p4a_options_check(struct p4a_options *opts, struct p4a_error *err)
{
	static const struct p4a_options zero;

	if (!opts->tenant || opts->tenant > P4W_TENANT_MAX)
		return p4a_fail(err, -EINVAL, "tenant %u: must be 1 .. %u", opts->tenant,
				P4W_TENANT_MAX);
	if (!opts->nodes || opts->nodes > P4W_NODES_MAX)
		return p4a_fail(err, -EINVAL, "nodes %u: must be 1 .. %d", opts->nodes, P4W_NODES_MAX);
	if (opts->node >= opts->nodes)
		return p4a_fail(err, -EINVAL, "node %u: must be 0 .. %u", opts->node, opts->nodes - 1);
	if (opts->depth > DEPTH_MAX)
		return p4a_fail(err, -EINVAL, "depth %u: must be 0 .. %d", opts->depth, DEPTH_MAX);
	if (memcmp(opts->reserved, zero.reserved, sizeof(zero.reserved)))
		return p4a_fail(err, -EINVAL, "reserved: must be 0");
	if (!opts->depth)
		opts->depth = DEPTH_DEFAULT;
	if (!opts->timeout_us)
		opts->timeout_us = TIMEOUT_DEFAULT_US;
	return 0;
}

static void close_io(struct p4a_io *io)
{
	if (io)
		io->ops->close(io);
}

int p4a_ctx_new(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_io *io,
		const struct p4a_geometry *geo, enum p4a_cold cold, const char *cold_text,
		struct p4a_error *err)
{
	struct p4a_ctx *ctx = calloc(1, sizeof(*ctx));
	uint32_t i;

	if (ctx) {
		ctx->slots = calloc(opts->depth, sizeof(*ctx->slots));
		ctx->escrow = calloc(P4W_ESCROW_MAX, sizeof(*ctx->escrow));
	}
	if (!ctx || !ctx->slots || !ctx->escrow) {
		close_io(io);
		p4a_close(ctx);
		return p4a_fail(err, -ENOMEM, "no memory for %u transactions", opts->depth);
	}
	ctx->opts = *opts;
	ctx->self = (struct p4a_self) { .node = opts->node, .nodes = opts->nodes };
	ctx->io = io;
	ctx->geo = *geo;
	p4a_set_cold(ctx, cold, cold_text);
	for (i = 0; i < opts->depth; i++)
		ctx->slots[i].next = i + 1 < opts->depth ? i + 1 : P4A_NO_SLOT;
	ctx->ready_first = P4A_NO_SLOT;
	*out = ctx;
	return 0;
}

void p4a_close(struct p4a_ctx *ctx)
{
	if (!ctx)
		return;
	p4a_hold(ctx, NULL);
	p4a_logged_close(ctx);
	p4a_cells_end(&ctx->call.cells);
	free(ctx->call.long_msg);
	free(ctx->locks.op);
	free(ctx->locks.bundle);
	close_io(ctx->io);
	p4a_log_free(ctx->log);
	free(ctx->slots);
	free(ctx->escrow);
	free(ctx);
}

/* Tells the kernel and keeps what is held; NULL: nothing any more. */
int p4a_hold(struct p4a_ctx *ctx, const struct p4a_grant *grant)
{
	int rc = 0;

	if (ctx->io && (grant || ctx->grant.blocks))
		rc = ctx->io->ops->hold(ctx->io, grant, &ctx->err);
	if (rc)
		return rc;
	if (grant)
		ctx->grant = *grant;
	else
		memset(&ctx->grant, 0, sizeof(ctx->grant));
	ctx->usable = ctx->grant.blocks;
	return 0;
}

void p4a_set_cold(struct p4a_ctx *ctx, enum p4a_cold cold, const char *text)
{
	ctx->cold = cold;
	p4a_fail(&ctx->cold_text, 0, "%s", text);
}

int p4a_is_cold(const struct p4a_ctx *ctx)
{
	return ctx->cold != P4A_HOT;
}

enum p4a_cold p4a_why_cold(const struct p4a_ctx *ctx, const char **text)
{
	if (text)
		*text = ctx->cold_text.text;
	return ctx->cold;
}

const char *p4a_last_error(const struct p4a_ctx *ctx)
{
	return ctx->err.text;
}

int p4a_geometry(const struct p4a_ctx *ctx, struct p4a_geometry *geo)
{
	if (!ctx->geo.registers)
		return -ENODATA;
	*geo = ctx->geo;
	return 0;
}

int p4a_use_layout(struct p4a_ctx *ctx, const struct p4a_layout *layout)
{
	struct p4a_geometry geo = p4a_layout_geometry(layout);

	if (p4a_state_after(ctx->state, P4A_EV_LAYOUT) < 0)
		return p4a_state_refuse(&ctx->err, "layout", ctx->state, P4A_EV_LAYOUT);
	if (ctx->geo.registers && !p4a_same_geometry(&geo, &ctx->geo))
		return p4a_fail(&ctx->err, -EINVAL, "layout: made for %u registers (%u dependent) and "
				"%u blocks, must be %u (%u) and %u", geo.registers, geo.dependent,
				geo.blocks, ctx->geo.registers, ctx->geo.dependent, ctx->geo.blocks);
	ctx->layout = layout;
	return 0;
}

unsigned int p4a_blocks(const struct p4a_ctx *ctx)
{
	return ctx->usable;
}

void p4a_info(const struct p4a_ctx *ctx, struct p4a_info *info)
{
	uint32_t flows = ctx->grant.flow_count;

	*info = (struct p4a_info) {
		.state = ctx->state, .batch = ctx->batch, .epoch = ctx->grant.epoch,
		.blocks = ctx->grant.blocks, .flows = flows < ctx->opts.depth ? flows : ctx->opts.depth,
		.outstanding = ctx->outstanding, .wait_us = ctx->reserved.wait_us,
		.ahead = ctx->reserved.ahead, .why = ctx->reserved.why,
		.target = ctx->reserved.target, .believed = ctx->reserved.believed, .lease_us = ctx->grant.lease_us,
		.lease_max_us = ctx->welcome.lease_max_us, .flows_max = ctx->welcome.flows,
		.grace_us = ctx->welcome.grace_us, .escrow = ctx->welcome.escrow,
	};
	memcpy(info->bitmap, ctx->grant.bitmap, sizeof(info->bitmap));
}
