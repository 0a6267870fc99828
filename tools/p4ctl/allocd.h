/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allocd.h - what the allocator's status socket answers to "show" (p4allocd(8)), for people. Pure.
 *
 * Members that are missing or of another type are shown as 0 or "-".
 */
#ifndef P4CTL_ALLOCD_H
#define P4CTL_ALLOCD_H

#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/* only: a tenant's number, or 0 for all */
void allocd_print(struct json_object *show, uint32_t only, FILE *out);

/* A line that says why the switch is not in use, if it is not. */
void allocd_print_why(struct json_object *show, FILE *out);

/* The same as JSON, without what belongs to the protocol; NULL of NULL. */
struct json_object *allocd_json(struct json_object *show, uint32_t only);

#endif /* P4CTL_ALLOCD_H */
