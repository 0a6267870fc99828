// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is done after which silence: homa_timer_decide() as a table, and an RPC whose peer never
 * answers, from the first question to the end, on the clock of the guest.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>
#include "../../module/gaps.c"
#include "../../module/rtt.c"
#include "../../module/timer.c"
#include "../../module/waits.c"

unsigned int homa_net_id;
static int resends, need_acks, ended, error, deaths, lives;
static bool has_rivals;
static u32 asked_from, asked_len;

bool homa_grant_has_rivals(const struct homa_grant *g)
{
	return has_rivals;
}

void homa_rpc_put(struct homa_rpc *rpc)
{
	refcount_dec(&rpc->refs);
}

void homa_live_died(struct homa_peer *peer, u64 now_ns)
{
	deaths++;
}

void homa_peer_change_life(struct homa_peer *peer)
{
	lives++;
}

void homa_rpc_fail(struct homa_rpc *rpc, int err)
{
	rpc->is_complete = true;
	error = err;
}

void homa_rpc_end(struct homa_rpc *rpc)
{
	rpc->state = HOMA_DEAD;
	ended++;
}

struct homa_path homa_rpc_path(const struct homa_rpc *rpc)
{
	return (struct homa_path){ .net = rpc->net };
}

void homa_queue_resend(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		       u32 length)
{
	asked_from = offset;
	asked_len = length;
	resends++;
}

void homa_queue_simple(struct sk_buff_head *queue, const struct homa_path *path, u8 type)
{
	need_acks += type == P4W_NEED_ACK;
}

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
}

#define US	1000ull
#define MS	1000000ull

/* What an RPC sees: the first pause is 5 ms, the second 7, a time-out a second. */
static void table(struct kunit *test)
{
	static const struct {
		enum homa_timer_wait wait;
		u64 silent, mute, peer;
		u32 nr_mute, nr_calm;
		enum homa_timer_do want;
		u64 delay;
		u32 nr_crowded;
		bool is_crowded;
	} t[] = {
		{ HOMA_WAIT_NOTHING, 5000 * MS, 0, 0, 0, 0, HOMA_TIMER_OFF },
		{ HOMA_WAIT_DATA, 0, 0, 0, 0, 0, HOMA_TIMER_WAIT, 5 * MS },
		{ HOMA_WAIT_DATA, 4 * MS, 0, 0, 0, 0, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 5 * MS, 0, 0, 0, 0, HOMA_TIMER_ASK },
		{ HOMA_WAIT_ANSWER, 5 * MS, 0, 0, 0, 0, HOMA_TIMER_ASK },
		/* nobody answers: 7, 14, 28 ... 100, 100 ms */
		{ HOMA_WAIT_DATA, MS, 6 * MS, 6 * MS, 1, 0, HOMA_TIMER_WAIT, 6 * MS },
		{ HOMA_WAIT_DATA, 7 * MS, 12 * MS, 0, 1, 0, HOMA_TIMER_ASK },
		{ HOMA_WAIT_DATA, 13 * MS, 26 * MS, 0, 2, 0, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 14 * MS, 26 * MS, 0, 2, 0, HOMA_TIMER_ASK },
		{ HOMA_WAIT_DATA, 99 * MS, 600 * MS, 0, 9, 0, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 99 * MS, 600 * MS, 0, 255, 0, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 10 * MS, 990 * MS, 0, 9, 0, HOMA_TIMER_WAIT, 10 * MS },
		/* nor has anybody else heard of the peer, but for what jiffies hide */
		{ HOMA_WAIT_DATA, 10 * MS, 1000 * MS, 900 * MS, 9, 0, HOMA_TIMER_GIVE_UP },
		{ HOMA_WAIT_DATA, 10 * MS, 1000 * MS, 1000 * MS, 9, 0, HOMA_TIMER_DEAD },
		{ HOMA_WAIT_DATA, 10 * MS, 1000 * MS, 1000 * MS - 2 * TICK_NSEC, 9, 0,
		  HOMA_TIMER_DEAD },
		{ HOMA_WAIT_ACK, 10 * MS, 1000 * MS, 5000 * MS, 9, 0, HOMA_TIMER_DEAD },
		/* it is we who have slept, for 5 s: it is asked again, and that time does not count */
		{ HOMA_WAIT_DATA, 5014 * MS, 5026 * MS, 5014 * MS, 2, 0, HOMA_TIMER_ASK, 5000 * MS },
		{ HOMA_WAIT_ANSWER, 5005 * MS, 0, 5005 * MS, 0, 0, HOMA_TIMER_ASK, 5000 * MS },
		{ HOMA_WAIT_DATA, 5100 * MS, 6100 * MS, 6100 * MS, 9, 0, HOMA_TIMER_DEAD },
		/* the peer says that it lives: 10, 20, 40 ... 1000, 1000 ms */
		{ HOMA_WAIT_DATA, 9 * MS, 0, 50 * MS, 0, 1, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 10 * MS, 0, 50 * MS, 0, 1, HOMA_TIMER_ASK },
		{ HOMA_WAIT_DATA, 10 * MS, 0, 9 * MS, 0, 1, HOMA_TIMER_PASS },
		{ HOMA_WAIT_DATA, 640 * MS, 0, 9 * MS, 0, 7, HOMA_TIMER_PASS },
		{ HOMA_WAIT_DATA, 999 * MS, 0, 9 * MS, 0, 8, HOMA_TIMER_WAIT, MS },
		{ HOMA_WAIT_DATA, 1000 * MS, 0, 9 * MS, 0, 8, HOMA_TIMER_ASK },	/* owed */
		{ HOMA_WAIT_DATA, 1000 * MS, 0, 9 * MS, 0, 255, HOMA_TIMER_ASK },
		/* many wait for it: those whose turn it is not wait 2, 4, 8 s */
		{ HOMA_WAIT_DATA, 1000 * MS, 0, 9 * MS, 0, 9, HOMA_TIMER_PASS, 0, 0, true },
		{ HOMA_WAIT_DATA, 1999 * MS, 0, 9 * MS, 0, 10, HOMA_TIMER_WAIT, MS, 1, true },
		{ HOMA_WAIT_DATA, 7999 * MS, 0, 9 * MS, 0, 255, HOMA_TIMER_WAIT, MS, 3, true },
		{ HOMA_WAIT_DATA, 8000 * MS, 0, 9 * MS, 0, 255, HOMA_TIMER_PASS, 0, 3, true },
		{ HOMA_WAIT_DATA, 8000 * MS, 0, 9 * MS, 0, 255, HOMA_TIMER_ASK, 0, 3, false },
		/* but not if nobody has heard of it, nor if they have no answer of their own yet */
		{ HOMA_WAIT_DATA, 1000 * MS, 0, 1000 * MS, 0, 9, HOMA_TIMER_ASK, 0, 0, true },
		{ HOMA_WAIT_DATA, 5 * MS, 0, 0, 0, 0, HOMA_TIMER_ASK, 0, 0, true },
		{ HOMA_WAIT_DATA, 7 * MS, 12 * MS, 0, 1, 9, HOMA_TIMER_ASK, 0, 0, true },
		/* and then is silent: short pauses again, and the time-out from there */
		{ HOMA_WAIT_DATA, 7 * MS, 7 * MS, 1000 * MS, 1, 9, HOMA_TIMER_ASK },
		{ HOMA_WAIT_ACK, 5 * MS, 0, 0, 0, 0, HOMA_TIMER_NEED_ACK },
		{ HOMA_WAIT_ACK, 1 * MS, 0, 0, 1, 0, HOMA_TIMER_WAIT, 6 * MS },
		{ HOMA_WAIT_GRANT, 5 * MS, 0, 0, 0, 0, HOMA_TIMER_NEED_ACK },
	};
	u64 delay;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct homa_timer_view v = {
			.wait = t[i].wait, .first_ns = 5 * MS, .again_ns = 7 * MS,
			.most_ns = 100 * MS, .timeout_ns = 1000 * MS, .silent_ns = t[i].silent,
			.mute_ns = t[i].mute, .peer_ns = t[i].peer, .nr_mute = t[i].nr_mute,
			.nr_calm = t[i].nr_calm, .nr_crowded = t[i].nr_crowded,
			.is_crowded = t[i].is_crowded,
		};

		delay = 0;
		KUNIT_EXPECT_EQ_MSG(test, homa_timer_decide(&v, &delay), t[i].want, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, delay, t[i].delay, "row %d", i);
	}
}

static struct homa_rpc *make(struct kunit *test, u64 id, enum homa_state state)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);
	struct homa_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hn);
	KUNIT_ASSERT_NOT_NULL(test, rpc);
	hn->knobs = (struct homa_knobs){ .resend_ticks = 5, .resend_interval = 5,
					 .resend_min_us = 500, .request_ack_ticks = 2,
					 .timeout_ticks = 300 };
	hn->counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, hn->counters);
	KUNIT_ASSERT_EQ(test, homa_waits_net_init(hn), 0);
	rpc->net = hn;
	rpc->peer = kunit_kzalloc(test, sizeof(*rpc->peer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rpc->peer);
	rpc->id = id;
	rpc->state = state;
	refcount_set(&rpc->refs, 100);
	spin_lock_init(&rpc->lock);
	homa_gaps_init(&rpc->in.gaps);
	resends = 0;
	need_acks = 0;
	ended = 0;
	deaths = 0;
	lives = 0;
	error = 0;
	return rpc;
}

static void start(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_timer_start(rpc);
	spin_unlock_bh(&rpc->lock);
}

/* No reference stays behind. */
static void finish(struct kunit *test, struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_timer_stop(rpc);
	spin_unlock_bh(&rpc->lock);
	homa_waits_net_exit(rpc->net);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 100);
	free_percpu(rpc->net->counters);
}

static void silent_server(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);

	start(rpc);
	msleep(600);
	KUNIT_EXPECT_GE(test, resends, 5);
	KUNIT_EXPECT_LE(test, resends, 20);
	KUNIT_EXPECT_EQ(test, asked_from, 0);
	KUNIT_EXPECT_EQ(test, asked_len, P4W_RESEND_ALL);
	KUNIT_EXPECT_EQ(test, error, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, deaths, 1);
	KUNIT_EXPECT_EQ(test, lives, 1);
	KUNIT_EXPECT_EQ(test, ended, 0);	/* a reader has to have the error first */
	KUNIT_EXPECT_FALSE(test, homa_wait_is_on(&rpc->wait));
	finish(test, rpc);
}

static void silent_client(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_OUTGOING);

	rpc->out.length = 100;
	rpc->out.sent = 100;
	start(rpc);
	msleep(600);
	KUNIT_EXPECT_GE(test, need_acks, 5);
	KUNIT_EXPECT_EQ(test, resends, 0);
	KUNIT_EXPECT_EQ(test, ended, 1);
	KUNIT_EXPECT_EQ(test, lives, 0);
	KUNIT_EXPECT_EQ(test, error, 0);
	finish(test, rpc);
}

/* The first question comes later than the end should: it is asked, and there is an end. */
static void patient_server(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_OUTGOING);

	rpc->net->knobs.request_ack_ticks = 400;
	rpc->out.length = 100;
	rpc->out.sent = 100;
	start(rpc);
	msleep(200);
	KUNIT_EXPECT_EQ(test, need_acks, 0);
	msleep(800);
	KUNIT_EXPECT_GE(test, need_acks, 3);
	KUNIT_EXPECT_EQ(test, ended, 1);
	finish(test, rpc);
}

static void busy_server_is_not_given_up(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);
	int i;

	start(rpc);
	for (i = 0; i < 60; i++) {
		msleep(10);
		spin_lock_bh(&rpc->lock);
		homa_timer_alive(rpc);
		spin_unlock_bh(&rpc->lock);
		homa_live_heard(&rpc->peer->live);
	}
	KUNIT_EXPECT_EQ(test, error, 0);
	KUNIT_EXPECT_GE(test, resends, 1);
	KUNIT_EXPECT_LE(test, resends, 12);	/* the pauses have grown */
	finish(test, rpc);
}

/* Nor because this host was not there to hear it. */
static void we_stood_still(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);
	int i;

	start(rpc);
	for (i = 0; i < 3; i++) {	/* before a question, and between two */
		spin_lock_bh(&rpc->lock);
		rpc->silence.since -= 5000 * MS;
		rpc->silence.mute_since -= 5000 * MS;
		spin_unlock_bh(&rpc->lock);
		msleep(20);
		KUNIT_EXPECT_EQ(test, error, 0);
	}
	KUNIT_EXPECT_GE(test, resends, 2);
	msleep(600);
	KUNIT_EXPECT_EQ(test, error, -ETIMEDOUT);
	finish(test, rpc);
}

static void off_while_we_hold_the_sender(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_INCOMING);
	u32 from, to;

	rpc->in.length = 1000;
	rpc->grant.granted = 100;
	KUNIT_ASSERT_EQ(test, homa_gaps_add(&rpc->in.gaps, 0, 100, &from, &to), 100);
	start(rpc);
	KUNIT_EXPECT_FALSE(test, homa_wait_is_on(&rpc->wait));	/* all that was granted is here */
	rpc->grant.granted = 500;
	rpc->in.stalled = true;
	start(rpc);
	KUNIT_EXPECT_FALSE(test, homa_wait_is_on(&rpc->wait));	/* no buffer */
	rpc->in.stalled = false;
	start(rpc);
	KUNIT_EXPECT_TRUE(test, homa_wait_is_on(&rpc->wait));
	msleep(100);
	KUNIT_EXPECT_GE(test, resends, 1);
	KUNIT_EXPECT_EQ(test, asked_from, 100);
	KUNIT_EXPECT_EQ(test, asked_len, 400);
	finish(test, rpc);
}

static void progress(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_timer_progress(rpc);
	spin_unlock_bh(&rpc->lock);
}

/* The sender goes on, but what it has overtaken is asked for, each hole on its own. */
static void asks_for_each_gap(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_INCOMING);
	u32 from, to;

	rpc->in.length = 1000;
	rpc->grant.granted = 1000;
	rpc->net->knobs.resend_ticks = 10000;
	rpc->net->knobs.resend_interval = 10000;
	rpc->net->knobs.timeout_ticks = 600000;
	/* The timer runs on this CPU, and may be due at once where the machine is slow. */
	local_bh_disable();
	start(rpc);
	homa_gaps_add(&rpc->in.gaps, 100, 200, &from, &to);
	homa_gaps_add(&rpc->in.gaps, 250, 300, &from, &to);
	progress(rpc);
	KUNIT_EXPECT_EQ(test, resends, 0);
	local_bh_enable();
	msleep(100);
	KUNIT_EXPECT_EQ(test, resends, 2);	/* 0-100 and 200-250 */
	KUNIT_EXPECT_EQ(test, asked_from, 200);
	KUNIT_EXPECT_EQ(test, asked_len, 50);
	KUNIT_EXPECT_EQ(test, rpc->silence.nr_mute, 0);
	homa_gaps_free(&rpc->in.gaps);
	finish(test, rpc);
}

/* A server hears no answers, so it learns from what a GRANT or a question brought. */
static void learns_from_what_it_caused(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_INCOMING);
	const struct homa_rtt *rtt = &rpc->peer->rtt;
	u32 from, to;

	rpc->in.length = 1000;
	rpc->grant.unasked = 100;
	rpc->grant.granted = 100;
	spin_lock_bh(&rpc->lock);
	rpc->grant.granted = 500;
	homa_timer_granted(rpc);
	homa_gaps_add(&rpc->in.gaps, 0, 100, &from, &to);
	homa_timer_progress(rpc);
	KUNIT_EXPECT_EQ(test, homa_rtt_least(rtt), 0);	/* that came without it */
	homa_timer_granted(rpc);
	homa_gaps_add(&rpc->in.gaps, 100, 200, &from, &to);
	homa_timer_progress(rpc);
	KUNIT_EXPECT_GT(test, homa_rtt_least(rtt), 0);
	rpc->peer->rtt = (struct homa_rtt){ };
	rpc->silence.nr_mute = 2;
	homa_timer_repeated(rpc);
	KUNIT_EXPECT_EQ(test, homa_rtt_least(rtt), 0);	/* to which of the two? */
	rpc->silence.nr_mute = 1;
	homa_timer_repeated(rpc);
	KUNIT_EXPECT_GT(test, homa_rtt_least(rtt), 0);
	homa_timer_stop(rpc);
	spin_unlock_bh(&rpc->lock);
	homa_gaps_free(&rpc->in.gaps);
	finish(test, rpc);
}

/* Bytes that others may be in front of are given more time than bytes that are alone. */
static void patient_among_rivals(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_INCOMING);
	u64 alone, gap_alone;
	u32 from, to;

	rpc->in.length = 1000;
	rpc->grant.granted = 1000;
	homa_rtt_add_bound(&rpc->peer->rtt, 100 * US, jiffies);
	homa_gaps_add(&rpc->in.gaps, 100, 200, &from, &to);
	spin_lock_bh(&rpc->lock);
	alone = first_pause(rpc, HOMA_WAIT_DATA);
	look_at_gaps(rpc, 0);
	gap_alone = rpc->silence.gap_due;
	rpc->silence.gap_due = 0;
	has_rivals = true;
	KUNIT_EXPECT_EQ(test, first_pause(rpc, HOMA_WAIT_DATA), RIVALS * alone);
	KUNIT_EXPECT_EQ(test, first_pause(rpc, HOMA_WAIT_ANSWER), 5 * MS);
	look_at_gaps(rpc, 0);
	KUNIT_EXPECT_EQ(test, rpc->silence.gap_due, RIVALS * gap_alone);
	has_rivals = false;
	homa_timer_stop(rpc);
	spin_unlock_bh(&rpc->lock);
	homa_gaps_free(&rpc->in.gaps);
	finish(test, rpc);
}

/* Many that wait for different times: each is asked about at its time, none is forgotten. */
static void many(struct kunit *test)
{
	enum { N = 500 };
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);
	struct homa_rpc *rpcs = kunit_kcalloc(test, N, sizeof(*rpcs), GFP_KERNEL);
	int i, on = 0;

	KUNIT_ASSERT_NOT_NULL(test, rpcs);
	rpc->net->knobs.timeout_ticks = 600000;
	for (i = 0; i < N; i++) {
		rpcs[i] = *rpc;
		refcount_set(&rpcs[i].refs, 100);
		spin_lock_init(&rpcs[i].lock);
		homa_gaps_init(&rpcs[i].in.gaps);
		spin_lock_bh(&rpcs[i].lock);
		homa_wait_until(&rpcs[i], ktime_get_ns(), (i * 7919 % 20000) * US);
		spin_unlock_bh(&rpcs[i].lock);
		rpcs[i].silence.since = ktime_get_ns();
	}
	for (i = 0; i < N; i += 3) {
		spin_lock_bh(&rpcs[i].lock);
		homa_timer_stop(&rpcs[i]);
		rpcs[i].state = HOMA_DEAD;	/* what comes too late finds that out */
		rpcs[i].silence.nr_mute = 0;	/* its time may have come before */
		spin_unlock_bh(&rpcs[i].lock);
	}
	msleep(200);
	for (i = 0; i < N; i++) {
		bool stopped = i % 3 == 0;

		KUNIT_EXPECT_EQ(test, rpcs[i].silence.nr_mute > 0, !stopped);
		on += homa_wait_is_on(&rpcs[i].wait);
		spin_lock_bh(&rpcs[i].lock);
		homa_timer_stop(&rpcs[i]);
		spin_unlock_bh(&rpcs[i].lock);
		KUNIT_EXPECT_EQ(test, refcount_read(&rpcs[i].refs), 100);
	}
	KUNIT_EXPECT_EQ(test, on, N - DIV_ROUND_UP(N, 3));
	finish(test, rpc);
}

static void wait_from(struct homa_rpc *rpc, u64 now, u64 delay)
{
	spin_lock(&rpc->lock);
	homa_wait_until(rpc, now, delay);
	spin_unlock(&rpc->lock);
}

/* Nobody looks at those in the list before the first of them may be due. */
static void young_for_the_shortest_wait(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);
	struct homa_rpc *later = kunit_kzalloc(test, sizeof(*later), GFP_KERNEL);
	u64 now = ktime_get_ns() + 60 * NSEC_PER_SEC;
	struct homa_waits *waits;

	KUNIT_ASSERT_NOT_NULL(test, later);
	later->net = rpc->net;
	spin_lock_init(&later->lock);
	local_bh_disable();
	waits = this_cpu_ptr(rpc->net->waits);
	wait_from(rpc, now, 10000 * US);
	KUNIT_EXPECT_EQ(test, waits->next, now + 10000 * US);
	wait_from(later, now + 1000 * US, 4000 * US);
	KUNIT_EXPECT_EQ(test, waits->next, now + 5000 * US);
	spin_lock(&waits->lock);
	KUNIT_EXPECT_EQ(test, grow_up(waits, now + 4000 * US - 1), now + 4000 * US);
	KUNIT_EXPECT_TRUE(test, rpc->wait.is_young);
	KUNIT_EXPECT_EQ(test, grow_up(waits, now + 4000 * US), now + 5000 * US);
	KUNIT_EXPECT_FALSE(test, rpc->wait.is_young);
	KUNIT_EXPECT_TRUE(test, later->wait.is_young);
	spin_unlock(&waits->lock);
	spin_lock(&later->lock);
	homa_timer_stop(later);
	spin_unlock(&later->lock);
	local_bh_enable();
	finish(test, rpc);
}

/* On another CPU, since its own was off: a wait that began meanwhile on its own has an earlier time. */
static void armed_for_the_earlier(struct kunit *test)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);
	u64 now = ktime_get_ns();
	struct homa_waits *waits;

	KUNIT_ASSERT_NOT_NULL(test, hn);
	KUNIT_ASSERT_EQ(test, homa_waits_net_init(hn), 0);
	local_bh_disable();
	waits = this_cpu_ptr(hn->waits);
	waits->next = now + 60 * NSEC_PER_SEC;
	arm(waits, now + 90 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(hrtimer_get_expires(&waits->timer)),
			(s64)(now + 60 * NSEC_PER_SEC));
	local_bh_enable();
	homa_waits_net_exit(hn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(table),
	KUNIT_CASE(silent_server),
	KUNIT_CASE(silent_client),
	KUNIT_CASE(patient_server),
	KUNIT_CASE(busy_server_is_not_given_up),
	KUNIT_CASE(we_stood_still),
	KUNIT_CASE(off_while_we_hold_the_sender),
	KUNIT_CASE(asks_for_each_gap),
	KUNIT_CASE(learns_from_what_it_caused),
	KUNIT_CASE(patient_among_rivals),
	KUNIT_CASE(many),
	KUNIT_CASE(young_for_the_shortest_wait),
	KUNIT_CASE(armed_for_the_earlier),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_timer",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
