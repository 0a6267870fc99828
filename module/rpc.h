/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rpc.h - one request and its response, as this host sees them: states, lookup, birth and death.
 */
#ifndef P4HOMA_RPC_H
#define P4HOMA_RPC_H

#include <linux/bits.h>
#include <linux/homa.h>
#include <linux/list_nulls.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "gaps.h"
#include "grant.h"
#include "pacer.h"
#include "send.h"
#include "sock.h"
#include "timer.h"
#include "waits.h"

struct homa_peer;
struct homa_tenant;

enum homa_state {
	HOMA_NEW,		/* not in the tables yet */
	HOMA_OUTGOING,		/* client: no byte of the response yet; server: response out */
	HOMA_INCOMING,		/* client: response, server: request, coming or ready */
	HOMA_IN_SERVICE,	/* server: request handed to a program */
	HOMA_DEAD,		/* unlinked; memory goes with the last reference */
	HOMA_NR_STATES,
};

/* The message that comes. rpc->lock. */
struct homa_msg_in {
	u32 bpage_offsets[HOMA_MAX_BPAGES];	/* first: need not be zero at birth */
	u32 length;		/* 0: no packet has come */
	u32 incoming;		/* first packet: bytes that come without grants */
	u32 received;		/* different bytes that have come */
	u32 kept;		/* memory of `packets`, in bytes */
	u32 nr_bpages;		/* of bpage_offsets, of the pool; 0 once they are the program's */
	int promised;		/* rmem.c: bytes of memory for what is to come; 0 if it is short */
	int ifindex;		/* of the device that the first packet came in by */
	bool stalled;		/* waits for room in the pool; its packets are dropped */
	bool repeated;		/* some of it came because we had asked */
	bool is_doubtful;	/* request: its client must say that it still waits for the response */
	bool was_asked_for;	/* request: its first packet to come had been asked for */
	struct homa_gaps gaps;
	struct sk_buff_head packets;	/* in order of arrival, see struct homa_skb_range */
};

/* skb->cb of a queued packet: bytes of the message that are taken from it. */
struct homa_skb_range {
	u32 start;		/* in the message */
	u32 len;
	u32 skip;		/* bytes of the skb before them */
};

struct homa_rpc {
	/* These never change after birth, but for what a client knows only when it begins to send. */
	u64 id;			/* even: we are the client, 0: without an id yet */
	u64 cookie;
	struct homa_sock *hsk;	/* reference */
	struct homa_net *net;
	struct homa_peer *peer;	/* reference */
	union {
		struct in6_addr saddr;	/* our address */
		struct rcu_head rcu;	/* after the last reference */
	};
	u16 dport;
	bool is_private;
	u32 tenant_id;		/* stamped into DATA that we send */
	struct homa_tenant *tenant;	/* client, or NULL: reference and charge */
	unsigned long born;	/* jiffies when it became known */

	refcount_t refs;	/* tables, ready queue, pool wait list, users */
	u32 peer_tenant;	/* stamped in the DATA that came; lock */
	struct hlist_nulls_node by_id;	/* lock of its chain, RCU */
	struct hlist_node in_sock;	/* hsk->rpcs_lock */
	struct rb_node in_stalled;	/* hsk->lock: hsk->stalled, holds a reference */
	struct homa_done done;		/* done.link under hsk->lock */

	spinlock_t lock;	/* BH; guards what follows */
	enum homa_state state;	/* homa_rpc_move() alone writes it */

	/* From in.length to out.mem.small all is zero at birth. */
	struct homa_msg_in in;
	bool is_complete;	/* message here, or error set: nothing more is taken from the net */
	bool is_taken;		/* a reader has it in hand */
	bool is_handed;		/* server: a program has got the request */
	int error;		/* negative errno for the program */

	struct homa_silence silence;	/* timer.c */
	struct homa_wait wait;		/* waits.c */

	struct homa_grant grant;	/* grants->lock, see grant.c */
	struct homa_pacing pacing;	/* pacer->lock, see pacer.c */
	struct homa_msg_out out;	/* last: what it may hold is not cleared */
};

static inline bool homa_rpc_is_client(const struct homa_rpc *rpc)
{
	return !(rpc->id & 1);
}

static inline void homa_rpc_get(struct homa_rpc *rpc)
{
	refcount_inc(&rpc->refs);
}

void homa_rpc_put(struct homa_rpc *rpc);

int homa_rpcs_init(void);
void homa_rpcs_exit(void);
int homa_rpcs_net_init(struct homa_net *hn);
void homa_rpcs_net_exit(struct homa_net *hn);

/* With a reference, or NULL. `hsk` must be the owner; peer NULL: any. Takes no lock. */
struct homa_rpc *homa_rpc_find(struct homa_sock *hsk, u64 id, const struct in6_addr *peer);
/* The same for a caller in an RCU read-side section. */
struct homa_rpc *homa_rpc_find_rcu(struct homa_sock *hsk, u64 id, const struct in6_addr *peer);

/* A place in the order of all RPCs of a namespace: by chain, id, and address, since clients may have the
 * same ids. All zero: before the first.
 */
struct homa_rpc_cursor {
	u32 chain;
	u64 id;
	const struct homa_rpc *rpc;	/* only compared: it may be gone */
};

/* The one after *at, which moves on, with a reference; NULL: there is none. Who is there all the time
 * comes once. Process context.
 */
struct homa_rpc *homa_rpc_next(struct homa_net *hn, struct homa_rpc_cursor *at);

/* What is needed to begin one. The RPC takes over the references of peer and tenant if and only if
 * it is made.
 */
struct homa_rpc_birth {
	u64 id;
	u64 cookie;
	struct homa_peer *peer;
	struct in6_addr saddr;
	u16 dport;
	bool is_private;
	struct homa_tenant *tenant;
	u32 tenant_id;
	gfp_t gfp;
};

/* A new RPC in state NEW, unknown to all others, or an ERR_PTR. ESHUTDOWN: the socket has no reference
 * left.
 */
struct homa_rpc *homa_rpc_alloc(struct homa_sock *hsk, const struct homa_rpc_birth *birth);
/* Makes it known and moves it to `first`. rpc->lock is held. ESHUTDOWN, EEXIST: only
 * homa_rpc_put() is left to do.
 */
int homa_rpc_insert(struct homa_rpc *rpc, enum homa_state first);

bool homa_state_may(enum homa_state from, enum homa_state to, bool is_client);
void homa_rpc_move(struct homa_rpc *rpc, enum homa_state to);

/* These want rpc->lock. */
void homa_rpc_end(struct homa_rpc *rpc);		/* to DEAD; may be called again */
/* A reader may have it now. Who is returned, or NULL, the caller wakes, with rpc->lock free again and
 * bottom halves still off.
 */
struct task_struct *homa_rpc_complete(struct homa_rpc *rpc, int error);
void homa_rpc_fail(struct homa_rpc *rpc, int error);	/* the same, and wakes the reader */

/* Ends a client RPC that a program has got the result of, or has given up: its server may forget
 * it. No lock is held, bottom halves are off.
 */
void homa_rpc_finish_client(struct homa_rpc *rpc);

/* All RPCs of a socket that is shut down. */
void homa_rpc_end_all(struct homa_sock *hsk);

/* Calls it for each RPC, with a reference, under RCU. May sleep in between. */
void homa_rpcs_visit(struct homa_net *hn, void (*visit)(struct homa_rpc *rpc));

#endif /* P4HOMA_RPC_H */
