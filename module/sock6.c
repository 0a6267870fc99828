// SPDX-License-Identifier: GPL-2.0
/*
 * sock6.c - AF_INET6 sockets: what the kernel wants to be different for them. IPv4 hosts are
 * v4-mapped addresses to them, unless IPV6_V6ONLY is set. Ports are shared with AF_INET sockets.
 */
#include <net/inet_common.h>
#include <net/protocol.h>
#include <net/transp_v6.h>
#include <net/udp.h>
#include <p4wire.h>

#include "calls.h"
#include "icmp.h"
#include "options.h"
#include "recv.h"
#include "rmem.h"
#include "sock.h"

#if IS_ENABLED(CONFIG_IPV6)

struct homa6_sock {
	struct homa_sock homa;
	struct ipv6_pinfo inet6;	/* last: older kernels look for it at the end of obj_size */
};

static void destruct(struct sock *sk)
{
	inet6_cleanup_sock(sk);
	homa_sock_destruct(sk);
}

static int init(struct sock *sk)
{
	int err = homa_sock_init(sk);

	sk->sk_destruct = destruct;
	return err;
}

static struct proto prot = {
	.name		= "HOMAv6",
	.owner		= THIS_MODULE,
	.close		= homa_sock_close,
	.connect	= ip6_datagram_connect,
	.disconnect	= udp_disconnect,
	.init		= init,
	.setsockopt	= homa_setsockopt,
	.getsockopt	= homa_getsockopt,
	.sendmsg	= homa_sendmsg,
	.recvmsg	= homa_recvmsg,
	.bind		= homa_bind,
	.unhash		= homa_sock_drop_port,
	HOMA_RMEM_PROTO
	.obj_size	= offsetofend(struct homa6_sock, inet6),
	HOMA_PINFO_OFFSET(struct homa6_sock, inet6)
	.no_autobind	= true,
};

static const struct proto_ops ops = {
	.family		= PF_INET6,
	.owner		= THIS_MODULE,
	.release	= inet6_release,
	.bind		= inet6_bind,
	.connect	= inet_dgram_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= inet6_getname,
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

static struct inet_protosw protosw = {
	.type = SOCK_DGRAM,
	.protocol = P4W_IPPROTO,
	.prot = &prot,
	.ops = &ops,
	.flags = INET_PROTOSW_REUSE,
};

static const struct inet6_protocol protocol = {
	.handler = homa_rcv6,
	.err_handler = homa_icmp6,
	.flags = INET6_PROTO_FINAL,
};

int homa_sock6_init(void)
{
	int err = proto_register(&prot, 1);

	if (err)
		return err;
	err = inet6_add_protocol(&protocol, P4W_IPPROTO);
	if (err)
		goto undo_proto;
	err = inet6_register_protosw(&protosw);
	if (err)
		goto undo_protocol;
	return 0;

undo_protocol:
	inet6_del_protocol(&protocol, P4W_IPPROTO);
undo_proto:
	proto_unregister(&prot);
	return err;
}

void homa_sock6_exit(void)
{
	inet6_unregister_protosw(&protosw);
	inet6_del_protocol(&protocol, P4W_IPPROTO);
	proto_unregister(&prot);
}

#else

int homa_sock6_init(void)
{
	return 0;
}

void homa_sock6_exit(void)
{
}

#endif
