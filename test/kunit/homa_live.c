// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which RPCs end with one, when their peer or its port cannot be reached, or the peer is dead: with
 * real RPCs on a list, and the work item called by its queue.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/live.c"

#define RPCS	8

unsigned int homa_net_id;

static struct rig {
	struct homa_net hn;
	struct homa_peer peer, other;
	struct homa_rpc *rpc[RPCS];
	int error[RPCS];		/* that the program of a client has seen */
	bool ended[RPCS];		/* servers */
	bool given_up[RPCS];
	bool waits;
	u32 visits;
} *rig;

static int index_of(const struct homa_rpc *rpc)
{
	int i;

	for (i = 0; i < RPCS && rig->rpc[i] != rpc; i++)
		;
	return i;
}

void homa_rpc_fail(struct homa_rpc *rpc, int error)
{
	rig->error[index_of(rpc)] = error;
}

void homa_rpc_end(struct homa_rpc *rpc)
{
	rig->ended[index_of(rpc)] = true;
}

bool homa_timer_waits(const struct homa_rpc *rpc)
{
	return rig->waits;
}

void homa_timer_give_up(struct homa_rpc *rpc)
{
	rig->given_up[index_of(rpc)] = true;
}

void homa_peer_put(struct homa_peer *peer)
{
	refcount_dec(&peer->refs);
}

void homa_rpcs_visit(struct homa_net *hn, void (*visit)(struct homa_rpc *rpc))
{
	int i;

	rig->visits++;
	for (i = 0; i < RPCS; i++)
		visit(rig->rpc[i]);
}

/* Even ones are clients. Of the first six the last two have another port; the other two another peer. */
static int init(struct kunit *test)
{
	int i;

	rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	if (!rig)
		return -ENOMEM;
	rig->hn.counters = alloc_percpu(struct homa_counters);
	if (!rig->hn.counters || homa_live_net_init(&rig->hn))
		return -ENOMEM;
	rig->peer.net = &rig->hn;
	rig->other.net = &rig->hn;
	refcount_set(&rig->peer.refs, 7);
	refcount_set(&rig->other.refs, 3);
	for (i = 0; i < RPCS; i++) {
		rig->rpc[i] = kunit_kzalloc(test, sizeof(*rig->rpc[i]), GFP_KERNEL);
		if (!rig->rpc[i])
			return -ENOMEM;
		rig->rpc[i]->id = i;
		rig->rpc[i]->net = &rig->hn;
		rig->rpc[i]->peer = i < 6 ? &rig->peer : &rig->other;
		rig->rpc[i]->dport = i == 4 || i == 5 ? 200 : 100;
		rig->rpc[i]->born = jiffies;
		spin_lock_init(&rig->rpc[i]->lock);
	}
	return 0;
}

static void tear_down(struct kunit *test)
{
	homa_live_net_exit(&rig->hn);
	KUNIT_EXPECT_EQ(test, refcount_read(&rig->peer.refs), 7);
	free_percpu(rig->hn.counters);
}

static void expect_failed(struct kunit *test, u32 set, int error)
{
	int i;

	flush_work(&rig->hn.dead->work);
	for (i = 0; i < RPCS; i++) {
		bool failed = set & BIT(i), client = !(i & 1);

		KUNIT_EXPECT_EQ_MSG(test, rig->error[i], failed && client ? error : 0, "RPC %d", i);
		KUNIT_EXPECT_EQ_MSG(test, rig->ended[i], failed && !client, "RPC %d", i);
		KUNIT_EXPECT_FALSE_MSG(test, rig->given_up[i], "RPC %d", i);
	}
	KUNIT_EXPECT_EQ(test, refcount_read(&rig->peer.refs), 7);
}

/* A port may be a server's and, for other RPCs, a client's. */
static void port_of_server(struct kunit *test)
{
	homa_live_refused(rig->rpc[0], 100, -ENOTCONN);
	expect_failed(test, BIT(0) | BIT(2), -ENOTCONN);
}

static void port_of_client(struct kunit *test)
{
	homa_live_refused(rig->rpc[5], 200, -ENOTCONN);
	expect_failed(test, BIT(5), -ENOTCONN);
}

static void whole_peer(struct kunit *test)
{
	homa_live_refused(rig->rpc[0], 0, -EPROTONOSUPPORT);
	expect_failed(test, 0x3f, -EPROTONOSUPPORT);
}

static void born_later(struct kunit *test)
{
	rig->rpc[2]->born = jiffies + HZ;
	rig->rpc[0]->born = jiffies - HZ;
	homa_live_refused(rig->rpc[0], 100, -ENOTCONN);
	expect_failed(test, BIT(0), -ENOTCONN);
}

/* The table has a reference, and the RPC that was quoted, which has ended already. */
static void nobody_else(struct kunit *test)
{
	refcount_set(&rig->peer.refs, 2);
	homa_live_refused(rig->rpc[0], 0, -ENOTCONN);
	flush_work(&rig->hn.dead->work);
	KUNIT_EXPECT_EQ(test, rig->visits, 0);
	refcount_set(&rig->peer.refs, 7);
}

static bool add(struct kunit *test, u16 port, int error)
{
	struct refusal *r = kzalloc(sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	*r = (struct refusal){ .peer = &rig->peer, .port = port, .is_client = true, .error = error };
	refcount_inc(&rig->peer.refs);
	if (add_refusal(rig->hn.dead, r))
		return true;
	homa_peer_put(&rig->peer);
	kfree(r);
	return false;
}

/* A flood of errors costs no more than this; what is left goes with the namespace. */
static void not_too_many(struct kunit *test)
{
	int i;

	KUNIT_EXPECT_TRUE(test, add(test, 1, -ENOTCONN));
	KUNIT_EXPECT_FALSE(test, add(test, 1, -ENOTCONN));
	KUNIT_EXPECT_TRUE(test, add(test, 1, -EPROTONOSUPPORT));
	for (i = 2; i < REFUSALS_MAX; i++)
		KUNIT_EXPECT_TRUE(test, add(test, i, -ENOTCONN));
	KUNIT_EXPECT_FALSE(test, add(test, i, -ENOTCONN));
	KUNIT_EXPECT_EQ(test, rig->hn.dead->nr, REFUSALS_MAX);
	/* Once they are carried out, there is room again. */
	schedule_work(&rig->hn.dead->work);
	flush_work(&rig->hn.dead->work);
	KUNIT_EXPECT_TRUE(test, add(test, i, -ENOTCONN));
}

/* Those that waited when it died, whatever they wait for; not who began later. */
static void dead_peer(struct kunit *test)
{
	int i;

	for (i = 0; i < RPCS; i++)
		rig->rpc[i]->silence.since = i < 3 || i > 5 ? 1000 : 1001;
	rig->waits = true;
	homa_live_died(&rig->peer, 1000);
	flush_work(&rig->hn.dead->work);
	for (i = 0; i < RPCS; i++)
		KUNIT_EXPECT_EQ_MSG(test, rig->given_up[i], i < 3, "RPC %d", i);
	memset(rig->given_up, 0, sizeof(rig->given_up));
	rig->waits = false;
	homa_live_died(&rig->peer, 1000);
	expect_failed(test, 0, 0);
}

static void silent_for_hours(struct kunit *test)
{
	u64 minutes, ns;

	for (minutes = 0; minutes < 300; minutes++) {
		rig->peer.live.heard = jiffies - minutes * 60 * HZ;
		ns = homa_live_silent_ns(&rig->peer.live);
		KUNIT_ASSERT_GE(test, ns / NSEC_PER_SEC + 1, minutes * 60);
		KUNIT_ASSERT_LE(test, ns / NSEC_PER_SEC, minutes * 60 + 30);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(port_of_server),
	KUNIT_CASE(port_of_client),
	KUNIT_CASE(whole_peer),
	KUNIT_CASE(born_later),
	KUNIT_CASE(nobody_else),
	KUNIT_CASE(not_too_many),
	KUNIT_CASE(dead_peer),
	KUNIT_CASE(silent_for_hours),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_live",
	.init = init,
	.exit = tear_down,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
