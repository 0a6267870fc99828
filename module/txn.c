// SPDX-License-Identifier: GPL-2.0
/*
 * txn.c - switch transactions: one packet out, one packet back, at most one effect.
 *
 * Owns: struct homa_txn_call, one a transaction from sendmsg to the release of its result; and what
 * tenant.lock guards in struct homa_tenant. Entered from: sock.c (sendmsg, shutdown), recv.c
 * (replies, softirq), netlink.c (new grants), the tenant's timer (softirq).
 *
 * A call is outstanding while it occupies a flow of t->alloc. It leaves that state once, through
 * detach(), under tenant.lock; whoever detached it completes or discards it, with no lock held:
 *
 *	a reply that matches			-> result
 *	txn_timeout_us without one		-> ETIMEDOUT
 *	another grant takes the place of its own	-> ECANCELED
 *	the socket is shut down, or the packet could not be sent -> discarded
 *
 * Repeats are byte for byte the packet that was sent first, so the switch recognises them. What
 * comes in is hostile until every field that we know has been compared with what we sent.
 *
 * References to a call: one while outstanding, which becomes the completion's and is dropped by its
 * release(); short ones of sendmsg, the timer and shutdown while they work without the lock. An
 * outstanding call also holds its socket; a completed one does not, as the socket then holds it.
 * Until its last reference goes, while the socket is still there, a call counts as send buffer: a
 * program that sends and never receives comes to its limit.
 */
#include <linux/ip.h>
#include <linux/ktime.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/sock.h>
#include "net.h"
#include "p4wire.h"
#include "sock.h"
#include "txn.h"
#include "txnpkt.h"

#define BACKOFF_MAX	16	/* times txn_resend_us, at most, between two repeats */
#define RESEND_BATCH	32	/* packets that the timer sends between two holds of the lock */
#define TXN_PRIORITY	(P4W_PRIORITIES - 1)

struct homa_txn_call {
	refcount_t ref;
	bool outstanding;		/* tenant.lock, as the next six */
	struct list_head link;		/* tenant.outstanding */
	struct list_head sock_link;	/* hsk->txns, under hsk->txn_lock too */
	struct homa_flow *flow;
	ktime_t due;			/* of the next repeat, or of giving up */
	ktime_t give_up;
	u32 interval_us;		/* between the last repeat and the next */

	/* These never change once it is outstanding. */
	struct homa_tenant *tenant;
	struct homa_sock *hsk;
	u32 resend_us;
	__be32 daddr;
	u8 count;
	struct p4w_txn packet;

	struct homa_done done;		/* for whoever detached it */
	struct homa_txn_result result;
};

static u32 next_interval(u32 interval_us, u32 resend_us)
{
	return min_t(u64, 2ull * interval_us, (u64)BACKOFF_MAX * resend_us);
}

static void put_call(struct homa_txn_call *call)
{
	if (!refcount_dec_and_test(&call->ref))
		return;
	homa_sock_uncharge(call->hsk, sizeof(*call));
	homa_tenant_put(call->tenant);
	kfree(call);
}

static void release_done(struct homa_done *done)
{
	put_call(container_of(done, struct homa_txn_call, done));
}

static void wake_waiters(struct homa_tenant *t)
{
	if (wq_has_sleeper(&t->wait))
		wake_up_interruptible(&t->wait);
}

/* Ends the call's time on its flow. True for the one who must now complete or discard it. */
static bool detach(struct homa_txn_call *call)
{
	struct homa_tenant *t = call->tenant;

	lockdep_assert_held(&t->lock);
	if (!call->outstanding)
		return false;
	call->outstanding = false;
	list_del(&call->link);
	t->nr_outstanding--;
	homa_flow_give_back(t->alloc, call->flow);
	spin_lock(&call->hsk->txn_lock);
	list_del(&call->sock_link);
	spin_unlock(&call->hsk->txn_lock);
	homa_tenant_uncharge(t);
	wake_waiters(t);
	return true;
}

static void discard(struct homa_txn_call *call)
{
	struct sock *sk = homa_to_sk(call->hsk);

	put_call(call);
	sock_put(sk);
}

/* Hands the result, or the error, to the program. */
static void finish(struct homa_txn_call *call, int error)
{
	struct homa_sock *hsk = call->hsk;

	call->done.error = error;
	call->done.len = error ? 0 : sizeof(call->result);
	call->done.data = &call->result;
	homa_sock_complete(hsk, &call->done);
	sock_put(homa_to_sk(hsk));
}

static void finish_all(struct list_head *detached, int error)
{
	struct homa_txn_call *call, *next;

	list_for_each_entry_safe(call, next, detached, done.link)
		finish(call, error);
}

/* ---------------------------------------------------------------- the timer */

static void arm(struct homa_tenant *t, ktime_t at)
{
	lockdep_assert_held(&t->lock);
	if (t->timer_armed && !ktime_before(at, hrtimer_get_expires(&t->timer)))
		return;
	t->timer_armed = true;
	hrtimer_start(&t->timer, at, HRTIMER_MODE_ABS_SOFT);
}

struct due_calls {
	struct homa_txn_call *resend[RESEND_BATCH];
	int nr;
	struct list_head expired;
};

/* Takes the calls that are due; says if there are more of them than fit. Otherwise the timer is
 * armed for the next one, but not at once again: calls that follow each other closely are one scan.
 */
static bool collect_due(struct homa_tenant *t, ktime_t now, struct due_calls *due)
{
	u32 slack_us = homa_knob(t->hn, txn_resend_us) / 8;
	struct homa_txn_call *call, *next;
	ktime_t at = KTIME_MAX;

	lockdep_assert_held(&t->lock);
	list_for_each_entry_safe(call, next, &t->outstanding, link) {
		if (!ktime_before(now, call->give_up)) {
			detach(call);
			t->stats.timeout++;
			list_add_tail(&call->done.link, &due->expired);
			continue;
		}
		if (!ktime_before(now, call->due)) {
			if (due->nr == RESEND_BATCH)
				return true;
			call->interval_us = next_interval(call->interval_us, call->resend_us);
			call->due = min(ktime_add_us(now, call->interval_us), call->give_up);
			refcount_inc(&call->ref);
			sock_hold(homa_to_sk(call->hsk));
			due->resend[due->nr++] = call;
		}
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

		homa_xmit_small(call->hsk, call->daddr, &call->packet, sizeof(call->packet),
				TXN_PRIORITY);
		homa_count(hn, txn_resent);
		put_call(call);
		sock_put(sk);
	}
}

static void expire(struct homa_net *hn, struct due_calls *due)
{
	struct homa_txn_call *call;

	list_for_each_entry(call, &due->expired, done.link)
		homa_count(hn, txn_timeout);
	finish_all(&due->expired, -ETIMEDOUT);
}

/* Softirq. The timer is never re-armed by its return value: see arm(). */
static enum hrtimer_restart resend_due(struct hrtimer *timer)
{
	struct homa_tenant *t = container_of(timer, struct homa_tenant, timer);
	struct due_calls due = { .nr = 0 };
	bool more;

	do {
		INIT_LIST_HEAD(&due.expired);
		spin_lock_bh(&t->lock);
		t->timer_armed = false;
		more = collect_due(t, ktime_get(), &due);
		spin_unlock_bh(&t->lock);
		send_repeats(t->hn, &due);
		expire(t->hn, &due);
	} while (more);
	return HRTIMER_NORESTART;
}

/* ---------------------------------------------------------------- sendmsg */

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

static void start(struct homa_txn_call *call, struct homa_flow *flow)
{
	struct homa_tenant *t = call->tenant;
	struct homa_alloc *alloc = t->alloc;
	ktime_t now = ktime_get();

	call->packet.owner = cpu_to_be64(homa_owner_word(t->id, alloc->spec.epoch));
	call->packet.flow = cpu_to_be32(homa_flow_number(alloc, flow));
	call->packet.seq = cpu_to_be32(flow->seq);
	call->packet.home = cpu_to_be16(alloc->blocks.block[0]);
	call->interval_us = call->resend_us;
	call->give_up = ktime_add_us(now, homa_knob(t->hn, txn_timeout_us));
	call->due = min(ktime_add_us(now, call->interval_us), call->give_up);
	call->outstanding = true;
	call->flow = flow;
	flow->call = call;
	sock_hold(homa_to_sk(call->hsk));
	refcount_inc(&call->ref);
	list_add_tail(&call->link, &t->outstanding);
	t->nr_outstanding++;
	t->stats.txns++;
	arm(t, call->due);
}

static int try_start(struct homa_txn_call *call, const struct homa_txn *txn)
{
	struct homa_tenant *t = call->tenant;
	struct homa_alloc *alloc = t->alloc;
	struct homa_flow *flow;
	int err;

	lockdep_assert_held(&t->lock);
	if (!alloc || (txn->epoch && txn->epoch != alloc->spec.epoch))
		return -ESTALE;
	err = homa_txn_fill_instrs(&call->packet, txn, &alloc->blocks);
	if (err)
		return err;
	if (!homa_tenant_charge(t))
		return -EAGAIN;
	err = -EAGAIN;
	flow = homa_flow_take(alloc);
	if (!flow)
		goto undo_charge;
	err = -ESHUTDOWN;
	if (!link_to_socket(call))
		goto undo_flow;
	start(call, flow);
	return 0;

undo_flow:
	homa_flow_give_back(alloc, flow);
undo_charge:
	homa_tenant_uncharge(t);
	return err;
}

static int try_start_locked(struct homa_txn_call *call, const struct homa_txn *txn)
{
	int err;

	spin_lock_bh(&call->tenant->lock);
	err = try_start(call, txn);
	spin_unlock_bh(&call->tenant->lock);
	return err;
}

/* Every wait ends by a flow that comes free, by another grant or the end of this one, by the
 * tenant's or the socket's end, or by a signal; all but the last are seen by trying again.
 */
static int start_or_wait(struct homa_txn_call *call, const struct homa_txn *txn, bool may_wait)
{
	int err, result = try_start_locked(call, txn);

	if (result != -EAGAIN || !may_wait)
		return result;
	err = wait_event_interruptible(call->tenant->wait,
				       (result = try_start_locked(call, txn)) != -EAGAIN);
	return err ? -EINTR : result;
}

/* A packet that nobody has seen is as if it had never been. */
static int send_first(struct homa_txn_call *call)
{
	struct homa_tenant *t = call->tenant;
	bool mine;
	int err;

	err = homa_xmit_small(call->hsk, call->daddr, &call->packet, sizeof(call->packet),
			      TXN_PRIORITY);
	if (!err) {
		homa_count(t->hn, txn_sent);
		return 0;
	}
	spin_lock_bh(&t->lock);
	mine = detach(call);
	spin_unlock_bh(&t->lock);
	if (!mine)
		return 0;	/* over already, as the program will see in recvmsg */
	discard(call);
	return err;
}

/* Not joined: NULL. */
static struct homa_tenant *get_tenant(struct homa_sock *hsk)
{
	struct homa_tenant *t;

	spin_lock_bh(&hsk->lock);
	t = hsk->tenant;
	if (t)
		refcount_inc(&t->ref);
	spin_unlock_bh(&hsk->lock);
	return t;
}

static struct homa_txn_call *create_call(struct homa_sock *hsk, struct homa_tenant *t,
					 const struct homa_txn *txn)
{
	const struct homa_policy *policy = &hsk->net->tenants->policy;
	struct homa_txn_call *call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
	u64 id;

	if (!call)
		return NULL;
	id = homa_sock_next_id(hsk);
	refcount_set(&call->ref, 1);
	refcount_inc(&t->ref);
	call->tenant = t;
	call->hsk = hsk;
	call->resend_us = homa_knob(t->hn, txn_resend_us);
	/* Address and port may be of two policies: the switch answers whatever they are. */
	call->daddr = READ_ONCE(policy->alloc_addr);
	call->count = txn->count;
	homa_txn_fill_head(&call->packet, txn, id, READ_ONCE(hsk->port),
			   READ_ONCE(policy->alloc_port));
	call->done.id = id;
	call->done.release = release_done;
	call->done.peer.sin_family = AF_INET;
	call->done.peer.sin_addr.s_addr = call->daddr;
	call->done.peer.sin_port = call->packet.common.dport;
	return call;
}

static u32 registers_of(struct homa_tenants *tenants)
{
	return READ_ONCE(tenants->geometry.registers) ?: P4W_MAX_REGISTERS;
}

static int charge(struct homa_sock *hsk, bool may_wait)
{
	u32 bytes = sizeof(struct homa_txn_call);

	if (homa_sock_charge(hsk, bytes))
		return 0;
	homa_count(hsk->net, wmem_waits);
	if (!may_wait)
		return -EAGAIN;
	if (wait_event_interruptible(*sk_sleep(homa_to_sk(hsk)),
				     READ_ONCE(hsk->is_shutdown) || homa_sock_charge(hsk, bytes)))
		return -EINTR;
	return READ_ONCE(hsk->is_shutdown) ? -ESHUTDOWN : 0;
}

static int send_txn(struct homa_sock *hsk, struct homa_tenant *t, const struct homa_txn *txn,
		    bool may_wait, struct homa_sendmsg_args *args)
{
	struct homa_txn_call *call;
	int err;

	err = charge(hsk, may_wait);
	if (err)
		return err;
	call = create_call(hsk, t, txn);
	if (!call) {
		homa_sock_uncharge(hsk, sizeof(*call));
		return -ENOMEM;
	}
	err = -EDESTADDRREQ;
	if (!call->daddr)
		goto out;
	call->done.cookie = args->completion_cookie;
	err = start_or_wait(call, txn, may_wait);
	if (err)
		goto out;
	args->id = call->done.id;
	err = send_first(call);
out:
	put_call(call);
	return err;
}

int homa_txn_sendmsg(struct homa_sock *hsk, struct msghdr *msg, size_t len,
		     struct homa_sendmsg_args *args)
{
	struct homa_tenant *t;
	struct homa_txn txn;
	int err;

	if (len != sizeof(txn) || args->id || args->flags != HOMA_SENDMSG_TXN)
		return -EINVAL;
	if (!copy_from_iter_full(&txn, sizeof(txn), &msg->msg_iter))
		return -EFAULT;
	err = homa_txn_check(&txn, registers_of(hsk->net->tenants));
	if (err)
		return err;
	t = get_tenant(hsk);
	if (!t)
		return -ENOTCONN;
	err = send_txn(hsk, t, &txn, !(msg->msg_flags & MSG_DONTWAIT), args);
	homa_tenant_put(t);
	return err;
}

/* The socket's own transactions end with it; what became of them in the switch, nobody asks. */
void homa_txn_sock_shutdown(struct homa_sock *hsk)
{
	struct homa_txn_call *call;
	struct homa_tenant *t;
	bool mine;

	for (;;) {
		spin_lock_bh(&hsk->txn_lock);
		call = list_first_entry_or_null(&hsk->txns, struct homa_txn_call, sock_link);
		if (call)
			refcount_inc(&call->ref);
		spin_unlock_bh(&hsk->txn_lock);
		if (!call)
			break;
		spin_lock_bh(&call->tenant->lock);
		mine = detach(call);
		spin_unlock_bh(&call->tenant->lock);
		if (mine)
			discard(call);
		put_call(call);
	}
	t = get_tenant(hsk);
	if (!t)
		return;
	wake_waiters(t);
	homa_tenant_put(t);
}

/* ---------------------------------------------------------------- replies */

static void count_status(struct homa_tenant *t, u8 status)
{
	switch (status) {
	case P4W_TXN_OK:
		homa_count(t->hn, txn_ok);
		break;
	case P4W_TXN_STALE:
		t->stats.stale++;
		homa_count(t->hn, txn_stale);
		break;
	case P4W_TXN_CONFLICT:
		t->stats.conflict++;
		homa_count(t->hn, txn_conflict);
		break;
	case P4W_TXN_ABORT:
		t->stats.abort++;
		homa_count(t->hn, txn_abort);
		break;
	}
}

/* Detaches the call that the packet answers, if there is one. */
static struct homa_txn_call *take_answered(struct homa_tenant *t, const struct p4w_txn *got,
					   __be32 saddr)
{
	struct homa_txn_call *call;
	struct homa_flow *flow;

	lockdep_assert_held(&t->lock);
	if (!t->alloc)
		return NULL;
	flow = homa_flow_find(t->alloc, be32_to_cpu(got->flow));
	call = flow ? flow->call : NULL;
	if (!call || call->daddr != saddr || !homa_txn_is_answer(&call->packet, got))
		return NULL;
	detach(call);
	count_status(t, got->status);
	return call;
}

/* Softirq, under RCU. The packet is linear and at least as long as struct p4w_txn. */
void homa_txn_reply_pkt(struct homa_net *hn, struct sk_buff *skb)
{
	const struct p4w_txn *got = (const struct p4w_txn *)skb->data;
	struct homa_txn_call *call;
	struct homa_tenant *t;

	t = xa_load(&hn->tenants->by_id, be64_to_cpu(got->owner) >> P4W_EPOCH_BITS);
	if (!t) {
		homa_count(hn, drop_foreign_tenant);
		return;
	}
	spin_lock_bh(&t->lock);
	call = take_answered(t, got, ip_hdr(skb)->saddr);
	spin_unlock_bh(&t->lock);
	if (!call) {
		homa_count(hn, txn_unmatched);
		return;
	}
	if (got->status == P4W_TXN_VERSION)
		net_warn_ratelimited("p4homa: the switch speaks version %u of transactions, not %u\n",
				     got->version, P4W_VERSION);
	homa_txn_fill_result(&call->result, got, call->count);
	finish(call, 0);
}

/* ---------------------------------------------------------------- what a tenant holds */

void homa_txn_tenant_init(struct homa_tenant *t)
{
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->outstanding);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	t->timer.function = resend_due;
}

static void detach_all(struct homa_tenant *t, struct list_head *detached)
{
	struct homa_txn_call *call, *next;

	lockdep_assert_held(&t->lock);
	list_for_each_entry_safe(call, next, &t->outstanding, link) {
		detach(call);
		list_add_tail(&call->done.link, detached);
	}
}

/* Sequence numbers go on over grants, so that no late packet of an old one looks new; only far up,
 * where they could run out, a new epoch (whose flows the allocator has cleared) starts again.
 */
static u32 first_seq(const struct homa_tenant *t, u64 epoch)
{
	return t->seq_high > S32_MAX && epoch != t->seq_epoch ? 0 : t->seq_high;
}

/* Puts `alloc` (or nothing) in the place of what the tenant holds, which is returned. */
static struct homa_alloc *replace(struct homa_tenant *t, struct homa_alloc *alloc)
{
	struct homa_alloc *old = t->alloc;

	lockdep_assert_held(&t->lock);
	if (old) {
		t->seq_high = homa_alloc_seq_high(old);
		t->seq_epoch = old->spec.epoch;
	}
	t->alloc = alloc;
	if (alloc)
		homa_alloc_set_seq(alloc, first_seq(t, alloc->spec.epoch));
	return old;
}

static void replace_and_cancel(struct homa_tenant *t, struct homa_alloc *alloc)
{
	LIST_HEAD(canceled);

	spin_lock_bh(&t->lock);
	detach_all(t, &canceled);
	alloc = replace(t, alloc);
	spin_unlock_bh(&t->lock);
	wake_waiters(t);
	finish_all(&canceled, -ECANCELED);
	homa_alloc_free(alloc);
}

/* Nothing is armed any more once the allocation is gone. */
void homa_txn_tenant_exit(struct homa_tenant *t)
{
	replace_and_cancel(t, NULL);
	hrtimer_cancel(&t->timer);
}

static bool holds_already(struct homa_tenant *t, const struct homa_grant_spec *spec)
{
	bool same;

	spin_lock_bh(&t->lock);
	same = t->alloc && !memcmp(&t->alloc->spec, spec, sizeof(*spec));
	spin_unlock_bh(&t->lock);
	return same;
}

/* The caller has checked the grant and holds homa_tenants.lock, so grants come one by one. Several
 * processes of a tenant may report the same one: the second changes nothing.
 */
int homa_txn_grant(struct homa_tenant *t, const struct homa_grant_spec *spec)
{
	struct homa_alloc *alloc = NULL;

	if (spec->epoch && holds_already(t, spec))
		return 0;
	if (spec->epoch) {
		alloc = homa_alloc_create(spec);
		if (!alloc)
			return -ENOMEM;
	}
	replace_and_cancel(t, alloc);
	return 0;
}

u64 homa_txn_epoch(struct homa_tenant *t)
{
	u64 epoch;

	spin_lock_bh(&t->lock);
	epoch = t->alloc ? t->alloc->spec.epoch : 0;
	spin_unlock_bh(&t->lock);
	return epoch;
}

void homa_txn_state(struct homa_tenant *t, struct homa_txn_state *state)
{
	memset(state, 0, sizeof(*state));
	spin_lock_bh(&t->lock);
	if (t->alloc)
		state->spec = t->alloc->spec;
	state->outstanding = t->nr_outstanding;
	state->stats = t->stats;
	spin_unlock_bh(&t->lock);
}
