// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4lock - runs a command while it holds a lock of a tenant, as flock(1) does with a file.
 *
 * The lease is extended while the command runs. If it is lost, or could not be extended before it may
 * have ended, the command is told by SIGTERM; its token, P4A_LOCK_TOKEN in the environment, is what others can refuse it by.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <p4alloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "args.h"

#define NOT_FREE	75		/* EX_TEMPFAIL */

static const char usage[] =
	"usage: p4lock [-s] [-w MS] [-l MS] TENANT NAME COMMAND [ARGUMENT...]\n"
	"Runs COMMAND while it holds the tenant's lock NAME (1 .. 16 bytes).\n"
	"  -s     shared; exclusive otherwise\n"
	"  -w MS  longest wait for the lock, 0 .. 60000 (60000)\n"
	"  -l MS  lease, 10 .. 60000 (1000); extended while COMMAND runs\n"
	"Exit status: COMMAND's; 128 + a signal that ended it; 75 the lock was not free; 1 other errors.\n";

struct options {
	enum p4a_lock_mode mode;
	uint32_t wait_us, lease_us, tenant;
	const char *name;
	char **command;
};

static struct options parse(int argc, char **argv)
{
	struct options o = {
		.mode = P4A_LOCK_EXCLUSIVE, .wait_us = 60000000, .lease_us = 1000000,
	};
	int c;

	while ((c = getopt(argc, argv, "+sw:l:h")) != -1) {
		switch (c) {
		case 's':
			o.mode = P4A_LOCK_SHARED;
			break;
		case 'w':
			o.wait_us = 1000 * arg_number("-w", optarg, 0, 60000);
			break;
		case 'l':
			o.lease_us = 1000 * arg_number("-l", optarg, 10, 60000);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (argc - optind < 3) {
		fputs(usage, stderr);
		exit(2);
	}
	o.tenant = arg_number("TENANT", argv[optind], 1, 0xffffff);
	o.name = argv[optind + 1];
	o.command = argv + optind + 2;
	return o;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "p4lock: %s: %s\n", what, why);
	return 1;
}

static pid_t start(char **command, const struct p4a_lock *lock, const sigset_t *signals)
{
	pid_t parent = getpid(), child = fork();
	char token[24];

	if (child)
		return child;
	/* Nobody would extend the lease, nor tell the command that it has ended. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	snprintf(token, sizeof(token), "%" PRIu64, lock->token);
	setenv("P4A_LOCK_TOKEN", token, 1);
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	execvp(command[0], command);
	fprintf(stderr, "p4lock: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

struct hold {
	struct p4a_ctx *ctx;
	const struct options *o;
	struct p4a_lock lock;
	uint64_t until_us;		/* the lease lasts so long, at the least */
	uint64_t extend_us;		/* when to ask for more; 0: it is asked for */
	pid_t child;
	bool lost;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000) + t.tv_nsec / 1000;
}

static void have_lease(struct hold *h)
{
	h->until_us = h->lock.until_us;
	h->extend_us = now_us() + h->lock.lease_us / 3;
}

static void lose(struct hold *h, const char *why)
{
	fail(h->o->name, why);
	h->lost = true;
	kill(h->child, SIGTERM);
}

static void ask_for_more(struct hold *h)
{
	h->extend_us = 0;
	if (p4a_lock_extend_async(h->ctx, &h->lock, h->o->lease_us, NULL))
		lose(h, p4a_last_error(h->ctx));
}

static void take_answer(struct hold *h)
{
	struct p4a_completion c;

	if (p4a_poll(h->ctx, &c, 1) != 1)
		return;
	if (!c.err)
		have_lease(h);
	else if (c.err == -ESTALE)
		lose(h, p4a_last_error(h->ctx));
	else
		h->extend_us = now_us() + h->o->lease_us / 10;	/* it may be back in time */
}

/* Milliseconds, rounded up, until something is to be done. */
static int pause_ms(const struct hold *h)
{
	uint64_t now = now_us(), at = h->until_us;
	int64_t due = p4a_timeout_us(h->ctx);

	if (h->extend_us && h->extend_us < at)
		at = h->extend_us;
	if (due >= 0 && now + due < at)
		at = now + due;
	return at > now ? (at - now + 999) / 1000 : 0;
}

/* Whatever the allocator believes, a lease that may be over is over: no call waits here. */
static void keep(struct hold *h)
{
	if (h->lost)
		return;
	if (h->extend_us && now_us() >= h->extend_us && now_us() < h->until_us)
		ask_for_more(h);
	if (!h->lost)
		take_answer(h);		/* also sends what was asked */
	if (!h->lost && now_us() >= h->until_us)
		lose(h, "the lease could not be extended in time");
}

static int watch_children(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, signals, NULL);
	return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Until the command ends: its exit status. */
static int hold(struct hold *h)
{
	struct signalfd_siginfo info;
	sigset_t signals;
	struct pollfd p[2] = {
		{ watch_children(&signals), POLLIN, 0 }, { p4a_fd(h->ctx), POLLIN, 0 },
	};
	int status;

	h->child = start(h->o->command, &h->lock, &signals);
	if (h->child < 0)
		return fail("fork", strerror(errno));
	while (waitpid(h->child, &status, WNOHANG) == 0) {
		if (poll(p, h->lost ? 1 : 2, h->lost ? -1 : pause_ms(h)) > 0 && p[0].revents &&
		    read(p[0].fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
			return fail("signalfd", strerror(errno));
		keep(h);
	}
	close(p[0].fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct p4a_options opts = { .tenant = o.tenant, .nodes = 1, .depth = 2 };
	struct hold h = { .o = &o };
	struct p4a_error err;
	int rc;

	if (p4a_open(&h.ctx, &opts, &err))
		return fail("tenant", err.text);
	rc = p4a_lock(h.ctx, o.name, strlen(o.name), o.mode, o.lease_us, o.wait_us, &h.lock);
	if (rc) {
		fail(o.name, p4a_last_error(h.ctx));
		p4a_close(h.ctx);
		return rc == -ETIME ? NOT_FREE : 1;
	}
	have_lease(&h);
	rc = hold(&h);
	if (!h.lost)
		p4a_unlock(h.ctx, &h.lock);
	p4a_close(h.ctx);
	return rc;
}
