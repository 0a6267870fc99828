/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - what the generator and its transports know of each other.
 *
 * One process and one thread drive all hosts: in virtual time computing costs nothing, so nobody
 * waits for it, and each switch between processes costs wall time. Time stands still while the
 * program runs, so it is read once each time that it wakes.
 */
#ifndef RACK_LOAD_H
#define RACK_LOAD_H

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

#define HOSTS_MAX	16
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
	void (*report)(FILE *to);	/* what it did beside sending; may be NULL */
};

extern const struct transport homa_transport;
extern const struct transport tcp_transport;
extern const struct transport dctcp_transport;

/* ---- load.c */

/* The response is here. The message is gone afterwards. */
void message_done(struct message *m);

/* Who is called when a file is ready, in the sense of epoll. Part of a larger structure. */
struct watch {
	void (*ready)(struct watch *w, uint32_t events);
};

void watch(int fd, uint32_t events, struct watch *w);

/* A socket of a host, in that host's namespace. */
int socket_of(int host, int type, int protocol);
struct sockaddr_in address_of(int host, uint16_t port);

/* MESSAGE_MAX bytes to send. */
extern char message_bytes[];

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);		/* with the meaning of errno */

#endif /* RACK_LOAD_H */
