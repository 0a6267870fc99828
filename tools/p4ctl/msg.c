// SPDX-License-Identifier: GPL-2.0-or-later
/* msg.c - see msg.h */
#include <stdio.h>
#include <string.h>

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>

#include "msg.h"

#define FIELD(rec, member, attr_, type_, name_) {						\
	.attr = P4A_A_##attr_, .type = FIELD_##type_, .offset = offsetof(struct rec, member),	\
	.size = sizeof(((struct rec *)0)->member), .name = name_ }

const struct field tenant_fields[] = {
	FIELD(tenant, id, TENANT_ID, U32, "id"),
	FIELD(tenant, name, TENANT_NAME, STRING, "name"),
	FIELD(tenant, uid, TENANT_UID, U32, "uid"),
	FIELD(tenant, gid, TENANT_GID, U32, "gid"),
	FIELD(tenant, weight, TENANT_WEIGHT, U32, "weight"),
	FIELD(tenant, min_blocks, TENANT_MIN_BLOCKS, U32, "min_blocks"),
	FIELD(tenant, max_blocks, TENANT_MAX_BLOCKS, U32, "max_blocks"),
	FIELD(tenant, max_rpcs, TENANT_MAX_RPCS, U32, "max_rpcs"),
	FIELD(tenant, sockets, TENANT_SOCKETS, U32, "sockets"),
	{ 0 },
};

const struct field geometry_fields[] = {
	FIELD(geometry, registers, GEO_REGISTERS, U32, "registers"),
	FIELD(geometry, blocks, GEO_BLOCKS, U32, "blocks"),
	FIELD(geometry, flows, GEO_FLOWS, U32, "flows"),
	FIELD(geometry, dependent, GEO_DEPENDENT, U32, "dependent"),
	{ 0 },
};

const struct field policy_fields[] = {
	FIELD(policy, addr, POL_ALLOC_ADDR, U32, "allocator"),
	FIELD(policy, port, POL_ALLOC_PORT, U16, "port"),
	FIELD(policy, lease_max_us, POL_LEASE_MAX_US, U32, "lease_max_us"),
	FIELD(policy, grace_us, POL_GRACE_US, U32, "grace_us"),
	{ 0 },
};

const struct field alloc_fields[] = {
	FIELD(alloc, id, TENANT_ID, U32, "tenant"),
	FIELD(alloc, epoch, ALLOC_EPOCH, U64, "epoch"),
	FIELD(alloc, bitmap, ALLOC_BITMAP, BINARY, "bitmap"),
	FIELD(alloc, flow_first, ALLOC_FLOW_FIRST, U32, "flow_first"),
	FIELD(alloc, flow_count, ALLOC_FLOW_COUNT, U32, "flow_count"),
	FIELD(alloc, outstanding, ALLOC_OUTSTANDING, U32, "outstanding"),
	FIELD(alloc, txns, ALLOC_TXNS, U64, "txns"),
	FIELD(alloc, stale, ALLOC_STALE, U64, "stale"),
	FIELD(alloc, conflict, ALLOC_CONFLICT, U64, "conflict"),
	FIELD(alloc, abort, ALLOC_ABORT, U64, "abort"),
	FIELD(alloc, timeout, ALLOC_TIMEOUT, U64, "timeout"),
	{ 0 },
};

const struct field stat_fields[] = {
	FIELD(stat_entry, name, STAT_NAME, STRING, "name"),
	FIELD(stat_entry, value, STAT_VALUE, U64, "value"),
	FIELD(stat_entry, help, STAT_HELP, STRING, "help"),
	{ 0 },
};

const struct field rpc_fields[] = {
	FIELD(rpc_entry, id, RPC_ID, U64, "id"),
	FIELD(rpc_entry, state, RPC_STATE, U32, "state"),
	FIELD(rpc_entry, peer, RPC_PEER, BINARY, "peer"),
	FIELD(rpc_entry, peer_port, RPC_PEER_PORT, U16, "peer_port"),
	FIELD(rpc_entry, port, RPC_PORT, U16, "port"),
	FIELD(rpc_entry, uid, RPC_UID, U32, "uid"),
	FIELD(rpc_entry, tenant, TENANT_ID, U32, "tenant"),
	FIELD(rpc_entry, tx_length, RPC_TX_LENGTH, U32, "tx_length"),
	FIELD(rpc_entry, tx_sent, RPC_TX_SENT, U32, "tx_sent"),
	FIELD(rpc_entry, tx_granted, RPC_TX_GRANTED, U32, "tx_granted"),
	FIELD(rpc_entry, rx_length, RPC_RX_LENGTH, U32, "rx_length"),
	FIELD(rpc_entry, rx_received, RPC_RX_RECEIVED, U32, "rx_received"),
	FIELD(rpc_entry, rx_granted, RPC_RX_GRANTED, U32, "rx_granted"),
	FIELD(rpc_entry, age_ms, RPC_AGE_MS, U32, "age_ms"),
	FIELD(rpc_entry, silence_ms, RPC_SILENCE_MS, U32, "silence_ms"),
	FIELD(rpc_entry, flags, RPC_FLAGS, U32, "flags"),
	{ 0 },
};

static const char *const attr_names[P4A_A_MAX + 1] = {
	[P4A_A_FLAGS] = "FLAGS",
	[P4A_A_TENANT_ID] = "TENANT_ID",
	[P4A_A_TENANT_NAME] = "TENANT_NAME",
	[P4A_A_TENANT_UID] = "TENANT_UID",
	[P4A_A_TENANT_GID] = "TENANT_GID",
	[P4A_A_TENANT_WEIGHT] = "TENANT_WEIGHT",
	[P4A_A_TENANT_MIN_BLOCKS] = "TENANT_MIN_BLOCKS",
	[P4A_A_TENANT_MAX_BLOCKS] = "TENANT_MAX_BLOCKS",
	[P4A_A_TENANT_MAX_RPCS] = "TENANT_MAX_RPCS",
	[P4A_A_TENANT_SOCKETS] = "TENANT_SOCKETS",
	[P4A_A_GEO_REGISTERS] = "GEO_REGISTERS",
	[P4A_A_GEO_BLOCKS] = "GEO_BLOCKS",
	[P4A_A_GEO_FLOWS] = "GEO_FLOWS",
	[P4A_A_GEO_DEPENDENT] = "GEO_DEPENDENT",
	[P4A_A_POL_ALLOC_ADDR] = "POL_ALLOC_ADDR",
	[P4A_A_POL_ALLOC_PORT] = "POL_ALLOC_PORT",
	[P4A_A_POL_LEASE_MAX_US] = "POL_LEASE_MAX_US",
	[P4A_A_POL_GRACE_US] = "POL_GRACE_US",
};

const char *msg_attr_name(unsigned int attr)
{
	return attr <= P4A_A_MAX ? attr_names[attr] : NULL;
}

uint32_t msg_bit(const struct field *fields, uint16_t attr)
{
	int i;

	for (i = 0; fields[i].name; i++)
		if (fields[i].attr == attr)
			return 1u << i;
	return 0;
}

static int put_field(struct nl_msg *msg, const struct field *f, const void *at)
{
	return f->type == FIELD_STRING ? nla_put_string(msg, f->attr, at) :
					 nla_put(msg, f->attr, f->size, at);
}

struct nl_msg *msg_build(int family, int flags, enum p4a_cmd cmd, const struct field *fields,
			 const void *rec)
{
	struct nl_msg *msg = nlmsg_alloc();
	int i;

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, cmd,
				 P4A_GENL_VERSION))
		goto no_memory;
	for (i = 0; fields && fields[i].name; i++)
		if (*(const uint32_t *)rec & 1u << i &&
		    put_field(msg, &fields[i], (const char *)rec + fields[i].offset))
			goto no_memory;
	return msg;
no_memory:
	nlmsg_free(msg);
	return NULL;
}

int msg_put_flags(struct nl_msg *msg, uint32_t flags)
{
	return nla_put_u32(msg, P4A_A_FLAGS, flags);
}

int msg_command(struct nlmsghdr *nlh, struct diag *d)
{
	if (!genlmsg_valid_hdr(nlh, 0))
		return fault(d, "the kernel sent a message that is too short");
	return genlmsg_hdr(nlh)->cmd;
}

static int get_field(const struct field *f, const struct nlattr *nla, char *at)
{
	size_t len = nla_len(nla);

	switch (f->type) {
	case FIELD_STRING:
		nla_strlcpy(at, nla, f->size);
		return 0;
	case FIELD_BINARY:
		if (len > f->size)
			return -1;
		memset(at, 0, f->size);
		memcpy(at, nla_data(nla), len);
		return 0;
	default:
		if (len != f->size)
			return -1;
		memcpy(at, nla_data(nla), len);
		return 0;
	}
}

int msg_decode(struct nlmsghdr *nlh, const struct field *fields, void *rec, size_t size,
	       struct diag *d)
{
	struct nlattr *tb[P4A_A_MAX + 1];
	int i;

	memset(rec, 0, size);
	if (!genlmsg_valid_hdr(nlh, 0) || genlmsg_parse(nlh, 0, tb, P4A_A_MAX, NULL))
		return fault(d, "the kernel sent a malformed message");
	for (i = 0; fields[i].name; i++) {
		if (!tb[fields[i].attr])
			continue;
		if (get_field(&fields[i], tb[fields[i].attr], (char *)rec + fields[i].offset))
			return fault(d, "the kernel sent %s with %d bytes instead of %zu",
				     fields[i].name, nla_len(tb[fields[i].attr]), fields[i].size);
		*(uint32_t *)rec |= 1u << i;
	}
	return 0;
}

/* Attributes behind an error message; where they start depends on whether the request is quoted. */
static struct nlattr *error_attrs(struct nlmsghdr *nlh, int *len)
{
	struct nlmsgerr *e = nlmsg_data(nlh);
	size_t quoted = 0;

	if (nlh->nlmsg_type != NLMSG_ERROR || !(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    nlmsg_datalen(nlh) < (int)sizeof(*e))
		return NULL;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		quoted = NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	if (quoted > (size_t)nlmsg_datalen(nlh) - sizeof(*e))
		return NULL;
	*len = nlmsg_datalen(nlh) - sizeof(*e) - quoted;
	return (struct nlattr *)((char *)(e + 1) + quoted);
}

static const char *attr_at(const struct nlmsghdr *request, const struct nlattr *offset)
{
	uint32_t at;

	if (!request || !offset || nla_len(offset) != sizeof(at))
		return NULL;
	at = nla_get_u32(offset);
	if (at % NLA_ALIGNTO || request->nlmsg_len < NLA_HDRLEN ||
	    at > request->nlmsg_len - NLA_HDRLEN)
		return NULL;
	return msg_attr_name(nla_type((const struct nlattr *)((const char *)request + at)));
}

void msg_extack(struct nlmsghdr *nlh, const struct nlmsghdr *request, char *buf, size_t len)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL }, *attrs;
	const char *name;
	char text[256] = "";
	int attrs_len;

	buf[0] = '\0';
	attrs = error_attrs(nlh, &attrs_len);
	if (!attrs || nla_parse(tb, NLMSGERR_ATTR_MAX, attrs, attrs_len, NULL))
		return;
	if (tb[NLMSGERR_ATTR_MSG])
		nla_strlcpy(text, tb[NLMSGERR_ATTR_MSG], sizeof(text));
	name = attr_at(request, tb[NLMSGERR_ATTR_OFFS]);
	if (name && !strstr(text, name))
		snprintf(buf, len, "%s%s%s", name, *text ? ": " : "", text);
	else
		snprintf(buf, len, "%s", text);
}
