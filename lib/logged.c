// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * logged.c - transactions of a context that keeps a log: intent before sending, result before the
 * caller sees it.
 *
 * Slots whose record is not safe yet wait in one queue, in the order of their records. Safe means
 * written to the file (P4A_LOG_PROCESS), or on the disk (P4A_LOG_HOST): then one fdatasync() is under
 * way at a time, and all that gathers meanwhile goes with the next.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "logged.h"

static void wait_for_log(struct p4a_ctx *ctx, uint32_t i, enum p4a_slot_use use, uint64_t seq)
{
	struct p4a_log *log = ctx->log;

	ctx->slots[i].use = use;
	ctx->slots[i].logged = seq;
	ctx->slots[i].next = P4A_NO_SLOT;
	if (log->wait_first == P4A_NO_SLOT)
		log->wait_first = i;
	else
		ctx->slots[log->wait_last].next = i;
	log->wait_last = i;
}

static int put_ops(struct p4a_ctx *ctx, const struct homa_txn *t, struct p4a_log_op *op)
{
	struct p4a_cell cell;
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		const struct homa_txn_instr *in = &t->instr[i];

		if (!p4a_layout_at(ctx->layout, in->reg, in->slot, &cell))
			return p4a_fail(&ctx->err, -EINVAL, "plan: no key lives in register %u, slot "
					"%u, so it cannot be logged", in->reg, in->slot);
		op[i] = (struct p4a_log_op) {
			.key = htole64(cell.key), .operand = htole32(in->operand), .code = in->op,
			.reg = in->reg, .slot = htole16(in->slot),
		};
	}
	return 0;
}

int p4a_logged_intent(struct p4a_ctx *ctx, uint32_t i)
{
	struct p4a_slot *s = &ctx->slots[i];
	union p4a_log_record *rec;
	int rc;

	if (ctx->log->err)
		return p4a_fail(&ctx->err, ctx->log->err, "transaction: log: %s",
				strerror(-ctx->log->err));
	rec = p4a_log_room(ctx->log);
	rec->intent.epoch = htole64(s->txn.epoch);
	rec->intent.user = htole64((uintptr_t)s->done.user);
	rc = put_ops(ctx, &s->txn, rec->intent.op);
	if (rc)
		return rc;
	wait_for_log(ctx, i, P4A_SLOT_INTENT,
		     p4a_log_append(ctx->log, rec, P4A_LOG_INTENT, s->txn.count, 0));
	return 0;
}

void p4a_logged_result(struct p4a_ctx *ctx, uint32_t i)
{
	union p4a_log_record *rec = p4a_log_room(ctx->log);
	struct p4a_slot *s = &ctx->slots[i];
	unsigned int n;

	rec->result.intent = htole64(s->logged);
	rec->result.serial = htole64(s->done.serial);
	rec->result.err = htole32(s->done.err);
	for (n = 0; n < s->done.count; n++)
		rec->result.value[n] = htole32(s->done.result[n]);
	wait_for_log(ctx, i, P4A_SLOT_RESULT,
		     p4a_log_append(ctx->log, rec, P4A_LOG_RESULT, s->done.count, s->done.status));
}

void p4a_logged_cells(struct p4a_ctx *ctx, uint32_t i, bool drain)
{
	union p4a_log_record *rec = p4a_log_room(ctx->log);
	const struct p4a_slot *s = &ctx->slots[i];
	struct p4a_cell cell;
	unsigned int n;

	rec->cells.epoch = htole64(s->txn.epoch);
	rec->cells.serial = htole64(s->done.serial);
	for (n = 0; n < s->txn.count; n++) {
		const struct homa_txn_instr *in = &s->txn.instr[n];

		p4a_layout_at(ctx->layout, in->reg, in->slot, &cell);
		rec->cells.cell[n] = (struct p4a_log_cell) {
			.key = htole64(cell.key), .reg = in->reg, .slot = htole16(in->slot),
			.value = htole32(drain ? s->done.result[n] : in->operand),
		};
	}
	ctx->log->wanted = 1 + p4a_log_append(ctx->log, rec, P4A_LOG_CELLS, s->txn.count,
					      drain ? P4A_LOG_DRAIN : P4A_LOG_FILL);
}

bool p4a_logged_has_cells(const struct p4a_ctx *ctx)
{
	const struct p4a_log *log = ctx->log;

	return !log || log->err || log->synced >= log->wanted;
}

int p4a_logged_mute(const struct p4a_ctx *ctx)
{
	return ctx->log && ctx->log->mute ? ctx->log->err : 0;
}

void p4a_logged_grant(struct p4a_ctx *ctx)
{
	union p4a_log_record *rec;

	if (!ctx->log)
		return;
	p4a_log_begin_batch(ctx->log);
	rec = p4a_log_room(ctx->log);
	rec->grant = (struct p4a_log_grant_rec) {
		.epoch = htole64(ctx->grant.epoch), .blocks = htole32(ctx->grant.blocks),
	};
	p4a_log_append(ctx->log, rec, P4A_LOG_GRANT, 0, ctx->batch);
}

/* A transaction whose result may still be written. */
static bool has_open_ends(const struct p4a_ctx *ctx)
{
	uint32_t i;

	for (i = 0; ctx->outstanding && i < ctx->opts.depth; i++)
		if (ctx->slots[i].use != P4A_SLOT_FREE && ctx->slots[i].use != P4A_SLOT_READY)
			return true;
	return false;
}

/* Who finds it decides by what is before it: that must not be lost any more. */
static void write_end(struct p4a_ctx *ctx)
{
	p4a_log_sync(ctx->log);
	p4a_log_append(ctx->log, p4a_log_room(ctx->log), P4A_LOG_END, 0, ctx->log->ending);
	p4a_log_flush(ctx->log);
	ctx->log->ending = 0;
}

void p4a_logged_end(struct p4a_ctx *ctx, uint32_t batch)
{
	if (!ctx->log || !batch)
		return;
	ctx->log->ending = batch;
	if (!has_open_ends(ctx))
		write_end(ctx);
}

void p4a_logged_hello(struct p4a_ctx *ctx)
{
	if (ctx->log && ctx->log->heir && !ctx->batch && ctx->next_batch)
		p4a_logged_end(ctx, ctx->next_batch - 1);
}

void p4a_logged_close(struct p4a_ctx *ctx)
{
	if (!ctx->log || !ctx->batch)
		return;
	if (ctx->log->ending < ctx->batch)
		ctx->log->ending = ctx->batch;
	write_end(ctx);
}

void p4a_logged_all_begun(struct p4a_ctx *ctx)
{
	if (ctx->log)
		p4a_log_trim(ctx->log);
}

static bool tells_of_values(const struct p4a_completion *done)
{
	return done->status == P4A_TXN_OK || done->status == P4A_TXN_ABORT;
}

/* The log has failed: what is not sent stays so, and the caller of what is done hears of it. */
static void give_up(struct p4a_ctx *ctx, uint32_t i, int err)
{
	struct p4a_completion *done = &ctx->slots[i].done;

	if (ctx->slots[i].use == P4A_SLOT_INTENT)
		done->status = P4A_TXN_UNSENT;
	else if (ctx->log->mute && tells_of_values(done))
		*done = (struct p4a_completion) {
			.user = done->user, .kind = done->kind, .epoch = done->epoch,
			.status = P4A_TXN_UNKNOWN,
		};
	if (!done->err)
		done->err = err;
	p4a_txn_ready(ctx, i);
}

static void go_on(struct p4a_ctx *ctx, uint32_t i)
{
	int rc;

	if (ctx->slots[i].use == P4A_SLOT_RESULT) {
		p4a_txn_ready(ctx, i);
		return;
	}
	ctx->slots[i].use = P4A_SLOT_USER;
	rc = p4a_slot_send(ctx, i);
	if (!rc)
		return;
	ctx->slots[i].done.status = P4A_TXN_UNSENT;
	ctx->slots[i].done.err = rc;
	p4a_logged_result(ctx, i);
}

static bool must_wait(const struct p4a_ctx *ctx, uint32_t i)
{
	return !ctx->log->err && ctx->slots[i].logged >= ctx->log->synced;
}

static void release(struct p4a_ctx *ctx, int err)
{
	struct p4a_log *log = ctx->log;

	while (log->wait_first != P4A_NO_SLOT && (err || !must_wait(ctx, log->wait_first))) {
		uint32_t i = log->wait_first;

		log->wait_first = ctx->slots[i].next;
		if (err || log->err)
			give_up(ctx, i, err ? err : log->err);
		else
			go_on(ctx, i);
	}
}

static void start_sync(struct p4a_ctx *ctx)
{
	struct p4a_log *log = ctx->log;
	int rc;

	if (log->syncing || log->err ||
	    (log->wait_first == P4A_NO_SLOT && p4a_logged_has_cells(ctx)))
		return;
	rc = ctx->io->ops->sync(ctx->io, P4A_LOG_COOKIE, log->fd);
	if (rc == -EAGAIN)
		return;
	if (rc)
		p4a_log_fail(log, rc);
	else
		log->syncing = log->written;
}

void p4a_logged_run(struct p4a_ctx *ctx)
{
	struct p4a_log *log = ctx->log;

	p4a_log_flush(log);
	if (!log->to_disk)
		log->synced = log->written;
	release(ctx, 0);
	if (log->to_disk)
		start_sync(ctx);
	if (log->ending && !has_open_ends(ctx))
		write_end(ctx);
}

void p4a_logged_synced(struct p4a_ctx *ctx, int err)
{
	struct p4a_log *log = ctx->log;

	if (!log || !log->syncing)
		return;
	if (err)
		p4a_log_fail(log, err);
	if (!err) {
		log->synced = log->syncing > log->synced ? log->syncing : log->synced;
		log->info.syncs++;
	}
	log->syncing = 0;
}

void p4a_logged_break(struct p4a_ctx *ctx)
{
	/* Its callers are about to hear of what came, and the next run will take the file for whole. */
	p4a_log_sync(ctx->log);
	release(ctx, -EIO);
}

/* ---------------------------------------------------------------- public */

int p4a_log_open(struct p4a_ctx *ctx, const struct p4a_log_options *opts)
{
	struct p4a_log *log;
	int rc;

	ctx->err.text[0] = 0;
	if (p4a_state_after(ctx->state, P4A_EV_LAYOUT) < 0)
		return p4a_fail(&ctx->err, -EPROTO, "log: not in state %s",
				p4a_state_name(ctx->state));
	if (ctx->log)
		return p4a_fail(&ctx->err, -EALREADY, "log: this context keeps one already");
	if (ctx->call.kind || ctx->outstanding)
		return p4a_fail(&ctx->err, -EBUSY, "log: calls or transactions are under way");
	rc = p4a_log_new(&log, opts, &ctx->opts, &ctx->geo, &ctx->err);
	if (rc)
		return rc;
	ctx->log = log;
	p4a_logged_hello(ctx);
	return 0;
}

int p4a_log_info(const struct p4a_ctx *ctx, struct p4a_log_info *info)
{
	if (!ctx->log)
		return -ENODATA;
	*info = ctx->log->info;
	info->segment = ctx->log->name.segment;
	info->err = ctx->log->err;
	return 0;
}
