// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * txn-once.c - each switch transaction takes effect once and completes once, whatever happens to
 * packets: adds 1 to a cell `count` times and looks for each value of the cell in the results.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"
#include "t_netlink.h"

#define TIMEOUT_MS	60000
#define EXPECT_MAX	8

static struct options {
	struct sockaddr_in peer;
	uint32_t tenant;
	uint64_t epoch;
	uint32_t count;
	uint32_t flows;
	int status;
	bool in_doubt;			/* some may be */
	int nr_expected;
	struct {
		char name[32];
		int64_t least, most;
		int64_t before;
	} expected[EXPECT_MAX];
} opt = { .tenant = 1, .epoch = 1, .count = 100, .flows = 4 };

static bool *got_value, *got_cookie;
static uint32_t in_doubt;

static void fail(const char *what, int err)
{
	fprintf(stderr, "txn-once: %s: %s\n", what, strerror(-err));
	exit(T_FAIL);
}

static void join(struct t_homa *h)
{
	if (setsockopt(h->fd, IPPROTO_HOMA, SO_HOMA_TENANT, &opt.tenant, sizeof(opt.tenant)))
		fail("join", -errno);
}

static void send_add(struct t_homa *h, uint32_t cookie)
{
	struct homa_txn txn = { .count = 2, .instr = { { 2, P4W_OP_ADD, 65, 1 },
						       { 3, P4W_OP_READ, 0, 0 } } };
	int err = t_homa_txn(h, &txn, cookie, 0);

	if (err)
		fail("sendmsg", err);
}

/* What another status than OK must look like: no value at all. */
static void check_refusal(const struct homa_txn_result *result)
{
	if (result->status == opt.status && !result->serial && !result->result[0])
		return;
	fprintf(stderr, "txn-once: status %u serial %llu result %u, expected status %d\n",
		result->status, (unsigned long long)result->serial, result->result[0], opt.status);
	exit(T_FAIL);
}

static void check_commit(const struct homa_txn_result *result)
{
	uint32_t value = result->result[0];

	if (result->epoch != opt.epoch || result->count != 2 || result->result[1] != 0 ||
	    result->serial >> P4W_SERIAL_SHIFT != opt.epoch) {
		fprintf(stderr, "txn-once: a result with epoch %llu, count %u, serial %llu\n",
			(unsigned long long)result->epoch, result->count,
			(unsigned long long)result->serial);
		exit(T_FAIL);
	}
	if (value >= opt.count || got_value[value]) {
		fprintf(stderr, "txn-once: the cell's value %u was seen %s\n", value,
			value >= opt.count ? "beyond the last" : "twice");
		exit(T_FAIL);
	}
	got_value[value] = true;
}

static void take_result(struct t_homa *h, struct t_message *m)
{
	struct homa_txn_result result;
	int err = t_homa_txn_result(h, m, &result, TIMEOUT_MS);
	uint64_t cookie = m->args.completion_cookie;

	/* A refusal is no proof if the machine was so slow that the packet was repeated. */
	if (err && (err != -ESTALE || (!opt.in_doubt && opt.status == P4W_TXN_OK)))
		fail("recvmsg", err);
	if (cookie >= opt.count || got_cookie[cookie])
		fail("a completion that is not outstanding", -EBADMSG);
	got_cookie[cookie] = true;
	if (!err && m->peer.sin_addr.s_addr != opt.peer.sin_addr.s_addr)
		fail("a result of somebody else", -EBADMSG);
	if (err)
		in_doubt++;
	else if (opt.status != P4W_TXN_OK || result.status != P4W_TXN_OK)
		check_refusal(&result);
	else
		check_commit(&result);
}

static void note_counters(struct t_netlink *nl)
{
	int i;

	for (i = 0; i < opt.nr_expected; i++)
		opt.expected[i].before = t_netlink_counter(nl, opt.expected[i].name);
}

static int check_counters(struct t_netlink *nl)
{
	int64_t grown;
	int i, failures = 0;

	for (i = 0; i < opt.nr_expected; i++) {
		grown = t_netlink_counter(nl, opt.expected[i].name) - opt.expected[i].before;
		printf("txn-once: %s %+lld\n", opt.expected[i].name, (long long)grown);
		failures += opt.expected[i].before < 0 || grown < opt.expected[i].least ||
			    grown > opt.expected[i].most;
	}
	return failures;
}

static void run(struct t_homa *h)
{
	struct t_message m = { 0 };
	uint32_t sent = 0, done;

	for (done = 0; done < opt.count; done++) {
		while (sent < opt.count && sent - done < opt.flows)
			send_add(h, sent++);
		take_result(h, &m);
	}
}

/* They were done: as many values are missing. */
static int check_doubts(void)
{
	uint32_t i, missing = 0;

	if (!opt.in_doubt)
		return 0;
	for (i = 0; i < opt.count; i++)
		missing += !got_value[i];
	printf("txn-once: %u in doubt, %u values missing\n", in_doubt, missing);
	return !in_doubt || missing != in_doubt;
}

static void usage(FILE *to)
{
	fputs("usage: txn-once --switch ADDRESS [--tenant N] [--epoch N] [--count N] [--flows N]\n"
	      "           [--status N] [--in-doubt] [--expect COUNTER=LEAST]...\n"
	      "           [--most COUNTER=MOST]...\n"
	      "As root: makes the tenant, its allocation (2 blocks, `flows` flows from 0) and the\n"
	      "policy in this network namespace, and runs `count` transactions against the switch\n"
	      "(fake-switch), `flows` at a time. Each must commit once, or be refused with --status;\n"
	      "with --in-doubt some must be done and yet end in ESTALE.\n"
	      "--expect, --most: that counter of p4ctl stats must grow at least, at most so much\n"
	      "(txn_resent=1).\n"
	      "Exit: 0 pass, 1 fail, 2 usage, 77 not root or no module.\n", to);
}

static int64_t take_expected(const char *option, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;

	if (!len || len >= sizeof(opt.expected[0].name) || opt.nr_expected == EXPECT_MAX) {
		fprintf(stderr, "txn-once: %s: '%s' is not COUNTER=NUMBER\n", option, text);
		exit(2);
	}
	memcpy(opt.expected[opt.nr_expected].name, text, len);
	opt.expected[opt.nr_expected].most = INT64_MAX;
	return t_parse_number(option, equals + 1, 0, 1000000000);
}

static const struct option long_options[] = {
	{ "switch", required_argument, NULL, 'a' }, { "tenant", required_argument, NULL, 't' },
	{ "epoch", required_argument, NULL, 'e' }, { "count", required_argument, NULL, 'c' },
	{ "flows", required_argument, NULL, 'f' }, { "status", required_argument, NULL, 's' },
	{ "in-doubt", no_argument, NULL, 'd' },
	{ "expect", required_argument, NULL, 'x' }, { "most", required_argument, NULL, 'm' },
	{ "help", no_argument, NULL, 'h' }, { 0 }
};

static void take_option(int c)
{
	int64_t number;

	switch (c) {
	case 'a':
		if (inet_pton(AF_INET, optarg, &opt.peer.sin_addr) != 1) {
			fprintf(stderr, "txn-once: --switch: '%s' is no IPv4 address\n", optarg);
			exit(2);
		}
		break;
	case 't':
		opt.tenant = t_parse_number("--tenant", optarg, 1, P4W_TENANT_MAX);
		break;
	case 'e':
		opt.epoch = t_parse_number("--epoch", optarg, 1, P4W_EPOCH_MAX);
		break;
	case 'c':
		opt.count = t_parse_number("--count", optarg, 1, 10000000);
		break;
	case 'f':
		opt.flows = t_parse_number("--flows", optarg, 1, 256);
		break;
	case 's':
		opt.status = t_parse_number("--status", optarg, 0, P4W_TXN_MALFORMED);
		break;
	case 'd':
		opt.in_doubt = true;
		break;
	case 'x':
		number = take_expected("--expect", optarg);
		opt.expected[opt.nr_expected++].least = number;
		break;
	case 'm':
		number = take_expected("--most", optarg);
		opt.expected[opt.nr_expected++].most = number;
		break;
	default:
		usage(c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

int main(int argc, char **argv)
{
	struct t_netlink *nl;
	struct t_homa h;
	int c, err;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		take_option(c);
	if (!opt.peer.sin_addr.s_addr)
		take_option('?');
	nl = t_netlink_open();
	if (!nl || geteuid())
		return T_SKIP;
	err = t_netlink_allocate(nl, opt.tenant, opt.epoch, opt.peer.sin_addr.s_addr, 2, opt.flows);
	if (err)
		fail(t_netlink_text(nl), err);
	err = t_homa_open(&h, 0);
	if (err)
		fail("socket", err);
	join(&h);
	got_value = calloc(opt.count, sizeof(*got_value));
	got_cookie = calloc(opt.count, sizeof(*got_cookie));
	note_counters(nl);
	run(&h);
	t_homa_close(&h);
	err = check_counters(nl) + check_doubts();
	printf("txn-once: %u transactions, %s\n", opt.count, err ? "but counters" : "ok");
	return err ? T_FAIL : T_PASS;
}
