// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of two readers on a CPU, the one whose message comes next spins; who gives the CPU to whom, and when
 * not.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include "../../module/ready.c"
#include "../../module/seat.c"
#include "../../module/turns.c"

#define DEADLINE	(60 * HZ)
#define HOPS		1000

unsigned int homa_net_id;

static void data_ready(struct sock *sk)
{
}

static struct homa_sock *make(struct kunit *test)
{
	struct homa_sock *hsk = kunit_kzalloc(test, sizeof(*hsk), GFP_KERNEL);
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hsk);
	KUNIT_ASSERT_NOT_NULL(test, hn);
	hn->knobs.poll_usecs = USEC_PER_SEC;	/* slow machines */
	hsk->net = hn;
	homa_to_sk(hsk)->sk_data_ready = data_ready;
	spin_lock_init(&hsk->lock);
	homa_ready_init(&hsk->ready);
	homa_turns_init();
	return hsk;
}

static void given(struct kunit *test)
{
	struct homa_seat seat = { .next = current, .until = 1000, .since = 7 };
	struct homa_ready here, there;

	seat.ready = &there;
	KUNIT_EXPECT_TRUE(test, homa_seat_may_give(&seat, &here, 999, 8));
	KUNIT_EXPECT_FALSE(test, homa_seat_may_give(&seat, &here, 1000, 8));
	KUNIT_EXPECT_FALSE(test, homa_seat_may_give(&seat, &there, 999, 8));
	seat.until = 0;
	KUNIT_EXPECT_FALSE(test, homa_seat_may_give(&seat, &here, 1000, 9));
	KUNIT_EXPECT_TRUE(test, homa_seat_may_give(&seat, &here, 1000, 8));
	homa_seat_tell(&seat, false);
	KUNIT_EXPECT_FALSE(test, homa_seat_may_give(&seat, &here, 1000, 8));
	seat.pause = 0;
	seat.next = NULL;
	KUNIT_EXPECT_FALSE(test, homa_seat_may_give(&seat, &here, 1000, 8));
}

/* Each time in vain there are twice as many that do not give it away, up to a limit. */
static void pauses(struct kunit *test)
{
	struct homa_seat seat = { };
	int i;

	KUNIT_EXPECT_EQ(test, homa_seat_pause(0), 0u);
	for (i = 1; i < 100; i++) {
		homa_seat_tell(&seat, false);
		KUNIT_EXPECT_EQ(test, seat.pause, 1u << min(i, 8));
	}
	seat.pause = 0;
	homa_seat_tell(&seat, true);
	KUNIT_EXPECT_EQ(test, seat.pause, 0u);
	homa_seat_tell(&seat, false);
	KUNIT_EXPECT_EQ(test, seat.pause, 2u);
}

struct sleeper {
	struct homa_ready ready;
	bool given;
	struct completion over;
};

static int sleep_in_seat(void *data)
{
	struct sleeper *s = data;
	struct homa_seat *seat;

	set_current_state(TASK_INTERRUPTIBLE);
	seat = homa_seat_wait(&s->ready, 0);
	schedule();
	s->given = homa_seat_leave(seat);
	complete(&s->over);
	return 0;
}

/* Who is given the CPU knows it from who is woken by another one, and neither stays behind. */
static void taken(struct kunit *test)
{
	struct sleeper *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct homa_seat *seat;
	struct task_struct *task;
	struct homa_ready here;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	migrate_disable();
	seat = raw_cpu_ptr(&homa_seats);
	for (i = 0; i < 2; i++) {
		init_completion(&s->over);
		task = kthread_create_on_cpu(sleep_in_seat, s, smp_processor_id(), "sleeper");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
		wake_up_process(task);
		while (READ_ONCE(seat->next) != task || task_is_running(task))
			schedule_timeout_uninterruptible(1);
		seat->pause = 0;
		WRITE_ONCE(seat->since, jiffies);
		if (i)
			homa_seat_give(&here, 1);
		else
			wake_up_process(task);
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&s->over, DEADLINE), 0UL);
		KUNIT_EXPECT_EQ(test, s->given, i == 1);
		KUNIT_EXPECT_FALSE(test, !!seat->next);
	}
	migrate_enable();
}

/* Another one takes the place of who waits, whose time is over then: it was given nothing. */
static enum hrtimer_restart take_place(struct hrtimer *timer)
{
	WRITE_ONCE(raw_cpu_ptr(&homa_seats)->next, &init_task);
	return HRTIMER_NORESTART;
}

static void replaced(struct kunit *test)
{
	struct waiter waiter = { .task = current };
	struct homa_ready ready = { };
	struct homa_seat *seat;
	struct hrtimer timer;
	long timeo = 5;

	hrtimer_init_on_stack(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	timer.function = take_place;
	migrate_disable();
	seat = raw_cpu_ptr(&homa_seats);
	seat->misses = 0;
	seat->pause = 0;
	ready.poll_ns = 1000;
	hrtimer_start(&timer, ms_to_ktime(1), HRTIMER_MODE_REL_PINNED_SOFT);
	KUNIT_EXPECT_FALSE(test, spin_in_turn(&ready, &waiter, &timeo, 1000, 0));
	KUNIT_EXPECT_PTR_EQ(test, seat->next, &init_task);
	KUNIT_EXPECT_EQ(test, timeo, 0L);
	KUNIT_EXPECT_EQ(test, seat->misses, 0u);
	KUNIT_EXPECT_EQ(test, seat->pause, 0u);
	KUNIT_EXPECT_EQ(test, ready.poll_ns, 1000u);
	seat->next = NULL;
	migrate_enable();
	hrtimer_cancel(&timer);
	destroy_hrtimer_on_stack(&timer);
}

/* A message between two threads of a CPU, each of which sends it back; 100 us under way. */
struct relay {
	struct hrtimer timer;
	struct homa_done done;
	struct homa_sock *to[2];	/* by turns */
	struct task_struct *reader[2];
	u32 hops, hits;			/* of them, those that found the reader on the CPU */
	struct completion over[2];
};

static enum hrtimer_restart arrive(struct hrtimer *timer)
{
	struct relay *r = container_of(timer, struct relay, timer);
	u32 nr = r->hops++ % 2;

	r->hits += current == r->reader[nr];
	homa_sock_complete(r->to[nr], &r->done);
	return HRTIMER_NORESTART;
}

static void release(struct homa_done *done)
{
}

static int send_back(void *data)
{
	struct relay *r = data;
	u32 me = current == r->reader[1];

	while (!IS_ERR(homa_ready_wait(r->to[me], MAX_SCHEDULE_TIMEOUT, false)))
		if (r->hops < HOPS)
			hrtimer_start(&r->timer, ns_to_ktime(100 * NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
		else
			complete(&r->over[0]);
	complete(&r->over[1]);
	return 0;
}

static void in_turn(struct kunit *test)
{
	struct relay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	init_completion(&r->over[0]);
	init_completion(&r->over[1]);
	hrtimer_init(&r->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	r->timer.function = arrive;
	r->done.release = release;
	for (i = 0; i < 2; i++) {
		r->to[i] = make(test);
		r->to[i]->ready.poll_ns = U32_MAX;
		r->reader[i] = kthread_create_on_cpu(send_back, r, 0, "relay");
		KUNIT_ASSERT_FALSE(test, IS_ERR(r->reader[i]));
	}
	wake_up_process(r->reader[0]);
	wake_up_process(r->reader[1]);
	hrtimer_start(&r->timer, ms_to_ktime(10), HRTIMER_MODE_REL_SOFT);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&r->over[0], DEADLINE), 0UL);
	kunit_info(test, "%u of %u", r->hits, r->hops);
	/* Without turns it would be none: nobody spins at the same time as another one. */
	KUNIT_EXPECT_GT(test, r->hits, 0u);
	for (i = 0; i < 2; i++) {
		r->to[i]->is_shutdown = true;
		homa_ready_shutdown(r->to[i]);
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&r->over[1], DEADLINE), 0UL);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(given),
	KUNIT_CASE(pauses),
	KUNIT_CASE(taken),
	KUNIT_CASE(replaced),
	KUNIT_CASE(in_turn),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_seat",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
