// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * txn.c - transactions on their way to the switch: slots, submission, results.
 *
 * As many slots are in use as the allocator granted flows, so the kernel never has to make one wait.
 */
#include <errno.h>
#include <string.h>

#include "call.h"
#include "logged.h"

#define GENERATION_SHIFT	16	/* cookie: generation << 16 | slot; bit 63 is the call's */

_Static_assert(P4A_MAX_INSTRS == HOMA_TXN_MAX_INSTRS, "the kernel's limit");

static uint64_t cookie(const struct p4a_ctx *ctx, uint32_t i)
{
	return (uint64_t)ctx->slots[i].generation << GENERATION_SHIFT | i;
}

uint32_t p4a_slot_take(struct p4a_ctx *ctx, enum p4a_slot_use use)
{
	uint32_t i = ctx->free_slot;

	if (i == P4A_NO_SLOT || ctx->outstanding >= ctx->grant.flow_count)
		return P4A_NO_SLOT;
	ctx->free_slot = ctx->slots[i].next;
	ctx->slots[i].use = use;
	ctx->slots[i].generation++;
	ctx->outstanding++;
	return i;
}

void p4a_slot_put(struct p4a_ctx *ctx, uint32_t i)
{
	ctx->slots[i].use = P4A_SLOT_FREE;
	ctx->slots[i].next = ctx->free_slot;
	ctx->free_slot = i;
	ctx->outstanding--;
}

/* 0 or -errno. A slot may be sent again after its event has come: as a new one, to the switch. */
int p4a_slot_send(struct p4a_ctx *ctx, uint32_t i)
{
	return ctx->io->ops->send_txn(ctx->io, cookie(ctx, i), &ctx->slots[i].txn);
}

void p4a_txn_ready(struct p4a_ctx *ctx, uint32_t i)
{
	ctx->slots[i].use = P4A_SLOT_READY;
	ctx->slots[i].next = P4A_NO_SLOT;
	if (ctx->ready_first == P4A_NO_SLOT)
		ctx->ready_first = i;
	else
		ctx->slots[ctx->ready_last].next = i;
	ctx->ready_last = i;
}

/* What became of a transaction that got no reply. ESTALE of a send: the kernel holds no blocks. */
static void no_reply(struct p4a_completion *c, const struct p4a_io_event *ev)
{
	c->err = ev->err;
	c->status = P4A_TXN_UNKNOWN;
	if (!ev->unsent)
		return;
	c->status = P4A_TXN_UNSENT;
	if (ev->err != -ESTALE)
		return;
	c->status = P4A_TXN_STALE;
	c->err = 0;
}

static void reply(struct p4a_completion *c, const struct homa_txn *txn,
		  const struct p4a_io_event *ev)
{
	const struct homa_txn_result *r = ev->data;

	if (ev->len != sizeof(*r) || r->status > P4A_TXN_MALFORMED || r->count != txn->count) {
		c->err = -EBADMSG;
		c->status = P4A_TXN_UNKNOWN;
		return;
	}
	c->status = r->status;
	c->retries = r->retries;
	c->epoch = r->epoch;
	if (r->status != P4A_TXN_OK)
		return;
	c->count = r->count;
	c->serial = r->serial;
	memcpy(c->result, r->result, sizeof(r->result[0]) * r->count);
}

void p4a_txn_event(struct p4a_ctx *ctx, const struct p4a_io_event *ev)
{
	uint32_t i = ev->cookie & ((1u << GENERATION_SHIFT) - 1);
	struct p4a_slot *s;

	if (i >= ctx->opts.depth || ev->cookie != cookie(ctx, i))
		return;
	s = &ctx->slots[i];
	if (s->use != P4A_SLOT_USER && s->use != P4A_SLOT_CELLS)
		return;
	if (ev->err)
		no_reply(&s->done, ev);
	else
		reply(&s->done, &s->txn, ev);
	if (s->use == P4A_SLOT_CELLS)
		p4a_cells_event(ctx, i, ev);
	else if (ctx->log)
		p4a_logged_result(ctx, i);
	else
		p4a_txn_ready(ctx, i);
}

void p4a_txn_break(struct p4a_ctx *ctx)
{
	const struct p4a_io_event dead = { .err = -EIO };
	uint32_t i;

	if (ctx->log)
		p4a_logged_break(ctx);
	for (i = 0; i < ctx->opts.depth; i++) {
		struct p4a_slot *s = &ctx->slots[i];

		if (s->use == P4A_SLOT_CELLS)
			p4a_slot_put(ctx, i);
		if (s->use != P4A_SLOT_USER)
			continue;
		no_reply(&s->done, &dead);
		p4a_txn_ready(ctx, i);
	}
}

unsigned int p4a_take_ready(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max)
{
	unsigned int n = 0;

	while (n < max && ctx->ready_first != P4A_NO_SLOT) {
		uint32_t i = ctx->ready_first;

		ctx->ready_first = ctx->slots[i].next;
		out[n++] = ctx->slots[i].done;
		p4a_slot_put(ctx, i);
	}
	return n;
}

static int check_plan(struct p4a_ctx *ctx, const struct p4a_plan *plan)
{
	unsigned int i;

	if (!plan->count || plan->count > P4A_MAX_INSTRS)
		return p4a_fail(&ctx->err, -EINVAL, "plan: count %u, must be 1 .. %d", plan->count,
				P4A_MAX_INSTRS);
	for (i = 0; i < plan->count; i++)
		if (plan->instr[i].slot >= ctx->usable * P4A_BLOCK_SLOTS)
			return p4a_fail(&ctx->err, -EINVAL, "plan: slot %u, must be 0 .. %u",
					plan->instr[i].slot,
					ctx->usable * P4A_BLOCK_SLOTS - 1);
	return 0;
}

static void fill_in(struct homa_txn *t, const struct p4a_plan *plan, uint64_t epoch)
{
	unsigned int i;

	*t = (struct homa_txn) {
		.epoch = epoch, .count = plan->count,
		.lock_check = plan->lock_check, .lock_acquire = plan->lock_acquire,
	};
	for (i = 0; i < plan->count; i++)
		t->instr[i] = (struct homa_txn_instr) {
			.reg = plan->instr[i].reg, .op = plan->instr[i].op,
			.slot = plan->instr[i].slot, .operand = plan->instr[i].operand,
		};
}

/* From the moment that the others are told so, no transaction of this node may come any more. */
static bool is_ending(const struct p4a_ctx *ctx)
{
	const struct p4a_call *call = &ctx->call;

	return ctx->said_ran || (call->kind && !call->finished &&
				 call->kind->event == P4A_EV_LEAVE);
}

int p4a_txn_submit(struct p4a_ctx *ctx, const struct p4a_plan *plan, void *user)
{
	uint32_t i;
	int rc;

	if (p4a_state_after(ctx->state, P4A_EV_TXN) < 0)
		return p4a_fail(&ctx->err, -EPROTO, "transaction: not in state %s",
				p4a_state_name(ctx->state));
	if (is_ending(ctx))
		return p4a_fail(&ctx->err, -EPROTO, "transaction: not after sync (ran) or leave");
	if (ctx->broken)
		return p4a_fail(&ctx->err, -EIO, "transaction: socket or ring failed: %s",
				strerror(-ctx->broken));
	rc = check_plan(ctx, plan);
	if (rc)
		return rc;
	i = p4a_slot_take(ctx, P4A_SLOT_USER);
	if (i == P4A_NO_SLOT)
		return -EAGAIN;
	fill_in(&ctx->slots[i].txn, plan, ctx->grant.epoch);
	ctx->slots[i].done = (struct p4a_completion) {
		.user = user, .kind = P4A_KIND_TXN, .epoch = ctx->grant.epoch,
	};
	rc = ctx->log ? p4a_logged_intent(ctx, i) : p4a_slot_send(ctx, i);
	if (rc)
		p4a_slot_put(ctx, i);
	return rc;
}
