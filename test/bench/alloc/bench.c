// SPDX-License-Identifier: GPL-2.0-or-later
/* bench.c - see bench.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

void bench_row(const char *name, double value, const char *unit)
{
	printf("bench: %s %.6g %s\n", name, value, unit);
	fflush(stdout);
}

static void judged(const char *name, double value, const char *unit, const char *must, double limit,
		   bool ok)
{
	printf("bench: %s %.6g %s must %s %.6g %s\n", name, value, unit, must, limit,
	       ok ? "ok" : "short");
	fflush(stdout);
}

void bench_most(const char *name, double value, const char *unit, double limit)
{
	judged(name, value, unit, "<=", limit, value <= limit);
}

void bench_least(const char *name, double value, const char *unit, double limit)
{
	judged(name, value, unit, ">=", limit, value >= limit);
}

static int ascending(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

uint64_t bench_quantile(uint64_t *v, size_t n, double share)
{
	size_t i = share * n;

	qsort(v, n, sizeof(*v), ascending);
	return v[i < n ? i : n - 1];
}

void *bench_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (p)
		return p;
	perror("bench");
	exit(1);
}
