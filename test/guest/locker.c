// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * locker.c - takes named locks at random until it is told to end, and writes down when it was sure to
 * have which, by the clock that all processes of this host share. What others wrote must fit to it:
 * see test/scenario/schedule.sh.
 *
 * Lines: `hold NAME MODE TOKEN ASKED FROM UNTIL`, and `end NAME TOKEN AT UNTIL` when it is about to give
 * the lock back; UNTIL: when the lease ends. Times in us.
 */
#include <errno.h>
#include <inttypes.h>
#include <p4alloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAMES	3

static const char usage[] =
	"usage: locker TENANT SEED RECORD\n"
	"Until SIGTERM. Exit: 0; 1 an error that has no reason but a fault; 2 usage.\n";

static volatile sig_atomic_t ended;
static unsigned long holds, lost, late, busy, away;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "locker: %s: %s\n", what, why);
	return 1;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000) + t.tv_nsec / 1000;
}

static unsigned int below(uint64_t *seed, unsigned int n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

/* 0, or 1 for what must not be. A lease that has ended, or an allocator that is away, may. */
static int judge(const struct p4a_ctx *ctx, const char *what, int rc)
{
	if (!rc)
		return 0;
	late += rc == -ESTALE;
	busy += rc == -ETIME;
	away += rc == -ETIMEDOUT;
	return rc == -ESTALE || rc == -ETIME || rc == -ETIMEDOUT ? 0 :
	       fail(what, p4a_last_error(ctx));
}

static int once(struct p4a_ctx *ctx, uint64_t *seed, FILE *record)
{
	static const uint32_t leases_us[] = { 500000, 2000000, 6000000 };
	enum p4a_lock_mode mode = below(seed, 4) ? P4A_LOCK_EXCLUSIVE : P4A_LOCK_SHARED;
	uint32_t lease_us = leases_us[below(seed, 3)];
	uint64_t asked = now_us(), until;
	struct p4a_lock lock;
	char name[16];
	int rc;

	snprintf(name, sizeof(name), "name%u", below(seed, NAMES));
	rc = p4a_lock(ctx, name, strlen(name), mode, lease_us, 5000000, &lock);
	if (rc)
		return judge(ctx, "lock", rc);
	until = lock.until_us;
	fprintf(record, "hold %s %c %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name,
		mode == P4A_LOCK_SHARED ? 's' : 'x', lock.token, asked, now_us(), until);
	holds++;
	usleep(below(seed, 4) ? below(seed, 20000) : below(seed, 400000));
	if (!below(seed, 4)) {
		rc = p4a_lock_extend(ctx, &lock, lease_us);
		if (!rc)
			until = lock.until_us;
		if (judge(ctx, "extend", rc))
			return 1;
	}
	lost += now_us() > until;
	fprintf(record, "end %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name, lock.token, now_us(), until);
	return judge(ctx, "unlock", p4a_unlock(ctx, &lock));
}

static void on_signal(int signal)
{
	ended = 1;
}

int main(int argc, char **argv)
{
	struct p4a_options opts = { .nodes = 1, .depth = 1 };
	struct p4a_error err;
	struct p4a_ctx *ctx;
	uint64_t seed;
	FILE *record;
	int rc = 0;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	opts.tenant = atoi(argv[1]);
	seed = atoi(argv[2]);
	record = fopen(argv[3], "ae");
	if (!record)
		return fail(argv[3], strerror(errno));
	setvbuf(record, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	if (p4a_open(&ctx, &opts, &err))
		return fail("p4a_open", err.text);
	while (!ended && !rc)
		rc = once(ctx, &seed, record);
	printf("locker: %lu holds, %lu over their lease, %lu told so, %lu not free in time, %lu without an "
	       "allocator\n", holds, lost, late, busy, away);
	p4a_close(ctx);
	return rc;
}
