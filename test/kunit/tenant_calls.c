// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switch transactions from sendmsg to completion, with a transport that only notes what it is asked
 * for: flows and sequence numbers, repeats, time-outs, forged replies, replaced grants, quotas.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include "../../module/alloc.c"
#include "../../module/bitmap.c"
#include "../../module/tenant.c"
#include "../../module/txnpkt.c"
#include "../../module/rtt.c"
#include "../../module/txncall.c"
#include "../../module/txn.c"

#define TENANT		7
#define EPOCH		5
#define FLOWS		3
#define FIRST_FLOW	40
#define SWITCH		cpu_to_be32(0x0a000001)
#define SENT_MAX	64
#define DONE_MAX	16

unsigned int homa_net_id;

/* The namespace, the socket, and what the transport was asked to do. */
static struct rig {
	struct homa_net hn;
	struct homa_sock hsk;
	struct homa_tenant *t;
	spinlock_t lock;
	struct p4w_txn sent[SENT_MAX];
	int nr_sent;
	struct homa_done_own *done[DONE_MAX];
	int nr_done;
	int xmit_error;
	int nr_held_sent;
} rig;

void homa_held_send_all(struct homa_sock *hsk)
{
	rig.nr_held_sent++;
}

u64 homa_sock_next_id(struct homa_sock *hsk)
{
	return atomic64_add_return(2, &hsk->net->next_id);
}

int homa_xmit_small(struct homa_sock *hsk, const struct in6_addr *daddr, const void *packet,
		    size_t len, int priority)
{
	if (rig.xmit_error)
		return rig.xmit_error;
	spin_lock_bh(&rig.lock);
	if (rig.nr_sent < SENT_MAX && len == sizeof(struct p4w_txn))
		memcpy(&rig.sent[rig.nr_sent], packet, len);
	rig.nr_sent++;
	spin_unlock_bh(&rig.lock);
	return 0;
}

void homa_sock_complete(struct homa_sock *hsk, struct homa_done *done)
{
	spin_lock_bh(&rig.lock);
	if (rig.nr_done < DONE_MAX)
		rig.done[rig.nr_done] = container_of(done, struct homa_done_own, done);
	rig.nr_done++;
	spin_unlock_bh(&rig.lock);
}

bool homa_sock_charge(struct homa_sock *hsk, u32 bytes)
{
	if (atomic64_read(&hsk->wmem) + bytes > rig.hn.knobs.wmem_max)
		return false;
	atomic64_add(bytes, &hsk->wmem);
	return true;
}

int homa_charge(struct homa_sock *hsk, u32 len, bool nonblock)
{
	return homa_sock_charge(hsk, len) ? 0 : -EAGAIN;
}

void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes)
{
	atomic64_sub(bytes, &hsk->wmem);
}

static void drop_done(void)
{
	struct homa_done *done;

	while (rig.nr_done) {
		done = &rig.done[--rig.nr_done]->done;
		done->release(done);
	}
}

static u64 counted(enum homa_counter nr)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(rig.hn.counters, cpu)->value[nr];
	return sum;
}

/* ---------------------------------------------------------------- doing things */

static int report(enum homa_txn_space space, const struct homa_grant_spec *spec)
{
	struct netlink_ext_ack ack = { 0 };
	int err = homa_txn_grant(rig.t, space, spec, &ack);

	return err && !ack._msg ? -EPROTO : err;	/* no refusal without a text */
}

static int grant(u64 epoch, u32 flows)
{
	struct homa_grant_spec spec = { .epoch = epoch, .flow_first = FIRST_FLOW,
					.flow_count = flows, .bitmap = { 0x06 } };

	return report(HOMA_TXN_BATCH, &spec);
}

static int send_flags(struct homa_txn *txn, u64 cookie, int flags, u64 *id)
{
	struct homa_sendmsg_args args = { .completion_cookie = cookie, .flags = HOMA_SENDMSG_TXN };
	struct kvec vec = { .iov_base = txn, .iov_len = sizeof(*txn) };
	struct msghdr msg = { .msg_flags = flags };
	int err;

	iov_iter_kvec(&msg.msg_iter, WRITE, &vec, 1, sizeof(*txn));
	err = homa_txn_sendmsg(&rig.hsk, &msg, sizeof(*txn), &args);
	if (id)
		*id = args.id;
	return err;
}

static int send_one(u64 cookie)
{
	struct homa_txn txn = { .count = 1, .instr = { { 3, P4W_OP_READ, 70, 0 } } };

	return send_flags(&txn, cookie, MSG_DONTWAIT, NULL);
}

static struct p4w_txn reply_to(int i)
{
	struct p4w_txn p = rig.sent[i];

	swap(p.common.sport, p.common.dport);
	p.common.sender_id ^= cpu_to_be64(1);
	p.common.type = P4W_TXN_REPLY;
	p.serial = cpu_to_be64(1000 + i);
	p.instr[0].result = cpu_to_be32(500 + i);
	return p;
}

static void receive_from(const struct p4w_txn *p, __be32 saddr)
{
	struct sk_buff *skb = alloc_skb(sizeof(*p), GFP_KERNEL);
	const struct in6_addr addr = homa_addr_v4(saddr);

	skb_put_data(skb, p, sizeof(*p));
	rcu_read_lock();
	local_bh_disable();
	homa_txn_reply_pkt(&rig.hn, skb, &addr);
	local_bh_enable();
	rcu_read_unlock();
	kfree_skb(skb);
}

static void receive(const struct p4w_txn *p)
{
	receive_from(p, SWITCH);
}

static void answer(int i)
{
	struct p4w_txn p = reply_to(i);

	receive(&p);
}

/* Until `nr` completions are there, or two seconds have passed. */
static void await_done(int nr)
{
	ktime_t end = ktime_add_ms(ktime_get(), 2000);

	while (READ_ONCE(rig.nr_done) < nr && ktime_before(ktime_get(), end))
		msleep(5);
}

/* ---------------------------------------------------------------- cases */

static void send__packet(struct kunit *test)
{
	struct homa_txn txn = { .count = 2, .lock_check = 3, .lock_acquire = 2, .instr = {
		{ 3, P4W_OP_ADD, 0, 9 }, { 4, P4W_OP_WRITE | P4W_OP_SECOND_PASS, 64, 8 } } };
	struct p4w_txn *p = &rig.sent[0];
	u64 id = 0;

	KUNIT_ASSERT_EQ(test, send_flags(&txn, 0, 0, &id), 0);
	KUNIT_ASSERT_EQ(test, rig.nr_sent, 1);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p->owner), (u64)TENANT << 40 | EPOCH);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p->common.sender_id), id);
	KUNIT_EXPECT_EQ(test, id % 2, 0ull);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p->common.sport), 40000);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p->common.dport), P4W_ALLOC_PORT);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p->flow), FIRST_FLOW);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p->seq), 1);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p->home), 1);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p->instr[1].cell), 128);
	answer(0);
}

/* Messages that were sent before, in the same sendmmsg(), whatever becomes of this. */
static void send__held_go_first(struct kunit *test)
{
	struct sk_buff skb = { 0 };

	KUNIT_EXPECT_EQ(test, send_one(1), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_held_sent, 0);
	__skb_queue_tail(&rig.hsk.held, &skb);
	KUNIT_EXPECT_EQ(test, send_one(2), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_held_sent, 1);
	__skb_unlink(&skb, &rig.hsk.held);
}

static void reply__completes_once(struct kunit *test)
{
	const struct homa_txn_result *result;

	KUNIT_ASSERT_EQ(test, send_one(77), 0);
	answer(0);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 1);
	result = rig.done[0]->data;
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, 0);
	KUNIT_EXPECT_EQ(test, rig.done[0]->cookie, 77ull);
	KUNIT_EXPECT_EQ(test, rig.done[0]->len, (u32)sizeof(*result));
	KUNIT_EXPECT_EQ(test, homa_addr_to_v4(&rig.done[0]->peer), SWITCH);
	KUNIT_EXPECT_EQ(test, result->serial, 1000ull);
	KUNIT_EXPECT_EQ(test, result->epoch, (u64)EPOCH);
	KUNIT_EXPECT_EQ(test, result->result[0], 500u);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_unmatched), 1ull);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_ok), 1ull);
}

static void reply__forged(struct kunit *test)
{
	struct p4w_txn p;

	KUNIT_ASSERT_EQ(test, send_one(0), 0);
	p = reply_to(0);
	receive_from(&p, cpu_to_be32(0x0a000002));
	p.flow = cpu_to_be32(FIRST_FLOW + 1);		/* a flow of ours that is idle */
	receive(&p);
	p.flow = cpu_to_be32(FIRST_FLOW + FLOWS);	/* not ours, on both sides */
	receive(&p);
	p.flow = cpu_to_be32(FIRST_FLOW - 1);
	receive(&p);
	p.flow = cpu_to_be32(U32_MAX);
	receive(&p);
	p = reply_to(0);
	p.owner = cpu_to_be64(homa_owner_word(TENANT, EPOCH - 1));
	receive(&p);
	p = reply_to(0);
	p.seq = cpu_to_be32(2);
	receive(&p);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_unmatched), 7ull);
	p = reply_to(0);
	p.owner = cpu_to_be64(homa_owner_word(TENANT + 1, EPOCH));
	receive(&p);
	KUNIT_EXPECT_EQ(test, counted(HOMA_drop_foreign_tenant), 1ull);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
}

static void reply__refusals_are_counted(struct kunit *test)
{
	static const u8 status[] = { P4W_TXN_STALE, P4W_TXN_CONFLICT, P4W_TXN_ABORT };
	struct homa_txn_state state;
	struct p4w_txn p;
	int i;

	for (i = 0; i < ARRAY_SIZE(status); i++) {
		KUNIT_ASSERT_EQ(test, send_one(i), 0);
		p = reply_to(i);
		p.status = status[i];
		receive(&p);
	}
	homa_txn_state(rig.t, HOMA_TXN_BATCH, &state);
	KUNIT_EXPECT_EQ(test, state.stats.txns, 3ull);
	KUNIT_EXPECT_EQ(test, state.stats.stale, 1ull);
	KUNIT_EXPECT_EQ(test, state.stats.conflict, 1ull);
	KUNIT_EXPECT_EQ(test, state.stats.abort, 1ull);
	KUNIT_EXPECT_EQ(test, state.outstanding, 0u);
}

static void send_until_repeated(struct kunit *test)
{
	int i;

	rig.hn.knobs.txn_resend_us = 2000;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	for (i = 0; i < 200 && rig.nr_sent < 2; i++)
		msleep(10);
	KUNIT_ASSERT_GE(test, rig.nr_sent, 2);
}

/* The switch may have done it, restarted, and refused the repeat. */
static void reply__refusal_of_a_repeat_proves_nothing(struct kunit *test)
{
	struct p4w_txn p;

	send_until_repeated(test);
	p = reply_to(0);
	p.status = P4W_TXN_STALE;
	receive(&p);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, -ESTALE);
	KUNIT_EXPECT_EQ(test, rig.done[0]->len, 0u);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_in_doubt), 1ull);
}

static void flows__one_outstanding_each(struct kunit *test)
{
	int i;

	for (i = 0; i < FLOWS; i++)
		KUNIT_ASSERT_EQ(test, send_one(i), 0);
	KUNIT_EXPECT_EQ(test, send_one(9), -EAGAIN);
	for (i = 0; i < FLOWS; i++)
		KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[i].flow), FIRST_FLOW + i);
	answer(1);
	KUNIT_ASSERT_EQ(test, send_one(10), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[FLOWS].flow), FIRST_FLOW + 1);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[FLOWS].seq), 2);
	KUNIT_EXPECT_EQ(test, send_one(11), -EAGAIN);
}

static void flows__rest_longest_first(struct kunit *test)
{
	int i;

	for (i = 0; i < 10 * FLOWS; i++) {
		KUNIT_ASSERT_EQ(test, send_one(0), 0);
		answer(i);
		drop_done();
		KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[i].flow), FIRST_FLOW + i % FLOWS);
		KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[i].seq), 1 + i / FLOWS);
	}
}

static void flows__worn_out(struct kunit *test)
{
	homa_alloc_set_seq(rig.t->alloc[HOMA_TXN_BATCH], U32_MAX - 1);
	KUNIT_ASSERT_EQ(test, send_one(0), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[0].seq), U32_MAX);
	answer(0);
	KUNIT_ASSERT_EQ(test, send_one(0), 0);
	KUNIT_ASSERT_EQ(test, send_one(0), 0);
	KUNIT_EXPECT_EQ(test, send_one(0), -EAGAIN);
	KUNIT_ASSERT_EQ(test, grant(EPOCH + 1, FLOWS), 0);
	KUNIT_ASSERT_EQ(test, send_one(0), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[3].seq), 1);
}

static void timer__repeats_then_gives_up(struct kunit *test)
{
	int i;

	rig.hn.knobs.txn_resend_us = 2000;
	rig.hn.knobs.txn_timeout_us = 100000;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	await_done(1);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, rig.done[0]->len, 0u);
	/* Repeats at 2, 6, 14, 30, 62, 94 ms, and fewer on a slow machine. */
	KUNIT_EXPECT_GE(test, rig.nr_sent, 3);
	KUNIT_EXPECT_LE(test, rig.nr_sent, 7);
	for (i = 1; i < rig.nr_sent; i++)
		KUNIT_EXPECT_EQ(test, memcmp(&rig.sent[i], &rig.sent[0], sizeof(rig.sent[0])), 0);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_resent), (u64)rig.nr_sent - 1);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_timeout), 1ull);

	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	i = rig.nr_sent;
	KUNIT_ASSERT_EQ(test, send_one(6), 0);
	KUNIT_ASSERT_EQ(test, send_one(6), 0);
	KUNIT_ASSERT_EQ(test, send_one(6), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[i + 2].flow), FIRST_FLOW);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[i + 2].seq), 2);
}

/* A switch that is silent is asked with one transaction; what it has passed over is sent again. */
static void timer__one_asks_for_all(struct kunit *test)
{
	ktime_t t = ktime_set(5, 0);
	int i;

	rig.hn.knobs.txn_resend_us = 2000;
	rig.hn.knobs.txn_timeout_us = 100000;
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, send_one(5), 0);
	await_done(3);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 3);
	/* Nearly all repeats are the first's; the others have a turn when it has timed out. */
	KUNIT_EXPECT_LE(test, rig.nr_sent, 3 + 6 + 2);
	KUNIT_EXPECT_EQ(test, rig.sent[3].flow, rig.sent[0].flow);
	KUNIT_EXPECT_TRUE(test, homa_txn_may_repeat(0, 0, true, t, 0));
	KUNIT_EXPECT_FALSE(test, homa_txn_may_repeat(0, 0, false, t, 0));
	KUNIT_EXPECT_FALSE(test, homa_txn_may_repeat(1, 0, true, t, 0));
	KUNIT_EXPECT_TRUE(test, homa_txn_may_repeat(1, 1, true, t, 0));
	KUNIT_EXPECT_FALSE(test, homa_txn_may_repeat(1, 0, true, t, t));
	KUNIT_EXPECT_TRUE(test, homa_txn_may_repeat(1, 0, false, t, t + 1));
}

/* Which of its packets an answer is to is unknown: it says nothing about what was sent in between. */
static void timer__answer_to_a_repeat(struct kunit *test)
{
	u32 resend_us = rig.hn.knobs.txn_resend_us;
	int i;

	send_until_repeated(test);
	rig.hn.knobs.txn_resend_us = resend_us;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.t->answered, 0);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 1u);
	for (i = 1; i < rig.nr_sent && be32_to_cpu(rig.sent[i].flow) != FIRST_FLOW + 1; i++)
		;
	answer(i);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 2);
	KUNIT_EXPECT_NE(test, rig.t->answered, 0);
	KUNIT_EXPECT_EQ(test, rig.t->heard, 1u);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 0u);
}

/* Nothing that was sent after it will ever be answered; one interval more, and it is asked for. */
static void timer__last_one_lost(struct kunit *test)
{
	int i;

	rig.t->asking = 5;			/* of a batch that is over */
	rig.hn.knobs.txn_resend_us = 50000;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 0u);
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	answer(0);
	KUNIT_ASSERT_EQ(test, rig.nr_sent, 3);
	for (i = 0; i < 200 && rig.nr_sent < 4; i++)
		msleep(10);
	KUNIT_ASSERT_GE(test, rig.nr_sent, 4);
	KUNIT_EXPECT_EQ(test, rig.sent[3].flow, rig.sent[1].flow);
	answer(1);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 1u);
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	KUNIT_EXPECT_EQ(test, list_last_entry(&rig.t->outstanding, struct homa_txn_call, link)->heard,
			rig.t->heard);
}

/* A second answer: the first packet was not lost, and to ask again was too early. */
static void timer__answered_again(struct kunit *test)
{
	struct homa_txn_call *last;
	struct p4w_txn p;

	send_until_repeated(test);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 1u);
	p = reply_to(0);
	p.common.sender_id ^= cpu_to_be64(2);
	receive(&p);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 1u);
	KUNIT_EXPECT_EQ(test, rig.t->rtt.patience, 0u);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.t->asking, 0u);
	KUNIT_EXPECT_EQ(test, rig.t->rtt.patience, 1u);
	rig.hn.knobs.txn_resend_us = 1000000;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	last = list_last_entry(&rig.t->outstanding, struct homa_txn_call, link);
	KUNIT_EXPECT_EQ(test, last->interval_us, 2000000u);
}

/* It was sent when answers were thought to be faster. */
static void timer__is_as_patient_as_new_ones(struct kunit *test)
{
	struct homa_txn_call *call;

	rig.hn.knobs.txn_resend_us = 1000000;
	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	call = list_first_entry(&rig.t->outstanding, struct homa_txn_call, link);
	hrtimer_cancel(&rig.t->timer);
	call->due = ktime_get();
	rig.t->rtt.patience = 6;
	rig.t->rtt.hasty = jiffies;
	homa_txn_call_timer(&rig.t->timer);
	KUNIT_EXPECT_EQ(test, rig.nr_sent, 1);
	KUNIT_EXPECT_GT(test, ktime_us_delta(call->due, call->sent), 1900000ll);
}

/* A call, and a timer that comes late; us ago: it was due, the call was sent, and was to be given up.
 * Returns in how many us it is to be now.
 */
static s64 give_up_after_pause(struct kunit *test, u64 due, u64 sent, u64 give_up)
{
	struct homa_txn_call *call;
	ktime_t now;

	KUNIT_ASSERT_EQ(test, send_one(5), 0);
	hrtimer_cancel(&rig.t->timer);
	call = list_first_entry(&rig.t->outstanding, struct homa_txn_call, link);
	now = ktime_get();
	hrtimer_set_expires(&rig.t->timer, ktime_sub_us(now, due));
	call->sent = ktime_sub_us(now, sent);
	call->give_up = ktime_sub_us(now, give_up);
	homa_txn_call_timer(&rig.t->timer);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 0);
	return ktime_us_delta(call->give_up, now);
}

/* Nobody was silent while the timer could not run. */
static void timer__stood_still(struct kunit *test)
{
	KUNIT_EXPECT_GE(test, give_up_after_pause(test, 5000000, 6000000, 1000000), 4000000ll);
}

/* A call of which the silence began meanwhile is owed no more than that. */
static void timer__called_while_it_stood_still(struct kunit *test)
{
	KUNIT_EXPECT_LE(test, give_up_after_pause(test, 3600000000, 1000000, 0), 60000000ll);
}

static void timer__late_sender_is_not_forgotten(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, send_one(1), 0);		/* the timer is armed for in 10 s */
	rig.hn.knobs.txn_resend_us = 1000;
	rig.hn.knobs.txn_timeout_us = 5000;
	KUNIT_ASSERT_EQ(test, send_one(2), 0);
	await_done(1);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.done[0]->cookie, 2ull);
	KUNIT_EXPECT_TRUE(test, rig.t->timer_armed);
}

static void grant__replaced(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, send_one(1), 0);
	KUNIT_ASSERT_EQ(test, send_one(2), 0);
	KUNIT_ASSERT_EQ(test, grant(EPOCH, FLOWS), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);		/* the same again changes nothing */
	KUNIT_ASSERT_EQ(test, grant(EPOCH + 1, FLOWS), 0);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 2);
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, -ECANCELED);
	KUNIT_EXPECT_EQ(test, rig.done[1]->error, -ECANCELED);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 2);
	KUNIT_ASSERT_EQ(test, send_one(3), 0);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(rig.sent[2].owner), (u64)TENANT << 40 | (EPOCH + 1));
	KUNIT_EXPECT_GT(test, be32_to_cpu(rig.sent[2].seq), 1);	/* goes on over grants */
	KUNIT_ASSERT_EQ(test, grant(0, 0), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 3);
	KUNIT_EXPECT_EQ(test, send_one(4), -ESTALE);
}

/* The same grant with further blocks: what is outstanding stays, and new ones can use them. */
static void grant__resized(struct kunit *test)
{
	struct homa_grant_spec spec = { .epoch = EPOCH, .flow_first = FIRST_FLOW,
					.flow_count = FLOWS, .bitmap = { 0x26 } };
	struct homa_txn txn = { .count = 1, .instr = { { 3, P4W_OP_READ, 128, 0 } } };

	KUNIT_ASSERT_EQ(test, send_one(1), 0);
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -ERANGE);
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_BATCH, &spec), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);
	KUNIT_ASSERT_EQ(test, send_flags(&txn, 0, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(rig.sent[1].instr[0].cell), 5 * 64);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(rig.sent[1].home), 1);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	spec.bitmap[0] = 0x2e;			/* block 5 would be the fourth */
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_BATCH, &spec), -EINVAL);
	spec.bitmap[0] = 0x22;			/* the second */
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_BATCH, &spec), -EINVAL);
	spec.bitmap[0] = 0x46;			/* block 6 would be where it was */
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_BATCH, &spec), -EINVAL);
	KUNIT_ASSERT_EQ(test, send_flags(&txn, 0, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(rig.sent[2].instr[0].cell), 5 * 64);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	spec.bitmap[0] = 0x02;
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_BATCH, &spec), 0);
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	spec.bitmap[0] = 0x04;			/* another home: not the same grant */
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_BATCH, &spec), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 3);
}

static void send__refused(struct kunit *test)
{
	struct homa_txn txn = { .count = 1, .instr = { { 3, P4W_OP_READ, 0, 0 } } };

	txn.epoch = EPOCH;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), 0);
	txn.epoch = EPOCH - 1;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -ESTALE);
	txn.epoch = EPOCH + 1;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -ESTALE);
	txn.epoch = 0;
	txn.instr[0].slot = 128;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -ERANGE);
	txn.instr[0].slot = 127;
	txn.instr[0].reg = 20;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), -EINVAL);
	txn.instr[0].reg = 19;
	KUNIT_EXPECT_EQ(test, send_flags(&txn, 0, 0, NULL), 0);
	rig.hn.tenants->policy.alloc_addr = 0;
	KUNIT_EXPECT_EQ(test, send_one(0), -EDESTADDRREQ);
	rig.hn.tenants->policy.alloc_addr = SWITCH;
	rig.xmit_error = -EHOSTUNREACH;
	KUNIT_EXPECT_EQ(test, send_one(0), -EHOSTUNREACH);
	KUNIT_EXPECT_EQ(test, rig.t->nr_outstanding, 2u);
	rig.xmit_error = 0;
	KUNIT_EXPECT_EQ(test, send_one(0), 0);
	rig.hsk.tenant = NULL;
	KUNIT_EXPECT_EQ(test, send_one(0), -ENOTCONN);
	rig.hsk.tenant = rig.t;
}

/* Two allocations of one tenant: flows, epochs and ends of their own. */
static void grant__spaces_are_apart(struct kunit *test)
{
	struct homa_grant_spec spec = { .epoch = 3, .flow_first = FIRST_FLOW + 100, .flow_count = 2,
					.bitmap = { 0x80 } };
	struct homa_txn txn = { .count = 1, .space = HOMA_TXN_LOCKS,
				.instr = { { 0, P4W_OP_READ, 5, 0 } } };

	KUNIT_EXPECT_EQ(test, send_flags(&txn, 1, MSG_DONTWAIT, NULL), -ESTALE);
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);
	KUNIT_ASSERT_EQ(test, send_one(2), 0);
	KUNIT_ASSERT_EQ(test, send_flags(&txn, 3, MSG_DONTWAIT, NULL), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[0].flow), FIRST_FLOW);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[1].flow), FIRST_FLOW + 100);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(rig.sent[1].home), 7);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(rig.sent[1].instr[0].cell), 7 * 64 + 5);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(rig.sent[1].owner) & P4W_EPOCH_MAX, 3ull);
	spec.epoch = 4;		/* ends what was under way in this one only */
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.done[0]->cookie, 3ull);
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, -ECANCELED);
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 2);
	KUNIT_EXPECT_EQ(test, rig.done[1]->cookie, 2ull);
	KUNIT_EXPECT_EQ(test, rig.done[1]->error, 0);
	KUNIT_EXPECT_EQ(test, homa_txn_epoch(rig.t, HOMA_TXN_LOCKS), 4ull);
	spec.epoch = 0;
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);
	KUNIT_EXPECT_NE(test, homa_txn_epoch(rig.t, HOMA_TXN_BATCH), 0ull);
}

/* Flows that both spaces seem to have are those of the later grant; the other is over. */
static void grant__takes_flows_from_the_other_space(struct kunit *test)
{
	struct homa_grant_spec spec = { .epoch = EPOCH - 1, .flow_first = FIRST_FLOW + FLOWS - 1,
					.flow_count = 2, .bitmap = { 0x80 } };
	struct homa_txn txn = { .count = 1, .space = HOMA_TXN_LOCKS,
				.instr = { { 0, P4W_OP_READ, 5, 0 } } };
	int i;

	KUNIT_ASSERT_EQ(test, send_one(1), 0);
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_LOCKS, &spec), -ESTALE);
	KUNIT_EXPECT_EQ(test, homa_txn_epoch(rig.t, HOMA_TXN_LOCKS), 0ull);
	spec.flow_first++;
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);	/* it has others */
	spec.flow_first = FIRST_FLOW - 2;
	KUNIT_EXPECT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);
	spec.flow_first = FIRST_FLOW - 1;
	spec.epoch = EPOCH + 1;
	KUNIT_ASSERT_EQ(test, report(HOMA_TXN_LOCKS, &spec), 0);
	KUNIT_ASSERT_EQ(test, rig.nr_done, 1);
	KUNIT_EXPECT_EQ(test, rig.done[0]->error, -ECANCELED);
	KUNIT_EXPECT_EQ(test, homa_txn_epoch(rig.t, HOMA_TXN_BATCH), 0ull);
	KUNIT_EXPECT_EQ(test, send_one(2), -ESTALE);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, send_flags(&txn, 3 + i, MSG_DONTWAIT, NULL), 0);
		KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[1 + i].flow), FIRST_FLOW - 1 + i);
		answer(1 + i);
	}
	KUNIT_EXPECT_EQ(test, rig.nr_done, 3);
	KUNIT_EXPECT_EQ(test, counted(HOMA_txn_unmatched), 0ull);
}

static void quota__limits_transactions(struct kunit *test)
{
	rig.t->conf.max_rpcs = 2;
	KUNIT_ASSERT_TRUE(test, homa_tenant_charge(rig.t));	/* an RPC of the same tenant */
	KUNIT_EXPECT_EQ(test, send_one(0), 0);
	KUNIT_EXPECT_EQ(test, send_one(0), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, homa_tenant_charge(rig.t));
	homa_tenant_uncharge(rig.t);
	KUNIT_EXPECT_EQ(test, send_one(0), 0);
	KUNIT_EXPECT_EQ(test, send_one(0), -EAGAIN);
	answer(0);
	KUNIT_EXPECT_EQ(test, send_one(0), 0);
}

/* Completions that nobody receives fill the send buffer; receiving them makes room. */
static void memory__is_limited(struct kunit *test)
{
	int i;

	rig.hn.knobs.wmem_max = 3 * sizeof(struct homa_txn_call);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, send_one(0), 0);
		answer(i);
	}
	KUNIT_EXPECT_EQ(test, send_one(0), -EAGAIN);
	drop_done();
	KUNIT_EXPECT_EQ(test, send_one(0), 0);
}

/* A sender that waits, in a thread of its own. */
static int waiting_sender(void *result)
{
	struct homa_txn txn = { .count = 1, .instr = { { 3, P4W_OP_READ, 70, 0 } } };

	*(int *)result = send_flags(&txn, 99, 0, NULL);
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

static int run_waiting_sender(struct kunit *test, void (*meanwhile)(void))
{
	struct task_struct *task;
	int i, result = 1;

	for (i = 0; i < FLOWS; i++)
		KUNIT_EXPECT_EQ(test, send_one(i), 0);
	task = kthread_run(waiting_sender, &result, "txn_waiter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	msleep(30);
	KUNIT_EXPECT_EQ(test, READ_ONCE(result), 1);
	meanwhile();
	for (i = 0; i < 400 && READ_ONCE(result) == 1; i++)
		msleep(5);
	if (READ_ONCE(result) == 1)
		grant(0, 0);	/* so that it ends */
	kthread_stop(task);
	return result;
}

static void free_a_flow(void)
{
	answer(2);
}

static void end_the_grant(void)
{
	grant(0, 0);
}

static void shut_the_socket(void)
{
	rig.hsk.is_shutdown = true;
	homa_txn_sock_shutdown(&rig.hsk);
}

/* The flows stay in use, as if they were another socket's. */
static void shut_the_senders_socket(void)
{
	WRITE_ONCE(rig.hsk.is_shutdown, true);
	homa_tenant_wake(rig.t);
}

static void wait__sender_shut(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_waiting_sender(test, shut_the_senders_socket), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, rig.t->nr_outstanding, FLOWS);
}

static int nr_wakes;

static int count_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	nr_wakes++;
	return 0;
}

/* A sender that finds no flow wakes nobody: it would wake itself, over and over. */
static void wait__wakes_nobody(struct kunit *test)
{
	struct wait_queue_entry entry;
	int i;

	rig.t->conf.max_rpcs = 100;
	for (i = 0; i < FLOWS; i++)
		KUNIT_EXPECT_EQ(test, send_one(i), 0);
	init_waitqueue_func_entry(&entry, count_wake);
	add_wait_queue(&rig.t->wait, &entry);
	nr_wakes = 0;
	KUNIT_EXPECT_EQ(test, send_one(99), -EAGAIN);
	KUNIT_EXPECT_EQ(test, nr_wakes, 0);
	answer(0);
	KUNIT_EXPECT_GT(test, nr_wakes, 0);
	remove_wait_queue(&rig.t->wait, &entry);
}

static void wait__flow(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_waiting_sender(test, free_a_flow), 0);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rig.sent[FLOWS].flow), FIRST_FLOW + 2);
}

static void wait__grant_ends(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_waiting_sender(test, end_the_grant), -ESTALE);
}

static void wait__socket_shut(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_waiting_sender(test, shut_the_socket), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, rig.t->nr_outstanding, 0u);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&rig.hsk.txns));
	answer(0);
	KUNIT_EXPECT_EQ(test, rig.nr_done, 0);
}

static void tenant__set_and_delete(struct kunit *test)
{
	struct homa_tenant_change c = { .id = TENANT, .flags = P4A_F_CREATE_ONLY };
	struct netlink_ext_ack ack = { 0 };
	struct homa_tenant *joined;

	rig.hsk.tenant = NULL;
	mutex_lock(&rig.hn.tenants->lock);
	KUNIT_EXPECT_EQ(test, homa_tenant_set(&rig.hn, &c, &ack), -EEXIST);
	c = (struct homa_tenant_change){ .id = TENANT, .given = HOMA_TENANT_MIN_BLOCKS,
					 .conf.min_blocks = 100 };
	KUNIT_EXPECT_EQ(test, homa_tenant_set(&rig.hn, &c, &ack), 0);
	c.given = HOMA_TENANT_MAX_BLOCKS;
	c.conf.max_blocks = 99;
	KUNIT_EXPECT_EQ(test, homa_tenant_set(&rig.hn, &c, &ack), -EINVAL);
	KUNIT_EXPECT_EQ(test, rig.t->conf.max_blocks, 256u);
	c.flags = P4A_F_MODIFY_ONLY;
	c.id = TENANT + 1;
	KUNIT_EXPECT_EQ(test, homa_tenant_set(&rig.hn, &c, &ack), -ENOENT);
	mutex_unlock(&rig.hn.tenants->lock);

	KUNIT_EXPECT_EQ(test, homa_tenant_join(&rig.hn, TENANT + 1, &joined), -ENOENT);
	KUNIT_ASSERT_EQ(test, homa_tenant_join(&rig.hn, TENANT, &joined), 0);
	mutex_lock(&rig.hn.tenants->lock);
	KUNIT_EXPECT_EQ(test, homa_geometry_set(&rig.hn, &rig.hn.tenants->geometry, &ack), -EBUSY);
	KUNIT_EXPECT_EQ(test, homa_tenant_del(&rig.hn, TENANT, &ack), -EBUSY);
	homa_tenant_leave(joined);
	KUNIT_EXPECT_EQ(test, homa_tenant_del(&rig.hn, TENANT, &ack), 0);
	KUNIT_EXPECT_EQ(test, homa_tenant_del(&rig.hn, TENANT, &ack), -ENOENT);
	mutex_unlock(&rig.hn.tenants->lock);
}

static const struct {
	const char *what;
	int want;
	u64 current_epoch;
	struct homa_grant_spec spec;
} grant_table[] = {
	{ "all of it", 0, 5, { 5, 0, 256, { 0xff, 0xff } } },
	{ "the end of it", 0, 5, { 6, 255, 1, { 0, 0x80 } } },
	{ "nothing", 0, 5, { 0 } },
	{ "an older epoch", -ESTALE, 5, { 4, 0, 1, { 1 } } },
	{ "no block", -EINVAL, 0, { 1, 0, 1, { 0 } } },
	{ "block 16 of 16", -ERANGE, 0, { 1, 0, 1, { 0, 0, 1 } } },
	{ "block 255", -ERANGE, 0, { 1, 0, 1, { [31] = 0x80 } } },
	{ "no flow", -ERANGE, 0, { 1, 0, 0, { 1 } } },
	{ "4097 flows", -ERANGE, 0, { 1, 0, 4097, { 1 } } },
	{ "flow 256 of 256", -ERANGE, 0, { 1, 256, 1, { 1 } } },
	{ "beyond the last flow", -ERANGE, 0, { 1, 255, 2, { 1 } } },
	{ "flows that wrap", -ERANGE, 0, { 1, U32_MAX, 2, { 1 } } },
};

static void grant_check__table(struct kunit *test)
{
	struct homa_geometry geo = { .registers = 20, .blocks = 16, .flows = 256 };
	struct netlink_ext_ack ack = { 0 };
	int i, err;

	for (i = 0; i < ARRAY_SIZE(grant_table); i++) {
		err = homa_grant_check(&grant_table[i].spec, &geo, grant_table[i].current_epoch,
				       &ack);
		KUNIT_EXPECT_EQ_MSG(test, err, grant_table[i].want, "%s", grant_table[i].what);
	}
	geo.registers = 0;
	KUNIT_EXPECT_EQ(test, homa_grant_check(&grant_table[0].spec, &geo, 0, &ack), -ENODATA);
	KUNIT_EXPECT_EQ(test, homa_grant_check(&grant_table[2].spec, &geo, 0, &ack), 0);
}

/* ---------------------------------------------------------------- the rig */

static int build_rig(struct kunit *test)
{
	struct homa_tenant_change c = { .id = TENANT };
	struct netlink_ext_ack ack = { 0 };

	memset(&rig, 0, sizeof(rig));
	skb_queue_head_init(&rig.hsk.held);
	spin_lock_init(&rig.lock);
	rig.hn.counters = alloc_percpu(struct homa_counters);
	rig.hn.knobs.txn_resend_us = 10000000;
	rig.hn.knobs.resend_min_us = 10000000;
	rig.hn.knobs.txn_timeout_us = 60000000;
	rig.hn.knobs.wmem_max = 1000000;
	KUNIT_ASSERT_EQ(test, homa_tenants_net_init(&rig.hn), 0);
	rig.hn.tenants->policy.alloc_addr = SWITCH;
	rig.hn.tenants->geometry = (struct homa_geometry){ 20, 16, 256 };
	rig.hsk.net = &rig.hn;
	rig.hsk.port = 40000;
	refcount_set(&homa_to_sk(&rig.hsk)->sk_refcnt, 1);
	spin_lock_init(&rig.hsk.lock);
	spin_lock_init(&rig.hsk.txn_lock);
	INIT_LIST_HEAD(&rig.hsk.txns);
	mutex_lock(&rig.hn.tenants->lock);
	KUNIT_ASSERT_EQ(test, homa_tenant_set(&rig.hn, &c, &ack), 0);
	mutex_unlock(&rig.hn.tenants->lock);
	rig.t = xa_load(&rig.hn.tenants->by_id, TENANT);
	rig.hsk.tenant = rig.t;
	return grant(EPOCH, FLOWS);
}

/* Nothing may be left over: each call has given back its flow, its socket and its tenant. */
static void check_and_free_rig(struct kunit *test)
{
	homa_txn_sock_shutdown(&rig.hsk);
	drop_done();
	KUNIT_EXPECT_EQ(test, refcount_read(&homa_to_sk(&rig.hsk)->sk_refcnt), 1u);
	KUNIT_EXPECT_EQ(test, atomic64_read(&rig.hsk.wmem), 0ll);
	if (xa_load(&rig.hn.tenants->by_id, TENANT)) {
		KUNIT_EXPECT_EQ(test, refcount_read(&rig.t->ref), 1u);
		KUNIT_EXPECT_EQ(test, atomic_read(&rig.t->rpcs), 0);
		KUNIT_EXPECT_EQ(test, rig.t->nr_outstanding, 0u);
	}
	rig.hsk.tenant = NULL;
	homa_tenants_net_exit(&rig.hn);
	free_percpu(rig.hn.counters);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(send__packet),
	KUNIT_CASE(send__refused),
	KUNIT_CASE(send__held_go_first),
	KUNIT_CASE(reply__completes_once),
	KUNIT_CASE(reply__forged),
	KUNIT_CASE(reply__refusals_are_counted),
	KUNIT_CASE(reply__refusal_of_a_repeat_proves_nothing),
	KUNIT_CASE(flows__one_outstanding_each),
	KUNIT_CASE(flows__rest_longest_first),
	KUNIT_CASE(flows__worn_out),
	KUNIT_CASE(timer__repeats_then_gives_up),
	KUNIT_CASE(timer__one_asks_for_all),
	KUNIT_CASE(timer__answer_to_a_repeat),
	KUNIT_CASE(timer__last_one_lost),
	KUNIT_CASE(timer__answered_again),
	KUNIT_CASE(timer__is_as_patient_as_new_ones),
	KUNIT_CASE(timer__stood_still),
	KUNIT_CASE(timer__called_while_it_stood_still),
	KUNIT_CASE(timer__late_sender_is_not_forgotten),
	KUNIT_CASE(grant__replaced),
	KUNIT_CASE(grant__spaces_are_apart),
	KUNIT_CASE(grant__takes_flows_from_the_other_space),
	KUNIT_CASE(grant__resized),
	KUNIT_CASE(quota__limits_transactions),
	KUNIT_CASE(memory__is_limited),
	KUNIT_CASE(wait__flow),
	KUNIT_CASE(wait__grant_ends),
	KUNIT_CASE(wait__socket_shut),
	KUNIT_CASE(wait__sender_shut),
	KUNIT_CASE(wait__wakes_nobody),
	KUNIT_CASE(tenant__set_and_delete),
	KUNIT_CASE(grant_check__table),
	{}
};

static struct kunit_suite suite = {
	.name = "tenant_calls", .init = build_rig, .exit = check_and_free_rig, .test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
