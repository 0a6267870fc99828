/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - what the nodes of one tenant say to each other: requests and their answers.
 *
 * Each node serves its peers from a thread of its own (peer_serve.c) and asks them from its main
 * thread (peer_ask.c). All numbers are big-endian. A request carries releases of earlier
 * transactions along; they are carried out first.
 */
#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "store.h"

#define PEER_VERSION	2
#define PEER_NODES_MAX	64
#define PEER_CALLS	16		/* requests of one node that may be outstanding */
#define PEER_RELEASES	64		/* in one request */
#define PEER_COUNTS_MAX	256		/* in one request */
#define PEER_UNDO	0x80000000u	/* flag in a release: undo; clear: commit */

enum peer_type {
	PEER_HELLO = 1,			/* are you there, and of the same mind? */
	PEER_ACCESS = 2,		/* lock and execute; arg: transaction, value: sum of sources */
	PEER_RELEASE = 3,		/* releases only */
	PEER_ROUND = 4,			/* arg: round, value: transactions left at its end */
	PEER_BYE = 5,			/* no request will follow */
	PEER_COUNTS = 6,		/* arg: round, value: how many in all; ops: key, count, flags */
	PEER_ANSWER = 0x80,
};

enum peer_code {			/* of an answer; up to 4: enum store_verdict */
	PEER_OK = STORE_OK,
	PEER_LOCKED = STORE_LOCKED,
	PEER_IN_SWITCH = STORE_IN_SWITCH,
	PEER_FOREIGN = STORE_FOREIGN,
	PEER_ABORT = STORE_ABORT,
	PEER_BAD_VERSION = 16,
	PEER_BAD_TENANT = 17,		/* the message is stamped with another tenant, or none */
	PEER_BAD_SHAPE = 18,		/* nodes, keys or the sender's number differ from ours */
	PEER_MALFORMED = 19,
};

struct peer_head {
	uint8_t version, type;
	uint8_t code;			/* answers: enum peer_code */
	uint8_t reserved;
	uint16_t node, nodes;
	uint16_t releases, ops;		/* entries that follow; answers: ops results */
	uint32_t keys, arg, value;
} __attribute__((packed));

struct peer_op {			/* behind the releases, which are uint32_t */
	uint32_t key, operand;
	uint8_t kind, reserved[3];
} __attribute__((packed));

struct peer_result {			/* behind the head of an answer */
	uint32_t got, version;
	uint64_t epoch;
} __attribute__((packed));

_Static_assert(sizeof(struct peer_head) == 24, "layout");
_Static_assert(sizeof(struct peer_op) == 12, "layout");
_Static_assert(sizeof(struct peer_result) == 16, "layout");

/* Who we are; the same in all parts of a node. */
struct peer_self {
	uint32_t tenant, keys;
	unsigned int node, nodes;
};

const char *peer_code_text(unsigned int code);

/* The name that a store gives to a transaction of a node. */
static inline uint64_t peer_txn(unsigned int node, uint32_t number)
{
	return (uint64_t)node << 32 | number;
}

/* ------------------------------------------------------------------ serving */

struct peer_server;

/* Starts the thread; link and store must outlive it. */
struct peer_server *peer_serve_start(const struct peer_self *self, struct link *link,
				     struct store *store);
void peer_serve_stop(struct peer_server *s);

/* Waits for all peers' PEER_ROUND of this round and adds up what they have left; -ETIMEDOUT. */
int64_t peer_serve_round(struct peer_server *s, uint32_t round, int timeout_ms);

/* Waits for all of a peer's PEER_COUNTS of a round: how many, or -ETIMEDOUT; theirs until its next. */
int64_t peer_serve_counts(struct peer_server *s, unsigned int node, uint32_t round,
			  const struct p4a_key_count **kc, int timeout_ms);

/* Waits for all peers' PEER_BYE. */
int peer_serve_byes(struct peer_server *s, int timeout_ms);

/* ------------------------------------------------------------------ asking */

struct peer_client;

struct peer_done {			/* a finished PEER_ACCESS */
	void *user;
	unsigned int node;
	enum store_verdict verdict;
	unsigned int n;
	struct store_result results[TRACE_OPS_MAX];
};

struct peer_client *peer_client_new(const struct peer_self *self, struct link *link,
				    const struct sockaddr_in *addr);
void peer_client_free(struct peer_client *c);

/* Free places for peer_access(). */
unsigned int peer_client_room(const struct peer_client *c);

/*
 * All below: 0 or more, or -errno. A peer that refuses or fails is the end: peer_client_error() says
 * why. There must be room.
 */
int peer_access(struct peer_client *c, unsigned int node, uint32_t txn, const struct trace_op *ops,
		unsigned int n, uint32_t sum, void *user);
int peer_next(struct peer_client *c, struct peer_done *done, int timeout_ms);	/* 1 or 0 */
int peer_release(struct peer_client *c, unsigned int node, uint32_t txn, bool undo);
int peer_flush(struct peer_client *c);		/* sends all releases, waits for their answers */
int peer_tell(struct peer_client *c, enum peer_type type, uint32_t arg, uint32_t value);
int peer_tell_counts(struct peer_client *c, uint32_t round, const struct p4a_key_count *kc, uint32_t n);
int peer_greet(struct peer_client *c, int timeout_ms);	/* until all peers are there */
const char *peer_client_error(const struct peer_client *c);

#endif /* PEER_H */
