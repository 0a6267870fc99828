// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finished requests of one client host: remembered one by one, refused when older, forgotten when
 * the client starts anew.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "../../module/seen.c"

#define FIRST	0x123456789aull		/* some even id */

static struct homa_seen *make(struct kunit *test)
{
	struct homa_seen *seen = kunit_kzalloc(test, sizeof(*seen), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, seen);
	return seen;
}

static void remembers(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST, 0));
	homa_seen_add(seen, FIRST, 0);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST, 0));
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST | 1, 0));	/* the same RPC */
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST + 2, 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST - 2, 0));
	homa_seen_add(seen, FIRST + 10, 0);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST, 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST + 8, 0));
	homa_seen_add(seen, FIRST + 4, 0);				/* out of order */
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST + 4, 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST + 6, 0));
}

static void window_moves(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 i;

	/* In threes, so that each turn of the window sets other bits. */
	for (i = 0; i < 3 * HOMA_SEEN_IDS; i += 3)
		homa_seen_add(seen, FIRST + 2 * i, i / 100);
	for (i = 2 * HOMA_SEEN_IDS; i < 3 * HOMA_SEEN_IDS; i++) {
		bool added = i % 3 == 0;

		KUNIT_ASSERT_EQ(test, homa_seen_test(seen, FIRST + 2 * i, 500), added);
	}
	/* Below the window nothing runs again, finished or not. */
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST, 500));
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST + 2, 500));
	homa_seen_add(seen, FIRST + 2, 500);
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST + 6 * HOMA_SEEN_IDS, 500));
}

static void jump_forgets(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	homa_seen_add(seen, FIRST, 0);
	homa_seen_add(seen, FIRST + 2 * HOMA_SEEN_IDS + 100, 0);
	/* The bit of FIRST must not be taken for that of an id one window further. */
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST + 2 * HOMA_SEEN_IDS, 0));
}

static void restart(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 late = FIRST + 4 * HOMA_SEEN_IDS;

	homa_seen_add(seen, late, 1000);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST, 1000));
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, FIRST, 1000 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, FIRST, 1001 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, 2, 1000));	/* far below */
	homa_seen_add(seen, 2, 1000);
	KUNIT_EXPECT_TRUE(test, homa_seen_test(seen, 2, 1000));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, 4, 1000));
	KUNIT_EXPECT_FALSE(test, homa_seen_test(seen, late, 1000));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(remembers),
	KUNIT_CASE(window_moves),
	KUNIT_CASE(jump_forgets),
	KUNIT_CASE(restart),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_seen",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
