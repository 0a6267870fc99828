// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_log.c - what the allocator says while it is fuzzed: nonsense is much to warn of. Each line is put
 * together, so that the sanitizers see that, and shown if V is in the environment.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../tools/p4allocd/log.h"
#include "../../tools/p4allocd/loop.h"

void __wrap_p4d_log(enum p4d_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void __wrap_p4d_log(enum p4d_level level, const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (getenv("V"))
		print_message("%" PRIu64 " %s\n", p4d_now(), line);
}
