// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/p4switch/frame.h"

#define WHOLE	(14 + 20 + 168)

/* One header byte each, in a frame that is otherwise a whole request. */
static const struct {
	const char *what;
	uint32_t length;
	int at, put;			/* at -1: as it is */
	enum frame_fault want;
} t[] = {
	{ "a request",			WHOLE,		-1, 0,		FRAME_OK },
	{ "with padding behind",	WHOLE + 10,	-1, 0,		FRAME_OK },
	{ "without its last byte",	WHOLE - 1,	-1, 0,		FRAME_TRUNCATED },
	{ "length says one less",	WHOLE,		17, 187,	FRAME_RUNT },
	{ "length says one more",	WHOLE,		17, 189,	FRAME_TRUNCATED },
	{ "length says 256 more",	WHOLE,		16, 1,		FRAME_TRUNCATED },
	{ "length below the header",	WHOLE,		17, 19,		FRAME_RUNT },
	{ "a reply may be short",	34 + 28,	-2, 0x21,	FRAME_OK },
	{ "a common header, short",	34 + 27,	-2, 0x21,	FRAME_RUNT },
	{ "a request, that short",	34 + 28,	-2, 0x20,	FRAME_RUNT },
	{ "with options",		34 + 10,	-3, 0x46,	FRAME_OK },
	{ "in a fragment",		34 + 10,	-4, 0x20,	FRAME_OK },
	{ "in a later fragment",	34 + 10,	-5, 0x01,	FRAME_OK },
	{ "another protocol",		34 + 10,	-6, 17,		FRAME_OK },
	{ "not IPv4",			14,		12, 0x86,	FRAME_OK },
	{ "less than IPv4",		33,		-1, 0,		FRAME_RUNT },
	{ "less than Ethernet",		13,		12, 0x86,	FRAME_RUNT },
	{ "nothing",			0,		-1, 0,		FRAME_RUNT },
};

/* Entries with a byte of their own: its place, and the IPv4 length follows the frame's. */
static const int places[] = { [2] = 34 + 11, [3] = 14, [4] = 20, [5] = 21, [6] = 23 };

static void frame__check(void **state)
{
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t frame[WHOLE + 10] = { [12] = 8, [14] = 0x45, [17] = 188, [20] = 0x40,
					      [23] = 146, [34 + 11] = 0x20 };

		if (t[i].at >= 0)
			frame[t[i].at] = t[i].put;
		if (t[i].at < -1) {
			frame[places[-t[i].at]] = t[i].put;
			frame[17] = t[i].length - 14;
		}
		if (frame_check(frame, t[i].length) != t[i].want)
			fail_msg("%s: %d, should be %d", t[i].what, frame_check(frame, t[i].length),
				 t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(frame__check) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
