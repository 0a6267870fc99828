/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cutoffs.h - which message goes at which priority: how many levels unasked bytes get, which length
 * goes at which of them, and what a level is called in an IP header.
 */
#ifndef P4HOMA_CUTOFFS_H
#define P4HOMA_CUTOFFS_H

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <p4wire.h>

#include "net.h"

#define HOMA_SIZES	160	/* classes of message length, eight in an octave */
#define HOMA_LOOK_MS	250	/* between two looks at how many there are of each */

/* How often messages of a size came; each CPU counts for itself and never resets. */
struct homa_sizes {
	u32 count[HOMA_SIZES];
};

/* What this host wants its senders to do. Readers take single values without a lock: any mixture of
 * two settings works.
 */
struct homa_cutoffs {
	int priority_map[P4W_PRIORITIES];	/* priority -> IP class, 0 .. 7 */
	int num_priorities;		/* 1 .. P4W_PRIORITIES */
	int max_sched_prio;		/* highest that GRANTs give, < num_priorities */
	int cutoff_version;		/* as on the wire: 1 .. 65535 */
	int unsched_cutoffs[P4W_PRIORITIES];	/* longest message unasked at i or above */

	unsigned long next;		/* jiffies from which on a message causes a new look */
	bool has_seen;			/* enough messages for a first result */
	struct homa_sizes __percpu *sizes;

	struct mutex lock;		/* all changes, and what follows */
	bool is_fixed;			/* by the user: no longer computed */
	struct work_struct look;
	u32 last[HOMA_SIZES];		/* sums of `sizes` at the last look */
	u64 weight[HOMA_SIZES];		/* messages seen, the older the less */
	struct homa_net *net;
	struct ctl_table *table;
	struct ctl_table_header *header;
};

int homa_cutoffs_net_init(struct homa_net *hn);
void homa_cutoffs_net_exit(struct homa_net *hn);

/* A message to us has begun. Any context. */
u32 homa_size_class(u32 length);
void homa_cutoffs_look(struct homa_cutoffs *c);

/* Is `now` later than `next`, which never is further ahead than that? Where jiffies have 32 bits, also if
 * weeks have passed without a message. Pure.
 */
static inline bool homa_cutoffs_is_due(unsigned long next, unsigned long now)
{
	return next - now > msecs_to_jiffies(HOMA_LOOK_MS);
}

static inline void homa_cutoffs_saw(struct homa_net *hn, u32 length)
{
	struct homa_cutoffs *c = hn->cutoffs;

	this_cpu_inc(c->sizes->count[homa_size_class(length)]);
	if (unlikely(homa_cutoffs_is_due(READ_ONCE(c->next), jiffies)))
		homa_cutoffs_look(c);
}

/* The TOS or traffic class of a packet. */
static inline u8 homa_ip_class(const struct homa_net *hn, u8 priority)
{
	return READ_ONCE(hn->cutoffs->priority_map[priority % P4W_PRIORITIES]) << 5;
}

/* Control packets, and what was lost. */
static inline u8 homa_control_priority(const struct homa_net *hn)
{
	return READ_ONCE(hn->cutoffs->num_priorities) - 1;
}

static inline u8 homa_max_sched_prio(const struct homa_net *hn)
{
	return READ_ONCE(hn->cutoffs->max_sched_prio);
}

/* Decisions, on numbers only. */

/* What `cutoff` may be: `cutoff[i]` for i in 0 .. num - 1, others 0; the answer is max_sched_prio. */
int homa_cutoffs_default(int num, int cutoff[P4W_PRIORITIES]);
int homa_cutoffs_fixed(int num, int cutoff[P4W_PRIORITIES]);
/* From how often each size came. `levels`: of unasked bytes by now, kept if nearly right; 0: none. */
int homa_cutoffs_compute(const u64 weight[HOMA_SIZES], u32 unsched_bytes, int num, int levels,
			 int cutoff[P4W_PRIORITIES]);
/* Would enough unasked bytes go at another priority to tell all senders? */
bool homa_cutoffs_differ(const u64 weight[HOMA_SIZES], u32 unsched_bytes,
			 const int a[P4W_PRIORITIES], const int b[P4W_PRIORITIES]);
/* The longest message of a class. */
u32 homa_size_top(u32 class);
#endif /* P4HOMA_CUTOFFS_H */
