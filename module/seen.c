// SPDX-License-Identifier: GPL-2.0
/*
 * seen.c - a window over the ids of one client host. Pure; the caller has the lock of the peer.
 *
 * A host draws all its ids from one ascending counter, so a bit an id is enough, and what lies
 * below the window is old. It is refused rather than run twice: its client gets a time-out. The
 * exception is a client that has started anew, with a counter somewhere else.
 */
#include "seen.h"

static u64 number(u64 id)
{
	return id >> 1;		/* the lowest bit only tells client from server */
}

static bool is_below(const struct homa_seen *seen, u64 n)
{
	return n < seen->top && seen->top - n > HOMA_SEEN_IDS;
}

static bool is_restart(const struct homa_seen *seen, u64 n, u64 now_ms)
{
	return seen->top - n > HOMA_SEEN_FAR || now_ms - seen->last_ms > HOMA_SEEN_IDLE_MS;
}

bool homa_seen_test(const struct homa_seen *seen, u64 id, u64 now_ms)
{
	u64 n = number(id);

	if (n >= seen->top)
		return false;
	if (is_below(seen, n))
		return !is_restart(seen, n, now_ms);
	return test_bit(n % HOMA_SEEN_IDS, seen->bits);
}

void homa_seen_add(struct homa_seen *seen, u64 id, u64 now_ms)
{
	u64 n = number(id);

	if (is_below(seen, n)) {
		if (!is_restart(seen, n, now_ms))
			return;
		seen->top = 0;
	}
	if (n >= seen->top) {
		if (!seen->top || n - seen->top >= HOMA_SEEN_IDS)
			bitmap_zero(seen->bits, HOMA_SEEN_IDS);
		else
			while (seen->top < n)
				__clear_bit(seen->top++ % HOMA_SEEN_IDS, seen->bits);
		seen->top = n + 1;
	}
	__set_bit(n % HOMA_SEEN_IDS, seen->bits);
	seen->last_ms = now_ms;
}
