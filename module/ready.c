// SPDX-License-Identifier: GPL-2.0
/*
 * ready.c - messages that are ready for programs, and the threads that wait for one.
 *
 * Owns hsk->ready. Entered from whoever completes a message (homa_sock_complete()) and from recvmsg.
 * Lock: hsk->lock, BH. Who has the CPU first where short and long messages meet: turns.c.
 *
 * A message in the queue is nobody's until a reader takes it: waking a thread promises it nothing,
 * so one that is slow to run, because its CPU has other work, loses the message to the next reader
 * and waits again. The thread that waited last is woken first, its cache is the warmest. Threads that
 * have just had a long message wait in a list of their own, and are woken for long ones: so there is
 * a thread that serves short ones, uses the CPU little, and may interrupt the others.
 *
 * No wakeup is lost. A thread looks into the queue and becomes a waiter in one critical section, and
 * a message enters the queue and takes a waiter off the list in one: either the thread sees the
 * message, or the message sees the waiter. Who was taken off looks into the queue again before
 * anything else, a signal too: it leaves without a message only if the queue is empty, because
 * another reader was faster. A waiter is woken after `woken` was set: it looks at that after
 * set_current_state(), which wake_up_process() undoes. That takes long, and who is woken wants the locks
 * of socket and RPC, so neither is held any more: RCU, of which a section without BH is one too, keeps the
 * task's memory; a thread that went on by itself is woken for nothing.
 *
 * Before it sleeps, a thread may spin for up to poll_usecs, because falling asleep and waking up
 * cost more than a short round trip. It does so only if nothing else wants its CPU, only one of a
 * socket at a time, and only if the socket's last wait was that short. Of several that could on one
 * CPU, one does, and the next one comes when that one has to wait again: seat.c.
 */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "net.h"
#include "ready.h"
#include "seat.h"
#include "sock.h"
#include "turns.h"

#define OVERTAKE_MAX	16	/* short messages in front of a long one */

struct waiter {
	struct hlist_node link;
	struct task_struct *task;
	bool woken;		/* off the list, by another one */
};

void homa_ready_init(struct homa_ready *ready)
{
	homa_fifo_init(&ready->queue);
	homa_fifo_init(&ready->long_queue);
	INIT_HLIST_HEAD(&ready->waiters);
	INIT_HLIST_HEAD(&ready->heavy);
}

/* Takes it off the list: it may be gone from now on. Returns the task that is to be woken. */
static struct task_struct *let_go(struct waiter *waiter)
{
	struct task_struct *task = waiter->task;

	hlist_del_init(&waiter->link);
	WRITE_ONCE(waiter->woken, true);
	return task;
}

static void wake(struct waiter *waiter)
{
	wake_up_process(let_go(waiter));
}

static struct waiter *first_waiter(const struct homa_ready *ready)
{
	return hlist_entry_safe(ready->waiters.first ?: ready->heavy.first, struct waiter, link);
}

static struct waiter *waiter_for(const struct homa_ready *ready, const struct homa_done *done)
{
	if (done->is_long && ready->heavy.first)
		return hlist_entry(ready->heavy.first, struct waiter, link);
	return first_waiter(ready);
}

static struct homa_fifo *queue_for(struct homa_ready *ready, const struct homa_done *done)
{
	return done->is_long ? &ready->long_queue : &ready->queue;
}

/* Takes a waiter off the list. Returns the task that is to be woken. */
static struct task_struct *call(struct homa_ready *ready, struct waiter *waiter)
{
	struct task_struct *task = let_go(waiter);

	/* We have interrupted it, and it looks at `woken` before it sleeps. */
	if (task == current && task_is_running(task))
		return NULL;
	if (homa_seat_would_share(task))
		WRITE_ONCE(ready->poll_ns, U32_MAX);
	return task;
}

struct task_struct *homa_ready_add(struct homa_sock *hsk, struct homa_done *done)
{
	struct sock *sk = homa_to_sk(hsk);
	struct task_struct *task = NULL;
	struct waiter *waiter = NULL;
	bool add;

	spin_lock(&hsk->lock);
	add = !hsk->is_shutdown;
	if (add) {
		/* What it counted for may have died. */
		if (done->is_long && homa_fifo_is_empty(&hsk->ready.long_queue))
			hsk->ready.overtook = 0;
		homa_fifo_add(queue_for(&hsk->ready, done), &done->link);
		if (!done->is_long)
			homa_turns_claim(&hsk->ready);
		waiter = waiter_for(&hsk->ready, done);
	}
	if (waiter)
		task = call(&hsk->ready, waiter);
	spin_unlock(&hsk->lock);
	if (!add)
		done->release(done);
	else if (!waiter)
		sk->sk_data_ready(sk);		/* poll */
	return task;
}

void homa_sock_complete(struct homa_sock *hsk, struct homa_done *done)
{
	struct task_struct *task;

	local_bh_disable();
	task = homa_ready_add(hsk, done);
	if (task)
		wake_up_process(task);
	local_bh_enable();
}

/* Short ones first, but not for ever. */
static struct homa_fifo *next_queue(struct homa_ready *ready)
{
	if (homa_fifo_is_empty(&ready->long_queue))
		return &ready->queue;
	if (!homa_fifo_is_empty(&ready->queue) && ready->overtook < OVERTAKE_MAX) {
		ready->overtook++;
		return &ready->queue;
	}
	ready->overtook = 0;
	return &ready->long_queue;
}

static struct homa_done *take(struct homa_ready *ready)
{
	struct homa_fifo *queue = next_queue(ready);
	struct homa_done *done;

	done = hlist_entry_safe(queue->head.first, struct homa_done, link);
	if (done)
		homa_fifo_del_init(queue, &done->link);
	return done;
}

u32 homa_poll_time(u64 waited, u32 max)
{
	return waited <= max ? max : 0;
}

static bool may_spin(const struct waiter *waiter)
{
	return !READ_ONCE(waiter->woken) && !need_resched() && single_task_running() &&
	       !signal_pending(current);
}

/* False: its time is over, or it is not to spin at all. */
static bool spin(struct homa_ready *ready, const struct waiter *waiter, u64 until)
{
	struct homa_seat *seat = raw_cpu_ptr(&homa_seats);
	bool is_over = false;

	if (READ_ONCE(ready->is_polled))
		return false;
	WRITE_ONCE(ready->is_polled, true);
	WRITE_ONCE(seat->is_spun, true);
	while (may_spin(waiter) && !is_over) {
		cpu_relax();
		is_over = ktime_get_ns() >= until;
	}
	WRITE_ONCE(seat->is_spun, false);
	WRITE_ONCE(ready->is_polled, false);
	return !is_over;
}

/* These return what is left of the time. */
static long sleep(const struct waiter *waiter, long timeo)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(waiter->woken))
		timeo = schedule_timeout(timeo);
	__set_current_state(TASK_RUNNING);
	return timeo;
}

/* Spins for up to poll_ns when nobody else wants the CPU: now, if that is so since `start`, and when
 * another one gives us the CPU. True: a message has come meanwhile.
 */
static bool spin_in_turn(struct homa_ready *ready, const struct waiter *waiter, long *timeo,
			 u32 poll_ns, u64 start)
{
	u64 until = start ? start + poll_ns : 0;
	struct homa_seat *seat;

	if (start && !homa_seat_give(ready, start) &&
	    (!spin(ready, waiter, until) || READ_ONCE(waiter->woken)))
		return READ_ONCE(waiter->woken);
	seat = homa_seat_wait(ready, until);
	*timeo = sleep(waiter, *timeo);
	/* What else wakes us gives nothing, and is no chance in vain. */
	if (!homa_seat_leave(seat) || READ_ONCE(waiter->woken) || !*timeo || signal_pending(current))
		return false;
	spin(ready, waiter, until ?: ktime_get_ns() + poll_ns);
	homa_seat_tell(seat, READ_ONCE(waiter->woken));
	if (!READ_ONCE(waiter->woken))
		WRITE_ONCE(ready->poll_ns, 0);
	return READ_ONCE(waiter->woken);
}

static long spin_or_sleep(struct homa_sock *hsk, const struct waiter *waiter, long timeo)
{
	struct homa_ready *ready = &hsk->ready;
	u32 poll_ns = READ_ONCE(ready->poll_ns);
	bool alone = single_task_running();
	u64 start = 0;
	u32 max;

	/* Where others want the CPU not even the time is looked at. */
	if (!alone && !poll_ns)
		return sleep(waiter, timeo);
	max = homa_knob(hsk->net, poll_usecs) * NSEC_PER_USEC;
	poll_ns = min(poll_ns, max);
	if (alone && max)
		start = ktime_get_ns();
	if (poll_ns && spin_in_turn(ready, waiter, &timeo, poll_ns, start))
		return timeo;
	if (timeo)
		timeo = sleep(waiter, timeo);
	if (start)
		WRITE_ONCE(ready->poll_ns, homa_poll_time(ktime_get_ns() - start, max));
	return timeo;
}

/* A signal that comes when the time is over wins: its caller would go on to wait, and not know of it. */
static int why_not_wait(const struct homa_sock *hsk, long timeo, bool may_wait)
{
	if (hsk->is_shutdown)
		return -ESHUTDOWN;
	if (may_wait && signal_pending(current))
		return -EINTR;
	return timeo ? 0 : -EAGAIN;
}

/* We are about to sleep. Who had a long message ends only a turn of its own. */
static void end_turn(const struct homa_ready *ready, bool heavy)
{
	if (!heavy || homa_turns_is_taker())
		homa_turns_end(ready);
}

struct homa_done *homa_ready_wait(struct homa_sock *hsk, long timeo, bool heavy)
{
	struct homa_ready *ready = &hsk->ready;
	struct waiter waiter = { .task = current };
	bool may_wait = timeo;
	struct homa_done *done;
	int err = 0;

	spin_lock_bh(&hsk->lock);
	while (!(done = take(ready)) && !(err = why_not_wait(hsk, timeo, may_wait))) {
		waiter.woken = false;
		hlist_add_head(&waiter.link, heavy ? &ready->heavy : &ready->waiters);
		spin_unlock_bh(&hsk->lock);
		end_turn(ready, heavy);
		timeo = spin_or_sleep(hsk, &waiter, timeo);
		spin_lock_bh(&hsk->lock);
		hlist_del_init(&waiter.link);
	}
	if (done && !done->is_long)
		homa_turns_begin(ready);
	spin_unlock_bh(&hsk->lock);
	if (done)
		return done;
	/* Who goes to poll for more is about to sleep there. */
	end_turn(ready, heavy);
	return ERR_PTR(err);
}

bool homa_ready_remove(struct homa_sock *hsk, struct homa_done *done)
{
	lockdep_assert_held(&hsk->lock);
	if (hlist_unhashed(&done->link))
		return false;
	homa_fifo_del_init(queue_for(&hsk->ready, done), &done->link);
	return true;
}

void homa_ready_put_back(struct homa_sock *hsk, struct homa_done *done)
{
	bool add;

	spin_lock_bh(&hsk->lock);
	add = !hsk->is_shutdown;
	if (add)
		homa_fifo_add_first(queue_for(&hsk->ready, done), &done->link);
	spin_unlock_bh(&hsk->lock);
	if (!add)
		done->release(done);
}

void homa_ready_shutdown(struct homa_sock *hsk)
{
	struct homa_done *done;
	struct waiter *waiter;

	spin_lock_bh(&hsk->lock);
	while ((waiter = first_waiter(&hsk->ready)))
		wake(waiter);
	homa_turns_move(&hsk->ready, NULL);
	while ((done = take(&hsk->ready))) {
		spin_unlock_bh(&hsk->lock);
		done->release(done);
		spin_lock_bh(&hsk->lock);
	}
	spin_unlock_bh(&hsk->lock);
}
