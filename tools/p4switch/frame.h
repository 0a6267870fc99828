/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.h - is a frame long enough for what the parser will take from it? The pipeline extracts
 * headers without looking at the length, so whatever p4src/p4db.p4 parses is checked here first.
 */
#ifndef P4SWITCH_FRAME_H
#define P4SWITCH_FRAME_H

#include <stdint.h>

enum frame_fault {
	FRAME_OK = 0,
	FRAME_RUNT,		/* too short for the headers that it announces */
	FRAME_TRUNCATED,	/* its IPv4 length says that there is more */
};

enum frame_fault frame_check(const uint8_t *frame, uint32_t length);

#endif
