// SPDX-License-Identifier: GPL-2.0-or-later
/* digits.c - see digits.h. */
#include <endian.h>
#include <string.h>

#include "../base64.h"
#include "digits.h"

#define REST_MAX	256	/* bytes of a line without its digits */

/* Those of a line that begins with them and says little else, as p4switch does. */
static bool cut(const char *line, struct p4d_digits *text, char rest[REST_MAX])
{
	static const char before[] = "{\"base64\":\"";
	const char *end;

	if (strncmp(line, before, strlen(before)))
		return false;
	text->at = line + strlen(before);
	end = text->at + strcspn(text->at, "\"\\");
	text->count = end - text->at;
	if (*end != '"' || strlen(before) + strlen(end) >= REST_MAX)
		return false;
	strcpy(stpcpy(rest, before), end);
	return true;
}

struct json_object *p4d_digits_parse(const char *line, struct p4d_digits *text)
{
	struct json_object *o, *member;
	char rest[REST_MAX];

	if (cut(line, text, rest))
		return json_tokener_parse(rest);
	*text = (struct p4d_digits){ "", 0 };
	o = json_tokener_parse(line);
	if (json_object_object_get_ex(o, "base64", &member) &&
	    json_object_is_type(member, json_type_string))
		*text = (struct p4d_digits){ json_object_get_string(member),
					     json_object_get_string_len(member) };
	return o;
}

bool p4d_digits_cells(const struct p4d_digits *text, uint32_t *out, size_t count)
{
	if (text->count != BASE64_DIGITS(4 * count) ||
	    base64_decode(out, text->at, text->count) != 4 * count)
		return false;
	for (size_t i = 0; i < count; i++)
		out[i] = le32toh(out[i]);
	return true;
}
