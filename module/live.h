/* SPDX-License-Identifier: GPL-2.0 */
/*
 * live.h - whether a peer lives, and can be reached.
 */
#ifndef P4HOMA_LIVE_H
#define P4HOMA_LIVE_H

#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/types.h>

struct homa_net;
struct homa_peer;
struct homa_rpc;

struct homa_live {
	unsigned long heard;	/* jiffies of the last packet for one of our RPCs, racy */
	unsigned long confirmed;	/* jiffies when the way there was seen to work; 0: never; racy */
	u64 asked_ns;		/* last question whether it still lives; racy */
	u64 died_ns;		/* RPCs that waited then have failed; 0: never */
	u64 unreachable_ns;	/* the network said so last, see homa_timer_unreachable(); racy */
};

/* True: for the first time in this jiffy. */
static inline bool homa_live_heard(struct homa_live *live)
{
	unsigned long now = jiffies;

	if (likely(READ_ONCE(live->heard) == now))
		return false;
	WRITE_ONCE(live->heard, now);
	return true;
}

/* Not jiffies_to_nsecs(), which goes round in 72 minutes. */
static inline u64 homa_live_silent_ns(const struct homa_live *live)
{
	/* First: it may be heard of meanwhile. */
	unsigned long heard = smp_load_acquire(&live->heard);

	return (u64)(jiffies - heard) * TICK_NSEC;
}

/* The peer is dead. All its RPCs that wait for it fail, soon and together. Any context. */
void homa_live_died(struct homa_peer *peer, u64 now_ns);

/* The peer, or its port unless that is 0, cannot be reached: all RPCs with it, in the direction of
 * `rpc` if it is the port, that were born by now fail, soon and together. The caller has a reference
 * to `rpc`. Softirq.
 */
void homa_live_refused(struct homa_rpc *rpc, u16 port, int error);

/* The peer of the RPC, which is locked, cannot be reached. */
void homa_live_fail(struct homa_rpc *rpc, int error);

int homa_live_net_init(struct homa_net *hn);
void homa_live_net_exit(struct homa_net *hn);

#endif /* P4HOMA_LIVE_H */
