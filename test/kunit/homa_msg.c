// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of an outgoing message: every byte is copied, and is in the packets that refer to it,
 * wherever they begin and end.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/msg.c"

static const u32 lengths[] = {
	1, 8, 1423, 1424, 1425, 4095, 4096, 4097, 32767, 32768, 32769, 65536, 65537, 999999, 1000000,
};

static u8 *make_data(struct kunit *test)
{
	u8 *data = kvmalloc(1000000, GFP_KERNEL);
	u32 b;

	KUNIT_ASSERT_NOT_NULL(test, data);
	for (b = 0; b < 1000000; b++)
		data[b] = b * 7 + (b >> 9);
	return data;
}

static int copy(struct homa_msg_mem *mem, u8 *data, u32 there, u32 length)
{
	struct kvec vec = { data, there };
	struct iov_iter from;

	iov_iter_kvec(&from, WRITE, &vec, 1, there);
	return homa_msg_mem_copy(mem, &from, length);
}

/* Reads the whole message back through packets of `step` bytes. */
static void expect_bytes(struct kunit *test, const struct homa_msg_mem *mem, const u8 *data,
			 u32 length, u32 step)
{
	u8 *got = kvmalloc(step, GFP_KERNEL);
	u32 start, end;

	KUNIT_ASSERT_NOT_NULL(test, got);
	for (start = 0; start < length; start = end) {
		struct sk_buff *skb;

		end = min(start + step, length);
		skb = alloc_skb(homa_msg_mem_linear(mem, end - start), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		homa_msg_mem_add(mem, skb, start, end);
		KUNIT_EXPECT_EQ(test, skb->len, end - start);
		KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, got, end - start), 0);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(got, data + start, end - start), 0,
				    "length %u step %u start %u", length, step, start);
		kfree_skb(skb);
	}
	kvfree(got);
}

static void every_byte(struct kunit *test)
{
	static const u32 steps[] = { 100, 1424, 39999, 64080, 65459 };
	u8 *data = make_data(test);
	struct homa_msg_mem mem;
	u32 i, s;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		KUNIT_ASSERT_EQ(test, copy(&mem, data, lengths[i], lengths[i]), 0);
		KUNIT_EXPECT_EQ(test, !mem.nr_chunks, lengths[i] <= HOMA_MSG_FLAT_MAX);
		for (s = 0; s < ARRAY_SIZE(steps); s++)
			expect_bytes(test, &mem, data, lengths[i], steps[s]);
		homa_msg_mem_free(&mem);
		KUNIT_EXPECT_EQ(test, mem.nr_chunks, 0);
		homa_msg_mem_free(&mem);
	}
	kvfree(data);
}

/* As where memory is in pieces. */
static void single_pages(struct kunit *test)
{
	u8 *data = make_data(test);
	struct homa_msg_mem mem = {};
	struct iov_iter from;
	struct kvec vec;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		vec = (struct kvec){ data, lengths[i] };
		iov_iter_kvec(&from, WRITE, &vec, 1, lengths[i]);
		KUNIT_ASSERT_EQ(test, alloc_chunks(&mem, lengths[i], 0), 0);
		KUNIT_EXPECT_EQ(test, mem.nr_chunks, DIV_ROUND_UP(lengths[i], PAGE_SIZE));
		KUNIT_ASSERT_EQ(test, copy_chunks(&mem, &from, lengths[i]), 0);
		expect_bytes(test, &mem, data, lengths[i], 65459);
		homa_msg_mem_free(&mem);
	}
	kvfree(data);
}

/* A packet outlives the message, and the memory with it. */
static void packets_hold_what_they_refer_to(struct kunit *test)
{
	u8 *data = make_data(test), *got = kvmalloc(65459, GFP_KERNEL);
	struct homa_msg_mem mem;
	struct sk_buff *skb;

	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_ASSERT_EQ(test, copy(&mem, data, 1000000, 1000000), 0);
	skb = alloc_skb(homa_msg_mem_linear(&mem, 65459), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	homa_msg_mem_add(&mem, skb, 40000, 40000 + 65459);
	KUNIT_EXPECT_LE(test, skb_shinfo(skb)->nr_frags, 4);
	homa_msg_mem_free(&mem);
	KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, got, 65459), 0);
	KUNIT_EXPECT_EQ(test, memcmp(got, data + 40000, 65459), 0);
	kfree_skb(skb);
	kvfree(got);
	kvfree(data);
}

/* Shorter than promised: as if user memory had gone. */
static void nothing_is_kept_of_a_failed_copy(struct kunit *test)
{
	static const struct { u32 there, length; } t[] = {
		{ 0, 1 }, { 10, 100 }, { 5000, 9000 }, { 0, 100000 }, { 999999, 1000000 },
	};
	u8 *data = make_data(test);
	struct homa_msg_mem mem;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_EXPECT_EQ(test, copy(&mem, data, t[i].there, t[i].length), -EFAULT);
		KUNIT_EXPECT_EQ(test, mem.nr_chunks, 0);
		KUNIT_EXPECT_PTR_EQ(test, mem.flat, NULL);
	}
	kvfree(data);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_byte),
	KUNIT_CASE(single_pages),
	KUNIT_CASE(packets_hold_what_they_refer_to),
	KUNIT_CASE(nothing_is_kept_of_a_failed_copy),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_msg",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
