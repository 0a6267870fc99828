// SPDX-License-Identifier: LGPL-2.1-or-later
/* error.c - errors that say what was wrong. Owns nothing; callable from any thread. */
#include <stdarg.h>
#include <stdio.h>

#include "error.h"

int p4a_fail(struct p4a_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return code;
}
