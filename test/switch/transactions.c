// SPDX-License-Identifier: GPL-2.0-or-later
/* One transaction at a time: what each does, says and leaves. Tenant 1 has blocks 0 and 1. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "drive.h"

#define SECOND	P4W_OP_SECOND_PASS
#define SOURCE	P4W_OP_SOURCE
#define DEPEND	P4W_OP_DEPENDENT
#define FOREIGN	(2 * 64)	/* a cell of block 2, which is tenant 2's */

static void give(void)
{
	set_owner(0, 1, 5);
	set_owner(1, 1, 5);
	set_owner(2, 2, 6);
	model.serial[0] = 5ull << P4W_SERIAL_SHIFT;
	control_write("serial", 0, model.serial[0]);
	set_lock(0, 0);
	give_flows(1, 0, 16);
	give_flows(2, 16, 4);
}

/* Whether the reply is the model's, and the model's outcome the one this test is about. */
static void expect(struct frame *f, int want, const char *what)
{
	int outcome;
	bool good = exchange(f, &outcome);

	ok_if(good && outcome == want, "%s", what);
}

static void test_operations(void)
{
	struct frame f;

	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_WRITE, 3, 1000);
	instr(&f, 3, 4, P4W_OP_WRITE, 127, 0xffffffff);
	expect(&f, P4W_TXN_OK, "write");
	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_READ, 3, 7);
	instr(&f, 7, 4, P4W_OP_ADD, 127, 2);
	expect(&f, P4W_TXN_OK, "read, and add beyond 2^32");
	request(&f, 0);
	instr(&f, 1, 0, P4W_OP_CADD, 3, -1000);
	instr(&f, 2, 4, P4W_OP_CADD, 127, 0x7ffffffe);
	expect(&f, P4W_TXN_OK, "conditional add down to 0 and up to 2^31 - 1");
	request(&f, 0);
	instr(&f, 0, 1, P4W_OP_WRITE, 5, 99);
	instr(&f, 1, 0, P4W_OP_CADD, 3, -1);
	instr(&f, 2, 2, P4W_OP_ADD, 5, 99);
	expect(&f, P4W_TXN_ABORT, "conditional add below 0 changes nothing at all");
	request(&f, 0);
	instr(&f, 0, 4, P4W_OP_CADD, 127, 1);
	expect(&f, P4W_TXN_ABORT, "conditional add above 2^31 - 1");
	request(&f, 0);
	expect(&f, P4W_TXN_OK, "no instruction at all");
	ok_if(model.cell[0][3] == 0 && model.cell[4][127] == 0x7fffffff && model.cell[1][5] == 0,
	      "the model says what these tests are about");
	ok_if(state_agrees(), "operations: all arrays");
}

static void test_two_passes(void)
{
	uint64_t second = control_counter("txn_second");
	struct frame f;

	request(&f, 1);
	f.txn.lock_check = htonl(0xff);
	f.txn.lock_acquire = htonl(0x30);
	instr(&f, 0, 0, P4W_OP_WRITE, 9, 1);
	instr(&f, 1, 0, P4W_OP_ADD | SECOND, 9, 41);
	instr(&f, 2, 1, P4W_OP_READ | SECOND, 9, 0);
	instr(&f, 3, 2, P4W_OP_WRITE | SECOND, 64, 17);
	expect(&f, P4W_TXN_OK, "second pass sees the first pass's writes");
	request(&f, 1);
	f.txn.lock_check = f.txn.lock_acquire = htonl(0x1);
	instr(&f, 0, 0, P4W_OP_CADD, 10, -1);
	instr(&f, 1, 0, P4W_OP_ADD | SECOND, 9, 1);
	expect(&f, P4W_TXN_ABORT, "no second pass after an abort");
	ok_if(model.cell[0][9] == 42 && model.cell[2][64] == 17, "the model says so too");
	ok_if(control_counter("txn_second") == second + 1,
	      "one packet went round for its second pass");
	ok_if(state_agrees(), "two passes: all arrays, lock bits released");
}

static bool counted(uint64_t first, uint64_t second)
{
	uint64_t got[2];

	control_read("access", 0, 2, got);
	return got[0] == first && got[1] == second;
}

/* By block, once for each instruction that was executed, in whichever pass. */
static void test_access(void)
{
	struct frame f;

	json_object_put(control_ask("{\"cmd\":\"reg_fill\",\"array\":\"access\",\"index\":0,"
				    "\"count\":%u,\"value\":0}", model.blocks));
	memset(model.access, 0, sizeof(model.access));
	request(&f, 1);
	f.txn.lock_check = f.txn.lock_acquire = htonl(2);
	instr(&f, 0, 0, P4W_OP_READ, 63, 0);
	instr(&f, 1, 1, P4W_OP_WRITE, 64, 1);
	instr(&f, 2, 2, P4W_OP_ADD | SECOND, 127, 1);
	instr(&f, 7, 0, P4W_OP_CADD, 62, 0);
	expect(&f, P4W_TXN_OK, "four accesses to two blocks");
	ok_if(counted(2, 2), "are counted, each by its block");
	expect(&f, MODEL_REPLAY, "the same again");
	set_lock(0, 2);
	request(&f, 1);
	f.txn.lock_check = htonl(2);
	instr(&f, 0, 0, P4W_OP_READ, 1, 0);
	expect(&f, P4W_TXN_CONFLICT, "a conflict after the last trip");
	set_lock(0, 0);
	request(&f, 1);
	instr(&f, 0, 0, P4W_OP_READ, 1, 0);
	instr(&f, 1, 0, P4W_OP_READ, FOREIGN, 0);
	expect(&f, P4W_TXN_STALE, "a stale one");
	ok_if(counted(2, 2), "count nothing");
	request(&f, 1);
	instr(&f, 0, 3, P4W_OP_CADD, 2, 0x80000000);
	expect(&f, P4W_TXN_ABORT, "an abort");
	ok_if(counted(3, 2), "counts what it read");
}

static void test_refill(void)
{
	struct frame f;

	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_WRITE, 12, 25);
	instr(&f, 1, 1, P4W_OP_WRITE, 12, 24);
	instr(&f, 2, 2, P4W_OP_WRITE, 12, 3);
	expect(&f, P4W_TXN_OK, "three stocks");
	request(&f, 0);
	for (int k = 0; k < 3; k++)
		instr(&f, k, k, P4W_OP_REFILL, 12, -15);
	expect(&f, P4W_TXN_OK, "orders of 15");
	ok_if(model.cell[0][12] == 10 && model.cell[1][12] == 9 + 91 && model.cell[2][12] == 79,
	      "q >= n + 10 ? q - n : q - n + 91");
	request(&f, 0);
	f.txn.lock_check = f.txn.lock_acquire = htonl(0x1);
	instr(&f, 0, 0, P4W_OP_REFILL, 12, -10);
	instr(&f, 1, 0, P4W_OP_REFILL | SECOND, 12, -85);
	expect(&f, P4W_TXN_OK, "orders in both passes");
	ok_if(model.cell[0][12] == 97, "the model says so too");
}

/* Two accounts: savings in arrays 0 and 1, checking in the first of the dependent stage, cell 13. */
static void test_dependent(void)
{
	unsigned int late = model.registers - model.dependent;
	struct frame f;

	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_WRITE, 13, 30);
	instr(&f, 1, 1, P4W_OP_WRITE, 13, 500);
	instr(&f, 2, late, P4W_OP_WRITE, 13, 20);
	expect(&f, P4W_TXN_OK, "balances");
	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 1, late, P4W_OP_CHARGE | DEPEND, 13, -50);
	expect(&f, P4W_TXN_OK, "a check of all that is there");
	ok_if((int32_t)model.cell[late][13] == -30, "costs nothing more");
	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 7, late, P4W_OP_CHARGE | DEPEND, 13, -1);
	expect(&f, P4W_TXN_OK, "a check beyond it");
	ok_if((int32_t)model.cell[late][13] == -32, "costs 1 more");
	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_WRITE | SOURCE, 13, 0);
	instr(&f, 1, 1, P4W_OP_WRITE | SOURCE, 13, 7);
	instr(&f, 2, late, P4W_OP_ADD | DEPEND, 13, 2);
	instr(&f, 3, 2, P4W_OP_READ | SOURCE, 13, 0);
	expect(&f, P4W_TXN_OK, "the sum of two cells goes to a third");
	ok_if(model.cell[late][13] == 500 && model.cell[0][13] == 0 && model.cell[1][13] == 7,
	      "the model says so too");
	request(&f, 0);
	f.txn.lock_check = f.txn.lock_acquire = htonl(0x2);
	instr(&f, 0, late, P4W_OP_WRITE | SOURCE, 13, 0);
	instr(&f, 1, 1, P4W_OP_ADD | DEPEND | SECOND, 13, -7);
	instr(&f, 2, late, P4W_OP_WRITE | DEPEND | SECOND, 14, 1);
	expect(&f, P4W_TXN_OK, "from the dependent stage, in the second pass");
	ok_if(model.cell[1][13] == 500 && model.cell[late][14] == 501, "the model says so too");
	request(&f, 0);
	instr(&f, 0, 1, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 1, late, P4W_OP_CADD | DEPEND, 14, -1002);
	expect(&f, P4W_TXN_ABORT, "a conditional add of the sum");
	ok_if(state_agrees(), "dependent: all arrays");
}

static void test_stages(void)
{
	unsigned int late = model.registers - model.dependent;
	struct frame f;

	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 1, late - 1, P4W_OP_ADD | DEPEND, 13, 0);
	expect(&f, P4W_TXN_MALFORMED, "the sum is there after all ordinary arrays only");
	request(&f, 0);
	instr(&f, 0, late, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 1, 0, P4W_OP_READ, 13, 0);
	expect(&f, P4W_TXN_OK, "a source in the dependent stage that nobody uses");
	if (model.dependent < 2)
		return;
	request(&f, 0);
	instr(&f, 0, late, P4W_OP_READ | SOURCE, 13, 0);
	instr(&f, 1, late + 1, P4W_OP_ADD | DEPEND, 13, 0);
	expect(&f, P4W_TXN_MALFORMED, "it is used in its own stage");
}

static void stale(const char *what, int place, unsigned int op, unsigned int cell)
{
	struct frame f;

	request(&f, 2);
	instr(&f, 0, 0, P4W_OP_WRITE, 1, 5);
	instr(&f, 1, 1, P4W_OP_WRITE, 65, 5);
	if (place >= 0)
		instr(&f, place, 2, op, cell, 5);
	if (op & SECOND)
		f.txn.lock_check = f.txn.lock_acquire = htonl(1);
	expect(&f, P4W_TXN_STALE, what);
}

static void test_stale(void)
{
	struct frame f;

	stale("stale: one foreign block among ours", 7, P4W_OP_READ, FOREIGN);
	stale("stale: a foreign block in the second pass", 4, P4W_OP_ADD | SECOND, FOREIGN + 63);
	stale("stale: a block behind the last one", 2, P4W_OP_WRITE, model.blocks * 64);
	stale("stale: the highest cell", 2, P4W_OP_WRITE, 0xffff);
	request(&f, 2);
	f.txn.owner = htobe64(owner_word(1, 4));
	expect(&f, P4W_TXN_STALE, "stale: an old epoch");
	request(&f, 2);
	f.txn.home = htons(2);
	instr(&f, 0, 0, P4W_OP_WRITE, 1, 5);
	expect(&f, P4W_TXN_STALE, "stale: a foreign home");
	request(&f, 2);
	f.txn.home = htons(model.blocks);
	expect(&f, P4W_TXN_STALE, "stale: a home behind the last block");
	request(&f, 16);
	expect(&f, P4W_TXN_STALE, "stale: another tenant's flow");
	request(&f, 2);
	f.txn.owner = htobe64(owner_word(2, 6));
	instr(&f, 0, 0, P4W_OP_WRITE, FOREIGN, 5);
	expect(&f, P4W_TXN_STALE, "stale: another tenant in our flow");
	request(&f, model.flows);
	expect(&f, P4W_TXN_STALE, "stale: a flow behind the last one");
	request(&f, 2);
	f.txn.flow = htonl(0xffffffff);
	expect(&f, P4W_TXN_STALE, "stale: the highest flow");
	request(&f, 40);	/* never given: its entry and the owner of block 3 or none are 0 */
	f.txn.owner = 0;
	f.txn.home = htons(model.blocks - 1);
	set_owner(model.blocks - 1, 0, 0);
	expect(&f, P4W_TXN_STALE, "stale: nobody is tenant 0");
	set_owner(2, 2, 6);
	ok_if(state_agrees(), "stale: nothing changed");
}

static void test_refusals(void)
{
	static const struct { uint8_t reg, op; int want; } t[] = {
		{ 0, 7, P4W_TXN_MALFORMED }, { 0, 0x1f, P4W_TXN_MALFORMED },
		{ 0, 0x20, P4W_TXN_MALFORMED }, { 0, 0x40, P4W_TXN_MALFORMED },
		{ 0, 0x47, P4W_TXN_MALFORMED }, { 0, 0x7f, P4W_TXN_MALFORMED },
		{ 0, 0x80, P4W_TXN_MALFORMED }, { 0, 0x84, P4W_TXN_MALFORMED },
		{ 0, 0x87, P4W_TXN_MALFORMED }, { 0, 0xa4, P4W_TXN_MALFORMED },
		{ 0, 0xc1, P4W_TXN_MALFORMED }, { 0, 0xff, P4W_TXN_MALFORMED },
		{ 255, P4W_OP_READ, P4W_TXN_MALFORMED }, { 32, P4W_OP_READ, P4W_TXN_MALFORMED },
		{ 255, P4W_OP_NONE, P4W_TXN_OK },
	};
	struct frame f;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char what[64];

		request(&f, 3);
		instr(&f, 0, 0, P4W_OP_WRITE, 2, 5);
		instr(&f, i % 8, t[i].reg, t[i].op, 1, 5);
		snprintf(what, sizeof(what), "register %u op 0x%02x", t[i].reg, t[i].op);
		expect(&f, t[i].want, what);
	}
	request(&f, 3);
	instr(&f, 0, model.registers, P4W_OP_READ, 1, 5);
	expect(&f, P4W_TXN_MALFORMED, "a register behind the last one");
	request(&f, 3);
	instr(&f, 0, model.registers - 1, P4W_OP_WRITE, 1, 5);
	expect(&f, P4W_TXN_OK, "the last register");
	request(&f, 3);
	f.txn.version = 0;
	instr(&f, 0, 255, 255, 0xffff, 5);
	expect(&f, P4W_TXN_VERSION, "another version, whatever else");
	ok_if(state_agrees(), "refusals: nothing changed");
}

static void test_conflict(void)
{
	uint64_t retries = control_counter("txn_retry");
	struct frame f;

	set_lock(0, 0x80000000);
	request(&f, 4);
	f.txn.lock_check = htonl(0x80000001);
	f.txn.lock_acquire = htonl(1);
	instr(&f, 0, 0, P4W_OP_WRITE, 20, 5);
	instr(&f, 1, 0, P4W_OP_WRITE | SECOND, 20, 6);
	expect(&f, P4W_TXN_CONFLICT, "conflict after the last trip");
	ok_if(control_counter("txn_retry") == retries + P4W_RETRIES_MAX - 1,
	      "it went round 7 times");
	request(&f, 4);
	f.txn.lock_check = htonl(0x7fffffff);
	instr(&f, 0, 0, P4W_OP_WRITE, 20, 5);
	expect(&f, P4W_TXN_OK, "other bits are free");
	ok_if(state_agrees(), "conflict: only its flow knows");
	set_lock(0, 0);
}

static void test_replay(void)
{
	struct frame first, later, f;
	struct frame bad;

	request(&first, 5);
	instr(&first, 0, 0, P4W_OP_ADD, 30, 1);
	expect(&first, P4W_TXN_OK, "an add");
	expect(&first, MODEL_REPLAY, "the same again: its reply again");
	request(&later, 5);
	instr(&later, 0, 0, P4W_OP_ADD, 30, 1);
	instr(&later, 5, 1, P4W_OP_CADD, 30, -1);
	expect(&later, P4W_TXN_ABORT, "an abort");
	expect(&first, MODEL_DROPPED, "an older one is dropped");
	set_owner(0, 0, 0);
	set_owner(1, 0, 0);
	expect(&later, MODEL_REPLAY, "after the fence: its reply again");
	request(&f, 5);
	instr(&f, 0, 0, P4W_OP_ADD, 30, 1);
	expect(&f, P4W_TXN_STALE, "after the fence: a new one");
	set_owner(0, 1, 7);
	set_owner(1, 1, 7);
	expect(&later, MODEL_REPLAY, "whatever the epoch: its reply again");
	bad = later;
	bad.txn.owner = htobe64(owner_word(2, 7));
	expect(&bad, P4W_TXN_STALE, "another tenant never sees it");
	set_owner(0, 1, 5);
	set_owner(1, 1, 5);
	set_flow(6, 1ull << P4W_FLOW_TENANT_SHIFT |
			    (uint64_t)P4W_FLOW_BUSY << P4W_FLOW_STATE_SHIFT | 10);
	request(&f, 6);
	f.txn.seq = htonl(10);
	expect(&f, MODEL_DROPPED, "one that is under way is dropped");
	request(&f, 6);
	f.txn.seq = htonl(11);
	expect(&f, MODEL_DROPPED, "nor does the next one overtake it");
	set_flow(6, 1ull << P4W_FLOW_TENANT_SHIFT |
			    (uint64_t)P4W_FLOW_DONE << P4W_FLOW_STATE_SHIFT | 10);
	expect(&f, P4W_TXN_OK, "its repeat does when the way is free");
	request(&f, 7);
	f.txn.seq = 0;
	expect(&f, MODEL_DROPPED, "numbers begin at 1");
	ok_if(state_agrees(), "replay: all arrays");
}

static void random_instr(struct frame *f, int place, unsigned int reg, bool two_passes)
{
	unsigned int op = 1 + rand() % (P4W_OPS_END - 1);
	unsigned int cell = rand() % (rand() % 50 ? 128 : model.blocks * 64 + 9);
	uint32_t operand = rand() % 2000 - 1000;

	if (two_passes && op != P4W_OP_CADD && rand() % 2)
		op |= SECOND;
	else if (rand() % 4 == 0)
		op |= SOURCE;
	if ((op & SECOND || reg % model.registers >= model.registers - model.dependent) && rand() % 2)
		op |= DEPEND;
	if (rand() % 3 == 0)
		operand = (uint32_t)rand() << 1;
	if (rand() % 200 == 0)
		op = rand();
	instr(f, place, reg % model.registers, op, cell, operand);
}

static void random_request(struct frame *f)
{
	static struct frame before;
	bool two_passes = rand() % 3 == 0;
	int nr = rand() % 9, first = rand();

	if (rand() % 20 == 0 && before.ethertype) {
		*f = before;
		return;
	}
	request(f, rand() % 16);
	f->txn.lock_check = htonl(rand());
	f->txn.lock_acquire = two_passes ? htonl(rand() & ntohl(f->txn.lock_check)) : 0;
	for (int k = 0; k < nr && k < (int)model.registers; k++)
		random_instr(f, k, first % 997 + k, two_passes);
	if (rand() % 100 == 0)
		f->txn.owner ^= htobe64(1ull << rand() % 64);
	before = *f;
}

static void test_random(void)
{
	unsigned int seen[8] = { 0 }, i;
	int outcome = 0;
	bool good = true;
	struct frame f;

	srand(1);
	for (i = 0; i < 4000 && good; i++) {
		random_request(&f);
		good = exchange(&f, &outcome);
		seen[outcome]++;
	}
	ok_if(good, "%u random transactions as in the model (ok %u stale %u abort %u malformed %u "
	      "replay %u dropped %u)", i, seen[0], seen[1], seen[3], seen[5], seen[6], seen[7]);
	ok_if(seen[0] > 500 && seen[1] > 100 && seen[3] > 100 && seen[5] > 20 && seen[6] > 20,
	      "they were of all kinds");
	ok_if(state_agrees(), "random transactions: all arrays");
}

void test_transactions(void)
{
	give();
	test_operations();
	test_refill();
	test_two_passes();
	test_access();
	test_dependent();
	test_stages();
	test_stale();
	test_refusals();
	test_conflict();
	test_replay();
	test_random();
}
