// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-requests.c - allocation messages over the network: nodes of several tenants, each of which goes through
 * its batches as a library does, one message at a time.
 *
 * usage: net-requests ADDRESS TENANTS NODES BATCHES
 *
 * REQUEST (with DONE for the batch before and a histogram), WAIT unless the blocks came at once, two
 * barriers. One thread and one socket a tenant. Prints messages a second, and the p99 of one in
 * nanoseconds; a WAIT, a SYNC that waits for others is none.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../guest/t_homa.h"
#include "bench.h"
#include "p4wire.h"

#define TENANTS_MAX	16
#define HIST		4
#define PORT		4001
#define NODES_MAX	P4W_NODES_MAX

enum stage { ASK, WAIT, FILLED, RAN, END, OVER };

struct node {
	uint32_t batch;
	enum stage stage;
	uint64_t sent_ns;
};

static struct t_homa sock[TENANTS_MAX];
static struct node node[TENANTS_MAX][NODES_MAX];
static unsigned int tenants, nodes, batches, over;
static struct sockaddr_in to = { .sin_family = AF_INET };
static uint64_t messages, *request_ns;
static size_t requests;

static void die(const char *what, int value)
{
	fprintf(stderr, "net-requests: %s: %d\n", what, value);
	exit(1);
}

static void transmit(unsigned int t, unsigned int i)
{
	static const uint8_t type[] = { P4W_REQUEST, P4W_WAIT, P4W_SYNC, P4W_SYNC, P4W_DONE };
	static const uint32_t code[] = { 0, 0, P4W_PHASE_FILLED, P4W_PHASE_RAN, 0 };
	struct node *n = &node[t][i];
	struct {
		struct p4w_request r;
		__be16 hist[HIST];
	} __attribute__((packed)) m = {
		.r = {
			.msg = { P4W_VERSION, type[n->stage], 0, htons(i), htons(nodes),
				 htonl(n->batch), htonl(code[n->stage]) },
			.duration_us = htonl(20000), .min_blocks = htons(1),
			.want_blocks = htons(HIST), .flows = htonl(1), .nr_hist = htons(HIST),
		},
		.hist = { htons(20000), htons(10000), htons(5000), htons(2500) },
	};
	size_t len = n->stage == ASK ? sizeof(m) : sizeof(m.r.msg);
	uint64_t id;
	int rc;

	if (n->stage == ASK && n->batch > 1)
		m.r.msg.code = htonl(P4W_REQ_DONE);
	m.r.msg.length = htons(len);
	n->sent_ns = bench_ns();
	rc = t_homa_request(&sock[t], &to, &m, len, i + 1, &id);
	if (rc)
		die("sendmsg", rc);
	messages++;
}

static enum stage after(const struct node *n, const struct p4w_msg *m)
{
	switch (m->type) {
	case P4W_RESERVED:
		return WAIT;
	case P4W_GRANTED:
		return FILLED;
	case P4W_SYNCED:
		return n->stage == FILLED ? RAN : n->batch == batches ? END : ASK;
	case P4W_FREED:
		return OVER;
	default:
		die("answer of type", m->type);
		return OVER;
	}
}

static void take(unsigned int t)
{
	struct p4w_refused answer;	/* the longest */
	struct t_message m;
	enum stage next;
	struct node *n;
	int rc;

	memset(&m, 0, sizeof(m));
	rc = t_homa_recv(&sock[t], &m, 0);
	if (rc < 0)
		die("recvmsg", rc);
	n = &node[t][m.args.completion_cookie - 1];
	t_homa_copy(&sock[t], &m, &answer, m.len < sizeof(answer) ? m.len : sizeof(answer));
	if (n->stage == ASK || n->stage == END)
		request_ns[requests++] = bench_ns() - n->sent_ns;
	if (answer.msg.type == P4W_REFUSED)
		fprintf(stderr, "net-requests: tenant %u, batch %u, stage %u: %s: %s\n", t + 1, n->batch,
			n->stage, answer.field, answer.text);
	next = after(n, &answer.msg);
	n->batch += n->stage == RAN && next == ASK;
	n->stage = next;
	if (n->stage == OVER)
		over++;
	else
		transmit(t, m.args.completion_cookie - 1);
}

static void open_tenant(unsigned int t)
{
	uint32_t id = t + 1;
	int rc = t_homa_open(&sock[t], 0);

	if (rc)
		die("socket", rc);
	if (setsockopt(sock[t].fd, IPPROTO_HOMA, SO_HOMA_TENANT, &id, sizeof(id)))
		die("SO_HOMA_TENANT", id);
}

int main(int argc, char **argv)
{
	struct pollfd p[TENANTS_MAX];
	uint64_t from;

	if (argc != 5)
		die("arguments, wanted 4", argc - 1);
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	to.sin_port = htons(PORT);
	tenants = atoi(argv[2]);
	nodes = atoi(argv[3]);
	batches = atoi(argv[4]);
	if (tenants > TENANTS_MAX || nodes > NODES_MAX)
		die("too many", tenants * nodes);
	request_ns = bench_alloc(tenants * nodes * (batches + 1), sizeof(*request_ns));
	for (unsigned int t = 0; t < tenants; t++) {
		open_tenant(t);
		p[t] = (struct pollfd){ sock[t].fd, POLLIN, 0 };
	}
	from = bench_ns();
	for (unsigned int t = 0; t < tenants; t++)
		for (unsigned int i = 0; i < nodes; i++) {
			node[t][i].batch = 1;
			transmit(t, i);
		}
	while (over < tenants * nodes) {
		if (poll(p, tenants, 20000) <= 0)
			die("no answer; nodes that are over", over);
		for (unsigned int t = 0; t < tenants; t++)
			if (p[t].revents)
				take(t);
	}
	printf("%.0f %" PRIu64 "\n", messages / ((bench_ns() - from) / 1e9),
	       bench_quantile(request_ns, requests, 0.99));
	return 0;
}
