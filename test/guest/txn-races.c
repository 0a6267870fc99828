// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * txn-races.c - sockets that are closed, shut down and moved between tenants with transactions
 * outstanding, while grants are replaced: nothing is left over, and the kernel stays healthy.
 *
 * Worth running on a kernel with KASAN, lockdep and several CPUs; a switch (fake-switch) makes it
 * worse, but is not needed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t_homa.h"
#include "t_netlink.h"

#define TENANT		4740
#define FLOWS		16
#define SENDERS		4

static struct { unsigned long sent, refused, got, rounds, grants; } *shared;

static int join(struct t_homa *h, uint32_t id)
{
	return setsockopt(h->fd, IPPROTO_HOMA, SO_HOMA_TENANT, &id, sizeof(id)) ? -errno : 0;
}

/* What may be said to a transaction that races with everything else. */
static bool is_expected(int err)
{
	return err == 0 || err == -EAGAIN || err == -ESTALE || err == -ENOTCONN ||
	       err == -ESHUTDOWN || err == -ETIMEDOUT || err == -ECANCELED || err == -ETIME;
}

static void check(const char *what, int err)
{
	if (is_expected(err))
		return;
	fprintf(stderr, "txn-races: %s: %s\n", what, strerror(-err));
	_exit(T_FAIL);
}

static void send_some(struct t_homa *h, int n)
{
	struct homa_txn txn = { .count = 1, .instr = { { 0, 2, 0, 1 } } };
	int err;

	while (n--) {
		err = t_homa_txn(h, &txn, 1, MSG_DONTWAIT);
		check("sendmsg", err);
		__atomic_fetch_add(err ? &shared->refused : &shared->sent, 1, __ATOMIC_RELAXED);
	}
}

static void take_some(struct t_homa *h, int n)
{
	struct homa_txn_result result;
	struct t_message m = { 0 };
	int err;

	while (n--) {
		err = t_homa_txn_result(h, &m, &result, 5);
		check("recvmsg", err);
		if (err == -ETIME || err == -ESHUTDOWN)
			break;
		__atomic_fetch_add(&shared->got, 1, __ATOMIC_RELAXED);
	}
}

/* One socket's life: each end that it can come to, in turn. */
static void one_round(unsigned int seed)
{
	struct t_homa h;
	int err = t_homa_open(&h, 0);

	check("socket", err);
	check("join", join(&h, TENANT + seed % 2));
	send_some(&h, 1 + seed / 2 % 6);
	if (seed % 3 == 0)
		take_some(&h, 3);
	if (seed % 5 == 0)
		check("leave", join(&h, 0));
	if (seed % 7 == 0) {
		shutdown(h.fd, SHUT_RDWR);
		send_some(&h, 1);
	}
	t_homa_close(&h);
	__atomic_fetch_add(&shared->rounds, 1, __ATOMIC_RELAXED);
}

static void run_sender(int number, time_t end)
{
	unsigned int seed = number;

	while (time(NULL) < end)
		one_round(seed = seed * 1103515245 + 12345 + number);
	_exit(T_PASS);
}

static void run_granter(time_t end)
{
	struct t_netlink *nl = t_netlink_open();
	uint64_t epoch = 1;
	int err;

	while (time(NULL) < end) {
		err = t_netlink_grant(nl, TENANT + epoch % 2, 1 + epoch, 2, FLOWS);
		check("grant", err);
		epoch++;
		usleep(epoch % 4 ? 500 : 20000);
		__atomic_fetch_add(&shared->grants, 1, __ATOMIC_RELAXED);
	}
	_exit(T_PASS);
}

static int run_all(int seconds)
{
	time_t end = time(NULL) + seconds;
	int i, status, failures = 0;

	for (i = 0; i <= SENDERS; i++) {
		if (fork() == 0) {
			if (i == SENDERS)
				run_granter(end);
			run_sender(i, end);
		}
	}
	while (wait(&status) > 0)
		failures += status != 0;
	return failures;
}

/* Deleting says that no socket and so no transaction holds a tenant any more. */
static int delete_tenants(struct t_netlink *nl)
{
	int i, err = 0;

	for (i = 0; i < 2; i++) {
		struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT + i), T_END };

		err = t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs);
		if (err)
			fprintf(stderr, "txn-races: delete: %s\n", t_netlink_text(nl));
	}
	return err;
}

int main(int argc, char **argv)
{
	struct t_netlink *nl = t_netlink_open();
	struct in_addr addr = { 0 };
	int i, failures = 0;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &addr) != 1) {
		puts("usage: txn-races SWITCH-ADDRESS SECONDS\n"
		     "As root; uses tenants 4740 and 4741 of this network namespace and its policy.\n"
		     "Exit: 0 pass, 1 fail, 2 usage, 77 not root or no module.");
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	if (!nl || geteuid())
		return T_SKIP;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	for (i = 0; i < 2; i++) {
		struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT + i), T_END };

		check("set-up", t_netlink_do(nl, P4A_CMD_TENANT_SET, attrs));
	}
	check("set-up", t_netlink_allocate(nl, TENANT, 1, addr.s_addr, 2, FLOWS));
	failures += run_all(t_parse_number("SECONDS", argv[2], 1, 86400));
	failures += delete_tenants(nl) != 0;
	printf("txn-races: %lu sockets, %lu transactions sent, %lu refused, %lu completed, "
	       "%lu grants: %s\n", shared->rounds, shared->sent, shared->refused, shared->got,
	       shared->grants, failures ? "failed" : "ok");
	return failures || !shared->sent || !shared->got ? T_FAIL : T_PASS;
}
