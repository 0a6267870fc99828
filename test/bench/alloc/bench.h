/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench.h - what the programs of `make bench-alloc` share: time, order statistics, rows. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

uint64_t bench_ns(void);	/* monotonic; in the guest of `make bench-alloc`, instructions */

/* Prints `bench: NAME VALUE UNIT`, and `must <= LIMIT ok|short` (>= : bench_least). */
void bench_row(const char *name, double value, const char *unit);
void bench_most(const char *name, double value, const char *unit, double limit);
void bench_least(const char *name, double value, const char *unit, double limit);

/* The value that a share of all (0.5: the median) do not exceed. Sorts v. */
uint64_t bench_quantile(uint64_t *v, size_t n, double share);

/* Zeroed, or the end of the program. */
void *bench_alloc(size_t n, size_t size);

#endif /* BENCH_H */
