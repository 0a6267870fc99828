// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lock_answer.c - what allocator and switch say to calls to the lock service, and what it means that
 * they say nothing.
 */
#include <errno.h>
#include <string.h>

#include "call.h"
#include "lock.h"

#define CELLS_SOON_US	2000	/* after the allocator has said that it is telling the switch */
#define CELLS_LATER_US	1000000
#define TURNS_MAX	2

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

/*
 * How long the lease lasts, at least, however late its answer is seen. The allocator, or who asked it after
 * us, has counted from when this attempt came, which was not before it was sent.
 */
static uint64_t lease_until(uint64_t now, uint64_t sent_us, uint32_t waited_us, uint32_t lease_us)
{
	uint64_t until = sent_us + waited_us + lease_us;

	return until < now + lease_us ? until : now + lease_us;
}

static int read_locked(struct p4a_ctx *ctx, struct p4a_lock_op *op, const void *msg)
{
	uint32_t waited_us;
	int rc = p4a_msg_read_locked(msg, &op->hold, &waited_us, &ctx->err);

	if (!rc)
		op->hold.until_us = lease_until(now_us(ctx), op->sent_us, waited_us,
						op->hold.lease_us);
	return rc;
}

static bool is_cell(const struct p4a_lock_op *op, const void *data, uint32_t len)
{
	struct p4a_error ignored;

	return op->type == P4W_LOCK && p4a_msg_check(data, len, 0, &ignored) == P4W_CELL;
}

/* Refused, or not understood: the next one that would have one may ask again, but not at once. */
static void read_cells(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	struct p4a_cell_grant *cells = &ctx->locks.cells;
	struct p4a_error ignored;
	struct p4a_grant g;
	int rc = ev->err;

	if (!rc)
		rc = p4a_msg_check(ev->data, ev->len, 0, &ignored);
	cells->ask_us = now_us(ctx) + (rc == -EPROTO ? CELLS_SOON_US : CELLS_LATER_US);
	if (rc != P4W_CELLS || p4a_msg_read_granted(ev->data, &ctx->geo, &g, &ignored) ||
	    ctx->io->ops->hold_cells(ctx->io, &g, &ignored))
		return;
	cells->epoch = g.epoch;
	cells->ask_us = 0;
}

/* The lock has a cell: that is tried, if it is of the block that we know. */
static void try_cell(struct p4a_ctx *ctx, uint32_t i, const void *msg)
{
	struct p4a_cell_grant *cells = &ctx->locks.cells;
	struct p4a_lock_op *op = &ctx->locks.op[i];
	struct p4a_error ignored;
	struct p4a_known_cell c;

	op->no_cell = p4a_msg_read_cell(msg, &c, &ignored) || ++op->turns > TURNS_MAX;
	op->tried = 0;
	op->generation++;
	if (c.epoch != cells->epoch) {
		cells->epoch = 0;	/* ours is over */
		op->no_cell = true;
	} else if (!op->no_cell) {
		p4a_cell_note(cells, op->hold.name, &c);
	}
	p4a_lock_send(ctx, i);
}

/* What the switch says of the cell; whatever is not clear, the allocator finds out. */
static void switch_answered(struct p4a_ctx *ctx, uint32_t i, const struct p4a_io_event *ev)
{
	const struct homa_txn_result *r = ev->data;
	struct p4a_lock_op *op = &ctx->locks.op[i];
	bool whole = !ev->err && ev->len == sizeof(*r);

	if (whole && op->type == P4W_UNLOCK && p4a_cell_given_back(&op->hold, r)) {
		p4a_lock_finish(ctx, i, 0);
		return;
	}
	if (whole && op->type == P4W_LOCK)
		op->hold.token = p4a_cell_taken(&op->cell, r);
	if (op->type == P4W_LOCK && op->hold.token) {
		op->hold.until_us = lease_until(now_us(ctx), op->sent_us, 0, op->hold.lease_us);
		p4a_lock_finish(ctx, i, 0);
		return;
	}
	if (ev->err || (whole && r->status == P4W_TXN_STALE))
		ctx->locks.cells.epoch = 0;
	op->generation++;
	p4a_lock_ask(ctx, i);
}

static int read_answer(struct p4a_ctx *ctx, struct p4a_lock_op *op, const void *data, uint32_t len)
{
	int type = p4a_msg_check(data, len, 0, &ctx->err);

	if (type < 0)
		return type;
	if (type == P4W_LOCKED && op->type == P4W_LOCK && p4a_msg_is_often(data))
		p4a_lock_ask_for_cells(ctx);
	if (type == P4W_LOCKED && op->type == P4W_LOCK)
		return read_locked(ctx, op, data);
	if (type != P4W_UNLOCKED || op->type != P4W_UNLOCK)
		return p4a_fail(&ctx->err, -EBADMSG, "%s: answer of type 0x%02x is not one to this",
				p4a_lock_name_of(op), type);
	return p4a_msg_is_late(data) ?
	       p4a_fail(&ctx->err, -ESTALE, "unlock: the lease had ended before") : 0;
}

/* In a bundle nobody waits. */
static bool may_wait(const struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	return now_us(ctx) - op->began_us < op->wait_us;
}

static void read_part(struct p4a_ctx *ctx, uint32_t i, const void *data, uint32_t len)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	int rc;

	if (is_cell(op, data, len)) {
		try_cell(ctx, i, data);
		return;
	}
	rc = read_answer(ctx, op, data, len);
	/* -EPROTO: not in a bundle, since its cell must be closed first. */
	if ((rc == -ETIME && may_wait(ctx, op)) || rc == -EPROTO)
		p4a_lock_ask(ctx, i);
	else
		p4a_lock_finish(ctx, i, rc);
}

static void read_parts(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, const uint8_t *data,
		       uint32_t len)
{
	uint32_t at = sizeof(struct p4w_msg), k;

	for (k = 0; k < b->n; k++) {
		uint32_t i = b->part[k].op, part = p4a_msg_part(data + at, len - at);

		if (ctx->locks.op[i].generation == b->part[k].generation)
			read_part(ctx, i, data + at, part);
		at += part;
	}
	b->n = 0;
}

static void bundle_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	uint32_t i = ev->cookie & ((1u << P4A_LOCK_INDEX_BITS) - 1);
	struct p4a_lock_bundle *b;
	int rc = ev->err;

	if (!ctx->locks.bundle || i >= P4A_LOCK_BUNDLES)
		return;
	b = &ctx->locks.bundle[i];
	if (!b->n || (uint32_t)(ev->cookie >> P4A_LOCK_INDEX_BITS) != b->generation)
		return;
	if (!rc)
		rc = p4a_msg_check(ev->data, ev->len, 0, &ctx->err);
	if (rc == P4W_BUNDLED) {
		read_parts(ctx, b, ev->data, ev->len);
		return;
	}
	ctx->locks.no_bundles |= rc == -EOPNOTSUPP;
	p4a_lock_bundle_failed(ctx, b, rc < 0 ? rc : -EBADMSG);
}

void p4a_locks_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	uint32_t i = ev->cookie & ((1u << P4A_LOCK_INDEX_BITS) - 1);
	struct p4a_lock_op *op;

	if (ev->cookie & P4A_LOCK_BUNDLE) {
		bundle_event(ctx, ev);
		return;
	}
	if (!ctx->locks.op || i >= p4a_lock_nr_ops(ctx))
		return;
	op = &ctx->locks.op[i];
	if (op->use != P4A_LOCK_UNDER_WAY || op->retry_us ||
	    ev->cookie != (P4A_LOCK_COOKIE | (uint64_t)op->generation << P4A_LOCK_INDEX_BITS | i))
		return;
	if (op->in_switch) {
		switch_answered(ctx, i, ev);
	} else if (op->type == P4W_LOCK_CELLS) {
		read_cells(ctx, ev);
		p4a_lock_finish(ctx, i, 0);
	} else if (ev->err) {
		p4a_lock_failed(ctx, i, ev->err);
	} else if (is_cell(op, ev->data, ev->len)) {
		try_cell(ctx, i, ev->data);
	} else {
		p4a_lock_finish(ctx, i, read_answer(ctx, op, ev->data, ev->len));
	}
}

void p4a_locks_tick(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint64_t now;
	uint32_t i;

	if (!l->due_us || (now = now_us(ctx)) < l->due_us)
		return;
	l->due_us = 0;
	for (i = 0; i < p4a_lock_nr_ops(ctx); i++) {
		struct p4a_lock_op *op = &l->op[i];

		if (op->use != P4A_LOCK_UNDER_WAY)
			continue;
		if (op->retry_us && op->retry_us <= now) {
			p4a_lock_send(ctx, i);
		} else if (op->in_switch && p4a_lock_deadline_us(ctx, op) <= now) {
			op->generation++;
			p4a_lock_ask(ctx, i);
		} else if (!op->retry_us && p4a_lock_deadline_us(ctx, op) <= now) {
			p4a_lock_finish(ctx, i, p4a_fail(&ctx->err, -ETIMEDOUT,
						"%s: no answer from the allocator", p4a_lock_name_of(op)));
		} else {
			p4a_lock_note_due(ctx, op);
		}
	}
}

uint64_t p4a_locks_next_us(const struct p4a_ctx *ctx)
{
	return ctx->locks.busy ? ctx->locks.due_us : 0;
}
