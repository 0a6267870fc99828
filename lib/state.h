/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.h - the legal walk of a node through its batches. */
#ifndef P4A_STATE_H
#define P4A_STATE_H

#include "p4alloc.h"

enum p4a_event {
	P4A_EV_LAYOUT,			/* another layout */
	P4A_EV_HELLO,
	P4A_EV_REQUEST,			/* asked for blocks */
	P4A_EV_GRANT,			/* blocks came */
	P4A_EV_FILL,
	P4A_EV_FILLED,			/* all nodes have filled */
	P4A_EV_TXN,
	P4A_EV_RAN,			/* all nodes have run */
	P4A_EV_DRAIN,
	P4A_EV_DONE,
	P4A_EV_CANCEL,			/* gave the batch up before it ran */
	P4A_EV_LEAVE,
	P4A_EV_EXPIRE,			/* the allocator took the blocks back */
	P4A_EV_ESCROW,
	P4A_EV_LOCKS,			/* lock bits are agreed upon */
	P4A_EV_RESIZE,			/* other blocks, when they are filled or drained */
	P4A_EV_RESIZED,
	P4A_NR_EVENTS,
};

#define P4A_NR_STATES	(P4A_RESIZING + 1)

/* The state after the event, or -EPROTO if it may not happen in this state. */
int p4a_state_after(unsigned int state, enum p4a_event event);

/* Says so, and in which states it may: -EPROTO. */
int p4a_state_refuse(struct p4a_error *err, const char *what, unsigned int state,
		     enum p4a_event event);

#endif
