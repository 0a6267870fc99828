// SPDX-License-Identifier: LGPL-2.1-or-later
/* netlink.c - one request to the family "p4alloc" at a time, and its answer or error text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/p4alloc.h>

#include "error.h"
#include "netlink.h"

struct p4a_netlink {
	struct nl_sock *sock;
	int family;
};

struct exchange {
	struct nlattr **attrs;		/* P4A_A_MAX + 1, or NULL; point into kept */
	struct nl_msg *kept;		/* the answer */
	struct p4a_error *err;
	const char *what;
	int rc;				/* 1: not over yet */
};

int p4a_netlink_open(struct p4a_netlink **out, struct p4a_error *err)
{
	struct p4a_netlink *nl = calloc(1, sizeof(*nl));
	int one = 1;

	if (nl)
		nl->sock = nl_socket_alloc();
	if (!nl || !nl->sock) {
		free(nl);
		return p4a_fail(err, -ENOMEM, "no memory for a netlink socket");
	}
	nl->family = genl_connect(nl->sock);
	if (nl->family >= 0)
		nl->family = genl_ctrl_resolve(nl->sock, P4A_GENL_NAME);
	if (nl->family < 0) {
		p4a_fail(err, -ENOENT, "netlink family \"%s\": %s (is the module loaded?)",
			 P4A_GENL_NAME, nl_geterror(nl->family));
		p4a_netlink_close(nl);
		return -ENOENT;
	}
	/* Only makes error texts better, so it may fail. */
	setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	*out = nl;
	return 0;
}

void p4a_netlink_close(struct p4a_netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl);
}

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct exchange *x = arg;

	if (!x->attrs || x->kept)
		return NL_OK;
	nlmsg_get(msg);
	x->kept = msg;
	return genlmsg_parse(nlmsg_hdr(msg), 0, x->attrs, P4A_A_MAX, NULL) < 0 ? NL_SKIP : NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	((struct exchange *)arg)->rc = 0;
	return NL_STOP;
}

/* The kernel's own words about the attribute that it did not like; NULL: it had none. */
static const char *kernel_text(struct nlmsgerr *e)
{
	struct nlmsghdr *outer = (struct nlmsghdr *)((char *)e - NLMSG_HDRLEN);
	size_t skip = sizeof(*e), len = outer->nlmsg_len - NLMSG_HDRLEN;
	struct nlattr *attr;

	if (!(outer->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(outer->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (skip >= len)
		return NULL;
	attr = nla_find((struct nlattr *)((char *)e + skip), len - skip, NLMSGERR_ATTR_MSG);
	return attr ? nla_get_string(attr) : NULL;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct exchange *x = arg;
	const char *text = kernel_text(e);

	x->rc = p4a_fail(x->err, e->error, "%s: %s%s%s", x->what, strerror(-e->error),
			 text ? ": " : "", text ? text : "");
	return NL_STOP;
}

static int receive(struct p4a_netlink *nl, struct exchange *x)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc = 0;

	if (!cb)
		return p4a_fail(x->err, -ENOMEM, "%s: no memory", x->what);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_answer, x);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, x);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, x);
	while (x->rc == 1 && rc >= 0)
		rc = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);
	return x->rc == 1 ? p4a_fail(x->err, -EIO, "%s: %s", x->what, nl_geterror(rc)) : x->rc;
}

/* Sends msg, frees it, waits for answer and ack. x->kept must be freed by the caller. */
static int exchange(struct p4a_netlink *nl, struct nl_msg *msg, struct exchange *x)
{
	int rc = nl_send_auto(nl->sock, msg);

	nlmsg_free(msg);
	x->rc = 1;
	if (rc < 0)
		return p4a_fail(x->err, -EIO, "%s: %s", x->what, nl_geterror(rc));
	return receive(nl, x);
}

static struct nl_msg *request(struct p4a_netlink *nl, int cmd)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg)
		return NULL;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, NLM_F_ACK, cmd,
			P4A_GENL_VERSION))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int get(struct p4a_netlink *nl, int cmd, struct exchange *x)
{
	struct nl_msg *msg = request(nl, cmd);

	if (!msg)
		return p4a_fail(x->err, -ENOMEM, "%s: no memory", x->what);
	return exchange(nl, msg, x);
}

int p4a_netlink_policy(struct p4a_netlink *nl, uint32_t *addr, uint16_t *port,
		       struct p4a_error *err)
{
	struct nlattr *attrs[P4A_A_MAX + 1] = { 0 };
	struct exchange x = { .attrs = attrs, .err = err, .what = "policy" };
	int rc = get(nl, P4A_CMD_POLICY_GET, &x);

	if (!rc) {
		*addr = attrs[P4A_A_POL_ALLOC_ADDR] ? nla_get_u32(attrs[P4A_A_POL_ALLOC_ADDR]) : 0;
		*port = attrs[P4A_A_POL_ALLOC_PORT] ? nla_get_u16(attrs[P4A_A_POL_ALLOC_PORT]) :
						      P4W_ALLOC_PORT;
	}
	nlmsg_free(x.kept);
	return rc;
}

static int read_geometry(struct nlattr **attrs, struct p4a_geometry *geo, struct p4a_error *err)
{
	if (!attrs[P4A_A_GEO_REGISTERS] || !attrs[P4A_A_GEO_BLOCKS])
		return p4a_fail(err, -ENODATA, "geometry: none set on this host");
	geo->registers = nla_get_u32(attrs[P4A_A_GEO_REGISTERS]);
	geo->blocks = nla_get_u32(attrs[P4A_A_GEO_BLOCKS]);
	geo->dependent = attrs[P4A_A_GEO_DEPENDENT] ? nla_get_u32(attrs[P4A_A_GEO_DEPENDENT]) : 0;
	return 0;
}

int p4a_netlink_geometry(struct p4a_netlink *nl, struct p4a_geometry *geo, struct p4a_error *err)
{
	struct nlattr *attrs[P4A_A_MAX + 1] = { 0 };
	struct exchange x = { .attrs = attrs, .err = err, .what = "geometry" };
	int rc = get(nl, P4A_CMD_GEOMETRY_GET, &x);

	if (!rc)
		rc = read_geometry(attrs, geo, err);
	nlmsg_free(x.kept);
	return rc;
}

static int put_hold(struct nl_msg *msg, uint32_t tenant, uint32_t space, const struct p4a_grant *g)
{
	int rc = nla_put_u32(msg, P4A_A_TENANT_ID, tenant);

	rc |= nla_put_u64(msg, P4A_A_ALLOC_EPOCH, g ? g->epoch : 0);
	rc |= space ? nla_put_u32(msg, P4A_A_ALLOC_SPACE, space) : 0;
	if (!g)
		return rc;
	rc |= nla_put(msg, P4A_A_ALLOC_BITMAP, sizeof(g->bitmap), g->bitmap);
	rc |= nla_put_u32(msg, P4A_A_ALLOC_FLOW_FIRST, g->flow_first);
	rc |= nla_put_u32(msg, P4A_A_ALLOC_FLOW_COUNT, g->flow_count);
	return rc;
}

int p4a_netlink_hold(struct p4a_netlink *nl, uint32_t tenant, uint32_t space,
		     const struct p4a_grant *grant, struct p4a_error *err)
{
	struct exchange x = { .err = err, .what = "allocation" };
	struct nl_msg *msg = request(nl, P4A_CMD_ALLOC_SET);

	if (!msg || put_hold(msg, tenant, space, grant)) {
		nlmsg_free(msg);
		return p4a_fail(err, -ENOMEM, "allocation: no memory");
	}
	return exchange(nl, msg, &x);
}
