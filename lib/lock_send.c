// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lock_send.c - calls to the lock service on their way: which of them go to the switch, which to the
 * allocator, alone or several in one message; and again, if that came to nothing.
 */
#include <errno.h>
#include <string.h>

#include "call.h"
#include "lock.h"

#define BACKOFF_MAX_US	1000000

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

/* Patience beyond what the allocator was told to wait. */
uint64_t p4a_lock_deadline_us(const struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	uint64_t since = op->away_us ? op->away_us : op->sent_us;
	uint64_t waited = op->began_us + op->wait_us;

	if (op->in_switch)
		return op->sent_us + ctx->opts.timeout_us;
	return (waited > since ? waited : since) + ctx->opts.timeout_us;
}

void p4a_lock_note_due(struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	uint64_t due = op->retry_us ? op->retry_us : p4a_lock_deadline_us(ctx, op);

	if (!ctx->locks.due_us || due < ctx->locks.due_us)
		ctx->locks.due_us = due;
}

void p4a_lock_failed(struct p4a_ctx *ctx, uint32_t i, int err)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	struct p4a_patience p = p4a_call_patience(now_us(ctx), op->sent_us, op->away_us,
						  ctx->opts.timeout_us);

	if (!p4a_call_is_away(err)) {
		p4a_lock_finish(ctx, i, p4a_fail(&ctx->err, err, "%s: %s", p4a_lock_name_of(op),
						 strerror(-err)));
		return;
	}
	op->generation++;
	op->away_us = p.away_us;
	if (p.give_up) {
		p4a_lock_finish(ctx, i, p4a_fail(&ctx->err, -ETIMEDOUT, "%s: no answer from the allocator (%s)",
					p4a_lock_name_of(op), strerror(-err)));
		return;
	}
	op->retry_us = now_us(ctx) + op->backoff_us;
	op->backoff_us = op->backoff_us < BACKOFF_MAX_US / 2 ? 2 * op->backoff_us : BACKOFF_MAX_US;
	p4a_lock_note_due(ctx, op);
}

static uint64_t cookie_of(const struct p4a_ctx *ctx, uint32_t i)
{
	return P4A_LOCK_COOKIE | (uint64_t)ctx->locks.op[i].generation << P4A_LOCK_INDEX_BITS | i;
}

static uint32_t make_msg(const struct p4a_ctx *ctx, const struct p4a_lock_op *op, void *msg)
{
	uint64_t waited = op->sent_us - op->began_us;
	bool by_cell = ctx->locks.cells.epoch && !op->no_cell;

	if (op->type == P4W_LOCK_CELLS)
		return p4a_msg_plain(msg, &ctx->self, P4W_LOCK_CELLS, 0, 0);
	return p4a_msg_lock(msg, &ctx->self, op->type, &op->hold,
			    waited < op->wait_us ? op->wait_us - waited : 0, by_cell, op->tried);
}

void p4a_lock_ask(struct p4a_ctx *ctx, uint32_t i)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	uint8_t msg[P4A_MSG_MAX];
	uint32_t len;
	int rc;

	op->use = P4A_LOCK_UNDER_WAY;
	op->in_switch = false;
	op->retry_us = 0;
	op->sent_us = now_us(ctx);
	len = make_msg(ctx, op, msg);
	p4a_lock_note_due(ctx, op);
	rc = ctx->io->ops->send_msg(ctx->io, cookie_of(ctx, i), msg, len);
	if (rc)
		p4a_lock_failed(ctx, i, rc);
}

/* The cell that the switch can be asked about; NULL: the allocator must be. */
static const struct p4a_known_cell *cell_for(struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	struct p4a_cell_grant *g = &ctx->locks.cells;
	const struct p4a_known_cell *c;

	if (op->no_cell || op->extends || op->tried || op->hold.mode != P4A_LOCK_EXCLUSIVE)
		return NULL;
	if (op->type == P4W_UNLOCK)
		return p4a_cell_of_hold(g, &op->hold);
	c = op->type == P4W_LOCK ? p4a_cell_find(g, op->hold.name) : NULL;
	return c && op->hold.lease_us <= c->lease_us ? c : NULL;
}

static bool send_to_switch(struct p4a_ctx *ctx, uint32_t i)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	const struct p4a_known_cell *c = cell_for(ctx, op);
	struct homa_txn txn;

	if (!c)
		return false;
	op->cell = *c;
	op->tried = c->id;
	op->use = P4A_LOCK_UNDER_WAY;
	op->retry_us = 0;
	op->sent_us = now_us(ctx);
	if (op->type == P4W_LOCK)
		p4a_cell_take(&txn, c, &op->hold);
	else
		p4a_cell_give_back(&txn, c, &op->hold);
	p4a_lock_note_due(ctx, op);
	op->in_switch = !ctx->io->ops->send_txn(ctx->io, cookie_of(ctx, i), &txn);
	return op->in_switch;
}

void p4a_lock_send(struct p4a_ctx *ctx, uint32_t i)
{
	if (!send_to_switch(ctx, i))
		p4a_lock_ask(ctx, i);
}

/* Asks for CELLS beside all calls, and is not told of to anybody. */
void p4a_lock_ask_for_cells(struct p4a_ctx *ctx)
{
	uint32_t i = ctx->opts.depth, generation;
	struct p4a_locks *l = &ctx->locks;

	if (!ctx->io->ops->hold_cells || l->op[i].use != P4A_LOCK_FREE ||
	    now_us(ctx) < l->cells.ask_us)
		return;
	generation = l->op[i].generation + 1;
	l->op[i] = (struct p4a_lock_op) {
		.use = P4A_LOCK_UNDER_WAY, .type = P4W_LOCK_CELLS, .generation = generation,
		.backoff_us = BACKOFF_MAX_US, .began_us = now_us(ctx),
	};
	l->busy++;
	p4a_lock_send(ctx, i);
}

static struct p4a_lock_bundle *free_bundle(const struct p4a_locks *l)
{
	unsigned int i;

	for (i = 0; l->bundle && !l->no_bundles && i < P4A_LOCK_BUNDLES; i++)
		if (!l->bundle[i].n)
			return &l->bundle[i];
	return NULL;
}

static uint32_t take_queued(struct p4a_locks *l)
{
	uint32_t i = l->queue_first;

	if (i != P4A_NO_SLOT)
		l->queue_first = l->op[i].next;
	return i;
}

static void put_part(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, uint32_t i, uint8_t *msg)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];

	op->use = P4A_LOCK_UNDER_WAY;
	op->sent_us = now_us(ctx);
	p4a_msg_lock(msg + sizeof(struct p4w_msg) + b->n * sizeof(struct p4w_lock), &ctx->self,
		     op->type, &op->hold, 0, ctx->locks.cells.epoch, 0);
	b->part[b->n].op = i;
	b->part[b->n++].generation = op->generation;
	p4a_lock_note_due(ctx, op);
}

/* Each op alone, unless it has ended meanwhile. */
void p4a_lock_bundle_failed(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, int err)
{
	uint32_t k;

	for (k = 0; k < b->n; k++) {
		uint32_t i = b->part[k].op;

		if (ctx->locks.op[i].generation != b->part[k].generation)
			continue;
		if (err == -EOPNOTSUPP)
			p4a_lock_ask(ctx, i);
		else
			p4a_lock_failed(ctx, i, err);
	}
	b->n = 0;
}

static void send_bundle(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, uint32_t i)
{
	uint8_t msg[P4A_MSG_BUNDLE_MAX];
	uint64_t cookie;
	int rc;

	for (; i != P4A_NO_SLOT && b->n < P4W_BUNDLE_MAX; i = take_queued(&ctx->locks))
		if (!send_to_switch(ctx, i))
			put_part(ctx, b, i, msg);
	if (!b->n)
		return;
	cookie = P4A_LOCK_COOKIE | P4A_LOCK_BUNDLE | (uint64_t)++b->generation << P4A_LOCK_INDEX_BITS |
		 (b - ctx->locks.bundle);
	rc = ctx->io->ops->send_msg(ctx->io, cookie, msg, p4a_msg_bundle(msg, &ctx->self, b->n));
	if (rc)
		p4a_lock_bundle_failed(ctx, b, rc);
	if (i != P4A_NO_SLOT)
		p4a_lock_send(ctx, i);
}

void p4a_locks_flush(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint32_t i;

	while (l->op && (i = take_queued(l)) != P4A_NO_SLOT) {
		struct p4a_lock_bundle *b = l->queue_first == P4A_NO_SLOT ? NULL : free_bundle(l);

		if (b)
			send_bundle(ctx, b, i);
		else
			p4a_lock_send(ctx, i);
	}
}
