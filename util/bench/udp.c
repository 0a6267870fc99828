// SPDX-License-Identifier: GPL-2.0-or-later
/* udp.c - one datagram there, one back: the least that a kernel transport can cost. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#define UDP_MAX_LEN	65507u

static void serve(const struct bench_options *opt)
{
	int fd = bench_bound_socket(opt, SOCK_DGRAM, 0);
	struct bench_header *buf = bench_alloc(BENCH_MAX_LEN);
	struct sockaddr_storage peer;

	for (;;) {
		socklen_t peer_len = sizeof(peer);
		ssize_t len = recvfrom(fd, buf, BENCH_MAX_LEN, 0, (struct sockaddr *)&peer,
				       &peer_len);

		if (len < (ssize_t)sizeof(*buf) || buf->len != len || buf->reply > UDP_MAX_LEN)
			bench_die("a message that is not p4bench's");
		buf->len = buf->reply;
		if (sendto(fd, buf, buf->len, 0, (struct sockaddr *)&peer, peer_len) < 0)
			bench_die("sendto");
	}
}

/* One at a time; a datagram that is lost ends the run by --timeout. */
static void run(struct worker *w)
{
	uint32_t size = w->len > w->reply ? w->len : w->reply;
	int fd = socket(w->opt->family, SOCK_DGRAM, 0);
	void *buf = bench_alloc(size);
	uint64_t number = 0, started;
	ssize_t got;

	if (w->outstanding > 1 || size > UDP_MAX_LEN) {
		errno = EMSGSIZE;
		bench_die("UDP: one message of at most %u bytes at a time", UDP_MAX_LEN);
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&w->opt->peer, w->opt->peer_len))
		bench_die("connect");
	while (!bench_stopped()) {
		started = bench_now();
		bench_put_header(buf, w, ++number);
		if (send(fd, buf, w->len, 0) < 0)
			bench_die("send");
		got = recv(fd, buf, size, 0);
		if (got < 0)
			bench_die("recv");
		bench_check_reply(buf, got, w, number);
		bench_done(w, started);
	}
	close(fd);
	free(buf);
}

const struct transport bench_udp = { "udp", serve, run };
