// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ideal.c - see ideal.h. Owns the simulation, by events: a packet has been sent, or the last one of a request
 * or a response is at its host.
 *
 * A message is four flows of packets, one a link: the request on its sender's link and at the port of its
 * receiver, then the response likewise. A packet arrives as a whole. Times are ps in doubles, which
 * are exact for hours.
 */
#include <stdlib.h>

#include "heap.h"
#include "hosts.h"
#include "ideal.h"
#include "workload.h"

#define DELAY_PS	(DELAY_NS * 1e3)

enum { REQUEST_UP, REQUEST_DOWN, RESPONSE_UP, RESPONSE_DOWN, FLOWS };

struct event {
	void (*happens)(struct ideal *i, struct event *e, uint64_t serial);
};

struct flow {
	struct event is_over;		/* the last packet is at its host */
	struct busy *message;
	struct link *link;
	uint32_t at_hand;		/* packets that are here, with the one that is being sent */
	uint32_t to_come;
	double left_ps;			/* that all packets not sent yet take */
	double begun_ps;		/* of them, what is sent of the first */
};

/* A message under way. */
struct busy {
	struct arrival arrival;
	double began_ps, alone_ps;
	uint64_t serial;
	struct flow flow[FLOWS];
};

struct link {
	struct event sent;		/* the packet that is being sent */
	struct flow *sending;
	double since_ps;
	uint64_t serial;		/* of that event; what an interrupted packet left has another */
	struct heap waiting;		/* flows */
};

struct ideal {
	struct ideal_options o;
	double now_ps;
	uint64_t serial;
	struct heap events;
	struct link up[HOSTS_MAX], down[HOSTS_MAX];
};

static void push(struct heap *h, double key, uint64_t serial, void *value)
{
	if (heap_push(h, key, serial, value))
		die("ideal");
}

static double wire_ps(uint32_t bytes, uint32_t rate_mbps)
{
	return wire_bytes(bytes) * 8e6 / rate_mbps;
}

static double alone_ps(uint32_t bytes, uint32_t rate_mbps)
{
	/* The switch sends a packet while the next one comes: one that is full takes the longest. */
	return wire_ps(bytes, rate_mbps) + wire_ps(bytes < SEGMENT ? bytes : SEGMENT, rate_mbps) +
	       2 * wire_ps(RESPONSE_BYTES, rate_mbps) + 2 * DELAY_PS;
}

double ideal_alone_ns(uint32_t bytes, uint32_t rate_mbps)
{
	return alone_ps(bytes, rate_mbps) / 1e3;
}

/* ------------------------------------------------------------------ links */

static double first_packet_ps(const struct ideal *i, const struct flow *f)
{
	return f->at_hand + f->to_come > 1 ? wire_ps(SEGMENT, i->o.rate_mbps) : f->left_ps;
}

static double rank(const struct flow *f, double sent_ps)
{
	return (f->left_ps - f->begun_ps - sent_ps) * f->message->alone_ps;
}

static void start(struct ideal *i, struct link *l, struct flow *f)
{
	l->sending = f;
	l->since_ps = i->now_ps;
	l->serial = ++i->serial;
	push(&i->events, i->now_ps + first_packet_ps(i, f) - f->begun_ps, l->serial, &l->sent);
}

static void start_best(struct ideal *i, struct link *l)
{
	struct heap_entry best;

	l->sending = NULL;
	if (heap_pop(&l->waiting, &best))
		start(i, l, best.value);
}

static void wait_for_link(struct flow *f)
{
	push(&f->link->waiting, rank(f, 0), f->message->serial, f);
}

static void interrupt(struct ideal *i, struct link *l)
{
	struct flow *f = l->sending;

	f->begun_ps += i->now_ps - l->since_ps;
	wait_for_link(f);
}

static void packet_is_here(struct ideal *i, struct flow *f)
{
	struct link *l = f->link;

	f->to_come--;
	if (f->at_hand++)
		return;		/* it waits already, or is being sent */
	if (l->sending && i->o.preemptive &&
	    rank(f, 0) < rank(l->sending, i->now_ps - l->since_ps)) {
		interrupt(i, l);
		start(i, l, f);
		return;
	}
	wait_for_link(f);
	if (!l->sending)
		start_best(i, l);
}

static void packet_is_sent(struct ideal *i, struct event *e, uint64_t serial)
{
	struct link *l = (struct link *)e;
	struct flow *f = l->sending;

	if (!f || serial != l->serial)
		return;		/* it was interrupted */
	f->left_ps -= first_packet_ps(i, f);
	f->begun_ps = 0;
	f->at_hand--;
	if (f->at_hand)
		wait_for_link(f);
	start_best(i, l);
	if (f == &f->message->flow[REQUEST_UP] || f == &f->message->flow[RESPONSE_UP])
		packet_is_here(i, f + 1);
	else if (!f->at_hand && !f->to_come)
		push(&i->events, i->now_ps + DELAY_PS, ++i->serial, &f->is_over);
}

/* ------------------------------------------------------------------ messages */

static void request_is_here(struct ideal *i, struct event *e, uint64_t serial)
{
	packet_is_here(i, &((struct flow *)e)->message->flow[RESPONSE_UP]);
}

static void response_is_here(struct ideal *i, struct event *e, uint64_t serial)
{
	struct busy *m = ((struct flow *)e)->message;

	i->o.done(i->o.context, &m->arrival, m->began_ps / 1e3, (i->now_ps - m->began_ps) / 1e3);
	free(m);
}

static void lay(const struct ideal *i, struct flow *f, struct busy *m, struct link *l, uint32_t bytes)
{
	f->message = m;
	f->link = l;
	f->to_come = (bytes + SEGMENT - 1) / SEGMENT;
	f->left_ps = wire_ps(bytes, i->o.rate_mbps);
}

void ideal_begin(struct ideal *i, const struct arrival *a, uint64_t at)
{
	struct busy *m = calloc(1, sizeof(*m));

	if (!m)
		die("ideal");
	ideal_run(i, at);
	m->arrival = *a;
	m->began_ps = i->now_ps;
	m->alone_ps = alone_ps(a->bytes, i->o.rate_mbps);
	m->serial = ++i->serial;
	lay(i, &m->flow[REQUEST_UP], m, &i->up[a->from], a->bytes);
	lay(i, &m->flow[REQUEST_DOWN], m, &i->down[a->to], a->bytes);
	lay(i, &m->flow[RESPONSE_UP], m, &i->up[a->to], RESPONSE_BYTES);
	lay(i, &m->flow[RESPONSE_DOWN], m, &i->down[a->from], RESPONSE_BYTES);
	m->flow[REQUEST_DOWN].is_over.happens = request_is_here;
	m->flow[RESPONSE_DOWN].is_over.happens = response_is_here;
	while (m->flow[REQUEST_UP].to_come)
		packet_is_here(i, &m->flow[REQUEST_UP]);
}

void ideal_run(struct ideal *i, uint64_t until)
{
	struct heap_entry next;

	while (i->events.nr && i->events.entry[0].key <= until * 1e3) {
		heap_pop(&i->events, &next);
		i->now_ps = next.key;
		((struct event *)next.value)->happens(i, next.value, next.serial);
	}
	i->now_ps = until * 1e3;
}

struct ideal *ideal_create(const struct ideal_options *o)
{
	struct ideal *i = calloc(1, sizeof(*i));
	int k;

	if (!i)
		die("ideal");
	i->o = *o;
	for (k = 0; k < o->hosts; k++)
		i->up[k].sent.happens = i->down[k].sent.happens = packet_is_sent;
	return i;
}

void ideal_destroy(struct ideal *i)
{
	int k;

	for (k = 0; k < i->o.hosts; k++) {
		heap_free(&i->up[k].waiting);
		heap_free(&i->down[k].waiting);
	}
	heap_free(&i->events);
	free(i);
}
