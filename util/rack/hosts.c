// SPDX-License-Identifier: GPL-2.0-or-later
/* hosts.c - see hosts.h. Owns the event loop, the clock and the namespaces' files. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hosts.h"

#define EVENTS		64
#define SETTLE_NS	50000000ul	/* for handshakes, before anything is sent */

uint64_t now;
static int epoll_fd;
static int namespaces[HOSTS_MAX];

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

void enter_host(int host)
{
	if (setns(namespaces[host], CLONE_NEWNET))
		die("h%d", host + 1);
}

int socket_of(int host, int type, int protocol)
{
	int fd;

	enter_host(host);
	fd = socket(AF_INET, type, protocol);
	if (fd < 0)
		die("socket %d %d", type, protocol);
	return fd;
}

static void open_namespaces(int hosts)
{
	char path[32];
	int i;

	for (i = 0; i < hosts; i++) {
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

void wait_until(uint64_t until)
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

void settle(void)
{
	uint64_t until;

	read_clock();
	until = now + SETTLE_NS;
	while (now < until)
		wait_until(until);
}

void open_hosts(int hosts)
{
	struct rlimit files = { 1000000, 1000000 };

	/* sleep exactly as long as asked */
	if (prctl(PR_SET_TIMERSLACK, 1) || setrlimit(RLIMIT_NOFILE, &files))
		die("limits");
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll");
	open_namespaces(hosts);
}
