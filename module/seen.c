// SPDX-License-Identifier: GPL-2.0
/*
 * seen.c - the finished requests of one client host. Pure but for memory; the caller has the lock
 * of the peer.
 *
 * The upper half of an id is the client's life: random, and another one after each start and for
 * each server (peer.c). The lower half counts up, so requests finish nearly in order, and what must
 * be remembered is where the order begins (all below `base` is finished) and a bit for each id that
 * was faster than one before it. That is one word, and grows only while an early request is not
 * finished while many later ones are. With HOMA_SEEN_MAX of them, or HOMA_SEEN_LATE_MS (up to twice
 * that) after HOMA_SEEN_LATER later ones were finished, the early one is given up: if it has not come
 * yet, it is refused rather than run twice, and its client gets a time-out. The same happens to one
 * that comes 64 numbers late if there is no memory, or all peers together have what they may have;
 * before that, the windows of idle clients are given up.
 *
 * An id far ahead of all others is a flipped bit, or a client whose requests all got lost for long.
 * It begins a run of its own, if its client says that it is new or a program has had it, so that the
 * first cannot make all good ids look old, and the second goes on. Far is an eighth of what is
 * remembered, and one that is not so far only gets a bit: a few wrong ones cost as many good ones, no
 * more. The run that was not used for longest makes room. A run speaks for the ids from where it began;
 * of those before, nothing is known. But once a run has made room, others of its life that get that far
 * do not take what they do not know for new, and what is below its end and belongs to none is refused:
 * its client may still wait for the response of a program that has died.
 *
 * Clients that are not ours may count from 2 after each start (life 0). Once such a client has been
 * idle for HOMA_SEEN_IDLE_MS, ids that look old may be those of a new start.
 *
 * All of that forgets, and so does a host that restarts or a peer that is met again. Whenever a run
 * begins, or would begin, a request that belongs to it may be new, or one that was finished and is
 * forgotten. Its client must say (recv.c). From the first that is new on, ids are as good as ever:
 * a client gives them in order, so later ones were not finished before. Of earlier ones each is asked
 * for.
 */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "seen.h"

static u32 life(u64 id)
{
	return id >> 32;
}

static u32 number(u64 id)
{
	return (u32)id >> 1;	/* the lowest bit only tells client from server */
}

static bool fits(const struct homa_seen_run *run, u32 n)
{
	return n >= run->first && (n < run->top || n - run->top < HOMA_SEEN_FAR);
}

/* Where the id is added: the lowest run that may hold it and that it is not far ahead of. */
static noinline int search_run(const struct homa_seen *seen, u64 id)
{
	int i, best = -1;

	for (i = 0; i < HOMA_SEEN_RUNS; i++) {
		const struct homa_seen_run *run = &seen->run[i];

		if (!run->top || run->life != life(id) || !fits(run, number(id)))
			continue;
		if (best < 0 || run->first < seen->run[best].first)
			best = i;
	}
	return best;
}

/* The only run of the id's life, and the one that was used last, as nearly always; or NULL. */
static struct homa_seen_run *only_run(const struct homa_seen *seen, u64 id)
{
	return likely(seen->only && seen->only->life == life(id)) ? seen->only : NULL;
}

static int run_of(const struct homa_seen *seen, u64 id)
{
	const struct homa_seen_run *only = only_run(seen, id);

	if (only && fits(only, number(id)))
		return only - seen->run;
	return search_run(seen, id);
}

static bool is_finished(const struct homa_seen_run *run, u32 n)
{
	if (n < run->base)
		return true;
	return n < run->top && test_bit(n & (run->size - 1), run->bits);
}

static bool may_be_over(const struct homa_seen_run *run, u64 now_ms)
{
	return !run->life && now_ms - run->used_ms > HOMA_SEEN_IDLE_MS;
}

static bool is_new_start(const struct homa_seen_run *run, u32 n, u64 now_ms)
{
	return n < run->top && may_be_over(run, now_ms);
}

static bool is_empty(const struct homa_seen *seen)
{
	int i;

	for (i = 0; i < HOMA_SEEN_RUNS; i++)
		if (seen->run[i].top)
			return false;
	return true;
}

/* So far went runs of that life that have made room, but for those of an earlier start. */
static u32 lost_of(const struct homa_seen *seen, u32 life, u64 now_ms)
{
	const struct homa_seen_run *run;
	u32 lost = 0;

	for (run = seen->run; run < seen->run + HOMA_SEEN_RUNS; run++)
		if (run->top && run->life == life && !may_be_over(run, now_ms))
			lost = max(lost, run->lost);
	return lost;
}

static noinline enum homa_seen_as look(const struct homa_seen *seen, u64 id, u64 now_ms)
{
	const struct homa_seen_run *run;
	bool may_be_anew = false, is_below = true;
	u32 n = number(id);
	int i;

	for (run = seen->run; run < seen->run + HOMA_SEEN_RUNS; run++) {
		if (!run->top || run->life != life(id))
			continue;
		if (is_new_start(run, n, now_ms)) {
			may_be_anew = true;
			continue;
		}
		/* Where runs overlap, either may have it. */
		if (n >= run->first && is_finished(run, n))
			return HOMA_SEEN_FINISHED;
		is_below &= n < run->first;
	}
	i = run_of(seen, id);
	/* Of life 0, perhaps only an earlier start has gone so far: who counts on must not be shut out. */
	if (i < 0 && (is_below || life(id)) && n < lost_of(seen, life(id), now_ms))
		return HOMA_SEEN_FINISHED;
	if (i < 0)
		return is_empty(seen) ? HOMA_SEEN_FIRST : HOMA_SEEN_DOUBTFUL;
	return may_be_anew || n < seen->run[i].sure ? HOMA_SEEN_DOUBTFUL : HOMA_SEEN_NEW;
}

/* It is later than all that were finished. Of what is looked at, `top` only goes up and `sure` only down,
 * but where a run begins anew, or another one of its life has made room: before it is the only one again.
 * So old values make no finished id new.
 */
bool homa_seen_is_new(const struct homa_seen *seen, u64 id)
{
	const struct homa_seen_run *only = READ_ONCE(seen->only);
	u32 begun, n = number(id);
	bool is_new;

	if (!only)
		return false;
	begun = smp_load_acquire(&only->begun);		/* pairs with begin() */
	is_new = READ_ONCE(only->life) == life(id) && n - READ_ONCE(only->top) < HOMA_SEEN_FAR &&
		 n >= READ_ONCE(only->sure);
	smp_rmb();					/* the same */
	return is_new && !(begun & 1) && READ_ONCE(only->begun) == begun;
}

enum homa_seen_as homa_seen_look(const struct homa_seen *seen, u64 id, u64 now_ms)
{
	return homa_seen_is_new(seen, id) ? HOMA_SEEN_NEW : look(seen, id, now_ms);
}

static void shrink(struct homa_seen_run *run, struct homa_seen_mem *mem)
{
	if (run->bits != &run->word && run->bits) {
		atomic_long_sub(run->size / BITS_PER_BYTE, &mem->used);
		bitmap_free(run->bits);
	}
	run->word = 0;
	run->bits = &run->word;
	run->size = BITS_PER_LONG;
}

/* Begins the window `nr` numbers later, as far as its bits go without a turn. */
static void drop_bits(struct homa_seen_run *run, u32 nr)
{
	u32 at = run->base & (run->size - 1);

	nr = min(nr, run->size - at);
	bitmap_clear(run->bits, at, nr);
	run->base += nr;
}

/* Gives up the oldest, so that the window begins at `base` or later. */
static void forget_below(struct homa_seen_run *run, u32 base)
{
	if (base >= run->top) {
		bitmap_zero(run->bits, run->size);
		run->base = base;
		WRITE_ONCE(run->top, base);
	}
	while (run->base < base)
		drop_bits(run, base - run->base);
}

/* Begins the window where one is not finished. */
static void drop_finished(struct homa_seen_run *run)
{
	u32 at, end;

	do {
		at = run->base & (run->size - 1);
		end = min(run->size, at + run->top - run->base);
		end = find_next_zero_bit(run->bits, end, at);
		drop_bits(run, end - at);
	} while (end == run->size && run->base < run->top);
}

static unsigned long *alloc_bits(u32 size, struct homa_seen_mem *mem)
{
	long bytes = size / BITS_PER_BYTE;
	unsigned long *bits = NULL;

	if (atomic_long_add_return(bytes, &mem->used) <= READ_ONCE(*mem->max))
		bits = bitmap_zalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!bits)
		atomic_long_sub(bytes, &mem->used);
	return bits;
}

/* All of the window to a larger one. By words: the first and the last may be the same one of `run`. */
static void copy_bits(const struct homa_seen_run *run, unsigned long *bits, u32 size)
{
	u32 n = round_down(run->base, BITS_PER_LONG);

	for (; n < run->top; n += BITS_PER_LONG) {
		unsigned long word = run->bits[BIT_WORD(n & (run->size - 1))];

		if (n < run->base)
			word &= BITMAP_FIRST_WORD_MASK(run->base);
		if (run->top - n < BITS_PER_LONG)
			word &= BITMAP_LAST_WORD_MASK(run->top);
		bits[BIT_WORD(n & (size - 1))] = word;
	}
}

/* Room for number n, at the end of the window. */
static void make_room(struct homa_seen_run *run, u32 n, struct homa_seen_mem *mem)
{
	u32 size = roundup_pow_of_two(min(n - run->base + 1, HOMA_SEEN_MAX));
	unsigned long *bits = NULL;

	if (size > run->size)
		bits = alloc_bits(size, mem);
	if (bits) {
		copy_bits(run, bits, size);
		shrink(run, mem);
		run->bits = bits;
		run->size = size;
	}
	if (n - run->base >= run->size)
		forget_below(run, n - run->size + 1);
}

static void begin(struct homa_seen_run *run, u64 id, u32 lost, u64 now_ms,
		  struct homa_seen_mem *mem)
{
	u32 n = number(id);

	WRITE_ONCE(run->begun, run->begun + 1);
	smp_wmb();		/* pairs with homa_seen_is_new(), like that below */
	shrink(run, mem);
	WRITE_ONCE(run->life, life(id));
	run->first = n - min_t(u32, n, HOMA_SEEN_BEHIND);
	run->base = run->first;
	WRITE_ONCE(run->top, max(run->first, 1u));
	WRITE_ONCE(run->sure, U32_MAX);
	run->lost = lost;
	run->mark = 0;
	run->mark_ms = now_ms;
	smp_store_release(&run->begun, run->begun + 1);		/* the same */
}

static struct homa_seen_run *longest_unused(struct homa_seen *seen)
{
	struct homa_seen_run *run = seen->run;
	int i;

	for (i = 0; i < HOMA_SEEN_RUNS; i++) {
		if (!seen->run[i].top)
			return &seen->run[i];
		if (seen->run[i].used_ms < run->used_ms)
			run = &seen->run[i];
	}
	return run;
}

static bool is_only_of_life(const struct homa_seen *seen, const struct homa_seen_run *run)
{
	const struct homa_seen_run *other;

	for (other = seen->run; other < seen->run + HOMA_SEEN_RUNS; other++)
		if (other != run && other->top && other->life == run->life)
			return false;
	return true;
}

/* It makes room. Runs of its life cannot tell what it had, as far as it went. */
static void give_up(struct homa_seen *seen, const struct homa_seen_run *old)
{
	struct homa_seen_run *run;

	for (run = seen->run; run < seen->run + HOMA_SEEN_RUNS; run++) {
		if (!run->top || run->life != old->life)
			continue;
		run->lost = max(run->lost, old->top);
		WRITE_ONCE(run->sure, max(run->sure, run->lost));
	}
}

bool homa_seen_has_run(const struct homa_seen *seen, u64 id, u64 now_ms)
{
	int i = run_of(seen, id);

	return i >= 0 && !is_new_start(&seen->run[i], number(id), now_ms);
}

/* From here on, not less than HOMA_SEEN_LATER are finished, a word more or less: not what somebody made
 * up, or a bit that has flipped.
 */
static u32 below_later(const struct homa_seen_run *run)
{
	u32 n = run->top, nr = 0;

	while (n > run->base && nr < HOMA_SEEN_LATER) {
		n = round_down(n - 1, BITS_PER_LONG);
		nr += hweight_long(run->bits[BIT_WORD(n & (run->size - 1))]);
	}
	return max(n, run->base);
}

/* The run of the id, which begins if need be. */
static struct homa_seen_run *use_run(struct homa_seen *seen, u64 id, u64 now_ms,
				     struct homa_seen_mem *mem)
{
	int i = run_of(seen, id);
	struct homa_seen_run *run = i < 0 ? longest_unused(seen) : &seen->run[i];

	if (i < 0 && !may_be_over(run, now_ms))
		give_up(seen, run);
	if (i < 0 || is_new_start(run, number(id), now_ms)) {
		begin(run, id, lost_of(seen, life(id), now_ms), now_ms, mem);
		WRITE_ONCE(seen->only, NULL);
	} else if (may_be_over(run, now_ms)) {
		run->lost = 0;
	}
	if (run != seen->only)		/* with what give_up() has done to it */
		smp_store_release(&seen->only, is_only_of_life(seen, run) ? run : NULL);
	if (now_ms - run->mark_ms >= HOMA_SEEN_LATE_MS) {
		forget_below(run, run->mark);
		run->mark = below_later(run);
		run->mark_ms = now_ms;
	}
	run->used_ms = now_ms;
	return run;
}

void homa_seen_prove(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem)
{
	struct homa_seen_run *run = use_run(seen, id, now_ms, mem);

	WRITE_ONCE(run->sure, min(run->sure, max(number(id), run->lost)));
}

void homa_seen_trust(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem)
{
	WRITE_ONCE(use_run(seen, id, now_ms, mem)->sure, 0);
}

/* NULL: the id is finished already. */
static noinline struct homa_seen_run *run_to_add(struct homa_seen *seen, u64 id, u64 now_ms,
						 struct homa_seen_mem *mem)
{
	struct homa_seen_run *run = use_run(seen, id, now_ms, mem);
	u32 n = number(id);

	if (n < run->base)
		return NULL;
	if (n - run->base >= run->size)
		make_room(run, n, mem);
	return run;
}

void homa_seen_add(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem)
{
	struct homa_seen_run *run = only_run(seen, id);
	u32 n = number(id);

	/* Nearly always later than all others, and there is room. */
	if (likely(run && n - run->top < HOMA_SEEN_FAR && n - run->base < run->size &&
		   now_ms - run->mark_ms < HOMA_SEEN_LATE_MS))
		run->used_ms = now_ms;
	else
		run = run_to_add(seen, id, now_ms, mem);
	if (!run)
		return;
	if (likely(n == run->base && n == run->top)) {	/* in order */
		run->base++;
		WRITE_ONCE(run->top, n + 1);
	} else {
		__set_bit(n & (run->size - 1), run->bits);
		WRITE_ONCE(run->top, max(run->top, n + 1));
		if (test_bit(run->base & (run->size - 1), run->bits))
			drop_finished(run);
	}
	if (run->base == run->top && run->size > BITS_PER_LONG)
		shrink(run, mem);
}

void homa_seen_trim(struct homa_seen *seen, u64 now_ms, struct homa_seen_mem *mem)
{
	struct homa_seen_run *run;

	for (run = seen->run; run < seen->run + HOMA_SEEN_RUNS; run++) {
		if (run->size <= BITS_PER_LONG || now_ms - run->used_ms < HOMA_SEEN_LATE_MS)
			continue;
		forget_below(run, run->top);
		shrink(run, mem);
	}
}

void homa_seen_clear(struct homa_seen *seen, struct homa_seen_mem *mem)
{
	int i;

	for (i = 0; i < HOMA_SEEN_RUNS; i++)
		if (seen->run[i].top)
			shrink(&seen->run[i], mem);
}
