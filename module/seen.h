/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seen.h - which requests of one client host were finished here, so that a late duplicate of a
 * packet does not run a request again.
 */
#ifndef P4HOMA_SEEN_H
#define P4HOMA_SEEN_H

#include <linux/types.h>

#define HOMA_SEEN_RUNS		4
#define HOMA_SEEN_MAX		(1u << 17)	/* ids of a run that are remembered one by one */
#define HOMA_SEEN_FAR		(HOMA_SEEN_MAX / 2)	/* so far ahead begins another run */
#define HOMA_SEEN_BEHIND	4096		/* below the first id that is known of a run */
#define HOMA_SEEN_IDLE_MS	5000		/* see seen.c */

/* Ids of one life that follow each other. Numbers are halves of the lower half of ids. */
struct homa_seen_run {
	u32 life;		/* upper half of ids */
	u32 first;		/* where the run began */
	u32 base;		/* all below are finished, or too old */
	u32 top;		/* all from here on are not; 0: the run is not in use */
	u32 size;		/* of `bits`, a power of two: number n is bit n % size */
	u64 used_ms;		/* when the last one was added */
	unsigned long word;	/* what `bits` points to as long as that is enough */
	unsigned long *bits;
};

struct homa_seen {
	struct homa_seen_run run[HOMA_SEEN_RUNS];
};

/* Was the request finished, or is it older than all that is remembered? */
bool homa_seen_test(const struct homa_seen *seen, u64 id, u64 now_ms);
void homa_seen_add(struct homa_seen *seen, u64 id, u64 now_ms);
/* What the runs point to. */
void homa_seen_clear(struct homa_seen *seen);

#endif /* P4HOMA_SEEN_H */
