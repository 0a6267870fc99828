// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pump.c - moves everything forward: events of the back end to the call and the transactions they
 * belong to, retries when they are due, completions to the caller.
 */
#include <errno.h>
#include <string.h>

#include "call.h"
#include "logged.h"
#include "resize.h"

#define EVENTS		64

bool p4a_works(const struct p4a_ctx *ctx)
{
	return ctx->io && !ctx->broken;
}

/* The back end has failed: nothing that is in flight will ever be answered. */
static void break_down(struct p4a_ctx *ctx, int err)
{
	ctx->broken = err;
	p4a_txn_break(ctx);
	p4a_locks_break(ctx);
	if (!ctx->call.kind || ctx->call.finished)
		return;
	p4a_call_finish(ctx, p4a_fail(&ctx->err, -EIO, "%s: socket or ring failed: %s",
				      ctx->call.kind->name, strerror(-err)));
}

static int64_t until_due(const struct p4a_ctx *ctx, int64_t timeout_us)
{
	uint64_t due = p4a_call_next_us(ctx), lock = p4a_locks_next_us(ctx), now;
	int64_t left;

	if (lock && (!due || lock < due))
		due = lock;

	if (!due)
		return timeout_us;
	now = ctx->io->ops->now_us(ctx->io);
	left = due > now ? (int64_t)(due - now) : 0;
	return timeout_us < 0 || left < timeout_us ? left : timeout_us;
}

static bool call_is_over(const struct p4a_ctx *ctx)
{
	return ctx->call.kind && ctx->call.async && ctx->call.finished;
}

static bool has_completion(const struct p4a_ctx *ctx)
{
	return ctx->ready_first != P4A_NO_SLOT ||
	       (ctx->locks.op && ctx->locks.over_first != P4A_NO_SLOT) ||
	       call_is_over(ctx);
}

/* A call that waits for transactions, be it for their results in the log or for their slots. */
static void go_on(struct p4a_ctx *ctx)
{
	const struct p4a_call *call = &ctx->call;

	if (call->kind && call->waits && !call->finished)
		p4a_resize_run(ctx);
	if (call->kind && call->kind->cells && !call->finished)
		p4a_cells_run(ctx);
}

/* inside: see io.h. any: does not wait either if a completion can be taken. */
static int pump(struct p4a_ctx *ctx, int64_t timeout_us, bool inside, bool any)
{
	struct p4a_io_event ev[EVENTS];
	int n, i;

	if (!p4a_works(ctx))
		return ctx->broken;
	ctx->io->inside = inside;
	if (ctx->log)
		p4a_logged_run(ctx);
	p4a_locks_flush(ctx);
	if (any)
		go_on(ctx);
	if (any && has_completion(ctx))
		timeout_us = 0;
	n = ctx->io->ops->reap(ctx->io, ev, EVENTS, until_due(ctx, timeout_us));
	if (n < 0 && n != -EINTR) {
		break_down(ctx, n);
		return n;
	}
	for (i = 0; i < n; i++) {
		if (ev[i].cookie & P4A_CALL_COOKIE)
			p4a_call_event(ctx, &ev[i]);
		else if (ev[i].cookie & P4A_LOCK_COOKIE)
			p4a_locks_event(ctx, &ev[i]);
		else if (ev[i].cookie & P4A_LOG_COOKIE)
			p4a_logged_synced(ctx, ev[i].err);
		else
			p4a_txn_event(ctx, &ev[i]);
	}
	p4a_call_tick(ctx);
	p4a_locks_tick(ctx);
	if (ctx->log)
		p4a_logged_run(ctx);
	go_on(ctx);
	return n < 0 ? n : 0;
}

/* One round: waits for events, or until something is due, but not longer than timeout_us.
 * 0; -EINTR a signal came; other -errno: broken.
 */
int p4a_pump(struct p4a_ctx *ctx, int64_t timeout_us)
{
	return pump(ctx, timeout_us, timeout_us != 0, false);
}

static unsigned int take_call(struct p4a_ctx *ctx, struct p4a_completion *out)
{
	struct p4a_call *call = &ctx->call;

	if (!call_is_over(ctx))
		return 0;
	*out = (struct p4a_completion) {
		.user = call->user, .kind = P4A_KIND_CALL, .err = call->result,
	};
	call->kind = NULL;
	return 1;
}

static unsigned int take(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max)
{
	unsigned int n = take_call(ctx, out);

	n += p4a_locks_take(ctx, out + n, max - n);
	return n + p4a_take_ready(ctx, out + n, max - n);
}

static int no_room(struct p4a_ctx *ctx)
{
	return p4a_fail(&ctx->err, -EINVAL, "max 0: must be 1 or more");
}

/* What an event has led to must not stay here until the next one. */
static void watch(struct p4a_ctx *ctx)
{
	p4a_locks_flush(ctx);
	if (ctx->io->ops->watch)
		ctx->io->ops->watch(ctx->io);
}

int p4a_poll(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max)
{
	unsigned int n;

	if (!max)
		return no_room(ctx);
	p4a_pump(ctx, 0);
	if (p4a_works(ctx))
		watch(ctx);
	n = take(ctx, out, max);
	return !n && ctx->broken ? -EIO : (int)n;
}

/* Something that will have a completion. */
static bool works_on(const struct p4a_ctx *ctx)
{
	return ctx->outstanding || ctx->call.kind || ctx->locks.busy;
}

int p4a_wait(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max, int64_t timeout_us)
{
	uint64_t end = 0;
	int64_t left = timeout_us;
	int n, rc;

	if (!max)
		return no_room(ctx);
	if (p4a_works(ctx) && timeout_us > 0)
		end = ctx->io->ops->now_us(ctx->io) + timeout_us;
	for (;;) {
		rc = pump(ctx, works_on(ctx) ? left : 0, left, true);
		n = take(ctx, out, max);
		if (!n && ctx->broken)
			return -EIO;
		if (n || rc == -EINTR || !left || !p4a_works(ctx) || !works_on(ctx))
			return n ? n : rc;
		if (end) {
			uint64_t now = ctx->io->ops->now_us(ctx->io);

			left = now < end ? (int64_t)(end - now) : 0;
		}
	}
}

int64_t p4a_timeout_us(const struct p4a_ctx *ctx)
{
	if (has_completion(ctx))
		return 0;
	return p4a_works(ctx) ? until_due(ctx, -1) : -1;
}

int p4a_fd(const struct p4a_ctx *ctx)
{
	return ctx->io ? ctx->io->ops->fd(ctx->io) : -ENOTSUP;
}
