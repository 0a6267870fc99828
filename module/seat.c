// SPDX-License-Identifier: GPL-2.0
/*
 * seat.c - of the threads that expect a message on a CPU, one spins at a time.
 *
 * Client and server of short messages, on one CPU: if each slept until its message came, it would be
 * woken by the softirq that brings it, which then leaves what it has not done to ksoftirqd, and
 * would get the CPU by a switch that the message waits for. All that can be done while the message is
 * under way. So who begins to wait wakes the other one, which spins from then on, and goes to sleep.
 *
 * Only one of them is ever runnable: thus each sees at once that somebody else wants the CPU, and
 * nobody competes with two of them. Nobody gives the CPU away while somebody else wants it. Each spins
 * for no longer than it would if it were alone: what it slept before counts, or, if others wanted the
 * CPU when it began to wait, its time begins when it is given the CPU.
 *
 * Who sleeps and would spin is the next one of its CPU; who came last takes the place of who came
 * before, which has lost nothing but the chance. If messages come in another order than threads are
 * given the CPU, giving it costs two switches, so it is left out for a while, longer each time.
 *
 * Owns the seat of each CPU. Entered from ready.c without a lock, by threads that wait. `next` has no
 * reference: a thread takes itself off before it goes on, and who takes it off wakes it in one RCU
 * section. If it went on meanwhile, it is woken for nothing.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/sched/stat.h>

#include "seat.h"

#define PAUSE_SHIFT_MAX	8

DEFINE_PER_CPU(struct homa_seat, homa_seats);

u32 homa_seat_pause(u32 misses)
{
	return misses ? 1U << min_t(u32, misses, PAUSE_SHIFT_MAX) : 0;
}

/* Who came two ticks ago, at a time not known better, waits for something that takes longer. */
bool homa_seat_may_give(const struct homa_seat *seat, const struct homa_ready *ready, u64 now,
			unsigned long tick)
{
	u64 until = READ_ONCE(seat->until);

	return READ_ONCE(seat->next) && READ_ONCE(seat->ready) != ready && !READ_ONCE(seat->pause) &&
	       (until ? until > now : tick - READ_ONCE(seat->since) < 2);
}

static struct task_struct *take_next(struct homa_seat *seat)
{
	return READ_ONCE(seat->next) ? xchg(&seat->next, NULL) : NULL;
}

bool homa_seat_give(const struct homa_ready *ready, u64 now)
{
	struct homa_seat *seat = raw_cpu_ptr(&homa_seats);
	struct task_struct *next;
	u32 pause;

	if (!homa_seat_may_give(seat, ready, now, jiffies)) {
		/* Read once: of two at a time, both may have seen the last one. */
		pause = READ_ONCE(seat->pause);
		if (pause)
			WRITE_ONCE(seat->pause, pause - 1);
		return false;
	}
	preempt_disable();
	next = take_next(seat);
	if (next)
		wake_up_process(next);
	preempt_enable();
	/* It may have gone to a CPU that is idle. */
	return next && !single_task_running();
}

struct homa_seat *homa_seat_wait(const struct homa_ready *ready, u64 until)
{
	struct homa_seat *seat = raw_cpu_ptr(&homa_seats);

	WRITE_ONCE(seat->ready, ready);
	WRITE_ONCE(seat->until, until);
	WRITE_ONCE(seat->since, jiffies);
	WRITE_ONCE(seat->next, current);
	return seat;
}

bool homa_seat_leave(struct homa_seat *seat)
{
	return cmpxchg(&seat->next, current, NULL) != current;
}

void homa_seat_tell(struct homa_seat *seat, bool hit)
{
	u32 misses = hit ? 0 : READ_ONCE(seat->misses) + 1;

	if (!hit)
		WRITE_ONCE(seat->pause, homa_seat_pause(misses));
	if (READ_ONCE(seat->misses) != misses)
		WRITE_ONCE(seat->misses, misses);
}
