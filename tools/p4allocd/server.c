// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * server.c - see server.h.
 *
 * The kernel puts messages into a region of ours and lends us its pages; they go back with the
 * next recvmsg. A message may use several pages that are not neighbours; those that concern us are
 * short, so only the first page is looked at, and a longer message is handed on with its true
 * length, of which no more than its head is ever read.
 *
 * Replies for which the kernel has no room wait here, in order. If they become many, no request is read
 * until there are fewer, so that what they can grow by is answers to those who wait for blocks or locks.
 * If they are too many all the same, they are dropped with all RPCs, and the socket is opened anew: a client
 * whose RPC is never answered would be told for ever that it is being served, one whose RPC nobody knows
 * asks again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/homa.h"

#include "log.h"
#include "loop.h"
#include "server.h"

#define MESSAGES_AT_ONCE 64	/* before the other descriptors get their turn */
#define SINGLE_MAX	8	/* times that a single message is believed to be the only one */
#define REGION_MIN	((size_t)8 << 20)
#define REGION_MAX	((size_t)1 << 30)
#define RETRY_US	5000
#define REOPEN_US	200000
#define UNSENT_BYTES	((size_t)16 << 20)
#define PAUSE_BYTES	(UNSENT_BYTES / 2)	/* with so many waiting no request is read */
#define RESUME_BYTES	(UNSENT_BYTES / 4)

struct unsent {			/* a reply for which there was no room */
	struct unsent *link;
	struct p4d_who who;
	size_t len;
	uint8_t bytes[];
};

struct p4d_server {
	struct p4d_watch watch;
	struct p4d_loop *loop;
	struct p4d_timer retry;
	struct unsent *first, **last;
	size_t unsent;			/* bytes of them */
	struct p4d_server_stats stats;
	uint16_t port;
	uint32_t life;			/* of the socket: a client may ask again by the same RPC */
	bool paused;
	bool over;			/* the socket must be opened anew */
	p4d_server_message message;
	void *arg;
	char *region;
	size_t region_size;
	struct homa_recvmsg_args recv;	/* holds the pages that are to be given back */
	unsigned int singles;		/* wake-ups since one was for more than one message */
};

static void on_message(struct p4d_server *s, const struct p4d_who *who, size_t len)
{
	size_t at = s->recv.bpage_offsets[0];
	size_t here = len < HOMA_BPAGE_SIZE ? len : HOMA_BPAGE_SIZE;

	if (here <= s->region_size && at <= s->region_size - here)
		s->message(s->arg, s->recv.reserved, who, s->region + at, len);
}

/* 1: had a message, 0: none there. */
static int receive(struct p4d_server *s)
{
	struct p4d_who who = { 0 };
	struct msghdr m = {
		.msg_name = &who.peer,
		.msg_namelen = sizeof(who.peer),
		.msg_control = &s->recv,
		.msg_controllen = sizeof(s->recv),
	};
	ssize_t len;

	s->recv.id = 0;
	len = recvmsg(s->watch.fd, &m, MSG_DONTWAIT);
	if (len < 0) {
		s->recv.num_bpages = 0;
		if (errno != EAGAIN && errno != EINTR)
			p4d_log(P4D_WARN, "recvmsg: %s", strerror(errno));
		return 0;
	}
	who.rpc = s->recv.id;
	who.life = s->life;
	if (len && s->recv.num_bpages)
		on_message(s, &who, len);
	return 1;
}

/*
 * Looking for a second message costs a system call, which is in vain if clients ask one at a time. So after
 * a wake-up that was for one, the next few take one; if there are more, the loop comes back at once.
 */
static void on_ready(struct p4d_watch *w, uint32_t events)
{
	struct p4d_server *s = (struct p4d_server *)w;
	int most = s->singles % SINGLE_MAX ? 1 : MESSAGES_AT_ONCE, n = 0;

	while (n < most && receive(s))
		n++;
	s->singles = n > 1 ? 0 : s->singles + 1;
}

/* False: there is no room now. */
static bool transmit(struct p4d_server *s, const struct p4d_who *who, const void *bytes, size_t len)
{
	struct homa_sendmsg_args args = { .id = who->rpc };
	struct iovec iov = { (void *)bytes, len };
	struct sockaddr_in peer = who->peer;
	struct msghdr m = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &args,
		.msg_controllen = 0,
	};

	if (!sendmsg(s->watch.fd, &m, MSG_DONTWAIT))
		return true;
	if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
		return false;
	/* A node that is gone asks again when it is back: nothing to be done here. */
	p4d_log(P4D_WARN, "reply to RPC %llu: %s", (unsigned long long)who->rpc, strerror(errno));
	return true;
}

static void pause_reading(struct p4d_server *s, bool pause)
{
	if (s->paused == pause)
		return;
	s->paused = pause;
	p4d_loop_watch(s->loop, &s->watch, pause ? 0 : EPOLLIN);
}

static void drop_first(struct p4d_server *s)
{
	struct unsent *u = s->first;

	s->first = u->link;
	if (!s->first)
		s->last = &s->first;
	s->unsent -= sizeof(*u) + u->len;
	s->stats.waiting--;
	free(u);
}

static void drop_all(struct p4d_server *s)
{
	p4d_log(P4D_WARN, "%llu replies wait for room in the kernel, and there is none here for more: all "
		"who wait for an answer have to ask again", (unsigned long long)s->stats.waiting);
	s->stats.dropped += s->stats.waiting;
	while (s->first)
		drop_first(s);
	s->over = true;
	s->life++;
	s->retry.at = p4d_now();
}

static void keep(struct p4d_server *s, const struct p4d_who *who, const void *bytes, size_t len)
{
	size_t size = sizeof(struct unsent) + len;
	struct unsent *u = s->unsent + size <= UNSENT_BYTES ? malloc(size) : NULL;

	if (!u) {
		drop_all(s);
		s->stats.dropped++;
		return;
	}
	u->link = NULL;
	u->who = *who;
	u->len = len;
	memcpy(u->bytes, bytes, len);
	*s->last = u;
	s->last = &u->link;
	s->unsent += size;
	s->stats.waiting++;
	s->stats.kept++;
	s->retry.at = p4d_now() + RETRY_US;
	if (s->unsent > PAUSE_BYTES)
		pause_reading(s, true);
}

/* To a client whose RPC is never answered the kernel says for ever that it is being served. */
void p4d_server_reply(struct p4d_server *s, const struct p4d_who *who, const void *bytes,
		      size_t len)
{
	if (s->over || who->life != s->life)
		s->stats.dropped++;		/* its RPC ended with the socket */
	else if (s->first || !transmit(s, who, bytes, len))
		keep(s, who, bytes, len);
}

struct p4d_server_stats p4d_server_stats(const struct p4d_server *s)
{
	return s->stats;
}

/* ----------------------------------------------------------------------------- open, close */

static int give_region_of(struct p4d_server *s, size_t size)
{
	void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct homa_rcvbuf_args args = { (uintptr_t)region, size };

	if (region == MAP_FAILED)
		return -1;
	if (setsockopt(s->watch.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args))) {
		munmap(region, size);
		return -1;
	}
	s->region = region;
	s->region_size = size;
	return 0;
}

/* The least size depends on how many CPUs this kernel could have, which it does not tell. */
static int give_region(struct p4d_server *s)
{
	size_t size = REGION_MIN;

	while (give_region_of(s, size)) {
		if (errno != EINVAL || size >= REGION_MAX)
			return -1;
		size *= 2;
	}
	return 0;
}

static int set_up(struct p4d_server *s, uint16_t port, const char **what)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;

	*what = "socket: is the module loaded? insmod p4homa.ko";
	s->watch.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA);
	if (s->watch.fd < 0)
		return -1;
	*what = "SO_HOMA_PEER_TENANT: the module is not p4homa";
	if (setsockopt(s->watch.fd, IPPROTO_HOMA, SO_HOMA_PEER_TENANT, &on, sizeof(on)))
		return -1;
	*what = "SO_HOMA_RCVBUF";
	if (give_region(s))
		return -1;
	*what = "bind: does another allocator run in this namespace?";
	return bind(s->watch.fd, (struct sockaddr *)&any, sizeof(any));
}

static void close_socket(struct p4d_server *s)
{
	if (s->watch.fd >= 0)
		close(s->watch.fd);
	if (s->region)
		munmap(s->region, s->region_size);
	s->watch.fd = -1;
	s->region = NULL;
}

static void start_over(struct p4d_server *s)
{
	const char *what;

	if (s->watch.fd >= 0)
		p4d_loop_unwatch(s->loop, &s->watch);
	close_socket(s);
	s->recv.num_bpages = 0;
	if (set_up(s, s->port, &what) || p4d_loop_watch(s->loop, &s->watch, EPOLLIN)) {
		p4d_log(P4D_WARN, "Homa port %u: %s (%s); trying again", s->port, what, strerror(errno));
		s->retry.at = p4d_now() + REOPEN_US;
		return;
	}
	s->over = s->paused = false;
}

static void on_retry(struct p4d_timer *t)
{
	struct p4d_server *s = (struct p4d_server *)((char *)t - offsetof(struct p4d_server, retry));

	if (s->over) {
		start_over(s);
		return;
	}
	while (s->first && transmit(s, &s->first->who, s->first->bytes, s->first->len))
		drop_first(s);
	if (s->first)
		s->retry.at = p4d_now() + RETRY_US;
	if (s->unsent < RESUME_BYTES)
		pause_reading(s, false);
}

int p4d_server_open(struct p4d_server **out, struct p4d_loop *loop, uint16_t port,
		    p4d_server_message message, void *arg, char *err, size_t size)
{
	struct p4d_server *s = calloc(1, sizeof(*s));
	const char *what;
	int ret;

	snprintf(err, size, "out of memory");
	if (!s)
		return -ENOMEM;
	s->watch = (struct p4d_watch){ -1, on_ready };
	s->retry = (struct p4d_timer){ .at = UINT64_MAX, .due = on_retry };
	s->last = &s->first;
	s->loop = loop;
	s->port = port;
	s->message = message;
	s->arg = arg;
	ret = set_up(s, port, &what) ? -errno : p4d_loop_watch(loop, &s->watch, EPOLLIN);
	if (!ret) {
		p4d_loop_timer(loop, &s->retry);
		*out = s;
		return 0;
	}
	snprintf(err, size, "Homa port %u: %s (%s)", port, what, strerror(-ret));
	p4d_server_close(s);
	return ret;
}

void p4d_server_close(struct p4d_server *s)
{
	while (s->first)
		drop_first(s);
	close_socket(s);
	free(s);
}
