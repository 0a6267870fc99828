// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * cells.c - fill and drain: many keys' cells by ordinary transactions, each acknowledged.
 *
 * Runs as the context's call. Reads may be repeated at will. A write without a reply may not: a
 * copy that the network still holds could come out after the first hot transactions and put the
 * old value back. So a lost read is read again, and a lost write fails the fill.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "logged.h"

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

/* Maps each key of the blocks that it is about to its entry of kv; marks all entries. */
static int map_keys(struct p4a_ctx *ctx, struct p4a_cells *job, size_t n, unsigned int registers)
{
	struct p4a_cell cell;
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t *at;

		job->kv[i].held = 0;
		if (!ctx->layout || !p4a_layout_lookup(ctx->layout, job->kv[i].key, &cell) ||
		    cell.slot / P4A_BLOCK_SLOTS < job->first ||
		    cell.slot / P4A_BLOCK_SLOTS >= job->end)
			continue;
		at = &job->at[cell.slot * registers + cell.reg];
		if (*at)
			return p4a_fail(&ctx->err, -EINVAL, "key %llu occurs twice",
					(unsigned long long)cell.key);
		*at = i + 1;
		job->kv[i].held = 1;
	}
	return 0;
}

static void add_cell(struct homa_txn *t, const struct p4a_layout *layout, bool drain,
		     unsigned int reg, unsigned int slot, uint32_t value)
{
	struct p4a_cell cell;

	t->instr[t->count++] = (struct homa_txn_instr) {
		.reg = reg, .slot = slot, .op = drain ? P4A_READ : P4A_WRITE,
		.operand = drain ? 0 : value,
	};
	if (p4a_layout_at(layout, reg, slot, &cell) && cell.lock != P4A_NO_LOCK)
		t->lock_check |= UINT32_C(1) << cell.lock;
}

/* The next up to 8 cells that lie in different registers. */
static void next_txn(struct p4a_ctx *ctx, struct p4a_cells *job, struct homa_txn *t)
{
	uint32_t used = 0;

	*t = (struct homa_txn) { .epoch = ctx->grant.epoch };
	for (; job->cursor < job->last && t->count < HOMA_TXN_MAX_INSTRS; job->cursor++) {
		unsigned int reg = job->cursor % ctx->geo.registers;
		uint32_t i = job->at[job->cursor];

		if (!i)
			continue;
		if (used >> reg & 1)
			break;
		used |= UINT32_C(1) << reg;
		add_cell(t, ctx->layout, job->drain, reg, job->cursor / ctx->geo.registers,
			 job->kv[i - 1].value);
	}
}

static void skip_holes(struct p4a_cells *job)
{
	while (job->cursor < job->last && !job->at[job->cursor])
		job->cursor++;
}

static void send(struct p4a_ctx *ctx, uint32_t slot)
{
	int rc = p4a_slot_send(ctx, slot);

	if (!rc) {
		ctx->call.cells.in_flight++;
		return;
	}
	p4a_slot_put(ctx, slot);
	if (!ctx->call.cells.err)
		ctx->call.cells.err = p4a_fail(&ctx->err, rc, "%s: %s", ctx->call.kind->name,
					       strerror(-rc));
}

/* Transactions that will make room, without anybody's help. */
static bool users_in_flight(const struct p4a_ctx *ctx)
{
	uint32_t i;

	for (i = 0; ctx->outstanding && i < ctx->opts.depth; i++)
		if (ctx->slots[i].use != P4A_SLOT_FREE && ctx->slots[i].use != P4A_SLOT_READY)
			return true;
	return false;
}

/* Sends what may be sent, and finishes the call when nothing is left. */
void p4a_cells_run(struct p4a_ctx *ctx)
{
	struct p4a_cells *job = &ctx->call.cells;
	uint32_t slot;

	for (;;) {
		skip_holes(job);
		if (job->err || job->cursor == job->last)
			break;
		slot = p4a_slot_take(ctx, P4A_SLOT_CELLS);
		if (slot == P4A_NO_SLOT)
			break;
		ctx->slots[slot].done = (struct p4a_completion) { .kind = P4A_KIND_TXN };
		next_txn(ctx, job, &ctx->slots[slot].txn);
		send(ctx, slot);
	}
	if (job->in_flight || (!job->err && job->cursor < job->last && users_in_flight(ctx)))
		return;
	if (!p4a_logged_has_cells(ctx))
		return;
	if (!job->err && job->cursor < job->last)
		job->err = p4a_fail(&ctx->err, -EBUSY, "%s: completions must be taken first",
				    ctx->call.kind->name);
	if (!job->err && job->drain && p4a_logged_mute(ctx))
		job->err = p4a_fail(&ctx->err, p4a_logged_mute(ctx), "%s: log: %s",
				    ctx->call.kind->name, strerror(-p4a_logged_mute(ctx)));
	p4a_call_finish(ctx, job->err ? job->err : (int)job->finished);
}

static void store(struct p4a_ctx *ctx, const struct p4a_slot *s)
{
	struct p4a_cells *job = &ctx->call.cells;
	unsigned int i;

	job->finished += s->txn.count;
	job->progress_us = now_us(ctx);
	if (ctx->log)
		p4a_logged_cells(ctx, s - ctx->slots, job->drain);
	for (i = 0; job->drain && i < s->txn.count; i++) {
		uint32_t at = s->txn.instr[i].slot * ctx->geo.registers + s->txn.instr[i].reg;

		job->kv[job->at[at] - 1].value = s->done.result[i];
	}
}

/* What one finished transaction means for the job: 0, -EAGAIN it may be sent again, or -errno. */
static int verdict(const struct p4a_completion *c, bool drain)
{
	switch (c->status) {
	case P4A_TXN_OK:
		return 0;
	case P4A_TXN_STALE:
		return -ESTALE;
	case P4A_TXN_CONFLICT:
		return -EAGAIN;
	case P4A_TXN_VERSION:
		return -EPROTONOSUPPORT;
	case P4A_TXN_UNSENT:
		return c->err;
	case P4A_TXN_UNKNOWN:
		if (c->err == -ECANCELED || c->err == -ESTALE)
			return -ESTALE;
		return drain && p4a_call_is_away(c->err) ? -EAGAIN : -ETIMEDOUT;
	default:
		return -EBADMSG;
	}
}

void p4a_cells_event(struct p4a_ctx *ctx, uint32_t slot, const struct p4a_io_event *ev)
{
	struct p4a_cells *job = &ctx->call.cells;
	struct p4a_slot *s = &ctx->slots[slot];
	int rc = verdict(&s->done, job->drain);

	job->in_flight--;
	if (rc == -EAGAIN && !job->err) {
		if (now_us(ctx) - job->progress_us < ctx->opts.timeout_us) {
			s->generation++;
			s->done = (struct p4a_completion) { .kind = P4A_KIND_TXN };
			send(ctx, slot);
			return;
		}
		rc = -ETIMEDOUT;
	}
	if (!rc)
		store(ctx, s);
	else if (!job->err)
		job->err = p4a_fail(&ctx->err, rc, "%s: %s", ctx->call.kind->name, strerror(-rc));
	p4a_slot_put(ctx, slot);
}

void p4a_cells_end(struct p4a_cells *job)
{
	free(job->at);
	job->at = NULL;
}

static const struct p4a_call_kind fill = { .name = "fill", .event = P4A_EV_FILL, .cells = true };
static const struct p4a_call_kind drain = { .name = "drain", .event = P4A_EV_DRAIN, .cells = true };

static int map_all(struct p4a_ctx *ctx, struct p4a_cells *job, size_t n, unsigned int registers)
{
	uint32_t cells = job->end * P4A_BLOCK_SLOTS * registers;

	job->at = calloc(cells ? cells : 1, sizeof(*job->at));
	if (!job->at || n >= UINT32_MAX)
		return p4a_fail(&ctx->err, job->at ? -EINVAL : -ENOMEM, "%s: %zu keys are too many",
				ctx->call.kind->name, n);
	return map_keys(ctx, job, n, registers);
}

/* Nothing is held, but who names a key twice shall know before there is a switch. */
static int check_keys(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n)
{
	struct p4a_geometry geo = { 0 };
	struct p4a_cells job = { .kv = kv };
	size_t i;
	int rc;

	if (ctx->layout)
		geo = p4a_layout_geometry(ctx->layout);
	job.end = geo.blocks;
	rc = map_all(ctx, &job, n, geo.registers);
	p4a_cells_end(&job);
	for (i = 0; !rc && i < n; i++)
		kv[i].held = 0;
	return rc;
}

static int begin_cold(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n)
{
	int rc = check_keys(ctx, kv, n);

	if (rc)
		ctx->call.kind = NULL;
	else
		p4a_call_finish(ctx, 0);
	return rc;
}

static int begin(struct p4a_ctx *ctx, const struct p4a_call_kind *kind, struct p4a_kv *kv, size_t n)
{
	bool part = ctx->state == P4A_RESIZING;
	struct p4a_cells *job = &ctx->call.cells;
	int rc = p4a_call_begin(ctx, kind);

	if (rc)
		return rc;
	if (!ctx->grant.blocks)
		return begin_cold(ctx, kv, n);
	job->kv = kv;
	job->first = part ? ctx->usable : 0;
	job->end = ctx->grant.blocks;
	job->cursor = job->first * P4A_BLOCK_SLOTS * ctx->geo.registers;
	job->last = job->end * P4A_BLOCK_SLOTS * ctx->geo.registers;
	job->drain = kind == &drain;
	rc = map_all(ctx, job, n, ctx->geo.registers);
	if (rc) {
		p4a_cells_end(job);
		ctx->call.kind = NULL;
		return rc;
	}
	job->progress_us = now_us(ctx);
	p4a_cells_run(ctx);
	return 0;
}

int p4a_fill(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n)
{
	int rc = begin(ctx, &fill, kv, n);

	return rc ? rc : p4a_call_join(ctx);
}

int p4a_fill_async(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n, void *user)
{
	int rc = begin(ctx, &fill, kv, n);

	return rc ? rc : p4a_call_detach(ctx, user);
}

int p4a_drain(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n)
{
	int rc = begin(ctx, &drain, kv, n);

	return rc ? rc : p4a_call_join(ctx);
}

int p4a_drain_async(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n, void *user)
{
	int rc = begin(ctx, &drain, kv, n);

	return rc ? rc : p4a_call_detach(ctx, user);
}
