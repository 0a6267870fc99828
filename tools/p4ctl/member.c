// SPDX-License-Identifier: GPL-2.0-or-later
/* member.c - see member.h */
#include "member.h"

struct json_object *member(struct json_object *o, const char *name)
{
	return json_object_is_type(o, json_type_object) ? json_object_object_get(o, name) : NULL;
}

int64_t member_number(struct json_object *o, const char *name)
{
	return json_object_get_int64(member(o, name));
}

double member_real(struct json_object *o, const char *name)
{
	return json_object_get_double(member(o, name));
}

const char *member_text(struct json_object *o, const char *name)
{
	struct json_object *m = member(o, name);

	return m ? json_object_get_string(m) : "-";
}

size_t list_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

struct json_object *list_at(struct json_object *list, size_t i)
{
	return i < list_length(list) ? json_object_array_get_idx(list, i) : NULL;
}
