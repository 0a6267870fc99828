// SPDX-License-Identifier: GPL-2.0
/*
 * timer.c - silence: when to ask again, when to ask for an ack, when to give up.
 *
 * An RPC has a deadline (waits.c) while it waits for its peer, and only then:
 *   client, until the response is here:        RESEND; gives up
 *   server, until the request is here:         likewise
 *     (neither while it is we who hold the sender back, by grants or for want of buffer)
 *   server, while the response is not acked:   NEED_ACK after request_ack_ticks (while it is not
 *                                              granted, after a quarter of timeout_ticks); the
 *                                              client lives if it answers at all; or gives up
 *   server, while a request is doubtful:       likewise (see recv.c)
 * How long the first silence may last, rtt.c knows. Then the pauses double: up to a tenth of
 * timeout_ticks while nobody answers, up to a second if the answers say that the peer lives and
 * works. Of the latter, only those of a second are owed: before, it is enough that any RPC of this
 * peer has heard of it. Where many wait for one peer, they take turns: one asks each millisecond,
 * the others wait twice as long, up to 8 s. What we waited for starts all this anew.
 *
 * While other long messages come in as well, all waits for bytes are longer: at a low priority, bytes
 * are late without being lost, and what is sent again at the highest only makes them later.
 *
 * Bytes that later ones have overtaken are asked for on their own, after a much shorter time: their
 * sender is not silent.
 *
 * A question that is not answered for timeout_ticks ends its RPC; if nobody else has heard of the
 * peer either, all the peer's RPCs (live.c). If a question is late, because this host stood still
 * (a virtual machine does, at times), the time that it is late does not count.
 *
 * A packet does not touch the deadline if it is later than it must be: it only notes the time, and
 * at the deadline one sees how much of the wait is left. All of this is under rpc->lock.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "live.h"
#include "net.h"
#include "peer.h"
#include "rpc.h"
#include "rtt.h"
#include "send.h"
#include "timer.h"
#include "trace.h"

#define RIVALS			4	/* times the wait, while other long messages come in as well */
#define MIN_QUESTIONS	10	/* before an RPC is given up, however long the pauses */

/* ---------------------------------------------------------------- decisions */

static u64 doubled(u64 ns, u32 times, u64 most)
{
	return times < 32 ? min(ns << times, most) : most;
}

static u64 pause(const struct homa_timer_view *v)
{
	if (v->nr_mute)
		return doubled(v->again_ns, v->nr_mute - 1, v->most_ns);
	if (v->nr_calm)
		return doubled(v->first_ns, v->nr_calm,
			       max_t(u64, v->first_ns, HOMA_TIMER_CALM_NS << v->nr_crowded));
	return v->first_ns;
}

enum homa_timer_do homa_timer_decide(const struct homa_timer_view *v, u64 *delay_ns)
{
	u64 wait = pause(v);
	u64 late = v->silent_ns > wait ? v->silent_ns - wait : 0;

	if (v->wait == HOMA_WAIT_NOTHING)
		return HOMA_TIMER_OFF;
	if (v->nr_mute && v->mute_ns >= v->timeout_ns + late)
		/* Less what jiffies and nanoseconds may differ by. */
		return v->peer_ns + 2 * TICK_NSEC >= v->timeout_ns ? HOMA_TIMER_DEAD :
								     HOMA_TIMER_GIVE_UP;
	if (v->silent_ns < wait) {
		*delay_ns = wait - v->silent_ns;
		if (v->nr_mute)
			*delay_ns = min(*delay_ns, v->timeout_ns - v->mute_ns);
		return HOMA_TIMER_WAIT;
	}
	if (!v->nr_mute && v->nr_calm && v->peer_ns < wait &&
	    (wait < HOMA_TIMER_CALM_NS || v->is_crowded))
		return HOMA_TIMER_PASS;
	*delay_ns = late;
	return v->wait == HOMA_WAIT_ANSWER || v->wait == HOMA_WAIT_DATA ? HOMA_TIMER_ASK :
									  HOMA_TIMER_NEED_ACK;
}

/* ---------------------------------------------------------------- what an RPC waits for */

/* Is there something that the sender may send and that has not come? */
static bool peer_owes_data(const struct homa_rpc *rpc)
{
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
		if (rpc->is_complete)
			return HOMA_WAIT_NOTHING;
		if (!rpc->in.length)
			return HOMA_WAIT_ANSWER;
		if (peer_owes_data(rpc))
			return HOMA_WAIT_DATA;
		return rpc->in.is_doubtful ? HOMA_WAIT_ACK : HOMA_WAIT_NOTHING;
	default:
		return HOMA_WAIT_NOTHING;
	}
}

bool homa_timer_waits(const struct homa_rpc *rpc)
{
	return waits_for(rpc) != HOMA_WAIT_NOTHING;
}

static u64 knob_ns(u32 ms)
{
	return (u64)ms * NSEC_PER_MSEC;
}

static u64 timeout_ns(const struct homa_rpc *rpc)
{
	return knob_ns(homa_knob(rpc->net, timeout_ticks));
}

struct homa_rtt_conf homa_timer_rtt_conf(const struct homa_rpc *rpc)
{
	return (struct homa_rtt_conf){
		.floor_ns = (u64)homa_knob(rpc->net, resend_min_us) * NSEC_PER_USEC,
		.initial_ns = knob_ns(homa_knob(rpc->net, resend_ticks)),
		.most_ns = timeout_ns(rpc) / MIN_QUESTIONS,
	};
}

static u64 with_rivals(const struct homa_rpc *rpc, u64 wait)
{
	return homa_grant_has_rivals(&rpc->grant) ? RIVALS * wait : wait;
}

static u64 first_pause(const struct homa_rpc *rpc, enum homa_timer_wait wait)
{
	const struct homa_rtt_conf conf = homa_timer_rtt_conf(rpc);
	const struct homa_rtt *rtt = &rpc->peer->rtt;

	switch (wait) {
	case HOMA_WAIT_ANSWER:
		return homa_rtt_wait_answer(rtt, &conf, jiffies);
	case HOMA_WAIT_DATA:
		return with_rivals(rpc, homa_rtt_wait_data(rtt, &conf, jiffies));
	case HOMA_WAIT_ACK:
		return max(knob_ns(homa_knob(rpc->net, request_ack_ticks)),
			   conf.floor_ns + 2 * homa_rtt_least(rtt));
	default:
		return timeout_ns(rpc) / 4;
	}
}

static enum homa_timer_do decide(const struct homa_rpc *rpc, u64 now, u64 *delay_ns)
{
	const struct homa_silence *s = &rpc->silence;
	struct homa_timer_view view = {
		.wait = waits_for(rpc),
		.timeout_ns = timeout_ns(rpc),
		.silent_ns = now - s->since,
		.mute_ns = now - s->mute_since,
		.peer_ns = homa_live_silent_ns(&rpc->peer->live),
		.nr_mute = s->nr_mute,
		.nr_calm = s->nr_calm,
		.nr_crowded = s->nr_crowded,
		.is_crowded = now - READ_ONCE(rpc->peer->live.asked_ns) < HOMA_TIMER_CROWD_NS,
	};

	view.most_ns = view.timeout_ns / MIN_QUESTIONS;
	/* However late the first question: there must be time to answer it. */
	view.first_ns = min(first_pause(rpc, view.wait), view.timeout_ns / 2);
	view.again_ns = view.first_ns;
	/* Nothing is known of the peer but what the knobs say. */
	if (view.wait <= HOMA_WAIT_DATA && !homa_rtt_least(&rpc->peer->rtt))
		view.again_ns = knob_ns(homa_knob(rpc->net, resend_interval));
	return homa_timer_decide(&view, delay_ns);
}

/* ---------------------------------------------------------------- what happens */

void homa_timer_start(struct homa_rpc *rpc)
{
	u64 now = ktime_get_ns();
	enum homa_timer_wait wait = waits_for(rpc);

	lockdep_assert_held(&rpc->lock);
	rpc->silence = (struct homa_silence){ .since = now };
	if (wait != HOMA_WAIT_NOTHING)
		homa_wait_until(rpc, now, first_pause(rpc, wait));
}

void homa_timer_granted(struct homa_rpc *rpc)
{
	u64 first = rpc->silence.granted_ns;

	homa_timer_start(rpc);
	if (rpc->in.gaps.recv_end <= rpc->grant.unasked)
		rpc->silence.granted_ns = first ?: rpc->silence.since;
}

void homa_timer_repeated(struct homa_rpc *rpc)
{
	const struct homa_silence *s = &rpc->silence;

	/* If there were gaps, it may answer an earlier question than the last. */
	if (s->nr_mute == 1 && !s->gap_due)
		homa_rtt_add_bound(&rpc->peer->rtt, ktime_get_ns() - s->since, jiffies);
}

void homa_timer_stop(struct homa_rpc *rpc)
{
	homa_wait_cancel(rpc);
}

void homa_timer_alive(struct homa_rpc *rpc)
{
	struct homa_silence *s = &rpc->silence;

	if (!s->nr_mute)
		return;
	/* Only the answer to a single question is known to be one to it. */
	if (s->nr_mute == 1)
		homa_rtt_add_bound(&rpc->peer->rtt, ktime_get_ns() - s->since, jiffies);
	s->nr_mute = 0;
	if (s->nr_calm < U8_MAX)
		s->nr_calm++;
}

/* It goes again, and may get lost again: the pauses go on to double, but there is no time-out. */
void homa_timer_lost(struct homa_rpc *rpc)
{
	struct homa_silence *s = &rpc->silence;
	u64 now = ktime_get_ns();

	s->since = now;
	s->mute_since = now;
	s->nr_mute = max_t(u8, s->nr_mute, 1);
	s->nr_calm = 0;
}

/* Not later than in `wait`. */
static void hasten(struct homa_rpc *rpc, u64 now, u64 wait)
{
	if (!homa_wait_is_on(&rpc->wait) || rpc->wait.due > now + wait)
		homa_wait_until(rpc, now, wait);
}

static void look_at_gaps(struct homa_rpc *rpc, u64 now)
{
	const struct homa_rtt_conf conf = homa_timer_rtt_conf(rpc);
	struct homa_silence *s = &rpc->silence;
	u64 wait;

	if (!rpc->in.gaps.nr)
		s->gap_due = 0;
	if (!rpc->in.gaps.nr || s->gap_due)
		return;
	wait = with_rivals(rpc, homa_rtt_wait_gap(&rpc->peer->rtt, &conf, jiffies));
	s->gap_due = now + wait;
	hasten(rpc, now, wait);
}

void homa_timer_progress(struct homa_rpc *rpc)
{
	enum homa_timer_wait wait = waits_for(rpc);
	struct homa_silence *s = &rpc->silence;
	u64 now = ktime_get_ns();

	/* Only a GRANT can have brought these bytes. */
	if (s->granted_ns && rpc->in.gaps.recv_end > rpc->grant.unasked) {
		homa_rtt_add_bound(&rpc->peer->rtt, now - s->granted_ns, jiffies);
		s->granted_ns = 0;
	}
	s->since = now;
	s->nr_mute = 0;
	s->nr_calm = 0;
	s->nr_crowded = 0;
	if (wait == HOMA_WAIT_NOTHING)
		return;
	/* A deadline after long pauses, or for a slow answer, is too late from now on. */
	hasten(rpc, now, first_pause(rpc, wait));
	look_at_gaps(rpc, now);
}

static u64 data_pause(const struct homa_rpc *rpc)
{
	return first_pause(rpc, HOMA_WAIT_DATA);
}

static void ask_gaps(struct homa_rpc *rpc, u64 now, struct sk_buff_head *queue)
{
	const struct homa_path path = homa_rpc_path(rpc);
	const struct homa_gap *gap;

	list_for_each_entry(gap, &rpc->in.gaps.list, link)
		homa_queue_resend(queue, &path, gap->start, gap->end - gap->start);
	rpc->silence.gap_due = rpc->in.gaps.nr ? now + data_pause(rpc) : 0;
}

/* A RESEND for each missing piece that the peer may send. */
static void ask_missing(struct homa_rpc *rpc, u64 now, struct sk_buff_head *queue)
{
	const struct homa_path path = homa_rpc_path(rpc);
	u32 granted = READ_ONCE(rpc->grant.granted);

	if (!rpc->in.length) {
		homa_queue_resend(queue, &path, 0, P4W_RESEND_ALL);
		return;
	}
	/* Each gap once in a while: of two answers, the second would look like one that was late. */
	if (rpc->silence.gap_due <= now)
		ask_gaps(rpc, now, queue);
	if (rpc->in.gaps.recv_end < granted)
		homa_queue_resend(queue, &path, rpc->in.gaps.recv_end,
				  granted - rpc->in.gaps.recv_end);
}

/* `late`: ns since it was due. While this host stood still, nobody was silent. */
static void ask(struct homa_rpc *rpc, enum homa_timer_do what, u64 now, u64 late,
		struct sk_buff_head *queue)
{
	const struct homa_path path = homa_rpc_path(rpc);
	struct homa_silence *s = &rpc->silence;

	if (what == HOMA_TIMER_ASK)
		ask_missing(rpc, now, queue);
	else
		homa_queue_simple(queue, &path, P4W_NEED_ACK);
	/* A time-out is counted from when we last heard of the RPC, but for pauses that we made. */
	if (!s->nr_mute)
		s->mute_since = s->nr_calm ? now : s->since;
	s->mute_since = min(now, s->mute_since + late);
	if (s->nr_calm)
		WRITE_ONCE(rpc->peer->live.asked_ns, now);
	if (s->nr_mute < U8_MAX)
		s->nr_mute++;
	s->since = now;
}

void homa_timer_all_sent(struct homa_rpc *rpc, struct sk_buff_head *queue)
{
	enum homa_timer_wait wait = waits_for(rpc);
	struct homa_silence *s = &rpc->silence;
	u64 pause, now = ktime_get_ns();

	if (wait != HOMA_WAIT_ANSWER && wait != HOMA_WAIT_DATA) {
		homa_timer_alive(rpc);
		return;
	}
	/* The peer is there, but it did not answer what we asked, nor say that we should wait. */
	s->nr_mute = 0;
	s->nr_calm = 0;
	pause = data_pause(rpc);
	/* That word may have overtaken the bytes. */
	if (now - s->since < pause) {
		hasten(rpc, now, pause - (now - s->since));
		return;
	}
	ask(rpc, HOMA_TIMER_ASK, now, now - s->since, queue);
	hasten(rpc, now, pause);
}

void homa_timer_unreachable(struct homa_rpc *rpc)
{
	enum homa_timer_wait wait = waits_for(rpc);
	u64 now = ktime_get_ns();

	WRITE_ONCE(rpc->peer->live.unreachable_ns, now);
	if (wait == HOMA_WAIT_NOTHING)
		return;
	rpc->silence.nr_calm = 0;
	rpc->silence.nr_crowded = 0;
	hasten(rpc, now, first_pause(rpc, wait));
}

/* Has the network said anything since we last heard of it? */
static int why_silent(const struct homa_rpc *rpc)
{
	const struct homa_silence *s = &rpc->silence;
	u64 since = s->nr_mute ? s->mute_since : s->since;

	return READ_ONCE(rpc->peer->live.unreachable_ns) >= since ? -EHOSTUNREACH : -ETIMEDOUT;
}

void homa_timer_give_up(struct homa_rpc *rpc)
{
	homa_count(rpc->net, rpc_timeouts);
	trace_homa_timeout(rpc);
	if (homa_rpc_is_client(rpc)) {
		if (!rpc->in.length)
			homa_peer_change_life(rpc->peer);
		homa_rpc_fail(rpc, why_silent(rpc));
	} else {
		homa_count(rpc->net, server_rpc_discards);
		homa_rpc_end(rpc);
	}
}

/* Says what comes next. */
static enum homa_timer_do carry_out(struct homa_rpc *rpc, enum homa_timer_do what, u64 now,
				    u64 *delay_ns, struct sk_buff_head *queue)
{
	struct homa_silence *s = &rpc->silence;

	switch (what) {
	case HOMA_TIMER_ASK:
	case HOMA_TIMER_NEED_ACK:
		ask(rpc, what, now, *delay_ns, queue);
		return decide(rpc, now, delay_ns);
	case HOMA_TIMER_PASS:
		/* In a crowd, the pause is as long as it gets, but for more of a crowd. */
		if (now - s->since >= HOMA_TIMER_CALM_NS)
			s->nr_crowded = min(s->nr_crowded + 1, HOMA_TIMER_CROWDED_MAX);
		if (s->nr_calm < U8_MAX)
			s->nr_calm++;
		s->since = now;
		return decide(rpc, now, delay_ns);
	case HOMA_TIMER_DEAD:
		homa_live_died(rpc->peer, now);
		fallthrough;
	case HOMA_TIMER_GIVE_UP:
		homa_timer_give_up(rpc);
		return HOMA_TIMER_OFF;
	default:
		return what;
	}
}

void homa_timer_due(struct homa_rpc *rpc)
{
	struct homa_silence *s = &rpc->silence;
	struct homa_net *hn = rpc->net;
	struct sk_buff_head queue;
	u64 delay_ns, now;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	now = ktime_get_ns();
	if (carry_out(rpc, decide(rpc, now, &delay_ns), now, &delay_ns, &queue) ==
	    HOMA_TIMER_WAIT) {
		if (s->gap_due && s->gap_due <= now)
			ask_gaps(rpc, now, &queue);
		if (s->gap_due)
			delay_ns = min(delay_ns, s->gap_due - now);
		homa_wait_until(rpc, now, delay_ns);
	}
	spin_unlock_bh(&rpc->lock);
	homa_flush(hn, &queue);
}
