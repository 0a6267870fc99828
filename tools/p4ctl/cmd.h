/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd.h - the commands: a tree of tables, one file a first-level command.
 */
#ifndef P4CTL_CMD_H
#define P4CTL_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "args.h"
#include "diag.h"

/* What every command works with. */
struct run {
	bool json;
	FILE *out;
	struct diag *d;
};

/* A group has `sub`, a command has `run`. Tables end with an entry without a name. */
struct cmd {
	const char *name;
	const char *summary;		/* one line */
	const struct cmd *sub;
	int (*run)(struct run *r, const struct arg *args);	/* 0, or -1 with r->d filled */
	const struct arg_spec *args;
	const char *about;		/* further help: rules, then examples */
};

/* How often, of what does not end of its own accord. */
#define COUNT_ARG(help_) { .word = "--count", .brief = "-n", .value = "N", .type = ARG_NUMBER,	\
			   .min = 1, .max = UINT32_MAX, .help = help_ }

extern const struct cmd tenant_cmds[];
extern const struct cmd geometry_cmds[];
extern const struct cmd policy_cmds[];
extern const struct cmd alloc_cmds[];
extern const struct cmd sysctl_cmds[];
extern const struct cmd switch_cmds[];

extern const struct arg_spec no_args[];
extern const struct arg_spec stats_args[];
extern const struct arg_spec rpc_args[];
extern const struct arg_spec events_args[];

int stats_run(struct run *r, const struct arg *args);
int rpc_run(struct run *r, const struct arg *args);
int show_run(struct run *r, const struct arg *args);
int events_run(struct run *r, const struct arg *args);

/* For `show`: the writable knobs as replayable lines. */
int sysctl_replay(struct run *r);

#endif /* P4CTL_CMD_H */
