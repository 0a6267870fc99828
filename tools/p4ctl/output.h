/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - one list of things, as a table for people or a JSON array for programs, printed only
 * when all of it is there.
 */
#ifndef P4CTL_OUTPUT_H
#define P4CTL_OUTPUT_H

#include <json-c/json.h>

#include "cmd.h"

struct table;

struct output {
	struct table *table;		/* text */
	struct json_object *array;	/* -j */
};

void output_begin(struct output *o, const struct run *r, const char *heads);
void output_add(struct output *o, struct json_object *entry);
/* Prints unless ret is an error; returns ret. */
int output_end(struct output *o, const struct run *r, int ret);

/* Prints and frees one JSON value. */
void output_json(const struct run *r, struct json_object *value);

/* The same on one line, sent off at once: for streams. */
void output_json_line(const struct run *r, struct json_object *value);

#endif /* P4CTL_OUTPUT_H */
