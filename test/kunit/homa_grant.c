// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grants: the decisions as tables, and the whole of grant.c with messages that only exist as
 * numbers, against the promises of its head: shortest first, one place a peer while others wait,
 * tenants by weight, budget kept, the silent give way, the oldest is not forgotten, and everything
 * is granted in the end.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/random.h>
#include "../../module/grant.c"
#include "../../module/places.c"
#include "../../module/shares.c"

unsigned int homa_net_id;
static int puts, grants_sent;
static struct homa_link the_link;

struct homa_link *homa_link_get(struct homa_net *hn, int ifindex)
{
	refcount_inc(&the_link.refs);
	return &the_link;
}

void homa_link_put(struct homa_link *link)
{
	refcount_dec(&link->refs);
}

u32 homa_link_speed(const struct homa_net *hn, const struct homa_link *link, bool *is_soft)
{
	*is_soft = false;
	return 25000;
}

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

void homa_timer_granted(struct homa_rpc *rpc)
{
}

static void budget(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, homa_grant_budget(12345, 10000, false), 12345);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, 25000, false), 400000);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, 100000, false), 1600000);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, 10000, false), 160000);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, 1000, false), MIN_BUDGET);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, 10000, true), SOFT_BUDGET);
	KUNIT_EXPECT_EQ(test, homa_grant_budget(0, U32_MAX, false), 1 << 30);
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
		{ 45000, 120000, 1000000, 80000, 400000, 0 },		/* less than half */
		{ 80000, 120000, 1000000, 80000, 400000, 40000 },	/* half */
		{ 950000, 999900, 1000000, 80000, 400000, 100 },	/* the last piece */
		{ 901000, 901000, 1000000, 80000, 400000, 99000 },	/* with a small rest */
		{ 40000, 40000, 1000000, 80000, 40000, 40000 },		/* what the budget has */
		{ 40000, 40000, 1000000, 80000, 39999, 0 },
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
		for (rank = 0; rank < n; rank++) {
			KUNIT_EXPECT_EQ_MSG(test, homa_grant_priority(rank, n, 3),
					    want[n - 1][rank], "%u of %u", rank, n);
			KUNIT_EXPECT_EQ(test, homa_grant_priority(rank, n, 0), 0);
		}
}

#define PEERS	12

struct rig {
	struct homa_net hn;
	struct homa_tenants tenants;
	struct homa_cutoffs cutoffs;
	struct homa_tenant tenant[2];	/* ids 1, 2 */
	struct homa_peer peer[PEERS];
	struct homa_rpc **rpc;
	struct homa_budget *b;
};

static struct rig *make(struct kunit *test, u32 nr)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->hn.tenants = &rig->tenants;
	rig->hn.cutoffs = &rig->cutoffs;
	rig->hn.counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)rig->hn.counters);
	rig->cutoffs.max_sched_prio = 3;
	rig->hn.knobs.max_overcommit = 8;
	xa_init(&rig->tenants.by_id);
	for (i = 0; i < 2; i++) {
		rig->tenant[i].conf.weight = 100;
		xa_store(&rig->tenants.by_id, i + 1, &rig->tenant[i], GFP_KERNEL);
	}
	KUNIT_ASSERT_EQ(test, homa_grants_net_init(&rig->hn), 0);
	memset(&the_link, 0, sizeof(the_link));
	refcount_set(&the_link.refs, 1);
	homa_budget_init(&the_link.budget, &rig->hn, &the_link);
	rig->b = &the_link.budget;
	rig->rpc = kunit_kcalloc(test, nr, sizeof(*rig->rpc), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig->rpc);
	for (i = 0; i < nr; i++) {
		struct homa_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rpc);
		rpc->net = &rig->hn;
		rpc->peer = &rig->peer[i % PEERS];
		rpc->state = HOMA_INCOMING;
		refcount_set(&rpc->refs, 1000);
		spin_lock_init(&rpc->lock);
		rig->rpc[i] = rpc;
	}
	return rig;
}

static void unmake(struct kunit *test, struct rig *rig)
{
	homa_budget_stop(rig->b);
	KUNIT_EXPECT_EQ(test, rig->b->nr_active, 0);
	KUNIT_EXPECT_EQ(test, rig->b->nr_waiting, 0);
	KUNIT_EXPECT_EQ(test, rig->b->incoming, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&rig->b->by_age));
	KUNIT_EXPECT_TRUE(test, list_empty(&rig->b->by_heard));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&rig->b->shares.by_id));
	KUNIT_EXPECT_PTR_EQ(test, homa_share_first(&rig->b->shares), NULL);
	KUNIT_EXPECT_EQ(test, refcount_read(&the_link.refs), 1);
	homa_grants_net_exit(&rig->hn);
	free_percpu(rig->hn.counters);
	xa_destroy(&rig->tenants.by_id);
}

static void begin_with(struct homa_rpc *rpc, u32 length, u32 incoming)
{
	spin_lock_bh(&rpc->lock);
	homa_grant_begin(rpc, 1, length, incoming);
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
	struct rig *rig = make(test, 1);

	begin(rig->rpc[0], 40000);
	KUNIT_EXPECT_PTR_EQ(test, rig->rpc[0]->grant.link, NULL);
	receive(rig->rpc[0], 40000);
	end(rig->rpc[0]);
	unmake(test, rig);
}

/* Another CPU has granted the rest, but has it in its hands still. */
static void death_while_granted(struct kunit *test)
{
	struct rig *rig = make(test, 1);

	begin(rig->rpc[0], 100000);
	receive(rig->rpc[0], 1000);
	end(rig->rpc[0]);
	end(rig->rpc[0]);
	unmake(test, rig);
}

/* An idle path: a handful of GRANTs for the longest message. */
static void few_grants(struct kunit *test)
{
	struct rig *rig = make(test, 1);
	struct homa_rpc *rpc = rig->rpc[0];
	u32 received = 0;

	rig->hn.knobs.max_incoming = SOFT_BUDGET;
	grants_sent = 0;
	begin(rpc, 1000000);
	while (received < 1000000) {
		received = min(received + 60000, rpc->grant.granted);
		receive(rpc, received);
		KUNIT_ASSERT_GT(test, rpc->grant.granted, min(received + 100000, 999999u));
	}
	KUNIT_EXPECT_LE(test, grants_sent, 7);
	end(rpc);
	unmake(test, rig);
}

static void shortest_first(struct kunit *test)
{
	struct rig *rig = make(test, 5);
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
	for (i = 0; i < 5; i++)
		end(rig->rpc[i]);
	unmake(test, rig);
}

/* Rpcs i, i + PEERS, ... are of the same peer. */
static void one_place_a_peer(struct kunit *test)
{
	struct rig *rig = make(test, 10 * PEERS);
	int i, active;

	rig->hn.knobs.max_overcommit = 4;
	rig->hn.knobs.window = 10000;
	for (i = 0; i < 10; i++) {	/* the shortest, all of peer 0 */
		begin(rig->rpc[i * PEERS], 100000 + i);
		receive(rig->rpc[i * PEERS], 1000);
	}
	KUNIT_EXPECT_EQ(test, places_of(rig->b, &rig->peer[0]), 4);	/* nobody else wants one */
	for (i = 1; i < 6; i++) {
		begin(rig->rpc[i], 800000 + i);
		receive(rig->rpc[i], 1000);
	}
	for (active = 0, i = 0; i < 6; i++) {
		KUNIT_EXPECT_LE(test, places_of(rig->b, &rig->peer[i]), 1);
		active += places_of(rig->b, &rig->peer[i]);
	}
	KUNIT_EXPECT_EQ(test, active, 4);
	/* A shorter one of the same peer takes the place of the longer. */
	begin(rig->rpc[6 + PEERS], 700000);
	receive(rig->rpc[6 + PEERS], 1000);
	begin(rig->rpc[6], 600000);
	receive(rig->rpc[6], 1000);
	KUNIT_EXPECT_NE(test, rig->rpc[6 + PEERS]->grant.where, HOMA_GRANT_GRANTED);
	KUNIT_EXPECT_LE(test, places_of(rig->b, &rig->peer[6]), 1);
	for (i = 0; i < 10 * PEERS; i++)
		end(rig->rpc[i]);
	unmake(test, rig);
}

/* Two tenants with long messages, the weight of the second is thrice that of the first. */
static void tenants_by_weight(struct kunit *test)
{
	struct rig *rig = make(test, 40);
	u32 received[40] = {}, total[2] = {}, i, round;

	rig->tenant[1].conf.weight = 300;
	rig->hn.knobs.max_overcommit = 2;
	for (i = 0; i < 40; i++) {
		rig->rpc[i]->peer_tenant = 1 + i % 2;
		begin_with(rig->rpc[i], 1000000 - i % 2 * 500000 + i, 1000);
	}
	for (round = 0; round < 3000; round++)
		for (i = 0; i < 40; i++) {
			u32 more = min(rig->rpc[i]->grant.granted - received[i], 1424u);

			if (!more && round)
				continue;
			received[i] += more;
			total[i % 2] += more;
			receive(rig->rpc[i], received[i]);
			if (total[0] + total[1] > 8000000)
				goto done;
		}
done:
	/* Of what is divided; the shorter messages of the second would be first otherwise. */
	KUNIT_EXPECT_GT(test, total[1], total[0] * 24 / 10);
	KUNIT_EXPECT_LT(test, total[1], total[0] * 36 / 10);
	for (i = 0; i < 40; i++)
		end(rig->rpc[i]);
	unmake(test, rig);
}

/* All messages, a packet of a random one at a time: within the budget, and to the end. */
static void all_get_through(struct kunit *test)
{
	const u32 nr = 300;
	struct rig *rig = make(test, nr);
	u32 *received = kunit_kcalloc(test, nr, sizeof(*received), GFP_KERNEL);
	u32 left = nr, begun = 0, rounds = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, received);
	rig->hn.knobs.max_incoming = 400000;
	puts = 0;
	grants_sent = 0;
	while (left && rounds++ < 10000000) {
		struct homa_grant *g;
		bool forgotten;
		u64 before;

		if (begun < nr && !prandom_u32_max(100)) {
			rig->rpc[begun]->peer_tenant = prandom_u32_max(4);
			begin(rig->rpc[begun], 41000 + prandom_u32_max(300000));
			begun++;
		}
		if (!begun)
			continue;
		i = prandom_u32_max(begun);
		g = &rig->rpc[i]->grant;
		if (received[i] == g->granted)
			continue;
		before = rig->b->incoming;
		forgotten = g->counted < homa_grant_on_the_way(g->granted, g->received, g->unasked);
		received[i] = min(received[i] + 1424, g->granted);
		receive(rig->rpc[i], received[i]);
		/* What was silent comes on top of what was granted instead. The oldest may be given
		 * its part, an eighth, while there is room for one byte.
		 */
		if (rig->b->incoming > before && !forgotten)
			KUNIT_ASSERT_LE(test, rig->b->incoming, 400000 + 400000 / 8);
		KUNIT_ASSERT_LE(test, g->granted, g->length);
		KUNIT_ASSERT_LE(test, rig->b->nr_active, 8);
		if (received[i] == g->length) {
			end(rig->rpc[i]);
			left--;
		}
		if (!prandom_u32_max(1000)) {	/* some are given up */
			i = prandom_u32_max(begun);
			if (received[i] < rig->rpc[i]->grant.length) {
				end(rig->rpc[i]);
				received[i] = rig->rpc[i]->grant.granted;
				WRITE_ONCE(rig->rpc[i]->grant.length, received[i]);
				left--;
			}
		}
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	homa_budget_stop(rig->b);
	KUNIT_EXPECT_EQ(test, grants_sent, puts);
	unmake(test, rig);
}

static void on_the_way(struct kunit *test)
{
	static const struct {
		u32 granted, received, unasked, want;
	} t[] = {
		{ 40000, 1000, 40000, 0 },	/* nobody granted these */
		{ 100000, 1000, 40000, 60000 },
		{ 100000, 70000, 40000, 30000 },
		{ 100000, 100000, 40000, 0 },
		{ 100000, 110000, 40000, 0 },	/* it sent more than it may */
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ_MSG(test, homa_grant_on_the_way(t[i].granted, t[i].received,
								t[i].unasked), t[i].want,
				    "row %d", i);
}

/* Granted bytes fill the network until they are here, whoever has a place meanwhile. */
static void all_that_is_granted_counts(struct kunit *test)
{
	struct rig *rig = make(test, 3);
	u32 first, second;

	rig->hn.knobs.max_overcommit = 1;
	rig->hn.knobs.max_incoming = 400000;
	rig->hn.knobs.window = 100000;
	begin(rig->rpc[0], 900000);
	receive(rig->rpc[0], 40000);
	first = rig->rpc[0]->grant.granted - 40000;
	KUNIT_EXPECT_EQ(test, rig->b->incoming, first);
	KUNIT_EXPECT_FALSE(test, homa_grant_has_rivals(&rig->rpc[0]->grant));
	/* One that takes its place. */
	begin(rig->rpc[1], 500000);
	receive(rig->rpc[1], 40000);
	second = rig->rpc[1]->grant.granted - 40000;
	KUNIT_EXPECT_EQ(test, rig->rpc[0]->grant.where, HOMA_GRANT_WAITING);
	KUNIT_EXPECT_GT(test, second, 0);
	KUNIT_EXPECT_EQ(test, rig->b->incoming, first + second);
	KUNIT_EXPECT_TRUE(test, homa_grant_has_rivals(&rig->rpc[0]->grant));
	/* One that is granted to its end, and needs no place any longer. */
	begin(rig->rpc[2], 100000);
	receive(rig->rpc[2], 30000);
	KUNIT_EXPECT_EQ(test, rig->rpc[2]->grant.granted, 100000);
	KUNIT_EXPECT_GE(test, rig->b->incoming, first + second + 60000);
	receive(rig->rpc[2], 100000);
	end(rig->rpc[2]);
	KUNIT_EXPECT_LT(test, rig->b->incoming, first + second + 60000);
	end(rig->rpc[0]);
	end(rig->rpc[1]);
	unmake(test, rig);
}

/* One place; who has it dies: the next must not wait for a packet. */
static void death_passes_on(struct kunit *test)
{
	struct rig *rig = make(test, 2);

	rig->hn.knobs.max_overcommit = 1;
	rig->hn.knobs.grant_fifo_fraction = 0;
	begin(rig->rpc[0], 600000);
	begin(rig->rpc[1], 700000);
	receive(rig->rpc[1], 40000);
	receive(rig->rpc[0], 40000);
	end(rig->rpc[0]);
	msleep(50);
	KUNIT_EXPECT_GT(test, rig->rpc[1]->grant.granted, 40000);
	end(rig->rpc[1]);
	unmake(test, rig);
}

/* Who has the place sends nothing of what it was granted. Nothing at all comes any more. */
static void silent_gives_way(struct kunit *test)
{
	struct rig *rig = make(test, 2);

	rig->hn.knobs.max_overcommit = 1;
	begin(rig->rpc[0], 600000);
	receive(rig->rpc[0], 1000);
	begin(rig->rpc[1], 700000);
	receive(rig->rpc[1], 40000);
	msleep(200);
	KUNIT_EXPECT_EQ(test, rig->rpc[0]->grant.where, HOMA_GRANT_NOWHERE);
	KUNIT_EXPECT_GE(test, rig->rpc[1]->grant.granted, 140000);
	/* It is heard again, and is shorter. */
	receive(rig->rpc[0], 40000);
	KUNIT_EXPECT_EQ(test, rig->rpc[0]->grant.where, HOMA_GRANT_GRANTED);
	end(rig->rpc[0]);
	end(rig->rpc[1]);
	unmake(test, rig);
}

/* The longest silent first, also where a new place counts as having been heard. */
static void silent_in_order(struct kunit *test)
{
	struct rig *rig = make(test, 2);
	struct homa_grant *a = &rig->rpc[0]->grant, *b = &rig->rpc[1]->grant;

	begin(rig->rpc[0], 600000);
	begin(rig->rpc[1], 700000);
	receive(rig->rpc[0], 1000);
	receive(rig->rpc[1], 1000);
	KUNIT_EXPECT_PTR_EQ(test, rig->b->by_heard.next, &a->by_heard);
	spin_lock_bh(&rig->hn.grants->lock);
	homa_place_take(rig->b, a);
	homa_place_give(rig->b, a);
	spin_unlock_bh(&rig->hn.grants->lock);
	KUNIT_EXPECT_PTR_EQ(test, rig->b->by_heard.next, &b->by_heard);
	end(rig->rpc[0]);
	end(rig->rpc[1]);
	unmake(test, rig);
}

/* A stream of shorter messages, and a long one that was there first. */
static void oldest_gets_its_part(struct kunit *test)
{
	struct rig *rig = make(test, 400);
	u32 i, given;

	rig->hn.knobs.max_overcommit = 1;
	rig->hn.knobs.grant_fifo_fraction = 100;
	rig->hn.knobs.window = 50000;
	begin(rig->rpc[0], 1000000);
	begin(rig->rpc[1], 200000);
	for (i = 1; i < 400; i++) {
		if (i < 399)
			begin(rig->rpc[i + 1], 200000);
		receive(rig->rpc[i], 1000);
		receive(rig->rpc[i], 40000);
		receive(rig->rpc[i], 100000);
		receive(rig->rpc[i], 200000);
		end(rig->rpc[i]);
		receive(rig->rpc[0], rig->rpc[0]->grant.granted);
		if (rig->rpc[0]->grant.granted > 500000)
			break;
	}
	/* A tenth of 160,000 bytes a message. */
	given = rig->rpc[0]->grant.granted;
	KUNIT_EXPECT_GT(test, given, 500000);
	KUNIT_EXPECT_GT(test, i, 20);
	for (i = 0; i < 400; i++)
		end(rig->rpc[i]);
	unmake(test, rig);
}

/* Ten thousand messages wait: what a packet costs does not grow with them. */
static void many_wait(struct kunit *test)
{
	const u32 nr = 10000;
	struct rig *rig = make(test, nr);
	u64 start, few, many;
	u32 placed = 0, i;

	for (i = 0; i < 20; i++)
		begin(rig->rpc[i], 500000 + i);
	start = ktime_get_ns();
	for (i = 0; i < 1000; i++)
		receive(rig->rpc[i % 20], i);
	few = ktime_get_ns() - start;
	for (i = 20; i < nr; i++)
		begin(rig->rpc[i], 500000 + i);
	start = ktime_get_ns();
	for (i = 0; i < 1000; i++)
		receive(rig->rpc[(i * 97) % nr], i);
	many = ktime_get_ns() - start;
	kunit_info(test, "1000 packets: %llu us with 20 waiting, %llu us with %u", few / 1000,
		   many / 1000, nr);
	hrtimer_cancel(&rig->b->timer);
	/* The slower the machine, the more were silent for too long. */
	for (i = 0; i < nr; i++)
		placed += rig->rpc[i]->grant.where != HOMA_GRANT_NOWHERE;
	KUNIT_EXPECT_EQ(test, rig->b->nr_waiting + rig->b->nr_active, placed);
	for (i = 0; i < nr; i++)
		end(rig->rpc[i]);
	unmake(test, rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(budget),
	KUNIT_CASE(window),
	KUNIT_CASE(increment),
	KUNIT_CASE(priority),
	KUNIT_CASE(short_is_not_managed),
	KUNIT_CASE(death_while_granted),
	KUNIT_CASE(few_grants),
	KUNIT_CASE(shortest_first),
	KUNIT_CASE(one_place_a_peer),
	KUNIT_CASE(tenants_by_weight),
	KUNIT_CASE(all_get_through),
	KUNIT_CASE(on_the_way),
	KUNIT_CASE(all_that_is_granted_counts),
	KUNIT_CASE(death_passes_on),
	KUNIT_CASE(silent_gives_way),
	KUNIT_CASE(silent_in_order),
	KUNIT_CASE(oldest_gets_its_part),
	KUNIT_CASE(many_wait),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_grant",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
