// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netlink.c - see netlink.h. One socket asks and waits for answers, another one listens to the
 * group. The group is joined before the first reading, so no change is lost between the two.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/p4alloc.h>

#include "log.h"
#include "loop.h"
#include "netlink.h"

#define DUMP_TRIES 10		/* a dump that is disturbed by changes is repeated */

struct p4d_netlink {
	struct p4d_watch watch;	/* first: the listening socket's */
	struct nl_sock *ask, *listen;
	int family;
	int refused;		/* the kernel's answer to the last question: 0 or -errno */
	struct p4d_netlink_events events;
};

/* ------------------------------------------------------------------------------- messages */

static uint32_t u32_or(struct nlattr **a, int which, uint32_t otherwise)
{
	return a[which] ? nla_get_u32(a[which]) : otherwise;
}

static void on_tenant(struct p4d_netlink *nl, struct nlattr **a)
{
	struct p4d_tenant_conf conf = {
		.id = u32_or(a, P4A_A_TENANT_ID, 0),
		.weight = u32_or(a, P4A_A_TENANT_WEIGHT, 100),
		.min_blocks = u32_or(a, P4A_A_TENANT_MIN_BLOCKS, 0),
		.max_blocks = u32_or(a, P4A_A_TENANT_MAX_BLOCKS, P4W_MAX_BLOCKS),
	};

	if (!conf.id)
		return;
	if (a[P4A_A_TENANT_NAME])
		nla_strlcpy(conf.name, a[P4A_A_TENANT_NAME], sizeof(conf.name));
	nl->events.tenant(nl->events.arg, &conf);
}

static void on_policy(struct p4d_netlink *nl, struct nlattr **a)
{
	struct p4d_policy policy = {
		.lease_max_us = u32_or(a, P4A_A_POL_LEASE_MAX_US, 2000000),
		.grace_us = u32_or(a, P4A_A_POL_GRACE_US, 100000),
	};
	uint16_t port = a[P4A_A_POL_ALLOC_PORT] ? nla_get_u16(a[P4A_A_POL_ALLOC_PORT]) : 0;

	nl->events.policy(nl->events.arg, &policy, port ? port : P4W_ALLOC_PORT);
}

static void on_geometry(struct p4d_netlink *nl, struct nlattr **a)
{
	struct p4d_geometry geo = {
		.registers = u32_or(a, P4A_A_GEO_REGISTERS, 0),
		.blocks = u32_or(a, P4A_A_GEO_BLOCKS, 0),
		.flows = u32_or(a, P4A_A_GEO_FLOWS, 0),
		.dependent = u32_or(a, P4A_A_GEO_DEPENDENT, 0),
	};

	nl->events.geometry(nl->events.arg, &geo);
}

/* Answers carry the number of the request, events that of the notification: both mean the same. */
static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlattr *a[P4A_A_MAX + 1];
	struct p4d_netlink *nl = arg;
	const struct genlmsghdr *g;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, a, P4A_A_MAX, NULL) < 0)
		return NL_SKIP;
	g = genlmsg_hdr(nlmsg_hdr(msg));
	switch (g->cmd) {
	case P4A_CMD_TENANT_SET:
	case P4A_CMD_TENANT_GET:
	case P4A_CMD_TENANT_NTF:
		on_tenant(nl, a);
		break;
	case P4A_CMD_TENANT_DEL_NTF:
		nl->events.tenant_gone(nl->events.arg, u32_or(a, P4A_A_TENANT_ID, 0));
		break;
	case P4A_CMD_GEOMETRY_GET:
	case P4A_CMD_GEOMETRY_NTF:
		on_geometry(nl, a);
		break;
	case P4A_CMD_POLICY_GET:
	case P4A_CMD_POLICY_NTF:
		on_policy(nl, a);
		break;
	}
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	((struct p4d_netlink *)arg)->refused = e->error;
	return NL_STOP;
}

/* -------------------------------------------------------------------------------- reading */

static int ask(struct p4d_netlink *nl, int cmd, int flags)
{
	int err = genl_send_simple(nl->ask, nl->family, cmd, P4A_GENL_VERSION, flags);

	nl->refused = 0;
	if (err >= 0)
		err = nl_recvmsgs_default(nl->ask);
	if (nl->refused)
		return err < 0 ? err : -NLE_FAILURE;
	if (err >= 0 && !(flags & NLM_F_DUMP))
		err = nl_wait_for_ack(nl->ask);
	return err;
}

static int read_tenants(struct p4d_netlink *nl)
{
	int err = -NLE_DUMP_INTR;

	for (int i = 0; i < DUMP_TRIES && err == -NLE_DUMP_INTR; i++) {
		nl->events.tenants_begin(nl->events.arg);
		err = ask(nl, P4A_CMD_TENANT_GET, NLM_F_DUMP);
	}
	if (err >= 0)
		nl->events.tenants_end(nl->events.arg);
	return err;
}

static int read_all(struct p4d_netlink *nl)
{
	int err = ask(nl, P4A_CMD_POLICY_GET, 0);

	if (err >= 0) {
		err = ask(nl, P4A_CMD_GEOMETRY_GET, 0);
		if (nl->refused == -ENODATA)	/* it need not be set here */
			err = 0;
	}
	return err < 0 ? err : read_tenants(nl);
}

static void on_ready(struct p4d_watch *w, uint32_t events)
{
	struct p4d_netlink *nl = (struct p4d_netlink *)w;
	int err = nl_recvmsgs_default(nl->listen);

	if (err >= 0 || err == -NLE_AGAIN)
		return;
	p4d_log(P4D_NOTE, "netlink: events were missed (%s), reading all", nl_geterror(err));
	err = read_all(nl);
	if (err < 0)
		p4d_log(P4D_WARN, "netlink: %s", nl_geterror(err));
}

/* ----------------------------------------------------------------------------- open, close */

static int set_up(struct p4d_netlink *nl)
{
	int err, group;

	nl->ask = nl_socket_alloc();
	nl->listen = nl_socket_alloc();
	if (!nl->ask || !nl->listen)
		return -NLE_NOMEM;
	if ((err = genl_connect(nl->ask)) < 0 || (err = genl_connect(nl->listen)) < 0)
		return err;
	nl->family = genl_ctrl_resolve(nl->ask, P4A_GENL_NAME);
	if (nl->family < 0)
		return nl->family;
	group = genl_ctrl_resolve_grp(nl->ask, P4A_GENL_NAME, P4A_GENL_MCGRP);
	if (group < 0)
		return group;
	nl_socket_disable_seq_check(nl->listen);
	nl_socket_modify_cb(nl->ask, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	nl_socket_modify_err_cb(nl->ask, NL_CB_CUSTOM, on_error, nl);
	nl_socket_modify_cb(nl->listen, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	nl_socket_set_nonblocking(nl->listen);
	err = nl_socket_add_membership(nl->listen, group);
	return err < 0 ? err : read_all(nl);
}

int p4d_netlink_open(struct p4d_netlink **out, struct p4d_loop *loop,
		     const struct p4d_netlink_events *events, char *err, size_t size)
{
	struct p4d_netlink *nl = calloc(1, sizeof(*nl));
	int ret;

	snprintf(err, size, "out of memory");
	if (!nl)
		return -ENOMEM;
	nl->events = *events;
	ret = set_up(nl);
	if (ret < 0) {
		snprintf(err, size, "netlink family " P4A_GENL_NAME ": %s%s", nl_geterror(ret),
			 ret == -NLE_OBJ_NOTFOUND ? ": insmod p4homa.ko first" : "");
		p4d_netlink_close(nl);
		return -EIO;
	}
	nl->watch = (struct p4d_watch){ nl_socket_get_fd(nl->listen), on_ready };
	ret = p4d_loop_watch(loop, &nl->watch, EPOLLIN);
	if (ret) {
		snprintf(err, size, "netlink: %s", strerror(-ret));
		p4d_netlink_close(nl);
		return ret;
	}
	*out = nl;
	return 0;
}

void p4d_netlink_close(struct p4d_netlink *nl)
{
	nl_socket_free(nl->ask);
	nl_socket_free(nl->listen);
	free(nl);
}
