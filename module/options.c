// SPDX-License-Identifier: GPL-2.0
/*
 * options.c - bind, setsockopt, getsockopt and ioctl, in the context of the calling program.
 */
#include <linux/compat.h>
#include <linux/cpumask.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/inet_common.h>

#include "addr.h"
#include "collect.h"
#include "held.h"
#include "options.h"
#include "peer.h"
#include "pool.h"
#include "rpc.h"
#include "stall.h"
#include "tenant.h"

#define RCVBUF_MAX	BIT_ULL(32)
#define GFP_LIST	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)	/* as long as a program likes */

int homa_bind(struct sock *sk, struct sockaddr *addr, int addr_len)
{
	struct homa_sock *hsk = homa_sk(sk);
	struct in6_addr ignored;
	u16 port;
	int err;

	err = homa_addr_from_user(&ignored, &port, sk->sk_family, sk->sk_bound_dev_if, addr,
				  addr_len);
	if (err)
		return err;
	if (port >= HOMA_MIN_DEFAULT_PORT)
		return homa_fail(hsk, -EINVAL, "bind: ports from 32768 on are given automatically");
	if (READ_ONCE(hsk->is_shutdown))
		return -ESHUTDOWN;
	if (!port)
		return 0;
	if (homa_sock_set_port(hsk, port))
		return homa_fail(hsk, -EADDRINUSE, "bind: another socket has this port");
	WRITE_ONCE(hsk->is_server, true);
	return 0;
}

static int set_rcvbuf(struct homa_sock *hsk, sockptr_t optval, unsigned int optlen)
{
	u64 min = (u64)nr_cpu_ids * HOMA_BPAGE_SIZE + 2000000;
	struct homa_rcvbuf_args args;
	struct homa_pool *pool;
	char probe[16] = {};

	if (optlen != sizeof(args))
		return -EINVAL;
	if (copy_from_sockptr(&args, optval, sizeof(args)))
		return -EFAULT;
	if (args.start & ~PAGE_MASK)
		return homa_fail(hsk, -EINVAL, "receive region: start is not page-aligned");
	if (args.length < min || args.length > RCVBUF_MAX)
		return homa_fail(hsk, -EINVAL, "receive region: length is too small or above 4 GiB");
	if (copy_to_user(u64_to_user_ptr(args.start), probe, sizeof(probe)))
		return -EFAULT;
	pool = homa_pool_create(args.start, args.length);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	/* Publishes the pool to packets and readers, which load it with acquire. */
	if (cmpxchg_release(&hsk->pool, NULL, pool)) {
		homa_pool_destroy(pool);
		return homa_fail(hsk, -EINVAL, "receive region: there is one already");
	}
	homa_unstall(hsk);
	return 0;
}

static int set_tenant(struct homa_sock *hsk, u32 id)
{
	struct homa_tenant *tenant = NULL, *old;
	bool is_shutdown;
	int err;

	if (id) {
		err = homa_tenant_join(hsk->net, id, &tenant);
		if (err)
			return err;
	}
	spin_lock_bh(&hsk->lock);
	is_shutdown = hsk->is_shutdown;
	old = is_shutdown ? tenant : hsk->tenant;
	if (!is_shutdown)
		WRITE_ONCE(hsk->tenant, tenant);
	spin_unlock_bh(&hsk->lock);
	if (old)
		homa_tenant_leave(old);
	return is_shutdown ? -ESHUTDOWN : 0;
}

static int set_bool(bool *flag, u32 value)
{
	if (value > 1)
		return -EINVAL;
	WRITE_ONCE(*flag, value);
	return 0;
}

static int set_v6only(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	int value;

	if (optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;
	sk->sk_ipv6only = !!value;
	return 0;
}

int homa_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	struct homa_sock *hsk = homa_sk(sk);
	u32 value;

	homa_held_send(hsk);
	if (level == IPPROTO_IPV6 && optname == IPV6_V6ONLY && sk->sk_family == AF_INET6)
		return set_v6only(sk, optval, optlen);
	if (level != IPPROTO_HOMA)
		return -ENOPROTOOPT;
	switch (optname) {
	case SO_HOMA_RCVBUF:
		return set_rcvbuf(hsk, optval, optlen);
	case SO_HOMA_SERVER:
	case SO_HOMA_TENANT:
	case SO_HOMA_PEER_TENANT:
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;
	switch (optname) {
	case SO_HOMA_SERVER:
		return set_bool(&hsk->is_server, value);
	case SO_HOMA_PEER_TENANT:
		return set_bool(&hsk->peer_tenant, value);
	default:
		return set_tenant(hsk, value);
	}
}

static u32 joined_tenant(struct homa_sock *hsk)
{
	u32 id;

	spin_lock_bh(&hsk->lock);
	id = homa_tenant_id(hsk->tenant);
	spin_unlock_bh(&hsk->lock);
	return id;
}

static int put_option(char __user *optval, int __user *optlen, const void *out, int size)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < size)
		return -EINVAL;
	if (copy_to_user(optval, out, size) || put_user(size, optlen))
		return -EFAULT;
	return 0;
}

int homa_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		    int __user *optlen)
{
	struct homa_sock *hsk = homa_sk(sk);
	union {
		struct homa_rcvbuf_args rcvbuf;
		u32 value;
	} out = {};
	int size = sizeof(out.value);
	struct homa_pool *pool;

	homa_held_send(hsk);
	if (level == IPPROTO_IPV6 && optname == IPV6_V6ONLY && sk->sk_family == AF_INET6) {
		out.value = sk->sk_ipv6only;
		return put_option(optval, optlen, &out, size);
	}
	if (level != IPPROTO_HOMA)
		return -ENOPROTOOPT;
	switch (optname) {
	case SO_HOMA_RCVBUF:
		pool = smp_load_acquire(&hsk->pool);	/* set_rcvbuf() */
		size = sizeof(out.rcvbuf);
		out.rcvbuf.start = pool ? homa_pool_start(pool) : 0;
		out.rcvbuf.length = pool ? homa_pool_length(pool) : 0;
		break;
	case SO_HOMA_SERVER:
		out.value = READ_ONCE(hsk->is_server);
		break;
	case SO_HOMA_TENANT:
		out.value = joined_tenant(hsk);
		break;
	case SO_HOMA_PEER_TENANT:
		out.value = READ_ONCE(hsk->peer_tenant);
		break;
	default:
		return -ENOPROTOOPT;
	}
	return put_option(optval, optlen, &out, size);
}

/* ------------------------------------------------------------------ ioctl */

static void describe(struct homa_rpc *rpc, struct homa_rpc_info *info)
{
	memset(info, 0, sizeof(*info));
	spin_lock_bh(&rpc->lock);
	info->id = rpc->id;
	homa_addr_to_user(&info->peer, rpc->hsk->inet.sk.sk_family, &rpc->peer->addr, rpc->dport);
	info->completion_cookie = rpc->cookie;
	info->tx_length = rpc->out.length ? (s32)rpc->out.length : -1;
	info->tx_sent = rpc->out.sent;
	info->tx_granted = rpc->out.granted;
	info->tx_prio = rpc->out.prio;
	info->rx_length = rpc->in.length ? (s32)rpc->in.length : -1;
	info->rx_remaining = rpc->in.length - rpc->in.received;
	info->rx_gaps = rpc->in.gaps.nr;
	info->rx_gap_bytes = homa_gaps_bytes(&rpc->in.gaps);
	info->rx_granted = READ_ONCE(rpc->grant.granted);
	info->flags = (rpc->in.stalled ? HOMA_RPC_BUF_STALL : 0) |
		      (rpc->is_private ? HOMA_RPC_PRIVATE : 0) |
		      (rpc->is_complete && !rpc->is_taken && !rpc->is_handed ?
		       HOMA_RPC_RX_READY : 0) |
		      (rpc->is_taken && !rpc->is_handed ? HOMA_RPC_RX_COPY : 0);
	spin_unlock_bh(&rpc->lock);
}

/* As many as there are now, but no more than fit; *nr: how many were found. */
static struct homa_rpc_info *describe_all(struct homa_sock *hsk, u64 room, u32 *total, u32 *nr)
{
	struct homa_rpc_info *infos;
	struct homa_rpc **rpcs;
	u32 max, i;

	*nr = 0;
	*total = READ_ONCE(hsk->nr_rpcs);
	max = min_t(u64, homa_list_max(*total, sizeof(*infos)), room / sizeof(*infos));
	if (!max)
		return NULL;
	infos = kvmalloc_array(max, sizeof(*infos), GFP_LIST);
	rpcs = kvmalloc_array(max, sizeof(*rpcs), GFP_LIST);
	if (!infos || !rpcs) {
		kvfree(rpcs);
		kvfree(infos);
		return ERR_PTR(-ENOMEM);
	}
	*nr = homa_collect(hsk, rpcs, max);
	for (i = 0; i < *nr; i++) {
		describe(rpcs[i], &infos[i]);
		homa_rpc_put(rpcs[i]);
		cond_resched();
	}
	kvfree(rpcs);
	return infos;
}

static int ioctl_info(struct homa_sock *hsk, void __user *arg)
{
	struct homa_pool *pool = smp_load_acquire(&hsk->pool);	/* set_rcvbuf() */
	struct homa_rpc_info *infos;
	struct homa_info info, in;
	u32 total, nr;
	int err = 0;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	infos = describe_all(hsk, in.rpc_info_length, &total, &nr);
	if (IS_ERR(infos))
		return homa_fail(hsk, PTR_ERR(infos), "info: no memory for a list of the RPCs");
	memset(&info, 0, sizeof(info));
	info.rpc_info = in.rpc_info;
	info.rpc_info_length = nr * sizeof(*infos);
	info.bpool_avail_bytes = pool ? homa_pool_avail(pool) : 0;
	info.port = hsk->port;
	info.num_rpcs = total;
	strscpy(info.error_msg, READ_ONCE(hsk->error) ?: "", sizeof(info.error_msg));
	if ((nr && copy_to_user(u64_to_user_ptr(in.rpc_info), infos, nr * sizeof(*infos))) ||
	    copy_to_user(arg, &info, sizeof(info)))
		err = -EFAULT;
	kvfree(infos);
	return err;
}

static void abort_rpc(struct homa_rpc *rpc, u32 error)
{
	if (!error) {
		local_bh_disable();
		homa_rpc_finish_client(rpc);
		local_bh_enable();
		return;
	}
	spin_lock_bh(&rpc->lock);
	homa_rpc_fail(rpc, -(int)error);
	spin_unlock_bh(&rpc->lock);
}

/* Those that there are now. */
static int abort_all(struct homa_sock *hsk, u32 error)
{
	u32 i, nr = READ_ONCE(hsk->nr_rpcs);
	struct homa_rpc **rpcs;

	if (!nr)
		return 0;
	if (homa_list_max(nr, sizeof(*rpcs)) < nr)
		return homa_fail(hsk, -ENOMEM, "abort: too many RPCs to end them all in one call");
	rpcs = kvmalloc_array(nr, sizeof(*rpcs), GFP_LIST);
	if (!rpcs)
		return homa_fail(hsk, -ENOMEM, "abort: no memory for a list of the RPCs");
	nr = homa_collect(hsk, rpcs, nr);
	for (i = 0; i < nr; i++) {
		if (homa_rpc_is_client(rpcs[i]))
			abort_rpc(rpcs[i], error);
		homa_rpc_put(rpcs[i]);
		cond_resched();
	}
	kvfree(rpcs);
	return 0;
}

static int ioctl_abort(struct homa_sock *hsk, const void __user *arg)
{
	struct homa_abort_args args;
	struct homa_rpc *rpc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args._pad1 || args._pad2[0] || args._pad2[1])
		return homa_fail(hsk, -EINVAL, "abort: reserved fields are not 0");
	if (args.error > MAX_ERRNO)
		return homa_fail(hsk, -EINVAL, "abort: error is no errno");
	if (args.id) {
		rpc = args.id & 1 ? NULL : homa_rpc_find(hsk, args.id, NULL);
		if (!rpc)
			return homa_fail(hsk, -EINVAL, "abort: no client RPC has this id");
		abort_rpc(rpc, args.error);
		homa_rpc_put(rpc);
		return 0;
	}
	return abort_all(hsk, args.error);
}

int homa_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	int err;

	homa_held_send(hsk);
	/* Numbers of all branches of HomaModule; they do not overlap. */
	switch (cmd) {
	case HOMAIOCINFO:
	case 0xC0886801:
		return ioctl_info(hsk, (void __user *)arg);
	case HOMAIOCFREEZE:	/* of time traces, which there are none of */
	case 0x6803:
	case 0x89EF:
		return 0;
	case HOMAIOCABORT:
	case 0xC0206802:
	case 0xC02089E3:
		return ioctl_abort(hsk, (const void __user *)arg);
	}
	/* What every internet socket can be asked; it ends at sk_prot->ioctl, which is not there. */
	if (IS_ENABLED(CONFIG_IPV6) && sock->ops->family == PF_INET6)
		err = inet6_ioctl(sock, cmd, arg);
	else
		err = inet_ioctl(sock, cmd, arg);
	return err == -ENOIOCTLCMD ? -EINVAL : err;
}

#ifdef CONFIG_COMPAT
/* The structures are the same for 32-bit programs, pointers in them are 64 bits wide. */
int homa_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	return homa_ioctl(sock, cmd, (unsigned long)compat_ptr(arg));
}
#endif
