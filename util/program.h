/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - what programs that are a node of a tenant share: options, start and end of a node.
 *
 * A program brings a workload: the transactions of all nodes, drawn from a seed, so that all nodes count
 * the same accesses and make the same layout; and what must be true in the end.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "node.h"

struct program_option {			/* besides those that all nodes have */
	const char *name;		/* NULL: the end */
	uint64_t min, max;		/* of a number */
	uint32_t *number;		/* or: */
	const char **text;
};

struct program {
	const char *name, *usage;	/* usage: of its own options, a line each */
	const struct program_option *options;
	/* Makes n->trace, of which arg_fail() says what is wrong; cfg and self are known, keys is to be set. */
	void (*prepare)(struct node *n);
	/* Makes the layout: as p4a_layout_from_counts(). */
	int (*layout)(const struct node *n, const struct p4a_geometry *geo, struct p4a_layout **out,
		      struct p4a_error *err);
};

/*
 * Runs a node: 0 all transactions have a fate, and the check, if there is one, has found nothing; 1 it
 * had to give up, or found something, and says what; 2 an argument or a file is wrong.
 */
int program_run(const struct program *p, struct node *n, int argc, char **argv);

/* Adds what a trace does to counts by key, flags of layouts included. */
void program_count(struct p4a_key_count *kc, const struct trace *t);

/* The layout of counts by key, 0 .. keys-1; those without accesses are left out. */
int program_layout(struct p4a_key_count *kc, uint32_t keys, const struct p4a_geometry *geo,
		   struct p4a_layout **out, struct p4a_error *err);

#endif /* PROGRAM_H */
