// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_plan.c - planning of transactions: a table, and random ones against a plain reference. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layout.h"

/*
 * 200 keys in 3 registers of 2 blocks: key k has count 1000 - k, so rank = k.
 * Key 0: register 0 slot 0, key 1: register 1 slot 0, key 2: register 2 slot 0, key 3: register 2
 * slot 1, key 4: register 1 slot 1, key 5: register 0 slot 1, key 6: register 0 or rank decides.
 * Register 2 is the dependent stage.
 */
static struct p4a_layout *layout;
static struct p4a_cell cell[201];	/* by key; 200 is cold */

static int setup(void **state)
{
	static const struct p4a_geometry geo = { 3, 2, 1 };
	struct p4a_key_count kc[200];
	unsigned int i;

	for (i = 0; i < 200; i++)
		kc[i] = (struct p4a_key_count) { i, 1000 - i };
	if (p4a_layout_from_counts(&layout, &geo, kc, 200, NULL) != 200)
		return -1;
	for (i = 0; i < 200; i++)
		p4a_layout_lookup(layout, i, &cell[i]);
	return 0;
}

static int teardown(void **state)
{
	p4a_layout_free(layout);
	return 0;
}

#define R(k)	{ (k), 0, P4A_READ }
#define W(k, v)	{ (k), (v), P4A_WRITE }
#define A(k, v)	{ (k), (v), P4A_ADD }
#define C(k, v)	{ (k), (v), P4A_CADD }
#define S(k)	{ (k), 0, P4A_READ | P4A_SOURCE }
#define D(k, v)	{ (k), (v), P4A_ADD | P4A_DEPENDENT }

static void plan__table(void **state)
{
	static const struct {
		const char *name;
		struct p4a_op ops[10];
		unsigned int n, blocks;
		int want;
		uint32_t second;		/* bit i: operation i is in the second pass */
	} t[] = {
		{ "empty", { R(0) }, 0, 2, 0, 0 },
		{ "one", { W(0, 7) }, 1, 2, 1, 0 },
		{ "three registers", { R(0), A(1, 2), C(2, 3) }, 3, 2, 3, 0 },
		{ "cold key", { R(0), R(200) }, 2, 2, 1, 0 },
		{ "all cold", { R(200), R(999) }, 2, 2, 0, 0 },
		{ "no blocks", { R(0), R(1) }, 2, 0, 0, 0 },
		{ "key beyond the blocks", { R(0), R(198) }, 2, 1, 1, 0 },
		{ "the same, held", { R(0), R(198) }, 2, 2, 2, 0x2 },
		{ "colder second", { R(0), R(5) }, 2, 2, 2, 0x2 },
		{ "colder first", { R(5), R(0) }, 2, 2, 2, 0x1 },
		{ "colder second, neither in slot 0", { R(5), R(6) }, 2, 2, 2, 0x2 },
		{ "colder first, neither in slot 0", { R(6), R(5) }, 2, 2, 2, 0x1 },
		{ "CADD stays", { R(0), C(5, 1) }, 2, 2, -EXDEV, 0 },
		{ "CADD stays, other goes", { A(5, 1), C(6, 1) }, 2, 2, 2, 0x1 },
		{ "two CADD", { C(5, 1), C(6, 1) }, 2, 2, -EXDEV, 0 },
		{ "one key twice", { A(5, 1), R(5) }, 2, 2, 2, 0x2 },
		{ "one key twice, CADD first", { C(5, 1), R(5) }, 2, 2, 2, 0x2 },
		{ "one key twice, CADD last", { R(5), C(5, 1) }, 2, 2, -EXDEV, 0 },
		{ "slot 0 twice", { R(0), R(0) }, 2, 2, -EXDEV, 0 },
		{ "third on a register", { R(0), R(5), R(6) }, 3, 2, -EMLINK, 0 },
		{ "three pairs", { R(0), R(1), R(2), R(3), R(4), R(5) }, 6, 2, 6, 0x38 },
		{ "dependent in its stage", { S(0), S(1), D(2, 0) }, 3, 2, 3, 0 },
		{ "dependent elsewhere", { S(0), D(4, 0) }, 2, 2, 2, 0x2 },
		{ "dependent elsewhere, slot 0", { S(0), D(1, 0) }, 2, 2, -EXDEV, 0 },
		{ "source in the same stage", { S(2), D(3, 0) }, 2, 2, 2, 0x2 },
		{ "source in the same stage, slot 0", { S(3), D(2, 0) }, 2, 2, -EXDEV, 0 },
		{ "source stays, though colder", { S(5), A(0, 1) }, 2, 2, -EXDEV, 0 },
		{ "source stays, other goes", { S(6), A(5, 1) }, 2, 2, 2, 0x2 },
		{ "two dependent ones, both in the stage", { S(0), D(2, 0), D(3, 0) }, 3, 2, 3, 0x4 },
		{ "two dependent ones on one array", { S(0), D(5, 0), D(6, 0) }, 3, 2, -EMLINK, 0 },
		{ "two that must be second", { S(1), D(5, 0), D(6, 0) }, 3, 2, -EXDEV, 0 },
		{ "a CADD that depends", { S(0), { 2, 1, P4A_CADD | P4A_DEPENDENT } }, 2, 2, 2, 0 },
		{ "elsewhere it can't", { S(0), { 4, 1, P4A_CADD | P4A_DEPENDENT } }, 2, 2, -EXDEV, 0 },
		{ "source is cold", { S(200), D(2, 0) }, 2, 2, -EXDEV, 0 },
		{ "dependent is cold", { S(0), D(200, 0), R(1) }, 3, 2, -EXDEV, 0 },
		{ "both are", { S(200), D(201, 0), R(1) }, 3, 2, 1, 0 },
		{ "a source for nobody", { S(200), S(0), R(1) }, 3, 2, 2, 0 },
		{ "dependent before its source", { D(2, 0), S(0) }, 2, 2, -EINVAL, 0 },
		{ "unknown code", { { 0, 0, 7 } }, 1, 2, -EINVAL, 0 },
		{ "unknown flag", { { 0, 0, 0x81 } }, 1, 2, -EINVAL, 0 },
		{ "code 0", { { 0, 0, 0 } }, 1, 2, -EINVAL, 0 },
		{ "code 0 with flags", { { 0, 0, P4A_SOURCE } }, 1, 2, -EINVAL, 0 },
	};
	unsigned int i, j;

	/* The table relies on these. */
	assert_int_equal(cell[0].reg, cell[5].reg);
	assert_int_equal(cell[0].reg, cell[6].reg);
	assert_int_equal(cell[0].slot, 0);
	assert_true(cell[198].slot >= 64 && cell[198].reg == 0);

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct p4a_plan plan;
		int rc = p4a_plan(layout, t[i].blocks, t[i].ops, t[i].n, &plan);

		if (rc != t[i].want)
			fail_msg("%s: %d, not %d", t[i].name, rc, t[i].want);
		if (rc == -EINVAL)
			continue;
		assert_int_equal(plan.count, rc < 0 ? 0 : rc);
		for (j = 0; rc > 0 && j < t[i].n; j++) {
			int at = plan.at[j];
			int second = at >= 0 && plan.instr[at].op & P4A_SECOND_PASS;

			if (second != (int)(t[i].second >> j & 1))
				fail_msg("%s: pass of operation %u", t[i].name, j);
		}
	}
}

static void plan__instructions(void **state)
{
	static const struct p4a_op ops[] = { R(200), W(5, 77), R(0), A(1, 3) };
	struct p4a_plan plan;
	struct p4a_completion c = { .status = P4A_TXN_OK, .count = 3, .result = { 11, 12, 13 } };
	uint32_t value = 0;

	assert_int_equal(p4a_plan(layout, 2, ops, 4, &plan), 3);
	assert_int_equal(plan.at[0], -1);
	assert_int_equal(plan.at[1], 0);
	assert_int_equal(plan.at[3], 2);
	assert_int_equal(plan.at[4], -1);
	assert_int_equal(plan.instr[0].op, P4A_WRITE | P4A_SECOND_PASS);
	assert_int_equal(plan.instr[0].slot, cell[5].slot);
	assert_int_equal(plan.instr[0].operand, 77);
	assert_int_equal(plan.instr[2].op, P4A_ADD);
	assert_int_equal(plan.lock_acquire, 1u << cell[5].lock);
	assert_int_equal(plan.lock_check, 1u << cell[5].lock);	/* 0 and 1 are in slot 0 */

	assert_int_equal(p4a_op_result(&plan, &c, 0, &value), 0);
	assert_int_equal(p4a_op_result(&plan, &c, 3, &value), 1);
	assert_int_equal(value, 13);
	assert_int_equal(p4a_op_result(&plan, &c, 64, &value), 0);
	c.status = P4A_TXN_ABORT;
	assert_int_equal(p4a_op_result(&plan, &c, 3, &value), 0);
}

static void plan__limits(void **state)
{
	static const struct p4a_geometry geo = { 20, 1, 0 };
	struct p4a_key_count kc[20];
	struct p4a_op ops[P4A_MAX_OPS + 1];
	struct p4a_layout *wide;
	struct p4a_plan plan;
	unsigned int i;

	for (i = 0; i < 20; i++)
		kc[i] = (struct p4a_key_count) { i, 5 };
	for (i = 0; i <= P4A_MAX_OPS; i++)
		ops[i] = (struct p4a_op) { i < 20 ? i : 1000, 0, P4A_READ };
	assert_int_equal(p4a_layout_from_counts(&wide, &geo, kc, 20, NULL), 20);
	assert_int_equal(p4a_plan(wide, 1, ops, 8, &plan), 8);
	assert_int_equal(p4a_plan(wide, 1, ops, 9, &plan), -E2BIG);
	assert_int_equal(plan.count, 0);
	assert_int_equal(plan.at[0], -1);
	assert_int_equal(p4a_plan(wide, 1, ops, P4A_MAX_OPS + 1, &plan), -EINVAL);
	assert_int_equal(p4a_plan(wide, 1, ops + 20, P4A_MAX_OPS - 20, &plan), 0);
	assert_int_equal(p4a_plan(wide, 257, ops, 1, &plan), -EINVAL);
	assert_int_equal(p4a_plan(NULL, 1, ops, 8, &plan), 0);
	p4a_layout_free(wide);
}

static uint64_t rng_state = 7;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rng_state >> 33) % below;
}

static int is_held(const struct p4a_op *op, unsigned int blocks)
{
	return op->key < 200 && cell[op->key].slot < 64 * blocks;
}

static int may_be_second(const struct p4a_op *op)
{
	return (op->code & P4A_CODE) != P4A_CADD && !(op->code & P4A_SOURCE);
}

static int has_late_source(const struct p4a_op *ops, unsigned int n, unsigned int blocks)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ops[i].code & P4A_SOURCE && is_held(&ops[i], blocks) && cell[ops[i].key].reg == 2)
			return 1;
	return 0;
}

static int may_be_first(const struct p4a_op *op, const struct p4a_op *ops, unsigned int n,
			unsigned int blocks)
{
	return !(op->code & P4A_DEPENDENT) ||
	       (cell[op->key].reg == 2 && !has_late_source(ops, n, blocks));
}

static int is_torn(const struct p4a_op *ops, unsigned int n, unsigned int blocks)
{
	int hot = 0, cold = 0, dependent = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		dependent |= !!(ops[i].code & P4A_DEPENDENT);
		if (ops[i].code & (P4A_SOURCE | P4A_DEPENDENT))
			*(is_held(&ops[i], blocks) ? &hot : &cold) = 1;
	}
	return dependent && hot && cold;
}

/* What a plan must be, said without any of the planner's own ideas. 0, or the broken promise. */
static const char *judge(const struct p4a_plan *p, const struct p4a_op *ops, unsigned int n,
			 unsigned int blocks)
{
	uint32_t pass1 = 0, pass2 = 0, late = 0, check = 0, acquire = 0, taken = 0;
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		const struct p4a_cell *c = &cell[ops[i].key];
		int hot = ops[i].key < 200 && c->slot < 64 * blocks;
		const struct p4a_instr *in;
		uint32_t *pass;

		if ((p->at[i] >= 0) != hot)
			return "hot";
		if (!hot)
			continue;
		in = &p->instr[p->at[i]];
		if (taken >> p->at[i] & 1)
			return "instruction used twice";
		taken |= 1u << p->at[i];
		if (in->reg != c->reg || in->slot != c->slot ||
		    (in->op & ~P4A_SECOND_PASS) != ops[i].code)
			return "instruction";
		if (in->operand != ((ops[i].code & P4A_CODE) == P4A_READ ? 0 : ops[i].operand))
			return "operand";
		pass = in->op & P4A_SECOND_PASS ? &pass2 : &pass1;
		if (*pass >> in->reg & 1)
			return "register twice in a pass";
		*pass |= 1u << in->reg;
		if (c->lock != P4A_NO_LOCK)
			check |= 1u << c->lock;
		if (in->op & P4A_SECOND_PASS && ops[i].code & P4A_DEPENDENT)
			late |= 1u << in->reg;
		if (ops[i].code & P4A_DEPENDENT && !(in->op & P4A_SECOND_PASS) &&
		    (c->reg != 2 || has_late_source(ops, n, blocks)))
			return "something dependent in the first pass";
		if (!(in->op & P4A_SECOND_PASS))
			continue;
		if (!c->slot)
			return "slot 0 in the second pass";
		if (!may_be_second(&ops[i]))
			return "CADD or source in the second pass";
		acquire |= 1u << c->lock;
		for (j = 0; j < n; j++) {
			const struct p4a_cell *other = &cell[ops[j].key];

			if (j > i && ops[j].key == ops[i].key)
				return "order of one key";
			if (ops[j].key < 200 && other->slot < 64 * blocks && other->reg == c->reg &&
			    other->rank > c->rank && other->slot && may_be_second(&ops[j]) &&
			    may_be_first(&ops[i], ops, n, blocks))
				return "the hotter key in the second pass";
		}
	}
	if (pass2 & ~pass1 & ~late)
		return "second pass without a first";
	if (taken != (1u << p->count) - 1)
		return "count";
	if (p->lock_check != check || p->lock_acquire != acquire || acquire & ~check)
		return "locks";
	return NULL;
}

/* Tries all assignments of passes: is there any that is allowed? */
static int possible(const struct p4a_op *ops, unsigned int n, unsigned int blocks)
{
	unsigned int hot[P4A_MAX_OPS], nr = 0, i, j, m;

	for (i = 0; i < n; i++)
		if (ops[i].key < 200 && cell[ops[i].key].slot < 64 * blocks)
			hot[nr++] = i;
	if (nr > P4A_MAX_INSTRS || is_torn(ops, n, blocks))
		return 0;
	for (m = 0; m < 1u << nr; m++) {
		int ok = 1;

		for (i = 0; i < nr && ok; i++) {
			const struct p4a_cell *a = &cell[ops[hot[i]].key];

			if (m >> i & 1 && (!a->slot || !may_be_second(&ops[hot[i]])))
				ok = 0;
			if (!(m >> i & 1) && !may_be_first(&ops[hot[i]], ops, n, blocks))
				ok = 0;
			for (j = 0; j < i && ok; j++) {
				const struct p4a_cell *b = &cell[ops[hot[j]].key];

				if (a->reg == b->reg && (m >> i & 1) == (m >> j & 1))
					ok = 0;
				if (a->key == b->key && m >> j & 1)
					ok = 0;
			}
		}
		if (ok)
			return 1;
	}
	return 0;
}

static void plan__random(void **state)
{
	unsigned int round, i, fits = 0, two_pass = 0;

	for (round = 0; round < 200000; round++) {
		unsigned int n = rng(10), blocks = rng(3);
		struct p4a_op ops[10];
		struct p4a_plan plan;
		const char *broken;
		int rc;

		for (i = 0; i < n; i++)
			ops[i] = (struct p4a_op) {
				.key = rng(4) ? 140 + rng(61) : rng(201), .operand = rng(1000),
				.code = 1 + rng(6),
			};
		for (i = 0; n && round % 2 && i < rng(n); i++)
			ops[i].code |= P4A_SOURCE;
		for (; n && round % 2 && i < n; i++)
			ops[i].code |= rng(3) ? 0 : P4A_DEPENDENT;
		rc = p4a_plan(layout, blocks, ops, n, &plan);
		if ((rc >= 0) != possible(ops, n, blocks))
			fail_msg("round %u: %d", round, rc);
		if (rc < 0)
			continue;
		broken = judge(&plan, ops, n, blocks);
		if (broken)
			fail_msg("round %u: %s", round, broken);
		fits++;
		two_pass += !!plan.lock_acquire;
	}
	assert_true(fits > 20000 && two_pass > 5000);
}

/* The same plan by another layout: its bits, not its instructions. */
static void relock__by_the_bits_of_a_batch(void **state)
{
	static const struct p4a_lock_bit bits[] = { { 0, 9 }, { 5, 7 }, { 4, 31 } };
	const struct p4a_op ops[] = { R(0), A(5, 1), A(4, 2), R(6) };
	struct p4a_plan plan, was;
	struct p4a_layout *l;

	assert_int_equal(p4a_layout_relock(&l, layout, bits, 3), 0);
	assert_int_equal(p4a_plan(layout, 2, ops, 3, &plan), 3);
	was = plan;
	assert_int_equal(p4a_plan_relock(l, &plan), 0);
	assert_int_equal(plan.lock_check, 1u << 7 | 1u << 31);	/* slot 0 has none, whoever says so */
	assert_int_equal(plan.lock_acquire, 1u << 7);
	assert_memory_equal(plan.instr, was.instr, sizeof(plan.instr));
	assert_int_equal(p4a_plan(l, 2, ops, 3, &was), 3);
	assert_memory_equal(&plan, &was, sizeof(plan));
	/* a key without a bit is not in the second pass, whichever is colder */
	assert_int_equal(p4a_plan(l, 2, ops + 1, 3, &plan), 3);
	assert_int_equal(plan.lock_acquire, 1u << 7);
	assert_int_equal(p4a_plan(layout, 2, ops + 1, 3, &plan), 3);
	was = plan;
	assert_int_equal(p4a_plan_relock(l, &plan), -EXDEV);
	assert_memory_equal(&plan, &was, sizeof(plan));
	plan.instr[0].slot = 128;
	assert_int_equal(p4a_plan_relock(l, &plan), -EINVAL);
	p4a_layout_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__table),
		cmocka_unit_test(plan__instructions),
		cmocka_unit_test(plan__limits),
		cmocka_unit_test(plan__random),
		cmocka_unit_test(relock__by_the_bits_of_a_batch),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
