// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_state.c - the legal walk of a node, every state with every event. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state.h"

#define E(x)	(1u << P4A_EV_##x)

static void state__every_move(void **state)
{
	static const struct {
		unsigned int stays;		/* events that leave the state as it is */
		struct { int event; unsigned int to; } moves[6];
	} t[P4A_NR_STATES] = {
		[P4A_NEW] = { E(LAYOUT), { { P4A_EV_HELLO, P4A_IDLE } } },
		[P4A_IDLE] = { E(LAYOUT) | E(HELLO) | E(ESCROW),
			{ { P4A_EV_REQUEST, P4A_RESERVED }, { P4A_EV_LEAVE, P4A_LEFT } } },
		[P4A_RESERVED] = { E(ESCROW) | E(LOCKS),
			{ { P4A_EV_GRANT, P4A_GRANTED }, { P4A_EV_LEAVE, P4A_LEFT },
			  { P4A_EV_CANCEL, P4A_IDLE }, { P4A_EV_EXPIRE, P4A_EXPIRED } } },
		[P4A_GRANTED] = { E(GRANT) | E(FILL) | E(ESCROW) | E(LOCKS),
			{ { P4A_EV_FILLED, P4A_RUNNING }, { P4A_EV_LEAVE, P4A_LEFT },
			  { P4A_EV_CANCEL, P4A_IDLE }, { P4A_EV_EXPIRE, P4A_EXPIRED } } },
		[P4A_RUNNING] = { E(TXN) | E(ESCROW),
			{ { P4A_EV_RAN, P4A_DRAINING }, { P4A_EV_LEAVE, P4A_LEFT },
			  { P4A_EV_RESIZE, P4A_RESIZING }, { P4A_EV_EXPIRE, P4A_EXPIRED } } },
		[P4A_DRAINING] = { E(DRAIN) | E(ESCROW),
			{ { P4A_EV_DONE, P4A_IDLE }, { P4A_EV_REQUEST, P4A_RESERVED },
			  { P4A_EV_LEAVE, P4A_LEFT }, { P4A_EV_EXPIRE, P4A_EXPIRED } } },
		[P4A_EXPIRED] = { E(LAYOUT) | E(ESCROW),
			{ { P4A_EV_HELLO, P4A_IDLE }, { P4A_EV_REQUEST, P4A_RESERVED },
			  { P4A_EV_LEAVE, P4A_LEFT } } },
		[P4A_RESIZING] = { E(TXN) | E(FILL) | E(DRAIN) | E(ESCROW),
			{ { P4A_EV_RESIZED, P4A_RUNNING }, { P4A_EV_LEAVE, P4A_LEFT },
			  { P4A_EV_EXPIRE, P4A_EXPIRED } } },
		[P4A_LEFT] = { E(LAYOUT) | E(LEAVE), { { P4A_EV_HELLO, P4A_IDLE } } },
	};
	unsigned int s, e, i;

	for (s = 0; s < P4A_NR_STATES; s++)
		for (e = 0; e < P4A_NR_EVENTS; e++) {
			int want = t[s].stays >> e & 1 ? (int)s : -EPROTO;

			for (i = 0; i < 6 && t[s].moves[i].to; i++)
				if (t[s].moves[i].event == (int)e)
					want = t[s].moves[i].to;
			if (p4a_state_after(s, e) != want)
				fail_msg("state %s, event %u: %d, not %d", p4a_state_name(s), e,
					 p4a_state_after(s, e), want);
		}
}

static void state__refusal_says_where_it_may(void **state)
{
	struct p4a_error err;

	assert_int_equal(p4a_state_refuse(&err, "request", P4A_GRANTED, P4A_EV_REQUEST), -EPROTO);
	assert_string_equal(err.text, "request: not in state granted, only in: idle, draining, expired");
	assert_int_equal(p4a_state_refuse(NULL, "leave", P4A_NEW, P4A_EV_LEAVE), -EPROTO);
	for (unsigned int e = 0; e < P4A_NR_EVENTS; e++) {
		p4a_state_refuse(&err, "the longest name of all calls", P4A_RESIZING, e);
		assert_true(strlen(err.text) < sizeof(err.text) - 1);
		assert_non_null(strstr(err.text, "only in: "));
		assert_true(p4a_state_after(P4A_LEFT, e) < 0 || strstr(err.text, "left"));
	}
}

static void state__out_of_range(void **state)
{
	assert_int_equal(p4a_state_after(P4A_NR_STATES, P4A_EV_HELLO), -EPROTO);
	assert_int_equal(p4a_state_after(P4A_IDLE, P4A_NR_EVENTS), -EPROTO);
	assert_string_equal(p4a_state_name(P4A_NR_STATES), "?");
	assert_string_equal(p4a_state_name(P4A_LEFT), "left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state__every_move),
		cmocka_unit_test(state__refusal_says_where_it_may),
		cmocka_unit_test(state__out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
