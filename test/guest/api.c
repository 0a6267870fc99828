// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * api.c - the socket interface, value by value: what each call answers to right and to wrong
 * arguments, on one loopback of one address family. Also built for 32 bits.
 *
 * usage: api 4|6|mapped. Prints what is wrong; exit 0 pass, 1 fail.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "t_expect.h"
#include "t_homa.h"

#define PORT		4000
#define NOBODY		4999
#define COOKIE		0x1122334455667788ull

_Static_assert(sizeof(struct homa_sendmsg_args) == 24, "ABI");
_Static_assert(offsetof(struct homa_sendmsg_args, flags) == 16, "ABI");
_Static_assert(sizeof(struct homa_recvmsg_args) == 88, "ABI");
_Static_assert(offsetof(struct homa_recvmsg_args, num_bpages) == 16, "ABI");
_Static_assert(offsetof(struct homa_recvmsg_args, bpage_offsets) == 24, "ABI");
_Static_assert(sizeof(struct homa_rcvbuf_args) == 16, "ABI");
_Static_assert(sizeof(struct homa_abort_args) == 32, "ABI");
_Static_assert(sizeof(struct homa_info) == 136, "ABI");
_Static_assert(offsetof(struct homa_info, port) == 24, "ABI");
_Static_assert(offsetof(struct homa_info, error_msg) == 32, "ABI");
_Static_assert(sizeof(struct homa_rpc_info) == 184, "ABI");
_Static_assert(offsetof(struct homa_rpc_info, completion_cookie) == 136, "ABI");
_Static_assert(offsetof(struct homa_rpc_info, tx_length) == 144, "ABI");
_Static_assert(offsetof(struct homa_rpc_info, rx_length) == 160, "ABI");
_Static_assert(offsetof(struct homa_rpc_info, flags) == 180, "ABI");
_Static_assert(HOMAIOCINFO == 0xC0886890 && HOMAIOCABORT == 0xC0206891 &&
	       HOMAIOCFREEZE == 0x6892, "ABI");

static int family;
static struct sockaddr_storage server_addr;
static socklen_t addr_len;

/* ---------------------------------------------------------------- calls with everything open */

struct send {
	void *name;
	socklen_t name_len;
	void *control;
	size_t control_len;
	const void *data;
	size_t len;
	int flags;
};

static int send_raw(int fd, const struct send *s)
{
	struct iovec iov = { (void *)s->data, s->len };
	struct msghdr msg = {
		.msg_name = s->name, .msg_namelen = s->name_len, .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = s->control, .msg_controllen = s->control_len,
	};
	ssize_t ret = sendmsg(fd, &msg, s->flags);

	return ret < 0 ? -errno : ret;
}

static int send_args(int fd, struct homa_sendmsg_args *args, size_t len)
{
	static char data[HOMA_MAX_MESSAGE_LENGTH + 1];
	const struct send s = {
		.name = &server_addr, .name_len = addr_len, .control = args, .data = data,
		.len = len, .flags = MSG_DONTWAIT,
	};

	return send_raw(fd, &s);
}

static int recv_args(int fd, struct homa_recvmsg_args *args, struct sockaddr_storage *from,
		     int flags)
{
	struct msghdr msg = {
		.msg_name = from, .msg_namelen = from ? sizeof(*from) : 0,
		.msg_control = args, .msg_controllen = sizeof(*args),
	};
	ssize_t ret = recvmsg(fd, &msg, flags);

	if (ret >= 0 && from)
		EXPECT(msg.msg_namelen, addr_len);
	return ret < 0 ? -errno : ret;
}

static int recv_within(int fd, struct homa_recvmsg_args *args, int ms)
{
	struct timeval most = { .tv_usec = 1000 * ms };
	int ret;

	EXPECT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	ret = recv_args(fd, args, NULL, 0);
	most.tv_usec = 0;
	EXPECT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	return ret;
}

static bool is_ready(int fd, int events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & events);
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	((struct sockaddr_in *)addr)->sin_port = htons(port);
}

static uint16_t port_of(const struct sockaddr_storage *addr)
{
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

static bool is_server_host(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *a = (const void *)addr, *b = (const void *)&server_addr;

	if (addr->ss_family != family)
		return false;
	if (family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return !memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr));
}

/* Takes the next request, gives its pages back, and says where it came from. */
static uint64_t next_request(struct t_homa *server, struct sockaddr_storage *from, int len)
{
	struct homa_recvmsg_args args = { 0 };
	uint64_t id;

	EXPECT(is_ready(server->fd, POLLIN, 5000), 1);
	EXPECT(recv_args(server->fd, &args, from, MSG_DONTWAIT), len);
	id = args.id;
	args.id = 0;
	EXPECT(recv_args(server->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);
	return id;
}

static int reply(struct t_homa *server, uint64_t id, struct sockaddr_storage *to, int len)
{
	struct homa_sendmsg_args args = { .id = id };
	char data[64] = "reply";
	const struct send s = { to, addr_len, &args, 0, data, len, 0 };

	return send_raw(server->fd, &s);
}

/* ---------------------------------------------------------------- sendmsg */

static void sendmsg_errors(struct t_homa *client)
{
	struct homa_sendmsg_args args = { 0 };
	struct sockaddr_storage other = server_addr;
	struct send s = { &server_addr, addr_len, &args, 0, "x", 1, 0 };
	struct send t;

	t = s, t.name = NULL, t.name_len = 0;
	EXPECT(send_raw(client->fd, &t), -EINVAL);
	t = s, t.name_len = addr_len - 1;
	EXPECT(send_raw(client->fd, &t), -EINVAL);
	t = s, t.control_len = sizeof(args);
	EXPECT(send_raw(client->fd, &t), -EINVAL);
	t = s, t.control = NULL;
	EXPECT(send_raw(client->fd, &t), -EFAULT);
	t = s, t.control = (void *)8;
	EXPECT(send_raw(client->fd, &t), -EFAULT);
	t = s, t.data = (void *)8;
	EXPECT(send_raw(client->fd, &t), -EFAULT);
	t = s, t.len = 0;
	EXPECT(send_raw(client->fd, &t), -EINVAL);
	EXPECT(send_args(client->fd, &args, HOMA_MAX_MESSAGE_LENGTH + 1), -EINVAL);

	other.ss_family = family == AF_INET ? AF_INET6 : AF_INET;
	t = s, t.name = &other, t.name_len = sizeof(other);
	EXPECT(send_raw(client->fd, &t), -EAFNOSUPPORT);
	other.ss_family = AF_UNIX;
	EXPECT(send_raw(client->fd, &t), -EAFNOSUPPORT);

	args.flags = 4;
	EXPECT(send_args(client->fd, &args, 1), -EINVAL);
	args.flags = 0x80000000;
	EXPECT(send_args(client->fd, &args, 1), -EINVAL);
	args.flags = 0, args.reserved = 1;
	EXPECT(send_args(client->fd, &args, 1), -EINVAL);
	args.reserved = 0, args.id = 12345, args.completion_cookie = 1;
	EXPECT(send_args(client->fd, &args, 1), -EINVAL);
	/* The client of that one has gone. */
	args.completion_cookie = 0;
	EXPECT(send_args(client->fd, &args, 1), 0);
}

/* ---------------------------------------------------------------- recvmsg */

static void recvmsg_errors(struct t_homa *client)
{
	struct homa_recvmsg_args args = { 0 };
	struct msghdr msg = { .msg_control = &args, .msg_controllen = sizeof(args) };
	struct t_homa bare = { .fd = socket(family, SOCK_DGRAM, IPPROTO_HOMA) };

	EXPECT(recv_args(bare.fd, &args, NULL, MSG_DONTWAIT), -EINVAL);	/* no region */
	close(bare.fd);
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);

	msg.msg_controllen = sizeof(args) - 1;
	EXPECT(ERR(recvmsg(client->fd, &msg, MSG_DONTWAIT)), -EINVAL);
	msg.msg_controllen = sizeof(args) + 1;
	EXPECT(ERR(recvmsg(client->fd, &msg, MSG_DONTWAIT)), -EINVAL);
	msg.msg_controllen = 0;
	EXPECT(ERR(recvmsg(client->fd, &msg, MSG_DONTWAIT)), -EINVAL);
	msg.msg_controllen = sizeof(args);
	msg.msg_control = (void *)8;
	EXPECT(ERR(recvmsg(client->fd, &msg, MSG_DONTWAIT)), -EFAULT);

	args.reserved = 1;
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
	args.reserved = 0, args.num_bpages = HOMA_MAX_BPAGES + 1;
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
	args.num_bpages = 1, args.bpage_offsets[0] = 0;			/* is free */
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
	args.num_bpages = 1, args.bpage_offsets[0] = 0xfffffff0;	/* is none */
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
	args.num_bpages = 0, args.id = 123456;				/* no private RPC */
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
}

static void round_trip(struct t_homa *client, struct t_homa *server, uint32_t flags)
{
	struct homa_sendmsg_args send = { .completion_cookie = COOKIE, .flags = flags };
	struct homa_recvmsg_args args = { 0 }, twice;
	struct sockaddr_storage from;
	uint64_t id;

	EXPECT(send_args(client->fd, &send, 100), 0);
	EXPECT(send.id != 0 && !(send.id & 1), 1);
	id = next_request(server, &from, 100);
	EXPECT(is_server_host(&from), 1);
	EXPECT(port_of(&from) >= HOMA_MIN_DEFAULT_PORT, 1);
	args.id = send.id;
	if (flags)
		EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);
	args.id = flags ? send.id : 0;
	EXPECT(recv_within(client->fd, &args, 20), -EAGAIN);
	EXPECT(reply(server, id, &from, 5), 0);
	EXPECT(is_ready(client->fd, POLLIN, flags ? 20 : 5000), !flags);
	if (!flags) {		/* not private: it cannot be asked for by its id */
		args.id = send.id;
		EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EINVAL);
	}
	args.id = flags ? send.id : 0;
	EXPECT(recv_args(client->fd, &args, &from, 0), 5);
	EXPECT(args.id == send.id, 1);
	EXPECT(args.completion_cookie == COOKIE, 1);
	EXPECT(args.num_bpages, 1);
	EXPECT(args.reserved, 0);
	EXPECT(is_server_host(&from), 1);
	EXPECT(port_of(&from), PORT);
	EXPECT(memcmp(client->region + args.bpage_offsets[0], "reply", 5), 0);
	/* One bad offset, and no page is given back. */
	twice = args;
	twice.id = 0;
	twice.num_bpages = 2;
	twice.bpage_offsets[1] = 0xfffffff0;
	EXPECT(recv_args(client->fd, &twice, NULL, MSG_DONTWAIT), -EINVAL);
	args.id = 0;
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);
	EXPECT(args.num_bpages, 0);
}

static void reply_states(struct t_homa *client, struct t_homa *server)
{
	struct homa_sendmsg_args send = { 0 }, args = { 0 };
	struct homa_recvmsg_args got = { 0 };
	struct sockaddr_storage from;
	uint64_t id;

	EXPECT(send_args(client->fd, &send, 10), 0);
	id = next_request(server, &from, 10);
	EXPECT(reply(server, id, &from, 0), -EINVAL);
	args.id = id, args.completion_cookie = 1;
	EXPECT(send_raw(server->fd, &(struct send){ &from, addr_len, &args, 0, "x", 1, 0 }), -EINVAL);
	EXPECT(reply(server, id, &from, 5), 0);
	EXPECT(reply(server, id, &from, 5), -EINVAL);	/* it is not in service any more */
	EXPECT(recv_args(client->fd, &got, NULL, 0), 5);
	got.id = 0;
	EXPECT(recv_args(client->fd, &got, NULL, MSG_DONTWAIT), -EAGAIN);
}

static void says_if_there_is_more(struct t_homa *client, struct t_homa *server)
{
	struct homa_sendmsg_args send = { 0 };
	struct homa_recvmsg_args args = { 0 };
	struct sockaddr_storage from;
	int i;

	for (i = 0; i < 2; i++) {
		send.id = 0;
		EXPECT(send_args(client->fd, &send, 10), 0);
		EXPECT(reply(server, next_request(server, &from, 10), &from, 5), 0);
	}
	usleep(100000);
	for (i = 0; i < 2; i++) {
		struct msghdr msg = { .msg_control = &args, .msg_controllen = sizeof(args) };

		args.id = 0;
		EXPECT(recvmsg(client->fd, &msg, 0), 5);
		EXPECT(msg.msg_flags & MSG_MORE, i ? 0 : MSG_MORE);
	}
	args.id = 0;
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);
}

/* ---------------------------------------------------------------- errors of an RPC */

static void failing_rpc(struct t_homa *client)
{
	struct homa_sendmsg_args send = { .completion_cookie = COOKIE };
	struct homa_recvmsg_args args = { 0 };

	set_port(&server_addr, NOBODY);
	EXPECT(send_args(client->fd, &send, 10), 0);
	EXPECT(is_ready(client->fd, POLLIN, 5000), 1);
	EXPECT(recv_args(client->fd, &args, NULL, 0), -ENOTCONN);
	EXPECT(args.id == send.id, 1);
	EXPECT(args.completion_cookie == COOKIE, 1);
	EXPECT(args.num_bpages, 0);
	set_port(&server_addr, PORT);
}

/* ---------------------------------------------------------------- ioctl */

static void abort_with(struct t_homa *client, unsigned long number)
{
	struct homa_sendmsg_args send = { .completion_cookie = COOKIE };
	struct homa_abort_args abort = { 0 };
	struct homa_recvmsg_args args = { 0 };

	abort.id = 123456;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), -EINVAL);
	EXPECT(send_args(client->fd, &send, 10), 0);
	abort.id = send.id, abort._pad1 = 1;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), -EINVAL);
	abort._pad1 = 0, abort._pad2[1] = 1;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), -EINVAL);
	abort._pad2[1] = 0, abort.id = send.id | 1;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), -EINVAL);
	EXPECT(ERR(ioctl(client->fd, number, (void *)8)), -EFAULT);
	abort.id = send.id, abort.error = EXDEV;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), 0);
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EXDEV);
	EXPECT(args.id == send.id && args.completion_cookie == COOKIE, 1);

	send.id = 0;
	EXPECT(send_args(client->fd, &send, 10), 0);
	abort.id = 0, abort.error = 0;
	EXPECT(ERR(ioctl(client->fd, number, &abort)), 0);
	args.id = 0;
	EXPECT(recv_args(client->fd, &args, NULL, MSG_DONTWAIT), -EAGAIN);
}

static void info_with(struct t_homa *client, unsigned long number)
{
	struct homa_sendmsg_args send = { .completion_cookie = COOKIE, .flags = HOMA_SENDMSG_PRIVATE };
	struct homa_abort_args abort = { 0 };
	struct homa_info info = { 0 };
	struct homa_rpc_info rpc[2];
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	EXPECT(ERR(getsockname(client->fd, (struct sockaddr *)&name, &len)), 0);
	EXPECT(len, addr_len);
	memset(rpc, 0x5a, sizeof(rpc));
	EXPECT(send_args(client->fd, &send, 1234), 0);
	info.rpc_info = (uintptr_t)rpc, info.rpc_info_length = sizeof(rpc);
	EXPECT(ERR(ioctl(client->fd, number, &info)), 0);
	EXPECT(info.num_rpcs, 1);
	EXPECT(info.rpc_info_length, sizeof(rpc[0]));
	EXPECT(info.rpc_info == (uintptr_t)rpc, 1);
	EXPECT(info.port, port_of(&name));
	EXPECT(info.bpool_avail_bytes, 32 << 20);
	EXPECT(rpc[0].id == send.id, 1);
	EXPECT(rpc[0].completion_cookie == COOKIE, 1);
	EXPECT(rpc[0].tx_length, 1234);
	EXPECT(rpc[0].tx_sent, 1234);
	EXPECT(rpc[0].tx_granted, 1234);
	EXPECT(rpc[0].rx_length, -1);
	EXPECT(rpc[0].rx_remaining, 0);
	EXPECT(rpc[0].flags, HOMA_RPC_PRIVATE);
	EXPECT(rpc[0]._pad, 0);
	EXPECT(is_server_host((void *)&rpc[0].peer), 1);
	EXPECT(port_of((void *)&rpc[0].peer), PORT);
	EXPECT(*(unsigned char *)&rpc[1], 0x5a);

	info.rpc_info_length = sizeof(rpc[0]) - 1;
	EXPECT(ERR(ioctl(client->fd, number, &info)), 0);
	EXPECT(info.num_rpcs, 1);
	EXPECT(info.rpc_info_length, 0);
	info.rpc_info = 8, info.rpc_info_length = sizeof(rpc);
	EXPECT(ERR(ioctl(client->fd, number, &info)), -EFAULT);

	send.id = 0, send.flags = 4;
	EXPECT(send_args(client->fd, &send, 1), -EINVAL);
	EXPECT(ERR(ioctl(client->fd, number, &info)), -EFAULT);
	info.rpc_info_length = 0;
	EXPECT(ERR(ioctl(client->fd, number, &info)), 0);
	EXPECT(strstr(info.error_msg, "flags") != NULL, 1);
	EXPECT(ERR(ioctl(client->fd, HOMAIOCABORT, &abort)), 0);
}

static void ioctls(struct t_homa *client)
{
	abort_with(client, HOMAIOCABORT);
	abort_with(client, 0xC0206802);
	abort_with(client, 0xC02089E3);
	info_with(client, HOMAIOCINFO);
	info_with(client, 0xC0886801);
	EXPECT(ERR(ioctl(client->fd, HOMAIOCFREEZE, 0)), 0);
	EXPECT(ERR(ioctl(client->fd, 0x6803, 0)), 0);
	EXPECT(ERR(ioctl(client->fd, 0x89EF, 0)), 0);
	EXPECT(ERR(ioctl(client->fd, 123456, 0)), -EINVAL);
}

/* ---------------------------------------------------------------- options, names, ends */

static int set(int fd, int level, int option, const void *value, socklen_t len)
{
	return ERR(setsockopt(fd, level, option, value, len));
}

static int get(int fd, int level, int option, void *value, socklen_t *len)
{
	return ERR(getsockopt(fd, level, option, value, len));
}

static void options(struct t_homa *client)
{
	int fd = socket(family, SOCK_DGRAM, IPPROTO_HOMA), value = 1;
	struct homa_rcvbuf_args buf = { 0 }, back;
	socklen_t len = sizeof(buf);

	EXPECT(get(client->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &back, &len), 0);
	EXPECT(len, sizeof(back));
	EXPECT(back.start == (uintptr_t)client->region && back.length == 32 << 20, 1);
	len = sizeof(buf) - 1;
	EXPECT(get(client->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &back, &len), -EINVAL);
	buf.start = (uintptr_t)client->region, buf.length = 32 << 20;
	EXPECT(set(client->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &buf, sizeof(buf)), -EINVAL);
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &buf, sizeof(buf) - 1), -EINVAL);
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, (void *)8, sizeof(buf)), -EFAULT);
	buf.start += 8;
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &buf, sizeof(buf)), -EINVAL);
	buf.start -= 8, buf.length = 100000;
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &buf, sizeof(buf)), -EINVAL);
	buf.start = 4096, buf.length = 32 << 20;
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &buf, sizeof(buf)), -EFAULT);

	len = sizeof(value);
	EXPECT(get(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, &len), 0);
	EXPECT(value, 0);
	value = 1;
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, sizeof(value)), 0);
	EXPECT(get(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, &len), 0);
	EXPECT(value, 1);
	EXPECT(set(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, 1), -EINVAL);
	EXPECT(set(fd, IPPROTO_HOMA, 99, &value, sizeof(value)), -ENOPROTOOPT);
	EXPECT(get(fd, IPPROTO_HOMA, 99, &value, &len), -ENOPROTOOPT);
	EXPECT(set(fd, IPPROTO_TCP, 1, &value, sizeof(value)), -ENOPROTOOPT);
	EXPECT(get(fd, IPPROTO_TCP, 1, &value, &len), -ENOPROTOOPT);
	if (family == AF_INET6) {
		EXPECT(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value)), 0);
		EXPECT(get(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &len), 0);
		EXPECT(value, 1);
	}
	close(fd);
}

static int bind_to(int fd, int name_family, uint16_t port, socklen_t len)
{
	struct sockaddr_storage addr = { .ss_family = name_family };

	set_port(&addr, port);
	return ERR(bind(fd, (struct sockaddr *)&addr, len));
}

static void binding(void)
{
	int fd = socket(family, SOCK_DGRAM, IPPROTO_HOMA), value;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	EXPECT(ERR(getsockname(fd, (struct sockaddr *)&name, &len)), 0);
	EXPECT(port_of(&name) >= HOMA_MIN_DEFAULT_PORT, 1);
	EXPECT(name.ss_family, family);
	EXPECT(bind_to(fd, family, 0, addr_len), 0);
	EXPECT(bind_to(fd, family, HOMA_MIN_DEFAULT_PORT, addr_len), -EINVAL);
	EXPECT(bind_to(fd, family, 0xffff, addr_len), -EINVAL);
	EXPECT(bind_to(fd, family, PORT, addr_len), -EADDRINUSE);
	EXPECT(bind_to(fd, family == AF_INET ? AF_INET6 : AF_INET, 4001, sizeof(name)), -EAFNOSUPPORT);
	EXPECT(bind_to(fd, family, 4001, addr_len - 1), -EINVAL);
	EXPECT(bind_to(fd, family, 4001, addr_len), 0);
	EXPECT(bind_to(fd, family, 4001, addr_len), 0);
	len = sizeof(value);
	EXPECT(get(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, &len), 0);
	EXPECT(value, 1);
	EXPECT(ERR(connect(fd, (struct sockaddr *)&server_addr, addr_len)), 0);
	len = sizeof(name);
	EXPECT(ERR(getsockname(fd, (struct sockaddr *)&name, &len)), 0);
	EXPECT(port_of(&name), 4001);
	EXPECT(ERR(listen(fd, 1)), -EOPNOTSUPP);
	close(fd);
}

static void shutting(void)
{
	struct homa_sendmsg_args send = { 0 };
	struct homa_recvmsg_args args = { 0 };
	struct t_homa h;

	EXPECT(t_homa_open_family(&h, family, 0), 0);
	EXPECT(is_ready(h.fd, POLLIN, 0), 0);
	EXPECT(is_ready(h.fd, POLLOUT, 0), 1);
	EXPECT(ERR(shutdown(h.fd, 3)), -EINVAL);
	EXPECT(ERR(shutdown(h.fd, SHUT_RD)), 0);
	EXPECT(is_ready(h.fd, POLLIN, 0), 1);
	EXPECT(send_args(h.fd, &send, 1), -ESHUTDOWN);
	EXPECT(recv_args(h.fd, &args, NULL, 0), -ESHUTDOWN);
	EXPECT(bind_to(h.fd, family, 4002, addr_len), -ESHUTDOWN);
	t_homa_close(&h);
}

/* ---------------------------------------------------------------- */

static void parse(const char *which)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&server_addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&server_addr;

	family = strcmp(which, "4") ? AF_INET6 : AF_INET;
	addr_len = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	server_addr.ss_family = family;
	set_port(&server_addr, PORT);
	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		inet_pton(AF_INET6, strcmp(which, "mapped") ? "::1" : "::ffff:127.0.0.1",
			  &in6->sin6_addr);
}

int main(int argc, char **argv)
{
	struct t_homa client, server;

	if (argc != 2) {
		fputs("usage: api 4|6|mapped\n", stderr);
		return 2;
	}
	parse(argv[1]);
	EXPECT(t_homa_open_family(&server, family, PORT), 0);
	EXPECT(t_homa_open_family(&client, family, 0), 0);
	if (bad)
		return T_FAIL;
	sendmsg_errors(&client);
	recvmsg_errors(&client);
	round_trip(&client, &server, 0);
	round_trip(&client, &server, HOMA_SENDMSG_PRIVATE);
	reply_states(&client, &server);
	says_if_there_is_more(&client, &server);
	failing_rpc(&client);
	ioctls(&client);
	options(&client);
	binding();
	shutting();
	t_homa_close(&client);
	t_homa_close(&server);
	return bad ? T_FAIL : T_PASS;
}
