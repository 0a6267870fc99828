// SPDX-License-Identifier: LGPL-2.1-or-later
/* state.c - the legal walk of a node through its batches: one table, no effects. */
#include <errno.h>
#include <stdio.h>

#include "error.h"
#include "state.h"

#define TO(state)	((state) + 1)	/* 0 in the table: may not happen */

static const unsigned char after[P4A_NR_STATES][P4A_NR_EVENTS] = {
	[P4A_NEW] = {
		[P4A_EV_LAYOUT]	 = TO(P4A_NEW),
		[P4A_EV_HELLO]	 = TO(P4A_IDLE),
	},
	[P4A_IDLE] = {
		[P4A_EV_LAYOUT]	 = TO(P4A_IDLE),
		[P4A_EV_HELLO]	 = TO(P4A_IDLE),
		[P4A_EV_REQUEST] = TO(P4A_RESERVED),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_ESCROW]	 = TO(P4A_IDLE),
	},
	[P4A_RESERVED] = {
		[P4A_EV_GRANT]	 = TO(P4A_GRANTED),
		[P4A_EV_CANCEL]	 = TO(P4A_IDLE),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_EXPIRE]	 = TO(P4A_EXPIRED),
		[P4A_EV_ESCROW]	 = TO(P4A_RESERVED),
		[P4A_EV_LOCKS]	 = TO(P4A_RESERVED),
	},
	[P4A_GRANTED] = {
		[P4A_EV_GRANT]	 = TO(P4A_GRANTED),
		[P4A_EV_FILL]	 = TO(P4A_GRANTED),
		[P4A_EV_FILLED]	 = TO(P4A_RUNNING),
		[P4A_EV_CANCEL]	 = TO(P4A_IDLE),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_EXPIRE]	 = TO(P4A_EXPIRED),
		[P4A_EV_ESCROW]	 = TO(P4A_GRANTED),
		[P4A_EV_LOCKS]	 = TO(P4A_GRANTED),
	},
	[P4A_RUNNING] = {
		[P4A_EV_TXN]	 = TO(P4A_RUNNING),
		[P4A_EV_RAN]	 = TO(P4A_DRAINING),
		[P4A_EV_RESIZE]	 = TO(P4A_RESIZING),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_EXPIRE]	 = TO(P4A_EXPIRED),
		[P4A_EV_ESCROW]	 = TO(P4A_RUNNING),
	},
	[P4A_RESIZING] = {
		[P4A_EV_TXN]	 = TO(P4A_RESIZING),
		[P4A_EV_FILL]	 = TO(P4A_RESIZING),
		[P4A_EV_DRAIN]	 = TO(P4A_RESIZING),
		[P4A_EV_RESIZED] = TO(P4A_RUNNING),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_EXPIRE]	 = TO(P4A_EXPIRED),
		[P4A_EV_ESCROW]	 = TO(P4A_RESIZING),
	},
	[P4A_DRAINING] = {
		[P4A_EV_REQUEST] = TO(P4A_RESERVED),
		[P4A_EV_DRAIN]	 = TO(P4A_DRAINING),
		[P4A_EV_DONE]	 = TO(P4A_IDLE),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_EXPIRE]	 = TO(P4A_EXPIRED),
		[P4A_EV_ESCROW]	 = TO(P4A_DRAINING),
	},
	[P4A_EXPIRED] = {
		[P4A_EV_LAYOUT]	 = TO(P4A_EXPIRED),
		[P4A_EV_HELLO]	 = TO(P4A_IDLE),
		[P4A_EV_REQUEST] = TO(P4A_RESERVED),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
		[P4A_EV_ESCROW]	 = TO(P4A_EXPIRED),
	},
	[P4A_LEFT] = {
		[P4A_EV_LAYOUT]	 = TO(P4A_LEFT),
		[P4A_EV_HELLO]	 = TO(P4A_IDLE),
		[P4A_EV_LEAVE]	 = TO(P4A_LEFT),
	},
};

int p4a_state_after(unsigned int state, enum p4a_event event)
{
	if (state >= P4A_NR_STATES || event >= P4A_NR_EVENTS || !after[state][event])
		return -EPROTO;
	return after[state][event] - 1;
}

const char *p4a_state_name(unsigned int state)
{
	static const char *const name[] = {
		[P4A_NEW] = "new", [P4A_IDLE] = "idle", [P4A_RESERVED] = "reserved",
		[P4A_GRANTED] = "granted", [P4A_RUNNING] = "running",
		[P4A_DRAINING] = "draining", [P4A_EXPIRED] = "expired", [P4A_LEFT] = "left",
		[P4A_RESIZING] = "resizing",
	};

	return state < P4A_NR_STATES ? name[state] : "?";
}

int p4a_state_refuse(struct p4a_error *err, const char *what, unsigned int state,
		     enum p4a_event event)
{
	char where[128] = "";
	size_t len = 0;

	for (unsigned int s = 0; s < P4A_NR_STATES; s++)
		if (p4a_state_after(s, event) >= 0)
			len += snprintf(where + len, sizeof(where) - len, "%s%s", len ? ", " : "",
					p4a_state_name(s));
	return p4a_fail(err, -EPROTO, "%s: not in state %s, only in: %s", what,
			p4a_state_name(state), where);
}
