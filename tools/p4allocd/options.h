/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line. */
#ifndef P4D_OPTIONS_H
#define P4D_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct p4d_options {
	const char *switch_path;
	const char *store;
	const char *socket;
	const char *metrics;	/* NULL: nowhere */
	const char *name;	/* of the switch, in etcd */
	const char *address;	/* NULL: none */
	uint32_t lease_s;
	uint16_t port;		/* 0: that of the policy */
	unsigned int verbose;
	bool help;
};

/* 0, or -1 and err names the argument and what it may be. */
int p4d_options_parse(struct p4d_options *o, int argc, char **argv, char *err, size_t size);
void p4d_options_help(FILE *f);

#endif /* P4D_OPTIONS_H */
