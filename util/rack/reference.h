/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reference.h - how long a message of some size takes on an idle network: what slowdown divides by.
 *
 * All transports are compared with the same reference: for each size the fastest of those that were
 * measured in this boot. So a transport that is slow when idle gains nothing by it.
 */
#ifndef RACK_REFERENCE_H
#define RACK_REFERENCE_H

#include <stdint.h>
#include <stdio.h>

#define REFERENCE_SIZES	96

struct reference {
	int count;
	uint32_t bytes[REFERENCE_SIZES];	/* ascending */
	double ns[REFERENCE_SIZES];
};

/* Keeps the faster of two times of one size; -1: too many sizes. */
int reference_add(struct reference *r, uint32_t bytes, double ns);

/* Reads lines `TRANSPORT BYTES NS`; -1 and a message if the file cannot be read or used. */
int reference_read(struct reference *r, const char *path);

/* Between two sizes linearly; beyond the first and last, theirs. */
double reference_ns(const struct reference *r, uint32_t bytes);

#endif /* RACK_REFERENCE_H */
