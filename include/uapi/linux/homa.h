/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * homa.h - socket interface of the Homa transport, IP protocol 146.
 *
 * Structures and numbers are those of HomaModule's current API, so programs written for it run
 * unchanged. Additions of this implementation are SO_HOMA_TENANT, SO_HOMA_PEER_TENANT and
 * HOMA_SENDMSG_TXN with its two structures. All fields are in host byte order.
 *
 * sendmsg: msg_name is the destination, msg_control points to struct homa_sendmsg_args while
 *   msg_controllen is 0; returns 0.
 * recvmsg: msg_control points to struct homa_recvmsg_args, msg_controllen is its size; returns the
 *   length of the message, whose bytes are in the region given with SO_HOMA_RCVBUF.
 */
#ifndef _UAPI_LINUX_HOMA_H
#define _UAPI_LINUX_HOMA_H

#include <linux/ioctl.h>
#include <linux/socket.h>
#include <linux/types.h>

#define IPPROTO_HOMA			146

#define HOMA_MAX_MESSAGE_LENGTH		1000000		/* bytes */
#define HOMA_BPAGE_SHIFT		16
#define HOMA_BPAGE_SIZE			(1 << HOMA_BPAGE_SHIFT)
#define HOMA_MAX_BPAGES			16		/* pages one message can use */
#define HOMA_MIN_DEFAULT_PORT		0x8000		/* ports from here on are given automatically */

/* setsockopt, getsockopt: level IPPROTO_HOMA */
#define SO_HOMA_RCVBUF			10	/* struct homa_rcvbuf_args, once a socket */
#define SO_HOMA_SERVER			11	/* int 0 or 1: take incoming requests */
/* u32 tenant id, 0 leaves; EPERM without the right, ENOENT if this network namespace has no such
 * tenant
 */
#define SO_HOMA_TENANT			64
/* int 0 or 1: recvmsg stores the sender's tenant id in `reserved`, then ignored on input */
#define SO_HOMA_PEER_TENANT		65

/* flags of struct homa_sendmsg_args */
#define HOMA_SENDMSG_PRIVATE		1	/* only a recvmsg with this id takes the response */
#define HOMA_SENDMSG_TXN		2	/* the data is a struct homa_txn, see there */

struct homa_sendmsg_args {
	__u64 id;			/* in: 0 = new request, else reply to that one; out: its id */
	__u64 completion_cookie;	/* new requests: given back by recvmsg */
	__u32 flags;
	__u32 reserved;			/* 0 */
};

struct homa_recvmsg_args {
	__u64 id;			/* in: 0 = any shared message, else that private RPC; out: id */
	__u64 completion_cookie;	/* out; 0 for requests */
	__u32 num_bpages;		/* in: pages given back; out: pages of this message */
	__u32 reserved;			/* 0, but see SO_HOMA_PEER_TENANT */
	__u32 bpage_offsets[HOMA_MAX_BPAGES];	/* bytes from the start of the region */
};

struct homa_rcvbuf_args {
	__u64 start;			/* address, page-aligned */
	__u64 length;			/* bytes */
};

struct homa_abort_args {
	__u64 id;			/* 0: all client RPCs of the socket */
	__u32 error;			/* 0: free silently, else errno to complete with */
	__u32 _pad1;			/* 0 */
	__u64 _pad2[2];			/* 0 */
};

#define HOMA_RPC_BUF_STALL		1
#define HOMA_RPC_PRIVATE		2
#define HOMA_RPC_RX_READY		4
#define HOMA_RPC_RX_COPY		8

struct homa_rpc_info {
	__u64 id;
	struct __kernel_sockaddr_storage peer;
	__u64 completion_cookie;
	__s32 tx_length;		/* -1: nothing to send */
	__u32 tx_sent;
	__u32 tx_granted;
	__u32 tx_prio;
	__s32 rx_length;		/* -1: nothing received yet */
	__u32 rx_remaining;
	__u32 rx_gaps;
	__u32 rx_gap_bytes;
	__u32 rx_granted;
	__u16 flags;
	__u16 _pad;
};

struct homa_info {
	__u64 rpc_info;			/* address of an array of struct homa_rpc_info */
	__u64 rpc_info_length;		/* its size in bytes */
	__u64 bpool_avail_bytes;
	__u32 port;
	__u32 num_rpcs;			/* total, even if the array is shorter */
	char error_msg[104];		/* why a call on this socket failed last, or empty */
};

#define HOMAIOCINFO			_IOWR('h', 0x90, struct homa_info)
#define HOMAIOCABORT			_IOWR('h', 0x91, struct homa_abort_args)
#define HOMAIOCFREEZE			_IO('h', 0x92)	/* accepted, does nothing */

/*
 * Switch transactions. A socket that has joined a tenant sends one with sendmsg, flag
 * HOMA_SENDMSG_TXN, id 0, and a struct homa_txn as data; msg_name is ignored, the allocator's
 * address of the netlink policy is used. The kernel translates virtual slots to physical cells by
 * the tenant's bitmap, stamps tenant, epoch, flow and sequence number, and retransmits. recvmsg
 * completes it like a response: id, cookie, and a message that is a struct homa_txn_result.
 *
 * Errors of sendmsg:
 *   EINVAL  wrong length; count, space, register, op or reserved field out of range; two instructions of
 *           one pass on one register; lock_acquire not in lock_check, or not exactly given with
 *           second-pass instructions; a CADD or a source in the second pass
 *   ENOTCONN the socket has joined no tenant
 *   EDESTADDRREQ the policy names no allocator address
 *   ESTALE  the tenant has no allocation here, or epoch is neither 0 nor the current one
 *   ERANGE  a slot lies outside of the allocated blocks
 *   EAGAIN, EINTR all flows, the tenant's MAX_RPCS or the send buffer are in use: with MSG_DONTWAIT
 *           / signal while waiting
 *   ESHUTDOWN the socket is shut down
 * Errors of recvmsg: ETIMEDOUT no reply came, ECANCELED the allocation was replaced meanwhile,
 *   ESTALE it was sent more than once, and the switch, which may have restarted between, refused
 *   the later one; in all these cases it is unknown whether the transaction took effect.
 */
#define HOMA_TXN_MAX_INSTRS		8

/* What the tenant holds for its batch, and the block that it has besides for cells of locks. */
enum homa_txn_space {
	HOMA_TXN_BATCH			= 0,
	HOMA_TXN_LOCKS			= 1,
	HOMA_TXN_SPACES			= 2,
};

struct homa_txn_instr {
	__u8  reg;			/* register array */
	__u8  op;			/* enum p4w_op of p4wire.h, and its flags */
	__u16 slot;			/* virtual: 64 * virtual block + slot in block */
	__u32 operand;
};

struct homa_txn {
	__u64 epoch;			/* that the caller planned with; 0: whichever is current */
	__u32 lock_check;
	__u32 lock_acquire;
	__u8  count;			/* 1 .. HOMA_TXN_MAX_INSTRS */
	__u8  space;			/* enum homa_txn_space */
	__u8  reserved[6];		/* 0 */
	struct homa_txn_instr instr[HOMA_TXN_MAX_INSTRS];	/* beyond count: 0 */
};

struct homa_txn_result {
	__u64 serial;			/* commit serial, if status is P4W_TXN_OK */
	__u64 epoch;			/* that it was executed (or refused) under */
	__u8  status;			/* enum p4w_txn_status */
	__u8  retries;
	__u8  count;
	__u8  reserved[5];
	__u32 result[HOMA_TXN_MAX_INSTRS];
};

#endif /* _UAPI_LINUX_HOMA_H */
