// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ideal_load.c - how long messages would take at a given load if links knew everything: those of load.c, at
 * the same times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "ideal.h"
#include "load.h"
#include "quantile.h"
#include "reference.h"
#include "workload.h"

struct result {
	const struct load_options *opt;
	struct reference reference;
	double from_ns, to_ns;		/* of messages that are counted */
	uint64_t under_way;		/* of them */
	uint64_t bytes;			/* in them */
	struct quantiles all, decile[WORKLOAD_DECILES];
};

static double alone_ns(const struct result *r, uint32_t bytes)
{
	if (r->reference.count)
		return reference_ns(&r->reference, bytes);
	return ideal_alone_ns(bytes, r->opt->rate_mbps);
}

static bool is_counted(const struct result *r, double began_ns)
{
	return began_ns >= r->from_ns && began_ns < r->to_ns;
}

static void count(void *context, const struct arrival *a, double began_ns, double took_ns)
{
	struct result *r = context;
	double slowdown = took_ns / alone_ns(r, a->bytes);

	if (!is_counted(r, began_ns))
		return;
	r->under_way--;
	r->bytes += a->bytes;
	quantiles_add(&r->all, slowdown);
	quantiles_add(&r->decile[a->decile], slowdown);
}

static void start_arrivals(struct arrivals *a, const struct load_options *o)
{
	*a = (struct arrivals){ .workload = o->workload, .hosts = o->hosts, .incast = o->incast };
	arrivals_start(a, o->load, o->rate_mbps, o->seed * 1000, 0);
}

/* The load goes on until all that are counted are done, as in load.c. */
static void simulate(struct result *r, bool preemptive)
{
	const struct load_options *o = r->opt;
	struct ideal *i = ideal_create(&(struct ideal_options){
		.hosts = o->hosts, .rate_mbps = o->rate_mbps, .preemptive = preemptive,
		.done = count, .context = r,
	});
	struct arrivals arrivals;

	start_arrivals(&arrivals, o);
	while (arrivals.next < r->to_ns || r->under_way) {
		uint64_t at = arrivals.next;
		struct arrival a = arrivals_take(&arrivals);

		r->under_way += is_counted(r, at);
		ideal_begin(i, &a, at);
	}
	ideal_run(i, UINT64_MAX);
	ideal_destroy(i);
}

/* ------------------------------------------------------------------ what nobody can beat */

/* A link, and how much of a message's slowdown is looked for where its request passes; the rest
 * where its response does.
 */
struct view {
	int host;
	bool is_port;			/* of the switch; else the host's own link */
	double request_share;
};

static double weight_of(const struct result *r, uint64_t at, uint32_t bytes)
{
	return is_counted(r, at) ? 1 / alone_ns(r, bytes) : 0;
}

/* Adds what of a message passes the link, as early as it can. If its last packet is shorter than the others,
 * that may go first, so that the port begins earlier; and if it goes last, it may leave the sender later by the
 * difference, since the port is still busy with the one before.
 */
static size_t add_jobs(const struct result *r, const struct view *v, struct bound_job *jobs,
		       const struct arrival *a, uint64_t at)
{
	uint32_t rate = r->opt->rate_mbps, first = a->bytes < SEGMENT ? a->bytes : SEGMENT;
	double byte_ns = 8e3 / rate, weight = weight_of(r, at, a->bytes);
	double request = wire_bytes(a->bytes) * byte_ns, response = wire_bytes(RESPONSE_BYTES) * byte_ns;
	double least = wire_bytes(a->bytes % SEGMENT ?: SEGMENT) * byte_ns;
	double end = at + ideal_alone_ns(a->bytes, rate);
	size_t nr = 0;

	if (v->host == (v->is_port ? a->to : a->from))
		jobs[nr++] = (struct bound_job){
			at + (v->is_port ? least : 0), request, weight * v->request_share,
			wire_bytes(first) * byte_ns - least,
		};
	if (v->host == (v->is_port ? a->from : a->to))
		jobs[nr++] = (struct bound_job){
			end - DELAY_NS - (v->is_port ? 1 : 2) * response, response,
			weight * (1 - v->request_share), 0,
		};
	return nr;
}

/* Of the counted messages, the least sum of slowdown that this link adds. */
static double bound_of(const struct result *r, const struct view *v)
{
	struct bound_job *jobs = NULL;
	struct arrivals arrivals;
	size_t nr = 0, room = 0;
	double sum;

	start_arrivals(&arrivals, r->opt);
	while (arrivals.next < r->to_ns) {
		uint64_t at = arrivals.next;
		struct arrival a = arrivals_take(&arrivals);

		if (nr + 2 > room) {
			room = 2 * room + 1000;
			jobs = realloc(jobs, room * sizeof(*jobs));
			if (!jobs)
				die("bound");
		}
		nr += add_jobs(r, v, &jobs[nr], &a, at);
	}
	sum = bound_of_link(jobs, nr);
	free(jobs);
	return sum;
}

/* A message is delayed at least as much as at any one of its links: the best of some choices. */
static double least_delays(const struct result *r)
{
	static const struct view views[] = {
		{ 0, false, 0.5 }, { 0, false, 1 }, { 0, true, 0.5 }, { 0, true, 1 },
	};
	double best = 0;
	size_t k;

	for (k = 0; k < sizeof(views) / sizeof(*views); k++) {
		struct view v = views[k];
		double sum = 0;

		for (v.host = 0; v.host < r->opt->hosts; v.host++)
			sum += bound_of(r, &v);
		if (sum > best)
			best = sum;
	}
	return best;
}

/* ------------------------------------------------------------------ the command */

static void print(const struct result *r, const char *name)
{
	const struct workload *w = r->opt->workload;
	int i;

	for (i = 0; i < WORKLOAD_DECILES; i++) {
		const struct quantiles *q = &r->decile[i];

		printf("decile %s %d %u %u %lu %.2f %.2f %.2f\n", name, i + 1,
		       workload_bytes(w, (double)i / WORKLOAD_DECILES),
		       workload_bytes(w, (i + 1.0) / WORKLOAD_DECILES), q->count,
		       quantiles_at(q, 0.5), quantiles_at(q, 0.99), quantiles_mean(q));
	}
	printf("total %s %lu %.2f %.2f %.2f %.2f 1 0\n", name, r->all.count,
	       quantiles_at(&r->all, 0.5), quantiles_at(&r->all, 0.99), quantiles_mean(&r->all),
	       r->bytes * 8 / r->opt->seconds / 1e9);
}

/* What it would be without any delay: 1, or less if another reference is given than this rack's. */
static double mean_alone(const struct result *r)
{
	struct arrivals arrivals;
	uint64_t nr = 0;
	double sum = 0;

	start_arrivals(&arrivals, r->opt);
	while (arrivals.next < r->to_ns) {
		uint64_t at = arrivals.next;
		struct arrival a = arrivals_take(&arrivals);

		if (!is_counted(r, at))
			continue;
		sum += ideal_alone_ns(a.bytes, r->opt->rate_mbps) / alone_ns(r, a.bytes);
		nr++;
	}
	return nr ? sum / nr : 0;
}

static void measure(struct result *r, bool preemptive, const char *name)
{
	r->bytes = 0;
	memset(&r->all, 0, sizeof(r->all));
	memset(r->decile, 0, sizeof(r->decile));
	simulate(r, preemptive);
	print(r, name);
}

int measure_ideal(const struct load_options *o)
{
	static struct result r;

	r = (struct result){ .opt = o, .from_ns = o->warmup * 1e9 };
	r.to_ns = r.from_ns + o->seconds * 1e9;
	if (o->reference && reference_read(&r.reference, o->reference))
		return -1;
	measure(&r, false, "ideal");
	measure(&r, true, "preempt");
	printf("bound %.3f\n", r.all.count ? mean_alone(&r) + least_delays(&r) / r.all.count : 0);
	return 0;
}
