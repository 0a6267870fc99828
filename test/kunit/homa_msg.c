// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of an outgoing message: every byte is copied, and is in the packets that refer to it,
 * wherever they begin and end.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/msg.c"

void homa_turns_pass(u32 bytes)
{
}

unsigned int homa_net_id;
static struct homa_net hn;

static const u32 lengths[] = {
	1, 8, 168, 169, 1424, 4095, 4096, 4097, 16384, 16385, 32767, 32768, 32769, 65536, 65537, 999999, 1000000,
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
	return homa_msg_mem_copy(&hn, mem, &from, length);
}

/* Reads the whole message back through packets of `step` bytes, which hold copies or references. */
static void expect_bytes_in(struct kunit *test, const struct homa_msg_mem *mem, const u8 *data,
			    u32 length, u32 step, bool copies)
{
	u8 *got = kvmalloc(step, GFP_KERNEL);
	u32 start, end;

	KUNIT_ASSERT_NOT_NULL(test, got);
	for (start = 0; start < length; start = end) {
		struct sk_buff *skb;
		bool copy;

		end = min(start + step, length);
		copy = copies || homa_msg_mem_copies(mem, end - start);
		skb = alloc_skb(copy ? end - start : 0, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		homa_msg_mem_add(mem, skb, start, end, copy);
		KUNIT_EXPECT_EQ(test, skb_headlen(skb), copy ? end - start : 0);
		KUNIT_EXPECT_EQ(test, skb->len, end - start);
		KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, got, end - start), 0);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(got, data + start, end - start), 0,
				    "length %u step %u start %u", length, step, start);
		kfree_skb(skb);
	}
	kvfree(got);
}

static void expect_bytes(struct kunit *test, const struct homa_msg_mem *mem, const u8 *data,
			 u32 length, u32 step)
{
	expect_bytes_in(test, mem, data, length, step, false);
	expect_bytes_in(test, mem, data, length, step, true);
}

static void every_byte(struct kunit *test)
{
	static const u32 steps[] = { 100, 1424, 39999, 64080, 65459 };
	u8 *data = make_data(test);
	struct homa_msg_mem mem;
	u32 i, s;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		KUNIT_ASSERT_EQ(test, copy(&mem, data, lengths[i], lengths[i]), 0);
		KUNIT_EXPECT_EQ(test, !mem.nr_chunks, lengths[i] <= HOMA_MSG_SMALL_MAX);
		for (s = 0; s < ARRAY_SIZE(steps); s++)
			expect_bytes(test, &mem, data, lengths[i], steps[s]);
		homa_msg_mem_free(&hn, &mem);
		KUNIT_EXPECT_EQ(test, mem.nr_chunks, 0);
		homa_msg_mem_free(&hn, &mem);
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
		KUNIT_ASSERT_EQ(test, alloc_chunks(&hn, &mem, lengths[i], 0), 0);
		KUNIT_EXPECT_EQ(test, mem.nr_chunks, DIV_ROUND_UP(lengths[i], PAGE_SIZE));
		KUNIT_ASSERT_EQ(test, copy_chunks(&mem, &from, lengths[i]), 0);
		expect_bytes(test, &mem, data, lengths[i], 65459);
		homa_msg_mem_free(&hn, &mem);
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
	skb = alloc_skb(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	homa_msg_mem_add(&mem, skb, 40000, 40000 + 65459, false);
	KUNIT_EXPECT_LE(test, skb_shinfo(skb)->nr_frags, 4);
	homa_msg_mem_free(&hn, &mem);
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
	}
	kvfree(data);
}

static bool is_cached(const struct page *page)
{
	u32 i;

	for (i = 0; i < hn.msg_cache->nr; i++)
		if (hn.msg_cache->page[i] == page)
			return true;
	return false;
}

/* A chunk is used again as soon as nobody refers to it, and only then; what is not used goes. */
static void chunks_are_used_again(struct kunit *test)
{
	u8 *data = make_data(test);
	struct homa_msg_mem mem, other;
	struct sk_buff *skb;
	struct page *page;

	KUNIT_ASSERT_EQ(test, copy(&mem, data, 32768, 32768), 0);
	page = mem.chunk;
	skb = alloc_skb(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	homa_msg_mem_add(&mem, skb, 0, 20000, false);
	homa_msg_mem_free(&hn, &mem);
	KUNIT_EXPECT_FALSE(test, is_cached(page));
	kfree_skb(skb);

	KUNIT_ASSERT_EQ(test, copy(&mem, data, 32768, 32768), 0);
	page = mem.chunk;
	homa_msg_mem_free(&hn, &mem);
	KUNIT_EXPECT_TRUE(test, is_cached(page));
	KUNIT_ASSERT_EQ(test, copy(&mem, data, 20000, 20000), 0);
	KUNIT_EXPECT_PTR_EQ(test, mem.chunk, page);
	KUNIT_ASSERT_EQ(test, copy(&other, data, 20000, 20000), 0);
	KUNIT_EXPECT_PTR_NE(test, other.chunk, page);
	homa_msg_mem_free(&hn, &mem);
	homa_msg_mem_free(&hn, &other);

	trim(&hn.msg_cache->trim.work);
	trim(&hn.msg_cache->trim.work);
	KUNIT_EXPECT_EQ(test, hn.msg_cache->nr, 0);
	kvfree(data);
}

static void the_cache_is_bounded(struct kunit *test)
{
	u8 *data = make_data(test);
	struct homa_msg_mem mem[5];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(mem); i++)
		KUNIT_ASSERT_EQ(test, copy(&mem[i], data, 1000000, 1000000), 0);
	for (i = 0; i < ARRAY_SIZE(mem); i++)
		homa_msg_mem_free(&hn, &mem[i]);
	KUNIT_EXPECT_GT(test, hn.msg_cache->nr, 0);
	KUNIT_EXPECT_LE(test, hn.msg_cache->nr, CACHE_MAX);
	kvfree(data);
}

static int init(struct kunit *test)
{
	return homa_msg_net_init(&hn);
}

static void leave(struct kunit *test)
{
	homa_msg_net_exit(&hn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_byte),
	KUNIT_CASE(single_pages),
	KUNIT_CASE(packets_hold_what_they_refer_to),
	KUNIT_CASE(nothing_is_kept_of_a_failed_copy),
	KUNIT_CASE(chunks_are_used_again),
	KUNIT_CASE(the_cache_is_bounded),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_msg",
	.init = init,
	.exit = leave,
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
