// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long to wait for a peer: what is measured, what follows from it, patience.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/rtt.c"

#define US	((u64)NSEC_PER_USEC)
#define MS	((u64)NSEC_PER_MSEC)
#define START	(1000ul * HZ)

static const struct homa_rtt_conf conf = {
	.floor_ns = 500 * US, .initial_ns = 5 * MS, .most_ns = 100 * MS,
};

static void nothing_known(struct kunit *test)
{
	struct homa_rtt rtt = { 0 };

	KUNIT_EXPECT_EQ(test, homa_rtt_least(&rtt), 0);
	KUNIT_EXPECT_TRUE(test, homa_rtt_wants_answer(&rtt, START));
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_answer(&rtt, &conf, START), 5 * MS);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, START), 5 * MS);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_gap(&rtt, &conf, START), 500 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_recent(&rtt, &conf), 500 * US);
}

static void short_path(struct kunit *test)
{
	struct homa_rtt rtt = { 0 };
	int i;

	for (i = 0; i < 100; i++)
		homa_rtt_add_answer(&rtt, 20 * US, START + i);
	KUNIT_EXPECT_FALSE(test, homa_rtt_wants_answer(&rtt, START + 99));
	KUNIT_EXPECT_TRUE(test, homa_rtt_wants_answer(&rtt, START + 100));
	KUNIT_EXPECT_EQ(test, homa_rtt_least(&rtt), 20 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_answer(&rtt, &conf, START), 540 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, START), 540 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_gap(&rtt, &conf, START), 135 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_recent(&rtt, &conf), 145 * US);
}

/* A service of 2 ms is waited for, one of a second is not: after 5 ms we ask. */
static void slow_service(struct kunit *test)
{
	struct homa_rtt rtt = { 0 };
	int i;

	homa_rtt_add_answer(&rtt, 20 * US, START);
	for (i = 0; i < 100; i++)
		homa_rtt_add_answer(&rtt, 2 * MS, START + i);
	KUNIT_EXPECT_GE(test, homa_rtt_wait_answer(&rtt, &conf, START), 19 * MS / 10);
	KUNIT_EXPECT_LE(test, homa_rtt_wait_answer(&rtt, &conf, START), 5 * MS);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, START), 540 * US);
	for (i = 0; i < 100; i++)
		homa_rtt_add_answer(&rtt, 60000 * MS, START + i);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_answer(&rtt, &conf, START), 5 * MS);
}

static void long_path(struct kunit *test)
{
	struct homa_rtt rtt = { 0 };
	int i;

	for (i = 0; i < 100; i++)
		homa_rtt_add_answer(&rtt, 30 * MS, START + i);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_answer(&rtt, &conf, START), 60500 * US);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, START), 60500 * US);
	for (i = 0; i < 100; i++)
		homa_rtt_add_answer(&rtt, 3000 * MS, START + 11 * HZ + i);
	/* The short times are in the window before, for ten seconds more. */
	KUNIT_EXPECT_EQ(test, homa_rtt_least(&rtt), 30 * MS);
	homa_rtt_add_bound(&rtt, 700 * MS, START + 22 * HZ);
	KUNIT_EXPECT_EQ(test, homa_rtt_least(&rtt), 700 * MS);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, START), 100 * MS);
}

/* More than half the range of jiffies, where they have 32 bits. */
static void after_weeks(struct kunit *test)
{
	const unsigned long weeks_later = START + LONG_MAX + START;
	struct homa_rtt rtt = { 0 };

	homa_rtt_add_bound(&rtt, 20 * US, START);
	homa_rtt_add_bound(&rtt, 30 * MS, weeks_later);
	homa_rtt_add_bound(&rtt, 40 * MS, weeks_later + 11 * HZ);
	KUNIT_EXPECT_EQ(test, homa_rtt_least(&rtt), 30 * MS);
}

static void patience(struct kunit *test)
{
	struct homa_rtt rtt = { 0 };
	unsigned long now = START;
	int i;

	homa_rtt_add_bound(&rtt, 20 * US, now);
	homa_rtt_was_hasty(&rtt, &conf, now);
	homa_rtt_was_hasty(&rtt, &conf, now);	/* the same burst */
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), 1);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_data(&rtt, &conf, now), 1080 * US);
	for (i = 0; i < 10; i++) {
		now += HZ / 10;
		homa_rtt_was_hasty(&rtt, &conf, now);
	}
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), PATIENCE_MAX);
	KUNIT_EXPECT_EQ(test, homa_rtt_wait_answer(&rtt, &conf, now), 100 * MS);
	homa_rtt_was_right(&rtt, now);		/* in the same burst */
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), PATIENCE_MAX);
	now += HZ / 2;
	homa_rtt_was_right(&rtt, now);
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), PATIENCE_MAX - 1);
	now += 2 * HZ;
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), PATIENCE_MAX - 3);
	now += 60 * HZ;
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), 0);
	homa_rtt_was_right(&rtt, now);
	KUNIT_EXPECT_EQ(test, homa_rtt_patience(&rtt, now), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(nothing_known),
	KUNIT_CASE(short_path),
	KUNIT_CASE(slow_service),
	KUNIT_CASE(long_path),
	KUNIT_CASE(after_weeks),
	KUNIT_CASE(patience),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_rtt",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
