// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The receive pool: every byte belongs to at most one message, all of it comes back, and nothing
 * that was not given out can be given back.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "../../module/pool.c"

#define PAGES	8

static struct homa_pool *make(struct kunit *test)
{
	struct homa_pool *pool = homa_pool_create(0x10000, PAGES * HOMA_BPAGE_SIZE + 100);

	KUNIT_ASSERT_FALSE(test, IS_ERR(pool));
	KUNIT_EXPECT_EQ(test, homa_pool_avail(pool), PAGES * HOMA_BPAGE_SIZE);
	return pool;
}

static void sizes(struct kunit *test)
{
	static const struct {
		u32 length, nr;
	} t[] = {
		{ 1, 1 }, { 65535, 1 }, { 65536, 1 }, { 65537, 2 }, { 131072, 2 }, { 131073, 3 },
	};
	struct homa_pool *pool = make(test);
	u32 offsets[HOMA_MAX_BPAGES], nr;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, t[i].length, offsets, &nr), 0);
		KUNIT_EXPECT_EQ(test, nr, t[i].nr);
		KUNIT_EXPECT_EQ(test, homa_pool_free(pool, offsets, nr), 0);
	}
	KUNIT_EXPECT_EQ(test, homa_pool_avail(pool), PAGES * HOMA_BPAGE_SIZE);
	KUNIT_EXPECT_EQ(test, homa_pool_alloc(pool, 1000000, offsets, &nr), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, homa_pool_avail(pool), PAGES * HOMA_BPAGE_SIZE);
	homa_pool_destroy(pool);
}

static void short_messages_share(struct kunit *test)
{
	struct homa_pool *pool = make(test);
	u32 a, b, c, nr;

	KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, 1, &a, &nr), 0);
	KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, 65, &b, &nr), 0);
	KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, 1, &c, &nr), 0);
	KUNIT_EXPECT_EQ(test, b, a + 64);
	KUNIT_EXPECT_EQ(test, c, a + 192);
	/* A page that all have left starts over. */
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, &b, 1), 0);
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, &a, 1), 0);
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, &c, 1), 0);
	KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, 1, &b, &nr), 0);
	KUNIT_EXPECT_EQ(test, b, a);
	homa_pool_destroy(pool);
}

static void bad_offsets(struct kunit *test)
{
	static const u32 bad[] = {
		64, 1, 63, 65536, 8 * 65536, 0x7fffffff, 0xffffffff, 0xffffffc0,
	};
	struct homa_pool *pool = make(test);
	u32 offsets[HOMA_MAX_BPAGES], nr, pair[2];
	u64 avail;
	int i;

	KUNIT_ASSERT_EQ(test, homa_pool_alloc(pool, 100, offsets, &nr), 0);
	avail = homa_pool_avail(pool);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		pair[0] = offsets[0];
		pair[1] = offsets[0] + bad[i];
		KUNIT_EXPECT_EQ_MSG(test, homa_pool_free(pool, pair, 2), -EINVAL, "%u", bad[i]);
	}
	pair[1] = pair[0];
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, pair, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, homa_pool_avail(pool), avail);	/* not even the good one was taken */
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, offsets, 1), 0);
	KUNIT_EXPECT_EQ(test, homa_pool_free(pool, offsets, 1), -EINVAL);
	homa_pool_destroy(pool);
}

struct msg {
	u32 length, nr, offsets[HOMA_MAX_BPAGES];
};

/* Marks the bytes of a message in units of 64, which must not have been marked so. */
static void mark(struct kunit *test, u8 *used, const struct msg *m, u8 to)
{
	u32 i, b;

	for (i = 0; i < m->nr; i++) {
		u32 len = min_t(u32, m->length - i * HOMA_BPAGE_SIZE, HOMA_BPAGE_SIZE);

		for (b = 0; b < DIV_ROUND_UP(len, 64); b++) {
			u32 at = m->offsets[i] / 64 + b;

			KUNIT_ASSERT_LT(test, at, PAGES * HOMA_BPAGE_SIZE / 64);
			KUNIT_ASSERT_EQ(test, used[at], !to);
			used[at] = to;
		}
	}
}

static void random_messages(struct kunit *test)
{
	struct msg *msgs = kunit_kcalloc(test, 20, sizeof(*msgs), GFP_KERNEL);
	u8 *used = kunit_kzalloc(test, PAGES * HOMA_BPAGE_SIZE / 64, GFP_KERNEL);
	struct homa_pool *pool = make(test);
	int i, refused = 0;

	KUNIT_ASSERT_NOT_NULL(test, msgs);
	KUNIT_ASSERT_NOT_NULL(test, used);
	for (i = 0; i < 3000; i++) {
		struct msg *m = &msgs[prandom_u32_max(20)];

		if (m->nr) {
			mark(test, used, m, 0);
			KUNIT_ASSERT_EQ(test, homa_pool_free(pool, m->offsets, m->nr), 0);
			m->nr = 0;
			continue;
		}
		m->length = 1 + prandom_u32_max(prandom_u32_max(2) ? 1000 : 150000);
		if (homa_pool_alloc(pool, m->length, m->offsets, &m->nr)) {
			m->nr = 0;
			refused++;
			continue;
		}
		mark(test, used, m, 1);
	}
	KUNIT_EXPECT_GT(test, refused, 0);
	for (i = 0; i < 20; i++)
		if (msgs[i].nr)
			KUNIT_EXPECT_EQ(test, homa_pool_free(pool, msgs[i].offsets, msgs[i].nr), 0);
	KUNIT_EXPECT_EQ(test, homa_pool_avail(pool), PAGES * HOMA_BPAGE_SIZE);
	homa_pool_destroy(pool);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(sizes),
	KUNIT_CASE(short_messages_share),
	KUNIT_CASE(bad_offsets),
	KUNIT_CASE(random_messages),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_pool",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
