// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waiters.c - threads that wait for messages: several on one socket, in poll and epoll, for private
 * RPCs, with signals, until the socket is shut down. Each message reaches one of them, none sleeps
 * beside a message.
 *
 * Needs 127.0.0.1. Prints `ok WHAT` or `not ok WHAT` for each test, exit 1 if one failed. A test that
 * hangs is ended by SIGALRM, and has failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "t_homa.h"

#define PORT		4010
#define THREADS		4
#define LIMIT_S		60	/* of one test */

static struct sockaddr_in server_addr;
static struct t_homa server, client;
static _Atomic unsigned int served;
static const char *testing;
static unsigned int messages = 2000;
static bool failed;

static void verdict(const char *what, bool ok)
{
	printf("%s %s\n", ok ? "ok" : "not ok", what);
	fflush(stdout);
	failed |= !ok;
}

static void on_alarm(int sig)
{
	static const char text[] = "not ok a waiter hangs in: ";

	if (write(1, text, sizeof(text) - 1) > 0 && write(1, testing, strlen(testing)) > 0)
		(void)!write(1, "\n", 1);
	_exit(T_FAIL);
}

static void on_signal(int sig)
{
}

static void begin(const char *what)
{
	testing = what;
	alarm(LIMIT_S);
}

static void die(const char *what, int err)
{
	fprintf(stderr, "waiters: %s: %s\n", what, strerror(-err));
	exit(err == -EPROTONOSUPPORT || err == -ESOCKTNOSUPPORT ? T_SKIP : T_FAIL);
}

/* Echoes until the socket says otherwise; returns that. */
static void *serve(void *arg)
{
	struct t_message m = { 0 };
	int len;

	for (;;) {
		len = t_homa_recv(&server, &m, -1);
		if (len == -EINTR)
			continue;
		if (len < 0)
			return (void *)(long)len;
		served++;
		t_homa_reply(&server, &m, server.region + m.args.bpage_offsets[0], len);
	}
}

static void request(uint64_t cookie)
{
	char text[100] = { 0 };
	int err = t_homa_request(&client, &server_addr, text, sizeof(text), cookie, NULL);

	if (err)
		die("request", err);
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg))
		die("pthread_create", -errno);
}

/* A thread that has had time to fall asleep, wherever it waits. */
static void let_wait(void)
{
	usleep(50000);
}

/* ---------------------------------------------------------------- tests */

static void would_block(void)
{
	struct homa_recvmsg_args args = { 0 };
	struct msghdr msg = { .msg_control = &args, .msg_controllen = sizeof(args) };

	begin("MSG_DONTWAIT");
	verdict(testing, recvmsg(client.fd, &msg, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

/* Readers of one client socket: each response reaches exactly one of them. */
static _Atomic unsigned int got, wrong;
static _Atomic unsigned char *seen;

static void *read_responses(void *arg)
{
	struct t_message m = { 0 };
	int len;

	for (;;) {
		len = t_homa_recv(&client, &m, -1);
		if (len == -EINTR) {
			if (atomic_load(&got) >= messages)
				return NULL;
			continue;
		}
		if (len != 100 || m.args.completion_cookie >= messages ||
		    atomic_fetch_add(&seen[m.args.completion_cookie], 1))
			wrong++;
		got++;
	}
}

static void end_readers(pthread_t *reader, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		/* It may be just before recvmsg: again, until one meets it there. */
		while (pthread_tryjoin_np(reader[i], NULL)) {
			pthread_kill(reader[i], SIGUSR1);
			usleep(1000);
		}
	}
}

static void many_readers(const char *what, bool with_signals)
{
	pthread_t reader[THREADS];
	unsigned int i;

	begin(what);
	seen = calloc(messages, 1);
	got = 0;
	wrong = 0;
	for (i = 0; i < THREADS; i++)
		start(&reader[i], read_responses, NULL);
	for (i = 0; i < messages; i++) {
		while (i - atomic_load(&got) > 20)
			sched_yield();
		request(i);
		if (with_signals)
			pthread_kill(reader[i % THREADS], SIGUSR1);
	}
	while (atomic_load(&got) < messages)
		usleep(1000);
	end_readers(reader, THREADS);
	verdict(testing, got == messages && !wrong);
	free((void *)seen);
}

static void *wait_one(void *arg)
{
	struct t_message m = { 0 };

	return (void *)(long)t_homa_recv(&client, &m, -1);
}

static void a_signal(void)
{
	pthread_t thread;
	void *ret;

	begin("a signal ends a wait");
	start(&thread, wait_one, NULL);
	let_wait();
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &ret);
	verdict(testing, (long)ret == -EINTR);
}

static void *wait_poll(void *arg)
{
	struct pollfd pfd = { .fd = client.fd, .events = POLLIN };

	return (void *)(long)(poll(&pfd, 1, -1) == 1 ? pfd.revents : -errno);
}

static void *wait_epoll(void *arg)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, out = { 0 };
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, client.fd, &event);
	if (epoll_wait(fd, &out, 1, -1) != 1)
		out.events = 0;
	close(fd);
	return (void *)(long)out.events;
}

static void polled(const char *what, void *(*wait)(void *), long want)
{
	struct t_message m = { 0 };
	pthread_t thread;
	void *ret;
	int len;

	begin(what);
	start(&thread, wait, NULL);
	let_wait();
	request(7);
	pthread_join(thread, &ret);
	len = t_homa_recv(&client, &m, 0);
	verdict(testing, (long)ret & want && len == 100 && m.args.completion_cookie == 7);
}

struct private {
	uint64_t id;
	uint64_t cookie;
};

static void *wait_private(void *arg)
{
	struct private *p = arg;
	struct homa_recvmsg_args args;
	struct msghdr msg = { .msg_control = &args, .msg_controllen = sizeof(args) };
	ssize_t len;

	memset(&args, 0, sizeof(args));
	do {
		args.id = p->id;
		len = recvmsg(client.fd, &msg, 0);
	} while (len < 0 && errno == EINTR);
	return (void *)(long)(len == 100 && args.id == p->id && args.completion_cookie == p->cookie);
}

static void private_request(struct private *p)
{
	struct homa_sendmsg_args args = {
		.completion_cookie = p->cookie, .flags = HOMA_SENDMSG_PRIVATE,
	};
	char text[100] = { 0 };
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = {
		.msg_name = &server_addr, .msg_namelen = sizeof(server_addr),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args,
	};

	if (sendmsg(client.fd, &msg, 0) < 0)
		die("private request", -errno);
	p->id = args.id;
}

static void private_waits(void)
{
	struct private p[THREADS];
	pthread_t thread[THREADS];
	bool ok = true;
	unsigned int i, round;
	void *ret;

	begin("private RPCs beside each other");
	for (round = 0; round < 20; round++) {
		for (i = 0; i < THREADS; i++) {
			p[i].cookie = 100 + i;
			private_request(&p[i]);
			start(&thread[i], wait_private, &p[i]);
		}
		for (i = 0; i < THREADS; i++) {
			pthread_join(thread[i], &ret);
			ok &= (long)ret == 1;
		}
	}
	verdict(testing, ok);
}

static void shut_down(pthread_t *thread, unsigned int nr)
{
	bool ok = true;
	unsigned int i;
	void *ret;

	begin("shutdown ends all waits");
	let_wait();
	if (shutdown(server.fd, SHUT_RDWR))
		die("shutdown", -errno);
	for (i = 0; i < nr; i++) {
		pthread_join(thread[i], &ret);
		ok &= (long)ret == -ESHUTDOWN;
	}
	verdict(testing, ok);
}

int main(int argc, char **argv)
{
	struct sigaction alarms = { .sa_handler = on_alarm }, usr = { .sa_handler = on_signal };
	pthread_t server_thread[THREADS];
	unsigned int i;
	int err;

	if (argc > 1)
		messages = t_parse_number("messages", argv[1], 1, 1000000);
	server_addr.sin_family = AF_INET;
	server_addr.sin_port = htons(PORT);
	server_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sigaction(SIGALRM, &alarms, NULL);
	sigaction(SIGUSR1, &usr, NULL);		/* without SA_RESTART */
	err = t_homa_open(&server, PORT);
	if (!err)
		err = t_homa_open(&client, 0);
	if (err)
		die("socket", err);
	for (i = 0; i < THREADS; i++)
		start(&server_thread[i], serve, NULL);

	would_block();
	many_readers("several readers of one socket", false);
	many_readers("several readers and signals", true);
	a_signal();
	polled("poll", wait_poll, POLLIN);
	polled("epoll", wait_epoll, EPOLLIN);
	private_waits();
	shut_down(server_thread, THREADS);
	t_homa_close(&client);
	t_homa_close(&server);
	return failed ? T_FAIL : T_PASS;
}
