/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain.h - why a tenant has, or is going to have, this number of blocks, and why now or not yet:
 * the numbers that decided, as p4allocd(8) says. Reads the engine, never changes it.
 */
#ifndef P4D_EXPLAIN_H
#define P4D_EXPLAIN_H

#include <json-c/json.h>

#include "engine.h"

/* Adds the members of the answer to {"cmd":"explain"}. */
void p4d_explain(const struct p4d_engine *e, const struct p4d_tenant *t, uint64_t now,
		 struct json_object *o);

#endif /* P4D_EXPLAIN_H */
