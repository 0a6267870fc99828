// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ready messages: each reaches one reader, whatever readers and writers do at the same time; who
 * waited last is woken first; short ones overtake long ones, but not for ever; a shut down socket
 * holds neither readers nor messages. Long messages stand aside for short ones, but not for ever.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include "../../module/ready.c"
#include "../../module/seat.c"
#include "../../module/turns.c"

#define READERS		4
#define MESSAGES	5000
#define DEADLINE	(60 * HZ)

unsigned int homa_net_id;
static atomic_t polls, released;

static void data_ready(struct sock *sk)
{
	atomic_inc(&polls);
}

static void release(struct homa_done *done)
{
	atomic_inc(&released);
}

struct rig {
	struct homa_net hn;
	struct homa_sock *hsk;
	struct homa_done done[4];
};

static struct rig *make(struct kunit *test, int poll_usecs)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->hsk = kunit_kzalloc(test, sizeof(*rig->hsk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig->hsk);
	rig->hn.knobs.poll_usecs = poll_usecs;
	rig->hsk->net = &rig->hn;
	homa_to_sk(rig->hsk)->sk_data_ready = data_ready;
	spin_lock_init(&rig->hsk->lock);
	homa_ready_init(&rig->hsk->ready);
	homa_turns_init();
	for (i = 0; i < ARRAY_SIZE(rig->done); i++)
		rig->done[i].release = release;
	atomic_set(&polls, 0);
	atomic_set(&released, 0);
	return rig;
}

struct reader {
	struct homa_sock *hsk;
	struct homa_done *got;
	u32 nr;
	struct completion over;
};

static int read_one(void *data)
{
	struct reader *r = data;

	r->got = homa_ready_wait(r->hsk, MAX_SCHEDULE_TIMEOUT, false);
	complete(&r->over);
	return 0;
}

static int read_all(void *data)
{
	struct reader *r = data;
	struct homa_done *done;

	while (!IS_ERR(done = homa_ready_wait(r->hsk, MAX_SCHEDULE_TIMEOUT, false))) {
		r->nr++;
		done->release(done);
	}
	r->got = done;
	complete(&r->over);
	return 0;
}

static void start(struct kunit *test, struct reader *r, struct homa_sock *hsk, int (*run)(void *))
{
	r->hsk = hsk;
	r->got = NULL;
	r->nr = 0;
	init_completion(&r->over);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(run, r, "reader")));
}

static u32 nr_waiters(struct homa_sock *hsk)
{
	struct hlist_node *node;
	u32 nr = 0;

	spin_lock_bh(&hsk->lock);
	hlist_for_each(node, &hsk->ready.waiters)
		nr++;
	spin_unlock_bh(&hsk->lock);
	return nr;
}

static bool await_waiters(struct homa_sock *hsk, u32 nr)
{
	unsigned long end = jiffies + DEADLINE;

	while (nr_waiters(hsk) != nr && time_before(jiffies, end))
		msleep(20);
	return nr_waiters(hsk) == nr;
}

static void over(struct kunit *test, struct reader *r)
{
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&r->over, DEADLINE), 0UL);
}

static void poll_time(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, homa_poll_time(0, 50000), 50000u);
	KUNIT_EXPECT_EQ(test, homa_poll_time(50000, 50000), 50000u);
	KUNIT_EXPECT_EQ(test, homa_poll_time(50001, 50000), 0u);
	KUNIT_EXPECT_EQ(test, homa_poll_time(1ull << 40, 50000), 0u);
}

static void oldest_first(struct kunit *test)
{
	struct rig *rig = make(test, 0);

	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_ready_wait(rig->hsk, 0, false)), (long)-EAGAIN);
	homa_sock_complete(rig->hsk, &rig->done[0]);
	homa_sock_complete(rig->hsk, &rig->done[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&polls), 2);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[0]);
	homa_ready_put_back(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, MAX_SCHEDULE_TIMEOUT, false),
			    &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[1]);
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_ready_wait(rig->hsk, 0, false)), (long)-EAGAIN);
}

static void time_out(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	unsigned long start = jiffies;

	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_ready_wait(rig->hsk, 3, false)), (long)-EAGAIN);
	KUNIT_EXPECT_GE(test, jiffies - start, 3UL);
	KUNIT_EXPECT_EQ(test, nr_waiters(rig->hsk), 0u);
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 3, false), &rig->done[0]);

	set_tsk_thread_flag(current, TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, why_not_wait(rig->hsk, 0, true), -EINTR);
	KUNIT_EXPECT_EQ(test, why_not_wait(rig->hsk, 0, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_ready_wait(rig->hsk, 3, false)), (long)-EINTR);
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_ready_wait(rig->hsk, 0, false)), (long)-EAGAIN);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, why_not_wait(rig->hsk, 0, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, why_not_wait(rig->hsk, 3, true), 0);
}

static bool withdraw(struct rig *rig, u32 nr)
{
	bool was;

	spin_lock_bh(&rig->hsk->lock);
	was = homa_ready_remove(rig->hsk, &rig->done[nr]);
	spin_unlock_bh(&rig->hsk->lock);
	return was;
}

/* From the middle, from the end, the only one; what comes later goes to where the end is then. */
static void withdrawn(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	int i;

	rig->done[2].is_long = true;
	for (i = 0; i < 4; i++)
		homa_sock_complete(rig->hsk, &rig->done[i]);
	KUNIT_EXPECT_TRUE(test, withdraw(rig, 1));
	KUNIT_EXPECT_FALSE(test, withdraw(rig, 1));
	KUNIT_EXPECT_TRUE(test, withdraw(rig, 3));
	KUNIT_EXPECT_TRUE(test, withdraw(rig, 2));
	homa_sock_complete(rig->hsk, &rig->done[1]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[1]);
	KUNIT_EXPECT_FALSE(test, withdraw(rig, 1));
	KUNIT_EXPECT_TRUE(test, homa_ready_is_empty(&rig->hsk->ready));
	homa_ready_put_back(rig->hsk, &rig->done[1]);
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[1]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[0]);
}

static void short_first(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	int i;

	rig->done[0].is_long = true;
	homa_sock_complete(rig->hsk, &rig->done[0]);
	for (i = 0; i < OVERTAKE_MAX; i++) {
		homa_sock_complete(rig->hsk, &rig->done[1 + i % 2]);
		KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false),
				    &rig->done[1 + i % 2]);
	}
	homa_sock_complete(rig->hsk, &rig->done[1]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[0]);
	KUNIT_EXPECT_PTR_EQ(test, homa_ready_wait(rig->hsk, 0, false), &rig->done[1]);
	KUNIT_EXPECT_TRUE(test, homa_ready_is_empty(&rig->hsk->ready));
}

static void last_waiter_first(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	struct reader *r = kunit_kcalloc(test, 2, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	start(test, &r[0], rig->hsk, read_one);
	KUNIT_ASSERT_TRUE(test, await_waiters(rig->hsk, 1));
	start(test, &r[1], rig->hsk, read_one);
	KUNIT_ASSERT_TRUE(test, await_waiters(rig->hsk, 2));
	homa_sock_complete(rig->hsk, &rig->done[0]);
	over(test, &r[1]);
	KUNIT_EXPECT_PTR_EQ(test, r[1].got, &rig->done[0]);
	KUNIT_EXPECT_FALSE(test, !!r[0].got);
	homa_sock_complete(rig->hsk, &rig->done[1]);
	over(test, &r[0]);
	KUNIT_EXPECT_PTR_EQ(test, r[0].got, &rig->done[1]);
	/* poll() hears only of what no reader waits for. */
	KUNIT_EXPECT_EQ(test, atomic_read(&polls), 0);
}

/* A reader that was woken finds that another one was faster, and waits again. */
static void overtaken(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	struct reader *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	start(test, r, rig->hsk, read_one);
	KUNIT_ASSERT_TRUE(test, await_waiters(rig->hsk, 1));
	spin_lock_bh(&rig->hsk->lock);
	wake(first_waiter(&rig->hsk->ready));
	spin_unlock_bh(&rig->hsk->lock);
	KUNIT_ASSERT_TRUE(test, await_waiters(rig->hsk, 1));
	KUNIT_EXPECT_FALSE(test, !!r->got);
	homa_sock_complete(rig->hsk, &rig->done[0]);
	over(test, r);
	KUNIT_EXPECT_PTR_EQ(test, r->got, &rig->done[0]);
}

static void shutdown(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	struct reader *r = kunit_kcalloc(test, 2, sizeof(*r), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	start(test, &r[0], rig->hsk, read_one);
	start(test, &r[1], rig->hsk, read_one);
	KUNIT_ASSERT_TRUE(test, await_waiters(rig->hsk, 2));
	spin_lock_bh(&rig->hsk->lock);
	rig->hsk->is_shutdown = true;
	spin_unlock_bh(&rig->hsk->lock);
	homa_ready_shutdown(rig->hsk);
	for (i = 0; i < 2; i++) {
		over(test, &r[i]);
		KUNIT_EXPECT_EQ(test, PTR_ERR(r[i].got), (long)-ESHUTDOWN);
	}
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_EQ(test, atomic_read(&released), 1);
	homa_ready_put_back(rig->hsk, &rig->done[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&released), 2);
	KUNIT_EXPECT_TRUE(test, homa_ready_is_empty(&rig->hsk->ready));
}

static void messages_of_the_dead(struct kunit *test)
{
	struct rig *rig = make(test, 0);

	homa_sock_complete(rig->hsk, &rig->done[0]);
	homa_sock_complete(rig->hsk, &rig->done[1]);
	rig->hsk->is_shutdown = true;
	homa_ready_shutdown(rig->hsk);
	KUNIT_EXPECT_EQ(test, atomic_read(&released), 2);
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&rig->done[0].link));
}

/* Several readers and bursts of messages: if a wakeup were lost, messages would stay. */
static void stress(struct kunit *test)
{
	struct homa_done *done = kunit_kcalloc(test, MESSAGES, sizeof(*done), GFP_KERNEL);
	struct reader *r = kunit_kcalloc(test, READERS, sizeof(*r), GFP_KERNEL);
	struct rig *rig = make(test, 50);
	unsigned long end;
	u32 i, sum = 0;

	KUNIT_ASSERT_NOT_NULL(test, done);
	KUNIT_ASSERT_NOT_NULL(test, r);
	for (i = 0; i < READERS; i++)
		start(test, &r[i], rig->hsk, read_all);
	for (i = 0; i < MESSAGES; i++) {
		done[i].release = release;
		homa_sock_complete(rig->hsk, &done[i]);
		if (i % 7 == 0)
			cond_resched();
		if (i % 1000 == 0)
			KUNIT_EXPECT_TRUE(test, await_waiters(rig->hsk, READERS));
	}
	end = jiffies + DEADLINE;
	while (atomic_read(&released) != MESSAGES && time_before(jiffies, end))
		msleep(20);
	spin_lock_bh(&rig->hsk->lock);
	rig->hsk->is_shutdown = true;
	spin_unlock_bh(&rig->hsk->lock);
	homa_ready_shutdown(rig->hsk);
	for (i = 0; i < READERS; i++) {
		over(test, &r[i]);
		sum += r[i].nr;
	}
	KUNIT_EXPECT_EQ(test, sum, (u32)MESSAGES);
}

static void turns(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, homa_turns_may_go_on(false, U32_MAX));
	KUNIT_EXPECT_TRUE(test, homa_turns_may_go_on(true, 0));
	KUNIT_EXPECT_TRUE(test, homa_turns_may_go_on(true, PASS_BYTES - 1));
	KUNIT_EXPECT_FALSE(test, homa_turns_may_go_on(true, PASS_BYTES));
}

static struct homa_turns *turns_here(void)
{
	return raw_cpu_ptr(&homa_turns);
}

/* From when a short message is ready until its thread has nothing left to do. */
static void claims(struct kunit *test)
{
	struct rig *rig = make(test, 0), *other = make(test, 0);
	struct homa_ready *ready = &rig->hsk->ready;

	migrate_disable();
	memset(turns_here()->claim, 0, sizeof(turns_here()->claim));	/* of other cases */
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));	/* nobody knows which CPU */
	homa_ready_wait(rig->hsk, 0, false);
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	homa_turns_begin(&other->hsk->ready);
	homa_turns_claim(&other->hsk->ready);
	turns_here()->passed = PASS_BYTES;
	KUNIT_EXPECT_FALSE(test, may_go_on(turns_here()));
	homa_ready_wait(rig->hsk, 0, false);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	KUNIT_EXPECT_EQ(test, turns_here()->passed, 0u);
	homa_turns_end(ready);
	homa_turns_end(ready);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	homa_turns_claim(&other->hsk->ready);	/* now in both places */
	homa_turns_end(&other->hsk->ready);
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));
	homa_sock_complete(rig->hsk, &rig->done[0]);
	homa_ready_wait(rig->hsk, 0, false);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	homa_ready_wait(rig->hsk, 0, false);	/* nothing left */
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));
	homa_sock_complete(rig->hsk, &rig->done[0]);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	homa_ready_shutdown(rig->hsk);
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));
	migrate_enable();
}

/* A claim whose thread does not come back holds nobody up for ever. */
static void forgotten_claim(struct kunit *test)
{
	struct rig *rig = make(test, 0);
	int i;

	migrate_disable();
	homa_turns_begin(&rig->hsk->ready);
	homa_turns_claim(&rig->hsk->ready);
	turns_here()->passed = PASS_BYTES;
	for (i = 0; i <= LAPSES_MAX; i++) {
		KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
		stand_aside(turns_here());
	}
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));
	migrate_enable();
}

/* Whoever copies long ones, and took the last short one himself, does not wait for himself. */
static void own_claim(struct kunit *test)
{
	struct rig *rig = make(test, 0), *other = make(test, 0);

	migrate_disable();
	memset(turns_here(), 0, offsetof(struct homa_turns, aside));
	homa_turns_begin(&rig->hsk->ready);
	homa_turns_claim(&rig->hsk->ready);
	turns_here()->passed = PASS_BYTES;
	KUNIT_EXPECT_FALSE(test, may_go_on(turns_here()));
	KUNIT_EXPECT_TRUE(test, is_ours(turns_here()));
	/* Unless another socket has one too, or another thread took it. */
	homa_turns_begin(&other->hsk->ready);
	homa_turns_claim(&other->hsk->ready);
	KUNIT_EXPECT_FALSE(test, is_ours(turns_here()));
	homa_turns_end(&other->hsk->ready);
	KUNIT_EXPECT_TRUE(test, is_ours(turns_here()));
	turns_here()->taker = NULL;
	KUNIT_EXPECT_FALSE(test, is_ours(turns_here()));
	/* A thread that had a long one before ends its own claim, not that of others. */
	homa_ready_wait(rig->hsk, 0, true);
	KUNIT_EXPECT_TRUE(test, is_claimed(turns_here()));
	turns_here()->taker = current;
	homa_ready_wait(rig->hsk, 0, true);
	KUNIT_EXPECT_FALSE(test, is_claimed(turns_here()));
	migrate_enable();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(poll_time),
	KUNIT_CASE(oldest_first),
	KUNIT_CASE(time_out),
	KUNIT_CASE(withdrawn),
	KUNIT_CASE(short_first),
	KUNIT_CASE(last_waiter_first),
	KUNIT_CASE(overtaken),
	KUNIT_CASE(shutdown),
	KUNIT_CASE(messages_of_the_dead),
	KUNIT_CASE(stress),
	KUNIT_CASE(turns),
	KUNIT_CASE(claims),
	KUNIT_CASE(forgotten_claim),
	KUNIT_CASE(own_claim),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_ready",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
