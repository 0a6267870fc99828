// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * uring.c - sends and receives over one Homa socket by io_uring, or without it while the caller waits.
 *
 * Owns the socket, its receive region, the ring and the netlink socket. In the ring one or more recvmsg
 * are always posted; each takes any message of the socket (none is private: poll, on which io_uring waits,
 * never reports those) and gives its pages back when it is posted again, which is at the beginning
 * of a later reap or in watch: until then the caller reads the message in place. A message wakes all that
 * are posted, so they are as many as messages came together last, and twice as many if that was all of
 * them. Memory that the kernel may still write to is freed only after all requests have ended.
 *
 * A caller that stays until something has come needs no ring that could be waited for: its messages are
 * sent and received by plain system calls, which cost a third less, as long as nothing is posted.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "region.h"
#include "uring.h"

#define RECEIVERS	8
#define SPARE_SENDERS	8		/* for calls; each transaction and lock has its own */
#define CLOSE_WAIT_US	5000000
#define WAIT_US		50000		/* of a recvmsg: more than nearly all answers take */
#define WAIT_MOST_US	75000		/* the same, as its kernel counts jiffies */
#define NONE		UINT32_MAX

enum tag { TAG_SEND, TAG_RECV, TAG_CANCEL, TAG_SYNC };	/* user_data: index << 2 | tag */

struct sender {
	struct homa_sendmsg_args args;
	struct msghdr hdr;
	struct iovec iov;
	uint64_t cookie;
	uint32_t next;			/* in the free list, or among those to be sent */
	void *longer;			/* data that does not fit below */
	union {
		struct homa_txn txn;
		uint8_t msg[P4A_MSG_MAX];
	} data;
};

struct receiver {
	struct homa_recvmsg_args args;
	struct msghdr hdr;
	bool posted;
};

struct uring {
	struct p4a_io io;
	struct io_uring ring;
	struct p4a_netlink *nl;
	struct sockaddr_in allocator;
	uint32_t tenant;
	int sock;
	uint8_t *region;
	size_t region_len;
	struct sender *senders;
	uint32_t free_sender, to_send, last_to_send;
	uint64_t sync_cookie;
	uint32_t in_flight;		/* requests that the kernel may still work on */
	uint32_t unanswered;		/* sent, and neither answered nor failed */
	uint32_t posted, wanted;	/* receivers */
	struct receiver recv[RECEIVERS];
};

static struct uring *of(struct p4a_io *io)
{
	return (struct uring *)io;	/* io is its first member */
}

static uint64_t now_us(struct p4a_io *io)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A free submission entry; NULL only if the kernel takes none. */
static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&u->ring);
	return io_uring_get_sqe(&u->ring);
}

static void drop_longer(struct sender *s)
{
	free(s->longer);
	s->longer = NULL;
}

static void drop_sender(struct uring *u, uint32_t i)
{
	drop_longer(&u->senders[i]);
	u->senders[i].next = u->free_sender;
	u->free_sender = i;
}

/* It goes with the next reap, which knows how. */
static int send_data(struct uring *u, uint64_t cookie, const void *data, uint32_t len,
		     uint32_t flags)
{
	uint32_t i = u->free_sender;
	struct sender *s = &u->senders[i];
	void *copy = &s->data;

	if (i == NONE)
		return -EAGAIN;
	if (len > sizeof(s->data))
		copy = s->longer = malloc(len);
	if (!copy)
		return -ENOMEM;
	u->free_sender = s->next;
	u->unanswered++;
	memcpy(copy, data, len);
	s->cookie = cookie;
	s->args = (struct homa_sendmsg_args) { .completion_cookie = cookie, .flags = flags };
	s->iov = (struct iovec) { .iov_base = copy, .iov_len = len };
	s->hdr = (struct msghdr) {
		.msg_name = &u->allocator, .msg_namelen = sizeof(u->allocator),
		.msg_iov = &s->iov, .msg_iovlen = 1, .msg_control = &s->args,
	};
	s->next = NONE;
	if (u->to_send == NONE)
		u->to_send = i;
	else
		u->senders[u->last_to_send].next = i;
	u->last_to_send = i;
	return 0;
}

static void submit_sends(struct uring *u)
{
	struct io_uring_sqe *sqe;

	while (u->to_send != NONE && (sqe = get_sqe(u))) {
		uint32_t i = u->to_send;

		u->to_send = u->senders[i].next;
		io_uring_prep_sendmsg(sqe, u->sock, &u->senders[i].hdr, 0);
		io_uring_sqe_set_data64(sqe, (uint64_t)i << 2 | TAG_SEND);
		u->in_flight++;
	}
}

static int send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len)
{
	return send_data(of(io), cookie, msg, len, 0);
}

static int send_txn(struct p4a_io *io, uint64_t cookie, const struct homa_txn *txn)
{
	return send_data(of(io), cookie, txn, sizeof(*txn), HOMA_SENDMSG_TXN);
}

/* The pages that it still names will be given back. */
static void prepare(struct receiver *r)
{
	r->args.id = 0;
	r->args.completion_cookie = 0;
	r->args.reserved = 0;
	r->hdr = (struct msghdr) {
		.msg_control = &r->args, .msg_controllen = sizeof(r->args),
	};
}

static int post(struct uring *u, uint32_t i)
{
	struct io_uring_sqe *sqe = get_sqe(u);
	struct receiver *r = &u->recv[i];

	if (!sqe)
		return -EAGAIN;
	prepare(r);
	io_uring_prep_recvmsg(sqe, u->sock, &r->hdr, 0);
	io_uring_sqe_set_data64(sqe, (uint64_t)i << 2 | TAG_RECV);
	r->posted = true;
	u->posted++;
	u->in_flight++;
	return 0;
}

static void post_wanted(struct uring *u)
{
	uint32_t i;

	for (i = 0; i < RECEIVERS && u->posted < u->wanted; i++)
		if (!u->recv[i].posted && post(u, i))
			return;
}

/* So many of `posted` receivers have a message. */
static uint32_t receivers_wanted(uint32_t messages, uint32_t posted, uint32_t unanswered)
{
	uint32_t n = messages >= posted ? 2 * messages : messages;

	if (n > unanswered)
		n = unanswered;
	return n < 1 ? 1 : n > RECEIVERS ? RECEIVERS : n;
}

static void answered(struct uring *u)
{
	u->unanswered -= u->unanswered > 0;
}

/* 1 if the request ended with an event, 0 if not. */
static int sent(struct uring *u, uint32_t i, int res, struct p4a_io_event *ev)
{
	uint64_t cookie = u->senders[i].cookie;

	drop_sender(u, i);
	if (res >= 0)
		return 0;
	answered(u);
	*ev = (struct p4a_io_event) { .cookie = cookie, .err = res, .unsent = true };
	return 1;
}

static int received(struct uring *u, struct receiver *r, int res, struct p4a_io_event *ev)
{
	uint32_t offset = r->args.bpage_offsets[0];

	if (r->args.completion_cookie)
		answered(u);
	if (res < 0) {
		r->args.num_bpages = 0;
		*ev = (struct p4a_io_event) { .cookie = r->args.completion_cookie, .err = res };
		if (ev->cookie)
			return 1;
		return res == -EAGAIN || res == -EINTR || res == -ENOMEM ? 0 : res;
	}
	*ev = (struct p4a_io_event) { .cookie = r->args.completion_cookie, .len = res };
	if (r->args.num_bpages < 1 || offset >= u->region_len)
		return -EBADMSG;
	/* All that the library expects fits into one page; what does not is recognised by len. */
	ev->data = u->region + offset;
	return 1;
}

static int receiver_ended(struct uring *u, uint32_t i, int res, struct p4a_io_event *ev)
{
	u->recv[i].posted = false;
	u->posted--;
	return received(u, &u->recv[i], res, ev);
}

static int synced(const struct uring *u, int res, struct p4a_io_event *ev)
{
	*ev = (struct p4a_io_event) { .cookie = u->sync_cookie, .err = res < 0 ? res : 0 };
	return 1;
}

/* 1: *ev is an event, 0: it is none, -errno: the socket has failed. */
static int completed(struct uring *u, struct io_uring_cqe *cqe, struct p4a_io_event *ev)
{
	uint64_t data = io_uring_cqe_get_data64(cqe);
	int res = cqe->res;

	io_uring_cqe_seen(&u->ring, cqe);
	u->in_flight--;
	switch (data & 3) {
	case TAG_SEND:
		return sent(u, data >> 2, res, ev);
	case TAG_RECV:
		return receiver_ended(u, data >> 2, res, ev);
	case TAG_SYNC:
		return synced(u, res, ev);
	default:
		return 0;
	}
}

static int submit_and_wait(struct uring *u, int64_t timeout_us)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	int rc;

	if (!timeout_us || io_uring_cq_ready(&u->ring))
		rc = io_uring_submit_and_get_events(&u->ring);
	else if (timeout_us < 0)
		rc = io_uring_submit_and_wait(&u->ring, 1);
	else {
		ts.tv_sec = timeout_us / 1000000;
		ts.tv_nsec = timeout_us % 1000000 * 1000;
		rc = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
	}
	return rc < 0 && rc != -ETIME && rc != -EBUSY && rc != -EAGAIN ? rc : 0;
}

static int reap_ring(struct uring *u, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	struct io_uring_cqe *cqe;
	unsigned int n = 0;
	uint32_t posted;
	int rc;

	submit_sends(u);
	post_wanted(u);
	posted = u->posted;
	rc = submit_and_wait(u, timeout_us);
	if (rc)
		return rc;
	while (n < max && !io_uring_peek_cqe(&u->ring, &cqe)) {
		rc = completed(u, cqe, &ev[n]);
		if (rc < 0)
			return rc;
		n += rc;
	}
	if (u->posted < posted)
		u->wanted = receivers_wanted(posted - u->posted, posted, u->unanswered);
	return n;
}

/* ---- without the ring ---- */

/* What would have to wait stays for the ring. */
static unsigned int send_here(struct uring *u, struct p4a_io_event *ev, unsigned int max)
{
	unsigned int n = 0;

	while (u->to_send != NONE && n < max) {
		uint32_t i = u->to_send, next = u->senders[i].next;
		int res = sendmsg(u->sock, &u->senders[i].hdr, MSG_DONTWAIT) < 0 ? -errno : 0;

		if (res == -EAGAIN)
			break;
		u->to_send = next;
		n += sent(u, i, res, &ev[n]);
	}
	return n;
}

/*
 * Up to max events of messages that are there; each has a receiver of its own until the next reap.
 * Waits for the first, up to WAIT_US, unless `flags` is MSG_DONTWAIT.
 */
static int receive_here(struct uring *u, struct p4a_io_event *ev, unsigned int max, int flags)
{
	bool more = max > 0;
	unsigned int n = 0;
	uint32_t i;

	for (i = 0; more && i < RECEIVERS; i++) {
		struct receiver *r = &u->recv[i];
		int res, rc;

		prepare(r);
		res = recvmsg(u->sock, &r->hdr, flags);
		more = res >= 0 && r->hdr.msg_flags & MSG_MORE;
		res = res < 0 ? -errno : res;
		rc = received(u, r, res, &ev[n]);
		if (rc < 0 || res == -EINTR)
			return rc < 0 ? rc : res;
		n += rc;
		more = more && n < max;
		flags = MSG_DONTWAIT;
	}
	return n;
}

static int wait_here(struct uring *u, int64_t timeout_us)
{
	struct timespec ts = { timeout_us / 1000000, timeout_us % 1000000 * 1000 };
	struct pollfd p = { .fd = u->sock, .events = POLLIN };

	return ppoll(&p, 1, timeout_us < 0 ? NULL : &ts, NULL) < 0 ? -errno : 0;
}

/*
 * Without a limit worth mentioning, recvmsg waits; but once only, as a signal that comes between two of
 * them would not end the wait. Else an answer takes a round trip: who has just sent the only question
 * does not look for it at once.
 */
static int reap_here(struct uring *u, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	bool asks = u->to_send != NONE;
	int n = send_here(u, ev, max), rc;

	if (n || u->to_send != NONE)
		return n;
	if (timeout_us < 0 || timeout_us >= WAIT_US) {
		n = receive_here(u, ev, max, 0);
		if (n || (timeout_us >= 0 && timeout_us <= WAIT_MOST_US))
			return n;
		timeout_us -= timeout_us < 0 ? 0 : WAIT_MOST_US;
	} else if (!asks || u->unanswered > 1 || !timeout_us) {
		n = receive_here(u, ev, max, MSG_DONTWAIT);
		if (n || !timeout_us)
			return n;
	}
	rc = wait_here(u, timeout_us);
	return rc ? rc : receive_here(u, ev, max, MSG_DONTWAIT);
}

/*
 * Who looks at fd() must find out there that something has come. Nobody does while the caller is inside,
 * and system calls are cheaper than the ring, if nothing else is to be waited for.
 */
static int reap(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	struct uring *u = of(io);
	int n;

	if (io->inside && !u->in_flight) {
		n = reap_here(u, ev, max, timeout_us);
		if (n || u->to_send == NONE)
			return n;
	}
	return reap_ring(u, ev, max, timeout_us);
}

static void watch(struct p4a_io *io)
{
	struct uring *u = of(io);

	submit_sends(u);
	post_wanted(u);
	if (io_uring_sq_ready(&u->ring))
		io_uring_submit(&u->ring);
}

/* Not left for the next reap: an event loop may be waiting for the ring before it. One at a time. */
static int sync_file(struct p4a_io *io, uint64_t cookie, int fd)
{
	struct uring *u = of(io);
	struct io_uring_sqe *sqe = get_sqe(u);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, TAG_SYNC);
	u->sync_cookie = cookie;
	u->in_flight++;
	io_uring_submit(&u->ring);
	return 0;
}

static int hold(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	return p4a_netlink_hold(of(io)->nl, of(io)->tenant, HOMA_TXN_BATCH, grant, err);
}

static int hold_cells(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err)
{
	return p4a_netlink_hold(of(io)->nl, of(io)->tenant, HOMA_TXN_LOCKS, grant, err);
}

static int ring_fd(struct p4a_io *io)
{
	return of(io)->ring.ring_fd;
}

/* After shutdown each recvmsg fails by itself; cancelling covers requests that wait for poll. */
static bool end_requests(struct uring *u)
{
	uint64_t end = now_us(&u->io) + CLOSE_WAIT_US;
	struct io_uring_sqe *sqe = get_sqe(u);
	struct io_uring_cqe *cqe;
	struct p4a_io_event ev;

	shutdown(u->sock, SHUT_RDWR);
	if (sqe) {
		io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		io_uring_sqe_set_data64(sqe, TAG_CANCEL);
		u->in_flight++;
	}
	while (u->in_flight && now_us(&u->io) < end) {
		submit_and_wait(u, 100000);
		while (!io_uring_peek_cqe(&u->ring, &cqe))
			completed(u, cqe, &ev);
	}
	return !u->in_flight;
}

static void close_uring(struct p4a_io *io)
{
	struct uring *u = of(io);
	bool quiet = end_requests(u);
	uint32_t i;

	io_uring_queue_exit(&u->ring);
	close(u->sock);
	p4a_netlink_close(u->nl);
	if (!quiet)
		return;			/* better lost memory than memory that the kernel writes to */
	munmap(u->region, u->region_len);
	for (i = u->to_send; i != NONE; i = u->senders[i].next)
		drop_longer(&u->senders[i]);
	free(u->senders);
	free(u);
}

static const struct p4a_io_ops uring_ops = {
	.send_msg = send_msg, .send_txn = send_txn, .reap = reap, .watch = watch, .hold = hold,
	.hold_cells = hold_cells, .sync = sync_file,
	.now_us = now_us, .fd = ring_fd, .close = close_uring,
};

static int limit_wait(struct uring *u, struct p4a_error *err)
{
	const struct timeval most = { .tv_usec = WAIT_US };

	if (!setsockopt(u->sock, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)))
		return 0;
	return p4a_fail(err, -errno, "SO_RCVTIMEO: %s", strerror(errno));
}

static int make_senders(struct uring *u, uint32_t n, struct p4a_error *err)
{
	uint32_t i;

	u->senders = calloc(n, sizeof(*u->senders));
	if (!u->senders)
		return p4a_fail(err, -ENOMEM, "no memory for %u transactions", n);
	for (i = 0; i < n; i++)
		u->senders[i].next = i + 1 < n ? i + 1 : NONE;
	return 0;
}

static int make_ring(struct uring *u, uint32_t entries, struct p4a_error *err)
{
	int rc = io_uring_queue_init(entries, &u->ring, 0);

	if (rc == -ENOSYS || rc == -EPERM)
		return p4a_fail(err, -ENOSYS, "io_uring: %s", strerror(-rc));
	return rc ? p4a_fail(err, rc, "io_uring: %s", strerror(-rc)) : 0;
}

int p4a_uring_new(struct p4a_io **out, struct p4a_netlink *nl, int sock,
		  const struct sockaddr_in *allocator, uint32_t tenant, uint32_t depth,
		  struct p4a_error *err)
{
	struct uring *u = calloc(1, sizeof(*u));
	uint32_t n = 2 * depth + SPARE_SENDERS;	/* transactions, locks, a call */
	int rc = -ENOMEM;

	if (!u) {
		p4a_fail(err, rc, "no memory for a context");
		goto undo_sockets;
	}
	*u = (struct uring) {
		.io = { .ops = &uring_ops }, .nl = nl, .sock = sock, .allocator = *allocator,
		.tenant = tenant, .wanted = 1, .to_send = NONE,
	};
	rc = limit_wait(u, err);
	if (!rc)
		rc = make_senders(u, n, err);
	if (rc)
		goto undo_alloc;
	rc = p4a_region_map(sock, &u->region, &u->region_len, err);
	if (rc)
		goto undo_senders;
	rc = make_ring(u, n + RECEIVERS + 2, err);
	if (rc)
		goto undo_region;
	*out = &u->io;
	return 0;
undo_region:
	munmap(u->region, u->region_len);
undo_senders:
	free(u->senders);
undo_alloc:
	free(u);
undo_sockets:
	close(sock);
	p4a_netlink_close(nl);
	return rc;
}
