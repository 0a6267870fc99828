// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_kill.c - the allocator killed at its system calls in turn: no answer is taken back.
 *
 * A child works for three tenants (see allocd_nodes.h) and is traced: at the Nth time that it
 * enters or leaves the kernel it is killed, and another one goes on with the same store to the
 * end. Then N is STEP higher, until a child ends before it is killed. KILL_STEP=1 takes them all,
 * KILL_FROM and KILL_MOST so many from an N on. With etcd, a child that is stopped for longer than
 * its lease, and then goes on, has nothing to say any more.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "allocd_nodes.h"
#include "etcd_here.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4allocd/seat.h"
#include "../../tools/p4allocd/store_etcd.h"

#define BATCHES 3
#define PATIENCE_S 20		/* for a child */

static char place[128];		/* of the store */
static char name[16];		/* of the switch, in etcd */

static bool is_etcd(void)
{
	return !strncmp(place, P4D_SEAT_SCHEME, strlen(P4D_SEAT_SCHEME));
}

/* ----------------------------------------------------------------------------------- a child */

static struct p4d_loop *loop;

static void on_won(void *arg)
{
	p4d_loop_stop(loop);
}

static void on_lost(void *arg, const char *why)
{
	_exit(3);
}

static void nothing(void *arg)
{
}

static void child_main(void)
{
	struct p4d_service_conf conf = { .store = place };
	struct p4d_seat_conf seat_conf = {
		.place = place, .name = name, .lease_s = 2, .won = on_won, .lost = on_lost,
	};
	struct p4d_seat *seat;
	char err[256];

	alarm(PATIENCE_S);
	signal(SIGPIPE, SIG_IGN);
	freopen("/dev/null", "w", stderr);
	loop = p4d_loop_create();
	if (is_etcd()) {
		if (p4d_seat_open(&seat, loop, &seat_conf, err, sizeof(err)) ||
		    p4d_loop_run(loop, nothing, NULL) || !p4d_seat_is_ours(seat))
			_exit(2);
		conf.store_ops = &p4d_store_etcd_ops;
		conf.store_impl = p4d_seat_store(seat);
		conf.term = p4d_seat_term(seat);
	}
	nodes_work(loop, &conf, BATCHES);
	if (is_etcd())
		p4d_seat_close(seat);
	_exit(0);
}

static pid_t start_child(bool traced)
{
	pid_t pid;

	nodes->generation++;
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (traced) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
	}
	child_main();
	return 0;
}

static void end_well(pid_t pid, unsigned int n)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (nodes->wrong[0])
		fail_msg("killed at %u: %s", n, nodes->wrong);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("killed at %u: status %x, nodes in %u %u %u", n, status,
			 nodes->node[1].state, nodes->node[2].state, nodes->node[3].state);
	assert_true(nodes->grants >= NODES * BATCHES - nodes->expired);
}

/* ----------------------------------------------------------------------------------- tests */

static void fresh_store(unsigned int n)
{
	char wal[80], shm[80];

	if (is_etcd()) {
		snprintf(name, sizeof(name), "n%u", n);
		return;
	}
	snprintf(wal, sizeof(wal), "%.64s-wal", place);
	snprintf(shm, sizeof(shm), "%.64s-shm", place);
	unlink(place);
	unlink(wal);
	unlink(shm);
}

/* From the nth on, each `step`th; at most `most` kills. */
static void kill_at_each(unsigned int from, unsigned int step, unsigned int most)
{
	unsigned int kills = 0, fetched = 0, expired = 0;

	for (unsigned int n = from; kills < most; n += step) {
		int status;
		pid_t pid;

		nodes_begin();
		fresh_store(n);
		pid = start_child(true);
		if (!trace_to(pid, n, &status)) {
			assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
			break;
		}
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		kills++;
		if (is_etcd())
			etcd_forget_leader(name);
		end_well(start_child(false), n);
		fetched += nodes->fetched;
		expired += nodes->expired;
	}
	print_message("%u kills, %u batches expired, %u fetched from escrow\n", kills, expired,
		      fetched);
	assert_true(kills > 3 && fetched > 0);
}

static unsigned int setting(const char *which, unsigned int otherwise)
{
	const char *text = getenv(which);

	return text ? (unsigned int)atoi(text) : otherwise;
}

static void kill__at_each_system_call(void **state)
{
	snprintf(place, sizeof(place), "/dev/shm/allocd_kill.%d", getpid());
	kill_at_each(setting("KILL_FROM", 1 + getpid() % 40), setting("KILL_STEP", 64),
		     setting("KILL_MOST", UINT32_MAX));
	fresh_store(0);
}

static void kill__with_etcd(void **state)
{
	snprintf(place, sizeof(place), "etcd://%s/test", etcd_at);
	kill_at_each(setting("KILL_FROM", 100 + getpid() % 50), setting("KILL_STEP", 250),
		     setting("KILL_MOST", getenv("KILL_STEP") ? UINT32_MAX : 6));
}

/* An answer that is on its way when the process is stopped is as a message that comes late. */
static bool may_be_answering(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };

	ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
	return info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr == SYS_getppid;
}

static void stop__longer_than_the_lease(void **state)
{
	unsigned int late;
	int status;
	pid_t old;

	snprintf(place, sizeof(place), "etcd://%s/test", etcd_at);
	nodes_begin();
	strcpy(name, "stopped");
	old = start_child(true);
	assert_true(trace_to(old, 900, &status));
	while (may_be_answering(old)) {
		ptrace(PTRACE_SYSCALL, old, NULL, NULL);
		assert_int_equal(waitpid(old, &status, 0), old);
		assert_true(WIFSTOPPED(status));
	}
	end_well(start_child(false), 900);	/* it has waited for the end of the lease */
	late = nodes->answers;
	ptrace(PTRACE_DETACH, old, NULL, NULL);
	assert_int_equal(waitpid(old, &status, 0), old);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);	/* it has lost its seat */
	assert_int_equal(nodes->late, 0);
	assert_int_equal(nodes->answers, late);
	assert_int_equal(nodes->wrong[0], 0);
}

static int create(void **state)
{
	nodes_create();
	return etcd_start();
}

static int destroy(void **state)
{
	nodes_end();
	return etcd_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kill__at_each_system_call),
		cmocka_unit_test(kill__with_etcd),
		cmocka_unit_test(stop__longer_than_the_lease),
	};

	return cmocka_run_group_tests(tests, create, destroy);
}
