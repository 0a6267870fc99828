/* SPDX-License-Identifier: GPL-2.0-or-later */
/* p4log.h - the two things that can be asked about logs. Each prints to standard output. */
#ifndef P4LOG_H
#define P4LOG_H

#include <p4alloc.h>
#include <stdbool.h>

struct p4log_options {
	bool json;			/* one object a line */
	uint32_t tenant;
	uint64_t after;			/* epochs up to this one are left out */
	uint64_t key;
	bool one_key;			/* of all values, only that of key */
};

/* show.c - each record of one file: 0, or 1 after a complaint. */
int p4log_show(const char *path, const struct p4log_options *o);

/* replay.c - what the logs of all nodes in a directory say together: 0; 1 something is missing. */
int p4log_replay(const char *dir, const struct p4log_options *o);

/* Name of an operation or a status; "?" for numbers that have none. */
const char *p4log_op_name(unsigned int code);
const char *p4log_status_name(unsigned int status);

#endif
