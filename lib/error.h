/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.h - errors that say what was wrong. */
#ifndef P4A_ERROR_H
#define P4A_ERROR_H

#include "p4alloc.h"

/* Writes the text (err may be NULL) and returns code, so that callers can return the call. */
int p4a_fail(struct p4a_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
