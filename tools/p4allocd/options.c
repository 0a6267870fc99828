// SPDX-License-Identifier: GPL-2.0-or-later
/* options.c - see options.h. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "seat.h"

enum { OPT_SWITCH = 256, OPT_STORE, OPT_SOCKET, OPT_METRICS, OPT_PORT, OPT_NAME, OPT_LEASE,
       OPT_ADDRESS, OPT_FOREGROUND, OPT_HELP };

static const struct option table[] = {
	{ "switch", required_argument, NULL, OPT_SWITCH },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "lease", required_argument, NULL, OPT_LEASE },
	{ "address", required_argument, NULL, OPT_ADDRESS },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 }
};

void p4d_options_help(FILE *f)
{
	fputs("p4allocd - decides which tenant holds which blocks of the switch, and when\n"
	      "\n"
	      "  --switch PATH   control socket of the switch     /run/p4switch.sock\n"
	      "  --store FILE    what must survive a restart      /var/lib/p4allocd.db\n"
	      "  --store etcd://HOST:PORT[,HOST:PORT...]/PREFIX   the same in etcd; of all that\n"
	      "                  are started so, one works, the others stand by\n"
	      "  --socket PATH   where p4ctl asks for the state   /run/p4allocd.sock\n"
	      "  --metrics WHERE /metrics for Prometheus over HTTP: PORT (on 127.0.0.1),\n"
	      "                  ADDRESS:PORT, or the PATH of a Unix socket; default: none\n"
	      "  --port N        Homa port, 1 .. 32767            that of the policy, 4001\n"
	      "\n"
	      "  With etcd:\n"
	      "  --name NAME     of the switch, under PREFIX      switch\n"
	      "  --lease S       a standby takes over so long after the other died, 2 .. 60   5\n"
	      "  --address ADDRESS/BITS@INTERFACE    that it has while it works\n"
	      "\n"
	      "  -v, -vv         say what happens, say each message\n"
	      "  --foreground    the default and the only way\n"
	      "\n"
	      "First, in this network namespace: insmod p4homa.ko, p4ctl tenant add ...\n"
	      "Then, on each host: p4ctl policy set with the address of this namespace.\n"
	      "It may be killed and started again at any time. See p4allocd(8).\n", f);
}

static int parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *v)
{
	char *end;

	errno = 0;
	*v = strtoul(text, &end, 10);
	return errno || *end || end == text || *text == '-' || *v < min || *v > max ? -1 : 0;
}

static bool is_etcd(const char *store)
{
	return !strncmp(store, P4D_SEAT_SCHEME, strlen(P4D_SEAT_SCHEME));
}

static int parse_one(struct p4d_options *o, int c, char *err, size_t size)
{
	unsigned long v;

	switch (c) {
	case OPT_SWITCH:
		o->switch_path = optarg;
		return 0;
	case OPT_STORE:
		o->store = optarg;
		return 0;
	case OPT_SOCKET:
		o->socket = optarg;
		return 0;
	case OPT_METRICS:
		o->metrics = optarg;
		return 0;
	case OPT_PORT:
		snprintf(err, size, "--port %s: must be 1 .. 32767", optarg);
		if (parse_number(optarg, 1, 32767, &v))
			return -1;
		o->port = v;
		return 0;
	case OPT_NAME:
		o->name = optarg;
		return 0;
	case OPT_LEASE:
		snprintf(err, size, "--lease %s: must be 2 .. 60", optarg);
		if (parse_number(optarg, 2, 60, &v))
			return -1;
		o->lease_s = v;
		return 0;
	case OPT_ADDRESS:
		o->address = optarg;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case 'v':
		o->verbose++;
		return 0;
	default:
		return 0;
	}
}

int p4d_options_parse(struct p4d_options *o, int argc, char **argv, char *err, size_t size)
{
	const char *of_etcd = NULL;
	int c;

	*o = (struct p4d_options){
		.switch_path = "/run/p4switch.sock",
		.store = "/var/lib/p4allocd.db",
		.socket = "/run/p4allocd.sock",
		.name = "switch",
		.lease_s = 5,
	};
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "+:v", table, NULL)) != -1) {
		if (c == '?' || c == ':') {
			snprintf(err, size, "%s: %s; --help lists the options", argv[optind - 1],
				 c == ':' ? "needs a value" : "no such option");
			return -1;
		}
		if (parse_one(o, c, err, size))
			return -1;
		if (c == OPT_NAME || c == OPT_LEASE || c == OPT_ADDRESS)
			of_etcd = c == OPT_NAME ? "name" : c == OPT_LEASE ? "lease" : "address";
	}
	if (optind != argc)
		snprintf(err, size, "%s: no arguments but options; --help lists them", argv[optind]);
	else if (of_etcd && !o->help && !is_etcd(o->store))
		/* who thinks that somebody stands by must not find out when it is too late */
		snprintf(err, size, "--%s: only with --store etcd://..., the store is %s", of_etcd,
			 o->store);
	else
		return 0;
	return -1;
}
