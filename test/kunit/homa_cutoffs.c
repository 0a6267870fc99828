// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cutoffs: the classes of length, how levels are divided, that each gets its share of the bytes, and
 * that small changes of the workload change nothing.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "../../module/cutoffs.c"

unsigned int homa_net_id;

static void classes(struct kunit *test)
{
	u32 class, length = 0;

	for (length = 0; length <= P4W_MSG_MAX; length++) {
		class = homa_size_class(length);
		if (class >= HOMA_SIZES || homa_size_top(class) < length ||
		    (class && homa_size_top(class - 1) >= length))
			break;
	}
	KUNIT_EXPECT_EQ(test, length, P4W_MSG_MAX + 1);
	KUNIT_EXPECT_LT(test, homa_size_class(U32_MAX), HOMA_SIZES);
}

static void expect(struct kunit *test, const int *got, const int *want)
{
	int i;

	for (i = 0; i < P4W_PRIORITIES; i++)
		KUNIT_EXPECT_EQ_MSG(test, got[i], want[i], "level %d", i);
}

static void before_anything_is_known(struct kunit *test)
{
	static const struct {
		int num, max_sched, want[P4W_PRIORITIES];
	} t[] = {
		{ 8, 3, { INT_MAX, 0, 0, 0, 1000000, 15000, 2800, 200 } },
		{ 7, 3, { INT_MAX, 0, 0, 0, 1000000, 2800, 200 } },
		{ 4, 1, { INT_MAX, 0, 1000000, 200 } },
		{ 2, 0, { INT_MAX, 1000000 } },
		{ 1, 0, { INT_MAX } },
	};
	const u64 none[HOMA_SIZES] = {};
	int cutoff[P4W_PRIORITIES], i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_EXPECT_EQ(test, homa_cutoffs_default(t[i].num, cutoff), t[i].max_sched);
		expect(test, cutoff, t[i].want);
		KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(none, 40000, t[i].num, 3, cutoff),
				t[i].max_sched);
		expect(test, cutoff, t[i].want);
	}
}

static void fixed(struct kunit *test)
{
	static const struct {
		int num, in[P4W_PRIORITIES], max_sched, want[P4W_PRIORITIES];
	} t[] = {
		{ 8, { 0, 0, 0, 0, 0, 1000000, 500, 100 }, 4,
		  { INT_MAX, 0, 0, 0, 0, 1000000, 500, 100 } },
		{ 6, { 0, 0, 0, 0, 1000000, 900, 500, 100 }, 3,
		  { INT_MAX, 0, 0, 0, 1000000, 900 } },
		{ 3, { 0, 0, 0, 0, 1000000, 900, 500, 100 }, 0, { INT_MAX } },
		{ 1, { 5, 5, 5, 5, 5, 5, 5, 5 }, 0, { INT_MAX } },
	};
	int cutoff[P4W_PRIORITIES], i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		memcpy(cutoff, t[i].in, sizeof(cutoff));
		KUNIT_EXPECT_EQ(test, homa_cutoffs_fixed(t[i].num, cutoff), t[i].max_sched);
		expect(test, cutoff, t[i].want);
	}
}

/* Half of the bytes are unasked, so half of the levels are; each of them has as many bytes. */
static void divides_evenly(struct kunit *test)
{
	u64 weight[HOMA_SIZES] = {}, bytes[P4W_PRIORITIES] = {};
	int cutoff[P4W_PRIORITIES], i, level;

	for (i = 8; i < homa_size_class(10000); i++)
		weight[i] = 1000000 / on_wire(homa_size_top(i));
	weight[homa_size_class(500000)] = 88 * 1000000ull / 600000;
	KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(weight, 10000, 8, 0, cutoff), 3);
	for (i = 0; i < HOMA_SIZES; i++)
		bytes[level_of(cutoff, homa_size_top(i))] += unasked(weight, i, 10000);
	for (level = 4; level < 8; level++) {
		KUNIT_EXPECT_GT(test, bytes[level], 17000000);
		KUNIT_EXPECT_LT(test, bytes[level], 25000000);
	}
	for (level = 0; level < 4; level++)
		KUNIT_EXPECT_EQ(test, bytes[level], 0);
}

/* A length of which there are more than fit in a level has one for itself, and what is left of the levels is
 * divided by what is left of the bytes. Messages of 8 bytes are many packets.
 */
static void counts_packets(struct kunit *test)
{
	static const int want[P4W_PRIORITIES] = { INT_MAX, 0, 0, 0, 1000000, 1919, 959, 8 };
	u64 weight[HOMA_SIZES] = {};
	int cutoff[P4W_PRIORITIES];

	weight[homa_size_class(8)] = 2000;	/* 244 kB on the wire, 16 kB of messages */
	weight[homa_size_class(900)] = 100;	/* 107 */
	weight[homa_size_class(1800)] = 50;	/* 107 */
	weight[homa_size_class(3500)] = 25;	/* 98 */
	weight[homa_size_class(500000)] = 1;	/* 524 more, asked for */
	KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(weight, 4000, 8, 0, cutoff), 3);
	expect(test, cutoff, want);
}

static void extremes(struct kunit *test)
{
	u64 weight[HOMA_SIZES] = {};
	int cutoff[P4W_PRIORITIES], num;

	/* All of one length: everything goes at the highest, whatever the number of levels. */
	weight[homa_size_class(100)] = 1000;
	for (num = 1; num <= 8; num++) {
		KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(weight, 40000, num, 0, cutoff),
				max(num - 2, 0));
		KUNIT_EXPECT_EQ(test, level_of(cutoff, 100), num - 1);
	}
	/* Nearly nothing unasked: one level is left for that. */
	weight[homa_size_class(100)] = 0;
	weight[homa_size_class(1000000)] = 1000;
	KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(weight, 1000, 8, 0, cutoff), 6);
	KUNIT_EXPECT_EQ(test, cutoff[7], P4W_MSG_MAX);
	/* Nothing at all. */
	KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(weight, 0, 8, 0, cutoff), 3);
}

/* Whatever comes: lengths fall with the level, one level takes the longest, none is out of range. */
static void always_well_formed(struct kunit *test)
{
	u64 weight[HOMA_SIZES];
	int cutoff[P4W_PRIORITIES], round, i;

	for (round = 0; round < 2000; round++) {
		int num = 1 + prandom_u32_max(8), max_sched, last = 0;

		for (i = 0; i < HOMA_SIZES; i++)
			weight[i] = prandom_u32_max(4) ? 0 : prandom_u32_max(1 << (round % 30));
		max_sched = homa_cutoffs_compute(weight, prandom_u32_max(100000), num,
						 prandom_u32_max(8), cutoff);
		KUNIT_ASSERT_LT(test, max_sched, num);
		KUNIT_ASSERT_EQ(test, cutoff[0], INT_MAX);
		for (i = P4W_PRIORITIES - 1; i > max_sched + 1; i--) {
			KUNIT_ASSERT_LE(test, last, cutoff[i]);
			KUNIT_ASSERT_TRUE(test, i < num || !cutoff[i]);
			last = cutoff[i];
		}
		KUNIT_ASSERT_TRUE(test, num == 1 || cutoff[max_sched + 1] == P4W_MSG_MAX);
	}
}

static void does_not_flap(struct kunit *test)
{
	static u64 weight[HOMA_SIZES], other[HOMA_SIZES];
	int a[P4W_PRIORITIES], b[P4W_PRIORITIES], i, levels;

	for (i = 0; i < HOMA_SIZES; i++) {
		weight[i] = 100000 / (1 + homa_size_top(i));
		other[i] = weight[i] * 11 / 10;
	}
	levels = 7 - homa_cutoffs_compute(weight, 40000, 8, 0, a);
	KUNIT_EXPECT_EQ(test, 7 - homa_cutoffs_compute(other, 40000, 8, levels, b), levels);
	KUNIT_EXPECT_FALSE(test, homa_cutoffs_differ(other, 40000, a, b));
	/* Ten times as many short ones are another workload. */
	for (i = 0; i < homa_size_class(300); i++)
		other[i] = 30 * weight[i] + 1000;
	homa_cutoffs_compute(other, 40000, 8, levels, b);
	KUNIT_EXPECT_TRUE(test, homa_cutoffs_differ(other, 40000, a, b));
	/* A share between two numbers of levels keeps the one that is there. */
	KUNIT_EXPECT_EQ(test, divide(45, 100, 8, 4), 4);
	KUNIT_EXPECT_EQ(test, divide(45, 100, 8, 3), 3);
	KUNIT_EXPECT_EQ(test, divide(45, 100, 8, 1), 4);
	KUNIT_EXPECT_EQ(test, divide(100, 100, 8, 0), 7);
	/* However few unasked bytes there are, short messages can overtake long ones. */
	KUNIT_EXPECT_EQ(test, divide(0, 100, 8, 0), 3);
	KUNIT_EXPECT_EQ(test, divide(0, 100, 8, 3), 3);
	KUNIT_EXPECT_EQ(test, divide(0, 100, 5, 0), 2);
	KUNIT_EXPECT_EQ(test, divide(0, 100, 3, 0), 1);
	KUNIT_EXPECT_EQ(test, divide(0, 100, 2, 0), 1);
	KUNIT_EXPECT_EQ(test, divide(100, 100, 1, 0), 1);
}

/* As many of each length as counters can hold: only proportions count. */
static void after_very_many(struct kunit *test)
{
	static u64 few[HOMA_SIZES], many[HOMA_SIZES];
	int a[P4W_PRIORITIES], b[P4W_PRIORITIES], unsched, num, i;

	for (unsched = 1000; unsched <= P4W_MSG_MAX; unsched *= 10) {
		for (i = 0; i < HOMA_SIZES; i++) {
			few[i] = 1 + i % 3;
			many[i] = few[i] << 32;
		}
		KUNIT_EXPECT_EQ(test, homa_cutoffs_compute(many, unsched, 8, 0, b),
				homa_cutoffs_compute(few, unsched, 8, 0, a));
		expect(test, b, a);
		KUNIT_EXPECT_FALSE(test, homa_cutoffs_differ(many, unsched, a, b));
		for (num = 1; num <= 8; num++) {
			homa_cutoffs_compute(few, unsched / num, num, 0, b);
			KUNIT_EXPECT_EQ(test, homa_cutoffs_differ(many, unsched, a, b),
					homa_cutoffs_differ(few, unsched, a, b));
		}
	}
}

static int looked;

static void note_look(struct work_struct *work)
{
	looked++;
}

/* The first message after a while causes one, even if that was half of the range of jiffies. */
static void when_to_look(struct kunit *test)
{
	const unsigned long pause = msecs_to_jiffies(HOMA_LOOK_MS);

	KUNIT_EXPECT_FALSE(test, homa_cutoffs_is_due(1000, 1000));
	KUNIT_EXPECT_FALSE(test, homa_cutoffs_is_due(1000 + pause, 1000));
	KUNIT_EXPECT_FALSE(test, homa_cutoffs_is_due(1, ULONG_MAX));
	KUNIT_EXPECT_TRUE(test, homa_cutoffs_is_due(1000, 1001));
	KUNIT_EXPECT_TRUE(test, homa_cutoffs_is_due(ULONG_MAX, 0));
	KUNIT_EXPECT_TRUE(test, homa_cutoffs_is_due(1000, 2000ul + LONG_MAX));
}

/* The work item, with counts as recv.c makes them. */
static void looks(struct kunit *test)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);
	struct homa_cutoffs *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct homa_sizes __percpu *sizes = alloc_percpu(struct homa_sizes);
	int i;

	KUNIT_ASSERT_TRUE(test, hn && c && sizes);
	hn->knobs.unsched_bytes = 40000;
	hn->cutoffs = c;
	c->net = hn;
	c->sizes = sizes;
	c->num_priorities = 8;
	c->cutoff_version = U16_MAX;
	c->max_sched_prio = homa_cutoffs_default(8, c->unsched_cutoffs);
	c->next = jiffies - LONG_MAX;
	mutex_init(&c->lock);
	INIT_WORK(&c->look, note_look);
	looked = 0;
	for (i = 0; i < ENOUGH - 1; i++)
		homa_cutoffs_saw(hn, 100);
	flush_work(&c->look);
	KUNIT_EXPECT_GE(test, looked, 1);
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->cutoff_version, U16_MAX);	/* too few */
	homa_cutoffs_saw(hn, 3000);
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->cutoff_version, 1);		/* 0 is not a version */
	KUNIT_EXPECT_EQ(test, c->max_sched_prio, 5);		/* there are but two lengths */
	/* What was seen counts for a quarter less at each look from now on, but only then. */
	KUNIT_EXPECT_EQ(test, c->weight[homa_size_class(100)], ENOUGH - ENOUGH / 4);
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->cutoff_version, 1);
	KUNIT_EXPECT_EQ(test, c->weight[homa_size_class(100)], ENOUGH - ENOUGH / 4);
	for (i = 0; i < ENOUGH / 4; i++)
		homa_cutoffs_saw(hn, 100);
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->weight[homa_size_class(100)], ENOUGH - ENOUGH / 4);
	c->is_fixed = true;
	for (i = 0; i < 10 * ENOUGH; i++)
		homa_cutoffs_saw(hn, i % 3 ? 100 : i % 2 ? 300 : 900);
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->cutoff_version, 1);
	c->is_fixed = false;
	look(&c->look);
	KUNIT_EXPECT_EQ(test, c->cutoff_version, 2);
	KUNIT_EXPECT_EQ(test, c->max_sched_prio, 3);		/* there are four now */
	cancel_work_sync(&c->look);
	free_percpu(sizes);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(classes),
	KUNIT_CASE(before_anything_is_known),
	KUNIT_CASE(fixed),
	KUNIT_CASE(divides_evenly),
	KUNIT_CASE(counts_packets),
	KUNIT_CASE(extremes),
	KUNIT_CASE(always_well_formed),
	KUNIT_CASE(does_not_flap),
	KUNIT_CASE(after_very_many),
	KUNIT_CASE(when_to_look),
	KUNIT_CASE(looks),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_cutoffs",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
