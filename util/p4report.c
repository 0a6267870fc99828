// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4report - what a rack did: a table by tenant, the use of the switch's blocks over time, and
 * whether it did what was expected of it.
 *
 * Reads the summaries that p4ycsb has written and asks the allocator for its history. Exit status:
 * 0, 1 if an expectation was not met (each is named), 2 a file or argument is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "jsonline.h"

#define TENANTS_MAX	16
#define WAITS_MAX	4096
#define COLUMNS		64

struct tenant {
	uint64_t id, nodes;
	uint64_t transactions, committed, hot, mixed, cold, aborted, unknown;
	uint64_t hot_ops, hot_key_ops, stale, conflicts, locked, in_switch, expired, cells;
	uint64_t fewest_txns, fewest_grants;	/* of its nodes */
	double txns_per_s;
	uint64_t wait[WAITS_MAX];
	size_t nr_waits;
	uint64_t handovers;
};

struct grant {
	uint64_t epoch, tenant;
};

struct rack {
	struct tenant tenant[TENANTS_MAX];
	size_t nr_tenants;
	struct grant grant[WAITS_MAX];
	size_t nr_grants;
	unsigned int problems;
};

struct expected {
	uint64_t txns, batches, handovers, percent;
};

static const char usage[] =
	"usage: p4report [--allocd SOCKET] [--data FILE] [--expect-txns N] [--expect-batches N]\n"
	"                [--expect-handovers N] [--expect-hot PERCENT] SUMMARY...\n"
	"  --allocd SOCKET        show how the blocks were used, too\n"
	"  --data FILE            write that for gnuplot: seconds, total, blocks of each tenant\n"
	"  --expect-txns N        each node has at least N transactions, all with a known fate\n"
	"  --expect-batches N     each node was granted blocks for at least N batches\n"
	"  --expect-handovers N   each tenant took over from another at least N times\n"
	"  --expect-hot PERCENT   of the operations on a tenant's hot keys, more than that ran in\n"
	"                         the switch\n";

/* ------------------------------------------------------------------ reading */

static struct tenant *tenant_of(struct rack *r, uint64_t id)
{
	for (size_t i = 0; i < r->nr_tenants; i++)
		if (r->tenant[i].id == id)
			return &r->tenant[i];
	if (r->nr_tenants == TENANTS_MAX)
		arg_fail("more than %d tenants", TENANTS_MAX);
	r->tenant[r->nr_tenants] = (struct tenant){ .id = id, .fewest_txns = UINT64_MAX,
						    .fewest_grants = UINT64_MAX };
	return &r->tenant[r->nr_tenants++];
}

static void add_lists(struct rack *r, struct tenant *t, struct json_object *o)
{
	struct json_object *waits = json_member(o, "wait_us"), *epochs = json_member(o, "epochs");

	for (size_t i = 0; i < json_object_array_length(waits) && t->nr_waits < WAITS_MAX; i++)
		t->wait[t->nr_waits++] = json_at(waits, i);
	for (size_t i = 0; i < json_object_array_length(epochs) && r->nr_grants < WAITS_MAX; i++)
		r->grant[r->nr_grants++] = (struct grant){ json_at(epochs, i), t->id };
}

static void add_summary(struct rack *r, const char *path)
{
	struct json_object *o = json_object_from_file(path);
	struct tenant *t;
	uint64_t txns, grants;

	if (!json_object_is_type(json_member(o, "wait_us"), json_type_array) ||
	    !json_object_is_type(json_member(o, "epochs"), json_type_array))
		arg_fail("%s: is not a summary of p4ycsb", path);
	t = tenant_of(r, json_number(o, "tenant"));
	txns = json_number(o, "transactions");
	grants = json_number(o, "grants");
	t->nodes++;
	t->transactions += txns;
	t->committed += json_number(o, "committed");
	t->hot += json_number(o, "hot");
	t->mixed += json_number(o, "mixed");
	t->cold += json_number(o, "cold");
	t->aborted += json_number(o, "aborted");
	t->unknown += json_number(o, "unknown");
	t->hot_ops += json_number(o, "hot_ops");
	t->hot_key_ops += json_number(o, "hot_key_ops");
	t->stale += json_number(o, "stale");
	t->conflicts += json_number(o, "conflicts");
	t->locked += json_number(o, "locked");
	t->in_switch += json_number(o, "in_switch");
	t->expired += json_number(o, "expired");
	t->cells += json_number(o, "cells");
	t->txns_per_s += json_object_get_double(json_member(o, "txns_per_s"));
	t->fewest_txns = txns < t->fewest_txns ? txns : t->fewest_txns;
	t->fewest_grants = grants < t->fewest_grants ? grants : t->fewest_grants;
	add_lists(r, t, o);
	json_object_put(o);
}

static int by_epoch(const void *a, const void *b)
{
	uint64_t x = ((const struct grant *)a)->epoch, y = ((const struct grant *)b)->epoch;

	return x < y ? -1 : x > y;
}

/* Epochs ascend over all tenants: a grant takes over if the one before was another tenant's. */
static void count_handovers(struct rack *r)
{
	qsort(r->grant, r->nr_grants, sizeof(r->grant[0]), by_epoch);
	for (size_t i = 1; i < r->nr_grants; i++)
		if (r->grant[i].tenant != r->grant[i - 1].tenant)
			tenant_of(r, r->grant[i].tenant)->handovers++;
}

/* ------------------------------------------------------------------ the table */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* In milliseconds; of sorted values. */
static double percentile(const struct tenant *t, unsigned int percent)
{
	return t->nr_waits ? t->wait[(t->nr_waits * percent + 99) / 100 - 1] / 1000.0 : 0;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

static void print_table(struct rack *r)
{
	printf("\n%6s %6s %7s %7s %7s %8s %9s %9s %6s %6s %8s %8s %9s %7s\n", "tenant", "txns", "hot",
	       "mixed", "cold", "txns/s", "wait p50", "wait p99", "cells", "STALE", "conflict",
	       "carried", "handovers", "hot ops");
	printf("%6s %6s %7s %7s %7s %8s %9s %9s %6s %6s %8s %8s %9s %7s\n", "", "", "switch", "both",
	       "store", "", "ms", "ms", "", "", "locks", "over", "", "%");
	for (size_t i = 0; i < r->nr_tenants; i++) {
		struct tenant *t = &r->tenant[i];

		qsort(t->wait, t->nr_waits, sizeof(t->wait[0]), by_value);
		printf("%6" PRIu64 " %6" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64
		       " %8.1f %9.1f %9.1f %6" PRIu64 " %6" PRIu64 " %8" PRIu64 " %8" PRIu64
		       " %9" PRIu64 " %7.1f\n", t->id, t->committed, t->hot, t->mixed, t->cold,
		       t->txns_per_s, percentile(t, 50), percentile(t, 99), t->cells, t->stale,
		       t->conflicts, t->locked + t->in_switch, t->handovers,
		       share(t->hot_ops, t->hot_key_ops));
	}
	printf("hot ops: share of the operations on hot keys that ran in the switch; wait: from the "
	       "end\nof a node's cold phase to its grant; carried over: a lock was taken or a key "
	       "was in the switch\n");
}

/* ------------------------------------------------------------------ blocks over time */

struct usage_line {
	double held[COLUMNS];		/* block-seconds */
};

struct usage {
	struct json_object *rows, *ids;
	double start, end;		/* seconds */
	uint64_t total;
};

static double row_time(const struct usage *u, size_t i)
{
	if (i == json_object_array_length(u->rows))
		return u->end;
	return json_at(json_object_array_get_idx(u->rows, i), 0) / 1e6;
}

static uint64_t row_value(const struct usage *u, size_t i, size_t column)
{
	return json_at(json_object_array_get_idx(u->rows, i), column);
}

/* Adds a constant number of blocks, held from `from` to `to`, to the columns that this spans. */
static void spread(const struct usage *u, struct usage_line *l, double from, double to, double blocks)
{
	double width = (u->end - u->start) / COLUMNS;

	for (unsigned int c = 0; c < COLUMNS; c++) {
		double a = u->start + c * width, b = a + width;

		a = a > from ? a : from;
		b = b < to ? b : to;
		if (b > a)
			l->held[c] += (b - a) * blocks;
	}
}

static void print_line(const struct usage *u, const char *name, const struct usage_line *l)
{
	double width = (u->end - u->start) / COLUMNS, sum = 0;

	printf("%-9s |", name);
	for (unsigned int c = 0; c < COLUMNS; c++) {
		unsigned int blocks = l->held[c] / width + 0.5;

		sum += l->held[c];
		putchar(!blocks ? '.' : blocks < 10 ? '0' + (int)blocks : '+');
	}
	printf("| %5.1f %%\n", 100 * sum / (u->total * (u->end - u->start)));
}

static void print_usage(const struct usage *u)
{
	size_t rows = json_object_array_length(u->rows), nr = json_object_array_length(u->ids);
	struct usage_line all = { 0 };
	char name[32];

	printf("\nblocks held over time, %.1f s, of %" PRIu64 " blocks (.: none):\n",
	       u->end - u->start, u->total);
	for (size_t t = 0; t < nr; t++) {
		struct usage_line l = { 0 };

		for (size_t i = 0; i < rows; i++)
			spread(u, &l, row_time(u, i), row_time(u, i + 1), row_value(u, i, 3 + t));
		snprintf(name, sizeof(name), "tenant %" PRIu64, json_at(u->ids, t));
		print_line(u, name, &l);
	}
	for (size_t i = 0; i < rows; i++)
		spread(u, &all, row_time(u, i), row_time(u, i + 1), row_value(u, i, 1));
	print_line(u, "all", &all);
}

static void write_data(const struct usage *u, const char *path)
{
	size_t rows = json_object_array_length(u->rows), nr = json_object_array_length(u->ids);
	FILE *f = fopen(path, "we");

	if (!f)
		arg_fail("%s: %s", path, strerror(errno));
	fprintf(f, "seconds total");
	for (size_t t = 0; t < nr; t++)
		fprintf(f, " tenant-%" PRIu64, json_at(u->ids, t));
	putc('\n', f);
	for (size_t i = 0; i <= rows; i++) {
		fprintf(f, "%.6f %" PRIu64, row_time(u, i) - u->start, u->total);
		for (size_t t = 0; t < nr; t++)
			fprintf(f, " %" PRIu64, row_value(u, i < rows ? i : rows - 1, 3 + t));
		putc('\n', f);
	}
	if (ferror(f) | fclose(f))
		arg_fail("%s: cannot be written", path);
}

static void report_usage(const char *socket, const char *data)
{
	struct jsonline *j = jsonline_open(socket);
	struct json_object *a;
	struct usage u;

	if (!j)
		arg_fail("%s: %s", socket, strerror(errno));
	a = jsonline_ask(j, "{\"cmd\":\"history\"}");
	if (!a)
		arg_fail("%s: history: %s", socket, jsonline_error(j));
	u = (struct usage){ .rows = json_member(a, "history"), .ids = json_member(a, "tenants"),
			    .end = json_number(a, "now_us") / 1e6, .total = json_number(a, "total") };
	if (!json_object_is_type(u.rows, json_type_array) || !json_object_array_length(u.rows) ||
	    !json_object_is_type(u.ids, json_type_array) || !u.total)
		arg_fail("%s: history is empty", socket);
	u.start = row_time(&u, 0);
	print_usage(&u);
	if (data)
		write_data(&u, data);
	json_object_put(a);
	jsonline_close(j);
}

/* ------------------------------------------------------------------ expectations */

static void expect(struct rack *r, uint64_t tenant, const char *what, double got, bool met,
		   uint64_t want)
{
	if (met)
		return;
	printf("p4report: tenant %" PRIu64 ": %s is %.10g, expected %s %" PRIu64 "\n", tenant, what,
	       got, want ? "at least" : "exactly", want);
	r->problems++;
}

static void check(struct rack *r, const struct expected *e)
{
	for (size_t i = 0; i < r->nr_tenants; i++) {
		struct tenant *t = &r->tenant[i];
		double hot = share(t->hot_ops, t->hot_key_ops);
		uint64_t lost = t->transactions - t->committed - t->aborted;

		expect(r, t->id, "number of transactions of a node", t->fewest_txns,
		       t->fewest_txns >= e->txns, e->txns);
		expect(r, t->id, "number of transactions without a known fate", lost, !lost, 0);
		expect(r, t->id, "number of batches with a grant", t->fewest_grants,
		       t->fewest_grants >= e->batches, e->batches);
		expect(r, t->id, "number of hand-overs", t->handovers, t->handovers >= e->handovers,
		       e->handovers);
		expect(r, t->id, "share of hot operations in the switch, in percent,", hot,
		       !e->percent || hot > e->percent, e->percent);
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "allocd", 1, NULL, 'a' }, { "data", 1, NULL, 'd' },
		{ "expect-txns", 1, NULL, 't' }, { "expect-batches", 1, NULL, 'b' },
		{ "expect-handovers", 1, NULL, 'o' }, { "expect-hot", 1, NULL, 'p' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	static struct rack r;
	const char *allocd = NULL, *data = NULL;
	struct expected e = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'a')
			allocd = optarg;
		else if (c == 'd')
			data = optarg;
		else if (c == 't')
			e.txns = arg_number("--expect-txns", optarg, 0, UINT32_MAX);
		else if (c == 'b')
			e.batches = arg_number("--expect-batches", optarg, 0, UINT32_MAX);
		else if (c == 'o')
			e.handovers = arg_number("--expect-handovers", optarg, 0, UINT32_MAX);
		else if (c == 'p')
			e.percent = arg_number("--expect-hot", optarg, 0, 100);
		else if (c == 'h')
			return !fputs(usage, stdout);
		else
			return 2;
	}
	if (optind == argc)
		arg_fail("SUMMARY is missing, must be files that p4ycsb has written");
	for (int i = optind; i < argc; i++)
		add_summary(&r, argv[i]);
	count_handovers(&r);
	print_table(&r);
	if (allocd)
		report_usage(allocd, data);
	check(&r, &e);
	return r.problems ? 1 : 0;
}
