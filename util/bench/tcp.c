// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - RPCs over TCP: a connection for each RPC that is outstanding, so none waits behind others.
 *
 * Two ways: blocking sockets with a thread for each connection, or (--epoll, and always if a thread
 * has several outstanding) one thread for all of them; on the server, --threads on one epoll set, where
 * a connection is one thread's until it has answered. Short messages take one send and one recv a side,
 * long ones as few as TCP's buffers allow.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS	64

/* One message at a time goes either way. */
struct connection {
	int fd;
	struct bench_header *buf;	/* of both directions */
	uint32_t have;			/* bytes of the incoming message */
	uint32_t sent, to_send;		/* of the outgoing one */
	uint64_t started, number;	/* client */
	bool awaits_room;
	uint32_t once;			/* EPOLLONESHOT, or 0 */
};

static void no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		bench_die("TCP_NODELAY");
}

static struct connection *make_connection(int fd)
{
	struct connection *c = bench_alloc(sizeof(*c));

	no_delay(fd);
	c->fd = fd;
	c->buf = bench_alloc(BENCH_MAX_LEN);
	return c;
}

static void free_connection(struct connection *c)
{
	close(c->fd);
	free(c->buf);
	free(c);
}

static struct connection *connect_to(const struct bench_options *opt)
{
	int fd = socket(opt->family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&opt->peer, opt->peer_len))
		bench_die("connect");
	return make_connection(fd);
}

static bool is_complete(const struct connection *c)
{
	return c->have >= sizeof(*c->buf) && c->have >= c->buf->len;
}

/* What a message that has been read asks for becomes the outgoing one. */
static void turn_around(struct connection *c)
{
	if (c->have != c->buf->len || c->buf->reply < sizeof(*c->buf) ||
	    c->buf->reply > BENCH_MAX_LEN)
		bench_die("a message that is not p4bench's");
	c->buf->len = c->buf->reply;
	c->to_send = c->buf->reply;
	c->sent = 0;
	c->have = 0;
}

/* ---------------------------------------------------------------- blocking */

static bool receive(struct connection *c)
{
	ssize_t got;

	for (c->have = 0; !is_complete(c); c->have += got) {
		bool knows = c->have >= sizeof(*c->buf);
		uint32_t want = (knows ? c->buf->len : BENCH_MAX_LEN) - c->have;

		got = recv(c->fd, (char *)c->buf + c->have, want, knows ? MSG_WAITALL : 0);
		if (got <= 0)
			return false;
	}
	return true;
}

static bool send_message(struct connection *c, uint32_t len)
{
	return send(c->fd, c->buf, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void *serve_connection(void *arg)
{
	struct connection *c = arg;

	while (receive(c)) {
		turn_around(c);
		if (!send_message(c, c->to_send))
			break;
	}
	free_connection(c);
	return NULL;
}

static void run_blocking(struct worker *w)
{
	struct connection *c = connect_to(w->opt);

	while (!bench_stopped()) {
		c->started = bench_now();
		bench_put_header(c->buf, w, ++c->number);
		if (!send_message(c, w->len))
			bench_die("send");
		if (!receive(c))
			bench_die("recv");
		bench_check_reply(c->buf, c->have, w, c->number);
		bench_done(w, c->started);
	}
	free_connection(c);
}

/* ---------------------------------------------------------------- epoll */

static void watch(int epfd, int op, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN | c->once, .data.ptr = c };

	if (c->awaits_room)
		event.events |= EPOLLOUT;

	if (epoll_ctl(epfd, op, c->fd, &event))
		bench_die("epoll_ctl");
}

/* As much as fits; the rest when there is room again. */
static void push(int epfd, struct connection *c)
{
	ssize_t n = send(c->fd, (char *)c->buf + c->sent, c->to_send - c->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		bench_die("send");
	c->sent += n > 0 ? n : 0;
	if (c->awaits_room != (c->sent < c->to_send)) {
		c->awaits_room = !c->awaits_room;
		if (!c->once)
			watch(epfd, EPOLL_CTL_MOD, c);
	}
}

/* Whether a message is complete now; false with *closed if there will be none. */
static bool pull(struct connection *c, bool *closed)
{
	ssize_t n = recv(c->fd, (char *)c->buf + c->have, BENCH_MAX_LEN - c->have, MSG_DONTWAIT);

	*closed = !n || (n < 0 && errno != EAGAIN);
	c->have += n > 0 ? n : 0;
	return is_complete(c);
}

static int wait_events(int epfd, struct epoll_event *events, int max)
{
	int n;

	do {
		n = epoll_wait(epfd, events, max, -1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		bench_die("epoll_wait");
	return n;
}

static void serve_event(int epfd, struct connection *c, uint32_t events)
{
	bool closed = false;

	if (events & EPOLLOUT) {
		push(epfd, c);
	} else if (pull(c, &closed)) {
		turn_around(c);
		push(epfd, c);
	} else if (closed) {
		free_connection(c);	/* close() ends its being watched */
		return;
	}
	if (c->once)
		watch(epfd, EPOLL_CTL_MOD, c);
}

struct epoll_server {
	int epfd, max;			/* events that a thread takes at a time */
	struct connection door;		/* listens */
};

static void let_in(struct epoll_server *s)
{
	int fd = accept(s->door.fd, NULL, NULL);
	struct connection *c;

	if (s->door.once)
		watch(s->epfd, EPOLL_CTL_MOD, &s->door);
	if (fd < 0)
		return;
	c = make_connection(fd);
	c->once = s->door.once;
	watch(s->epfd, EPOLL_CTL_ADD, c);
}

static void *serve_epoll_thread(void *arg)
{
	struct epoll_event events[EVENTS];
	struct epoll_server *s = arg;
	int n, i;

	for (;;) {
		n = wait_events(s->epfd, events, s->max);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == &s->door)
				let_in(s);
			else
				serve_event(s->epfd, events[i].data.ptr, events[i].events);
		}
	}
	return NULL;
}

static void serve_epoll(int listener, uint32_t threads)
{
	struct epoll_server s = { .epfd = epoll_create1(0), .max = EVENTS, .door.fd = listener };
	pthread_t thread;
	uint32_t i;

	if (threads > 1) {
		s.door.once = EPOLLONESHOT;
		s.max = 1;
	}
	watch(s.epfd, EPOLL_CTL_ADD, &s.door);
	for (i = 1; i < threads; i++) {
		if (pthread_create(&thread, NULL, serve_epoll_thread, &s))
			bench_die("pthread_create");
	}
	serve_epoll_thread(&s);
}

static void start_request(int epfd, struct worker *w, struct connection *c)
{
	c->started = bench_now();
	bench_put_header(c->buf, w, ++c->number);
	c->to_send = w->len;
	c->sent = 0;
	c->have = 0;
	push(epfd, c);
}

/* Whether this connection has nothing left to do. */
static bool client_event(int epfd, struct worker *w, struct connection *c, uint32_t events)
{
	bool closed = false;

	if (events & EPOLLOUT) {
		push(epfd, c);
	} else if (pull(c, &closed)) {
		bench_check_reply(c->buf, c->have, w, c->number);
		bench_done(w, c->started);
		if (bench_stopped())
			return true;
		start_request(epfd, w, c);
	} else if (closed) {
		bench_die("recv");
	}
	return false;
}

static void run_epoll(struct worker *w)
{
	struct connection **c = bench_alloc(w->outstanding * sizeof(*c));
	struct epoll_event events[EVENTS];
	int epfd = epoll_create1(0), n, i;
	uint32_t busy;

	for (busy = 0; busy < w->outstanding; busy++) {
		c[busy] = connect_to(w->opt);
		watch(epfd, EPOLL_CTL_ADD, c[busy]);
	}
	for (i = 0; i < (int)w->outstanding; i++)
		start_request(epfd, w, c[i]);
	while (busy) {
		n = wait_events(epfd, events, EVENTS);
		for (i = 0; i < n; i++)
			busy -= client_event(epfd, w, events[i].data.ptr, events[i].events);
	}
	for (i = 0; i < (int)w->outstanding; i++)
		free_connection(c[i]);
	free(c);
	close(epfd);
}

/* ---------------------------------------------------------------- entry */

static void serve(const struct bench_options *opt)
{
	int listener = bench_bound_socket(opt, SOCK_STREAM, 0), fd;
	pthread_t thread;

	if (listen(listener, BENCH_MAX_OUTSTANDING))
		bench_die("listen");
	if (opt->epoll)
		serve_epoll(listener, opt->threads);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (pthread_create(&thread, NULL, serve_connection, make_connection(fd)))
			bench_die("pthread_create");
		pthread_detach(thread);
	}
}

static void run(struct worker *w)
{
	if (w->opt->epoll || w->outstanding > 1)
		run_epoll(w);
	else
		run_blocking(w);
}

const struct transport bench_tcp = { "tcp", serve, run };
