// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * batch.c - what each call of a batch says to the allocator, and what the answer changes.
 *
 * The kernel is told first that nothing is held any more, then the allocator that the blocks are
 * free; and after a grant in the other order. So this node never sends under blocks of another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "layout.h"
#include "logged.h"
#include "resize.h"

void p4a_batch_move(struct p4a_ctx *ctx, enum p4a_event event)
{
	int after = p4a_state_after(ctx->state, event);

	if (after >= 0)
		ctx->state = after;
}

int p4a_batch_wrong_type(struct p4a_ctx *ctx, int type)
{
	return p4a_fail(&ctx->err, -EBADMSG, "%s: answer of type 0x%02x is not one to this",
			ctx->call.kind->name, type);
}

int p4a_batch_expire(struct p4a_ctx *ctx, int err)
{
	struct p4a_error text = ctx->err;

	if (err != -ESTALE)
		return err;
	p4a_logged_end(ctx, ctx->batch);
	p4a_hold(ctx, NULL);
	ctx->err = text;
	p4a_batch_move(ctx, P4A_EV_EXPIRE);
	return err;
}

void p4a_batch_send(struct p4a_ctx *ctx, enum p4w_msg_type type, uint32_t batch, uint32_t code)
{
	ctx->call.batch = batch;
	ctx->call.len = p4a_msg_plain(ctx->call.msg, &ctx->self, type, batch, code);
	p4a_call_send(ctx);
}

int p4a_batch_join(struct p4a_ctx *ctx, int rc)
{
	return rc ? rc : p4a_call_join(ctx);
}

int p4a_batch_detach(struct p4a_ctx *ctx, int rc, void *user)
{
	return rc ? rc : p4a_call_detach(ctx, user);
}

int p4a_batch_cancel(struct p4a_ctx *ctx, int rc)
{
	ctx->call.kind = NULL;
	return rc;
}

/* ---- hello ---- */

static int hello_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	struct p4a_welcome w;
	int rc;

	if (type != P4W_WELCOME)
		return p4a_batch_wrong_type(ctx, type);
	rc = p4a_msg_read_welcome(msg, &w, &ctx->err);
	if (rc)
		return rc;
	if (!p4a_same_geometry(&w.geo, &ctx->geo))
		return p4a_fail(&ctx->err, -ENOTUNIQ, "geometry: %u registers (%u dependent) and %u "
				"blocks are set on this host, %u (%u) and %u at the allocator",
				ctx->geo.registers, ctx->geo.dependent, ctx->geo.blocks,
				w.geo.registers, w.geo.dependent, w.geo.blocks);
	ctx->welcome = w;
	ctx->next_batch = w.batch;
	p4a_set_cold(ctx, P4A_HOT, "");
	p4a_batch_move(ctx, P4A_EV_HELLO);
	p4a_logged_hello(ctx);
	return 0;
}

static int hello_failed(struct p4a_ctx *ctx, int err)
{
	if (err == -ETIMEDOUT)
		p4a_set_cold(ctx, P4A_COLD_NO_ALLOCATOR, ctx->err.text);
	else if (err == -EHOSTDOWN)
		p4a_set_cold(ctx, P4A_COLD_NO_SWITCH, ctx->err.text);
	else
		return err;
	if (!ctx->next_batch)
		ctx->next_batch = 1;
	p4a_batch_move(ctx, P4A_EV_HELLO);
	return 0;
}

static const struct p4a_call_kind hello_kind = {
	.name = "hello", .event = P4A_EV_HELLO, .answer = hello_answer, .failed = hello_failed,
};

static int hello(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &hello_kind);

	if (rc)
		return rc;
	if (ctx->io) {
		p4a_batch_send(ctx, P4W_HELLO, 0, 0);
		return 0;
	}
	if (!ctx->next_batch)
		ctx->next_batch = 1;
	p4a_batch_move(ctx, P4A_EV_HELLO);
	p4a_call_finish(ctx, 0);
	return 0;
}

int p4a_hello(struct p4a_ctx *ctx)
{
	return p4a_batch_join(ctx, hello(ctx));
}

int p4a_hello_async(struct p4a_ctx *ctx, void *user)
{
	return p4a_batch_detach(ctx, hello(ctx), user);
}

/* ---- request, wait for the grant ---- */

static void ask(struct p4a_ctx *ctx, uint32_t batch)
{
	ctx->batch = batch;
	ctx->next_batch = batch + 1;
	ctx->said_ran = false;
	ctx->resize.done = 0;
	p4a_batch_move(ctx, P4A_EV_REQUEST);
}

static int take_grant(struct p4a_ctx *ctx, const void *msg)
{
	struct p4a_grant g;
	int rc = p4a_msg_read_granted(msg, &ctx->geo, &g, &ctx->err);

	if (!rc)
		rc = p4a_hold(ctx, &g);
	if (rc)
		return rc;
	p4a_batch_move(ctx, P4A_EV_GRANT);
	p4a_logged_grant(ctx);
	return ctx->grant.blocks;
}

static int request_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	int rc;

	if (type != P4W_GRANTED && type != P4W_RESERVED)
		return p4a_batch_wrong_type(ctx, type);
	ask(ctx, ctx->call.batch);
	if (type == P4W_RESERVED) {
		p4a_msg_read_reserved(msg, &ctx->reserved);
		return 0;
	}
	memset(&ctx->reserved, 0, sizeof(ctx->reserved));
	rc = take_grant(ctx, msg);
	return rc < 0 ? rc : 1;
}

/* It may have been granted to the others. With DONE, it is not known of which batch that is said. */
static int request_failed(struct p4a_ctx *ctx, int err)
{
	bool done = ctx->state == P4A_DRAINING;

	p4a_batch_expire(ctx, err);
	if (err == -ESTALE && !done)
		p4a_logged_end(ctx, ctx->call.batch);
	return err;
}

static const struct p4a_call_kind request_kind = {
	.name = "request", .event = P4A_EV_REQUEST, .answer = request_answer, .failed = request_failed,
};

int p4a_batch_range(struct p4a_ctx *ctx, const char *field, uint32_t got, uint32_t min,
			uint32_t max)
{
	return p4a_fail(&ctx->err, -EINVAL, "%s = %u: must be %u .. %u", field, got, min, max);
}

unsigned int p4a_batch_blocks_max(const struct p4a_ctx *ctx)
{
	return ctx->geo.blocks ? ctx->geo.blocks : P4A_MAX_BLOCKS;
}

/* Also of a cold context, so that a program is not found wrong on the day on which there is a switch. What
 * nobody has told is what the messages have room for.
 */
static int check_demand(struct p4a_ctx *ctx, const struct p4a_demand *d)
{
	uint32_t lease = ctx->welcome.lease_max_us ? ctx->welcome.lease_max_us : P4W_DURATION_MAX_US;
	uint32_t flows = ctx->welcome.flows ? ctx->welcome.flows : UINT32_MAX;
	unsigned int blocks = p4a_batch_blocks_max(ctx);

	if (d->start_us > P4W_DURATION_MAX_US)
		return p4a_batch_range(ctx, "start_us", d->start_us, 0, P4W_DURATION_MAX_US);
	if (!d->duration_us || d->duration_us > lease)
		return p4a_batch_range(ctx, "duration_us", d->duration_us, 1, lease);
	if (!d->want_blocks || d->want_blocks > blocks)
		return p4a_batch_range(ctx, "want_blocks", d->want_blocks, 1, blocks);
	if (!d->min_blocks || d->min_blocks > d->want_blocks)
		return p4a_batch_range(ctx, "min_blocks", d->min_blocks, 1, d->want_blocks);
	if (!d->flows || d->flows > flows)
		return p4a_batch_range(ctx, "flows", d->flows, 1, flows);
	if (d->together > P4W_TOGETHER_MAX)
		return p4a_batch_range(ctx, "together", d->together, 0, P4W_TOGETHER_MAX);
	if (d->reserved)
		return p4a_batch_range(ctx, "reserved", d->reserved, 0, 0);
	/* Without a geometry there may be none. */
	if (!ctx->layout && ctx->geo.registers)
		return p4a_fail(&ctx->err, -ENODATA, "request: p4a_use_layout() comes first");
	return 0;
}

/* After the drains of this batch: from here on there is nothing that one more could read. */
static int give_up_blocks(struct p4a_ctx *ctx)
{
	int rc = p4a_hold(ctx, NULL);

	if (!rc)
		p4a_logged_end(ctx, ctx->batch);
	return rc;
}

static int request_cold(struct p4a_ctx *ctx)
{
	if (ctx->state == P4A_DRAINING)
		p4a_logged_end(ctx, ctx->batch);
	ask(ctx, ctx->next_batch);
	p4a_batch_move(ctx, P4A_EV_GRANT);
	p4a_call_finish(ctx, 1);
	return 0;
}

static int request(struct p4a_ctx *ctx, const struct p4a_demand *demand)
{
	uint32_t flags = ctx->state == P4A_DRAINING ? P4W_REQ_DONE : 0;
	uint16_t hist[P4A_MAX_BLOCKS];
	int rc = p4a_call_begin(ctx, &request_kind);

	if (rc)
		return rc;
	rc = check_demand(ctx, demand);
	if (!rc && p4a_is_cold(ctx))
		return request_cold(ctx);
	if (!rc && flags)
		rc = give_up_blocks(ctx);
	if (rc)
		return p4a_batch_cancel(ctx, rc);
	ctx->call.batch = ctx->next_batch;
	rc = p4a_layout_histogram(ctx->layout, hist);
	ctx->call.len = p4a_msg_request(ctx->call.msg, &ctx->self, ctx->call.batch, flags, demand,
					hist, rc);
	p4a_call_send(ctx);
	return 0;
}

int p4a_request(struct p4a_ctx *ctx, const struct p4a_demand *demand)
{
	return p4a_batch_join(ctx, request(ctx, demand));
}

int p4a_request_async(struct p4a_ctx *ctx, const struct p4a_demand *demand, void *user)
{
	return p4a_batch_detach(ctx, request(ctx, demand), user);
}

static int wait_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	return type == P4W_GRANTED ? take_grant(ctx, msg) : p4a_batch_wrong_type(ctx, type);
}

static const struct p4a_call_kind wait_kind = {
	.name = "wait for the grant", .event = P4A_EV_GRANT, .patient = true,
	.answer = wait_answer, .failed = p4a_batch_expire,
};

static int wait_grant(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &wait_kind);

	if (rc)
		return rc;
	if (p4a_is_cold(ctx) || ctx->state == P4A_GRANTED) {
		p4a_batch_move(ctx, P4A_EV_GRANT);
		p4a_call_finish(ctx, ctx->grant.blocks);
		return 0;
	}
	p4a_batch_send(ctx, P4W_WAIT, ctx->batch, 0);
	return 0;
}

int p4a_wait_grant(struct p4a_ctx *ctx)
{
	return p4a_batch_join(ctx, wait_grant(ctx));
}

int p4a_wait_grant_async(struct p4a_ctx *ctx, void *user)
{
	return p4a_batch_detach(ctx, wait_grant(ctx), user);
}

/* ---- barriers ---- */

static int sync_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_SYNCED)
		return p4a_batch_wrong_type(ctx, type);
	p4a_batch_move(ctx, ctx->call.kind->event);
	if (ctx->call.kind->event == P4A_EV_FILLED)
		p4a_logged_all_begun(ctx);
	return 0;
}

static const struct p4a_call_kind filled_kind = {
	.name = "sync (filled)", .event = P4A_EV_FILLED, .patient = true,
	.answer = sync_answer, .failed = p4a_batch_expire,
};

static const struct p4a_call_kind ran_kind = {
	.name = "sync (ran)", .event = P4A_EV_RAN, .patient = true,
	.answer = sync_answer, .failed = p4a_batch_expire,
};

static int sync_phase(struct p4a_ctx *ctx, enum p4a_phase phase)
{
	const struct p4a_call_kind *kind = phase == P4A_RAN ? &ran_kind : &filled_kind;
	int rc;

	if (phase == P4A_RESIZED)
		return p4a_resize_ready(ctx);
	if (phase != P4A_FILLED && phase != P4A_RAN)
		return p4a_batch_range(ctx, "phase", phase, P4A_FILLED, P4A_RESIZED);
	rc = p4a_call_begin(ctx, kind);
	if (rc)
		return rc;
	if (ctx->outstanding)
		return p4a_batch_cancel(ctx, p4a_fail(&ctx->err, -EBUSY,
						      "%s: %u transactions are outstanding",
						      kind->name, ctx->outstanding));
	/* The others may hear of it from here on, whatever this node hears. */
	if (phase == P4A_RAN)
		ctx->said_ran = true;
	if (p4a_is_cold(ctx)) {
		p4a_batch_move(ctx, kind->event);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	p4a_batch_send(ctx, P4W_SYNC, ctx->batch, phase);
	return 0;
}

int p4a_sync(struct p4a_ctx *ctx, enum p4a_phase phase)
{
	return p4a_batch_join(ctx, sync_phase(ctx, phase));
}

int p4a_sync_async(struct p4a_ctx *ctx, enum p4a_phase phase, void *user)
{
	return p4a_batch_detach(ctx, sync_phase(ctx, phase), user);
}

/* ---- done, cancel, leave ---- */

static int done_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_FREED)
		return p4a_batch_wrong_type(ctx, type);
	p4a_batch_move(ctx, P4A_EV_DONE);
	return 0;
}

static const struct p4a_call_kind done_kind = {
	.name = "done", .event = P4A_EV_DONE, .answer = done_answer, .failed = p4a_batch_expire,
};

static int done(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &done_kind);

	if (rc)
		return rc;
	rc = give_up_blocks(ctx);
	if (rc)
		return p4a_batch_cancel(ctx, rc);
	if (p4a_is_cold(ctx)) {
		p4a_batch_move(ctx, P4A_EV_DONE);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	p4a_batch_send(ctx, P4W_DONE, ctx->batch, 0);
	return 0;
}

int p4a_done(struct p4a_ctx *ctx)
{
	return p4a_batch_join(ctx, done(ctx));
}

int p4a_done_async(struct p4a_ctx *ctx, void *user)
{
	return p4a_batch_detach(ctx, done(ctx), user);
}

/* To the allocator the same as being done, only that nothing has been filled or run. */
static int cancel_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_FREED)
		return p4a_batch_wrong_type(ctx, type);
	p4a_batch_move(ctx, P4A_EV_CANCEL);
	return 0;
}

static const struct p4a_call_kind cancel_kind = {
	.name = "cancel", .event = P4A_EV_CANCEL, .answer = cancel_answer,
	.failed = p4a_batch_expire,
};

static int cancel(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &cancel_kind);

	if (rc)
		return rc;
	rc = p4a_hold(ctx, NULL);
	if (rc)
		return p4a_batch_cancel(ctx, rc);
	p4a_logged_end(ctx, ctx->batch);
	if (p4a_is_cold(ctx)) {
		p4a_batch_move(ctx, P4A_EV_CANCEL);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	p4a_batch_send(ctx, P4W_DONE, ctx->batch, 0);
	return 0;
}

int p4a_cancel(struct p4a_ctx *ctx)
{
	return p4a_batch_join(ctx, cancel(ctx));
}

int p4a_cancel_async(struct p4a_ctx *ctx, void *user)
{
	return p4a_batch_detach(ctx, cancel(ctx), user);
}

/* Whatever the allocator says, this node is gone: that is what its user wants. */
static int leave_failed(struct p4a_ctx *ctx, int err)
{
	p4a_batch_move(ctx, P4A_EV_LEAVE);
	return err == -ESTALE ? 0 : err;
}

static int leave_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_LEFT)
		return p4a_batch_wrong_type(ctx, type);
	p4a_batch_move(ctx, P4A_EV_LEAVE);
	return 0;
}

static const struct p4a_call_kind leave_kind = {
	.name = "leave", .event = P4A_EV_LEAVE, .answer = leave_answer, .failed = leave_failed,
};

static int leave(struct p4a_ctx *ctx)
{
	uint32_t batch = ctx->batch ? ctx->batch : ctx->next_batch;
	int rc = p4a_call_begin(ctx, &leave_kind);

	if (rc)
		return rc;
	p4a_logged_end(ctx, ctx->batch);
	p4a_hold(ctx, NULL);
	if (p4a_is_cold(ctx)) {
		p4a_batch_move(ctx, P4A_EV_LEAVE);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	p4a_batch_send(ctx, P4W_LEAVE, batch, 0);
	return 0;
}

int p4a_leave(struct p4a_ctx *ctx)
{
	return p4a_batch_join(ctx, leave(ctx));
}

int p4a_leave_async(struct p4a_ctx *ctx, void *user)
{
	return p4a_batch_detach(ctx, leave(ctx), user);
}
