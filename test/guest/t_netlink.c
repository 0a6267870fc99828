// SPDX-License-Identifier: GPL-2.0-or-later
/* t_netlink.c - see t_netlink.h. One socket, one request at a time. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <p4wire.h>

#include "t_netlink.h"

struct t_netlink {
	struct nl_sock *sock;
	int family;
	int error;		/* of the request that is running */
	int finished;
	char text[256];
	t_see_t *see;
	void *arg;
};

static void keep_text(struct t_netlink *nl, const struct nlmsghdr *h, size_t skip)
{
	size_t used = NLMSG_LENGTH(sizeof(struct nlmsgerr)) + skip;
	struct nlattr *attr = (struct nlattr *)((char *)h + NLMSG_ALIGN(used));
	int left = (int)h->nlmsg_len - (int)NLMSG_ALIGN(used);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || left <= 0)
		return;
	attr = nla_find(attr, left, NLMSGERR_ATTR_MSG);
	if (attr)
		nla_strlcpy(nl->text, attr, sizeof(nl->text));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	const struct nlmsghdr *h = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	struct t_netlink *nl = arg;

	nl->error = err->error;
	nl->finished = 1;
	keep_text(nl, h, h->nlmsg_flags & NLM_F_CAPPED ? 0 : err->msg.nlmsg_len - NLMSG_HDRLEN);
	return NL_STOP;
}

static int on_end(struct nl_msg *msg, void *arg)
{
	struct t_netlink *nl = arg;

	nl->finished = 1;
	return NL_STOP;
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *attrs[P4A_A_MAX + 1];
	struct t_netlink *nl = arg;

	if (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP_INTR)
		nl->error = -EINTR;
	if (nl->see && !genlmsg_parse(nlmsg_hdr(msg), 0, attrs, P4A_A_MAX, NULL))
		nl->see(head->cmd, attrs, nl->arg);
	return NL_OK;
}

struct t_netlink *t_netlink_open(void)
{
	struct t_netlink *nl = calloc(1, sizeof(*nl));
	int on = 1;

	nl->sock = nl_socket_alloc();
	if (genl_connect(nl->sock) < 0)
		return NULL;
	setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	nl->family = genl_ctrl_resolve(nl->sock, P4A_GENL_NAME);
	if (nl->family < 0)
		return NULL;
	nl_socket_modify_err_cb(nl->sock, NL_CB_CUSTOM, on_error, nl);
	nl_socket_modify_cb(nl->sock, NL_CB_ACK, NL_CB_CUSTOM, on_end, nl);
	nl_socket_modify_cb(nl->sock, NL_CB_FINISH, NL_CB_CUSTOM, on_end, nl);
	nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	return nl;
}

static int run(struct t_netlink *nl, struct nl_msg *msg)
{
	int err;

	nl->error = 0;
	nl->finished = 0;
	nl->text[0] = 0;
	err = nl_send_auto(nl->sock, msg);
	nlmsg_free(msg);
	while (err >= 0 && !nl->finished)
		err = nl_recvmsgs_default(nl->sock);
	return nl->error;
}

static void put(struct nl_msg *msg, const struct t_attr *a)
{
	switch (a->data ? 0 : a->size) {
	case 1:
		nla_put_u8(msg, a->type, a->value);
		break;
	case 2:
		nla_put_u16(msg, a->type, a->value);
		break;
	case 4:
		nla_put_u32(msg, a->type, a->value);
		break;
	case 8:
		nla_put_u64(msg, a->type, a->value);
		break;
	default:
		nla_put(msg, a->type, a->size, a->data);
	}
}

int t_netlink_do(struct t_netlink *nl, int cmd, const struct t_attr *attrs)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, NLM_F_REQUEST | NLM_F_ACK, cmd,
		    P4A_GENL_VERSION);
	for (; attrs->type; attrs++)
		put(msg, attrs);
	return run(nl, msg);
}

const char *t_netlink_text(const struct t_netlink *nl)
{
	return nl->text;
}

int t_netlink_dump(struct t_netlink *nl, int cmd, t_see_t *see, void *arg)
{
	struct nl_msg *msg = nlmsg_alloc();
	int err;

	nl->see = see;
	nl->arg = arg;
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, NLM_F_REQUEST | NLM_F_DUMP, cmd,
		    P4A_GENL_VERSION);
	err = run(nl, msg);
	nl->see = NULL;
	return err;
}

struct counter {
	const char *name;
	int64_t value;
};

static void see_counter(int cmd, struct nlattr **attrs, void *arg)
{
	struct counter *c = arg;

	if (attrs[P4A_A_STAT_NAME] && attrs[P4A_A_STAT_VALUE] &&
	    !strcmp(nla_get_string(attrs[P4A_A_STAT_NAME]), c->name))
		c->value = nla_get_u64(attrs[P4A_A_STAT_VALUE]);
}

int64_t t_netlink_counter(struct t_netlink *nl, const char *name)
{
	struct counter c = { name, -1 };

	t_netlink_dump(nl, P4A_CMD_STATS_GET, see_counter, &c);
	return c.value;
}

int t_netlink_listen(struct t_netlink *nl)
{
	int group = genl_ctrl_resolve_grp(nl->sock, P4A_GENL_NAME, P4A_GENL_MCGRP);

	nl_socket_disable_seq_check(nl->sock);
	return group < 0 ? -ENOENT : nl_socket_add_membership(nl->sock, group);
}

int t_netlink_event(struct t_netlink *nl, t_see_t *see, void *arg, int timeout_ms)
{
	struct pollfd pfd = { .fd = nl_socket_get_fd(nl->sock), .events = POLLIN };

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return -ETIME;
	nl->see = see;
	nl->arg = arg;
	nl_recvmsgs_default(nl->sock);
	nl->see = NULL;
	return 0;
}

int t_netlink_grant(struct t_netlink *nl, uint32_t tenant, uint64_t epoch, int blocks, int flows)
{
	uint8_t bitmap[P4W_BITMAP_BYTES] = { 0 };
	struct t_attr attrs[] = {
		T_U32(TENANT_ID, tenant), T_U64(ALLOC_EPOCH, epoch),
		T_BYTES(ALLOC_BITMAP, sizeof(bitmap), bitmap),
		T_U32(ALLOC_FLOW_FIRST, 0), T_U32(ALLOC_FLOW_COUNT, flows), T_END
	};
	int i;

	for (i = 0; i < blocks; i++)
		bitmap[i / 8] |= 1 << i % 8;
	return t_netlink_do(nl, P4A_CMD_ALLOC_SET, attrs);
}

int t_netlink_allocate(struct t_netlink *nl, uint32_t tenant, uint64_t epoch, uint32_t allocator,
		       int blocks, int flows)
{
	struct t_attr set[] = { T_U32(TENANT_ID, tenant), T_END };
	struct t_attr nothing[] = { T_U32(TENANT_ID, tenant), T_U64(ALLOC_EPOCH, 0), T_END };
	struct t_attr geo[] = { T_U32(GEO_REGISTERS, 20), T_U32(GEO_BLOCKS, 16),
				T_U32(GEO_FLOWS, 256), T_END };
	struct t_attr pol[] = { T_U32(POL_ALLOC_ADDR, allocator), T_END };
	int err;

	err = t_netlink_do(nl, P4A_CMD_TENANT_SET, set);
	if (!err)
		err = t_netlink_do(nl, P4A_CMD_ALLOC_SET, nothing);
	if (!err)
		err = t_netlink_do(nl, P4A_CMD_GEOMETRY_SET, geo);
	if (!err || err == -EBUSY)	/* busy: set already, and another tenant holds something */
		err = t_netlink_do(nl, P4A_CMD_POLICY_SET, pol);
	return err ? err : t_netlink_grant(nl, tenant, epoch, blocks, flows);
}
