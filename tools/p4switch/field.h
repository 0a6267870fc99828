/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * field.h - a line of JSON and its fields, strictly: numbers are whole, not negative and below
 * 2^64, and what is wrong is said with the field's name and the accepted range.
 */
#ifndef P4SWITCH_FIELD_H
#define P4SWITCH_FIELD_H

#include <stddef.h>
#include <stdint.h>

struct json_object;

struct failure {
	char text[160];
	char field[48];
};

/* Fills `f`, returns -EINVAL. */
int fail(struct failure *f, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The line's one value, to be put by the caller, or NULL with `f` filled. */
struct json_object *parse_line(const char *line, size_t length, struct failure *f);

int get_uint(struct json_object *v, const char *field, uint64_t min, uint64_t max,
	     uint64_t *out, struct failure *f);
int need_uint(struct json_object *o, const char *field, uint64_t min, uint64_t max,
	      uint64_t *out, struct failure *f);
/* NULL with `f` filled if there is none. */
const char *need_string(struct json_object *o, const char *field, struct failure *f);
struct json_object *need_list(struct json_object *o, const char *field, uint64_t max,
			      struct failure *f);	/* of 1 .. max */

#endif
