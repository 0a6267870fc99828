/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* region.h - the memory in which the kernel puts what a Homa socket receives. */
#ifndef P4A_REGION_H
#define P4A_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Maps one and gives it to the socket: 0, or -errno. Afterwards it is the caller's to unmap, when the
 * socket writes no more.
 */
int p4a_region_map(int sock, uint8_t **region, size_t *len, struct p4a_error *err);

#endif
