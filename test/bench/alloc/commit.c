// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commit.c - requests that the allocator answers with its store: what shares a commit, and what it
 * costs.
 *
 * 256 tenants of one node go through their batches; so many messages at a time come with one
 * wake-up, whose changes are one commit, as in service.c; answers count when it is stored. The switch obeys
 * with the next wake-up. The file is in TMPDIR: in the guest that is memory, and a commit costs its
 * instructions; on a machine (run -h) it costs what the disk takes to have it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../tools/p4allocd/engine.h"
#include "../../../tools/p4allocd/store.h"
#include "bench.h"

#define TENANTS 256
#define LEAST 2000		/* requests that are counted, */
#define LEAST_NS 300000000ull	/* and for how long, at least */

enum stage { ASK, WAIT, FILLED, RAN };

struct node {
	uint32_t batch;
	uint8_t stage;
	bool waits;
};

static struct {
	struct p4d_engine *e;
	struct p4d_store *st;
	uint64_t now;
	struct node node[TENANTS + 1];
	uint64_t answers, commits;
	struct p4d_out *orders;
} play;

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static void answered(const struct p4d_out *o)
{
	struct node *n = &play.node[o->who.rpc];

	n->waits = false;
	play.answers++;
	switch (((const struct p4w_msg *)o->bytes)->type) {
	case P4W_RESERVED:
		n->stage = WAIT;
		break;
	case P4W_GRANTED:
		n->stage = FILLED;
		break;
	case P4W_SYNCED:
		n->stage = n->stage == FILLED ? RAN : ASK;
		n->batch += n->stage == ASK;
		break;
	default:
		fail("an answer that no honest node gets");
	}
}

static void say(uint32_t tenant)
{
	static const uint8_t type[] = { P4W_REQUEST, P4W_WAIT, P4W_SYNC, P4W_SYNC };
	static const uint32_t code[] = { 0, 0, P4W_PHASE_FILLED, P4W_PHASE_RAN };
	struct node *n = &play.node[tenant];
	struct p4d_who who = { .rpc = tenant };
	struct p4w_request r = {
		.msg = { P4W_VERSION, type[n->stage], 0, 0, htons(1), htonl(n->batch),
			 htonl(n->stage == ASK && n->batch > 1 ? P4W_REQ_DONE : code[n->stage]) },
		.duration_us = htonl(20000), .min_blocks = htons(1), .want_blocks = htons(1),
		.flows = htonl(1),
	};
	size_t len = n->stage == ASK ? sizeof(r) : sizeof(r.msg);

	r.msg.length = htons(len);
	n->waits = true;
	p4d_engine_message(play.e, ++play.now, tenant, &who, &r, len);
}

static void obey(void)
{
	static const uint64_t seen[P4W_MAX_BLOCKS];

	while (play.orders) {
		struct p4d_out *o = play.orders;

		play.orders = o->link;
		if (o->kind == P4D_OUT_GIVE)
			p4d_engine_given(play.e, play.now, o->give.action);
		else if (o->kind == P4D_OUT_TAKE)
			p4d_engine_taken(play.e, play.now, o->take.action, NULL);
		else
			p4d_engine_counted(play.e, play.now, &o->count, seen);
		free(o);
	}
}

static void commit(void)
{
	struct p4d_out *o, **last = &play.orders;
	char err[256];

	if (p4d_store_save(play.st, play.e, err, sizeof(err)))
		fail(err);
	play.commits++;
	while ((o = p4d_engine_pop(play.e))) {
		if (o->kind == P4D_OUT_REPLY) {
			answered(o);
			free(o);
		} else {
			o->link = NULL;
			*last = o;
			last = &o->link;
		}
	}
}

static void run(const char *path, unsigned int together, double least)
{
	static const uint64_t none[P4W_MAX_BLOCKS];
	const struct p4d_switch_info info = { { 20, 256, 65536, 0 }, 1, none, none };
	char err[256], name[32];
	uint64_t from, ns;
	uint32_t next = 0;

	play.now = 1;
	play.answers = play.commits = 0;
	play.e = p4d_engine_create(1);
	if (p4d_store_open(&play.st, path, err, sizeof(err)) ||
	    p4d_store_load(play.st, play.e, err, sizeof(err)))
		fail(err);
	for (uint32_t t = 1; t <= TENANTS; t++) {
		struct p4d_tenant_conf conf = { t, "t", 100, 0, 256 };

		p4d_engine_tenant(play.e, 1, &conf);
		play.node[t] = (struct node){ .batch = 1 };
	}
	p4d_engine_switch_up(play.e, 1, &info);
	from = bench_ns();
	do {
		unsigned int said = 0;

		obey();
		for (unsigned int i = 0; i < TENANTS && said < together; i++) {
			next = next % TENANTS + 1;
			if (play.node[next].waits)
				continue;
			say(next);
			said++;
		}
		commit();
		ns = bench_ns() - from;
	} while (play.answers < LEAST || ns < LEAST_NS);
	snprintf(name, sizeof(name), "commit-%u", together);
	if (least)
		bench_least(name, play.answers / (ns / 1e9), "/s", least);
	else
		bench_row(name, play.answers / (ns / 1e9), "/s");
	snprintf(name, sizeof(name), "commit-%u-each", together);
	bench_row(name, ns / 1e3 / play.commits, "us");
	while (play.orders) {
		struct p4d_out *o = play.orders;

		play.orders = o->link;
		free(o);
	}
	p4d_store_close(play.st);
	p4d_engine_destroy(play.e);
	unlink(path);
}

int main(void)
{
	static const unsigned int together[] = { 1, 8, 64 };
	char path[256];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/bench-commit.%d", getenv("TMPDIR") ?: "/tmp",
			 getpid());
		run(path, together[i], together[i] == 64 ? 10000 : 0);
	}
	return 0;
}
