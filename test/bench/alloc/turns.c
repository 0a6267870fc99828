// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * turns.c - 64 tenants take turns on 32 blocks: the allocator itself, in virtual time.
 *
 * Each tenant works cold, then hot on one block, for a phase each, and so on. It declares the mean;
 * what it takes is drawn anew each time. The engine is told what a node's messages would tell it,
 * and a switch that carries out one order after the other. Everything that hands a block over is
 * charged: messages, fence and drain, give, fill and read-back. Compared with a pool without any
 * of that, in which nobody waits while a block is free, with the same draws.
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/p4allocd/engine.h"
#include "../../unit/allocd_exact.h"
#include "bench.h"

#define TENANTS 64
#define BLOCKS 32
#define PHASE_US 20000		/* 100,000 transactions at 5 million/s */
#define END_US 40000000
#define WARM_US 2000000		/* not counted */
#define MESSAGE_US 14		/* one way: half of `rpc100` */
#define TAKE_US 100		/* owner words to 0, and a drain: a command of the control socket */
#define GIVE_US 100
#define COUNT_US 20		/* one command, that waits for no packet */
#define FILL_US 150		/* 1,280 cells, 8 in a packet */
#define READ_US 150
#define WAITS_MAX (1 << 18)

enum noise { NONE, HALF, EXPONENTIAL };

enum event_kind { SAY, ANSWER, COLD_OVER, HOT_OVER, SWITCH_DONE };

struct event {
	uint64_t at, order;
	enum event_kind kind;
	uint32_t tenant;
	struct p4d_out *out;	/* ANSWER, SWITCH_DONE */
	uint8_t type;		/* SAY */
};

struct tenant {
	uint64_t seed;
	uint32_t batch;
	uint32_t declared_us;		/* for the hot phase */
	double longer;			/* what it takes, in parts of a phase */
	uint64_t cold_until, declared_start;
	uint64_t hot_from, hot_left;	/* hot_left: a fence came before the end */
	bool hot, was_fenced;
};

struct play {
	struct p4d_engine *e;
	uint64_t now, switch_free, order, last_rpc;
	struct event *heap;
	size_t n, room;
	struct tenant t[TENANTS + 1];
	enum noise noise;
	uint64_t used_us;		/* hot, after the warm-up */
	uint64_t *wait;			/* of all tenants but the first */
	size_t waits;
	double wait_sum;
	unsigned int fenced;
};

/* ----------------------------------------------------------------------------------- draws */

static double draw(uint64_t *seed, enum noise noise)
{
	double u = exact_uniform(seed);

	return noise == NONE ? 1 : noise == HALF ? 0.5 + u : -log(1 - u);
}

static uint64_t draw_us(struct tenant *t, enum noise noise)
{
	return 1 + PHASE_US * draw(&t->seed, noise);
}

/* ---------------------------------------------------------------------------------- events */

static bool is_earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct play *p, struct event e)
{
	size_t i = p->n++;

	if (p->n > p->room) {
		p->room = p->room ? 2 * p->room : 1024;
		p->heap = realloc(p->heap, p->room * sizeof(*p->heap));
	}
	e.order = p->order++;
	for (; i && is_earlier(&e, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = e;
}

static struct event pop(struct play *p)
{
	struct event first = p->heap[0], last = p->heap[--p->n];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < p->n; i = child) {
		child += child + 1 < p->n && is_earlier(&p->heap[child + 1], &p->heap[child]);
		if (!is_earlier(&p->heap[child], &last))
			break;
		p->heap[i] = p->heap[child];
	}
	p->heap[i] = last;
	return first;
}

/* ------------------------------------------------------------------- the engine and its world */

/* Answers go to the nodes, orders to the switch, which does one at a time. */
static void collect(struct play *p)
{
	struct p4d_out *o;

	while ((o = p4d_engine_pop(p->e))) {
		if (o->kind == P4D_OUT_REPLY) {
			push(p, (struct event){ .at = p->now + MESSAGE_US, .kind = ANSWER,
						.tenant = o->who.rpc >> 32, .out = o });
			continue;
		}
		if (p->switch_free < p->now)
			p->switch_free = p->now;
		p->switch_free += o->kind == P4D_OUT_GIVE ? GIVE_US :
				  o->kind == P4D_OUT_TAKE ? TAKE_US : COUNT_US;
		push(p, (struct event){ .at = p->switch_free, .kind = SWITCH_DONE, .out = o });
	}
}

static void say(struct play *p, uint32_t tenant, uint8_t type, uint64_t after)
{
	push(p, (struct event){ .at = p->now + after + MESSAGE_US, .kind = SAY, .tenant = tenant,
				.type = type });
}

static void transmit(struct play *p, uint32_t tenant, uint8_t type)
{
	struct p4d_who who = { .rpc = (uint64_t)tenant << 32 | (++p->last_rpc & 0xffffffff) };
	struct tenant *t = &p->t[tenant];
	bool request = type == P4W_REQUEST;
	struct p4w_request m = {
		.msg = { P4W_VERSION, type, htons(request ? sizeof(m) : sizeof(m.msg)), 0,
			 htons(1), htonl(t->batch),
			 htonl(request ? P4W_REQ_DONE * (t->batch > 1 && !t->was_fenced) :
			       type == P4W_SYNC ? P4W_PHASE_FILLED : 0) },
		.start_us = htonl(t->declared_start > p->now ? t->declared_start - p->now : 0),
		.duration_us = htonl(t->declared_us),
		.min_blocks = htons(1), .want_blocks = htons(1), .flows = htonl(1),
	};

	p4d_engine_message(p->e, p->now, tenant, &who, &m, ntohs(m.msg.length));
}

/* ----------------------------------------------------------------------------------- nodes */

/* Cold from now on: asks for the next turn at once, for when it thinks that it will be cold over. */
static void begin_cold(struct play *p, uint32_t tenant)
{
	struct tenant *t = &p->t[tenant];

	t->batch++;
	t->declared_start = p->now + PHASE_US;
	t->cold_until = p->now + draw_us(t, p->noise);
	t->hot_left = draw_us(t, p->noise) * t->longer;
	say(p, tenant, P4W_REQUEST, 0);
	push(p, (struct event){ .at = t->cold_until, .kind = COLD_OVER, .tenant = tenant });
}

static void count_hot(struct play *p, uint64_t from, uint64_t to)
{
	from = from > WARM_US ? from : WARM_US;
	to = to < END_US ? to : END_US;
	p->used_us += to > from ? to - from : 0;
}

static void count_wait(struct play *p, uint32_t tenant)
{
	struct tenant *t = &p->t[tenant];
	uint64_t due = t->cold_until > t->declared_start ? t->cold_until : t->declared_start;

	if (p->now < WARM_US || tenant == 1 || p->waits == WAITS_MAX)
		return;
	p->wait[p->waits] = p->now > due ? p->now - due : 0;
	p->wait_sum += p->wait[p->waits++];
}

static void granted(struct play *p, uint32_t tenant)
{
	struct tenant *t = &p->t[tenant];

	if (t->hot)
		return;
	count_wait(p, tenant);
	t->hot = true;
	t->was_fenced = false;
	t->hot_from = p->now + FILL_US;
	say(p, tenant, P4W_SYNC, FILL_US);
	push(p, (struct event){ .at = t->hot_from + t->hot_left, .kind = HOT_OVER,
				.tenant = tenant });
}

/* The lease ended. The library comes to know with the next transaction; so does the node here. */
static void fenced(struct play *p, uint32_t tenant, uint64_t at)
{
	struct tenant *t = &p->t[tenant];

	if (!t->hot)
		return;
	t->hot = false;
	t->was_fenced = true;
	p->fenced++;
	if (at < t->hot_from)
		at = t->hot_from;
	count_hot(p, t->hot_from, at);
	t->hot_left -= at - t->hot_from < t->hot_left ? at - t->hot_from : t->hot_left - 1;
	t->batch++;
	t->declared_start = t->cold_until = p->now;
	say(p, tenant, P4W_FETCH, 0);
}

static void answered(struct play *p, const struct event *e)
{
	const struct p4w_msg *m = (const void *)e->out->bytes;
	struct tenant *t = &p->t[e->tenant];

	if (ntohl(m->batch) != t->batch && m->type != P4W_ESCROW)
		return;
	if (m->type == P4W_GRANTED)
		granted(p, e->tenant);
	else if (m->type == P4W_ESCROW || m->type == P4W_WELCOME)
		say(p, e->tenant, P4W_REQUEST, 0);
	else if (m->type == P4W_RESERVED && p->now >= t->cold_until)
		say(p, e->tenant, P4W_WAIT, 0);
}

static void happen(struct play *p, const struct event *e)
{
	static const uint64_t seen[P4W_MAX_BLOCKS];
	struct tenant *t = &p->t[e->tenant];

	switch (e->kind) {
	case SAY:
		transmit(p, e->tenant, e->type);
		break;
	case ANSWER:
		answered(p, e);
		break;
	case COLD_OVER:
		say(p, e->tenant, P4W_WAIT, 0);
		break;
	case HOT_OVER:
		if (!t->hot || p->now != t->hot_from + t->hot_left)
			break;
		count_hot(p, t->hot_from, p->now);
		t->hot = false;
		p->now += READ_US;
		begin_cold(p, e->tenant);
		p->now -= READ_US;
		break;
	case SWITCH_DONE:
		if (e->out->kind == P4D_OUT_GIVE) {
			p4d_engine_given(p->e, p->now, e->out->give.action);
			break;
		}
		if (e->out->kind == P4D_OUT_COUNT) {
			p4d_engine_counted(p->e, p->now, &e->out->count, seen);
			break;
		}
		for (uint32_t i = 1; i <= TENANTS; i++) {
			struct p4d_tenant *r = p4d_engine_tenant_record(p->e, i);

			if (r->cur && r->cur->action == e->out->take.action &&
			    r->cur->end == P4D_END_EXPIRED)
				fenced(p, i, p->now - TAKE_US);
		}
		p4d_engine_taken(p->e, p->now, e->out->take.action, NULL);
		break;
	}
	free(e->out);
}

/* ------------------------------------------------------------------------------------ plays */

static void start(struct play *p)
{
	static const uint64_t none[P4W_MAX_BLOCKS];
	const struct p4d_switch_info info = { { 20, BLOCKS, 4096, 0 }, 1, none, none };

	p->now = 1;
	p->e = p4d_engine_create(p->now);
	p->wait = bench_alloc(WAITS_MAX, sizeof(*p->wait));
	for (uint32_t i = 1; i <= TENANTS; i++) {
		struct p4d_tenant_conf conf = { i, "t", 100, 0, BLOCKS };

		p4d_engine_tenant(p->e, p->now, &conf);
		p->t[i].seed = i * 7919;
		p->t[i].declared_us = PHASE_US;
		p->t[i].longer = 1;
	}
	p4d_engine_switch_up(p->e, p->now, &info);
}

static void run(struct play *p)
{
	for (uint32_t i = 1; i <= TENANTS; i++) {
		p->now = 1 + i * PHASE_US * 2 / TENANTS;
		begin_cold(p, i);
	}
	p->now = 1;
	for (;;) {
		uint64_t tick = p4d_engine_deadline(p->e);

		if (tick < p->heap[0].at) {
			p->now = tick;
			p4d_engine_tick(p->e, p->now);
		} else {
			struct event e = pop(p);

			p->now = e.at;
			happen(p, &e);
		}
		if (p->now >= END_US)
			break;
		collect(p);
	}
	for (uint32_t i = 1; i <= TENANTS; i++)
		if (p->t[i].hot)
			count_hot(p, p->t[i].hot_from, END_US);
}

static void stop(struct play *p)
{
	while (p->n)
		free(pop(p).out);
	free(p->heap);
	free(p->wait);
	p4d_engine_destroy(p->e);
}

/* The pool: the same draws, first come first served, nothing takes time but work. */
static double pool(enum noise noise)
{
	struct play p = { .noise = noise };
	uint32_t queue[TENANTS + 1], waiting = 0, blocks = BLOCKS;

	for (uint32_t i = 1; i <= TENANTS; i++) {
		p.t[i].seed = i * 7919;
		p.t[i].cold_until = 1 + i * PHASE_US * 2 / TENANTS + draw_us(&p.t[i], noise);
		p.t[i].hot_left = draw_us(&p.t[i], noise);
		push(&p, (struct event){ .at = p.t[i].cold_until, .kind = COLD_OVER, .tenant = i });
	}
	while (p.heap[0].at < END_US) {
		struct event e = pop(&p);
		struct tenant *t = &p.t[e.tenant];

		p.now = e.at;
		if (e.kind == COLD_OVER) {
			queue[waiting++] = e.tenant;
		} else {
			count_hot(&p, t->hot_from, p.now);
			blocks++;
			t->cold_until = p.now + draw_us(t, noise);
			t->hot_left = draw_us(t, noise);
			t->hot = false;
			push(&p, (struct event){ .at = t->cold_until, .kind = COLD_OVER,
						 .tenant = e.tenant });
		}
		if (!blocks || !waiting)
			continue;
		t = &p.t[queue[0]];
		t->hot_from = p.now;
		t->hot = true;
		blocks--;
		push(&p, (struct event){ .at = p.now + t->hot_left, .kind = HOT_OVER,
					 .tenant = queue[0] });
		memmove(queue, queue + 1, --waiting * sizeof(*queue));
	}
	for (uint32_t i = 1; i <= TENANTS; i++)
		if (p.t[i].hot)
			count_hot(&p, p.t[i].hot_from, END_US);
	free(p.heap);
	return (double)p.used_us / BLOCKS / (END_US - WARM_US);
}

static void row(const char *name, enum noise noise, double limit)
{
	struct play p = { .noise = noise };
	double bound = pool(noise);
	char text[4][48];

	start(&p);
	run(&p);
	snprintf(text[0], sizeof(text[0]), "turns-%s", name);
	snprintf(text[1], sizeof(text[1]), "turns-%s-bound", name);
	snprintf(text[2], sizeof(text[2]), "turns-%s-wait-p99", name);
	snprintf(text[3], sizeof(text[3]), "turns-%s-fenced", name);
	bench_row(text[1], bound, "utilisation");
	bench_least(text[0], p.used_us / (double)BLOCKS / (END_US - WARM_US) / bound, "of_bound",
		    limit);
	bench_most(text[2], bench_quantile(p.wait, p.waits, 0.99) / (double)PHASE_US, "phases", 1);
	bench_row(text[3], p.fenced, "batches");
	stop(&p);
}

/* Mean wait of the others when the first tenant is not what it says. */
static double wait_beside(uint32_t declared_us, double longer)
{
	struct play p = { .noise = HALF };
	double mean;

	start(&p);
	p.t[1].declared_us = declared_us;
	p.t[1].longer = longer;
	run(&p);
	mean = p.wait_sum / p.waits;
	stop(&p);
	return mean;
}

int main(void)
{
	double honest = wait_beside(PHASE_US, 1);

	row("exact", NONE, 0.97);
	row("half", HALF, 0.97);
	row("exponential", EXPONENTIAL, 0.95);
	bench_row("turns-wait-mean", honest / PHASE_US, "phases");
	bench_most("turns-wait-beside-20x-short", fabs(wait_beside(PHASE_US / 20, 1) / honest - 1),
		   "change", 0.05);
	bench_most("turns-wait-beside-20x-long", wait_beside(PHASE_US, 20) / honest - 1, "change",
		   0.05);
	return 0;
}
