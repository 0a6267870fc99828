// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fair.c - what a tenant has in the long run, and what it gains by overstating its histogram.
 *
 * 16 tenants on 64 blocks, all wanting 32, cold and hot in turn for a phase each (+-50 %); Zipf
 * exponents from 0.7 to 1.2; every other one gains only if all of 8 accesses are there. The
 * allocator itself, in virtual time, with a switch that obeys at once and counts what the true
 * histogram and chance make of 20,000 accesses a millisecond. What a batch is worth is reckoned from
 * the true histogram, whatever was declared.
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
#define PER_US 20		/* accesses, wherever they go */
#define END_US 30000000
#define SHORT_US 1000000
#define SEEDS 16

struct tenant {
	uint16_t hist[P4W_MAX_BLOCKS];		/* true */
	uint16_t declared[P4W_MAX_BLOCKS];
	struct p4d_curve curve;			/* true */
	uint16_t together;
	uint16_t claimed_together;
	uint64_t chance;			/* of its counts */
	uint64_t seed, at;			/* of what comes next */
	uint32_t batch;
	bool hot, waits;
	uint64_t counted_at;
	double worth;
};

/*
 * What one tenant says of its blocks: the first one, which gains by each access; APART: the second one, whose
 * transactions gain only if all of 8 are there, and which says the same of itself as the first.
 */
enum lie { HONEST, INFLATED, FLAT, INFLATED_FLAT, FLATTER, TOGETHER, PAIR, APART, LIES };

struct play {
	struct p4d_engine *e;
	uint64_t now;
	bool checks;		/* the switch counts */
	struct tenant t[TENANTS + 1];
};

static uint32_t liar(enum lie lie)
{
	return lie == APART ? 2 : 1;
}

static uint64_t phase(struct tenant *t)
{
	return PHASE_US * (0.5 + exact_uniform(&t->seed));
}

static double normal(uint64_t *seed)
{
	return sqrt(-2 * log(1 - exact_uniform(seed))) * cos(2 * M_PI * exact_uniform(seed));
}

/* Of transactions that need several accesses only those that have them all are in the switch. */
static void count(struct play *p, const struct p4d_count *c)
{
	uint32_t held = p4d_blocks_count(&c->blocks);
	struct tenant *t = &p->t[c->tenant];
	double all = (double)(p->now - t->counted_at) * PER_US, sum = 0;
	uint64_t seen[P4W_MAX_BLOCKS];

	t->counted_at = p->now;
	for (uint32_t b = 0; b < held; b++)
		sum += t->hist[b];
	all *= (double)t->curve.value[held] / P4D_CURVE_ONE;
	for (uint32_t b = 0; b < held; b++) {
		double mean = all * t->hist[b] / sum;

		seen[b] = fmax(0, round(mean + sqrt(mean) * normal(&t->chance)));
	}
	if (p->checks)
		p4d_engine_counted(p->e, p->now, c, seen);
}

static void transmit(struct play *p, uint32_t id, uint8_t type, uint32_t code)
{
	uint8_t bytes[sizeof(struct p4w_request) + 2 * WANT];
	struct p4d_who who = { .rpc = id };
	struct tenant *t = &p->t[id];
	size_t len = type == P4W_REQUEST ? sizeof(bytes) : sizeof(struct p4w_msg);
	struct p4w_request r = {
		.msg = { P4W_VERSION, type, htons(len), 0, htons(1), htonl(t->batch),
			 htonl(code) },
		.start_us = htonl(PHASE_US), .duration_us = htonl(PHASE_US), .min_blocks = htons(1),
		.want_blocks = htons(WANT), .flows = htonl(1), .nr_hist = htons(WANT),
		.together = htons(t->claimed_together),
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
	transmit(p, id, P4W_SYNC, P4W_PHASE_FILLED);
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
		else if (o->kind == P4D_OUT_COUNT)
			count(p, &o->count);
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
		if (t->batch)
			transmit(p, id, P4W_SYNC, P4W_PHASE_RAN);
		collect(p);
		t->batch++;
		t->at = p->now + phase(t);
		transmit(p, id, P4W_REQUEST, t->batch > 1 ? P4W_REQ_DONE : 0);
	} else {
		t->waits = true;
		transmit(p, id, P4W_WAIT, 0);
	}
	collect(p);
}

static uint16_t claim(const struct tenant *t, int b, enum lie lie)
{
	double truth = t->hist[b], top = t->hist[0], said = truth;

	switch (lie) {
	case INFLATED:
		said = 10 * truth;
		break;
	case FLAT:
		said = top;
		break;
	case INFLATED_FLAT:
		said = 10 * top;
		break;
	case FLATTER:
		said = sqrt(truth * top);
		break;
	default:
		break;
	}
	return fmin(round(said), UINT16_MAX);
}

static struct play *run(enum lie lie, bool checks, uint64_t seed, uint64_t end)
{
	static const uint16_t together[LIES] = { [TOGETHER] = 8, [PAIR] = 2, [APART] = 1 };
	static const uint64_t none[P4W_MAX_BLOCKS];
	const struct p4d_switch_info info = { { 20, BLOCKS, 4096, 0 }, 1, none, none };
	struct play *p = bench_alloc(1, sizeof(*p));

	p->now = 1;
	p->checks = checks;
	p->e = p4d_engine_create(p->now);
	p4d_engine_switch_up(p->e, p->now, &info);
	for (uint32_t i = 1; i <= TENANTS; i++) {
		struct p4d_tenant_conf conf = { i, "t", 100, 0, BLOCKS };
		struct tenant *t = &p->t[i];

		p4d_engine_tenant(p->e, p->now, &conf);
		t->seed = seed * TENANTS + i;
		t->chance = 1000 + i;
		t->together = i % 2 ? 1 : 8;
		t->claimed_together = i == liar(lie) && together[lie] ? together[lie] : t->together;
		exact_zipf(t->hist, 0.7 + 0.5 * i / TENANTS, 1e6, 1280);
		p4d_curve_make(&t->curve, t->hist, P4W_MAX_BLOCKS, P4D_CURVE_ALL, t->together);
		for (int b = 0; b < WANT; b++)
			t->declared[b] = claim(t, b, i == liar(lie) ? lie : HONEST);
		t->hot = true;
		t->at = p->now + i * PHASE_US / TENANTS;
	}
	for (uint32_t id = next_one(p); p->t[id].at < end; id = next_one(p)) {
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

/* What a tenant has that stays for a second, over some plays: credits don't tell by then. */
static double short_worth(uint32_t who, enum lie lie, bool checks)
{
	double worth = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct play *p = run(lie, checks, seed, SHORT_US);

		worth += p->t[who].worth;
		stop(p);
	}
	return worth;
}

static double short_gain(enum lie lie, bool checks)
{
	return short_worth(liar(lie), lie, checks) / short_worth(liar(lie), HONEST, checks) - 1;
}

static void short_rows(void)
{
	bench_most("fair-short-inflated-gain", short_gain(INFLATED, true), "of_worth", 0.01);
	bench_most("fair-short-flat-gain", short_gain(FLAT, true), "of_worth", 0.01);
	bench_most("fair-short-flatter-gain", short_gain(FLATTER, true), "of_worth", 0.01);
	bench_row("fair-short-flatter-unchecked", short_gain(FLATTER, false), "of_worth");
	bench_most("fair-short-together-gain", short_gain(TOGETHER, true), "of_worth", 0.01);
	bench_most("fair-short-pair-gain", short_gain(PAIR, true), "of_worth", 0.03);
	bench_most("fair-short-apart-gain", short_gain(APART, true), "of_worth", 0.01);
}

int main(void)
{
	static const char *const name[LIES] = {
		[INFLATED] = "inflated", [FLAT] = "flat-tail",
		[INFLATED_FLAT] = "inflated-tail", [FLATTER] = "flatter",
		[TOGETHER] = "together", [PAIR] = "pair", [APART] = "apart",
	};
	struct play *honest = run(HONEST, true, 0, END_US);
	struct play *unchecked = run(HONEST, false, 0, END_US);
	double worth[] = { 0, honest->t[1].worth, honest->t[2].worth }, least = 1;

	for (uint32_t i = 1; i <= TENANTS; i++)
		least = fmin(least, honest->t[i].worth / unchecked->t[i].worth);
	bench_least("fair-jain", jain(honest), "index", 0.99);
	bench_least("fair-honest-checked", least, "of_unchecked", 0.999);
	stop(honest);
	stop(unchecked);
	for (enum lie lie = INFLATED; lie < LIES; lie++) {
		struct play *p = run(lie, true, 0, END_US);
		char text[64];

		snprintf(text, sizeof(text), "fair-%s-gain", name[lie]);
		bench_most(text, p->t[liar(lie)].worth / worth[liar(lie)] - 1, "of_worth", 0.01);
		if (lie == INFLATED)
			bench_least("fair-jain-beside-inflated", jain(p), "index", 0.99);
		stop(p);
	}
	short_rows();
	return 0;
}
