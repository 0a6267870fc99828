/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bound.h - what the mean slowdown of messages on one link is at least, whoever schedules it.
 *
 * The relaxation of mean busy times (Goemans, Queyranne, Schulz, Skutella, Wang: "Single machine
 * scheduling with release dates", 2002): a job of length p that is done at C, and whose work was done
 * at time M on average, has C >= M + p/2; and the sum of w * M is least if always the job with the
 * greatest w/p is worked at, interrupting others.
 */
#ifndef RACK_BOUND_H
#define RACK_BOUND_H

#include <stddef.h>

struct bound_job {
	double release;		/* when work can begin at the earliest */
	double length;
	double weight;
	double free;		/* how late the end may be at no cost */
};

/* The least sum of weight * (end - release - length - free). Sorts the jobs; ends the program without memory. */
double bound_of_link(struct bound_job *jobs, size_t nr);

#endif /* RACK_BOUND_H */
