/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stall.h - messages that wait for room in the receive pool, or in memory.
 */
#ifndef P4HOMA_STALL_H
#define P4HOMA_STALL_H

#include <linux/types.h>

#include "rpc.h"
#include "sock.h"

/* These want rpc->lock, in softirq or with bottom halves off. */

/* Room for the whole message that comes; false: there is none now, or no pool yet. */
bool homa_stall_reserve(struct homa_rpc *rpc);
/* The message waits for it, the shortest first. False: too many requests do; how many responses may
 * come, our own programs decide.
 */
bool homa_stall(struct homa_rpc *rpc);

/* It waits no more; its reference is the caller's. hsk->lock is held. */
static inline void homa_stall_unlist(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->hsk->lock);
	rb_erase_cached(&rpc->in_stalled, &rpc->hsk->stalled);
	RB_CLEAR_NODE(&rpc->in_stalled);
	rpc->hsk->nr_stalled--;
}

void homa_unstall_now(struct homa_sock *hsk);

/* Room in the pool of the socket has become free: messages that waited for it get it, and their
 * senders are asked to send again. No lock is held.
 */
static inline void homa_unstall(struct homa_sock *hsk)
{
	/* Either we see who has begun to wait, or he, who comes here too then, sees the space that
	 * was given back before.
	 */
	smp_mb();
	if (READ_ONCE(hsk->nr_stalled))
		homa_unstall_now(hsk);
}

#endif /* P4HOMA_STALL_H */
