// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_server.c - replies for which the kernel has no room; its sockets are wrapped, and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/p4allocd/server.c"

static struct p4d_server s;
static unsigned int room, sent, warnings, got;
static struct p4d_timer until;
static int other_end, sockets, fail_binds;
static uint32_t life;
static unsigned int requests;
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

static void on_until(struct p4d_timer *t)
{
	p4d_loop_stop(s.loop);
}

static void on_request(struct p4d_watch *w, uint32_t events)
{
	got++;
}

/* One request, and no more. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct homa_recvmsg_args *args = m->msg_control;

	assert_int_equal(args->num_bpages, 0);
	if (!requests) {
		errno = EAGAIN;
		return -1;
	}
	requests--;
	args->id = 77;
	args->num_bpages = 1;
	args->bpage_offsets[0] = 0;
	return 40;
}

/* Its answer is one to the RPC of the socket that it came from. */
static void on_message_of_77(void *arg, uint32_t tenant, const struct p4d_who *who, const void *bytes,
			     size_t len)
{
	assert_int_equal(who->rpc, 77);
	assert_int_equal(len, 40);
	life = who->life;
}

int __wrap_socket(int domain, int type, int protocol);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len);

/* A pipe in which there is always something. */
int __wrap_socket(int domain, int type, int protocol)
{
	int fd[2];

	if (sockets++)
		close(other_end);
	assert_int_equal(pipe(fd), 0);
	other_end = fd[1];
	assert_int_equal(write(other_end, "x", 1), 1);
	return fd[0];
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return 0;
}

int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	assert_int_equal(((const struct sockaddr_in *)addr)->sin_port, htons(4001));
	errno = EADDRINUSE;
	return fail_binds && fail_binds-- ? -1 : 0;
}

static int begin(void **state)
{
	const char *what;

	s = (struct p4d_server){ .retry = { .at = UINT64_MAX, .due = on_retry }, .port = 4001 };
	s.watch = (struct p4d_watch){ -1, on_request };
	s.loop = p4d_loop_create();
	sockets = 0;
	assert_int_equal(set_up(&s, s.port, &what), 0);
	p4d_loop_watch(s.loop, &s.watch, EPOLLIN);
	until = (struct p4d_timer){ .due = on_until };
	p4d_loop_timer(s.loop, &until);
	s.last = &s.first;
	sent = room = warnings = life = 0;
	why = EAGAIN;
	return 0;
}

static int end(void **state)
{
	while (s.first)
		drop_first(&s);
	assert_int_equal(s.unsent, 0);
	assert_int_equal(s.stats.waiting, 0);
	p4d_loop_destroy(s.loop);
	close_socket(&s);
	close(other_end);
	return 0;
}

static void after(void *arg)
{
}

/* Does the loop look at the socket? */
static bool is_read(void)
{
	got = 0;
	until.at = p4d_now() + 2000;
	p4d_loop_run(s.loop, after, NULL);
	return got;
}

static void reply(uint64_t rpc, size_t len)
{
	static uint8_t bytes[1 << 20];
	const struct p4d_who who = { .rpc = rpc, .life = life };

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
	assert_int_equal(p4d_server_stats(&s).kept, 4);
	assert_int_equal(p4d_server_stats(&s).dropped, 0);
}

/* Nobody waits for it. */
static void reply__to_an_rpc_that_is_over(void **state)
{
	why = EINVAL;
	reply(1, 40);
	assert_null(s.first);
	assert_int_equal(warnings, 1);
	assert_int_equal(p4d_server_stats(&s).dropped, 0);
}

static void fill_up(void)
{
	for (uint64_t rpc = 1; rpc <= 15; rpc++)
		reply(rpc, 1 << 20);
	assert_int_equal(p4d_server_stats(&s).waiting, 15);
	assert_in_range(s.unsent, 15 << 20, UNSENT_BYTES);
}

/* Who gets none would wait for ever: all have to ask again, by the same RPCs. */
static void reply__too_many_end_all_rpcs(void **state)
{
	requests = 1;
	s.message = on_message_of_77;
	assert_int_equal(receive(&s), 1);
	fill_up();
	reply(16, 1 << 20);
	reply(17, 40);			/* before the socket is opened anew */
	assert_int_equal(p4d_server_stats(&s).waiting, 0);
	assert_int_equal(p4d_server_stats(&s).dropped, 17);
	assert_int_equal(warnings, 1);
	assert_true(s.retry.at <= p4d_now());
	assert_int_equal(sockets, 1);
	on_retry(&s.retry);
	assert_int_equal(sockets, 2);
	assert_true(is_read());
	room = 2;
	reply(17, 40);			/* from when the old one was there */
	assert_int_equal(sent, 0);
	requests = 1;
	assert_int_equal(receive(&s), 1);	/* the pages of the old one are no more */
	reply(17, 40);
	assert_int_equal(sent, 1);
	assert_int_equal(p4d_server_stats(&s).dropped, 18);
	room = 0;
	fill_up();
	assert_false(is_read());	/* as before */
}

static void reply__too_many_and_the_port_is_taken(void **state)
{
	fill_up();
	reply(16, 1 << 20);
	fail_binds = 2;
	for (int i = 2; i <= 4; i++) {
		assert_true(s.retry.at <= p4d_now() + REOPEN_US);
		s.retry.at = UINT64_MAX;		/* as the loop does */
		on_retry(&s.retry);
		assert_int_equal(sockets, i);
		assert_int_equal(is_read(), i == 4);
	}
}

/* Small ones cost what they take here, not their bytes alone. */
static void reply__small_ones_count(void **state)
{
	for (uint64_t rpc = 1; rpc <= 1000; rpc++)
		reply(rpc, 32);
	assert_true(s.unsent >= 1000 * (sizeof(struct unsent) + 32));
}

/* Who reads on makes more of what it can't get rid of. */
static void requests__wait_for_replies(void **state)
{
	uint64_t rpc = 0;

	assert_true(is_read());
	while (s.unsent <= PAUSE_BYTES)
		reply(++rpc, 1 << 20);
	assert_in_range(rpc, 7, 9);
	assert_false(is_read());
	room = 1;
	on_retry(&s.retry);
	assert_false(is_read());	/* some more have to go */
	room = 9;
	on_retry(&s.retry);
	assert_true(is_read());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reply__waits_for_room, begin, end),
		cmocka_unit_test_setup_teardown(reply__to_an_rpc_that_is_over, begin, end),
		cmocka_unit_test_setup_teardown(reply__too_many_end_all_rpcs, begin, end),
		cmocka_unit_test_setup_teardown(reply__too_many_and_the_port_is_taken, begin, end),
		cmocka_unit_test_setup_teardown(reply__small_ones_count, begin, end),
		cmocka_unit_test_setup_teardown(requests__wait_for_replies, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
