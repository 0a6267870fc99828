/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * why.h - why a reservation is not granted yet, and how far its histogram is believed, in the few
 * bytes that RESERVED has for it; explain.h says more. Reads the engine, never changes it.
 */
#ifndef P4D_WHY_H
#define P4D_WHY_H

#include "engine.h"

/* P4W_WHY_NONE: it has no reservation. */
enum p4w_why p4d_why(const struct p4d_engine *e, const struct p4d_tenant *t);
const char *p4d_why_name(enum p4w_why why);

/* What the wanted blocks are worth as believed, in percent of what was declared. */
unsigned int p4d_believed(const struct p4d_batch *b);

/* The answer to a REQUEST for b, the next batch of t or one that is being given. */
void p4d_why_reserved(const struct p4d_engine *e, const struct p4d_tenant *t,
		      const struct p4d_batch *b, struct p4d_reserved *r);

#endif /* P4D_WHY_H */
