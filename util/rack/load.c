// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load.c - p4load: messages between the hosts of a rack, and how long they take.
 *
 * Open loop: messages begin when a Poisson process says so, whatever became of earlier ones. A
 * message is a request of the drawn size and a response of RESPONSE_BYTES; its time ends when the
 * response is here. The same seed gives each transport the same messages at the same times.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../args.h"
#include "load.h"
#include "ports.h"
#include "quantile.h"
#include "reference.h"
#include "workload.h"

#define STREAMS_MAX	2
#define EVENTS		64
#define IDLE_REPEATS	5
#define SPARE		300	/* connections between two hosts */
#define SETTLE_NS	50000000ul	/* for handshakes, before anything is sent */
#define GRACE_NS	500000000ul	/* at most, for messages that began in time */
#define LATER		UINT64_MAX
#define PORTS_FILE	"/sys/kernel/debug/rackport"

/* Messages of one transport. */
struct stream {
	const struct transport *transport;
	double load;			/* share of a link */
	double gap_ns;			/* mean, between messages of all hosts */
	uint64_t next;			/* when the next one begins */
	uint64_t random;
	uint64_t out;			/* counted ones under way */
	struct message *newest;		/* of them */
	uint64_t out_bytes;		/* of all that are under way */
	uint64_t begun_bytes, done_bytes;
	uint64_t begun_bytes_mid, done_bytes_mid, begun_bytes_end, done_bytes_end;
	uint64_t unfinished;
	struct quantiles all, decile[WORKLOAD_DECILES];
};

static struct {
	int hosts;
	uint32_t rate_mbps;
	const struct workload *workload;
	const char *reference;
	bool incast;
	double seconds, warmup;
	uint64_t seed, backlog_max;
} opt = {
	.hosts = 8, .rate_mbps = 10000, .seconds = 2, .warmup = 0.2, .seed = 1,
	.backlog_max = 800000000,
};

static struct stream streams[STREAMS_MAX];
static int nr_streams;
static struct reference reference;
static struct ports ports;
static uint64_t now;			/* since the program woke */
static uint64_t count_from, count_to;	/* the measured interval */
static bool overloaded;
static int epoll_fd;
static int namespaces[HOSTS_MAX];
static void (*when_done)(struct message *m);
char message_bytes[MESSAGE_MAX];

static const struct transport *const transports[] = {
	&homa_transport, &tcp_transport, &dctcp_transport, NULL
};

static void usage(FILE *to)
{
	fputs("usage: p4load idle TRANSPORT [--hosts N]\n"
	      "       p4load run --workload W --stream TRANSPORT:LOAD [--stream ...]\n"
	      "           --reference FILE [--seconds S] [--warmup S] [--incast] [--hosts N]\n"
	      "           [--rate MBPS] [--seed N] [--backlog BYTES]\n"
	      "Runs in a guest where util/rack/rack.sh has made network namespaces h1, h2, ...\n"
	      "TRANSPORT: homa, tcp (cubic) or dctcp. W: w1 .. w5. LOAD: percent of a link.\n"
	      "idle prints `TRANSPORT BYTES NS`, how long messages take that are alone; run takes\n"
	      "the fastest of each size from FILE as the reference of slowdown. All hosts send to\n"
	      "all, or all others to the first (--incast). run prints\n"
	      "  decile TRANSPORT N MIN_BYTES MAX_BYTES COUNT P50 P99 MEAN     (slowdown)\n"
	      "  total TRANSPORT COUNT P50 P99 MEAN OFFERED_GBPS DONE_SHARE UNFINISHED\n"
	      "  queue MEAN P99 MAX DROPPED MARKED                             (bytes, packets)\n"
	      "and stops early, saying `overload`, when messages of more than --backlog bytes wait.\n",
	      to);
}

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fputs("p4load: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

/* ---------------------------------------------------------------- what transports need */

void watch(int fd, uint32_t events, struct watch *w)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

struct sockaddr_in address_of(int host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(0x0a000001 + host),
	};
}

int socket_of(int host, int type, int protocol)
{
	int fd;

	if (setns(namespaces[host], CLONE_NEWNET))
		die("h%d", host + 1);
	fd = socket(AF_INET, type, protocol);
	if (fd < 0)
		die("socket %d %d", type, protocol);
	return fd;
}

void message_done(struct message *m)
{
	when_done(m);
	free(m);
}

static void open_namespaces(void)
{
	char path[32];
	int i;

	for (i = 0; i < opt.hosts; i++) {
		snprintf(path, sizeof(path), "/run/netns/h%d", i + 1);
		namespaces[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (namespaces[i] < 0)
			die("%s", path);
	}
}

static void read_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = t.tv_sec * 1000000000ul + t.tv_nsec;
}

static struct message *new_message(struct stream *s, int from, int to, uint32_t bytes)
{
	struct message *m = malloc(sizeof(*m));

	if (!m)
		die("message");
	*m = (struct message){ .stream = s, .began = now, .bytes = bytes, .from = from, .to = to };
	return m;
}

/* Sleeps until something is ready or `until`, and tells who waits for it. */
static void wait_until(uint64_t until)
{
	uint64_t left = until > now ? until - now : 0;
	struct timespec t = { left / 1000000000, left % 1000000000 };
	struct epoll_event ev[EVENTS];
	int n, i;

	n = epoll_pwait2(epoll_fd, ev, EVENTS, until == LATER ? NULL : &t, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	if (n <= 0) {
		now = until;
		return;
	}
	read_clock();
	for (i = 0; i < n; i++) {
		struct watch *w = ev[i].data.ptr;

		w->ready(w, ev[i].events);
	}
}

/* Time for what opening has begun. */
static void settle(void)
{
	uint64_t until;

	read_clock();
	until = now + SETTLE_NS;
	while (now < until)
		wait_until(until);
}

/* ---------------------------------------------------------------- an idle network */

static double idle_ns;

static void alone_is_done(struct message *m)
{
	double ns = now - m->began;

	if (!idle_ns || ns < idle_ns)
		idle_ns = ns;
	m->stream->out--;
}

static void measure_alone(struct stream *s, uint32_t bytes)
{
	int i;

	idle_ns = 0;
	for (i = 0; i < IDLE_REPEATS; i++) {
		s->out++;
		s->transport->send(new_message(s, 0, 1, bytes));
		while (s->out)
			wait_until(LATER);
	}
	printf("%s %u %.0f\n", s->transport->name, bytes, idle_ns);
}

/* Short ones closely, and both sides of where one packet more is needed for them. */
static void measure_idle(struct stream *s)
{
	static const uint32_t few[] = {
		8, 32, 64, 100, 150, 200, 300, 400, 600, 800, 1000, 1200, 1424, 1449, 2000, 2848, 2897,
		3600, 4272, 4345, 5000, 6000, 7000, 8500, 10000, 12000, 14000,
	};
	double bytes = 16000;
	size_t i;

	when_done = alone_is_done;
	s->transport->open(opt.hosts, 1);
	settle();
	for (i = 0; i < sizeof(few) / sizeof(*few); i++)
		measure_alone(s, few[i]);
	for (; bytes < MESSAGE_MAX; bytes *= 1.15)
		measure_alone(s, bytes);
	measure_alone(s, MESSAGE_MAX);
}

/* ---------------------------------------------------------------- load */

/* splitmix64: 0 <= x < 1 */
static double random_real(struct stream *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) / (1ul << 53);
}

static void draw_next(struct stream *s)
{
	s->next += fmax(1, -log(1 - random_real(s)) * s->gap_ns);
}

static void draw_hosts(struct stream *s, int *from, int *to)
{
	if (opt.incast) {
		*to = 0;
		*from = 1 + random_real(s) * (opt.hosts - 1);
		return;
	}
	*from = random_real(s) * opt.hosts;
	*to = (*from + 1 + (int)(random_real(s) * (opt.hosts - 1))) % opt.hosts;
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
	double u = random_real(s);
	struct message *m;
	int from, to;

	draw_hosts(s, &from, &to);
	m = new_message(s, from, to, workload_bytes(opt.workload, u));
	m->decile = u * WORKLOAD_DECILES;
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
	s->done_bytes += m->bytes;
	if (m->is_counted) {
		remove_counted(s, m);
		count(s, m);
	}
}

static void begin_what_is_due(void)
{
	struct stream *s;

	for (s = streams; s < streams + nr_streams; s++)
		while (s->next <= now) {
			begin_message(s);
			draw_next(s);
			overloaded |= s->out_bytes > opt.backlog_max;
		}
}

static void load_until(uint64_t until)
{
	struct stream *s;

	while (now < until && !overloaded) {
		uint64_t next = until;

		for (s = streams; s < streams + nr_streams; s++)
			if (s->next < next)
				next = s->next;
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

	if (!f || ports_read(&ports, f, opt.incast ? 1 : opt.hosts))
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

static void prepare(struct stream *s, int nr)
{
	double link = opt.rate_mbps * 1e-3 / 8;		/* bytes a ns */
	double bytes = workload_mean_wire(opt.workload);

	s->random = opt.seed * 1000 + nr;
	/* A link carries responses too if all send to all. */
	if (opt.incast)
		s->gap_ns = bytes / link / s->load;
	else
		s->gap_ns = (bytes + wire_bytes(RESPONSE_BYTES)) / link / s->load / opt.hosts;
	s->next = now;
	draw_next(s);
}

static void measure_load(void)
{
	uint64_t length = opt.seconds * 1e9;
	uint64_t grace = length < GRACE_NS ? length : GRACE_NS;
	struct stream *s;

	when_done = loaded_is_done;
	for (s = streams; s < streams + nr_streams; s++)
		s->transport->open(opt.hosts, 1);
	settle();
	for (s = streams; s < streams + nr_streams; s++)
		prepare(s, s - streams);
	count_from = now + (uint64_t)(opt.warmup * 1e9);
	count_to = count_from + length;
	load_until(count_from);
	say_progress("warm");
	clear_ports();
	load_until(count_from + length / 2);
	say_progress("half");
	for (s = streams; s < streams + nr_streams; s++) {
		s->begun_bytes_mid = s->begun_bytes;
		s->done_bytes_mid = s->done_bytes;
	}
	load_until(count_to);
	say_progress("end");
	for (s = streams; s < streams + nr_streams; s++) {
		s->begun_bytes_end = s->begun_bytes;
		s->done_bytes_end = s->done_bytes;
	}
	read_ports();
	/* The load goes on, so that the last ones don't have it easier. */
	while (!all_counted_are_done() && now < count_to + grace && !overloaded)
		load_until(now + 1000000);
	for (s = streams; s < streams + nr_streams; s++)
		count_unfinished(s);
}

static void print_stream(const struct stream *s)
{
	const char *name = s->transport->name;
	double begun = s->begun_bytes_end - s->begun_bytes_mid;
	int i;

	for (i = 0; i < WORKLOAD_DECILES; i++) {
		const struct quantiles *q = &s->decile[i];

		printf("decile %s %d %u %u %lu %.2f %.2f %.2f\n", name, i + 1,
		       workload_bytes(opt.workload, (double)i / WORKLOAD_DECILES),
		       workload_bytes(opt.workload, (i + 1.0) / WORKLOAD_DECILES), q->count,
		       quantiles_at(q, 0.5), quantiles_at(q, 0.99), quantiles_mean(q));
	}
	printf("total %s %lu %.2f %.2f %.2f %.2f %.3f %lu ", name, s->all.count,
	       quantiles_at(&s->all, 0.5), quantiles_at(&s->all, 0.99), quantiles_mean(&s->all),
	       begun * 8 / (opt.seconds / 2) / 1e9,
	       begun ? (s->done_bytes_end - s->done_bytes_mid) / begun : 0, s->unfinished);
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

/* ---------------------------------------------------------------- command line */

static const struct transport *find_transport(const char *name, size_t len)
{
	int i;

	for (i = 0; transports[i]; i++)
		if (!strncmp(transports[i]->name, name, len) && !transports[i]->name[len])
			return transports[i];
	arg_fail("transport is '%.*s', must be homa, tcp or dctcp", (int)len, name);
}

static void add_stream(const char *text)
{
	size_t len = strcspn(text, ":");
	struct stream *s = &streams[nr_streams];

	if (nr_streams == STREAMS_MAX)
		arg_fail("--stream may be given %d times", STREAMS_MAX);
	s->transport = find_transport(text, len);
	if (!text[len])
		arg_fail("--stream is '%s', must be TRANSPORT:LOAD", text);
	s->load = arg_real("LOAD of --stream", text + len + 1, 0.1, 300) / 100;
	nr_streams++;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "workload", required_argument, NULL, 'w' },
		{ "stream", required_argument, NULL, 's' },
		{ "reference", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "warmup", required_argument, NULL, 'u' },
		{ "incast", no_argument, NULL, 'i' },
		{ "hosts", required_argument, NULL, 'n' },
		{ "rate", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 'e' },
		{ "backlog", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'w':
			opt.workload = workload_find(optarg);
			if (!opt.workload)
				arg_fail("--workload is '%s', must be w1 .. w5", optarg);
			break;
		case 's':
			add_stream(optarg);
			break;
		case 'r':
			opt.reference = optarg;
			break;
		case 't':
			opt.seconds = arg_real("--seconds", optarg, 0.001, 1000);
			break;
		case 'u':
			opt.warmup = arg_real("--warmup", optarg, 0, 1000);
			break;
		case 'i':
			opt.incast = true;
			break;
		case 'n':
			opt.hosts = arg_number("--hosts", optarg, 2, HOSTS_MAX);
			break;
		case 'm':
			opt.rate_mbps = arg_number("--rate", optarg, 1, 400000);
			break;
		case 'e':
			opt.seed = arg_number("--seed", optarg, 1, UINT32_MAX);
			break;
		case 'b':
			opt.backlog_max = arg_number("--backlog", optarg, 1, UINT64_MAX);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
}

static void prepare_process(void)
{
	struct rlimit files = { 1000000, 1000000 };

	/* sleep exactly as long as asked */
	if (prctl(PR_SET_TIMERSLACK, 1) || setrlimit(RLIMIT_NOFILE, &files))
		die("limits");
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll");
	open_namespaces();
}

int main(int argc, char **argv)
{
	const char *verb;

	parse(argc, argv);
	verb = optind < argc ? argv[optind] : "";
	if (!strcmp(verb, "idle") && argc - optind == 2) {
		streams[0].transport = find_transport(argv[optind + 1], strlen(argv[optind + 1]));
		prepare_process();
		measure_idle(&streams[0]);
	} else if (!strcmp(verb, "run") && argc - optind == 1 && opt.workload && nr_streams &&
		   opt.reference) {
		if (reference_read(&reference, opt.reference))
			return 1;
		prepare_process();
		measure_load();
		print_results();
	} else {
		usage(stderr);
		return 2;
	}
	return 0;
}
