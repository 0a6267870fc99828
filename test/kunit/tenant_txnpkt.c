// SPDX-License-Identifier: GPL-2.0-or-later
/* What a program may send as a transaction, the packet made of it, and what counts as its answer. */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/bitmap.c"
#include "../../module/txnpkt.c"

#define REGISTERS	20
#define R(reg, op)	{ reg, op, 0, 0 }
#define SECOND		P4W_OP_SECOND_PASS

static const struct {
	const char *what;
	int want;
	struct homa_txn txn;
} check_table[] = {
	{ "one read", 0, { .count = 1, .instr = { R(0, P4W_OP_READ) } } },
	{ "every op", 0, { .count = 6, .instr = { R(0, P4W_OP_READ), R(1, P4W_OP_WRITE),
		R(2, P4W_OP_ADD), R(3, P4W_OP_CADD), R(4, P4W_OP_REFILL), R(5, P4W_OP_CHARGE) } } },
	{ "sources, and what depends on them", 0, { .count = 3, .lock_check = 1, .lock_acquire = 1,
		.instr = { R(0, P4W_OP_WRITE | P4W_OP_SOURCE), R(19, P4W_OP_CADD | P4W_OP_DEPENDENT),
		R(1, P4W_OP_ADD | P4W_OP_DEPENDENT | SECOND) } } },
	{ "all eight places", 0, { .count = 8, .instr = { R(0, 1), R(1, 1), R(2, 1), R(3, 1),
		R(4, 1), R(5, 1), R(6, 1), R(19, 1) } } },
	{ "lock bits without a second pass", 0,
		{ .count = 1, .lock_check = 6, .instr = { R(0, 1) } } },
	{ "a register in each pass", 0, { .count = 2, .lock_check = 3, .lock_acquire = 1,
		.instr = { R(5, P4W_OP_READ), R(5, P4W_OP_WRITE | SECOND) } } },
	{ "an old epoch is not judged here", 0, { .epoch = 1, .count = 1, .instr = { R(0, 1) } } },

	{ "no instruction", -EINVAL, { .count = 0 } },
	{ "nine", -EINVAL, { .count = 9, .instr = { R(0, 1) } } },
	{ "count 255", -EINVAL, { .count = 255, .instr = { R(0, 1) } } },
	{ "op none", -EINVAL, { .count = 1, .instr = { R(0, P4W_OP_NONE) } } },
	{ "op 7", -EINVAL, { .count = 1, .instr = { R(0, 7) } } },
	{ "op 0x1f", -EINVAL, { .count = 1, .instr = { R(0, 0x1f) } } },
	{ "a source of nothing", -EINVAL, { .count = 1, .instr = { R(0, P4W_OP_SOURCE) } } },
	{ "a source in the second pass", -EINVAL, { .count = 1, .lock_check = 1, .lock_acquire = 1,
		.instr = { R(0, P4W_OP_READ | P4W_OP_SOURCE | SECOND) } } },
	{ "second pass of nothing", -EINVAL, { .count = 1, .lock_check = 1, .lock_acquire = 1,
		.instr = { R(0, SECOND) } } },
	{ "register 20 of 20", -EINVAL, { .count = 1, .instr = { R(20, 1) } } },
	{ "register 255", -EINVAL, { .count = 1, .instr = { R(255, 1) } } },
	{ "a register twice", -EINVAL, { .count = 2, .instr = { R(5, 1), R(5, 2) } } },
	{ "a register twice in the second pass", -EINVAL, { .count = 2, .lock_check = 1,
		.lock_acquire = 1, .instr = { R(5, 1 | SECOND), R(5, 2 | SECOND) } } },
	{ "CADD in the second pass", -EINVAL, { .count = 1, .lock_check = 1, .lock_acquire = 1,
		.instr = { R(0, P4W_OP_CADD | SECOND) } } },
	{ "acquire not in check", -EINVAL, { .count = 1, .lock_check = 1, .lock_acquire = 3,
		.instr = { R(0, 1 | SECOND) } } },
	{ "acquire without a second pass", -EINVAL, { .count = 1, .lock_check = 1,
		.lock_acquire = 1, .instr = { R(0, 1) } } },
	{ "second pass without acquire", -EINVAL, { .count = 1, .lock_check = 1,
		.instr = { R(0, 1 | SECOND) } } },
	{ "reserved", -EINVAL, { .count = 1, .reserved = { [5] = 1 }, .instr = { R(0, 1) } } },
	{ "space", -EINVAL, { .count = 1, .space = HOMA_TXN_SPACES, .instr = { R(0, 1) } } },
	{ "locks", 0, { .count = 1, .space = HOMA_TXN_LOCKS, .instr = { R(0, 1) } } },
	{ "something beyond count", -EINVAL, { .count = 1, .instr = { R(0, 1), [7] = { 0, 0, 0, 1 } } } },
};

static void check__table(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(check_table); i++)
		KUNIT_EXPECT_EQ_MSG(test, homa_txn_check(&check_table[i].txn, REGISTERS),
				    check_table[i].want, "%s", check_table[i].what);
}

static void fill__translates_each_slot(struct kunit *test)
{
	struct homa_txn txn = { .count = 3, .lock_check = 0x80000001, .lock_acquire = 1, .instr = {
		{ 4, P4W_OP_ADD, 0, 7 }, { 5, P4W_OP_READ, 65, 0 },
		{ 4, P4W_OP_WRITE | SECOND, 127, 0xfffffffe } } };
	u8 bitmap[P4W_BITMAP_BYTES] = { 0x08, [31] = 0x80 };	/* blocks 3 and 255 */
	struct homa_blocks blocks;
	struct p4w_txn p = { 0 };

	homa_blocks_from_bitmap(&blocks, bitmap);
	homa_txn_fill_head(&p, &txn, 0x1234, 40000, 4001);
	KUNIT_ASSERT_EQ(test, homa_txn_fill_instrs(&p, &txn, &blocks), 0);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.instr[0].cell), 192);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.instr[1].cell), 255 * 64 + 1);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.instr[2].cell), 255 * 64 + 63);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.instr[2].operand), 0xfffffffe);
	KUNIT_EXPECT_EQ(test, p.instr[2].op, P4W_OP_WRITE | SECOND);
	KUNIT_EXPECT_EQ(test, p.instr[3].op, P4W_OP_NONE);
	KUNIT_EXPECT_EQ(test, p.common.type, P4W_TXN);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.common.dport), 4001);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p.common.sender_id), 0x1234ull);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.lock_check), 0x80000001);
	txn.instr[1].slot = 128;
	KUNIT_EXPECT_EQ(test, homa_txn_fill_instrs(&p, &txn, &blocks), -ERANGE);
}

static struct p4w_txn a_request(void)
{
	struct p4w_txn p = { .version = P4W_VERSION, .owner = cpu_to_be64(homa_owner_word(7, 9)),
			     .flow = cpu_to_be32(12), .seq = cpu_to_be32(3), .home = cpu_to_be16(2) };

	p.common.sport = cpu_to_be16(40000);
	p.common.dport = cpu_to_be16(4001);
	p.common.sender_id = cpu_to_be64(100);
	p.common.type = P4W_TXN;
	return p;
}

static struct p4w_txn its_reply(void)
{
	struct p4w_txn p = a_request();

	swap(p.common.sport, p.common.dport);
	p.common.sender_id = cpu_to_be64(101);
	p.common.type = P4W_TXN_REPLY;
	p.serial = cpu_to_be64(77);
	p.instr[0].result = cpu_to_be32(5);
	return p;
}

/* Each byte of a reply that a forger gets wrong makes it nobody's, but for what the switch fills. */
static void is_answer__every_byte_counts(struct kunit *test)
{
	struct p4w_txn sent = a_request(), got;
	size_t i;

	got = its_reply();
	KUNIT_ASSERT_TRUE(test, homa_txn_is_answer(&sent, &got));
	for (i = 0; i < offsetof(struct p4w_txn, serial); i++) {
		bool known = i < offsetof(struct p4w_common, sequence) ||
			     (i >= offsetof(struct p4w_common, sender_id) &&
			      i < offsetof(struct p4w_txn, pass)) ||
			     (i >= offsetof(struct p4w_txn, retries) &&
			      i < offsetof(struct p4w_txn, lock_check)) ||
			     (i >= offsetof(struct p4w_txn, home) &&
			      i < offsetof(struct p4w_txn, port));

		got = its_reply();
		((u8 *)&got)[i] ^= 0x80;
		KUNIT_EXPECT_EQ_MSG(test, homa_txn_is_answer(&sent, &got), !known, "byte %zu", i);
	}
}

static void is_answer__status(struct kunit *test)
{
	struct p4w_txn sent = a_request(), got = its_reply();
	int status;

	for (status = 0; status <= 255; status++) {
		bool other = status == P4W_TXN_VERSION;

		got.status = status;
		got.version = P4W_VERSION + other;
		KUNIT_EXPECT_EQ_MSG(test, homa_txn_is_answer(&sent, &got),
				    status <= P4W_TXN_MALFORMED, "status %d", status);
		got.version = P4W_VERSION + !other;
		KUNIT_EXPECT_FALSE(test, homa_txn_is_answer(&sent, &got));
	}
}

static void is_proof__table(struct kunit *test)
{
	static const struct { u8 status; u64 serial; bool repeated; } t[] = {
		{ P4W_TXN_OK, 77, true },
		{ P4W_TXN_CONFLICT, 0, true },
		{ P4W_TXN_ABORT, 0, true },
		{ P4W_TXN_VERSION, 9ull << P4W_SERIAL_SHIFT, false },
		{ P4W_TXN_MALFORMED, 9ull << P4W_SERIAL_SHIFT, false },
		{ P4W_TXN_STALE, 0, false },		/* restarted, or another's now */
		{ P4W_TXN_STALE, 9ull << P4W_SERIAL_SHIFT, true },
		{ P4W_TXN_STALE, (9ull << P4W_SERIAL_SHIFT) + 5, true },
		{ P4W_TXN_STALE, 10ull << P4W_SERIAL_SHIFT, false },	/* given anew */
		{ P4W_TXN_STALE, 8ull << P4W_SERIAL_SHIFT, false },
	};
	struct p4w_txn got = its_reply();	/* of epoch 9 */
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		got.status = t[i].status;
		got.serial = cpu_to_be64(t[i].serial);
		KUNIT_EXPECT_TRUE(test, homa_txn_is_proof(&got, false));
		KUNIT_EXPECT_EQ_MSG(test, homa_txn_is_proof(&got, true), t[i].repeated, "row %d", i);
	}
}

static void fill_result__only_commits_have_values(struct kunit *test)
{
	struct homa_txn_result result = { 0 };
	struct p4w_txn got = its_reply();

	got.instr[1].result = cpu_to_be32(99);
	homa_txn_fill_result(&result, &got, 1);
	KUNIT_EXPECT_EQ(test, result.serial, 77ull);
	KUNIT_EXPECT_EQ(test, result.epoch, 9ull);
	KUNIT_EXPECT_EQ(test, result.result[0], 5u);
	KUNIT_EXPECT_EQ(test, result.result[1], 0u);
	memset(&result, 0, sizeof(result));
	got.status = P4W_TXN_ABORT;
	homa_txn_fill_result(&result, &got, 1);
	KUNIT_EXPECT_EQ(test, result.serial, 0ull);
	KUNIT_EXPECT_EQ(test, result.result[0], 0u);
	KUNIT_EXPECT_EQ(test, result.status, P4W_TXN_ABORT);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(check__table),
	KUNIT_CASE(fill__translates_each_slot),
	KUNIT_CASE(is_answer__every_byte_counts),
	KUNIT_CASE(is_answer__status),
	KUNIT_CASE(is_proof__table),
	KUNIT_CASE(fill_result__only_commits_have_values),
	{}
};

static struct kunit_suite suite = { .name = "tenant_txnpkt", .test_cases = cases };
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
