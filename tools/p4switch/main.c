// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - command line, DPDK's environment, and the order in which things are made.
 * One process, one worker in the main thread, no hugepages; DPDK's own options are not the user's.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_swx_pipeline.h>

#include "control.h"
#include "cores.h"
#include "l2.h"
#include "pipeline.h"
#include "port.h"
#include "worker.h"

#define MBUF_SIZE	(RTE_MBUF_DEFAULT_BUF_SIZE + 320)	/* with all that goes with it */
#define MBUFS_UNDER_WAY	4095	/* besides those on the loopback port */
#define MAX_NAP_US	100000

struct options {
	const char *port[PORT_HOSTS];
	unsigned int nr_ports;
	const char *spec;
	const char *socket;
	const char *cores;
	unsigned int max_nap_us;
	bool qdisc;
};

static const char usage[] =
	"usage: p4switch --port IFACE [--port IFACE ...] --spec FILE --socket PATH\n"
	"                [--max-nap US] [--cores LIST] [--qdisc]\n"
	"\n"
	"Runs the packet program FILE on network interfaces and is controlled by JSON lines\n"
	"on the Unix socket PATH.\n"
	"\n"
	"  --port IFACE   the next host port, from 0; up to 14\n"
	"  --spec FILE    the program, as p4c-dpdk writes it\n"
	"  --socket PATH  where to listen for commands\n"
	"  --max-nap US   longest sleep when no packets come, 0 .. 100000, default 500; 0: never\n"
	"  --cores LIST   CPUs to run on, e.g. 0 or 0-1,3; default: all\n"
	"  --qdisc        send through the queueing disciplines (tc) of the ports, not past them\n"
	"  --help, --version\n";

static int complain(const char *fmt, const char *what)
{
	fprintf(stderr, "p4switch: ");
	fprintf(stderr, fmt, what);
	fprintf(stderr, "\n");
	return -EINVAL;
}

static int parse_nap(const char *text, unsigned int *us)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || n > MAX_NAP_US)
		return complain("--max-nap is '%s', must be 0 .. 100000", text);
	*us = n;
	return 0;
}

static int check_cores(const char *list)
{
	char online[CORES_TEXT], err[2 * CORES_TEXT + 64];

	if (cores_online(online, sizeof(online)))
		return complain("%s", "--cores: which CPUs are online cannot be read");
	return cores_check(list, online, err, sizeof(err)) ? complain("%s", err) : 0;
}

static int parse_option(int c, struct options *o)
{
	switch (c) {
	case 'p':
		if (o->nr_ports == PORT_HOSTS)
			return complain("--port %s: more than 14 ports", optarg);
		o->port[o->nr_ports++] = optarg;
		return 0;
	case 's':
		o->spec = optarg;
		return 0;
	case 'c':
		o->socket = optarg;
		return 0;
	case 'n':
		return parse_nap(optarg, &o->max_nap_us);
	case 'C':
		o->cores = optarg;
		return check_cores(optarg);
	case 'q':
		o->qdisc = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		puts("p4switch 1");
		exit(0);
	default:
		return complain("%s", "see --help");
	}
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "spec", required_argument, NULL, 's' },
		{ "socket", required_argument, NULL, 'c' },
		{ "max-nap", required_argument, NULL, 'n' },
		{ "cores", required_argument, NULL, 'C' },
		{ "qdisc", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		if (parse_option(c, o))
			return -EINVAL;
	if (optind < argc)
		return complain("'%s' is not an option", argv[optind]);
	if (!o->nr_ports)
		return complain("%s is missing", "--port");
	if (!o->spec || !o->socket)
		return complain("%s is missing", o->spec ? "--socket" : "--spec");
	return 0;
}

/* Each flow can have one packet on the loopback port. */
static unsigned int loopback_size(const struct spec *spec)
{
	const struct spec_array *flows = spec_array(spec, "flow_state") ?:
					 spec_array(spec, "flow_state_0");

	return flows ? flows->size : 1024;
}

static unsigned int nr_mbufs(const struct spec *spec)
{
	return loopback_size(spec) + MBUFS_UNDER_WAY;
}

/* Buffers, register arrays, and what DPDK takes for itself. */
static unsigned int memory_mb(const struct spec *spec)
{
	size_t bytes = (size_t)nr_mbufs(spec) * MBUF_SIZE;

	for (size_t i = 0; i < spec->nr_arrays; i++)
		bytes += spec->arrays[i].size * 16ull;	/* a power of two is allocated */
	return 64 + (bytes >> 20);
}

static int start_dpdk(const struct options *o, const struct spec *spec)
{
	char online[CORES_TEXT], lcores[CORES_TEXT + 8], memory[16], prefix[32];
	char *argv[] = { "p4switch", "--lcores", lcores, "-m", memory, "--file-prefix", prefix,
			 "--no-huge", "--no-pci", "--no-telemetry", "--log-level", "error", NULL };

	if (!o->cores && cores_online(online, sizeof(online)))
		snprintf(online, sizeof(online), "0");
	snprintf(lcores, sizeof(lcores), "0@(%s)", o->cores ? o->cores : online);
	snprintf(memory, sizeof(memory), "%u", memory_mb(spec));
	snprintf(prefix, sizeof(prefix), "p4switch%d", getpid());
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) < 0)
		return complain("DPDK does not start: %s", rte_strerror(rte_errno));
	return 0;
}

static int run_switch(const struct options *o, struct spec *spec, struct l2 *l2)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"packets", nr_mbufs(spec), 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct worker_config config = { .spec = spec, .l2 = l2, .max_nap_us = o->max_nap_us };
	char err[SPEC_ERR];
	int ret = -EINVAL;

	if (!pool)
		return complain("no memory for packets: %s", rte_strerror(rte_errno));
	if (port_init(pool, loopback_size(spec), l2, err, sizeof(err)))
		return complain("%s", err);
	for (unsigned int i = 0; i < o->nr_ports; i++)
		if (port_add_host(o->port[i], o->qdisc, err, sizeof(err))) {
			complain("%s", err);
			goto undo_ports;
		}
	config.pipeline = pipeline_build(spec, err);
	if (!config.pipeline) {
		complain("%s", err);
		goto undo_ports;
	}
	if (control_open(o->socket, err, sizeof(err))) {
		complain("%s", err);
		goto undo_pipeline;
	}
	printf("p4switch: %s on %u ports, listening on %s\n", spec->file, o->nr_ports, o->socket);
	fflush(stdout);
	ret = worker_run(&config);
	if (ret)
		complain("the pipeline failed: %s", strerror(-ret));
	control_close();
undo_pipeline:
	rte_swx_pipeline_free(config.pipeline);
undo_ports:
	port_uninit();
	return ret;
}

int main(int argc, char **argv)
{
	struct options o = { .max_nap_us = 500 };
	static struct l2 l2;
	char err[SPEC_ERR];
	struct spec spec;
	int ret;

	if (parse_options(argc, argv, &o))
		return 2;
	if (spec_load(&spec, o.spec, err) || spec_check(&spec, PORTS, err)) {
		complain("%s", err);
		return 1;
	}
	l2_init(&l2);
	ret = start_dpdk(&o, &spec);
	if (!ret) {
		ret = run_switch(&o, &spec, &l2);
		rte_eal_cleanup();
	}
	spec_free(&spec);
	return ret ? 1 : 0;
}
