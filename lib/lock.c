// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lock.c - calls to the lock service: begin, send, answer or retry, finish.
 *
 * Each call is an op; its cookie has the op's generation, so that the answer to an attempt that was
 * given up is dropped. The owner of a hold is unique, and the allocator knows by it whether it has
 * seen a request before, so an attempt that was lost is sent again.
 *
 * Ops wait in a queue until the context is pumped. Then a single one goes as it is, several in one
 * message; one of them that has to wait for its lock is sent again alone.
 *
 * A lock that has a cell is tried in the switch first. If that does not end well, for whatever
 * reason, the allocator is asked, which looks into the cell and finds the owner there or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "call.h"
#include "lock.h"

#define BACKOFF_MIN_US	10000

const char *p4a_lock_name_of(const struct p4a_lock_op *op)
{
	return op->type == P4W_UNLOCK ? "unlock" : op->extends ? "lock extension" : "lock";
}

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

/* ---- ops ---- */

/* The last op is not for calls: it asks for CELLS. */
uint32_t p4a_lock_nr_ops(const struct p4a_ctx *ctx)
{
	return ctx->opts.depth + 1;
}

static int make_ops(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint32_t i;

	if (l->op && l->owner)
		return 0;
	free(l->op);
	l->op = calloc(p4a_lock_nr_ops(ctx), sizeof(*l->op));
	if (!l->op)
		return p4a_fail(&ctx->err, -ENOMEM, "lock: no memory for %u calls", ctx->opts.depth);
	for (i = 0; i < ctx->opts.depth; i++)
		l->op[i].next = i + 1 < ctx->opts.depth ? i + 1 : P4A_NO_SLOT;
	if (ctx->opts.depth > 1) {
		l->bundle = calloc(P4A_LOCK_BUNDLES, sizeof(*l->bundle));
		if (!l->bundle)
			return p4a_fail(&ctx->err, -ENOMEM, "lock: no memory for bundles");
	}
	l->free = 0;
	l->over_first = l->queue_first = P4A_NO_SLOT;
	while (!l->owner)
		if (getrandom(&l->owner, sizeof(l->owner), 0) < 0)
			return p4a_fail(&ctx->err, -errno, "lock: no random number");
	return 0;
}

static int take_op(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint32_t i, generation;
	int rc;

	ctx->err.text[0] = 0;
	if (!ctx->io)
		return p4a_fail(&ctx->err, -ENOTCONN, "lock: %s", ctx->cold_text.text);
	if (ctx->broken)
		return p4a_fail(&ctx->err, -EIO, "lock: socket or ring failed: %s",
				strerror(-ctx->broken));
	rc = make_ops(ctx);
	if (rc)
		return rc;
	i = l->free;
	if (i == P4A_NO_SLOT)
		return p4a_fail(&ctx->err, -EAGAIN, "lock: %u calls are under way", l->busy);
	l->free = l->op[i].next;
	l->busy++;
	generation = l->op[i].generation + 1;
	l->op[i] = (struct p4a_lock_op) {
		.use = P4A_LOCK_QUEUED, .generation = generation, .backoff_us = BACKOFF_MIN_US,
		.began_us = now_us(ctx),
	};
	return i;
}

static void put_op(struct p4a_ctx *ctx, uint32_t i)
{
	ctx->locks.op[i].use = P4A_LOCK_FREE;
	ctx->locks.op[i].next = ctx->locks.free;
	ctx->locks.free = i;
	ctx->locks.busy--;
}

void p4a_lock_finish(struct p4a_ctx *ctx, uint32_t i, int result)
{
	struct p4a_locks *l = &ctx->locks;
	struct p4a_lock_op *op = &l->op[i];

	if (op->type == P4W_LOCK_CELLS) {
		op->use = P4A_LOCK_FREE;
		op->generation++;
		l->busy--;
		return;
	}

	op->use = P4A_LOCK_OVER;
	op->result = result;
	op->generation++;
	if (!op->async)
		return;
	op->next = P4A_NO_SLOT;
	if (l->over_first == P4A_NO_SLOT)
		l->over_first = i;
	else
		l->op[l->over_last].next = i;
	l->over_last = i;
}

/* Now the caller sees it, who may have been busy with something else since the answer came. */
static int hand_over(const struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	uint64_t until = op->hold.until_us, now;

	if (!op->result && op->out) {
		now = now_us(ctx);
		*op->out = op->hold;
		op->out->lease_us = until > now ? until - now : 0;
	}
	return op->result;
}

/* The back end has failed: nothing will be answered. */
void p4a_locks_break(struct p4a_ctx *ctx)
{
	uint32_t i;

	for (i = 0; ctx->locks.busy && i < p4a_lock_nr_ops(ctx); i++)
		if (ctx->locks.op[i].use == P4A_LOCK_UNDER_WAY ||
		    ctx->locks.op[i].use == P4A_LOCK_QUEUED)
			p4a_lock_finish(ctx, i, -EIO);
	ctx->locks.queue_first = P4A_NO_SLOT;
}

unsigned int p4a_locks_take(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max)
{
	struct p4a_locks *l = &ctx->locks;
	unsigned int n = 0;

	while (l->op && n < max && l->over_first != P4A_NO_SLOT) {
		uint32_t i = l->over_first;

		l->over_first = l->op[i].next;
		out[n++] = (struct p4a_completion) {
			.user = l->op[i].user, .kind = P4A_KIND_LOCK,
			.err = hand_over(ctx, &l->op[i]),
		};
		put_op(ctx, i);
	}
	return n;
}

/* ---- the calls ---- */

static void enqueue(struct p4a_locks *l, uint32_t i)
{
	l->op[i].next = P4A_NO_SLOT;
	if (l->queue_first == P4A_NO_SLOT)
		l->queue_first = i;
	else
		l->op[l->queue_last].next = i;
	l->queue_last = i;
}

/* Both forms end here: i is an op, or -errno. */
static int join(struct p4a_ctx *ctx, int i)
{
	int rc;

	if (i < 0)
		return i;
	enqueue(&ctx->locks, i);
	while (ctx->locks.op[i].use != P4A_LOCK_OVER)
		p4a_pump(ctx, -1);
	rc = hand_over(ctx, &ctx->locks.op[i]);
	put_op(ctx, i);
	return rc;
}

static int detach(struct p4a_ctx *ctx, int i, void *user)
{
	if (i < 0)
		return i;
	ctx->locks.op[i].async = true;
	ctx->locks.op[i].user = user;
	enqueue(&ctx->locks, i);
	return 0;
}

static int check_args(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
		      uint32_t wait_us)
{
	if (!len || len > P4A_LOCK_NAME || !*(const char *)name)
		return p4a_fail(&ctx->err, -EINVAL,
				"name: must have 1 .. %d bytes, the first not 0", P4A_LOCK_NAME);
	if (mode != P4A_LOCK_SHARED && mode != P4A_LOCK_EXCLUSIVE)
		return p4a_fail(&ctx->err, -EINVAL, "mode %d: must be %d or %d", mode,
				P4A_LOCK_SHARED, P4A_LOCK_EXCLUSIVE);
	if (wait_us > P4W_DURATION_MAX_US)
		return p4a_fail(&ctx->err, -EINVAL, "wait_us = %u: must be 0 .. %u", wait_us,
				P4W_DURATION_MAX_US);
	return 0;
}

static int check_lease(struct p4a_ctx *ctx, uint32_t lease_us)
{
	if (!lease_us || lease_us > P4W_DURATION_MAX_US)
		return p4a_fail(&ctx->err, -EINVAL, "lease_us = %u: must be 1 .. %u", lease_us,
				P4W_DURATION_MAX_US);
	return 0;
}

static int lock(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
		uint32_t lease_us, uint32_t wait_us, struct p4a_lock *out)
{
	struct p4a_lock_op *op;
	int i = check_args(ctx, name, len, mode, wait_us);

	if (!i)
		i = check_lease(ctx, lease_us);
	if (!i)
		i = take_op(ctx);
	if (i < 0)
		return i;
	op = &ctx->locks.op[i];
	op->type = P4W_LOCK;
	op->wait_us = wait_us;
	op->out = out;
	op->hold = (struct p4a_lock) { .mode = mode, .lease_us = lease_us };
	memcpy(op->hold.name, name, len);
	op->hold.owner = ctx->locks.owner = p4a_cell_next_owner(ctx->locks.owner);
	return i;
}

int p4a_lock(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
	     uint32_t lease_us, uint32_t wait_us, struct p4a_lock *out)
{
	return join(ctx, lock(ctx, name, len, mode, lease_us, wait_us, out));
}

int p4a_lock_async(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
		   uint32_t lease_us, uint32_t wait_us, struct p4a_lock *out, void *user)
{
	return detach(ctx, lock(ctx, name, len, mode, lease_us, wait_us, out), user);
}

/* A call about a hold. lease_us 0: it is given back. */
static int about(struct p4a_ctx *ctx, const struct p4a_lock *held, uint32_t lease_us)
{
	struct p4a_lock_op *op;
	int i;

	if (!held->token || !held->owner || !held->name[0])
		return p4a_fail(&ctx->err, -EINVAL, "lock: is not one that p4a_lock() has filled in");
	i = take_op(ctx);
	if (i < 0)
		return i;
	op = &ctx->locks.op[i];
	op->type = lease_us ? P4W_LOCK : P4W_UNLOCK;
	op->hold = *held;
	op->hold.lease_us = lease_us;
	return i;
}

static int extend(struct p4a_ctx *ctx, struct p4a_lock *held, uint32_t lease_us)
{
	int i = check_lease(ctx, lease_us);

	if (!i)
		i = about(ctx, held, lease_us);
	if (i < 0)
		return i;
	ctx->locks.op[i].extends = true;
	ctx->locks.op[i].out = held;
	return i;
}

int p4a_lock_extend(struct p4a_ctx *ctx, struct p4a_lock *held, uint32_t lease_us)
{
	return join(ctx, extend(ctx, held, lease_us));
}

int p4a_lock_extend_async(struct p4a_ctx *ctx, struct p4a_lock *held, uint32_t lease_us, void *user)
{
	return detach(ctx, extend(ctx, held, lease_us), user);
}

int p4a_unlock(struct p4a_ctx *ctx, const struct p4a_lock *held)
{
	return join(ctx, about(ctx, held, 0));
}

int p4a_unlock_async(struct p4a_ctx *ctx, const struct p4a_lock *held, void *user)
{
	return detach(ctx, about(ctx, held, 0), user);
}
