// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * txn-rtt.c - how long a switch transaction takes, from sendmsg to recvmsg.
 *
 * With --control it also gives itself the blocks in the switch, as the allocator would; without, the
 * switch (fake-switch) must hold them for the tenant already.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"
#include "t_netlink.h"

#define BLOCKS		2

static struct options {
	struct in_addr addr;
	const char *control;
	uint32_t tenant;
	uint64_t epoch;
	uint32_t count;
	uint32_t flows;
	uint32_t instrs;
	bool two_passes;
} opt = { .tenant = 1, .epoch = 1, .count = 1000, .flows = 1, .instrs = 8 };

static void fail(const char *what, int err)
{
	fprintf(stderr, "txn-rtt: %s: %s\n", what, strerror(-err));
	exit(T_FAIL);
}

/* Owner words, flows, lock word and serial: the hand-over that doc/switch.md prescribes. */
static int format_hand_over(char *line, size_t size)
{
	uint64_t owner = (uint64_t)opt.tenant << P4W_EPOCH_BITS | opt.epoch;

	return snprintf(line, size,
			"{\"cmd\":\"batch\",\"cmds\":["
			"{\"cmd\":\"reg_fill\",\"array\":\"flow_state\",\"index\":0,\"count\":%u,"
			"\"value\":%llu},"
			"{\"cmd\":\"reg_write\",\"array\":\"lock\",\"index\":0,\"values\":[0]},"
			"{\"cmd\":\"reg_write\",\"array\":\"serial\",\"index\":0,\"values\":[%llu]},"
			"{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[%llu,%llu]}"
			"]}\n",
			opt.flows, (unsigned long long)opt.tenant << P4W_FLOW_TENANT_SHIFT,
			(unsigned long long)opt.epoch << P4W_SERIAL_SHIFT,
			(unsigned long long)owner, (unsigned long long)owner);
}

static void hand_over(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char line[1024];
	int len = format_hand_over(line, sizeof(line));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ssize_t got;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", opt.control);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail(opt.control, -errno);
	if (write(fd, line, len) != len)
		fail(opt.control, -errno);
	got = read(fd, line, sizeof(line) - 1);
	line[got > 0 ? got : 0] = 0;
	if (!strstr(line, "\"ok\"") || strstr(line, "false")) {
		fprintf(stderr, "txn-rtt: %s: %s\n", opt.control, line);
		exit(T_FAIL);
	}
	close(fd);
}

/* Reads of different registers; with two passes, the last one is for the second. */
static struct homa_txn make_txn(void)
{
	struct homa_txn txn = { .count = opt.instrs };
	uint32_t i;

	for (i = 0; i < opt.instrs; i++)
		txn.instr[i] = (struct homa_txn_instr){ i, P4W_OP_READ, i, 0 };
	if (opt.two_passes) {
		txn.lock_check = 1;
		txn.lock_acquire = 1;
		txn.instr[opt.instrs - 1].op |= P4W_OP_SECOND_PASS;
	}
	return txn;
}

static uint64_t *start, *rtt;

static void send_one(struct t_homa *h, const struct homa_txn *txn, uint32_t number)
{
	int err;

	start[number] = t_now_ns();
	err = t_homa_txn(h, txn, number, 0);
	if (err)
		fail("sendmsg", err);
}

static void take_one(struct t_homa *h, struct t_message *m, uint32_t done)
{
	struct homa_txn_result result;
	int err = t_homa_txn_result(h, m, &result, -1);
	uint64_t number = m->args.completion_cookie;

	if (err)
		fail("recvmsg", err);
	if (result.status != P4W_TXN_OK || number >= opt.count) {
		fprintf(stderr, "txn-rtt: transaction %llu ends with status %u\n",
			(unsigned long long)number, result.status);
		exit(T_FAIL);
	}
	rtt[done] = t_now_ns() - start[number];
}

static void run(struct t_homa *h)
{
	struct homa_txn txn = make_txn();
	struct t_message m = { 0 };
	uint32_t sent = 0, done;

	for (done = 0; done < opt.count; done++) {
		while (sent < opt.count && sent - done < opt.flows)
			send_one(h, &txn, sent++);
		take_one(h, &m, done);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(uint64_t ns)
{
	qsort(rtt, opt.count, sizeof(*rtt), by_value);
	printf("txn-rtt: %u instructions, %s, %u outstanding: %u done, p50 %llu p99 %llu ns, %llu /s\n",
	       opt.instrs, opt.two_passes ? "two passes" : "one pass", opt.flows, opt.count,
	       (unsigned long long)rtt[opt.count / 2],
	       (unsigned long long)rtt[(uint64_t)opt.count * 99 / 100],
	       opt.count * 1000000000ull / (ns + 1));
}

static void usage(FILE *to)
{
	fputs("usage: txn-rtt --switch ADDRESS [--control SOCKET] [--tenant N] [--epoch N]\n"
	      "           [--count N] [--flows N] [--instrs 1..8] [--two-passes]\n"
	      "As root: makes the tenant, an allocation of blocks 0 and 1 and of flows 0.. and the\n"
	      "policy in this network namespace; with --control, also gives them to the tenant in\n"
	      "p4switch. Then `count` transactions, `flows` at a time.\n"
	      "Exit: 0 pass, 1 fail, 2 usage, 77 not root or no module.\n", to);
}

static const struct option long_options[] = {
	{ "switch", required_argument, NULL, 'a' }, { "control", required_argument, NULL, 'o' },
	{ "tenant", required_argument, NULL, 't' }, { "epoch", required_argument, NULL, 'e' },
	{ "count", required_argument, NULL, 'c' }, { "flows", required_argument, NULL, 'f' },
	{ "instrs", required_argument, NULL, 'i' }, { "two-passes", no_argument, NULL, '2' },
	{ "help", no_argument, NULL, 'h' }, { 0 }
};

static void take_option(int c)
{
	switch (c) {
	case 'a':
		if (inet_pton(AF_INET, optarg, &opt.addr) != 1) {
			fprintf(stderr, "txn-rtt: --switch: '%s' is no IPv4 address\n", optarg);
			exit(2);
		}
		break;
	case 'o':
		opt.control = optarg;
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
	case 'i':
		opt.instrs = t_parse_number("--instrs", optarg, 1, HOMA_TXN_MAX_INSTRS);
		break;
	case '2':
		opt.two_passes = true;
		break;
	default:
		usage(c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

static void set_up(struct t_homa *h)
{
	struct t_netlink *nl = t_netlink_open();
	int err;

	if (!nl || geteuid())
		exit(T_SKIP);
	if (opt.control)
		hand_over();
	err = t_netlink_allocate(nl, opt.tenant, opt.epoch, opt.addr.s_addr, BLOCKS, opt.flows);
	if (err)
		fail(t_netlink_text(nl), err);
	err = t_homa_open(h, 0);
	if (err)
		fail("socket", err);
	if (setsockopt(h->fd, IPPROTO_HOMA, SO_HOMA_TENANT, &opt.tenant, sizeof(opt.tenant)))
		fail("join", -errno);
}

int main(int argc, char **argv)
{
	struct t_homa h;
	uint64_t begin;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		take_option(c);
	if (!opt.addr.s_addr)
		take_option('?');
	start = calloc(opt.count, sizeof(*start));
	rtt = calloc(opt.count, sizeof(*rtt));
	set_up(&h);
	begin = t_now_ns();
	run(&h);
	report(t_now_ns() - begin);
	t_homa_close(&h);
	return T_PASS;
}
