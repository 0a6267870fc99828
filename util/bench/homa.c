// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * homa.c - RPCs over Homa.
 *
 * Messages are used where the kernel has put them: an echo is sent from the pages of the request,
 * which go back to the kernel with the next recvmsg. A server has a socket, with --ports several, with
 * threads of its own each. With --batch one call takes all messages that have
 * come, and one sends all that are for them.
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

/* Up to `max` messages in one call: what has come, and what is to be sent for it. */
struct batch {
	uint32_t max, came, sending;
	struct mmsghdr *in, *out;
	struct homa_recvmsg_args *in_args;
	struct homa_sendmsg_args *out_args;
	struct sockaddr_storage *peer;	/* of those that came */
	struct iovec (*iov)[HOMA_MAX_BPAGES + 1];
};

static void alloc_batch(struct batch *b, uint32_t max)
{
	uint32_t i;

	*b = (struct batch){ .max = max, .came = max };
	b->in = bench_alloc(max * sizeof(*b->in));
	b->out = bench_alloc(max * sizeof(*b->out));
	b->in_args = bench_alloc(max * sizeof(*b->in_args));
	b->out_args = bench_alloc(max * sizeof(*b->out_args));
	b->peer = bench_alloc(max * sizeof(*b->peer));
	b->iov = bench_alloc(max * sizeof(*b->iov));
	for (i = 0; i < max; i++) {
		b->in[i].msg_hdr.msg_name = &b->peer[i];
		b->in[i].msg_hdr.msg_control = &b->in_args[i];
		b->out[i].msg_hdr.msg_control = &b->out_args[i];
		b->out[i].msg_hdr.msg_iov = b->iov[i];
	}
}

static void free_batch(struct batch *b)
{
	free(b->in);
	free(b->out);
	free(b->in_args);
	free(b->out_args);
	free(b->peer);
	free(b->iov);
}

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

static void renew(struct batch *b, uint32_t i)
{
	b->in[i].msg_hdr.msg_namelen = sizeof(*b->peer);
	b->in[i].msg_hdr.msg_controllen = sizeof(*b->in_args);
	b->in_args[i].id = 0;
	b->in_args[i].reserved = 0;
}

/* Waits for one, and takes what else is there. */
static void receive(struct homa *h, struct batch *b)
{
	uint32_t i;
	int n;

	for (i = 0; i < b->came; i++)
		renew(b, i);
	do {
		n = recvmmsg(h->fd, b->in, b->max, MSG_WAITFORONE, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		bench_die("recvmmsg");
	b->came = n;
}

/* The same with room for one. */
static void receive_one(struct homa *h, struct batch *b)
{
	ssize_t len;

	renew(b, 0);
	do {
		len = recvmsg(h->fd, &b->in->msg_hdr, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		bench_die("recvmsg");
	b->in->msg_len = len;
}

static void *first_page(struct homa *h, const struct batch *b, uint32_t i)
{
	return h->region + b->in_args[i].bpage_offsets[0];
}

/* Room for a message in the next call: its iov and args are the caller's to fill in. */
static uint32_t next_to_send(struct batch *b, void *peer, socklen_t peer_len)
{
	uint32_t i = b->sending++;

	b->out[i].msg_hdr.msg_name = peer;
	b->out[i].msg_hdr.msg_namelen = peer_len;
	b->out[i].msg_hdr.msg_iovlen = 1;
	b->out_args[i] = (struct homa_sendmsg_args){ 0 };
	return i;
}

static void send_all(struct homa *h, struct batch *b)
{
	uint32_t i;
	int n;

	for (i = 0; i < b->sending; i += n) {
		n = sendmmsg(h->fd, b->out + i, b->sending - i, 0);
		if (n < 0)
			bench_die("sendmmsg");
	}
	b->sending = 0;
}

static void send_one(struct homa *h, struct batch *b)
{
	b->sending = 0;
	if (sendmsg(h->fd, &b->out->msg_hdr, 0) < 0)
		bench_die("sendmsg");
}

/* ---------------------------------------------------------------- server */

/* A reply that is longer than its request is filled up with zeros. */
static void answer(struct homa *h, struct batch *b, uint32_t nr)
{
	const struct homa_recvmsg_args *args = &b->in_args[nr];
	static const char zeros[BENCH_MAX_LEN];
	struct bench_header *header = first_page(h, b, nr);
	uint32_t left, part, slot, i, len = b->in[nr].msg_len;
	struct iovec *iov;

	left = header->reply;
	if (len == header->len && left == BENCH_HELD)
		return;
	if (len != header->len || left < sizeof(*header) || left > BENCH_MAX_LEN)
		bench_die("a message that is not p4bench's");
	slot = next_to_send(b, &b->peer[nr], b->in[nr].msg_hdr.msg_namelen);
	b->out_args[slot].id = args->id;
	iov = b->iov[slot];
	header->len = left;
	for (i = 0; left && i < args->num_bpages; i++, left -= part) {
		part = len - i * HOMA_BPAGE_SIZE;
		part = part > HOMA_BPAGE_SIZE ? HOMA_BPAGE_SIZE : part;
		part = part > left ? left : part;
		iov[i] = (struct iovec){ h->region + args->bpage_offsets[i], part };
	}
	if (left)
		iov[i++] = (struct iovec){ (void *)zeros, left };
	b->out[slot].msg_hdr.msg_iovlen = i;
}

struct server {			/* of one port */
	struct homa homa;
	uint32_t batch;
};

static void *serve_thread(void *arg)
{
	struct server *s = arg;
	struct batch b;
	uint32_t i;

	alloc_batch(&b, s->batch);
	while (b.max == 1) {
		receive_one(&s->homa, &b);
		answer(&s->homa, &b, 0);
		if (b.sending)
			send_one(&s->homa, &b);
	}
	for (;;) {
		receive(&s->homa, &b);
		for (i = 0; i < b.came; i++)
			answer(&s->homa, &b, i);
		send_all(&s->homa, &b);
	}
	return NULL;
}

static void start_server(struct server *s, const struct bench_options *opt, uint32_t threads)
{
	pthread_t thread;
	uint32_t i;

	s->batch = opt->batch;
	open_homa(&s->homa, bench_bound_socket(opt, SOCK_DGRAM, IPPROTO_HOMA));
	for (i = 0; i < threads; i++) {
		if (pthread_create(&thread, NULL, serve_thread, s))
			bench_die("pthread_create");
	}
}

static void serve(const struct bench_options *opt)
{
	struct server *s = bench_alloc(opt->ports * sizeof(*s));
	struct bench_options own = *opt;
	uint32_t i;

	for (i = 1; i < opt->ports; i++) {
		own.port++;
		start_server(&s[i], &own, opt->threads);
	}
	start_server(s, opt, opt->threads - 1);
	serve_thread(s);
}

/* ---------------------------------------------------------------- client */

/* RPCs that this thread has under way: `slot` is the cookie of one. */
struct client {
	struct homa homa;
	struct worker *w;
	struct batch batch;
	uint64_t *started, *number;	/* of each slot */
	uint64_t next;
	uint32_t busy;
	char *buf;		/* a request for each of a batch */
};

static void request(struct client *c, uint64_t slot)
{
	struct batch *b = &c->batch;
	uint32_t i = next_to_send(b, &c->w->peer, c->w->opt->peer_len);
	void *buf = c->buf + (size_t)i * c->w->len;

	b->out_args[i].completion_cookie = slot;
	b->iov[i][0] = (struct iovec){ buf, c->w->len };
	c->number[slot] = c->next++;
	c->started[slot] = bench_now();
	bench_put_header(buf, c->w, c->number[slot]);
}

static void take_response(struct client *c, uint32_t i)
{
	const struct batch *b = &c->batch;
	uint64_t slot = b->in_args[i].completion_cookie;

	if (slot >= c->w->outstanding)
		bench_die("a response to nothing");
	bench_check_reply(first_page(&c->homa, b, i), b->in[i].msg_len, c->w, c->number[slot]);
	bench_done(c->w, c->started[slot]);
	if (bench_stopped())
		c->busy--;
	else
		request(c, slot);
}

static void start_client(struct client *c)
{
	struct worker *w = c->w;
	int fd = socket(w->opt->family, SOCK_DGRAM, IPPROTO_HOMA);

	if (fd < 0)
		bench_die("socket");
	open_homa(&c->homa, fd);
	alloc_batch(&c->batch, w->opt->batch);
	c->started = bench_alloc(w->outstanding * sizeof(*c->started));
	c->number = bench_alloc(w->outstanding * sizeof(*c->number));
	c->buf = bench_alloc((size_t)w->opt->batch * w->len);
	while (c->busy < w->outstanding) {
		request(c, c->busy++);
		if (c->batch.sending == c->batch.max)
			send_all(&c->homa, &c->batch);
	}
	send_all(&c->homa, &c->batch);
}

static void run(struct worker *w)
{
	struct client c = { .w = w };
	uint32_t i;

	start_client(&c);
	while (c.busy && c.batch.max == 1) {
		receive_one(&c.homa, &c.batch);
		take_response(&c, 0);
		if (c.batch.sending)
			send_one(&c.homa, &c.batch);
	}
	while (c.busy) {
		receive(&c.homa, &c.batch);
		for (i = 0; i < c.batch.came; i++)
			take_response(&c, i);
		send_all(&c.homa, &c.batch);
	}
	close_homa(&c.homa);
	free_batch(&c.batch);
	free(c.started);
	free(c.number);
	free(c.buf);
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
	void *buf = bench_alloc(w.len);
	uint32_t i, failed;
	struct batch b;
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
	alloc_batch(&b, 1);
	for (i = 0; i < opt->count; i++) {
		bench_put_header(buf, &w, i);
		next_to_send(&b, &peer, opt->peer_len);
		b.iov[0][0] = (struct iovec){ buf, w.len };
		send_all(&h, &b);
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
	free_batch(&b);
	free(buf);
	return failed;
}

const struct transport bench_homa = { "homa", serve, run };
