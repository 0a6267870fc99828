// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finished requests of one client host: remembered one by one, refused when older or later than there
 * is memory for; which ones their client must be asked about.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "../../module/seen.c"

#define LIFE	0x1234ull
#define ID(n)	(LIFE << 32 | (u64)(n) << 1)

static struct homa_seen *make(struct kunit *test)
{
	struct homa_seen *seen = kunit_kzalloc(test, sizeof(*seen), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, seen);
	return seen;
}

static int mem_max = INT_MAX;
static struct homa_seen_mem mem = { .max = &mem_max };

static bool is_finished_now(const struct homa_seen *seen, u64 id, u64 now_ms)
{
	return homa_seen_look(seen, id, now_ms) == HOMA_SEEN_FINISHED;
}

static void done_with(struct kunit *test, struct homa_seen *seen)
{
	homa_seen_clear(seen, &mem);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mem.used), 0);
}

static void remembers(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(5), 0));
	homa_seen_add(seen, ID(5), 0, &mem);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(5), 0));
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(5) | 1, 0));	/* the same RPC */
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(6), 0));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(4), 0));
	homa_seen_add(seen, ID(10), 0, &mem);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(5), 0));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(9), 0));
	homa_seen_add(seen, ID(7), 0, &mem);				/* out of order */
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(7), 0));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(8), 0));
	/* However late: there is no way back. */
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(5), 1000000000));
	done_with(test, seen);
}

/* In order, nothing has to be remembered one by one. */
static void in_order_is_small(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n;

	for (n = 0; n < 3 * HOMA_SEEN_MAX; n++) {
		homa_seen_add(seen, ID(n ^ 15), n, &mem);
		KUNIT_ASSERT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	}
	homa_seen_add(seen, ID(n + 1000), n, &mem);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, 1024);
	for (; n < 3 * HOMA_SEEN_MAX + 1000; n++)
		homa_seen_add(seen, ID(n), n, &mem);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_PTR_EQ(test, seen->run[0].bits, &seen->run[0].word);
	done_with(test, seen);
}

/* One that is never finished is given up in the end; nothing runs again for it. */
static void window_moves(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n;

	for (n = 1; n < HOMA_SEEN_MAX; n++)
		homa_seen_add(seen, ID(n), 0, &mem);
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(0), 0));
	KUNIT_EXPECT_EQ(test, seen->run[0].size, HOMA_SEEN_MAX);
	homa_seen_add(seen, ID(n), 0, &mem);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(0), 0));
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(n + 1), 0));
	done_with(test, seen);
}

static u32 wrong_up_to(const struct homa_seen *seen, u32 end, u32 not, u32 most)
{
	u32 n, wrong = 0;

	for (n = 0; n < end; n++)
		wrong += is_finished_now(seen, ID(n), 0) != (n != not && n < most);
	return wrong;
}

/* Full windows that begin anywhere in a word get larger: nobody else's bit is the last or the first one's. */
static void window_grows(struct kunit *test)
{
	u32 gap, n;

	for (gap = 0; gap < 130; gap += 13) {
		struct homa_seen *seen = make(test);

		for (n = 0; n < gap + 1024; n++)
			if (n != gap)
				homa_seen_add(seen, ID(n), 0, &mem);
		KUNIT_EXPECT_EQ(test, seen->run[0].size, 1024);
		homa_seen_add(seen, ID(gap + 4095), 0, &mem);
		KUNIT_EXPECT_EQ(test, seen->run[0].size, 4096);
		KUNIT_EXPECT_EQ(test, wrong_up_to(seen, gap + 4095, gap, gap + 1024), 0);
		homa_seen_add(seen, ID(gap), 0, &mem);
		KUNIT_EXPECT_EQ(test, wrong_up_to(seen, gap + 4095, U32_MAX, gap + 1024), 0);
		KUNIT_EXPECT_EQ(test, seen->run[0].base, gap + 1024);
		done_with(test, seen);
	}
}

static void lives(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 life;

	for (life = 1; life <= HOMA_SEEN_RUNS; life++)
		homa_seen_add(seen, life << 32 | 20, life, &mem);
	for (life = 1; life <= HOMA_SEEN_RUNS; life++) {
		KUNIT_EXPECT_TRUE(test, is_finished_now(seen, life << 32 | 20, 9));
		KUNIT_EXPECT_FALSE(test, is_finished_now(seen, life << 32 | 18, 9));
	}
	homa_seen_add(seen, 1ull << 32 | 22, 10, &mem);
	homa_seen_add(seen, 99ull << 32 | 20, 11, &mem);	/* instead of 2, the longest unused */
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, 1ull << 32 | 20, 9));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, 2ull << 32 | 20, 9));
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, 3ull << 32 | 20, 9));
	done_with(test, seen);
}

/* A client that always counts from 2. */
static void restart(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 id;

	for (id = 2; id < 1000; id += 2)
		homa_seen_add(seen, id, 1000, &mem);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, 2, 1000 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, 2, 1001 + HOMA_SEEN_IDLE_MS));
	homa_seen_add(seen, 2, 1001 + HOMA_SEEN_IDLE_MS, &mem);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, 2, 1001 + HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, is_finished_now(seen, 4, 1001 + HOMA_SEEN_IDLE_MS));
	done_with(test, seen);
}

/* Whom to ask: nobody, unless something may have been forgotten. */
static void doubts(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u64 other = 99ull << 32;

	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(9000), 0), HOMA_SEEN_FIRST);
	homa_seen_trust(seen, ID(9000), 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(9000), 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(8000), 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1000), 0), HOMA_SEEN_DOUBTFUL);
	/* A new life, or an old one. */
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 200, 0), HOMA_SEEN_DOUBTFUL);
	homa_seen_prove(seen, other | 200, 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 200, 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 202, 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 198, 0), HOMA_SEEN_DOUBTFUL);
	homa_seen_add(seen, other | 198, 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 198, 0), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 196, 0), HOMA_SEEN_DOUBTFUL);
	homa_seen_prove(seen, other | 100, 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 196, 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, other | 198, 0), HOMA_SEEN_FINISHED);
	/* Finished without an answer of its client that it was new. */
	homa_seen_add(seen, 77ull << 32 | 200, 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 77ull << 32 | 202, 0), HOMA_SEEN_DOUBTFUL);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 77ull << 32 | 200, 0), HOMA_SEEN_FINISHED);
	/* A client that counts from 2 may have started anew. */
	homa_seen_add(seen, 400, 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 400, HOMA_SEEN_IDLE_MS + 1), HOMA_SEEN_DOUBTFUL);
	homa_seen_prove(seen, 2, HOMA_SEEN_IDLE_MS + 1, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 400, HOMA_SEEN_IDLE_MS + 1), HOMA_SEEN_NEW);
	done_with(test, seen);
}

/* What has not come long after others were finished is refused, and takes no memory any more. */
static void late(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n, at;

	homa_seen_trust(seen, ID(1), 0, &mem);
	for (n = 2; n < 1000; n++)
		homa_seen_add(seen, ID(n), n, &mem);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, 1024);
	for (at = n; at < HOMA_SEEN_LATE_MS; n++, at += 500)
		homa_seen_add(seen, ID(n), at, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1), at), HOMA_SEEN_NEW);
	for (; at < 3 * HOMA_SEEN_LATE_MS; n++, at += 500)
		homa_seen_add(seen, ID(n), at, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1), at), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(n), at), HOMA_SEEN_NEW);
	done_with(test, seen);
}

/* Of many that are sent at once, or again after a restart, any may come first. */
static void before_the_first(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	homa_seen_prove(seen, ID(9000), 0, &mem);
	homa_seen_add(seen, ID(9000), 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1000), 0), HOMA_SEEN_DOUBTFUL);
	homa_seen_prove(seen, ID(1000), 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1000), 0), HOMA_SEEN_NEW);
	homa_seen_add(seen, ID(1000), 0, &mem);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1000), 0), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(1001), 0), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(9000), 0), HOMA_SEEN_FINISHED);
	done_with(test, seen);
}

/* Whether the word of a client that it does not want something is worth to be remembered. */
static void unwanted(struct kunit *test)
{
	struct homa_seen *seen = make(test);

	KUNIT_EXPECT_FALSE(test, homa_seen_has_run(seen, ID(5), 0));
	homa_seen_trust(seen, ID(5), 0, &mem);
	KUNIT_EXPECT_TRUE(test, homa_seen_has_run(seen, ID(5), 0));
	KUNIT_EXPECT_TRUE(test, homa_seen_has_run(seen, ID(50), 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_has_run(seen, ID(5 + HOMA_SEEN_FAR), 0));
	KUNIT_EXPECT_FALSE(test, homa_seen_has_run(seen, 99ull << 32 | 10, 0));
	/* It may have started anew: what is known of it is not given up for that. */
	homa_seen_add(seen, 400, 0, &mem);
	KUNIT_EXPECT_TRUE(test, homa_seen_has_run(seen, 2, HOMA_SEEN_IDLE_MS));
	KUNIT_EXPECT_FALSE(test, homa_seen_has_run(seen, 2, HOMA_SEEN_IDLE_MS + 1));
	done_with(test, seen);
}

/* Each that somebody else makes up costs one, at any pace, and no other. */
static void made_up(struct kunit *test)
{
	const u32 from = 500, at[] = { 600, 4000, 15000, 0 };
	struct homa_seen *seen = make(test);
	u32 n, k, wrong = 0;

	homa_seen_trust(seen, ID(from), 0, &mem);
	homa_seen_add(seen, ID(from), 0, &mem);
	for (k = 0; at[k]; k++)
		homa_seen_add(seen, ID(at[k]), 1, &mem);
	for (k = 0, n = from + 1; n < 20000; n++) {
		u32 now = n < 5000 ? 700 * n : 5000 * 700 + n;

		wrong += is_finished_now(seen, ID(n), now) != (n == at[k]);
		k += n == at[k];
		homa_seen_add(seen, ID(n), now, &mem);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	done_with(test, seen);
}

static void use(struct homa_seen *seen, u64 id, u64 now_ms)
{
	homa_seen_prove(seen, id, now_ms, &mem);
	homa_seen_add(seen, id, now_ms, &mem);
}

/* What was finished in a run that has made room is not new to one that gets as far. */
static void makes_room(struct kunit *test)
{
	const u32 nr = 7 * HOMA_SEEN_FAR / 2;
	struct homa_seen *seen = make(test);
	u32 n, looks_new = 0;

	homa_seen_trust(seen, ID(0), 0, &mem);
	for (n = 0; n < nr; n++)
		if (homa_seen_look(seen, ID(n), 0) != HOMA_SEEN_NEW)
			homa_seen_prove(seen, ID(n), 0, &mem);
	while (n--)
		homa_seen_add(seen, ID(n), 1, &mem);
	for (n = 0; n < nr; n++)
		looks_new += homa_seen_look(seen, ID(n), 1) == HOMA_SEEN_NEW;
	KUNIT_EXPECT_EQ(test, looks_new, 0);
	done_with(test, seen);
}

/* Its client may still wait for what has run there, since the program died. */
static void has_made_room(struct kunit *test)
{
	const u32 leap = 2 * HOMA_SEEN_FAR;
	struct homa_seen *seen = make(test);
	u32 n;

	for (n = leap; n <= 5 * leap; n += leap)
		use(seen, ID(n), n / leap);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(leap), 5), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(leap + 1), 5), HOMA_SEEN_DOUBTFUL);
	use(seen, ID(2), 6);
	/* That this is new does not tell of later ones. */
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(leap), 6), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(3), 6), HOMA_SEEN_DOUBTFUL);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, ID(5 * leap + 1), 6), HOMA_SEEN_NEW);
	done_with(test, seen);
}

/* The second and the third have made room, not the first. */
static void between(struct kunit *test)
{
	static const u32 order[] = { 1, 2, 3, 4, 1, 5, 6 };
	const u32 leap = 2 * HOMA_SEEN_FAR;
	struct homa_seen *seen = make(test);
	u64 life;
	u32 i;

	for (life = 0; life < 2; life++) {
		for (i = 0; i < ARRAY_SIZE(order); i++)
			use(seen, life << 32 | 2 * (order[i] * leap + i), 9 * life + i);
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen, life << 32 | 2 * (3 * leap + 2), 99),
				life ? HOMA_SEEN_FINISHED : HOMA_SEEN_DOUBTFUL);
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen, life << 32 | 2 * (leap + 9), 99),
				HOMA_SEEN_DOUBTFUL);
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen, life << 32 | 2, 99), HOMA_SEEN_FINISHED);
	}
	done_with(test, seen);
}

/* A client that counts from 2, and has started anew, is refused nothing for it. */
static void made_room_before(struct kunit *test)
{
	const u32 leap = 2 * HOMA_SEEN_FAR;
	struct homa_seen *seen = make(test);
	u64 later = 7 + HOMA_SEEN_IDLE_MS;
	struct homa_seen was;
	u32 n;

	for (n = leap; n <= 6 * leap; n += leap)
		use(seen, 2 * n, n / leap);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2, 6), HOMA_SEEN_FINISHED);
	was = *seen;
	use(seen, 2 * (6 * leap + 10), later);	/* goes on with a run of the earlier start */
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2, later), HOMA_SEEN_DOUBTFUL);
	*seen = was;
	for (n = 1; n < 5 * leap; n += n < leap ? leap + HOMA_SEEN_FAR : leap) {
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2 * n, ++later), HOMA_SEEN_DOUBTFUL);
		use(seen, 2 * n, later);
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2 * n, later), HOMA_SEEN_FINISHED);
	}
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2 * (n - leap + 1), later), HOMA_SEEN_NEW);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen, 2 * leap, later), HOMA_SEEN_DOUBTFUL);
	done_with(test, seen);
}

/* However many clients there are: what is finished stays so, at the cost of what comes late. */
static void memory_is_bounded(struct kunit *test)
{
	struct homa_seen *seen[8];
	u32 i, n, long_ones = 0;

	mem_max = (3 * 256 + 128) / BITS_PER_BYTE;	/* it is 128 bits before it is 256 */
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = make(test);
		homa_seen_trust(seen[i], ID(1), 0, &mem);
		for (n = 2; n <= 200; n++) {
			homa_seen_add(seen[i], ID(n), i, &mem);
			KUNIT_ASSERT_LE(test, atomic_long_read(&mem.used), mem_max);
		}
		for (n = 2; n <= 200; n++)
			KUNIT_EXPECT_TRUE(test, is_finished_now(seen[i], ID(n), i));
		KUNIT_EXPECT_EQ(test, homa_seen_look(seen[i], ID(201), i), HOMA_SEEN_NEW);
		long_ones += homa_seen_look(seen[i], ID(1), i) == HOMA_SEEN_NEW;
	}
	KUNIT_EXPECT_EQ(test, long_ones, 3);
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		homa_seen_trim(seen[i], HOMA_SEEN_LATE_MS + 1, &mem);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mem.used), 256 / BITS_PER_BYTE);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen[0], ID(1), 0), HOMA_SEEN_FINISHED);
	KUNIT_EXPECT_EQ(test, homa_seen_look(seen[2], ID(1), 0), HOMA_SEEN_NEW);
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		homa_seen_clear(seen[i], &mem);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mem.used), 0);
	mem_max = INT_MAX;
}

/* Without the lock of the peer. */
static void new_at_a_glance(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n;

	KUNIT_EXPECT_FALSE(test, homa_seen_is_new(seen, ID(10)));
	homa_seen_trust(seen, ID(10), 0, &mem);
	for (n = 10; n < 20; n++) {
		KUNIT_EXPECT_TRUE(test, homa_seen_is_new(seen, ID(n)));
		homa_seen_add(seen, ID(n), 0, &mem);
		KUNIT_EXPECT_FALSE(test, homa_seen_is_new(seen, ID(n)));
	}
	KUNIT_EXPECT_FALSE(test, homa_seen_is_new(seen, ID(n + HOMA_SEEN_FAR)));
	KUNIT_EXPECT_FALSE(test, homa_seen_is_new(seen, 77ull << 32 | ID(n)));
	seen->only->begun++;	/* it is just being made another one's */
	KUNIT_EXPECT_FALSE(test, homa_seen_is_new(seen, ID(n)));
	seen->only->begun++;
	KUNIT_EXPECT_TRUE(test, homa_seen_is_new(seen, ID(n)));
	done_with(test, seen);
}

/* Not even one that makes all ids of the window look old. */
static void flipped_bit(struct kunit *test)
{
	struct homa_seen *seen = make(test);
	u32 n, bit;

	for (n = 0; n < 100; n++)
		homa_seen_add(seen, ID(n), n, &mem);
	for (bit = 12; bit < 31; bit++) {
		homa_seen_add(seen, ID(n + (1u << bit)), n, &mem);
		KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(n + (1u << bit)), n));
		KUNIT_EXPECT_FALSE(test, is_finished_now(seen, ID(n), n));
		homa_seen_add(seen, ID(n), n, &mem);
		KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(n), n));
		n++;
	}
	done_with(test, seen);
}

/* What finished in a run far ahead is finished, also when the others have come that far. */
static void overlap(struct kunit *test)
{
	const u32 ahead = HOMA_SEEN_FAR + 100;
	struct homa_seen *seen = make(test);
	u32 n;

	homa_seen_add(seen, ID(0), 0, &mem);
	homa_seen_add(seen, ID(ahead), 0, &mem);
	for (n = 1; n < ahead + 1000; n++) {
		KUNIT_ASSERT_EQ(test, is_finished_now(seen, ID(n), n), n == ahead);
		homa_seen_add(seen, ID(n), n, &mem);
		KUNIT_ASSERT_TRUE(test, is_finished_now(seen, ID(n), n));
		KUNIT_ASSERT_TRUE(test, is_finished_now(seen, ID(ahead), n));
	}
	KUNIT_EXPECT_EQ(test, seen->run[0].size, BITS_PER_LONG);
	KUNIT_EXPECT_TRUE(test, is_finished_now(seen, ID(5), n));
	done_with(test, seen);
}

/*
 * A model that remembers everything: what was finished never looks new, and what was not does, as
 * long as it is not HOMA_SEEN_MAX behind. Requests finish in any order within a window that grows
 * and shrinks, some never do, and now and then a flipped bit makes a wrong id finish.
 */
static void random_requests(struct kunit *test)
{
	enum { N = 600000 };
	unsigned long *done = bitmap_zalloc(N, GFP_KERNEL);
	struct homa_seen *seen = make(test);
	struct rnd_state rnd;
	u32 sent = 0, top = 0, window = 1, i, wrong = 0, refused = 0;

	KUNIT_ASSERT_NOT_NULL(test, done);
	prandom_seed_state(&rnd, 20260);
	while (sent < N) {
		u32 r = prandom_u32_state(&rnd);

		if (r % 5000 == 0)
			window = 1u << r / 5000 % 16;
		if (r % 20011 == 0) {
			u64 id = ID(sent) ^ (1ull << (20 + r / 20011 % 41));

			homa_seen_add(seen, id, sent / 64, &mem);
			KUNIT_EXPECT_TRUE(test, is_finished_now(seen, id, sent / 64));
		}
		/* The one that finishes, or a packet of it that comes late. */
		i = sent - min(sent, prandom_u32_state(&rnd) % window);
		if (r % 3) {
			if (i < N && i % 1009) {	/* those are never finished */
				homa_seen_add(seen, ID(i), sent / 64, &mem);
				__set_bit(i, done);
				top = max(top, i + 1);
			}
			sent += i == sent || r % 7 == 0;
		}
		i = sent ? prandom_u32_state(&rnd) % sent : 0;
		if (is_finished_now(seen, ID(i), sent / 64) == test_bit(i, done))
			continue;
		if (test_bit(i, done))
			wrong++;
		else if (top - i <= HOMA_SEEN_MAX)
			refused++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, refused, 0);
	done_with(test, seen);
	bitmap_free(done);
}

/* Leaps, and requests that come or finish in any order: none that was finished ever looks new. */
static void random_runs(struct kunit *test)
{
	enum { N = 1 << 21, OPEN = 256 };
	unsigned long *done = bitmap_zalloc(N, GFP_KERNEL);
	u32 open[OPEN] = { 0 }, next = 0, step, wrong = 0, begun = 0;
	struct homa_seen *seen = make(test);
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, done);
	prandom_seed_state(&rnd, 20261);
	for (step = 0; step < 400000; step++) {
		u32 *at = &open[prandom_u32_state(&rnd) % OPEN], r = prandom_u32_state(&rnd), n;
		enum homa_seen_as as;

		/* The next one, or one that was left out; or a late packet of one that has been. */
		next += r % 2 + (r % 4001 ? 0 : r / 4001 % (4 * HOMA_SEEN_FAR));
		if (next >= N)
			break;
		n = next - min(next, r % 3 ? 0 : r / 3 % (1u << r / 64 % 21));
		as = homa_seen_look(seen, ID(n), step / 64);
		wrong += as == HOMA_SEEN_NEW && test_bit(n, done);
		if (as == HOMA_SEEN_FINISHED || test_bit(n, done))
			continue;
		if (as == HOMA_SEEN_FIRST)
			homa_seen_trust(seen, ID(n), step / 64, &mem);
		else if (as == HOMA_SEEN_DOUBTFUL)
			homa_seen_prove(seen, ID(n), step / 64, &mem);
		begun++;
		/* Another one ends instead. */
		swap(*at, n);
		if (!n)
			continue;
		homa_seen_add(seen, ID(n), step / 64, &mem);
		__set_bit(n, done);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, begun, 100000);
	done_with(test, seen);
	bitmap_free(done);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(remembers),
	KUNIT_CASE(in_order_is_small),
	KUNIT_CASE(window_moves),
	KUNIT_CASE(window_grows),
	KUNIT_CASE(lives),
	KUNIT_CASE(restart),
	KUNIT_CASE(new_at_a_glance),
	KUNIT_CASE(flipped_bit),
	KUNIT_CASE(overlap),
	KUNIT_CASE(doubts),
	KUNIT_CASE(late),
	KUNIT_CASE(before_the_first),
	KUNIT_CASE(unwanted),
	KUNIT_CASE(made_up),
	KUNIT_CASE(makes_room),
	KUNIT_CASE(has_made_room),
	KUNIT_CASE(between),
	KUNIT_CASE(made_room_before),
	KUNIT_CASE(memory_is_bounded),
	KUNIT_CASE(random_requests),
	KUNIT_CASE(random_runs),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_seen",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
