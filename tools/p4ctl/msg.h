/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg.h - the messages of the netlink family "p4alloc" as plain structures, and back.
 *
 * Pure: works on message buffers, never on sockets. A structure starts with `have`, in which bit i
 * says that member i of its field table is present; only those are sent, and after decoding only
 * those are valid.
 */
#ifndef P4CTL_MSG_H
#define P4CTL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/p4alloc.h>
#include <netlink/msg.h>

#include "diag.h"

#define MSG_BITMAP_BYTES	32
#define MSG_NOBODY		UINT32_MAX	/* uid or gid that nobody has */

struct tenant {
	uint32_t have, id, uid, gid, weight, min_blocks, max_blocks, max_rpcs, sockets;
	char name[P4A_TENANT_NAME_MAX + 1];
};

struct geometry {
	uint32_t have, registers, blocks, flows, dependent;
};

struct policy {
	uint32_t have, addr, lease_max_us, grace_us;	/* addr: network order */
	uint16_t port;
};

struct alloc {
	uint32_t have, id, flow_first, flow_count, outstanding;
	uint64_t epoch, txns, stale, conflict, abort, timeout;
	uint8_t bitmap[MSG_BITMAP_BYTES];
};

struct stat_entry {
	uint32_t have;
	uint64_t value;
	char name[64];
	char help[128];
};

struct rpc_entry {
	uint32_t have, state, uid, tenant, tx_length, tx_sent, tx_granted, rx_length, rx_received,
		 rx_granted, age_ms, silence_ms, flags;	/* P4A_RPC_F_* */
	uint64_t id;
	uint16_t peer_port, port;
	uint8_t peer[16];
};

enum field_type { FIELD_U16, FIELD_U32, FIELD_U64, FIELD_STRING, FIELD_BINARY };

struct field {
	uint16_t attr;
	enum field_type type;
	size_t offset, size;
	const char *name;		/* in JSON */
};

/* Each ends with an entry without a name. */
extern const struct field tenant_fields[], geometry_fields[], policy_fields[], alloc_fields[],
			  stat_fields[], rpc_fields[];

/* The bit in `have` of the field that carries this attribute. */
uint32_t msg_bit(const struct field *fields, uint16_t attr);

static inline bool msg_has(const void *rec, const struct field *fields, uint16_t attr)
{
	return *(const uint32_t *)rec & msg_bit(fields, attr);
}

/* A request with the fields that `rec` has; rec and fields may be NULL. NULL: no memory. */
struct nl_msg *msg_build(int family, int flags, enum p4a_cmd cmd, const struct field *fields,
			 const void *rec);
int msg_put_flags(struct nl_msg *msg, uint32_t flags);

/* The command of a message; for decode. -1: not a well-formed message of this family. */
int msg_command(struct nlmsghdr *nlh, struct diag *d);
int msg_decode(struct nlmsghdr *nlh, const struct field *fields, void *rec, size_t size,
	       struct diag *d);

/* What the kernel says about a refused request: its text, if any, and the attribute that it points
 * to in `request` (may be NULL). buf is "" if it says nothing. */
void msg_extack(struct nlmsghdr *nlh, const struct nlmsghdr *request, char *buf, size_t len);

/* "TENANT_WEIGHT"; NULL: not one of ours */
const char *msg_attr_name(unsigned int attr);

#endif /* P4CTL_MSG_H */
