/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net.h - the state of one network namespace. Nothing is shared between namespaces.
 *
 * Each member that is a pointer to an opaque struct belongs to the file of that name, which makes
 * it in its net_init and frees it in its net_exit; nobody else looks inside.
 */
#ifndef P4HOMA_NET_H
#define P4HOMA_NET_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "counters.h"
#include "knobs.h"

struct ctl_table;
struct ctl_table_header;
struct homa_cutoffs;
struct homa_dead;
struct homa_grants;
struct homa_links;
struct homa_msg_cache;
struct homa_peers;
struct homa_ports;
struct homa_rpcs;
struct homa_tenants;
struct homa_waits;

struct homa_net {
	struct net *net;
	struct homa_counters __percpu *counters;
	struct homa_knobs knobs;
	struct ctl_table *knob_table;
	struct ctl_table_header *knob_header;
	atomic64_t next_id;		/* of the next transaction: even, random start */
	struct homa_ports *ports;	/* sock.c */
	struct homa_peers *peers;	/* peer.c */
	struct homa_rpcs *rpcs;		/* rpc.c */
	struct homa_cutoffs *cutoffs;	/* cutoffs.c */
	struct homa_grants *grants;	/* grant.c */
	struct homa_msg_cache *msg_cache;	/* msg.c */
	struct homa_waits __percpu *waits;	/* waits.c */
	struct homa_dead *dead;		/* live.c */
	struct homa_links *links;	/* link.c */
	bool has_paced;			/* pacer.c: a device has been paced here; racy */
	struct homa_tenants *tenants;	/* tenant.c */
};

extern unsigned int homa_net_id;

static inline struct homa_net *homa_net(struct net *net)
{
	return net_generic(net, homa_net_id);
}

#endif /* P4HOMA_NET_H */
