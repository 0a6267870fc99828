// SPDX-License-Identifier: GPL-2.0-or-later
/* bound.c - see bound.h. */
#include <math.h>
#include <stdlib.h>

#include "bound.h"
#include "heap.h"
#include "hosts.h"

static int by_release(const void *a, const void *b)
{
	const struct bound_job *x = a, *y = b;

	return (x->release > y->release) - (x->release < y->release);
}

/* Works from *at until `until`, or until a job is done, at the first that waits. Returns what that adds
 * to the sum.
 */
static double work(struct heap *waiting, double *left, const struct bound_job *jobs, double *at,
		   double until)
{
	const struct bound_job *job = waiting->entry[0].value;
	double end = *at + left[job - jobs], done, middle;
	struct heap_entry gone;

	if (end <= until)
		heap_pop(waiting, &gone);
	else
		end = until;
	done = end - *at;
	middle = (end + *at) / 2;
	left[job - jobs] -= done;
	*at = end;
	return job->weight * middle * done / job->length;
}

double bound_of_link(struct bound_job *jobs, size_t nr)
{
	double *left = malloc((nr + 1) * sizeof(*left)), at = 0, sum = 0;
	struct heap waiting = {};
	size_t next = 0;

	if (!left)
		die("bound");
	qsort(jobs, nr, sizeof(*jobs), by_release);
	while (next < nr || waiting.nr) {
		if (!waiting.nr)
			at = fmax(at, jobs[next].release);
		for (; next < nr && jobs[next].release <= at; next++) {
			struct bound_job *j = &jobs[next];

			left[next] = j->length;
			sum -= j->weight * (j->release + j->length / 2 + j->free);
			if (heap_push(&waiting, -j->weight / j->length, next, j))
				die("bound");
		}
		sum += work(&waiting, left, jobs, &at, next < nr ? jobs[next].release : INFINITY);
	}
	heap_free(&waiting);
	free(left);
	return sum;
}
