// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_server.c - replies for which the kernel has no room; its sendmsg() is wrapped, and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/p4allocd/server.c"

static struct p4d_server s;
static unsigned int room, sent, warnings;
static uint64_t order[16];
static int why;

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	const struct homa_sendmsg_args *args = m->msg_control;

	assert_int_equal(flags, MSG_DONTWAIT);
	if (!room) {
		errno = why;
		return -1;
	}
	room--;
	order[sent++] = args->id;
	return 0;
}

void __wrap_p4d_log(enum p4d_level level, const char *fmt, ...);

void __wrap_p4d_log(enum p4d_level level, const char *fmt, ...)
{
	warnings++;
}

static int begin(void **state)
{
	s = (struct p4d_server){ .retry = { .at = UINT64_MAX, .due = on_retry } };
	s.last = &s.first;
	sent = room = warnings = 0;
	why = EAGAIN;
	return 0;
}

static void reply(uint64_t rpc, size_t len)
{
	static uint8_t bytes[1 << 20];
	const struct p4d_who who = { .rpc = rpc };

	p4d_server_reply(&s, &who, bytes, len);
}

static void reply__waits_for_room(void **state)
{
	room = 1;
	for (uint64_t rpc = 1; rpc <= 4; rpc++)
		reply(rpc, 40);
	assert_int_equal(sent, 1);
	assert_true(s.retry.at <= p4d_now() + RETRY_US);
	why = ENOMEM;
	on_retry(&s.retry);
	assert_int_equal(sent, 1);
	room = 2;
	s.retry.at = UINT64_MAX;
	on_retry(&s.retry);
	assert_int_equal(sent, 3);
	assert_true(s.retry.at != UINT64_MAX);
	room = 9;
	reply(5, 40);			/* in their order */
	on_retry(&s.retry);
	assert_int_equal(sent, 5);
	for (uint64_t rpc = 1; rpc <= 5; rpc++)
		assert_int_equal(order[rpc - 1], rpc);
	reply(6, 40);
	assert_int_equal(sent, 6);
	assert_int_equal(s.unsent, 0);
}

/* Not for ever, and not all that there may be. */
static void reply__is_given_up(void **state)
{
	why = EINVAL;			/* the RPC is unknown */
	reply(1, 40);
	assert_null(s.first);
	assert_int_equal(warnings, 1);
	why = EAGAIN;
	for (uint64_t rpc = 1; rpc <= 40; rpc++)
		reply(rpc, 1 << 20);
	assert_int_equal(s.unsent, UNSENT_BYTES);
	assert_int_equal(warnings, 1 + 40 - 16);
	while (s.first)
		drop_first(&s);
	assert_int_equal(s.unsent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reply__waits_for_room, begin),
		cmocka_unit_test_setup(reply__is_given_up, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
