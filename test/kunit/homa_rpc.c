// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RPCs: which states follow which, and birth and death: after each way to die nothing holds the
 * RPC, and no table or list has it.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>
#include "../../module/gaps.c"
#include "../../module/owed.c"
#include "../../module/rpc.c"

unsigned int homa_net_id;
static int acks_sent, finished, uncharged, completed, told;
static struct homa_peer *known;		/* the one in the table */

void homa_tenant_uncharge(struct homa_tenant *t)
{
}

void homa_tenant_put(struct homa_tenant *t)
{
}

int homa_pool_free(struct homa_pool *pool, const u32 *offsets, u32 nr)
{
	return 0;
}

bool homa_rmem_kept(struct homa_rpc *rpc, u32 bytes)
{
	return true;
}

void homa_rmem_give_back(struct homa_rpc *rpc)
{
}

void homa_unstall_now(struct homa_sock *hsk)
{
}

void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes)
{
	uncharged += bytes;
}

void homa_msg_out_free(struct homa_net *hn, struct homa_msg_out *out)
{
}

struct homa_peer *homa_peer_get(struct homa_net *hn, const struct in6_addr *addr)
{
	if (!ipv6_addr_equal(&known->addr, addr))
		return NULL;
	refcount_inc(&known->refs);
	return known;
}

void homa_peer_put(struct homa_peer *peer)
{
	refcount_dec(&peer->refs);
}

void homa_peer_add_finished(struct homa_peer *peer, u64 id, bool ran)
{
	finished++;
}

void homa_timer_stop(struct homa_rpc *rpc)
{
}

void homa_pacer_forget(struct homa_rpc *rpc)
{
}

void homa_grant_end(struct homa_rpc *rpc)
{
}

struct homa_path homa_rpc_path(const struct homa_rpc *rpc)
{
	return (struct homa_path){ .net = rpc->net };
}

void homa_queue_ack(struct sk_buff_head *queue, const struct homa_path *path,
		    const struct homa_pkt_ack *acks, u32 nr)
{
	acks_sent++;
}

void homa_queue_simple(struct sk_buff_head *queue, const struct homa_path *path, u8 type)
{
	told += type == P4W_RPC_UNKNOWN;
}

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
}

struct task_struct *homa_ready_add(struct homa_sock *hsk, struct homa_done *done)
{
	spin_lock_bh(&hsk->lock);
	homa_fifo_add(&hsk->ready.queue, &done->link);
	spin_unlock_bh(&hsk->lock);
	completed++;
	return NULL;
}

bool homa_ready_remove(struct homa_sock *hsk, struct homa_done *done)
{
	if (hlist_unhashed(&done->link))
		return false;
	homa_fifo_del_init(&hsk->ready.queue, &done->link);
	return true;
}

static void states(struct kunit *test)
{
	/* By state, then: new, outgoing, incoming, in service, dead. */
	static const bool client[HOMA_NR_STATES][HOMA_NR_STATES] = {
		[HOMA_NEW]	  = { 0, 1, 0, 0, 0 },
		[HOMA_OUTGOING]	  = { 0, 0, 1, 0, 1 },
		[HOMA_INCOMING]	  = { 0, 0, 0, 0, 1 },
	};
	static const bool server[HOMA_NR_STATES][HOMA_NR_STATES] = {
		[HOMA_NEW]	  = { 0, 0, 1, 0, 0 },
		[HOMA_INCOMING]	  = { 0, 0, 0, 1, 1 },
		[HOMA_IN_SERVICE] = { 0, 1, 0, 0, 1 },
		[HOMA_OUTGOING]	  = { 0, 0, 0, 0, 1 },
	};
	int from, to;

	for (from = 0; from < HOMA_NR_STATES; from++) {
		for (to = 0; to < HOMA_NR_STATES; to++) {
			KUNIT_EXPECT_EQ_MSG(test, homa_state_may(from, to, true), client[from][to],
					    "client %d to %d", from, to);
			KUNIT_EXPECT_EQ_MSG(test, homa_state_may(from, to, false),
					    server[from][to], "server %d to %d", from, to);
		}
	}
}

struct rig {
	struct homa_net hn;
	struct homa_sock *hsk;
	struct homa_peer peer;
	struct homa_rpc_birth birth;
};

static struct rig *make(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->hn.counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, rig->hn.counters);
	KUNIT_ASSERT_EQ(test, homa_rpcs_net_init(&rig->hn), 0);
	rig->hsk = kunit_kzalloc(test, sizeof(*rig->hsk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig->hsk);
	refcount_set(&homa_to_sk(rig->hsk)->sk_refcnt, 100);
	rig->hsk->net = &rig->hn;
	spin_lock_init(&rig->hsk->lock);
	spin_lock_init(&rig->hsk->rpcs_lock);
	homa_fifo_init(&rig->hsk->ready.queue);
	homa_fifo_init(&rig->hsk->rpcs);
	rig->hsk->stalled = RB_ROOT_CACHED;
	init_waitqueue_head(&rig->hsk->private_wait);
	spin_lock_init(&rig->peer.lock);
	refcount_set(&rig->peer.refs, 100);
	rig->peer.addr = homa_addr_v4(htonl(0x0a000001));
	rig->hsk->owed_to = rig->peer.addr;
	known = &rig->peer;
	rig->birth = (struct homa_rpc_birth){ .id = 1000, .peer = &rig->peer, .gfp = GFP_KERNEL };
	acks_sent = 0;
	finished = 0;
	uncharged = 0;
	completed = 0;
	told = 0;
	return rig;
}

static void unmake(struct rig *rig)
{
	homa_rpcs_net_exit(&rig->hn);
	free_percpu(rig->hn.counters);
}

/* An RPC in the tables, whose only further reference is the test's. */
static struct homa_rpc *add(struct kunit *test, struct rig *rig, u64 id)
{
	struct homa_rpc *rpc;

	rig->birth.id = id;
	rpc = homa_rpc_alloc(rig->hsk, &rig->birth);
	KUNIT_ASSERT_FALSE(test, IS_ERR(rpc));
	spin_lock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, homa_rpc_insert(rpc, id & 1 ? HOMA_INCOMING : HOMA_OUTGOING), 0);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 2);
	return rpc;
}

static void expect_gone(struct kunit *test, struct rig *rig, struct homa_rpc *rpc, u64 id)
{
	KUNIT_EXPECT_EQ(test, rpc->state, HOMA_DEAD);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1);
	KUNIT_EXPECT_FALSE(test, !!homa_rpc_find(rig->hsk, id, NULL));
	KUNIT_EXPECT_TRUE(test, hlist_empty(&rig->hsk->rpcs.head));
	KUNIT_EXPECT_TRUE(test, homa_fifo_is_empty(&rig->hsk->ready.queue));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&rig->hsk->stalled.rb_root));
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_rpcs, 0);
	homa_rpc_put(rpc);
	KUNIT_EXPECT_EQ(test, refcount_read(&homa_to_sk(rig->hsk)->sk_refcnt), 100);
	KUNIT_EXPECT_EQ(test, refcount_read(&rig->peer.refs), 99);
	refcount_set(&rig->peer.refs, 100);
}

static void end(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_rpc_end(rpc);
	homa_rpc_end(rpc);	/* twice does no harm */
	spin_unlock_bh(&rpc->lock);
}

static void finding(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1000);
	struct homa_sock *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	const struct in6_addr stranger = homa_addr_v4(htonl(0x0a000002));

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->net = &rig->hn;
	KUNIT_EXPECT_PTR_EQ(test, homa_rpc_find(rig->hsk, 1000, NULL), rpc);
	KUNIT_EXPECT_PTR_EQ(test, homa_rpc_find(rig->hsk, 1000, &rig->peer.addr), rpc);
	KUNIT_EXPECT_FALSE(test, !!homa_rpc_find(rig->hsk, 1000, &stranger));
	KUNIT_EXPECT_FALSE(test, !!homa_rpc_find(rig->hsk, 1001, &rig->peer.addr));
	KUNIT_EXPECT_FALSE(test, !!homa_rpc_find(other, 1000, &rig->peer.addr));
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 4);
	homa_rpc_put(rpc);
	homa_rpc_put(rpc);
	end(rpc);
	expect_gone(test, rig, rpc, 1000);
	unmake(rig);
}

#define MANY		20000
#define NEWCOMERS	2000

/* What has been listed goes, and others come, at the heads of the chains. */
static void disturb(struct kunit *test, struct rig *rig, struct homa_rpc *listed, u32 nr)
{
	if (listed->id % 4) {
		end(listed);
		homa_rpc_put(listed);
	}
	if (nr < NEWCOMERS)
		add(test, rig, 2 * (MANY + nr) + 2);
}

/* Each once, with a reference, though the listing stops after each. */
static void listing(struct kunit *test)
{
	u8 *seen = kunit_kzalloc(test, MANY + NEWCOMERS, GFP_KERNEL);
	struct homa_rpc_cursor at = {};
	struct rig *rig = make(test);
	struct homa_rpc *rpc;
	u32 i, nr = 0;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	refcount_set(&homa_to_sk(rig->hsk)->sk_refcnt, 2 * (MANY + NEWCOMERS));
	refcount_set(&rig->peer.refs, 2 * (MANY + NEWCOMERS));
	for (i = 0; i < MANY; i++)
		add(test, rig, 2 * i + 2);
	while ((rpc = homa_rpc_next(&rig->hn, &at))) {
		KUNIT_ASSERT_TRUE(test, rpc->id >= 2 && rpc->id <= 2 * (MANY + NEWCOMERS));
		KUNIT_EXPECT_EQ(test, seen[rpc->id / 2 - 1]++, 0);
		KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 3);
		disturb(test, rig, rpc, nr++);
		homa_rpc_put(rpc);
	}
	for (i = 0, nr = 0; i < MANY; i++)
		nr += seen[i];
	KUNIT_EXPECT_EQ(test, nr, MANY);
	for (i = 0; i < MANY + NEWCOMERS; i++) {
		rpc = homa_rpc_find(rig->hsk, 2 * i + 2, NULL);
		if (!rpc)
			continue;
		end(rpc);
		homa_rpc_put(rpc);
		homa_rpc_put(rpc);
	}
	at = (struct homa_rpc_cursor){};
	KUNIT_EXPECT_FALSE(test, !!homa_rpc_next(&rig->hn, &at));
	unmake(rig);
}

static void twins(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1001), *twin;

	twin = homa_rpc_alloc(rig->hsk, &rig->birth);
	KUNIT_ASSERT_FALSE(test, IS_ERR(twin));
	spin_lock_bh(&twin->lock);
	KUNIT_EXPECT_EQ(test, homa_rpc_insert(twin, HOMA_INCOMING), -EEXIST);
	spin_unlock_bh(&twin->lock);
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_rpcs, 1);
	homa_rpc_put(twin);
	refcount_set(&rig->peer.refs, 100);
	end(rpc);
	expect_gone(test, rig, rpc, 1001);
	unmake(rig);
}

/* Who forges packets finds no id that makes a chain longer and longer; another client's is not concerned. */
static void too_many_twins(struct kunit *test)
{
	struct homa_peer *peers = kunit_kcalloc(test, TWINS_MAX + 1, sizeof(*peers), GFP_KERNEL);
	struct rig *rig = make(test);
	struct homa_rpc *rpc;
	int i, err;

	KUNIT_ASSERT_NOT_NULL(test, peers);
	refcount_set(&homa_to_sk(rig->hsk)->sk_refcnt, 2 * TWINS_MAX);
	rig->birth.id = 1001;
	for (i = 0; i <= TWINS_MAX; i++) {
		peers[i].addr = homa_addr_v4(htonl(0x0a010000 + i));
		refcount_set(&peers[i].refs, 2);
		rig->birth.peer = &peers[i];
		rpc = homa_rpc_alloc(rig->hsk, &rig->birth);
		KUNIT_ASSERT_FALSE(test, IS_ERR(rpc));
		spin_lock_bh(&rpc->lock);
		err = homa_rpc_insert(rpc, HOMA_INCOMING);
		spin_unlock_bh(&rpc->lock);
		KUNIT_EXPECT_EQ_MSG(test, err, i < TWINS_MAX ? 0 : -EUSERS, "twin %d", i);
		homa_rpc_put(rpc);
	}
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_rpcs, TWINS_MAX);
	rig->birth.peer = &rig->peer;
	homa_rpc_put(add(test, rig, 1003));
	rig->hsk->is_shutdown = true;
	homa_rpc_end_all(rig->hsk);
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_rpcs, 0);
	unmake(rig);
}

/* Shutdown may come upon one that homa_rpc_insert() has just given up; an error, or the program's order
 * to abort another one, upon one that has the memory of what they are for.
 */
static void never_born(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = homa_rpc_alloc(rig->hsk, &rig->birth);

	KUNIT_ASSERT_FALSE(test, IS_ERR(rpc));
	end(rpc);
	spin_lock_bh(&rpc->lock);
	homa_rpc_fail(rpc, -ENOTCONN);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, rpc->state, HOMA_NEW);
	KUNIT_EXPECT_FALSE(test, rpc->is_complete);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1);
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_rpcs, 0);
	homa_rpc_put(rpc);
	unmake(rig);
}

/* What was said of the peer while its request was made is not about it. */
static void born_when_known(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = homa_rpc_alloc(rig->hsk, &rig->birth);
	unsigned long now;

	KUNIT_ASSERT_FALSE(test, IS_ERR(rpc));
	msleep(50);
	now = jiffies;
	spin_lock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, homa_rpc_insert(rpc, HOMA_OUTGOING), 0);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_GE(test, rpc->born, now);
	end(rpc);
	expect_gone(test, rig, rpc, 1000);
	unmake(rig);
}

static void shutdown(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1000), *late;

	rig->hsk->is_shutdown = true;
	homa_rpc_end_all(rig->hsk);
	expect_gone(test, rig, rpc, 1000);
	late = homa_rpc_alloc(rig->hsk, &rig->birth);
	KUNIT_ASSERT_FALSE(test, IS_ERR(late));
	spin_lock_bh(&late->lock);
	KUNIT_EXPECT_EQ(test, homa_rpc_insert(late, HOMA_OUTGOING), -ESHUTDOWN);
	spin_unlock_bh(&late->lock);
	homa_rpc_put(late);
	KUNIT_EXPECT_TRUE(test, hlist_empty(&rig->hsk->rpcs.head));
	unmake(rig);
}

/* A packet has found the socket, whose last reference is gone. */
static void no_socket(struct kunit *test)
{
	struct rig *rig = make(test);

	refcount_set(&homa_to_sk(rig->hsk)->sk_refcnt, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_rpc_alloc(rig->hsk, &rig->birth)), (long)-ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, refcount_read(&homa_to_sk(rig->hsk)->sk_refcnt), 0);
	unmake(rig);
}

/* Whom a server socket that is closed tells: who has not all of the response on its way. */
static void last_words(struct kunit *test)
{
	struct rig *rig = make(test);
	static const struct { enum homa_state state; u32 sent; int told; } t[] = {
		{ HOMA_INCOMING, 0, 1 },
		{ HOMA_IN_SERVICE, 0, 1 },
		{ HOMA_OUTGOING, 100, 1 },
		{ HOMA_OUTGOING, 200, 0 },
	};
	struct homa_rpc *rpc;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		rpc = add(test, rig, 1001);
		rpc->state = t[i].state;
		rpc->out.sent = t[i].sent;
		rpc->out.length = 200;
		told = 0;
		homa_rpc_end_all(rig->hsk);
		KUNIT_EXPECT_EQ_MSG(test, told, t[i].told, "row %d", i);
		expect_gone(test, rig, rpc, 1001);
	}
	unmake(rig);
}

static void death_in_the_ready_queue(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1000);

	spin_lock_bh(&rpc->lock);
	homa_rpc_complete(rpc, -ETIMEDOUT);
	homa_rpc_complete(rpc, 0);	/* the first result counts */
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, completed, 1);
	KUNIT_EXPECT_EQ(test, rpc->error, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 3);
	end(rpc);
	expect_gone(test, rig, rpc, 1000);
	unmake(rig);
}

static void death_without_buffer(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1001);

	homa_rpc_get(rpc);
	rb_link_node(&rpc->in_stalled, NULL, &rig->hsk->stalled.rb_root.rb_node);
	rb_insert_color_cached(&rpc->in_stalled, &rig->hsk->stalled, true);
	rig->hsk->nr_stalled = 1;
	end(rpc);
	KUNIT_EXPECT_EQ(test, rig->hsk->nr_stalled, 0);
	KUNIT_EXPECT_EQ(test, finished, 0);	/* no program had it: it may come again */
	expect_gone(test, rig, rpc, 1001);
	unmake(rig);
}

static void handed_requests_are_remembered(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1001);

	rpc->is_handed = true;
	rpc->out.length = 7;
	end(rpc);
	KUNIT_EXPECT_EQ(test, finished, 1);
	expect_gone(test, rig, rpc, 1001);
	KUNIT_EXPECT_EQ(test, uncharged, 7);
	unmake(rig);
}

/* As if it had come right after a response. */
static void finish_client(struct homa_rpc *rpc)
{
	rpc->hsk->is_brisk = true;
	local_bh_disable();
	homa_rpc_finish_client(rpc);
	local_bh_enable();
}

static void finish_to(struct kunit *test, struct rig *rig, struct homa_peer *peer, u64 id)
{
	struct homa_rpc *rpc;

	rig->birth.peer = peer;
	rpc = add(test, rig, id);
	finish_client(rpc);
	homa_rpc_put(rpc);
}

static void clients_owe_acks(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc;
	u64 id;

	for (id = 1000; id <= 1000 + 2 * P4W_ACKS_MAX; id += 2) {
		rpc = add(test, rig, id);
		rig->hsk->owed.nr += rpc->out.ack_id != 0;	/* as if its packet had not taken it */
		KUNIT_EXPECT_EQ(test, acks_sent, 0);
		finish_client(rpc);
		expect_gone(test, rig, rpc, id);
	}
	KUNIT_EXPECT_EQ(test, acks_sent, 1);
	KUNIT_EXPECT_EQ(test, rig->hsk->owed.nr, 1);
	unmake(rig);
}

static void requests_carry_acks(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc = add(test, rig, 1000);
	struct homa_pkt_ack ack;

	KUNIT_EXPECT_EQ(test, rpc->out.ack_id, 0);
	rpc->dport = 7;
	finish_client(rpc);
	expect_gone(test, rig, rpc, 1000);
	rpc = add(test, rig, 1003);		/* a server's */
	KUNIT_EXPECT_EQ(test, rpc->out.ack_id, 0);
	end(rpc);
	expect_gone(test, rig, rpc, 1003);
	rpc = add(test, rig, 1002);
	spin_lock_bh(&rpc->lock);
	KUNIT_EXPECT_TRUE(test, homa_owed_take_one(rpc, &ack));
	KUNIT_EXPECT_EQ(test, ack.id, 1001);
	KUNIT_EXPECT_EQ(test, ack.port, 7);
	KUNIT_EXPECT_FALSE(test, homa_owed_take_one(rpc, &ack));
	spin_unlock_bh(&rpc->lock);
	end(rpc);
	expect_gone(test, rig, rpc, 1002);
	unmake(rig);
}

/* What the next request of the socket would carry late, that of another may carry. */
static void slow_sockets_keep_none(struct kunit *test)
{
	struct rig *rig = make(test);
	unsigned long began = jiffies;
	struct homa_rpc *rpc;

	rig->hsk->owed_at = began;
	rpc = add(test, rig, 1000);
	KUNIT_EXPECT_TRUE(test, rig->hsk->is_brisk || jiffies - began > 1);
	end(rpc);
	expect_gone(test, rig, rpc, 1000);
	rig->hsk->owed_at = jiffies - 2;
	rpc = add(test, rig, 1002);
	KUNIT_EXPECT_FALSE(test, rig->hsk->is_brisk);
	local_bh_disable();
	homa_rpc_finish_client(rpc);
	local_bh_enable();
	expect_gone(test, rig, rpc, 1002);
	KUNIT_EXPECT_EQ(test, rig->hsk->owed.nr, 0);
	KUNIT_EXPECT_EQ(test, rig->peer.owed.nr, 1);
	unmake(rig);
}

static struct homa_peer *make_peer(struct kunit *test, u32 addr)
{
	struct homa_peer *peer = kunit_kzalloc(test, sizeof(*peer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	spin_lock_init(&peer->lock);
	refcount_set(&peer->refs, 100);
	peer->addr = homa_addr_v4(htonl(addr));
	return peer;
}

/* A socket keeps those to one peer; but which, changes only when it owes nothing. */
static void acks_to_two_peers(struct kunit *test)
{
	struct homa_pkt_ack acks[P4W_ACKS_MAX];
	struct rig *rig = make(test);
	struct homa_peer *other = make_peer(test, 0x0a000002);

	finish_to(test, rig, &rig->peer, 1000);
	finish_to(test, rig, other, 1002);
	KUNIT_EXPECT_TRUE(test, homa_owed_is_to(rig->hsk, &rig->peer));
	KUNIT_EXPECT_EQ(test, other->owed.nr, 1);
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, homa_owed_take(rig->hsk, &rig->peer, acks), 1);
	KUNIT_EXPECT_EQ(test, acks[0].id, 1001);
	local_bh_enable();
	finish_to(test, rig, other, 1004);
	KUNIT_EXPECT_TRUE(test, homa_owed_is_to(rig->hsk, other));
	KUNIT_EXPECT_EQ(test, refcount_read(&rig->peer.refs), 99);	/* less one RPC's: that is all */
	KUNIT_EXPECT_EQ(test, refcount_read(&other->refs), 98);
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, homa_owed_take(rig->hsk, other, acks), 2);
	KUNIT_EXPECT_EQ(test, acks[0].id, 1005);
	KUNIT_EXPECT_EQ(test, acks[1].id, 1003);
	local_bh_enable();
	finish_to(test, rig, other, 1006);
	known = other;
	homa_owed_shutdown(rig->hsk);
	KUNIT_EXPECT_EQ(test, other->owed.nr, 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->refs), 97);
	unmake(rig);
}

/* Nobody will ask for what is owed to it. */
static void peer_that_is_gone(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_peer *other = make_peer(test, 0x0a000002);
	int i;

	refcount_set(&other->refs, 1000);
	finish_to(test, rig, &rig->peer, 1000);
	for (i = 0; i < 300 && !homa_owed_is_to(rig->hsk, other); i++) {
		finish_to(test, rig, other, 2000 + 2 * i);
		other->owed.nr = 0;
	}
	KUNIT_EXPECT_EQ(test, i, 256);
	KUNIT_EXPECT_EQ(test, rig->hsk->owed.nr, 1);
	homa_owed_shutdown(rig->hsk);	/* to whom nobody knows any more */
	KUNIT_EXPECT_EQ(test, rig->hsk->owed.nr, 0);
	unmake(rig);
}

static void private_ones_are_not_shared(struct kunit *test)
{
	struct rig *rig = make(test);
	struct homa_rpc *rpc;

	rig->birth.is_private = true;
	rpc = add(test, rig, 1000);
	spin_lock_bh(&rpc->lock);
	homa_rpc_complete(rpc, 0);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, completed, 0);
	KUNIT_EXPECT_TRUE(test, rpc->is_complete);
	end(rpc);
	expect_gone(test, rig, rpc, 1000);
	unmake(rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(states),
	KUNIT_CASE(finding),
	KUNIT_CASE(listing),
	KUNIT_CASE(twins),
	KUNIT_CASE(too_many_twins),
	KUNIT_CASE(never_born),
	KUNIT_CASE(born_when_known),
	KUNIT_CASE(shutdown),
	KUNIT_CASE(no_socket),
	KUNIT_CASE(last_words),
	KUNIT_CASE(death_in_the_ready_queue),
	KUNIT_CASE(death_without_buffer),
	KUNIT_CASE(handed_requests_are_remembered),
	KUNIT_CASE(clients_owe_acks),
	KUNIT_CASE(requests_carry_acks),
	KUNIT_CASE(slow_sockets_keep_none),
	KUNIT_CASE(acks_to_two_peers),
	KUNIT_CASE(peer_that_is_gone),
	KUNIT_CASE(private_ones_are_not_shared),
	{}
};

static int begin(struct kunit_suite *suite)
{
	return homa_rpcs_init();
}

static void finish(struct kunit_suite *suite)
{
	homa_rpcs_exit();
}

static struct kunit_suite suite = {
	.name = "homa_rpc",
	.suite_init = begin,
	.suite_exit = finish,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
