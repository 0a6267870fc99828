// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * plan.c - which operations of a transaction run in the switch, and in which pass. Pure functions of
 * layout, blocks held and operations; no state, callable from any thread.
 *
 * A register array can be used once in a pass and there are two passes. What runs in the second pass
 * is protected between the passes by its key's lock bit, so it should be the key that fewer others
 * want: the colder one. The key in slot 0 of an array is its hottest and has no lock bit at all.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "p4alloc.h"

struct used {				/* of one register array */
	uint8_t count;
	uint8_t op[2];
};

static void nothing_hot(struct p4a_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	memset(plan->at, -1, sizeof(plan->at));
}

static bool may_be_second(const struct p4a_op *op, const struct p4a_cell *cell)
{
	return cell->lock != P4A_NO_LOCK && op->code != P4A_CADD;
}

/* Which of two operations on one array (program order) goes to the second pass: 0, 1, or neither. */
static int second_of(const struct p4a_op *op[2], const struct p4a_cell *cell[2])
{
	int colder = cell[0]->rank > cell[1]->rank ? 0 : 1;

	if (op[0]->key == op[1]->key)
		return may_be_second(op[1], cell[1]) ? 1 : -EXDEV;
	if (may_be_second(op[colder], cell[colder]))
		return colder;
	return may_be_second(op[!colder], cell[!colder]) ? !colder : -EXDEV;
}

static void place(struct p4a_plan *plan, unsigned int i, const struct p4a_op *op,
		  const struct p4a_cell *cell)
{
	plan->at[i] = plan->count;
	plan->instr[plan->count++] = (struct p4a_instr) {
		.reg = cell->reg, .op = op->code, .slot = cell->slot,
		.operand = op->code == P4A_READ ? 0 : op->operand,
	};
	if (cell->lock != P4A_NO_LOCK)
		plan->lock_check |= UINT32_C(1) << cell->lock;
}

static int assign_passes(struct p4a_plan *plan, const struct p4a_op *ops,
			 const struct p4a_cell *cells, const struct used *used)
{
	const struct p4a_cell *cell[2];
	const struct p4a_op *op[2];
	int reg, k, second;

	for (reg = 0; reg < P4A_MAX_REGISTERS; reg++) {
		if (used[reg].count < 2)
			continue;
		for (k = 0; k < 2; k++) {
			op[k] = &ops[used[reg].op[k]];
			cell[k] = &cells[used[reg].op[k]];
		}
		second = second_of(op, cell);
		if (second < 0)
			return second;
		plan->instr[plan->at[used[reg].op[second]]].op |= P4A_SECOND_PASS;
		plan->lock_acquire |= UINT32_C(1) << cell[second]->lock;
	}
	return 0;
}

static int plan_hot(const struct p4a_layout *layout, unsigned int blocks, const struct p4a_op *ops,
		    unsigned int n, struct p4a_plan *plan)
{
	struct used used[P4A_MAX_REGISTERS] = { 0 };
	struct p4a_cell cells[P4A_MAX_OPS];
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct used *u;

		if (!p4a_layout_lookup(layout, ops[i].key, &cells[i]) ||
		    cells[i].slot >= blocks * P4A_BLOCK_SLOTS)
			continue;
		if (plan->count == P4A_MAX_INSTRS)
			return -E2BIG;
		u = &used[cells[i].reg];
		if (u->count == 2)
			return -EMLINK;
		u->op[u->count++] = i;
		place(plan, i, &ops[i], &cells[i]);
	}
	return assign_passes(plan, ops, cells, used);
}

int p4a_plan(const struct p4a_layout *layout, unsigned int blocks, const struct p4a_op *ops,
	     unsigned int n, struct p4a_plan *plan)
{
	unsigned int i;
	int rc;

	if (n > P4A_MAX_OPS || blocks > P4A_MAX_BLOCKS)
		return -EINVAL;
	for (i = 0; i < n; i++)
		if (ops[i].code < P4A_READ || ops[i].code > P4A_CADD)
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
