// SPDX-License-Identifier: GPL-2.0-or-later
/* p4load.c - messages between the hosts of a rack, and how long they take: the command line. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../args.h"
#include "load.h"
#include "workload.h"

static struct load_options opt = {
	.hosts = 8, .rate_mbps = 10000, .seconds = 2, .warmup = 0.2, .seed = 1,
	.backlog_max = 800000000,
};

static const struct transport *const transports[] = {
	&homa_transport, &tcp_transport, &dctcp_transport, NULL
};

static void usage(FILE *to)
{
	fputs("usage: p4load idle TRANSPORT [--hosts N]\n"
	      "       p4load run --workload W --stream TRANSPORT:LOAD [--stream ...]\n"
	      "           --reference FILE [--seconds S] [--warmup S] [--incast] [--hosts N]\n"
	      "           [--rate MBPS] [--seed N] [--backlog BYTES]\n"
	      "       p4load ideal --workload W --load LOAD [--reference FILE] [--seconds S]\n"
	      "           [--warmup S] [--incast] [--hosts N] [--rate MBPS] [--seed N]\n"
	      "idle and run need a guest where util/rack/rack.sh has made network namespaces h1, h2, ...\n"
	      "TRANSPORT: homa, tcp (cubic) or dctcp. W: w1 .. w5. LOAD: percent of a link.\n"
	      "idle prints `TRANSPORT BYTES NS`, how long messages take that are alone; run takes\n"
	      "the fastest of each size from FILE as the reference of slowdown. All hosts send to\n"
	      "all, or all others to the first (--incast). run prints\n"
	      "  decile TRANSPORT N MIN_BYTES MAX_BYTES COUNT P50 P99 MEAN     (slowdown)\n"
	      "  total TRANSPORT COUNT P50 P99 MEAN OFFERED_GBPS DONE_SHARE UNFINISHED\n"
	      "  queue MEAN P99 MAX DROPPED MARKED                             (bytes, packets)\n"
	      "and stops early, saying `overload`, when messages of more than --backlog bytes wait.\n"
	      "ideal prints the same lines for links that know everything and send whole packets\n"
	      "(`ideal`), and that can interrupt them (`preempt`), then `bound MEAN`: no scheduler\n"
	      "has a mean slowdown below that. Without --reference it is that of this rack alone.\n",
	      to);
}

static const struct transport *find_transport(const char *name, size_t len)
{
	int i;

	for (i = 0; transports[i]; i++)
		if (!strncmp(transports[i]->name, name, len) && !transports[i]->name[len])
			return transports[i];
	arg_fail("transport is '%.*s', must be homa, tcp or dctcp", (int)len, name);
}

static void add_stream(const char *text)
{
	size_t len = strcspn(text, ":");
	int nr = opt.nr_streams;

	if (nr == STREAMS_MAX)
		arg_fail("--stream may be given %d times", STREAMS_MAX);
	opt.stream[nr].transport = find_transport(text, len);
	if (!text[len])
		arg_fail("--stream is '%s', must be TRANSPORT:LOAD", text);
	opt.stream[nr].load = arg_real("LOAD of --stream", text + len + 1, 0.1, 300) / 100;
	opt.nr_streams++;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "load", required_argument, NULL, 'l' },
		{ "workload", required_argument, NULL, 'w' },
		{ "stream", required_argument, NULL, 's' },
		{ "reference", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "warmup", required_argument, NULL, 'u' },
		{ "incast", no_argument, NULL, 'i' },
		{ "hosts", required_argument, NULL, 'n' },
		{ "rate", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 'e' },
		{ "backlog", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'w':
			opt.workload = workload_find(optarg);
			if (!opt.workload)
				arg_fail("--workload is '%s', must be w1 .. w5", optarg);
			break;
		case 'l':
			opt.load = arg_real("--load", optarg, 0.001, 300) / 100;
			break;
		case 's':
			add_stream(optarg);
			break;
		case 'r':
			opt.reference = optarg;
			break;
		case 't':
			opt.seconds = arg_real("--seconds", optarg, 0.001, 1000);
			break;
		case 'u':
			opt.warmup = arg_real("--warmup", optarg, 0, 1000);
			break;
		case 'i':
			opt.incast = true;
			break;
		case 'n':
			opt.hosts = arg_number("--hosts", optarg, 2, HOSTS_MAX);
			break;
		case 'm':
			opt.rate_mbps = arg_number("--rate", optarg, 1, 400000);
			break;
		case 'e':
			opt.seed = arg_number("--seed", optarg, 1, UINT32_MAX);
			break;
		case 'b':
			opt.backlog_max = arg_number("--backlog", optarg, 1, UINT64_MAX);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const char *verb;

	parse(argc, argv);
	verb = optind < argc ? argv[optind] : "";
	if (!strcmp(verb, "idle") && argc - optind == 2) {
		const char *name = argv[optind + 1];
		const struct transport *t = find_transport(name, strlen(name));

		open_hosts(opt.hosts);
		measure_idle(t, opt.hosts);
		return 0;
	}
	if (!strcmp(verb, "run") && argc - optind == 1 && opt.workload && opt.nr_streams &&
	    opt.reference) {
		open_hosts(opt.hosts);
		return measure_load(&opt) ? 1 : 0;
	}
	if (!strcmp(verb, "ideal") && argc - optind == 1 && opt.workload && opt.load)
		return measure_ideal(&opt) ? 1 : 0;
	usage(stderr);
	return 2;
}
