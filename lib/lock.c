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
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "call.h"
#include "lock.h"

#define BACKOFF_MIN_US	10000
#define BACKOFF_MAX_US	1000000
#define INDEX_BITS	16

static const char *name_of(const struct p4a_lock_op *op)
{
	return op->type == P4W_UNLOCK ? "unlock" : op->extends ? "lock extension" : "lock";
}

static uint64_t now_us(const struct p4a_ctx *ctx)
{
	return ctx->io->ops->now_us(ctx->io);
}

/* ---- ops ---- */

static int make_ops(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint32_t i;

	if (l->op && l->owner)
		return 0;
	free(l->op);
	l->op = calloc(ctx->opts.depth, sizeof(*l->op));
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

static void finish(struct p4a_ctx *ctx, uint32_t i, int result)
{
	struct p4a_locks *l = &ctx->locks;
	struct p4a_lock_op *op = &l->op[i];

	op->use = P4A_LOCK_OVER;
	op->result = result;
	op->generation++;
	if (!result && op->out)
		*op->out = op->hold;
	if (!op->async)
		return;
	op->next = P4A_NO_SLOT;
	if (l->over_first == P4A_NO_SLOT)
		l->over_first = i;
	else
		l->op[l->over_last].next = i;
	l->over_last = i;
}

/* ---- sending ---- */

/* Patience beyond what the allocator was told to wait. */
static uint64_t deadline_us(const struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	uint64_t since = op->away_us ? op->away_us : op->sent_us;
	uint64_t waited = op->began_us + op->wait_us;

	return (waited > since ? waited : since) + ctx->opts.timeout_us;
}

static void note_due(struct p4a_ctx *ctx, const struct p4a_lock_op *op)
{
	uint64_t due = op->retry_us ? op->retry_us : deadline_us(ctx, op);

	if (!ctx->locks.due_us || due < ctx->locks.due_us)
		ctx->locks.due_us = due;
}

static void failed_attempt(struct p4a_ctx *ctx, uint32_t i, int err)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	struct p4a_patience p = p4a_call_patience(now_us(ctx), op->sent_us, op->away_us,
						  ctx->opts.timeout_us);

	if (!p4a_call_is_away(err)) {
		finish(ctx, i, p4a_fail(&ctx->err, err, "%s: %s", name_of(op), strerror(-err)));
		return;
	}
	op->generation++;
	op->away_us = p.away_us;
	if (p.give_up) {
		finish(ctx, i, p4a_fail(&ctx->err, -ETIMEDOUT, "%s: no answer from the allocator (%s)",
					name_of(op), strerror(-err)));
		return;
	}
	op->retry_us = now_us(ctx) + op->backoff_us;
	op->backoff_us = op->backoff_us < BACKOFF_MAX_US / 2 ? 2 * op->backoff_us : BACKOFF_MAX_US;
	note_due(ctx, op);
}

static void send_op(struct p4a_ctx *ctx, uint32_t i)
{
	struct p4a_lock_op *op = &ctx->locks.op[i];
	uint64_t cookie = P4A_LOCK_COOKIE | (uint64_t)op->generation << INDEX_BITS | i;
	uint8_t msg[P4A_MSG_MAX];
	uint64_t waited;
	uint32_t len;
	int rc;

	op->use = P4A_LOCK_UNDER_WAY;
	op->retry_us = 0;
	op->sent_us = now_us(ctx);
	waited = op->sent_us - op->began_us;
	len = p4a_msg_lock(msg, &ctx->self, op->type, &op->hold,
			   waited < op->wait_us ? op->wait_us - waited : 0);
	note_due(ctx, op);
	rc = ctx->io->ops->send_msg(ctx->io, cookie, msg, len);
	if (rc)
		failed_attempt(ctx, i, rc);
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
		     op->type, &op->hold, 0);
	b->part[b->n].op = i;
	b->part[b->n++].generation = op->generation;
	note_due(ctx, op);
}

/* Each op alone, unless it has ended meanwhile. */
static void bundle_failed(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, int err)
{
	uint32_t k;

	for (k = 0; k < b->n; k++) {
		uint32_t i = b->part[k].op;

		if (ctx->locks.op[i].generation != b->part[k].generation)
			continue;
		if (err == -EOPNOTSUPP)
			send_op(ctx, i);
		else
			failed_attempt(ctx, i, err);
	}
	b->n = 0;
}

static void send_bundle(struct p4a_ctx *ctx, struct p4a_lock_bundle *b, uint32_t i)
{
	uint8_t msg[P4A_MSG_BUNDLE_MAX];
	uint64_t cookie;
	int rc;

	for (; i != P4A_NO_SLOT && b->n < P4W_BUNDLE_MAX; i = take_queued(&ctx->locks))
		put_part(ctx, b, i, msg);
	cookie = P4A_LOCK_COOKIE | P4A_LOCK_BUNDLE | (uint64_t)++b->generation << INDEX_BITS |
		 (b - ctx->locks.bundle);
	rc = ctx->io->ops->send_msg(ctx->io, cookie, msg, p4a_msg_bundle(msg, &ctx->self, b->n));
	if (rc)
		bundle_failed(ctx, b, rc);
	if (i != P4A_NO_SLOT)
		send_op(ctx, i);
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
			send_op(ctx, i);
	}
}

/* ---- answers ---- */

/*
 * What is left of the lease, at least. The allocator has counted from when it got this attempt, which
 * was not before it was sent.
 */
static uint32_t lease_left(uint64_t now, uint64_t sent_us, uint32_t waited_us, uint32_t lease_us)
{
	uint64_t until = sent_us + waited_us + lease_us;

	return until <= now ? 0 : until - now < lease_us ? until - now : lease_us;
}

static int read_locked(struct p4a_ctx *ctx, struct p4a_lock_op *op, const void *msg)
{
	uint32_t waited_us;
	int rc = p4a_msg_read_locked(msg, &op->hold, &waited_us, &ctx->err);

	if (!rc)
		op->hold.lease_us = lease_left(now_us(ctx), op->sent_us, waited_us,
					       op->hold.lease_us);
	return rc;
}

static int read_answer(struct p4a_ctx *ctx, struct p4a_lock_op *op, const void *data, uint32_t len)
{
	int type = p4a_msg_check(data, len, 0, &ctx->err);

	if (type < 0)
		return type;
	if (type == P4W_LOCKED && op->type == P4W_LOCK)
		return read_locked(ctx, op, data);
	if (type != P4W_UNLOCKED || op->type != P4W_UNLOCK)
		return p4a_fail(&ctx->err, -EBADMSG, "%s: answer of type 0x%02x is not one to this",
				name_of(op), type);
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
	int rc = read_answer(ctx, &ctx->locks.op[i], data, len);

	if (rc == -ETIME && may_wait(ctx, &ctx->locks.op[i]))
		send_op(ctx, i);
	else
		finish(ctx, i, rc);
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
	uint32_t i = ev->cookie & ((1u << INDEX_BITS) - 1);
	struct p4a_lock_bundle *b;
	int rc = ev->err;

	if (!ctx->locks.bundle || i >= P4A_LOCK_BUNDLES)
		return;
	b = &ctx->locks.bundle[i];
	if (!b->n || (uint32_t)(ev->cookie >> INDEX_BITS) != b->generation)
		return;
	if (!rc)
		rc = p4a_msg_check(ev->data, ev->len, 0, &ctx->err);
	if (rc == P4W_BUNDLED) {
		read_parts(ctx, b, ev->data, ev->len);
		return;
	}
	ctx->locks.no_bundles |= rc == -EOPNOTSUPP;
	bundle_failed(ctx, b, rc < 0 ? rc : -EBADMSG);
}

void p4a_locks_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	uint32_t i = ev->cookie & ((1u << INDEX_BITS) - 1);
	struct p4a_lock_op *op;

	if (ev->cookie & P4A_LOCK_BUNDLE) {
		bundle_event(ctx, ev);
		return;
	}
	if (!ctx->locks.op || i >= ctx->opts.depth)
		return;
	op = &ctx->locks.op[i];
	if (op->use != P4A_LOCK_UNDER_WAY || op->retry_us ||
	    ev->cookie != (P4A_LOCK_COOKIE | (uint64_t)op->generation << INDEX_BITS | i))
		return;
	if (ev->err)
		failed_attempt(ctx, i, ev->err);
	else
		finish(ctx, i, read_answer(ctx, op, ev->data, ev->len));
}

void p4a_locks_tick(struct p4a_ctx *ctx)
{
	struct p4a_locks *l = &ctx->locks;
	uint64_t now;
	uint32_t i;

	if (!l->due_us || (now = now_us(ctx)) < l->due_us)
		return;
	l->due_us = 0;
	for (i = 0; i < ctx->opts.depth; i++) {
		struct p4a_lock_op *op = &l->op[i];

		if (op->use != P4A_LOCK_UNDER_WAY)
			continue;
		if (op->retry_us && op->retry_us <= now)
			send_op(ctx, i);
		else if (!op->retry_us && deadline_us(ctx, op) <= now)
			finish(ctx, i, p4a_fail(&ctx->err, -ETIMEDOUT,
						"%s: no answer from the allocator", name_of(op)));
		else
			note_due(ctx, op);
	}
}

uint64_t p4a_locks_next_us(const struct p4a_ctx *ctx)
{
	return ctx->locks.busy ? ctx->locks.due_us : 0;
}

/* The back end has failed: nothing will be answered. */
void p4a_locks_break(struct p4a_ctx *ctx)
{
	uint32_t i;

	for (i = 0; ctx->locks.busy && i < ctx->opts.depth; i++)
		if (ctx->locks.op[i].use == P4A_LOCK_UNDER_WAY ||
		    ctx->locks.op[i].use == P4A_LOCK_QUEUED)
			finish(ctx, i, -EIO);
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
			.user = l->op[i].user, .kind = P4A_KIND_LOCK, .err = l->op[i].result,
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
	rc = ctx->locks.op[i].result;
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
	do
		op->hold.owner = ++ctx->locks.owner;
	while (!op->hold.owner);
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
