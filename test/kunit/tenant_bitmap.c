// SPDX-License-Identifier: GPL-2.0-or-later
/* Virtual slots to physical cells: against a slow and obvious model, for many random grants. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include "../../module/bitmap.c"

#define SLOTS	(P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS)

/* The position of the v-th set bit, or -1: counts from the start each time. */
static int model_select(const u8 *bitmap, int v)
{
	int b;

	for (b = 0; b < P4W_MAX_BLOCKS; b++) {
		if (bitmap[b / 8] >> (b % 8) & 1 && !v--)
			return b;
	}
	return -1;
}

static void check_grant(struct kunit *test, const u8 *bitmap)
{
	struct homa_blocks blocks;
	int slot, block, want, end = 0;

	homa_blocks_from_bitmap(&blocks, bitmap);
	for (slot = 0; slot < SLOTS; slot++) {
		block = model_select(bitmap, slot / P4W_BLOCK_SLOTS);
		want = block < 0 ? -ERANGE : P4W_BLOCK_SLOTS * block + slot % P4W_BLOCK_SLOTS;
		if (block >= end)
			end = block + 1;
		if (homa_blocks_cell(&blocks, slot) == want)
			continue;
		KUNIT_FAIL(test, "slot %d: cell %d, not %d", slot,
			   homa_blocks_cell(&blocks, slot), want);
		return;
	}
	KUNIT_EXPECT_EQ(test, homa_bitmap_end(bitmap), (u32)end);
}

static void cell__random_grants(struct kunit *test)
{
	u8 bitmap[P4W_BITMAP_BYTES];
	struct rnd_state rnd;
	int round, i;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < 64; round++) {
		u8 sparse = round % 4 ? prandom_u32_state(&rnd) : 0xff;

		for (i = 0; i < P4W_BITMAP_BYTES; i++)
			bitmap[i] = prandom_u32_state(&rnd) & sparse;
		check_grant(test, bitmap);
	}
}

static void cell__edges(struct kunit *test)
{
	u8 bitmap[P4W_BITMAP_BYTES] = { 0 };

	check_grant(test, bitmap);
	bitmap[0] = 0x01;
	check_grant(test, bitmap);
	bitmap[P4W_BITMAP_BYTES - 1] = 0x80;
	check_grant(test, bitmap);
	memset(bitmap, 0xff, sizeof(bitmap));
	check_grant(test, bitmap);
}

/* Slots of one virtual block stay together, and two slots never share a cell. */
static void cell__is_injective(struct kunit *test)
{
	u8 bitmap[P4W_BITMAP_BYTES] = { 0xa5, 0, 0xff, 0x10, [31] = 0x81 };
	struct homa_blocks blocks;
	int slot, last = -1;

	homa_blocks_from_bitmap(&blocks, bitmap);
	KUNIT_EXPECT_EQ(test, blocks.nr, (u16)15);
	for (slot = 0; slot < blocks.nr * P4W_BLOCK_SLOTS; slot++) {
		int cell = homa_blocks_cell(&blocks, slot);

		KUNIT_ASSERT_GT(test, cell, last);
		last = cell;
	}
	KUNIT_EXPECT_EQ(test, homa_blocks_cell(&blocks, slot), -ERANGE);
	KUNIT_EXPECT_EQ(test, homa_blocks_cell(&blocks, 0xffff), -ERANGE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(cell__random_grants),
	KUNIT_CASE(cell__edges),
	KUNIT_CASE(cell__is_injective),
	{}
};

static struct kunit_suite suite = { .name = "tenant_bitmap", .test_cases = cases };
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
