// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc.c - echo over Homa, TCP or UDP: is every byte right, does a request run once, how long does
 * a round trip take.
 *
 * The bytes of a message follow from its first eight, which are the request's number, so both ends
 * check all of them. A Homa server keeps the ids of all requests; one that runs twice is a failure.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "t_homa.h"

#define IDLE_SECONDS	60	/* a client that hears nothing for so long has failed */
#define SEEN_MAX	(1u << 20)

static struct options {
	const char *role;
	const char *transport;
	union {
		struct sockaddr_in peer;
		struct sockaddr_in6 peer6;
	};
	const char *to;
	const char *device;
	int family;
	uint16_t port;
	const char *lengths;
	uint32_t count;
	uint32_t parallel;
	uint32_t max_failed;
	bool unchecked;
} opt = { .transport = "homa", .port = 4000, .lengths = "100", .count = 100, .parallel = 1,
	.family = AF_INET };

static volatile sig_atomic_t stop;
static volatile sig_atomic_t idle_seconds;

static void on_signal(int sig)
{
	stop = 1;
}

/* Interrupts a recvmsg that waits, so that time-outs cost no system call on the way. */
static void on_tick(int sig)
{
	idle_seconds++;
}

static void usage(FILE *to)
{
	fputs("usage: rpc server [--transport homa|tcp|udp] [--port N] [--inet6] [--unchecked]\n"
	      "       rpc client --to ADDRESS:PORT [--transport homa|tcp|udp] [--len N,N,...]\n"
	      "           [--count N] [--parallel N] [--max-failed N] [--inet6] [--device NAME]\n"
	      "Server: echoes until SIGTERM; then says how many requests it ran; exit 1 if one ran\n"
	      "twice (Homa) or a byte was wrong, unless it is told to take requests of strangers\n"
	      "as they are (--unchecked). Client: for each length, `count` round trips,\n"
	      "`parallel` at a time (Homa only; else 1); exit 1 if more than --max-failed fail\n"
	      "(time-outs) or a byte is wrong. --inet6 (Homa only): an AF_INET6 socket, and ADDRESS\n"
	      "is of IPv4 or [of%INTERFACE] IPv6. --device (Homa only): SO_BINDTODEVICE. Prints, one\n"
	      "line a length:\n"
	      "  rpc: homa len 100: 1000 done, 0 failed, p50 25600 p99 31000 ns\n"
	      "Exit: 0 pass, 1 fail, 2 usage, 77 no such protocol.\n", to);
}

static void die(const char *what, int err)
{
	fprintf(stderr, "rpc: %s: %s\n", what, strerror(-err));
	exit(err == -EPROTONOSUPPORT || err == -ESOCKTNOSUPPORT ? T_SKIP : T_FAIL);
}

/* Of the message, or of the way to the peer, which may have to be looked for again. */
static bool is_want_of_memory(int err)
{
	return err == -ENOMEM || err == -ENOBUFS;
}

/* ---------------------------------------------------------------- bytes */

static uint8_t pattern(uint64_t number, uint32_t i)
{
	return i < 8 ? number >> (8 * i) : (number + i) * 0x9e3779b1u >> 13;
}

static void fill(uint8_t *p, uint32_t len, uint64_t number)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = pattern(number, i);
}

static bool is_filled(const uint8_t *p, uint32_t len)
{
	uint64_t number = 0;
	uint32_t i;

	for (i = 0; i < 8 && i < len; i++)
		number |= (uint64_t)p[i] << (8 * i);
	for (; i < len; i++) {
		if (p[i] == pattern(number, i))
			continue;
		fprintf(stderr, "rpc: message %llu of %u bytes: byte %u is wrong\n",
			(unsigned long long)number, len, i);
		return false;
	}
	return true;
}

/* ---------------------------------------------------------------- server */

static struct seen {
	uint64_t id;
	uint32_t addr[4];
} *seen;

/* Whether this request has run before. Open addressing; the table is never full. */
static bool ran_before(const struct t_message *m)
{
	uint32_t slot = (m->args.id * 0x9e3779b97f4a7c15ull >> 40) % SEEN_MAX;
	uint32_t addr[4] = { m->peer.sin_addr.s_addr };

	if (opt.family == AF_INET6)
		memcpy(addr, &m->peer6.sin6_addr, sizeof(addr));
	for (; seen[slot].id; slot = (slot + 1) % SEEN_MAX) {
		if (seen[slot].id == m->args.id && !memcmp(seen[slot].addr, addr, sizeof(addr)))
			return true;
	}
	seen[slot].id = m->args.id;
	memcpy(seen[slot].addr, addr, sizeof(addr));
	return false;
}

static int serve_homa(void)
{
	uint8_t *buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	uint32_t requests = 0, repeated = 0, wrong = 0;
	struct t_message m = { 0 };
	struct t_homa h;
	int err, len;

	seen = calloc(SEEN_MAX, sizeof(*seen));
	err = t_homa_open_family(&h, opt.family, opt.port);
	if (err)
		die("server socket", err);
	while (!stop && (opt.unchecked || requests < SEEN_MAX / 2)) {
		len = t_homa_recv(&h, &m, -1);
		if (len == -EINTR)
			continue;
		if (len < 0)
			die("recvmsg", len);
		requests++;
		t_homa_copy(&h, &m, buf, len);
		if (!opt.unchecked) {
			repeated += ran_before(&m);
			wrong += !is_filled(buf, len);
		}
		do {
			err = t_homa_reply(&h, &m, buf, len);
		} while ((is_want_of_memory(err) || err == -EINTR) && !stop);
		if (err && !opt.unchecked)
			die("reply", err);
	}
	t_homa_close(&h);
	printf("rpc: server ran %u requests, %u twice, %u wrong\n", requests, repeated, wrong);
	return repeated || wrong ? T_FAIL : T_PASS;
}

static int bound_socket(int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
	int fd = socket(AF_INET, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind", -errno);
	return fd;
}

static int serve_udp(void)
{
	struct sockaddr_in peer;
	uint8_t buf[65536];
	int fd = bound_socket(SOCK_DGRAM);

	while (!stop) {
		socklen_t addr_len = sizeof(peer);
		ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &addr_len);

		if (len > 0)
			sendto(fd, buf, len, 0, (struct sockaddr *)&peer, addr_len);
	}
	return T_PASS;
}

/* TCP has no messages: the client says first how long its messages are. */
static bool read_all(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static void serve_connection(int fd)
{
	uint8_t *buf;
	uint32_t len;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!read_all(fd, &len, sizeof(len)) || len > HOMA_MAX_MESSAGE_LENGTH)
		return;
	buf = malloc(len);
	while (read_all(fd, buf, len) && send(fd, buf, len, MSG_NOSIGNAL) == (ssize_t)len)
		;
	free(buf);
}

static int serve_tcp(void)
{
	int fd = bound_socket(SOCK_STREAM), connection;

	listen(fd, 4);
	while (!stop) {
		connection = accept(fd, NULL, NULL);
		if (connection < 0)
			continue;
		serve_connection(connection);
		close(connection);
	}
	return T_PASS;
}

/* ---------------------------------------------------------------- client */

struct run {
	uint32_t len;
	uint8_t *buf;
	uint64_t *start;	/* by request number: ns */
	uint64_t *rtt;		/* of those that are done, in that order */
	uint32_t done;
	uint32_t failed;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(struct run *r)
{
	printf("rpc: %s len %u: %u done, %u failed", opt.transport, r->len, r->done, r->failed);
	if (r->done) {
		qsort(r->rtt, r->done, sizeof(*r->rtt), by_value);
		printf(", p50 %llu p99 %llu ns", (unsigned long long)r->rtt[r->done / 2],
		       (unsigned long long)r->rtt[(uint64_t)r->done * 99 / 100]);
	}
	printf("\n");
	fflush(stdout);
}

static void send_homa(struct t_homa *h, struct run *r, uint32_t number)
{
	int err;

	fill(r->buf, r->len, number);
	r->start[number] = t_now_ns();
	err = t_homa_request(h, &opt.peer, r->buf, r->len, number, NULL);
	if (is_want_of_memory(err)) {
		r->start[number] = 0;
		r->failed++;
	} else if (err) {
		die("sendmsg", err);
	}
}

static int wait_homa(struct t_homa *h, struct t_message *m)
{
	int len;

	idle_seconds = 0;
	do {
		len = t_homa_recv(h, m, -1);
	} while (len == -EINTR && idle_seconds < IDLE_SECONDS);
	return len;
}

/* One completion: its cookie says which request it answers. */
static void take_homa(struct t_homa *h, struct run *r, struct t_message *m)
{
	int len = wait_homa(h, m);
	uint64_t now = t_now_ns(), number = m->args.completion_cookie;

	if (len == -EINTR)
		die("no completion", -ETIME);
	if (number >= opt.count || !r->start[number])
		die("completion of a request that is not outstanding", -EBADMSG);
	if (len < 0) {
		fprintf(stderr, "rpc: request %llu, id %llx: %s\n", (unsigned long long)number,
			(unsigned long long)m->args.id, strerror(-len));
		r->failed++;
	} else {
		uint8_t *got = malloc(len);

		t_homa_copy(h, m, got, len);
		fill(r->buf, r->len, number);
		if ((uint32_t)len != r->len || memcmp(got, r->buf, len))
			die("wrong response", -EBADMSG);
		free(got);
		r->rtt[r->done++] = now - r->start[number];
	}
	r->start[number] = 0;
}

static void run_homa(struct run *r)
{
	struct t_message m = { 0 };
	uint32_t sent = 0;
	struct t_homa h;
	int err = t_homa_open_family(&h, opt.family, 0);

	if (err)
		die("socket", err);
	if (opt.device &&
	    setsockopt(h.fd, SOL_SOCKET, SO_BINDTODEVICE, opt.device, strlen(opt.device)))
		die("device", -errno);
	while (r->done + r->failed < opt.count) {
		while (sent < opt.count && sent - r->done - r->failed < opt.parallel)
			send_homa(&h, r, sent++);
		if (sent > r->done + r->failed)
			take_homa(&h, r, &m);
	}
	t_homa_close(&h);
}

static void run_stream(struct run *r, bool tcp)
{
	int fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), on = 1;
	uint8_t *got = malloc(r->len);
	uint32_t i;

	if (connect(fd, (struct sockaddr *)&opt.peer, sizeof(opt.peer)))
		die("connect", -errno);
	if (tcp) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		send(fd, &r->len, sizeof(r->len), 0);
	}
	for (i = 0; i < opt.count; i++) {
		fill(r->buf, r->len, i);
		r->start[0] = t_now_ns();
		if (send(fd, r->buf, r->len, 0) != (ssize_t)r->len)
			die("send", -errno);
		if (recv(fd, got, r->len, MSG_WAITALL) != (ssize_t)r->len)
			die("recv", -errno);
		r->rtt[r->done++] = t_now_ns() - r->start[0];
		if (memcmp(got, r->buf, r->len))
			die("wrong response", -EBADMSG);
	}
	free(got);
	close(fd);
}

static void run_length(uint32_t len, uint32_t *failed)
{
	struct run r = { .len = len, .buf = malloc(len) };

	r.start = calloc(opt.count, sizeof(*r.start));
	r.rtt = calloc(opt.count, sizeof(*r.rtt));
	if (!strcmp(opt.transport, "homa"))
		run_homa(&r);
	else
		run_stream(&r, !strcmp(opt.transport, "tcp"));
	report(&r);
	*failed += r.failed;
	free(r.buf);
	free(r.start);
	free(r.rtt);
}

static int client(void)
{
	char *list = strdup(opt.lengths), *len;
	uint32_t failed = 0;

	for (len = strtok(list, ","); len; len = strtok(NULL, ","))
		run_length(t_parse_number("--len", len, 1, HOMA_MAX_MESSAGE_LENGTH), &failed);
	free(list);
	return failed > opt.max_failed ? T_FAIL : T_PASS;
}

/* ---------------------------------------------------------------- command line */

static const struct option long_options[] = {
	{ "transport", required_argument, NULL, 't' }, { "port", required_argument, NULL, 'p' },
	{ "to", required_argument, NULL, 'a' }, { "len", required_argument, NULL, 'l' },
	{ "count", required_argument, NULL, 'c' }, { "parallel", required_argument, NULL, 'n' },
	{ "max-failed", required_argument, NULL, 'f' }, { "unchecked", no_argument, NULL, 'u' },
	{ "inet6", no_argument, NULL, '6' }, { "device", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' }, { 0 }
};

static void take_destination(void)
{
	int err = opt.family == AF_INET6 ? t_parse_peer6(opt.to, &opt.peer6) :
					   t_parse_peer(opt.to, &opt.peer);

	if (!err)
		return;
	fprintf(stderr, "rpc: --to: '%s' is not ADDRESS:PORT\n", opt.to);
	exit(2);
}

static void take_option(int c)
{
	switch (c) {
	case 't':
		opt.transport = optarg;
		break;
	case 'p':
		opt.port = t_parse_number("--port", optarg, 1, 32767);
		break;
	case 'a':
		opt.to = optarg;
		break;
	case '6':
		opt.family = AF_INET6;
		break;
	case 'l':
		opt.lengths = optarg;
		break;
	case 'c':
		opt.count = t_parse_number("--count", optarg, 1, 10000000);
		break;
	case 'n':
		opt.parallel = t_parse_number("--parallel", optarg, 1, 10000);
		break;
	case 'f':
		opt.max_failed = t_parse_number("--max-failed", optarg, 0, 10000000);
		break;
	case 'd':
		opt.device = optarg;
		break;
	case 'u':
		opt.unchecked = true;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal }, tick = { .sa_handler = on_tick };
	struct itimerval second = { { 1, 0 }, { 1, 0 } };
	bool is_server;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		take_option(c);
	opt.role = optind == argc - 1 ? argv[optind] : "";
	is_server = !strcmp(opt.role, "server");
	if (!is_server && (strcmp(opt.role, "client") || !opt.to)) {
		usage(stderr);
		return 2;
	}
	if (opt.to)
		take_destination();
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (!strcmp(opt.transport, "homa")) {
		sigaction(SIGALRM, &tick, NULL);
		setitimer(ITIMER_REAL, &second, NULL);
	}
	if (!is_server)
		return client();
	return !strcmp(opt.transport, "tcp") ? serve_tcp() :
	       !strcmp(opt.transport, "udp") ? serve_udp() : serve_homa();
}
