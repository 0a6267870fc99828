/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_expect.h - checks of a test program: each that fails is one line, and sets `bad`. */
#ifndef T_EXPECT_H
#define T_EXPECT_H

#include <errno.h>
#include <stdio.h>

static int bad;

static void expect(long got, long wanted, const char *what, const char *file, int line)
{
	if (got == wanted)
		return;
	printf("%s:%d: %s: got %ld, wanted %ld\n", file, line, what, got, wanted);
	bad = 1;
}

#define EXPECT(got, wanted)	expect(got, wanted, #got, __FILE__, __LINE__)
#define ERR(call)		((call) < 0 ? -errno : 0)

#endif
