/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seen.h - which requests of one client host were finished here, so that a late duplicate of a
 * packet does not run a request again.
 */
#ifndef P4HOMA_SEEN_H
#define P4HOMA_SEEN_H

#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/types.h>

#define HOMA_SEEN_IDS		16384		/* ids remembered one by one, a power of two */
#define HOMA_SEEN_FAR		BIT_ULL(31)	/* ids this far below: a restarted client */
#define HOMA_SEEN_IDLE_MS	30000		/* so do lower ones after a pause this long */

struct homa_seen {
	u64 top;		/* number of the highest finished id + 1; 0: none yet */
	u64 last_ms;		/* when the last one was added */
	DECLARE_BITMAP(bits, HOMA_SEEN_IDS);
};

/* Was the request finished, or is it older than all that is remembered? */
bool homa_seen_test(const struct homa_seen *seen, u64 id, u64 now_ms);
void homa_seen_add(struct homa_seen *seen, u64 id, u64 now_ms);

#endif /* P4HOMA_SEEN_H */
