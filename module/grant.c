// SPDX-License-Identifier: GPL-2.0
/*
 * grant.c - how many bytes each sender may have on the way to us.
 *
 * Owns the incoming messages of one network namespace that are longer than what came unasked, until
 * they are fully granted. They are ordered by the bytes that have not come, fewest first; the first
 * max_overcommit of them are granted: each a window ahead of what has come, all together
 * max_incoming. Granting in steps of an eighth of the window keeps GRANT packets rare.
 *
 * Entered when bytes have come (recv.c) and when a message leaves (rpc.c, through a work item if it
 * leaves before it is granted). Lock: grants->lock, BH, after rpc->lock. Never sends: fills a plan
 * that homa_grant_send() carries out with no lock held.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "net.h"
#include "rpc.h"
#include "send.h"
#include "timer.h"

#define MAX_SCHED_PRIO	3	/* the priorities above are for unasked bytes and control */

struct homa_grants {
	struct homa_net *net;
	spinlock_t lock;	/* guards the list and each homa_grant in it */
	struct list_head list;
	u32 nr;
	u64 incoming;		/* granted and not here, all in the list */
	struct work_struct left;	/* a message has left early: others may be granted */
};

u32 homa_grant_window(u32 max_incoming, u32 fixed, u32 nr_active)
{
	return min(fixed ? fixed : max_incoming / (nr_active + 1), max_incoming);
}

u32 homa_grant_increment(u32 received, u32 granted, u32 length, u32 window, u64 headroom)
{
	u32 target = min(received + window, length);
	u32 step = window / 8;
	u32 want;

	if (target <= granted)
		return 0;
	want = min_t(u64, target - granted, headroom);
	/* The last piece may be small, others not. */
	return want >= step || granted + want == length ? want : 0;
}

u8 homa_grant_priority(u32 rank, u32 nr_active)
{
	int prio = MAX_SCHED_PRIO - (int)rank;
	int spare = MAX_SCHED_PRIO + 1 - (int)nr_active;

	/* Lowest levels first, so that a newcomer can get ahead of all. */
	if (spare > 0)
		prio -= spare;
	return max(prio, 0);
}

static u32 remaining(const struct homa_grant *g)
{
	return g->length - g->received;
}

bool homa_grant_before(const struct homa_grant *a, const struct homa_grant *b)
{
	if (remaining(a) != remaining(b))
		return remaining(a) < remaining(b);
	return a->birth < b->birth;
}

static u32 on_the_way(const struct homa_grant *g)
{
	return g->granted > g->received ? g->granted - g->received : 0;
}

/* Moves a message to where it belongs; its rank only ever improves. */
static void sort_up(struct homa_grants *grants, struct homa_grant *g)
{
	struct list_head *at = g->link.prev;

	while (at != &grants->list && homa_grant_before(g, list_entry(at, struct homa_grant, link)))
		at = at->prev;
	if (at != g->link.prev)
		list_move(&g->link, at);
}

static void unlink(struct homa_grants *grants, struct homa_grant *g)
{
	list_del_init(&g->link);
	grants->nr--;
	grants->incoming -= on_the_way(g);
}

static void add_to_plan(struct homa_grant_plan *plan, struct homa_grant *g, u8 priority)
{
	struct homa_rpc *rpc = container_of(g, struct homa_rpc, grant);

	homa_rpc_get(rpc);
	plan->grant[plan->nr].rpc = rpc;
	plan->grant[plan->nr].offset = g->granted;
	plan->grant[plan->nr].priority = priority;
	plan->nr++;
}

/* One pass over the active messages. True: one was granted to its end, so another became active. */
static bool pass(struct homa_grants *grants, struct homa_grant_plan *plan)
{
	u32 max_incoming = homa_knob(grants->net, max_incoming);
	u32 active = min_t(u32, grants->nr, homa_knob(grants->net, max_overcommit));
	u32 window = homa_grant_window(max_incoming, homa_knob(grants->net, window), active);
	struct homa_grant *g, *next;
	bool left = false;
	u32 rank = 0;

	list_for_each_entry_safe(g, next, &grants->list, link) {
		u64 headroom = max_incoming - min_t(u64, grants->incoming, max_incoming);
		u32 more;

		if (rank == active || plan->nr == HOMA_GRANT_ACTIVE)
			break;
		more = homa_grant_increment(g->received, g->granted, g->length, window, headroom);
		if (more) {
			grants->incoming -= on_the_way(g);
			WRITE_ONCE(g->granted, g->granted + more);
			grants->incoming += on_the_way(g);
			add_to_plan(plan, g, homa_grant_priority(rank, active));
		}
		if (g->granted == g->length) {
			unlink(grants, g);
			left = true;
		}
		rank++;
	}
	return left;
}

static void check(struct homa_grants *grants, struct homa_grant_plan *plan)
{
	lockdep_assert_held(&grants->lock);
	while (plan->nr < HOMA_GRANT_ACTIVE && pass(grants, plan))
		;
}

void homa_grant_begin(struct homa_rpc *rpc, u32 length, u32 incoming)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;

	lockdep_assert_held(&rpc->lock);
	g->length = length;
	g->received = 0;
	WRITE_ONCE(g->granted, incoming);
	g->managed = incoming < length;
	if (!g->managed)
		return;
	g->birth = ktime_get_ns();
	spin_lock_bh(&grants->lock);
	list_add_tail(&g->link, &grants->list);
	sort_up(grants, g);
	grants->nr++;
	grants->incoming += on_the_way(g);
	spin_unlock_bh(&grants->lock);
}

void homa_grant_received(struct homa_rpc *rpc, u32 received, struct homa_grant_plan *plan)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;

	lockdep_assert_held(&rpc->lock);
	/* What is fully granted is not managed, and never will be again. */
	if (READ_ONCE(g->granted) >= g->length)
		return;
	spin_lock_bh(&grants->lock);
	if (!list_empty(&g->link)) {
		grants->incoming -= on_the_way(g);
		g->received = received;
		grants->incoming += on_the_way(g);
		sort_up(grants, g);
		check(grants, plan);
	}
	spin_unlock_bh(&grants->lock);
}

void homa_grant_end(struct homa_rpc *rpc)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;
	bool early;

	lockdep_assert_held(&rpc->lock);
	/* Not by what is granted: another CPU may have it in hand still, in pass(). */
	if (!g->managed)
		return;
	g->managed = false;
	spin_lock_bh(&grants->lock);
	early = !list_empty(&g->link);
	if (early)
		unlink(grants, g);
	spin_unlock_bh(&grants->lock);
	if (early)
		schedule_work(&grants->left);
}

static void send_one(struct homa_rpc *rpc, u32 offset, u8 priority)
{
	struct homa_path path = homa_rpc_path(rpc);
	struct sk_buff_head queue;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	if (rpc->state != HOMA_DEAD) {
		homa_queue_grant(&queue, &path, offset, priority);
		homa_timer_start(rpc);	/* from now on the sender owes us something again */
	}
	spin_unlock_bh(&rpc->lock);
	homa_flush(path.net, &queue);
}

void homa_grant_send(struct homa_grant_plan *plan)
{
	u32 i;

	for (i = 0; i < plan->nr; i++) {
		send_one(plan->grant[i].rpc, plan->grant[i].offset, plan->grant[i].priority);
		homa_rpc_put(plan->grant[i].rpc);
	}
	plan->nr = 0;
}

static void message_left(struct work_struct *work)
{
	struct homa_grants *grants = container_of(work, struct homa_grants, left);
	struct homa_grant_plan plan = { .nr = 0 };

	spin_lock_bh(&grants->lock);
	check(grants, &plan);
	spin_unlock_bh(&grants->lock);
	homa_grant_send(&plan);
}

int homa_grants_net_init(struct homa_net *hn)
{
	struct homa_grants *grants = kzalloc(sizeof(*grants), GFP_KERNEL);

	if (!grants)
		return -ENOMEM;
	grants->net = hn;
	spin_lock_init(&grants->lock);
	INIT_LIST_HEAD(&grants->list);
	INIT_WORK(&grants->left, message_left);
	hn->grants = grants;
	return 0;
}

void homa_grants_net_exit(struct homa_net *hn)
{
	cancel_work_sync(&hn->grants->left);
	kfree(hn->grants);
}
