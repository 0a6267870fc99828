/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_TXNCALL_H
#define P4HOMA_TXNCALL_H

#include <linux/hrtimer.h>
#include <linux/refcount.h>
#include "alloc.h"
#include "p4wire.h"
#include "sock.h"
#include "tenant.h"
#include "txnpkt.h"

struct homa_txn_call {
	refcount_t ref;
	bool outstanding;		/* tenant.lock, as the next ten */
	struct list_head link;		/* tenant.outstanding, or a list of whoever detached it */
	struct list_head sock_link;	/* hsk->txns, under hsk->txn_lock too */
	struct homa_alloc *alloc;	/* that the flow is of */
	struct homa_flow *flow;
	ktime_t due;			/* of the next repeat, or of giving up */
	ktime_t give_up;
	ktime_t sent;			/* when last */
	bool repeated;
	u32 interval_us;		/* between the last repeat and the next */
	u32 heard;			/* tenant.heard when it was sent, or was last due */

	/* These never change once it is outstanding. */
	struct homa_tenant *tenant;
	struct homa_sock *hsk;
	u32 resend_us;
	struct in6_addr daddr;	/* v4-mapped */
	u8 count;
	struct p4w_txn packet;

	struct homa_done_own own;	/* for whoever detached it */
	struct homa_txn_result result;
};

struct homa_txn_call *homa_txn_call_create(struct homa_sock *hsk, struct homa_tenant *t);
void homa_txn_call_put(struct homa_txn_call *call);
int homa_txn_call_send(struct homa_txn_call *call);

/* Under tenant.lock. The first fails with ESHUTDOWN. */
int homa_txn_call_attach(struct homa_txn_call *call, struct homa_alloc *alloc,
			 struct homa_flow *flow);
bool homa_txn_call_detach(struct homa_txn_call *call);
void homa_txn_call_answered(struct homa_txn_call *call);	/* before it is detached */
/* A reply with the id of a request, to no call that is outstanding on its flow. */
void homa_txn_answered_again(struct homa_tenant *t, const struct homa_flow *flow, __be64 id);

/* Pure: whether a call that is due is sent again, or only waited for longer. */
bool homa_txn_may_repeat(u32 nth, u32 asking, bool is_silent, ktime_t sent, ktime_t answered);

/* For whoever has detached it, without a lock. */
void homa_txn_call_finish(struct homa_txn_call *call, int error);
void homa_txn_call_finish_all(struct list_head *detached, int error);	/* by link */
void homa_txn_call_discard(struct homa_txn_call *call);

enum hrtimer_restart homa_txn_call_timer(struct hrtimer *timer);

#endif
