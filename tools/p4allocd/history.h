/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - how many blocks each tenant held, over time; or any other number for each.
 *
 * A ring of the last P4D_HISTORY changes; what falls out of it is folded into a base, so that the
 * state at any remembered moment can be told exactly. Pure memory, no clock.
 */
#ifndef P4D_HISTORY_H
#define P4D_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P4D_HISTORY 65536

struct p4d_history;

struct p4d_history *p4d_history_create(void);
void p4d_history_destroy(struct p4d_history *h);

/*
 * From now_us on the tenant holds `blocks` blocks. Equal to what it held: no change, not recorded.
 */
void p4d_history_record(struct p4d_history *h, uint64_t now_us, uint32_t tenant, uint32_t blocks);

/* Changes that are no longer remembered one by one. */
uint64_t p4d_history_dropped(const struct p4d_history *h);

/* Tenants that occur, ascending; returns how many, writes up to max. */
size_t p4d_history_tenants(const struct p4d_history *h, uint32_t *out, size_t max);

/*
 * Calls row() with the blocks of each tenant, in the order of p4d_history_tenants(), for the moment
 * since_us (if anything is known of it) and then for each later change, until it returns false.
 */
void p4d_history_walk(const struct p4d_history *h, uint64_t since_us,
		      bool (*row)(void *arg, uint64_t us, const uint32_t *blocks, size_t n),
		      void *arg);

#endif /* P4D_HISTORY_H */
