// SPDX-License-Identifier: GPL-2.0-or-later
/* output.c - see output.h */
#include "output.h"
#include "table.h"

void output_begin(struct output *o, const struct run *r, const char *heads)
{
	o->table = r->json ? NULL : table_create(heads);
	o->array = r->json ? json_object_new_array() : NULL;
}

void output_add(struct output *o, struct json_object *entry)
{
	json_object_array_add(o->array, entry);
}

static void print_json(const struct run *r, struct json_object *value, int flags)
{
	fprintf(r->out, "%s\n", json_object_to_json_string_ext(value, flags |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}

void output_json(const struct run *r, struct json_object *value)
{
	print_json(r, value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void output_json_line(const struct run *r, struct json_object *value)
{
	print_json(r, value, JSON_C_TO_STRING_PLAIN);
	fflush(r->out);
}

int output_end(struct output *o, const struct run *r, int ret)
{
	if (ret)
		json_object_put(o->array);
	else if (o->array)
		output_json(r, o->array);
	else
		table_print(o->table, r->out);
	table_free(o->table);
	return ret;
}
