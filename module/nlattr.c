// SPDX-License-Identifier: GPL-2.0
/*
 * nlattr.c - the attributes of the netlink family: what they may be, and how state is told in them.
 *
 * What an attribute may be is said twice, in the order of the enum: homa_nl_policy[] for the
 * kernel's own check of types and lengths, rules[] for ranges and for the text that a user gets.
 * State is put into messages by functions that the caller runs under homa_tenants.lock.
 */
#include <linux/in.h>
#include <net/genetlink.h>
#include "net.h"
#include "nlattr.h"
#include "p4wire.h"
#include "tenant.h"
#include "txn.h"

const struct nla_policy homa_nl_policy[P4A_A_MAX + 1] = {
	[P4A_A_FLAGS]			= { .type = NLA_U32 },
	[P4A_A_TENANT_ID]		= { .type = NLA_U32 },
	[P4A_A_TENANT_NAME]		= { .type = NLA_BINARY },
	[P4A_A_TENANT_UID]		= { .type = NLA_U32 },
	[P4A_A_TENANT_GID]		= { .type = NLA_U32 },
	[P4A_A_TENANT_WEIGHT]		= { .type = NLA_U32 },
	[P4A_A_TENANT_MIN_BLOCKS]	= { .type = NLA_U32 },
	[P4A_A_TENANT_MAX_BLOCKS]	= { .type = NLA_U32 },
	[P4A_A_TENANT_MAX_RPCS]		= { .type = NLA_U32 },
	[P4A_A_GEO_REGISTERS]		= { .type = NLA_U32 },
	[P4A_A_GEO_BLOCKS]		= { .type = NLA_U32 },
	[P4A_A_GEO_FLOWS]		= { .type = NLA_U32 },
	[P4A_A_GEO_DEPENDENT]		= { .type = NLA_U32 },
	[P4A_A_POL_ALLOC_ADDR]		= { .type = NLA_U32 },
	[P4A_A_POL_ALLOC_PORT]		= { .type = NLA_U16 },
	[P4A_A_POL_LEASE_MAX_US]	= { .type = NLA_U32 },
	[P4A_A_POL_GRACE_US]		= { .type = NLA_U32 },
	[P4A_A_ALLOC_EPOCH]		= { .type = NLA_U64 },
	[P4A_A_ALLOC_BITMAP]		= { .type = NLA_BINARY },
	[P4A_A_ALLOC_FLOW_FIRST]	= { .type = NLA_U32 },
	[P4A_A_ALLOC_FLOW_COUNT]	= { .type = NLA_U32 },
	[P4A_A_ALLOC_SPACE]		= { .type = NLA_U32 },
};

/* Range of a number, or of the length of bytes, and what to say if the attribute is missing or out
 * of it. Bytes are left to rules[] altogether, as the kernel's own text for them names nothing.
 */
struct rule {
	u64 min, max;
	const char *text;
};

static const struct rule rules[P4A_A_MAX + 1] = {
	[P4A_A_FLAGS]		  = { 0, P4A_F_CREATE_ONLY | P4A_F_MODIFY_ONLY,
		"FLAGS: CREATE_ONLY (1) or MODIFY_ONLY (2), no other bit" },
	[P4A_A_TENANT_ID]	  = { 1, P4W_TENANT_MAX, "TENANT_ID: u32, 1 .. 16777215" },
	[P4A_A_TENANT_NAME]	  = { 1, P4A_TENANT_NAME_MAX + 1,
		"TENANT_NAME: 1 .. 31 bytes of [A-Za-z0-9._-]" },
	[P4A_A_TENANT_UID]	  = { 0, U32_MAX - 1, "TENANT_UID: u32, 0 .. 4294967294" },
	[P4A_A_TENANT_GID]	  = { 0, U32_MAX - 1, "TENANT_GID: u32, 0 .. 4294967294" },
	[P4A_A_TENANT_WEIGHT]	  = { 1, 1000, "TENANT_WEIGHT: u32, 1 .. 1000" },
	[P4A_A_TENANT_MIN_BLOCKS] = { 0, P4W_MAX_BLOCKS, "TENANT_MIN_BLOCKS: u32, 0 .. 256" },
	[P4A_A_TENANT_MAX_BLOCKS] = { 1, P4W_MAX_BLOCKS, "TENANT_MAX_BLOCKS: u32, 1 .. 256" },
	[P4A_A_TENANT_MAX_RPCS]	  = { 0, S32_MAX,
		"TENANT_MAX_RPCS: u32, 0 (no limit) .. 2147483647" },
	[P4A_A_GEO_REGISTERS]	  = { 1, P4W_MAX_REGISTERS, "GEO_REGISTERS: u32, 1 .. 32" },
	[P4A_A_GEO_BLOCKS]	  = { 1, P4W_MAX_BLOCKS, "GEO_BLOCKS: u32, 1 .. 256" },
	[P4A_A_GEO_FLOWS]	  = { 1, 65536, "GEO_FLOWS: u32, 1 .. 65536" },
	[P4A_A_GEO_DEPENDENT]	  = { 0, P4W_MAX_REGISTERS - 1, "GEO_DEPENDENT: u32, 0 .. 31" },
	[P4A_A_POL_ALLOC_ADDR]	  = { 0, U32_MAX, "POL_ALLOC_ADDR: u32, network order" },
	[P4A_A_POL_ALLOC_PORT]	  = { 1, 32767, "POL_ALLOC_PORT: u16, 1 .. 32767" },
	[P4A_A_POL_LEASE_MAX_US]  = { 1000, 60000000, "POL_LEASE_MAX_US: u32, 1000 .. 60000000" },
	[P4A_A_POL_GRACE_US]	  = { 0, 60000000, "POL_GRACE_US: u32, 0 .. 60000000" },
	[P4A_A_ALLOC_EPOCH]	  = { 0, P4W_EPOCH_MAX, "ALLOC_EPOCH: u64, 0 .. 1099511627775" },
	[P4A_A_ALLOC_BITMAP]	  = { P4W_BITMAP_BYTES, P4W_BITMAP_BYTES,
		"ALLOC_BITMAP: 32 bytes" },
	[P4A_A_ALLOC_FLOW_FIRST]  = { 0, U32_MAX, "ALLOC_FLOW_FIRST: u32" },
	[P4A_A_ALLOC_FLOW_COUNT]  = { 1, HOMA_FLOWS_MAX, "ALLOC_FLOW_COUNT: u32, 1 .. 4096" },
	[P4A_A_ALLOC_SPACE]	  = { 0, HOMA_TXN_SPACES - 1,
		"ALLOC_SPACE: u32, 0 (batch) or 1 (cells of locks)" },
};

/* ---------------------------------------------------------------- attributes */

static u64 number(const struct nlattr *attr)
{
	switch (homa_nl_policy[nla_type(attr)].type) {
	case NLA_U16:
		return nla_get_u16(attr);
	case NLA_U32:
		return nla_get_u32(attr);
	case NLA_U64:
		return nla_get_u64(attr);
	default:
		return nla_len(attr);
	}
}

static int check_attr(const struct genl_info *info, int type, bool allowed)
{
	const struct nlattr *attr = info->attrs[type];
	u64 value;

	if (!allowed) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "this attribute is not for this command");
		return -EINVAL;
	}
	if (!rules[type].text)
		return 0;
	value = number(attr);
	if (value < rules[type].min || value > rules[type].max) {
		info->extack->_msg = rules[type].text;
		NL_SET_BAD_ATTR(info->extack, attr);
		return -ERANGE;
	}
	return 0;
}

/* Attributes that are there: allowed and in range; that are not: not required. */
int homa_nl_check(const struct genl_info *info, u64 required, u64 optional)
{
	int type, err;

	for (type = P4A_A_UNSPEC + 1; type <= P4A_A_MAX; type++) {
		if (info->attrs[type]) {
			err = check_attr(info, type, (required | optional) & BIT_ULL(type));
			if (err)
				return err;
		} else if (required & BIT_ULL(type)) {
			info->extack->_msg = rules[type].text;
			NL_SET_ERR_ATTR_MISS(info->extack, NULL, type);
			return -EINVAL;
		}
	}
	return 0;
}

int homa_nl_put_tenant(struct sk_buff *msg, const void *what)
{
	const struct homa_tenant *t = what;
	const struct homa_tenant_conf *conf = &t->conf;

	if (nla_put_u32(msg, P4A_A_TENANT_ID, t->id) ||
	    nla_put_string(msg, P4A_A_TENANT_NAME, conf->name) ||
	    (uid_valid(conf->uid) &&
	     nla_put_u32(msg, P4A_A_TENANT_UID, from_kuid(&init_user_ns, conf->uid))) ||
	    (gid_valid(conf->gid) &&
	     nla_put_u32(msg, P4A_A_TENANT_GID, from_kgid(&init_user_ns, conf->gid))) ||
	    nla_put_u32(msg, P4A_A_TENANT_WEIGHT, conf->weight) ||
	    nla_put_u32(msg, P4A_A_TENANT_MIN_BLOCKS, conf->min_blocks) ||
	    nla_put_u32(msg, P4A_A_TENANT_MAX_BLOCKS, conf->max_blocks) ||
	    nla_put_u32(msg, P4A_A_TENANT_MAX_RPCS, conf->max_rpcs) ||
	    nla_put_u32(msg, P4A_A_TENANT_SOCKETS, atomic_read(&t->sockets)))
		return -EMSGSIZE;
	return 0;
}

int homa_nl_put_tenant_id(struct sk_buff *msg, const void *what)
{
	const u32 *id = what;

	return nla_put_u32(msg, P4A_A_TENANT_ID, *id);
}

int homa_nl_put_geometry(struct sk_buff *msg, const void *what)
{
	const struct homa_geometry *geo = what;

	if (nla_put_u32(msg, P4A_A_GEO_REGISTERS, geo->registers) ||
	    nla_put_u32(msg, P4A_A_GEO_BLOCKS, geo->blocks) ||
	    nla_put_u32(msg, P4A_A_GEO_FLOWS, geo->flows) ||
	    nla_put_u32(msg, P4A_A_GEO_DEPENDENT, geo->dependent))
		return -EMSGSIZE;
	return 0;
}

int homa_nl_put_policy(struct sk_buff *msg, const void *what)
{
	const struct homa_policy *pol = what;

	if (nla_put_be32(msg, P4A_A_POL_ALLOC_ADDR, pol->alloc_addr) ||
	    nla_put_u16(msg, P4A_A_POL_ALLOC_PORT, pol->alloc_port) ||
	    nla_put_u32(msg, P4A_A_POL_LEASE_MAX_US, pol->lease_max_us) ||
	    nla_put_u32(msg, P4A_A_POL_GRACE_US, pol->grace_us))
		return -EMSGSIZE;
	return 0;
}

static int put_u64(struct sk_buff *msg, int type, u64 value)
{
	return nla_put_u64_64bit(msg, type, value, P4A_A_PAD);
}

int homa_nl_put_alloc(struct sk_buff *msg, const void *what)
{
	const struct homa_alloc_view *view = what;
	const struct homa_grant_spec *spec = &view->state.spec;
	const struct homa_tenant_stats *stats = &view->state.stats;

	if (nla_put_u32(msg, P4A_A_TENANT_ID, view->tenant) ||
	    put_u64(msg, P4A_A_ALLOC_EPOCH, spec->epoch) ||
	    nla_put(msg, P4A_A_ALLOC_BITMAP, sizeof(spec->bitmap), spec->bitmap) ||
	    nla_put_u32(msg, P4A_A_ALLOC_FLOW_FIRST, spec->flow_first) ||
	    nla_put_u32(msg, P4A_A_ALLOC_FLOW_COUNT, spec->flow_count) ||
	    nla_put_u32(msg, P4A_A_ALLOC_SPACE, view->space) ||
	    nla_put_u32(msg, P4A_A_ALLOC_OUTSTANDING, view->state.outstanding) ||
	    put_u64(msg, P4A_A_ALLOC_TXNS, stats->txns) ||
	    put_u64(msg, P4A_A_ALLOC_STALE, stats->stale) ||
	    put_u64(msg, P4A_A_ALLOC_CONFLICT, stats->conflict) ||
	    put_u64(msg, P4A_A_ALLOC_ABORT, stats->abort) ||
	    put_u64(msg, P4A_A_ALLOC_TIMEOUT, stats->timeout))
		return -EMSGSIZE;
	return 0;
}

int homa_nl_put_stat(struct sk_buff *msg, const void *what)
{
	const struct homa_stat_view *stat = what;

	if (nla_put_string(msg, P4A_A_STAT_NAME, homa_counter_name(stat->i)) ||
	    put_u64(msg, P4A_A_STAT_VALUE, homa_counter_sum(stat->hn, stat->i)) ||
	    nla_put_string(msg, P4A_A_STAT_HELP, homa_counter_help(stat->i)))
		return -EMSGSIZE;
	return 0;
}

int homa_nl_put_rpc(struct sk_buff *msg, const void *what)
{
	const struct homa_rpc_view *v = what;

	if (put_u64(msg, P4A_A_RPC_ID, v->id) ||
	    nla_put_u32(msg, P4A_A_RPC_STATE, v->state) ||
	    nla_put(msg, P4A_A_RPC_PEER, sizeof(v->peer), v->peer) ||
	    nla_put_u16(msg, P4A_A_RPC_PEER_PORT, v->peer_port) ||
	    nla_put_u16(msg, P4A_A_RPC_PORT, v->port) ||
	    nla_put_u32(msg, P4A_A_RPC_UID, v->uid) ||
	    nla_put_u32(msg, P4A_A_TENANT_ID, v->tenant) ||
	    nla_put_u32(msg, P4A_A_RPC_TX_LENGTH, v->tx_length) ||
	    nla_put_u32(msg, P4A_A_RPC_TX_SENT, v->tx_sent) ||
	    nla_put_u32(msg, P4A_A_RPC_TX_GRANTED, v->tx_granted) ||
	    nla_put_u32(msg, P4A_A_RPC_RX_LENGTH, v->rx_length) ||
	    nla_put_u32(msg, P4A_A_RPC_RX_RECEIVED, v->rx_received) ||
	    nla_put_u32(msg, P4A_A_RPC_RX_GRANTED, v->rx_granted) ||
	    nla_put_u32(msg, P4A_A_RPC_AGE_MS, v->age_ms) ||
	    nla_put_u32(msg, P4A_A_RPC_SILENCE_MS, v->silence_ms) ||
	    nla_put_u32(msg, P4A_A_RPC_FLAGS, v->flags))
		return -EMSGSIZE;
	return 0;
}
