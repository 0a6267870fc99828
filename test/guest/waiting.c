// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waiting.c - calls that have to wait, for a message or for room in the send buffer: what MSG_DONTWAIT,
 * a signal, room and a shutdown make of that, and the same calls through io_uring; messages that
 * wait for others that were announced.
 *
 * usage: waiting. net.homa.wmem_max has to be 1000000: one long message fills the send buffer;
 * resend_ticks 10000 and timeout_ticks 100000: nobody asks for a message within some seconds.
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_expect.h"
#include "t_homa.h"

#define PORT	4000
#define NOBODY	4999
#define COOKIE	0x1122334455667788ull
#define LONG	HOMA_MAX_MESSAGE_LENGTH
#define REGION	(32 << 20)	/* of t_homa.c */

static char data[LONG];
static struct t_homa client, server;

/* What a call is given; it stays until the call has ended. */
struct call {
	struct sockaddr_in addr;
	struct iovec iov;
	struct msghdr msg;
	union {
		struct homa_sendmsg_args send;
		struct homa_recvmsg_args recv;
	};
};

static struct msghdr *sending(struct call *c, uint16_t port, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	c->iov = (struct iovec){ data, len };
	c->send.completion_cookie = COOKIE;
	c->msg = (struct msghdr){ .msg_name = &c->addr, .msg_namelen = sizeof(c->addr),
				  .msg_iov = &c->iov, .msg_iovlen = 1, .msg_control = &c->send };
	return &c->msg;
}

static struct msghdr *replying(struct call *c, const struct call *request, size_t len)
{
	sending(c, ntohs(request->addr.sin_port), len);
	c->send.completion_cookie = 0;
	c->send.id = request->recv.id;
	return &c->msg;
}

/* The pages that `c` got last are given back. */
static struct msghdr *receiving(struct call *c)
{
	c->recv.id = 0;
	c->msg = (struct msghdr){ .msg_name = &c->addr, .msg_namelen = sizeof(c->addr),
				  .msg_control = &c->recv, .msg_controllen = sizeof(c->recv) };
	return &c->msg;
}

static int try_send(struct call *c, uint16_t port, size_t len, int flags)
{
	return ERR(sendmsg(client.fd, sending(c, port, len), flags));
}

static bool may_send(void)
{
	struct pollfd p = { .fd = client.fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

static void abort_all_of(struct t_homa *h)
{
	struct homa_abort_args all = { 0 };

	EXPECT(ERR(ioctl(h->fd, HOMAIOCABORT, &all)), 0);
}

static void abort_all(void)
{
	abort_all_of(&client);
}

static long free_bytes(struct t_homa *h)
{
	struct homa_info info = { 0 };

	EXPECT(ERR(ioctl(h->fd, HOMAIOCINFO, &info)), 0);
	return info.bpool_avail_bytes;
}

static void on_signal(int sig)
{
}

/* Until it is turned off, so that no signal comes before the call waits and none after. */
static void interrupt_every(long us)
{
	const struct itimerval every = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &every, NULL);
}

/* ---------------------------------------------------------------- waiting for other messages */

/* sendmmsg() announces another message, which it cannot read then: the first waits. To an address
 * from which nothing has come yet, so that nobody knows how soon to ask.
 */
static void announce(struct call *c)
{
	struct mmsghdr msgs[2] = { { .msg_hdr = *sending(c, PORT, 10) } };

	c->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	msgs[1].msg_hdr = msgs[0].msg_hdr;
	msgs[1].msg_hdr.msg_iov = (void *)8;
	EXPECT(sendmmsg(client.fd, msgs, 2, 0), 1);
}

static void call_ioctl(void)
{
	free_bytes(&client);
}

static void call_getsockopt(void)
{
	socklen_t len = sizeof(int);
	int value;

	EXPECT(ERR(getsockopt(client.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &value, &len)), 0);
}

static void call_setsockopt(void)
{
	int off = 0;

	EXPECT(ERR(setsockopt(client.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &off, sizeof(off))), 0);
}

static void call_poll(void)
{
	may_send();
}

static void call_recvmsg(void)
{
	struct call none = { 0 };

	EXPECT(ERR(recvmsg(client.fd, receiving(&none), MSG_DONTWAIT)), -EAGAIN);
}

static void call_sendmsg(void)
{
	struct call wrong;

	EXPECT(try_send(&wrong, PORT, 0, 0), -EINVAL);
}

static void call_shutdown(void)
{
	EXPECT(ERR(shutdown(client.fd, SHUT_RDWR)), 0);
}

/* Each call of the socket sends it. */
static void announced(void)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} calls[] = {
		{ "ioctl", call_ioctl }, { "getsockopt", call_getsockopt },
		{ "setsockopt", call_setsockopt }, { "poll", call_poll },
		{ "recvmsg", call_recvmsg }, { "sendmsg", call_sendmsg },
		{ "shutdown", call_shutdown },		/* the last of this client */
	};
	struct pollfd comes = { .fd = server.fd, .events = POLLIN };
	struct call c, got = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		announce(&c);
		EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
		calls[i].make();
		if (poll(&comes, 1, 5000) != 1) {
			bad = 1;
			printf("%s does not send what waits\n", calls[i].name);
			continue;
		}
		EXPECT(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT), 10);
	}
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
	t_homa_close(&client);
	EXPECT(t_homa_open(&client, 0), 0);
}

/* ---------------------------------------------------------------- waiting for a message */

static void interrupted_recv(void)
{
	struct call request, got = { 0 }, reply;

	EXPECT(try_send(&request, PORT, 10, 0), 0);
	EXPECT(recvmsg(server.fd, receiving(&got), 0), 10);
	EXPECT(got.recv.num_bpages, 1);
	interrupt_every(20000);
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), 0)), -EINTR);
	interrupt_every(0);
	/* The page was taken; a repetition does not give it back again. */
	EXPECT(got.recv.num_bpages, 0);
	EXPECT(free_bytes(&server), REGION);
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
	abort_all();

	sending(&request, PORT, 10);
	request.send.flags = HOMA_SENDMSG_PRIVATE;
	EXPECT(ERR(sendmsg(client.fd, &request.msg, 0)), 0);
	receiving(&got);
	got.recv.id = request.send.id;
	interrupt_every(20000);
	EXPECT(ERR(recvmsg(client.fd, &got.msg, 0)), -EINTR);
	interrupt_every(0);
	/* It is as before, and its response comes. */
	EXPECT(recvmsg(server.fd, receiving(&got), 0), 10);
	EXPECT(ERR(sendmsg(server.fd, replying(&reply, &got, 5), 0)), 0);
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
	got.recv.id = request.send.id;
	EXPECT(recvmsg(client.fd, &got.msg, 0), 5);
	EXPECT(ERR(recvmsg(client.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
}

/* ---------------------------------------------------------------- waiting for room */

/* A process that sends and waits; its exit status is the errno of that. */
static pid_t send_elsewhere(void)
{
	struct call c;
	pid_t pid = fork();

	if (!pid)
		_exit(-try_send(&c, NOBODY, 1000, 0));
	usleep(50000);
	EXPECT(waitpid(pid, NULL, WNOHANG), 0);
	return pid;
}

static int outcome(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* A message that failed is held until somebody has heard of that, or it is aborted. */
static void full_send_buffer(void)
{
	struct call held, c, got = { 0 };
	pid_t pid;

	EXPECT(may_send(), 1);
	EXPECT(try_send(&held, NOBODY, LONG, 0), 0);
	EXPECT(may_send(), 0);
	EXPECT(try_send(&c, PORT, 1, MSG_DONTWAIT), -EAGAIN);
	EXPECT(c.send.id, 0);
	interrupt_every(20000);
	EXPECT(try_send(&c, PORT, 1, 0), -EINTR);
	interrupt_every(0);
	EXPECT(c.send.id, 0);
	pid = send_elsewhere();
	abort_all();			/* that is room */
	EXPECT(outcome(pid), 0);
	EXPECT(recvmsg(client.fd, receiving(&got), 0) < 0 && errno == ENOTCONN, 1);
	EXPECT(may_send(), 1);

	EXPECT(try_send(&held, NOBODY, LONG, 0), 0);
	pid = send_elsewhere();
	shutdown(client.fd, SHUT_RDWR);
	EXPECT(outcome(pid), -ESHUTDOWN);
	t_homa_close(&client);
	EXPECT(t_homa_open(&client, 0), 0);
}

/* A response waits for room, and its client gives up meanwhile: as if it had done so before. */
static void late_reply(void)
{
	struct call request, got = { 0 }, held, reply;
	pid_t pid;

	EXPECT(try_send(&request, PORT, 10, 0), 0);
	EXPECT(recvmsg(server.fd, receiving(&got), 0), 10);
	EXPECT(ERR(sendmsg(server.fd, sending(&held, NOBODY, LONG), 0)), 0);
	pid = fork();
	if (!pid)
		_exit(-ERR(sendmsg(server.fd, replying(&reply, &got, 1000), 0)));
	usleep(50000);
	EXPECT(waitpid(pid, NULL, WNOHANG), 0);
	abort_all();
	EXPECT(try_send(&request, PORT, 10, 0), 0);	/* brings word of that */
	usleep(50000);
	abort_all_of(&server);
	EXPECT(outcome(pid), 0);
	EXPECT(recvmsg(server.fd, receiving(&got), 0), 10);
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
	abort_all();
}

/* ---------------------------------------------------------------- through io_uring */

static struct io_uring ring;

static void post_send(struct t_homa *h, struct msghdr *msg)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_sendmsg(sqe, h->fd, msg, 0);
	io_uring_sqe_set_data(sqe, msg);
	EXPECT(io_uring_submit(&ring), 1);
}

static void post_recv(struct t_homa *h, struct call *c)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recvmsg(sqe, h->fd, receiving(c), 0);
	io_uring_sqe_set_data(sqe, &c->msg);
	EXPECT(io_uring_submit(&ring), 1);
}

/* What the next call ends with, which is that of `msg`. */
static int ended(struct msghdr *msg)
{
	struct __kernel_timespec limit = { .tv_sec = 20 };
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe_timeout(&ring, &cqe, &limit);

	if (ret)
		return ret;
	EXPECT(io_uring_cqe_get_data(cqe) == msg, 1);
	ret = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return ret;
}

static bool is_quiet(void)
{
	struct __kernel_timespec limit = { .tv_nsec = 50000000 };
	struct io_uring_cqe *cqe;

	return io_uring_wait_cqe_timeout(&ring, &cqe, &limit) == -ETIME;
}

static void ring_round_trips(void)
{
	struct call request, at_server = { 0 }, at_client = { 0 }, reply;
	int i;

	for (i = 0; i < 3; i++) {	/* each gives back the pages of the one before */
		post_recv(&server, &at_server);
		post_recv(&client, &at_client);
		EXPECT(is_quiet(), 1);
		post_send(&client, sending(&request, PORT, 100000));
		EXPECT(ended(&request.msg), 0);
		EXPECT(ended(&at_server.msg), 100000);
		EXPECT(at_server.recv.num_bpages, 2);
		post_send(&server, replying(&reply, &at_server, 70000));
		EXPECT(ended(&reply.msg), 0);
		EXPECT(ended(&at_client.msg), 70000);
		EXPECT(at_client.recv.id == request.send.id, 1);
		EXPECT(at_client.recv.completion_cookie == COOKIE, 1);
		EXPECT(at_client.recv.num_bpages, 2);
	}
	EXPECT(ERR(recvmsg(server.fd, receiving(&at_server), MSG_DONTWAIT)), -EAGAIN);
	EXPECT(ERR(recvmsg(client.fd, receiving(&at_client), MSG_DONTWAIT)), -EAGAIN);
	EXPECT(free_bytes(&server), REGION);
	EXPECT(free_bytes(&client), REGION);
}

static void ring_failure(void)
{
	struct call request, got = { 0 };

	post_recv(&client, &got);
	post_send(&client, sending(&request, NOBODY, 10));
	EXPECT(ended(&request.msg), 0);
	EXPECT(ended(&got.msg), -ENOTCONN);
	EXPECT(got.recv.id == request.send.id, 1);
	EXPECT(got.recv.completion_cookie == COOKIE, 1);
	sending(&request, PORT, 0);
	post_send(&client, &request.msg);
	EXPECT(ended(&request.msg), -EINVAL);
}

/* A call that is withdrawn takes no message with it. */
static void ring_cancel(void)
{
	struct call request, got = { 0 }, reply, at_client = { 0 };
	struct io_uring_sqe *sqe;

	post_recv(&server, &got);
	EXPECT(is_quiet(), 1);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel(sqe, &got.msg, 0);
	io_uring_sqe_set_data(sqe, &got.msg);
	EXPECT(io_uring_submit(&ring), 1);
	EXPECT(ended(&got.msg) + ended(&got.msg), -ECANCELED);	/* that and 0, in either order */
	EXPECT(try_send(&request, PORT, 10, 0), 0);
	EXPECT(recvmsg(server.fd, receiving(&got), 0), 10);
	EXPECT(ERR(sendmsg(server.fd, replying(&reply, &got, 5), 0)), 0);
	EXPECT(ERR(recvmsg(server.fd, receiving(&got), MSG_DONTWAIT)), -EAGAIN);
	EXPECT(recvmsg(client.fd, receiving(&at_client), 0), 5);
	EXPECT(ERR(recvmsg(client.fd, receiving(&at_client), MSG_DONTWAIT)), -EAGAIN);
}

static void ring_full_send_buffer(void)
{
	struct call held, request, got = { 0 };

	EXPECT(try_send(&held, NOBODY, LONG, 0), 0);
	post_send(&client, sending(&request, NOBODY, 1000));
	EXPECT(is_quiet(), 1);
	abort_all();
	EXPECT(ended(&request.msg), 0);
	EXPECT(recvmsg(client.fd, receiving(&got), 0) < 0 && errno == ENOTCONN, 1);
	EXPECT(got.recv.id == request.send.id, 1);
}

/* ---------------------------------------------------------------- */

int main(int argc, char **argv)
{
	const struct sigaction sa = { .sa_handler = on_signal };	/* calls are not begun again */

	if (argc > 1) {
		fputs("usage: waiting\n", stderr);
		return 2;
	}
	sigaction(SIGALRM, &sa, NULL);
	EXPECT(t_homa_open(&server, PORT), 0);
	EXPECT(t_homa_open(&client, 0), 0);
	EXPECT(io_uring_queue_init(16, &ring, 0), 0);
	if (bad)
		return T_FAIL;
	announced();
	interrupted_recv();
	full_send_buffer();
	late_reply();
	ring_round_trips();
	ring_failure();
	ring_cancel();
	ring_full_send_buffer();
	t_homa_close(&client);
	t_homa_close(&server);
	io_uring_queue_exit(&ring);
	return bad ? T_FAIL : T_PASS;
}
