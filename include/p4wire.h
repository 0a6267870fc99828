/* SPDX-License-Identifier: GPL-2.0 OR LGPL-2.1-or-later */
/*
 * p4wire.h - every byte that this project puts on the wire, and the proof of its size.
 *
 * Three groups, all big-endian, all inside IPv4 protocol 146 (Homa):
 *
 *  1. Homa packets (types 0x10..0x18), as every Homa implementation speaks them.
 *  2. Switch transactions (0x20 request, 0x21 reply): one packet is one whole transaction.
 *     Both types have the same layout and the same length; the switch turns a request into its
 *     reply in place. Implementations that do not know these types drop them silently.
 *  3. Allocation messages: the payload of ordinary Homa RPCs to the allocator, port 4001. Who asks
 *     is told by the tenant id that the sender's kernel stamps into DATA, never by the payload.
 *
 * Included by the kernel module, the library, the allocator, the software switch and the tests.
 * The P4 program restates groups 1 and 2; test/unit/switch_p4.c compares the two.
 */
#ifndef P4WIRE_H
#define P4WIRE_H

#include <linux/types.h>

#define P4W_VERSION		1	/* of groups 2 and 3; a mismatch is refused, naming both */
#define P4W_IPPROTO		146
#define P4W_ALLOC_PORT		4001	/* Homa port of the allocator */

/* ---------------------------------------------------------------- 1. Homa packets */

enum p4w_type {
	P4W_DATA	= 0x10,
	P4W_GRANT	= 0x11,
	P4W_RESEND	= 0x12,
	P4W_RPC_UNKNOWN	= 0x13,
	P4W_BUSY	= 0x14,
	P4W_CUTOFFS	= 0x15,
	P4W_FREEZE	= 0x16,
	P4W_NEED_ACK	= 0x17,
	P4W_ACK		= 0x18,
	P4W_TXN		= 0x20,
	P4W_TXN_REPLY	= 0x21,
};

#define P4W_MSG_MAX		1000000	/* bytes in one Homa message */
#define P4W_PRIORITIES		8	/* 0 lowest .. 7 highest */
#define P4W_ACKS_MAX		5	/* entries in one ACK packet */
#define P4W_HOMA_FLAGS		0x06	/* SYN|RST in the TCP view of the header, in every packet */
#define P4W_HOMA_URGENT		0xb97d	/* likewise */
#define P4W_OFFSET_IN_SEQUENCE	0xffffffffu	/* data.offset: the true one is common.sequence */
#define P4W_RESEND_ALL		0xffffffffu	/* resend.length: everything sent so far */

/* The first 28 bytes of every packet; overlays a TCP header so that NICs can segment it. */
struct p4w_common {
	__be16	sport;
	__be16	dport;
	__be32	sequence;	/* DATA: message offset of the first byte; 0 elsewhere */
	__u8	ack[3];		/* 0 */
	__u8	type;		/* enum p4w_type */
	__u8	doff;		/* high nibble: header words a NIC replicates */
	__u8	flags;		/* P4W_HOMA_FLAGS */
	__be16	window;		/* 0 */
	__be16	checksum;
	__be16	urgent;		/* P4W_HOMA_URGENT */
	__be64	sender_id;	/* RPC id as the sender knows it; odd: sent by the server side */
} __attribute__((packed));

struct p4w_ack_entry {
	__be64	client_id;	/* 0: no ack */
	__be16	server_port;
} __attribute__((packed));

struct p4w_data {
	struct p4w_common	common;
	__be32			message_length;
	__be32			incoming;	/* bytes that come without further grants */
	struct p4w_ack_entry	ack;
	__be16			cutoff_version;
	__u8			retransmit;
	__u8			tenant[3];	/* stamped by the sender's kernel; 0: none */
	__be32			offset;		/* of the first data byte, or P4W_OFFSET_IN_SEQUENCE */
} __attribute__((packed));

struct p4w_grant {
	struct p4w_common	common;
	__be32			offset;		/* all bytes below may be sent */
	__u8			priority;
	__u8			resend_all;	/* 0; receivers take 33 bytes too */
} __attribute__((packed));

struct p4w_resend {
	struct p4w_common	common;
	__be32			offset;
	__be32			length;		/* bytes, or P4W_RESEND_ALL */
	__u8			priority;	/* absent in 36-byte packets */
} __attribute__((packed));

struct p4w_cutoffs {
	struct p4w_common	common;
	__be32			cutoffs[P4W_PRIORITIES];
	__be16			version;
} __attribute__((packed));

struct p4w_ack {
	struct p4w_common	common;		/* names one RPC that may be dropped */
	__be16			num_acks;	/* 0..P4W_ACKS_MAX further ones */
	struct p4w_ack_entry	acks[P4W_ACKS_MAX];
} __attribute__((packed));

#define P4W_COMMON_LEN		28
#define P4W_GRANT_MIN		33
#define P4W_RESEND_MIN		36

_Static_assert(sizeof(struct p4w_common) == P4W_COMMON_LEN, "wire layout");
_Static_assert(sizeof(struct p4w_ack_entry) == 10, "wire layout");
_Static_assert(sizeof(struct p4w_data) == 56, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_data, tenant) == 49, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_data, offset) == 52, "wire layout");
_Static_assert(sizeof(struct p4w_grant) == 34, "wire layout");
_Static_assert(sizeof(struct p4w_resend) == 37, "wire layout");
_Static_assert(sizeof(struct p4w_cutoffs) == 62, "wire layout");
_Static_assert(sizeof(struct p4w_ack) == 80, "wire layout");

/* ---------------------------------------------------------------- 2. switch transactions */

#define P4W_INSTRS		8	/* instruction places in a packet, always all there */
#define P4W_MAX_REGISTERS	32	/* register arrays a geometry may have */
#define P4W_MAX_BLOCKS		256	/* blocks a geometry may have */
#define P4W_BLOCK_SLOTS		64	/* unified slots in a block */
#define P4W_BITMAP_BYTES	(P4W_MAX_BLOCKS / 8)
#define P4W_TENANT_MAX		0xffffffu	/* 24 bits; 0 is no tenant */
#define P4W_EPOCH_BITS		40
#define P4W_EPOCH_MAX		((1ull << P4W_EPOCH_BITS) - 1)
#define P4W_SERIAL_SHIFT	24	/* a grant's serials start at epoch << 24: epochs order them */
#define P4W_RETRIES_MAX		8	/* trips a transaction waits for lock bits before CONFLICT */
#define P4W_CONTROL_VERSION	2	/* of the switch's control socket: doc/switch.md */

enum p4w_op {
	P4W_OP_NONE	= 0,	/* unused place */
	P4W_OP_READ	= 1,	/* result = cell */
	P4W_OP_WRITE	= 2,	/* result = cell, cell = operand */
	P4W_OP_ADD	= 3,	/* result = cell, cell += operand, modulo 2^32 */
	P4W_OP_CADD	= 4,	/* as ADD if the sum, as a signed 32-bit number, is >= 0; otherwise the
				 * whole transaction changes nothing: P4W_TXN_ABORT. First pass only. */
	P4W_OP_REFILL	= 5,	/* as ADD; what is then below P4W_REFILL_BELOW gets P4W_REFILL_BY more */
	P4W_OP_CHARGE	= 6,	/* as ADD; one less if that and the sum, see below, are below 0 */
	P4W_OPS_END,		/* one above the last op */
};
#define P4W_REFILL_BELOW	10	/* signed; both as TPC-C has them for its stock */
#define P4W_REFILL_BY		91

/*
 * Flags in op. The sum is that of the results of the P4W_OP_SOURCE instructions at earlier places, in
 * the second pass at all places; so a cell's new value can depend on values read in the same
 * transaction. A register array of the
 * dependent stage, the last ones of a switch, is accessed after all ordinary ones: an instruction of
 * the first pass can use the sum only there, and only if the sources are in ordinary arrays. In the
 * second pass every array will do.
 */
#define P4W_OP_SECOND_PASS	0x80	/* executed on the second trip, under lock bits */
#define P4W_OP_SOURCE		0x40	/* its result counts in the sum; first pass only */
#define P4W_OP_DEPENDENT	0x20	/* the sum is added to its operand (CHARGE: it counts in the test) */
#define P4W_OP_CODE		0x1f	/* enum p4w_op */

enum p4w_txn_status {
	P4W_TXN_OK	  = 0,	/* committed; serial and results are valid */
	P4W_TXN_STALE	  = 1,	/* a block or the flow is not ours (any more): nothing done
				 * now; earlier copies, too, if serial is of the epoch */
	P4W_TXN_CONFLICT  = 2,	/* lock bits stayed taken for P4W_RETRIES_MAX trips: nothing done */
	P4W_TXN_ABORT	  = 3,	/* a CADD would have gone below zero: nothing done */
	P4W_TXN_VERSION	  = 4,	/* not the switch's version, which is in the reply: nothing done */
	P4W_TXN_MALFORMED = 5,	/* unknown op or register, or one that is not allowed in its pass or
				 * stage: nothing done */
};

enum p4w_txn_pass {		/* written and read by the switch only; 0 on the wire */
	P4W_PASS_FIRST	= 0,
	P4W_PASS_RETRY	= 1,	/* first pass again, after a conflict */
	P4W_PASS_SECOND	= 2,
};

/*
 * One instruction. `cell` is the physical unified slot; block = cell / P4W_BLOCK_SLOTS.
 * In one pass each register array is used by at most one instruction; the sender sees to it.
 */
struct p4w_instr {
	__u8	reg;
	__u8	op;		/* enum p4w_op and flags */
	__be16	cell;
	__be32	operand;
	__be32	result;		/* 0 in a request; the cell's value before the instruction */
} __attribute__((packed));

/*
 * Request and reply. The owner word is also what the switch keeps for each block: a transaction
 * is executed only if `home` and every block it names hold exactly this word.
 * `home` is the first physical block of the grant; the tenant's lock word and serial counter live
 * beside its owner word. Flow f remembers (tenant, state, seq): a repeat of a finished transaction
 * is answered from the cache; anything older is dropped, and while one is in progress, everything.
 */
struct p4w_txn {
	struct p4w_common	common;		/* reply: ports swapped, sender_id ^ 1 */
	__u8			version;	/* P4W_VERSION */
	__u8			status;		/* enum p4w_txn_status; 0 in a request */
	__u8			pass;		/* enum p4w_txn_pass; 0 in a request */
	__u8			retries;	/* trips lost to conflicts; 0 in a request */
	__be64			owner;		/* tenant << P4W_EPOCH_BITS | epoch */
	__be32			flow;
	__be32			seq;		/* of this flow, ascending from 1 */
	__be32			lock_check;	/* bits that must be free */
	__be32			lock_acquire;	/* subset of lock_check; held between the two passes;
						 * 0 exactly if there is no second-pass instruction */
	__be16			home;
	__be16			port;		/* switch: where the request came in; 0 in a request */
	__be32			sum;		/* switch: of the first pass's sources; 0 on the wire */
	__be64			serial;		/* reply: commit serial; 0 in a request */
	struct p4w_instr	instr[P4W_INSTRS];
} __attribute__((packed));

_Static_assert(sizeof(struct p4w_instr) == 12, "wire layout");
_Static_assert(sizeof(struct p4w_txn) == 168, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_txn, owner) == 32, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_txn, home) == 56, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_txn, serial) == 64, "wire layout");
_Static_assert(__builtin_offsetof(struct p4w_txn, instr) == 72, "wire layout");

/* What the switch keeps, as its control socket shows it. All cells are 64 bits wide. */
#define P4W_FLOW_TENANT_SHIFT	40	/* flow state: tenant << 40 | state << 32 | seq */
#define P4W_FLOW_STATE_SHIFT	32
#define P4W_FLOW_IDLE		0x00	/* seq finished nothing: any seq above 0 is new */
#define P4W_FLOW_BUSY		0x01	/* seq is between its passes or retrying */
#define P4W_FLOW_DONE		0x80	/* | enum p4w_txn_status: seq is finished, results cached */

/* ---------------------------------------------------------------- 3. allocation messages */

/*
 * Each is a Homa request from a node of a tenant, answered by one response; type | 0x80 marks a
 * response. Requests are idempotent: a node may repeat any of them, and all nodes of a tenant that
 * name the same batch get the same grant.
 *
 *   request   answered by            when
 *   HELLO     WELCOME                at once; batch = the one this node should ask for next
 *   REQUEST   GRANT or RESERVED      at once
 *   WAIT      GRANT                  when the reservation becomes ready
 *   SYNC      SYNCED                 when all nodes of the batch have reached phase `code`
 *   DONE      FREED                  at once; the blocks go when all nodes have said so
 *   LEAVE     LEFT                   at once; the node counts for no later barrier
 *   FETCH     ESCROW                 at once; cells that the allocator drained for the tenant
 *   LOCK_INFO LOCKS                  when all nodes of the batch have sent theirs
 *   LOCK      LOCKED                 when the lock is the sender's, wait_us at most
 *	       CELL                   at once: ask the switch, if the sender may
 *   UNLOCK    UNLOCKED               at once
 *   BUNDLE    BUNDLED                at once; several LOCK and UNLOCK, one behind the other
 *   LOCK_CELLS CELLS                 at once; refused with ORDER while the switch is being told
 *   RESIZE    RESIZED                when all nodes of the batch have sent this step of it
 *   any       REFUSED                at once
 *
 * A type that is not known is refused with TYPE, whose `max` is the last one that is. Types are added
 * without another version; whoever needs a new one can do without it at an old allocator.
 */
enum p4w_msg_type {
	P4W_HELLO	= 0x01,
	P4W_REQUEST	= 0x02,
	P4W_WAIT	= 0x03,
	P4W_SYNC	= 0x04,
	P4W_DONE	= 0x05,
	P4W_LEAVE	= 0x06,
	P4W_FETCH	= 0x07,
	P4W_LOCK_INFO	= 0x08,
	P4W_LOCK	= 0x09,
	P4W_UNLOCK	= 0x0a,
	P4W_BUNDLE	= 0x0b,
	P4W_LOCK_CELLS	= 0x0c,
	P4W_RESIZE	= 0x0d,
	P4W_REQUESTS_END,	/* one above the last request */
	P4W_WELCOME	= 0x81,
	P4W_RESERVED	= 0x82,
	P4W_GRANTED	= 0x83,
	P4W_SYNCED	= 0x84,
	P4W_FREED	= 0x85,
	P4W_LEFT	= 0x86,
	P4W_ESCROW	= 0x87,
	P4W_LOCKS	= 0x88,
	P4W_LOCKED	= 0x89,
	P4W_UNLOCKED	= 0x8a,
	P4W_BUNDLED	= 0x8b,
	P4W_CELLS	= 0x8c,		/* a struct p4w_granted: one block, and flows for the host */
	P4W_CELL	= 0x8d,
	P4W_RESIZED	= 0x8e,
	P4W_REFUSED	= 0x8f,
};

#define P4W_NODES_MAX		64	/* nodes of one tenant */
#define P4W_BATCH_MAX		0x7fffffffu
#define P4W_DURATION_MAX_US	60000000u	/* one minute */
#define P4W_TOGETHER_MAX	64
#define P4W_ESCROW_MAX		1024	/* entries in one ESCROW response */
#define P4W_LOCK_KEYS_MAX	4096	/* keys in LOCK_INFO and LOCKS */
#define P4W_LOCK_NAME_BYTES	16	/* name of a lock of the lock service, padded with 0 */
#define P4W_LOCK_BITS		32	/* of a grant's lock word */
#define P4W_BUNDLE_MAX		64	/* messages in a BUNDLE, and answers in BUNDLED */

enum p4w_phase {
	P4W_PHASE_FILLED = 1,	/* this node's cells are filled: hot may start when all are */
	P4W_PHASE_RAN	 = 2,	/* this node's hot transactions have their replies */
};

enum p4w_resize_step {
	P4W_RESIZE_ASK	 = 1,	/* grow: wanted; shrink: uses only those that are to stay */
	P4W_RESIZE_READY = 2,	/* grow: new ones are filled; shrink: those that go are drained */
};

enum p4w_lock_mode {
	P4W_LOCK_SHARED	   = 1,
	P4W_LOCK_EXCLUSIVE = 2,
};

#define P4W_REQ_DONE	1u	/* REQUEST.code: the node is also DONE with batch - 1 */
#define P4W_LOCK_BY_CELL 0x100u	/* LOCK.code, flag: the sender has CELLS; batch: the id it tried, or 0 */
#define P4W_LOCKED_OFTEN 1u	/* LOCKED.code: LOCK_CELLS would make this lock faster */

struct p4w_msg {		/* the head of every message; HELLO, WAIT, SYNC, DONE, LEAVE, FETCH,
				 * SYNCED, FREED and LEFT consist of it alone */
	__u8	version;	/* P4W_VERSION, checked first */
	__u8	type;		/* enum p4w_msg_type */
	__be16	length;		/* bytes of the whole message */
	__be16	node;		/* 0 .. nodes-1 */
	__be16	nodes;		/* nodes of this tenant, 1 .. P4W_NODES_MAX */
	__be32	batch;		/* 1 .. P4W_BATCH_MAX; 0 in HELLO, UNLOCK, BUNDLE, LOCK_CELLS, mostly in LOCK */
	__be32	code;		/* SYNC: phase; REQUEST: flags; FETCH: first entry wanted, of this
				 * and earlier batches, or their total: all are stored, drop them;
				 * LOCK: enum p4w_lock_mode; RESIZE: enum p4w_resize_step; UNLOCKED: 1 if the lease had ended
				 * before; REFUSED: enum p4w_refusal; else 0 */
} __attribute__((packed));

struct p4w_welcome {
	struct p4w_msg	msg;		/* batch: ask for this one next */
	__be16		registers;	/* register arrays, 1 .. P4W_MAX_REGISTERS */
	__be16		blocks;		/* 1 .. P4W_MAX_BLOCKS */
	__be16		block_slots;	/* P4W_BLOCK_SLOTS */
	__be16		dependent;	/* last register arrays that are the dependent stage, 0: none */
	__be32		flows;		/* most that one node may ask for */
	__be32		lease_max_us;	/* longest duration that may be asked for */
	__be32		grace_us;	/* added to the declared duration before a fence */
	__be32		escrow;		/* entries that FETCH would return */
} __attribute__((packed));

struct p4w_request {
	struct p4w_msg	msg;
	__be32		start_us;	/* from now until the blocks are needed */
	__be32		duration_us;	/* for how long */
	__be16		min_blocks;	/* 1 .. want_blocks: fewer are useless */
	__be16		want_blocks;	/* .. blocks of the geometry: more are useless */
	__be32		flows;		/* transactions this node may have outstanding */
	__be16		nr_hist;	/* entries of hist, 0 .. P4W_MAX_BLOCKS; 0: nothing is known */
	__be16		together;	/* hot accesses of a transaction that gain only if all of them
					 * are there, 0 .. P4W_TOGETHER_MAX; 0, 1: each by itself */
	__be16		hist[];		/* share of all accesses by virtual block, in 1/65536 */
} __attribute__((packed));

enum p4w_why {			/* a reservation is not granted yet */
	P4W_WHY_NONE	= 0,
	P4W_WHY_SWITCH	= 1,	/* the switch cannot be reached */
	P4W_WHY_OVERRAN	= 2,	/* the tenant held much longer than it declares: out for a while */
	P4W_WHY_OWN	= 3,	/* its batch before this one is not over */
	P4W_WHY_START	= 4,	/* it is not needed yet, as was declared */
	P4W_WHY_TURN	= 5,	/* others' reservations come first */
	P4W_WHY_BLOCKS	= 6,	/* too few blocks are free */
	P4W_WHY_FLOWS	= 7,	/* too few flows are free */
	P4W_WHY_WAIT	= 8,	/* none of its nodes has sent WAIT */
};

struct p4w_reserved {
	struct p4w_msg	msg;
	__be64		reservation;
	__be32		wait_us;	/* estimate from now until the grant */
	__be32		ahead;		/* reservations before this one */
	__be16		target;		/* blocks that it should get, as things are */
	__u8		why;		/* enum p4w_why */
	__u8		believed;	/* worth of its histogram that the counters bear out, percent */
} __attribute__((packed));

struct p4w_granted {
	struct p4w_msg	msg;
	__be64		epoch;		/* 1 .. P4W_EPOCH_MAX */
	__be32		flow_first;	/* of this node: flow_first .. flow_first + flow_count - 1 */
	__be32		flow_count;
	__be32		lease_us;	/* from now until the fence, if others wait */
	__be16		nr_blocks;	/* bits set in bitmap */
	__be16		reserved;
	__u8		bitmap[P4W_BITMAP_BYTES];	/* physical block b: bit b % 8 of byte b / 8 */
} __attribute__((packed));

struct p4w_escrow_entry {
	__be32	batch;		/* whose virtual layout `slot` refers to */
	__be16	slot;		/* virtual unified slot */
	__u8	reg;
	__u8	reserved;
	__be32	value;
} __attribute__((packed));

struct p4w_escrow {
	struct p4w_msg		msg;
	__be32			total;	/* entries in the store for this tenant */
	__be32			first;	/* index of entry[0] */
	__be32			count;	/* entries here, 0 .. P4W_ESCROW_MAX */
	struct p4w_escrow_entry	entry[];
} __attribute__((packed));

/*
 * Keys that a node's transactions of this batch have in their second pass. To be sent after REQUEST
 * and before the SYNC of FILLED, by all nodes of the batch or by none.
 */
struct p4w_lock_key {
	__be64	key;
	__be32	count;		/* transactions, at least 1 */
} __attribute__((packed));

struct p4w_lock_info {
	struct p4w_msg		msg;
	__be16			nr_keys;	/* 0 .. P4W_LOCK_KEYS_MAX */
	__be16			reserved;
	struct p4w_lock_key	key[];		/* ascending, each once */
} __attribute__((packed));

/* All nodes of a batch get the same bytes from nr_keys on. A key that is not in it has no bit. */
struct p4w_lock_bit {
	__be64	key;
	__u8	bit;		/* 0 .. bits-1 */
} __attribute__((packed));

struct p4w_locks {
	struct p4w_msg		msg;
	__be16			nr_keys;	/* 0 .. P4W_LOCK_KEYS_MAX */
	__be16			bits;		/* P4W_LOCK_BITS */
	struct p4w_lock_bit	key[];		/* the one with the highest count first */
} __attribute__((packed));

/*
 * Locks by name, of a tenant's nodes among themselves; they have nothing to do with batches. LOCK
 * takes one, or, with the token that it was given, makes its lease longer; after the allocator has
 * restarted it knows of no hold until the holder does that.
 */
struct p4w_lock {		/* LOCK and UNLOCK */
	struct p4w_msg	msg;
	__be64		owner;		/* of the hold: not 0, another one for each hold */
	__be64		token;		/* of the hold; 0 in LOCK: a new one */
	__be32		lease_us;	/* LOCK: 1 .. longest duration; UNLOCK: 0 */
	__be32		wait_us;	/* LOCK: 0 .. P4W_DURATION_MAX_US; UNLOCK: 0 */
	__u8		name[P4W_LOCK_NAME_BYTES];	/* the first byte is not 0 */
} __attribute__((packed));

struct p4w_locked {
	struct p4w_msg	msg;
	__be64		token;		/* ascends with each hold of the lock, over restarts, too */
	__be32		lease_us;
	__be32		waited_us;	/* it runs so long after LOCK has come in; 0: at once */
} __attribute__((packed));

/*
 * While a batch runs, between FILLED and RAN. All nodes take part in both steps. Blocks are added only
 * above those that are there, and the highest ones go, so a virtual block is always the same cells.
 * If the answer to ASK has as many blocks as before, nothing changes, and there is no READY.
 */
struct p4w_resize {
	struct p4w_msg	msg;		/* code: enum p4w_resize_step */
	__be16		blocks;		/* wanted, 1 .. P4W_MAX_BLOCKS */
	__be16		number;		/* of the batch's changes, from 1 */
} __attribute__((packed));

struct p4w_resized {
	struct p4w_msg	msg;
	__be16		nr_blocks;	/* bits set in bitmap */
	__be16		reserved;
	__u8		bitmap[P4W_BITMAP_BYTES];	/* all that the tenant has, when the change is over */
} __attribute__((packed));

/*
 * BUNDLE: a head, and 1 .. P4W_BUNDLE_MAX whole LOCK and UNLOCK messages. BUNDLED: a head, and their
 * answers in the same order. No LOCK waits in it: what is not free at once is refused with BUSY, and
 * may be asked for again by a LOCK of its own.
 */

/*
 * A lock that is free has a cell in the block of CELLS: one unified slot, whose registers say who holds
 * it. It is taken and given back by one transaction each, which do nothing unless the cell is as they
 * expect: CADD x and CADD -x on two registers that hold -x and x succeed together for that x only.
 * The allocator closes a cell by writing P4W_CELL_CLOSED to P4W_CELL_FREE: then it is taken no more.
 */
enum p4w_cell_register {
	P4W_CELL_FREE	   = 0,		/* the id: free; 0: held; below 0: closed */
	P4W_CELL_FREE_NEG  = 1,		/* -id; 0 */
	P4W_CELL_HIGH	   = 2,		/* the holder's owner, high half; 0 */
	P4W_CELL_HIGH_NEG  = 3,
	P4W_CELL_LOW	   = 4,		/* low half */
	P4W_CELL_LOW_NEG   = 5,
	P4W_CELL_TAKEN	   = 6,		/* how often: the holder's token is base + this */
	P4W_CELL_LEASE	   = 7,		/* the holder's, us */
	P4W_CELL_REGISTERS = 8,
};
#define P4W_CELL_CLOSED	   0x80000001u
#define P4W_CELL_ID_MAX	   0x3fffffffu	/* ids are 1 .. this; halves of an owner 1 .. 2^31 - 1 */

struct p4w_cell {
	struct p4w_msg	msg;
	__be16		slot;		/* virtual unified slot in the block of CELLS */
	__be16		reserved;
	__be32		id;		/* of this assignment: no other has it */
	__be64		base;		/* tokens: base + 1 .. base + count */
	__be32		count;
	__be32		lease_us;	/* longest lease that may be written */
	__be64		epoch;		/* of the CELLS that it is in */
} __attribute__((packed));

enum p4w_refusal {
	P4W_REFUSED_VERSION	= 1,	/* got: yours, min = max: ours */
	P4W_REFUSED_LENGTH	= 2,	/* of the message */
	P4W_REFUSED_TYPE	= 3,
	P4W_REFUSED_TENANT	= 4,	/* no tenant stamped, or one the allocator does not know */
	P4W_REFUSED_RANGE	= 5,	/* field out of min .. max */
	P4W_REFUSED_ORDER	= 6,	/* not now: e.g. SYNC without a grant, an old batch */
	P4W_REFUSED_EXPIRED	= 7,	/* the lease ended and the blocks were drained: FETCH;
					 * LOCK: the hold of this token is over */
	P4W_REFUSED_SWITCH	= 8,	/* the switch cannot be reached */
	P4W_REFUSED_STORE	= 9,	/* the store cannot be written */
	P4W_REFUSED_BUSY	= 10,	/* others held the lock for all of wait_us */
	P4W_REFUSED_FULL	= 11,	/* too many locks, or too many wait for this one */
};

struct p4w_refused {
	struct p4w_msg	msg;		/* code: enum p4w_refusal */
	__be32		got;
	__be32		min;
	__be32		max;
	char		field[20];	/* name as in this header, NUL-terminated */
	char		text[64];	/* for people, NUL-terminated */
} __attribute__((packed));

_Static_assert(sizeof(struct p4w_msg) == 16, "wire layout");
_Static_assert(sizeof(struct p4w_welcome) == 40, "wire layout");
_Static_assert(sizeof(struct p4w_request) == 36, "wire layout");
_Static_assert(sizeof(struct p4w_reserved) == 36, "wire layout");
_Static_assert(sizeof(struct p4w_granted) == 72, "wire layout");
_Static_assert(sizeof(struct p4w_escrow_entry) == 12, "wire layout");
_Static_assert(sizeof(struct p4w_escrow) == 28, "wire layout");
_Static_assert(sizeof(struct p4w_lock_key) == 12, "wire layout");
_Static_assert(sizeof(struct p4w_lock_info) == 20, "wire layout");
_Static_assert(sizeof(struct p4w_lock_bit) == 9, "wire layout");
_Static_assert(sizeof(struct p4w_locks) == 20, "wire layout");
_Static_assert(sizeof(struct p4w_lock) == 56, "wire layout");
_Static_assert(sizeof(struct p4w_locked) == 32, "wire layout");
_Static_assert(sizeof(struct p4w_cell) == 48, "wire layout");
_Static_assert(sizeof(struct p4w_resize) == 20, "wire layout");
_Static_assert(sizeof(struct p4w_resized) == 52, "wire layout");
_Static_assert(sizeof(struct p4w_refused) == 112, "wire layout");

#endif /* P4WIRE_H */
