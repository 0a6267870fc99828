// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of received packets: drawn from the kernel's account in quanta, given back, ends at the
 * limits; one message may go beyond; long ones begin only if there is room for all of them. Nothing
 * is touched while a program has the socket's lock, and what it reserves stays its own.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/rmem.c"

#define MB	1000000

unsigned int homa_net_id;
static u32 unstalled;

void homa_unstall_now(struct homa_sock *hsk)
{
	unstalled++;
}

static struct proto proto = {
	.name = "rmem-test",
	HOMA_RMEM_PROTO
};

struct rig {
	struct homa_net hn;
	struct homa_sock *hsk;
	struct sock *sk;
	struct homa_rpc *rpc[4];
};

static struct rig *make(struct kunit *test, int rcvbuf)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->hsk = kunit_kzalloc(test, sizeof(*rig->hsk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig->hsk);
	rig->sk = homa_to_sk(rig->hsk);
	rig->sk->sk_prot = &proto;
	spin_lock_init(&rig->sk->sk_lock.slock);
	spin_lock_init(&rig->hsk->lock);
	rig->hsk->net = &rig->hn;
	rig->hsk->nr_stalled = 1;
	rig->hn.knobs.rmem_max = rcvbuf;
	homa_rmem_init();
	homa_rmem_sock_init(rig->hsk);
	for (i = 0; i < ARRAY_SIZE(rig->rpc); i++) {
		rig->rpc[i] = kunit_kzalloc(test, sizeof(*rig->rpc[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, rig->rpc[i]);
		rig->rpc[i]->hsk = rig->hsk;
		spin_lock_init(&rig->rpc[i]->lock);
	}
	unstalled = 0;
	return rig;
}

/* The account is kept by the CPU, and told to all in steps. */
static long account(void)
{
	long pages = atomic_long_read(&homa_rmem_allocated);
	int cpu;

	for_each_possible_cpu(cpu)
		pages += per_cpu(homa_rmem_fw_alloc, cpu);
	return pages << PAGE_SHIFT;
}

static void unmake(struct kunit *test, struct rig *rig)
{
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->sk->sk_rmem_alloc), 0);
	homa_rmem_sock_exit(rig->hsk);
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, 0);
	KUNIT_EXPECT_EQ(test, account(), 0);
}

static bool charge(struct rig *rig, int i, u32 bytes)
{
	bool ok;

	spin_lock_bh(&rig->rpc[i]->lock);
	ok = homa_rmem_charge(rig->rpc[i], bytes);
	spin_unlock_bh(&rig->rpc[i]->lock);
	return ok;
}

static void cancel(struct rig *rig, int i, u32 bytes)
{
	spin_lock_bh(&rig->rpc[i]->lock);
	homa_rmem_cancel(rig->rpc[i], bytes);
	spin_unlock_bh(&rig->rpc[i]->lock);
}

static bool promise(struct rig *rig, int i, u32 length)
{
	bool ok;

	spin_lock_bh(&rig->rpc[i]->lock);
	rig->rpc[i]->in.length = length;
	ok = homa_rmem_promise(rig->rpc[i]);
	spin_unlock_bh(&rig->rpc[i]->lock);
	return ok;
}

static bool keep(struct rig *rig, int i, u32 bytes)
{
	bool last;

	spin_lock_bh(&rig->rpc[i]->lock);
	last = homa_rmem_keep_promise(rig->rpc[i], bytes);
	spin_unlock_bh(&rig->rpc[i]->lock);
	return last;
}

static void quanta(struct kunit *test)
{
	struct rig *rig = make(test, 10 * MB);
	int i;

	KUNIT_EXPECT_TRUE(test, charge(rig, 0, 1));
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_EQ(test, account(), HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_TRUE(test, charge(rig, 0, HOMA_RMEM_QUANTUM - 1));
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, 1));
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, 2 * HOMA_RMEM_QUANTUM);
	cancel(rig, 1, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->sk->sk_rmem_alloc), HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_EQ(test, rig->rpc[1]->in.kept, 0);
	/* What a socket may keep, it keeps. */
	homa_rmem_uncharge(rig->rpc[0]);
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, HOMA_RMEM_SPARE);
	KUNIT_EXPECT_EQ(test, unstalled, 0);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_TRUE(test, charge(rig, 0, HOMA_RMEM_QUANTUM));
	KUNIT_EXPECT_EQ(test, account(), 20 * HOMA_RMEM_QUANTUM);
	homa_rmem_uncharge(rig->rpc[0]);
	KUNIT_EXPECT_LE(test, account(), HOMA_RMEM_SPARE);
	KUNIT_EXPECT_EQ(test, unstalled, 1);
	unmake(test, rig);
}

static void beyond(struct kunit *test)
{
	struct rig *rig = make(test, MB);

	KUNIT_EXPECT_TRUE(test, charge(rig, 0, MB));
	/* The first that meets the limit may go on, no other; and none begins meanwhile. */
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, 1000));
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, MB));
	KUNIT_EXPECT_FALSE(test, charge(rig, 2, HOMA_RMEM_QUANTUM));
	KUNIT_EXPECT_EQ(test, rig->rpc[2]->in.kept, 0);
	KUNIT_EXPECT_FALSE(test, promise(rig, 2, 100));
	KUNIT_EXPECT_LE(test, account(), MB + HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->sk->sk_rmem_alloc), 2 * MB + 1000);
	homa_rmem_uncharge(rig->rpc[1]);
	KUNIT_EXPECT_EQ(test, unstalled, 1);
	KUNIT_EXPECT_TRUE(test, promise(rig, 2, 100));
	homa_rmem_uncharge(rig->rpc[0]);
	KUNIT_EXPECT_TRUE(test, charge(rig, 2, HOMA_RMEM_QUANTUM));
	homa_rmem_uncharge(rig->rpc[2]);
	unmake(test, rig);
}

/* One that keeps nothing could not be seen to end. */
static void beyond_keeps_something(struct kunit *test)
{
	struct rig *rig = make(test, MB);

	KUNIT_EXPECT_TRUE(test, charge(rig, 0, MB));
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, HOMA_RMEM_QUANTUM));
	cancel(rig, 1, HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_NE(test, rig->rpc[1]->in.kept, 0);
	homa_rmem_uncharge(rig->rpc[1]);
	KUNIT_EXPECT_PTR_EQ(test, rig->hsk->beyond, NULL);
	homa_rmem_uncharge(rig->rpc[0]);
	unmake(test, rig);
}

static void promises(struct kunit *test)
{
	struct rig *rig = make(test, 3 * MB);

	KUNIT_EXPECT_TRUE(test, promise(rig, 0, MB));
	KUNIT_EXPECT_EQ(test, rig->hsk->promised, 2 * MB);
	KUNIT_EXPECT_FALSE(test, promise(rig, 1, MB));
	KUNIT_EXPECT_TRUE(test, promise(rig, 1, MB / 4));
	KUNIT_EXPECT_TRUE(test, promise(rig, 2, 1000));
	KUNIT_EXPECT_EQ(test, rig->rpc[2]->in.promised, 0);
	KUNIT_EXPECT_TRUE(test, charge(rig, 0, MB));
	KUNIT_EXPECT_FALSE(test, keep(rig, 0, MB / 2));
	KUNIT_EXPECT_EQ(test, rig->hsk->promised, MB + MB / 2);
	/* All of it is here: who waits may look whether there is room now. */
	KUNIT_EXPECT_TRUE(test, keep(rig, 0, MB / 2));
	KUNIT_EXPECT_EQ(test, rig->hsk->promised, MB / 2);
	KUNIT_EXPECT_FALSE(test, keep(rig, 0, MB / 2));
	KUNIT_EXPECT_FALSE(test, promise(rig, 3, MB));
	KUNIT_EXPECT_TRUE(test, keep(rig, 1, MB / 4));
	/* With nothing promised, one may always begin. */
	KUNIT_EXPECT_TRUE(test, promise(rig, 3, MB));
	KUNIT_EXPECT_TRUE(test, keep(rig, 3, MB));
	KUNIT_EXPECT_EQ(test, rig->hsk->promised, 0);
	homa_rmem_uncharge(rig->rpc[0]);
	unmake(test, rig);
}

/* The system says no: for a while that is the limit for what begins. */
static void system_limit(struct kunit *test)
{
	struct rig *rig = make(test, 100 * MB);
	int i;

	for (i = 0; i < ARRAY_SIZE(homa_rmem_limits); i++)
		homa_rmem_limits[i] = 8 * MB >> PAGE_SHIFT;
	for (i = 0; i < 100 && !rig->hsk->beyond; i++)
		KUNIT_EXPECT_TRUE(test, charge(rig, 0, MB / 2));
	KUNIT_EXPECT_LE(test, account(), 8 * MB + MB);
	KUNIT_EXPECT_GT(test, account(), 6 * MB);
	KUNIT_EXPECT_FALSE(test, charge(rig, 1, MB));
	KUNIT_EXPECT_LE(test, rig->hsk->ceiling, 10 * MB);
	homa_rmem_uncharge(rig->rpc[0]);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, promise(rig, i, 2 * MB), i < 2);
	for (i = 0; i < 4; i++)
		keep(rig, i, 2 * MB);
	/* As messages go, so does that. */
	for (i = 0; i < 200; i++) {
		KUNIT_EXPECT_TRUE(test, charge(rig, 0, MB));
		homa_rmem_uncharge(rig->rpc[0]);
	}
	KUNIT_EXPECT_EQ(test, rig->hsk->ceiling, SZ_1G);
	unmake(test, rig);
}

/* As in SO_RESERVE_MEM: the program's pages are not ours, ours are not the program's. */
static void locked_by_program(struct kunit *test)
{
	struct rig *rig = make(test, 10 * MB);
	int drawn;

	KUNIT_EXPECT_TRUE(test, charge(rig, 0, HOMA_RMEM_QUANTUM * 10));
	KUNIT_EXPECT_EQ(test, rig->sk->sk_forward_alloc, 0);
	drawn = rig->hsk->drawn;
	rig->sk->sk_lock.owned = 1;
	rig->sk->sk_forward_alloc = PAGE_SIZE;
	KUNIT_EXPECT_TRUE(test, charge(rig, 2, HOMA_RMEM_SPARE));	/* that much is no matter */
	KUNIT_EXPECT_TRUE(test, promise(rig, 3, MB));
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, MB));	/* beyond, on no account */
	KUNIT_EXPECT_FALSE(test, charge(rig, 2, MB));
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, drawn);
	KUNIT_EXPECT_EQ(test, rig->hsk->ceiling, SZ_1G);	/* memory there was */
	homa_rmem_uncharge(rig->rpc[0]);
	KUNIT_EXPECT_EQ(test, rig->hsk->drawn, drawn);
	KUNIT_EXPECT_EQ(test, rig->sk->sk_forward_alloc, (int)PAGE_SIZE);
	rig->sk->sk_lock.owned = 0;
	homa_rmem_uncharge(rig->rpc[1]);
	KUNIT_EXPECT_LE(test, rig->hsk->drawn, 2 * HOMA_RMEM_SPARE);
	KUNIT_EXPECT_EQ(test, rig->sk->sk_forward_alloc, (int)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, account(), rig->hsk->drawn);
	homa_rmem_uncharge(rig->rpc[2]);
	keep(rig, 3, MB);
	unmake(test, rig);
}

/* What was held before it was drawn is drawn with the next. */
static void drawn_afterwards(struct kunit *test)
{
	struct rig *rig = make(test, 10 * MB);

	rig->sk->sk_lock.owned = 1;
	KUNIT_EXPECT_TRUE(test, charge(rig, 0, HOMA_RMEM_QUANTUM));
	KUNIT_EXPECT_EQ(test, account(), 0);
	rig->sk->sk_lock.owned = 0;
	KUNIT_EXPECT_TRUE(test, charge(rig, 1, 1));
	KUNIT_EXPECT_EQ(test, account(), 2 * HOMA_RMEM_QUANTUM);
	KUNIT_EXPECT_PTR_EQ(test, rig->hsk->beyond, NULL);
	homa_rmem_uncharge(rig->rpc[0]);
	homa_rmem_uncharge(rig->rpc[1]);
	unmake(test, rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(quanta),
	KUNIT_CASE(beyond),
	KUNIT_CASE(beyond_keeps_something),
	KUNIT_CASE(promises),
	KUNIT_CASE(system_limit),
	KUNIT_CASE(locked_by_program),
	KUNIT_CASE(drawn_afterwards),
	{}
};

static struct kunit_suite suite = { .name = "homa_rmem", .test_cases = cases };
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
