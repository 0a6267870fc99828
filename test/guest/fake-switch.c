// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake-switch.c - answers switch transactions on a raw socket as doc/switch.md says, one at a time,
 * and does to packets what networks and enemies do: loses, repeats, delays and forges them.
 *
 * For testing hosts, not switches: no lock bit is ever found taken, since a transaction is over
 * before the next one begins. The faults are counted, not random, so that runs repeat.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"

#define FLOWS		65536
#define REGISTERS	20
#define CELLS		(P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS)

static struct options {
	uint32_t tenant;
	uint64_t epoch;
	uint32_t lose_request;		/* every n-th; 0: none */
	uint32_t lose_reply;
	uint32_t repeat;		/* copies of each reply */
	uint32_t delay_ms;
	bool forge;
	uint32_t forget;		/* every n-th that is done */
	bool silent;
	bool other_version;
} opt = { .tenant = 1, .epoch = 1, .repeat = 1 };

static struct flow {
	uint32_t tenant;
	uint32_t seq;
	bool done;
	bool forgotten;			/* `seq`: as after a restart, but for this flow alone */
	struct p4w_txn reply;		/* the cache: status, serial and results of it */
} flows[FLOWS];

static uint32_t cells[P4W_MAX_REGISTERS][CELLS];
static uint64_t serial;
static struct { unsigned int requests, replies, executed, replayed, old, stale, lost, forged; } nr;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static bool is_owner(const struct p4w_txn *p)
{
	return be64toh(p->owner) == ((uint64_t)opt.tenant << P4W_EPOCH_BITS | opt.epoch);
}

static bool is_malformed(const struct p4w_txn *p)
{
	int i;

	for (i = 0; i < P4W_INSTRS; i++) {
		uint8_t op = p->instr[i].op & ~P4W_OP_SECOND_PASS;

		if (op > P4W_OP_CADD || (op && p->instr[i].reg >= REGISTERS) ||
		    p->instr[i].op == (P4W_OP_CADD | P4W_OP_SECOND_PASS))
			return true;
	}
	return false;
}

static bool would_abort(const struct p4w_txn *p)
{
	int i;

	for (i = 0; i < P4W_INSTRS; i++) {
		const struct p4w_instr *in = &p->instr[i];
		uint32_t sum = cells[in->reg][be16toh(in->cell)] + be32toh(in->operand);

		if (in->op == P4W_OP_CADD && (int32_t)sum < 0)
			return true;
	}
	return false;
}

static void run_instr(struct p4w_instr *in)
{
	uint32_t *cell = &cells[in->reg][be16toh(in->cell)];
	uint32_t operand = be32toh(in->operand);

	in->result = htobe32(*cell);
	switch (in->op & ~P4W_OP_SECOND_PASS) {
	case P4W_OP_WRITE:
		*cell = operand;
		break;
	case P4W_OP_ADD:
	case P4W_OP_CADD:
		*cell += operand;
		break;
	}
}

static void run_pass(struct p4w_txn *p, bool second)
{
	int i;

	for (i = 0; i < P4W_INSTRS; i++) {
		if (p->instr[i].op && !!(p->instr[i].op & P4W_OP_SECOND_PASS) == second)
			run_instr(&p->instr[i]);
	}
}

static void execute(struct p4w_txn *p)
{
	p->status = P4W_TXN_ABORT;
	if (would_abort(p))
		return;
	run_pass(p, false);
	p->serial = htobe64(serial++);
	run_pass(p, true);
	p->status = P4W_TXN_OK;
	nr.executed++;
}

static void answer_from_cache(struct p4w_txn *p, const struct flow *f)
{
	int i;

	p->status = f->reply.status;
	p->serial = f->reply.serial;
	for (i = 0; i < P4W_INSTRS; i++)
		p->instr[i].result = f->reply.instr[i].result;
	nr.replayed++;
}

static bool is_nth(uint32_t count, uint32_t n)
{
	return n && count % n == 0;
}

/* Turns the request into its reply, or says that it is dropped. */
static bool process(struct p4w_txn *p)
{
	struct flow *f = &flows[be32toh(p->flow) % FLOWS];
	uint32_t tenant = be64toh(p->owner) >> P4W_EPOCH_BITS, seq = be32toh(p->seq);

	if (p->version != P4W_VERSION || opt.other_version) {
		p->version = P4W_VERSION + opt.other_version;
		p->status = P4W_TXN_VERSION;
	} else if (is_malformed(p)) {
		p->status = P4W_TXN_MALFORMED;
	} else if (f->tenant != tenant || (f->forgotten && f->seq == seq)) {
		p->status = P4W_TXN_STALE;
		nr.stale++;
	} else if (f->done && f->seq == seq) {
		answer_from_cache(p, f);
	} else if (seq <= f->seq) {
		nr.old++;
		return false;
	} else if (!is_owner(p)) {
		p->status = P4W_TXN_STALE;
		nr.stale++;
	} else {
		execute(p);
		f->seq = seq;
		f->done = true;
		f->reply = *p;
		f->forgotten = is_nth(nr.executed, opt.forget);
		return !f->forgotten;
	}
	return true;
}

static void make_reply(struct p4w_txn *p)
{
	uint16_t port = p->common.sport;

	p->common.sport = p->common.dport;
	p->common.dport = port;
	p->common.sender_id ^= htobe64(1);
	p->common.type = P4W_TXN_REPLY;
}

static void send_packet(int fd, const void *p, size_t len, const struct sockaddr_in *to)
{
	if (sendto(fd, p, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		perror("fake-switch: sendto");
}

/* Packets that look like the reply and must not be taken for it: results that are wrong. */
static void forge(int fd, const struct p4w_txn *reply, const struct sockaddr_in *to)
{
	struct p4w_txn lie = *reply, p;
	int i;

	for (i = 0; i < P4W_INSTRS; i++)
		lie.instr[i].result = htobe32(0xdeadbeef);
	lie.status = P4W_TXN_OK;
	p = lie;
	p.owner ^= htobe64(1ull << P4W_EPOCH_BITS);	/* another tenant, */
	send_packet(fd, &p, sizeof(p), to);
	p = lie;
	p.owner ^= htobe64(2);				/* another epoch, */
	send_packet(fd, &p, sizeof(p), to);
	p = lie;
	p.seq = htobe32(be32toh(p.seq) + 1);		/* a transaction to come, */
	send_packet(fd, &p, sizeof(p), to);
	p = lie;
	p.flow = htobe32(be32toh(p.flow) + 1);		/* another flow, */
	send_packet(fd, &p, sizeof(p), to);
	p = lie;
	p.common.sender_id ^= htobe64(6);		/* another id, */
	send_packet(fd, &p, sizeof(p), to);
	p = lie;
	p.status = 200;					/* no status at all, */
	send_packet(fd, &p, sizeof(p), to);
	send_packet(fd, &lie, sizeof(lie) - 1, to);	/* too short. */
	nr.forged += 7;
}

static void take(int fd, struct p4w_txn *p, const struct sockaddr_in *from)
{
	uint32_t i;

	if (opt.silent || is_nth(++nr.requests, opt.lose_request)) {
		nr.lost++;
		return;
	}
	if (!process(p))
		return;
	if (is_nth(++nr.replies, opt.lose_reply)) {
		nr.lost++;
		return;
	}
	make_reply(p);
	if (opt.delay_ms)
		usleep(1000 * opt.delay_ms);
	if (opt.forge)
		forge(fd, p, from);
	for (i = 0; i < opt.repeat; i++)
		send_packet(fd, p, sizeof(*p), from);
}

static void serve(int fd)
{
	char buf[65536];

	while (!stop) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);
		size_t head = 4 * ((struct iphdr *)buf)->ihl;
		struct p4w_txn p;

		if (len < (ssize_t)(head + sizeof(p)))
			continue;
		memcpy(&p, buf + head, sizeof(p));
		from.sin_port = 0;
		if (p.common.type == P4W_TXN)
			take(fd, &p, &from);
	}
}

static void give_blocks(void)
{
	int i;

	for (i = 0; i < FLOWS; i++)
		flows[i].tenant = opt.tenant;
	serial = opt.epoch << P4W_SERIAL_SHIFT;
}

static void usage(FILE *to)
{
	fputs("usage: fake-switch [--tenant N] [--epoch N] [--lose-request N] [--lose-reply N]\n"
	      "           [--repeat N] [--delay MS] [--forge] [--silent] [--other-version]\n"
	      "           [--forget N]\n"
	      "Answers switch transactions to any address of this network namespace, as root, until\n"
	      "SIGTERM. All blocks and flows are that tenant's at that epoch (default 1 and 1).\n"
	      "--lose-request N: every N-th request (2 ..); --lose-reply N: every N-th reply (2 ..);\n"
	      "--repeat N: N copies of each reply; --delay MS: before each; --forge: seven false\n"
	      "replies before each true one; --silent: no reply; --other-version: status VERSION;\n"
	      "--forget N: every N-th that is done is not answered, and STALE when it is repeated.\n"
	      "Prints 'fake-switch: ready', and counts at its end. Exit: 0, 2 usage, 77 not root.\n",
	      to);
}

static const struct option long_options[] = {
	{ "tenant", required_argument, NULL, 't' }, { "epoch", required_argument, NULL, 'e' },
	{ "lose-request", required_argument, NULL, 'q' },
	{ "lose-reply", required_argument, NULL, 'r' }, { "repeat", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' }, { "forge", no_argument, NULL, 'f' },
	{ "silent", no_argument, NULL, 's' }, { "other-version", no_argument, NULL, 'v' },
	{ "forget", required_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' }, { 0 }
};

static void take_option(int c)
{
	switch (c) {
	case 't':
		opt.tenant = t_parse_number("--tenant", optarg, 1, P4W_TENANT_MAX);
		break;
	case 'e':
		opt.epoch = t_parse_number("--epoch", optarg, 1, P4W_EPOCH_MAX);
		break;
	case 'q':
		opt.lose_request = t_parse_number("--lose-request", optarg, 2, 1000000);
		break;
	case 'r':
		opt.lose_reply = t_parse_number("--lose-reply", optarg, 2, 1000000);
		break;
	case 'g':
		opt.forget = t_parse_number("--forget", optarg, 2, 1000000);
		break;
	case 'n':
		opt.repeat = t_parse_number("--repeat", optarg, 1, 100);
		break;
	case 'd':
		opt.delay_ms = t_parse_number("--delay", optarg, 0, 10000);
		break;
	case 'f':
		opt.forge = true;
		break;
	case 's':
		opt.silent = true;
		break;
	case 'v':
		opt.other_version = true;
		break;
	default:
		usage(c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int c, fd;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		take_option(c);
	fd = socket(AF_INET, SOCK_RAW, P4W_IPPROTO);
	if (fd < 0)
		return T_SKIP;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	give_blocks();
	puts("fake-switch: ready");
	fflush(stdout);
	serve(fd);
	printf("fake-switch: %u requests, %u executed, %u replayed, %u old, %u stale, %u lost, "
	       "%u forged\n", nr.requests, nr.executed, nr.replayed, nr.old,
	       nr.stale, nr.lost, nr.forged);
	return T_PASS;
}
