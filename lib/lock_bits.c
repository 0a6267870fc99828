// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lock_bits.c - p4a_lock_info(): agrees with the tenant's other nodes which key has which lock bit in
 * this batch, and makes a layout of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

static int set_layout(struct p4a_ctx *ctx, const struct p4a_lock_bit *bits, int n)
{
	int rc = p4a_layout_relock(ctx->call.layout, ctx->layout, bits, n);

	if (rc)
		return p4a_fail(&ctx->err, rc, "%s: no memory for a layout", ctx->call.kind->name);
	p4a_batch_move(ctx, P4A_EV_LOCKS);
	return n;
}

static int locks_answer(struct p4a_ctx *ctx, int type, const void *msg)
{
	struct p4a_lock_bit bits[P4W_LOCK_KEYS_MAX];
	int n;

	if (type != P4W_LOCKS)
		return p4a_batch_wrong_type(ctx, type);
	n = p4a_msg_read_locks(msg, bits, &ctx->err);
	return n < 0 ? n : set_layout(ctx, bits, n);
}

static const struct p4a_call_kind locks_kind = {
	.name = "lock info", .event = P4A_EV_LOCKS, .patient = true,
	.answer = locks_answer, .failed = p4a_batch_expire,
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
		return p4a_batch_cancel(ctx, p4a_fail(&ctx->err, -ENODATA,
					    "lock info: p4a_use_layout() comes first"));
	ctx->call.layout = out;
	if (p4a_is_cold(ctx)) {
		p4a_call_finish(ctx, set_layout(ctx, NULL, 0));
		return 0;
	}
	rc = send_lock_info(ctx, kc, n);
	return rc ? p4a_batch_cancel(ctx, rc) : 0;
}

int p4a_lock_info(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
		  struct p4a_layout **out)
{
	return p4a_batch_join(ctx, lock_info(ctx, kc, n, out));
}

int p4a_lock_info_async(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
			struct p4a_layout **out, void *user)
{
	return p4a_batch_detach(ctx, lock_info(ctx, kc, n, out), user);
}
