/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.h - what the reader of count files needs from layout.c beyond the public calls. */
#ifndef P4A_LAYOUT_H
#define P4A_LAYOUT_H

#include "p4alloc.h"

/* p4a_layout_from_counts(); on -EEXIST *twice is the key, so that the caller can say where. */
int p4a_layout_build(struct p4a_layout **out, const struct p4a_geometry *geo,
		     const struct p4a_key_count *kc, size_t n, struct p4a_error *err,
		     uint64_t *twice);

#endif
