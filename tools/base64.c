// SPDX-License-Identifier: GPL-2.0-or-later
/* base64.c - see base64.h. */
#include <stdint.h>
#include <string.h>

#include "base64.h"

#define NO_DIGIT 64

static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *put_group(char *to, uint32_t v)
{
	to[0] = digit[v >> 18];
	to[1] = digit[v >> 12 & 63];
	to[2] = digit[v >> 6 & 63];
	to[3] = digit[v & 63];
	return to + 4;
}

void base64_encode(char *text, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t i = 0;

	for (; i + 3 <= len; i += 3)
		text = put_group(text, p[i] << 16 | p[i + 1] << 8 | p[i + 2]);
	if (i < len) {
		text = put_group(text, p[i] << 16 | (i + 1 < len ? p[i + 1] << 8 : 0));
		memset(text - (i + 3 - len), '=', i + 3 - len);
	}
}

static const uint8_t *values(void)
{
	static uint8_t value[256];

	if (!value['/']) {
		memset(value, NO_DIGIT, sizeof(value));
		for (unsigned int i = 0; i < NO_DIGIT; i++)
			value[(uint8_t)digit[i]] = i;
	}
	return value;
}

size_t base64_decode(void *bytes, const char *text, size_t digits)
{
	const uint8_t *value = values(), *at = (const uint8_t *)text, *end = at + digits;
	uint8_t *to = bytes;
	uint32_t all = 0;
	size_t less = 0;

	if (digits % 4)
		return BASE64_BAD;
	if (digits)
		less = (text[digits - 1] == '=') + (text[digits - 1] == '=' && text[digits - 2] == '=');
	for (; at < end; at += 4, to += 3) {
		uint32_t a = value[at[0]], b = value[at[1]], c = value[at[2]], d = value[at[3]];

		if (at + 4 == end) {
			c = less > 1 ? 0 : c;
			d = less ? 0 : d;
		}
		all |= a | b | c | d;
		to[0] = a << 2 | b >> 4;
		to[1] = b << 4 | c >> 2;
		to[2] = c << 6 | d;
	}
	return all < NO_DIGIT ? digits / 4 * 3 - less : BASE64_BAD;
}
