/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rnd.h - random numbers that are the same in each run (xorshift); one state for each file that includes this */
#ifndef TEST_RND_H
#define TEST_RND_H

#include <stdint.h>

static uint64_t rnd_state = 88172645463325252ull;

static inline void rnd_seed(uint64_t seed)
{
	rnd_state = seed * 0x9e3779b97f4a7c15ull + 1;
}

/* 0 .. n - 1 */
static inline uint32_t rnd(uint32_t n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (rnd_state >> 16) % n;
}

#endif /* TEST_RND_H */
