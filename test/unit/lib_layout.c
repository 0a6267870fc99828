// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_layout.c - layouts of libp4alloc: the rule replayed, a hand-made example, bad count files. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "p4alloc.h"

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return rng_state >> 33;
}

static struct p4a_layout *make(unsigned int registers, unsigned int blocks,
			       const struct p4a_key_count *kc, size_t n, int held)
{
	struct p4a_geometry geo = { registers, blocks, 0 };
	struct p4a_layout *l = NULL;

	assert_int_equal(p4a_layout_from_counts(&l, &geo, kc, n, NULL), held);
	return l;
}

/* Sorted by hand: 11:5 10:5 12:3 15:1 14:1 13:1. */
static void layout__hand_computed(void **state)
{
	static const struct p4a_key_count kc[] = {
		{ 10, 5 }, { 11, 5 }, { 12, 3 }, { 13, 1 }, { 14, 1 }, { 15, 1 },
	};
	static const struct p4a_cell want[] = {
		{ 11, 5, 0, 0, 0, P4A_NO_LOCK },
		{ 10, 5, 1, 0, 1, P4A_NO_LOCK },
		{ 12, 3, 2, 1, 0, 0 },		/* registers tie at 5: the lower one */
		{ 15, 1, 3, 1, 1, 1 },
		{ 14, 1, 4, 2, 1, 2 },
		{ 13, 1, 5, 3, 1, 3 },
	};
	struct p4a_layout *l = make(2, 1, kc, 6, 6);
	struct p4a_cell cell;
	uint16_t hist[1];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		assert_int_equal(p4a_layout_lookup(l, want[i].key, &cell), 1);
		assert_memory_equal(&cell, &want[i], sizeof(cell));
		assert_int_equal(p4a_layout_at(l, want[i].reg, want[i].slot, &cell), 1);
		assert_memory_equal(&cell, &want[i], sizeof(cell));
	}
	assert_int_equal(p4a_layout_lookup(l, 0, &cell), 0);
	assert_int_equal(p4a_layout_lookup(l, 16, &cell), 0);
	assert_int_equal(p4a_layout_at(l, 0, 2, &cell), 0);
	assert_int_equal(p4a_layout_at(l, 2, 0, &cell), 0);
	assert_int_equal(p4a_layout_at(l, 0, 64, &cell), 0);
	assert_int_equal(p4a_layout_histogram(l, hist), 1);
	assert_int_equal(hist[0], 65535);
	p4a_layout_free(l);
}

/* Which stage a key asks for, and when that asks too much: 4 registers, the last one dependent. */
static void layout__stages(void **state)
{
	static const struct p4a_geometry geo = { 4, 2, 1 };
	struct p4a_key_count kc[256];
	struct p4a_layout *l, *plain;
	unsigned int i, late = 0;
	struct p4a_cell cell;

	for (i = 0; i < 240; i++)
		kc[i] = (struct p4a_key_count) { i, 1000 | (i % 5 ? P4A_KEY_SOURCE : P4A_KEY_DEPENDENT) };
	assert_int_equal(p4a_layout_from_counts(&l, &geo, kc, 240, NULL), 240);
	for (i = 0; i < 240; i++) {
		assert_int_equal(p4a_layout_lookup(l, i, &cell), 1);
		assert_int_equal(cell.count, 1000);
		assert_int_equal(cell.reg == 3, i % 5 == 0);
	}
	p4a_layout_free(l);
	/* Half of them: the first 64 find their stage; no other is in a later block for its sake. */
	for (i = 0; i < 256; i++)
		kc[i] = (struct p4a_key_count) { i, 1000 | (i % 2 ? 0 : P4A_KEY_DEPENDENT) };
	assert_int_equal(p4a_layout_from_counts(&l, &geo, kc, 256, NULL), 256);
	for (i = 0; i < 256; i++) {
		assert_int_equal(p4a_layout_lookup(l, i, &cell), 1);
		assert_true(cell.slot < 64);
		late += cell.reg == 3 && i % 2 == 0;
	}
	assert_true(late > 48);		/* others get there only while it is not behind */
	p4a_layout_free(l);
	/* Without the stage, flags mean nothing. */
	l = make(4, 2, kc, 256, 256);
	for (i = 0; i < 256; i++)
		kc[i].count = 1000;
	plain = make(4, 2, kc, 256, 256);
	for (i = 0; i < 256; i++) {
		struct p4a_cell other;

		p4a_layout_lookup(l, i, &cell);
		p4a_layout_lookup(plain, i, &other);
		assert_memory_equal(&cell, &other, sizeof(cell));
	}
	p4a_layout_free(l);
	p4a_layout_free(plain);
}

#define N	9000

static struct p4a_key_count *random_counts(void)
{
	struct p4a_key_count *kc = malloc(N * sizeof(*kc));
	unsigned int i;

	for (i = 0; i < N; i++)
		kc[i] = (struct p4a_key_count) {
			.key = (uint64_t)i * 0x100000001ull, .count = 1 + 100000 / (1 + rng() % N),
		};
	return kc;
}

static int by_rank(const void *pa, const void *pb)
{
	const struct p4a_key_count *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return a->key < b->key ? 1 : a->key > b->key ? -1 : 0;
}

/* Walks the keys in order of rank and asks of each whether the rule would have put it there. */
static void replay(const struct p4a_layout *l, struct p4a_key_count *kc, unsigned int registers,
		   unsigned int room)
{
	uint64_t sum[P4A_MAX_REGISTERS] = { 0 }, bits[P4A_LOCK_BITS] = { 0 };
	unsigned int used[P4A_MAX_REGISTERS] = { 0 }, i, j;
	struct p4a_cell cell;

	qsort(kc, N, sizeof(*kc), by_rank);
	for (i = 0; i < N; i++) {
		int found = p4a_layout_lookup(l, kc[i].key, &cell);

		assert_int_equal(found, i < registers * room);
		if (!found)
			continue;
		assert_int_equal(cell.rank, i);
		assert_true(cell.count == kc[i].count && cell.key == kc[i].key);
		assert_int_equal(cell.slot, used[cell.reg]++);	/* hence one key a cell */
		for (j = 0; j < registers; j++)
			assert_true(used[j] >= room + (j == cell.reg) || j == cell.reg ||
				    sum[j] > sum[cell.reg] ||
				    (sum[j] == sum[cell.reg] && j > cell.reg));
		sum[cell.reg] += cell.count;
		assert_int_equal(cell.lock == P4A_NO_LOCK, cell.slot == 0);
		if (!cell.slot)
			continue;
		assert_true(cell.lock < P4A_LOCK_BITS);
		for (j = 0; j < P4A_LOCK_BITS; j++)
			assert_true(bits[j] > bits[cell.lock] ||
				    (bits[j] == bits[cell.lock] && j >= cell.lock));
		bits[cell.lock] += cell.count;
	}
}

static void layout__follows_rule(void **state)
{
	static const struct { unsigned int registers, blocks; } t[] = {
		{ 1, 1 }, { 3, 2 }, { 20, 1 }, { 20, 4 }, { 32, 256 },
	};
	unsigned int i;

	rng_state = 1;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		unsigned int room = t[i].registers * t[i].blocks * 64;
		struct p4a_key_count *kc = random_counts();
		struct p4a_layout *l = make(t[i].registers, t[i].blocks, kc, N, room < N ? room : N);

		replay(l, kc, t[i].registers, t[i].blocks * 64);
		p4a_layout_free(l);
		free(kc);
	}
}

static void layout__same_from_any_order(void **state)
{
	struct p4a_key_count *kc;
	struct p4a_layout *a, *b;
	unsigned int i;

	rng_state = 2;
	kc = random_counts();
	a = make(20, 4, kc, N, 20 * 256);
	for (i = N - 1; i > 0; i--) {
		unsigned int j = rng() % (i + 1);
		struct p4a_key_count k = kc[i];

		kc[i] = kc[j];
		kc[j] = k;
	}
	b = make(20, 4, kc, N, 20 * 256);
	for (i = 0; i < N; i++) {
		struct p4a_cell ca, cb;
		int found = p4a_layout_lookup(a, kc[i].key, &ca);

		assert_int_equal(p4a_layout_lookup(b, kc[i].key, &cb), found);
		if (found)
			assert_memory_equal(&ca, &cb, sizeof(ca));
	}
	p4a_layout_free(a);
	p4a_layout_free(b);
	free(kc);
}

/* The heaviest and the lightest bit differ by no more than the heaviest key that has a bit. */
static void layout__lock_bits_balanced(void **state)
{
	uint64_t bits[P4A_LOCK_BITS] = { 0 }, min = UINT64_MAX, max = 0, heaviest = 0;
	struct p4a_key_count *kc;
	struct p4a_layout *l;
	struct p4a_cell cell;
	uint32_t pos = 0, i;

	rng_state = 3;
	kc = random_counts();
	l = make(20, 1, kc, N, 1280);
	while (p4a_layout_next(l, 0, 1, &pos, &cell)) {
		if (!cell.slot)
			continue;
		bits[cell.lock] += cell.count;
		if (cell.count > heaviest)
			heaviest = cell.count;
	}
	for (i = 0; i < P4A_LOCK_BITS; i++) {
		min = bits[i] < min ? bits[i] : min;
		max = bits[i] > max ? bits[i] : max;
	}
	assert_true(min > 0);
	assert_true(max - min <= heaviest);
	p4a_layout_free(l);
	free(kc);
}

static void layout__next_walks_blocks(void **state)
{
	static const struct { unsigned int first, end; } t[] = {
		{ 0, 0 }, { 0, 1 }, { 1, 3 }, { 2, 2 }, { 3, 4 }, { 0, 4 }, { 0, 256 }, { 4, 9 },
	};
	struct p4a_key_count *kc;
	struct p4a_layout *l;
	struct p4a_cell cell;
	unsigned int i, want, seen, reg, slot;

	rng_state = 4;
	kc = random_counts();
	l = make(3, 4, kc, 700, 700);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint32_t pos = 0;
		int last = -1;

		for (want = 0, reg = 0; reg < 3; reg++)
			for (slot = 64 * t[i].first; slot < 64 * t[i].end && slot < 256; slot++)
				want += p4a_layout_at(l, reg, slot, &cell);
		for (seen = 0; p4a_layout_next(l, t[i].first, t[i].end, &pos, &cell); seen++) {
			assert_true(cell.slot >= 64 * t[i].first && cell.slot < 64 * t[i].end);
			assert_true(cell.slot * 3 + cell.reg > last);
			last = cell.slot * 3 + cell.reg;
		}
		assert_int_equal(seen, want);
	}
	p4a_layout_free(l);
	free(kc);
}

/* One register, two blocks, 130 keys with count 1 to 130: 2 keys stay cold but count. */
static void layout__histogram(void **state)
{
	struct p4a_key_count kc[130];
	struct p4a_layout *l;
	uint16_t hist[3] = { 7, 7, 7 };
	uint32_t i;

	for (i = 0; i < 130; i++)
		kc[i] = (struct p4a_key_count) { i, i + 1 };
	l = make(1, 2, kc, 130, 128);
	assert_int_equal(p4a_layout_histogram(l, hist), 2);
	assert_int_equal(hist[0], 65536 * (67 + 130) * 32 / (131 * 65));
	assert_int_equal(hist[1], 65536 * (3 + 66) * 32 / (131 * 65));
	p4a_layout_free(l);
	l = make(1, 3, kc, 10, 10);
	assert_int_equal(p4a_layout_histogram(l, hist), 1);
	assert_int_equal(hist[1] | hist[2], 0);
	p4a_layout_free(l);
	l = make(1, 3, NULL, 0, 0);
	assert_int_equal(p4a_layout_histogram(l, hist), 0);
	assert_int_equal(hist[0], 0);
	p4a_layout_free(l);
}

static void layout__refuses_arguments(void **state)
{
	static const struct {
		struct p4a_geometry geo;
		struct p4a_key_count kc[3];
		int want;
		const char *text;
	} t[] = {
		{ { 0, 1, 0 }, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, -EINVAL, "registers 0: must be 1 .. 32" },
		{ { 33, 1, 0 }, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, -EINVAL, "registers 33" },
		{ { 1, 0, 0 }, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, -EINVAL, "blocks 0: must be 1 .. 256" },
		{ { 1, 257, 0 }, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, -EINVAL, "blocks 257" },
		{ { 4, 1, 4 }, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, -EINVAL, "dependent 4: must be 0 .. 3" },
		{ { 1, 1, 0 }, { { 1, 1 }, { 2, 0 }, { 3, 1 } }, -EINVAL, "count 0 of key 2 (entry 1)" },
		{ { 1, 1, 0 }, { { 1, 1 }, { 2, P4A_MAX_TOTAL + 1 }, { 3, 1 } }, -EINVAL, "of key 2" },
		{ { 1, 1, 0 }, { { 1, 1 }, { 2, P4A_KEY_SOURCE }, { 3, 1 } }, -EINVAL, "count 0 of key 2" },
		{ { 1, 1, 0 }, { { 1, 1 }, { 2, P4A_MAX_TOTAL }, { 3, 1 } }, -ERANGE, "at entry 1" },
		{ { 1, 1, 0 }, { { 1, 1 }, { 2, 1 }, { 1, 9 } }, -EEXIST, "key 1 (entry 2) occurs twice" },
	};
	struct p4a_layout *l = (void *)1;
	struct p4a_error err;
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(p4a_layout_from_counts(&l, &t[i].geo, t[i].kc, 3, &err), t[i].want);
		assert_non_null(strstr(err.text, t[i].text));
		assert_ptr_equal(l, (void *)1);
	}
}

static int from_text(const char *text, size_t len, struct p4a_layout **l, struct p4a_error *err)
{
	static const struct p4a_geometry geo = { 4, 1, 1 };
	char path[] = "/tmp/lib_layout.XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	rc = p4a_layout_from_file(l, &geo, path, err);
	unlink(path);
	return rc;
}

#define TEXT(s)	s, sizeof(s) - 1

static void file__good(void **state)
{
	static const char text[] = "# keys of the trace\n\n 7 : 12 \r\n18446744073709551615:1\n\t\n"
				   "0:281474976710000\n  # the end, in a comment that is much longer "
				   "than any line with a key and a count in it could ever be; really, "
				   "much longer than that\n1:3";
	struct p4a_layout *l;
	struct p4a_cell cell;

	assert_int_equal(from_text(text, sizeof(text) - 1, &l, NULL), 4);
	assert_int_equal(p4a_layout_lookup(l, 7, &cell), 1);
	assert_int_equal(cell.count, 12);
	assert_int_equal(p4a_layout_lookup(l, UINT64_MAX, &cell), 1);
	assert_int_equal(cell.rank, 3);
	assert_int_equal(p4a_layout_lookup(l, 0, &cell), 1);
	assert_int_equal(cell.rank, 0);
	assert_int_equal(p4a_layout_lookup(l, 1, &cell), 1);
	p4a_layout_free(l);
	assert_int_equal(from_text("", 0, &l, NULL), 0);
	p4a_layout_free(l);
	assert_int_equal(from_text(TEXT("9:5:d\n8:5 : s \n7:5:d"), &l, NULL), 3);
	for (uint64_t key = 7; key <= 9; key++) {
		assert_int_equal(p4a_layout_lookup(l, key, &cell), 1);
		assert_int_equal(cell.reg == 3, key != 8);
	}
	p4a_layout_free(l);
}

static void file__bad(void **state)
{
#define LONG	"1234567890123456789012345678901234567890"
	static const struct {
		const char *text;
		size_t len;
		int want;
		const char *says;
	} t[] = {
		{ TEXT("1:1\nx:1\n"), -EINVAL, ":2: key: must be a decimal number" },
		{ TEXT("-1:1\n"), -EINVAL, ":1: key:" },
		{ TEXT("+1:1\n"), -EINVAL, ":1: key:" },
		{ TEXT("0x10:1\n"), -EINVAL, ":1: separator" },
		{ TEXT("18446744073709551616:1\n"), -EINVAL, ":1: key:" },
		{ TEXT(":1\n"), -EINVAL, ":1: key:" },
		{ TEXT("1\n"), -EINVAL, ":1: separator" },
		{ TEXT("1 1\n"), -EINVAL, ":1: separator" },
		{ TEXT("\n\n1:\n"), -EINVAL, ":3: count: must be a decimal number 1 .. 28147497671065" },
		{ TEXT("1:0\n"), -EINVAL, ":1: count:" },
		{ TEXT("1:-3\n"), -EINVAL, ":1: count:" },
		{ TEXT("1:281474976710656\n"), -EINVAL, ":1: count:" },
		{ TEXT("1:2 3\n"), -EINVAL, ":1: count: must end the line, or :d or :s follows" },
		{ TEXT("1:2:\n"), -EINVAL, ":1: count: must end" },
		{ TEXT("1:2:x\n"), -EINVAL, ":1: count: must end" },
		{ TEXT("1:2:ds\n"), -EINVAL, ":1: count: must end" },
		{ TEXT("1:2:d d\n"), -EINVAL, ":1: count: must end" },
		{ TEXT("1:2:3\n"), -EINVAL, ":1: count: must end the line" },
		{ TEXT("1:2.5\n"), -EINVAL, ":1: count: must end the line" },
		{ TEXT("1:281474976710655\n2:1\n"), -ERANGE, ":2: count: the sum" },
		{ TEXT("5:1\n# 5\n6:1\n5:2\n7:1\n"), -EEXIST, ":4: key: 5 occurs twice" },
		{ TEXT("1:1\n2:1\0\n"), -EINVAL, ":2: line:" },
		{ TEXT("2:1\0garbage"), -EINVAL, ":1: line:" },
		{ TEXT("\0"), -EINVAL, ":1: line:" },
		{ TEXT("1:1" "\n" LONG LONG LONG LONG ":1\n"), -EINVAL, ":2: line: must be text of less" },
		{ TEXT("\xff\xfe" "1:1\n"), -EINVAL, ":1: key:" },
	};
	struct p4a_layout *l = (void *)1;
	struct p4a_error err;
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(from_text(t[i].text, t[i].len, &l, &err), t[i].want);
		if (!strstr(err.text, t[i].says) || !strstr(err.text, "/tmp/lib_layout."))
			fail_msg("row %u says: %s", i, err.text);
		assert_ptr_equal(l, (void *)1);
	}
}

static void file__missing(void **state)
{
	static const struct p4a_geometry geo = { 4, 1, 0 };
	struct p4a_layout *l = NULL;
	struct p4a_error err;

	assert_int_equal(p4a_layout_from_file(&l, &geo, "/nonexistent/x", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/x: No such file"));
	assert_int_equal(p4a_layout_from_file(&l, &geo, "/", &err), -EISDIR);
}

static void *look_up_all(void *arg)
{
	struct p4a_cell cell;
	uintptr_t found = 0, i;

	for (i = 0; i < 2 * N; i++)
		found += p4a_layout_lookup(arg, (uint64_t)i * 0x100000001ull, &cell);
	return (void *)found;
}

/* Looking up unknown keys from many threads leaves the layout as it is. */
static void lookup__from_threads(void **state)
{
	struct p4a_key_count *kc;
	struct p4a_layout *l;
	pthread_t thread[4];
	unsigned int i;
	void *found;

	rng_state = 5;
	kc = random_counts();
	l = make(8, 8, kc, N, 4096);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, look_up_all, l), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], &found);
		assert_int_equal((uintptr_t)found, 4096);
	}
	p4a_layout_free(l);
	free(kc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout__hand_computed),
		cmocka_unit_test(layout__stages),
		cmocka_unit_test(layout__follows_rule),
		cmocka_unit_test(layout__same_from_any_order),
		cmocka_unit_test(layout__lock_bits_balanced),
		cmocka_unit_test(layout__next_walks_blocks),
		cmocka_unit_test(layout__histogram),
		cmocka_unit_test(layout__refuses_arguments),
		cmocka_unit_test(file__good),
		cmocka_unit_test(file__bad),
		cmocka_unit_test(file__missing),
		cmocka_unit_test(lookup__from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
