// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * call.c - one call at a time: begin, send, answer or retry, finish.
 *
 * Requests to the allocator are idempotent, so a lost one is simply sent again, with growing pauses,
 * until the allocator has been away for the time-out. An answer to an attempt that was given up is
 * recognised by its generation and dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#define BACKOFF_MIN_US	10000
#define BACKOFF_MAX_US	1000000

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

int p4a_call_begin(struct p4a_ctx *ctx, const struct p4a_call_kind *kind)
{
	uint32_t generation = ctx->call.generation;

	ctx->err.text[0] = 0;
	if (ctx->call.kind)
		return p4a_fail(&ctx->err, -EBUSY, "%s: a %s is under way", kind->name,
				ctx->call.kind->name);
	if (p4a_state_after(ctx->state, kind->event) < 0)
		return p4a_state_refuse(&ctx->err, kind->name, ctx->state, kind->event);
	if (ctx->broken)
		return p4a_fail(&ctx->err, -EIO, "%s: socket or ring failed: %s", kind->name,
				strerror(-ctx->broken));
	memset(&ctx->call, 0, sizeof(ctx->call));
	ctx->call.kind = kind;
	ctx->call.generation = generation;
	ctx->call.backoff_us = BACKOFF_MIN_US;
	return 0;
}

void p4a_call_finish(struct p4a_ctx *ctx, int result)
{
	struct p4a_call *call = &ctx->call;

	p4a_cells_end(&call->cells);
	free(call->long_msg);
	call->long_msg = NULL;
	call->in_flight = false;
	call->retry_us = 0;
	call->result = result;
	call->finished = true;
}

static void fail(struct p4a_ctx *ctx, int err)
{
	const struct p4a_call_kind *kind = ctx->call.kind;

	p4a_call_finish(ctx, kind->failed ? kind->failed(ctx, err) : err);
}

bool p4a_call_is_away(int err)
{
	switch (err) {
	case -ETIMEDOUT:
	case -ENOTCONN:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -ENETDOWN:
	case -EPROTONOSUPPORT:		/* its kernel has no Homa (yet) */
	case -EAGAIN:
	case -ENOBUFS:
		return true;
	default:
		return false;
	}
}

struct p4a_patience p4a_call_patience(uint64_t now, uint64_t sent_us, uint64_t away_us,
				      uint32_t timeout_us)
{
	struct p4a_patience p = { .away_us = away_us };

	if (!away_us)
		p.away_us = sent_us;
	if (now - sent_us > timeout_us)
		p.away_us = now;
	p.give_up = now - p.away_us >= timeout_us;
	return p;
}

static void send_again_later(struct p4a_ctx *ctx, int err)
{
	struct p4a_call *call = &ctx->call;
	struct p4a_patience p = p4a_call_patience(now_us(ctx), call->sent_us, call->away_us,
						  ctx->opts.timeout_us);

	call->in_flight = false;
	call->generation++;
	call->away_us = p.away_us;
	if (p.give_up) {
		p4a_fail(&ctx->err, err, "%s: no answer from the allocator (%s)", call->kind->name,
			 strerror(-err));
		fail(ctx, -ETIMEDOUT);
		return;
	}
	call->retry_us = now_us(ctx) + call->backoff_us;
	call->backoff_us *= 2;
	if (call->backoff_us > BACKOFF_MAX_US)
		call->backoff_us = BACKOFF_MAX_US;
}

static void failed_attempt(struct p4a_ctx *ctx, int err)
{
	if (p4a_call_is_away(err)) {
		send_again_later(ctx, err);
		return;
	}
	p4a_fail(&ctx->err, err, "%s: %s", ctx->call.kind->name, strerror(-err));
	fail(ctx, err);
}

void p4a_call_send(struct p4a_ctx *ctx)
{
	struct p4a_call *call = &ctx->call;
	int rc;

	call->retry_us = 0;
	call->sent_us = now_us(ctx);
	call->in_flight = true;
	rc = ctx->io->ops->send_msg(ctx->io, P4A_CALL_COOKIE | call->generation,
				    call->long_msg ? call->long_msg : call->msg, call->len);
	if (rc)
		failed_attempt(ctx, rc);
}

void p4a_call_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	struct p4a_call *call = &ctx->call;
	int rc;

	if (!call->kind || !call->in_flight || ev->cookie != (P4A_CALL_COOKIE | call->generation))
		return;
	if (ev->err) {
		failed_attempt(ctx, ev->err);
		return;
	}
	call->in_flight = false;
	call->generation++;
	rc = p4a_msg_check(ev->data, ev->len, call->batch, &ctx->err);
	if (rc >= 0)
		rc = call->kind->answer(ctx, rc, ev->data);
	if (rc < 0)
		fail(ctx, rc);
	else
		p4a_call_finish(ctx, rc);
}

static uint64_t deadline_us(const struct p4a_ctx *ctx)
{
	const struct p4a_call *call = &ctx->call;
	uint64_t since = call->away_us ? call->away_us : call->sent_us;

	return call->kind->patient ? 0 : since + ctx->opts.timeout_us;
}

uint64_t p4a_call_next_us(const struct p4a_ctx *ctx)
{
	const struct p4a_call *call = &ctx->call;

	if (!call->kind || call->finished)
		return 0;
	if (call->retry_us)
		return call->retry_us;
	return call->in_flight ? deadline_us(ctx) : 0;
}

void p4a_call_tick(struct p4a_ctx *ctx)
{
	struct p4a_call *call = &ctx->call;
	uint64_t next = p4a_call_next_us(ctx);

	if (!next || now_us(ctx) < next)
		return;
	if (call->retry_us) {
		p4a_call_send(ctx);
		return;
	}
	call->generation++;
	p4a_fail(&ctx->err, 0, "%s: no answer from the allocator in %u us", call->kind->name,
		 ctx->opts.timeout_us);
	fail(ctx, -ETIMEDOUT);
}

int p4a_call_join(struct p4a_ctx *ctx)
{
	while (!ctx->call.finished)
		p4a_pump(ctx, -1);
	ctx->call.kind = NULL;
	return ctx->call.result;
}

int p4a_call_detach(struct p4a_ctx *ctx, void *user)
{
	ctx->call.async = true;
	ctx->call.user = user;
	return 0;
}
