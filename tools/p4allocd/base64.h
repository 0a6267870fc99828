/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64.h - bytes as text that JSON takes as it is. Pure functions. */
#ifndef P4D_BASE64_H
#define P4D_BASE64_H

#include <stddef.h>

#define P4D_BASE64_DIGITS(bytes) (((bytes) + 2) / 3 * 4)
#define P4D_BASE64_BAD ((size_t)-1)

/* P4D_BASE64_DIGITS(len) of them, no NUL behind. */
void p4d_base64(char *text, const void *bytes, size_t len);

/* How many bytes, of at most digits / 4 * 3, or P4D_BASE64_BAD. */
size_t p4d_base64_bytes(void *bytes, const char *text, size_t digits);

#endif /* P4D_BASE64_H */
