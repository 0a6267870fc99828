// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fail-alloc.c - each allocation that a call makes fails once, in turn; the call must say so, or
 * succeed all the same, and everything must work afterwards.
 *
 * The kernel counts a task's allocations down from what is written to its fail-nth and fails that
 * one. What is not reached any more ends the enumeration. Allocations in softirq are not counted
 * there: the scenario makes those fail by chance.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>

#include "t_homa.h"
#include "t_netlink.h"

#define MANY	20000	/* more allocations than any call makes */
#define MODULE	"/lib/modules/p4homa.ko"

static int fail_fd;
static uint8_t bytes[HOMA_MAX_MESSAGE_LENGTH];
static struct sockaddr_in to;
static int server_port = 4100;

static void arm(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (pwrite(fail_fd, text, len, 0) != len) {
		perror("fail-alloc: fail-nth");
		exit(T_FAIL);
	}
}

/* Whether the armed one was reached; disarms it. */
static bool was_reached(void)
{
	char text[16] = "";
	bool reached;

	if (pread(fail_fd, text, sizeof(text) - 1, 0) <= 0)
		exit(T_FAIL);
	reached = !atoi(text);
	arm(0);
	return reached;
}

/* ---------------------------------------------------------------- calls: 0 or -errno */

struct world {
	struct t_homa client, server;
	struct t_netlink *nl;
	size_t len;
};

static int call_socket(struct world *w)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int call_region(struct world *w)
{
	struct t_homa h;
	int err = t_homa_open(&h, 0);

	if (!err)
		t_homa_close(&h);
	return err;
}

/* Only that; the responses are taken by drain() later. */
static int call_request(struct world *w)
{
	return t_homa_request(&w->client, &to, bytes, w->len, 1, NULL);
}

static int call_receive(struct world *w)
{
	struct t_message m = { 0 };
	int len = t_homa_recv(&w->client, &m, 20000);

	return len < 0 ? len : 0;
}

static int call_new_peer(struct world *w)
{
	static uint32_t host = 3;
	struct sockaddr_in other = to;

	other.sin_addr.s_addr = htonl(0x7f000000 | ++host);
	return t_homa_request(&w->client, &other, bytes, 100, 1, NULL);
}

static int call_info(struct world *w)
{
	static struct homa_rpc_info rpcs[64];
	struct homa_info info = { .rpc_info = (uintptr_t)rpcs, .rpc_info_length = sizeof(rpcs) };

	return ioctl(w->client.fd, HOMAIOCINFO, &info) < 0 ? -errno : 0;
}

static int call_tenant(struct world *w)
{
	struct t_attr add[] = { T_U32(TENANT_ID, 77), T_END };
	int err = t_netlink_do(w->nl, P4A_CMD_TENANT_SET, add);

	if (!err)
		t_netlink_do(w->nl, P4A_CMD_TENANT_DEL, add);
	return err;
}

static int call_load(struct world *w)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;

	close(fd);
	return err;
}

static void unload(void)
{
	if (syscall(SYS_delete_module, "p4homa", 0) && errno != ENOENT) {
		perror("fail-alloc: unload");
		exit(T_FAIL);
	}
}

static void see_nothing(int cmd, struct nlattr **attrs, void *arg)
{
}

static int call_dump(struct world *w)
{
	return t_netlink_dump(w->nl, P4A_CMD_STATS_GET, see_nothing, NULL);
}

/* ---------------------------------------------------------------- enumeration */

/* ENFILE is how the kernel says that it has no memory for a socket, ENOEXEC for a module. */
static bool is_want_of_memory(int err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -ENFILE || err == -ENOEXEC;
}

static void serve(struct t_homa *h)
{
	struct t_message m = { 0 };

	for (;;) {
		int len = t_homa_recv(h, &m, -1);

		if (len > 0)
			t_homa_reply(h, &m, bytes, len < 100 ? len : 100);
	}
}

static int drain(struct world *w)
{
	struct t_message m = { 0 };
	int nr = 0;

	while (t_homa_recv(&w->client, &m, 0) != -ETIME)
		nr++;
	return nr;
}

/* Fails each `step`th allocation of `call` in turn, from the `first` on; `undo`, if there is one,
 * follows each call.
 */
static int enumerate_some(struct world *w, const char *name, int (*call)(struct world *),
			  int first, int step, void (*undo)(void))
{
	int nth, err, failed = 0;
	bool reached;

	for (nth = first; nth < MANY; nth += step) {
		arm(nth);
		err = call(w);
		reached = was_reached();
		if (undo)
			undo();
		failed += !!err;
		if (err && !is_want_of_memory(err)) {
			fprintf(stderr, "fail-alloc: %s, allocation %d: %s\n", name, nth,
				strerror(-err));
			return T_FAIL;
		}
		if (!reached && err) {
			fprintf(stderr, "fail-alloc: %s fails though nothing failed: %s\n", name,
				strerror(-err));
			return T_FAIL;
		}
		if (!reached)
			break;
	}
	printf("fail-alloc: %s: %d allocations, %d failures reported\n", name, nth - first, failed);
	return nth == first || nth >= MANY ? T_FAIL : T_PASS;
}

static int enumerate(struct world *w, const char *name, int (*call)(struct world *))
{
	return enumerate_some(w, name, call, 1, 1, NULL);
}

static int run_calls(void)
{
	struct world w = { .nl = t_netlink_open() };
	int status = T_PASS, err;
	pid_t pid;

	err = t_homa_open(&w.server, server_port);
	if (!err)
		err = t_homa_open(&w.client, 0);
	if (err || !w.nl) {
		fprintf(stderr, "fail-alloc: sockets: %s\n", strerror(-err));
		return T_FAIL;
	}
	pid = fork();
	if (!pid)
		serve(&w.server);
	close(w.server.fd);
	status |= enumerate(&w, "socket", call_socket);
	status |= enumerate(&w, "receive region", call_region);
	for (w.len = 1; w.len <= 1000000; w.len *= 1000) {
		status |= enumerate(&w, w.len == 1 ? "request of 1 byte" : w.len == 1000 ?
				    "request of 1 KB" : "request of 1 MB", call_request);
		sleep(1);
		drain(&w);
	}
	w.len = 100;
	status |= enumerate(&w, "request to a new peer", call_new_peer);
	sleep(1);
	drain(&w);
	status |= enumerate(&w, "tenant", call_tenant);
	status |= enumerate(&w, "dump of counters", call_dump);
	err = call_info(&w) ?: call_request(&w) ?: call_receive(&w);
	if (err) {
		fprintf(stderr, "fail-alloc: an RPC afterwards: %s\n", strerror(-err));
		status = T_FAIL;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return status;
}

/* Allocations of the module loader, some of whose failures it does not survive without a warning:
 * as many as there are when the module refuses at once, because another one has the protocol.
 */
static int count_loaders(void)
{
	char left[16] = "";
	int err;

	arm(MANY);
	err = call_load(NULL);
	if (pread(fail_fd, left, sizeof(left) - 1, 0) <= 0 || err != -EBUSY) {
		fprintf(stderr, "fail-alloc: not refused: %s\n", strerror(-err));
		return T_FAIL;
	}
	arm(0);
	printf("%d\n", MANY - atoi(left));
	return T_PASS;
}

/* So many of a hundred allocations, of anybody, for so long. This namespace forgets its routes all the time, or
 * they would all have been allocated before.
 */
static int by_chance(const char *percent, int seconds)
{
	int fd = open("/sys/kernel/debug/failslab/probability", O_WRONLY | O_CLOEXEC);
	int routes = open("/proc/sys/net/ipv4/route/flush", O_WRONLY | O_CLOEXEC);
	uint64_t end = t_now_ns() + seconds * 1000000000ull;

	if (fd < 0 || routes < 0 || write(fd, percent, strlen(percent)) < 0)
		return T_FAIL;
	while (t_now_ns() < end) {
		usleep(10000);
		if (pwrite(routes, "1", 1, 0) < 0 && errno != ENOMEM)
			return T_FAIL;
	}
	while (write(fd, "0", 1) < 0)
		;
	return T_PASS;
}

int main(int argc, char **argv)
{
	bool is_load = argc == 4 && !strcmp(argv[1], "load"), is_count = argc == 2;

	if (argc == 4 && !strcmp(argv[1], "chance"))
		return by_chance(argv[2], t_parse_number("seconds", argv[3], 1, 60));
	if (argc > 1 && !is_load && !(is_count && !strcmp(argv[1], "count-loaders"))) {
		fputs("usage: fail-alloc [count-loaders | load FIRST STEP | chance PERCENT SECONDS]\n"
		      "Each allocation of sockets, messages, peers and tenants fails once, in turn; or each\n"
		      "STEPth of loading the module from the FIRST on: the module is not loaded, before and\n"
		      "after; or any of the whole system, by chance.\n"
		      "Exit 1 if an error is not about memory, 77 if this kernel cannot do that.\n", stderr);
		return 2;
	}
	to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(server_port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_fd < 0) {
		fprintf(stderr, "fail-alloc: this kernel cannot fail allocations\n");
		return T_SKIP;
	}
	if (is_count)
		return count_loaders();
	if (is_load)
		return enumerate_some(NULL, "load", call_load, t_parse_number("first", argv[2], 1, MANY),
				      t_parse_number("step", argv[3], 1, MANY), unload);
	return run_calls();
}
