/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtt.h - how long to wait for a peer before asking: its round-trip time, and how patient to be.
 */
#ifndef P4HOMA_RTT_H
#define P4HOMA_RTT_H

#include <linux/types.h>

/* All fields are racy on purpose: a torn view costs a worse choice once. */
struct homa_rtt {
	u32 answer_ns;		/* request to response, smoothed; 0: not known */
	u32 answer_var_ns;
	u32 least_ns;		/* shortest round trip in this window, and in the one before; 0: none */
	u32 least_before_ns;
	unsigned long window;	/* jiffies of its begin */
	unsigned long sampled;	/* jiffies of the last answer that was measured */
	unsigned long hasty;	/* jiffies when we last saw that we had asked too early */
	u32 patience;		/* how often the waits are doubled */
};

struct homa_rtt_conf {
	u64 floor_ns;		/* no silence is shorter */
	u64 initial_ns;		/* until something is known; what an answer may take at most */
	u64 most_ns;		/* nor longer */
};

/* Pure: jiffies are passed in. */
bool homa_rtt_wants_answer(const struct homa_rtt *rtt, unsigned long now);
void homa_rtt_add_answer(struct homa_rtt *rtt, u64 ns, unsigned long now);
void homa_rtt_add_bound(struct homa_rtt *rtt, u64 ns, unsigned long now);
u64 homa_rtt_least(const struct homa_rtt *rtt);		/* 0: not known */

/* Silence after which to ask: for the first byte of an answer; for bytes that were sent; for bytes
 * that later ones have overtaken. Doubled by patience.
 */
u64 homa_rtt_wait_answer(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
			 unsigned long now);
u64 homa_rtt_wait_data(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
		       unsigned long now);
u64 homa_rtt_wait_gap(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
		      unsigned long now);

/* What was sent so short a time ago may still be on its way, and is not sent again. */
u64 homa_rtt_recent(const struct homa_rtt *rtt, const struct homa_rtt_conf *c);

/* Bytes came twice because we asked for them while they were on the way; what we asked for had
 * been lost.
 */
void homa_rtt_was_hasty(struct homa_rtt *rtt, const struct homa_rtt_conf *c, unsigned long now);
void homa_rtt_was_right(struct homa_rtt *rtt, unsigned long now);
u32 homa_rtt_patience(const struct homa_rtt *rtt, unsigned long now);

#endif /* P4HOMA_RTT_H */
