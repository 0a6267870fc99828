// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which bytes of a message have come: by hand, and against a plain map of bytes.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "../../module/gaps.c"

struct step {
	u32 start, end;		/* packet */
	int new;
	u32 from, to;		/* of the new bytes; ignored if there are none */
	u32 gaps;		/* afterwards */
};

static void play(struct kunit *test, const struct step *steps, int n)
{
	struct homa_gaps g;
	u32 from, to;
	int i;

	homa_gaps_init(&g);
	for (i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		int new = homa_gaps_add(&g, s->start, s->end, &from, &to);

		KUNIT_EXPECT_EQ_MSG(test, new, s->new, "step %d", i);
		KUNIT_EXPECT_EQ_MSG(test, g.nr, s->gaps, "step %d", i);
		if (!new)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, from, s->from, "step %d", i);
		KUNIT_EXPECT_EQ_MSG(test, to, s->to, "step %d", i);
	}
	homa_gaps_free(&g);
	KUNIT_EXPECT_EQ(test, g.nr, 0);
}

static void in_order(struct kunit *test)
{
	static const struct step s[] = {
		{ 0, 10, 10, 0, 10, 0 }, { 10, 20, 10, 10, 20, 0 }, { 0, 10, 0, 0, 0, 0 },
		{ 5, 15, 0, 0, 0, 0 }, { 15, 25, 5, 20, 25, 0 },
	};
	play(test, s, ARRAY_SIZE(s));
}

static void out_of_order(struct kunit *test)
{
	static const struct step s[] = {
		{ 20, 30, 10, 20, 30, 1 },	/* 0-20 */
		{ 50, 60, 10, 50, 60, 2 },	/* 0-20 30-50 */
		{ 35, 40, 5, 35, 40, 3 },	/* 0-20 30-35 40-50: split */
		{ 0, 5, 5, 0, 5, 3 },		/* 5-20 30-35 40-50: front */
		{ 45, 50, 5, 45, 50, 3 },	/* 5-20 30-35 40-45: back */
		{ 30, 35, 5, 30, 35, 2 },	/* 5-20 40-45: closed */
		{ 20, 40, 0, 0, 0, 2 },
	};
	play(test, s, ARRAY_SIZE(s));
}

static void overlaps(struct kunit *test)
{
	static const struct step s[] = {
		{ 20, 30, 10, 20, 30, 1 },	/* 0-20 */
		{ 40, 50, 10, 40, 50, 2 },	/* 0-20 30-40 */
		{ 15, 35, 10, 15, 35, 2 },	/* 0-15 35-40: parts of two */
		{ 10, 60, 20, 10, 60, 1 },	/* 0-10: rest of both and beyond the end */
		{ 0, 100, 50, 0, 100, 0 },	/* everything */
	};
	play(test, s, ARRAY_SIZE(s));
}

#define MSG	300

static void random_packets(struct kunit *test)
{
	u8 *here = kunit_kzalloc(test, MSG, GFP_KERNEL);
	struct homa_gaps g;
	u32 received = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, here);
	homa_gaps_init(&g);
	for (i = 0; i < 1000; i++) {
		u32 start = prandom_u32_max(MSG), end = start + 1 + prandom_u32_max(MSG - start);
		u32 from, to, want = 0, first = MSG, last = 0, b, missing = 0;
		int new = homa_gaps_add(&g, start, end, &from, &to);

		for (b = start; b < end; b++) {
			if (here[b])
				continue;
			here[b] = 1;
			want++;
			first = min(first, b);
			last = b + 1;
		}
		KUNIT_ASSERT_EQ(test, new, want);
		if (new) {
			KUNIT_ASSERT_EQ(test, from, first);
			KUNIT_ASSERT_EQ(test, to, last);
		}
		received += new;
		for (b = 0; b < g.recv_end; b++)
			missing += !here[b];
		KUNIT_ASSERT_EQ(test, homa_gaps_bytes(&g), missing);
		KUNIT_ASSERT_EQ(test, g.recv_end - missing, received);
		if (received == MSG) {
			KUNIT_ASSERT_EQ(test, g.nr, 0);
			memset(here, 0, MSG);
			homa_gaps_free(&g);
			homa_gaps_init(&g);
			received = 0;
		}
	}
	homa_gaps_free(&g);
}

static void limit(struct kunit *test)
{
	struct homa_gaps g;
	u32 from, to, i;

	homa_gaps_init(&g);
	for (i = 0; i < HOMA_GAPS_MAX; i++)
		KUNIT_ASSERT_EQ(test, homa_gaps_add(&g, 2 * i + 1, 2 * i + 2, &from, &to), 1);
	KUNIT_EXPECT_EQ(test, homa_gaps_add(&g, 5000, 5001, &from, &to), -ENOMEM);
	KUNIT_EXPECT_EQ(test, g.nr, HOMA_GAPS_MAX);
	KUNIT_EXPECT_EQ(test, g.recv_end, 2 * HOMA_GAPS_MAX);
	/* What needs no further hole still works. */
	KUNIT_EXPECT_EQ(test, homa_gaps_add(&g, 0, 1, &from, &to), 1);
	homa_gaps_free(&g);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(in_order),
	KUNIT_CASE(out_of_order),
	KUNIT_CASE(overlaps),
	KUNIT_CASE(random_packets),
	KUNIT_CASE(limit),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_gaps",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
