// SPDX-License-Identifier: GPL-2.0-or-later
/* log.c - see log.h. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "log.h"
#include "loop.h"

enum p4d_level p4d_log_level = P4D_WARN;

void p4d_log(enum p4d_level level, const char *fmt, ...)
{
	static uint64_t start;
	char text[512];
	va_list args;
	uint64_t us;

	if (level > p4d_log_level)
		return;
	if (!start)
		start = p4d_now();
	us = p4d_now() - start;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "p4allocd %u.%06u: %s\n", (unsigned int)(us / 1000000),
		(unsigned int)(us % 1000000), text);
}
