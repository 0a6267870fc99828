/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.h - what the rest of the library needs from layout.c beyond the public calls. */
#ifndef P4A_LAYOUT_H
#define P4A_LAYOUT_H

#include "p4alloc.h"

/* p4a_layout_from_counts(); on -EEXIST *twice is the key, so that the caller can say where. */
int p4a_layout_build(struct p4a_layout **out, const struct p4a_geometry *geo,
		     const struct p4a_key_count *kc, size_t n, struct p4a_error *err,
		     uint64_t *twice);

static inline int p4a_same_geometry(const struct p4a_geometry *a, const struct p4a_geometry *b)
{
	return a->registers == b->registers && a->blocks == b->blocks &&
	       a->dependent == b->dependent;
}

struct p4a_lock_bit {
	uint64_t key;
	uint8_t bit;
};

/*
 * A layout with the same places, in which exactly these keys have lock bits; keys of slot 0, and those
 * that the layout does not hold, are passed over. It may outlive `from`. 0 or -ENOMEM.
 */
int p4a_layout_relock(struct p4a_layout **out, const struct p4a_layout *from,
		      const struct p4a_lock_bit *bits, size_t n);

#endif
