// SPDX-License-Identifier: GPL-2.0
/*
 * sendmsg.c - new requests, responses and switch transactions, in the context of the calling
 * program (or an io_uring worker).
 *
 * The argument block is in user memory, at msg_control; msg_controllen is 0, so that the kernel
 * does not take it for control messages. The whole message is copied before its RPC becomes known, so
 * nothing sleeps under a lock, and a message that cannot be read leaves nothing behind.
 */
#include <linux/uio.h>
#include <linux/wait.h>
#include <net/dst.h>

#include "addr.h"
#include "calls.h"
#include "held.h"
#include "peer.h"
#include "rpc.h"
#include "tenant.h"
#include "timer.h"
#include "turns.h"
#include "txn.h"

struct destination {
	struct in6_addr addr;
	u16 port;
};

/* Room in the send buffer, for a message or a transaction. */
int homa_charge(struct homa_sock *hsk, u32 len, bool nonblock)
{
	bool charged = false;
	int err;

	if (homa_sock_charge(hsk, len))
		return 0;
	homa_count(hsk->net, wmem_waits);
	homa_held_send(hsk);
	if (nonblock)
		return -EAGAIN;
	err = wait_event_interruptible(*sk_sleep(homa_to_sk(hsk)),
				       READ_ONCE(hsk->is_shutdown) ||
				       (charged = homa_sock_charge(hsk, len)));
	if (err)
		return -EINTR;
	return charged ? 0 : -ESHUTDOWN;
}

/* The socket's tenant with a reference and one of its RPCs, or NULL if it has joined none. */
static int charge_tenant(struct homa_sock *hsk, bool nonblock, struct homa_tenant **out)
{
	bool charged = false;
	struct homa_tenant *t;
	int err;

	*out = NULL;
	if (!READ_ONCE(hsk->tenant))
		return 0;
	spin_lock_bh(&hsk->lock);
	t = hsk->tenant;
	if (t)
		refcount_inc(&t->ref);
	spin_unlock_bh(&hsk->lock);
	*out = t;
	if (!t || homa_tenant_charge(t))
		return 0;
	homa_held_send(hsk);
	if (nonblock) {
		homa_tenant_put(t);
		return -EAGAIN;
	}
	err = wait_event_interruptible(t->wait, READ_ONCE(hsk->is_shutdown) ||
				       (charged = homa_tenant_charge(t)));
	if (charged)
		return 0;
	homa_tenant_put(t);
	return err ? -EINTR : -ESHUTDOWN;
}

/* The RPC has its message. True: not all that may be is in the queue. */
static bool begin_to_send(struct homa_rpc *rpc, struct sk_buff_head *queue)
{
	homa_timer_start(rpc);
	rpc->out.sent_at = rpc->silence.since;
	return homa_queue_granted(rpc, queue);
}

/* `batch`: further messages follow at once. */
static void send_on(struct homa_rpc *rpc, struct sk_buff_head *queue, bool more, bool batch)
{
	bool is_long = rpc->out.length > HOMA_BPAGE_SIZE;

	if (rpc->out.length <= rpc->out.seg) {
		homa_held_add(rpc->hsk, queue, batch);
		return;
	}
	homa_held_send(rpc->hsk);
	/* Sending is half the work that copying is; it may go on in softirq to the end. */
	if (is_long)
		homa_turns_pass(rpc->out.length / 2);
	homa_flush(rpc->net, queue);
	if (more)
		homa_send_granted(rpc);
	if (is_long)
		homa_turns_leave();
}

/* The RPC has its message, and becomes known. */
static int start_request(struct homa_rpc *rpc, void __user *control,
			 const struct homa_sendmsg_args *args, bool batch)
{
	struct homa_sendmsg_args back = *args;
	struct sk_buff_head queue;
	bool more = false;
	int err;

	rpc->id = homa_peer_next_id(rpc->peer);
	back.id = rpc->id;
	/* Before anything is sent, so that nobody waits for a response to an id nobody knows. */
	if (copy_to_user(control, &back, sizeof(back)))
		return -EFAULT;
	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	err = homa_rpc_insert(rpc, HOMA_OUTGOING);
	if (!err)
		more = begin_to_send(rpc, &queue);
	spin_unlock_bh(&rpc->lock);
	send_on(rpc, &queue, more, batch);
	return err;
}

/* A route to the destination, and what the message can be sent in. */
static int prepare(struct homa_sock *hsk, struct homa_peer *peer, struct homa_msg_out *out,
		   struct in6_addr *saddr)
{
	struct dst_entry *dst = homa_peer_route(peer, homa_to_sk(hsk), saddr);
	int err;

	if (IS_ERR(dst))
		return PTR_ERR(dst);
	err = homa_msg_out_init(out, peer, dst);
	if (!err && out->length <= out->seg)
		out->dst = dst;
	else
		dst_release(dst);
	return err;
}

/* Takes over the reference and the charge of the tenant if it is made. Its id comes later. */
static struct homa_rpc *make_client_rpc(struct homa_sock *hsk, const struct destination *to,
					struct homa_tenant *tenant,
					const struct homa_sendmsg_args *args)
{
	struct homa_rpc_birth birth = {
		.cookie = args->completion_cookie,
		.peer = homa_peer_get(hsk->net, &to->addr),
		.dport = to->port,
		.is_private = args->flags & HOMA_SENDMSG_PRIVATE,
		.tenant = tenant,
		.tenant_id = homa_tenant_id(tenant),
		.gfp = GFP_KERNEL,
	};
	struct homa_rpc *rpc;

	if (!birth.peer)
		return ERR_PTR(-ENOMEM);
	rpc = homa_rpc_alloc(hsk, &birth);
	if (IS_ERR(rpc))
		homa_peer_put(birth.peer);
	return rpc;
}

static int send_request(struct homa_sock *hsk, struct msghdr *msg, size_t len,
			const struct destination *to, void __user *control, const struct homa_sendmsg_args *args)
{
	bool nonblock = msg->msg_flags & MSG_DONTWAIT;
	struct homa_tenant *tenant;
	struct homa_rpc *rpc;
	int err;

	err = homa_charge(hsk, len, nonblock);
	if (err)
		return err;
	err = charge_tenant(hsk, nonblock, &tenant);
	if (err)
		goto uncharge;
	rpc = make_client_rpc(hsk, to, tenant, args);
	if (IS_ERR(rpc)) {
		err = PTR_ERR(rpc);
		goto uncharge_tenant;
	}
	/* Its length says that the charge is the RPC's from now on. */
	err = homa_msg_out_copy(hsk->net, &rpc->out, &msg->msg_iter, len);
	if (!err)
		err = prepare(hsk, rpc->peer, &rpc->out, &rpc->saddr);
	if (!err)
		err = start_request(rpc, control, args, msg->msg_flags & MSG_BATCH);
	if (!err) {
		homa_count(hsk->net, client_requests_started);
		homa_count_add(hsk->net, client_request_bytes_started, len);
	}
	homa_rpc_put(rpc);
	return err;

uncharge_tenant:
	if (tenant) {
		homa_tenant_uncharge(tenant);
		homa_tenant_put(tenant);
	}
uncharge:
	homa_sock_uncharge(hsk, len);
	return err;
}

/* There is nobody to tell that the client has gone. */
static int late_reply(struct homa_sock *hsk)
{
	homa_count(hsk->net, server_late_replies);
	return 0;
}

/* 1: the client has gone while we waited for room, or copied. */
static int send_to_client(struct homa_rpc *rpc, const struct homa_msg_out *out, bool batch)
{
	struct sk_buff_head queue;
	bool more = false;
	int err = 0;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	if (rpc->state == HOMA_IN_SERVICE) {
		homa_rpc_move(rpc, HOMA_OUTGOING);
		rpc->out = *out;
		more = begin_to_send(rpc, &queue);
	} else {
		err = rpc->state == HOMA_DEAD ? 1 : -EINVAL;
	}
	spin_unlock_bh(&rpc->lock);
	send_on(rpc, &queue, more, batch);
	return err;
}

static int send_reply(struct homa_sock *hsk, struct msghdr *msg, size_t len,
		      const struct destination *to, const struct homa_sendmsg_args *args)
{
	struct homa_msg_out out __uninitialized;
	struct in6_addr saddr;
	struct homa_rpc *rpc;
	int err;

	if (args->completion_cookie)
		return homa_fail(hsk, -EINVAL, "sendmsg: a reply has no completion_cookie");
	rpc = homa_rpc_find(hsk, args->id, &to->addr);
	if (!rpc)
		return late_reply(hsk);
	err = homa_charge(hsk, len, msg->msg_flags & MSG_DONTWAIT);
	if (err)
		goto put;
	memset(&out, 0, offsetof(struct homa_msg_out, mem));
	err = homa_msg_out_copy(hsk->net, &out, &msg->msg_iter, len);
	if (err)
		goto uncharge;
	saddr = rpc->saddr;
	err = prepare(hsk, rpc->peer, &out, &saddr);
	if (!err)
		err = send_to_client(rpc, &out, msg->msg_flags & MSG_BATCH);
	if (err)
		goto free_message;
	homa_count(hsk->net, server_responses_started);
	homa_count_add(hsk->net, server_response_bytes_started, len);
	homa_rpc_put(rpc);
	return 0;

free_message:
	homa_msg_out_free(hsk->net, &out);
uncharge:
	homa_sock_uncharge(hsk, len);
put:
	homa_rpc_put(rpc);
	return err > 0 ? late_reply(hsk) : err;
}

static int get_destination(struct homa_sock *hsk, const struct msghdr *msg, struct destination *to)
{
	const struct sock *sk = homa_to_sk(hsk);
	int err;

	if (!msg->msg_name)
		return homa_fail(hsk, -EINVAL, "sendmsg: no destination in msg_name");
	err = homa_addr_from_user(&to->addr, &to->port, sk->sk_family, sk->sk_bound_dev_if,
				  msg->msg_name, msg->msg_namelen);
	if (err)
		return homa_fail(hsk, err, "sendmsg: msg_name is no address for this socket");
	if (sk->sk_ipv6only && homa_addr_is_v4(&to->addr))
		return -ENETUNREACH;
	return to->port ? 0 : homa_fail(hsk, -EINVAL, "sendmsg: destination port is 0");
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

static __always_inline int send(struct homa_sock *hsk, struct msghdr *msg, size_t len)
{
	void __user *control = msg->msg_control_user;
	struct homa_sendmsg_args args;
	struct destination to;
	int err;

	if (msg->msg_controllen)
		return homa_fail(hsk, -EINVAL, "sendmsg: msg_controllen is not 0");
	if (!control || !msg->msg_control_is_user || copy_from_user(&args, control, sizeof(args)))
		return homa_fail(hsk, -EFAULT, "sendmsg: the arguments at msg_control are unreadable");
	if (args.flags & ~(HOMA_SENDMSG_PRIVATE | HOMA_SENDMSG_TXN) || args.reserved)
		return homa_fail(hsk, -EINVAL, "sendmsg: unknown flags, or reserved is not 0");
	if (READ_ONCE(hsk->is_shutdown))
		return -ESHUTDOWN;
	if (args.flags & HOMA_SENDMSG_TXN)
		return send_txn(hsk, msg, len, control, &args);
	err = get_destination(hsk, msg, &to);
	if (err)
		return err;
	if (!len || len > HOMA_MAX_MESSAGE_LENGTH)
		return homa_fail(hsk, -EINVAL, "sendmsg: length is not in 1 .. 1000000");
	if (args.id)
		return send_reply(hsk, msg, len, &to, &args);
	return send_request(hsk, msg, len, &to, control, &args);
}

int homa_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct homa_sock *hsk = homa_sk(sk);
	int err = send(hsk, msg, len);

	if (err < 0)
		homa_held_send(hsk);		/* sendmmsg() ends here */
	return err;
}
