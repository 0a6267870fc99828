// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grants: the decisions as tables, and the whole of grant.c with messages that only exist as
 * numbers, against the promises of its head: shortest first, budget kept, everything granted.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "../../module/grant.c"

unsigned int homa_net_id;
static int puts, grants_sent;

void homa_rpc_put(struct homa_rpc *rpc)
{
	puts++;
	refcount_dec(&rpc->refs);
}

struct homa_path homa_rpc_path(const struct homa_rpc *rpc)
{
	return (struct homa_path){ .net = rpc->net };
}

void homa_queue_grant(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		      u8 priority)
{
	grants_sent++;
}

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
}

void homa_timer_start(struct homa_rpc *rpc)
{
}

static void window(struct kunit *test)
{
	static const struct {
		u32 max, fixed, active, want;
	} t[] = {
		{ 400000, 0, 1, 200000 },
		{ 400000, 0, 7, 50000 },
		{ 400000, 10000, 7, 10000 },
		{ 400000, 500000, 1, 400000 },	/* a fixed window is within the budget too */
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ(test, homa_grant_window(t[i].max, t[i].fixed, t[i].active),
				t[i].want);
}

static void increment(struct kunit *test)
{
	static const struct {
		u32 received, granted, length, window;
		u64 headroom;
		u32 want;
	} t[] = {
		{ 40000, 40000, 1000000, 80000, 400000, 80000 },
		{ 45000, 120000, 1000000, 80000, 400000, 0 },		/* less than an eighth */
		{ 50000, 120000, 1000000, 80000, 400000, 10000 },	/* an eighth */
		{ 999000, 999900, 1000000, 80000, 400000, 100 },	/* the last piece */
		{ 40000, 40000, 1000000, 80000, 20000, 20000 },		/* what the budget has */
		{ 40000, 40000, 1000000, 80000, 9999, 0 },
		{ 40000, 40000, 1000000, 80000, 0, 0 },
		{ 999000, 999900, 1000000, 80000, 99, 0 },
		{ 10000, 200000, 1000000, 80000, 400000, 0 },		/* the window has shrunk */
		{ 1000000, 1000000, 1000000, 80000, 400000, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    homa_grant_increment(t[i].received, t[i].granted, t[i].length,
							 t[i].window, t[i].headroom),
				    t[i].want, "row %d", i);
}

static void priority(struct kunit *test)
{
	/* By number of active messages, then rank. */
	static const u8 want[][8] = {
		{ 0 }, { 1, 0 }, { 2, 1, 0 }, { 3, 2, 1, 0 }, { 3, 2, 1, 0, 0 },
		{ 3, 2, 1, 0, 0, 0 }, { 3, 2, 1, 0, 0, 0, 0 }, { 3, 2, 1, 0, 0, 0, 0, 0 },
	};
	u32 n, rank;

	for (n = 1; n <= 8; n++)
		for (rank = 0; rank < n; rank++)
			KUNIT_EXPECT_EQ_MSG(test, homa_grant_priority(rank, n), want[n - 1][rank],
					    "%u of %u", rank, n);
}

#define MSGS	20

struct rig {
	struct homa_net hn;
	struct homa_rpc *rpc[MSGS];
};

static struct rig *make(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->hn.knobs.max_incoming = 400000;
	rig->hn.knobs.max_overcommit = 8;
	KUNIT_ASSERT_EQ(test, homa_grants_net_init(&rig->hn), 0);
	for (i = 0; i < MSGS; i++) {
		struct homa_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rpc);
		rpc->net = &rig->hn;
		rpc->state = HOMA_INCOMING;
		refcount_set(&rpc->refs, 100);
		spin_lock_init(&rpc->lock);
		INIT_LIST_HEAD(&rpc->grant.link);
		rig->rpc[i] = rpc;
	}
	return rig;
}

static void begin_with(struct homa_rpc *rpc, u32 length, u32 incoming)
{
	spin_lock_bh(&rpc->lock);
	homa_grant_begin(rpc, length, incoming);
	spin_unlock_bh(&rpc->lock);
}

static void begin(struct homa_rpc *rpc, u32 length)
{
	begin_with(rpc, length, min(length, 40000u));
}

static void receive(struct homa_rpc *rpc, u32 received)
{
	struct homa_grant_plan plan = { .nr = 0 };

	spin_lock_bh(&rpc->lock);
	homa_grant_received(rpc, received, &plan);
	spin_unlock_bh(&rpc->lock);
	homa_grant_send(&plan);
}

static void end(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_grant_end(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void short_is_not_managed(struct kunit *test)
{
	struct rig *rig = make(test);

	begin(rig->rpc[0], 40000);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->nr, 0);
	receive(rig->rpc[0], 40000);
	end(rig->rpc[0]);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->incoming, 0);
	homa_grants_net_exit(&rig->hn);
}

/* Another CPU has granted the rest, but has it in its hands, and so in the list, still. */
static void death_while_granted(struct kunit *test)
{
	struct rig *rig = make(test);

	begin(rig->rpc[0], 100000);
	WRITE_ONCE(rig->rpc[0]->grant.granted, 100000);
	rig->hn.grants->incoming = 100000;
	end(rig->rpc[0]);
	KUNIT_EXPECT_TRUE(test, list_empty(&rig->rpc[0]->grant.link));
	KUNIT_EXPECT_EQ(test, rig->hn.grants->nr, 0);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->incoming, 0);
	end(rig->rpc[0]);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->nr, 0);
	homa_grants_net_exit(&rig->hn);
}

static void shortest_first(struct kunit *test)
{
	struct rig *rig = make(test);
	int i;

	rig->hn.knobs.max_overcommit = 1;
	rig->hn.knobs.max_incoming = 2000000;
	rig->hn.knobs.window = 100000;
	for (i = 0; i < 4; i++)
		begin(rig->rpc[i], 900000 - i * 100000);
	receive(rig->rpc[0], 40000);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, rig->rpc[i]->grant.granted, 40000);
	KUNIT_EXPECT_GT(test, rig->rpc[3]->grant.granted, 40000);
	/* A longer one gets ahead when it has less left. */
	begin_with(rig->rpc[4], 1000000, 900000);
	receive(rig->rpc[4], 850000);
	KUNIT_EXPECT_GT(test, rig->rpc[4]->grant.granted, 900000);
	end(rig->rpc[4]);
	for (i = 0; i < 4; i++)
		end(rig->rpc[i]);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->nr, 0);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->incoming, 0);
	homa_grants_net_exit(&rig->hn);
}

/* All messages, a packet of a random one at a time: within the budget, and to the end. */
static void all_get_through(struct kunit *test)
{
	struct rig *rig = make(test);
	u32 received[MSGS] = {}, left = MSGS, rounds = 0, i;

	puts = 0;
	grants_sent = 0;
	for (i = 0; i < MSGS; i++)
		begin(rig->rpc[i], 50000 + i * 40000);
	while (left && rounds++ < 100000) {
		u32 before = rig->hn.grants->incoming;
		struct homa_grant *g;

		i = prandom_u32_max(MSGS);
		g = &rig->rpc[i]->grant;
		if (received[i] == g->granted)
			continue;
		received[i] = min(received[i] + 1424, g->granted);
		receive(rig->rpc[i], received[i]);
		/* Unasked bytes may exceed the budget, grants do not. */
		KUNIT_ASSERT_LE(test, rig->hn.grants->incoming, max(before, 400000u));
		KUNIT_ASSERT_LE(test, g->granted, g->length);
		left -= received[i] == g->length;
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->nr, 0);
	KUNIT_EXPECT_EQ(test, rig->hn.grants->incoming, 0);
	KUNIT_EXPECT_EQ(test, grants_sent, puts);
	KUNIT_EXPECT_GT(test, grants_sent, MSGS);
	homa_grants_net_exit(&rig->hn);
}

/* One message at a time; the active one dies: the next must not wait for a packet. */
static void death_passes_on(struct kunit *test)
{
	struct rig *rig = make(test);

	rig->hn.knobs.max_overcommit = 1;
	begin(rig->rpc[0], 600000);
	begin(rig->rpc[1], 700000);
	receive(rig->rpc[1], 40000);
	receive(rig->rpc[0], 40000);
	KUNIT_EXPECT_EQ(test, rig->rpc[1]->grant.granted, 40000);
	end(rig->rpc[0]);
	flush_work(&rig->hn.grants->left);
	KUNIT_EXPECT_GT(test, rig->rpc[1]->grant.granted, 40000);
	end(rig->rpc[1]);
	homa_grants_net_exit(&rig->hn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(window),
	KUNIT_CASE(increment),
	KUNIT_CASE(priority),
	KUNIT_CASE(short_is_not_managed),
	KUNIT_CASE(death_while_granted),
	KUNIT_CASE(shortest_first),
	KUNIT_CASE(all_get_through),
	KUNIT_CASE(death_passes_on),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_grant",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
