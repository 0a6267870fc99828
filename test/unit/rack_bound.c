// SPDX-License-Identifier: GPL-2.0-or-later
/* The least delay on a link: never above the best of all schedules, and equal to it where it must be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../util/rack/bound.h"

#define JOBS	3

/* The least that interrupting at whole times can reach, and with whole jobs it can reach all; by trying. */
static double best(const struct bound_job *jobs, const int *left, int nr, int now)
{
	double least = INFINITY;
	int next[JOBS], k, over = 0, ready = 0;

	for (k = 0; k < nr; k++) {
		double cost = 0;

		over += !left[k];
		if (!left[k] || jobs[k].release > now)
			continue;
		ready++;
		memcpy(next, left, sizeof(next));
		if (!--next[k])
			cost = jobs[k].weight * (now + 1 - jobs[k].release - jobs[k].length);
		cost += best(jobs, next, nr, now + 1);
		if (cost < least)
			least = cost;
	}
	if (over == nr)
		return 0;
	return ready ? least : best(jobs, left, nr, now + 1);
}

static void bound__below_the_best(void **state)
{
	double close = 0, far = 0;
	int round, k;

	srand48(2);
	for (round = 0; round < 3000; round++) {
		struct bound_job jobs[JOBS];
		int left[JOBS];
		double least, bound;

		for (k = 0; k < JOBS; k++) {
			left[k] = 1 + drand48() * 4;
			jobs[k] = (struct bound_job){ (int)(drand48() * 6), left[k], drand48(), 0 };
		}
		least = best(jobs, left, JOBS, 0);
		bound = bound_of_link(jobs, JOBS);
		assert_true(bound <= least + 1e-9);
		close += bound;
		far += least;
	}
	/* and not by far: it may be negative where a job is interrupted */
	assert_true(close > 0.6 * far);
}

/* All at once: nothing is gained by interrupting, and Smith's rule is the best. */
static void bound__is_reached(void **state)
{
	struct bound_job jobs[] = { { 10, 3, 1, 0 }, { 10, 1, 1, 0 }, { 10, 2, 1, 0 }, { 10, 6, 12, 0 } };
	struct bound_job later = { 10, 3, 2, 1 };

	assert_true(fabs(bound_of_link(jobs, 1)) < 1e-9);
	assert_true(fabs(bound_of_link(jobs, 3) - (1 + 3)) < 1e-9);
	assert_true(fabs(bound_of_link(jobs, 4) - (6 + 7 + 9)) < 1e-9);
	assert_true(bound_of_link(jobs, 0) == 0);
	assert_true(fabs(bound_of_link(&later, 1) + 2) < 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound__below_the_best),
		cmocka_unit_test(bound__is_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
