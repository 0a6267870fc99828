// SPDX-License-Identifier: GPL-2.0
/*
 * rtt.c - how long to wait for a peer before asking. Pure; the numbers are kept in its struct
 * homa_peer, whoever has a packet of that peer in hand adds to them, without a lock.
 *
 * Two things are measured. An answer is the first byte of a response to a request of one packet
 * that was sent once: it contains the time of service, and that is right, for the question "where
 * is my response" is pointless before the usual time of service has passed. It is smoothed as TCP
 * smooths its round trips. Bytes that are known to be sent already come within one round trip of
 * the network; the shortest of whatever went to the peer and back in the last ten to twenty
 * seconds is an upper bound of that, which is all that can be known without stamps in packets.
 *
 * Packets that came late, but came, make us patient: each time we see it, all waits double. That
 * is forgotten in seconds, and faster when what we ask for had been lost.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <linux/typecheck.h>

#include "recent.h"
#include "rtt.h"

#define WINDOW		(10 * HZ)
#define PATIENCE_MAX	6
#define SAMPLE_MAX	((u64)NSEC_PER_SEC)	/* four times this is still a u32 */

static u32 shorter(u32 a, u32 b)
{
	return a && b ? min(a, b) : a + b;
}

u64 homa_rtt_least(const struct homa_rtt *rtt)
{
	return shorter(READ_ONCE(rtt->least_ns), READ_ONCE(rtt->least_before_ns));
}

void homa_rtt_add_bound(struct homa_rtt *rtt, u64 ns, unsigned long now)
{
	u32 sample = clamp_t(u64, ns, 1, SAMPLE_MAX);
	u32 least = READ_ONCE(rtt->least_ns);

	if (homa_age(READ_ONCE(rtt->window), now) > WINDOW) {
		WRITE_ONCE(rtt->window, now);
		WRITE_ONCE(rtt->least_before_ns, least);
		least = 0;
	}
	WRITE_ONCE(rtt->least_ns, shorter(least, sample));
}

bool homa_rtt_wants_answer(const struct homa_rtt *rtt, unsigned long now)
{
	return READ_ONCE(rtt->sampled) != now;
}

void homa_rtt_add_answer(struct homa_rtt *rtt, u64 ns, unsigned long now)
{
	u32 sample = clamp_t(u64, ns, 1, SAMPLE_MAX);
	u32 mean = READ_ONCE(rtt->answer_ns);
	u32 var = READ_ONCE(rtt->answer_var_ns);

	homa_rtt_add_bound(rtt, ns, now);
	if (mean) {
		u32 off = max(mean, sample) - min(mean, sample);

		var = var - var / 4 + off / 4;
		mean = mean - mean / 8 + sample / 8;
	} else {
		mean = sample;
		var = sample / 2;
	}
	WRITE_ONCE(rtt->answer_ns, max(mean, 1u));
	WRITE_ONCE(rtt->answer_var_ns, var);
	WRITE_ONCE(rtt->sampled, now);
}

static u64 patiently(const struct homa_rtt *rtt, const struct homa_rtt_conf *c, u64 ns,
		     unsigned long now)
{
	return min(ns << homa_rtt_patience(rtt, now), c->most_ns);
}

u64 homa_rtt_wait_answer(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
			 unsigned long now)
{
	u64 low = c->floor_ns + 2 * homa_rtt_least(rtt);
	u64 usual = READ_ONCE(rtt->answer_ns) + 4ull * READ_ONCE(rtt->answer_var_ns);

	if (!usual)
		return patiently(rtt, c, c->initial_ns, now);
	return patiently(rtt, c, clamp(usual, low, max(low, c->initial_ns)), now);
}

u64 homa_rtt_wait_data(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
		       unsigned long now)
{
	u64 least = homa_rtt_least(rtt);

	return patiently(rtt, c, least ? c->floor_ns + 2 * least : c->initial_ns, now);
}

u64 homa_rtt_wait_gap(const struct homa_rtt *rtt, const struct homa_rtt_conf *c,
		      unsigned long now)
{
	u64 least = homa_rtt_least(rtt);

	return patiently(rtt, c, least ? c->floor_ns / 4 + least / 2 : c->floor_ns, now);
}

u64 homa_rtt_recent(const struct homa_rtt *rtt, const struct homa_rtt_conf *c)
{
	u64 least = homa_rtt_least(rtt);

	return least ? c->floor_ns / 4 + least : c->floor_ns;
}

u32 homa_rtt_patience(const struct homa_rtt *rtt, unsigned long now)
{
	u32 patience = READ_ONCE(rtt->patience);
	unsigned long forget;

	if (!patience)
		return 0;
	forget = (now - READ_ONCE(rtt->hasty)) / HZ;
	return forget < patience ? patience - forget : 0;
}

void homa_rtt_was_hasty(struct homa_rtt *rtt, const struct homa_rtt_conf *c, unsigned long now)
{
	unsigned long wait = nsecs_to_jiffies(homa_rtt_wait_data(rtt, c, now));
	u32 patience = homa_rtt_patience(rtt, now);

	/* All that was asked for at a time counts once. */
	if (patience && time_before_eq(now, READ_ONCE(rtt->hasty) + wait))
		return;
	WRITE_ONCE(rtt->patience, min_t(u32, patience + 1, PATIENCE_MAX));
	WRITE_ONCE(rtt->hasty, now);
}

void homa_rtt_was_right(struct homa_rtt *rtt, unsigned long now)
{
	u32 patience = READ_ONCE(rtt->patience);

	/* Right and wrong in the same burst say that packets are late. */
	if (patience && time_after(now, READ_ONCE(rtt->hasty) + HZ / 4))
		WRITE_ONCE(rtt->patience, patience - 1);
}
