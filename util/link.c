// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - see link.h. The receive region's pages are given back with the next receive, after the
 * message has been copied out.
 */
#include <errno.h>
#include <linux/homa.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

#define REGION_BYTES (64u * HOMA_BPAGE_SIZE)

struct link {
	int fd;
	uint8_t *region;
	uint32_t pages;				/* to give back with the next receive */
	uint32_t page[HOMA_MAX_BPAGES];
};

static int set_option(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, IPPROTO_HOMA, option, value, len);
}

/* Returns what failed, or NULL. */
static const char *prepare(struct link *l, uint32_t tenant, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct homa_rcvbuf_args buf;
	int on = 1;

	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA);
	if (l->fd < 0)
		return "socket";
	if (set_option(l->fd, SO_HOMA_TENANT, &tenant, sizeof(tenant)))
		return "SO_HOMA_TENANT";
	if (set_option(l->fd, SO_HOMA_PEER_TENANT, &on, sizeof(on)))
		return "SO_HOMA_PEER_TENANT";
	l->region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (l->region == MAP_FAILED)
		return "mmap";
	buf = (struct homa_rcvbuf_args){ .start = (uintptr_t)l->region, .length = REGION_BYTES };
	if (set_option(l->fd, SO_HOMA_RCVBUF, &buf, sizeof(buf)))
		return "SO_HOMA_RCVBUF";
	if (port && bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return "bind";
	return NULL;
}

int link_open(struct link **out, uint32_t tenant, uint16_t port, const char **step)
{
	struct link *l = calloc(1, sizeof(*l));
	int rc;

	*step = "memory";
	if (!l)
		return -ENOMEM;
	l->fd = -1;
	l->region = MAP_FAILED;
	*step = prepare(l, tenant, port);
	if (!*step) {
		*out = l;
		return 0;
	}
	rc = -errno;
	link_close(l);
	return rc;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->region != MAP_FAILED)
		munmap(l->region, REGION_BYTES);
	free(l);
}

static int send_args(struct link *l, const struct sockaddr_in *to, const void *data, size_t len,
		     struct homa_sendmsg_args *args)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr m = {
		.msg_name = (void *)to, .msg_namelen = sizeof(*to),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = args,		/* msg_controllen stays 0, see linux/homa.h */
	};

	return sendmsg(l->fd, &m, 0) < 0 ? -errno : 0;
}

int link_request(struct link *l, const struct sockaddr_in *to, const void *data, size_t len,
		 uint64_t cookie)
{
	struct homa_sendmsg_args args = { .completion_cookie = cookie };

	return send_args(l, to, data, len, &args);
}

int link_reply(struct link *l, const struct link_msg *request, const void *data, size_t len)
{
	struct homa_sendmsg_args args = { .id = request->id };

	return send_args(l, &request->from, data, len, &args);
}

static void copy_out(struct link *l, const struct homa_recvmsg_args *args, struct link_msg *m)
{
	l->pages = args->num_bpages;
	memcpy(l->page, args->bpage_offsets, sizeof(l->page));
	if (m->len > LINK_MSG_MAX || (m->len && !args->num_bpages))
		m->len = 0;		/* not one of ours: its empty head will be refused */
	memcpy(m->data, l->region + args->bpage_offsets[0], m->len);
}

/* One recvmsg without waiting: 1, 0 or -errno as link_recv(). */
static int take(struct link *l, struct link_msg *m)
{
	struct homa_recvmsg_args args = { .num_bpages = l->pages };
	struct msghdr h = {
		.msg_name = &m->from, .msg_namelen = sizeof(m->from),
		.msg_control = &args, .msg_controllen = sizeof(args),
	};
	ssize_t len;

	memcpy(args.bpage_offsets, l->page, sizeof(l->page));
	m->err = 0;
	len = recvmsg(l->fd, &h, MSG_DONTWAIT);
	if (len < 0)
		m->err = errno;
	l->pages = 0;
	if (len < 0 && !args.id)
		return m->err == EAGAIN || m->err == EINTR ? 0 : -m->err;
	m->id = args.id;
	m->is_request = args.id & 1;
	m->cookie = args.completion_cookie;
	m->tenant = args.reserved;
	m->len = len < 0 ? 0 : len;
	if (len >= 0)
		copy_out(l, &args, m);
	return 1;
}

int link_recv(struct link *l, struct link_msg *m, int timeout_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	int rc = take(l, m);

	if (rc || !timeout_ms)
		return rc;
	if (poll(&p, 1, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return take(l, m);
}
