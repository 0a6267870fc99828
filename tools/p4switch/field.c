// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "field.h"

#define DEPTH	8	/* of nested lists and objects */

int fail(struct failure *f, const char *field, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	snprintf(f->field, sizeof(f->field), "%s", field);
	return -EINVAL;
}

/* The parser makes 2^64 - 1 of any larger number without a word, so digits are looked at first. */
static bool numbers_fit(const char *line, size_t length)
{
	static const char max[] = "18446744073709551615";
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		size_t n = 0;

		if (line[i] == '"')
			in_string = !in_string;
		else if (in_string && line[i] == '\\')
			i++;
		else if (!in_string)
			while (i + n < length && isdigit((unsigned char)line[i + n]))
				n++;
		if (n > strlen(max) || (n == strlen(max) && strncmp(line + i, max, n) > 0))
			return false;
		i += n ? n - 1 : 0;
	}
	return true;
}

static const char *explain(struct json_tokener *tok, size_t length)
{
	enum json_tokener_error error = json_tokener_get_error(tok);

	if (error == json_tokener_continue)
		return "the line ends too early";
	if (error != json_tokener_success)
		return json_tokener_error_desc(error);
	return json_tokener_get_parse_end(tok) < length ? "more than one object in the line" : NULL;
}

struct json_object *parse_line(const char *line, size_t length, struct failure *f)
{
	struct json_tokener *tok = json_tokener_new_ex(DEPTH);
	struct json_object *o;
	const char *wrong;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, line, length);
	wrong = explain(tok, length);
	if (!wrong && !numbers_fit(line, length))
		wrong = "a number is above 18446744073709551615";
	if (!wrong && !json_object_is_type(o, json_type_object))
		wrong = "it must be an object";
	json_tokener_free(tok);
	if (!wrong)
		return o;
	fail(f, "", "not a line of JSON: %s", wrong);
	json_object_put(o);
	return NULL;
}

int get_uint(struct json_object *v, const char *field, uint64_t min, uint64_t max,
	     uint64_t *out, struct failure *f)
{
	bool negative = json_object_is_type(v, json_type_int) && json_object_get_int64(v) < 0;

	*out = json_object_get_uint64(v);
	if (!json_object_is_type(v, json_type_int) || negative || *out < min || *out > max)
		return fail(f, field, "must be a whole number, %llu .. %llu",
			    (unsigned long long)min, (unsigned long long)max);
	return 0;
}

int need_uint(struct json_object *o, const char *field, uint64_t min, uint64_t max,
		     uint64_t *out, struct failure *f)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, field, &v))
		return fail(f, field, "is missing: a whole number, %llu .. %llu",
			    (unsigned long long)min, (unsigned long long)max);
	return get_uint(v, field, min, max, out, f);
}

const char *need_string(struct json_object *o, const char *field, struct failure *f)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, field, &v) || !json_object_is_type(v, json_type_string)) {
		fail(f, field, "must be a string");
		return NULL;
	}
	return json_object_get_string(v);
}

struct json_object *need_list(struct json_object *o, const char *field, uint64_t max,
			      struct failure *f)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, field, &v) && json_object_is_type(v, json_type_array) &&
	    json_object_array_length(v) >= 1 && json_object_array_length(v) <= max)
		return v;
	fail(f, field, "must be a list of 1 .. %llu", (unsigned long long)max);
	return NULL;
}
