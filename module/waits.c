// SPDX-License-Identifier: GPL-2.0
/*
 * waits.c - which RPCs wait until when: deadlines, on each CPU of a network namespace.
 *
 * Nearly all RPCs are over long before their deadline, so a wait must cost nearly nothing when it
 * comes to nothing. It begins in a list, in the order of arrival: one addition at the tail, one
 * deletion. Only what is still there after the shortest of those waits goes to a tree that is sorted by
 * deadlines; so does a wait that is shorter than the shortest silence that counts (resend_min_us). One
 * hrtimer a CPU is armed for the head of the list and the first of the tree, whichever is earlier. It is
 * not touched when a wait ends: it fires for nothing at most once in the shortest wait, and then rests
 * until the next wait begins.
 *
 * An RPC waits on the CPU where its wait began. waits->lock comes after rpc->lock. A wait holds no
 * reference: an RPC ends its wait before it leaves the tables, whose reference it then still has,
 * so whoever finds it here, under waits->lock, may take one.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "fifo.h"
#include "net.h"
#include "rpc.h"
#include "timer.h"
#include "waits.h"

#define BATCH	32	/* RPCs that are served before others may use the CPU */

struct homa_waits {
	spinlock_t lock;		/* BH, a leaf */
	u64 next;			/* ns: the timer fires; U64_MAX: it rests; arm() reads it racily */
	struct homa_fifo young;
	u64 young_ns;			/* not longer than any of these wait */
	struct rb_root_cached tree;
	struct homa_net *net;
	struct hrtimer timer;
};

static u64 youth(const struct homa_net *hn)
{
	return (u64)homa_knob(hn, resend_min_us) * NSEC_PER_USEC;
}

static bool is_earlier(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct homa_wait, node)->due < rb_entry(b, struct homa_wait, node)->due;
}

static void unlink(struct homa_waits *waits, struct homa_wait *wait)
{
	lockdep_assert_held(&waits->lock);
	if (wait->is_young)
		homa_fifo_del(&waits->young, &wait->link);
	else
		rb_erase_cached(&wait->node, &waits->tree);
	WRITE_ONCE(wait->waits, NULL);
}

static void add_to_tree(struct homa_waits *waits, struct homa_wait *wait)
{
	wait->is_young = false;
	rb_add_cached(&wait->node, &waits->tree, is_earlier);
}

static void add_young(struct homa_waits *waits, struct homa_wait *wait, u64 delay)
{
	if (homa_fifo_is_empty(&waits->young) || delay < waits->young_ns)
		waits->young_ns = delay;
	homa_fifo_add(&waits->young, &wait->link);
}

/* The only place that arms the timer; with bottom halves off. It takes long, and other CPUs wait for the
 * lock, so that is not held. The CPU is that of `waits`, but for a timer that has moved away because that
 * was off: then both may come here at once, and the later one with the later time.
 */
static void arm(struct homa_waits *waits, u64 at)
{
	u64 armed;

	do {
		armed = at;
		hrtimer_start(&waits->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_PINNED_SOFT);
		at = READ_ONCE(waits->next);
	} while (unlikely(at < armed));
}

void homa_wait_cancel(struct homa_rpc *rpc)
{
	struct homa_waits *waits = READ_ONCE(rpc->wait.waits);

	lockdep_assert_held(&rpc->lock);
	if (!waits)
		return;
	spin_lock(&waits->lock);
	if (rpc->wait.waits)	/* else its time has just come */
		unlink(waits, &rpc->wait);
	spin_unlock(&waits->lock);
}

void homa_wait_until(struct homa_rpc *rpc, u64 now, u64 delay)
{
	struct homa_wait *wait = &rpc->wait;
	struct homa_waits *waits;
	bool is_next;

	homa_wait_cancel(rpc);
	waits = this_cpu_ptr(rpc->net->waits);
	spin_lock(&waits->lock);
	wait->since = now;
	wait->due = now + delay;
	WRITE_ONCE(wait->waits, waits);
	wait->is_young = delay >= youth(rpc->net);
	if (wait->is_young)
		add_young(waits, wait, delay);
	else
		add_to_tree(waits, wait);
	is_next = wait->due < waits->next;
	if (is_next)
		WRITE_ONCE(waits->next, now + delay);
	spin_unlock(&waits->lock);
	if (is_next)
		arm(waits, now + delay);
}

static struct homa_wait *eldest(struct homa_waits *waits)
{
	return hlist_entry_safe(waits->young.head.first, struct homa_wait, link);
}

static struct homa_wait *first(struct homa_waits *waits)
{
	return rb_entry_safe(rb_first_cached(&waits->tree), struct homa_wait, node);
}

/* Into the tree with those that are not young any more. Returns when the next may be due. */
static u64 grow_up(struct homa_waits *waits, u64 now)
{
	struct homa_wait *wait;

	while ((wait = eldest(waits))) {
		if (wait->since + waits->young_ns > now)
			return wait->since + waits->young_ns;
		homa_fifo_del(&waits->young, &wait->link);
		add_to_tree(waits, wait);
	}
	return U64_MAX;
}

/* Takes those whose time has come, with a reference each. Leaves in waits->next when to look again. */
static int take_due(struct homa_waits *waits, u64 now, struct homa_rpc *due[BATCH])
{
	u64 next = grow_up(waits, now);
	struct homa_wait *wait;
	int nr = 0;

	while ((wait = first(waits)) && wait->due <= now && nr < BATCH) {
		unlink(waits, wait);
		due[nr] = container_of(wait, struct homa_rpc, wait);
		homa_rpc_get(due[nr]);
		nr++;
	}
	/* Not once for each of them, where RPCs take longer than that: several at a time. */
	if (next != U64_MAX)
		next = max(next, now + youth(waits->net) / 4);
	/* Not a time that has passed, or the timer would run again before what the due RPCs send is
	 * received: a thousand of them overflow the backlog of a CPU.
	 */
	if (wait)
		next = min(next, max(wait->due, now + 1));
	WRITE_ONCE(waits->next, next);
	return nr;
}

/* Softirq. */
static enum hrtimer_restart fire(struct hrtimer *timer)
{
	struct homa_waits *waits = container_of(timer, struct homa_waits, timer);
	struct homa_rpc *due[BATCH];
	int i, nr;
	u64 next;

	spin_lock_bh(&waits->lock);
	nr = take_due(waits, ktime_get_ns(), due);
	next = waits->next;
	spin_unlock_bh(&waits->lock);
	if (next != U64_MAX)
		arm(waits, next);
	for (i = 0; i < nr; i++) {
		homa_timer_due(due[i]);
		homa_rpc_put(due[i]);
	}
	return HRTIMER_NORESTART;
}

int homa_waits_net_init(struct homa_net *hn)
{
	int cpu;

	hn->waits = alloc_percpu(struct homa_waits);
	if (!hn->waits)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct homa_waits *waits = per_cpu_ptr(hn->waits, cpu);

		spin_lock_init(&waits->lock);
		waits->next = U64_MAX;
		homa_fifo_init(&waits->young);
		waits->tree = RB_ROOT_CACHED;
		waits->net = hn;
		hrtimer_init(&waits->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_SOFT);
		waits->timer.function = fire;
	}
	return 0;
}

/* No RPC is left in the namespace. */
void homa_waits_net_exit(struct homa_net *hn)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu_ptr(hn->waits, cpu)->timer);
	free_percpu(hn->waits);
}
