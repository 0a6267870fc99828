// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4trace - writes a YCSB-like trace for each node of a tenant, and the counts of all its keys.
 *
 * Keys are zipf distributed; those of one transaction are distinct. Ranks are scattered over the key
 * space, so every node owns (key modulo nodes) its share of the hot ones. Equal options give equal
 * bytes. Files: OUT/node<N>.trace as trace.h describes, OUT/keys.count with one `key:count` a line,
 * over all nodes, in key order.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "trace.h"
#include "zipf.h"

struct options {
	uint32_t keys, txns, seed;
	unsigned int ops, nodes, reads, writes, adds;
	double theta;
	const char *out;
};

static const char usage[] =
	"usage: p4trace --out DIR [OPTION VALUE]...\n"
	"  --keys N      keys are 0 .. N-1 (1000000)\n"
	"  --theta X     zipf exponent (0.99)\n"
	"  --ops N       operations on distinct keys in a transaction (8)\n"
	"  --txns N      transactions of each node (5000)\n"
	"  --nodes N     nodes of the tenant (2)\n"
	"  --seed N      equal seeds give equal traces (1)\n"
	"  --reads N --writes N --adds N   percent of operations, together 100 (50 25 25)\n"
	"Writes DIR/node0.trace ... and DIR/keys.count.\n";

static void set_option(struct options *o, const char *name, const char *v)
{
	char option[32];

	snprintf(option, sizeof(option), "--%s", name);
	if (!strcmp(name, "keys"))
		o->keys = arg_number(option, v, 1, TRACE_KEYS_MAX);
	else if (!strcmp(name, "theta"))
		o->theta = arg_real(option, v, 0, 10);
	else if (!strcmp(name, "ops"))
		o->ops = arg_number(option, v, 1, TRACE_OPS_MAX);
	else if (!strcmp(name, "txns"))
		o->txns = arg_number(option, v, 1, 100000000);
	else if (!strcmp(name, "nodes"))
		o->nodes = arg_number(option, v, 1, 64);
	else if (!strcmp(name, "seed"))
		o->seed = arg_number(option, v, 0, UINT32_MAX);
	else if (!strcmp(name, "reads"))
		o->reads = arg_number(option, v, 0, 100);
	else if (!strcmp(name, "writes"))
		o->writes = arg_number(option, v, 0, 100);
	else if (!strcmp(name, "adds"))
		o->adds = arg_number(option, v, 0, 100);
	else
		o->out = v;
}

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "keys", 1, NULL, 0 }, { "theta", 1, NULL, 0 }, { "ops", 1, NULL, 0 },
		{ "txns", 1, NULL, 0 }, { "nodes", 1, NULL, 0 }, { "seed", 1, NULL, 0 },
		{ "reads", 1, NULL, 0 }, { "writes", 1, NULL, 0 }, { "adds", 1, NULL, 0 },
		{ "out", 1, NULL, 0 }, { "help", 0, NULL, 'h' }, { 0 },
	};
	struct options o = {
		.keys = 1000000, .txns = 5000, .seed = 1, .ops = 8, .nodes = 2,
		.reads = 50, .writes = 25, .adds = 25, .theta = 0.99,
	};
	int c, which;

	while ((c = getopt_long(argc, argv, "h", longs, &which)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (c)
			exit(2);
		set_option(&o, longs[which].name, optarg);
	}
	if (optind < argc)
		arg_fail("'%s' is not an option", argv[optind]);
	if (!o.out)
		arg_fail("--out is missing, must be a directory");
	if (o.reads + o.writes + o.adds != 100)
		arg_fail("--reads, --writes and --adds are together %u, must be 100",
			 o.reads + o.writes + o.adds);
	if (o.ops > o.keys)
		arg_fail("--ops is '%u', must be 1 .. --keys (%u)", o.ops, o.keys);
	return o;
}

static bool has_key(const struct trace_op *ops, unsigned int n, uint32_t key)
{
	while (n--)
		if (ops[n].key == key)
			return true;
	return false;
}

static struct trace_op draw_op(const struct options *o, struct rng *r, uint32_t key)
{
	uint32_t percent = rng_below(r, 100);

	if (percent < o->reads)
		return (struct trace_op){ .key = key, .kind = TRACE_READ };
	if (percent < o->reads + o->writes)
		return (struct trace_op){ .key = key, .kind = TRACE_WRITE,
					  .operand = rng_next(r) >> 32 };
	return (struct trace_op){ .key = key, .kind = TRACE_ADD, .operand = 1 + rng_below(r, 1000) };
}

static void draw_txn(const struct options *o, const struct zipf *z, struct rng *r,
		     struct trace_op *ops)
{
	for (unsigned int i = 0; i < o->ops; ) {
		uint32_t key = zipf_scatter(zipf_draw(z, r), o->keys);

		if (has_key(ops, i, key))
			continue;
		ops[i++] = draw_op(o, r, key);
	}
}

static FILE *create(const struct options *o, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", o->out, name);
	f = fopen(path, "we");
	if (!f)
		arg_fail("%s: %s", path, strerror(errno));
	return f;
}

static void finish(FILE *f, const char *name)
{
	if (ferror(f) | fclose(f))
		arg_fail("%s: cannot be written: %s", name, strerror(errno));
}

static void write_node(const struct options *o, unsigned int node, uint32_t *counts)
{
	struct rng r = { .state = (uint64_t)o->seed << 8 | node };
	struct trace_op ops[TRACE_OPS_MAX];
	struct zipf z;
	char name[32];
	FILE *f;

	snprintf(name, sizeof(name), "node%u.trace", node);
	f = create(o, name);
	fprintf(f, "# keys %u theta %g txns %u node %u of %u seed %u\n", o->keys, o->theta, o->txns,
		node, o->nodes, o->seed);
	zipf_init(&z, o->keys, o->theta);
	for (uint32_t t = 0; t < o->txns; t++) {
		draw_txn(o, &z, &r, ops);
		trace_write_txn(f, ops, o->ops);
		for (unsigned int i = 0; i < o->ops; i++)
			counts[ops[i].key]++;
	}
	finish(f, name);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	uint32_t *counts = calloc(o.keys, sizeof(*counts));
	FILE *f;

	if (!counts)
		arg_fail("--keys %u: %s", o.keys, strerror(errno));
	if (mkdir(o.out, 0777) && errno != EEXIST)
		arg_fail("%s: %s", o.out, strerror(errno));
	for (unsigned int node = 0; node < o.nodes; node++)
		write_node(&o, node, counts);
	f = create(&o, "keys.count");
	for (uint32_t key = 0; key < o.keys; key++)
		if (counts[key])
			fprintf(f, "%u:%u\n", key, counts[key]);
	finish(f, "keys.count");
	free(counts);
	return 0;
}
