// SPDX-License-Identifier: GPL-2.0
/*
 * grant.c - how many bytes each sender may have on the way to us.
 *
 * Owns the incoming messages of one network namespace that are longer than what came unasked, until
 * what they were granted is here. Each device that they come in by has a budget of granted bytes
 * that may be on the way, max_incoming, by its speed: it counts those of all messages, also of those
 * that had to give up their place or need none any longer, for they are in some queue. Up to
 * max_overcommit messages are granted at a time, each a window ahead of what has come; others wait.
 * Granting in steps of half a window keeps GRANTs rare.
 *
 * Which are granted, and at which priority, is said by their ranks (places.c). A message that got
 * less than its window for want of budget is served before those that did not. A message whose
 * sender is silent gives up its place until it is heard.
 *
 * A part of all that is granted, grant_fifo_fraction, goes to the oldest message instead, so that
 * the longest is not put off for ever. While messages wait, a timer sees to it that silent ones give
 * way even if nothing comes at all.
 *
 * Entered when bytes have come (recv.c), when a message leaves (rpc.c; then the timer does the rest),
 * and from the timer. Lock: grants->lock, BH, after rpc->lock. Never sends: fills a plan that
 * homa_grant_send() carries out with no lock held.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "cutoffs.h"
#include "link.h"
#include "net.h"
#include "peer.h"
#include "places.h"
#include "rpc.h"
#include "send.h"
#include "timer.h"

#define SOFT_BUDGET	640000	/* bytes, by devices that only copy: ten full buffers */
#define MIN_BUDGET	65536
#define BUDGET_US	128	/* of a link's time; 25 Gbit/s: 400,000 bytes */
#define SILENT_MS	5	/* without a byte of what was granted */
#define TICK_MS		2
#define OLDEST_SEEN	8	/* messages looked at in search of one that takes more */

struct homa_grants {
	spinlock_t lock;	/* guards all budgets and each homa_grant in them */
};

/* ------------------------------------------------------------------ decisions */

u32 homa_grant_budget(u32 max_incoming, u32 mbps, bool is_soft)
{
	if (max_incoming)
		return max_incoming;
	return is_soft ? SOFT_BUDGET : clamp_t(u64, (u64)mbps * BUDGET_US / 8, MIN_BUDGET, 1 << 30);
}

u32 homa_grant_window(u32 max_incoming, u32 fixed, u32 nr_active)
{
	return min(fixed ? fixed : max_incoming / (nr_active + 1), max_incoming);
}

u32 homa_grant_increment(u32 received, u32 granted, u32 length, u32 window, u64 headroom)
{
	u32 target = min(received + window, length);
	u32 step = window / 2;
	u32 want;

	/* No GRANT for a small rest. */
	if (length - target < window / 4)
		target = length;
	if (target <= granted)
		return 0;
	want = min_t(u64, target - granted, headroom);
	/* The last piece may be small, others not. */
	return want >= step || granted + want == length ? want : 0;
}

u8 homa_grant_priority(u32 rank, u32 nr_active, u8 highest)
{
	int prio = highest - (int)rank;
	int spare = highest + 1 - (int)nr_active;

	/* Lowest levels first, so that a newcomer can get ahead of all. */
	if (spare > 0)
		prio -= spare;
	return max(prio, 0);
}

u32 homa_grant_on_the_way(u32 granted, u32 received, u32 unasked)
{
	u32 from = max(received, unasked);

	return granted > from ? granted - from : 0;
}

/* ------------------------------------------------------------------ what is on the way */

static struct homa_rpc *rpc_of(struct homa_grant *g)
{
	return container_of(g, struct homa_rpc, grant);
}

/* Takes down what of it is on the way now. */
static void count(struct homa_budget *b, struct homa_grant *g)
{
	u32 now = homa_grant_on_the_way(g->granted, g->received, g->unasked);

	b->incoming += (s64)now - g->counted;
	WRITE_ONCE(g->counted, now);
	if (!now)
		list_del_init(&g->by_heard);
	else if (list_empty(&g->by_heard))
		list_add_tail(&g->by_heard, &b->by_heard);
}

static void forget(struct homa_budget *b, struct homa_grant *g)
{
	b->incoming -= g->counted;
	WRITE_ONCE(g->counted, 0);
	list_del_init(&g->by_heard);
}

/* ------------------------------------------------------------------ coming and going */

/* It is silent, granted to its end, or over. */
static void leave(struct homa_budget *b, struct homa_grant *g)
{
	if (g->where == HOMA_GRANT_GRANTED)
		homa_place_take(b, g);
	else if (g->where == HOMA_GRANT_WAITING)
		homa_place_stop_waiting(b, g);
	list_del_init(&g->by_age);
}

/* The youngest, or one that was silent, which costs it its age. */
static void enter(struct homa_budget *b, struct homa_grant *g)
{
	list_add_tail(&g->by_age, &b->by_age);
	homa_place_wait(b, g);
}

static void silence(struct homa_budget *b)
{
	unsigned long since = jiffies - msecs_to_jiffies(SILENT_MS) - 1;
	struct homa_grant *g, *next;
	u32 i = 0;

	/* If nobody wants its place or its budget, it may keep both. */
	while ((b->nr_waiting || b->is_needy) && i < b->nr_active) {
		g = b->active[i];
		if (g->granted > g->received && time_before(g->heard, since)) {
			leave(b, g);
			forget(b, g);
		} else {
			i++;
		}
	}
	list_for_each_entry_safe(g, next, &b->by_heard, by_heard) {
		if (!(b->nr_waiting || b->is_needy) || !time_before(g->heard, since))
			break;
		leave(b, g);
		forget(b, g);
	}
}

/* ------------------------------------------------------------------ granting */

static void give(struct homa_budget *b, struct homa_grant *g, u32 more, u8 priority,
		 struct homa_grant_plan *plan)
{
	u32 i;

	if (g->granted <= g->received)
		g->heard = jiffies;
	WRITE_ONCE(g->granted, g->granted + more);
	count(b, g);
	homa_flow_charge(b, g->flow, more);
	for (i = 0; i < plan->nr; i++)
		if (plan->grant[i].rpc == rpc_of(g))
			break;
	if (i == plan->nr) {
		homa_rpc_get(rpc_of(g));
		plan->grant[plan->nr++].rpc = rpc_of(g);
	}
	plan->grant[i].offset = g->granted;
	plan->grant[i].priority = priority;
}

static u32 max_incoming_of(const struct homa_budget *b)
{
	bool is_soft;
	u32 mbps = homa_link_speed(b->net, b->link, &is_soft);

	return homa_grant_budget(homa_knob(b->net, max_incoming), mbps, is_soft);
}

/* Grants to one of those that have a place. */
static void serve(struct homa_budget *b, u32 rank, u32 max, struct homa_grant_plan *plan)
{
	struct homa_grant *g = b->active[rank];
	u32 window = homa_grant_window(max, homa_knob(b->net, window), b->nr_active);
	u32 want = homa_grant_increment(g->received, g->granted, g->length, window, U64_MAX);
	u64 headroom = max - min_t(u64, b->incoming, max);
	u32 more = homa_grant_increment(g->received, g->granted, g->length, window, headroom);

	g->needy = more < want;
	b->is_needy |= g->needy;
	if (!more)
		return;
	give(b, g, more, homa_grant_priority(rank, b->nr_active, homa_max_sched_prio(b->net)), plan);
	if (b->nr_waiting)
		b->fifo_credit += div_u64((u64)more * homa_knob(b->net, grant_fifo_fraction), 1000);
}

/* One pass over those that have a place. True: one needs its place no more. */
static bool pass(struct homa_budget *b, struct homa_grant_plan *plan)
{
	u32 max = max_incoming_of(b), was_needy = 0, i;
	bool left = false;

	b->is_needy = false;
	homa_places_sort(b);
	for (i = 0; i < b->nr_active; i++)
		was_needy |= b->active[i]->needy << i;
	for (i = 0; i < b->nr_active; i++)
		if (was_needy & BIT(i))
			serve(b, i, max, plan);
	for (i = 0; i < b->nr_active; i++)
		if (!(was_needy & BIT(i)))
			serve(b, i, max, plan);
	for (i = b->nr_active; i--;)
		if (b->active[i]->granted == b->active[i]->length) {
			leave(b, b->active[i]);
			left = true;
		}
	return left;
}

/* The oldest message that makes use of what it has got is given more. */
static void serve_oldest(struct homa_budget *b, struct homa_grant_plan *plan)
{
	u32 max = max_incoming_of(b), seen = 0;
	u32 step = homa_knob(b->net, fifo_grant_increment);
	struct homa_grant *g, *next;

	step = step ? step : max / 8;
	if (b->fifo_credit < step || b->incoming > max || plan->nr == HOMA_GRANT_PLAN)
		return;
	list_for_each_entry_safe(g, next, &b->by_age, by_age) {
		if (seen++ == OLDEST_SEEN)
			break;
		/* Does its sender do nothing with it? */
		if (g->counted >= max / 2 + 2 * step) {
			list_move_tail(&g->by_age, &b->by_age);
			continue;
		}
		b->fifo_credit = 0;
		give(b, g, min(step, g->length - g->granted), homa_max_sched_prio(b->net), plan);
		homa_count(b->net, fifo_grants);
		if (g->granted == g->length)
			leave(b, g);
		return;
	}
}

static void arm(struct homa_budget *b, u32 ms)
{
	if (b->armed && ms)
		return;
	b->armed = true;
	hrtimer_start(&b->timer, ms_to_ktime(ms), HRTIMER_MODE_REL_SOFT);
}

static void check(struct homa_budget *b, struct homa_grant_plan *plan)
{
	struct homa_grant *g;
	bool more;

	lockdep_assert_held(&b->net->grants->lock);
	silence(b);
	g = b->nr_waiting ? homa_place_next(b) : NULL;
	if (g)
		homa_place_compete(b, g);	/* its tenant may have fallen behind */
	do {
		homa_places_fill(b);
		more = pass(b, plan);
	} while (more && plan->nr + HOMA_GRANT_ACTIVE <= HOMA_GRANT_PLAN);
	serve_oldest(b, plan);
	if (more)
		arm(b, 0);
	else if (b->nr_waiting || b->is_needy)
		arm(b, TICK_MS);
}

/* ------------------------------------------------------------------ events */

static noinline void begin_managed(struct homa_rpc *rpc, int ifindex)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;
	struct homa_budget *b;

	INIT_LIST_HEAD(&g->by_age);
	INIT_LIST_HEAD(&g->by_heard);
	g->birth = ktime_get_ns();
	g->heard = jiffies;
	g->link = homa_link_get(rpc->net, ifindex);
	b = &g->link->budget;
	spin_lock_bh(&grants->lock);
	g->flow = homa_flow_join(b, rpc);
	if (g->flow) {
		homa_flow_charge(b, g->flow, g->unasked);
		enter(b, g);
	}
	spin_unlock_bh(&grants->lock);
	if (g->flow)
		return;
	/* No memory: all of it may come, as it would without us. */
	homa_link_put(g->link);
	g->link = NULL;
	WRITE_ONCE(g->granted, g->length);
}

void homa_grant_begin(struct homa_rpc *rpc, int ifindex, u32 length, u32 incoming)
{
	struct homa_grant *g = &rpc->grant;

	lockdep_assert_held(&rpc->lock);
	g->length = length;
	g->received = 0;
	g->unasked = incoming;
	g->counted = 0;
	WRITE_ONCE(g->granted, incoming);
	if (incoming < length)
		begin_managed(rpc, ifindex);
}

/* Fewer bytes are to come: a better rank. */
static void move_up(struct homa_budget *b, struct homa_grant *g, u32 received)
{
	g->heard = jiffies;
	if (g->where == HOMA_GRANT_WAITING)
		homa_place_stop_waiting(b, g);
	g->received = received;
	count(b, g);
	if (g->counted)
		list_move_tail(&g->by_heard, &b->by_heard);
	if (g->where == HOMA_GRANT_GRANTED || g->granted == g->length)
		return;
	if (list_empty(&g->by_age))
		enter(b, g);
	else
		homa_place_wait(b, g);
	homa_place_compete(b, g);
}

static noinline void received_managed(struct homa_rpc *rpc, u32 received,
				      struct homa_grant_plan *plan)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;
	struct homa_budget *b = &g->link->budget;

	spin_lock_bh(&grants->lock);
	if (g->granted < g->length || g->counted) {
		move_up(b, g, received);
		b->moved = true;
		check(b, plan);
	}
	spin_unlock_bh(&grants->lock);
}

void homa_grant_received(struct homa_rpc *rpc, u32 received, struct homa_grant_plan *plan)
{
	const struct homa_grant *g = &rpc->grant;

	lockdep_assert_held(&rpc->lock);
	/* What is fully granted, and not in anybody's way, never will be managed again. */
	if (g->link && (READ_ONCE(g->granted) < g->length || READ_ONCE(g->counted)))
		received_managed(rpc, received, plan);
}

static noinline void end_managed(struct homa_rpc *rpc)
{
	struct homa_grants *grants = rpc->net->grants;
	struct homa_grant *g = &rpc->grant;
	struct homa_budget *b = &g->link->budget;
	bool early;

	spin_lock_bh(&grants->lock);
	/* Not by what is granted: another CPU may have it in hand still, in pass(). */
	early = !list_empty(&g->by_age) || g->counted;
	leave(b, g);
	forget(b, g);
	homa_flow_leave(b, g);
	if (early && (b->nr_waiting || b->is_needy))
		arm(b, 0);
	spin_unlock_bh(&grants->lock);
	homa_link_put(g->link);
	g->link = NULL;
}

void homa_grant_end(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->grant.link)
		end_managed(rpc);
}

bool homa_grant_has_rivals(const struct homa_grant *g)
{
	return g->link && READ_ONCE(g->link->budget.incoming) > READ_ONCE(g->counted);
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct homa_budget *b = container_of(timer, struct homa_budget, timer);
	struct homa_grant_plan plan = { .nr = 0 };

	spin_lock_bh(&b->net->grants->lock);
	b->armed = false;
	/* All are stuck: time, not bytes, is what the oldest gets its share of. */
	if (!b->moved)
		b->fifo_credit = U32_MAX;
	b->moved = false;
	check(b, &plan);
	spin_unlock_bh(&b->net->grants->lock);
	homa_grant_send(&plan);
	return HRTIMER_NORESTART;
}

static void send_one(struct homa_rpc *rpc, u32 offset, u8 priority)
{
	struct homa_path path = homa_rpc_path(rpc);
	struct sk_buff_head queue;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	if (rpc->state != HOMA_DEAD) {
		homa_queue_grant(&queue, &path, offset, priority);
		homa_timer_granted(rpc);
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

void homa_budget_init(struct homa_budget *b, struct homa_net *hn, struct homa_link *link)
{
	b->net = hn;
	b->link = link;
	homa_shares_init(&b->shares);
	INIT_LIST_HEAD(&b->by_age);
	INIT_LIST_HEAD(&b->by_heard);
	hrtimer_init(&b->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	b->timer.function = tick;
}

void homa_budget_stop(struct homa_budget *b)
{
	hrtimer_cancel(&b->timer);
	homa_shares_exit(&b->shares);
}

int homa_grants_net_init(struct homa_net *hn)
{
	hn->grants = kzalloc(sizeof(*hn->grants), GFP_KERNEL);
	if (!hn->grants)
		return -ENOMEM;
	spin_lock_init(&hn->grants->lock);
	return 0;
}

void homa_grants_net_exit(struct homa_net *hn)
{
	kfree(hn->grants);
}
