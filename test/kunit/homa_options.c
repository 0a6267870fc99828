// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long lists of RPCs may get, and that who collects those of a socket in parts misses none and has
 * none twice, whoever ends in between.
 */
#include <kunit/test.h>
#include <linux/homa.h>
#include <linux/module.h>
#include "../../module/collect.c"
#include "../../module/options.h"

#define MANY	(2 * PART + 10)

static struct homa_sock *hsk;
static struct homa_rpc *rpc[MANY + 1];	/* in the order of their births */

void homa_rpc_put(struct homa_rpc *rpc)
{
	refcount_dec(&rpc->refs);
}

static void lists_end(struct kunit *test)
{
	static const size_t size[] = { sizeof(void *), sizeof(struct homa_rpc_info) };
	int i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		u32 most = INT_MAX / size[i];

		KUNIT_EXPECT_EQ(test, homa_list_max(0, size[i]), 0u);
		KUNIT_EXPECT_EQ(test, homa_list_max(1, size[i]), 1u);
		KUNIT_EXPECT_EQ(test, homa_list_max(most, size[i]), most);
		KUNIT_EXPECT_EQ(test, homa_list_max(most + 1, size[i]), most);
		KUNIT_EXPECT_EQ(test, homa_list_max(U32_MAX, size[i]), most);
		/* What kvmalloc() does not warn of. */
		KUNIT_EXPECT_LE(test, homa_list_max(U32_MAX, size[i]) * (u64)size[i], (u64)INT_MAX);
	}
}

static void be_born(struct kunit *test, u32 i)
{
	rpc[i] = kunit_kzalloc(test, sizeof(*rpc[i]), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rpc[i]);
	refcount_set(&rpc[i]->refs, 1);
	homa_fifo_add(&hsk->rpcs, &rpc[i]->in_sock);
}

static void die(u32 from, u32 to)
{
	for (; from < to; from++)
		homa_fifo_del_init(&hsk->rpcs, &rpc[from]->in_sock);
}

static int make_socket(struct kunit *test)
{
	u32 i;

	hsk = kunit_kzalloc(test, sizeof(*hsk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hsk);
	spin_lock_init(&hsk->rpcs_lock);
	homa_fifo_init(&hsk->rpcs);
	for (i = 0; i < MANY; i++)
		be_born(test, i);
	return 0;
}

static void all_are_collected(struct kunit *test)
{
	static const u32 max[] = { 0, 1, PART - 1, PART, PART + 1, MANY, MANY + 1 };
	struct homa_rpc **got = kunit_kzalloc(test, sizeof(rpc), GFP_KERNEL);
	u32 i, j, nr;

	KUNIT_ASSERT_NOT_NULL(test, got);
	for (i = 0; i < ARRAY_SIZE(max); i++) {
		nr = homa_collect(hsk, got, max[i]);
		KUNIT_ASSERT_EQ(test, nr, min_t(u32, max[i], MANY));
		for (j = 0; j < nr; j++) {
			KUNIT_EXPECT_PTR_EQ(test, got[j], rpc[j]);
			homa_rpc_put(got[j]);
		}
	}
	for (j = 0; j < MANY; j++)
		KUNIT_EXPECT_EQ(test, refcount_read(&rpc[j]->refs), 1u);
}

/* After the first part, those from..to end and another is born. */
static void some_end(struct kunit *test)
{
	static const struct {
		u32 from, to;
		u32 then[2];	/* of the first part, these are there in the end */
	} t[] = {
		{ PART - 1, PART,		{ 0, PART - 1 } },
		{ PART - 5, PART,		{ 0, PART - 5 } },
		{ PART - 5, PART + 3,		{ 0, PART - 5 } },
		{ 0, PART,			{ 0, 0 } },
		{ 0, MANY,			{ 0, 0 } },
		{ PART, PART + 1,		{ 0, PART } },
		{ 0, PART - 1,			{ 0, PART } },	/* that they end does no harm */
	};
	struct homa_rpc **got = kunit_kzalloc(test, sizeof(rpc), GFP_KERNEL);
	u32 i, j, nr, at;

	KUNIT_ASSERT_NOT_NULL(test, got);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct collection c = { .rpcs = got, .left = MANY + 1 };

		KUNIT_ASSERT_EQ(test, make_socket(test), 0);
		KUNIT_EXPECT_TRUE(test, collect_part(hsk, &c));
		KUNIT_EXPECT_EQ(test, c.nr, PART);
		die(t[i].from, t[i].to);
		be_born(test, MANY);
		while (nr = c.nr, collect_part(hsk, &c))
			KUNIT_EXPECT_LE(test, c.nr, nr + PART);
		at = 0;
		for (j = t[i].then[0]; j < t[i].then[1]; j++)
			KUNIT_EXPECT_PTR_EQ(test, got[at++], rpc[j]);
		for (j = max_t(u32, PART, t[i].to); j <= MANY; j++)
			KUNIT_EXPECT_PTR_EQ(test, got[at++], rpc[j]);
		KUNIT_EXPECT_EQ(test, c.nr, at);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lists_end),
	KUNIT_CASE(all_are_collected),
	KUNIT_CASE(some_end),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_options",
	.init = make_socket,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
