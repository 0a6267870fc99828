// SPDX-License-Identifier: GPL-2.0
/*
 * rpc.c - RPCs from birth to death, and how they are found.
 *
 * All RPCs of a network namespace are in one hash table by id, which tells client from server by
 * its lowest bit; lookup is under RCU. An RPC is also in the list of its socket. Both places
 * together hold one reference. Death has two steps: homa_rpc_end() unlinks it from everywhere and
 * marks it DEAD, so that whoever still has it in hand leaves it alone; homa_rpc_put() frees it
 * after the last of those. The last put must not happen under a spinlock.
 *
 * A short RPC should not cost a grace period: memory of a dead one may serve the next at once
 * (SLAB_TYPESAFE_BY_RCU). So a lookup looks again at what it found once it has its reference, and a
 * chain ends with its own number, so that who was carried over to another chain begins anew.
 */
#include <linux/err.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>
#include <linux/slab.h>

#include "addr.h"
#include "owed.h"
#include "peer.h"
#include "pool.h"
#include "rmem.h"
#include "rpc.h"
#include "stall.h"
#include "tenant.h"
#include "timer.h"
#include "trace.h"

#define TOLD_MAX	64	/* clients that a socket tells when it is closed; others ask */
#define TWINS_MAX	256	/* RPCs of one id, from different clients, at one socket */
#define RPC_BITS	13
#define LOCK_BITS	6

struct homa_rpcs {
	u64 factor;				/* random, odd; never changes */
	spinlock_t lock[1 << LOCK_BITS];	/* BH, leaves; each guards every 64th chain */
	struct hlist_nulls_head chain[1 << RPC_BITS];
};

#define ZERO_FROM	offsetof(struct homa_rpc, in.length)
#define ZERO_TO		offsetof(struct homa_rpc, out.mem.small)

static struct kmem_cache *cache;

#ifdef CONFIG_KASAN	/* which sees no use after free in memory that is reused at once */
static bool late_free = true;
module_param(late_free, bool, 0444);
MODULE_PARM_DESC(late_free, "free RPCs after a grace period, not at once");
#else
#define late_free	false
#endif

/* Clients choose ids, but do not know the factor: no set of ids has more than its share of a chain. Of one
 * id, which addresses of others may share, TWINS_MAX: to mix the address in costs each lookup more.
 */
static u32 chain_of(const struct homa_net *hn, u64 id)
{
	return id * hn->rpcs->factor >> (64 - RPC_BITS);
}

static spinlock_t *chain_lock(struct homa_net *hn, u32 chain)
{
	return &hn->rpcs->lock[chain & ((1 << LOCK_BITS) - 1)];
}

/* From each state: the states that a client's, and a server's RPC may move to. */
static const struct {
	u8 client, server;
} legal[HOMA_NR_STATES] = {
	[HOMA_NEW]	  = { BIT(HOMA_OUTGOING), BIT(HOMA_INCOMING) },
	[HOMA_OUTGOING]	  = { BIT(HOMA_INCOMING) | BIT(HOMA_DEAD), BIT(HOMA_DEAD) },
	[HOMA_INCOMING]	  = { BIT(HOMA_DEAD), BIT(HOMA_IN_SERVICE) | BIT(HOMA_DEAD) },
	[HOMA_IN_SERVICE] = { 0, BIT(HOMA_OUTGOING) | BIT(HOMA_DEAD) },
	[HOMA_DEAD]	  = { 0, 0 },
};

bool homa_state_may(enum homa_state from, enum homa_state to, bool is_client)
{
	return (is_client ? legal[from].client : legal[from].server) & BIT(to);
}

static __always_inline void move(struct homa_rpc *rpc, enum homa_state to)
{
	lockdep_assert_held(&rpc->lock);
	WARN_ON_ONCE(!homa_state_may(rpc->state, to, homa_rpc_is_client(rpc)));
	trace_homa_rpc_state(rpc, to);
	rpc->state = to;
}

void homa_rpc_move(struct homa_rpc *rpc, enum homa_state to)
{
	move(rpc, to);
}

/* The ready queue gives the RPC back. */
static void done_release(struct homa_done *done)
{
	homa_rpc_put(done->rpc);
}

/* Once for each piece of memory, however many RPCs it will be: who still has a dead one in hand may
 * come for its lock, its reference count and its place in a chain.
 */
static void construct(void *memory)
{
	struct homa_rpc *rpc = memory;

	memset(rpc, 0, sizeof(*rpc));
	spin_lock_init(&rpc->lock);
	/* Who takes it out of its queue leaves it like this. */
	RB_CLEAR_NODE(&rpc->in_stalled);
	INIT_HLIST_NODE(&rpc->done.link);
	rpc->done.rpc = rpc;
	rpc->done.release = done_release;
}

struct homa_rpc *homa_rpc_alloc(struct homa_sock *hsk, const struct homa_rpc_birth *birth)
{
	struct homa_rpc *rpc = kmem_cache_alloc(cache, birth->gfp);

	if (!rpc)
		return ERR_PTR(-ENOMEM);
	/* A packet may have found a socket that is on its way out. */
	if (!refcount_inc_not_zero(&homa_to_sk(hsk)->sk_refcnt)) {
		kmem_cache_free(cache, rpc);
		return ERR_PTR(-ESHUTDOWN);
	}
	memset((u8 *)rpc + ZERO_FROM, 0, ZERO_TO - ZERO_FROM);
	rpc->id = birth->id;
	rpc->cookie = birth->cookie;
	rpc->hsk = hsk;
	rpc->net = hsk->net;
	rpc->peer = birth->peer;
	rpc->saddr = birth->saddr;
	rpc->dport = birth->dport;
	rpc->is_private = birth->is_private;
	rpc->tenant = birth->tenant;
	rpc->tenant_id = birth->tenant_id;
	rpc->peer_tenant = 0;
	rpc->state = HOMA_NEW;
	homa_gaps_init(&rpc->in.gaps);
	__skb_queue_head_init(&rpc->in.packets);
	/* Who gets a reference sees all of the above: pairs with get_live(). */
	smp_wmb();
	refcount_set(&rpc->refs, 1);
	return rpc;
}

static void free_late(struct rcu_head *rcu)
{
	kmem_cache_free(cache, container_of(rcu, struct homa_rpc, rcu));
}

static void free_memory(struct homa_rpc *rpc)
{
	if (late_free)
		call_rcu(&rpc->rcu, free_late);
	else
		kmem_cache_free(cache, rpc);
}

static noinline void rpc_free(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;

	if (rpc->in.kept) {
		__skb_queue_purge(&rpc->in.packets);
		homa_rmem_uncharge(rpc);
	}
	homa_rmem_keep_promise(rpc, rpc->in.length);
	homa_gaps_free(&rpc->in.gaps);
	if (rpc->in.nr_bpages) {
		homa_pool_free(hsk->pool, rpc->in.bpage_offsets, rpc->in.nr_bpages);
		homa_unstall(hsk);
	}
	if (rpc->out.length)
		homa_sock_uncharge(hsk, rpc->out.length);
	homa_msg_out_free(rpc->net, &rpc->out);
	if (rpc->tenant) {
		homa_tenant_uncharge(rpc->tenant);
		homa_tenant_put(rpc->tenant);
	}
	homa_peer_put(rpc->peer);
	free_memory(rpc);
	sock_put(homa_to_sk(hsk));	/* last: the module may be free to go now */
}

void homa_rpc_put(struct homa_rpc *rpc)
{
	if (refcount_dec_and_test(&rpc->refs))
		rpc_free(rpc);
}

/* What is read after a success is that of the RPC referred to, not of the one before it. */
static bool get_live(struct homa_rpc *rpc)
{
	if (!refcount_inc_not_zero(&rpc->refs))
		return false;
	smp_acquire__after_ctrl_dep();	/* pairs with homa_rpc_alloc() */
	return true;
}

static bool is_that(const struct homa_rpc *rpc, const struct homa_sock *hsk, u64 id)
{
	return rpc->id == id && rpc->hsk == hsk;
}

struct homa_rpc *homa_rpc_find_rcu(struct homa_sock *hsk, u64 id, const struct in6_addr *peer)
{
	u32 chain = chain_of(hsk->net, id);
	struct hlist_nulls_head *head = &hsk->net->rpcs->chain[chain];
	struct hlist_nulls_node *node;
	struct homa_rpc *rpc;

again:
	hlist_nulls_for_each_entry_rcu(rpc, node, head, by_id) {
		if (!is_that(rpc, hsk, id) || !get_live(rpc))
			continue;
		/* Now it stays what it is; when we looked it was perhaps another one. */
		if (is_that(rpc, hsk, id) && (!peer || ipv6_addr_equal(&rpc->peer->addr, peer)))
			return rpc;
		homa_rpc_put(rpc);
	}
	if (get_nulls_value(node) != chain)
		goto again;
	return NULL;
}

struct homa_rpc *homa_rpc_find(struct homa_sock *hsk, u64 id, const struct in6_addr *peer)
{
	struct homa_rpc *rpc;

	rcu_read_lock();
	rpc = homa_rpc_find_rcu(hsk, id, peer);
	rcu_read_unlock();
	return rpc;
}

static bool is_after(const struct homa_rpc *rpc, u64 id, const struct homa_rpc *other)
{
	return rpc->id != id ? rpc->id > id : rpc > other;
}

/* The first of the chain after the one at which the cursor stands, with a reference. With the lock of the
 * chain, in which all have one.
 */
static struct homa_rpc *next_of(struct homa_rpcs *rpcs, const struct homa_rpc_cursor *at)
{
	struct homa_rpc *rpc, *next = NULL;
	struct hlist_nulls_node *node;

	hlist_nulls_for_each_entry(rpc, node, &rpcs->chain[at->chain], by_id)
		if (is_after(rpc, at->id, at->rpc) && (!next || is_after(next, rpc->id, rpc)))
			next = rpc;
	if (next)
		homa_rpc_get(next);
	return next;
}

struct homa_rpc *homa_rpc_next(struct homa_net *hn, struct homa_rpc_cursor *at)
{
	struct homa_rpc *rpc;

	while (at->chain < 1 << RPC_BITS) {
		spin_lock_bh(chain_lock(hn, at->chain));
		rpc = next_of(hn->rpcs, at);
		spin_unlock_bh(chain_lock(hn, at->chain));
		if (rpc) {
			at->id = rpc->id;
			at->rpc = rpc;
			return rpc;
		}
		*at = (struct homa_rpc_cursor){ .chain = at->chain + 1 };
		cond_resched();
	}
	return NULL;
}

static int add_to_sock(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	int err = -ESHUTDOWN;

	spin_lock(&hsk->rpcs_lock);
	/* Who shuts it down comes for the list afterwards. */
	if (!READ_ONCE(hsk->is_shutdown)) {
		homa_fifo_add(&hsk->rpcs, &rpc->in_sock);
		hsk->nr_rpcs++;
		if (homa_rpc_is_client(rpc))
			homa_owed_carry(rpc);
		err = 0;
	}
	spin_unlock(&hsk->rpcs_lock);
	return err;
}

/* Nobody takes it for ready, or waiting for room, any more. */
static void remove_from_queues(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	int refs = 0;

	spin_lock(&hsk->lock);
	if (!RB_EMPTY_NODE(&rpc->in_stalled)) {
		homa_stall_unlist(rpc);
		refs++;
	}
	if (homa_ready_remove(hsk, &rpc->done))
		refs++;
	spin_unlock(&hsk->lock);
	while (refs--)
		homa_rpc_put(rpc);
}

/* full: NULL, or its server may forget it. Returns how many acks are in `full`, to be sent now. */
static int remove_from_sock(struct homa_rpc *rpc, struct homa_pkt_ack *full)
{
	struct homa_sock *hsk = rpc->hsk;
	int nr = 0;

	/* It is put there with rpc->lock held only, so what is not there now will not be. Before it
	 * leaves the list: who finds that empty, and shuts the queue down, has it to himself.
	 */
	if (!hlist_unhashed_lockless(&rpc->done.link) || !RB_EMPTY_NODE(&rpc->in_stalled))
		remove_from_queues(rpc);
	spin_lock(&hsk->rpcs_lock);
	homa_fifo_del_init(&hsk->rpcs, &rpc->in_sock);	/* homa_collect() looks */
	hsk->nr_rpcs--;
	if (full)
		nr = homa_owed_by_sock(rpc, full);
	spin_unlock(&hsk->rpcs_lock);
	return likely(nr >= 0) ? nr : homa_owed_by_peer(rpc, full);
}

static int add_to_table(struct homa_rpc *rpc)
{
	u32 chain = chain_of(rpc->net, rpc->id);
	struct hlist_nulls_head *head = &rpc->net->rpcs->chain[chain];
	spinlock_t *lock = chain_lock(rpc->net, chain);
	struct hlist_nulls_node *node;
	struct homa_rpc *other;
	u32 twins = 0;
	int err = 0;

	spin_lock(lock);
	hlist_nulls_for_each_entry(other, node, head, by_id) {
		if (!is_that(other, rpc->hsk, rpc->id))
			continue;
		if (ipv6_addr_equal(&other->peer->addr, &rpc->peer->addr))
			err = -EEXIST;
		else if (++twins == TWINS_MAX && !err)
			err = -EUSERS;
	}
	if (!err)
		hlist_nulls_add_head_rcu(&rpc->by_id, head);
	spin_unlock(lock);
	return err;
}

static void remove_from_table(struct homa_rpc *rpc)
{
	spinlock_t *lock = chain_lock(rpc->net, chain_of(rpc->net, rpc->id));

	spin_lock(lock);
	hlist_nulls_del_rcu(&rpc->by_id);
	spin_unlock(lock);
}

int homa_rpc_insert(struct homa_rpc *rpc, enum homa_state first)
{
	int err;

	lockdep_assert_held(&rpc->lock);
	rpc->born = jiffies;
	err = add_to_sock(rpc);
	if (err)
		return err;
	err = add_to_table(rpc);
	if (err) {
		remove_from_sock(rpc, NULL);
		return err;
	}
	homa_rpc_get(rpc);
	move(rpc, first);
	return 0;
}

/* As remove_from_sock(). */
static int end_rpc(struct homa_rpc *rpc, struct homa_pkt_ack *full)
{
	int nr;

	lockdep_assert_held(&rpc->lock);
	/* NEW: shutdown found it in the list of its socket before homa_rpc_insert() gave it up. */
	if (rpc->state == HOMA_DEAD || rpc->state == HOMA_NEW)
		return 0;
	/* Before it leaves the table: a late packet finds either the RPC or this. */
	if (!homa_rpc_is_client(rpc) && rpc->is_handed)
		homa_peer_add_finished(rpc->peer, rpc->id, true);
	move(rpc, HOMA_DEAD);
	homa_timer_stop(rpc);
	homa_pacer_forget(rpc);
	homa_grant_end(rpc);
	remove_from_table(rpc);
	nr = remove_from_sock(rpc, full);
	if (rpc->is_private)
		wake_up_interruptible_all(&rpc->hsk->private_wait);
	homa_rpc_put(rpc);
	return nr;
}

void homa_rpc_end(struct homa_rpc *rpc)
{
	end_rpc(rpc, NULL);
}

struct task_struct *homa_rpc_complete(struct homa_rpc *rpc, int error)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->is_complete || rpc->state == HOMA_DEAD)
		return NULL;
	rpc->is_complete = true;
	rpc->error = error;
	homa_timer_stop(rpc);
	homa_grant_end(rpc);
	/* Who has just sent a long request has time, too. */
	rpc->done.is_long = max(rpc->in.length, rpc->out.length) > HOMA_BPAGE_SIZE;
	if (rpc->is_private) {
		wake_up_interruptible_all(&rpc->hsk->private_wait);
		return NULL;
	}
	homa_rpc_get(rpc);
	return homa_ready_add(rpc->hsk, &rpc->done);
}

void homa_rpc_fail(struct homa_rpc *rpc, int error)
{
	struct task_struct *task;

	/* NEW: who comes has found it by what its memory was before, and its sender still has it alone. */
	if (rpc->state == HOMA_NEW)
		return;
	task = homa_rpc_complete(rpc, error);
	if (task)
		wake_up_process(task);
}

static void send_acks(struct homa_rpc *rpc, const struct homa_pkt_ack *acks)
{
	struct homa_path path = homa_rpc_path(rpc);
	struct sk_buff_head queue;

	/* The header names one of them. */
	__skb_queue_head_init(&queue);
	path.id = acks[0].id ^ 1;
	path.dport = acks[0].port;
	homa_queue_ack(&queue, &path, acks + 1, P4W_ACKS_MAX - 1);
	homa_flush(rpc->net, &queue);
}

void homa_rpc_finish_client(struct homa_rpc *rpc)
{
	struct homa_pkt_ack acks[P4W_ACKS_MAX] __uninitialized;
	int full;

	spin_lock(&rpc->lock);
	full = end_rpc(rpc, acks);
	spin_unlock(&rpc->lock);
	if (full) {
		homa_count(rpc->net, ack_overflows);
		send_acks(rpc, acks);
	}
}

/* The client sends its request again and finds no socket, so it has its error at once; or a new one,
 * which the request, if no program has had it, is as good for. Not if all of the response is on its
 * way: that word could overtake it. Nor for a twin of another RPC, which will speak for itself.
 */
static bool is_owed_word(const struct homa_rpc *rpc)
{
	switch (rpc->state) {
	case HOMA_NEW:
	case HOMA_DEAD:
		return false;
	case HOMA_OUTGOING:
		return rpc->out.sent < rpc->out.length;
	default:
		return true;
	}
}

static void end_server(struct homa_rpc *rpc, bool tell)
{
	const struct homa_path path = homa_rpc_path(rpc);
	struct sk_buff_head queue;

	__skb_queue_head_init(&queue);
	spin_lock(&rpc->lock);
	if (tell && is_owed_word(rpc))
		homa_queue_simple(&queue, &path, P4W_RPC_UNKNOWN);
	homa_rpc_end(rpc);
	spin_unlock(&rpc->lock);
	homa_flush(rpc->net, &queue);
}

void homa_rpc_end_all(struct homa_sock *hsk)
{
	struct homa_rpc *rpc;
	u32 told = 0;

	for (;;) {
		spin_lock_bh(&hsk->rpcs_lock);
		rpc = hlist_entry_safe(hsk->rpcs.head.first, struct homa_rpc, in_sock);
		if (rpc)
			homa_rpc_get(rpc);
		spin_unlock_bh(&hsk->rpcs_lock);
		if (!rpc)
			return;
		local_bh_disable();
		if (homa_rpc_is_client(rpc))
			homa_rpc_finish_client(rpc);
		else
			end_server(rpc, told++ < TOLD_MAX);
		local_bh_enable();
		homa_rpc_put(rpc);
		cond_resched();
	}
}

/* Who is carried over to another chain begins anew, so an RPC may be visited twice. */
static void visit_chain(struct homa_net *hn, u32 chain, void (*visit)(struct homa_rpc *rpc))
{
	struct hlist_nulls_head *head = &hn->rpcs->chain[chain];
	struct hlist_nulls_node *node;
	struct homa_rpc *rpc;

	rcu_read_lock();
	do {
		hlist_nulls_for_each_entry_rcu(rpc, node, head, by_id) {
			if (!get_live(rpc))
				continue;
			if (rpc->net == hn)
				visit(rpc);
			homa_rpc_put(rpc);
		}
	} while (get_nulls_value(node) != chain);
	rcu_read_unlock();
}

void homa_rpcs_visit(struct homa_net *hn, void (*visit)(struct homa_rpc *rpc))
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hn->rpcs->chain); i++) {
		visit_chain(hn, i, visit);
		cond_resched();
	}
}

int homa_rpcs_init(void)
{
	slab_flags_t flags = late_free ? 0 : SLAB_TYPESAFE_BY_RCU;

	cache = kmem_cache_create("homa_rpc", sizeof(struct homa_rpc), 0,
				  flags | SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT, construct);
	return cache ? 0 : -ENOMEM;
}

void homa_rpcs_exit(void)
{
	rcu_barrier();		/* free_late() */
	kmem_cache_destroy(cache);
}

int homa_rpcs_net_init(struct homa_net *hn)
{
	int i;

	hn->rpcs = kvzalloc(sizeof(*hn->rpcs), GFP_KERNEL);
	if (!hn->rpcs)
		return -ENOMEM;
	hn->rpcs->factor = get_random_u64() | 1;
	/* a lock may have no size, on one CPU */
	for (i = 0; i < 1 << LOCK_BITS; i++)
		spin_lock_init(&hn->rpcs->lock[i]);
	for (i = 0; i < ARRAY_SIZE(hn->rpcs->chain); i++)
		INIT_HLIST_NULLS_HEAD(&hn->rpcs->chain[i], i);
	return 0;
}

void homa_rpcs_net_exit(struct homa_net *hn)
{
	kvfree(hn->rpcs);
}
