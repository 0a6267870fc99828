// SPDX-License-Identifier: GPL-2.0
/*
 * netlink.c - the generic netlink family "p4alloc"; its manual is in uapi/linux/p4alloc.h.
 *
 * Owns nothing: reads attributes (nlattr.c says what they may be), calls tenant.c and txn.c under
 * homa_tenants.lock of the caller's network namespace, and answers. Events are sent under the same
 * lock, so that listeners see changes in the order in which they happened.
 */
#include <linux/ctype.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include "listing.h"
#include "net.h"
#include "netlink.h"
#include "nlattr.h"
#include "p4wire.h"
#include "rpc.h"
#include "tenant.h"
#include "txn.h"

static struct genl_family family;

#define ATTR(name)	BIT_ULL(P4A_A_##name)

static bool get_u32(const struct genl_info *info, int type, u32 *value)
{
	if (info->attrs[type])
		*value = nla_get_u32(info->attrs[type]);
	return info->attrs[type];
}

static bool name_is_valid(const char *name)
{
	const char *c;

	for (c = name; *c; c++) {
		if (!isalnum(*c) && *c != '.' && *c != '_' && *c != '-')
			return false;
	}
	return c > name;
}

static int get_name(const struct genl_info *info, struct homa_tenant_change *c)
{
	const struct nlattr *attr = info->attrs[P4A_A_TENANT_NAME];

	if (!attr)
		return 0;
	if (nla_strscpy(c->conf.name, attr, sizeof(c->conf.name)) < 0 ||
	    !name_is_valid(c->conf.name)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "TENANT_NAME: 1 .. 31 bytes of [A-Za-z0-9._-]");
		return -EINVAL;
	}
	c->given |= HOMA_TENANT_NAME;
	return 0;
}

static int get_change(const struct genl_info *info, struct homa_tenant_change *c)
{
	u32 id;

	get_u32(info, P4A_A_TENANT_ID, &c->id);
	get_u32(info, P4A_A_FLAGS, &c->flags);
	if (get_u32(info, P4A_A_TENANT_UID, &id)) {
		c->conf.uid = make_kuid(&init_user_ns, id);
		c->given |= HOMA_TENANT_UID;
	}
	if (get_u32(info, P4A_A_TENANT_GID, &id)) {
		c->conf.gid = make_kgid(&init_user_ns, id);
		c->given |= HOMA_TENANT_GID;
	}
	if (get_u32(info, P4A_A_TENANT_WEIGHT, &c->conf.weight))
		c->given |= HOMA_TENANT_WEIGHT;
	if (get_u32(info, P4A_A_TENANT_MIN_BLOCKS, &c->conf.min_blocks))
		c->given |= HOMA_TENANT_MIN_BLOCKS;
	if (get_u32(info, P4A_A_TENANT_MAX_BLOCKS, &c->conf.max_blocks))
		c->given |= HOMA_TENANT_MAX_BLOCKS;
	if (get_u32(info, P4A_A_TENANT_MAX_RPCS, &c->conf.max_rpcs))
		c->given |= HOMA_TENANT_MAX_RPCS;
	return get_name(info, c);
}

/* ---------------------------------------------------------------- what answers and events carry */

static int put_message(struct sk_buff *msg, u32 portid, u32 seq, int flags, u8 cmd,
		       homa_nl_put_t *put, const void *what)
{
	void *head = genlmsg_put(msg, portid, seq, &family, flags, cmd);

	if (!head)
		return -EMSGSIZE;
	if (put(msg, what)) {
		genlmsg_cancel(msg, head);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, head);
	return 0;
}

static int reply(struct genl_info *info, homa_nl_put_t *put, const void *what)
{
	struct sk_buff *msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	int err;

	if (!msg)
		return -ENOMEM;
	err = put_message(msg, info->snd_portid, info->snd_seq, 0, info->genlhdr->cmd, put, what);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* A listener that misses an event for want of memory is told so by its socket (ENOBUFS) or sees
 * the next one; the change itself has been made.
 */
static void notify(struct homa_net *hn, u8 cmd, homa_nl_put_t *put, const void *what)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&family, hn->net, 0))
		return;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg || put_message(msg, 0, 0, 0, cmd, put, what)) {
		nlmsg_free(msg);
		genl_set_err(&family, hn->net, 0, 0, -ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&family, hn->net, msg, 0, 0, GFP_KERNEL);
}

/* ---------------------------------------------------------------- tenants */

static struct homa_net *net_of(struct genl_info *info)
{
	return homa_net(genl_info_net(info));
}

/* The tenant that the request names, or NULL and the text is set. */
static struct homa_tenant *named_tenant(struct homa_net *hn, struct genl_info *info)
{
	struct nlattr *attr = info->attrs[P4A_A_TENANT_ID];
	struct homa_tenant *t = xa_load(&hn->tenants->by_id, nla_get_u32(attr));

	if (!t)
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "TENANT_ID: no such tenant in this network namespace");
	return t;
}

static int tenant_set(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_tenant_change change = { 0 };
	int err;

	err = homa_nl_check(info, ATTR(TENANT_ID),
			  ATTR(FLAGS) | ATTR(TENANT_NAME) | ATTR(TENANT_UID) | ATTR(TENANT_GID) |
			  ATTR(TENANT_WEIGHT) | ATTR(TENANT_MIN_BLOCKS) | ATTR(TENANT_MAX_BLOCKS) |
			  ATTR(TENANT_MAX_RPCS));
	if (!err)
		err = get_change(info, &change);
	if (err)
		return err;
	mutex_lock(&hn->tenants->lock);
	err = homa_tenant_set(hn, &change, info->extack);
	if (!err)
		notify(hn, P4A_CMD_TENANT_NTF, homa_nl_put_tenant,
		       xa_load(&hn->tenants->by_id, change.id));
	mutex_unlock(&hn->tenants->lock);
	return err;
}

static int tenant_del(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	u32 id;
	int err;

	err = homa_nl_check(info, ATTR(TENANT_ID), 0);
	if (err)
		return err;
	id = nla_get_u32(info->attrs[P4A_A_TENANT_ID]);
	mutex_lock(&hn->tenants->lock);
	err = homa_tenant_del(hn, id, info->extack);
	if (!err)
		notify(hn, P4A_CMD_TENANT_DEL_NTF, homa_nl_put_tenant_id, &id);
	mutex_unlock(&hn->tenants->lock);
	return err;
}

static int tenant_get(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_tenant *t;
	int err;

	err = homa_nl_check(info, ATTR(TENANT_ID), 0);
	if (err)
		return err;
	mutex_lock(&hn->tenants->lock);
	t = named_tenant(hn, info);
	err = t ? reply(info, homa_nl_put_tenant, t) : -ENOENT;
	mutex_unlock(&hn->tenants->lock);
	return err;
}

/* ---------------------------------------------------------------- geometry and policy */

static int geometry_set(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_geometry geo = { 0 };
	int err;

	err = homa_nl_check(info, ATTR(GEO_REGISTERS) | ATTR(GEO_BLOCKS) | ATTR(GEO_FLOWS),
			    ATTR(GEO_DEPENDENT));
	if (err)
		return err;
	get_u32(info, P4A_A_GEO_REGISTERS, &geo.registers);
	get_u32(info, P4A_A_GEO_BLOCKS, &geo.blocks);
	get_u32(info, P4A_A_GEO_FLOWS, &geo.flows);
	get_u32(info, P4A_A_GEO_DEPENDENT, &geo.dependent);
	if (geo.dependent >= geo.registers) {
		NL_SET_ERR_MSG(info->extack, "GEO_DEPENDENT: must be below GEO_REGISTERS");
		return -ERANGE;
	}
	mutex_lock(&hn->tenants->lock);
	err = homa_geometry_set(hn, &geo, info->extack);
	if (!err)
		notify(hn, P4A_CMD_GEOMETRY_NTF, homa_nl_put_geometry, &geo);
	mutex_unlock(&hn->tenants->lock);
	return err;
}

static int geometry_get(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_tenants *tenants = net_of(info)->tenants;
	struct homa_geometry geo;
	int err;

	err = homa_nl_check(info, 0, 0);
	if (err)
		return err;
	mutex_lock(&tenants->lock);
	geo = tenants->geometry;
	mutex_unlock(&tenants->lock);
	if (!geo.registers) {
		NL_SET_ERR_MSG(info->extack, "no geometry was set in this network namespace");
		return -ENODATA;
	}
	return reply(info, homa_nl_put_geometry, &geo);
}

static int policy_set(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_policy *pol = &hn->tenants->policy;
	struct nlattr **attrs = info->attrs;
	int err;

	err = homa_nl_check(info, 0, ATTR(POL_ALLOC_ADDR) | ATTR(POL_ALLOC_PORT) |
			  ATTR(POL_LEASE_MAX_US) | ATTR(POL_GRACE_US));
	if (err)
		return err;
	mutex_lock(&hn->tenants->lock);
	if (attrs[P4A_A_POL_ALLOC_ADDR])
		WRITE_ONCE(pol->alloc_addr, nla_get_be32(attrs[P4A_A_POL_ALLOC_ADDR]));
	if (attrs[P4A_A_POL_ALLOC_PORT])
		WRITE_ONCE(pol->alloc_port, nla_get_u16(attrs[P4A_A_POL_ALLOC_PORT]));
	get_u32(info, P4A_A_POL_LEASE_MAX_US, &pol->lease_max_us);
	get_u32(info, P4A_A_POL_GRACE_US, &pol->grace_us);
	hn->tenants->generation++;
	notify(hn, P4A_CMD_POLICY_NTF, homa_nl_put_policy, pol);
	mutex_unlock(&hn->tenants->lock);
	return 0;
}

static int policy_get(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_tenants *tenants = net_of(info)->tenants;
	struct homa_policy pol;
	int err;

	err = homa_nl_check(info, 0, 0);
	if (err)
		return err;
	mutex_lock(&tenants->lock);
	pol = tenants->policy;
	mutex_unlock(&tenants->lock);
	return reply(info, homa_nl_put_policy, &pol);
}

/* ---------------------------------------------------------------- allocations */

static void view_alloc(struct homa_tenant *t, enum homa_txn_space space,
		       struct homa_alloc_view *view)
{
	view->tenant = t->id;
	view->space = space;
	homa_txn_state(t, space, &view->state);
}

static enum homa_txn_space named_space(const struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[P4A_A_ALLOC_SPACE];

	return attr ? nla_get_u32(attr) : HOMA_TXN_BATCH;
}

/* Epoch 0 ends the allocation, whatever else is given; another one needs the rest. */
static int get_grant(const struct genl_info *info, struct homa_grant_spec *spec)
{
	u64 needed = ATTR(TENANT_ID) | ATTR(ALLOC_EPOCH);
	u64 rest = ATTR(ALLOC_BITMAP) | ATTR(ALLOC_FLOW_FIRST) | ATTR(ALLOC_FLOW_COUNT);
	struct nlattr **attrs = info->attrs;
	int err;

	err = homa_nl_check(info, needed, rest | ATTR(ALLOC_SPACE));
	if (err)
		return err;
	spec->epoch = nla_get_u64(attrs[P4A_A_ALLOC_EPOCH]);
	if (!spec->epoch)
		return 0;
	err = homa_nl_check(info, needed | rest, ATTR(ALLOC_SPACE));
	if (err)
		return err;
	nla_memcpy(spec->bitmap, attrs[P4A_A_ALLOC_BITMAP], sizeof(spec->bitmap));
	get_u32(info, P4A_A_ALLOC_FLOW_FIRST, &spec->flow_first);
	get_u32(info, P4A_A_ALLOC_FLOW_COUNT, &spec->flow_count);
	return 0;
}

static void notify_alloc(struct homa_net *hn, struct homa_tenant *t, enum homa_txn_space space)
{
	struct homa_alloc_view view;

	view_alloc(t, space, &view);
	notify(hn, P4A_CMD_ALLOC_NTF, homa_nl_put_alloc, &view);
}

static int apply_grant(struct homa_net *hn, struct sk_buff *skb, struct genl_info *info,
		       const struct homa_grant_spec *spec)
{
	struct homa_tenant *t = named_tenant(hn, info);
	enum homa_txn_space space = named_space(info);
	enum homa_txn_space other = homa_txn_other(space);
	u64 other_epoch;
	int err;

	if (!t)
		return -ENOENT;
	/* Who opened the socket must have the capability too: a privileged program may only have
	 * been made to write to it.
	 */
	if (!homa_tenant_is_user(t) && !netlink_capable(skb, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(info->extack,
			       "TENANT_ID: only TENANT_UID, TENANT_GID or CAP_NET_ADMIN may use it");
		return -EPERM;
	}
	other_epoch = homa_txn_epoch(t, other);
	err = homa_grant_check(spec, &hn->tenants->geometry, homa_txn_epoch(t, space),
			       info->extack);
	if (!err)
		err = homa_txn_grant(t, space, spec, info->extack);
	if (err)
		return err;
	hn->tenants->generation++;
	if (homa_txn_epoch(t, other) != other_epoch)
		notify_alloc(hn, t, other);
	notify_alloc(hn, t, space);
	return 0;
}

static int alloc_set(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_grant_spec spec;
	int err;

	memset(&spec, 0, sizeof(spec));
	err = get_grant(info, &spec);
	if (err)
		return err;
	mutex_lock(&hn->tenants->lock);
	err = apply_grant(hn, skb, info, &spec);
	mutex_unlock(&hn->tenants->lock);
	return err;
}

static int alloc_get(struct sk_buff *skb, struct genl_info *info)
{
	struct homa_net *hn = net_of(info);
	struct homa_alloc_view view;
	struct homa_tenant *t;
	int err;

	err = homa_nl_check(info, ATTR(TENANT_ID), ATTR(ALLOC_SPACE));
	if (err)
		return err;
	mutex_lock(&hn->tenants->lock);
	t = named_tenant(hn, info);
	if (t)
		view_alloc(t, named_space(info), &view);
	mutex_unlock(&hn->tenants->lock);
	return t ? reply(info, homa_nl_put_alloc, &view) : -ENOENT;
}

/* ---------------------------------------------------------------- dumps */

/* A dump is of everything: an attribute would look as if it selected something. */
static int start_dump(struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	int type;

	for (type = P4A_A_UNSPEC + 1; attrs && type <= P4A_A_MAX; type++) {
		if (attrs[type]) {
			NL_SET_ERR_MSG_ATTR(cb->extack, attrs[type], "a dump takes no attributes");
			return -EINVAL;
		}
	}
	return 0;
}

/* One message of a dump; cb->args[0] says where the next part goes on. */
static int dump_one(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    homa_nl_put_t *put, const void *what)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family,
				 NLM_F_MULTI, cmd);

	if (!head)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, head);
	if (put(skb, what)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int dump_tenant(struct sk_buff *skb, struct netlink_callback *cb, struct homa_tenant *t)
{
	return dump_one(skb, cb, P4A_CMD_TENANT_GET, homa_nl_put_tenant, t);
}

static int dump_alloc(struct sk_buff *skb, struct netlink_callback *cb, struct homa_tenant *t)
{
	struct homa_alloc_view view;

	view_alloc(t, HOMA_TXN_BATCH, &view);
	if (!view.state.spec.epoch)
		return 0;
	return dump_one(skb, cb, P4A_CMD_ALLOC_GET, homa_nl_put_alloc, &view);
}

/* By ascending id, going on at the id that did not fit. */
static int dump_tenants(struct sk_buff *skb, struct netlink_callback *cb,
			int (*dump)(struct sk_buff *, struct netlink_callback *,
				    struct homa_tenant *))
{
	struct homa_tenants *tenants = homa_net(sock_net(skb->sk))->tenants;
	struct homa_tenant *t;
	unsigned long id;

	mutex_lock(&tenants->lock);
	cb->seq = tenants->generation;
	xa_for_each_start(&tenants->by_id, id, t, cb->args[0]) {
		if (dump(skb, cb, t))
			break;
	}
	cb->args[0] = t ? id : P4W_TENANT_MAX + 1;
	mutex_unlock(&tenants->lock);
	return skb->len;
}

static int tenant_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_tenants(skb, cb, dump_tenant);
}

static int alloc_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_tenants(skb, cb, dump_alloc);
}

static int stats_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct homa_stat_view stat = { .hn = homa_net(sock_net(skb->sk)), .i = cb->args[0] };

	while (stat.i < homa_counters_nr() &&
	       !dump_one(skb, cb, P4A_CMD_STATS_GET, homa_nl_put_stat, &stat))
		stat.i++;
	cb->args[0] = stat.i;
	return skb->len;
}

static int rpc_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct homa_viewer viewer = {
		.sees_all = netlink_ns_capable(cb->skb, sock_net(skb->sk)->user_ns, CAP_NET_ADMIN),
		.uid = READ_ONCE(NETLINK_CB(cb->skb).sk->sk_uid),
		.ns = sk_user_ns(NETLINK_CB(cb->skb).sk),
	};
	struct homa_rpc_cursor *at = (struct homa_rpc_cursor *)cb->ctx, next = *at;
	struct homa_rpc_view view;

	BUILD_BUG_ON(sizeof(*at) > sizeof(cb->ctx));
	while (homa_listing_next(homa_net(sock_net(skb->sk)), &viewer, &next, &view) &&
	       !dump_one(skb, cb, P4A_CMD_RPC_GET, homa_nl_put_rpc, &view))
		*at = next;
	return skb->len;
}

/* ---------------------------------------------------------------- the family */

static const struct genl_ops ops[] = {
	{ .cmd = P4A_CMD_TENANT_SET, .doit = tenant_set, .flags = GENL_ADMIN_PERM },
	{ .cmd = P4A_CMD_TENANT_DEL, .doit = tenant_del, .flags = GENL_ADMIN_PERM },
	{ .cmd = P4A_CMD_TENANT_GET, .doit = tenant_get, .start = start_dump,
	  .dumpit = tenant_dump },
	{ .cmd = P4A_CMD_GEOMETRY_SET, .doit = geometry_set, .flags = GENL_ADMIN_PERM },
	{ .cmd = P4A_CMD_GEOMETRY_GET, .doit = geometry_get },
	{ .cmd = P4A_CMD_POLICY_SET, .doit = policy_set, .flags = GENL_ADMIN_PERM },
	{ .cmd = P4A_CMD_POLICY_GET, .doit = policy_get },
	{ .cmd = P4A_CMD_ALLOC_SET, .doit = alloc_set },
	{ .cmd = P4A_CMD_ALLOC_GET, .doit = alloc_get, .start = start_dump,
	  .dumpit = alloc_dump },
	{ .cmd = P4A_CMD_STATS_GET, .start = start_dump, .dumpit = stats_dump },
	{ .cmd = P4A_CMD_RPC_GET, .start = start_dump, .dumpit = rpc_dump },
};

static const struct genl_multicast_group groups[] = {
	{ .name = P4A_GENL_MCGRP },
};

static struct genl_family family __ro_after_init = {
	.name		= P4A_GENL_NAME,
	.version	= P4A_GENL_VERSION,
	.maxattr	= P4A_A_MAX,
	.netnsok	= true,
	.parallel_ops	= true,
	.policy		= homa_nl_policy,
	.ops		= ops,
	.n_ops		= ARRAY_SIZE(ops),
	.resv_start_op	= P4A_CMD_UNSPEC + 1,
	.mcgrps		= groups,
	.n_mcgrps	= ARRAY_SIZE(groups),
	.module		= THIS_MODULE,
};

int __init homa_netlink_init(void)
{
	return genl_register_family(&family);
}

void homa_netlink_exit(void)
{
	genl_unregister_family(&family);
}
