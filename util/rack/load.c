// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load.c - messages at a given load, and how long they take.
 *
 * Open loop: messages begin when a Poisson process says so, whatever became of earlier ones. A
 * message is a request of the drawn size and a response of RESPONSE_BYTES; its time ends when the
 * response is here. The same seed gives each transport the same messages at the same times.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrivals.h"
#include "backlog.h"
#include "load.h"
#include "ports.h"
#include "quantile.h"
#include "reference.h"
#include "workload.h"

#define GRACE_NS	500000000ul	/* at most, for messages that began in time */
#define STEPS		100		/* of the measured interval: looks at the backlog */
#define PORTS_FILE	"/sys/kernel/debug/rackport"

/* Messages of one transport. */
struct stream {
	const struct transport *transport;
	struct arrivals arrivals;
	uint64_t out;			/* counted ones under way */
	struct message *newest;		/* of them */
	uint64_t out_bytes;		/* of all that are under way */
	uint64_t begun_bytes;
	uint64_t begun_before;		/* the measured interval */
	uint64_t begun_meanwhile;	/* in it */
	struct backlog backlog;		/* in it, by steps */
	uint64_t unfinished;
	struct quantiles all, decile[WORKLOAD_DECILES];
};

static const struct load_options *opt;
static struct stream streams[STREAMS_MAX];
static int nr_streams;
static struct reference reference;
static struct ports ports;
static uint64_t count_from, count_to;	/* the measured interval */
static bool overloaded;
void (*when_done)(struct message *m);
char message_bytes[MESSAGE_MAX];

struct message *new_message(struct stream *s, int from, int to, uint32_t bytes)
{
	struct message *m = malloc(sizeof(*m));

	if (!m)
		die("message");
	*m = (struct message){ .stream = s, .began = now, .bytes = bytes, .from = from, .to = to };
	return m;
}

void message_done(struct message *m)
{
	when_done(m);
	free(m);
}

static void add_counted(struct stream *s, struct message *m)
{
	m->older = s->newest;
	if (m->older)
		m->older->newer = m;
	s->newest = m;
	s->out++;
}

static void remove_counted(struct stream *s, struct message *m)
{
	if (m->newer)
		m->newer->older = m->older;
	else
		s->newest = m->older;
	if (m->older)
		m->older->newer = m->newer;
	s->out--;
}

static void begin_message(struct stream *s)
{
	struct arrival a = arrivals_take(&s->arrivals);
	struct message *m = new_message(s, a.from, a.to, a.bytes);

	m->decile = a.decile;
	m->is_counted = now >= count_from && now < count_to;
	if (m->is_counted)
		add_counted(s, m);
	s->out_bytes += m->bytes;
	s->begun_bytes += m->bytes;
	s->transport->send(m);
}

static void count(struct stream *s, const struct message *m)
{
	double slowdown = (now - m->began) / reference_ns(&reference, m->bytes);

	quantiles_add(&s->all, slowdown);
	quantiles_add(&s->decile[m->decile], slowdown);
}

static void loaded_is_done(struct message *m)
{
	struct stream *s = m->stream;

	s->out_bytes -= m->bytes;
	if (m->is_counted) {
		remove_counted(s, m);
		count(s, m);
	}
}

static void begin_what_is_due(void)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++)
		while (s->arrivals.next <= now) {
			begin_message(s);
			overloaded |= s->out_bytes > opt->backlog_max;
		}
}

static void load_until(uint64_t until)
{
	struct stream *s;

	while (now < until && !overloaded) {
		uint64_t next = until;

		for (s = streams; s < streams + nr_streams; s++)
			if (s->arrivals.next < next)
				next = s->arrivals.next;
		wait_until(next);
		begin_what_is_due();
	}
}

/* They have taken so long already, and would take longer. */
static void count_unfinished(struct stream *s)
{
	const struct message *m;

	s->unfinished = s->out;
	for (m = s->newest; m; m = m->older)
		count(s, m);
}

static bool all_counted_are_done(void)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++)
		if (s->out)
			return false;
	return true;
}

static void clear_ports(void)
{
	FILE *f = fopen(PORTS_FILE, "w");

	if (!f || fputs("0\n", f) < 0 || fclose(f))
		die(PORTS_FILE);
}

static void read_ports(void)
{
	FILE *f = fopen(PORTS_FILE, "r");

	if (!f || ports_read(&ports, f, opt->incast ? 1 : opt->hosts))
		die(PORTS_FILE);
	fclose(f);
}

static void say_progress(const char *what)
{
	struct stream *s;

	fprintf(stderr, "p4load: %s", what);
	for (s = streams; s < streams + nr_streams; s++)
		fprintf(stderr, ", %s: %lu messages, %.1f MB under way", s->transport->name,
			s->all.count, s->out_bytes / 1e6);
	fputc('\n', stderr);
}

static void open_streams(void)
{
	struct stream *s;
	int i;

	nr_streams = opt->nr_streams;
	for (i = 0; i < nr_streams; i++) {
		streams[i].transport = opt->stream[i].transport;
		streams[i].arrivals = (struct arrivals){
			.workload = opt->workload, .hosts = opt->hosts, .incast = opt->incast,
		};
	}
	for (s = streams; s < streams + nr_streams; s++)
		s->transport->open(opt->hosts, 1);
	settle();
	for (i = 0; i < nr_streams; i++)
		arrivals_start(&streams[i].arrivals, opt->stream[i].load, opt->rate_mbps,
			       opt->seed * 1000 + i, now);
}

static void begin_to_count(void)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++) {
		s->begun_before = s->begun_bytes;
		if (s->transport->mark)
			s->transport->mark();
	}
	clear_ports();
}

static void look_at_backlog(int step)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++)
		backlog_add(&s->backlog, step, s->out_bytes);
}

static void load_and_count(uint64_t length)
{
	struct stream *s;
	int i;

	load_until(count_from);
	say_progress("warm");
	begin_to_count();
	look_at_backlog(0);
	for (i = 1; i <= STEPS && !overloaded; i++) {
		load_until(count_from + length * i / STEPS);
		look_at_backlog(i);
		if (i == STEPS / 2)
			say_progress("half");
	}
	say_progress("end");
	for (s = streams; s < streams + nr_streams; s++)
		s->begun_meanwhile = s->begun_bytes - s->begun_before;
	read_ports();
}

static void print_stream(const struct stream *s)
{
	const char *name = s->transport->name;
	double begun = s->begun_meanwhile;
	double done = begun - backlog_growth(&s->backlog) * STEPS;
	int i;

	for (i = 0; i < WORKLOAD_DECILES; i++) {
		const struct quantiles *q = &s->decile[i];

		printf("decile %s %d %u %u %lu %.2f %.2f %.2f\n", name, i + 1,
		       workload_bytes(opt->workload, (double)i / WORKLOAD_DECILES),
		       workload_bytes(opt->workload, (i + 1.0) / WORKLOAD_DECILES), q->count,
		       quantiles_at(q, 0.5), quantiles_at(q, 0.99), quantiles_mean(q));
	}
	printf("total %s %lu %.2f %.2f %.2f %.2f %.3f %lu ", name, s->all.count,
	       quantiles_at(&s->all, 0.5), quantiles_at(&s->all, 0.99), quantiles_mean(&s->all),
	       begun * 8 / opt->seconds / 1e9, begun ? done / begun : 0, s->unfinished);
	s->transport->report(stdout);
	putchar('\n');
}

static void print_results(void)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++)
		print_stream(s);
	printf("queue %.0f %.0f %lu %lu %lu\n", quantiles_mean(&ports.queue),
	       quantiles_at(&ports.queue, 0.99), ports.max_bytes, ports.dropped, ports.marked);
	if (overloaded)
		puts("overload");
}

int measure_load(const struct load_options *o)
{
	uint64_t length = o->seconds * 1e9;
	uint64_t grace = length < GRACE_NS ? length : GRACE_NS;
	struct stream *s;

	opt = o;
	if (reference_read(&reference, o->reference))
		return -1;
	when_done = loaded_is_done;
	open_streams();
	count_from = now + (uint64_t)(o->warmup * 1e9);
	count_to = count_from + length;
	load_and_count(length);
	/* The load goes on, so that the last ones don't have it easier. */
	while (!all_counted_are_done() && now < count_to + grace && !overloaded)
		load_until(now + 1000000);
	for (s = streams; s < streams + nr_streams; s++)
		count_unfinished(s);
	print_results();
	return 0;
}
