/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64.h - bytes as text that JSON takes as it is. Pure functions. */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

#define BASE64_DIGITS(bytes) (((bytes) + 2) / 3 * 4)
#define BASE64_BAD ((size_t)-1)

/* BASE64_DIGITS(len) of them, no NUL behind. */
void base64_encode(char *text, const void *bytes, size_t len);

/* How many bytes, of at most digits / 4 * 3, or BASE64_BAD. */
size_t base64_decode(void *bytes, const char *text, size_t digits);

#endif /* BASE64_H */
