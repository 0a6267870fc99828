// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * server.c - see server.h.
 *
 * The kernel puts messages into a region of ours and lends us its pages; they go back with the
 * next recvmsg. A message may use several pages that are not neighbours; those that concern us are
 * short, so only the first page is looked at, and a longer message is handed on with its true
 * length, of which no more than its head is ever read.
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
#define UNSENT_BYTES	((size_t)16 << 20)

struct unsent {			/* a reply for which there was no room */
	struct unsent *link;
	struct p4d_who who;
	size_t len;
	uint8_t bytes[];
};

struct p4d_server {
	struct p4d_watch watch;
	struct p4d_timer retry;
	struct unsent *first, **last;
	size_t unsent;			/* bytes of them */
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

static void keep(struct p4d_server *s, const struct p4d_who *who, const void *bytes, size_t len)
{
	struct unsent *u = s->unsent + len <= UNSENT_BYTES ? malloc(sizeof(*u) + len) : NULL;

	if (!u) {
		p4d_log(P4D_WARN, "reply to RPC %llu: no room for it", (unsigned long long)who->rpc);
		return;
	}
	u->link = NULL;
	u->who = *who;
	u->len = len;
	memcpy(u->bytes, bytes, len);
	*s->last = u;
	s->last = &u->link;
	s->unsent += len;
	s->retry.at = p4d_now() + RETRY_US;
}

static void drop_first(struct p4d_server *s)
{
	struct unsent *u = s->first;

	s->first = u->link;
	if (!s->first)
		s->last = &s->first;
	s->unsent -= u->len;
	free(u);
}

static void on_retry(struct p4d_timer *t)
{
	struct p4d_server *s = (struct p4d_server *)((char *)t - offsetof(struct p4d_server, retry));

	while (s->first && transmit(s, &s->first->who, s->first->bytes, s->first->len))
		drop_first(s);
	if (s->first)
		s->retry.at = p4d_now() + RETRY_US;
}

/* To a client whose RPC is never answered the kernel says for ever that it is being served. */
void p4d_server_reply(struct p4d_server *s, const struct p4d_who *who, const void *bytes,
		      size_t len)
{
	if (s->first || !transmit(s, who, bytes, len))
		keep(s, who, bytes, len);
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
	if (s->watch.fd >= 0)
		close(s->watch.fd);
	if (s->region)
		munmap(s->region, s->region_size);
	free(s);
}
