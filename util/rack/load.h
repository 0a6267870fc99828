/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - messages, the transports that carry them, and what can be measured with both.
 *
 * One process and one thread drive all hosts: in virtual time computing costs nothing, so nobody
 * waits for it, and each switch between processes costs wall time.
 */
#ifndef RACK_LOAD_H
#define RACK_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hosts.h"

#define MESSAGE_MAX	1000000		/* bytes */

struct stream;

/* A request on its way, until its response is here. */
struct message {
	struct stream *stream;
	struct message *next;		/* free for the transport meanwhile */
	struct message *newer, *older;	/* of the counted ones under way */
	uint64_t began;			/* ns */
	uint32_t bytes;
	uint8_t from, to;		/* hosts */
	uint8_t decile;			/* of the distribution that its size was drawn from */
	uint8_t is_counted;		/* it began in the measured interval */
};

struct transport {
	const char *name;
	/* In each host's namespace; `spare`: connections between two hosts, for who has some. Ends
	 * the program if it cannot.
	 */
	void (*open)(int hosts, int spare);
	void (*send)(struct message *m);	/* now, or as soon as the kernel takes it */
	void (*mark)(void);		/* the measured interval begins; may be NULL */
	void (*report)(FILE *to);	/* what it did beside sending, since then or ever */
};

extern const struct transport homa_transport;
extern const struct transport tcp_transport;
extern const struct transport dctcp_transport;

/* The response is here. The message is gone afterwards. */
void message_done(struct message *m);

/* Who is told of that, before it goes. */
extern void (*when_done)(struct message *m);

struct message *new_message(struct stream *s, int from, int to, uint32_t bytes);

/* MESSAGE_MAX bytes to send. */
extern char message_bytes[];

/* ---- idle.c: prints how long messages take that are alone */

void measure_idle(const struct transport *t, int hosts);

/* ---- load.c: how long they take beside others, see p4load(1) */

#define STREAMS_MAX	2

struct workload;

struct load_options {
	int hosts;
	uint32_t rate_mbps;
	const struct workload *workload;
	const char *reference;
	bool incast;
	double seconds, warmup;
	uint64_t seed, backlog_max;
	double load;			/* of measure_ideal: share of a link */
	int nr_streams;
	struct {
		const struct transport *transport;
		double load;		/* share of a link */
	} stream[STREAMS_MAX];
};

/* -1: the reference cannot be used. */
int measure_load(const struct load_options *o);

/* ---- ideal_load.c: how long they would take if links knew everything, see ideal.h */

/* Without a reference, slowdown is by the time alone in this rack. -1: it cannot be used. */
int measure_ideal(const struct load_options *o);

#endif /* RACK_LOAD_H */
