/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_BITMAP_H
#define P4HOMA_BITMAP_H

#include <linux/types.h>
#include "p4wire.h"

/* The blocks of one grant: block[v] is the physical block of virtual block v, ascending. */
struct homa_blocks {
	u16 nr;
	u8 block[P4W_MAX_BLOCKS];
};

void homa_blocks_from_bitmap(struct homa_blocks *blocks, const u8 bitmap[P4W_BITMAP_BYTES]);
u32 homa_bitmap_end(const u8 bitmap[P4W_BITMAP_BYTES]);
int homa_blocks_cell(const struct homa_blocks *blocks, u16 slot);
bool homa_blocks_keep_places(const struct homa_blocks *before, const struct homa_blocks *after);

#endif
