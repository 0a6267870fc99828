/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * help.h - help texts and completion words, made from the tables in cmd.h. Pure but for the files
 * they print to.
 */
#ifndef P4CTL_HELP_H
#define P4CTL_HELP_H

#include "cmd.h"

/* path: the words that led here, "p4ctl tenant add" */
void help_print(FILE *out, const char *path, const struct cmd *cmd);
void help_usage(FILE *out, const char *path, const struct cmd *cmd);

/* Words that may follow those given, one a line; lines "@tenants", "@knobs" and "@files" stand for
 * the things of that kind. */
void help_complete(FILE *out, const struct cmd *root, int argc, char *const *argv);

const struct cmd *cmd_find(const struct cmd *sub, const char *name);

#endif /* P4CTL_HELP_H */
