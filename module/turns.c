// SPDX-License-Identifier: GPL-2.0
/*
 * turns.c - who has a CPU first: threads with a short message, or those that copy long ones.
 *
 * A fair scheduler gives each thread its share of a CPU, and a thread that has had more waits for all
 * others. With long messages being copied, short ones would wait for hundreds of microseconds: their
 * threads are as busy as the others, or busier. So who copies a long message stands aside where a short
 * one is ready, or is being dealt with: it sleeps until the thread of the short one does, so that
 * there is nobody else to be fair to. Not at once: PASS_BYTES of long messages go before each turn of a
 * short one, or long ones would starve. Those who stand aside go on one after another, which saves
 * them switching as well.
 *
 * Owns the turns of each CPU. Entered from ready.c, with the socket's lock or without, in any context
 * but hard interrupts, and from who copies long messages. No lock: see struct homa_turns. A claim
 * without a thread that comes back (it waits for something else, it was moved to another CPU) holds
 * long messages up by ASIDE_NS each, and LAPSES_MAX times.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>

#include "turns.h"

#define PASS_BYTES	(160 * 1024)
#define ASIDE_NS	(500 * NSEC_PER_USEC)
#define LAPSES_MAX	8

DEFINE_PER_CPU(struct homa_turns, homa_turns);

void homa_turns_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		init_waitqueue_head(&per_cpu(homa_turns, cpu).aside);
}

void homa_turns_move(struct homa_ready *ready, struct homa_turns *here)
{
	struct homa_turns *before = READ_ONCE(ready->turns);

	WRITE_ONCE(ready->turns, here);
	if (before)
		homa_turns_unclaim(before, ready);
}

bool homa_turns_may_go_on(bool claimed, u32 passed)
{
	return !claimed || passed < PASS_BYTES;
}

static bool is_claimed(const struct homa_turns *turns)
{
	return READ_ONCE(turns->claim[0]) || READ_ONCE(turns->claim[1]);
}

static bool may_go_on(const struct homa_turns *turns)
{
	return homa_turns_may_go_on(is_claimed(turns), READ_ONCE(turns->passed));
}

/* A thread that takes all messages of its socket, short and long, would wait for itself. */
static bool is_ours(const struct homa_turns *turns)
{
	return homa_turns_is_taker() && (!READ_ONCE(turns->claim[0]) || !READ_ONCE(turns->claim[1]));
}

static void stand_aside(struct homa_turns *turns)
{
	ktime_t until = ktime_add_ns(ktime_get(), ASIDE_NS);
	DEFINE_WAIT(wait);

	prepare_to_wait_exclusive(&turns->aside, &wait, TASK_IDLE);
	if (!may_go_on(turns) && !schedule_hrtimeout(&until, HRTIMER_MODE_ABS) &&
	    ++turns->lapsed > LAPSES_MAX) {
		WRITE_ONCE(turns->claim[0], NULL);
		WRITE_ONCE(turns->claim[1], NULL);
	}
	finish_wait(&turns->aside, &wait);
}

void homa_turns_pass(u32 bytes)
{
	struct homa_turns *turns;

	if (single_task_running())
		return;
	turns = raw_cpu_ptr(&homa_turns);
	if (!is_claimed(turns)) {
		homa_turns_leave();
		cond_resched();
		return;
	}
	if (!may_go_on(turns) && !is_ours(turns))
		stand_aside(turns);
	WRITE_ONCE(turns->passed, READ_ONCE(turns->passed) + bytes);
}

void homa_turns_leave(void)
{
	struct homa_turns *turns = raw_cpu_ptr(&homa_turns);

	/* Who comes to stand there just now misses this, and waits for the next, or ASIDE_NS. */
	if (waitqueue_active(&turns->aside) && may_go_on(turns))
		wake_up(&turns->aside);
}
