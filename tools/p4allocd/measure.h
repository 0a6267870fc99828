/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.h - when the switch is asked how often a tenant's blocks were used.
 *
 * Counts are of what ran between the barriers FILLED and RAN: filling and draining touch each cell
 * once, whatever it is worth. So they begin anew when all have filled, and end when all have run or
 * the blocks are taken away before; a long batch is counted every P4D_MEASURE_US. The nodes never wait
 * for any of this, and what the switch does not answer is not known, that is all.
 */
#ifndef P4D_MEASURE_H
#define P4D_MEASURE_H

#include "engine.h"

#define P4D_MEASURE_US 1000000

void p4d_measure_phase(struct p4d_engine *e, struct p4d_tenant *t);	/* it has risen */
void p4d_measure_end(struct p4d_engine *e, struct p4d_tenant *t);	/* before the fence */
void p4d_measure_tick(struct p4d_engine *e, struct p4d_tenant *t);

/* The switch's answer, about t->cur. */
void p4d_measure_counted(struct p4d_tenant *t, const uint64_t *seen);

#endif /* P4D_MEASURE_H */
