/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reconcile.h - a switch has come up: is what it remembers what the allocator believes?
 *
 * Same boot: grants go on, actions that were under way are repeated, blocks that it holds for
 * nobody are fenced. Another boot: its registers are empty, all grants are lost; those that no
 * node was told of are given again under new epochs. In any case no epoch that it has seen is
 * drawn again.
 */
#ifndef P4D_RECONCILE_H
#define P4D_RECONCILE_H

#include "engine.h"

void p4d_reconcile(struct p4d_engine *e, const struct p4d_switch_info *info);

/* The blocks that were fenced are free. */
void p4d_reconcile_strays_taken(struct p4d_engine *e);

/* Blocks that are no grant's any more: fenced, then free. */
void p4d_reconcile_release(struct p4d_engine *e, const struct p4d_blocks *blocks);

#endif /* P4D_RECONCILE_H */
