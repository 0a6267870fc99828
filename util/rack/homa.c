// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * homa.c - messages as Homa's RPCs: one socket a host that asks, one that answers.
 *
 * A message that the kernel has no room for waits here, in order, until another is done.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/homa.h>

#include "load.h"
#include "workload.h"

#define PORT		4000
#define REGION_BYTES	(512ul << 20)

struct end {
	struct watch watch;
	int fd;
	int host;
	struct homa_recvmsg_args args;	/* its pages go back with the next call */
	struct message *waiting, **last;
};

static struct end client[HOSTS_MAX], server[HOSTS_MAX];
static int nr_hosts;
static uint64_t waited, failed;
static uint64_t again_before, all_before;

static int send_now(struct message *m)
{
	struct homa_sendmsg_args args = { .completion_cookie = (uintptr_t)m };
	struct sockaddr_in to = address_of(m->to, PORT);
	struct iovec iov = { .iov_base = message_bytes, .iov_len = m->bytes };
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args,
	};

	return sendmsg(client[m->from].fd, &msg, MSG_DONTWAIT);
}

static void homa_send(struct message *m)
{
	struct end *e = &client[m->from];

	if (!e->waiting && send_now(m) >= 0)
		return;
	if (!e->waiting && errno != EAGAIN)
		die("homa: sendmsg");
	waited++;
	m->next = NULL;
	*e->last = m;
	e->last = &m->next;
}

static void send_waiting(struct end *e)
{
	while (e->waiting) {
		struct message *m = e->waiting, *next = m->next;

		if (send_now(m) < 0) {
			if (errno != EAGAIN)
				die("homa: sendmsg");
			return;
		}
		e->waiting = next;
		if (!next)
			e->last = &e->waiting;
	}
}

/* The length of a message, or -1. */
static int receive(struct end *e, struct sockaddr_in *from)
{
	struct msghdr msg = {
		.msg_name = from, .msg_namelen = from ? sizeof(*from) : 0,
		.msg_control = &e->args, .msg_controllen = sizeof(e->args),
	};
	int len;

	e->args.id = 0;
	e->args.completion_cookie = 0;
	e->args.reserved = 0;
	len = recvmsg(e->fd, &msg, MSG_DONTWAIT);
	if (len < 0 && errno != EAGAIN && !e->args.id)
		die("homa: recvmsg");
	return len;
}

static void request_is_here(struct watch *w, uint32_t events)
{
	struct end *e = (struct end *)w;
	struct homa_sendmsg_args args = {};
	struct iovec iov = { .iov_base = message_bytes, .iov_len = RESPONSE_BYTES };
	struct sockaddr_in from;
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args,
	};

	if (receive(e, &from) < 0)
		return;
	args.id = e->args.id;
	if (sendmsg(e->fd, &msg, MSG_DONTWAIT) < 0)
		die("homa: response");
}

static void response_is_here(struct watch *w, uint32_t events)
{
	struct end *e = (struct end *)w;
	int len = receive(e, NULL);

	if (len < 0 && !e->args.id)
		return;
	/* A failed message is done, late; it is counted and its slowdown shows it. */
	failed += len < 0;
	message_done((struct message *)(uintptr_t)e->args.completion_cookie);
	send_waiting(e);
}

static void open_end(struct end *e, int host, uint16_t port)
{
	struct homa_rcvbuf_args region = { .length = REGION_BYTES };
	struct sockaddr_in addr = address_of(host, port);
	int yes = 1;

	e->last = &e->waiting;
	e->host = host;
	e->fd = socket_of(host, SOCK_DGRAM, IPPROTO_HOMA);
	region.start = (uintptr_t)mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region.start == (uintptr_t)MAP_FAILED)
		die("homa: mmap");
	if (setsockopt(e->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &region, sizeof(region)))
		die("homa: SO_HOMA_RCVBUF");
	if (port && (bind(e->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		     setsockopt(e->fd, IPPROTO_HOMA, SO_HOMA_SERVER, &yes, sizeof(yes))))
		die("homa: server");
	e->watch.ready = port ? request_is_here : response_is_here;
	watch(e->fd, EPOLLIN, &e->watch);
}

static void homa_open(int hosts, int spare)
{
	int i;

	nr_hosts = hosts;
	for (i = 0; i < hosts; i++) {
		open_end(&client[i], i, 0);
		open_end(&server[i], i, PORT);
	}
}

/* Of all hosts: packets that were sent again because a receiver asked, and all. */
static void read_counters(uint64_t *again, uint64_t *all)
{
	char name[64];
	uint64_t n;
	FILE *f;
	int i;

	*again = *all = 0;
	for (i = 0; i < nr_hosts; i++) {
		enter_host(i);
		f = fopen("/proc/net/homa_metrics", "r");
		if (!f)
			die("homa: metrics");
		while (fscanf(f, "%63s %lu%*[^\n]", name, &n) == 2) {
			if (!strcmp(name, "resent_packets_used") || !strcmp(name, "resent_discards"))
				*again += n;
			else if (!strcmp(name, "packets_rcvd_DATA"))
				*all += n;
		}
		fclose(f);
	}
}

static void homa_mark(void)
{
	read_counters(&again_before, &all_before);
}

static void homa_report(FILE *to)
{
	uint64_t again, all;

	read_counters(&again, &all);
	fprintf(to, "waited %lu failed %lu again %lu of %lu", waited, failed,
		again - again_before, all - all_before);
}

const struct transport homa_transport = {
	.name = "homa", .open = homa_open, .send = homa_send,
	.mark = homa_mark, .report = homa_report,
};
