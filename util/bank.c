// SPDX-License-Identifier: GPL-2.0-or-later
/* bank.c - see bank.h. Pure, but for the sums in struct bank. */
#include <errno.h>

#include "bank.h"
#include "zipf.h"

#define AMOUNT_MAX 300

static uint32_t savings(const struct bank *b, uint32_t account)
{
	return account;
}

static uint32_t checking(const struct bank *b, uint32_t account)
{
	return b->accounts + account;
}

static uint32_t draw_account(const struct bank *b, struct rng *r)
{
	return rng_below(r, rng_below(r, 100) < b->hot_percent ? b->hot : b->accounts);
}

static enum bank_kind draw_kind(struct rng *r)
{
	static const uint8_t below[] = { 15, 30, 45, 70, 85, 100 };
	uint32_t percent = rng_below(r, 100);
	unsigned int kind = 0;

	while (percent >= below[kind])
		kind++;
	return (enum bank_kind)kind;
}

static unsigned int draw_ops(const struct bank *b, struct rng *r, enum bank_kind kind,
			     struct trace_op *ops)
{
	uint32_t from = draw_account(b, r), to = draw_account(b, r);
	uint32_t amount = 1 + rng_below(r, AMOUNT_MAX);

	if (to == from)
		to = (from + 1) % b->accounts;
	switch (kind) {
	case BANK_AMALGAMATE:
		ops[0] = (struct trace_op){ savings(b, from), 0, TRACE_WRITE | TRACE_SOURCE };
		ops[1] = (struct trace_op){ checking(b, from), 0, TRACE_WRITE | TRACE_SOURCE };
		ops[2] = (struct trace_op){ checking(b, to), 0, TRACE_ADD | TRACE_DEPENDENT };
		return 3;
	case BANK_BALANCE:
		ops[0] = (struct trace_op){ savings(b, from), 0, TRACE_READ };
		ops[1] = (struct trace_op){ checking(b, from), 0, TRACE_READ };
		return 2;
	case BANK_DEPOSIT:
		ops[0] = (struct trace_op){ checking(b, from), amount, TRACE_ADD };
		return 1;
	case BANK_SEND:
		ops[0] = (struct trace_op){ checking(b, from), -amount, TRACE_CADD };
		ops[1] = (struct trace_op){ checking(b, to), amount, TRACE_ADD };
		return 2;
	case BANK_SAVINGS:
		if (rng_below(r, 2))
			amount = -amount;
		ops[0] = (struct trace_op){ savings(b, from), amount, TRACE_CADD };
		return 1;
	case BANK_CHECK:
		ops[0] = (struct trace_op){ savings(b, from), 0, TRACE_READ | TRACE_SOURCE };
		ops[1] = (struct trace_op){ checking(b, from), -amount, TRACE_CHARGE | TRACE_DEPENDENT };
		return 2;
	}
	return 0;
}

int bank_trace(const struct bank *b, unsigned int node, struct trace *t, uint8_t *kind)
{
	struct rng r = { .state = (uint64_t)b->seed << 8 | node };
	struct trace_op ops[TRACE_OPS_MAX];

	if (trace_new(t, b->txns))
		return -ENOMEM;
	for (uint32_t i = 0; i < b->txns; i++) {
		enum bank_kind k = draw_kind(&r);

		trace_add(t, ops, draw_ops(b, &r, k, ops));
		if (kind)
			kind[i] = k;
	}
	return 0;
}

/* In SmallBank's own words, not in those of operations. */
void bank_committed(void *arg, uint32_t number, const struct history_op *ops, unsigned int n)
{
	int64_t first = (int32_t)ops[0].got, amount = (int32_t)ops[0].op.operand;
	struct bank *b = arg;

	switch ((enum bank_kind)b->kind[number]) {
	case BANK_AMALGAMATE:
	case BANK_BALANCE:
		break;
	case BANK_DEPOSIT:
		b->inflow += amount;
		break;
	case BANK_SEND:
		b->wrong += first + amount < 0;
		break;
	case BANK_SAVINGS:
		b->wrong += first + amount < 0;
		b->inflow += amount;
		break;
	case BANK_CHECK:
		amount = (int32_t)ops[1].op.operand;
		b->inflow += amount - (first + (int32_t)ops[1].got + amount < 0 ? 1 : 0);
		break;
	}
}
