// SPDX-License-Identifier: LGPL-2.1-or-later
/* escrow.c - fetches what the allocator has drained after a lease had ended, a page at a time. */
#include "batch.h"

static int fetch_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	int n;

	if (type != P4W_ESCROW)
		return p4a_batch_wrong_type(ctx, type);
	n = p4a_msg_read_escrow(msg, ctx->escrow_first, &ctx->geo, ctx->escrow, &ctx->escrow_total,
				&ctx->err);
	if (n >= 0)
		ctx->escrow_count = n;
	return n;
}

static const struct p4a_call_kind fetch_kind = {
	.name = "fetch of the escrow", .event = P4A_EV_ESCROW, .answer = fetch_answer,
};

static int fetch(struct p4a_ctx *ctx, uint32_t first)
{
	uint32_t batch = ctx->batch ? ctx->batch : ctx->next_batch;

	ctx->escrow_first = first;
	ctx->escrow_count = 0;
	p4a_batch_send(ctx, P4W_FETCH, batch, first);
	ctx->call.batch = 0;
	return p4a_call_join(ctx);
}

int p4a_escrow_next(struct p4a_ctx *ctx, uint32_t *pos, struct p4a_escrow *entry)
{
	struct p4a_cell cell;
	int rc = p4a_call_begin(ctx, &fetch_kind);

	if (rc)
		return rc;
	ctx->call.kind = NULL;
	if (p4a_is_cold(ctx))
		return 0;
	if (!*pos || *pos < ctx->escrow_first || *pos - ctx->escrow_first >= ctx->escrow_count) {
		if (*pos && *pos >= ctx->escrow_total)
			return 0;
		ctx->call.kind = &fetch_kind;
		rc = fetch(ctx, *pos);
		if (rc <= 0)
			return rc;
	}
	*entry = ctx->escrow[*pos - ctx->escrow_first];
	if (ctx->layout && p4a_layout_at(ctx->layout, entry->reg, entry->slot, &cell)) {
		entry->known = 1;
		entry->key = cell.key;
	}
	++*pos;
	return 1;
}
