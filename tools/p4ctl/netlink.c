// SPDX-License-Identifier: GPL-2.0-or-later
/* netlink.c - see netlink.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "netlink.h"

#define DUMP_TRIES	10

struct nlink {
	struct nl_sock *sk;
	int family;
	int refused;			/* errno of the kernel's answer */
	const struct nlmsghdr *request;	/* while an answer is awaited */
	char why[320];			/* the kernel's text for it */
};

/* Entries of a dump until it is known to be consistent. */
struct pile {
	const struct field *fields;
	size_t size, count, room;
	char *entries;
	struct diag *d;
	int failed;
};

static const char no_module[] =
	"the kernel has no netlink family \"" P4A_GENL_NAME "\": the module p4homa is not loaded; "
	"load it with 'modprobe p4homa' or 'insmod module/p4homa.ko'";

static int note_refusal(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct nlink *nl = arg;

	nl->refused = -e->error;
	msg_extack((struct nlmsghdr *)e - 1, nl->request, nl->why, sizeof(nl->why));
	return NL_STOP;
}

/* A dump that fails ends with an error number in its last message. */
static int note_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct nlink *nl = arg;
	int error;

	if (nlmsg_datalen(nlh) >= (int)sizeof(error)) {
		memcpy(&error, nlmsg_data(nlh), sizeof(error));
		nl->refused = error < 0 ? -error : 0;
	}
	return NL_OK;
}

/* Without these the kernel answers with numbers only; older ones than 4.12 do anyway. */
static void ask_for_texts(struct nlink *nl)
{
	int fd = nl_socket_get_fd(nl->sk), on = 1;

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

struct nlink *nlink_open(struct diag *d)
{
	struct nlink *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl || !(nl->sk = nl_socket_alloc())) {
		fault(d, "out of memory");
		goto no_socket;
	}
	err = genl_connect(nl->sk);
	if (err) {
		fault(d, "cannot open a netlink socket: %s", nl_geterror(err));
		goto no_family;
	}
	nl->family = genl_ctrl_resolve(nl->sk, P4A_GENL_NAME);
	if (nl->family < 0) {
		if (nl->family == -NLE_OBJ_NOTFOUND)
			fault(d, "%s", no_module);
		else
			fault(d, "cannot find the netlink family: %s", nl_geterror(nl->family));
		goto no_family;
	}
	ask_for_texts(nl);
	nl_socket_modify_err_cb(nl->sk, NL_CB_CUSTOM, note_refusal, nl);
	nl_socket_modify_cb(nl->sk, NL_CB_FINISH, NL_CB_CUSTOM, note_finish, nl);
	return nl;
no_family:
	nl_socket_free(nl->sk);
no_socket:
	free(nl);
	return NULL;
}

void nlink_close(struct nlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

int nlink_errno(const struct nlink *nl)
{
	return nl->refused;
}

static int refusal(const struct nlink *nl, struct diag *d)
{
	const char *also = nl->refused != EPERM ? "" :
		"; this needs CAP_NET_ADMIN in the initial user namespace";

	if (nl->why[0])
		return fault(d, "%s (%s)", nl->why, strerror(nl->refused));
	return fault(d, "the kernel refuses: %s%s", strerror(nl->refused), also);
}

/* Sends msg, which it frees, and takes all answers up to the ack, the end of the dump or an error.
 * Returns a libnl error; a refusal by the kernel is in nl->refused. */
static int exchange(struct nlink *nl, struct nl_msg *msg, nl_recvmsg_msg_cb_t valid, void *arg)
{
	int err;

	nl->refused = 0;
	nl->why[0] = '\0';
	if (!msg)
		return -NLE_NOMEM;
	nl_socket_modify_cb(nl->sk, NL_CB_VALID, valid ? NL_CB_CUSTOM : NL_CB_DEFAULT, valid, arg);
	err = nl_send_auto(nl->sk, msg);
	if (err >= 0) {
		nl->request = nlmsg_hdr(msg);
		err = valid ? nl_recvmsgs_default(nl->sk) : nl_wait_for_ack(nl->sk);
		nl->request = NULL;
	}
	nlmsg_free(msg);
	return err < 0 ? err : 0;
}

static int outcome(const struct nlink *nl, int err, struct diag *d)
{
	if (nl->refused)
		return refusal(nl, d);
	return err ? fault(d, "netlink: %s", nl_geterror(err)) : 0;
}

int nlink_set(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, const void *rec,
	      uint32_t flags, struct diag *d)
{
	struct nl_msg *msg = msg_build(nl->family, 0, cmd, fields, rec);

	if (msg && flags && msg_put_flags(msg, flags)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return outcome(nl, exchange(nl, msg, NULL, NULL), d);
}

static int pile_add(struct nl_msg *msg, void *arg)
{
	struct pile *p = arg;
	size_t room = p->room ? 2 * p->room : 32;
	char *entries = p->entries;

	if (p->count == p->room) {
		entries = realloc(entries, room * p->size);
		if (!entries) {
			p->failed = fault(p->d, "out of memory");
			return NL_STOP;
		}
		p->entries = entries;
		p->room = room;
	}
	p->failed = msg_decode(nlmsg_hdr(msg), p->fields, entries + p->count * p->size, p->size,
			       p->d);
	p->count += !p->failed;
	return p->failed ? NL_STOP : NL_OK;
}

int nlink_get(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, const void *rec,
	      void *answer, size_t size, struct diag *d)
{
	struct pile p = { .fields = fields, .size = size, .d = d };
	int ret, err;

	err = exchange(nl, msg_build(nl->family, 0, cmd, rec ? fields : NULL, rec), pile_add, &p);
	if (!err && !p.failed)
		err = nl_wait_for_ack(nl->sk);
	ret = p.failed ? -1 : outcome(nl, err, d);
	if (!ret && !p.count)
		ret = fault(d, "the kernel sent no answer");
	if (!ret)
		memcpy(answer, p.entries, size);
	free(p.entries);
	return ret;
}

int nlink_dump(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, size_t size,
	       int (*each)(void *entry, void *arg), void *arg, struct diag *d)
{
	struct pile p = { .fields = fields, .size = size, .d = d };
	int tries, err, ret;
	size_t i;

	for (tries = 0; tries < DUMP_TRIES; tries++) {
		p.count = 0;
		err = exchange(nl, msg_build(nl->family, NLM_F_DUMP, cmd, NULL, NULL), pile_add,
			       &p);
		if (err != -NLE_DUMP_INTR || p.failed)
			break;
	}
	ret = p.failed ? -1 : outcome(nl, err, d);
	for (i = 0; !ret && i < p.count; i++)
		ret = each(p.entries + i * size, arg);
	free(p.entries);
	return ret;
}

struct follow {
	int (*each)(struct nlmsghdr *nlh, void *arg);
	void *arg;
	int end;
};

static int follow_one(struct nl_msg *msg, void *arg)
{
	struct follow *f = arg;

	f->end = f->each(nlmsg_hdr(msg), f->arg);
	return f->end ? NL_STOP : NL_OK;
}

int nlink_follow(struct nlink *nl, int (*each)(struct nlmsghdr *nlh, void *arg), void *arg,
		 struct diag *d)
{
	struct follow f = { .each = each, .arg = arg };
	int group, err;

	group = genl_ctrl_resolve_grp(nl->sk, P4A_GENL_NAME, P4A_GENL_MCGRP);
	if (group < 0)
		return fault(d, "cannot find the event group: %s", nl_geterror(group));
	nl_socket_disable_seq_check(nl->sk);
	err = nl_socket_add_memberships(nl->sk, group, 0);
	if (err)
		return fault(d, "cannot follow events: %s", nl_geterror(err));
	nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, follow_one, &f);
	while (!f.end) {
		err = nl_recvmsgs_default(nl->sk);
		if (err == -NLE_NOMEM)			/* ENOBUFS: we were too slow */
			f.end = each(NULL, arg);
		else if (err < 0)
			return fault(d, "cannot read events: %s", nl_geterror(err));
	}
	return 0;
}
