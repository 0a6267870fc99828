// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_text.c - see fuzz_text.h. */
#include <string.h>

#include "fuzz_make.h"
#include "fuzz_text.h"

static const char *const odd[] = {
	"null", "[]", "{}", "\"7\"", "1e999", "-1", "0", "18446744073709551615", "true", "",
	"18446744073709551616", "9223372036854775808", "4294967296", "65536", "255", "1.5",
};

/* Some number in it becomes something else. */
static size_t spoil_number(char *text, size_t len, size_t room)
{
	const char *other = odd[fuzz_rnd(sizeof(odd) / sizeof(odd[0]))];
	size_t at = fuzz_rnd(len + 1), end, n = strlen(other);

	while (at < len && (text[at] < '0' || text[at] > '9'))
		at++;
	for (end = at; end < len && text[end] >= '0' && text[end] <= '9'; end++)
		;
	if (at + n + len - end >= room)
		return len;
	memmove(text + at + n, text + end, len - end);
	memcpy(text + at, other, n);
	return at + n + len - end;
}

/* A part of it stands in it twice, or not at all. */
static size_t spoil_part(char *text, size_t len, size_t room)
{
	size_t at = fuzz_rnd(len + 1), n = fuzz_rnd(len - at + 1);

	if (fuzz_rnd(2)) {
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	}
	if (len + n >= room)
		return len;
	memmove(text + at + n, text + at, len - at);
	return len + n;
}

size_t fuzz_text(char *text, size_t len, size_t room)
{
	switch (fuzz_rnd(6)) {
	case 0:
		for (unsigned int n = 1 + fuzz_rnd(3); n && len; n--)
			text[fuzz_rnd(len)] = fuzz_rnd(256);
		return len;
	case 1:
		return fuzz_rnd(len + 1);
	case 2:
		return spoil_part(text, len, room);
	default:
		return spoil_number(text, len, room);
	}
}
