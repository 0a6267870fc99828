/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_watch.h - commands of p4ctl alloc that watch; cmd_alloc.c has their table. */
#ifndef P4CTL_CMD_WATCH_H
#define P4CTL_CMD_WATCH_H

#include "cmd.h"
#include "jsock.h"

/* Where the allocator is asked. */
#define ALLOCD_ARG { .word = "--allocd", .value = "PATH", .type = ARG_TEXT, .words = WORDS_FILES, \
		     .help = "status socket of the allocator; default " ALLOCD_SOCKET }

extern const struct arg_spec alloc_top_args[];
extern const struct arg_spec alloc_explain_args[];
extern const struct arg_spec alloc_history_args[];

int alloc_top_run(struct run *r, const struct arg *args);
int alloc_explain_run(struct run *r, const struct arg *args);
int alloc_history_run(struct run *r, const struct arg *args);

#endif /* P4CTL_CMD_WATCH_H */
