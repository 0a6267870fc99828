// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is done after which silence: homa_timer_decide() as a table, and an RPC whose peer never
 * answers, from the first question to the end, on the clock of the guest.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>
#include "../../module/gaps.c"
#include "../../module/timer.c"

unsigned int homa_net_id;
static int resends, need_acks, puts, ended, error;
static u32 asked_from, asked_len;

void homa_rpc_put(struct homa_rpc *rpc)
{
	puts++;
	refcount_dec(&rpc->refs);
}

void homa_rpc_complete(struct homa_rpc *rpc, int err)
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

u32 homa_peer_patience(const struct homa_peer *peer)
{
	return 0;
}

static void table(struct kunit *test)
{
	static const struct homa_timer_conf c = {
		.resend_ticks = 5, .resend_interval = 7, .request_ack_ticks = 2,
		.timeout_ticks = 1000,
	};
	static const struct {
		struct homa_timer_view v;
		enum homa_timer_do want;
		u32 delay;
	} t[] = {
		{ { HOMA_WAIT_NOTHING, 5000, 0, 0, 0 }, HOMA_TIMER_OFF },
		{ { HOMA_WAIT_DATA, 0, 0, 0, 0 }, HOMA_TIMER_WAIT, 5 },
		{ { HOMA_WAIT_DATA, 4, 0, 0, 0 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_DATA, 5, 0, 0, 0 }, HOMA_TIMER_ASK },
		{ { HOMA_WAIT_DATA, 5, 0, 0, 3 }, HOMA_TIMER_WAIT, 35 },	/* late peer */
		{ { HOMA_WAIT_DATA, 20, 1, 1, 0 }, HOMA_TIMER_WAIT, 6 },
		{ { HOMA_WAIT_DATA, 20, 7, 1, 0 }, HOMA_TIMER_ASK },
		{ { HOMA_WAIT_DATA, 0, 13, 2, 0 }, HOMA_TIMER_WAIT, 1 },	/* BUSY came */
		{ { HOMA_WAIT_DATA, 0, 14, 2, 0 }, HOMA_TIMER_ASK },
		{ { HOMA_WAIT_DATA, 0, 55, 9, 0 }, HOMA_TIMER_WAIT, 1 },	/* 7 * 8 */
		{ { HOMA_WAIT_DATA, 0, 99, 9, 6 }, HOMA_TIMER_WAIT, 1 },	/* timeout / 10 */
		{ { HOMA_WAIT_DATA, 999, 6, 1, 0 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_DATA, 1000, 1, 1, 0 }, HOMA_TIMER_GIVE_UP },
		{ { HOMA_WAIT_ACK, 1, 0, 0, 6 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_ACK, 2, 0, 0, 6 }, HOMA_TIMER_NEED_ACK },
		{ { HOMA_WAIT_ACK, 20, 3, 1, 0 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_ACK, 20, 4, 1, 0 }, HOMA_TIMER_NEED_ACK },
		{ { HOMA_WAIT_ACK, 20, 31, 99, 0 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_ACK, 1000, 31, 99, 0 }, HOMA_TIMER_GIVE_UP },
		{ { HOMA_WAIT_GRANT, 249, 0, 0, 0 }, HOMA_TIMER_WAIT, 1 },
		{ { HOMA_WAIT_GRANT, 250, 0, 0, 0 }, HOMA_TIMER_NEED_ACK },
	};
	u32 delay;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		delay = 0;
		KUNIT_EXPECT_EQ_MSG(test, homa_timer_decide(&t[i].v, &c, &delay), t[i].want,
				    "row %d", i);
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
					 .request_ack_ticks = 2, .timeout_ticks = 300 };
	hn->counters = alloc_percpu(struct homa_counters);
	KUNIT_ASSERT_NOT_NULL(test, hn->counters);
	rpc->net = hn;
	rpc->id = id;
	rpc->state = state;
	refcount_set(&rpc->refs, 100);
	spin_lock_init(&rpc->lock);
	homa_gaps_init(&rpc->in.gaps);
	homa_timer_init(rpc);
	resends = 0;
	need_acks = 0;
	puts = 0;
	ended = 0;
	error = 0;
	return rpc;
}

static void start(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_timer_start(rpc);
	spin_unlock_bh(&rpc->lock);
}

/* Every reference that a timer took came back. */
static void finish(struct kunit *test, struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_timer_stop(rpc);
	spin_unlock_bh(&rpc->lock);
	del_timer_sync(&rpc->timer);
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
	KUNIT_EXPECT_EQ(test, ended, 0);	/* a reader has to have the error first */
	KUNIT_EXPECT_FALSE(test, timer_pending(&rpc->timer));
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
	KUNIT_EXPECT_EQ(test, error, 0);
	finish(test, rpc);
}

static void busy_server_is_not_given_up(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 2, HOMA_OUTGOING);
	int i;

	start(rpc);
	for (i = 0; i < 12; i++) {
		msleep(50);
		spin_lock_bh(&rpc->lock);
		homa_timer_alive(rpc);
		spin_unlock_bh(&rpc->lock);
	}
	KUNIT_EXPECT_EQ(test, error, 0);
	KUNIT_EXPECT_GE(test, resends, 5);
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
	KUNIT_EXPECT_FALSE(test, timer_pending(&rpc->timer));	/* all that was granted is here */
	rpc->grant.granted = 500;
	rpc->in.stalled = true;
	start(rpc);
	KUNIT_EXPECT_FALSE(test, timer_pending(&rpc->timer));	/* no buffer */
	rpc->in.stalled = false;
	start(rpc);
	KUNIT_EXPECT_TRUE(test, timer_pending(&rpc->timer));
	msleep(100);
	KUNIT_EXPECT_GE(test, resends, 1);
	KUNIT_EXPECT_EQ(test, asked_from, 100);
	KUNIT_EXPECT_EQ(test, asked_len, 400);
	finish(test, rpc);
}

static void asks_for_each_gap(struct kunit *test)
{
	struct homa_rpc *rpc = make(test, 3, HOMA_INCOMING);
	u32 from, to;

	rpc->in.length = 1000;
	rpc->grant.granted = 300;
	homa_gaps_add(&rpc->in.gaps, 100, 200, &from, &to);
	homa_gaps_add(&rpc->in.gaps, 250, 300, &from, &to);
	rpc->net->knobs.resend_interval = 10000;
	rpc->net->knobs.timeout_ticks = 100000;
	start(rpc);
	msleep(100);
	KUNIT_EXPECT_EQ(test, resends, 2);	/* 0-100 and 200-250 */
	KUNIT_EXPECT_EQ(test, asked_from, 200);
	KUNIT_EXPECT_EQ(test, asked_len, 50);
	homa_gaps_free(&rpc->in.gaps);
	finish(test, rpc);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(table),
	KUNIT_CASE(silent_server),
	KUNIT_CASE(silent_client),
	KUNIT_CASE(busy_server_is_not_given_up),
	KUNIT_CASE(off_while_we_hold_the_sender),
	KUNIT_CASE(asks_for_each_gap),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_timer",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
