// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4lock - runs a command while it holds a lock of a tenant, as flock(1) does with a file.
 *
 * The lease is extended while the command runs. If it is lost all the same, the command is told by
 * SIGTERM; its token, P4A_LOCK_TOKEN in the environment, is what others can refuse it by.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <p4alloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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
	pid_t child = fork();
	char token[24];

	if (child)
		return child;
	snprintf(token, sizeof(token), "%" PRIu64, lock->token);
	setenv("P4A_LOCK_TOKEN", token, 1);
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	execvp(command[0], command);
	fprintf(stderr, "p4lock: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* Until the command ends: its exit status. */
static int hold(struct p4a_ctx *ctx, const struct options *o, struct p4a_lock *lock)
{
	const struct timespec pause = {
		.tv_sec = o->lease_us / 3 / 1000000, .tv_nsec = o->lease_us / 3 % 1000000 * 1000,
	};
	bool lost = false;
	sigset_t signals;
	int status;
	pid_t child;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	child = start(o->command, lock, &signals);
	if (child < 0)
		return fail("fork", strerror(errno));
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (sigtimedwait(&signals, NULL, &pause) == SIGCHLD || lost)
			continue;
		/* Another error: the allocator is away, and may be back in time. */
		lost = p4a_lock_extend(ctx, lock, o->lease_us) == -ESTALE;
		if (lost) {
			fail(o->name, p4a_last_error(ctx));
			kill(child, SIGTERM);
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct p4a_options opts = { .tenant = o.tenant, .nodes = 1, .depth = 1 };
	struct p4a_error err;
	struct p4a_lock lock;
	struct p4a_ctx *ctx;
	int rc;

	if (p4a_open(&ctx, &opts, &err))
		return fail("tenant", err.text);
	rc = p4a_lock(ctx, o.name, strlen(o.name), o.mode, o.lease_us, o.wait_us, &lock);
	if (rc) {
		fail(o.name, p4a_last_error(ctx));
		p4a_close(ctx);
		return rc == -ETIME ? NOT_FREE : 1;
	}
	rc = hold(ctx, &o, &lock);
	p4a_unlock(ctx, &lock);
	p4a_close(ctx);
	return rc;
}
