/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seen.h - which requests of one client host were finished here, so that a late duplicate of a
 * packet does not run a request again.
 */
#ifndef P4HOMA_SEEN_H
#define P4HOMA_SEEN_H

#include <linux/atomic.h>
#include <linux/types.h>

#define HOMA_SEEN_RUNS		4
#define HOMA_SEEN_MAX		(1u << 17)	/* ids of a run that are remembered one by one */
#define HOMA_SEEN_FAR		(HOMA_SEEN_MAX / 8)	/* so far ahead begins another run */
#define HOMA_SEEN_BEHIND	4096		/* below the first id that is known of a run */
#define HOMA_SEEN_IDLE_MS	5000		/* see seen.c */
#define HOMA_SEEN_LATE_MS	10000		/* so late is too late, see seen.c, */
#define HOMA_SEEN_LATER		64		/* if so many were faster */

/* Ids of one life that follow each other. Numbers are halves of the lower half of ids. */
struct homa_seen_run {
	u32 life;		/* upper half of ids */
	u32 first;		/* where the run began */
	u32 base;		/* all below are finished, or too old */
	u32 top;		/* all from here on are not; 0: the run is not in use */
	u32 size;		/* of `bits`, a power of two: number n is bit n % size */
	u32 sure;		/* below, there may be some that were finished and forgotten */
	u32 lost;		/* so far went runs of its life that have made room; <= sure */
	u32 mark;		/* at mark_ms, so many later ones were finished that it is too late now */
	u32 begun;		/* counts up when it begins; odd meanwhile */
	u64 mark_ms;
	u64 used_ms;		/* when the last one was added */
	unsigned long word;	/* what `bits` points to as long as that is enough */
	unsigned long *bits;
};

struct homa_seen {
	struct homa_seen_run *only;	/* used last, and no other is of its life; or NULL; racy readers */
	struct homa_seen_run run[HOMA_SEEN_RUNS];
};

/* Memory that the windows of all peers of a namespace share. */
struct homa_seen_mem {
	atomic_long_t used;	/* bytes, beyond the word that each run has */
	const int *max;		/* the knob seen_max */
};

enum homa_seen_as {
	HOMA_SEEN_NEW,
	HOMA_SEEN_FIRST,	/* nothing is known of the client */
	HOMA_SEEN_DOUBTFUL,	/* new, or finished before all that is remembered: its client knows */
	HOMA_SEEN_FINISHED,	/* or given up */
};

/* Without the lock of the peer: true if homa_seen_look() would say NEW. False: it must say. If the id is
 * finished, the caller must have seen that memory as it was then, or later.
 */
bool homa_seen_is_new(const struct homa_seen *seen, u64 id);
enum homa_seen_as homa_seen_look(const struct homa_seen *seen, u64 id, u64 now_ms);
/* So are all others of the client that are not finished from now on. */
void homa_seen_trust(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem);
/* The client says that it is new: so are all later ones that are not finished. */
void homa_seen_prove(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem);
void homa_seen_add(struct homa_seen *seen, u64 id, u64 now_ms, struct homa_seen_mem *mem);
/* False: to add the id would begin a run. */
bool homa_seen_has_run(const struct homa_seen *seen, u64 id, u64 now_ms);
/* Gives up the long windows of clients that have been idle, as if all in them were finished. */
void homa_seen_trim(struct homa_seen *seen, u64 now_ms, struct homa_seen_mem *mem);
/* What the runs point to. */
void homa_seen_clear(struct homa_seen *seen, struct homa_seen_mem *mem);

#endif /* P4HOMA_SEEN_H */
