// SPDX-License-Identifier: GPL-2.0-or-later
/* args.c - see args.h. For the start of a program only: everything here may exit. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ctype.h>

#include "args.h"

void arg_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
	exit(2);
}

uint64_t arg_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || v < min || v > max)
		arg_fail("%s is '%s', must be %llu .. %llu", option, text,
			 (unsigned long long)min, (unsigned long long)max);
	return v;
}

double arg_real(const char *option, const char *text, double min, double max)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= min && v <= max))
		arg_fail("%s is '%s', must be %g .. %g", option, text, min, max);
	return v;
}
