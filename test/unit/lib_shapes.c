// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_shapes.c - transactions of SmallBank and TPC-C, planned and run on a switch of arrays.
 *
 * Which of them fit, in how many passes, and that a plan does what the transaction says, whatever pass an
 * operation is in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p4alloc.h"

#define BLOCKS 2
#define ROUNDS 20000

#define DEPENDENT 4

static const struct p4a_geometry geo = { .registers = 20, .blocks = BLOCKS, .dependent = DEPENDENT };

static uint32_t cell[P4A_MAX_REGISTERS][BLOCKS * P4A_BLOCK_SLOTS];
static struct p4a_layout *layout;
static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rng >> 33) % n;
}

/* ---- the switch: doc/switch.md, steps 2 and 6 to 8 ---- */

static uint32_t *cell_of(const struct p4a_instr *in)
{
	return &cell[in->reg][in->slot];
}

/* A pass: all reads, then all writes. False: a CADD says no, nothing was written. */
static bool run_pass(const struct p4a_plan *plan, unsigned int flag, uint32_t *result, uint32_t *sum)
{
	uint32_t after[P4A_MAX_INSTRS];

	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];

		if ((in->op & P4A_SECOND_PASS) != flag)
			continue;
		result[i] = *cell_of(in);
		after[i] = p4a_apply(in->op, in->operand, result[i], *sum);
		if ((in->op & P4A_CODE) == P4A_CADD && (int32_t)after[i] < 0)
			return false;
		*sum += in->op & P4A_SOURCE ? result[i] : 0;
	}
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];

		if ((in->op & P4A_SECOND_PASS) == flag)
			*cell_of(in) = after[i];
	}
	return true;
}

static void assert_stages(const struct p4a_plan *plan)
{
	bool early = false, late_source = false;

	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];
		bool late = in->reg >= geo.registers - geo.dependent;

		assert_false(in->op & P4A_SOURCE && in->op & P4A_SECOND_PASS);
		late_source |= in->op & P4A_SOURCE && late;
		if (in->op & P4A_DEPENDENT && !(in->op & P4A_SECOND_PASS)) {
			assert_true(late);
			early = true;
		}
	}
	assert_false(early && late_source);
}

static bool run(const struct p4a_plan *plan, uint32_t *result)
{
	uint32_t sum = 0;

	assert_stages(plan);
	if (!run_pass(plan, 0, result, &sum))
		return false;
	return run_pass(plan, P4A_SECOND_PASS, result, &sum);
}

/* ---- what a transaction means: one operation after the other, on values by key ---- */

#define KEYS 4000

static uint32_t value[KEYS];

static bool mean(const struct p4a_op *ops, unsigned int n, uint32_t *result)
{
	uint32_t before[KEYS], sum = 0;

	memcpy(before, value, sizeof(before));
	for (unsigned int i = 0; i < n; i++) {
		uint32_t *v = &value[ops[i].key], got = *v;
		uint32_t more = ops[i].code & P4A_DEPENDENT ? sum : 0;
		int64_t after = (int64_t)(int32_t)got + (int32_t)ops[i].operand;

		switch (ops[i].code & P4A_CODE) {
		case P4A_WRITE:
			*v = ops[i].operand + more;
			break;
		case P4A_ADD:
			*v = after + more;
			break;
		case P4A_CADD:
			*v = after + more;
			if (after + (int32_t)more >= 0)
				break;
			memcpy(value, before, sizeof(before));
			return false;
		case P4A_REFILL:		/* in TPC-C's own words */
			*v = (int32_t)got >= -(int32_t)ops[i].operand + 10 ? after : after + 91;
			break;
		case P4A_CHARGE:		/* in SmallBank's */
			*v = (int32_t)(more + got) < -(int32_t)ops[i].operand ? after - 1 : after;
			break;
		}
		result[i] = got;
		sum += ops[i].code & P4A_SOURCE ? got : 0;
	}
	return true;
}

static void make(uint32_t keys, uint64_t (*count_of)(uint32_t key))
{
	struct p4a_key_count kc[KEYS];
	struct p4a_cell at;

	for (uint32_t k = 0; k < keys; k++)
		kc[k] = (struct p4a_key_count) { k, count_of(k) };
	assert_true(p4a_layout_from_counts(&layout, &geo, kc, keys, NULL) > 0);
	memset(cell, 0, sizeof(cell));
	for (uint32_t k = 0; k < keys; k++) {
		value[k] = 1000;
		if (p4a_layout_lookup(layout, k, &at))
			cell[at.reg][at.slot] = 1000;
	}
}

/*
 * Plans, and if all of it is hot, runs it in the switch and as it was meant, and compares. Returns what
 * p4a_plan() did.
 */
static int judge(const struct p4a_op *ops, unsigned int n)
{
	uint32_t got[P4A_MAX_INSTRS], want[P4A_MAX_OPS];
	struct p4a_plan plan;
	int rc = p4a_plan(layout, BLOCKS, ops, n, &plan);
	struct p4a_cell at;
	bool ok;

	if (rc != (int)n)
		return rc;
	ok = run(&plan, got);
	assert_int_equal(ok, mean(ops, n, want));
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(p4a_layout_lookup(layout, ops[i].key, &at), 1);
		assert_int_equal(cell[at.reg][at.slot], value[ops[i].key]);
		if (ok)
			assert_int_equal(got[plan.at[i]], want[i]);
	}
	return rc;
}

static void assert_share(uint32_t part, uint32_t all, uint32_t percent)
{
	if (part * UINT64_C(100) < all * (uint64_t)percent)
		fail_msg("%u of %u, must be %u %%", part, all, percent);
}

/* ---- SmallBank: accounts have a checking and a savings balance; the first ones are hot ---- */

#define ACCOUNTS 200		/* hot ones: two keys each, and all of them fit, checking in its stage */

static uint64_t checking(uint32_t account)
{
	return 2 * account;
}

static uint64_t savings(uint32_t account)
{
	return 2 * account + 1;
}

static uint64_t bank_count(uint32_t key)
{
	return (1 + 1000000 / (1 + key / 2)) | (key % 2 ? P4A_KEY_SOURCE : P4A_KEY_DEPENDENT);
}

static unsigned int passes(const struct p4a_op *ops, unsigned int n)
{
	struct p4a_plan plan;

	if (p4a_plan(layout, BLOCKS, ops, n, &plan) < 0)
		return 0;
	return plan.lock_acquire ? 2 : 1;
}

static void smallbank__all(void **state)
{
	unsigned int transfers = 0, all[3] = { 0 }, fit[3] = { 0 }, one_pass = 0;

	make(2 * ACCOUNTS, bank_count);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t a = rnd(ACCOUNTS), b = (a + 1 + rnd(ACCOUNTS - 1)) % ACCOUNTS;
		uint32_t sum = rnd(900);
		const struct p4a_op balance[] = { { savings(a), 0, P4A_READ }, { checking(a), 0, P4A_READ } };
		const struct p4a_op deposit[] = { { checking(a), sum, P4A_ADD } };
		const struct p4a_op withdraw[] = { { savings(a), -sum, P4A_CADD } };
		const struct p4a_op send[] = { { checking(a), -sum, P4A_CADD }, { checking(b), sum, P4A_ADD } };
		const struct p4a_op check[] = {
			{ savings(a), 0, P4A_READ | P4A_SOURCE }, { checking(a), -sum, P4A_CHARGE | P4A_DEPENDENT },
		};
		const struct p4a_op amalgamate[] = {
			{ savings(a), 0, P4A_WRITE | P4A_SOURCE }, { checking(a), 0, P4A_WRITE | P4A_SOURCE },
			{ checking(b), 0, P4A_ADD | P4A_DEPENDENT },
		};

		switch (rnd(6)) {
		case 4:
			all[0]++;
			one_pass += passes(check, 2) == 1;
			fit[0] += judge(check, 2) == 2;
			break;
		case 5:
			all[1]++;
			fit[1] += judge(amalgamate, 3) == 3;
			break;
		case 0:		/* two keys that meet in slot 0 and 1 of an array always have a way */
			assert_int_equal(judge(balance, 2), 2);
			break;
		case 1:
			assert_int_equal(judge(deposit, 1), 1);
			break;
		case 2:
			assert_int_equal(judge(withdraw, 1), 1);
			break;
		default:
			all[2]++;
			transfers += judge(send, 2) == 2;
		}
	}
	/* A transfer that takes from and gives to cells of one array fits unless the receiver, which
	 * alone may be in the second pass, is the array's slot 0. */
	assert_share(transfers, all[2], 95);
	assert_share(fit[0], all[0], 100);
	assert_share(one_pass, all[0], 95);
	assert_share(fit[1], all[1], 70);	/* unless the receiver has no lock bit, or shares the array */
	p4a_layout_free(layout);
}

/* ---- TPC-C: per warehouse ytd; per district ytd and next order id; hot stock ---- */

#define WAREHOUSES 8
#define DISTRICTS 10
#define STOCK 100		/* hot items of a warehouse */
#define PER_WAREHOUSE (1 + 2 * DISTRICTS + STOCK)

static uint64_t warehouse(uint32_t w)
{
	return w * PER_WAREHOUSE;
}

static uint64_t district(uint32_t w, uint32_t d)
{
	return warehouse(w) + 1 + 2 * d;	/* ytd; the next order id follows it */
}

static uint64_t stock(uint32_t w, uint32_t item)
{
	return warehouse(w) + 1 + 2 * DISTRICTS + item;
}

static uint64_t tpcc_count(uint32_t key)
{
	uint32_t at = key % PER_WAREHOUSE;

	return !at ? 50000 : at <= 2 * DISTRICTS ? 5000 : 500;
}

static void tpcc__payment_and_new_order(void **state)
{
	unsigned int payments = 0, orders = 0, too_long = 0, all[2] = { 0 };

	make(WAREHOUSES * PER_WAREHOUSE, tpcc_count);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t w = rnd(WAREHOUSES), d = rnd(DISTRICTS), lines = 5 + rnd(6), first = rnd(STOCK);
		const struct p4a_op payment[] = {
			{ warehouse(w), 7, P4A_ADD }, { district(w, d), 7, P4A_ADD },
		};
		struct p4a_op order[1 + 10];

		for (uint32_t l = 0; l < lines; l++)
			order[l] = (struct p4a_op) { stock(w, (first + 7 * l) % STOCK), -(1 + rnd(10)),
						     P4A_REFILL };
		order[lines] = (struct p4a_op) { district(w, d) + 1, 1, P4A_ADD };
		if (rnd(2)) {
			all[0]++;
			payments += judge(payment, 2) == 2;
		} else if (lines + 1 > P4A_MAX_INSTRS) {
			assert_true(judge(order, lines + 1) < 0);	/* as a whole, never half */
			too_long++;
		} else {
			all[1]++;
			orders += judge(order, lines + 1) == (int)lines + 1;
		}
	}
	assert_share(payments, all[0], 99);
	assert_share(orders, all[1], 75);	/* of up to 7 lines */
	assert_true(too_long > 0);
	p4a_layout_free(layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smallbank__all),
		cmocka_unit_test(tpcc__payment_and_new_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
