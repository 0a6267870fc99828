// SPDX-License-Identifier: GPL-2.0-or-later
/* diag.c - see diag.h */
#include <stdarg.h>
#include <stdio.h>

#include "diag.h"

int fault(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	d->usage = 0;
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return -1;
}

int fault_usage(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	d->usage = 1;
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return -1;
}
