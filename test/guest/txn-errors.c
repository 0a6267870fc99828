// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * txn-errors.c - what sendmsg and recvmsg say when a transaction cannot be sent or gets no answer.
 *
 * Needs no switch: the allocator's address is the loopback, where requests reach this host itself,
 * which must count and drop them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"
#include "t_netlink.h"

#define TENANT		4730
#define EPOCH		7
#define FLOWS		2

static const struct homa_txn a_read = { .count = 1, .instr = { { 0, P4W_OP_READ, 0, 0 } } };
static int failures;

static void expect(const char *what, int got, int want)
{
	if (got == want)
		return;
	failures++;
	fprintf(stderr, "txn-errors: %s: %s, expected %s\n", what, strerror(-got), strerror(-want));
}

static int join(struct t_homa *h, uint32_t id)
{
	return setsockopt(h->fd, IPPROTO_HOMA, SO_HOMA_TENANT, &id, sizeof(id)) ? -errno : 0;
}

static int set_knob(const char *name, const char *value)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/homa/%s", name);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs(value, f);
	return fclose(f) ? -errno : 0;
}

static int set_address(struct t_netlink *nl, uint32_t addr)
{
	struct t_attr attrs[] = { T_U32(POL_ALLOC_ADDR, addr), T_END };

	return t_netlink_do(nl, P4A_CMD_POLICY_SET, attrs);
}

static int send_one(struct t_homa *h, int flags)
{
	return t_homa_txn(h, &a_read, 1, flags);
}

static int receive(struct t_homa *h)
{
	struct homa_txn_result result;
	struct t_message m = { 0 };

	return t_homa_txn_result(h, &m, &result, 20000);
}

static void check_refused(struct t_homa *h, struct t_netlink *nl)
{
	struct homa_sendmsg_args args = { .flags = HOMA_SENDMSG_TXN };
	struct homa_txn txn = a_read;
	struct iovec iov = { &txn, sizeof(txn) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args };

	expect("a short structure", sendmsg(h->fd, &msg, 0) < 0 ? -errno : 0, -EINVAL);
	iov.iov_len = sizeof(txn);
	args.id = 2;
	expect("a reply", sendmsg(h->fd, &msg, 0) < 0 ? -errno : 0, -EINVAL);
	args.id = 0;
	args.flags |= HOMA_SENDMSG_PRIVATE;
	expect("a private one", sendmsg(h->fd, &msg, 0) < 0 ? -errno : 0, -EINVAL);
	txn.count = 9;
	expect("nine instructions", t_homa_txn(h, &txn, 0, 0), -EINVAL);
	txn = a_read;
	txn.instr[0].reg = 20;
	expect("register 20 of 20", t_homa_txn(h, &txn, 0, 0), -EINVAL);
	txn = a_read;
	txn.instr[0].slot = 128;
	expect("a slot behind the blocks", t_homa_txn(h, &txn, 0, 0), -ERANGE);
	txn = a_read;
	txn.epoch = EPOCH - 1;
	expect("an old epoch", t_homa_txn(h, &txn, 0, 0), -ESTALE);
	expect("no address", set_address(nl, 0), 0);
	expect("without an allocator's address", send_one(h, 0), -EDESTADDRREQ);
	expect("address", set_address(nl, htonl(INADDR_LOOPBACK)), 0);
	expect("leave", join(h, 0), 0);
	expect("without a tenant", send_one(h, 0), -ENOTCONN);
	expect("join again", join(h, TENANT), 0);
}

static void on_alarm(int sig)
{
}

/* Both flows in use: no third transaction now, nor after a signal. */
static void check_full(struct t_homa *h)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	expect("knob", set_knob("txn_timeout_us", "10000000"), 0);
	expect("first", send_one(h, 0), 0);
	expect("second", send_one(h, 0), 0);
	expect("third", send_one(h, MSG_DONTWAIT), -EAGAIN);
	sigaction(SIGALRM, &sa, NULL);
	alarm(1);
	expect("third, waiting, and a signal", send_one(h, 0), -EINTR);
}

static void check_canceled(struct t_homa *h, struct t_netlink *nl)
{
	expect("another grant", t_netlink_grant(nl, TENANT, EPOCH + 1, 2, FLOWS), 0);
	expect("first of the old grant", receive(h), -ECANCELED);
	expect("second of the old grant", receive(h), -ECANCELED);
}

static void check_timeout(struct t_homa *h, struct t_netlink *nl)
{
	int64_t resent = t_netlink_counter(nl, "txn_resent");
	int64_t dropped = t_netlink_counter(nl, "drop_txn_request");

	expect("knob", set_knob("txn_resend_us", "5000"), 0);
	expect("knob", set_knob("txn_timeout_us", "200000"), 0);
	expect("one that nobody answers", send_one(h, 0), 0);
	expect("its end", receive(h), -ETIMEDOUT);
	resent = t_netlink_counter(nl, "txn_resent") - resent;
	dropped = t_netlink_counter(nl, "drop_txn_request") - dropped;
	expect("it was repeated", resent >= 2 && resent <= 7 ? 0 : -EBADMSG, 0);
	expect("each was counted and dropped", dropped == resent + 1 ? 0 : -EBADMSG, 0);
}

/* Closing a socket ends its transactions: the tenant can be deleted at once. */
static void check_close(struct t_homa *h, struct t_netlink *nl)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT), T_END };

	expect("one more", send_one(h, 0), 0);
	expect("delete while joined", t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs), -EBUSY);
	t_homa_close(h);
	expect("delete after close", t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs), 0);
}

int main(int argc, char **argv)
{
	struct t_netlink *nl = t_netlink_open();
	struct t_homa h;

	if (argc > 1) {
		puts("usage: txn-errors\n"
		     "As root, module loaded, loopback up; uses tenant 4730, sets geometry, policy and\n"
		     "net.homa.txn_* of this network namespace. Takes about two seconds.\n"
		     "Exit: 0 pass, 1 fail, 77 not root or no module.");
		return 0;
	}
	if (!nl || geteuid())
		return T_SKIP;
	expect("set-up", t_netlink_allocate(nl, TENANT, EPOCH, htonl(INADDR_LOOPBACK), 2, FLOWS), 0);
	expect("socket", t_homa_open(&h, 0), 0);
	expect("join", join(&h, TENANT), 0);
	check_refused(&h, nl);
	check_full(&h);
	check_canceled(&h, nl);
	check_timeout(&h, nl);
	check_close(&h, nl);
	puts(failures ? "txn-errors: failed" : "txn-errors: ok");
	return failures ? T_FAIL : T_PASS;
}
