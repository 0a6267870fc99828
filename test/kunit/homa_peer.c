// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Peers: the table and its limit, acks that are owed, priorities, finished requests.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/owed.c"
#include "../../module/peer.c"
#include "../../module/route.c"
#include "../../module/seen.c"

unsigned int homa_net_id;

static struct dst_entry *is_gone(struct dst_entry *dst, u32 cookie)
{
	return NULL;
}

static struct dst_ops way_ops = { .check = is_gone };
static struct net_device way_dev;
static struct dst_entry way = { .ops = &way_ops };
static u32 routed;		/* how often that was asked for */
static u32 confirmed;		/* and was said to work */

struct dst_entry *homa_ip_route(struct net *net, const struct sock *sk,
				const struct in6_addr *daddr, struct in6_addr *saddr, u32 *cookie)
{
	if (!way.dev)
		return ERR_PTR(-ENETUNREACH);
	routed++;
	if (ipv6_addr_any(saddr))
		*saddr = homa_addr_v4(htonl(1));
	dst_hold(&way);
	return &way;
}

void homa_ip_confirm(const struct dst_entry *dst, const struct in6_addr *daddr)
{
	confirmed += dst == &way;
}

static struct homa_net *make(struct kunit *test)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hn);
	hn->counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, hn->counters);
	hn->knobs.peer_net_max = 16;
	hn->knobs.resend_ticks = 5;
	KUNIT_ASSERT_EQ(test, homa_peers_init(), 0);
	KUNIT_ASSERT_EQ(test, homa_peers_net_init(hn), 0);
	return hn;
}

static void finish(struct homa_net *hn)
{
	homa_peers_net_exit(hn);
	homa_peers_exit();
	free_percpu(hn->counters);
}

static struct homa_peer *get(struct homa_net *hn, u32 host)
{
	struct in6_addr addr = homa_addr_v4(htonl(host));

	return homa_peer_get(hn, &addr);
}

static void found_again(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *a = get(hn, 1), *b = get(hn, 2);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_PTR_EQ(test, get(hn, 1), a);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->refs), 3);
	homa_peer_put(a);
	homa_peer_put(a);
	homa_peer_put(b);
	finish(hn);
}

static void limit(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *held[20];
	u32 i, n = 0;

	/* Unused ones make room, wherever they are in the table. */
	for (i = 1; i < 5000; i++) {
		struct homa_peer *peer = get(hn, i);

		KUNIT_ASSERT_NOT_NULL(test, peer);
		homa_peer_put(peer);
		KUNIT_ASSERT_LE(test, hn->peers->nr, 16);
	}
	finish(hn);

	/* Those in use stay. */
	hn = make(test);
	for (i = 1; i < 100; i++) {
		struct homa_peer *peer = get(hn, i);

		if (peer && n < ARRAY_SIZE(held))
			held[n++] = peer;
	}
	KUNIT_EXPECT_EQ(test, n, 20);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, refcount_read(&held[i]->refs), 2);
		homa_peer_put(held[i]);
	}
	finish(hn);
}

#define WEEKS	(LONG_MAX + 1000ul * HZ)	/* more than half the range of jiffies: of 32 bits */

/* Who has finished requests here stays before who has not, then who was looked up later. */
static void who_makes_room(struct kunit *test)
{
	const unsigned long now = 1000, age[] = { 1, HZ, WEEKS };
	struct homa_peer a = { .used = now + 1 }, b = {};
	struct homa_seen seen;
	int i;

	for (i = 0; i < ARRAY_SIZE(age); i++) {
		b.used = now - age[i];
		a.seen = b.seen = NULL;
		KUNIT_EXPECT_FALSE(test, is_less_missed(&a, &b, now));
		KUNIT_EXPECT_TRUE(test, is_less_missed(&b, &a, now));
		b.seen = &seen;
		KUNIT_EXPECT_TRUE(test, is_less_missed(&a, &b, now));
		KUNIT_EXPECT_FALSE(test, is_less_missed(&b, &a, now));
		a.seen = &seen;
		KUNIT_EXPECT_FALSE(test, is_less_missed(&a, &b, now));
		KUNIT_EXPECT_TRUE(test, is_less_missed(&b, &a, now));
	}
}

/* Who is looked up by another CPU while this one looks for the oldest is not that. */
static void used_meanwhile(struct kunit *test)
{
	struct homa_peer old = { .used = jiffies - HZ }, used = { .used = jiffies + HZ / 2 };
	struct hlist_head bucket = HLIST_HEAD_INIT;
	int nr = 0;

	refcount_set(&old.refs, 1);
	refcount_set(&used.refs, 1);
	hlist_add_head(&old.link, &bucket);
	hlist_add_head(&used.link, &bucket);
	KUNIT_EXPECT_PTR_EQ(test, oldest_unused(&bucket, &nr), &old);
	KUNIT_EXPECT_EQ(test, nr, 2);
}

static void after_weeks(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 1);
	u64 id = homa_peer_next_id(peer);

	peer->life_changed = (jiffies - WEEKS) | 1;
	homa_peer_change_life(peer);
	KUNIT_EXPECT_NE(test, homa_peer_next_id(peer) >> 32, id >> 32);
	homa_peer_put(peer);
	peer->used = jiffies - WEEKS;
	homa_peer_put(get(hn, 1));
	KUNIT_EXPECT_LT(test, jiffies - peer->used, 100ul * HZ);

	/* What was known of it is no loss. */
	hn->knobs.late_ms = 1000;
	hn->knobs.seen_max = 1 << 20;
	hn->peers->lost_ms = 0;
	homa_peer_judge(peer, 1001);
	KUNIT_ASSERT_NOT_NULL(test, peer->seen);
	peer->used = jiffies - WEEKS;
	note_loss(hn, peer);
	KUNIT_EXPECT_EQ(test, hn->peers->lost_ms, 0);
	peer->used = jiffies;
	note_loss(hn, peer);
	KUNIT_EXPECT_NE(test, hn->peers->lost_ms, 0);
	finish(hn);
}

static void expect_route(struct kunit *test, struct homa_peer *peer, u32 wanted, u32 got,
			 bool cached)
{
	struct in6_addr saddr = wanted ? homa_addr_v4(htonl(wanted)) : in6addr_any;
	const struct in6_addr want = homa_addr_v4(htonl(got));
	struct dst_entry *dst;

	routed = 0;
	dst = homa_peer_route(peer, NULL, &saddr);
	KUNIT_ASSERT_PTR_EQ(test, dst, &way);
	dst_release(dst);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&saddr, &want));
	KUNIT_EXPECT_EQ(test, routed, cached ? 0u : 1u);
}

/* Which of our addresses a peer sends to says nothing of where our own requests come from. */
static void our_address(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 9);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	hn->net = &init_net;
	way.dev = &way_dev;
	atomic_set(&way.__refcnt, 1);
	expect_route(test, peer, 2, 2, false);
	expect_route(test, peer, 2, 2, true);
	expect_route(test, peer, 0, 1, false);
	expect_route(test, peer, 0, 1, true);
	expect_route(test, peer, 1, 1, true);
	expect_route(test, peer, 2, 2, false);
	expect_route(test, peer, 0, 1, true);
	/* What is no good any more is not kept for anybody. */
	way.obsolete = 1;
	expect_route(test, peer, 0, 1, false);
	expect_route(test, peer, 2, 2, false);
	way.obsolete = 0;
	expect_route(test, peer, 2, 2, true);
	homa_peer_put(peer);
	finish(hn);
	way.dev = NULL;
}

/* Not for each packet, and again after however long. */
static void confirmed_at_times(struct kunit *test)
{
	const unsigned long again = msecs_to_jiffies(CONFIRM_MS) + 2, ago[] = { again, WEEKS };
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 9);
	u32 i, j;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	hn->net = &init_net;
	atomic_set(&way.__refcnt, 1);
	confirmed = 0;
	homa_peer_confirm_route(peer, NULL, &in6addr_any);	/* there is none */
	KUNIT_EXPECT_EQ(test, confirmed, 0u);
	way.dev = &way_dev;
	for (i = 0; i < ARRAY_SIZE(ago); i++) {
		peer->live.confirmed = (jiffies - ago[i]) | 1;
		for (j = 0; j < 10; j++)
			homa_peer_confirm_route(peer, NULL, &in6addr_any);
		KUNIT_EXPECT_EQ(test, confirmed, i + 1);
	}
	homa_peer_put(peer);
	finish(hn);
	KUNIT_EXPECT_EQ(test, atomic_read(&way.__refcnt), 1);
	way.dev = NULL;
}

static int owe(struct homa_peer *peer, u64 id, struct homa_pkt_ack full[P4W_ACKS_MAX])
{
	const struct homa_pkt_ack ack = { .id = id, .port = 7 };

	return keep_with_peer(peer, &ack, full);
}

static void acks(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 1);
	struct homa_pkt_ack full[P4W_ACKS_MAX], got[P4W_ACKS_MAX];
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_EQ(test, homa_owed_take(NULL, peer, got), 0);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, owe(peer, 2 * i + 3, full), 0);
	KUNIT_EXPECT_EQ(test, owe(peer, 101, full), 5);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, full[i].id, 2 * i + 3);
	KUNIT_EXPECT_EQ(test, homa_owed_take_from_peer(peer, got, 1), 1);
	KUNIT_EXPECT_EQ(test, got[0].id, 101);
	KUNIT_EXPECT_EQ(test, homa_owed_take(NULL, peer, got), 0);
	homa_peer_put(peer);
	finish(hn);
}

static void priorities(struct kunit *test)
{
	static const struct {
		u32 length;
		u8 want;
	} t[] = {
		{ 1, 7 }, { 200, 7 }, { 201, 6 }, { 2800, 6 }, { 2801, 5 }, { 15000, 5 },
		{ 15001, 4 }, { 1000000, 4 },
	};
	u32 zeroes[P4W_PRIORITIES] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ(test, homa_unsched_priority(default_cutoff, t[i].length),
				t[i].want);
	KUNIT_EXPECT_EQ(test, homa_unsched_priority(zeroes, 1), 0);
}

static void cutoffs(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 1);
	struct homa_pkt pkt = { .cutoffs = { .version = 9, .cutoff = { 0, 5000, 100 } } };

	KUNIT_ASSERT_NOT_NULL(test, peer);
	homa_peer_set_cutoffs(peer, &pkt);
	KUNIT_EXPECT_EQ(test, peer->cutoff_version, 9);
	KUNIT_EXPECT_EQ(test, homa_unsched_priority(peer->cutoff, 100), 2);
	KUNIT_EXPECT_EQ(test, homa_unsched_priority(peer->cutoff, 101), 1);
	KUNIT_EXPECT_EQ(test, homa_unsched_priority(peer->cutoff, 5001), 0);
	homa_peer_put(peer);
	finish(hn);
}

static void finished_requests(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *a = get(hn, 1), *b = get(hn, 2);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	hn->knobs.late_ms = 1000;
	hn->knobs.seen_max = 1 << 20;
	KUNIT_EXPECT_FALSE(test, homa_peer_has_finished(a, 1001));
	homa_peer_add_finished(a, 1001, true);	/* an ack for nothing */
	KUNIT_EXPECT_FALSE(test, homa_peer_has_finished(a, 1001));
	/* The table is new: what was finished before, the client must know. */
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1001), 1);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1003), 1);
	/* That it does not want one says nothing of others. */
	homa_peer_add_finished(a, 7ull << 32 | 1001, false);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 7ull << 32 | 1001), 1);
	homa_peer_prove(a, 1001);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1001), 0);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1003), 0);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 999), 1);
	homa_peer_add_finished(a, 1001, true);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1001), -EALREADY);
	homa_peer_add_finished(a, 1005, false);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(a, 1005), -EALREADY);
	/* Later on, who is not known has finished nothing, and nobody is asked. */
	hn->peers->lost_ms -= 1000;
	KUNIT_EXPECT_EQ(test, homa_peer_judge(b, 1003), 0);
	KUNIT_EXPECT_TRUE(test, homa_peer_has_finished(a, 1001));
	KUNIT_EXPECT_FALSE(test, homa_peer_has_finished(b, 1001));
	homa_peer_put(a);
	homa_peer_put(b);
	finish(hn);
}

#define LIVES		4096

/* No two are the same, in the upper half of ids, and who knows some does not know the others. */
static void lives_are_apart(struct kunit *test)
{
	u32 *life = kunit_kcalloc(test, LIVES, sizeof(*life), GFP_KERNEL);
	u32 i, k, same = 0, odd = 0, next = 0;
	struct homa_net *hn = make(test);

	KUNIT_ASSERT_NOT_NULL(test, life);
	spin_lock_bh(&hn->peers->lock);
	for (i = 0; i < LIVES; i++)
		life[i] = next_life(hn->peers) >> 32;
	spin_unlock_bh(&hn->peers->lock);
	for (i = 0; i < LIVES; i++) {
		KUNIT_EXPECT_TRUE(test, life[i] && life[i] <= S32_MAX);
		odd += life[i] & 1;
		next += i && life[i] - life[i - 1] == (i > 1 ? life[i - 1] - life[i - 2] : 1);
		for (k = 0; k < i; k++)
			same += life[i] == life[k];
	}
	KUNIT_EXPECT_EQ(test, same, 0u);
	KUNIT_EXPECT_LE(test, next, 2u);
	KUNIT_EXPECT_GT(test, odd, LIVES * 2 / 5u);
	KUNIT_EXPECT_LT(test, odd, LIVES * 3 / 5u);
	finish(hn);
}

/* Not often: a server remembers few. */
static void another_life(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer = get(hn, 1);
	u64 first, second;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	first = homa_peer_next_id(peer);
	KUNIT_EXPECT_EQ(test, homa_peer_next_id(peer), first + 2);
	homa_peer_change_life(peer);
	second = homa_peer_next_id(peer);
	KUNIT_EXPECT_NE(test, second >> 32, first >> 32);
	KUNIT_EXPECT_FALSE(test, second & 1);
	homa_peer_change_life(peer);
	KUNIT_EXPECT_EQ(test, homa_peer_next_id(peer), second + 2);
	peer->life_changed -= LIFE_LEAST + 2;
	homa_peer_change_life(peer);
	KUNIT_EXPECT_NE(test, homa_peer_next_id(peer) >> 32, second >> 32);
	homa_peer_put(peer);
	finish(hn);
}

/* Who is met again after an eviction may have finished something. */
static void eviction_leaves_doubt(struct kunit *test)
{
	struct homa_net *hn = make(test);
	struct homa_peer *peer;
	u64 begun;
	u32 host;

	hn->knobs.late_ms = 1000;
	hn->peers->lost_ms -= 1000;
	begun = hn->peers->lost_ms;
	for (host = 1; host <= 40; host++) {	/* of clients only */
		peer = get(hn, host);
		KUNIT_ASSERT_NOT_NULL(test, peer);
		homa_peer_put(peer);
	}
	KUNIT_EXPECT_EQ(test, hn->peers->lost_ms, begun);
	peer = get(hn, host);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(peer, 1001), 0);
	homa_peer_put(peer);
	while (++host <= 200) {
		peer = get(hn, host);
		KUNIT_ASSERT_NOT_NULL(test, peer);
		homa_peer_judge(peer, 1001);
		homa_peer_put(peer);
	}
	KUNIT_EXPECT_GT(test, hn->peers->lost_ms, begun);
	peer = get(hn, host);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_EQ(test, homa_peer_judge(peer, 1001), 1);
	homa_peer_put(peer);
	finish(hn);
}

#define HOSTS	6000

static void expect_all(struct kunit *test, struct homa_net *hn, struct homa_peer **peer, u32 n)
{
	u32 i, same = 0;

	for (i = 0; i < n; i++) {
		struct homa_peer *again = get(hn, i + 1);

		same += again == peer[i];
		homa_peer_put(again);
	}
	KUNIT_EXPECT_EQ(test, same, n);
	KUNIT_EXPECT_EQ(test, hn->peers->nr, n);
}

/* While some are in one table, some in the other, as well as before and after. */
static void growth(struct kunit *test)
{
	struct homa_peer **peer = kunit_kcalloc(test, HOSTS, sizeof(*peer), GFP_KERNEL);
	struct homa_net *hn = make(test);
	struct homa_peers *peers = hn->peers;
	struct peer_table *from;
	u32 i, n;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	hn->knobs.peer_net_max = 2 * HOSTS;
	for (n = 0; n < 300; n++)
		peer[n] = get(hn, n + 1);
	from = rcu_dereference_protected(peers->table, true);
	KUNIT_ASSERT_EQ(test, from->bits, (u32)FIRST_BITS);
	peers->next = alloc_table(FIRST_BITS + 1);
	KUNIT_ASSERT_NOT_NULL(test, peers->next);
	spin_lock_bh(&peers->lock);
	for (i = 0; i < 1u << (FIRST_BITS - 1); i++)
		move_bucket(peers, &from->bucket[i]);
	spin_unlock_bh(&peers->lock);
	expect_all(test, hn, peer, n);
	for (; n < 400; n++)
		peer[n] = get(hn, n + 1);
	expect_all(test, hn, peer, n);
	move_all(peers, from);
	KUNIT_EXPECT_NULL(test, peers->next);
	expect_all(test, hn, peer, n);
	for (; n < HOSTS; n++)
		peer[n] = get(hn, n + 1);
	flush_work(&peers->tend);
	KUNIT_EXPECT_GT(test, rcu_dereference_protected(peers->table, true)->bits, 10u);
	expect_all(test, hn, peer, n);
	while (n--)
		homa_peer_put(peer[n]);
	finish(hn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(found_again),
	KUNIT_CASE(limit),
	KUNIT_CASE(who_makes_room),
	KUNIT_CASE(used_meanwhile),
	KUNIT_CASE(after_weeks),
	KUNIT_CASE(our_address),
	KUNIT_CASE(confirmed_at_times),
	KUNIT_CASE(growth),
	KUNIT_CASE(acks),
	KUNIT_CASE(priorities),
	KUNIT_CASE(cutoffs),
	KUNIT_CASE(finished_requests),
	KUNIT_CASE(lives_are_apart),
	KUNIT_CASE(another_life),
	KUNIT_CASE(eviction_leaves_doubt),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_peer",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
