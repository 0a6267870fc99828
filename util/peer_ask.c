// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer_ask.c - a node's requests to its peers; see peer.h. Main thread only.
 *
 * Each outstanding request has a place in call[]; its index is the RPC's cookie. Releases are queued
 * for each peer and ride on the next request to it; a full queue is sent on its own. A request that
 * timed out is sent again as it was: all of them may be repeated, see store.h.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer.h"

#define ANSWER_MS 60000		/* the transport gives up earlier */
#define REPEATS 20		/* of a request that the transport gave up */

enum call_state { FREE, WAITING, ANSWERED };

struct request {
	struct peer_head head;
	uint8_t entries[PEER_RELEASES * sizeof(uint32_t) + PEER_COUNTS_MAX * sizeof(struct peer_op)];
} __attribute__((packed));

struct call {
	enum call_state state;
	struct request request;
	size_t len;			/* of the request */
	unsigned int repeats;
	enum peer_type type;
	unsigned int node;
	void *user;
	int err;			/* ANSWERED: 0 or -errno of the transport */
	struct peer_done done;
	unsigned int code;
};

struct peer_client {
	struct peer_self self;
	struct link *link;
	struct sockaddr_in addr[PEER_NODES_MAX];
	struct call call[PEER_CALLS + PEER_NODES_MAX];	/* accesses, and one more to each peer */
	unsigned int accesses;
	uint32_t release[PEER_NODES_MAX][PEER_RELEASES];	/* as on the wire */
	unsigned int releases[PEER_NODES_MAX];
	struct link_msg msg;
	char error[160];
};

struct peer_client *peer_client_new(const struct peer_self *self, struct link *link,
				    const struct sockaddr_in *addr)
{
	struct peer_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->self = *self;
	c->link = link;
	memcpy(c->addr, addr, self->nodes * sizeof(*addr));
	return c;
}

void peer_client_free(struct peer_client *c)
{
	free(c);
}

const char *peer_client_error(const struct peer_client *c)
{
	return c->error;
}

unsigned int peer_client_room(const struct peer_client *c)
{
	return PEER_CALLS - c->accesses;
}

static int fail(struct peer_client *c, unsigned int node, const char *why, int rc)
{
	snprintf(c->error, sizeof(c->error), "node %u: %s", node, why);
	return rc;
}

static uint8_t *put_ops(uint8_t *p, const struct trace_op *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, p += sizeof(struct peer_op)) {
		struct peer_op o = { .key = htonl(ops[i].key), .operand = htonl(ops[i].operand),
				     .kind = ops[i].kind };

		memcpy(p, &o, sizeof(o));
	}
	return p;
}

static int send_call(struct peer_client *c, struct call *call)
{
	return link_request(c->link, &c->addr[call->node], &call->request, call->len,
			    call - c->call);
}

/* Builds and sends a request; takes the peer's queued releases along. */
static struct call *start(struct peer_client *c, unsigned int node, enum peer_type type,
			  uint32_t arg, uint32_t value, const struct trace_op *ops, unsigned int n)
{
	unsigned int releases = c->releases[node];
	struct call *call = c->call;
	struct request *r;
	int rc;

	while (call->state != FREE)
		call++;		/* callers leave room: PEER_CALLS accesses, one other to each peer */
	r = &call->request;
	r->head = (struct peer_head){
		.version = PEER_VERSION, .type = type, .node = htons(c->self.node),
		.nodes = htons(c->self.nodes), .releases = htons(releases), .ops = htons(n),
		.keys = htonl(c->self.keys), .arg = htonl(arg), .value = htonl(value),
	};
	memcpy(r->entries, c->release[node], releases * sizeof(uint32_t));
	call->len = put_ops(r->entries + releases * sizeof(uint32_t), ops, n) - (uint8_t *)r;
	call->type = type;
	call->node = node;
	call->repeats = 0;
	rc = send_call(c, call);
	if (rc) {
		fail(c, node, strerror(-rc), rc);
		return NULL;
	}
	c->releases[node] = 0;
	call->state = WAITING;
	return call;
}

static void take_results(struct call *call, const struct link_msg *m, const struct peer_head *h)
{
	unsigned int n = ntohs(h->ops);

	if (n > TRACE_OPS_MAX || m->len != sizeof(*h) + n * sizeof(struct peer_result)) {
		call->code = PEER_MALFORMED;
		return;
	}
	call->done.n = n;
	for (unsigned int i = 0; i < n; i++) {
		struct peer_result r;

		memcpy(&r, m->data + sizeof(*h) + i * sizeof(r), sizeof(r));
		call->done.results[i] = (struct store_result){
			.got = ntohl(r.got), .version = ntohl(r.version),
			.epoch = be64toh(r.epoch),
		};
	}
}

/* Receives one answer into its call: 1, or 0 after the timeout, or -errno. */
static int receive(struct peer_client *c, int timeout_ms)
{
	struct link_msg *m = &c->msg;
	int rc = link_recv(c->link, m, timeout_ms);
	struct peer_head h;
	struct call *call;

	if (rc <= 0)
		return rc;
	if (m->is_request || m->cookie >= sizeof(c->call) / sizeof(c->call[0]) ||
	    c->call[m->cookie].state != WAITING)
		return 1;
	call = &c->call[m->cookie];
	if (m->err == ETIMEDOUT && call->repeats++ < REPEATS && !send_call(c, call))
		return 1;
	call->state = ANSWERED;
	call->err = -m->err;
	call->code = PEER_OK;
	if (m->err)
		return 1;
	memcpy(&h, m->data, sizeof(h));
	if (m->len < sizeof(h) || h.type != (call->type | PEER_ANSWER))
		call->code = PEER_MALFORMED;
	else if (m->tenant != c->self.tenant)
		call->code = PEER_BAD_TENANT;
	else
		call->code = h.code;
	if (call->code == PEER_OK)
		take_results(call, m, &h);
	return 1;
}

/* What a finished call says about its peer: 0 or -errno, with the text set. */
static int verdict(struct peer_client *c, struct call *call)
{
	if (call->err)
		return fail(c, call->node, strerror(-call->err), call->err);
	if (call->code > PEER_IN_SWITCH && call->code != PEER_ABORT)
		return fail(c, call->node, peer_code_text(call->code), -EPROTO);
	return 0;
}

int peer_access(struct peer_client *c, unsigned int node, uint32_t txn, const struct trace_op *ops,
		unsigned int n, uint32_t sum, void *user)
{
	struct call *call = start(c, node, PEER_ACCESS, txn, sum, ops, n);

	if (!call)
		return -EIO;
	call->user = user;
	c->accesses++;
	return 0;
}

static int pop_access(struct peer_client *c, struct peer_done *done)
{
	size_t calls = sizeof(c->call) / sizeof(c->call[0]);

	for (struct call *call = c->call; call < c->call + calls; call++) {
		int rc;

		if (call->state != ANSWERED || call->type != PEER_ACCESS)
			continue;
		rc = verdict(c, call);
		*done = call->done;
		done->user = call->user;
		done->node = call->node;
		done->verdict = (enum store_verdict)call->code;
		call->state = FREE;
		c->accesses--;
		return rc ? rc : 1;
	}
	return 0;
}

int peer_next(struct peer_client *c, struct peer_done *done, int timeout_ms)
{
	int rc = pop_access(c, done);

	if (rc || !c->accesses)
		return rc;
	rc = receive(c, timeout_ms);
	return rc > 0 ? pop_access(c, done) : rc;
}

/* Waits for the answer and frees the call. */
static int finish(struct peer_client *c, struct call *call)
{
	int rc = 1;

	while (rc > 0 && call->state == WAITING)
		rc = receive(c, ANSWER_MS);
	if (call->state == WAITING)
		return fail(c, call->node, "does not answer", rc ? rc : -ETIMEDOUT);
	rc = verdict(c, call);
	call->state = FREE;
	return rc;
}

static int send_releases(struct peer_client *c, unsigned int node)
{
	struct call *call = start(c, node, PEER_RELEASE, 0, 0, NULL, 0);

	return call ? finish(c, call) : -EIO;
}

int peer_release(struct peer_client *c, unsigned int node, uint32_t txn, bool undo)
{
	c->release[node][c->releases[node]++] = htonl(txn | (undo ? PEER_UNDO : 0));
	return c->releases[node] == PEER_RELEASES ? send_releases(c, node) : 0;
}

int peer_flush(struct peer_client *c)
{
	int rc = 0;

	for (unsigned int i = 0; i < c->self.nodes && !rc; i++)
		if (c->releases[i])
			rc = send_releases(c, i);
	return rc;
}

static int tell(struct peer_client *c, enum peer_type type, uint32_t arg, uint32_t value,
		const struct trace_op *ops, unsigned int n)
{
	struct call *call[PEER_NODES_MAX] = { NULL };
	int rc = 0, one;

	for (unsigned int i = 0; i < c->self.nodes && !rc; i++) {
		if (i == c->self.node)
			continue;
		call[i] = start(c, i, type, arg, value, ops, n);
		rc = call[i] ? 0 : -EIO;
	}
	for (unsigned int i = 0; i < c->self.nodes; i++) {
		one = call[i] ? finish(c, call[i]) : 0;
		rc = rc ? rc : one;
	}
	return rc;
}

int peer_tell(struct peer_client *c, enum peer_type type, uint32_t arg, uint32_t value)
{
	return tell(c, type, arg, value, NULL, 0);
}

/* One request after the other to each peer, so they arrive in order. */
int peer_tell_counts(struct peer_client *c, uint32_t round, const struct p4a_key_count *kc, uint32_t n)
{
	struct trace_op ops[PEER_COUNTS_MAX];
	uint32_t done = 0;
	int rc;

	do {
		unsigned int part = n - done < PEER_COUNTS_MAX ? n - done : PEER_COUNTS_MAX;

		for (unsigned int i = 0; i < part; i++) {
			uint64_t flags = kc[done + i].count & (P4A_KEY_SOURCE | P4A_KEY_DEPENDENT);
			uint64_t count = kc[done + i].count - flags;

			ops[i] = (struct trace_op){
				.key = kc[done + i].key,
				.operand = count < UINT32_MAX ? count : UINT32_MAX,
				.kind = (flags & P4A_KEY_SOURCE ? TRACE_SOURCE : 0) |
					(flags & P4A_KEY_DEPENDENT ? TRACE_DEPENDENT : 0),
			};
		}
		rc = tell(c, PEER_COUNTS, round, n, ops, part);
		done += part;
	} while (!rc && done < n);
	return rc;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int peer_greet(struct peer_client *c, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int64_t end = now_ms() + timeout_ms;
	int rc;

	/* Peers that are not there yet fail at once or by and by; one that refuses does it for good. */
	while ((rc = peer_tell(c, PEER_HELLO, 0, 0)) && rc != -EPROTO && now_ms() < end)
		nanosleep(&pause, NULL);
	return rc;
}
