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

#include "call.h"
#include "logged.h"

static void move(struct p4a_ctx *ctx, enum p4a_event event)
{
	int after = p4a_state_after(ctx->state, event);

	if (after >= 0)
		ctx->state = after;
}

static int wrong_type(struct p4a_ctx *ctx, int type)
{
	return p4a_fail(&ctx->err, -EBADMSG, "%s: answer of type 0x%02x is not one to this",
			ctx->call.kind->name, type);
}

/* The allocator has taken the blocks back. */
static int expire(struct p4a_ctx *ctx, int err)
{
	struct p4a_error text = ctx->err;

	if (err != -ESTALE)
		return err;
	p4a_logged_end(ctx);
	p4a_hold(ctx, NULL);
	ctx->err = text;
	move(ctx, P4A_EV_EXPIRE);
	return err;
}

static void send_plain(struct p4a_ctx *ctx, enum p4w_msg_type type, uint32_t batch, uint32_t code)
{
	ctx->call.batch = batch;
	ctx->call.len = p4a_msg_plain(ctx->call.msg, &ctx->self, type, batch, code);
	p4a_call_send(ctx);
}

/* What a public function does after begin: both forms of each call end here. */
static int join(struct p4a_ctx *ctx, int rc)
{
	return rc ? rc : p4a_call_join(ctx);
}

static int detach(struct p4a_ctx *ctx, int rc, void *user)
{
	return rc ? rc : p4a_call_detach(ctx, user);
}

/* Takes begin back: the call has failed before it began. */
static int cancel(struct p4a_ctx *ctx, int rc)
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
		return wrong_type(ctx, type);
	rc = p4a_msg_read_welcome(msg, &w, &ctx->err);
	if (rc)
		return rc;
	if (w.geo.registers != ctx->geo.registers || w.geo.blocks != ctx->geo.blocks)
		return p4a_fail(&ctx->err, -ENOTUNIQ, "geometry: %u registers and %u blocks are set on "
				"this host, %u and %u at the allocator", ctx->geo.registers,
				ctx->geo.blocks, w.geo.registers, w.geo.blocks);
	ctx->welcome = w;
	ctx->next_batch = w.batch;
	p4a_set_cold(ctx, P4A_HOT, "");
	move(ctx, P4A_EV_HELLO);
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
	move(ctx, P4A_EV_HELLO);
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
		send_plain(ctx, P4W_HELLO, 0, 0);
		return 0;
	}
	if (!ctx->next_batch)
		ctx->next_batch = 1;
	move(ctx, P4A_EV_HELLO);
	p4a_call_finish(ctx, 0);
	return 0;
}

int p4a_hello(struct p4a_ctx *ctx)
{
	return join(ctx, hello(ctx));
}

int p4a_hello_async(struct p4a_ctx *ctx, void *user)
{
	return detach(ctx, hello(ctx), user);
}

/* ---- request, wait for the grant ---- */

static void ask(struct p4a_ctx *ctx, uint32_t batch)
{
	ctx->batch = batch;
	ctx->next_batch = batch + 1;
	move(ctx, P4A_EV_REQUEST);
}

static int take_grant(struct p4a_ctx *ctx, const void *msg)
{
	struct p4a_grant g;
	int rc = p4a_msg_read_granted(msg, &ctx->geo, &g, &ctx->err);

	if (!rc)
		rc = p4a_hold(ctx, &g);
	if (rc)
		return rc;
	move(ctx, P4A_EV_GRANT);
	p4a_logged_grant(ctx);
	return ctx->grant.blocks;
}

static int request_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	int rc;

	if (type != P4W_GRANTED && type != P4W_RESERVED)
		return wrong_type(ctx, type);
	ask(ctx, ctx->call.batch);
	if (type == P4W_RESERVED) {
		p4a_msg_read_reserved(msg, &ctx->reserved);
		return 0;
	}
	memset(&ctx->reserved, 0, sizeof(ctx->reserved));
	rc = take_grant(ctx, msg);
	return rc < 0 ? rc : 1;
}

static const struct p4a_call_kind request_kind = {
	.name = "request", .event = P4A_EV_REQUEST, .answer = request_answer, .failed = expire,
};

static int out_of_range(struct p4a_ctx *ctx, const char *field, uint32_t got, uint32_t min,
			uint32_t max)
{
	return p4a_fail(&ctx->err, -EINVAL, "%s = %u: must be %u .. %u", field, got, min, max);
}

static int check_demand(struct p4a_ctx *ctx, const struct p4a_demand *d)
{
	if (d->start_us > P4W_DURATION_MAX_US)
		return out_of_range(ctx, "start_us", d->start_us, 0, P4W_DURATION_MAX_US);
	if (!d->duration_us || d->duration_us > ctx->welcome.lease_max_us)
		return out_of_range(ctx, "duration_us", d->duration_us, 1, ctx->welcome.lease_max_us);
	if (!d->want_blocks || d->want_blocks > ctx->geo.blocks)
		return out_of_range(ctx, "want_blocks", d->want_blocks, 1, ctx->geo.blocks);
	if (!d->min_blocks || d->min_blocks > d->want_blocks)
		return out_of_range(ctx, "min_blocks", d->min_blocks, 1, d->want_blocks);
	if (!d->flows || d->flows > ctx->welcome.flows)
		return out_of_range(ctx, "flows", d->flows, 1, ctx->welcome.flows);
	if (!ctx->layout)
		return p4a_fail(&ctx->err, -ENODATA, "request: p4a_use_layout() comes first");
	return 0;
}

static int request_cold(struct p4a_ctx *ctx)
{
	ask(ctx, ctx->next_batch);
	move(ctx, P4A_EV_GRANT);
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
	if (p4a_is_cold(ctx))
		return request_cold(ctx);
	rc = check_demand(ctx, demand);
	if (!rc && flags)
		rc = p4a_hold(ctx, NULL);
	if (rc)
		return cancel(ctx, rc);
	ctx->call.batch = ctx->next_batch;
	rc = p4a_layout_histogram(ctx->layout, hist);
	ctx->call.len = p4a_msg_request(ctx->call.msg, &ctx->self, ctx->call.batch, flags, demand,
					hist, rc);
	p4a_call_send(ctx);
	return 0;
}

int p4a_request(struct p4a_ctx *ctx, const struct p4a_demand *demand)
{
	return join(ctx, request(ctx, demand));
}

int p4a_request_async(struct p4a_ctx *ctx, const struct p4a_demand *demand, void *user)
{
	return detach(ctx, request(ctx, demand), user);
}

static int wait_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	return type == P4W_GRANTED ? take_grant(ctx, msg) : wrong_type(ctx, type);
}

static const struct p4a_call_kind wait_kind = {
	.name = "wait for the grant", .event = P4A_EV_GRANT, .patient = true,
	.answer = wait_answer, .failed = expire,
};

static int wait_grant(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &wait_kind);

	if (rc)
		return rc;
	if (p4a_is_cold(ctx) || ctx->state == P4A_GRANTED) {
		move(ctx, P4A_EV_GRANT);
		p4a_call_finish(ctx, ctx->grant.blocks);
		return 0;
	}
	send_plain(ctx, P4W_WAIT, ctx->batch, 0);
	return 0;
}

int p4a_wait_grant(struct p4a_ctx *ctx)
{
	return join(ctx, wait_grant(ctx));
}

int p4a_wait_grant_async(struct p4a_ctx *ctx, void *user)
{
	return detach(ctx, wait_grant(ctx), user);
}

/* ---- lock bits ---- */

static int set_layout(struct p4a_ctx *ctx, const struct p4a_lock_bit *bits, int n)
{
	int rc = p4a_layout_relock(ctx->call.layout, ctx->layout, bits, n);

	if (rc)
		return p4a_fail(&ctx->err, rc, "%s: no memory for a layout", ctx->call.kind->name);
	move(ctx, P4A_EV_LOCKS);
	return n;
}

static int locks_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	struct p4a_lock_bit bits[P4W_LOCK_KEYS_MAX];
	int n;

	if (type != P4W_LOCKS)
		return wrong_type(ctx, type);
	n = p4a_msg_read_locks(msg, bits, &ctx->err);
	return n < 0 ? n : set_layout(ctx, bits, n);
}

static const struct p4a_call_kind locks_kind = {
	.name = "lock info", .event = P4A_EV_LOCKS, .patient = true,
	.answer = locks_answer, .failed = expire,
};

static int by_key(const void *pa, const void *pb)
{
	const struct p4a_key_count *a = pa, *b = pb;

	return (a->key > b->key) - (a->key < b->key);
}

static int by_count(const void *pa, const void *pb)
{
	const struct p4a_key_count *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return by_key(pa, pb);
}

/* Each key once, with the sum of its counts; the heaviest if they are too many; ascending. */
static size_t condense(struct p4a_key_count *kc, size_t n)
{
	size_t i, kept = 0;

	qsort(kc, n, sizeof(*kc), by_key);
	for (i = 0; i < n; i++) {
		if (!kc[i].count)
			continue;
		if (kc[i].count > UINT32_MAX)	/* more than a message can say */
			kc[i].count = UINT32_MAX;
		if (kept && kc[kept - 1].key == kc[i].key)
			kc[kept - 1].count += kc[i].count;
		else
			kc[kept++] = kc[i];
	}
	if (kept <= P4A_MAX_LOCK_KEYS)
		return kept;
	qsort(kc, kept, sizeof(*kc), by_count);
	qsort(kc, P4A_MAX_LOCK_KEYS, sizeof(*kc), by_key);
	return P4A_MAX_LOCK_KEYS;
}

static int send_lock_info(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n)
{
	struct p4a_key_count *copy = malloc((n + 1) * sizeof(*copy));
	void *msg = malloc(P4A_MSG_LOCK_INFO_MAX);

	if (!copy || !msg) {
		free(copy);
		free(msg);
		return p4a_fail(&ctx->err, -ENOMEM, "lock info: no memory for %zu keys", n);
	}
	if (n)
		memcpy(copy, kc, n * sizeof(*kc));
	ctx->call.batch = ctx->batch;
	ctx->call.long_msg = msg;
	ctx->call.len = p4a_msg_lock_info(msg, &ctx->self, ctx->batch, copy, condense(copy, n));
	free(copy);
	p4a_call_send(ctx);
	return 0;
}

static int lock_info(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
		     struct p4a_layout **out)
{
	int rc = p4a_call_begin(ctx, &locks_kind);

	if (rc)
		return rc;
	if (!ctx->layout)
		return cancel(ctx, p4a_fail(&ctx->err, -ENODATA,
					    "lock info: p4a_use_layout() comes first"));
	ctx->call.layout = out;
	if (p4a_is_cold(ctx)) {
		p4a_call_finish(ctx, set_layout(ctx, NULL, 0));
		return 0;
	}
	rc = send_lock_info(ctx, kc, n);
	return rc ? cancel(ctx, rc) : 0;
}

int p4a_lock_info(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
		  struct p4a_layout **out)
{
	return join(ctx, lock_info(ctx, kc, n, out));
}

int p4a_lock_info_async(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
			struct p4a_layout **out, void *user)
{
	return detach(ctx, lock_info(ctx, kc, n, out), user);
}

/* ---- barriers ---- */

static int sync_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_SYNCED)
		return wrong_type(ctx, type);
	move(ctx, ctx->call.kind->event);
	if (ctx->call.kind->event == P4A_EV_FILLED)
		p4a_logged_all_begun(ctx);
	else
		p4a_logged_end(ctx);
	return 0;
}

static const struct p4a_call_kind filled_kind = {
	.name = "sync (filled)", .event = P4A_EV_FILLED, .patient = true,
	.answer = sync_answer, .failed = expire,
};

static const struct p4a_call_kind ran_kind = {
	.name = "sync (ran)", .event = P4A_EV_RAN, .patient = true,
	.answer = sync_answer, .failed = expire,
};

static int sync_phase(struct p4a_ctx *ctx, enum p4a_phase phase)
{
	const struct p4a_call_kind *kind = phase == P4A_RAN ? &ran_kind : &filled_kind;
	int rc;

	if (phase != P4A_FILLED && phase != P4A_RAN)
		return out_of_range(ctx, "phase", phase, P4A_FILLED, P4A_RAN);
	rc = p4a_call_begin(ctx, kind);
	if (rc)
		return rc;
	if (ctx->outstanding)
		return cancel(ctx, p4a_fail(&ctx->err, -EBUSY, "%s: %u transactions are outstanding",
					    kind->name, ctx->outstanding));
	if (p4a_is_cold(ctx)) {
		move(ctx, kind->event);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	send_plain(ctx, P4W_SYNC, ctx->batch, phase);
	return 0;
}

int p4a_sync(struct p4a_ctx *ctx, enum p4a_phase phase)
{
	return join(ctx, sync_phase(ctx, phase));
}

int p4a_sync_async(struct p4a_ctx *ctx, enum p4a_phase phase, void *user)
{
	return detach(ctx, sync_phase(ctx, phase), user);
}

/* ---- done, leave ---- */

static int done_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_FREED)
		return wrong_type(ctx, type);
	move(ctx, P4A_EV_DONE);
	return 0;
}

static const struct p4a_call_kind done_kind = {
	.name = "done", .event = P4A_EV_DONE, .answer = done_answer, .failed = expire,
};

static int done(struct p4a_ctx *ctx)
{
	int rc = p4a_call_begin(ctx, &done_kind);

	if (rc)
		return rc;
	if (p4a_is_cold(ctx)) {
		move(ctx, P4A_EV_DONE);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	rc = p4a_hold(ctx, NULL);
	if (rc)
		return cancel(ctx, rc);
	send_plain(ctx, P4W_DONE, ctx->batch, 0);
	return 0;
}

int p4a_done(struct p4a_ctx *ctx)
{
	return join(ctx, done(ctx));
}

int p4a_done_async(struct p4a_ctx *ctx, void *user)
{
	return detach(ctx, done(ctx), user);
}

/* Whatever the allocator says, this node is gone: that is what its user wants. */
static int leave_failed(struct p4a_ctx *ctx, int err)
{
	move(ctx, P4A_EV_LEAVE);
	return err == -ESTALE ? 0 : err;
}

static int leave_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	if (type != P4W_LEFT)
		return wrong_type(ctx, type);
	move(ctx, P4A_EV_LEAVE);
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
	p4a_logged_end(ctx);
	p4a_hold(ctx, NULL);
	if (p4a_is_cold(ctx)) {
		move(ctx, P4A_EV_LEAVE);
		p4a_call_finish(ctx, 0);
		return 0;
	}
	send_plain(ctx, P4W_LEAVE, batch, 0);
	return 0;
}

int p4a_leave(struct p4a_ctx *ctx)
{
	return join(ctx, leave(ctx));
}

int p4a_leave_async(struct p4a_ctx *ctx, void *user)
{
	return detach(ctx, leave(ctx), user);
}

/* ---- escrow ---- */

static int fetch_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	int n;

	if (type != P4W_ESCROW)
		return wrong_type(ctx, type);
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
	send_plain(ctx, P4W_FETCH, batch, first);
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
