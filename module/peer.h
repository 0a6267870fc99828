/* SPDX-License-Identifier: GPL-2.0 */
/*
 * peer.h - what is known of another host: the way there, its cutoffs, acks we owe it, and which of
 * its requests are finished.
 */
#ifndef P4HOMA_PEER_H
#define P4HOMA_PEER_H

#include <linux/in6.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <p4wire.h>

#include "live.h"
#include "packet.h"
#include "rtt.h"

struct dst_entry;
struct homa_net;
struct homa_seen;
struct sock;

/* Readers under RCU, so that route and address belong together. */
struct homa_route {
	struct dst_entry *dst;		/* reference */
	struct in6_addr saddr;		/* our address on that way */
	bool is_chosen;			/* by routing; else it is one that the peer has sent to */
	u32 cookie;			/* for dst_check() */
	struct rcu_head rcu;
};

struct homa_peer {
	struct hlist_node link;		/* table, RCU */
	struct homa_net *net;		/* never changes, like addr */
	struct in6_addr addr;		/* see addr.h */
	refcount_t refs;		/* the table has one; unused peers stay for a while */
	unsigned long used;		/* jiffies of the last lookup, racy */
	struct rcu_head rcu;

	atomic64_t next_id;		/* of the next request to this peer, see homa_peer_next_id() */
	unsigned long life_changed;	/* jiffies, for want of answers; 0: never; lock of the table */
	struct homa_rtt rtt;		/* no lock */
	struct homa_live live;		/* no lock */

	spinlock_t lock;		/* BH, a leaf; guards what follows */
	struct homa_route __rcu *route;	/* for sockets without options of their own */
	struct homa_owed owed;
	u32 cutoff[P4W_PRIORITIES];	/* racy readers: any mixture of two sets works */
	u16 cutoff_version;
	unsigned long told_cutoffs;	/* jiffies when it was sent ours, racy */
	struct homa_seen *seen;		/* NULL until this peer sent a request */
	struct hlist_head grant_flows;	/* grants->lock, see grant.c */
};

int homa_peers_init(void);
void homa_peers_exit(void);
int homa_peers_net_init(struct homa_net *hn);
void homa_peers_net_exit(struct homa_net *hn);

/* The peer with that address, made if need be; NULL: no memory or too many in use. Any context. */
struct homa_peer *homa_peer_get(struct homa_net *hn, const struct in6_addr *addr);
void homa_peer_put(struct homa_peer *peer);

/*
 * A route to the peer with a reference, or an ERR_PTR. `sk` may be NULL. *saddr: the local address
 * wanted, or "any"; then it is filled in.
 */
struct dst_entry *homa_peer_route(struct homa_peer *peer, const struct sock *sk,
				  struct in6_addr *saddr);
/* What we send gets there, by the route that it is sent on: for neighbours, at times. Softirq. */
void homa_peer_confirm_route(struct homa_peer *peer, const struct sock *sk,
			     const struct in6_addr *saddr);
void homa_peer_free_route(struct homa_route *route);	/* nobody finds it any more */

/* Bottom halves are off in all that follow but homa_peer_set_cutoffs(). */

void homa_peer_set_cutoffs(struct homa_peer *peer, const struct homa_pkt *pkt);

/* An id that no RPC of this namespace has had: even, never 0. Ids for one peer follow each other, so
 * that it can remember those that are finished in few bytes (seen.c). Any context.
 */
u64 homa_peer_next_id(struct homa_peer *peer);
/* Nobody has answered a request. Wrong packets in our name may have made all ids of this life look
 * old to the peer: the next ones are of another life.
 */
void homa_peer_change_life(struct homa_peer *peer);

bool homa_peer_has_finished(struct homa_peer *peer, u64 id);
/* `ran`: a program has had it. Else its client does not want it: that word begins no window, since
 * whoever makes up ids has it said of them.
 */
void homa_peer_add_finished(struct homa_peer *peer, u64 id, bool ran);
/* Of a request that has come: 0 it is new; 1 its client must say whether it is; -EALREADY; -ENOMEM. */
int homa_peer_judge(struct homa_peer *peer, u64 id);
/* Its client has said so. */
void homa_peer_prove(struct homa_peer *peer, u64 id);

/* The highest priority at which a message of that length may be sent unasked. */
u8 homa_unsched_priority(const u32 cutoff[P4W_PRIORITIES], u32 length);

#endif /* P4HOMA_PEER_H */
