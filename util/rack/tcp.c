// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - messages over persistent TCP connections, one at a time on each.
 *
 * Between two hosts there are `spare` connections from the start. A message takes the idle one that was
 * used last (its congestion window is the freshest); if few are left, another is opened. Only if none
 * is left a message waits for its own handshake.
 *
 * The receiver learns the length from the sender's own record, throws the bytes away in the kernel
 * (MSG_TRUNC), and is woken for each LOWAT bytes and for the last: fewer system calls, the same
 * packets. LOWAT is below what the default receive buffer admits, so windows are what they would be.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"
#include "workload.h"

#define PORT		5000
#define FEW		16	/* idle connections between two hosts */
#define SNDBUF		2000000	/* a message fits, so that one call sends it */
#define LOWAT		32768
#define PACKET		1448

struct connection;

struct side {
	struct watch watch;
	struct connection *of;
	int fd;
};

struct connection {
	struct side client, server;
	struct connection *next;	/* idle */
	struct message *message;	/* under way */
	uint32_t sent, received;	/* of it */
	uint32_t response;
	int lowat;
	uint8_t from, to;
	bool is_open;
};

struct listener {
	struct watch watch;
	int fd;
};

static struct listener listener[HOSTS_MAX];
static struct connection *idle[HOSTS_MAX][HOSTS_MAX];
static int nr_idle[HOSTS_MAX][HOSTS_MAX];	/* and those that are being opened */
/* From, to, the client's port: one port may serve connections to several hosts. Until accepted. */
static struct connection *by_port[HOSTS_MAX][HOSTS_MAX][65536];
static const char *control = "cubic";
static uint64_t opened_late;
static bool started;

static void put_idle(struct connection *c)
{
	c->next = idle[c->from][c->to];
	idle[c->from][c->to] = c;
}

static void send_request(struct connection *c)
{
	struct message *m = c->message;

	while (c->sent < m->bytes) {
		ssize_t n = send(c->client.fd, message_bytes, m->bytes - c->sent, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (n < 0)
			die("tcp: send");
		c->sent += n;
	}
}

static void set_lowat(struct connection *c)
{
	uint32_t left = c->message->bytes - c->received;
	int want = left < LOWAT ? (int)left : LOWAT;

	/* one packet comes as a whole: any value up to its size will do */
	if (c->lowat == want || (left <= PACKET && c->lowat == 1))
		return;
	if (left <= PACKET)
		want = 1;
	if (setsockopt(c->server.fd, SOL_SOCKET, SO_RCVLOWAT, &want, sizeof(want)))
		die("tcp: SO_RCVLOWAT");
	c->lowat = want;
}

static void request_is_here(struct watch *w, uint32_t events)
{
	struct connection *c = ((struct side *)w)->of;
	struct message *m = c->message;
	ssize_t n;

	if (!m || c->received == m->bytes)
		return;
	n = recv(c->server.fd, NULL, m->bytes - c->received, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("tcp: recv");
	c->received += n;
	if (c->received < m->bytes) {
		set_lowat(c);
		return;
	}
	if (send(c->server.fd, message_bytes, RESPONSE_BYTES, MSG_DONTWAIT) != RESPONSE_BYTES)
		die("tcp: response");
}

static void response_is_here(struct watch *w, uint32_t events)
{
	struct connection *c = ((struct side *)w)->of;
	struct message *m = c->message;
	ssize_t n;

	if (!m && !c->is_open && (events & EPOLLOUT))
		put_idle(c);
	if (events & EPOLLOUT) {
		c->is_open = true;
		if (m)
			send_request(c);
	}
	if (!m || !(events & EPOLLIN))
		return;
	n = recv(c->client.fd, NULL, RESPONSE_BYTES - c->response, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("tcp: recv");
	c->response += n;
	if (c->response < RESPONSE_BYTES)
		return;
	c->message = NULL;
	nr_idle[c->from][c->to]++;
	put_idle(c);
	message_done(m);
}

static void tune(int fd)
{
	int yes = 1, bytes = SNDBUF;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, strlen(control)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)))
		die("tcp: %s", control);
}

static struct connection *open_connection(int from, int to)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct sockaddr_in addr = address_of(to, PORT), own;
	socklen_t len = sizeof(own);

	if (!c)
		die("tcp: connection");
	c->client.of = c;
	c->server.of = c;
	c->from = from;
	c->to = to;
	c->lowat = 1;
	c->client.fd = socket_of(from, SOCK_STREAM | SOCK_NONBLOCK, 0);
	tune(c->client.fd);
	if (connect(c->client.fd, (struct sockaddr *)&addr, sizeof(addr)) && errno != EINPROGRESS)
		die("tcp: connect");
	if (getsockname(c->client.fd, (struct sockaddr *)&own, &len))
		die("tcp: getsockname");
	by_port[from][to][ntohs(own.sin_port)] = c;
	c->client.watch.ready = response_is_here;
	watch(c->client.fd, EPOLLIN | EPOLLOUT | EPOLLET, &c->client.watch);
	return c;
}

static int host_of(const struct sockaddr_in *addr)
{
	return (ntohl(addr->sin_addr.s_addr) & 0xff) - 1;
}

static void connection_is_here(struct watch *w, uint32_t events)
{
	struct listener *l = (struct listener *)w;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct connection *c;
	int fd;

	fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK);
	if (fd < 0)
		return;
	c = by_port[host_of(&from)][l - listener][ntohs(from.sin_port)];
	if (!c)
		die("tcp: a connection from a port that is not ours");
	c->server.fd = fd;
	tune(fd);
	c->server.watch.ready = request_is_here;
	if (c->message)
		set_lowat(c);
	watch(fd, EPOLLIN | EPOLLET, &c->server.watch);
}

static void fill_up(int from, int to, int want)
{
	while (nr_idle[from][to] < want) {
		open_connection(from, to);
		nr_idle[from][to]++;
	}
}

static void tcp_send(struct message *m)
{
	struct connection *c = idle[m->from][m->to];

	if (c) {
		idle[m->from][m->to] = c->next;
		nr_idle[m->from][m->to]--;
		fill_up(m->from, m->to, FEW);
	} else {
		c = open_connection(m->from, m->to);
		opened_late++;
	}
	c->message = m;
	c->sent = 0;
	c->received = 0;
	c->response = 0;
	if (c->server.fd)
		set_lowat(c);
	/* in virtual time a call that fails is not free */
	if (c->is_open)
		send_request(c);
}

static void tcp_open(int hosts, int spare)
{
	int i, k, yes = 1;

	if (started)
		die("tcp: one kind at a time");
	started = true;
	for (i = 0; i < hosts; i++) {
		struct sockaddr_in addr = address_of(i, PORT);

		listener[i].fd = socket_of(i, SOCK_STREAM | SOCK_NONBLOCK, 0);
		tune(listener[i].fd);
		if (setsockopt(listener[i].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
		    bind(listener[i].fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		    listen(listener[i].fd, 4096))
			die("tcp: listen");
		listener[i].watch.ready = connection_is_here;
		watch(listener[i].fd, EPOLLIN, &listener[i].watch);
	}
	for (i = 0; i < hosts; i++)
		for (k = 0; k < hosts; k++)
			if (i != k)
				fill_up(i, k, spare);
}

static void dctcp_open(int hosts, int spare)
{
	control = "dctcp";
	tcp_open(hosts, spare);
}

static void tcp_report(FILE *to)
{
	fprintf(to, "opened %lu", opened_late);
}

const struct transport tcp_transport = {
	.name = "tcp", .open = tcp_open, .send = tcp_send, .report = tcp_report,
};

const struct transport dctcp_transport = {
	.name = "dctcp", .open = dctcp_open, .send = tcp_send, .report = tcp_report,
};
