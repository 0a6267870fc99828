/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ready.h - messages that are ready for programs, and the threads that wait for one.
 */
#ifndef P4HOMA_READY_H
#define P4HOMA_READY_H

#include <linux/types.h>

#include "fifo.h"

struct homa_done;
struct homa_sock;
struct homa_turns;
struct task_struct;

/* Guarded by the socket's lock, except poll_ns. */
struct homa_ready {
	struct homa_fifo queue;		/* struct homa_done: short ones, oldest first */
	struct homa_fifo long_queue;	/* the same: long ones */
	u32 overtook;			/* short ones that were taken since a long one waits */
	struct homa_turns *turns;	/* where a short one was taken last, or NULL; racy */
	struct hlist_head waiters;	/* who came last first */
	struct hlist_head heavy;	/* the same: those that have just had a long message */
	bool is_polled;			/* a thread spins rather than sleeps; racy */
	u32 poll_ns;			/* for how long the next one may; racy */
};

static inline bool homa_ready_is_empty(const struct homa_ready *ready)
{
	return homa_fifo_is_empty(&ready->queue) && homa_fifo_is_empty(&ready->long_queue);
}

void homa_ready_init(struct homa_ready *ready);

/* Queues `done` and wakes a reader. Any context but hard interrupts; takes hsk->lock. On a socket
 * that is shut down, done->release() is called instead.
 */
void homa_sock_complete(struct homa_sock *hsk, struct homa_done *done);
/* The same for a caller that has bottom halves off, and wakes the reader, if one is returned, itself:
 * before it has them on, with as few locks as it can.
 */
struct task_struct *homa_ready_add(struct homa_sock *hsk, struct homa_done *done);

/* Takes the oldest short message, or else the oldest long one; waits for one, up to `timeo` jiffies,
 * if there is none; EAGAIN, EINTR, ESHUTDOWN. heavy: the message before was a long one.
 */
struct homa_done *homa_ready_wait(struct homa_sock *hsk, long timeo, bool heavy);

/* It is withdrawn. False: it is not in the queue. hsk->lock is held. */
bool homa_ready_remove(struct homa_sock *hsk, struct homa_done *done);

/* Back to the front, for the next reader. */
void homa_ready_put_back(struct homa_sock *hsk, struct homa_done *done);

/* The socket is shut down: ends all waits, releases what belongs to no RPC. */
void homa_ready_shutdown(struct homa_sock *hsk);

/* How long the next wait may spin, after one of `waited` ns. Pure. */
u32 homa_poll_time(u64 waited, u32 max);

#endif /* P4HOMA_READY_H */
