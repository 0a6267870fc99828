// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_shapes.c - transactions of SmallBank and TPC-C, planned and run on a switch of arrays.
 *
 * Which of them fit, and that a plan does what the transaction says, whatever pass an operation is in.
 * Values that depend on an earlier read fit only where a conditional add says it: SmallBank's amalgamate
 * and write-check, and TPC-C's stock that is filled up, have no instruction; a tenant runs them cold.
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

static const struct p4a_geometry geo = { .registers = 20, .blocks = BLOCKS };

static uint32_t cell[P4A_MAX_REGISTERS][BLOCKS * P4A_BLOCK_SLOTS];
static struct p4a_layout *layout;
static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rng >> 33) % n;
}

/* ---- the switch: doc/switch.md, steps 6 to 8 ---- */

static uint32_t *cell_of(const struct p4a_instr *in)
{
	return &cell[in->reg][in->slot];
}

/* A pass: all reads, then all writes. False: a CADD says no, nothing was written. */
static bool run_pass(const struct p4a_plan *plan, unsigned int flag, uint32_t *result)
{
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];

		if ((in->op & P4A_SECOND_PASS) != flag)
			continue;
		result[i] = *cell_of(in);
		if ((in->op & ~P4A_SECOND_PASS) == P4A_CADD &&
		    (int32_t)(result[i] + in->operand) < 0)
			return false;
	}
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];
		unsigned int op = in->op & ~P4A_SECOND_PASS;

		if ((in->op & P4A_SECOND_PASS) == flag && op != P4A_READ)
			*cell_of(in) = in->operand + (op == P4A_WRITE ? 0 : result[i]);
	}
	return true;
}

static bool run(const struct p4a_plan *plan, uint32_t *result)
{
	if (!run_pass(plan, 0, result))
		return false;
	return run_pass(plan, P4A_SECOND_PASS, result);
}

/* ---- what a transaction means: one operation after the other, on values by key ---- */

#define KEYS 4000

static uint32_t value[KEYS];

static bool mean(const struct p4a_op *ops, unsigned int n, uint32_t *result)
{
	uint32_t before[KEYS];

	memcpy(before, value, sizeof(before));
	for (unsigned int i = 0; i < n; i++) {
		uint32_t *v = &value[ops[i].key], sum = *v + ops[i].operand;

		result[i] = *v;
		if (ops[i].code == P4A_CADD && (int32_t)sum < 0) {
			memcpy(value, before, sizeof(before));
			return false;
		}
		if (ops[i].code != P4A_READ)
			*v = ops[i].code == P4A_WRITE ? ops[i].operand : sum;
	}
	return true;
}

static void make(uint32_t keys, uint32_t (*count_of)(uint32_t key))
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

#define ACCOUNTS 1000		/* hot ones: two keys each, and all of them fit */

static uint64_t checking(uint32_t account)
{
	return 2 * account;
}

static uint64_t savings(uint32_t account)
{
	return 2 * account + 1;
}

static uint32_t bank_count(uint32_t key)
{
	return 1 + 1000000 / (1 + key / 2);
}

static void smallbank__all_that_needs_no_earlier_read(void **state)
{
	unsigned int transfers = 0;

	make(2 * ACCOUNTS, bank_count);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t a = rnd(ACCOUNTS), b = (a + 1 + rnd(ACCOUNTS - 1)) % ACCOUNTS;
		uint32_t sum = rnd(900);
		const struct p4a_op balance[] = { { savings(a), 0, P4A_READ }, { checking(a), 0, P4A_READ } };
		const struct p4a_op deposit[] = { { checking(a), sum, P4A_ADD } };
		const struct p4a_op withdraw[] = { { savings(a), -sum, P4A_CADD } };
		const struct p4a_op send[] = { { checking(a), -sum, P4A_CADD }, { checking(b), sum, P4A_ADD } };

		switch (rnd(4)) {
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
			transfers += judge(send, 2) == 2;
		}
	}
	/* A transfer that takes from and gives to cells of one array fits unless the receiver, which
	 * alone may be in the second pass, is the array's slot 0. */
	assert_share(transfers, ROUNDS / 4, 95);
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

static uint32_t tpcc_count(uint32_t key)
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

		for (uint32_t l = 0; l < lines; l++)	/* what it does not fall below, cold otherwise */
			order[l] = (struct p4a_op) { stock(w, (first + 7 * l) % STOCK), -1, P4A_ADD };
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
		cmocka_unit_test(smallbank__all_that_needs_no_earlier_read),
		cmocka_unit_test(tpcc__payment_and_new_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
