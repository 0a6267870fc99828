// SPDX-License-Identifier: GPL-2.0
/*
 * txncall.c - the life of one switch transaction: on a flow, repeated, ended once.
 *
 * Owns: struct homa_txn_call, and of struct homa_tenant the list of outstanding calls and the
 * timer. Entered from: txn.c, and the tenant's timer (softirq).
 *
 * A call is outstanding while it occupies a flow of its tenant's allocation: from attach to detach,
 * both under tenant.lock. It is detached once; whoever did it finishes or discards it, with no lock
 * held:
 *
 *	a reply that matches			-> result, or ESTALE if it proves nothing
 *	txn_timeout_us without one		-> ETIMEDOUT
 *	another grant takes the place of its own	-> ECANCELED
 *	the socket is shut down, or the packet could not be sent -> discarded
 *
 * References to a call: one while outstanding, which becomes the completion's and is dropped by its
 * release(); short ones of sendmsg, the timer and shutdown while they work without the lock. An
 * outstanding call also holds its socket; a finished one does not, as the socket then holds it.
 * Until its last reference goes, while the socket is still there, a call counts as send buffer: a
 * program that sends and never receives comes to its limit.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "net.h"
#include "rtt.h"
#include "sock.h"
#include "txncall.h"
#include "txnpkt.h"

#define BACKOFF_MAX	16	/* times txn_resend_us, at most, before and between repeats */
#define PAUSE_MIN	NSEC_PER_MSEC
#define RESEND_BATCH	32	/* packets that the timer sends between two holds of the lock */

void homa_txn_call_put(struct homa_txn_call *call)
{
	if (!refcount_dec_and_test(&call->ref))
		return;
	homa_sock_uncharge(call->hsk, sizeof(*call));
	homa_tenant_put(call->tenant);
	kfree(call);
}

static void release_done(struct homa_done *done)
{
	homa_txn_call_put(container_of(done, struct homa_txn_call, own.done));
}

/* A call of this socket for its tenant; NULL: no memory. The caller has charged the send buffer. */
struct homa_txn_call *homa_txn_call_create(struct homa_sock *hsk, struct homa_tenant *t)
{
	struct homa_txn_call *call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);

	if (!call)
		return NULL;
	refcount_set(&call->ref, 1);
	refcount_inc(&t->ref);
	call->tenant = t;
	call->hsk = hsk;
	call->resend_us = homa_knob(t->hn, txn_resend_us);
	call->own.done.release = release_done;
	return call;
}

/* The same bytes each time, so the switch recognises a repeat. */
int homa_txn_call_send(struct homa_txn_call *call)
{
	return homa_xmit_small(call->hsk, &call->daddr, &call->packet, sizeof(call->packet),
			       P4W_PRIORITIES - 1);
}

static void arm(struct homa_tenant *t, ktime_t at)
{
	lockdep_assert_held(&t->lock);
	if (t->timer_armed && !ktime_before(at, hrtimer_get_expires(&t->timer)))
		return;
	t->timer_armed = true;
	hrtimer_start(&t->timer, at, HRTIMER_MODE_ABS_SOFT);
}

/* Fails once the socket is shut down: shutdown has set the flag before it takes txn_lock. */
static bool link_to_socket(struct homa_txn_call *call)
{
	struct homa_sock *hsk = call->hsk;
	bool ok;

	spin_lock(&hsk->txn_lock);
	ok = !READ_ONCE(hsk->is_shutdown);
	if (ok)
		list_add_tail(&call->sock_link, &hsk->txns);
	spin_unlock(&hsk->txn_lock);
	return ok;
}

static u32 longest_interval(u32 resend_us)
{
	return BACKOFF_MAX * resend_us;
}

static struct homa_rtt_conf rtt_conf(const struct homa_tenant *t, u32 resend_us)
{
	return (struct homa_rtt_conf) {
		.floor_ns = (u64)homa_knob(t->hn, resend_min_us) * NSEC_PER_USEC,
		.initial_ns = (u64)resend_us * NSEC_PER_USEC,
		.most_ns = (u64)longest_interval(resend_us) * NSEC_PER_USEC,
	};
}

/* Silence before the first repeat: from what the switch's answers usually take. */
static u32 first_interval(const struct homa_tenant *t, u32 resend_us)
{
	const struct homa_rtt_conf conf = rtt_conf(t, resend_us);

	return max_t(u64, div_u64(homa_rtt_wait_answer(&t->rtt, &conf, jiffies), NSEC_PER_USEC), 1);
}

static void start(struct homa_txn_call *call, struct homa_alloc *alloc, struct homa_flow *flow)
{
	struct homa_tenant *t = call->tenant;
	ktime_t now = ktime_get();

	call->packet.owner = cpu_to_be64(homa_owner_word(t->id, alloc->spec.epoch));
	call->packet.flow = cpu_to_be32(homa_flow_number(alloc, flow));
	call->packet.seq = cpu_to_be32(flow->seq);
	call->packet.home = cpu_to_be16(alloc->blocks.block[0]);
	call->sent = now;
	call->interval_us = first_interval(t, call->resend_us);
	call->give_up = ktime_add_us(now, homa_knob(t->hn, txn_timeout_us));
	call->due = min(ktime_add_us(now, call->interval_us), call->give_up);
	call->heard = t->heard;
	call->outstanding = true;
	call->alloc = alloc;
	call->flow = flow;
	flow->call = call;
	sock_hold(homa_to_sk(call->hsk));
	refcount_inc(&call->ref);
	list_add_tail(&call->link, &t->outstanding);
	if (!t->nr_outstanding++)
		t->asking = 0;
	t->stats.txns++;
	arm(t, call->due);
}

/* Begins the call's time on the flow, which has been taken for it. */
int homa_txn_call_attach(struct homa_txn_call *call, struct homa_alloc *alloc,
			 struct homa_flow *flow)
{
	lockdep_assert_held(&call->tenant->lock);
	if (!link_to_socket(call))
		return -ESHUTDOWN;
	start(call, alloc, flow);
	return 0;
}

/* Ends the call's time on its flow. True for the one who must now complete or discard it. */
bool homa_txn_call_detach(struct homa_txn_call *call)
{
	struct homa_tenant *t = call->tenant;

	lockdep_assert_held(&t->lock);
	if (!call->outstanding)
		return false;
	call->outstanding = false;
	list_del(&call->link);
	t->nr_outstanding--;
	homa_flow_give_back(call->alloc, call->flow);
	spin_lock(&call->hsk->txn_lock);
	list_del(&call->sock_link);
	spin_unlock(&call->hsk->txn_lock);
	homa_tenant_uncharge(t);
	homa_tenant_wake(t);
	return true;
}

void homa_txn_call_answered(struct homa_txn_call *call)
{
	struct homa_tenant *t = call->tenant;

	lockdep_assert_held(&t->lock);
	/* Which one of several packets it is an answer to, it does not say. */
	if (call->repeated) {
		call->flow->repeated_id = call->packet.common.sender_id;
		t->asking++;
		return;
	}
	if (homa_rtt_wants_answer(&t->rtt, jiffies))
		homa_rtt_add_answer(&t->rtt, ktime_to_ns(ktime_sub(ktime_get(), call->sent)),
				    jiffies);
	t->answered = max(t->answered, call->sent);
	t->heard++;
	t->asking = 0;
}

/* Each packet of a call that was repeated has been answered, so none was lost: the switch is slow, and
 * repeats make it slower. Without this, once the answers take longer than what a call waits, all calls
 * are repeated, none tells how long an answer takes, and it stays so.
 */
void homa_txn_answered_again(struct homa_tenant *t, const struct homa_flow *flow, __be64 id)
{
	struct homa_rtt_conf conf;

	lockdep_assert_held(&t->lock);
	if (!flow->repeated_id || flow->repeated_id != id)
		return;
	conf = rtt_conf(t, homa_knob(t->hn, txn_resend_us));
	homa_rtt_was_hasty(&t->rtt, &conf, jiffies);
	t->asking = 0;
}

void homa_txn_call_discard(struct homa_txn_call *call)
{
	struct sock *sk = homa_to_sk(call->hsk);

	homa_txn_call_put(call);
	sock_put(sk);
}

/* Hands the result, or the error, to the program. */
void homa_txn_call_finish(struct homa_txn_call *call, int error)
{
	struct homa_sock *hsk = call->hsk;

	call->own.error = error;
	call->own.len = error ? 0 : sizeof(call->result);
	call->own.data = &call->result;
	homa_sock_complete(hsk, &call->own.done);
	sock_put(homa_to_sk(hsk));
}

void homa_txn_call_finish_all(struct list_head *detached, int error)
{
	struct homa_txn_call *call, *next;

	list_for_each_entry_safe(call, next, detached, link)
		homa_txn_call_finish(call, error);
}

/* ---------------------------------------------------------------- the timer */

static u32 next_interval(u32 interval_us, u32 resend_us)
{
	return min_t(u64, 2ull * interval_us, longest_interval(resend_us));
}

/* While the switch answers nothing, it may only be slow, and one packet is enough to find out: the
 * oldest call's; one more for each that was answered after a repeat, as long as only such are. While
 * it answers others it has a queue. Once it has answered what was sent later than a call, that call
 * was lost.
 */
bool homa_txn_may_repeat(u32 nth, u32 asking, bool is_silent, ktime_t sent, ktime_t answered)
{
	return (is_silent && nth <= asking) || ktime_before(sent, answered);
}

struct due_calls {
	struct homa_txn_call *resend[RESEND_BATCH];
	int nr;
	struct list_head expired;
};

static void repeat_call(struct homa_txn_call *call, ktime_t now, struct due_calls *due)
{
	call->interval_us = next_interval(call->interval_us, call->resend_us);
	call->sent = now;
	call->repeated = true;
	refcount_inc(&call->ref);
	sock_hold(homa_to_sk(call->hsk));
	due->resend[due->nr++] = call;
}

/* Answers may take longer than was thought when it was sent. */
static bool be_patient(struct homa_txn_call *call, ktime_t now)
{
	u32 interval_us = first_interval(call->tenant, call->resend_us);
	ktime_t due = ktime_add_us(call->sent, interval_us);

	if (!ktime_before(now, due))
		return false;
	call->due = min(due, call->give_up);
	return true;
}

/* Takes the calls that are due; says if there are more of them than fit. Otherwise the timer is
 * armed for the next one, but not at once again: calls that follow each other closely are one scan.
 */
static bool collect_due(struct homa_tenant *t, ktime_t now, struct due_calls *due)
{
	u32 slack_us = first_interval(t, homa_knob(t->hn, txn_resend_us)) / 8;
	struct homa_txn_call *call, *next;
	ktime_t at = KTIME_MAX;
	u32 nth = 0;

	lockdep_assert_held(&t->lock);
	list_for_each_entry_safe(call, next, &t->outstanding, link) {
		if (!ktime_before(now, call->give_up)) {
			homa_txn_call_detach(call);
			t->stats.timeout++;
			list_add_tail(&call->link, &due->expired);
			continue;
		}
		if (!ktime_before(now, call->due) && !be_patient(call, now)) {
			bool repeat = homa_txn_may_repeat(nth, t->asking, call->heard == t->heard,
							  call->sent, t->answered);

			if (repeat && due->nr == RESEND_BATCH)
				return true;
			call->heard = t->heard;
			if (repeat)
				repeat_call(call, now, due);
			call->due = min(ktime_add_us(now, call->interval_us), call->give_up);
		}
		nth++;
		at = min(at, call->due);
	}
	if (!list_empty(&t->outstanding))
		arm(t, max(at, ktime_add_us(now, slack_us)));
	return false;
}

static void send_repeats(struct homa_net *hn, struct due_calls *due)
{
	while (due->nr) {
		struct homa_txn_call *call = due->resend[--due->nr];
		struct sock *sk = homa_to_sk(call->hsk);

		homa_txn_call_send(call);
		homa_count(hn, txn_resent);
		homa_txn_call_put(call);
		sock_put(sk);
	}
}

static void expire(struct homa_net *hn, struct due_calls *due)
{
	struct homa_txn_call *call;

	list_for_each_entry(call, &due->expired, link)
		homa_count(hn, txn_timeout);
	homa_txn_call_finish_all(&due->expired, -ETIMEDOUT);
}

/* A timer that is this late stood still together with its host: that was no silence of the switch. Nor
 * is it owed to who has called meanwhile, on a CPU that woke up before.
 */
static void forgive_pause(struct homa_tenant *t, ktime_t now)
{
	ktime_t due = hrtimer_get_expires(&t->timer);
	struct homa_txn_call *call;

	lockdep_assert_held(&t->lock);
	if (ktime_sub(now, due) < PAUSE_MIN)
		return;
	list_for_each_entry(call, &t->outstanding, link) {
		ktime_t since = clamp(call->sent, due, now);

		call->give_up = ktime_add(call->give_up, ktime_sub(now, since));
	}
}

/* Softirq. The timer is never re-armed by its return value: see arm(). */
enum hrtimer_restart homa_txn_call_timer(struct hrtimer *timer)
{
	struct homa_tenant *t = container_of(timer, struct homa_tenant, timer);
	struct due_calls due = { .nr = 0 };
	ktime_t now = ktime_get();	/* of all scans: none finds again what it has repeated */
	bool more;

	spin_lock_bh(&t->lock);
	forgive_pause(t, now);
	spin_unlock_bh(&t->lock);
	do {
		INIT_LIST_HEAD(&due.expired);
		spin_lock_bh(&t->lock);
		t->timer_armed = false;
		more = collect_due(t, now, &due);
		spin_unlock_bh(&t->lock);
		send_repeats(t->hn, &due);
		expire(t->hn, &due);
	} while (more);
	return HRTIMER_NORESTART;
}
