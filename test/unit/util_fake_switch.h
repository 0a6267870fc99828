/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A switch and an allocator inside of a test: the context half of <p4alloc.h> for nodes that are
 * threads of one process. Layouts and plans are the library's own.
 */
#ifndef UTIL_FAKE_SWITCH_H
#define UTIL_FAKE_SWITCH_H

#include <p4alloc.h>
#include <stdbool.h>

struct fake_switch {			/* what shall happen; 0: never */
	struct p4a_geometry geo;
	unsigned int conflict_every;	/* this many-th transaction finds its lock bits taken */
	unsigned int abort_every;
	uint64_t expire_epoch;		/* in this epoch the lease ends after expire_txns */
	unsigned int expire_txns;
	uint64_t spoil_epoch;		/* in this epoch the first fill finds the blocks gone */
	uint64_t late_epoch;		/* in this epoch the lease ends after the values were read */
	uint64_t flip_epoch;		/* in this epoch the cell of a key is altered once */
	uint64_t flip_key;
	unsigned int bitless_every;	/* this many-th key gets no lock bit, another one in each batch */
	unsigned int away;		/* so many of the calls that fetch the escrow or leave fail */
	bool no_lock_info;		/* an old allocator */
	bool cold;			/* there is no allocator */
};

void fake_switch_reset(const struct fake_switch *what);

#endif /* UTIL_FAKE_SWITCH_H */
