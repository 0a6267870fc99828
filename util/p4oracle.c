// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4oracle - checks what the nodes of a tenant say they did against a plain model.
 *
 * Exit status: 0 the histories are those of a serial execution; 1 they are not, and the first
 * differences are named on standard output; 2 a file or argument is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "oracle.h"

#define NODES_MAX 64

static const char usage[] =
	"usage: p4oracle [--killed] [--trace FILE]... HISTORY...\n"
	"One history for each node of a tenant, in the order of nodes; with --trace as many traces,\n"
	"which say what each transaction had to do. --killed: histories may end early.\n";

static void print_stats(uint32_t tenant, const struct oracle_stats *s)
{
	printf("oracle: tenant %u: %lu transactions (%lu hot, %lu mixed, %lu cold, %lu aborted, "
	       "%lu unknown), %lu operations in the switch in %lu epochs, %lu values compared, "
	       "%lu faults: %s\n", tenant, s->transactions, s->hot, s->mixed, s->cold, s->aborted,
	       s->unknown, s->hot_ops, s->epochs, s->values, s->faults,
	       s->faults ? "FAILED" : "ok");
}

static int run(char **histories, unsigned int nodes, bool killed, char **trace_files,
	       unsigned int nr_traces)
{
	int (*const read)(struct history *h, const char *path, struct trace_error *err) =
		killed ? history_read_cut : history_read;
	struct history h[NODES_MAX] = { 0 };
	struct trace traces[NODES_MAX] = { 0 };
	struct oracle_stats stats;
	struct trace_error err;
	int rc;

	for (unsigned int i = 0; i < nodes; i++)
		if (read(&h[i], histories[i], &err))
			arg_fail("%s", err.text);
	for (unsigned int i = 0; i < nr_traces; i++)
		if (trace_read(&traces[i], trace_files[i], h[i].head.keys, &err))
			arg_fail("%s", err.text);
	rc = oracle_check(h, nodes, nr_traces ? traces : NULL, stdout, &stats);
	if (rc == -ENOMEM)
		arg_fail("%s", strerror(ENOMEM));
	print_stats(h[0].head.tenant, &stats);
	for (unsigned int i = 0; i < nodes; i++) {
		history_free(&h[i]);
		trace_free(&traces[i]);
	}
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "trace", 1, NULL, 't' }, { "killed", 0, NULL, 'k' }, { "help", 0, NULL, 'h' }, { 0 },
	};
	char *trace_files[NODES_MAX];
	unsigned int nr_traces = 0, nodes;
	bool killed = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c == 'k') {
			killed = true;
			continue;
		}
		if (c != 't')
			return 2;
		if (nr_traces == NODES_MAX)
			arg_fail("--trace is given more than %u times", NODES_MAX);
		trace_files[nr_traces++] = optarg;
	}
	nodes = argc - optind;
	if (!nodes || nodes > NODES_MAX)
		arg_fail("HISTORY is given %u times, must be 1 .. %u", nodes, NODES_MAX);
	if (nr_traces && nr_traces != nodes)
		arg_fail("--trace is given %u times, must be 0 or %u like HISTORY", nr_traces, nodes);
	return run(argv + optind, nodes, killed, trace_files, nr_traces);
}
