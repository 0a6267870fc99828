// SPDX-License-Identifier: GPL-2.0-or-later
#include "soft_answer.h"

struct json_object *p4d_answer_results(struct json_object *o)
{
	struct json_object *results;

	return json_object_object_get_ex(o, "results", &results) &&
	       json_object_is_type(results, json_type_array) ? results : NULL;
}

bool p4d_answer_ok(struct json_object *o)
{
	struct json_object *ok, *results = p4d_answer_results(o);

	if (!json_object_object_get_ex(o, "ok", &ok) || !json_object_get_boolean(ok))
		return false;
	for (size_t i = 0; results && i < json_object_array_length(results); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(results, i), "ok", &ok) &&
		    !json_object_get_boolean(ok))
			return false;
	return true;
}

bool p4d_answer_uint(struct json_object *o, const char *name, uint64_t max, uint64_t *out)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v) || !json_object_is_type(v, json_type_int) ||
	    (json_object_get_int64(v) < 0 && json_object_get_uint64(v) == 0))
		return false;
	*out = json_object_get_uint64(v);
	return *out <= max;
}

bool p4d_answer_values(struct json_object *o, uint64_t *out, size_t count)
{
	struct json_object *values;

	if (!json_object_object_get_ex(o, "values", &values) ||
	    !json_object_is_type(values, json_type_array) ||
	    json_object_array_length(values) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		out[i] = json_object_get_uint64(json_object_array_get_idx(values, i));
	return true;
}

const char *p4d_answer_text(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) ?: "" : "";
}
