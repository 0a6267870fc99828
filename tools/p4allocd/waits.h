/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.h - how long tenants waited and held, for those who watch. Reads, never changes. */
#ifndef P4D_WAITS_H
#define P4D_WAITS_H

#include "state.h"

/* It waits for blocks. */
bool p4d_waits(const struct p4d_tenant *t);

/* Of its last waits, in microseconds; 0 if there was none. */
uint32_t p4d_waits_quantile(const struct p4d_tenant *t, unsigned int percent);

/* Blocks times microseconds held, what it holds now included. */
uint64_t p4d_waits_block_us(const struct p4d_tenant *t, uint64_t now);

#endif /* P4D_WAITS_H */
