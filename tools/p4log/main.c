// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4log - shows the logs that tenants' nodes keep with libp4alloc.
 *
 * Exit status: 0; 1 a log is damaged, or values are not certain; 2 an argument or a file is wrong.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "p4log.h"

static const char usage[] =
	"usage: p4log show [-j] FILE...\n"
	"       p4log replay [-j] --tenant ID [--after EPOCH] [--key KEY] DIR\n"
	"  show             each record of a log\n"
	"  replay           values and transactions without a reply, of all nodes' logs in DIR\n"
	"  -j, --json       one JSON object a line\n"
	"  --after EPOCH    leave out epochs up to this one\n"
	"  --key KEY        show only this key's value\n";

static void parse(struct p4log_options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", 0, NULL, 'j' }, { "tenant", 1, NULL, 't' }, { "after", 1, NULL, 'a' },
		{ "key", 1, NULL, 'k' }, { "help", 0, NULL, 'h' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 't':
			o->tenant = arg_number("--tenant", optarg, 1, 0xffffff);
			break;
		case 'a':
			o->after = arg_number("--after", optarg, 0, UINT64_MAX);
			break;
		case 'k':
			o->key = arg_number("--key", optarg, 0, UINT64_MAX);
			o->one_key = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	struct p4log_options o = { 0 };
	int rc = 0;

	if (!strcmp(command, "show") || !strcmp(command, "replay")) {
		argc--;
		argv++;
	} else if (strcmp(command, "-h") && strcmp(command, "--help")) {
		arg_fail("command is '%s', must be show or replay", command);
	}
	parse(&o, argc, argv);
	if (optind == argc)
		arg_fail("%s needs %s", command, *command == 's' ? "a FILE" : "a DIR");
	if (*command == 's') {
		for (; optind < argc; optind++)
			rc |= p4log_show(argv[optind], &o);
		return rc;
	}
	if (!o.tenant)
		arg_fail("--tenant is missing, must be 1 .. 16777215");
	if (argc - optind > 1)
		arg_fail("'%s' is one too many: replay takes one DIR", argv[optind + 1]);
	return p4log_replay(argv[optind], &o);
}
