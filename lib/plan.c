// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * plan.c - which operations of a transaction run in the switch, and in which pass. Pure functions of
 * layout, blocks held and operations; no state, callable from any thread.
 *
 * A register array can be used once in a pass and there are two passes. What runs in the second pass
 * is protected between the passes by its key's lock bit, so it should be the key that fewer others
 * want: the colder one. The key in slot 0 of an array is its hottest and has no lock bit at all.
 * Sources are in the first pass, so that in the second anything may depend on them.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "p4alloc.h"

struct used {				/* of one register array */
	uint8_t count;
	uint8_t op[2];			/* which instructions */
};

static void nothing_hot(struct p4a_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	memset(plan->at, -1, sizeof(plan->at));
}

static bool may_be_second(const struct p4a_op *op, const struct p4a_cell *cell)
{
	return cell->lock != P4A_NO_LOCK && (op->code & P4A_CODE) != P4A_CADD &&
	       !(op->code & P4A_SOURCE);
}

/* A hot operation, what it may do, and what it has to. */
struct hot {
	const struct p4a_op *op;
	struct p4a_cell cell;
	bool first, second;		/* may be in that pass */
};

/*
 * What depends on sources is in the first pass only in the dependent stage, and only if no source is
 * there too.
 */
static void judge_passes(const struct p4a_geometry *geo, struct hot *hot, unsigned int n)
{
	unsigned int ordinary = geo->registers - geo->dependent, i;
	bool late_source = false;

	for (i = 0; i < n; i++)
		late_source |= hot[i].op->code & P4A_SOURCE && hot[i].cell.reg >= ordinary;
	for (i = 0; i < n; i++) {
		hot[i].first = !(hot[i].op->code & P4A_DEPENDENT) ||
			       (hot[i].cell.reg >= ordinary && !late_source);
		hot[i].second = may_be_second(hot[i].op, &hot[i].cell);
	}
}

/* Which of two operations on one array (program order) goes to the second pass: 0, 1, or neither. */
static int second_of(const struct hot *a, const struct hot *b)
{
	bool zero = a->second && b->first && a->op->key != b->op->key;
	bool one = b->second && a->first;

	if (zero && one)
		return a->cell.rank > b->cell.rank ? 0 : 1;
	return zero ? 0 : one ? 1 : -EXDEV;
}

static void place(struct p4a_plan *plan, unsigned int i, const struct p4a_op *op,
		  const struct p4a_cell *cell)
{
	plan->at[i] = plan->count;
	plan->instr[plan->count++] = (struct p4a_instr) {
		.reg = cell->reg, .op = op->code, .slot = cell->slot,
		.operand = (op->code & P4A_CODE) == P4A_READ ? 0 : op->operand,
	};
	if (cell->lock != P4A_NO_LOCK)
		plan->lock_check |= UINT32_C(1) << cell->lock;
}

/* used[].op and hot[] are by instruction. */
static int assign_passes(struct p4a_plan *plan, const struct hot *hot, const struct used *used)
{
	int reg, second;

	for (reg = 0; reg < P4A_MAX_REGISTERS; reg++) {
		const struct used *u = &used[reg];

		if (!u->count || (u->count == 1 && hot[u->op[0]].first))
			continue;
		if (u->count == 2)
			second = second_of(&hot[u->op[0]], &hot[u->op[1]]);
		else
			second = hot[u->op[0]].second ? 0 : -EXDEV;
		if (second < 0)
			return second;
		second = u->op[second];
		plan->instr[second].op |= P4A_SECOND_PASS;
		plan->lock_acquire |= UINT32_C(1) << hot[second].cell.lock;
	}
	return 0;
}

/* Operations that belong to one sum: is one of them hot and another cold? */
static bool is_torn(const struct p4a_plan *plan, const struct p4a_op *ops, unsigned int n)
{
	bool dependent = false, hot = false, cold = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		dependent |= ops[i].code & P4A_DEPENDENT;
		if (ops[i].code & (P4A_SOURCE | P4A_DEPENDENT))
			*(plan->at[i] < 0 ? &cold : &hot) = true;
	}
	return dependent && hot && cold;
}

static int plan_hot(const struct p4a_layout *layout, unsigned int blocks, const struct p4a_op *ops,
		    unsigned int n, struct p4a_plan *plan)
{
	struct p4a_geometry geo = p4a_layout_geometry(layout);
	struct used used[P4A_MAX_REGISTERS] = { 0 };
	struct hot hot[P4A_MAX_INSTRS];
	struct p4a_cell cell;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct used *u;

		if (!p4a_layout_lookup(layout, ops[i].key, &cell) ||
		    cell.slot >= blocks * P4A_BLOCK_SLOTS)
			continue;
		if (plan->count == P4A_MAX_INSTRS)
			return -E2BIG;
		u = &used[cell.reg];
		if (u->count == 2)
			return -EMLINK;
		u->op[u->count++] = plan->count;
		hot[plan->count] = (struct hot) { .op = &ops[i], .cell = cell };
		place(plan, i, &ops[i], &cell);
	}
	if (is_torn(plan, ops, n))
		return -EXDEV;
	judge_passes(&geo, hot, plan->count);
	return assign_passes(plan, hot, used);
}

/* Known codes, and no source behind what depends on it. */
static bool are_valid(const struct p4a_op *ops, unsigned int n)
{
	bool dependent = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint32_t code = ops[i].code & P4A_CODE;

		if (code < P4A_READ || code > P4A_CHARGE ||
		    ops[i].code & ~(uint32_t)(P4A_CODE | P4A_SOURCE | P4A_DEPENDENT))
			return false;
		if (dependent && ops[i].code & P4A_SOURCE)
			return false;
		dependent |= ops[i].code & P4A_DEPENDENT;
	}
	return true;
}

int p4a_plan(const struct p4a_layout *layout, unsigned int blocks, const struct p4a_op *ops,
	     unsigned int n, struct p4a_plan *plan)
{
	int rc;

	if (n > P4A_MAX_OPS || blocks > P4A_MAX_BLOCKS || !are_valid(ops, n))
		return -EINVAL;
	nothing_hot(plan);
	if (!layout)
		return 0;
	rc = plan_hot(layout, blocks, ops, n, plan);
	if (rc < 0)
		nothing_hot(plan);
	return rc < 0 ? rc : plan->count;
}

int p4a_plan_relock(const struct p4a_layout *layout, struct p4a_plan *plan)
{
	uint32_t check = 0, acquire = 0;
	struct p4a_cell cell;
	unsigned int i;

	for (i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];

		if (!p4a_layout_at(layout, in->reg, in->slot, &cell))
			return -EINVAL;
		if (cell.lock != P4A_NO_LOCK)
			check |= UINT32_C(1) << cell.lock;
		if (!(in->op & P4A_SECOND_PASS))
			continue;
		if (cell.lock == P4A_NO_LOCK)
			return -EXDEV;
		acquire |= UINT32_C(1) << cell.lock;
	}
	plan->lock_check = check;
	plan->lock_acquire = acquire;
	return 0;
}

int p4a_op_result(const struct p4a_plan *plan, const struct p4a_completion *c, unsigned int i,
		  uint32_t *value)
{
	if (i >= P4A_MAX_OPS || plan->at[i] < 0 || c->status != P4A_TXN_OK || c->err)
		return 0;
	*value = c->result[plan->at[i]];
	return 1;
}
