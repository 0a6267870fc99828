/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blocks.h - a set of switch blocks. Values; copy and compare freely. */
#ifndef P4D_BLOCKS_H
#define P4D_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "p4wire.h"

#define P4D_BLOCK_WORDS (P4W_MAX_BLOCKS / 64)

struct p4d_blocks {
	uint64_t w[P4D_BLOCK_WORDS];
};

static inline bool p4d_blocks_has(const struct p4d_blocks *s, unsigned int b)
{
	return s->w[b / 64] >> (b % 64) & 1;
}

static inline void p4d_blocks_add(struct p4d_blocks *s, unsigned int b)
{
	s->w[b / 64] |= 1ull << (b % 64);
}

static inline void p4d_blocks_del(struct p4d_blocks *s, unsigned int b)
{
	s->w[b / 64] &= ~(1ull << (b % 64));
}

static inline unsigned int p4d_blocks_count(const struct p4d_blocks *s)
{
	unsigned int n = 0;

	for (int i = 0; i < P4D_BLOCK_WORDS; i++)
		n += __builtin_popcountll(s->w[i]);
	return n;
}

/* The first member at or above `from`; P4W_MAX_BLOCKS if there is none. */
static inline unsigned int p4d_blocks_next(const struct p4d_blocks *s, unsigned int from)
{
	while (from < P4W_MAX_BLOCKS) {
		uint64_t rest = s->w[from / 64] >> (from % 64);

		if (rest)
			return from + __builtin_ctzll(rest);
		from = (from / 64 + 1) * 64;
	}
	return P4W_MAX_BLOCKS;
}

#define p4d_blocks_each(s, b)						\
	for (unsigned int b = p4d_blocks_next(s, 0); b < P4W_MAX_BLOCKS;	\
	     b = p4d_blocks_next(s, b + 1))

/* Wire form: block b is bit b % 8 of byte b / 8. */
static inline void p4d_blocks_to_wire(const struct p4d_blocks *s, uint8_t out[P4W_BITMAP_BYTES])
{
	memset(out, 0, P4W_BITMAP_BYTES);
	p4d_blocks_each(s, b)
		out[b / 8] |= 1u << (b % 8);
}

static inline void p4d_blocks_from_wire(struct p4d_blocks *s, const uint8_t in[P4W_BITMAP_BYTES])
{
	memset(s, 0, sizeof(*s));
	for (unsigned int b = 0; b < P4W_MAX_BLOCKS; b++)
		if (in[b / 8] >> (b % 8) & 1)
			p4d_blocks_add(s, b);
}

#endif /* P4D_BLOCKS_H */
