// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - loads and unloads the module, makes and frees the state of each network namespace.
 *
 * Sockets hold a reference to the module, so it cannot be unloaded (EBUSY) while one is open, and
 * to their network namespace, so none is left in a namespace that goes.
 */
#include <linux/module.h>
#include <net/protocol.h>

#include "cutoffs.h"
#include "grant.h"
#include "icmp.h"
#include "live.h"
#include "link.h"
#include "msg.h"
#include "netlink.h"
#include "net.h"
#include "offload.h"
#include "peer.h"
#include "qdisc.h"
#include "recv.h"
#include "rmem.h"
#include "rpc.h"
#include "sock.h"
#include "tenant.h"
#include "turns.h"
#include "waits.h"

unsigned int homa_net_id;

static int __net_init net_init(struct net *net)
{
	struct homa_net *hn = homa_net(net);
	int err;

	hn->net = net;
	err = homa_counters_net_init(hn);
	if (err)
		return err;
	err = homa_ports_net_init(hn);
	if (err)
		goto undo_counters;
	err = homa_peers_net_init(hn);
	if (err)
		goto undo_ports;
	err = homa_rpcs_net_init(hn);
	if (err)
		goto undo_peers;
	err = homa_msg_net_init(hn);
	if (err)
		goto undo_rpcs;
	err = homa_grants_net_init(hn);
	if (err)
		goto undo_msg;
	err = homa_waits_net_init(hn);
	if (err)
		goto undo_grants;
	err = homa_live_net_init(hn);
	if (err)
		goto undo_waits;
	err = homa_tenants_net_init(hn);
	if (err)
		goto undo_live;
	err = homa_knobs_net_init(hn);
	if (err)
		goto undo_tenants;
	err = homa_cutoffs_net_init(hn);
	if (err)
		goto undo_knobs;
	err = homa_links_net_init(hn);
	if (err)
		goto undo_cutoffs;
	return 0;

undo_cutoffs:
	homa_cutoffs_net_exit(hn);
undo_knobs:
	homa_knobs_net_exit(hn);
undo_tenants:
	homa_tenants_net_exit(hn);
undo_live:
	homa_live_net_exit(hn);
undo_waits:
	homa_waits_net_exit(hn);
undo_grants:
	homa_grants_net_exit(hn);
undo_msg:
	homa_msg_net_exit(hn);
undo_rpcs:
	homa_rpcs_net_exit(hn);
undo_peers:
	homa_peers_net_exit(hn);
undo_ports:
	homa_ports_net_exit(hn);
undo_counters:
	homa_counters_net_exit(hn);
	return err;
}

static void __net_exit net_exit(struct net *net)
{
	struct homa_net *hn = homa_net(net);

	homa_links_net_exit(hn);
	homa_cutoffs_net_exit(hn);
	homa_knobs_net_exit(hn);
	homa_tenants_net_exit(hn);
	homa_live_net_exit(hn);
	homa_waits_net_exit(hn);
	homa_grants_net_exit(hn);
	homa_msg_net_exit(hn);
	homa_rpcs_net_exit(hn);
	homa_peers_net_exit(hn);
	homa_ports_net_exit(hn);
	homa_counters_net_exit(hn);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.exit = net_exit,
	.id = &homa_net_id,
	.size = sizeof(struct homa_net),
};

static const struct net_protocol protocol = {
	.handler = homa_rcv,
	.err_handler = homa_icmp,
};

static struct inet_protosw protosw = {
	.type = SOCK_DGRAM,
	.protocol = P4W_IPPROTO,
	.prot = &homa_prot,
	.ops = &homa_proto_ops,
	.flags = INET_PROTOSW_REUSE,
};

/* Only one module can have the protocol; HomaModule's would also want our names in /proc. */
static int __init is_taken(void)
{
	if (!rcu_access_pointer(inet_protos[P4W_IPPROTO]))
		return 0;
	pr_err("p4homa: another module has IP protocol %d, probably HomaModule's homa: unload it first\n",
	       P4W_IPPROTO);
	return -EBUSY;
}

static int __init load(void)
{
	int err;

	err = is_taken();
	if (err)
		return err;
	homa_turns_init();
	homa_rmem_init();
	err = homa_rpcs_init();
	if (err)
		return err;
	err = homa_peers_init();
	if (err)
		goto undo_rpcs;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto undo_peers;
	err = homa_link_init();
	if (err)
		goto undo_net;
	err = homa_qdisc_init();
	if (err)
		goto undo_link;
	err = homa_netlink_init();
	if (err)
		goto undo_qdisc;
	err = proto_register(&homa_prot, 1);
	if (err)
		goto undo_netlink;
	err = homa_offload_init();
	if (err)
		goto undo_proto;
	err = inet_add_protocol(&protocol, P4W_IPPROTO);
	if (err)
		goto undo_offload;
	err = homa_sock6_init();
	if (err)
		goto undo_protocol;
	inet_register_protosw(&protosw);
	pr_info("p4homa: Homa transport, IP protocol %d\n", P4W_IPPROTO);
	return 0;

undo_protocol:
	inet_del_protocol(&protocol, P4W_IPPROTO);
undo_offload:
	homa_offload_exit();
undo_proto:
	proto_unregister(&homa_prot);
undo_netlink:
	homa_netlink_exit();
undo_qdisc:
	homa_qdisc_exit();
undo_link:
	homa_link_exit();
undo_net:
	unregister_pernet_subsys(&net_ops);
undo_peers:
	homa_peers_exit();
undo_rpcs:
	homa_rpcs_exit();
	return err;
}

static void __exit unload(void)
{
	inet_unregister_protosw(&protosw);
	homa_sock6_exit();
	inet_del_protocol(&protocol, P4W_IPPROTO);
	homa_offload_exit();
	proto_unregister(&homa_prot);
	homa_netlink_exit();
	homa_qdisc_exit();
	homa_link_exit();
	unregister_pernet_subsys(&net_ops);
	homa_peers_exit();
	homa_rpcs_exit();
	rcu_barrier();	/* callbacks of freed tenants */
}

module_init(load);
module_exit(unload);

MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
MODULE_DESCRIPTION("Homa transport, tenants and switch transactions");
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, P4W_IPPROTO, 2);	/* SOCK_DGRAM, an enum */
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, P4W_IPPROTO, 2);
