/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owners.h - owner words of the switch, grouped by grant. Pure.
 */
#ifndef P4CTL_OWNERS_H
#define P4CTL_OWNERS_H

#include <stddef.h>
#include <stdint.h>

#include <p4wire.h>

struct owner {
	uint32_t tenant;		/* 0: these blocks are nobody's */
	uint64_t epoch;
	unsigned int home;		/* first block */
	uint8_t bitmap[P4W_BITMAP_BYTES];
};

/* Fills owners, which has room for n, in the order of their first blocks; returns how many. */
unsigned int owners_group(const uint64_t *words, size_t n, struct owner *owners);

#endif /* P4CTL_OWNERS_H */
