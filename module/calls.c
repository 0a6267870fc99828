// SPDX-License-Identifier: GPL-2.0
/*
 * calls.c - sendmsg and recvmsg, in the context of the calling program (or an io_uring worker).
 *
 * Both have an argument block in user memory, at msg_control. recvmsg writes it back whenever it
 * has taken the buffer pages in it, also with EAGAIN and EINTR, so a repetition does not give them
 * back twice.
 */
#include <linux/in.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <net/route.h>

#include "calls.h"
#include "peer.h"
#include "pool.h"
#include "recv.h"
#include "rpc.h"
#include "tenant.h"
#include "timer.h"
#include "txn.h"

/* ------------------------------------------------------------------ sendmsg */

/* Room in the send buffer. */
static int charge(struct homa_sock *hsk, u32 len, bool nonblock)
{
	int err;

	if (homa_sock_charge(hsk, len))
		return 0;
	homa_count(hsk->net, wmem_waits);
	if (nonblock)
		return -EAGAIN;
	err = wait_event_interruptible(*sk_sleep(homa_to_sk(hsk)),
				       READ_ONCE(hsk->is_shutdown) || homa_sock_charge(hsk, len));
	if (err)
		return -EINTR;
	return READ_ONCE(hsk->is_shutdown) ? -ESHUTDOWN : 0;
}

/* The socket's tenant with a reference and one of its RPCs, or NULL if it has joined none. */
static int charge_tenant(struct homa_sock *hsk, bool nonblock, struct homa_tenant **out)
{
	struct homa_tenant *t;
	int err = 0;

	spin_lock_bh(&hsk->lock);
	t = hsk->tenant;
	if (t)
		refcount_inc(&t->ref);
	spin_unlock_bh(&hsk->lock);
	*out = t;
	if (!t || homa_tenant_charge(t))
		return 0;
	if (nonblock)
		err = -EAGAIN;
	else if (wait_event_interruptible(t->wait, homa_tenant_charge(t)))
		err = -EINTR;
	if (err)
		homa_tenant_put(t);
	return err;
}

static int send_message(struct homa_rpc *rpc, const struct homa_msg_out *out, u64 id,
			void __user *control, const struct homa_sendmsg_args *args)
{
	struct homa_sendmsg_args back = *args;
	int err;

	back.id = id;
	/* Before anything is sent, so that nobody waits for a response to an id nobody knows. */
	if (copy_to_user(control, &back, sizeof(back)))
		return -EFAULT;
	spin_lock_bh(&rpc->lock);
	err = homa_rpc_insert(rpc, HOMA_OUTGOING);
	if (!err) {
		homa_msg_out_move(&rpc->out, out);
		homa_timer_start(rpc);
	}
	spin_unlock_bh(&rpc->lock);
	if (!err)
		homa_send_granted(rpc);
	return err;
}

/* A route to the destination, and what the message can be sent in. */
static int prepare(struct homa_sock *hsk, struct homa_peer *peer, struct homa_msg_out *out,
		   __be32 *saddr)
{
	struct dst_entry *dst = homa_peer_route(peer, homa_to_sk(hsk), saddr);
	int err;

	if (IS_ERR(dst))
		return PTR_ERR(dst);
	err = homa_msg_out_init(out, peer, dst_mtu(dst), homa_knob(hsk->net, unsched_bytes));
	dst_release(dst);
	return err;
}

/* Message and charge go to the RPC if 0 is returned. */
static int start_request(struct homa_sock *hsk, const struct sockaddr_in *to,
			 struct homa_msg_out *out, struct homa_tenant *tenant,
			 void __user *control, const struct homa_sendmsg_args *args)
{
	struct homa_rpc_birth birth = {
		.id = homa_sock_next_id(hsk),
		.cookie = args->completion_cookie,
		.dport = ntohs(to->sin_port),
		.is_private = args->flags & HOMA_SENDMSG_PRIVATE,
		.tenant = tenant,
		.tenant_id = homa_tenant_id(tenant),
		.gfp = GFP_KERNEL,
	};
	struct homa_rpc *rpc;
	int err;

	birth.peer = homa_peer_get(hsk->net, to->sin_addr.s_addr);
	if (!birth.peer)
		return -ENOMEM;
	err = prepare(hsk, birth.peer, out, &birth.saddr);
	if (err)
		goto put_peer;
	rpc = homa_rpc_alloc(hsk, &birth);
	if (IS_ERR(rpc)) {
		err = PTR_ERR(rpc);
		goto put_peer;
	}
	err = send_message(rpc, out, birth.id, control, args);
	if (err)
		rpc->tenant = NULL;	/* stays the caller's */
	homa_rpc_put(rpc);
	return err;

put_peer:
	homa_peer_put(birth.peer);
	return err;
}

static int send_request(struct homa_sock *hsk, struct msghdr *msg, size_t len,
			void __user *control, const struct homa_sendmsg_args *args)
{
	bool nonblock = msg->msg_flags & MSG_DONTWAIT;
	struct homa_tenant *tenant;
	struct homa_msg_out out;
	int err;

	err = charge(hsk, len, nonblock);
	if (err)
		return err;
	err = charge_tenant(hsk, nonblock, &tenant);
	if (err)
		goto uncharge;
	err = homa_msg_out_copy(&out, &msg->msg_iter, len);
	if (err)
		goto uncharge_tenant;
	err = start_request(hsk, msg->msg_name, &out, tenant, control, args);
	if (err)
		goto free_message;
	homa_count(hsk->net, client_rpcs);
	homa_count_add(hsk->net, tx_msg_bytes, len);
	return 0;

free_message:
	homa_msg_out_free(&out);
uncharge_tenant:
	if (tenant) {
		homa_tenant_uncharge(tenant);
		homa_tenant_put(tenant);
	}
uncharge:
	homa_sock_uncharge(hsk, len);
	return err;
}

static int send_to_client(struct homa_rpc *rpc, const struct homa_msg_out *out)
{
	int err = 0;

	spin_lock_bh(&rpc->lock);
	if (rpc->state == HOMA_IN_SERVICE) {
		homa_msg_out_move(&rpc->out, out);
		homa_rpc_move(rpc, HOMA_OUTGOING);
		homa_timer_start(rpc);
	} else {
		err = -EINVAL;
	}
	spin_unlock_bh(&rpc->lock);
	if (!err)
		homa_send_granted(rpc);
	return err;
}

static int send_reply(struct homa_sock *hsk, struct msghdr *msg, size_t len,
		      const struct homa_sendmsg_args *args)
{
	const struct sockaddr_in *to = msg->msg_name;
	struct homa_msg_out out;
	struct homa_rpc *rpc;
	__be32 saddr;
	int err;

	if (args->completion_cookie || !(args->id & 1))
		return -EINVAL;
	rpc = homa_rpc_find(hsk, args->id, to->sin_addr.s_addr);
	if (!rpc) {
		/* The client has gone meanwhile; there is nobody to tell. */
		homa_count(hsk->net, server_late_replies);
		return 0;
	}
	err = charge(hsk, len, msg->msg_flags & MSG_DONTWAIT);
	if (err)
		goto put;
	err = homa_msg_out_copy(&out, &msg->msg_iter, len);
	if (err)
		goto uncharge;
	saddr = rpc->saddr;
	err = prepare(hsk, rpc->peer, &out, &saddr);
	if (!err)
		err = send_to_client(rpc, &out);
	if (err)
		goto free_message;
	homa_count(hsk->net, server_replies);
	homa_count_add(hsk->net, tx_msg_bytes, len);
	homa_rpc_put(rpc);
	return 0;

free_message:
	homa_msg_out_free(&out);
uncharge:
	homa_sock_uncharge(hsk, len);
put:
	homa_rpc_put(rpc);
	return err;
}

static int check_destination(const struct msghdr *msg)
{
	const struct sockaddr_in *to = msg->msg_name;

	if (!to || msg->msg_namelen < sizeof(*to))
		return -EINVAL;
	if (to->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	return to->sin_port ? 0 : -EINVAL;
}

static int send_txn(struct homa_sock *hsk, struct msghdr *msg, size_t len, void __user *control,
		    struct homa_sendmsg_args *args)
{
	int err;

	if (args->flags != HOMA_SENDMSG_TXN || args->id)
		return -EINVAL;
	err = homa_txn_sendmsg(hsk, msg, len, args);
	if (err)
		return err;
	return copy_to_user(control, args, sizeof(*args)) ? -EFAULT : 0;
}

int homa_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct homa_sock *hsk = homa_sk(sk);
	void __user *control = msg->msg_control_user;
	struct homa_sendmsg_args args;
	int err;

	if (msg->msg_controllen)
		return -EINVAL;
	if (!control || !msg->msg_control_is_user || copy_from_user(&args, control, sizeof(args)))
		return -EFAULT;
	if (args.flags & ~(HOMA_SENDMSG_PRIVATE | HOMA_SENDMSG_TXN) || args.reserved)
		return -EINVAL;
	if (READ_ONCE(hsk->is_shutdown))
		return -ESHUTDOWN;
	if (args.flags & HOMA_SENDMSG_TXN)
		return send_txn(hsk, msg, len, control, &args);
	err = check_destination(msg);
	if (err)
		return err;
	if (!len || len > HOMA_MAX_MESSAGE_LENGTH)
		return -EINVAL;
	if (args.id)
		return send_reply(hsk, msg, len, &args);
	return send_request(hsk, msg, len, control, &args);
}

/* ------------------------------------------------------------------ recvmsg */

#define TRY_AGAIN	1	/* the message is gone, take the next */

static struct homa_done *take_ready(struct homa_sock *hsk)
{
	struct homa_done *done;

	spin_lock_bh(&hsk->lock);
	done = list_first_entry_or_null(&hsk->ready, struct homa_done, link);
	if (done)
		list_del_init(&done->link);
	spin_unlock_bh(&hsk->lock);
	return done;
}

static struct homa_done *wait_ready(struct homa_sock *hsk, bool nonblock)
{
	struct homa_done *done = take_ready(hsk);
	int err = 0;

	if (!done && !nonblock)
		err = wait_event_interruptible_exclusive(*sk_sleep(homa_to_sk(hsk)),
							 (done = take_ready(hsk)) ||
							 READ_ONCE(hsk->is_shutdown));
	if (done)
		return done;
	if (READ_ONCE(hsk->is_shutdown))
		return ERR_PTR(-ESHUTDOWN);
	return ERR_PTR(err ? -EINTR : -EAGAIN);
}

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

static struct homa_rpc *wait_private(struct homa_sock *hsk, u64 id, bool nonblock)
{
	struct homa_rpc *rpc = id & 1 ? NULL : homa_rpc_find(hsk, id, 0);
	int err = 0, ret;

	if (!rpc)
		return ERR_PTR(-EINVAL);
	ret = rpc->is_private ? take_private(rpc) : -EINVAL;
	if (!ret && !nonblock)
		err = wait_event_interruptible(hsk->private_wait, (ret = take_private(rpc)));
	if (ret > 0)
		return rpc;
	homa_rpc_put(rpc);
	if (READ_ONCE(hsk->is_shutdown))
		return ERR_PTR(-ESHUTDOWN);
	if (ret < 0)
		return ERR_PTR(ret);
	return ERR_PTR(err ? -EINTR : -EAGAIN);
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
		struct iov_iter iter;
		struct iovec iov;
		int err;

		err = import_single_range(READ, u64_to_user_ptr(to), n, &iov, &iter);
		if (!err)
			err = skb_copy_datagram_iter(skb, range->skip + done, &iter, n);
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
	int err;

	skb_queue_walk(&rpc->in.packets, skb) {
		err = copy_bytes(rpc, skb, region);
		if (err)
			return err;
	}
	args->num_bpages = rpc->in.nr_bpages;
	memcpy(args->bpage_offsets, rpc->in.bpage_offsets,
	       rpc->in.nr_bpages * sizeof(*args->bpage_offsets));
	return 0;
}

/* The pages are the program's from now on. */
static int hand_response(struct homa_rpc *rpc)
{
	rpc->in.nr_bpages = 0;
	homa_rpc_finish_client(rpc);
	homa_count(rpc->net, client_done);
	return 0;
}

static int hand_request(struct homa_rpc *rpc)
{
	struct sk_buff_head packets;
	int ret = TRY_AGAIN;

	__skb_queue_head_init(&packets);
	spin_lock_bh(&rpc->lock);
	if (rpc->state != HOMA_DEAD) {
		homa_rpc_move(rpc, HOMA_IN_SERVICE);
		rpc->is_handed = true;
		rpc->in.nr_bpages = 0;
		skb_queue_splice_init(&rpc->in.packets, &packets);
		ret = 0;
	}
	spin_unlock_bh(&rpc->lock);
	__skb_queue_purge(&packets);
	if (!ret)
		homa_count(rpc->net, server_handed);
	return ret;
}

static void drop_rpc(struct homa_rpc *rpc)
{
	if (homa_rpc_is_client(rpc)) {
		homa_rpc_finish_client(rpc);
		homa_count(rpc->net, client_failed);
		return;
	}
	spin_lock_bh(&rpc->lock);
	homa_rpc_end(rpc);
	spin_unlock_bh(&rpc->lock);
	homa_count(rpc->net, server_discards);
}

static int write_args(void __user *control, const struct homa_recvmsg_args *args)
{
	return copy_to_user(control, args, sizeof(*args)) ? -EFAULT : 0;
}

static void fill_address(struct msghdr *msg, int *addr_len, __be32 addr, __be16 port)
{
	struct sockaddr_in *to = msg->msg_name;

	if (!to)
		return;
	memset(to, 0, sizeof(*to));
	to->sin_family = AF_INET;
	to->sin_addr.s_addr = addr;
	to->sin_port = port;
	*addr_len = sizeof(*to);
}

/* Length, a negative errno (of the RPC, or EFAULT), or TRY_AGAIN - 1 = 0. Puts the RPC. */
static int deliver_rpc(struct homa_sock *hsk, struct homa_rpc *rpc, struct msghdr *msg,
		       int *addr_len, void __user *control, struct homa_recvmsg_args *args)
{
	u32 len = rpc->in.length;
	int err = rpc->error;

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
	if (err) {
		drop_rpc(rpc);
		goto put;
	}
	err = homa_rpc_is_client(rpc) ? hand_response(rpc) : hand_request(rpc);
	if (!err) {
		fill_address(msg, addr_len, rpc->peer->addr, htons(rpc->dport));
		homa_count_add(hsk->net, rx_msg_bytes, len);
	}
put:
	homa_rpc_put(rpc);
	if (err < 0)
		return err;
	return err == TRY_AGAIN ? 0 : len;
}

static int copy_done(struct homa_sock *hsk, const struct homa_done *done,
		     struct homa_recvmsg_args *args)
{
	u32 nr;
	u64 to;

	if (homa_pool_alloc(hsk->pool, done->len, args->bpage_offsets, &nr))
		return -ENOBUFS;
	args->num_bpages = nr;
	to = homa_pool_start(hsk->pool) + args->bpage_offsets[0];
	if (!copy_to_user(u64_to_user_ptr(to), done->data, done->len))
		return 0;
	homa_pool_free(hsk->pool, args->bpage_offsets, nr);
	args->num_bpages = 0;
	return -EFAULT;
}

/* For the next reader: the program has to give pages back first. */
static void put_back(struct homa_sock *hsk, struct homa_done *done)
{
	bool add;

	spin_lock_bh(&hsk->lock);
	add = !hsk->is_shutdown;
	if (add)
		list_add(&done->link, &hsk->ready);
	spin_unlock_bh(&hsk->lock);
	if (!add)
		done->release(done);
}

static int deliver_done(struct homa_sock *hsk, struct homa_done *done, struct msghdr *msg,
			int *addr_len, void __user *control, struct homa_recvmsg_args *args)
{
	int err = done->error;

	if (!err)
		err = copy_done(hsk, done, args);
	if (err == -ENOBUFS) {
		put_back(hsk, done);
		return write_args(control, args) ?: err;
	}
	args->id = done->id;
	args->completion_cookie = done->cookie;
	if (write_args(control, args))
		err = -EFAULT;
	if (!err) {
		fill_address(msg, addr_len, done->peer.sin_addr.s_addr, done->peer.sin_port);
		err = done->len;
	}
	done->release(done);
	return err;
}

/* Checks the block and takes the pages that are given back; afterwards it is clean for output. */
static int take_args(struct homa_sock *hsk, const struct msghdr *msg,
		     struct homa_recvmsg_args *args, u64 *id)
{
	if (msg->msg_controllen != sizeof(*args))
		return -EINVAL;
	if (!msg->msg_control_user || !msg->msg_control_is_user ||
	    copy_from_user(args, msg->msg_control_user, sizeof(*args)))
		return -EFAULT;
	if ((args->reserved && !hsk->peer_tenant) || args->num_bpages > HOMA_MAX_BPAGES)
		return -EINVAL;
	if (!smp_load_acquire(&hsk->pool))	/* set_rcvbuf() */
		return -EINVAL;
	if (args->num_bpages) {
		if (homa_pool_free(hsk->pool, args->bpage_offsets, args->num_bpages))
			return -EINVAL;
		homa_unstall(hsk);
	}
	*id = args->id;
	memset(args, 0, sizeof(*args));
	return 0;
}

/* One message; TRY_AGAIN - 1 = 0: it was withdrawn while it was copied. */
static int receive(struct homa_sock *hsk, u64 id, bool nonblock, struct msghdr *msg, int *addr_len,
		   void __user *control, struct homa_recvmsg_args *args)
{
	struct homa_done *done;
	struct homa_rpc *rpc;

	if (id) {
		rpc = wait_private(hsk, id, nonblock);
		if (IS_ERR(rpc))
			return write_args(control, args) ?: PTR_ERR(rpc);
		return deliver_rpc(hsk, rpc, msg, addr_len, control, args);
	}
	done = wait_ready(hsk, nonblock);
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
	struct homa_recvmsg_args args;
	u64 id;
	int ret;

	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	ret = take_args(hsk, msg, &args, &id);
	while (!ret) {
		memset(&args, 0, sizeof(args));
		ret = receive(hsk, id, flags & MSG_DONTWAIT, msg, addr_len, control, &args);
	}
	/* The caller sees how far msg_control moves; io_uring starts over from it after an error. */
	if (ret > 0)
		msg->msg_control_user = control + sizeof(args);
	return ret;
}
