// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fair.c - what a tenant has in the long run, and what it gains by overstating its histogram.
 *
 * 16 tenants on 64 blocks, all wanting 32, cold and hot in turn for a phase each (+-50 %); Zipf
 * exponents from 0.7 to 1.2; every other one gains only if all of 8 accesses are there. The
 * allocator itself, in virtual time, with a switch that obeys at once. What a batch is worth is
 * reckoned from the true histogram, whatever was declared.
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/p4allocd/engine.h"
#include "../../unit/allocd_exact.h"
#include "bench.h"

#define TENANTS 16
#define BLOCKS 64
#define WANT 32
#define PHASE_US 20000
#define END_US 60000000

struct tenant {
	uint16_t hist[P4W_MAX_BLOCKS];		/* true */
	uint16_t declared[P4W_MAX_BLOCKS];
	struct p4d_curve curve;			/* true */
	uint16_t together;
	uint64_t seed, at;			/* of what comes next */
	uint32_t batch;
	bool hot, waits;
	double worth;
};

struct play {
	struct p4d_engine *e;
	uint64_t now;
	struct tenant t[TENANTS + 1];
};

static uint64_t phase(struct tenant *t)
{
	return PHASE_US * (0.5 + exact_uniform(&t->seed));
}

static void transmit(struct play *p, uint32_t id, uint8_t type)
{
	uint8_t bytes[sizeof(struct p4w_request) + 2 * WANT];
	struct p4d_who who = { .rpc = id };
	struct tenant *t = &p->t[id];
	size_t len = type == P4W_REQUEST ? sizeof(bytes) : sizeof(struct p4w_msg);
	struct p4w_request r = {
		.msg = { P4W_VERSION, type, htons(len), 0, htons(1), htonl(t->batch),
			 htonl(type == P4W_REQUEST && t->batch > 1 ? P4W_REQ_DONE : 0) },
		.start_us = htonl(PHASE_US), .duration_us = htonl(PHASE_US), .min_blocks = htons(1),
		.want_blocks = htons(WANT), .flows = htonl(1), .nr_hist = htons(WANT),
		.together = htons(t->together),
	};

	memcpy(bytes, &r, sizeof(r));
	for (int b = 0; b < WANT; b++) {
		uint16_t share = htons(t->declared[b]);

		memcpy(bytes + sizeof(r) + 2 * b, &share, sizeof(share));
	}
	p4d_engine_message(p->e, p->now, id, &who, bytes, len);
}

static void granted(struct play *p, uint32_t id, const struct p4w_granted *g)
{
	struct tenant *t = &p->t[id];
	uint64_t hot = phase(t);

	t->waits = false;
	t->hot = true;
	t->at = p->now + hot;
	t->worth += (double)t->curve.value[ntohs(g->nr_blocks)] / P4D_CURVE_ONE * hot;
}

static void collect(struct play *p)
{
	struct p4d_out *o;

	while ((o = p4d_engine_pop(p->e))) {
		const struct p4w_msg *m = (const void *)o->bytes;

		if (o->kind == P4D_OUT_GIVE)
			p4d_engine_given(p->e, p->now, o->give.action);
		else if (o->kind == P4D_OUT_TAKE)
			p4d_engine_taken(p->e, p->now, o->take.action, NULL);
		else if (m->type == P4W_GRANTED)
			granted(p, o->who.rpc, (const void *)m);
		free(o);
	}
}

static uint32_t next_one(const struct play *p)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i <= TENANTS; i++)
		if (!p->t[i].waits && (!first || p->t[i].at < p->t[first].at))
			first = i;
	return first;
}

static void step(struct play *p, uint32_t id)
{
	struct tenant *t = &p->t[id];

	if (t->hot) {
		t->hot = false;
		t->batch++;
		t->at = p->now + phase(t);
		transmit(p, id, P4W_REQUEST);
	} else {
		t->waits = true;
		transmit(p, id, P4W_WAIT);
	}
	collect(p);
}

/* inflated: the first tenant says that it has so many times the accesses, in each block. */
static struct play *run(uint32_t inflated, bool tail)
{
	static const uint64_t none[P4W_MAX_BLOCKS];
	const struct p4d_switch_info info = { { 20, BLOCKS, 4096 }, 1, none, none };
	struct play *p = bench_alloc(1, sizeof(*p));

	p->now = 1;
	p->e = p4d_engine_create(p->now);
	p4d_engine_switch_up(p->e, p->now, &info);
	for (uint32_t i = 1; i <= TENANTS; i++) {
		struct p4d_tenant_conf conf = { i, "t", 100, 0, BLOCKS };
		struct tenant *t = &p->t[i];

		p4d_engine_tenant(p->e, p->now, &conf);
		t->seed = i;
		t->together = i % 2 ? 1 : 8;
		exact_zipf(t->hist, 0.7 + 0.5 * i / TENANTS, 1e6, 1280);
		p4d_curve_make(&t->curve, t->hist, P4W_MAX_BLOCKS, P4D_CURVE_ALL, t->together);
		memcpy(t->declared, t->hist, sizeof(t->hist));
		for (int b = 0; b < WANT && i == 1; b++) {
			uint32_t share = inflated * t->hist[tail ? 0 : b];

			t->declared[b] = share < UINT16_MAX ? share : UINT16_MAX;
		}
		t->hot = true;
		t->at = p->now + i * PHASE_US / TENANTS;
	}
	for (uint32_t id = next_one(p); p->t[id].at < END_US; id = next_one(p)) {
		p->now = p->t[id].at;
		step(p, id);
	}
	return p;
}

static void stop(struct play *p)
{
	p4d_engine_destroy(p->e);
	free(p);
}

/* Jain's index of what each had of what it was due. */
static double jain(struct play *p)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 1; i <= TENANTS; i++) {
		const struct p4d_account *a = &p4d_engine_tenant_record(p->e, i)->account;
		double x = (double)a->had / a->due;

		sum += x;
		squares += x * x;
	}
	return sum * sum / TENANTS / squares;
}

int main(void)
{
	struct play *honest = run(1, false), *more = run(10, false), *flat = run(1, true);
	struct play *both = run(10, true);
	double worth = honest->t[1].worth;

	bench_least("fair-jain", jain(honest), "index", 0.99);
	bench_most("fair-inflated-gain", more->t[1].worth / worth - 1, "of_worth", 0.01);
	bench_most("fair-flat-tail-gain", flat->t[1].worth / worth - 1, "of_worth", 0.01);
	bench_most("fair-inflated-tail-gain", both->t[1].worth / worth - 1, "of_worth", 0.01);
	bench_least("fair-jain-beside-inflated", jain(more), "index", 0.99);
	stop(honest);
	stop(more);
	stop(flat);
	stop(both);
	return 0;
}
