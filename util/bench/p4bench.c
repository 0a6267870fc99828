// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4bench - RPCs over Homa, TCP or UDP: how long one takes, how many a second, how many bits.
 *
 * Time runs from before the send of a request until its response is in user memory. It is measured
 * from when all leads have done --warmup RPCs until the first of them has done --count more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../args.h"
#include "bench.h"

static const char usage[] =
	"usage: p4bench server [--transport homa|tcp|udp] [--port N] [--ports N] [--threads N]\n"
	"               [--epoll] [--batch N] [-6]\n"
	"       p4bench client --to ADDRESS:PORT [--transport homa|tcp|udp] [--len N] [--reply N]\n"
	"               [--ports N] [--outstanding N] [--threads N] [--count N] [--warmup N]\n"
	"               [--beside SENDERS:LEN] [--epoll] [--batch N] [--timeout SECONDS] [--samples FILE] [-j]\n"
	"       p4bench hold --to ADDRESS:PORT [--count N] [--peers N] [--len N]\n"
	"  --transport T      homa (default), tcp or udp\n"
	"  --port N           of the server, 4000\n"
	"  --ports N          Homa: a server socket on each of N ports from that on, 1; the client's threads\n"
	"                     call one after another of them\n"
	"  --len N            bytes of a request, 16 .. 1000000, 100\n"
	"  --reply N          bytes of a response; as --len if not given\n"
	"  --outstanding N    RPCs that each thread has under way, 1; TCP: connections\n"
	"  --threads N        client: with a socket each, 1; Homa server: on each socket, 1; TCP server with\n"
	"                     --epoll: on one epoll set, 1 (without, it has one for each connection)\n"
	"  --count N          RPCs that are measured, of the first thread that has done them, 1000\n"
	"  --warmup N         RPCs of each thread before that, 100\n"
	"  --beside S:LEN     S further threads that send LEN bytes all the time, for 16 bytes back\n"
	"  --epoll            TCP: non-blocking, a thread for many connections\n"
	"  --batch N          Homa: takes and sends up to N messages with one system call, 1\n"
	"  --timeout N        gives up after that, 60\n"
	"  --samples FILE     each round trip that was measured, ns, a line each\n"
	"  --peers N          hold: at addresses from that of --to on, 1\n"
	"  -6                 server: IPv6; a client takes what --to is: 10.0.0.2:4000, [fd00::2]:4000\n"
	"  -j, --json         one JSON object instead of one line of text\n"
	"Prints the round trips' p50 and p99, RPCs a second, and Gbit/s of requests and responses\n"
	"together, senders included. hold (Homa) leaves --count requests unanswered until SIGTERM, and\n"
	"fails if one of them has failed by then.\n"
	"Exit: 0, 1 on a failure, 2 usage, 77 no such protocol here.\n";

static struct bench_options opt = {
	.transport = &bench_homa, .family = AF_INET, .port = 4000, .len = 100, .outstanding = 1,
	.threads = 1, .batch = 1, .count = 1000, .warmup = 100, .timeout = 60, .peers = 1, .ports = 1,
};

static const struct transport *const transports[] = { &bench_homa, &bench_tcp, &bench_udp };

/* ---------------------------------------------------------------- what is measured */

enum phase { WARM, MEASURED, STOPPED };

static _Atomic int phase = WARM;
static _Atomic uint32_t cold;		/* leads that still warm up */
static uint64_t began, ended;

bool bench_stopped(void)
{
	return atomic_load_explicit(&phase, memory_order_relaxed) == STOPPED;
}

static void warm_up(struct worker *w)
{
	if (!w->lead || ++w->warm != opt.warmup || atomic_fetch_sub(&cold, 1) != 1)
		return;
	began = bench_now();
	atomic_store(&phase, MEASURED);
}

void bench_done(struct worker *w, uint64_t started)
{
	int expected = MEASURED;

	if (atomic_load_explicit(&phase, memory_order_relaxed) != MEASURED) {
		warm_up(w);
		return;
	}
	if (w->lead)
		w->rtt[w->done] = bench_now() - started;
	w->done++;
	w->bytes += w->len + w->reply;
	if (w->lead && w->done == opt.count &&
	    atomic_compare_exchange_strong(&phase, &expected, STOPPED))
		ended = bench_now();
}

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void bench_put_header(void *buf, const struct worker *w, uint64_t number)
{
	*(struct bench_header *)buf = (struct bench_header){ w->len, w->reply, number };
}

void bench_check_reply(const void *buf, uint32_t got, const struct worker *w, uint64_t number)
{
	const struct bench_header *header = buf;

	if (got == w->reply && header->len == got && header->number == number)
		return;
	errno = EBADMSG;
	bench_die("%u bytes, number %llu instead of %u, %llu", got,
		  (unsigned long long)header->number, w->reply, (unsigned long long)number);
}

/* ---------------------------------------------------------------- shared by transports */

void bench_die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "p4bench: %s: ", opt.transport->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(err == EPROTONOSUPPORT || err == ESOCKTNOSUPPORT ? 77 : 1);
}

void *bench_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		bench_die("memory");
	return p;
}

int bench_bound_socket(const struct bench_options *o, int type, int protocol)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(o->port) };
	int fd = socket(o->family, type, protocol), on = 1;

	if (fd < 0)
		bench_die("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (o->family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4)) :
				   bind(fd, (struct sockaddr *)&v6, sizeof(v6)))
		bench_die("port %u", o->port);
	return fd;
}

/* ---------------------------------------------------------------- client */

static void *worker_thread(void *arg)
{
	opt.transport->run(arg);
	return NULL;
}

static struct sockaddr_storage next_port(struct sockaddr_storage peer, uint32_t nr)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
	in_port_t *port = peer.ss_family == AF_INET ? &v4->sin_port : &v6->sin6_port;

	*port = htons(ntohs(*port) + nr);
	return peer;
}

static struct worker *start_workers(uint32_t nr)
{
	struct worker *workers = bench_alloc(nr * sizeof(*workers));
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct worker *w = &workers[i];

		w->opt = &opt;
		w->peer = next_port(opt.peer, i % opt.ports);
		w->lead = i < opt.threads;
		w->len = w->lead ? opt.len : opt.sender_len;
		w->reply = w->lead ? opt.reply : sizeof(struct bench_header);
		w->outstanding = w->lead ? opt.outstanding : 1;
		w->rtt = w->lead ? bench_alloc(opt.count * sizeof(*w->rtt)) : NULL;
		if (pthread_create(&w->thread, NULL, worker_thread, w))
			bench_die("pthread_create");
	}
	return workers;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct result {
	uint64_t done, p50, p99;
	double rate, gbit;
};

static void write_samples(const uint64_t *rtt, uint64_t nr)
{
	FILE *f = fopen(opt.samples, "w");
	uint64_t i;

	if (!f)
		bench_die("%s", opt.samples);
	for (i = 0; i < nr; i++)
		fprintf(f, "%llu\n", (unsigned long long)rtt[i]);
	if (fclose(f))
		bench_die("%s", opt.samples);
}

static struct result sum_up(const struct worker *workers, uint32_t nr)
{
	uint64_t *all = bench_alloc((uint64_t)opt.threads * opt.count * sizeof(*all)), bytes = 0;
	struct result r = { 0 };
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const struct worker *w = &workers[i];

		bytes += w->bytes;
		if (!w->lead)
			continue;
		memcpy(all + r.done, w->rtt, w->done * sizeof(*all));
		r.done += w->done;
	}
	if (opt.samples)
		write_samples(all, r.done);
	qsort(all, r.done, sizeof(*all), by_value);
	r.p50 = all[r.done / 2];
	r.p99 = all[r.done * 99 / 100];
	r.rate = r.done * 1e9 / (ended - began);
	r.gbit = bytes * 8.0 / (ended - began);
	free(all);
	return r;
}

static void report(struct result r)
{
	const char *text = "p4bench: %s: %u bytes for %u, %u threads, %u outstanding: done %llu, "
			   "p50 %llu ns, p99 %llu ns, rate %.1f /s, %.3f Gbit/s\n";
	const char *json = "{\"transport\":\"%s\",\"len\":%u,\"reply\":%u,\"threads\":%u,"
			   "\"outstanding\":%u,\"done\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu,"
			   "\"rate\":%.1f,\"gbit\":%.3f}\n";

	printf(opt.json ? json : text, opt.transport->name, opt.len, opt.reply, opt.threads,
	       opt.outstanding, (unsigned long long)r.done, (unsigned long long)r.p50,
	       (unsigned long long)r.p99, r.rate, r.gbit);
}

static void on_alarm(int sig)
{
	static const char text[] = "p4bench: no end within --timeout\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

static void client(void)
{
	uint32_t nr = opt.threads + opt.senders, i;
	struct worker *workers;

	signal(SIGALRM, on_alarm);
	alarm(opt.timeout);
	cold = opt.threads;
	workers = start_workers(nr);
	for (i = 0; i < nr; i++)
		pthread_join(workers[i].thread, NULL);
	report(sum_up(workers, nr));
	for (i = 0; i < nr; i++)
		free(workers[i].rtt);
	free(workers);
}

/* ---------------------------------------------------------------- command line */

enum { JSON = 'j', V6 = '6', HELP = 'h', TRANSPORT = 256, PORT, TO, LEN, REPLY, OUTSTANDING,
       THREADS, COUNT, WARMUP, BESIDE, EPOLL, BATCH, TIMEOUT, SAMPLES, PEERS, PORTS };

static const struct option long_options[] = {
	{ "transport", required_argument, NULL, TRANSPORT },
	{ "port", required_argument, NULL, PORT },
	{ "to", required_argument, NULL, TO },
	{ "len", required_argument, NULL, LEN },
	{ "reply", required_argument, NULL, REPLY },
	{ "outstanding", required_argument, NULL, OUTSTANDING },
	{ "threads", required_argument, NULL, THREADS },
	{ "count", required_argument, NULL, COUNT },
	{ "warmup", required_argument, NULL, WARMUP },
	{ "beside", required_argument, NULL, BESIDE },
	{ "epoll", no_argument, NULL, EPOLL },
	{ "batch", required_argument, NULL, BATCH },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "samples", required_argument, NULL, SAMPLES },
	{ "peers", required_argument, NULL, PEERS },
	{ "ports", required_argument, NULL, PORTS },
	{ "json", no_argument, NULL, JSON },
	{ "help", no_argument, NULL, HELP },
	{ 0 }
};

static void take_transport(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(transports) / sizeof(*transports); i++) {
		if (!strcmp(name, transports[i]->name)) {
			opt.transport = transports[i];
			return;
		}
	}
	arg_fail("--transport is '%s', must be homa, tcp or udp", name);
}

/* ADDRESS:PORT, an IPv6 address in brackets */
static void take_peer(char *text)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_DGRAM };
	char *address = text, *colon = strrchr(text, ':');
	struct addrinfo *found;

	if (!colon)
		arg_fail("--to is '%s', must be ADDRESS:PORT", text);
	*colon = 0;
	if (*address == '[' && colon[-1] == ']') {
		address++;
		colon[-1] = 0;
	}
	if (getaddrinfo(address, colon + 1, &hints, &found))
		arg_fail("--to is '%s' port '%s', must be ADDRESS:PORT", address, colon + 1);
	opt.family = found->ai_family;
	opt.peer_len = found->ai_addrlen;
	memcpy(&opt.peer, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
}

static void take_senders(char *text)
{
	char *colon = strchr(text, ':');

	if (!colon)
		arg_fail("--beside is '%s', must be SENDERS:LEN", text);
	*colon = 0;
	opt.senders = arg_number("--beside SENDERS", text, 0, 1024);
	opt.sender_len = arg_number("--beside LEN", colon + 1, sizeof(struct bench_header),
				    BENCH_MAX_LEN);
}

static void take_option(int c)
{
	const uint32_t header = sizeof(struct bench_header);

	switch (c) {
	case TRANSPORT:
		take_transport(optarg);
		break;
	case PORT:
		opt.port = arg_number("--port", optarg, 1, 65535);
		break;
	case TO:
		take_peer(optarg);
		break;
	case LEN:
		opt.len = arg_number("--len", optarg, header, BENCH_MAX_LEN);
		break;
	case REPLY:
		opt.reply = arg_number("--reply", optarg, header, BENCH_MAX_LEN);
		break;
	case OUTSTANDING:
		opt.outstanding = arg_number("--outstanding", optarg, 1, BENCH_MAX_OUTSTANDING);
		break;
	case THREADS:
		opt.threads = arg_number("--threads", optarg, 1, 1024);
		break;
	case COUNT:
		opt.count = arg_number("--count", optarg, 1, 100000000);
		break;
	case WARMUP:
		opt.warmup = arg_number("--warmup", optarg, 1, 100000000);
		break;
	case BESIDE:
		take_senders(optarg);
		break;
	case EPOLL:
		opt.epoll = true;
		break;
	case BATCH:
		opt.batch = arg_number("--batch", optarg, 1, BENCH_MAX_BATCH);
		break;
	case TIMEOUT:
		opt.timeout = arg_number("--timeout", optarg, 1, 1000000);
		break;
	case SAMPLES:
		opt.samples = optarg;
		break;
	case PEERS:
		opt.peers = arg_number("--peers", optarg, 1, 1000000);
		break;
	case PORTS:
		opt.ports = arg_number("--ports", optarg, 1, 1024);
		break;
	case V6:
		opt.family = AF_INET6;
		break;
	case JSON:
		opt.json = true;
		break;
	default:
		fputs(usage, c == HELP ? stdout : stderr);
		exit(c == HELP ? 0 : 2);
	}
}

int main(int argc, char **argv)
{
	const char *role;
	int c;

	while ((c = getopt_long(argc, argv, "hj6", long_options, NULL)) != -1)
		take_option(c);
	role = optind == argc - 1 ? argv[optind] : "";
	opt.reply = opt.reply ? opt.reply : opt.len;
	if (opt.ports > 1 && opt.transport != &bench_homa)
		arg_fail("--ports is for Homa only");
	if (!strcmp(role, "server")) {
		opt.transport->serve(&opt);
		return 1;
	}
	if (strcmp(role, "client") && strcmp(role, "hold"))
		take_option('?');
	if (!opt.peer_len)
		arg_fail("%s needs --to ADDRESS:PORT", role);
	if (!strcmp(role, "hold") && opt.transport != &bench_homa)
		arg_fail("hold is for Homa only");
	if (!strcmp(role, "hold"))
		return !!bench_hold(&opt);
	client();
	return 0;
}
