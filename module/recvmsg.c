// SPDX-License-Identifier: GPL-2.0
/*
 * recvmsg.c - hands out messages, in the context of the calling program (or an io_uring worker).
 *
 * The argument block is in user memory, at msg_control. It is written back whenever the buffer
 * pages in it were taken, also with EAGAIN and EINTR, so a repetition does not give them back twice.
 * Message bytes are copied here, from the packets to the region that the program has given.
 */
#include <linux/uio.h>
#include <linux/wait.h>

#include "addr.h"
#include "calls.h"
#include "held.h"
#include "peer.h"
#include "pool.h"
#include "ready.h"
#include "rmem.h"
#include "rpc.h"
#include "stall.h"
#include "turns.h"

/* 1: the caller has it; 0: not complete; -EINVAL: another thread has it, or it is gone. */
static int take_private(struct homa_rpc *rpc)
{
	int ret;

	spin_lock_bh(&rpc->lock);
	if (rpc->is_taken || rpc->state == HOMA_DEAD)
		ret = -EINVAL;
	else
		ret = rpc->is_complete;
	if (ret > 0)
		rpc->is_taken = true;
	spin_unlock_bh(&rpc->lock);
	return ret;
}

static struct homa_rpc *wait_private(struct homa_sock *hsk, u64 id, long timeo)
{
	struct homa_rpc *rpc = id & 1 ? NULL : homa_rpc_find(hsk, id, NULL);
	int ret;

	if (!rpc)
		return ERR_PTR(homa_fail(hsk, -EINVAL, "recvmsg: id names no private RPC"));
	ret = rpc->is_private ? take_private(rpc) : -EINVAL;
	if (!ret && timeo)
		timeo = wait_event_interruptible_timeout(hsk->private_wait,
							 (ret = take_private(rpc)), timeo);
	if (ret > 0)
		return rpc;
	homa_rpc_put(rpc);
	if (READ_ONCE(hsk->is_shutdown))
		return ERR_PTR(-ESHUTDOWN);
	if (ret < 0)
		return ERR_PTR(ret);
	return ERR_PTR(timeo < 0 ? -EINTR : -EAGAIN);
}

static int copy_piece(const struct sk_buff *skb, u32 offset, u32 n, u64 to)
{
	struct iov_iter iter;
	int err;

	/* Short messages; without a second look at where the memory ends, which costs more than the copy. */
	if (offset + n <= skb_headlen(skb))
		return _copy_to_user(u64_to_user_ptr(to), skb->data + offset, n) ? -EFAULT : 0;
	err = import_ubuf(ITER_DEST, u64_to_user_ptr(to), n, &iter);
	return err ?: skb_copy_datagram_iter(skb, offset, &iter, n);
}

static int copy_bytes(const struct homa_rpc *rpc, const struct sk_buff *skb, u64 region)
{
	const struct homa_skb_range *range = (const struct homa_skb_range *)skb->cb;
	u32 done = 0;

	while (done < range->len) {
		u32 pos = range->start + done;
		u32 in_page = pos & (HOMA_BPAGE_SIZE - 1);
		u32 n = min_t(u32, range->len - done, HOMA_BPAGE_SIZE - in_page);
		u64 to = region + rpc->in.bpage_offsets[pos >> HOMA_BPAGE_SHIFT] + in_page;
		int err = copy_piece(skb, range->skip + done, n, to);

		if (err)
			return err;
		done += n;
	}
	return 0;
}

/* The RPC is complete, so nobody adds packets any more and no lock is needed to read them. */
static int copy_message(struct homa_sock *hsk, const struct homa_rpc *rpc,
			struct homa_recvmsg_args *args)
{
	u64 region = homa_pool_start(hsk->pool);
	const struct sk_buff *skb;
	int err = 0;
	u32 i;

	skb_queue_walk(&rpc->in.packets, skb) {
		if (rpc->done.is_long)
			homa_turns_pass(skb->len);
		err = copy_bytes(rpc, skb, region);
		if (err)
			break;
	}
	if (rpc->done.is_long)
		homa_turns_leave();
	if (err)
		return err;
	args->num_bpages = rpc->in.nr_bpages;
	for (i = 0; i < rpc->in.nr_bpages; i++)		/* one, mostly */
		args->bpage_offsets[i] = rpc->in.bpage_offsets[i];
	return 0;
}

/* As little as copying does this need a lock. Of a short message there is only one: it goes to where
 * the next to be sent is taken from. Leaves bottom halves off, for what is done with the RPC next.
 */
static void free_packets_bh(struct homa_rpc *rpc)
{
	struct sk_buff *skb = __skb_dequeue(&rpc->in.packets);

	__skb_queue_purge(&rpc->in.packets);
	local_bh_disable();
	if (!skb)
		return;
	napi_consume_skb(skb, 1);
	homa_rmem_uncharge(rpc);
}

/* The pages are the program's from now on. */
static bool hand_response(struct homa_rpc *rpc)
{
	rpc->in.nr_bpages = 0;
	homa_rpc_finish_client(rpc);
	homa_count(rpc->net, client_responses_done);
	homa_count_add(rpc->net, client_response_bytes_done, rpc->in.length);
	return true;
}

/* False: the client has given it up meanwhile. */
static bool hand_request(struct homa_rpc *rpc)
{
	bool handed = false;

	spin_lock(&rpc->lock);
	if (rpc->state != HOMA_DEAD) {
		homa_rpc_move(rpc, HOMA_IN_SERVICE);
		rpc->is_handed = true;
		rpc->in.nr_bpages = 0;
		handed = true;
	}
	spin_unlock(&rpc->lock);
	if (handed) {
		homa_count(rpc->net, server_requests_done);
		homa_count_add(rpc->net, server_request_bytes_done, rpc->in.length);
	}
	return handed;
}

static void drop_rpc(struct homa_rpc *rpc)
{
	if (homa_rpc_is_client(rpc)) {
		homa_rpc_finish_client(rpc);
		homa_count(rpc->net, client_failed);
		return;
	}
	spin_lock(&rpc->lock);
	homa_rpc_end(rpc);
	spin_unlock(&rpc->lock);
	homa_count(rpc->net, server_rpc_discards);
}

static int write_args(void __user *control, const struct homa_recvmsg_args *args)
{
	return copy_to_user(control, args, sizeof(*args)) ? -EFAULT : 0;
}

static void fill_address(const struct homa_sock *hsk, struct msghdr *msg, int *addr_len,
			 const struct in6_addr *addr, u16 port)
{
	if (msg->msg_name)
		*addr_len = homa_addr_to_user(msg->msg_name, hsk->inet.sk.sk_family, addr, port);
}

/* Length, a negative errno (of the RPC, or EFAULT), or 0: withdrawn meanwhile, take the next. Puts
 * the RPC.
 */
static int deliver_rpc(struct homa_sock *hsk, struct homa_rpc *rpc, struct msghdr *msg,
		       int *addr_len, void __user *control, struct homa_recvmsg_args *args)
{
	u32 len = rpc->in.length;
	int err = rpc->error;
	bool handed = false;

	args->id = rpc->id;
	args->completion_cookie = rpc->cookie;
	if (hsk->peer_tenant)
		args->reserved = rpc->peer_tenant;
	if (!err)
		err = copy_message(hsk, rpc, args);
	if (err)
		args->num_bpages = 0;
	if (write_args(control, args))
		err = -EFAULT;
	free_packets_bh(rpc);
	if (err)
		drop_rpc(rpc);
	else
		handed = homa_rpc_is_client(rpc) ? hand_response(rpc) : hand_request(rpc);
	local_bh_enable();
	if (handed) {
		fill_address(hsk, msg, addr_len, &rpc->peer->addr, rpc->dport);
		err = len;
	}
	homa_rpc_put(rpc);
	return err;
}

static int copy_done(struct homa_sock *hsk, const struct homa_done_own *own,
		     struct homa_recvmsg_args *args)
{
	int err;
	u32 nr;
	u64 to;

	local_bh_disable();
	err = homa_pool_alloc(hsk->pool, own->len, args->bpage_offsets, &nr);
	local_bh_enable();
	if (err)
		return err;
	args->num_bpages = nr;
	to = homa_pool_start(hsk->pool) + args->bpage_offsets[0];
	if (!copy_to_user(u64_to_user_ptr(to), own->data, own->len))
		return 0;
	homa_pool_free(hsk->pool, args->bpage_offsets, nr);
	args->num_bpages = 0;
	return -EFAULT;
}

static int deliver_done(struct homa_sock *hsk, struct homa_done *done, struct msghdr *msg,
			int *addr_len, void __user *control, struct homa_recvmsg_args *args)
{
	const struct homa_done_own *own = container_of(done, struct homa_done_own, done);
	int err = own->error;

	if (!err)
		err = copy_done(hsk, own, args);
	if (err == -ENOBUFS) {
		homa_ready_put_back(hsk, done);	/* the program has to give pages back first */
		return write_args(control, args) ?: err;
	}
	args->id = own->id;
	args->completion_cookie = own->cookie;
	if (write_args(control, args))
		err = -EFAULT;
	if (!err) {
		fill_address(hsk, msg, addr_len, &own->peer, own->port);
		err = own->len;
	}
	done->release(done);
	return err;
}

/* Checks the block and takes the pages that are given back. */
static int take_args(struct homa_sock *hsk, const struct msghdr *msg,
		     struct homa_recvmsg_args *args, u64 *id)
{
	if (msg->msg_controllen != sizeof(*args))
		return homa_fail(hsk, -EINVAL, "recvmsg: msg_controllen is not 88");
	if (!msg->msg_control_user || !msg->msg_control_is_user ||
	    copy_from_user(args, msg->msg_control_user, sizeof(*args)))
		return -EFAULT;
	if (args->reserved && !hsk->peer_tenant)
		return homa_fail(hsk, -EINVAL, "recvmsg: reserved is not 0");
	if (args->num_bpages > HOMA_MAX_BPAGES)
		return homa_fail(hsk, -EINVAL, "recvmsg: num_bpages is above 16");
	if (!smp_load_acquire(&hsk->pool))	/* set_rcvbuf() */
		return homa_fail(hsk, -EINVAL, "recvmsg: no receive region was given");
	if (args->num_bpages) {
		if (homa_pool_free(hsk->pool, args->bpage_offsets, args->num_bpages))
			return homa_fail(hsk, -EINVAL, "recvmsg: a page is not the program's");
		homa_unstall(hsk);
	}
	*id = args->id;
	return 0;
}

/* As deliver_rpc(). */
static int receive(struct homa_sock *hsk, u64 id, long timeo, bool heavy, struct msghdr *msg,
		   int *addr_len, void __user *control, struct homa_recvmsg_args *args)
{
	struct homa_done *done;
	struct homa_rpc *rpc;

	if (id) {
		rpc = wait_private(hsk, id, timeo);
		if (IS_ERR(rpc))
			return write_args(control, args) ?: PTR_ERR(rpc);
		return deliver_rpc(hsk, rpc, msg, addr_len, control, args);
	}
	done = homa_ready_wait(hsk, timeo, heavy);
	if (IS_ERR(done))
		return write_args(control, args) ?: PTR_ERR(done);
	if (!done->rpc)
		return deliver_done(hsk, done, msg, addr_len, control, args);
	return deliver_rpc(hsk, done->rpc, msg, addr_len, control, args);
}

int homa_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len)
{
	void __user *control = msg->msg_control_user;
	struct homa_sock *hsk = homa_sk(sk);
	struct homa_recvmsg_args args __uninitialized;
	bool heavy = false;
	u64 id;
	int ret;

	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	homa_held_send(hsk);
	ret = take_args(hsk, msg, &args, &id);
	/* As the pages that it gives back tell, see ready.c. */
	if (!ret)
		heavy = args.num_bpages > 1;
	while (!ret) {
		/* Offsets beyond num_bpages stay as they are. */
		memset(&args, 0, offsetof(struct homa_recvmsg_args, bpage_offsets));
		ret = receive(hsk, id, sock_rcvtimeo(sk, flags & MSG_DONTWAIT), heavy, msg,
			      addr_len, control, &args);
	}
	if (ret < 0)
		return ret;
	/* The caller sees how far it moves; io_uring starts over from it after an error. */
	msg->msg_control_user = control + sizeof(args);
	if (!id && !homa_ready_is_empty(&hsk->ready))
		msg->msg_flags |= MSG_MORE;
	return ret;
}
