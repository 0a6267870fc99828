// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer_serve.c - the thread that serves a node's peers; see peer.h.
 *
 * A request is checked as a whole before anything is done for it. The notice board holds what peers
 * have said at the end of a round: two rounds, since a peer can be one ahead of us but not two.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer.h"

struct notice {
	uint32_t round, left;
};

struct counts {				/* of one peer */
	uint32_t round, total, got;
	struct p4a_key_count *kc;
};

struct peer_server {
	struct peer_self self;
	struct link *link;
	struct store *store;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock;		/* guards board, bye, counts */
	pthread_cond_t news;
	struct notice board[PEER_NODES_MAX][2];
	bool bye[PEER_NODES_MAX];
	struct counts counts[PEER_NODES_MAX];
	struct link_msg msg;		/* of the thread */
};

const char *peer_code_text(unsigned int code)
{
	switch (code) {
	case PEER_OK:		return "ok";
	case PEER_LOCKED:	return "a key is locked";
	case PEER_IN_SWITCH:	return "a key is in the switch";
	case PEER_FOREIGN:	return "a key is not the peer's";
	case PEER_ABORT:	return "a value would be below 0";
	case PEER_BAD_VERSION:	return "the peer speaks another version";
	case PEER_BAD_TENANT:	return "the peer is of another tenant";
	case PEER_BAD_SHAPE:	return "the peer has other --keys, --nodes or node numbers";
	case PEER_MALFORMED:	return "the peer did not understand the message";
	}
	return "unknown answer";
}

static enum peer_code check_head(const struct peer_self *self, const struct peer_head *h,
				 uint32_t tenant, size_t len)
{
	if (len < sizeof(*h))
		return PEER_MALFORMED;
	if (h->version != PEER_VERSION)
		return PEER_BAD_VERSION;
	if (tenant != self->tenant)
		return PEER_BAD_TENANT;
	if (ntohs(h->nodes) != self->nodes || ntohl(h->keys) != self->keys ||
	    ntohs(h->node) >= self->nodes || ntohs(h->node) == self->node)
		return PEER_BAD_SHAPE;
	if (ntohs(h->releases) > PEER_RELEASES ||
	    ntohs(h->ops) > (h->type == PEER_COUNTS ? PEER_COUNTS_MAX : TRACE_OPS_MAX) ||
	    len != sizeof(*h) + ntohs(h->releases) * sizeof(uint32_t) +
	    ntohs(h->ops) * sizeof(struct peer_op))
		return PEER_MALFORMED;
	return PEER_OK;
}

static void release_all(struct store *store, unsigned int node, const uint8_t *p, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t r;

		memcpy(&r, p + i * sizeof(r), sizeof(r));
		r = ntohl(r);
		store_release(store, peer_txn(node, r & ~PEER_UNDO), r & PEER_UNDO);
	}
}

static bool decode_ops(const uint8_t *p, struct trace_op *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct peer_op o;

		memcpy(&o, p + i * sizeof(o), sizeof(o));
		if (trace_kind_letter(o.kind) == '?')
			return false;
		ops[i] = (struct trace_op){ .key = ntohl(o.key), .operand = ntohl(o.operand),
					    .kind = o.kind };
	}
	return true;
}

static enum peer_code serve_access(struct store *store, const struct peer_head *h, uint64_t txn,
				   const uint8_t *ops_at, struct peer_result *out)
{
	struct store_result results[TRACE_OPS_MAX];
	struct trace_op ops[TRACE_OPS_MAX];
	unsigned int n = ntohs(h->ops);
	enum store_verdict verdict;

	if (!n || !decode_ops(ops_at, ops, n))
		return PEER_MALFORMED;
	verdict = store_access(store, txn, ops, n, ntohl(h->value), results);
	for (unsigned int i = 0; i < n && !verdict; i++)
		out[i] = (struct peer_result){ .got = htonl(results[i].got),
					       .version = htonl(results[i].version),
					       .epoch = htobe64(results[i].epoch) };
	return (enum peer_code)verdict;
}

static void post(struct peer_server *s, unsigned int node, uint32_t round, uint32_t left)
{
	pthread_mutex_lock(&s->lock);
	s->board[node][round % 2] = (struct notice){ .round = round, .left = left };
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
}

/* The first part of a round makes room for all; parts come in order. */
static enum peer_code append_counts(struct counts *c, const struct peer_head *h, const uint8_t *p,
				    uint32_t keys)
{
	uint32_t total = ntohl(h->value), n = ntohs(h->ops);

	if (c->round != ntohl(h->arg)) {
		void *kc = total <= keys ? realloc(c->kc, (total + 1) * sizeof(*c->kc)) : NULL;

		if (!kc)
			return PEER_MALFORMED;
		*c = (struct counts){ .round = ntohl(h->arg), .total = total, .kc = kc };
	}
	if (total != c->total || n > total - c->got)
		return PEER_MALFORMED;
	for (uint32_t i = 0; i < n; i++) {
		struct peer_op o;

		memcpy(&o, p + i * sizeof(o), sizeof(o));
		c->kc[c->got++] = (struct p4a_key_count){
			.key = ntohl(o.key),
			.count = ntohl(o.operand) |
				 (o.kind & TRACE_SOURCE ? P4A_KEY_SOURCE : 0) |
				 (o.kind & TRACE_DEPENDENT ? P4A_KEY_DEPENDENT : 0),
		};
	}
	return PEER_OK;
}

static enum peer_code take_counts(struct peer_server *s, unsigned int node,
				  const struct peer_head *h, const uint8_t *p)
{
	enum peer_code code;

	pthread_mutex_lock(&s->lock);
	code = append_counts(&s->counts[node], h, p, s->self.keys);
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	return code;
}

static void note_bye(struct peer_server *s, unsigned int node)
{
	pthread_mutex_lock(&s->lock);
	s->bye[node] = true;
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
}

static enum peer_code serve(struct peer_server *s, const struct link_msg *m, struct peer_head *h,
			    struct peer_result *out)
{
	const uint8_t *entries = m->data + sizeof(*h);
	enum peer_code code;
	unsigned int node;

	memcpy(h, m->data, sizeof(*h));
	code = check_head(&s->self, h, m->tenant, m->len);
	if (code)
		return code;
	node = ntohs(h->node);
	release_all(s->store, node, entries, ntohs(h->releases));
	entries += ntohs(h->releases) * sizeof(uint32_t);
	switch (h->type) {
	case PEER_HELLO:
	case PEER_RELEASE:
		return PEER_OK;
	case PEER_ACCESS:
		return serve_access(s->store, h, peer_txn(node, ntohl(h->arg)), entries, out);
	case PEER_ROUND:
		post(s, node, ntohl(h->arg), ntohl(h->value));
		return PEER_OK;
	case PEER_BYE:
		note_bye(s, node);
		return PEER_OK;
	case PEER_COUNTS:
		return take_counts(s, node, h, entries);
	}
	return PEER_MALFORMED;
}

static void answer(struct peer_server *s, const struct link_msg *m)
{
	struct {
		struct peer_head head;
		struct peer_result results[TRACE_OPS_MAX];
	} __attribute__((packed)) a;
	struct peer_result results[TRACE_OPS_MAX];
	struct peer_head h;
	enum peer_code code = serve(s, m, &h, results);
	unsigned int n = code == PEER_OK && h.type == PEER_ACCESS ? ntohs(h.ops) : 0;

	a.head = (struct peer_head){
		.version = PEER_VERSION, .type = h.type | PEER_ANSWER, .code = code,
		.node = htons(s->self.node), .nodes = htons(s->self.nodes), .ops = htons(n),
		.keys = htonl(s->self.keys),
	};
	memcpy(a.results, results, n * sizeof(results[0]));
	/* If it cannot be sent, the peer's kernel asks again or gives up; both are its business. */
	link_reply(s->link, m, &a, sizeof(a.head) + n * sizeof(results[0]));
}

static void *serve_peers(void *arg)
{
	struct peer_server *s = arg;
	int rc = 0;

	while (!atomic_load(&s->stop) && rc >= 0) {
		rc = link_recv(s->link, &s->msg, 200);
		if (rc > 0 && s->msg.is_request)
			answer(s, &s->msg);
	}
	if (rc < 0)
		fprintf(stderr, "cannot serve peers any more: %s\n", strerror(-rc));
	return NULL;
}

struct peer_server *peer_serve_start(const struct peer_self *self, struct link *link,
				     struct store *store)
{
	struct peer_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return NULL;
	s->self = *self;
	s->link = link;
	s->store = store;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->news, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&s->thread, NULL, serve_peers, s)) {
		free(s);
		return NULL;
	}
	return s;
}

void peer_serve_stop(struct peer_server *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->lock);
	for (unsigned int i = 0; i < PEER_NODES_MAX; i++)
		free(s->counts[i].kc);
	free(s);
}

/* Waits until ready(), which is called with the lock held, says 0 or more. */
static int64_t await(struct peer_server *s, int64_t (*ready)(struct peer_server *, uint64_t),
		     uint64_t arg, int timeout_ms)
{
	struct timespec end;
	int64_t v;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	pthread_mutex_lock(&s->lock);
	while ((v = ready(s, arg)) < 0 && !rc)
		rc = pthread_cond_timedwait(&s->news, &s->lock, &end);
	pthread_mutex_unlock(&s->lock);
	return v < 0 ? -ETIMEDOUT : v;
}

static int64_t round_sum(struct peer_server *s, uint64_t round)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < s->self.nodes; i++) {
		if (i == s->self.node)
			continue;
		if (s->board[i][round % 2].round != round)
			return -1;
		sum += s->board[i][round % 2].left;
	}
	return sum;
}

static int64_t all_gone(struct peer_server *s, uint64_t unused)
{
	for (unsigned int i = 0; i < s->self.nodes; i++)
		if (i != s->self.node && !s->bye[i])
			return -1;
	return 0;
}

/* arg: round, and node in the upper half. */
static int64_t all_counts(struct peer_server *s, uint64_t arg)
{
	const struct counts *c = &s->counts[arg >> 32];

	return c->round == (uint32_t)arg && c->got == c->total ? (int64_t)c->got : -1;
}

int64_t peer_serve_counts(struct peer_server *s, unsigned int node, uint32_t round,
			  const struct p4a_key_count **kc, int timeout_ms)
{
	int64_t n = await(s, all_counts, (uint64_t)node << 32 | round, timeout_ms);

	if (n >= 0)
		*kc = s->counts[node].kc;
	return n;
}

int64_t peer_serve_round(struct peer_server *s, uint32_t round, int timeout_ms)
{
	return await(s, round_sum, round, timeout_ms);
}

int peer_serve_byes(struct peer_server *s, int timeout_ms)
{
	return await(s, all_gone, 0, timeout_ms);
}
