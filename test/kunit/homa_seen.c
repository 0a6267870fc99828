// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finished requests of one client host: remembered one by one, refused when older, forgotten when
 * a client that counts from 2 starts anew.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "../../module/seen.c"

#define LIFE	0x1234ull
#define ID(n)	(LIFE << 32 | (u64)(n) << 1)

static struct homa_seen *make(struct kunit *test)
{
	struct homa_seen *seen = kunit_kzalloc(test, sizeof(*seen), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, seen);
	return seen;
}

static void remembers(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(5), 0));
	homa_seen_add(seen, ID(5), 0);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(5), 0));
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(5) | 1, 0));	/* the same RPC */
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(6), 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(4), 0));
	homa_seen_add(seen, ID(10), 0);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(5), 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(9), 0));
	homa_seen_add(seen, ID(7), 0);				/* out of order */
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(7), 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(8), 0));
	/* However late: there is no way back. */
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(5), 1000000000));
	homa_seen_clear(seen);
}

/* In order, nothing has to be remembered one by one. */
static void in_order_is_small(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n;

	for (n = 0; n < 3 * HOMA_SEEN_MAX; n++) {
		homa_seen_add(seen, ID(n ^ 15), n);
		KUNIT_ASSERT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	}
	homa_seen_add(seen, ID(n + 1000), n);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, 1024);
	for (; n < 3 * HOMA_SEEN_MAX + 1000; n++)
		homa_seen_add(seen, ID(n), n);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_PTR_EQ(test, seen->run[0].bits, &seen->run[0].word);
	homa_seen_clear(seen);
}

/* One that is never finished is given up in the end; nothing runs again for it. */
static void window_moves(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n;

	for (n = 1; n < HOMA_SEEN_MAX; n++)
		homa_seen_add(seen, ID(n), 0);
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(0), 0));
	KUNIT_EXPECT_EQ(test, seen->run[0].size, HOMA_SEEN_MAX);
	homa_seen_add(seen, ID(n), 0);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(0), 0));
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(n + 1), 0));
	homa_seen_clear(seen);
}

static void lives(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 life;

	for (life = 1; life <= HOMA_SEEN_RUNS; life++)
		homa_seen_add(seen, life << 32 | 20, life);
	for (life = 1; life <= HOMA_SEEN_RUNS; life++) {
		KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, life << 32 | 20, 9));
		KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, life << 32 | 18, 9));
	}
	homa_seen_add(seen, 1ull << 32 | 22, 10);
	homa_seen_add(seen, 99ull << 32 | 20, 11);	/* instead of 2, the longest unused */
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, 1ull << 32 | 20, 9));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, 2ull << 32 | 20, 9));
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, 3ull << 32 | 20, 9));
	homa_seen_clear(seen);
}

/* A client that always counts from 2. */
static void restart(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 id;

	for (id = 2; id < 1000; id += 2)
		homa_seen_add(seen, id, 1000);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, 2, 1000 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, 2, 1001 + HOMA_SEEN_IDLE_MS));
	homa_seen_add(seen, 2, 1001 + HOMA_SEEN_IDLE_MS);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, 2, 1001 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, 4, 1001 + HOMA_SEEN_IDLE_MS));
	homa_seen_clear(seen);
}

/* Not even one that makes all ids of the window look old. */
static void flipped_bit(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n, bit;

	for (n = 0; n < 100; n++)
		homa_seen_add(seen, ID(n), n);
	for (bit = 12; bit < 31; bit++) {
		homa_seen_add(seen, ID(n + (1u << bit)), n);
		KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(n + (1u << bit)), n));
		KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, ID(n), n));
		homa_seen_add(seen, ID(n), n);
		KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(n), n));
		n++;
	}
	homa_seen_clear(seen);
}

/* What finished in a run far ahead is finished, also when the others have come that far. */
static void overlap(struct kunit *test)
{
	const u32 ahead = HOMA_SEEN_FAR + 100;
	struct homa_seen *seen = make(test);
	u32 n;

	homa_seen_add(seen, ID(0), 0);
	homa_seen_add(seen, ID(ahead), 0);
	for (n = 1; n < ahead + 1000; n++) {
		KUNIT_ASSERT_EQ(test, homa_seen_test(seen, ID(n), n), n == ahead);
		homa_seen_add(seen, ID(n), n);
		KUNIT_ASSERT_TRUE(test, homa_seen_test(seen, ID(n), n));
		KUNIT_ASSERT_TRUE(test, homa_seen_test(seen, ID(ahead), n));
	}
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, ID(5), n));
	homa_seen_clear(seen);
}

/*
 * A model that remembers everything: what was finished never looks new, and what was not does, as
 * long as it is not HOMA_SEEN_MAX behind. Requests finish in any order within a window that grows
 * and shrinks, some never do, and now and then a flipped bit makes a wrong id finish.
 */
static void random_requests(struct kunit *test)
{
	enum { N = 600000 };
	unsigned long *done = bitmap_zalloc(N, GFP_KERNEL);
	struct homa_seen *seen = make(test);
	struct rnd_state rnd;
	u32 sent = 0, top = 0, window = 1, i, wrong = 0, refused = 0;

	KUNIT_ASSERT_NOT_NULL(test, done);
	prandom_seed_state(&rnd, 20260);
	while (sent < N) {
		u32 r = prandom_u32_state(&rnd);

		if (r % 5000 == 0)
			window = 1u << r / 5000 % 16;
		if (r % 20011 == 0) {
			u64 id = ID(sent) ^ (1ull << (20 + r / 20011 % 41));

			homa_seen_add(seen, id, sent);
			KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, id, sent));
		}
		/* The one that finishes, or a packet of it that comes late. */
		i = sent - min(sent, prandom_u32_state(&rnd) % window);
		if (r % 3) {
			if (i < N && i % 1009) {	/* those are never finished */
				homa_seen_add(seen, ID(i), sent);
				__set_bit(i, done);
				top = max(top, i + 1);
			}
			sent += i == sent || r % 7 == 0;
		}
		i = sent ? prandom_u32_state(&rnd) % sent : 0;
		if (homa_seen_test(seen, ID(i), sent) == test_bit(i, done))
			continue;
		if (test_bit(i, done))
			wrong++;
		else if (top - i <= HOMA_SEEN_MAX)
			refused++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, refused, 0);
	homa_seen_clear(seen);
	bitmap_free(done);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(remembers),
	KUNIT_CASE(in_order_is_small),
	KUNIT_CASE(window_moves),
	KUNIT_CASE(lives),
	KUNIT_CASE(restart),
	KUNIT_CASE(flipped_bit),
	KUNIT_CASE(overlap),
	KUNIT_CASE(random_requests),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_seen",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
