// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event-loop.c - takes locks of several names at once in an event loop, which calls p4a_poll() once each
 * time that p4a_fd() polls readable or p4a_timeout_us() is over, and takes one completion each time.
 */
#include <p4alloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_US	6000000
#define WAIT_US		60000000

static const char usage[] =
	"usage: event-loop TENANT SECONDS NAME...\n"
	"Exit: 0 has had all names within SECONDS, 1 not, 2 usage, or ends by SIGALRM.\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "event-loop: %s: %s\n", what, why);
	return 1;
}

static int run(struct p4a_ctx *ctx, char **names, int n)
{
	struct p4a_lock *lock = calloc(n, sizeof(*lock));
	struct p4a_completion c;

	for (int i = 0; i < n; i++)
		if (p4a_lock_async(ctx, names[i], strlen(names[i]), P4A_LOCK_EXCLUSIVE, LEASE_US, WAIT_US,
				   &lock[i], names[i]))
			return fail(names[i], p4a_last_error(ctx));
	for (int had = 0; had < n; ) {
		int got = p4a_poll(ctx, &c, 1);
		struct pollfd p = { p4a_fd(ctx), POLLIN, 0 };
		int64_t due;

		if (got < 0 || (got && c.err))
			return fail("p4a_poll", p4a_last_error(ctx));
		if (got)
			printf("event-loop: has %s\n", (char *)c.user);
		had += got;
		due = p4a_timeout_us(ctx);
		if (!got && had < n)
			poll(&p, 1, due < 0 ? -1 : (int)((due + 999) / 1000));
	}
	free(lock);
	return 0;
}

int main(int argc, char **argv)
{
	struct p4a_options opts = { .nodes = 1 };
	struct p4a_error err;
	struct p4a_ctx *ctx;
	int rc;

	if (argc < 4)
		return fputs(usage, stderr), 2;
	opts.tenant = atoi(argv[1]);
	opts.depth = argc;
	alarm(atoi(argv[2]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (p4a_open(&ctx, &opts, &err))
		return fail("p4a_open", err.text);
	rc = run(ctx, argv + 3, argc - 3);
	p4a_close(ctx);
	return rc;
}
