/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * member.h - members of JSON objects that come from elsewhere. What is missing or of another type
 * is NULL, 0 or "-".
 */
#ifndef P4CTL_MEMBER_H
#define P4CTL_MEMBER_H

#include <stdint.h>

#include <json-c/json.h>

struct json_object *member(struct json_object *o, const char *name);
int64_t member_number(struct json_object *o, const char *name);
double member_real(struct json_object *o, const char *name);
const char *member_text(struct json_object *o, const char *name);
size_t list_length(struct json_object *list);
struct json_object *list_at(struct json_object *list, size_t i);	/* NULL: behind the end */

#endif /* P4CTL_MEMBER_H */
