/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * p4alloc.h - the generic netlink family "p4alloc", version 1. This comment is its manual.
 *
 * The kernel keeps, per network namespace: the tenants of this host, the geometry of the switch,
 * the policy (where the allocator is, limits), and for each tenant the allocation it holds now. The
 * state outlives the programs that set it. Changes are multicast to the group "events".
 *
 * "admin" = CAP_NET_ADMIN in the initial user namespace. "user" = a process that may use the
 * tenant: its fsuid is the tenant's UID, its fsgid or one of its groups is the tenant's GID, or it
 * is admin.
 * Every do-request is answered by an ack or an error with an extended-ack message that names the
 * attribute and its range: ERANGE for a value out of it, EINVAL for one that is missing, of a wrong
 * type, or of another command. A failed request changes nothing. Unknown attributes are refused.
 *
 * P4A_CMD_TENANT_SET (admin): create a tenant or change the attributes that are given
 *    P4A_A_TENANT_ID:		u32, 1 .. 0xffffff, required
 *    P4A_A_TENANT_NAME:	string, 1 .. 31 bytes of [A-Za-z0-9._-]; default "tenant<ID>"
 *    P4A_A_TENANT_UID:		u32, who may use it; absent on create: nobody by uid
 *    P4A_A_TENANT_GID:		u32, likewise by group
 *    P4A_A_TENANT_WEIGHT:	u32, 1 .. 1000, default 100: share of pacing, grants and blocks
 *    P4A_A_TENANT_MIN_BLOCKS:	u32, 0 .. 256, default 0: guaranteed
 *    P4A_A_TENANT_MAX_BLOCKS:	u32, 1 .. 256, default 256, >= MIN_BLOCKS
 *    P4A_A_TENANT_MAX_RPCS:	u32, 0 .. 2147483647, 0 = no limit (default): client RPCs and
 *				switch transactions alive on this host
 *    P4A_A_FLAGS:		u32, P4A_F_CREATE_ONLY (EEXIST), P4A_F_MODIFY_ONLY (ENOENT);
 *				another bit: EINVAL
 * P4A_CMD_TENANT_DEL (admin): P4A_A_TENANT_ID, required
 *    ENOENT; EBUSY while sockets are joined.
 * P4A_CMD_TENANT_GET (anybody): do with P4A_A_TENANT_ID, or dump. Answers with all attributes of
 *    TENANT_SET except FLAGS, and P4A_A_TENANT_SOCKETS: u32, joined sockets.
 *
 * P4A_CMD_GEOMETRY_SET (admin): all but the last required
 *    P4A_A_GEO_REGISTERS:	u32, 1 .. 32, register arrays
 *    P4A_A_GEO_BLOCKS:		u32, 1 .. 256, blocks of 64 unified slots
 *    P4A_A_GEO_FLOWS:		u32, 1 .. 65536, flow entries of the switch
 *    P4A_A_GEO_DEPENDENT:	u32, 0 .. REGISTERS - 1, default 0: the last register arrays, which are
 *				the switch's dependent stage; 0: layouts make no use of it
 *    EBUSY while a tenant of this namespace holds an allocation.
 * P4A_CMD_GEOMETRY_GET (anybody): the same; ENODATA if it was never set.
 *
 * P4A_CMD_POLICY_SET (admin): changes the attributes that are given
 *    P4A_A_POL_ALLOC_ADDR:	u32, IPv4 address of the allocator, network order; 0 = none
 *    P4A_A_POL_ALLOC_PORT:	u16, host order, 1 .. 32767, default 4001
 *    P4A_A_POL_LEASE_MAX_US:	u32, 1000 .. 60000000, default 2000000
 *    P4A_A_POL_GRACE_US:	u32, 0 .. 60000000, default 100000
 * P4A_CMD_POLICY_GET (anybody): all of them.
 *
 * P4A_CMD_ALLOC_SET (user): what the tenant holds from now on in this namespace. Replaces the
 *    allocation before it; transactions outstanding under the old epoch end with ECANCELED. The
 *    same allocation again changes nothing; with another bitmap that has the same first block it
 *    is the tenant's from then on, and nothing outstanding is touched: EINVAL, unless blocks are
 *    added only above the highest, or taken only from the top, so that no slot is another cell.
 *    P4A_A_TENANT_ID:		u32, required
 *    P4A_A_ALLOC_EPOCH:	u64, required; 1 .. 2^40-1, or 0 = holds nothing (others ignored)
 *    P4A_A_ALLOC_BITMAP:	binary, 32 bytes; block b is bit b % 8 of byte b / 8; at least one bit,
 *				none at or above the geometry's blocks
 *    P4A_A_ALLOC_FLOW_FIRST:	u32
 *    P4A_A_ALLOC_FLOW_COUNT:	u32, 1 .. 4096; FIRST + COUNT <= the geometry's flows
 *    P4A_A_ALLOC_SPACE:	u32, which of two that a tenant has besides each other: 0, the default:
 *				of its batch; 1: a block with cells of locks. Epochs, flows and what
 *				is replaced are of that one alone; but where both would have a flow,
 *				the one of the lower epoch is over.
 *    ENODATA without a geometry; ESTALE if the epoch is below the current one, or not above that of
 *    the other space, which has some of the flows; EPERM.
 *    It is not trusted: the owner word of each block in the switch decides.
 * P4A_CMD_ALLOC_GET (anybody): do with P4A_A_TENANT_ID and P4A_A_ALLOC_SPACE (0), or dump (tenants
 *    that hold something for a batch). TENANT_ID, the five above, P4A_A_ALLOC_OUTSTANDING: u32
 *    transactions in flight (of both spaces), and u64 counters since the tenant was created: P4A_A_ALLOC_TXNS, P4A_A_ALLOC_STALE,
 *    P4A_A_ALLOC_CONFLICT, P4A_A_ALLOC_ABORT, P4A_A_ALLOC_TIMEOUT.
 *
 * P4A_CMD_STATS_GET (anybody): dump; one message a counter of the namespace:
 *    P4A_A_STAT_NAME: string, P4A_A_STAT_VALUE: u64, P4A_A_STAT_HELP: string.
 *
 * P4A_CMD_RPC_GET (anybody): dump; one message an RPC of the namespace that is alive: of all
 *    sockets for CAP_NET_ADMIN in the namespace's user namespace, else of those of the caller's uid.
 *    RPCs that come or go meanwhile may be missing or come twice.
 *    P4A_A_RPC_ID:		u64, as this host knows it: even if it is the client, else odd
 *    P4A_A_RPC_STATE:		u32, enum p4a_rpc_state
 *    P4A_A_RPC_PEER:		binary, 16 bytes: IPv6 address, an IPv4 one mapped
 *    P4A_A_RPC_PEER_PORT:	u16, host order
 *    P4A_A_RPC_PORT:		u16, of our socket
 *    P4A_A_RPC_UID:		u32, of our socket
 *    P4A_A_TENANT_ID:		u32, that of the client, 0 = none
 *    P4A_A_RPC_TX_LENGTH:	u32, bytes of the message that we send, 0: none yet
 *    P4A_A_RPC_TX_SENT:	u32
 *    P4A_A_RPC_TX_GRANTED:	u32, what may be sent
 *    P4A_A_RPC_RX_LENGTH:	u32, bytes of the message that we get, 0: nothing has come
 *    P4A_A_RPC_RX_RECEIVED:	u32
 *    P4A_A_RPC_RX_GRANTED:	u32, what we have asked for
 *    P4A_A_RPC_AGE_MS:		u32, since it began here
 *    P4A_A_RPC_SILENCE_MS:	u32, since anything came from the peer
 *    P4A_A_RPC_FLAGS:		u32, P4A_RPC_F_*
 *
 * Events: TENANT_NTF, TENANT_DEL_NTF (ID only), GEOMETRY_NTF, POLICY_NTF, ALLOC_NTF carry what the
 *    GET of the same name answers. In dumps, NLM_F_DUMP_INTR says that state changed meanwhile.
 */
#ifndef _UAPI_LINUX_P4ALLOC_H
#define _UAPI_LINUX_P4ALLOC_H

#define P4A_GENL_NAME		"p4alloc"
#define P4A_GENL_VERSION	1
#define P4A_GENL_MCGRP		"events"

#define P4A_TENANT_NAME_MAX	31	/* bytes without the NUL */

enum p4a_cmd {
	P4A_CMD_UNSPEC,
	P4A_CMD_TENANT_SET,
	P4A_CMD_TENANT_DEL,
	P4A_CMD_TENANT_GET,
	P4A_CMD_GEOMETRY_SET,
	P4A_CMD_GEOMETRY_GET,
	P4A_CMD_POLICY_SET,
	P4A_CMD_POLICY_GET,
	P4A_CMD_ALLOC_SET,
	P4A_CMD_ALLOC_GET,
	P4A_CMD_STATS_GET,
	P4A_CMD_TENANT_NTF,
	P4A_CMD_TENANT_DEL_NTF,
	P4A_CMD_GEOMETRY_NTF,
	P4A_CMD_POLICY_NTF,
	P4A_CMD_ALLOC_NTF,
	P4A_CMD_RPC_GET,
	__P4A_CMD_MAX,
	P4A_CMD_MAX = __P4A_CMD_MAX - 1
};

enum p4a_attr {
	P4A_A_UNSPEC,
	P4A_A_PAD,
	P4A_A_FLAGS,
	P4A_A_TENANT_ID,
	P4A_A_TENANT_NAME,
	P4A_A_TENANT_UID,
	P4A_A_TENANT_GID,
	P4A_A_TENANT_WEIGHT,
	P4A_A_TENANT_MIN_BLOCKS,
	P4A_A_TENANT_MAX_BLOCKS,
	P4A_A_TENANT_MAX_RPCS,
	P4A_A_TENANT_SOCKETS,
	P4A_A_GEO_REGISTERS,
	P4A_A_GEO_BLOCKS,
	P4A_A_GEO_FLOWS,
	P4A_A_POL_ALLOC_ADDR,
	P4A_A_POL_ALLOC_PORT,
	P4A_A_POL_LEASE_MAX_US,
	P4A_A_POL_GRACE_US,
	P4A_A_ALLOC_EPOCH,
	P4A_A_ALLOC_BITMAP,
	P4A_A_ALLOC_FLOW_FIRST,
	P4A_A_ALLOC_FLOW_COUNT,
	P4A_A_ALLOC_OUTSTANDING,
	P4A_A_ALLOC_TXNS,
	P4A_A_ALLOC_STALE,
	P4A_A_ALLOC_CONFLICT,
	P4A_A_ALLOC_ABORT,
	P4A_A_ALLOC_TIMEOUT,
	P4A_A_STAT_NAME,
	P4A_A_STAT_VALUE,
	P4A_A_STAT_HELP,
	P4A_A_RPC_ID,
	P4A_A_RPC_STATE,
	P4A_A_RPC_PEER,
	P4A_A_RPC_PEER_PORT,
	P4A_A_RPC_PORT,
	P4A_A_RPC_UID,
	P4A_A_RPC_TX_LENGTH,
	P4A_A_RPC_TX_SENT,
	P4A_A_RPC_TX_GRANTED,
	P4A_A_RPC_RX_LENGTH,
	P4A_A_RPC_RX_RECEIVED,
	P4A_A_RPC_RX_GRANTED,
	P4A_A_RPC_AGE_MS,
	P4A_A_RPC_SILENCE_MS,
	P4A_A_RPC_FLAGS,
	P4A_A_GEO_DEPENDENT,
	P4A_A_ALLOC_SPACE,
	__P4A_A_MAX,
	P4A_A_MAX = __P4A_A_MAX - 1
};

#define P4A_F_CREATE_ONLY	(1u << 0)
#define P4A_F_MODIFY_ONLY	(1u << 1)

enum p4a_rpc_state {
	P4A_RPC_OUTGOING = 1,	/* client: no byte of the response yet; server: response on its way */
	P4A_RPC_INCOMING,	/* client: the response, server: the request is coming or waits */
	P4A_RPC_IN_SERVICE,	/* server: a program has the request */
};

#define P4A_RPC_F_PRIVATE	(1u << 0)
#define P4A_RPC_F_NO_BUFFER	(1u << 1)	/* waits for room in the receive buffer */
#define P4A_RPC_F_READY		(1u << 2)	/* recvmsg can have it, message or error */

#endif /* _UAPI_LINUX_P4ALLOC_H */
