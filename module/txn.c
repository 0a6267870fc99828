// SPDX-License-Identifier: GPL-2.0
/*
 * txn.c - switch transactions: one packet out, one packet back, at most one effect.
 *
 * Owns: what a tenant holds in the switch (struct homa_tenant, below its lock). Entered from:
 * sendmsg.c, sock.c (shutdown), recv.c (replies, softirq), netlink.c (new grants). What happens to
 * a transaction between sendmsg and its result is txncall.c's.
 *
 * What comes in is hostile until every field that we know has been compared with what we sent.
 */
#include <linux/ip.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/uio.h>
#include <net/sock.h>
#include "addr.h"
#include "calls.h"
#include "held.h"
#include "net.h"
#include "p4wire.h"
#include "sock.h"
#include "txn.h"
#include "txncall.h"
#include "txnpkt.h"

/* ---------------------------------------------------------------- sendmsg */

static int try_start(struct homa_txn_call *call, const struct homa_txn *txn)
{
	struct homa_tenant *t = call->tenant;
	struct homa_alloc *alloc = t->alloc[txn->space];
	struct homa_flow *flow;
	int err;

	lockdep_assert_held(&t->lock);
	if (READ_ONCE(call->hsk->is_shutdown))
		return -ESHUTDOWN;
	if (!alloc || (txn->epoch && txn->epoch != alloc->spec.epoch))
		return -ESTALE;
	err = homa_txn_fill_instrs(&call->packet, txn, &alloc->blocks);
	if (err)
		return err;
	/* A flow first: a charge that is given back wakes those that wait, and so this one too. */
	if (!alloc->nr_idle || !homa_tenant_charge(t))
		return -EAGAIN;
	flow = homa_flow_take(alloc);
	err = homa_txn_call_attach(call, alloc, flow);
	if (err) {
		homa_flow_give_back(alloc, flow);
		homa_tenant_uncharge(t);
	}
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

	err = homa_txn_call_send(call);
	if (!err) {
		homa_count(t->hn, txn_sent);
		return 0;
	}
	spin_lock_bh(&t->lock);
	mine = homa_txn_call_detach(call);
	spin_unlock_bh(&t->lock);
	if (!mine)
		return 0;	/* over already, as the program will see in recvmsg */
	homa_txn_call_discard(call);
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
	struct homa_txn_call *call = homa_txn_call_create(hsk, t);

	if (!call)
		return NULL;
	/* Address and port may be of two policies: the switch answers whatever they are. */
	call->daddr = homa_addr_v4(READ_ONCE(policy->alloc_addr));
	call->count = txn->count;
	call->own.id = homa_sock_next_id(hsk);
	homa_txn_fill_head(&call->packet, txn, call->own.id, READ_ONCE(hsk->port),
			   READ_ONCE(policy->alloc_port));
	call->own.peer = call->daddr;
	call->own.port = ntohs(call->packet.common.dport);
	return call;
}

static u32 registers_of(struct homa_tenants *tenants)
{
	return READ_ONCE(tenants->geometry.registers) ?: P4W_MAX_REGISTERS;
}

static int send_txn(struct homa_sock *hsk, struct homa_tenant *t, const struct homa_txn *txn,
		    bool may_wait, struct homa_sendmsg_args *args)
{
	struct homa_txn_call *call;
	int err;

	err = homa_charge(hsk, sizeof(*call), !may_wait);
	if (err)
		return err;
	call = create_call(hsk, t, txn);
	if (!call) {
		homa_sock_uncharge(hsk, sizeof(*call));
		return -ENOMEM;
	}
	err = -EDESTADDRREQ;
	if (!homa_addr_to_v4(&call->daddr))
		goto out;
	call->own.cookie = args->completion_cookie;
	err = start_or_wait(call, txn, may_wait);
	if (err)
		goto out;
	args->id = call->own.id;
	err = send_first(call);
out:
	homa_txn_call_put(call);
	return err;
}

int homa_txn_sendmsg(struct homa_sock *hsk, struct msghdr *msg, size_t len,
		     struct homa_sendmsg_args *args)
{
	struct homa_tenant *t;
	struct homa_txn txn;
	int err;

	homa_held_send(hsk);	/* it may be the last of sendmmsg(), or have to wait for a flow */
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
		mine = homa_txn_call_detach(call);
		spin_unlock_bh(&call->tenant->lock);
		if (mine)
			homa_txn_call_discard(call);
		homa_txn_call_put(call);
	}
	t = get_tenant(hsk);
	if (!t)
		return;
	homa_tenant_wake(t);
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

/* It is of one space at most: make_way(). */
static struct homa_flow *find_flow(const struct homa_tenant *t, u32 number)
{
	struct homa_flow *flow = NULL;
	int space;

	for (space = 0; space < HOMA_TXN_SPACES && !flow; space++)
		if (t->alloc[space])
			flow = homa_flow_find(t->alloc[space], number);
	return flow;
}

/* Detaches the call that the packet answers, if there is one. */
static struct homa_txn_call *take_answered(struct homa_tenant *t, const struct p4w_txn *got,
					   const struct in6_addr *saddr)
{
	struct homa_txn_call *call;
	struct homa_flow *flow;

	lockdep_assert_held(&t->lock);
	flow = find_flow(t, be32_to_cpu(got->flow));
	if (!flow)
		return NULL;
	call = flow->call;
	if (!call || !ipv6_addr_equal(&call->daddr, saddr) ||
	    !homa_txn_is_answer(&call->packet, got)) {
		homa_txn_answered_again(t, flow, got->common.sender_id ^ cpu_to_be64(1));
		return NULL;
	}
	homa_txn_call_answered(call);
	homa_txn_call_detach(call);
	count_status(t, got->status);
	return call;
}

/* Softirq, under RCU. The packet is linear and at least as long as struct p4w_txn. */
void homa_txn_reply_pkt(struct homa_net *hn, struct sk_buff *skb, const struct in6_addr *saddr)
{
	const struct p4w_txn *got = (const struct p4w_txn *)skb->data;
	struct homa_txn_call *call;
	struct homa_tenant *t;
	int error = 0;

	t = xa_load(&hn->tenants->by_id, be64_to_cpu(got->owner) >> P4W_EPOCH_BITS);
	if (!t) {
		homa_count(hn, drop_foreign_tenant);
		return;
	}
	spin_lock_bh(&t->lock);
	call = take_answered(t, got, saddr);
	spin_unlock_bh(&t->lock);
	if (!call) {
		homa_count(hn, txn_unmatched);
		return;
	}
	if (got->status == P4W_TXN_VERSION)
		net_warn_ratelimited("p4homa: the switch speaks version %u of transactions, not %u\n",
				     got->version, P4W_VERSION);
	if (homa_txn_is_proof(got, call->repeated)) {
		homa_txn_fill_result(&call->result, got, call->count);
	} else {
		homa_count(hn, txn_in_doubt);
		error = -ESTALE;
	}
	homa_txn_call_finish(call, error);
}

/* ---------------------------------------------------------------- what a tenant holds */

void homa_txn_tenant_init(struct homa_tenant *t)
{
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->outstanding);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	t->timer.function = homa_txn_call_timer;
}

static void detach_all(struct homa_tenant *t, const struct homa_alloc *alloc,
		       struct list_head *detached)
{
	struct homa_txn_call *call, *next;

	lockdep_assert_held(&t->lock);
	list_for_each_entry_safe(call, next, &t->outstanding, link) {
		if (call->alloc != alloc)
			continue;
		homa_txn_call_detach(call);
		list_add_tail(&call->link, detached);
	}
}

/* Sequence numbers go on over grants, so that no late packet of an old one looks new; only far up,
 * where they could run out, a new epoch (whose flows the allocator has cleared) starts again.
 */
static u32 first_seq(const struct homa_tenant *t, enum homa_txn_space space, u64 epoch)
{
	u32 high = t->seq_high[space];

	return high > S32_MAX && epoch != t->seq_epoch[space] ? 0 : high;
}

/* Puts `alloc` (or nothing) in the place of what the tenant holds, which is returned. */
static struct homa_alloc *replace(struct homa_tenant *t, enum homa_txn_space space,
				  struct homa_alloc *alloc)
{
	struct homa_alloc *old = t->alloc[space];

	lockdep_assert_held(&t->lock);
	if (old) {
		t->seq_high[space] = homa_alloc_seq_high(old);
		t->seq_epoch[space] = old->spec.epoch;
	}
	t->alloc[space] = alloc;
	if (alloc)
		homa_alloc_set_seq(alloc, first_seq(t, space, alloc->spec.epoch));
	return old;
}

static void replace_and_cancel(struct homa_tenant *t, enum homa_txn_space space,
			       struct homa_alloc *alloc)
{
	LIST_HEAD(canceled);

	spin_lock_bh(&t->lock);
	detach_all(t, t->alloc[space], &canceled);
	alloc = replace(t, space, alloc);
	spin_unlock_bh(&t->lock);
	homa_tenant_wake(t);
	homa_txn_call_finish_all(&canceled, -ECANCELED);
	homa_alloc_free(alloc);
}

/* Nothing is armed any more once the allocation is gone. */
void homa_txn_tenant_exit(struct homa_tenant *t)
{
	int space;

	for (space = 0; space < HOMA_TXN_SPACES; space++)
		replace_and_cancel(t, space, NULL);
	hrtimer_cancel(&t->timer);
}

/* The same grant, perhaps with other blocks: it goes on, what is on its way has its cells already.
 * 1: that is done; 0: it is another one; or an error.
 */
static int resize(struct homa_tenant *t, enum homa_txn_space space,
		  const struct homa_grant_spec *spec)
{
	struct homa_blocks blocks;
	struct homa_alloc *alloc;
	int done = 0;

	homa_blocks_from_bitmap(&blocks, spec->bitmap);
	spin_lock_bh(&t->lock);
	alloc = t->alloc[space];
	if (alloc && homa_alloc_is_resized(alloc, spec, &blocks)) {
		done = homa_blocks_keep_places(&alloc->blocks, &blocks) ? 1 : -EINVAL;
		if (done > 0) {
			alloc->spec = *spec;
			alloc->blocks = blocks;
		}
	}
	spin_unlock_bh(&t->lock);
	return done;
}

/* The epoch of what is held in `space`, if that has flows of this grant; else 0. */
static u64 epoch_with_flows(struct homa_tenant *t, enum homa_txn_space space,
			    const struct homa_grant_spec *spec)
{
	const struct homa_alloc *alloc;
	u64 epoch = 0;

	spin_lock_bh(&t->lock);
	alloc = t->alloc[space];
	if (alloc && homa_grants_share_flows(&alloc->spec, spec))
		epoch = alloc->spec.epoch;
	spin_unlock_bh(&t->lock);
	return epoch;
}

/* Flows are of one tenant and one of its grants in the whole rack. If this grant has flows of one in
 * another space, one of the two is over, which nobody has said yet: the one of the older epoch, since
 * the allocator numbers all its grants from one counter.
 */
static int make_way(struct homa_tenant *t, enum homa_txn_space space,
		    const struct homa_grant_spec *spec, struct netlink_ext_ack *ack)
{
	enum homa_txn_space other = homa_txn_other(space);
	u64 epoch = epoch_with_flows(t, other, spec);

	if (epoch >= spec->epoch) {
		NL_SET_ERR_MSG(ack, "ALLOC_FLOW_FIRST: a later grant of the tenant has these flows");
		return -ESTALE;
	}
	if (epoch)
		replace_and_cancel(t, other, NULL);
	return 0;
}

/* The caller has checked the grant and holds homa_tenants.lock, so grants come one by one. Several
 * processes of a tenant may report the same one: the second changes nothing.
 */
int homa_txn_grant(struct homa_tenant *t, enum homa_txn_space space,
		   const struct homa_grant_spec *spec, struct netlink_ext_ack *ack)
{
	struct homa_alloc *alloc = NULL;
	int done;

	if (spec->epoch) {
		done = resize(t, space, spec);
		if (done < 0)
			NL_SET_ERR_MSG(ack, "ALLOC_BITMAP: a slot would be another cell");
		if (done)
			return min(done, 0);
		alloc = homa_alloc_create(spec);
		if (!alloc)
			return -ENOMEM;
		done = make_way(t, space, spec, ack);
		if (done) {
			homa_alloc_free(alloc);
			return done;
		}
	}
	replace_and_cancel(t, space, alloc);
	return 0;
}

u64 homa_txn_epoch(struct homa_tenant *t, enum homa_txn_space space)
{
	u64 epoch;

	spin_lock_bh(&t->lock);
	epoch = t->alloc[space] ? t->alloc[space]->spec.epoch : 0;
	spin_unlock_bh(&t->lock);
	return epoch;
}

void homa_txn_state(struct homa_tenant *t, enum homa_txn_space space,
		    struct homa_txn_state *state)
{
	memset(state, 0, sizeof(*state));
	spin_lock_bh(&t->lock);
	if (t->alloc[space])
		state->spec = t->alloc[space]->spec;
	state->outstanding = t->nr_outstanding;
	state->stats = t->stats;
	spin_unlock_bh(&t->lock);
}
