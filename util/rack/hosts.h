/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hosts.h - the hosts of a rack, network namespaces h1, h2, ..., as one process sees them: their
 * sockets, what is ready, and what time it is.
 *
 * Time stands still while the program runs, so it is read once each time that it wakes.
 */
#ifndef RACK_HOSTS_H
#define RACK_HOSTS_H

#include <netinet/in.h>
#include <stdint.h>

#define HOSTS_MAX	16
#define LATER		UINT64_MAX

extern uint64_t now;	/* ns, since the program woke */

/* Once, before anything else. Ends the program if it cannot, as all here do. */
void open_hosts(int hosts);

/* What is opened from now on is that host's. */
void enter_host(int host);
int socket_of(int host, int type, int protocol);
struct sockaddr_in address_of(int host, uint16_t port);

/* Who is called when a file is ready, in the sense of epoll. Part of a larger structure. */
struct watch {
	void (*ready)(struct watch *w, uint32_t events);
};

void watch(int fd, uint32_t events, struct watch *w);

/* Sleeps until something is ready or `until`, and tells who waits for it. */
void wait_until(uint64_t until);

/* Time for what opening has begun. */
void settle(void);

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);		/* with the meaning of errno */

#endif /* RACK_HOSTS_H */
