// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long lists of RPCs may get.
 */
#include <kunit/test.h>
#include <linux/homa.h>
#include <linux/module.h>
#include "../../module/options.h"

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

static struct kunit_case cases[] = {
	KUNIT_CASE(lists_end),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_options",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
