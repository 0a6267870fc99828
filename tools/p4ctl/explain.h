/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain.h - the allocator's answer to "explain" (p4allocd(8)), for people. Pure. */
#ifndef P4CTL_EXPLAIN_H
#define P4CTL_EXPLAIN_H

#include <stdio.h>

#include <json-c/json.h>

void explain_print(struct json_object *answer, FILE *out);

#endif /* P4CTL_EXPLAIN_H */
