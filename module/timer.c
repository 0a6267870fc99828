// SPDX-License-Identifier: GPL-2.0
/*
 * timer.c - silence: when to ask again, when to ask for an ack, when to give up.
 *
 * Each RPC has one timer, armed for the next deadline while we wait for its peer, and only then:
 *   client, until the response is here:        RESEND after resend_ticks of silence, give up
 *   server, until the request is here:         after timeout_ticks
 *     (neither while it is we who hold the sender back, by grants or for want of buffer)
 *   server, while the response is not acked:   NEED_ACK after request_ack_ticks (while it is not
 *                                              granted, after a quarter of timeout_ticks); the
 *                                              client lives if it answers at all; or give up
 * The pauses between questions double up to 16 times the first, so that a request that is served
 * for seconds costs little; anything that we waited for starts them anew. They are longer for a
 * peer whose packets came late, but came. A packet does not touch the timer, it only notes the
 * time; the handler finds out how much of the wait is left.
 *
 * Everything here runs under rpc->lock. An armed timer holds a reference to the RPC.
 */
#include <linux/jiffies.h>

#include "net.h"
#include "peer.h"
#include "rpc.h"
#include "send.h"
#include "timer.h"

#define MAX_DOUBLINGS	4
#define MIN_QUESTIONS	10	/* before an RPC is given up, however long the pauses */

static u32 pause_ms(const struct homa_timer_view *v, const struct homa_timer_conf *c)
{
	u32 doublings = min_t(u32, v->nr_asked, MAX_DOUBLINGS);
	u32 most = max(c->timeout_ticks / MIN_QUESTIONS, 1u);

	switch (v->wait) {
	case HOMA_WAIT_GRANT:
		return c->timeout_ticks / 4;
	case HOMA_WAIT_ACK:
		return min(c->request_ack_ticks << doublings, most);
	default:
		if (!v->nr_asked)
			return min(c->resend_ticks << v->patience, most);
		return min(c->resend_interval << (v->patience + doublings - 1), most);
	}
}

enum homa_timer_do homa_timer_decide(const struct homa_timer_view *v,
				     const struct homa_timer_conf *c, u32 *delay_ms)
{
	u32 pause = pause_ms(v, c);
	u32 passed = v->silent_ms;

	if (v->wait == HOMA_WAIT_NOTHING)
		return HOMA_TIMER_OFF;
	if (v->silent_ms >= c->timeout_ticks)
		return HOMA_TIMER_GIVE_UP;
	/* A BUSY ends the silence, but does not shorten the pause between questions. */
	if (v->nr_asked)
		passed = v->asked_ms;
	if (passed < pause) {
		*delay_ms = min(pause - passed, c->timeout_ticks - v->silent_ms);
		return HOMA_TIMER_WAIT;
	}
	return v->wait == HOMA_WAIT_DATA ? HOMA_TIMER_ASK : HOMA_TIMER_NEED_ACK;
}

/* Is there something that the sender may send and that has not come? */
static bool peer_owes_data(const struct homa_rpc *rpc)
{
	if (!rpc->in.length)
		return true;
	if (rpc->in.stalled)
		return false;
	return rpc->in.gaps.nr || rpc->in.gaps.recv_end < READ_ONCE(rpc->grant.granted);
}

static enum homa_timer_wait waits_for(const struct homa_rpc *rpc)
{
	switch (rpc->state) {
	case HOMA_OUTGOING:
		if (!homa_rpc_is_client(rpc))
			return rpc->out.sent < rpc->out.length ? HOMA_WAIT_GRANT : HOMA_WAIT_ACK;
		fallthrough;
	case HOMA_INCOMING:
		if (!rpc->is_complete && peer_owes_data(rpc))
			return HOMA_WAIT_DATA;
		return HOMA_WAIT_NOTHING;
	default:
		return HOMA_WAIT_NOTHING;
	}
}

static enum homa_timer_do decide(const struct homa_rpc *rpc, u32 *delay_ms)
{
	const struct homa_timer_view view = {
		.wait = waits_for(rpc),
		.silent_ms = jiffies_to_msecs(jiffies - rpc->heard),
		.asked_ms = jiffies_to_msecs(jiffies - rpc->asked),
		.nr_asked = rpc->nr_asked,
		.patience = homa_peer_patience(rpc->peer),
	};
	const struct homa_timer_conf conf = {
		.resend_ticks = homa_knob(rpc->net, resend_ticks),
		.resend_interval = homa_knob(rpc->net, resend_interval),
		.request_ack_ticks = homa_knob(rpc->net, request_ack_ticks),
		.timeout_ticks = homa_knob(rpc->net, timeout_ticks),
	};

	return homa_timer_decide(&view, &conf, delay_ms);
}

/* The only place that arms a timer. */
static void arm(struct homa_rpc *rpc, u32 delay_ms)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_DEAD)
		return;
	if (!mod_timer(&rpc->timer, jiffies + msecs_to_jiffies(delay_ms)))
		homa_rpc_get(rpc);
}

void homa_timer_start(struct homa_rpc *rpc)
{
	u32 delay_ms;

	rpc->heard = jiffies;
	rpc->nr_asked = 0;
	if (decide(rpc, &delay_ms) == HOMA_TIMER_WAIT)
		arm(rpc, delay_ms);
}

void homa_timer_stop(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (timer_delete(&rpc->timer))
		homa_rpc_put(rpc);
}

void homa_timer_alive(struct homa_rpc *rpc)
{
	rpc->heard = jiffies;
}

void homa_timer_progress(struct homa_rpc *rpc)
{
	if (!timer_pending(&rpc->timer)) {
		homa_timer_start(rpc);
		return;
	}
	rpc->heard = jiffies;
	rpc->nr_asked = 0;
}

/* A RESEND for each missing piece that the peer may send. */
static void ask_missing(struct homa_rpc *rpc, const struct homa_path *path,
			struct sk_buff_head *queue)
{
	u32 granted = READ_ONCE(rpc->grant.granted);
	const struct homa_gap *gap;

	if (!rpc->in.length) {
		homa_queue_resend(queue, path, 0, P4W_RESEND_ALL);
		return;
	}
	list_for_each_entry(gap, &rpc->in.gaps.list, link)
		homa_queue_resend(queue, path, gap->start, gap->end - gap->start);
	if (rpc->in.gaps.recv_end < granted)
		homa_queue_resend(queue, path, rpc->in.gaps.recv_end,
				  granted - rpc->in.gaps.recv_end);
}

static void ask(struct homa_rpc *rpc, enum homa_timer_do what, struct sk_buff_head *queue)
{
	const struct homa_path path = homa_rpc_path(rpc);

	if (what == HOMA_TIMER_ASK)
		ask_missing(rpc, &path, queue);
	else
		homa_queue_simple(queue, &path, P4W_NEED_ACK);
	rpc->asked = jiffies;
	rpc->nr_asked++;
}

static void give_up(struct homa_rpc *rpc)
{
	homa_count(rpc->net, rpc_timeouts);
	if (homa_rpc_is_client(rpc)) {
		homa_rpc_complete(rpc, -ETIMEDOUT);
	} else {
		homa_count(rpc->net, server_discards);
		homa_rpc_end(rpc);
	}
}

static void expired(struct timer_list *timer)
{
	struct homa_rpc *rpc = from_timer(rpc, timer, timer);
	struct homa_net *hn = rpc->net;
	struct sk_buff_head queue;
	enum homa_timer_do what;
	u32 delay_ms;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	what = decide(rpc, &delay_ms);
	if (what == HOMA_TIMER_GIVE_UP)
		give_up(rpc);
	if (what == HOMA_TIMER_ASK || what == HOMA_TIMER_NEED_ACK) {
		ask(rpc, what, &queue);
		what = decide(rpc, &delay_ms);
	}
	if (what == HOMA_TIMER_WAIT)
		arm(rpc, delay_ms);
	spin_unlock_bh(&rpc->lock);
	homa_flush(hn, &queue);
	homa_rpc_put(rpc);
}

void homa_timer_init(struct homa_rpc *rpc)
{
	timer_setup(&rpc->timer, expired, 0);
}
