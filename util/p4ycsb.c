// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4ycsb - one database node of a tenant: runs its trace in batches, hot keys in the switch.
 *
 * Exit status: 0 all transactions of the trace have a fate and the history is complete; 1 it had to
 * give up, and says why; 2 an argument or a file is wrong.
 */
#include "args.h"
#include "program.h"

static const char *trace, *counts;
static uint32_t keys = 1000000;

static void prepare(struct node *n)
{
	struct trace_error err;

	if (!trace || !counts || !n->cfg.history || !n->cfg.summary)
		arg_fail("--trace, --counts, --history and --summary must be given");
	n->cfg.self.keys = keys;
	if (trace_read(&n->trace, trace, keys, &err))
		arg_fail("%s", err.text);
}

static int layout(const struct node *n, const struct p4a_geometry *geo, struct p4a_layout **out,
		  struct p4a_error *err)
{
	return p4a_layout_from_file(out, geo, counts, err);
}

int main(int argc, char **argv)
{
	static const struct program_option options[] = {
		{ .name = "trace", .text = &trace }, { .name = "counts", .text = &counts },
		{ .name = "keys", .min = 1, .max = TRACE_KEYS_MAX, .number = &keys }, { 0 },
	};
	static const struct program program = {
		.name = "p4ycsb", .options = options, .prepare = prepare, .layout = layout,
		.usage = "  --trace FILE       transactions of this node\n"
			 "  --counts FILE      key:count of all nodes, the same file at all of them\n"
			 "  --keys N           keys are 0 .. N-1 (1000000)\n",
	};
	static struct node n = { .cfg = { .batches = 4, .want_blocks = 1, .flows = 32,
					  .duration_us = 1000000 } };

	return program_run(&program, &n, argc, argv);
}
