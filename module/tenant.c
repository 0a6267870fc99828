// SPDX-License-Identifier: GPL-2.0
/*
 * tenant.c - who the tenants of this host are and who may act for them.
 *
 * Owns: struct homa_tenants of each namespace: the table of tenants, the geometry of the switch and
 * the policy. Entered from: netlink.c (changes, under homa_tenants.lock), sock.c (join, leave),
 * rpc.c and txn.c (quota). What a tenant holds in the switch, and its transactions, are txn.c's.
 *
 * A tenant lives from homa_tenant_set() until homa_tenant_del(), which refuses while a socket is
 * joined. Joins happen under the same mutex, so none slips in between. Deleting unlinks the tenant,
 * takes its allocation away (so that nothing arms its timer any more), stops the timer and drops
 * the table's reference. Transactions that waited for a flow still hold theirs; softirqs that have just
 * looked the tenant up are covered by RCU.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "net.h"
#include "p4wire.h"
#include "tenant.h"
#include "txn.h"

static const struct homa_tenant_conf default_conf = {
	.weight		= 100,
	.max_blocks	= P4W_MAX_BLOCKS,
};

static const struct homa_policy default_policy = {
	.alloc_port	= P4W_ALLOC_PORT,
	.lease_max_us	= 2000000,
	.grace_us	= 100000,
};

static void free_tenant(struct homa_tenant *t)
{
	kfree_rcu(t, rcu);
}

void homa_tenant_put(struct homa_tenant *t)
{
	if (refcount_dec_and_test(&t->ref))
		free_tenant(t);
}

/* Whether the calling process is one of the tenant's, by uid or group. */
bool homa_tenant_is_user(const struct homa_tenant *t)
{
	return (uid_valid(t->conf.uid) && uid_eq(current_fsuid(), t->conf.uid)) ||
	       (gid_valid(t->conf.gid) && in_group_p(t->conf.gid));
}

static int join(struct homa_tenants *tenants, u32 id, struct homa_tenant **out)
{
	struct homa_tenant *t = xa_load(&tenants->by_id, id);

	lockdep_assert_held(&tenants->lock);
	if (!t)
		return -ENOENT;
	/* In this order, because the second question leaves traces in the audit log. */
	if (!homa_tenant_is_user(t) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	refcount_inc(&t->ref);
	atomic_inc(&t->sockets);
	*out = t;
	return 0;
}

/* Joins the calling process's socket: its right counts now, at no later time. */
int homa_tenant_join(struct homa_net *hn, u32 id, struct homa_tenant **out)
{
	int err;

	mutex_lock(&hn->tenants->lock);
	err = join(hn->tenants, id, out);
	mutex_unlock(&hn->tenants->lock);
	return err;
}

/* Any context. The caller must not touch the tenant afterwards. */
void homa_tenant_leave(struct homa_tenant *t)
{
	atomic_dec(&t->sockets);
	homa_tenant_put(t);
}

/* Takes one of the tenant's MAX_RPCS, or says that all are in use. Any context. */
bool homa_tenant_charge(struct homa_tenant *t)
{
	int alive = atomic_read(&t->rpcs);
	u32 max = READ_ONCE(t->conf.max_rpcs);

	do {
		if (max && alive >= 0 && (u32)alive >= max)
			return false;
	} while (!atomic_try_cmpxchg(&t->rpcs, &alive, alive + 1));
	return true;
}

void homa_tenant_wake(struct homa_tenant *t)
{
	if (wq_has_sleeper(&t->wait))
		wake_up_interruptible(&t->wait);
}

void homa_tenant_uncharge(struct homa_tenant *t)
{
	atomic_dec(&t->rpcs);
	if (READ_ONCE(t->conf.max_rpcs))	/* only then there are waiters for it */
		homa_tenant_wake(t);
}

static struct homa_tenant *create(struct homa_net *hn, u32 id)
{
	struct homa_tenant *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->hn = hn;
	t->id = id;
	refcount_set(&t->ref, 1);
	t->conf = default_conf;
	t->conf.uid = INVALID_UID;
	t->conf.gid = INVALID_GID;
	snprintf(t->conf.name, sizeof(t->conf.name), "tenant%u", id);
	init_waitqueue_head(&t->wait);
	homa_txn_tenant_init(t);
	return t;
}

static void merge(struct homa_tenant_conf *conf, const struct homa_tenant_change *c)
{
	if (c->given & HOMA_TENANT_NAME)
		memcpy(conf->name, c->conf.name, sizeof(conf->name));
	if (c->given & HOMA_TENANT_UID)
		conf->uid = c->conf.uid;
	if (c->given & HOMA_TENANT_GID)
		conf->gid = c->conf.gid;
	if (c->given & HOMA_TENANT_WEIGHT)
		conf->weight = c->conf.weight;
	if (c->given & HOMA_TENANT_MIN_BLOCKS)
		conf->min_blocks = c->conf.min_blocks;
	if (c->given & HOMA_TENANT_MAX_BLOCKS)
		conf->max_blocks = c->conf.max_blocks;
	if (c->given & HOMA_TENANT_MAX_RPCS)
		conf->max_rpcs = c->conf.max_rpcs;
}

static int check_exists(const struct homa_tenant *t, u32 flags, struct netlink_ext_ack *ack)
{
	if (t && (flags & P4A_F_CREATE_ONLY)) {
		NL_SET_ERR_MSG(ack, "TENANT_ID: this tenant exists, and FLAGS say CREATE_ONLY");
		return -EEXIST;
	}
	if (!t && (flags & P4A_F_MODIFY_ONLY)) {
		NL_SET_ERR_MSG(ack, "TENANT_ID: no such tenant, and FLAGS say MODIFY_ONLY");
		return -ENOENT;
	}
	return 0;
}

static int check_conf(const struct homa_tenant_conf *conf, struct netlink_ext_ack *ack)
{
	if (conf->max_blocks < conf->min_blocks) {
		NL_SET_ERR_MSG(ack, "TENANT_MAX_BLOCKS: at least TENANT_MIN_BLOCKS");
		return -EINVAL;
	}
	return 0;
}

int homa_tenant_set(struct homa_net *hn, const struct homa_tenant_change *c,
		    struct netlink_ext_ack *ack)
{
	struct homa_tenants *tenants = hn->tenants;
	struct homa_tenant *old = xa_load(&tenants->by_id, c->id), *t = old;
	struct homa_tenant_conf conf;
	int err;

	lockdep_assert_held(&tenants->lock);
	err = check_exists(old, c->flags, ack);
	if (err)
		return err;
	if (!t)
		t = create(hn, c->id);
	if (!t)
		return -ENOMEM;
	conf = t->conf;
	merge(&conf, c);
	err = check_conf(&conf, ack);
	if (!err && !old)
		err = xa_err(xa_store(&tenants->by_id, c->id, t, GFP_KERNEL));
	if (err)
		goto undo_create;
	t->conf = conf;
	tenants->generation++;
	if (old)
		homa_tenant_wake(t);	/* the quota may be larger now */
	return 0;

undo_create:
	if (!old)
		homa_tenant_put(t);
	return err;
}

static void remove(struct homa_tenants *tenants, struct homa_tenant *t)
{
	xa_erase(&tenants->by_id, t->id);
	homa_txn_tenant_exit(t);
	homa_tenant_put(t);
}

int homa_tenant_del(struct homa_net *hn, u32 id, struct netlink_ext_ack *ack)
{
	struct homa_tenants *tenants = hn->tenants;
	struct homa_tenant *t = xa_load(&tenants->by_id, id);

	lockdep_assert_held(&tenants->lock);
	if (!t) {
		NL_SET_ERR_MSG(ack, "TENANT_ID: no such tenant in this network namespace");
		return -ENOENT;
	}
	if (atomic_read(&t->sockets)) {
		NL_SET_ERR_MSG(ack, "TENANT_ID: sockets are joined to this tenant");
		return -EBUSY;
	}
	remove(tenants, t);
	tenants->generation++;
	return 0;
}

static bool anybody_holds(struct homa_tenants *tenants)
{
	struct homa_tenant *t;
	unsigned long id;

	xa_for_each(&tenants->by_id, id, t) {
		if (homa_txn_epoch(t, HOMA_TXN_BATCH) || homa_txn_epoch(t, HOMA_TXN_LOCKS))
			return true;
	}
	return false;
}

int homa_geometry_set(struct homa_net *hn, const struct homa_geometry *geo,
		      struct netlink_ext_ack *ack)
{
	struct homa_tenants *tenants = hn->tenants;

	lockdep_assert_held(&tenants->lock);
	if (anybody_holds(tenants)) {
		NL_SET_ERR_MSG(ack, "GEO_BLOCKS: a tenant of this namespace holds an allocation");
		return -EBUSY;
	}
	tenants->geometry = *geo;
	tenants->generation++;
	return 0;
}

int homa_tenants_net_init(struct homa_net *hn)
{
	struct homa_tenants *tenants = kzalloc(sizeof(*tenants), GFP_KERNEL);

	if (!tenants)
		return -ENOMEM;
	mutex_init(&tenants->lock);
	xa_init(&tenants->by_id);
	tenants->policy = default_policy;
	hn->tenants = tenants;
	return 0;
}

/* No socket and no netlink request of this namespace is left. */
void homa_tenants_net_exit(struct homa_net *hn)
{
	struct homa_tenant *t;
	unsigned long id;

	xa_for_each(&hn->tenants->by_id, id, t)
		remove(hn->tenants, t);
	xa_destroy(&hn->tenants->by_id);
	kfree(hn->tenants);
}
