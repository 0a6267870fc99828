// SPDX-License-Identifier: GPL-2.0
/*
 * rmem.c - memory of packets that were received and not yet handed out, charged to their socket.
 *
 * A packet counts with all memory that it holds (truesize), from being queued at its RPC until
 * recvmsg has copied the message or the RPC is freed: sk_rmem_alloc is the sum. Pages for it are
 * drawn from the kernel's account of socket memory, and so from the control group's, in quanta ahead
 * (hsk->drawn is their sum), so that a short message touches the sum and nothing else.
 *
 * What is held ends at SO_RCVBUF (rmem_max to begin with), at the limit of all sockets together
 * (as UDP's, by the size of memory), and at what the control group has. A packet beyond is dropped,
 * and its RPC stays alive and asks for it again. So that something always ends, one message of a socket
 * at a time may go beyond: the first that meets a limit, until its packets are freed. No other begins
 * meanwhile: they wait as those for which the pool has no room (stall.c).
 *
 * Memory full of parts of messages would be used badly. So a long message begins only if there is room
 * for all of it beside what is held, and what is still to come of others: twice its bytes, since
 * packets take more. Where the group or the system says no first, that much counts as the limit for
 * a while.
 *
 * The account goes by sk_forward_alloc. Programs change that too, with lock_sock() (SO_RESERVE_MEM), and
 * have all of it taken back that is not in use as the kernel's protocols mark it. So nothing of ours stays
 * there, and it is touched only when nobody has that lock: with a spinlock held we can't wait for it.
 * Meanwhile a little is held before it is drawn; who needs more has met a limit, but not that of memory.
 *
 * Lock: hsk->lock, for what it guards in struct homa_sock; what charges looks without. In it, the
 * spinlock of lock_sock().
 */
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page_counter.h>

#include "net.h"
#include "rmem.h"
#include "stall.h"

atomic_long_t homa_rmem_allocated;
DEFINE_PER_CPU(int, homa_rmem_fw_alloc);
long homa_rmem_limits[3];		/* pages: no pressure below, pressure, most */
int homa_rmem_least[1] = { SZ_4K };	/* bytes that a socket may always hold */

void homa_rmem_init(void)
{
	long eighth = max_t(long, totalram_pages() / 8, 128);

	homa_rmem_limits[0] = eighth / 4 * 3;
	homa_rmem_limits[1] = eighth;
	homa_rmem_limits[2] = homa_rmem_limits[0] * 2;
}

void homa_rmem_sock_init(struct homa_sock *hsk)
{
	homa_to_sk(hsk)->sk_rcvbuf = homa_knob(hsk->net, rmem_max);
	hsk->spare_max = HOMA_RMEM_SPARE;
	hsk->ceiling = SZ_1G;
}

#ifdef CONFIG_MEMCG

/* Charges made in softirq, which cannot wait, may exceed a group's maximum, so we must look. Caches
 * of files may well fill a group to its maximum, and will make room: hence an eighth more.
 */
static bool is_group_full(const struct sock *sk)
{
	struct mem_cgroup *group = mem_cgroup_sockets_enabled ? sk->sk_memcg : NULL;

	for (; group; group = parent_mem_cgroup(group)) {
		unsigned long max = READ_ONCE(group->memory.max);

		if (page_counter_read(&group->memory) > max + max / 8)
			return true;
	}
	return false;
}

#else

static bool is_group_full(const struct sock *sk)
{
	return false;
}

#endif

static void change_forward_alloc(struct sock *sk, int bytes)
{
	WRITE_ONCE(sk->sk_forward_alloc, sk->sk_forward_alloc + bytes);
}

/* 0, -ENOMEM, or -EBUSY: somebody has the socket's lock. */
static int draw_pages(struct homa_sock *hsk, int bytes)
{
	struct sock *sk = homa_to_sk(hsk);
	int err = 0;

	lockdep_assert_held(&hsk->lock);
	bh_lock_sock(sk);
	if (sock_owned_by_user(sk)) {
		err = -EBUSY;
	} else if (!__sk_mem_schedule(sk, bytes, SK_MEM_RECV)) {
		err = -ENOMEM;
	} else {
		change_forward_alloc(sk, -bytes);
		WRITE_ONCE(hsk->drawn, hsk->drawn + bytes);
	}
	bh_unlock_sock(sk);
	return err;
}

/* If somebody has the socket's lock, the next to be given back takes these along. */
static void return_pages(struct homa_sock *hsk, int bytes)
{
	struct sock *sk = homa_to_sk(hsk);

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		change_forward_alloc(sk, bytes);
		__sk_mem_reclaim(sk, bytes);
		WRITE_ONCE(hsk->drawn, hsk->drawn - bytes);
	}
	bh_unlock_sock(sk);
}

void homa_rmem_sock_exit(struct homa_sock *hsk)
{
	local_bh_disable();
	return_pages(hsk, hsk->drawn);
	local_bh_enable();
}

static bool draw(struct homa_sock *hsk, int held)
{
	struct sock *sk = homa_to_sk(hsk);
	int err = -ENOMEM, more = held - hsk->drawn;

	if (more <= 0)			/* another CPU was faster */
		return true;
	if (held > homa_rmem_max(sk))
		return false;
	if (!is_group_full(sk))
		err = draw_pages(hsk, round_up(more, HOMA_RMEM_QUANTUM));
	/* Whoever has the lock may sleep with it, so this must have an end; the next one draws for all. */
	if (err == -EBUSY)
		return more <= HOMA_RMEM_SPARE;
	if (err)
		hsk->ceiling = max(held, HOMA_MAX_MESSAGE_LENGTH);
	return !err;
}

static int bytes_promised(u32 bytes)
{
	return 2 * bytes;
}

bool homa_rmem_promise_long(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	struct sock *sk = homa_to_sk(hsk);
	int more = bytes_promised(rpc->in.length), max;
	bool ok;

	lockdep_assert_held(&rpc->lock);
	spin_lock_bh(&hsk->lock);
	max = min(homa_rmem_max(sk), hsk->ceiling);
	ok = !hsk->promised ||
	     (s64)atomic_read(&sk->sk_rmem_alloc) + hsk->promised + more <= max;
	if (ok) {
		hsk->promised += more;
		rpc->in.promised = more;
	}
	spin_unlock_bh(&hsk->lock);
	return ok;
}

bool homa_rmem_kept(struct homa_rpc *rpc, u32 bytes)
{
	struct homa_sock *hsk = rpc->hsk;
	int less = min(bytes_promised(bytes), rpc->in.promised);

	spin_lock_bh(&hsk->lock);
	hsk->promised -= less;
	spin_unlock_bh(&hsk->lock);
	rpc->in.promised -= less;
	return !rpc->in.promised;
}

/* Whose packets are freed comes here while there is one. */
static void set_beyond(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	WRITE_ONCE(hsk->beyond, rpc);
	WRITE_ONCE(hsk->spare_max, rpc ? INT_MIN : HOMA_RMEM_SPARE);
}

bool homa_rmem_draw(struct homa_rpc *rpc, int held)
{
	struct homa_sock *hsk = rpc->hsk;
	bool ok;

	lockdep_assert_held(&rpc->lock);
	spin_lock_bh(&hsk->lock);
	ok = draw(hsk, held);
	if (!ok && !hsk->beyond)
		set_beyond(hsk, rpc);
	ok = ok || hsk->beyond == rpc;
	spin_unlock_bh(&hsk->lock);
	return ok;
}

void homa_rmem_give_back(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	int spare;

	spin_lock_bh(&hsk->lock);
	spare = hsk->drawn - atomic_read(&homa_to_sk(hsk)->sk_rmem_alloc);
	if (spare > HOMA_RMEM_SPARE)
		return_pages(hsk, round_down(spare - HOMA_RMEM_QUANTUM, PAGE_SIZE));
	if (hsk->beyond == rpc)
		set_beyond(hsk, NULL);
	/* Long messages come here, so some of them later it is as if nobody had said no. */
	hsk->ceiling = min(hsk->ceiling + hsk->ceiling / 32, SZ_1G);
	spin_unlock_bh(&hsk->lock);
	homa_unstall(hsk);
}
