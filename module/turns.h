/* SPDX-License-Identifier: GPL-2.0 */
/*
 * turns.h - who has a CPU first: threads with a short message, or those that copy long ones.
 */
#ifndef P4HOMA_TURNS_H
#define P4HOMA_TURNS_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "ready.h"

/* One CPU. Racy, all of it: what is torn or stale costs a worse choice, and ends by itself. */
struct homa_turns {
	const struct homa_ready *claim[2];	/* sockets with short messages in progress here */
	const struct task_struct *taker;	/* who took the last of them; only compared */
	u32 passed;		/* bytes of long messages since a short one had the CPU */
	u32 lapsed;		/* times that somebody stood aside in vain */
	wait_queue_head_t aside;	/* threads with long messages */
};

DECLARE_PER_CPU(struct homa_turns, homa_turns);

void homa_turns_init(void);

/* Whether a long message may go on where there are claims, or not, and `passed` bytes went before
 * them. Pure.
 */
bool homa_turns_may_go_on(bool claimed, u32 passed);

/* Before a piece of a long message whose work is that of copying `bytes`. May sleep. */
void homa_turns_pass(u32 bytes);
/* After the last piece: the next may have the turn. */
void homa_turns_leave(void);

/* We took the last short one here: a claim is for us. */
static inline bool homa_turns_is_taker(void)
{
	return READ_ONCE(raw_cpu_ptr(&homa_turns)->taker) == current;
}

/* A short message is ready: it goes first on the CPU where the socket's last one was taken. */
static inline void homa_turns_claim(struct homa_ready *ready)
{
	struct homa_turns *turns = READ_ONCE(ready->turns);

	if (turns)
		WRITE_ONCE(turns->claim[turns->claim[0] && turns->claim[0] != ready], ready);
}

/* It may be in both places: in the second, and again in the first when that has become free. */
static inline bool homa_turns_unclaim(struct homa_turns *turns, const struct homa_ready *ready)
{
	bool was = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(turns->claim); i++)
		if (READ_ONCE(turns->claim[i]) == ready) {
			WRITE_ONCE(turns->claim[i], NULL);
			was = true;
		}
	return was;
}

/* Takes back its claim where it was; on a CPU, or on none. */
void homa_turns_move(struct homa_ready *ready, struct homa_turns *here);

/* A thread takes one. Its claim stands until it has nothing left to do: it may be interrupted. */
static inline void homa_turns_begin(struct homa_ready *ready)
{
	struct homa_turns *here = raw_cpu_ptr(&homa_turns);

	/* Who stands aside then may go on, but is not woken: it is the short one's turn. */
	WRITE_ONCE(here->passed, 0);
	WRITE_ONCE(here->lapsed, 0);
	WRITE_ONCE(here->taker, current);
	if (unlikely(READ_ONCE(ready->turns) != here))
		homa_turns_move(ready, here);
}

/* The thread is about to sleep: there is none left. */
static inline void homa_turns_end(const struct homa_ready *ready)
{
	struct homa_turns *turns = raw_cpu_ptr(&homa_turns);

	if (!homa_turns_unclaim(turns, ready))
		return;
	WRITE_ONCE(turns->passed, 0);
	/* As in homa_turns_leave(). */
	if (waitqueue_active(&turns->aside))
		wake_up(&turns->aside);
}

#endif /* P4HOMA_TURNS_H */
