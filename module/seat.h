/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seat.h - of the threads that expect a message on a CPU, one spins at a time.
 */
#ifndef P4HOMA_SEAT_H
#define P4HOMA_SEAT_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/types.h>

struct homa_ready;

/* One CPU. Racy but for `next`: what is torn or stale costs a worse choice once. */
struct homa_seat {
	struct task_struct *next;	/* it sleeps, and would spin if it had the CPU; or NULL */
	const struct homa_ready *ready;	/* where it waits; only compared */
	u64 until;			/* it would spin until then, ns; 0: for a time from then on */
	unsigned long since;		/* it came; jiffies */
	u32 misses;			/* in a row: somebody was given the CPU in vain */
	u32 pause;			/* so many do not give it away */
	bool is_spun;			/* somebody spins */
};

DECLARE_PER_CPU(struct homa_seat, homa_seats);

/* A thread sleeps here while another spins: it may take part from now on. */
static inline bool homa_seat_would_share(const struct task_struct *task)
{
	return raw_cpu_read(homa_seats.is_spun) && task_cpu(task) == raw_smp_processor_id();
}

/* We begin to wait where nobody else wants the CPU. Wakes the next one, if there is one that may spin
 * now. True: it is here, and we are to sleep.
 */
bool homa_seat_give(const struct homa_ready *ready, u64 now);
/* We become the next one, and are about to sleep. What it returns is handed to the two below. */
struct homa_seat *homa_seat_wait(const struct homa_ready *ready, u64 until);
/* We have slept. False: nobody has given us the CPU. True also if another one has taken our place. */
bool homa_seat_leave(struct homa_seat *seat);
/* Somebody had: did a message come while we spun? */
void homa_seat_tell(struct homa_seat *seat, bool hit);

/* Whether who waits at `ready` gives its CPU away. Pure. */
bool homa_seat_may_give(const struct homa_seat *seat, const struct homa_ready *ready, u64 now,
			unsigned long tick);
/* How many do not, after so many times in vain. Pure. */
u32 homa_seat_pause(u32 misses);

#endif /* P4HOMA_SEAT_H */
