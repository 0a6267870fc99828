/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digits.h - an answer of the switch that has cells in base64: nearly all of the line is a string,
 * which takes a parser of JSON, byte by byte, longer than all else that is done with it.
 */
#ifndef P4ALLOCD_DIGITS_H
#define P4ALLOCD_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

struct p4d_digits {		/* in the line, or in the object */
	const char *at;
	size_t count;
};

/* The line as an object, perhaps without the digits; NULL: it is none. *text: them, or none. */
struct json_object *p4d_digits_parse(const char *line, struct p4d_digits *text);

/* 4 bytes a cell, the least first; false: they are not `count`. `out` has room for one more. */
bool p4d_digits_cells(const struct p4d_digits *text, uint32_t *out, size_t count);

#endif
