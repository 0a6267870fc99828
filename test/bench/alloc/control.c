// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control.c - requests that the allocator answers, in process: 300 tenants of 40 nodes.
 *
 * Every node goes through its batches as a library does: REQUEST with DONE and a histogram of 16
 * blocks, WAIT, two barriers. Tenants are at different places, 256 blocks are divided among them, the
 * switch obeys at once. Counted are messages and all that they cause; a message's time includes
 * everything that it sets free.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/p4allocd/engine.h"
#include "../../unit/allocd_exact.h"
#include "bench.h"

#define TENANTS 300
#define NODES 40
#define BATCHES 6
#define HIST 16
#define MESSAGES (TENANTS * NODES * BATCHES * 8)

enum stage { ASK, WAIT, FILLED, RAN, END, OVER };

struct node {
	uint32_t batch;
	uint8_t stage;
	bool waits;		/* for an answer */
};

struct play {
	struct p4d_engine *e;
	uint64_t now, seed;
	struct node node[TENANTS + 1][NODES];
	uint64_t ns[MESSAGES];
	size_t messages;
	size_t longest;		/* grant, without the message's head */
	uint32_t over;		/* nodes that have had their batches */
	struct p4d_out *order[4096];
	size_t orders;
	uint64_t seen[P4W_MAX_BLOCKS];	/* counts that an honest tenant has */
};

static void answered(struct play *p, const struct p4d_out *o)
{
	struct node *n = &p->node[o->who.rpc >> 32][o->who.rpc & 0xffff];
	const struct p4w_msg *m = (const void *)o->bytes;

	n->waits = false;
	switch (m->type) {
	case P4W_RESERVED:
		n->stage = WAIT;
		break;
	case P4W_GRANTED:
		if (o->len - sizeof(*m) > p->longest)
			p->longest = o->len - sizeof(*m);
		n->stage = FILLED;
		break;
	case P4W_SYNCED:
		n->stage = n->stage == FILLED ? RAN : n->batch == BATCHES ? END : ASK;
		n->batch += n->stage == ASK;
		break;
	case P4W_FREED:
		n->stage = OVER;
		p->over++;
		break;
	default:
		fprintf(stderr, "bench: answer of type %u\n", m->type);
		exit(1);
	}
}

static void collect(struct play *p)
{
	struct p4d_out *o;

	while ((o = p4d_engine_pop(p->e))) {
		if (o->kind != P4D_OUT_REPLY) {
			p->order[p->orders++] = o;
			continue;
		}
		answered(p, o);
		free(o);
	}
}

static void obey(struct play *p)
{
	for (size_t i = 0; i < p->orders; i++) {	/* grows meanwhile */
		struct p4d_out *o = p->order[i];

		if (o->kind == P4D_OUT_GIVE)
			p4d_engine_given(p->e, p->now, o->give.action);
		else if (o->kind == P4D_OUT_TAKE)
			p4d_engine_taken(p->e, p->now, o->take.action, NULL);
		else
			p4d_engine_counted(p->e, p->now, &o->count, p->seen);
		free(o);
		collect(p);
	}
	p->orders = 0;
}

static size_t message(const struct node *n, uint16_t node, uint8_t *out)
{
	static const uint8_t type[] = { P4W_REQUEST, P4W_WAIT, P4W_SYNC, P4W_SYNC, P4W_DONE };
	static const uint32_t code[] = { 0, 0, P4W_PHASE_FILLED, P4W_PHASE_RAN, 0 };
	struct p4w_request r = {
		.msg = { P4W_VERSION, type[n->stage], 0, htons(node), htons(NODES),
			 htonl(n->batch), htonl(code[n->stage]) },
		.duration_us = htonl(20000), .min_blocks = htons(1), .want_blocks = htons(HIST),
		.flows = htonl(1), .nr_hist = htons(HIST),
	};
	size_t len = n->stage == ASK ? sizeof(r) + 2 * HIST : sizeof(r.msg);

	if (n->stage == ASK && n->batch > 1)
		r.msg.code = htonl(P4W_REQ_DONE);
	r.msg.length = htons(len);
	memcpy(out, &r, n->stage == ASK ? sizeof(r) : sizeof(r.msg));
	for (int i = 0; i < HIST && n->stage == ASK; i++) {
		uint16_t share = htons(20000 / (i + 1));

		memcpy(out + sizeof(r) + 2 * i, &share, sizeof(share));
	}
	return len;
}

static void transmit(struct play *p, uint32_t tenant, uint32_t node)
{
	struct p4d_who who = { .rpc = (uint64_t)tenant << 32 | node };
	struct node *n = &p->node[tenant][node];
	uint8_t bytes[sizeof(struct p4w_request) + 2 * HIST];
	size_t len = message(n, node, bytes);
	uint64_t from;

	n->waits = true;
	p->now++;
	from = bench_ns();
	p4d_engine_message(p->e, p->now, tenant, &who, bytes, len);
	collect(p);
	if (p->messages < MESSAGES)
		p->ns[p->messages++] = bench_ns() - from;
	from = bench_ns();
	obey(p);
	p->ns[p->messages - 1] += bench_ns() - from;
}

int main(void)
{
	static const uint64_t none[P4W_MAX_BLOCKS];
	const struct p4d_switch_info info = { { 20, 256, 65536, 0 }, 1, none, none };
	struct play *p = bench_alloc(1, sizeof(*p));
	uint64_t sum = 0;

	for (int i = 0; i < P4W_MAX_BLOCKS; i++)
		p->seen[i] = 200000 / (i + 1);
	p->now = p->seed = 1;
	p->e = p4d_engine_create(p->now);
	for (uint32_t t = 1; t <= TENANTS; t++) {
		struct p4d_tenant_conf conf = { t, "t", 100, 0, 256 };

		p4d_engine_tenant(p->e, p->now, &conf);
		for (int n = 0; n < NODES; n++)
			p->node[t][n].batch = 1;
	}
	p4d_engine_switch_up(p->e, p->now, &info);
	while (p->over < TENANTS * NODES) {
		uint32_t t = 1 + exact_random(&p->seed) % TENANTS;
		uint32_t from = exact_random(&p->seed) % NODES;

		for (uint32_t i = 0; i < NODES; i++) {
			struct node *n = &p->node[t][(from + i) % NODES];

			if (n->waits || n->stage == OVER)
				continue;
			transmit(p, t, (from + i) % NODES);
			break;
		}
	}
	for (size_t i = 0; i < p->messages; i++)
		sum += p->ns[i];
	bench_row("control-messages", p->messages, "messages");
	bench_least("control-rate", p->messages / (sum / 1e9), "/s", 100000);
	bench_most("control-p99", bench_quantile(p->ns, p->messages, 0.99), "ns", 1e6);
	bench_row("control-longest", bench_quantile(p->ns, p->messages, 1), "ns");
	bench_most("control-grant", p->longest, "B", 64);
	p4d_engine_destroy(p->e);
	free(p);
	return 0;
}
