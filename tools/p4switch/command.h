/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * command.h - one line of the control socket: JSON in, JSON out. A command is checked completely
 * before anything is done; what it is done to is behind struct target, so tests bring their own.
 */
#ifndef P4SWITCH_COMMAND_H
#define P4SWITCH_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "spec.h"

#define COMMAND_LINE	65536	/* bytes of a line with its newline, either way */
#define COMMAND_CELLS	4096	/* in one command */

struct json_object;

struct target_port {
	unsigned int port;
	const char *name;
	uint64_t rx, tx, drop;
};

struct target {
	const struct spec *spec;	/* the program: its name and its register arrays */
	uint64_t boot;
	uint64_t term;			/* highest that a command has named, 0: none has */
	unsigned int nr_ports;		/* ports that a table entry may name */
	uint64_t (*read)(struct target *t, const struct spec_array *array, uint32_t index);
	void (*write)(struct target *t, const struct spec_array *array, uint32_t index,
		      uint64_t value);
	void (*drain)(struct target *t);
	int (*mac_add)(struct target *t, const uint8_t mac[6], unsigned int port);
	int (*mac_del)(struct target *t, const uint8_t mac[6]);
	/* 0: the nth one; -ENOENT: there are not so many */
	int (*mac_get)(struct target *t, unsigned int nth, uint8_t mac[6], unsigned int *port);
	int (*port_get)(struct target *t, unsigned int nth, struct target_port *port);
};

/* The answer, malloc'ed, with newline; `line` has `length` bytes and no newline. */
char *command_run(struct target *t, const char *line, size_t length);
char *command_refuse(const char *error, const char *field);

#endif
