/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.h - what may follow a command: each command has a table of it, from which come parsing with
 * its error messages, the usage line, the help and shell completion.
 *
 * Pure: reads nothing but the words (and the user database for user and group names).
 */
#ifndef P4CTL_ARGS_H
#define P4CTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"

#define ARGS_MAX	16	/* entries in a command's table */

enum arg_type {
	ARG_FLAG,	/* no value */
	ARG_NUMBER,	/* min .. max */
	ARG_TIME,	/* min .. max, in microseconds */
	ARG_ID,		/* a number or "none", which is the largest 32-bit number */
	ARG_USER,	/* user name -> uid */
	ARG_GROUP,	/* group name -> gid */
	ARG_NAME,	/* max: bytes */
	ARG_ADDR,	/* IPv4 or "none" */
	ARG_TEXT,	/* anything but nothing */
};

/* What completion may offer besides the fixed words. */
enum arg_words { WORDS_NONE, WORDS_TENANTS, WORDS_KNOBS, WORDS_FILES };

struct arg_spec {
	const char *word;	/* keyword or --option before the value; NULL: by position */
	const char *brief;	/* -X, the same as the --option; NULL: none */
	const char *value;	/* how the help calls the value; NULL for flags */
	enum arg_type type;
	uint64_t min, max;
	bool required;
	bool many;		/* the rest of the words; last positional only */
	enum arg_words words;
	const char *help;
};

struct arg {
	bool given;
	uint64_t number;	/* value of ARG_NUMBER .. ARG_GROUP, ARG_ADDR (network order) */
	const char *text;	/* the word itself */
	char *const *list;	/* of `many`: all the words */
	int count;
};

/* Fills args[i] by specs[i]; the table ends with an entry that has neither word nor value. */
int args_parse(const struct arg_spec *specs, int argc, char *const *argv, struct arg *args,
	       struct diag *d);

/* One word as a number of min .. max; `what` names it in the error. */
int arg_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *out,
	       struct diag *d);

/* The word that the entry goes by, in either form. */
bool arg_spec_has(const struct arg_spec *s, const char *word, size_t length);

static inline bool arg_spec_ends(const struct arg_spec *s)
{
	return !s->word && !s->value;
}

/* "1..256", "1ms..60s", "IPv4 address or none": what a spec accepts, for help and errors */
void arg_accepts(const struct arg_spec *s, char *buf, size_t len);

/* " did you mean 'X'?" if a word is near; else " expected one of: ..." */
void suggest(const char *word, const char *const *words, char *buf, size_t len);

#endif /* P4CTL_ARGS_H */
