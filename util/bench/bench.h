/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.h - what the transports of p4bench have in common.
 *
 * A message begins with a header that says how long it and its reply are, so streams can be cut
 * into messages and a server needs no options. Clients are threads ("workers") of one process: leads
 * are measured, the others only make traffic beside them. Every transport does the least that a
 * program on it has to do: one system call to send, one to receive, no copy of the payload.
 */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define BENCH_MAX_LEN		1000000u	/* bytes of a message */
#define BENCH_MAX_OUTSTANDING	4096u
#define BENCH_MAX_BATCH		1024u
#define BENCH_HELD		0u		/* instead of a reply's length: no reply */

struct bench_header {
	uint32_t len;		/* of this message, header included */
	uint32_t reply;		/* of the response, or BENCH_HELD (Homa) */
	uint64_t number;	/* comes back in the response */
};

struct bench_options {
	const struct transport *transport;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	int family;
	uint16_t port;
	uint32_t len, reply;
	uint32_t outstanding, threads, batch;
	uint32_t count, warmup;
	uint32_t senders, sender_len;
	uint32_t peers, ports;
	uint32_t timeout;
	bool epoll, json;
	const char *samples;
};

struct worker {
	pthread_t thread;
	const struct bench_options *opt;
	struct sockaddr_storage peer;	/* whom it calls */
	bool lead;
	uint32_t len, reply, outstanding;
	uint64_t warm;		/* RPCs before measuring began, leads only */
	uint64_t done, bytes;	/* while it was measured; bytes of requests and responses */
	uint64_t *rtt;		/* of leads: ns, of the first opt->count */
};

struct transport {
	const char *name;
	void (*serve)(const struct bench_options *opt);	/* does not return */
	void (*run)(struct worker *w);			/* until bench_stopped() */
};

extern const struct transport bench_homa, bench_tcp, bench_udp;

/* Sends --count requests that are not answered, waits for SIGTERM; how many have failed by then. */
uint32_t bench_hold(const struct bench_options *opt);

bool bench_stopped(void);
void bench_done(struct worker *w, uint64_t started);	/* one RPC of it is over */

uint64_t bench_now(void);	/* ns */
void bench_put_header(void *buf, const struct worker *w, uint64_t number);
void bench_check_reply(const void *buf, uint32_t got, const struct worker *w, uint64_t number);
int bench_bound_socket(const struct bench_options *opt, int type, int protocol);
void *bench_alloc(size_t size);

__attribute__((noreturn, format(printf, 1, 2)))
void bench_die(const char *fmt, ...);	/* with errno's text */

#endif /* BENCH_H */
