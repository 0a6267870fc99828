/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sock.h - Homa sockets: ports, what is ready for recvmsg, and options.
 *
 * A socket is found by its port under RCU and freed one grace period after its last reference.
 * RPCs and transactions hold a reference each.
 */
#ifndef P4HOMA_SOCK_H
#define P4HOMA_SOCK_H

#include <linux/in.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <net/inet_sock.h>

#include "fifo.h"
#include "net.h"
#include "packet.h"
#include "ready.h"

struct homa_pool;
struct homa_recvmsg_args;
struct homa_rpc;
struct homa_tenant;

/*
 * A message, or an error, that recvmsg hands out. Whoever makes one fills everything but `link`,
 * gives it to homa_sock_complete(), and gets it back through release(): after recvmsg has copied
 * the data, or when the socket goes. release() may run in softirq and with no lock held.
 */
struct homa_done {
	struct hlist_node link;	/* in the ready queue, or hlist_unhashed() */
	struct homa_rpc *rpc;	/* the message is that RPC's; NULL: it is in a struct homa_done_own */
	void (*release)(struct homa_done *done);
	bool is_long;		/* more than a buffer page, or the answer to such: is no hurry */
};

struct homa_done_own {
	struct homa_done done;
	u64 id;
	u64 cookie;
	int error;		/* 0 or a negative errno, then there is no data */
	u32 len;		/* bytes at data, 1 .. HOMA_DONE_MAX */
	const void *data;
	struct in6_addr peer;	/* see addr.h */
	u16 port;		/* of the peer */
};

#define HOMA_DONE_MAX	256

struct homa_sock {
	struct inet_sock inet;		/* first: the kernel's view of the socket */
	struct homa_net *net;
	u16 port;			/* ports->lock; read without it */
	bool is_server;			/* takes requests; racy: it decides on new ones only */
	bool peer_tenant;		/* SO_HOMA_PEER_TENANT */
	struct hlist_node port_link;	/* ports->lock, RCU */

	const char *error;		/* why a call failed last, a constant, or NULL; racy */
	atomic64_t wmem;		/* bytes of messages held for sending */
	struct sk_buff_head held;	/* held.c: packets that wait for others, its own lock */
	u32 nr_held;			/* messages in it, held.lock */
	spinlock_t lock;		/* BH; guards what follows up to ceiling */
	bool is_shutdown;		/* nothing is added any more; never goes back */
	struct homa_tenant *tenant;	/* joined, holds a reference; or NULL */
	struct homa_ready ready;	/* shared messages, and who waits for them */
	struct rb_root_cached stalled;	/* RPCs that wait for room, shortest first */
	u32 nr_stalled;
	struct homa_rpc *beyond;	/* rmem.c: may take memory beyond the limit; no reference */
	int drawn;			/* rmem.c: bytes, all; racy readers */
	int spare_max;			/* rmem.c: drawn and not needed; below 0 if `beyond` is set */
	int promised;			/* rmem.c: for what is to come of long messages */
	int ceiling;			/* rmem.c: as a limit for these */

	spinlock_t rpcs_lock;		/* BH; guards what follows up to owed */
	struct homa_fifo rpcs;		/* all live RPCs, oldest first */
	u32 nr_rpcs;
	bool is_brisk;			/* owed.c: the last request came right after a response */
	u8 owed_misses;			/* owed.c: acks to others, while there were some to owed_to */
	unsigned long owed_at;		/* owed.c: jiffies, of the last response */
	struct in6_addr owed_to;	/* owed.c: a peer's address */
	struct homa_owed owed;		/* owed.c: to that peer */

	struct homa_pool *pool;		/* SO_HOMA_RCVBUF: set once, read with acquire */
	wait_queue_head_t private_wait;	/* recvmsg of private RPCs */

	spinlock_t txn_lock;		/* txn.c: BH */
	struct list_head txns;		/* txn.c: outstanding transactions, under txn_lock */
};

static inline struct homa_sock *homa_sk(const struct sock *sk)
{
	return (struct homa_sock *)sk;
}

static inline struct sock *homa_to_sk(struct homa_sock *hsk)
{
	return &hsk->inet.sk;
}

/* Remembers for HOMAIOCINFO what the program did wrong. */
static inline int homa_fail(struct homa_sock *hsk, int err, const char *text)
{
	WRITE_ONCE(hsk->error, text);
	return err;
}

/* An id that no transaction of this namespace has had: even, never 0. Any context. */
u64 homa_sock_next_id(struct homa_sock *hsk);

/* Sends a complete Homa packet of at most HOMA_DONE_MAX bytes, with the header's ports in it, as
 * one IP packet to daddr. Process context or softirq, no spinlock held. Copies the packet. 0 or a
 * negative errno (EHOSTUNREACH, ENOMEM, ...); 0 does not say that it left.
 */
int homa_xmit_small(struct homa_sock *hsk, const struct in6_addr *daddr, const void *packet,
		    size_t len, int priority);

/* The rest is for the transport. */
extern struct proto homa_prot;
extern const struct proto_ops homa_proto_ops;

/* sock6.c: AF_INET6; nothing of it without CONFIG_IPV6. */
int homa_sock6_init(void);
void homa_sock6_exit(void);

int homa_ports_net_init(struct homa_net *hn);
void homa_ports_net_exit(struct homa_net *hn);

/* The socket with that port, or NULL. In an RCU read-side section. */
struct homa_sock *homa_sock_find(struct homa_net *hn, u16 port);
int homa_sock_set_port(struct homa_sock *hsk, u16 port);	/* EADDRINUSE */
void homa_sock_shutdown(struct homa_sock *hsk);
int homa_sock_init(struct sock *sk);
void homa_sock_close(struct sock *sk, long timeout);
void homa_sock_drop_port(struct sock *sk);
void homa_sock_destruct(struct sock *sk);
int homa_sock_shutdown_op(struct socket *sock, int how);
__poll_t homa_sock_poll(struct file *file, struct socket *sock, poll_table *wait);

/* Send buffer: false if it is full. */
bool homa_sock_charge(struct homa_sock *hsk, u32 bytes);
void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes);

#endif /* P4HOMA_SOCK_H */
