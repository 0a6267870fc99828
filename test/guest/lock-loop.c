// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock-loop.c - takes a lock and gives it back, many times from one context, as a long-lived program
 * does; counts in a file meanwhile, without any lock but that.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <p4alloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_US		60000000

static const char usage[] =
	"usage: lock-loop [-c FILE] [-n NAMES] [-w COUNT] [-l MS] TENANT NAME COUNT\n"
	"  -c FILE   adds 1 to the number in FILE each time, and checks that tokens in it ascend\n"
	"  -n NAMES  takes NAME.0, NAME.1 .. in turn, so that none is used often\n"
	"  -w COUNT  so many more before, which are not timed\n"
	"  -l MS     lease (6000)\n"
	"Exit: 0 done, 1 not, 2 usage.\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "lock-loop: %s: %s\n", what, why);
	return 1;
}

/* "NUMBER TOKEN". A second one that is inside would lose an addition, or see its own token. */
static int count_in(const char *file, uint64_t token)
{
	unsigned long number = 0;
	uint64_t last = 0;
	FILE *f = fopen(file, "r");

	if (f) {
		if (fscanf(f, "%lu %" SCNu64, &number, &last) != 2)
			return fail(file, "was half written");
		fclose(f);
	}
	if (token <= last)
		return fail(file, "a higher token was here");
	f = fopen(file, "w");
	if (!f)
		return fail(file, strerror(errno));
	fprintf(f, "%lu %" PRIu64 "\n", number + 1, token);
	fclose(f);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct job {
	const char *file, *name;
	unsigned int names, warm_up, count, lease_us;
};

static int once(struct p4a_ctx *ctx, const struct job *j, unsigned int i)
{
	char name[64];
	struct p4a_lock lock;

	if (j->names)
		snprintf(name, sizeof(name), "%.8s.%u", j->name, i % j->names);
	else
		snprintf(name, sizeof(name), "%.16s", j->name);
	if (p4a_lock(ctx, name, strlen(name), P4A_LOCK_EXCLUSIVE, j->lease_us, WAIT_US,
		     &lock))
		return fail(name, p4a_last_error(ctx));
	if (j->file && count_in(j->file, lock.token))
		return 1;
	if (p4a_unlock(ctx, &lock))
		return fail(name, p4a_last_error(ctx));
	return 0;
}

static int run(struct p4a_ctx *ctx, const struct job *j)
{
	uint64_t *took = calloc(j->count, sizeof(*took)), begun = now_ns();

	for (unsigned int i = 0; i < j->warm_up + j->count; i++) {
		uint64_t from = now_ns();

		if (once(ctx, j, i))
			return 1;
		if (i < j->warm_up)
			begun = now_ns();
		else
			took[i - j->warm_up] = now_ns() - from;
	}
	begun = now_ns() - begun;
	qsort(took, j->count, sizeof(*took), by_value);
	printf("lock-loop: %u done, p50 %" PRIu64 " p99 %" PRIu64 " ns, mean %" PRIu64 " ns\n",
	       j->count, took[j->count / 2], took[j->count * 99 / 100], begun / j->count);
	free(took);
	return 0;
}

int main(int argc, char **argv)
{
	struct p4a_options opts = { .nodes = 1, .depth = 1 };
	struct job j = { .lease_us = 6000000 };
	struct p4a_error err;
	struct p4a_ctx *ctx;
	int c, rc;

	while ((c = getopt(argc, argv, "c:n:w:l:")) != -1) {
		if (c == 'c')
			j.file = optarg;
		else if (c == 'n')
			j.names = atoi(optarg);
		else if (c == 'w')
			j.warm_up = atoi(optarg);
		else if (c == 'l')
			j.lease_us = 1000 * atoi(optarg);
		else
			return fputs(usage, stderr), 2;
	}
	if (argc - optind != 3 || atoi(argv[optind + 2]) < 1)
		return fputs(usage, stderr), 2;
	opts.tenant = atoi(argv[optind]);
	j.name = argv[optind + 1];
	j.count = atoi(argv[optind + 2]);
	if (p4a_open(&ctx, &opts, &err))
		return fail("p4a_open", err.text);
	rc = run(ctx, &j);
	p4a_close(ctx);
	return rc;
}
