// SPDX-License-Identifier: GPL-2.0
/*
 * sock.c - sockets: birth, ports, death.
 *
 * A socket has a port from its creation on, a random free one of 32768 and above; bind gives it
 * another below. Lookup by port is under RCU, and the memory of a socket (and of its pool) stays
 * for a grace period after the last reference, so a packet may still be looking at it.
 */
#include <linux/hash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/udp.h>

#include "calls.h"
#include "held.h"
#include "options.h"
#include "owed.h"
#include "pool.h"
#include "rmem.h"
#include "rpc.h"
#include "sock.h"
#include "tenant.h"
#include "txn.h"

#define PORT_BITS	8

struct homa_ports {
	spinlock_t lock;	/* BH; guards the table and homa_sock.port */
	struct hlist_head bucket[1 << PORT_BITS];
};

static struct hlist_head *bucket_of(struct homa_ports *ports, u16 port)
{
	return &ports->bucket[hash_32(port, PORT_BITS)];
}

struct homa_sock *homa_sock_find(struct homa_net *hn, u16 port)
{
	struct homa_sock *hsk;

	hlist_for_each_entry_rcu(hsk, bucket_of(hn->ports, port), port_link,
				 lockdep_is_held(&hn->ports->lock))
		if (READ_ONCE(hsk->port) == port)
			return hsk;
	return NULL;
}

static void set_port(struct homa_sock *hsk, u16 port)
{
	struct homa_ports *ports = hsk->net->ports;

	lockdep_assert_held(&ports->lock);
	/* A reader that stands on this very node may miss a neighbour once; its peer repeats. */
	hlist_del_init_rcu(&hsk->port_link);
	WRITE_ONCE(hsk->port, port);
	hsk->inet.inet_num = port;
	hsk->inet.inet_sport = htons(port);
	hlist_add_head_rcu(&hsk->port_link, bucket_of(ports, port));
}

int homa_sock_set_port(struct homa_sock *hsk, u16 port)
{
	struct homa_net *hn = hsk->net;
	int err = -EADDRINUSE;
	struct homa_sock *other;

	spin_lock_bh(&hn->ports->lock);
	other = homa_sock_find(hn, port);
	if (!other)
		set_port(hsk, port);
	if (!other || other == hsk)
		err = 0;
	spin_unlock_bh(&hn->ports->lock);
	return err;
}

static int set_free_port(struct homa_sock *hsk)
{
	u32 range = 0x10000 - HOMA_MIN_DEFAULT_PORT;
	u32 start = get_random_u32_below(range);
	struct homa_net *hn = hsk->net;
	int err = -EADDRNOTAVAIL;
	u32 i;

	spin_lock_bh(&hn->ports->lock);
	for (i = 0; i < range && err; i++) {
		u16 port = HOMA_MIN_DEFAULT_PORT + (start + i) % range;

		if (homa_sock_find(hn, port))
			continue;
		set_port(hsk, port);
		err = 0;
	}
	spin_unlock_bh(&hn->ports->lock);
	return err;
}

void homa_sock_drop_port(struct sock *sk)
{
	struct homa_sock *hsk = homa_sk(sk);

	spin_lock_bh(&hsk->net->ports->lock);
	hlist_del_init_rcu(&hsk->port_link);
	spin_unlock_bh(&hsk->net->ports->lock);
}

void homa_sock_destruct(struct sock *sk)
{
	skb_queue_purge(&homa_sk(sk)->held);
	homa_pool_destroy(homa_sk(sk)->pool);
	homa_rmem_sock_exit(homa_sk(sk));
	inet_sock_destruct(sk);
}

int homa_sock_init(struct sock *sk)
{
	struct homa_sock *hsk = homa_sk(sk);

	hsk->net = homa_net(sock_net(sk));
	INIT_HLIST_NODE(&hsk->port_link);
	spin_lock_init(&hsk->lock);
	spin_lock_init(&hsk->rpcs_lock);
	skb_queue_head_init(&hsk->held);
	homa_ready_init(&hsk->ready);
	homa_rmem_sock_init(hsk);
	homa_fifo_init(&hsk->rpcs);
	hsk->stalled = RB_ROOT_CACHED;
	init_waitqueue_head(&hsk->private_wait);
	spin_lock_init(&hsk->txn_lock);
	INIT_LIST_HEAD(&hsk->txns);
	sk->sk_destruct = homa_sock_destruct;
	sock_set_flag(sk, SOCK_RCU_FREE);
	/* Keeps the generic disconnect from taking the port away. */
	sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	return set_free_port(hsk);
}

/* Readers and writers see ESHUTDOWN from now on, nothing is added any more, and all that the
 * socket had under way ends. May be called again.
 */
void homa_sock_shutdown(struct homa_sock *hsk)
{
	struct sock *sk = homa_to_sk(hsk);

	spin_lock_bh(&hsk->lock);
	WRITE_ONCE(hsk->is_shutdown, true);
	spin_unlock_bh(&hsk->lock);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);

	homa_held_send(hsk);
	homa_rpc_end_all(hsk);
	homa_owed_shutdown(hsk);
	homa_txn_sock_shutdown(hsk);
	homa_ready_shutdown(hsk);

	wake_up_interruptible_all(&hsk->private_wait);
	sk->sk_state_change(sk);
	if (sk_sleep(sk))
		wake_up_interruptible_all(sk_sleep(sk));
}

int homa_sock_shutdown_op(struct socket *sock, int how)
{
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	homa_sock_shutdown(homa_sk(sock->sk));
	return 0;
}

void homa_sock_close(struct sock *sk, long timeout)
{
	struct homa_sock *hsk = homa_sk(sk);
	struct homa_tenant *tenant;

	homa_sock_shutdown(hsk);
	spin_lock_bh(&hsk->lock);
	tenant = hsk->tenant;
	WRITE_ONCE(hsk->tenant, NULL);
	spin_unlock_bh(&hsk->lock);
	if (tenant)
		homa_tenant_leave(tenant);
	sk_common_release(sk);
}

u64 homa_sock_next_id(struct homa_sock *hsk)
{
	u64 id;

	do {
		id = atomic64_add_return(2, &hsk->net->next_id);
	} while (!id);
	return id;
}

bool homa_sock_charge(struct homa_sock *hsk, u32 bytes)
{
	s64 max = homa_knob(hsk->net, wmem_max);

	if (atomic64_add_return(bytes, &hsk->wmem) <= max)
		return true;
	atomic64_sub(bytes, &hsk->wmem);
	return false;
}

void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes)
{
	s64 max = homa_knob(hsk->net, wmem_max);
	s64 left = atomic64_sub_return(bytes, &hsk->wmem);
	struct socket_wq *wq;

	/* Writers wait only near the limit. */
	if (left + bytes + P4W_MSG_MAX < max)
		return;
	rcu_read_lock();
	wq = rcu_dereference(homa_to_sk(hsk)->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	rcu_read_unlock();
}

__poll_t homa_sock_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	__poll_t mask = 0;

	homa_held_send(hsk);
	sock_poll_wait(file, sock, wait);
	if (READ_ONCE(hsk->is_shutdown))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP;
	if (!homa_ready_is_empty(&hsk->ready))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic64_read(&hsk->wmem) + P4W_MSG_MAX <= homa_knob(hsk->net, wmem_max))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

struct proto homa_prot = {
	.name		= "HOMA",
	.owner		= THIS_MODULE,
	.close		= homa_sock_close,
	.connect	= ip4_datagram_connect,
	.disconnect	= udp_disconnect,
	.init		= homa_sock_init,
	.setsockopt	= homa_setsockopt,
	.getsockopt	= homa_getsockopt,
	.sendmsg	= homa_sendmsg,
	.recvmsg	= homa_recvmsg,
	.bind		= homa_bind,
	.unhash		= homa_sock_drop_port,
	HOMA_RMEM_PROTO
	.obj_size	= sizeof(struct homa_sock),
	.no_autobind	= true,
};

const struct proto_ops homa_proto_ops = {
	.family		= PF_INET,
	.owner		= THIS_MODULE,
	.release	= inet_release,
	.bind		= inet_bind,
	.connect	= inet_dgram_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= inet_getname,
	.poll		= homa_sock_poll,
	.ioctl		= homa_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= homa_compat_ioctl,
#endif
	.listen		= sock_no_listen,
	.shutdown	= homa_sock_shutdown_op,
	.setsockopt	= sock_common_setsockopt,
	.getsockopt	= sock_common_getsockopt,
	.sendmsg	= inet_sendmsg,
	.recvmsg	= inet_recvmsg,
	.mmap		= sock_no_mmap,
};

int homa_ports_net_init(struct homa_net *hn)
{
	hn->ports = kzalloc(sizeof(*hn->ports), GFP_KERNEL);
	if (!hn->ports)
		return -ENOMEM;
	spin_lock_init(&hn->ports->lock);
	atomic64_set(&hn->next_id, get_random_u64() & (U64_MAX >> 1) & ~1ull);
	return 0;
}

void homa_ports_net_exit(struct homa_net *hn)
{
	kfree(hn->ports);
}
