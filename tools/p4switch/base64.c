// SPDX-License-Identifier: GPL-2.0-or-later
/* base64.c - the string has nothing that JSON would escape, and is printed by copying it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>

#include "base64.h"

static int put_text(struct json_object *o, struct printbuf *to, int level, int flags)
{
	char *text = json_object_get_userdata(o);

	return printbuf_memappend(to, text, strlen(text));
}

static void free_text(struct json_object *o, void *text)
{
	free(text);
}

static char *put_group(char *to, uint32_t v)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	to[0] = digit[v >> 18];
	to[1] = digit[v >> 12 & 63];
	to[2] = digit[v >> 6 & 63];
	to[3] = digit[v & 63];
	return to + 4;
}

struct json_object *base64_string(const void *bytes, size_t size)
{
	char *text = malloc((size + 2) / 3 * 4 + 3), *to = text;
	struct json_object *s = json_object_new_string("");
	const uint8_t *p = bytes;
	size_t i = 0;

	if (!text || !s)
		abort();
	*to++ = '"';
	for (; i + 3 <= size; i += 3)
		to = put_group(to, p[i] << 16 | p[i + 1] << 8 | p[i + 2]);
	if (i < size) {
		to = put_group(to, p[i] << 16 | (i + 1 < size ? p[i + 1] << 8 : 0));
		memset(to - (i + 3 - size), '=', i + 3 - size);
	}
	strcpy(to, "\"");
	json_object_set_serializer(s, put_text, text, free_text);
	return s;
}
