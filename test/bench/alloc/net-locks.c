// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-locks.c - what it costs to take a lock and to give it back over a network: libp4alloc with
 * p4allocd, or Redis, or etcd as others use them.
 *
 * usage: net-locks p4a TENANT | redis ADDRESS PORT | etcd ADDRESS PORT   OUTSTANDING COUNT
 *
 * Prints nanoseconds from begin to end for one lock and unlock, with OUTSTANDING of them under way, each
 * of another name. Redis: SET NX PX with a random value, a script that deletes what has it; one
 * connection, commands of all outstanding ones in one write. etcd: its own lock service under a lease,
 * by JSON over HTTP/1.1; a connection for each outstanding one. One blocking thread each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <p4alloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../tools/base64.h"
#include "bench.h"

#define OUTSTANDING_MAX	64
#define NAMES		1000
#define WARM_UP		200
#define LEASE_MS	30000
#define BYTES		4096

static void die(const char *what, const char *why)
{
	fprintf(stderr, "net-locks: %s: %s\n", what, why);
	exit(1);
}

static unsigned int name_at(unsigned int i)
{
	return i % NAMES;
}

/* ------------------------------------------------------------------------------ p4allocd */

static struct p4a_ctx *ctx;

struct p4a_cycle {
	struct p4a_lock lock;
	bool held;
};

static void p4a_begin(uint32_t tenant, unsigned int outstanding)
{
	struct p4a_options opts = { .tenant = tenant, .nodes = 1, .depth = outstanding };
	struct p4a_error err;

	if (p4a_open(&ctx, &opts, &err))
		die("p4a_open", err.text);
	if (p4a_is_cold(ctx)) {
		const char *why;

		p4a_why_cold(ctx, &why);
		die("p4a_open", why);
	}
}

static void p4a_take(struct p4a_cycle *c, unsigned int i)
{
	char name[P4A_LOCK_NAME + 1];

	snprintf(name, sizeof(name), "lock:%u", name_at(i));
	c->held = false;
	if (p4a_lock_async(ctx, name, strlen(name), P4A_LOCK_EXCLUSIVE, 1000 * LEASE_MS, 0, &c->lock,
			   c))
		die("lock", p4a_last_error(ctx));
}

static void p4a_cycles(unsigned int outstanding, unsigned int count)
{
	static struct p4a_cycle cycle[OUTSTANDING_MAX];
	struct p4a_completion done[OUTSTANDING_MAX];
	unsigned int begun = 0, over = 0;

	for (; begun < outstanding; begun++)
		p4a_take(&cycle[begun], begun);
	while (over < count) {
		int n = p4a_wait(ctx, done, OUTSTANDING_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct p4a_cycle *c = done[i].user;

			if (done[i].err)
				die("lock", p4a_last_error(ctx));
			if (!c->held) {
				c->held = true;
				if (p4a_unlock_async(ctx, &c->lock, c))
					die("unlock", p4a_last_error(ctx));
				continue;
			}
			over++;
			if (begun < count)
				p4a_take(c, begun++);
		}
	}
}

/* One at a time: the blocking calls that a program would use. */
static void p4a_cycles_blocking(unsigned int count)
{
	struct p4a_lock lock;
	char name[P4A_LOCK_NAME + 1];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "lock:%u", name_at(i));
		if (p4a_lock(ctx, name, strlen(name), P4A_LOCK_EXCLUSIVE, 1000 * LEASE_MS, 0, &lock) ||
		    p4a_unlock(ctx, &lock))
			die("lock", p4a_last_error(ctx));
	}
}

/* ---------------------------------------------------------------------------------- TCP */

struct peer {
	int fd;
	size_t have;
	char in[BYTES * OUTSTANDING_MAX];
};

static struct peer peer[OUTSTANDING_MAX];
static char out[BYTES * OUTSTANDING_MAX];

static void connect_to(struct peer *p, const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int on = 1;

	inet_pton(AF_INET, address, &to.sin_addr);
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("connect", strerror(errno));
}

static void put(struct peer *p, size_t len)
{
	if (write(p->fd, out, len) != (ssize_t)len)
		die("write", strerror(errno));
}

static void get_more(struct peer *p)
{
	ssize_t n = read(p->fd, p->in + p->have, sizeof(p->in) - 1 - p->have);

	if (n <= 0)
		die("read", n ? strerror(errno) : "closed");
	p->have += n;
	p->in[p->have] = 0;
}

/* -------------------------------------------------------------------------------- Redis */

static const char script[] =
	"if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";
static char script_sha[41];

static size_t redis_set(char *to, unsigned int i)
{
	char name[20];
	int n = snprintf(name, sizeof(name), "lock:%u", name_at(i));

	return sprintf(to, "*6\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$16\r\n%016x\r\n$2\r\nNX\r\n$2\r\nPX\r\n"
		       "$5\r\n%d\r\n", n, name, i, LEASE_MS);
}

static size_t redis_delete(char *to, unsigned int i)
{
	char name[20];
	int n = snprintf(name, sizeof(name), "lock:%u", name_at(i));

	return sprintf(to, "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n$%d\r\n%s\r\n"
		       "$16\r\n%016x\r\n", script_sha, n, name, i);
}

static void redis_expect(struct peer *p, const char *reply, unsigned int times)
{
	size_t len = strlen(reply);

	while (p->have < len * times)
		get_more(p);
	for (unsigned int i = 0; i < times; i++)
		if (memcmp(p->in + i * len, reply, len))
			die("redis", p->in);
	p->have = 0;
}

static void redis_begin(const char *address, const char *port)
{
	connect_to(&peer[0], address, port);
	put(&peer[0], sprintf(out, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n", strlen(script),
			      script));
	while (peer[0].have < 47)
		get_more(&peer[0]);
	memcpy(script_sha, peer[0].in + 5, 40);		/* $40\r\n... */
	peer[0].have = 0;
}

static void redis_cycles(unsigned int outstanding, unsigned int count)
{
	for (unsigned int i = 0; i < count; i += outstanding) {
		size_t len = 0;

		for (unsigned int k = 0; k < outstanding; k++)
			len += redis_set(out + len, i + k);
		put(&peer[0], len);
		redis_expect(&peer[0], "+OK\r\n", outstanding);
		len = 0;
		for (unsigned int k = 0; k < outstanding; k++)
			len += redis_delete(out + len, i + k);
		put(&peer[0], len);
		redis_expect(&peer[0], ":1\r\n", outstanding);
	}
}

/* --------------------------------------------------------------------------------- etcd */

static char etcd_lease[32], etcd_host[64];

static void etcd_post(struct peer *p, const char *path, const char *body)
{
	p->have = 0;
	put(p, sprintf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n%s", path, etcd_host, strlen(body), body));
}

/* The string member of the answer, into `value`. */
static void etcd_answer(struct peer *p, const char *member, char *value)
{
	char *body, *at;

	p->in[0] = 0;
	while (!(body = strstr(p->in, "\r\n\r\n")) ||
	       (at = strstr(p->in, "Content-Length: ")) == NULL ||
	       strlen(body + 4) < strtoul(at + 16, NULL, 10))
		get_more(p);
	if (strncmp(p->in, "HTTP/1.1 200", 12))
		die("etcd", p->in);
	if (!member)
		return;
	at = strstr(body, member);
	if (!at || sscanf(at + strlen(member), "\":\"%250[^\"]", value) != 1)
		die("etcd", p->in);
}

static void etcd_begin(const char *address, const char *port, unsigned int outstanding)
{
	snprintf(etcd_host, sizeof(etcd_host), "%s:%s", address, port);
	for (unsigned int i = 0; i < outstanding; i++)
		connect_to(&peer[i], address, port);
	etcd_post(&peer[0], "/v3/lease/grant", "{\"TTL\":600}");
	etcd_answer(&peer[0], "\"ID", etcd_lease);
}

static void etcd_cycles(unsigned int outstanding, unsigned int count)
{
	static char key[OUTSTANDING_MAX][BYTES];
	char body[2 * BYTES], name[32], text[24];

	for (unsigned int i = 0; i < count; i += outstanding) {
		for (unsigned int k = 0; k < outstanding; k++) {
			snprintf(text, sizeof(text), "lock:%u", name_at(i + k));
			base64_encode(name, text, strlen(text));
			name[BASE64_DIGITS(strlen(text))] = '\0';
			snprintf(body, sizeof(body), "{\"name\":\"%s\",\"lease\":\"%s\"}", name,
				 etcd_lease);
			etcd_post(&peer[k], "/v3/lock/lock", body);
		}
		for (unsigned int k = 0; k < outstanding; k++)
			etcd_answer(&peer[k], "\"key", key[k]);
		for (unsigned int k = 0; k < outstanding; k++) {
			snprintf(body, sizeof(body), "{\"key\":\"%.250s\"}", key[k]);
			etcd_post(&peer[k], "/v3/lock/unlock", body);
		}
		for (unsigned int k = 0; k < outstanding; k++)
			etcd_answer(&peer[k], NULL, NULL);
	}
}

/* --------------------------------------------------------------------------------- main */

static void cycles(const char *how, unsigned int outstanding, unsigned int count)
{
	if (!strcmp(how, "redis"))
		redis_cycles(outstanding, count);
	else if (!strcmp(how, "etcd"))
		etcd_cycles(outstanding, count);
	else if (outstanding == 1)
		p4a_cycles_blocking(count);
	else
		p4a_cycles(outstanding, count);
}

int main(int argc, char **argv)
{
	unsigned int outstanding, count;
	uint64_t from;

	if (argc < 5)
		die("usage", "net-locks p4a TENANT | redis|etcd ADDRESS PORT  OUTSTANDING COUNT");
	outstanding = atoi(argv[argc - 2]);
	count = atoi(argv[argc - 1]);
	if (!outstanding || outstanding > OUTSTANDING_MAX)
		die("OUTSTANDING", "must be 1 .. 64");
	if (!strcmp(argv[1], "redis"))
		redis_begin(argv[2], argv[3]);
	else if (!strcmp(argv[1], "etcd"))
		etcd_begin(argv[2], argv[3], outstanding);
	else
		p4a_begin(atoi(argv[2]), outstanding);
	count -= count % outstanding;
	cycles(argv[1], outstanding, WARM_UP - WARM_UP % outstanding);
	from = bench_ns();
	cycles(argv[1], outstanding, count);
	printf("%" PRIu64 "\n", (bench_ns() - from) / count);
	return 0;
}
