/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tenant.h - the tenants of one network namespace, the geometry of the switch and the policy.
 *
 * Lock order: homa_tenants.lock (mutex) > homa_tenant.lock (spinlock, BH) > homa_sock.txn_lock.
 */
#ifndef P4HOMA_TENANT_H
#define P4HOMA_TENANT_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "rtt.h"
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/homa.h>
#include <uapi/linux/p4alloc.h>

struct homa_alloc;
struct homa_net;
struct netlink_ext_ack;

/* Presence bits of struct homa_tenant_change. */
enum homa_tenant_field {
	HOMA_TENANT_NAME	= 1 << 0,
	HOMA_TENANT_UID		= 1 << 1,
	HOMA_TENANT_GID		= 1 << 2,
	HOMA_TENANT_WEIGHT	= 1 << 3,
	HOMA_TENANT_MIN_BLOCKS	= 1 << 4,
	HOMA_TENANT_MAX_BLOCKS	= 1 << 5,
	HOMA_TENANT_MAX_RPCS	= 1 << 6,
};

/* What the administrator decides about a tenant. */
struct homa_tenant_conf {
	char name[P4A_TENANT_NAME_MAX + 1];
	kuid_t uid;			/* INVALID_UID: nobody by uid */
	kgid_t gid;			/* likewise */
	u32 weight;
	u32 min_blocks;
	u32 max_blocks;
	u32 max_rpcs;			/* 0: no limit */
};

struct homa_tenant_change {
	u32 id;
	u32 flags;			/* P4A_F_* */
	u32 given;			/* enum homa_tenant_field: the others keep their values */
	struct homa_tenant_conf conf;
};

struct homa_tenant_stats {
	u64 txns, stale, conflict, abort, timeout;
};

struct homa_tenant {
	struct homa_net *hn;
	u32 id;
	refcount_t ref;			/* the table's, each socket's, each transaction's */
	struct homa_tenant_conf conf;	/* changed under homa_tenants.lock; max_rpcs read without */
	atomic_t sockets;		/* joined; goes up under homa_tenants.lock only */
	atomic_t rpcs;			/* client RPCs and transactions alive */

	spinlock_t lock;		/* guards all below except wait; bottom halves off */
	struct homa_alloc *alloc[HOMA_TXN_SPACES];	/* what it holds now, or NULL */
	struct list_head outstanding;	/* struct homa_txn_call.link */
	u32 nr_outstanding;
	u64 seq_epoch[HOMA_TXN_SPACES];	/* the last epoch that had flows, and */
	u32 seq_high[HOMA_TXN_SPACES];	/* the highest sequence number that any flow ever used */
	bool timer_armed;
	struct homa_rtt rtt;		/* of the switch */
	ktime_t answered;		/* of calls sent once: when the latest answered one was */
	u32 heard;			/* the same: so many were answered; and since then */
	u32 asking;			/* so many that had been repeated */
	struct homa_tenant_stats stats;

	struct hrtimer timer;		/* repeats and time-outs; stopped before the table's put */
	wait_queue_head_t wait;		/* for a free flow or quota */
	struct rcu_head rcu;
};

struct homa_geometry {
	u32 registers;			/* 0: never set */
	u32 blocks;
	u32 flows;
	u32 dependent;			/* the last of the registers */
};

struct homa_policy {
	__be32 alloc_addr;		/* 0: none */
	u16 alloc_port;
	u32 lease_max_us;
	u32 grace_us;
};

struct homa_tenants {
	struct mutex lock;		/* all changes; outermost */
	struct xarray by_id;		/* struct homa_tenant; lookups under RCU */
	struct homa_geometry geometry;
	struct homa_policy policy;	/* fields are read singly without the lock */
	u32 generation;			/* changes with every change, for dumps */
};

int homa_tenants_net_init(struct homa_net *hn);
void homa_tenants_net_exit(struct homa_net *hn);

int homa_tenant_join(struct homa_net *hn, u32 id, struct homa_tenant **out);
void homa_tenant_leave(struct homa_tenant *t);
void homa_tenant_put(struct homa_tenant *t);
bool homa_tenant_is_user(const struct homa_tenant *t);
bool homa_tenant_charge(struct homa_tenant *t);
void homa_tenant_uncharge(struct homa_tenant *t);
void homa_tenant_wake(struct homa_tenant *t);

/* These want homa_tenants.lock. */
int homa_tenant_set(struct homa_net *hn, const struct homa_tenant_change *c,
		    struct netlink_ext_ack *ack);
int homa_tenant_del(struct homa_net *hn, u32 id, struct netlink_ext_ack *ack);
int homa_geometry_set(struct homa_net *hn, const struct homa_geometry *geo,
		      struct netlink_ext_ack *ack);

static inline u32 homa_tenant_id(const struct homa_tenant *t)
{
	return t ? t->id : 0;
}

#endif
