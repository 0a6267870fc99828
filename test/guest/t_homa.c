// SPDX-License-Identifier: GPL-2.0-or-later
/* t_homa.c - see t_homa.h. Keeps no state of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "t_homa.h"

#define REGION_BYTES	(32u << 20)

static socklen_t length_of(const void *addr)
{
	return ((const struct sockaddr *)addr)->sa_family == AF_INET6 ?
	       sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int bind_port(int fd, int family, uint16_t port)
{
	struct sockaddr_in6 addr = { .sin6_family = family, .sin6_port = htons(port) };

	return bind(fd, (struct sockaddr *)&addr, length_of(&addr)) ? -errno : 0;
}

static int give_region(struct t_homa *h)
{
	struct homa_rcvbuf_args args = { .length = REGION_BYTES };

	h->region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (h->region == MAP_FAILED)
		return -errno;
	args.start = (uintptr_t)h->region;
	return setsockopt(h->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)) ? -errno : 0;
}

/* Port 0: a client with a port that the kernel chose. */
int t_homa_open(struct t_homa *h, uint16_t port)
{
	return t_homa_open_family(h, AF_INET, port);
}

int t_homa_open_family(struct t_homa *h, int family, uint16_t port)
{
	int err;

	h->region = MAP_FAILED;
	h->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA);
	if (h->fd < 0)
		return -errno;
	err = port ? bind_port(h->fd, family, port) : 0;
	if (!err)
		err = give_region(h);
	if (err)
		t_homa_close(h);
	return err;
}

void t_homa_close(struct t_homa *h)
{
	close(h->fd);
	if (h->region != MAP_FAILED)
		munmap(h->region, REGION_BYTES);
}

static int send_message(struct t_homa *h, const void *to, const void *data, size_t len,
		        struct homa_sendmsg_args *args, int flags)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_name = (void *)to, .msg_namelen = to ? length_of(to) : 0,
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = args,
	};

	return sendmsg(h->fd, &msg, flags) < 0 ? -errno : 0;
}

int t_homa_request(struct t_homa *h, const void *to, const void *data, size_t len,
		   uint64_t cookie, uint64_t *id)
{
	struct homa_sendmsg_args args = { .completion_cookie = cookie };
	int err = send_message(h, to, data, len, &args, 0);

	if (id)
		*id = args.id;
	return err;
}

int t_homa_reply(struct t_homa *h, const struct t_message *m, const void *data, size_t len)
{
	struct homa_sendmsg_args args = { .id = m->args.id };

	return send_message(h, &m->peer, data, len, &args, 0);
}

int t_homa_txn(struct t_homa *h, const struct homa_txn *txn, uint64_t cookie, int flags)
{
	struct homa_sendmsg_args args = { .completion_cookie = cookie, .flags = HOMA_SENDMSG_TXN };

	return send_message(h, NULL, txn, sizeof(*txn), &args, flags);
}

/* The length of the next message, or -errno: of the RPC, or ETIME if none came in time. A negative
 * time-out waits in recvmsg itself, without limit, which is what a measurement wants.
 */
int t_homa_recv(struct t_homa *h, struct t_message *m, int timeout_ms)
{
	struct pollfd pfd = { .fd = h->fd, .events = POLLIN };
	struct msghdr msg = {
		.msg_name = &m->peer6, .msg_namelen = sizeof(m->peer6),
		.msg_control = &m->args, .msg_controllen = sizeof(m->args),
	};
	ssize_t len;
	int ready;

	m->args.id = 0;
	m->args.completion_cookie = 0;
	m->args.reserved = 0;
	m->len = 0;
	ready = timeout_ms < 0 ? 1 : poll(&pfd, 1, timeout_ms);
	if (ready <= 0)
		return ready ? -errno : -ETIME;
	len = recvmsg(h->fd, &msg, 0);
	if (len < 0)
		return -errno;
	m->len = len;
	return len;
}

/* The first `len` bytes of a message, from the pages that they are in. */
void t_homa_copy(const struct t_homa *h, const struct t_message *m, void *out, size_t len)
{
	size_t done, part;

	for (done = 0; done < len; done += part) {
		part = len - done < HOMA_BPAGE_SIZE ? len - done : HOMA_BPAGE_SIZE;
		memcpy((char *)out + done,
		       h->region + m->args.bpage_offsets[done >> HOMA_BPAGE_SHIFT], part);
	}
}

/* 0 and the result of the next transaction that completes; m->args names it. */
int t_homa_txn_result(struct t_homa *h, struct t_message *m, struct homa_txn_result *result,
		      int timeout_ms)
{
	int len = t_homa_recv(h, m, timeout_ms);

	if (len < 0)
		return len;
	if (len != sizeof(*result))
		return -EBADMSG;
	t_homa_copy(h, m, result, sizeof(*result));
	return 0;
}

uint64_t t_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* ADDRESS:PORT */
int t_parse_peer(const char *text, struct sockaddr_in *peer)
{
	const char *colon = strchr(text, ':');
	char addr[32];

	memset(peer, 0, sizeof(*peer));
	peer->sin_family = AF_INET;
	if (!colon || (size_t)(colon - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, colon - text);
	addr[colon - text] = 0;
	peer->sin_port = htons(t_parse_number("port", colon + 1, 1, 65535));
	return inet_pton(AF_INET, addr, &peer->sin_addr) == 1 ? 0 : -EINVAL;
}

/* ADDRESS:PORT (v4-mapped) or [ADDRESS%INTERFACE]:PORT */
int t_parse_peer6(const char *text, struct sockaddr_in6 *peer)
{
	const struct addrinfo hints = {
		.ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED,
		.ai_socktype = SOCK_DGRAM,
	};
	struct addrinfo *found;
	char *host, *port;
	int err = -EINVAL;

	host = strdup(text[0] == '[' ? text + 1 : text);
	port = strrchr(host, ':');
	if (port && text[0] == '[' && port > host && port[-1] == ']')
		port[-1] = 0;
	if (port) {
		*port++ = 0;
		err = getaddrinfo(host, port, &hints, &found) ? -EINVAL : 0;
	}
	free(host);
	if (err)
		return err;
	memcpy(peer, found->ai_addr, sizeof(*peer));
	freeaddrinfo(found);
	return 0;
}

/* A number from the command line, or the program ends and says what was expected. */
uint64_t t_parse_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value < min || value > max) {
		fprintf(stderr, "%s: '%s' is not a number in %llu .. %llu\n", name, text,
			(unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return value;
}
