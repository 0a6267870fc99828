// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * homa.c - RPCs over Homa.
 *
 * Messages are used where the kernel has put them: an echo is sent from the pages of the request,
 * which go back to the kernel with the next recvmsg.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/homa.h>
#include "bench.h"

#define REGION_BYTES	(64u << 20)

struct homa {
	int fd;
	char *region;
};

struct message {
	struct homa_recvmsg_args args;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	uint32_t len;
};

static void open_homa(struct homa *h, int fd)
{
	struct homa_rcvbuf_args args = { .length = REGION_BYTES };

	h->fd = fd;
	h->region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (h->region == MAP_FAILED)
		bench_die("mmap");
	args.start = (uintptr_t)h->region;
	if (setsockopt(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)))
		bench_die("SO_HOMA_RCVBUF");
}

static void close_homa(struct homa *h)
{
	close(h->fd);
	munmap(h->region, REGION_BYTES);
}

static void receive(struct homa *h, struct message *m)
{
	struct msghdr msg = {
		.msg_name = &m->peer, .msg_namelen = sizeof(m->peer),
		.msg_control = &m->args, .msg_controllen = sizeof(m->args),
	};
	ssize_t len;

	m->args.id = 0;
	m->args.reserved = 0;
	do {
		len = recvmsg(h->fd, &msg, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		bench_die("recvmsg");
	m->peer_len = msg.msg_namelen;
	m->len = len;
}

static void *first_page(struct homa *h, const struct message *m)
{
	return h->region + m->args.bpage_offsets[0];
}

static void send_iov(struct homa *h, void *peer, socklen_t peer_len, struct iovec *iov, int nr,
		     struct homa_sendmsg_args *args)
{
	struct msghdr msg = {
		.msg_name = peer, .msg_namelen = peer_len, .msg_iov = iov, .msg_iovlen = nr,
		.msg_control = args,
	};

	if (sendmsg(h->fd, &msg, 0) < 0)
		bench_die("sendmsg");
}

/* ---------------------------------------------------------------- server */

/* A reply that is longer than its request is filled up with zeros. */
static void answer(struct homa *h, struct message *m)
{
	static const char zeros[BENCH_MAX_LEN];
	struct homa_sendmsg_args args = { .id = m->args.id };
	struct bench_header *header = first_page(h, m);
	struct iovec iov[HOMA_MAX_BPAGES + 1];
	uint32_t left, part, i;

	left = header->reply;
	if (m->len == header->len && left == BENCH_HELD)
		return;
	if (m->len != header->len || left < sizeof(*header) || left > BENCH_MAX_LEN)
		bench_die("a message that is not p4bench's");
	header->len = left;
	for (i = 0; left && i < m->args.num_bpages; i++, left -= part) {
		part = m->len - i * HOMA_BPAGE_SIZE;
		part = part > HOMA_BPAGE_SIZE ? HOMA_BPAGE_SIZE : part;
		part = part > left ? left : part;
		iov[i] = (struct iovec){ h->region + m->args.bpage_offsets[i], part };
	}
	if (left)
		iov[i++] = (struct iovec){ (void *)zeros, left };
	send_iov(h, &m->peer, m->peer_len, iov, i, &args);
}

static void *serve_thread(void *arg)
{
	struct message m = { 0 };

	for (;;) {
		receive(arg, &m);
		answer(arg, &m);
	}
	return NULL;
}

static void serve(const struct bench_options *opt)
{
	struct homa h;
	pthread_t thread;
	uint32_t i;

	open_homa(&h, bench_bound_socket(opt, SOCK_DGRAM, IPPROTO_HOMA));
	for (i = 1; i < opt->threads; i++) {
		if (pthread_create(&thread, NULL, serve_thread, &h))
			bench_die("pthread_create");
	}
	serve_thread(&h);
}

/* ---------------------------------------------------------------- client */

static void request(struct homa *h, struct worker *w, void *buf, uint32_t slot, uint64_t number)
{
	struct homa_sendmsg_args args = { .completion_cookie = slot };
	struct iovec iov = { buf, w->len };

	bench_put_header(buf, w, number);
	send_iov(h, (void *)&w->opt->peer, w->opt->peer_len, &iov, 1, &args);
}

static void run(struct worker *w)
{
	uint64_t *started = bench_alloc(w->outstanding * sizeof(*started));
	uint64_t *number = bench_alloc(w->outstanding * sizeof(*number));
	int fd = socket(w->opt->family, SOCK_DGRAM, IPPROTO_HOMA);
	void *buf = bench_alloc(w->len);
	struct message m = { 0 };
	uint64_t next = 0, slot;
	uint32_t busy;
	struct homa h;

	if (fd < 0)
		bench_die("socket");
	open_homa(&h, fd);
	for (busy = 0; busy < w->outstanding; busy++) {
		number[busy] = next++;
		started[busy] = bench_now();
		request(&h, w, buf, busy, number[busy]);
	}
	while (busy) {
		receive(&h, &m);
		slot = m.args.completion_cookie;
		if (slot >= w->outstanding)
			bench_die("a response to nothing");
		bench_check_reply(first_page(&h, &m), m.len, w, number[slot]);
		bench_done(w, started[slot]);
		if (bench_stopped()) {
			busy--;
			continue;
		}
		number[slot] = next++;
		started[slot] = bench_now();
		request(&h, w, buf, slot, number[slot]);
	}
	close_homa(&h);
	free(started);
	free(number);
	free(buf);
}

/* ---------------------------------------------------------------- many idle RPCs */

static void next_address(struct sockaddr_storage *a)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	uint32_t *last = a->ss_family == AF_INET ? &v4->sin_addr.s_addr :
						   &v6->sin6_addr.s6_addr32[3];

	*last = htonl(ntohl(*last) + 1);
}

/* Completions that have come although nobody answers: RPCs that have failed. */
static uint32_t count_failed(struct homa *h, uint32_t max, int *first)
{
	struct homa_recvmsg_args args;
	struct sockaddr_storage peer;
	uint32_t failed = 0;

	for (; failed < max; failed++) {
		struct msghdr msg = {
			.msg_name = &peer, .msg_namelen = sizeof(peer),
			.msg_control = &args, .msg_controllen = sizeof(args),
		};

		args = (struct homa_recvmsg_args){ 0 };
		if (recvmsg(h->fd, &msg, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			break;
		*first = failed ? *first : errno;
	}
	return failed;
}

uint32_t bench_hold(const struct bench_options *opt)
{
	struct worker w = { .opt = opt, .len = opt->len, .reply = BENCH_HELD };
	int fd = socket(opt->family, SOCK_DGRAM, IPPROTO_HOMA);
	struct sockaddr_storage peer = opt->peer;
	struct homa_sendmsg_args args;
	void *buf = bench_alloc(w.len);
	struct iovec iov = { buf, w.len };
	uint32_t i, failed;
	struct homa h;
	sigset_t end;
	int sig, err;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	if (fd < 0)
		bench_die("socket");
	open_homa(&h, fd);
	for (i = 0; i < opt->count; i++) {
		args = (struct homa_sendmsg_args){ 0 };
		bench_put_header(buf, &w, i);
		send_iov(&h, &peer, opt->peer_len, &iov, 1, &args);
		if ((i + 1) % opt->peers)
			next_address(&peer);
		else
			peer = opt->peer;
	}
	printf("p4bench: homa: holds %u RPCs with %u peers\n", opt->count, opt->peers);
	fflush(stdout);
	sigwait(&end, &sig);
	failed = count_failed(&h, opt->count, &err);
	printf("p4bench: homa: %u of them have failed%s%s\n", failed, failed ? ": " : "",
	       failed ? strerror(err) : "");
	close_homa(&h);
	free(buf);
	return failed;
}

const struct transport bench_homa = { "homa", serve, run };
