// SPDX-License-Identifier: GPL-2.0-or-later
/* json_base64.c - the string has nothing that JSON would escape, and is printed by copying it. */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>

#include "../base64.h"
#include "json_base64.h"

static int put_text(struct json_object *o, struct printbuf *to, int level, int flags)
{
	char *text = json_object_get_userdata(o);

	return printbuf_memappend(to, text, strlen(text));
}

static void free_text(struct json_object *o, void *text)
{
	free(text);
}

struct json_object *json_base64(const void *bytes, size_t len)
{
	size_t digits = BASE64_DIGITS(len);
	char *text = malloc(digits + 3);
	struct json_object *s = json_object_new_string("");

	if (!text || !s)
		abort();
	text[0] = '"';
	base64_encode(text + 1, bytes, len);
	strcpy(text + 1 + digits, "\"");
	json_object_set_serializer(s, put_text, text, free_text);
	return s;
}
