// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages that wait for room: the shortest goes on first, of equal ones the one that came first; of
 * requests only so many wait, of responses as many as our own programs have asked for.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/stall.c"

#define MANY		3000

unsigned int homa_net_id;
static u32 room, nr_begun;
static struct homa_rpc *begun[MANY];

bool homa_rmem_promise_long(struct homa_rpc *rpc)
{
	return true;
}

bool homa_rmem_kept(struct homa_rpc *rpc, u32 bytes)
{
	return true;
}

int homa_pool_alloc(struct homa_pool *pool, u32 length, u32 offsets[HOMA_MAX_BPAGES], u32 *nr)
{
	if (!room)
		return -ENOMEM;
	room--;
	return 0;
}

void homa_grant_begin(struct homa_rpc *rpc, int ifindex, u32 length, u32 incoming)
{
	begun[nr_begun++] = rpc;
}

struct homa_path homa_rpc_path(const struct homa_rpc *rpc)
{
	return (struct homa_path){};
}

void homa_queue_resend(struct sk_buff_head *queue, const struct homa_path *path, u32 offset,
		       u32 length)
{
}

void homa_timer_start(struct homa_rpc *rpc)
{
}

void homa_flush(struct homa_net *hn, struct sk_buff_head *queue)
{
}

void homa_rpc_put(struct homa_rpc *rpc)
{
	refcount_dec(&rpc->refs);
}

static bool stall(struct homa_rpc *rpc)
{
	bool ok;

	spin_lock_bh(&rpc->lock);
	ok = homa_stall(rpc);
	spin_unlock_bh(&rpc->lock);
	return ok;
}

/* RPCs of a socket of their own. */
static struct homa_rpc *make(struct kunit *test, u64 first_id)
{
	struct homa_sock *hsk = kunit_kzalloc(test, sizeof(*hsk), GFP_KERNEL);
	struct homa_rpc *rpcs = kvcalloc(MANY, sizeof(*rpcs), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, hsk);
	KUNIT_ASSERT_NOT_NULL(test, rpcs);
	spin_lock_init(&hsk->lock);
	hsk->stalled = RB_ROOT_CACHED;
	hsk->pool = (struct homa_pool *)hsk;	/* only looked at by the stub */
	for (i = 0; i < MANY; i++) {
		rpcs[i].id = first_id + 2 * i;
		rpcs[i].hsk = hsk;
		rpcs[i].in.length = 1 + (i * 7919 % 100) * 97;
		spin_lock_init(&rpcs[i].lock);
		refcount_set(&rpcs[i].refs, 1);
		RB_CLEAR_NODE(&rpcs[i].in_stalled);
	}
	room = 0;
	nr_begun = 0;
	return rpcs;
}

static void shortest_first(struct kunit *test)
{
	struct homa_rpc *rpcs = make(test, 2);
	struct homa_sock *hsk = rpcs->hsk;
	u32 i, wrong = 0;

	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_TRUE(test, stall(&rpcs[i]));
	homa_unstall(hsk);
	KUNIT_EXPECT_EQ(test, nr_begun, 0u);
	room = MANY - 1;
	homa_unstall(hsk);
	KUNIT_EXPECT_EQ(test, nr_begun, (u32)MANY - 1);
	KUNIT_EXPECT_EQ(test, hsk->nr_stalled, 1u);
	room = 1;
	homa_unstall(hsk);
	KUNIT_EXPECT_EQ(test, nr_begun, (u32)MANY);
	KUNIT_EXPECT_EQ(test, hsk->nr_stalled, 0u);
	for (i = 0; i < MANY; i++) {
		if (i)
			wrong += begun[i]->in.length < begun[i - 1]->in.length ||
				 (begun[i]->in.length == begun[i - 1]->in.length &&
				  begun[i] < begun[i - 1]);
		wrong += refcount_read(&begun[i]->refs) != 1;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	kvfree(rpcs);
}

static void requests_are_limited(struct kunit *test)
{
	struct homa_rpc *rpcs = make(test, 3);
	struct homa_sock *hsk = rpcs->hsk;
	u32 i, nr = 0;

	for (i = 0; i < MANY; i++)
		nr += stall(&rpcs[i]);
	KUNIT_EXPECT_EQ(test, nr, (u32)STALLED_MAX);
	KUNIT_EXPECT_EQ(test, hsk->nr_stalled, (u32)STALLED_MAX);
	rpcs[MANY - 1].id = 2;
	KUNIT_EXPECT_TRUE(test, stall(&rpcs[MANY - 1]));
	kvfree(rpcs);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(shortest_first),
	KUNIT_CASE(requests_are_limited),
	{}
};

static struct kunit_suite suite = { .name = "homa_stall", .test_cases = cases };
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
