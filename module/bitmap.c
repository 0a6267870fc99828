// SPDX-License-Identifier: GPL-2.0
/*
 * bitmap.c - from a tenant's virtual slots to physical cells.
 *
 * A grant is a set of physical blocks as a 32-byte bitmap; virtual block v is the v-th set bit.
 * The set is expanded once, when it arrives, so that a transaction's slots cost one lookup each.
 * Pure functions: no lock, no state, any context.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "bitmap.h"

void homa_blocks_from_bitmap(struct homa_blocks *blocks, const u8 bitmap[P4W_BITMAP_BYTES])
{
	unsigned long bits;
	unsigned int i, bit;

	blocks->nr = 0;
	for (i = 0; i < P4W_BITMAP_BYTES; i++) {
		bits = bitmap[i];
		for_each_set_bit(bit, &bits, 8)
			blocks->block[blocks->nr++] = 8 * i + bit;
	}
}

/* One more than the highest block in the set; 0 if it is empty. */
u32 homa_bitmap_end(const u8 bitmap[P4W_BITMAP_BYTES])
{
	int i;

	for (i = P4W_BITMAP_BYTES - 1; i >= 0; i--) {
		if (bitmap[i])
			return 8 * i + fls(bitmap[i]);
	}
	return 0;
}

/* The physical cell of a virtual slot, the same in all register arrays, or -ERANGE. */
int homa_blocks_cell(const struct homa_blocks *blocks, u16 slot)
{
	u16 v = slot / P4W_BLOCK_SLOTS;

	if (v >= blocks->nr)
		return -ERANGE;
	return blocks->block[v] * P4W_BLOCK_SLOTS + slot % P4W_BLOCK_SLOTS;
}

/* More follow, or the last ones are gone; no slot is another cell than before. */
bool homa_blocks_keep_places(const struct homa_blocks *before, const struct homa_blocks *after)
{
	return !memcmp(before->block, after->block, min(before->nr, after->nr));
}
